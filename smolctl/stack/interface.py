"""An interface: its link state, its addresses, what waits to leave, and its counters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from smolctl.stack.ip.addresses import AddressList
from smolctl.stack.ip.dad import Claims
from smolctl.stack.ip.group_reports import Igmp
from smolctl.stack.ip.groups import Groups
from smolctl.stack.link.impairment import Impairment
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.neighbor.proxy import Proxies
from smolctl.stack.sysctl.settings import Settings
from smolctl.wire import igmp
from smolctl.wire.address import IPV4, ZERO_MAC
from smolctl.wire.offload.run import Datagram

if TYPE_CHECKING:
    from smolctl.stack.fastpath.forward import ForwardFlow
    from smolctl.stack.fastpath.udp import IngressFlow


class Medium(StrEnum):
    """What the frames of a link are."""

    ETHERNET = "ethernet"
    """Ethernet II frames; next hops are resolved by ARP."""
    IP = "ip"
    """Bare IP packets; there is nothing to resolve (loopback)."""


LOOPBACK_MTU = 65536
ETHERNET_MTU = 1500
MTU_MIN = 68
"""RFC 791 3.2: every module must forward a datagram of 68 bytes without fragmentation."""
MTU_MAX = 65536
OUTBOX_LIMIT = 1000
"""Frames that may wait for a device, as Linux's default txqueuelen."""


@dataclass(slots=True, eq=False)
class Counters:
    """Frames and bytes, link header included, as ``ip -s link`` counts them.

    What a loopback carries is sent and received at once; it is counted as looped.
    """

    rx_packets: int = 0
    rx_bytes: int = 0
    rx_dropped: int = 0
    rx_errors: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    tx_dropped: int = 0
    tx_carrier_errors: int = 0
    multicast: int = 0
    looped_packets: int = 0
    looped_bytes: int = 0

    def total(self, name: str) -> int:
        """Return a counter with what was looped: "rx_packets", "tx_bytes", ..."""
        value: int = getattr(self, name)
        return value + int(getattr(self, "looped" + name[2:], 0))


@dataclass(slots=True, eq=False)
class Interface:
    """One interface of a stack.

    Attributes:
        index: ifindex, unique while the stack lives, from 1.
        kind: what carries its frames: "loopback", "tap", ...; a loopback has no device.
        mac: its unicast MAC address, 6 zero bytes where the medium has none.
        mtu: largest IP packet in bytes.
        claims: which of the addresses are tested, announced or defended.
        proxies: whom it answers ARP for, on behalf of others.
        groups: the groups that it is a member of.
        igmp: what of these is to be reported, and when.
        up: whether the user wants it up.
        carrier: whether somebody is at the other end.
        outbox: frames for the device, oldest first, at most ``OUTBOX_LIMIT``; a datagram of a known
            flow is one whose headers are not in front of it yet.
        headroom: bytes that the device puts in front of each frame that it receives: 0, or those
            of a virtio header.
        options: the words it was added with that only links of its kind have, to add it again.
        impairment: what the link does to the frames before they get into the outbox, if anything.
        traced: how many frames of the outbox, or on their way from it, are followed.
        flows: for the fast path, the socket of each flow that came in, by the 12 bytes of
            addresses and ports; valid for one generation of the stack.
        forward_flows: for the fast path of forwarding, the way of packets that came in, by Ethernet
            header, type of service and addresses; as long valid.
    """

    name: str
    index: int
    kind: str
    medium: Medium
    mac: bytes
    mtu: int
    addresses: AddressList
    claims: Claims
    proxies: Proxies
    groups: Groups
    igmp: Igmp
    up: bool = True
    carrier: bool = True
    headroom: int = 0
    outbox: list[bytes | TracedFrame | Datagram] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    flows: "dict[bytes, IngressFlow]" = field(default_factory=dict)
    flows_generation: int = -1
    forward_flows: "dict[bytes, ForwardFlow]" = field(default_factory=dict)
    forward_generation: int = -1
    traced: int = 0
    impairment: Impairment | None = None
    options: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def loopback(self) -> bool:
        """Whether what is sent comes back here and never reaches a wire."""
        return self.kind == "loopback"


def make_interface(
    name: str,
    index: int,
    kind: str,
    medium: Medium,
    mac: bytes | None,
    mtu: int,
    settings: Settings,
    random: Callable[[], float],
) -> Interface:
    """Return an interface without addresses, that is up."""
    addresses = AddressList(IPV4.bits)
    claims, proxies = Claims(settings, random), Proxies(settings, random)
    return Interface(
        name, index, kind, medium, mac or ZERO_MAC, mtu, addresses, claims, proxies,
        Groups(igmp.ALL_HOSTS), Igmp(settings, random),
    )  # fmt: skip
