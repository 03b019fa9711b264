"""The kit of the tests of the checks."""

import json
import os
from collections.abc import Callable
from typing import NamedTuple

from smolctl.doctor.finding import Check, Finding, Machine


class Seen(NamedTuple):
    """The findings of a check, and the things it looked at."""

    status: str
    detail: str
    fix: str
    looked: list[str]


def check(function: Check, *, stack: str = "default", root: str = "") -> Seen:
    """Run one check."""
    looked: list[str] = []
    found: Finding = function(Machine(stack, root), looked.append)
    assert "\n" not in found.detail + found.fix
    return Seen(found.status.value, found.detail, found.fix, looked)


def as_user(uid: int, function: Callable[[], Seen]) -> Seen:
    """Run a check in a child of this process that is another user and has no capabilities."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os.write(writer, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return Seen(*json.loads(text))
