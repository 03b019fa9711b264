"""Places in scenario files: errors that name them, and parts that know their line."""

from dataclasses import dataclass, field

from smolctl.errors import SmolctlError


class ScenarioError(SmolctlError):
    """A scenario file is wrong; the message begins with ``FILE:LINE: KEY:``.

    Args:
        file: its name as the user knows it.
        line: the one to look at, from 1.
        key: what is wrong, as in ``links.lan.delay``; empty when it is no key.
        what: what is wrong about it, with the value.
        hint: what to write instead.
    """

    code = "scenario"

    def __init__(
        self, file: str, line: int, key: str, what: str, *, hint: str | None = None
    ) -> None:
        place = f"{file}:{line}: {key}" if key else f"{file}:{line}"
        super().__init__(f"{place}: {what}", hint=hint)
        self.file, self.line, self.key = file, line, key


def line_field() -> int:
    """Return the field of a line: 1 where a program made the part, never compared."""
    found: int = field(default=1, compare=False, repr=False)
    return found


@dataclass(frozen=True, slots=True)
class Command:
    """One command of smolctl, without the word "smolctl".

    Attributes:
        text: as typed, words and quotes as in a shell; one line.
    """

    text: str
    line: int = line_field()
