"""Sockets of the host, asked which of them a dropped packet missed."""

import time
from collections.abc import Iterable

from smolctl.errors import SmolctlError
from smolctl.host import sockets
from smolctl.host.drops.facts import TCP, UDP, Facts
from smolctl.host.namespace import inside
from smolctl.host.sockets import LISTEN, Socket
from smolctl.host.values import AF_INET, AF_INET6

_FRESH_S = 1.0
"""As old as this the sockets may be, seconds: thousands of packets may miss one within that."""
_MISSED = {
    "udp-port-closed": UDP, "udp-bound-elsewhere": UDP, "udp-peer-mismatch": UDP,
    "tcp-no-listener": TCP, "tcp-bound-elsewhere": TCP,
}  # fmt: skip


class Listeners:
    """The sockets of one namespace, as they were a moment ago.

    Args:
        netns: as for ``inside``.
    """

    def __init__(self, netns: str | None) -> None:
        self._netns = netns
        self._read_at = -_FRESH_S
        self._sockets: tuple[Socket, ...] = ()

    def narrowed(self, names: tuple[str, ...], facts: Facts) -> tuple[str, ...]:
        """Return the reasons that are left, of those that a packet without a socket can have."""
        if not names or not {*names} <= _MISSED.keys() or facts.dport is None:
            return names
        if time.monotonic() - self._read_at >= _FRESH_S:
            try:
                self._sockets = tuple(inside(self._netns, sockets.read))
            except (OSError, SmolctlError):
                return names  # the namespace is gone, or tells nothing
            self._read_at = time.monotonic()
        return (missed(self._sockets, facts),)


def missed(there: Iterable[Socket], facts: Facts) -> str:
    """Return smolctl's reason for a packet of UDP or TCP that no socket took.

    Args:
        there: all sockets. facts: about the packet, whose ports are known.
    """
    family = AF_INET6 if facts.family == 6 else AF_INET
    near = [
        each
        for each in there
        if each.protocol == facts.protocol
        and each.lport == facts.dport
        and (each.family == family or (each.family == AF_INET6 and not each.v6only))
        and (facts.protocol == UDP or each.state == LISTEN)
    ]
    if facts.protocol == TCP:
        return "tcp-bound-elsewhere" if near else "tcp-no-listener"
    if any(each.rport and each.local == facts.dst for each in near):
        return "udp-peer-mismatch"
    return "udp-bound-elsewhere" if near else "udp-port-closed"
