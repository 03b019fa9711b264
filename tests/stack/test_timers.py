"""The timers of a stack: tables are asked only when one may be due."""

from smolctl.stack.alarm import earliest
from smolctl.stack.timers import HOUSEKEEPING_NS, Timers


class Table:
    """A table with one timer, which counts how often it is asked."""

    def __init__(self, timers: Timers) -> None:
        self.timers, self.asked, self.done = timers, 0, list[int]()
        self.due: int | None = None
        timers.add(self.deadline, self.expire)

    def start(self, at_ns: int) -> None:
        self.due = at_ns
        self.timers.alarm.set(at_ns)

    def deadline(self) -> int | None:
        self.asked += 1
        return self.due

    def expire(self, now: int) -> None:
        self.done.append(now)
        self.due = None


def test_nobody_is_asked_while_nothing_can_be_due() -> None:
    timers = Timers()
    tables = [Table(timers), Table(timers)]
    assert timers.deadline() is None
    tables[1].start(500)
    tables[0].start(700)
    asked = [table.asked for table in tables]
    assert [timers.deadline() for _ in range(10)] == [500] * 10
    assert [table.asked for table in tables] == asked
    timers.expire(500)
    assert [table.done for table in tables] == [[], [500]]
    assert timers.deadline() == 700


def test_a_timer_that_was_taken_back_makes_it_early_once_and_never_late() -> None:
    timers = Timers()
    one, other = Table(timers), Table(timers)
    timers.expire(HOUSEKEEPING_NS)
    one.start(2 * HOUSEKEEPING_NS)
    other.start(3 * HOUSEKEEPING_NS)
    one.due = None
    assert timers.deadline() == 2 * HOUSEKEEPING_NS
    timers.expire(2 * HOUSEKEEPING_NS)
    assert timers.deadline() == 3 * HOUSEKEEPING_NS
    timers.expire(3 * HOUSEKEEPING_NS)
    assert (one.done, other.done) == ([], [3 * HOUSEKEEPING_NS])
    assert timers.deadline() is None


def test_the_earliest_of_deadlines_of_which_some_are_not_there() -> None:
    assert earliest([None, 7, None, 3, 9]) == 3
    assert earliest([0, 5]) == 0
    assert earliest([None, None]) is earliest([]) is None
