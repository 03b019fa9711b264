"""The lines of a command file: where they come from, and their words as a shell has them."""

import os
import re
from collections.abc import Iterator
from select import POLLIN, poll
from typing import NamedTuple

from smolctl.cli.words.grammar import UsageFault

_READ_SIZE = 1 << 16
LONGEST = 1 << 20
"""Bytes of a command at most: /dev/zero is no file of commands, and never ends."""
_BLANKS = " \t\r"
_PLAIN = re.compile(r"[^ \t\r]+")
_SPECIAL = re.compile(r"""["'\\#]""")


class Line(NamedTuple):
    """One command of a file.

    Attributes:
        number: of its first line, from 1.
        words: as a shell would pass them; none when there is a ``fault``.
        fault: why there are no words to be had, or None.
    """

    number: int
    words: list[str]
    fault: UsageFault | None = None


class Unfinished(Exception):
    """The text ends in a backslash: the command goes on in the next line."""


def split(text: str) -> list[str]:
    """Return the words of a line, as a POSIX shell splits and unquotes it (XCU 2.2, 2.3).

    ``#`` where a word could begin makes the rest a comment. There are no variables and no patterns.

    Raises:
        Unfinished: a backslash ends the text.
        UsageFault: a quote is not closed.
    """
    if not _SPECIAL.search(text):
        return _PLAIN.findall(text)
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character in _BLANKS:
            if word is not None:
                words.append(word)
                word = None
        elif character == "#" and word is None:
            break
        elif character in "\"'":
            quoted, at = _quoted(text, at, character)
            word = (word or "") + quoted
        elif character == "\\":
            if at == len(text):
                raise Unfinished
            word = (word or "") + text[at]
            at += 1
        else:
            word = (word or "") + character
    return words if word is None else [*words, word]


def _quoted(text: str, at: int, quote: str) -> tuple[str, int]:
    """Return what stands between quotes, and where the text goes on; ``at`` is behind the first."""
    result = ""
    while at < len(text):
        character = text[at]
        at += 1
        if character == quote:
            return result, at
        if character == "\\" and quote == '"':
            if at == len(text):
                raise Unfinished
            # XCU 2.2.3: within double quotes a backslash quotes these and no others.
            if text[at] in '"\\$`':
                character = text[at]
                at += 1
        result += character
    raise UsageFault(f"a quote ({quote}) is not closed", hint="it must be on the same line")


class Lines:
    """The commands of a file or pipe, as they come.

    Args:
        fd: is read, not closed.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self._lines: list[bytes] = []
        self._end = False
        self._number = 0

    @classmethod
    def of(cls, text: str) -> "Lines":
        """Return the commands of a text."""
        result = cls(-1)
        result._lines = text.encode("utf-8", "surrogateescape").split(b"\n")[::-1]
        result._end = True
        return result

    def __iter__(self) -> Iterator[Line | None]:
        """Yield the commands; None before waiting for more to come.

        Raises:
            OSError: the file cannot be read.
        """
        first, text, work = 0, "", 0
        ready = poll()  # select(2) takes no descriptor above 1023
        if not self._end:
            ready.register(self._fd, POLLIN)
        while True:
            while not self._lines and not self._end:
                if not ready.poll(0):
                    yield None
                self._read()
            first = first or self._number + 1
            work += len(text)  # of the lines before, which are split again with the next
            if len(self._rest) > LONGEST or work > LONGEST:
                fault = "a command that is too long: this is no file of commands"
                yield Line(first, [], UsageFault(fault))
                return
            if not self._lines:
                break
            text += self._next()
            try:
                words = split(text)
            except Unfinished:
                text = text[:-1]
                continue
            except UsageFault as fault:
                yield Line(first, [], fault)
            else:
                if words:
                    yield Line(first, words)
            first, text, work = 0, "", 0
        if text:
            yield Line(first, [], UsageFault("a backslash ends the last line, and nothing follows"))

    def _next(self) -> str:
        self._number += 1
        text = self._lines.pop().decode("utf-8", "surrogateescape")
        if self._number == 1:
            text = text.removeprefix("\ufeff")
        return text.rstrip("\r")

    def _read(self) -> None:
        data = os.read(self._fd, _READ_SIZE)
        self._end = not data
        parts = (self._rest + data).split(b"\n")
        self._rest = parts.pop()
        if self._end and self._rest:
            parts.append(self._rest)
        self._lines = parts[::-1]
