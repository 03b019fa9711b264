"""TOML documents at random, of which the line of each key and each item is known."""

import json
from dataclasses import dataclass, field

from hypothesis import strategies as st

from smolctl.lab.format.toml_lines import Path

_BARE = st.text("ab_-", min_size=1, max_size=3)
_TEXTS = st.text("a\"'\\ #=[]{},.\t\u00e9", max_size=6)
_BETWEEN = ("", "\n", "  # a = [1\n", "\n\n\t", '# """\n  # \'\n')


@dataclass
class Document:
    """A document that grows.

    Attributes:
        lines: what is in which line.
        texts: the lines of each text's own lines.
    """

    text: str = ""
    lines: dict[Path, int] = field(default_factory=dict)
    texts: dict[Path, list[int]] = field(default_factory=dict)

    @property
    def line(self) -> int:
        """The line that is being written."""
        return self.text.count("\n") + 1


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw a document."""
    writer = _Writer(draw)
    writer.pairs(())
    items: dict[Path, int] = {}
    for _ in range(draw(st.integers(0, 4))):
        writer.section(items)
    return writer.document


class _Writer:
    def __init__(self, draw: st.DrawFn) -> None:
        self._draw, self.document = draw, Document()
        self._number = 0

    def section(self, items: dict[Path, int]) -> None:
        """Write a header and what is below it, at times in an item of a list."""
        at = self.document.line
        name = self._key()
        draw = self._draw
        path: Path
        nowhere: list[Path | None] = [None]
        parent = draw(st.sampled_from([*nowhere, *items]))
        if parent is not None:
            spelled = ".".join(self._spelled(key) for key in parent if isinstance(key, str))
            spelled, path = f"{spelled}.{self._spelled(name)}", (*parent, items[parent], name)
        else:
            spelled, path = self._spelled(name), (name,)
        if draw(st.booleans()):
            middle = self._key()
            spelled += f" . {self._spelled(middle)}"
            self.document.lines[path] = at
            path = (*path, middle)
        self.document.lines[path] = at
        if draw(st.booleans()):
            self.document.text += f"[{spelled}]"
        else:
            # An item of a list is known by its own header from here on.
            items.clear()
            if len(path) == 1:
                items[path] = 0
            self.document.text += f"[[ {spelled} ]]"
            path = (*path, 0)
            self.document.lines[path] = at
        self._line_end()
        self.pairs(path)
        more = draw(st.booleans())
        if items and more:
            first = next(iter(items))
            items[first] += 1
            self.document.lines[(*first, items[first])] = self.document.line
            self.document.text += f"[[{self._spelled(str(first[0]))}]]"
            self._line_end()
            self.pairs((*first, items[first]))

    def pairs(self, path: Path) -> None:
        """Write some keys with values."""
        for _ in range(self._draw(st.integers(0, 3))):
            self._pair(path, 2)
            self._line_end()

    def _line_end(self) -> None:
        self.document.text += self._draw(st.sampled_from(["\n", " # b = '\n", "\n\n", "\r\n"]))

    def _key(self) -> str:
        self._number += 1
        return f"{self._draw(_BARE | _TEXTS)}{self._number}"

    def _spelled(self, key: str) -> str:
        bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
        if bare and self._draw(st.booleans()):
            return key
        if "'" not in key and self._draw(st.booleans()):
            return f"'{key}'"
        return json.dumps(key)

    def _pair(self, path: Path, depth: int) -> None:
        document = self.document
        at = document.line
        keys = [self._key() for _ in range(self._draw(st.sampled_from([1, 1, 1, 2])))]
        dot = self._draw(st.sampled_from([".", " . "]))
        document.text += dot.join(map(self._spelled, keys)) + self._draw(
            st.sampled_from([" = ", "="])
        )
        for key in keys:
            path = (*path, key)
            document.lines[path] = at
        self._value(path, depth)

    def _value(self, path: Path, depth: int) -> None:
        draw, document = self._draw, self.document
        kind = draw(st.integers(0, 5 if depth else 3))
        if kind == 0:
            document.text += draw(
                st.sampled_from(["1", "-0.5e3", "true", "2024-01-01 10:00:00", "inf"])
            )
        elif kind == 1:
            document.text += json.dumps(draw(_TEXTS))
        elif kind == 2:
            document.text += "'" + draw(_TEXTS).replace("'", "") + "'"
        elif kind == 3:
            self._long_text(path)
        elif kind == 4:
            document.text += "["
            for number in range(draw(st.integers(0, 3))):
                self._between()
                document.lines[(*path, number)] = document.line
                self._value((*path, number), depth - 1)
                self._between()
                document.text += ","
            self._between()
            document.text += "]"
        else:
            document.text += "{ "
            for number in range(draw(st.integers(0, 2))):
                document.text += ", " if number else ""
                self._pair(path, depth - 1)
            document.text += " }"

    def _between(self) -> None:
        self.document.text += self._draw(st.sampled_from(_BETWEEN))

    def _long_text(self, path: Path) -> None:
        """Write a text of several lines, between three quotes of a kind."""
        draw, document = self._draw, self.document
        quote = draw(st.sampled_from(['"""', "'''"]))
        document.text += quote + draw(st.sampled_from(["", "\n"]))
        lines = document.texts[path] = [document.line]
        breaks = ["\n"] if quote == "'''" else ["\n", "\\n", "\\u000a", "\\\n \n\t"]
        for _ in range(draw(st.integers(0, 3))):
            document.text += draw(st.text("ab =#[", max_size=3)) + "x"
            end = draw(st.sampled_from(breaks))
            document.text += end
            if not end.startswith("\\\n"):
                lines.append(document.line)
        document.text += draw(st.sampled_from(["", quote[0], quote[:2]])) + quote
