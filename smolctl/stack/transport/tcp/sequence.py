"""Sequence numbers: unbounded inside, 32 bits on the wire; and the first one of a connection."""

from _blake2 import blake2s
from collections.abc import Callable
from typing import NamedTuple

from smolctl.wire.address import packed

_MASK = 0xFFFFFFFF
_HALF = 1 << 31
_TICK_NS = 64
"""Of the clock in initial sequence numbers: 4 us in RFC 9293 3.4.1, 64 ns in Linux."""
_TIMESTAMP_NS = 1_000_000
"""Of the timestamp clock: 1 ms, as RFC 7323 5.4 allows and Linux has."""


def unwrap(number: int, near: int) -> int:
    """Return the unbounded number that is nearest to ``near`` and ends in these 32 bits."""
    return near + ((number - near + _HALF) & _MASK) - _HALF


class Ends(NamedTuple):
    """The two ends of a connection, seen from here."""

    local: int
    port: int
    peer: int
    peer_port: int

    @property
    def mirrored(self) -> "Ends":
        """The same connection, seen from the other end."""
        return Ends(self.peer, self.peer_port, self.local, self.port)


class Secrets:
    """The keyed hashes of one stack.

    Args:
        random: returns a float in [0, 1); asked now, so that nobody can guess the key.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._key = b"".join(int(random() * 2**48).to_bytes(6) for _ in range(5))

    def hashed(self, ends: Ends, salt: int) -> int:
        """Return 32 bits that nobody can predict who does not know the key."""
        local, port, peer, peer_port = ends
        data = packed(local) + packed(peer) + port.to_bytes(2) + peer_port.to_bytes(2)
        digest = blake2s(data + salt.to_bytes(8), digest_size=4, key=self._key).digest()
        return int.from_bytes(digest)

    def initial(self, ends: Ends, now: int) -> int:
        """Return the initial sequence number of a connection (RFC 6528 3)."""
        return (now // _TICK_NS + self.hashed(ends, 0)) & _MASK

    def timestamp_offset(self, ends: Ends) -> int:
        """Return what is added to the clock for timestamps to a peer.

        It is the same for all connections between two addresses, so that a new connection can be
        told from an old one (RFC 6191), and another one for each pair (RFC 7323 5.4).
        """
        return self.hashed(Ends(ends.local, 0, ends.peer, 0), 1)


def timestamp(now: int, offset: int) -> int:
    """Return the value of the timestamp clock, unbounded, in ms."""
    return now // _TIMESTAMP_NS + offset
