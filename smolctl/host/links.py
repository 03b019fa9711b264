"""Links of the Linux host: RTM_NEWLINK."""

import struct
from typing import NamedTuple

from smolctl.device.netlink import Attributes, Netlink, attributes, each_attribute
from smolctl.host.values import check_length, number, optional, text, unknown

# linux/if_link.h
_GET = 18
_HEADER = struct.Struct("=BxHiII")  # family, type, index, flags, change
_HARDWARE, _BROADCAST, _NAME, _MTU, _LINK, _QDISC = range(1, 7)
_MASTER, _TXQLEN, _OPERSTATE, _LINKMODE, _INFO, _ALIAS = 10, 13, 16, 17, 18, 20
_GROUP, _PROMISCUITY, _CARRIER, _NETNS, _PROTO_DOWN, _XDP = 27, 30, 33, 37, 39, 43
_PROPERTIES, _ALTNAME, _ALLMULTI = 52, 53, 61
_KIND, _DATA, _PORT_KIND, _PORT_DATA = 1, 2, 4, 5
_XDP_ATTACHED = 2
_EXT_MASK, _SKIP_STATS = 29, 8
_FIELDS = frozenset(
    {_HARDWARE, _BROADCAST, _NAME, _MTU, _LINK, _QDISC, _MASTER, _TXQLEN, _OPERSTATE, _LINKMODE}
    | {_INFO, _ALIAS, _GROUP, _PROMISCUITY, _CARRIER, _NETNS, _PROTO_DOWN, _XDP, _PROPERTIES}
    | {_ALLMULTI}
)
# Counters, queues, sizes of offloads, names of the hardware, sysctls (from /proc): none of them
# decides whether a packet gets through.
_IDLE = frozenset(
    {7, 11, 14, 15, 21, 22, 23, 24, 26, 31, 32, 34, 35, 36, 38, 40, 41, 46, 47, 48, 50, 51, 54, 55}
    | {56, 57, 58, 59, 60, 62, 63, 64, 65, 66, 67, 68, 69}
)
_KNOWN = _FIELDS | _IDLE

UP, BROADCAST, LOOPBACK, POINTOPOINT, RUNNING = 0x1, 0x2, 0x8, 0x10, 0x40
NOARP, PROMISC, ALLMULTI, MULTICAST, LOWER_UP = 0x80, 0x100, 0x200, 0x1000, 0x10000
"""Flags (IFF_*)."""
ETHER, LOOPBACK_TYPE, NONE_TYPE = 1, 772, 0xFFFE
"""Types (ARPHRD_*): those of Ethernet, of ``lo``, and of a TUN."""
OPERSTATES = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")
"""Names of the operational state, by its number (RFC 2863)."""


class Link(NamedTuple):
    """One link.

    Attributes:
        ifindex, name: "eth0" is number 2, say.
        altnames: further names.
        alias: what somebody noted about it.
        type: of its hardware (ARPHRD_*): 1 is Ethernet.
        flags: ``UP`` and its neighbors.
        carrier: a signal is there; only told of a link that is up.
        operstate: an index of ``OPERSTATES``.
        mtu: bytes of an IP packet.
        mac: its link address, of any length.
        broadcast: link address of all; of a tunnel without one, the other end's.
        lower: index of the link below it, or of the other end of a veth; 0 for none.
        lower_netns: the kernel's number of the namespace in which ``lower`` is; None: in this one.
        master: index of the bridge, bond or VRF of which it is a port; 0 for none.
        kind: "veth", "bridge", "vlan" and so on; "" of hardware and ``lo``.
        data: attributes of its kind, by number.
        port_kind: kind of its master.
        port_data: attributes that it has as a port.
        qdisc: name of what queues packets.
        txqlen: packets.
        group: number of its group.
        promiscuity: how many want all frames.
        xdp: how a program is attached in front of the stack (XDP_ATTACHED_*); 0 for none.
        proto_down: held down by a protocol of the user space.
        unknown: types of attributes that have no field here and may decide about packets.
    """

    ifindex: int
    name: str
    altnames: tuple[str, ...]
    alias: str
    type: int
    flags: int
    carrier: bool
    operstate: int
    mtu: int
    mac: bytes
    broadcast: bytes
    lower: int
    lower_netns: int | None
    master: int
    kind: str
    data: dict[int, bytes]
    port_kind: str
    port_data: dict[int, bytes]
    qdisc: str
    txqlen: int
    group: int
    promiscuity: int
    xdp: int
    proto_down: bool
    unknown: tuple[int, ...]

    @property
    def vlan(self) -> tuple[int, int] | None:
        """VLAN ID and Ethernet type of the tags; None of other kinds."""
        if self.kind != "vlan":
            return None
        return number(self.data, 1), int.from_bytes(self.data.get(5, b"\x81\x00"))

    @property
    def tun(self) -> str:
        """Whether it is a "tun" or a "tap"; "" of other kinds."""
        return {1: "tun", 2: "tap"}.get(number(self.data, 3), "") if self.kind == "tun" else ""

    @property
    def vrf_table(self) -> int | None:
        """Routing table of a VRF; None of other kinds."""
        return optional(self.data, 1) if self.kind == "vrf" else None

    @property
    def bridge_vlans(self) -> bool:
        """Whether a bridge looks at VLAN tags."""
        return self.kind == "bridge" and bool(number(self.data, 7))

    @property
    def forwards(self) -> bool:
        """Whether a port of a bridge forwards (spanning tree state 3); True of other links."""
        return self.port_kind != "bridge" or number(self.port_data, 1, 3) == 3


def read(kernel: Netlink) -> tuple[Link, ...]:
    """Return all links, in the kernel's order.

    Raises:
        NetlinkError: as for ``Netlink.dump``.
    """
    mask = struct.pack("=HHI", 8, _EXT_MASK, _SKIP_STATS)
    return tuple(map(parse, kernel.dump(_GET, _HEADER.pack(0, 0, 0, 0, 0) + mask)))


def parse(data: bytes) -> Link:
    """Return the link that a message tells of.

    Raises:
        NetlinkError: it is too short.
    """
    check_length(data, _HEADER.size, "a link")
    _, kind, ifindex, flags, _ = _HEADER.unpack_from(data)
    found = attributes(data, _HEADER.size)
    info = attributes(found.get(_INFO, b""), 0)
    own, port = _nested(info, _DATA), _nested(info, _PORT_DATA)
    names = each_attribute(found.get(_PROPERTIES, b""))
    lower = number(found, _LINK)
    return Link(
        ifindex=ifindex,
        name=text(found.get(_NAME)),
        altnames=tuple(text(value) for each, value in names if each == _ALTNAME),
        alias=text(found.get(_ALIAS)),
        type=kind,
        flags=flags,
        carrier=bool(number(found, _CARRIER)),
        operstate=number(found, _OPERSTATE),
        mtu=number(found, _MTU),
        mac=found.get(_HARDWARE, b""),
        broadcast=found.get(_BROADCAST, b""),
        lower=lower,
        lower_netns=optional(found, _NETNS),
        master=number(found, _MASTER),
        kind=text(info.get(_KIND)),
        data=own,
        port_kind=text(info.get(_PORT_KIND)),
        port_data=port,
        qdisc=text(found.get(_QDISC)),
        txqlen=number(found, _TXQLEN),
        group=number(found, _GROUP),
        promiscuity=number(found, _PROMISCUITY),
        xdp=number(attributes(found.get(_XDP, b""), 0), _XDP_ATTACHED),
        proto_down=bool(number(found, _PROTO_DOWN)),
        unknown=unknown(found, _KNOWN),
    )


def _nested(info: Attributes, kind: int) -> Attributes:
    return attributes(info.get(kind, b""), 0)
