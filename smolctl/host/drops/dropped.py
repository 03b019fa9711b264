"""Dropped packets: what the kernel says of one, and what any source of them does."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD

_LOOKUPS = ("inet_rtm_getroute", "inet6_rtm_getroute")


class Dropped(NamedTuple):
    """A packet that the kernel dropped.

    Attributes:
        time_ns: when, since 1970.
        linux: the kernel's reason, such as "IP_RPFILTER".
        place: the code that dropped it, "ip_rcv_core+0x1d4"; "" where that is not known.
        protocol: its ethertype; 0 where it has none.
        dev: name of its device; "" where that is not known, or it had none yet.
        net: inode of its network namespace; 0 where that is not known.
        ifindex: number of its device; 0 without one, or where that is not known.
        iif: number of the device by which it came in; 0 of a packet of this host, None unknown.
        mark: its fwmark.
        mac: of its device; empty where that is not known.
        no_carrier: nobody is at the other end of its device's link; None where that is not known.
        ethernet: its Ethernet header; empty where that is not known, or it has none.
        packet: its first bytes from the network header on; empty where they are not known.
        size: of all of them, bytes.
    """

    time_ns: int
    linux: str
    place: str
    protocol: int = 0
    dev: str = ""
    net: int = 0
    ifindex: int = 0
    iif: int | None = None
    mark: int = 0
    mac: bytes = b""
    no_carrier: bool | None = None
    ethernet: bytes = b""
    packet: bytes = b""
    size: int = 0

    @property
    def function(self) -> str:
        """Return the name of the function that dropped it, as the source has it."""
        return self.place.partition("+")[0].partition(".")[0]

    @property
    def untagged(self) -> bool:
        """Return whether it had a VLAN tag that nobody here wants.

        The kernel has taken that away by then, and says that the frame is another host's.
        """
        mine = bool(self.mac) and self.ethernet[:6] == self.mac
        return self.linux == "OTHERHOST" and mine

    @property
    def is_packet(self) -> bool:
        """Return whether it is one of the network.

        The kernel makes one to look a route up, and frees it; and messages of local sockets look
        like packets without device and protocol.
        """
        return self.function not in _LOOKUPS and bool(self.protocol or self.dev or self.iif)


class Source(Protocol):
    """Something that tells of drops as they happen.

    Attributes:
        unknown: what it cannot tell of a packet, for people; "" when it tells all.
    """

    unknown: str

    def wait(self, timeout_s: float | None) -> None:
        """Wait until there may be some, or a time is over; None is no limit."""

    def take(self) -> Iterator[Dropped]:
        """Yield those that came since the last call."""

    def lost(self) -> int:
        """Return how many were lost, because they came too fast."""

    def close(self) -> None:
        """Stop; the kernel keeps nothing of it."""
