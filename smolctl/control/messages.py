"""Messages of a control connection, and their meaning.

The client speaks first: ``hello``, then requests, cancels and questions for the status, which it
need not hold back until the daemon's hello arrives. A long list among the arguments of a request
goes before it in parts, as the text of its JSON: nobody needs a message of its size, nor decodes it
before it is needed. The daemon answers each request with any number of ``rows`` and ``event``
frames and exactly one ``done`` or ``error``; an error without ``id`` concerns the connection and is
the last thing on it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from smolctl.control.codec import encode, encode_json, frame, to_json
from smolctl.errors import ControlError, SmolctlError

MANY_ITEMS = 500
"""A longer list goes in parts, and so do the lists of a request that is longer than a part."""
PART_SIZE = 1 << 17
"""Characters of a part."""
PROTOCOL = 1
"""Number of this protocol; both ends must agree on it."""


class Request(NamedTuple):
    """Run ``op`` ("route.show") with ``args``; replies carry ``id``, which the client chose."""

    id: int
    op: str
    args: dict[str, Any]


class Part(NamedTuple):
    """A part of the argument ``name`` of the request ``id`` that follows, a piece of JSON."""

    id: int
    name: str
    text: str


class Cancel(NamedTuple):
    """End the running request ``id`` early; its last events and its done still come."""

    id: int


class Status(NamedTuple):
    """Tell by an event how far the running request ``id`` is, if that is known."""

    id: int


def hello(client: str) -> bytes:
    """Return the client's first frame; ``client`` is its version."""
    return encode({"hello": PROTOCOL, "client": client})


def parse_hello(message: Mapping[str, Any]) -> None:
    """Check a client's first message.

    Raises:
        ControlError: not a hello, or one of another protocol (``version-mismatch``).
    """
    _check_protocol(message, "the client speaks control protocol {}, the daemon {}")


def welcome(*, version: str, stack: str, pid: int) -> bytes:
    """Return the daemon's answer to a hello."""
    return encode({"hello": PROTOCOL, "version": version, "stack": stack, "pid": pid})


def parse_welcome(message: Mapping[str, Any]) -> None:
    """Check the daemon's first message, which is not an error.

    Raises:
        ControlError: not a hello, or one of another protocol (``version-mismatch``).
    """
    _check_protocol(message, "the daemon speaks control protocol {}, the client {}")


def _check_protocol(message: Mapping[str, Any], mismatch: str) -> None:
    number = message.get("hello")
    if not _is_id(number):
        raise ControlError("the first message on a control connection must be a hello")
    if number != PROTOCOL:
        raise ControlError(
            mismatch.format(number, PROTOCOL),
            hint="smolctl stack stop, then the command again: a daemon of its own version starts",
            code="version-mismatch",
        )


def request(number: int, op: str, args: Mapping[str, Any]) -> bytes:
    """Return a request frame."""
    return encode({"id": number, "op": op, "args": args})


def request_in_parts(number: int, op: str, args: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the frames of a request, with long lists in parts."""
    lists = {name: value for name, value in args.items() if isinstance(value, list)}
    if not any(len(value) > MANY_ITEMS for value in lists.values()):
        whole = request(number, op, args)
        if not lists or len(whole) <= PART_SIZE:
            yield whole
            return
    for name, value in lists.items():
        text = to_json(value)
        for at in range(0, len(text), PART_SIZE):
            yield encode({"part": number, "name": name, "text": text[at : at + PART_SIZE]})
    yield request(number, op, {name: args[name] for name in args.keys() - lists.keys()})


def cancel(number: int) -> bytes:
    """Return a cancel frame."""
    return encode({"cancel": number})


def ask_status(number: int) -> bytes:
    """Return a frame that asks how far a request is."""
    return encode({"status": number})


def parse_command(message: Mapping[str, Any]) -> Request | Part | Cancel | Status:
    """Return what a client asks for after its hello.

    Raises:
        ControlError: none of these: a request, a part of one, a cancel, a question for the status.
    """
    if "part" in message:
        part = Part(message["part"], message.get("name", ""), message.get("text", ""))
        if not (_is_id(part.id) and isinstance(part.name, str) and isinstance(part.text, str)):
            raise ControlError("a part of a request has no whole number, name and text")
        return part
    if "cancel" in message:
        if not _is_id(message["cancel"]):
            raise ControlError("a cancel carries no whole number")
        return Cancel(message["cancel"])
    if "status" in message:
        if not _is_id(message["status"]):
            raise ControlError("a question for the status carries no whole number")
        return Status(message["status"])
    number, op, args = message.get("id"), message.get("op"), message.get("args", {})
    if not _is_id(number):
        raise ControlError("a request carries no whole number as id")
    if not isinstance(op, str) or not isinstance(args, dict):
        raise ControlError(f"request {number} carries no op, or args that are no object")
    assert isinstance(number, int)  # what _is_id says, for the type checker
    return Request(number, op, args)


def _is_id(value: object) -> bool:
    return type(value) is int and value >= 0


def rows(number: int, chunk: list[Any]) -> bytes:
    """Return a frame with some rows of the answer; more follow."""
    return encode({"id": number, "rows": chunk})


def last_rows(number: int, chunk: list[Any]) -> bytes:
    """Return a frame with the last rows of the answer and its done."""
    return encode({"id": number, "rows": chunk, "done": {}})


def done(number: int, result: Mapping[str, Any]) -> bytes:
    """Return the frame that ends a request well."""
    return encode({"id": number, "done": result})


def event(number: int, body: bytes, lost: int) -> bytes:
    """Return an event's frame.

    Args:
        number: the request's id.
        body: the event as JSON (``encode_json`` of an object that is not empty), encoded when it
            happened so that a queue of events can be bounded in bytes.
        lost: events of this request that were discarded just before it because the client did
            not read; told to the client as the event's key "lost" when not 0.
    """
    if lost:
        body = body[:-1] + b',"lost":%d}' % lost
    return frame(b'{"id":%d,"event":%b}' % (number, body))


def error(number: int | None, problem: SmolctlError) -> bytes:
    """Return the frame that ends a request, or with None the connection, with an error."""
    message: dict[str, Any] = {} if number is None else {"id": number}
    message["error"] = problem.to_dict()
    return encode(message)


__all__ = [
    "PROTOCOL",
    "Cancel",
    "Part",
    "Request",
    "Status",
    "ask_status",
    "cancel",
    "done",
    "encode_json",
    "error",
    "event",
    "hello",
    "last_rows",
    "parse_command",
    "parse_hello",
    "parse_welcome",
    "request",
    "request_in_parts",
    "rows",
    "welcome",
]
