"""Protocol numbers and socket options that both families share."""

from enum import Enum, IntEnum
from typing import NamedTuple

from smolctl.wire.ipv4_options import Outgoing

NO_OPTIONS = Outgoing(b"")
PORTED = frozenset({6, 17, 33, 50, 132, 136})
"""Protocols that begin with two ports, or with what Linux takes for such: TCP, UDP, DCCP, ESP,
SCTP and UDP-Lite (``proto_ports_offset``)."""


class Pmtudisc(IntEnum):
    """The wish of a sender about path MTU discovery (Linux IP_MTU_DISCOVER; ``ping -M``)."""

    DONT = 0
    """Anybody may fragment it."""
    WANT = 1
    """Not to be fragmented on its way; what is known to be too big for that is fragmented here."""
    DO = 2
    """Nobody may fragment it: what is too big is refused."""
    PROBE = 3
    """As DO, with the MTU of the link alone: for one who looks for himself."""

    @property
    def insists(self) -> bool:
        """Whether what is too big is refused."""
        return self >= _DO

    def df(self, *, locked: bool) -> bool:
        """Tell whether a packet that fits is sent with DF (Linux ``ip_dont_fragment``).

        Args:
            locked: its MTU is not a discovered one: a bigger one may not be tried for, and a
                smaller link on the way fragments.
        """
        return self >= _DO or (self is _WANT and not locked)


_DO, _WANT = Pmtudisc.DO, Pmtudisc.WANT


class SendOptions(NamedTuple):
    """The wishes of a sender about a packet (Linux ``ipcm_cookie``).

    Attributes:
        src: source address that it insists on, None to have one selected.
        dev: interface that it insists on, None for whichever the FIB says.
        loose: it does not insist on ``dev``, see ``RouteKey``.
        ttl: None for the stack's default.
        tos: type of service (RFC 1122 3.2.1.6).
        options: of the IPv4 header; their first hop is where the packet goes first.
        loop: members on this stack get what is sent to their group.
        broadcast: it may go to everybody (Linux SO_BROADCAST).
        flow_label: of the IPv6 header, None to have one made (RFC 6437).
        mark: that rules may select (Linux SO_MARK). uid: of the user who sends it.
    """

    src: int | None = None
    dev: str | None = None
    ttl: int | None = None
    tos: int = 0
    options: Outgoing = NO_OPTIONS
    pmtudisc: Pmtudisc = Pmtudisc.DONT
    loop: bool = True
    broadcast: bool = False
    flow_label: int | None = None
    mark: int = 0
    uid: int = 0
    loose: bool = False


PLAIN = SendOptions()


class ErrorKind(Enum):
    """An ICMP error that a packet is answered with, whatever the family calls it."""

    NET = "net unreachable"
    HOST = "host unreachable"
    PROTOCOL = "protocol unreachable"
    PORT = "port unreachable"
    TOO_BIG = "fragmentation needed"
    SOURCE_ROUTE = "source route failed"
    PROHIBITED = "administratively prohibited"
    TTL = "time to live exceeded"
    REASSEMBLY = "reassembly time exceeded"
    BAD_HEADER = "parameter problem"
    REDIRECT = "redirect"
    BEYOND_SCOPE = "beyond scope of source address"
    OPTION = "unrecognized option"
    HEADERS = "first fragment without all headers"
