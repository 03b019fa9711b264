"""Path MTUs that were learned (RFC 1191).

A table: for each destination and way the largest packet that gets through, for as long as that is
believed. It knows no route.
"""

from collections.abc import Iterator
from typing import NamedTuple

from smolctl.stack.alarm import Alarm
from smolctl.stack.duplicate import duplicate
from smolctl.stack.sysctl.settings import Settings
from smolctl.wire import ipv4

LIMIT = 4096
"""Paths that are remembered; the one that was learned first makes room."""
PLATEAUS = (32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68)
"""MTUs of usual links, to be tried where a router does not say its own (RFC 1191 7.1)."""


class Path(NamedTuple):
    """A destination and the way to it: another gateway is another path (RFC 1191 6.2)."""

    dst: int
    dev: str
    next_hop: int


class PathMtu(NamedTuple):
    """The largest packet that gets to a destination; ``locked``: smaller links fragment."""

    mtu: int
    locked: bool
    learned_ns: int


class PathMtus:
    """The path MTUs that one stack has learned.

    Args:
        settings: has how long something is believed, and the smallest that is; they may change.
    """

    expires_sysctl = "ip.mtu_expires_ms"

    def __init__(self, settings: Settings, alarm: Alarm) -> None:
        self._settings, self._alarm = settings, alarm
        self._known: dict[Path, PathMtu] = {}  # what was learned first comes first

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[tuple[Path, PathMtu]]:
        """Yield all paths that are known, by destination."""
        return iter(sorted(self._known.items()))

    def clone(self, settings: Settings, alarm: Alarm) -> "PathMtus":
        """Return a copy."""
        result = duplicate(self)
        result._settings, result._alarm = settings, alarm
        result._known = dict(self._known)
        return result

    def lookup(self, dst: int, dev: str, next_hop: int) -> PathMtu | None:
        """Return what is known of a path."""
        return self._known.get(Path(dst, dev, next_hop))

    def learn(self, path: Path, current: int, reported: int, length: int, now: int) -> PathMtu:
        """Take a router's word that a packet was too big for its next link.

        Args:
            current: the largest packet that was sent by the path until now, bytes. It never grows
                by what others say (RFC 1191 3: MUST NOT increase its estimate).
            reported: the MTU of that link; 0 from a router that does not know of RFC 1191.
            length: of the packet, as far as that can be told.

        Returns: what is known now.
        """
        if self._settings["ip.no_pmtu_disc"]:
            reported = 0  # Linux icmp_unreach: 1 believes that the packet was too big, and no more
        elif not reported and self._settings["ip.pmtu_plateaus"]:
            reported = _plateau_below(length, current)
        mtu, locked = min(reported, current), False
        smallest = self._settings["ip.min_pmtu"]
        if mtu < smallest:
            # Linux __ip_rt_update_pmtu. RFC 1191 3: never below 68, the lowest that it may be.
            mtu, locked = min(current, smallest), True
        return self.note(path, PathMtu(mtu, locked, now))

    def note(self, path: Path, known: PathMtu) -> PathMtu:
        """Take what is known of a path, for as long as it is believed."""
        self._known.pop(path, None)
        self._alarm.set(known.learned_ns + self._settings.ns(self.expires_sysctl))
        self._known[path] = known
        if len(self._known) > LIMIT:
            del self._known[next(iter(self._known))]
        return known

    def expires_ns(self, known: PathMtu) -> int:
        """Return when something is no longer believed."""
        return known.learned_ns + self._settings.ns(self.expires_sysctl)

    def deadline(self) -> int | None:
        """Return when the next one is forgotten, None when nothing is known."""
        for known in self._known.values():
            return self.expires_ns(known)
        return None

    def expire(self, now: int) -> int:
        """Forget what is too old (RFC 1191 6.3); return how many paths that were."""
        before = len(self._known)
        while (due := self.deadline()) is not None and due <= now:
            del self._known[next(iter(self._known))]
        return before - len(self._known)

    def forget(self, path: Path) -> None:
        """Forget what is known of a path, if anything."""
        self._known.pop(path, None)


class PathMtus6(PathMtus):
    """The path MTUs of IPv6 that one stack has learned (RFC 8201)."""

    expires_sysctl = "ip6.mtu_expires_ms"

    def learn(self, path: Path, current: int, reported: int, length: int, now: int) -> PathMtu:
        """Take a router's word that a packet was too big for its next link.

        Args:
            current: the largest packet that was sent by the path until now, bytes. It never grows
                by what others say (RFC 8201 4).
            reported: the MTU of that link, 1280 or more (RFC 8201 4: MUST NOT be below).
            length: of the packet; the router knows better.

        Returns: what is known now.
        """
        return self.note(path, PathMtu(min(reported, current), False, now))


def _plateau_below(length: int, current: int) -> int:
    """Return what to try for a path on which a packet of ``length`` bytes was too big."""
    if length >= current:
        # RFC 1191 5: routers made of 4.2BSD add the length of the header.
        length -= ipv4.MIN_HEADER_LEN
    return next((size for size in PLATEAUS if size < min(length, current)), PLATEAUS[-1])
