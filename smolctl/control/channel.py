"""The channel of a program's socket: SOCK_SEQPACKET, one message a send.

To the daemon: ``send`` (a datagram), ``batch`` (some to one destination), ``ask`` (a datagram whose
sender waits to hear whether it left) and ``command`` (bind and the like, in JSON); ``send`` and
``ask`` may name source and interface. What was asked is answered on the control connection, as
events of the request that opened the socket. To the program: ``lone`` (a datagram), ``received``
(some), the same with details for who asks for them (ip(7), IP_PKTINFO), ``failed`` (why one that
was sent before did not arrive) and ``NUDGE`` (nothing: the program wants its descriptor to be
readable). Nothing is ever sent empty: an empty message is the end.

An address is 17 bytes: its family, 0 for IPv4 and 1 for IPv6, and 16 with the address in the end,
so that it is one number, as everywhere. Beside it stands the number of the interface that is its
zone, 0 for none (RFC 4007; sin6_scope_id of RFC 3493 3.3).

Source: unix(7), SOCK_SEQPACKET keeps message boundaries and order.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from struct import Struct
from struct import error as StructError
from typing import Any, NamedTuple

from smolctl.control.codec import encode_json
from smolctl.errors import ControlError

VERSION = 5
"""Number of what is written here; both ends must agree on it."""
MAX_MESSAGE = 80_000
"""More bytes than any message has.

Who receives asks for a buffer of this size. One of 128 KB or more, glibc may map and unmap for each
message, which takes ten times as long as to receive it (mallopt(3), M_MMAP_THRESHOLD).
"""
MAX_BATCH = 64
"""Most datagrams that a program sends in one message."""
BATCH_BYTES = 60_000
"""A batch is sent when one more datagram would make its payloads longer than this."""
MAX_PORT = 65_535

_SEND, _BATCH, _ASK, _SEND_FROM, _ASK_FROM = 1, 2, 3, 4, 5
JSON = ord("{")
"""The first byte of a message in JSON."""
_HEAD = Struct("!BBHI17s")
"""Kind, how many of a batch, port, zone and address of the destination."""
_SOURCE = Struct("!17sI")
"""Source address and number of the interface, 0 for any of each."""
_NUMBER = Struct("!I")
HEAD_SIZE = _HEAD.size
"""Bytes in front of the payload of a ``send``."""
_SENDER = Struct("!17sIH")
"""Address, zone and port."""
_RUN = Struct("!HH")
"""Behind the sender: length of each payload and how many follow."""
_DETAILS = Struct("!17sI4sBB")
"""Behind the sender of a datagram with details; see ``Details``."""
_ADDRESS_SIZE = 17
_IPV6 = 1 << 128
_RECEIVED, _LONE, _DETAILED = b"\1", b"\2", b"\4"
LONE = _LONE[0]
"""The first byte of a message of one datagram; its sender follows, up to ``LONE_SIZE``."""
LONE_SIZE = 1 + _SENDER.size
NUDGE = b"\3"
"""A message without content."""


class Sent(NamedTuple):
    """Datagrams to one destination; ``number`` names the answer that is wanted, 0 for none.

    ``src`` and ``ifindex`` are the source address and the number of the interface, 0 for any.
    """

    dst: int
    port: int
    payloads: Sequence[bytes]
    number: int
    zone: int = 0
    src: int = 0
    ifindex: int = 0


class Run(NamedTuple):
    """Datagrams that came from one sender, in order; ``sender_of`` reads who it is."""

    sender: bytes
    payloads: Sequence[bytes]


class Details(NamedTuple):
    """The details of a datagram beside its sender.

    Attributes:
        dst: where it was sent to. ifindex: number of the interface by which it came.
        answer: the IPv4 address, of 4 bytes, with which it is answered (ip(7), ipi_spec_dst).
        tos: type of service, or traffic class; ttl: TTL or hop limit, 0 when nobody noted it.
    """

    dst: int
    ifindex: int
    answer: bytes
    tos: int
    ttl: int


class Command(NamedTuple):
    """A further wish of a program about its socket; ``number`` names the answer."""

    name: str
    args: dict[str, Any]
    number: int


def number_of(packed: bytes) -> int:
    """Return an address of 4 or 16 bytes as the number that it is here."""
    return int.from_bytes(packed) | (_IPV6 if len(packed) == 16 else 0)


def packed(number: int) -> bytes:
    """Return the 4 or 16 bytes of an address, as ``inet_ntop`` takes them."""
    return number.to_bytes(_ADDRESS_SIZE)[1:] if number >> 32 else number.to_bytes(4)


# --- to the daemon --------------------------------------------------------------------------------


def head(dst: int, port: int, zone: int = 0) -> bytes:
    """Return what a payload to ``dst`` is appended to for a ``send``: it never changes."""
    return _HEAD.pack(_SEND, 1, port, zone, dst.to_bytes(_ADDRESS_SIZE))


def head_from(front: bytes, src: int, index: int) -> bytes:
    """Return the head of datagrams from a source and by an interface, 0 for any of each."""
    return bytes((_SEND_FROM,)) + front[1:] + _SOURCE.pack(src.to_bytes(_ADDRESS_SIZE), index)


def batch(front: bytes, payloads: Sequence[bytes]) -> bytes:
    """Return a message of 1..``MAX_BATCH`` datagrams to the destination that ``head`` was of."""
    count = len(payloads)
    lengths = Struct(f"!{count}H").pack(*map(len, payloads))
    return b"".join((bytes((_BATCH, count)), front[2:], lengths, *payloads))


def ask(front: bytes, payload: bytes, number: int) -> bytes:
    """Return the message of a datagram whose fate here is to be answered; ``front`` is a head."""
    kind = _ASK_FROM if front[0] == _SEND_FROM else _ASK
    return b"".join((bytes((kind,)), front[1:], _NUMBER.pack(number), payload))


def command(name: str, args: Mapping[str, Any], number: int) -> bytes:
    """Return the message of a command."""
    return encode_json({"do": name, "number": number, "args": args})


def parse_sent(message: bytes) -> Sent | Command:
    """Return what a program sent.

    Raises:
        ControlError: it is none of these messages.
    """
    try:
        kind = message[0]
        if kind == JSON:
            return _command(message)
        _, count, port, zone, packed = _HEAD.unpack_from(message)
        dst = _address(packed)
        if kind == _SEND:
            return Sent(dst, port, (message[_HEAD.size :],), 0, zone)
        if kind == _ASK:
            (number,) = _NUMBER.unpack_from(message, _HEAD.size)
            return Sent(dst, port, (message[_HEAD.size + _NUMBER.size :],), number, zone)
        if kind == _BATCH and count <= MAX_BATCH:
            return Sent(dst, port, _payloads(message, count), 0, zone)
        if kind in (_SEND_FROM, _ASK_FROM):
            source, index = _SOURCE.unpack_from(message, _HEAD.size)
            src, number, at = _address(source), 0, _HEAD.size + _SOURCE.size
            if kind == _ASK_FROM:
                (number,) = _NUMBER.unpack_from(message, at)
                at += _NUMBER.size
            return Sent(dst, port, (message[at:],), number, zone, src, index)
    except StructError:
        pass
    raise ControlError("a program's socket sent something that is not a message")


def _address(packed: bytes) -> int:
    number = int.from_bytes(packed)
    if number >> 32 and not _IPV6 <= number < 2 * _IPV6:
        raise StructError
    return number


def _payloads(message: bytes, count: int) -> list[bytes]:
    lengths = Struct(f"!{count}H")
    at = _HEAD.size + lengths.size
    result = []
    for length in lengths.unpack_from(message, _HEAD.size):
        result.append(message[at : at + length])
        at += length
    if at != len(message):
        raise StructError
    return result


def _command(message: bytes) -> Command:
    try:
        said = json.loads(message)
        name, args, number = said["do"], said["args"], said["number"]
    except (ValueError, KeyError, RecursionError):
        raise ControlError("a program's socket sent a command that is not JSON") from None
    if not (isinstance(name, str) and isinstance(args, dict) and type(number) is int):
        raise ControlError("a program's socket sent a command without name, args or number")
    return Command(name, args, number)


# --- to the program -------------------------------------------------------------------------------


def sender(src: int, port: int, zone: int) -> bytes:
    """Return a sender as it stands in front of what it sent: it never changes."""
    return _SENDER.pack(src.to_bytes(_ADDRESS_SIZE), zone, port)


def sender_of(said: bytes) -> tuple[int, int, int]:
    """Return address, port and zone of a sender, whether details follow it or not."""
    src, zone, port = _SENDER.unpack_from(said)
    return int.from_bytes(src), port, zone


def with_details(said: bytes, details: Details) -> bytes:
    """Return a sender and details of what it sent, for ``received``."""
    dst, *rest = details
    return said + _DETAILS.pack(dst.to_bytes(_ADDRESS_SIZE), *rest)


def details_of(said: bytes) -> Details | None:
    """Return the details that follow a sender, None without."""
    if len(said) == _SENDER.size:
        return None
    dst, *rest = _DETAILS.unpack_from(said, _SENDER.size)
    return Details(int.from_bytes(dst), *rest)


def lone(said: bytes, payload: bytes) -> bytes:
    """Return the message of one datagram from a sender."""
    return _LONE + said + payload


def received(runs: Iterable[tuple[bytes, Iterable[bytes]]], *, details: bool = False) -> bytes:
    """Return the message of datagrams: senders, and what each sent in a row.

    Args:
        details: follow each sender.
    """
    parts = [_DETAILED if details else _RECEIVED]
    for said, payloads in runs:
        for size, alike in groupby(payloads, len):
            same = list(alike)
            parts.append(said + _RUN.pack(size, len(same)))
            parts += same
    return b"".join(parts)


def failed(error: Mapping[str, Any]) -> bytes:
    """Return the message of an error, in the form of ``SmolctlError.to_dict``."""
    return encode_json(error)


def parse_received(message: bytes) -> list[Run] | dict[str, Any]:
    """Return what the daemon sent: runs of a sender's payloads, in order; or an error."""
    if message[0] == JSON:
        error: dict[str, Any] = json.loads(message)
        return error
    if message[0] == LONE:
        return [Run(message[1:LONE_SIZE], (message[LONE_SIZE:],))]
    runs = []
    at, end = 1, len(message)
    known = _SENDER.size + (_DETAILS.size if message[:1] == _DETAILED else 0)
    while at < end:
        said = message[at : at + known]
        at += known
        size, count = _RUN.unpack_from(message, at)
        at += _RUN.size
        last = at + size * count
        if count == 1 or not size:
            payloads = [message[at:last]] * count
        else:
            payloads = [message[i : i + size] for i in range(at, last, size)]
        runs.append(Run(said, payloads))
        at = last
    return runs
