"""Requests of a command to nodes, kept for its next run."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from smolctl.cli.words.options import DEFAULT_STACK
from smolctl.client.control import RemoteError, name_stack
from smolctl.control.codec import to_json
from smolctl.lab.request import Request
from smolctl.stack.reason import REASONS

Row = dict[str, Any]


def copied(value: Any) -> Any:
    """Return what comes out where a value is sent as JSON: nothing of it is shared."""
    return json.loads(to_json(value))


class Written(NamedTuple):
    """The text that a command wrote."""

    out: str
    err: str


NOTHING = Written("", "")


class Waits(BaseException):
    """A command needs an answer that is not there yet.

    It is no Exception: no command takes it for an error of its own.

    Args:
        asked: the request; None where nothing more is asked.
        written: what the command wrote before.
        interruptible: SIGINT asks for the end of the request, and does not end the command.
    """

    def __init__(
        self, asked: "Asked | None", written: Written, *, interruptible: bool = False
    ) -> None:
        self.asked, self.written, self.interruptible = asked, written, interruptible


class Asked:
    """A request of a command, and what it has to be told in each run.

    Attributes:
        interrupted_at: after so many of its events SIGINT came.
        killed_at: the same of the SIGINT that ended the command.
    """

    def __init__(self, request: Request, stack: str) -> None:
        self.request = request
        self.interrupted_at: int | None = None
        self.killed_at: int | None = None
        self._stack = stack
        self._rows: list[str] = []

    @property
    def count(self) -> int:
        """The number of events and rows that there are."""
        return len(self.request.events) + len(self.request.rows_told)

    @property
    def signalled(self) -> bool:
        """Whether SIGINT came while it ran."""
        return self.interrupted_at is not None or self.killed_at is not None

    def event(self, number: int) -> tuple[int | None, Row]:
        """Return an event, or a row after the events, and the time of an event."""
        request = self.request
        if number < len(request.events):
            at_ns, event = request.events[number]
            return at_ns, self._told(event)
        while len(self._rows) < len(request.rows_told):  # as they were when they came
            self._rows.append(to_json(request.rows_told[len(self._rows)]))
        return None, self._told(json.loads(self._rows[number - len(request.events)]))

    def result(self) -> Row:
        """Return the result of a request that has ended.

        Raises:
            RemoteError: it was refused, or has failed.
        """
        error = self.request.error
        if error is not None:
            raise RemoteError(self._told(error.to_dict()))
        return self._told(self.request.result or {})

    def reason(self) -> str | None:
        """Return the name of the reason why what was asked for did not succeed, if it says one."""
        request = self.request
        if request.error is not None:
            return request.error.code if request.error.code in REASONS else None
        rows = request.rows_told if request.op.startswith("why.") else []
        for row in (request.result or {}, *rows, *(event for _, event in request.events[::-1])):
            name = row.get("reason")
            if isinstance(name, str) and name in REASONS:
                return name
        return None

    def _told(self, item: Mapping[str, Any]) -> Row:
        """Return an item as a client has it, whose commands name the stack."""
        copy: Row = copied(item)
        if self._stack != DEFAULT_STACK:
            name_stack(copy, self._stack)
        return copy
