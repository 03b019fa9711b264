"""IPv4 options (RFC 791 3.1): found, checked, filled in, and turned round for an answer.

A header's options are bytes; ``parse`` says where those are that a host acts on. What stands in
none of them is left as it is: RFC 1122 3.2.1.8 has a host ignore what it does not know.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

MAX_LEN = 40
"""Bytes of options that a header has room for."""

_HEADER_LEN = 20
_ADDRESS_LEN = 4
_FIRST_ADDRESS = 4
"""Pointer before anything was recorded: octets count from 1 (RFC 791 3.1)."""
_OVERFLOW_MAX = 15


class OptionType(IntEnum):
    """Option types. Source: IANA "IP Option Numbers"."""

    END = 0
    NOP = 1
    RECORD_ROUTE = 7
    TIMESTAMP = 68
    SECURITY = 130
    LOOSE_ROUTE = 131
    STREAM_ID = 136
    STRICT_ROUTE = 137
    ROUTER_ALERT = 148


class Stamps(IntEnum):
    """The kind of stamps that a timestamp option collects: its flag (RFC 791 3.1)."""

    TIMES = 0
    TIMES_AND_ADDRESSES = 1
    PRESPECIFIED = 3


_TIME = 0x7FFFFFFF
"""Without the bit that says that a time is not since midnight UT (RFC 791 3.1)."""
NAMES: dict[int, str] = {
    OptionType.RECORD_ROUTE: "rr",
    OptionType.TIMESTAMP: "ts",
    OptionType.SECURITY: "sec",
    OptionType.LOOSE_ROUTE: "lsrr",
    OptionType.STREAM_ID: "sid",
    OptionType.STRICT_ROUTE: "ssrr",
    OptionType.ROUTER_ALERT: "ra",
}
"""The short names, as tcpdump and nmap have them."""


class Options(NamedTuple):
    """The places in ``raw`` of the options that a host acts on; None for one that is not there.

    Attributes:
        raw: the bytes behind the fixed header.
        route: a source route, loose or strict.
        record: a record route.
        timestamp: a timestamp.
        alert: whether routers are to look at the packet (RFC 2113).
    """

    raw: bytes
    route: int | None = None
    record: int | None = None
    timestamp: int | None = None
    alert: bool = False

    @property
    def route_done(self) -> bool:
        """Whether a source route has no hop left (RFC 791 3.1: pointer beyond length)."""
        at = self.route
        return at is not None and self.raw[at + 2] > self.raw[at + 1]


class BadOption(NamedTuple):
    """An option that makes no sense; ``pointer`` is its bad byte, counted from the header's own.

    ``cause`` says what is wrong there: "length", "pointer", "overflow" or "twice".

    Source: RFC 792, parameter problem: "the pointer identifies the octet of the original header".
    """

    pointer: int
    kind: int
    cause: str = "length"


_ROUTES = (OptionType.LOOSE_ROUTE, OptionType.STRICT_ROUTE)


def parse(raw: bytes, *, arriving: bool = True) -> Options | BadOption:
    """Return where the options are that a host acts on, or the first that makes no sense.

    Args:
        raw: what is behind the fixed header.
        arriving: we are to be counted in a timestamp without room, which must be possible.

    Source: RFC 791 3.1; what is a mistake, Linux ``__ip_options_compile``.
    """
    found: dict[str, int] = {}
    alert = False
    at = 0
    while at < len(raw):
        kind = raw[at]
        if kind == OptionType.END:
            break
        if kind == OptionType.NOP:
            at += 1
            continue
        room = len(raw) - at
        length = raw[at + 1] if room > 1 else 0
        if not 2 <= length <= room:
            return BadOption(_HEADER_LEN + at, kind)
        name = _ACTED_ON.get(kind)
        if name is not None:
            # RFC 1812 5.2.4.1: a second source route makes the packet a bad one; Linux says so of
            # the other two as well.
            fault = 0 if name in found else _fault(raw, at, kind, length, arriving)
            if fault is not None:
                return BadOption(_HEADER_LEN + at + fault, kind, _FAULTS[fault])
            found[name] = at
        elif kind == OptionType.ROUTER_ALERT:
            if length < 4:
                return BadOption(_HEADER_LEN + at + 1, kind)
            alert = alert or raw[at + 2 : at + 4] == b"\0\0"
        at += length
    return Options(raw, found.get("route"), found.get("record"), found.get("timestamp"), alert)


_ACTED_ON: dict[int, str] = {
    OptionType.LOOSE_ROUTE: "route",
    OptionType.STRICT_ROUTE: "route",
    OptionType.RECORD_ROUTE: "record",
    OptionType.TIMESTAMP: "timestamp",
}


_FAULTS = ("twice", "length", "pointer", "overflow")
"""Faults of an option, by the byte that shows them."""


def _fault(raw: bytes, at: int, kind: int, length: int, arriving: bool) -> int | None:
    """Return which byte of an option is wrong, counted from its first; None when it is sound."""
    stamps = kind == OptionType.TIMESTAMP
    least = 4 if stamps else 3
    if length < least:
        return 1
    pointer = raw[at + 2]
    if pointer <= least:
        return 2
    if kind in _ROUTES:
        return None
    if pointer <= length:
        flag = raw[at + 3] & 15
        entry = 8 if stamps and flag in (Stamps.TIMES_AND_ADDRESSES, Stamps.PRESPECIFIED) else 4
        return 2 if pointer + entry - 1 > length else None
    # RFC 791 3.1: one overflow too many makes the packet a bad one.
    full = arriving and stamps and raw[at + 3] & 15 != Stamps.PRESPECIFIED
    return 3 if full and raw[at + 3] >> 4 == _OVERFLOW_MAX else None


# --- filling in -----------------------------------------------------------------------------------


def stamped(
    options: Options, own: int, ours: Callable[[int], bool], ms: int, *, arriving: bool
) -> bytes:
    """Return the bytes with our address and time put in, where there is room for them.

    Args:
        own: the address that a record route or a timestamp gets.
        ours: tells whether a timestamp that asks for one host's time by address means us.
        ms: the time, as ``ICMP`` timestamps have it.
        arriving: a timestamp without room counts us as one that it missed.

    Source: RFC 791 3.1; Linux ``__ip_options_compile``, ``ip_options_build``.
    """
    raw = bytearray(options.raw)
    if (at := options.record) is not None and raw[at + 2] <= raw[at + 1]:
        place = at + raw[at + 2] - 1
        raw[place : place + _ADDRESS_LEN] = own.to_bytes(4)
        raw[at + 2] += _ADDRESS_LEN
    if (at := options.timestamp) is not None:
        _stamp(raw, at, own, ours, ms, arriving=arriving)
    return bytes(raw)


def _stamp(
    raw: bytearray, at: int, own: int, ours: Callable[[int], bool], ms: int, *, arriving: bool
) -> None:
    pointer, length, flag = raw[at + 2], raw[at + 1], raw[at + 3] & 15
    place = at + pointer - 1
    if pointer > length:
        if arriving and flag != Stamps.PRESPECIFIED:
            raw[at + 3] += 1 << 4
        return
    if flag == Stamps.TIMES:
        raw[place : place + 4] = ms.to_bytes(4)
        raw[at + 2] += 4
    elif flag == Stamps.TIMES_AND_ADDRESSES:
        raw[place : place + 8] = own.to_bytes(4) + ms.to_bytes(4)
        raw[at + 2] += 8
    elif flag == Stamps.PRESPECIFIED and ours(int.from_bytes(raw[place : place + 4])):
        raw[place + 4 : place + 8] = ms.to_bytes(4)
        raw[at + 2] += 8


# --- the way out ----------------------------------------------------------------------------------


class Outgoing(NamedTuple):
    """The options of a packet that is to be sent.

    Attributes:
        raw: as they leave, a multiple of 4 bytes, not filled in yet.
        hop: where the packet goes first, when a source route says so; else None.
    """

    raw: bytes
    hop: int | None = None


def outgoing(raw: bytes, dst: int) -> Outgoing:
    """Return the options of a packet to ``dst``, a source route naming the hops before it.

    As Linux's IP_OPTIONS has it: the first hop becomes the header's destination, and the
    destination the last one of the route.

    Raises:
        ValueError: they make no sense, or are too long.
    """
    if len(raw) > MAX_LEN:
        raise ValueError(f"{len(raw)} bytes of IP options: a header has room for {MAX_LEN}")
    raw += bytes(-len(raw) % 4)
    found = parse(raw)
    if isinstance(found, BadOption):
        raise ValueError(f"option {found.kind}: byte {found.pointer} of the header makes no sense")
    at = found.route
    if at is None:
        return Outgoing(raw)
    length = raw[at + 1]
    if raw[at + 2] != _FIRST_ADDRESS or length < 7 or (length - 3) % 4:
        raise ValueError("a source route names one hop or more, and has passed none yet")
    hops = raw[at + 3 : at + length] + dst.to_bytes(4)
    return Outgoing(raw[: at + 3] + hops[4:] + raw[at + length :], int.from_bytes(hops[:4]))


def answering(options: Options, src: int) -> Outgoing:
    """Return the options of an answer to a packet that came from ``src``.

    Record route and timestamp go back as they came, filled in (RFC 1122 3.2.2.6); a source route
    goes back by the hops that it came by, in the other order (RFC 1122 3.2.1.8(c)). Source: Linux
    ``__ip_options_echo``.
    """
    raw = options.raw
    parts = [
        raw[at : at + raw[at + 1]] for at in (options.record, options.timestamp) if at is not None
    ]
    hop = None
    if (at := options.route) is not None:
        passed = min(raw[at + 2], raw[at + 1] + 1) - 4
        hops = [
            int.from_bytes(raw[at + place - 1 : at + place + 3]) for place in range(passed, 3, -4)
        ]
        if hops and hops[-1] == src:
            # RFC 1812 5.2.4.1: some senders name themselves as the first hop.
            del hops[-1]
        if hops:
            hop, *rest = hops
            body = b"".join(each.to_bytes(4) for each in (*rest, src))
            parts.append(bytes((raw[at], 3 + len(body), _FIRST_ADDRESS)) + body)
    joined = b"".join(parts)
    return Outgoing(joined + bytes(-len(joined) % 4), hop)


# --- for people -----------------------------------------------------------------------------------


def items(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and data of each option, as far as they make sense; padding is none."""
    at = 0
    while at < len(raw):
        kind = raw[at]
        if kind == OptionType.END:
            return
        if kind == OptionType.NOP:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < len(raw) else 0
        if not 2 <= length <= len(raw) - at:
            return
        yield kind, raw[at + 2 : at + length]
        at += length


def recorded(raw: bytes) -> list[int] | None:
    """Return the addresses of a record route; None without one."""
    for kind, data in items(raw):
        if kind == OptionType.RECORD_ROUTE and data:
            end = min(data[0] - 3, len(data))
            return [int.from_bytes(data[at : at + 4]) for at in range(1, end, 4)]
    return None


class Stamp(NamedTuple):
    """One entry of a timestamp option.

    Attributes:
        address: who made it, None where the option has times alone.
        ms: since midnight UT, if ``standard``.
    """

    address: int | None
    ms: int
    standard: bool


def stamps(raw: bytes) -> tuple[list[Stamp], int] | None:
    """Return what a timestamp option has collected, and how many had no room; None without one."""
    for kind, data in items(raw):
        if kind == OptionType.TIMESTAMP and len(data) >= 2:
            body, step = data[2 : max(data[0] - 3, 2)], 4 if data[1] & 15 == Stamps.TIMES else 8
            found = []
            for at in range(0, len(body) - step + 1, step):
                time = int.from_bytes(body[at + step - 4 : at + step])
                address = int.from_bytes(body[at : at + 4]) if step == 8 else None
                found.append(Stamp(address, time & _TIME, not time & ~_TIME))
            return found, data[1] >> 4
    return None


def text(raw: bytes, shown: Callable[[int], str]) -> str:
    """Return options in words: ``rr 10.0.0.1 10.0.0.2``, ``lsrr 10.0.0.3``, ``ra``.

    Args:
        shown: writes an address.
    """
    return ", ".join(_words(kind, data, shown) for kind, data in items(raw))


def _words(kind: int, data: bytes, shown: Callable[[int], str]) -> str:
    name = NAMES.get(kind, f"option {kind}")
    if kind in (*_ROUTES, OptionType.RECORD_ROUTE):
        # A record route ends at its pointer; what a source route has still to pass is in it too.
        end = len(data) if kind in _ROUTES else data[0] - 3 if data else 0
        return " ".join((name, *_addresses(data[1 : max(end, 1)], shown)))
    if kind == OptionType.TIMESTAMP and len(data) >= 2:
        return " ".join((name, *_stamps(data, shown)))
    return name if kind in NAMES else f"{name} of {len(data) + 2} B"


def _addresses(data: bytes, shown: Callable[[int], str]) -> Iterator[str]:
    for at in range(0, len(data) - 3, 4):
        yield shown(int.from_bytes(data[at : at + 4]))


def _stamps(data: bytes, shown: Callable[[int], str]) -> Iterator[str]:
    flag, body = data[1] & 15, data[2 : max(data[0] - 3, 2)]
    step = 4 if flag == Stamps.TIMES else 8
    for at in range(0, len(body) - step + 1, step):
        time = int.from_bytes(body[at + step - 4 : at + step])
        who = f"{shown(int.from_bytes(body[at : at + 4]))}@" if step == 8 else ""
        yield f"{who}{time}"
    if data[1] >> 4:
        yield f"(+{data[1] >> 4})"


# --- made from words ------------------------------------------------------------------------------


def route(hops: Iterable[int], *, strict: bool = False) -> bytes:
    """Return a source route by these hops, at most 9, to be given to ``outgoing``."""
    body = b"".join(hop.to_bytes(4) for hop in hops)
    kind = OptionType.STRICT_ROUTE if strict else OptionType.LOOSE_ROUTE
    return bytes((kind, 3 + len(body), _FIRST_ADDRESS)) + body


def record(slots: int = 9) -> bytes:
    """Return a record route with room for so many addresses, at most 9."""
    return bytes((OptionType.RECORD_ROUTE, 3 + 4 * slots, _FIRST_ADDRESS)) + bytes(4 * slots)


def timestamp(flag: Stamps, hosts: Iterable[int] = ()) -> bytes:
    """Return a timestamp option that is as long as may be, or asks these hosts, at most 4."""
    asked = b"".join(host.to_bytes(4) + bytes(4) for host in hosts)
    body = asked or bytes(36 if flag == Stamps.TIMES else 32)
    return bytes((OptionType.TIMESTAMP, 4 + len(body), 5, flag)) + body


ROUTER_ALERT = bytes((OptionType.ROUTER_ALERT, 4, 0, 0))
"""Has routers look at the packet (RFC 2113)."""
