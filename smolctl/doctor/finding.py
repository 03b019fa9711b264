"""Findings of a check, and the tools that a check is given."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """The severity of a finding, in this order."""

    OK = "ok"
    NOTE = "note"
    """Something is not as it could be, and no command fails for it."""
    WARN = "warn"
    """Something will not work, and a stack runs without it."""
    FAIL = "fail"
    """No stack can be started or reached."""


class Machine(NamedTuple):
    """The machine that a check looks at.

    Attributes:
        stack: name of the stack that the user means.
        root: stands in front of /proc, /sys, /dev and /usr; "" but for tests.
    """

    stack: str
    root: str = ""

    def read(self, path: str) -> str | None:
        """Return the text of a file; None when it cannot be read."""
        try:
            with open(self.root + path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return None


class Finding(NamedTuple):
    """The result of a check.

    Attributes:
        detail: one line.
        fix: a command that helps, one line; "" when there is nothing to do.
    """

    status: Status
    detail: str
    fix: str = ""


Look = Callable[[str], object]
"""Is told in a few words what a check looked at, and what it saw."""
Check = Callable[[Machine, Look], Finding]
