"""One value of a scenario file, with its place, so that whoever reads it can say what is wrong."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any

from smolctl.lab.format.toml_lines import Path, TomlLines
from smolctl.lab.source import ScenarioError

_SHOWN_MAX = 60


def quoted(text: str) -> str:
    """Return a text between quotes: short, and one line."""
    cut = text[:_SHOWN_MAX] + ("..." if len(text) > _SHOWN_MAX else "")
    return json.dumps(cut, ensure_ascii=not cut.isprintable())


def _words(path: Path, value: Any) -> str:
    """Return a path as people read it: ``steps.2.at``.

    Of a list of plain values the line tells which one is meant.
    """
    last = len(path) - 1
    return ".".join(
        str(part + 1) if isinstance(part, int) else part if part.isprintable() else quoted(part)
        for at, part in enumerate(path)
        if isinstance(part, str) or at < last or isinstance(value, dict)
    )


@dataclass(frozen=True, slots=True)
class Value:
    """A value as ``tomllib`` has it, floats as ``Decimal``.

    Attributes:
        file: the name of the file.
        lines: those of the file.
        path: where it stands.
    """

    value: Any
    file: str
    lines: TomlLines
    path: Path = ()

    @property
    def line(self) -> int:
        """The line in which it stands, or else that of its table."""
        return self.lines.line(self.path)

    @property
    def key(self) -> str:
        """The last key on the way to it."""
        return next((part for part in reversed(self.path) if isinstance(part, str)), "")

    def fault(self, what: str, hint: str | None = None, line: int | None = None) -> ScenarioError:
        """Return an error about it.

        Args:
            what: the value, and what is wrong about it.
            hint: what to write instead.
            line: that of a line within it; None for its own.
        """
        return ScenarioError(
            self.file, line or self.line, _words(self.path, self.value), what, hint=hint
        )

    def wrong(self, what: str, example: str) -> ScenarioError:
        """Return the error that it is not what is needed.

        Args:
            what: that, with an article.
            example: one, as TOML has it.
        """
        is_item = self.path and isinstance(self.path[-1], int)
        hint = f"as in {example}" if is_item else f"write {self.key} = {example}"
        return self.fault(f"{self.shown} is not {what}", hint)

    @property
    def shown(self) -> str:
        """The value as TOML has it; short, and one line."""
        if isinstance(self.value, dict | list):
            return "a table" if isinstance(self.value, dict) else "a list"
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if not isinstance(self.value, str):
            return str(self.value)
        return quoted(self.value)

    # --- what is inside ---------------------------------------------------------------------------

    def at(self, key: str | int) -> "Value":
        """Return the value of a key of a table, None if it has none, or an item of a list."""
        inner = self.value.get(key) if isinstance(self.value, dict) else self.value[key]
        return Value(inner, self.file, self.lines, (*self.path, key))

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def items(self) -> Iterator["Value"]:
        """Yield the items of a list; what is no list is the only item."""
        if not isinstance(self.value, list):
            yield self
            return
        for number in range(len(self.value)):
            yield self.at(number)

    # --- types ------------------------------------------------------------------------------------

    def table(self, example: str) -> Mapping[str, Any]:
        """Return a table; ``example`` is one, with its key or header."""
        if not isinstance(self.value, dict):
            raise self.fault(f"{self.shown} is not a table", f"write {example}")
        return self.value

    def text(self, what: str, example: str) -> str:
        """Return a text of one line that is not empty."""
        text = self.any_text(what, example)
        if not text:
            raise self.fault("it is empty", f"write {self.key} = {example}")
        if not text.isprintable():
            raise self.fault(
                f"{self.shown} has characters that cannot be printed in one line",
                f"write {self.key} = {example}",
            )
        return text

    def any_text(self, what: str, example: str) -> str:
        """Return a text."""
        if not isinstance(self.value, str):
            raise self.wrong(what, example)
        return self.value

    def number(self, low: int, high: int, example: str) -> int:
        """Return a whole number within bounds."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong("a whole number", example)
        if not low <= self.value <= high:
            raise self.fault(
                f"{self.shown} is not within {low} to {high}", f"write {self.key} = {example}"
            )
        return self.value

    def plain(self) -> Any:
        """Return it as JSON would have it: with floats, without dates.

        Raises:
            ScenarioError: there is a date, or a number that is none.
        """
        if isinstance(self.value, dict):
            return {key: self.at(key).plain() for key in self.value}
        if isinstance(self.value, list):
            return [item.plain() for item in self.items()]
        if isinstance(self.value, Decimal):
            if not isfinite(number := float(self.value)):
                raise self.wrong("a number", "0.5")
            return number
        if not isinstance(self.value, str | int):
            raise self.fault(f"{self.value} is a date", "write a text or a number")
        return self.value
