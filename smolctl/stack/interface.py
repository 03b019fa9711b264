"""Interfaces: link state, what waits to leave, counters, and the state of each address family."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from smolctl.errors import NoSuchDevice
from smolctl.near import did_you_mean
from smolctl.stack.ip.interface import IpInterface
from smolctl.stack.link.impairment import Impairment
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.sysctl.link_settings import LinkSettings
from smolctl.stack.sysctl.settings import Settings
from smolctl.wire.address import ZERO_MAC
from smolctl.wire.offload.run import PendingDatagram
from smolctl.wire.offload.tcp_run import Segment
from smolctl.wire.vlan import VlanTag

LOOPBACK_NAME = "lo"
PROGRAM = "exec"
"""The kind of a program's interface; see ``Interface.of_program``."""


class Medium(StrEnum):
    """The kind of frames on a link."""

    ETHERNET = "ethernet"
    """Ethernet II frames; next hops are resolved by ARP."""
    IP = "ip"
    """Bare IP packets; there is nothing to resolve (loopback)."""
    NONE = "none"
    """IP packets that a tunnel takes, without link addresses: there is nobody to ask for one (Linux
    ARPHRD_NONE). In this process they have an Ethernet header of zeros, which nobody is told of."""


LOOPBACK_MTU = 65536
ETHERNET_MTU = 1500
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
class Vlan:
    """The tie of a VLAN's interface to the interface below it.

    Attributes:
        lower: the interface whose frames have the tag.
        tpid, vid: of the tag.
        own_mac: it was given a MAC address, and does not take that of ``lower``.
    """

    lower: "Interface"
    tpid: int
    vid: int
    own_mac: bool = False

    @property
    def tag(self) -> VlanTag:
        """The tag of what is sent (Linux: without a map every priority is 0)."""
        return VlanTag(self.tpid, 0, False, self.vid)


@dataclass(slots=True, eq=False)
class Mirror:
    """The likeness to a link of another system, of an interface without a device of its own.

    Attributes:
        kind: of that link: "bridge", "veth", "tun", ...; "" where it is not told.
        index: its number, if it was told; else 0.
        master: the interface of which it is a port, and which gets the frames that come in by it
            (Linux: a bridge, bond or team); None for none.
        lower: the interface on which it is, or None.
    """

    kind: str = ""
    index: int = 0
    master: "Interface | None" = None
    lower: "Interface | None" = None


@dataclass(slots=True, eq=False)
class Interface:
    """One interface of a stack.

    Attributes:
        index: ifindex, unique while the stack lives, from 1.
        kind: what carries its frames: "loopback", "tap", ...; a loopback has no device.
        loopback: whether what is sent comes back here and never reaches a wire.
        mac: its unicast MAC address, 6 zero bytes where the medium has none.
        mtu: largest IP packet in bytes.
        ipv4, ipv6: the addresses and groups that each family has on it.
        settings: the sysctls that count on it.
        up: whether the user wants it up.
        carrier: whether somebody is at the other end.
        group: number of its group, which rules may look at; 0 is ip's "default".
        arp: whether neighbors are asked for their MAC; else each has the link's own (IFF_NOARP).
        gone: whether its device was deleted from outside; it will have no carrier again.
        outbox: frames for the device, oldest first, at most ``OUTBOX_LIMIT``; a datagram of a known
            flow is one whose headers are not in front of it yet.
        headroom: bytes that the device puts in front of each frame that it receives: 0, or those
            of a virtio header.
        vlan: whose VLAN it is, and which; None for an interface that has a device.
        vlans: the interfaces that are a VLAN of it, by tpid and VLAN ID.
        mirror: what it is like, if it has no device and goes nowhere; else None.
        mtu_in: whether frames that come in must fit its MTU, too.
        options: the words it was added with that only links of its kind have, to add it again.
        impairment: what the link does to the frames before they get into the outbox, if anything.
        traced: how many frames of the outbox, or on their way from it, are followed.
        flows: for the fast path, the socket of each flow that came in, by the bytes of addresses,
            ports and length; valid for one generation of the stack.
        forward_flows: for the fast path of forwarding, the way of packets that came in, by Ethernet
            header and addresses, of IPv4 by type of service, too; as long valid.
    """

    name: str
    index: int
    kind: str
    medium: Medium
    mac: bytes
    mtu: int
    ipv4: IpInterface
    ipv6: IpInterface
    settings: LinkSettings
    up: bool = True
    carrier: bool = True
    arp: bool = True
    group: int = 0
    gone: bool = False
    headroom: int = 0
    outbox: list[bytes | TracedFrame | PendingDatagram | Segment] = field(default_factory=list)
    counters: Counters = field(default_factory=Counters)
    flows: dict[bytes, Any] = field(default_factory=dict)
    flows_generation: int = -1
    forward_flows: dict[bytes, Any] = field(default_factory=dict)
    forward_generation: int = -1
    traced: int = 0
    impairment: Impairment | None = None
    vlan: Vlan | None = None
    vlans: dict[tuple[int, int], "Interface"] = field(default_factory=dict)
    mirror: Mirror | None = None
    mtu_in: bool = False
    options: Mapping[str, str | bool] = field(default_factory=dict)
    loopback: bool = field(init=False)

    def __post_init__(self) -> None:
        self.loopback = self.kind == "loopback"

    @property
    def of_program(self) -> bool:
        """Whether a program is at the other end, and nobody else (``smolctl exec``).

        The stack is the program's router, whatever ``ip.forward`` says. Both addresses of the wire
        are the stack's choice, so nothing has to be tested. It is gone with the program.
        """
        return self.kind == PROGRAM

    @property
    def passed(self) -> "list[Interface]":
        """The interfaces that its frames pass: itself, those below, the one with a device last."""
        return [self] if self.vlan is None else [self, *self.vlan.lower.passed]

    @property
    def receiver(self) -> "Interface":
        """The interface that gets what comes in: itself, or that of which it is a port."""
        mirror = self.mirror
        return self if mirror is None or mirror.master is None else mirror.master.receiver

    @property
    def has_peers(self) -> bool:
        """Whether somebody may be on the link, who could be asked or told."""
        return self.has_wire and self.arp

    @property
    def has_wire(self) -> bool:
        """Whether frames may get to somebody."""
        return self.up and self.carrier and self.medium is Medium.ETHERNET


class LinkObserver(Protocol):
    """A network, as links know it (Linux: a netdevice notifier)."""

    def make_state(self, settings: LinkSettings) -> IpInterface:
        """Return its state of a new interface."""

    def link_added(self, interface: Interface) -> None:
        """Take note that there is a link."""

    def link_ready(self, interface: Interface, now: int) -> None:
        """Take note that a link is up, and somebody may hear what is sent."""

    def link_up(self, interface: Interface, now: int) -> None:
        """Take note that a link is up."""

    def link_going_down(self, interface: Interface, now: int) -> None:
        """Take note that a link is about to go down."""

    def link_down(self, interface: Interface, now: int) -> None:
        """Take note that a link is down, and listeners know."""

    def link_deleted(self, interface: Interface, now: int) -> None:
        """Take note that a link is deleted."""

    def mac_changing(self, interface: Interface, now: int) -> None:
        """Take note that a link is about to get another MAC address."""

    def mac_changed(self, interface: Interface, now: int) -> None:
        """Take note that a link has another MAC address."""

    def arp_changing(self, interface: Interface, now: int) -> None:
        """Take note that a link is about to get ARP, or to do without it."""

    def arp_changed(self, interface: Interface, now: int) -> None:
        """Take note that a link has ARP, or has it no more."""

    def mtu_changed(self, interface: Interface, before: int, now: int) -> None:
        """Take note that a link has another MTU."""

    def carrier_changed(self, interface: Interface, now: int) -> None:
        """Take note that a link got or lost its carrier."""


class Interfaces(dict[str, Interface]):
    """The interfaces of one stack by name.

    Attributes:
        loopback: ``lo``, through which packets to our own addresses go.
        observers: the networks, IPv4 first, which are told what happens to links.
        settings: the sysctls of the stack and of its links.
    """

    loopback: Interface

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.observers: list[LinkObserver] = []
        self.last_index = 0

    def create(
        self, name: str, kind: str, medium: Medium, mtu: int, mac: bytes | None, index: int = 0
    ) -> Interface:
        """Make an interface that is up, without addresses; see ``config.link.add_interface``.

        The networks are told that it is ready by who has made it ready.

        Args:
            index: its ifindex, which no other interface has; 0 for the next one.
        """
        index = index or self.last_index + 1
        self.last_index = max(self.last_index, index)
        settings = self.settings.add_link(name)
        ipv4, ipv6 = (network.make_state(settings) for network in self.observers)
        mac = mac or ZERO_MAC
        interface = Interface(name, index, kind, medium, mac, mtu, ipv4, ipv6, settings)
        self[name] = interface
        for network in self.observers:
            network.link_added(interface)
        return interface

    def forget(self, interface: Interface) -> None:
        """Take an interface out, with its sysctls."""
        del self[interface.name]
        self.settings.drop_link(interface.name)

    def group_of(self, name: str) -> int:
        """Return the group of an interface; 0 of one that is not there."""
        found = self.get(name)
        return 0 if found is None else found.group

    def named(self, name: str) -> Interface:
        """Return an interface by name.

        Raises:
            NoSuchDevice: there is none; the message names those that are.
        """
        if (found := self.get(name)) is None:
            raise NoSuchDevice(
                f'there is no interface "{name}" (there are: {", ".join(self)})',
                hint=did_you_mean(name, self, "smolctl link show"),
            )
        return found
