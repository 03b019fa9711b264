"""Precedence of sysctls: several sources give a stack its values at the start, and one wins.

Each level overrides those below it. Within one level a sysctl has one value: two are a mistake that
nobody could see otherwise, and it is told with both places.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from smolctl.errors import InvalidArgument, StackError


class Level(IntEnum):
    """The levels, weakest first."""

    DEFAULT = 0
    PROFILE = 1
    CONFIG = 2
    ENVIRONMENT = 3
    COMMAND = 4

    @property
    def label(self) -> str:
        """Return its name for people."""
        return _LABELS[self]

    @classmethod
    def of(cls, label: str) -> "Level":
        """Return the level of that name."""
        return cls(_LABELS.index(label))


_LABELS = ("default", "profile", "config file", "environment", "command line")


class Assignment(NamedTuple):
    """One value for one sysctl.

    Attributes:
        key, text: the sysctl, and the value as it was written.
        place: where it stands, so that its author finds it: "lab.toml line 3".
        fix: a command that takes it back, or "".
    """

    level: Level
    key: str
    text: str
    place: str
    fix: str = ""

    @property
    def origin(self) -> str:
        """Return who says so, as ``sysctl`` shows it."""
        return self.place if self.level is Level.PROFILE else self.level.label


def winners(
    assigned: Iterable[Assignment], parse: Callable[[Assignment], int]
) -> Iterator[tuple[Assignment, int]]:
    """Yield the assignment that counts for each sysctl, and its value.

    All are looked at, also those that do not count: a mistake stays one when a stronger level
    covers it.

    Raises:
        StackError: as ``parse``, with the place in front.
        InvalidArgument: two at one level for one sysctl.
    """
    seen: dict[tuple[str, Level], Assignment] = {}
    best: dict[str, tuple[Assignment, int]] = {}
    for item in assigned:
        try:
            value = parse(item)
        except StackError as error:
            hint = error.hint if item.fix == "" else item.fix
            raise InvalidArgument(f"{item.place}: {error.message}", hint=hint) from None
        other = seen.setdefault((item.key, item.level), item)
        if other is not item:
            raise InvalidArgument(
                f"{item.key} has two values: {other.place}, and {item.place}",
                hint=item.fix or "keep one of them",
            )
        if item.key not in best or best[item.key][0].level < item.level:
            best[item.key] = (item, value)
    yield from best.values()
