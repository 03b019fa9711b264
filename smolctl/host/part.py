"""Parts of a copy of the host: commands, remarks, and what no command expresses."""

from typing import NamedTuple

from smolctl.host import neighbors


class Command(NamedTuple):
    """A command, as words: it makes ``what``."""

    words: tuple[str, ...]
    what: str


class NotExpressed(NamedTuple):
    """Something that no command makes, in words."""

    text: str


class Remark(NamedTuple):
    """Something about the copy that is good to know, in words."""

    remark: str


Part = Command | NotExpressed | Remark


def is_kept(each: neighbors.Neighbor) -> bool:
    """Tell whether a neighbor was added by hand: others are learned again."""
    return neighbors.STATES.get(each.state) in ("permanent", "noarp")


def numbers_text(unknown: tuple[int, ...]) -> str:
    """Return the types of attributes that nobody knows, in words."""
    return ", ".join(map(str, unknown))
