"""Errors of the daemon, as the errors that Linux's sockets raise."""

import errno
import os
from typing import Any

from smolctl.client.control import must_name, name_stack
from smolctl.errors import advice

GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN})
"""Message about a channel with a closed other end."""
_HINTS = {"tx-broadcast-denied": "setsockopt(SOL_SOCKET, SO_BROADCAST, 1)"}
"""Hints for programs, where the stack's own hint is about the command line."""


def os_error(said: dict[str, Any], stack: str) -> OSError:
    """Return the error that Linux would give; its note is what helps."""
    if must_name(stack):
        name_stack(said, stack)
    number = getattr(errno, str(said.get("errno")), errno.EINVAL)
    result = OSError(number, said.get("message", os.strerror(number)))
    result.__dict__["said"] = said
    hint = _HINTS.get(str(said.get("code")), said.get("hint"))
    if hint is not None:
        result.add_note(advice(hint))
    return result


def said_of(error: OSError) -> dict[str, Any] | None:
    """Return what the stack said of an error, in the form of ``SmolctlError.to_dict``, or None."""
    said: dict[str, Any] | None = error.__dict__.get("said")
    return said


def gone(stack: str) -> OSError:
    """Return the error of a socket whose stack is no more."""
    return OSError(errno.ECONNRESET, f'stack "{stack}" was stopped, or is gone')


def plain(number: int) -> OSError:
    """Return an error that needs no more words than its number has."""
    return OSError(number, os.strerror(number))
