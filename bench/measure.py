"""Rounds by turns, ratios of pairs, medians: what makes a figure survive a busy machine."""

import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of at least one value."""
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Limit:
    """The must and the goal of a figure.

    Attributes:
        must: this far at least.
        goal: where it is meant to be.
        at_least: whether more is better; else less is.
        text: shows a limit; "{:g} x" by default.
    """

    must: float
    goal: float
    at_least: bool = True
    text: str = "{:g} x"

    def kept(self, value: float, limit: float) -> bool:
        """Return whether ``value`` keeps a limit."""
        return value >= limit if self.at_least else value <= limit

    def verdict(self, value: float, limit: float) -> str:
        """Return a limit and whether ``value`` keeps it: ">= 1.5 x yes"."""
        sign = ">=" if self.at_least else "<="
        return f"{sign} {self.text.format(limit)} {'yes' if self.kept(value, limit) else 'NO'}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: ours.
        against: what it is held against.
        value: the ratio, or the figure itself where there is nothing to hold it against.
        raw: the measured figures behind it.
        limit: None for a line that only informs.
        note: what the reader must know to read the figure rightly.
        unit: behind the value.
        figures: all rounds of all that was measured, for results.json.
    """

    what: str
    against: str
    value: Spread
    raw: str
    limit: Limit | None = None
    note: str = ""
    unit: str = " x"
    figures: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The time that a run may take.

    Attributes:
        quick: a first impression in a few seconds a subject.
    """

    quick: bool

    def rounds(self, usual: int) -> int:
        """Return how many rounds to take where the full run takes ``usual``."""
        return max(3, usual // 3) if self.quick else usual

    def size(self, usual: int) -> int:
        """Return how many operations to take where the full run takes ``usual``."""
        return max(1, usual // 4) if self.quick else usual


class Skipped(Exception):
    """A subject cannot be measured here; the text says why, and what would help."""


Run = Callable[[], float]


def by_turns(rounds: int, runs: Mapping[Name, Run]) -> dict[Name, list[float]]:
    """Run each of ``runs`` once a round and return their figures by name.

    Every other round goes backwards, so that nobody always follows the same neighbor.
    """
    figures: dict[Name, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        order = list(runs.items())
        for name, run in order if number % 2 == 0 else reversed(order):
            figures[name].append(run())
    return figures


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return the spread of ours / theirs, taken round by round."""
    return Spread.of([a / b for a, b in zip(ours, theirs, strict=True)])


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def thousands(per_second: float) -> str:
    """Return a rate as text: "812 k/s"."""
    return f"{per_second / 1000:.0f} k/s" if per_second >= 10_000 else f"{per_second:.0f} /s"
