"""The channel of a program's TCP sockets: SOCK_SEQPACKET, one message a send, in JSON.

A program has one such channel for all its sockets, which have numbers. To the daemon: ``command``
(open, bind, connect and so on), each of which is answered. To the program: ``answer`` and
``refused`` for a command, and ``failed`` for a connection that ended by an error. The data of a
connection does not go by this channel: each has a pair of SOCK_STREAM sockets, whose end for the
program is passed with the answer to ``open``. A listening socket has a channel of its own, by which
each connection comes as a message, ``accepted``, with the connection's end passed beside it; the
program sends ``TAKEN`` for each one that it has taken.

Source: unix(7), SOCK_SEQPACKET keeps message boundaries and order, SCM_RIGHTS passes descriptors.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from smolctl.control.codec import encode_json
from smolctl.errors import ControlError

VERSION = 2
"""Number of what is written here; both ends must agree on it."""
TAKEN = b"\1"
"""A byte for each connection that the program has taken."""
MAX_MESSAGE = 1 << 16
"""More bytes than any message has."""


class Command(NamedTuple):
    """A wish of a program about one of its sockets, 0 for none; ``number`` names the answer."""

    do: str
    socket: int
    args: dict[str, Any]
    number: int


# --- to the daemon --------------------------------------------------------------------------------


def command(do: str, socket: int, args: Mapping[str, Any], number: int) -> bytes:
    """Return the message of a command."""
    return encode_json({"do": do, "socket": socket, "args": args, "number": number})


def parse_command(message: bytes) -> Command:
    """Return what a program wants.

    Raises:
        ControlError: it is no command.
    """
    try:
        said = json.loads(message)
        found = Command(said["do"], said["socket"], said["args"], said["number"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ControlError("a program's channel carried something that is no command") from None
    numbers = type(found.socket) is int and type(found.number) is int
    if not (isinstance(found.do, str) and isinstance(found.args, dict) and numbers):
        raise ControlError("a program's command has no name, socket, arguments or number")
    return found


# --- to the program -------------------------------------------------------------------------------


def answer(number: int, fields: Mapping[str, Any]) -> bytes:
    """Return the answer to a command."""
    return encode_json({"answer": number, **fields})


def refused(number: int, error: Mapping[str, Any]) -> bytes:
    """Return the answer to a command that fails; ``error`` is as ``SmolctlError.to_dict``."""
    return encode_json({"answer": number, "error": error})


def failed(socket: int, error: Mapping[str, Any]) -> bytes:
    """Return the message that a connection has ended by an error."""
    return encode_json({"failed": socket, "error": error})


def accepted(fields: Mapping[str, Any]) -> bytes:
    """Return the message of a connection that a listening socket has got."""
    return encode_json({"accepted": fields})


def parse_told(message: bytes) -> dict[str, Any]:
    """Return what the daemon said, by whichever of these."""
    told: dict[str, Any] = json.loads(message)
    return told
