"""Timers: one loop over the deadlines of all tables that have any."""

from collections.abc import Callable

from smolctl.stack.alarm import NEVER, Alarm

HOUSEKEEPING_NS = 1_000_000_000
"""Time between two looks at tables without a due timer, to forget old entries."""

Deadline = Callable[[], int | None]
Expire = Callable[[int], None]


class Timers:
    """The deadlines of one stack.

    Attributes:
        alarm: no timer is due before it goes off.
        housekeeping_ns: when housekeeping is next due.
    """

    def __init__(self) -> None:
        self.alarm = Alarm()
        self._timed: list[tuple[Deadline, Expire]] = []
        self._housekeeping: list[Expire] = []
        self.housekeeping_ns = 0

    def add(self, deadline: Deadline, expire: Expire) -> None:
        """Ask a table when it is due from now on, and tell it when it is, in the order of adding.

        Args:
            deadline: returns ns; None while no timer runs.
        """
        self._timed.append((deadline, expire))

    def add_housekeeping(self, expire: Expire) -> None:
        """Call a table once a second, as far as the stack is polled at all."""
        self._housekeeping.append(expire)

    def begin_again(self) -> None:
        """Let all tables be asked anew: time begins at another instant."""
        self.alarm.at_ns = self.housekeeping_ns = 0

    def deadline(self) -> int | None:
        """Return when ``expire`` is next due, None while nothing runs.

        It may be too early by a timer that was taken back meanwhile, never too late.
        """
        alarm = self.alarm
        if not alarm.at_ns:
            dues = [due for deadline, _ in self._timed if (due := deadline()) is not None]
            alarm.at_ns = min(dues, default=NEVER)
        return None if alarm.at_ns >= NEVER else alarm.at_ns

    def expire(self, now: int) -> None:
        """Run every timer that is due and send what follows from it."""
        if now >= self.housekeeping_ns:
            self.housekeeping_ns = now + HOUSEKEEPING_NS
            for collect in self._housekeeping:
                collect(now)
        first = self.alarm.at_ns = NEVER
        for deadline, expire in self._timed:
            due = deadline()
            if due is not None and due <= now:
                expire(now)
                due = deadline()
            if due is not None and due < first:
                first = due
        self.alarm.set(first)
