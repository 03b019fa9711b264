"""Reassembly of fragments into datagrams (RFC 791 3.2, RFC 815, RFC 1122 3.3.2, RFC 8200 4.5).

A table: it keeps fragments and sends nothing. What becomes of them is told by actions, and each
fragment is in exactly one ``Lost`` or ``Complete`` in the end.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

from smolctl.stack import reason
from smolctl.stack.alarm import Alarm
from smolctl.stack.duplicate import duplicate
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason
from smolctl.stack.sysctl.settings import Settings

OVERHEAD = 1024
"""Bytes that a fragment costs beside its own, which count twice: its trace holds the frame."""
_SHOWN_HOLES = 3
_ROOMY = 131_072
"""Twice as many bytes hold the fragments of the biggest datagram on Ethernet."""

Fault = tuple[Reason, dict[str, object]]


class ReceivedFragment:
    """A fragment that came in.

    Args:
        packet: without padding; it carries data.
        key: what makes fragments belong together: source, destination, ident, ...
        start: where its data begins in that of the datagram, bytes.
        data_at: where its data begins in the packet.
        mf: more fragments follow.

    Attributes:
        end: where its data ends in that of the datagram.
        cost: bytes of memory that it takes, as the sysctls count them.
    """

    __slots__ = ("cost", "data_at", "end", "key", "mf", "packet", "start")

    def __init__(
        self, packet: Packet, key: tuple[object, ...], start: int, data_at: int, *, mf: bool
    ) -> None:
        self.packet, self.key = packet, key
        self.start, self.data_at, self.mf = start, data_at, mf
        self.end = start + len(packet.data) - data_at
        self.cost = 2 * len(packet.data) + OVERHEAD

    def clone(self, packet: Packet) -> "ReceivedFragment":
        """Return the same fragment with a copy of its packet."""
        result = duplicate(self)
        result.packet = packet
        return result

    @property
    def data(self) -> bytes:
        """Its data."""
        return self.packet.data[self.data_at :]

    @property
    def ecn(self) -> int:
        """The two bits of explicit congestion notification (RFC 3168 5)."""
        bits: int = self.packet.header.dscp_ecn & _ECN
        return bits

    def between(self, start: int, end: int) -> bytes:
        """Return the datagram's data from ``start`` to before ``end``, as far as it is here."""
        at = self.data_at - self.start
        return self.packet.data[at + max(start, self.start) : at + min(end, self.end)]


class Whole(NamedTuple):
    """A datagram that is put together: its bytes and its header."""

    data: bytes
    header: Any


class FragmentRules(NamedTuple):
    """The rules of one address family for fragments.

    Attributes:
        time, room, number: the sysctls that bound the time, the bytes, and the datagrams.
        overlap: the reason for fragments that overlap.
        fault: tells what is wrong with a fragment alone, and whether its datagram goes with it.
        join: puts fragments, which are in order, together; given the ECN bits of the datagram.
    """

    time: str
    room: str
    number: str
    overlap: Reason
    fault: Callable[[ReceivedFragment], tuple[Fault, bool] | None]
    join: Callable[[list[ReceivedFragment], int], Whole | Fault]


class Kept(NamedTuple):
    """The fragment waits for others: ``have`` of ``need`` bytes, None as long as nobody knows."""

    fragment: ReceivedFragment
    have: int
    need: int | None


class Complete(NamedTuple):
    """All is there: the datagram, its header, and its fragments in order of their place."""

    data: bytes
    header: Any
    fragments: list[ReceivedFragment]


class Lost(NamedTuple):
    """These fragments are to be dropped; ``detail`` is for the texts of the reason."""

    why: Reason
    fragments: list[ReceivedFragment]
    detail: dict[str, object]


ReassemblyAction = Kept | Complete | Lost


class _Datagram:
    """The known parts of one datagram.

    Attributes:
        began_ns: when its first fragment came.
        fragments: in order of their place, without overlap; starts: their places.
        have, need: bytes of data; ``need`` is None until the last fragment is there.
        refused: why nothing of it is taken any more.
    """

    __slots__ = ("began_ns", "cost", "fragments", "have", "need", "refused", "starts")

    def __init__(self, began_ns: int) -> None:
        self.began_ns = began_ns
        self.fragments: list[ReceivedFragment] = []
        self.starts: list[int] = []
        self.have = self.cost = 0
        self.need: int | None = None
        self.refused: Fault | None = None

    def insert(self, fragment: ReceivedFragment) -> None:
        """Put in a fragment that ``fault`` has nothing against."""
        at = bisect_right(self.starts, fragment.start)
        self.fragments.insert(at, fragment)
        self.starts.insert(at, fragment.start)
        self.have += fragment.end - fragment.start
        self.cost += fragment.cost
        if not fragment.mf:
            self.need = fragment.end

    def fault(self, fragment: ReceivedFragment, overlap: Reason) -> Fault | None:
        """Return why a fragment cannot be put in with the others, None when it can.

        Nobody can tell which of two that overlap is right, and attacks on filters use it; so both
        are wrong (RFC 1858, RFC 5722). Deviation: Linux takes any fragment whose place is filled
        for a duplicate; here it is one only if it brings the same bytes.
        """
        start, end = fragment.start, fragment.end
        if not self._ends_alike(fragment):
            return reason.FRAG_END_CONFLICT, {"end": end, "reach": self._reach}
        filled, same = 0, True
        at = max(bisect_right(self.starts, start) - 1, 0)
        while at < len(self.fragments) and self.starts[at] < end:
            other = self.fragments[at]
            theirs = other.between(start, end)
            filled += len(theirs)
            same = same and theirs == fragment.between(other.start, other.end)
            at += 1
        if not filled:
            return None
        shown: dict[str, object] = {"first": start, "last": end - 1}
        if same and filled == end - start:
            return reason.FRAG_DUPLICATE, shown
        how = "the same" if same else "other"
        return overlap, {**shown, "overlap": filled, "how": how}

    @property
    def _reach(self) -> int:
        """The end of the data: the datagram's if that is known, else that of its known parts."""
        if self.need is not None:
            return self.need
        return self.fragments[-1].end if self.fragments else 0

    def _ends_alike(self, fragment: ReceivedFragment) -> bool:
        """Tell whether nothing is beyond the end that the last fragment says."""
        if self.need is not None:
            return fragment.end <= self.need and (fragment.mf or fragment.end == self.need)
        return fragment.mf or fragment.end >= self._reach

    def missing(self) -> str:
        """Return which bytes are not there: "1480-2959, the end"."""
        holes, at = [], 0
        for fragment in self.fragments:
            if fragment.start > at:
                holes.append(f"{at}-{fragment.start - 1}")
            at = fragment.end
        more = ["..."] if len(holes) > _SHOWN_HOLES else []
        end = ["the end"] if self.need is None else []
        return ", ".join(holes[:_SHOWN_HOLES] + more + end)


class Reassembly:
    """The datagrams of one stack of which something is missing.

    Args:
        rules: of the address family.
        settings: has the bounds in time, datagrams and bytes; they may change.
    """

    def __init__(
        self, rules: FragmentRules, settings: Settings, alarm: Alarm | None = None
    ) -> None:
        self._rules, self._settings, self._alarm = rules, settings, alarm or Alarm()
        # The one that began first comes first.
        self._open: dict[tuple[object, ...], _Datagram] = {}
        self.cost = 0

    def __len__(self) -> int:
        """Return of how many datagrams something is known."""
        return len(self._open)

    def clone(
        self, settings: Settings, copy_of: Callable[[Packet], Packet], alarm: Alarm
    ) -> "Reassembly":
        """Return a copy with copies of the fragments."""
        result = duplicate(self)
        result._settings, result._alarm = settings, alarm
        result._open = {
            key: _clone_datagram(datagram, copy_of) for key, datagram in self._open.items()
        }
        return result

    def add(self, fragment: ReceivedFragment, now: int) -> list[ReassemblyAction]:
        """Take a fragment; the last action is about it, those before about others."""
        key, wrong = fragment.key, self._rules.fault(fragment)
        if wrong is not None and not wrong[1]:
            return [Lost(wrong[0][0], [fragment], wrong[0][1])]
        datagram = self._open.get(key)
        if datagram is None:
            datagram = _Datagram(now)
            self._alarm.set(now + self._settings.ns(self._rules.time))
        elif datagram.refused is not None:
            why, detail = datagram.refused
            return [Lost(why, [fragment], detail)]
        fault = datagram.fault(fragment, self._rules.overlap)
        if fault is not None and fault[0] is reason.FRAG_DUPLICATE:
            return [Lost(fault[0], [fragment], fault[1])]
        fault = fault if wrong is None else wrong[0]
        full = self._bound(datagram.cost + fragment.cost, 1)
        if full:
            return [Lost(reason.FRAG_NO_SLOT, [fragment], full)]
        evicted = self._make_room(key, 0 if fault else fragment.cost)
        self._open[key] = datagram
        if fault is not None:
            return [*evicted, self._refuse(datagram, fragment, *fault)]
        datagram.insert(fragment)
        self.cost += fragment.cost
        if datagram.have != datagram.need:
            return [*evicted, Kept(fragment, datagram.have, datagram.need)]
        return [*evicted, self._complete(key, datagram)]

    def _complete(self, key: tuple[object, ...], datagram: _Datagram) -> Complete | Lost:
        fragments = datagram.fragments
        ecn = _ecn({item.ecn for item in fragments})
        if ecn is None:
            return self._refuse(datagram, None, reason.FRAG_ECN_MIXED, {})
        whole = self._rules.join(fragments, ecn)
        if not isinstance(whole, Whole):
            return self._refuse(datagram, None, *whole)
        self._forget(key)
        return Complete(whole.data, whole.header, fragments)

    def _refuse(
        self,
        datagram: _Datagram,
        last: ReceivedFragment | None,
        why: Reason,
        detail: dict[str, object],
    ) -> Lost:
        """Drop all there is of a datagram, and what will come of it (RFC 5722 4)."""
        lost = [*datagram.fragments, *([last] if last is not None else [])]
        self.cost -= datagram.cost
        datagram.fragments, datagram.starts, datagram.cost = [], [], 0
        datagram.refused = why, detail
        return Lost(why, lost, detail)

    def _forget(self, key: tuple[object, ...]) -> _Datagram:
        datagram = self._open.pop(key)
        self.cost -= datagram.cost
        return datagram

    # --- bounds -----------------------------------------------------------------------------------

    def _bound(self, cost: int, number: int) -> dict[str, object]:
        """Return which bound so many bytes or datagrams exceed, {} when none."""
        for sysctl, now, some in (
            (self._rules.number, number, 0),
            (self._rules.room, cost, _ROOMY),
        ):
            limit = self._settings[sysctl]
            if now > limit:
                return {"knob": sysctl, "limit": f"{sysctl} is {limit}", "_room": max(limit, some)}
        return {}

    def _make_room(self, key: tuple[object, ...], cost: int) -> list[Lost]:
        """Drop what began first until ``cost`` bytes more fit.

        Deviation: Linux refuses the new one. So fragments that nothing will ever complete, sent on
        purpose or not, would keep out all others for as long as the timeout.
        """
        lost = []
        new = key not in self._open
        while full := self._bound(self.cost + cost, len(self._open) + new):
            oldest = next((other for other in self._open if other != key), None)
            if oldest is None:
                break
            fragments = self._forget(oldest).fragments
            if fragments:
                lost.append(Lost(reason.FRAG_NO_SLOT, fragments, full))
        return lost

    def deadline(self) -> int | None:
        """Return when the next datagram is given up, None when none is open."""
        for datagram in self._open.values():
            return datagram.began_ns + self._settings.ns(self._rules.time)
        return None

    def expire(self, now: int) -> list[Lost]:
        """Give up what was not complete in time (RFC 1122 3.3.2; RFC 791 3.2)."""
        lost = []
        while (due := self.deadline()) is not None and due <= now:
            datagram = self._forget(next(iter(self._open)))
            if datagram.fragments:
                detail: dict[str, object] = {
                    "have": datagram.have,
                    "need": datagram.need,
                    "missing": datagram.missing(),
                    "seconds": self._settings[self._rules.time] / 1000,
                }
                lost.append(Lost(reason.FRAG_TIMEOUT, datagram.fragments, detail))
        return lost


_ECN, _NOT_ECT, _CE = 3, 0, 3
"""The field of the type of service, and two of its values (RFC 3168 5)."""


def _ecn(values: set[int]) -> int | None:
    """Return what the datagram's ECN field gets from those of its fragments; None refuses it.

    A router that marked one fragment marked the datagram (RFC 3168 5.3). Fragments of a datagram
    that is no part of ECN cannot be marked, so a mixture was forged or changed on its way. Source:
    Linux ip_frag_ecn_table.
    """
    if _NOT_ECT in values and len(values) > 1:
        return None
    return _CE if _CE in values else 0


def _clone_datagram(datagram: _Datagram, copy_of: Callable[[Packet], Packet]) -> _Datagram:
    result = duplicate(datagram)
    result.starts = list(datagram.starts)
    result.fragments = [item.clone(copy_of(item.packet)) for item in datagram.fragments]
    return result
