"""Lines of a TOML document: the place of each key and each value, which ``tomllib`` does not tell.

The text has to be one that ``tomllib`` has read, so the scan finds keys, headers, brackets and
strings, and need not find faults.

Source: TOML 1.0.0, https://toml.io/en/v1.0.0; line breaks in inline tables as in 1.1.
"""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]
"""Keys, and of lists the numbers of items from 0, from the top to a value."""

# A quote of several lines may have one or two quotes more at its end, which belong to the text.
_STRING = r'"""(?:\\.|[^\\])*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:\\.|[^"\\])*"' + r"|'[^']*'"
_KEY_PART = re.compile(rf"(?:{_STRING}|[A-Za-z0-9_-]+)[ \t]*", re.S)
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
# Dates may have a space in them; what ends a value of another kind never stands in it.
_VALUE = re.compile(rf"{_STRING}|[^,\]}}#\n]+", re.S)
_TEXT_PARTS = re.compile(r"\\u.{4}|\\U.{8}|\\[ \t]*\n[ \t\n]*|\\.|\n|[^\\\n]+", re.S)


class TomlLines:
    """The lines of all keys and values of one document.

    Args:
        text: a document that ``tomllib.loads`` takes.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._breaks = [found.start() for found in re.finditer("\n", self._text)]
        self._places: dict[Path, int] = {}
        self._texts: dict[Path, tuple[int, int]] = {}
        self._items: dict[Path, int] = {}
        self._at = 0
        self._scan()

    def __contains__(self, path: Path) -> bool:
        return path in self._places

    def __iter__(self) -> Iterator[Path]:
        return iter(self._places)

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of a key or an item, from 1; of one that is not there that of its table.

        Of a table it is that of its header; of the whole document it is 1.
        """
        found = tuple(path)
        while found and found not in self._places:
            found = found[:-1]
        return self._line_at(self._places[found]) if found else 1

    def text_lines(self, path: Path) -> list[int]:
        """Return the line of the document in which each line of a text begins.

        Args:
            path: that of a text, which has as many lines as it has line breaks, and one.
        """
        at, end = self._texts[path]
        raw = self._text[at:end]
        quote = raw[:3] if raw[:3] in ('"""', "'''") else raw[:1]
        begin = at + len(quote)
        if len(quote) == 3 and self._text[begin] == "\n":
            begin += 1  # the first line break is no part of the text
        inside = self._text[begin : end - len(quote)]
        places = [begin]
        if quote[0] == "'":
            places += [begin + found.end() for found in re.finditer("\n", inside)]
        else:
            places += [
                begin + found.end() for found in _TEXT_PARTS.finditer(inside) if _breaks(found[0])
            ]
        return [self._line_at(place) for place in places]

    def _line_at(self, place: int) -> int:
        return bisect_right(self._breaks, place - 1) + 1

    # --- the scan ---------------------------------------------------------------------------------

    def _scan(self) -> None:
        table: Path = ()
        while self._peek_item():
            at = self._at
            if self._text.startswith("[[", at):
                table = self._header(2, at)
                self._items[table] = number = self._items.get(table, -1) + 1
                self._places.setdefault(table, at)
                table = (*table, number)
                self._places[table] = at
            elif self._text[at] == "[":
                table = self._header(1, at)
                self._places[table] = at
            else:
                self._pair(table)

    def _peek_item(self) -> bool:
        """Go to what comes next; return False at the end."""
        self._at = self._skipped(_BLANK)
        return self._at < len(self._text)

    def _skipped(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        return found.end() if found is not None else self._at

    def _header(self, brackets: int, at: int) -> Path:
        """Read a header; return its table, in the last item of each list on the way."""
        self._at += brackets
        keys = self._key()
        self._at += brackets
        path: Path = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            if number < len(keys):
                self._places.setdefault(path, at)
                if path in self._items:
                    path = (*path, self._items[path])
        return path

    def _key(self) -> list[str]:
        """Read a key, with the dots between its parts."""
        parts = []
        while True:
            self._at = self._skipped(_SPACE)
            begin = self._at
            self._at = self._skipped(_KEY_PART)
            raw = self._text[begin : self._at].rstrip(" \t")
            parts.append(next(iter(tomllib.loads(f"{raw}=0"))) if raw[0] in "\"'" else raw)
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _pair(self, table: Path) -> None:
        at = self._at
        path = table
        for key in self._key():
            path = (*path, key)
            self._places.setdefault(path, at)
        self._at += 1  # the sign
        self._at = self._skipped(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        begin = self._at
        opening = self._text[begin]
        if opening == "[":
            self._at += 1
            self._list(path)
        elif opening == "{":
            self._at += 1
            while self._comma("}"):
                self._pair(path)
        else:
            self._at = self._skipped(_VALUE)
            self._texts[path] = begin, self._at

    def _list(self, path: Path) -> None:
        number = 0
        while self._comma("]"):
            item = (*path, number)
            self._places[item] = self._at
            self._value(item)
            number += 1

    def _comma(self, closing: str) -> bool:
        """Go to the next item; return False, behind the bracket, when there is none."""
        self._at = self._skipped(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._at = self._skipped(_BLANK)
        if self._text[self._at] != closing:
            return True
        self._at += 1
        return False


def _breaks(part: str) -> bool:
    """Tell whether a part of a text between double quotes is a line break of the value."""
    if part in ("\n", "\\n"):
        return True
    return part[:2] in ("\\u", "\\U") and int(part[2:], 16) == ord("\n")
