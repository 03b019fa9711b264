"""Deadlines of many things, one for each, in one heap.

A thing knows when its timers go off. The heap holds its earliest deadline, or an earlier time: a
timer that is put off or taken back leaves the heap as it is, and is looked at again when its old
time has come. So most changes of a timer cost a stored number, however many things there are.
"""

from heapq import heappop, heappush, heapreplace
from typing import Protocol

from smolctl.stack.alarm import NEVER, Alarm


class Timed(Protocol):
    """An entry of the heap.

    Attributes:
        heap_ns: the time under which it is in the heap; ``NEVER`` while it is not.
    """

    heap_ns: int

    def due_ns(self) -> int:
        """Return when its first timer goes off, ``NEVER`` while none runs."""


class TimerHeap:
    """The heap.

    Args:
        alarm: set for each timer that starts.
    """

    __slots__ = ("_alarm", "_heap", "_number")

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._heap: list[tuple[int, int, Timed]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, timed: Timed) -> None:
        """Take note that a timer of something was started, put off or taken back."""
        due = timed.due_ns()
        if due < timed.heap_ns:
            timed.heap_ns = due
            self._number += 1
            heappush(self._heap, (due, self._number, timed))
            self._alarm.set(due)

    def deadline(self) -> int | None:
        """Return when the first timer goes off, None while none runs."""
        heap = self._heap
        while heap:
            at, _, timed = heap[0]
            due = timed.due_ns()
            if at != timed.heap_ns:
                heappop(heap)  # it is in the heap again, under an earlier time
            elif due == at:
                return at
            elif due is NEVER or due >= NEVER:
                timed.heap_ns = NEVER
                heappop(heap)
            else:
                timed.heap_ns = due
                self._number += 1
                heapreplace(heap, (due, self._number, timed))
        return None

    def take(self, now: int) -> Timed | None:
        """Take out the first that is due, None when none is."""
        due = self.deadline()
        if due is None or due > now:
            return None
        _, _, timed = heappop(self._heap)
        timed.heap_ns = NEVER
        return timed
