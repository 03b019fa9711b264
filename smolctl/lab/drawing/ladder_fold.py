"""Folds of a ladder: what is repeated so often that a count says more than a picture."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from smolctl.lab.drawing.ladder_order import Arrive, Event, Leave, Noted

REPEATED = (8, 4, 2)
"""Times that something happens, at least, until it may be folded: the first number that is enough
for a picture of ``EVENTS_GOOD`` events, or the last."""
EVENTS_GOOD = 150
FOLD_MIN = 4
"""Events of a fold, at least."""
HEAD_MAX = 8
"""Events that are drawn before a fold, at most."""
TAIL_MAX = 4
"""Events that are drawn behind a fold, at most."""
IDLE_MIN = 2
"""Frames that nobody takes, at least, until they are folded."""


class Told(NamedTuple):
    """An event as it is counted.

    Attributes:
        same: equal for events that are counted together.
        text: what they are counted as: "a > b: ICMP echo request".
        idle: nobody cares for it: a few of these are folded, too.
        step: it is a step of the lab, which few repetitions do not fold.
    """

    same: Hashable
    text: str
    idle: bool = False
    step: bool = False


class Folded(NamedTuple):
    """Events of which only the number is drawn, in the place of the first.

    Attributes:
        at_ns: when the first happened. until_ns: when the last did.
        counts: how many of each, the most frequent first.
        events: the departures and marks.
        idle: nobody cared for them.
    """

    at_ns: int
    until_ns: int
    counts: tuple[tuple[str, int], ...]
    events: tuple[Leave | Noted, ...]
    idle: bool


def folded(
    events: Sequence[Event], tell: Callable[[Leave | Noted], Told | None]
) -> list[Event | Folded]:
    """Return the events with long repetitions folded.

    Of a repetition its first and its last events stay, and all that is rare ends it: what happens
    once among a thousand frames is drawn.

    Args:
        events: in order.
        tell: says what an event is counted as; None for one that is always drawn.
    """
    told = [None if isinstance(event, Arrive) else tell(event) for event in events]
    often = Counter(each.same for each in told if each is not None)
    steps = {each.same for each in told if each is not None and each.step}
    for least in REPEATED:
        frequent = {
            same
            for same, number in often.items()
            if number >= (REPEATED[0] if same in steps else least)
        }
        result = _folded(events, told, frequent)
        if len(result) <= EVENTS_GOOD:
            break
    return result


def _folded(
    events: Sequence[Event], told: Sequence[Told | None], frequent: set[Hashable]
) -> list[Event | Folded]:
    """Return the events, with runs of frequent ones folded."""
    gone: dict[int, Folded] = {}
    hidden: set[int] = set()
    for run, idle in _runs(events, told, frequent):
        inner = run if idle else _inner(run, told)
        if len(inner) < (IDLE_MIN if idle else FOLD_MIN):
            continue
        chosen = [events[at] for at in inner]
        counts = Counter(each.text for at in inner if (each := told[at]) is not None)
        gone[inner[0]] = Folded(
            chosen[0].at_ns,
            chosen[-1].at_ns,
            tuple(counts.most_common()),
            tuple(event for event in chosen if not isinstance(event, Arrive)),
            idle,
        )
        hidden.update(inner)
    numbers = {event.number for at in hidden if isinstance(event := events[at], Leave)}
    result: list[Event | Folded] = []
    for at, event in enumerate(events):
        if at in gone:
            result.append(gone[at])
        elif at not in hidden and not (isinstance(event, Arrive) and event.number in numbers):
            result.append(event)
    return result


def _runs(
    events: Sequence[Event], told: Sequence[Told | None], frequent: set[Hashable]
) -> list[tuple[list[int], bool]]:
    """Return the places of events that follow one another and may be folded, and if all are idle.

    A run ends where something begins that was not in it for long.
    """
    runs: list[tuple[list[int], bool]] = []
    run: list[int] = []
    seen: set[Hashable] = set()
    idle = False

    def end() -> None:
        if run:
            runs.append((run.copy(), idle))
        run.clear()
        seen.clear()

    for at, each in enumerate(told):
        if isinstance(events[at], Arrive):
            continue
        if each is None or (not each.idle and each.same not in frequent):
            end()
            continue
        if run and (idle != each.idle or (each.same not in seen and len(run) >= 2 * HEAD_MAX)):
            end()
        idle = each.idle
        run.append(at)
        seen.add(each.same)
    end()
    return runs


def _inner(run: list[int], told: Sequence[Told | None]) -> list[int]:
    """Return the places of a run without its beginning and its end, which are drawn."""
    same = [None if (each := told[at]) is None else each.same for at in run]
    kinds = len(set(same))
    head = next(
        (n for n in range(1, min(HEAD_MAX, len(run)) + 1) if len(set(same[:n])) == kinds), HEAD_MAX
    )
    return run[head : len(run) - min(kinds, TAIL_MAX)]
