"""Sections of a scenario file: which keys a table may have, and what they mean."""

from dataclasses import dataclass

from smolctl.lab.format.kind import Kind


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table.

    Attributes:
        kind: its values.
        what: what it says; a phrase.
        example: a value as TOML has it.
        default: the value that it has when it is not there, as TOML has it; None for none.
        otherwise: what its absence means, for the page, where no value says that.
        required: whether it has to be there.
    """

    name: str
    kind: Kind
    what: str
    example: str
    default: str | None = None
    otherwise: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A key that decides what kind of thing a table is, and the keys that go with it."""

    key: Key
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """The keys of one kind of tables.

    Attributes:
        header: as in the file.
        what: what such a table is; one sentence or two.
        keys: those that it may have in any case.
        choices: if there are any, the key of exactly one of them has to be there.
        example: such a table, as TOML has it.
    """

    header: str
    what: str
    keys: tuple[Key, ...]
    choices: tuple[Choice, ...] = ()
    example: str = ""


def needed(name: str, kind: Kind, what: str, example: str) -> Key:
    """Return a key that has to be there."""
    return Key(name, kind, what, example, required=True)
