"""Odd arrivals and odd sends, and the hosts that they are tried on: the types of the catalogue."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.e2e.kit import OURS_MAC

MACS = {"tap0": OURS_MAC, "tap1": "02:00:00:00:01:01"}
"""MAC addresses of the host's interfaces."""


class Arrival(NamedTuple):
    """Frames that come in by tap0, one after the other.

    Attributes:
        frames: whole Ethernet frames without FCS.
        setup, undo: commands for both hosts, in words that ``ip`` and ``smolctl`` share.
        late: what comes some time after the last frame: an "error", or a "report" of a group.
    """

    frames: tuple[bytes, ...]
    setup: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    late: str = ""


class Send(NamedTuple):
    """A datagram that somebody tries to send.

    Attributes:
        dst, port, size: of the datagram.
        source: what the socket is bound to.
        dev: the only interface it may leave by.
        df: it must not be fragmented.
        setup, undo: commands for both, in words that ``ip`` and ``smolctl`` share.
        late: the answer comes after the call.
    """

    dst: str
    port: int = 9
    size: int = 1
    source: str = ""
    dev: str = ""
    df: bool = False
    setup: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    late: bool = False


class World(NamedTuple):
    """One family's hosts, and all that happens to them.

    Attributes:
        name: of the family, as users write it.
        addresses: of each interface of the host, with their prefix lengths.
        neighbors: MAC and interface of those that the host knows for good.
        routes: arguments of ``route add``.
        linux_sysctls: settings of the kernel, before the addresses are there.
        smolctl_sysctls: settings of smolctl, for the same purpose.
        arrivals, sends: by what is odd about them.
        differences: where the two do not end alike, and why.
        listening: where a UDP socket is bound on both hosts: address ("" is any) and port.
        watched: destinations off the link, whose next hop and MTU a frame may change.
    """

    name: str
    addresses: Mapping[str, tuple[str, ...]]
    neighbors: Mapping[str, tuple[str, str]]
    routes: tuple[str, ...]
    linux_sysctls: Mapping[str, int]
    smolctl_sysctls: Mapping[str, int]
    arrivals: Mapping[str, Arrival]
    sends: Mapping[str, Send]
    differences: Mapping[str, str]
    listening: tuple[tuple[str, int], ...]
    watched: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """Return the option of ``ip`` and ``smolctl`` that means the family."""
        return "-6" if self.name == "IPv6" else "-4"


def once(frames: Mapping[str, bytes]) -> dict[str, Arrival]:
    """Return arrivals of one frame each."""
    return {name: Arrival((frame,)) for name, frame in frames.items()}
