"""TCP options (RFC 9293 3.2, RFC 7323, RFC 2018, RFC 5482): found, and written as Linux does."""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

MAX_LEN = 40
"""Bytes of options that a header has room for."""
WINDOW_SCALE_MAX = 14
"""A larger shift is taken for it (RFC 7323 2.3)."""

_LONG = 0xFFFFFFFF
_MINUTES = 0x8000
_TIMES = Struct("!II")
_BLOCKS = {2 + 8 * number: Struct(f"!{2 * number}I") for number in range(1, 5)}
"""By the length of a SACK option, what it holds."""
_SYN = Struct("!HHHHIIHBB")
_SYN_WORDS = 0x0204, 0x0402, 0x080A, 0x0103, 3
"""The words of the options of a SYN that are the same in nearly all, as those of Linux."""
ALIGNED_TIMES = b"\1\1\x08\x0a"
"""NOP, NOP and a timestamp: all that most segments have (RFC 7323 appendix A)."""


class TcpOptionType(IntEnum):
    """Option kinds. Source: IANA "TCP Option Kind Numbers"."""

    END = 0
    NOP = 1
    MSS = 2
    WINDOW_SCALE = 3
    SACK_PERMITTED = 4
    SACK = 5
    TIMESTAMPS = 8
    USER_TIMEOUT = 28


_END, _NOP, _MSS, _WINDOW_SCALE, _SACK_PERMITTED, _SACK, _TIMESTAMPS, _USER_TIMEOUT = (
    kind.value for kind in TcpOptionType
)


class TcpOptions(NamedTuple):
    """The options of a segment; None for one that is not there.

    Attributes:
        mss: bytes that the sender takes in a segment, 1..65535; in a SYN.
        window_scale: shift of the windows to come, 0..14; in a SYN.
        sack_permitted: the sender takes SACK blocks; in a SYN.
        timestamps: TSval and TSecr (RFC 7323 3.2).
        sack: left and right edge of each block, at most 4 (RFC 2018 3).
        user_timeout_s: seconds (RFC 5482 3.1); what is longer than 32767 s, in whole minutes.
    """

    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    timestamps: tuple[int, int] | None = None
    sack: tuple[tuple[int, int], ...] = ()
    user_timeout_s: int | None = None

    def to_bytes(self) -> bytes:
        """Return the options in Linux's order, a multiple of 4 bytes.

        MSS, SACK permitted with timestamps, window scale, SACK blocks. Sequence numbers and times
        are any integers: their last 32 bits are sent.

        Raises:
            ValueError: they take more than 40 bytes.
        Source: Linux ``tcp_options_write``.
        """
        mss, scale, sack_permitted, timestamps, sack, user_timeout = self
        data = b"" if mss is None else b"\2\4" + mss.to_bytes(2)
        if timestamps is not None:
            value, echo = timestamps
            # RFC 7323 appendix A: padded in front, so that the numbers are aligned.
            data += b"\4\2\x08\x0a" if sack_permitted else ALIGNED_TIMES
            data += _TIMES.pack(value & _LONG, echo & _LONG)
        elif sack_permitted:
            data += b"\1\1\4\2"
        if scale is not None:
            data += bytes((1, 3, 3, scale))
        if sack:
            data += bytes((1, 1, 5, 2 + 8 * len(sack)))
            data += b"".join(_TIMES.pack(left & _LONG, right & _LONG) for left, right in sack)
        if user_timeout is not None:
            data += b"\x1c\4" + _timeout(user_timeout).to_bytes(2)
        if len(data) > MAX_LEN:
            raise ValueError(f"{len(data)} bytes of TCP options, at most {MAX_LEN} fit")
        return data


def usual_syn(mss: int, scale: int, value: int, echo: int) -> bytes:
    """Return the options of a SYN as Linux has them; ``TcpOptions.to_bytes`` makes the same."""
    first, second, third, fourth, fifth = _SYN_WORDS
    return _SYN.pack(first, mss, second, third, value & _LONG, echo & _LONG, fourth, fifth, scale)


NO_OPTIONS = TcpOptions()


def parse(raw: bytes, *, syn: bool) -> TcpOptions:
    """Return the options of a segment.

    What is not known is skipped, and so is a known option of another length than its own. A length
    that cannot be ends the list: what was found until then counts.

    Args:
        raw: what is behind the fixed header.
        syn: of a SYN segment, which alone may have MSS, window scale and SACK permitted.

    Source: RFC 9293 3.2; Linux ``tcp_parse_options``, also that an MSS of 0 is none.
    """
    if len(raw) == 12 and raw[:4] == ALIGNED_TIMES:
        return tuple.__new__(TcpOptions, (None, None, False, _TIMES.unpack_from(raw, 4), (), None))
    if syn and len(raw) == _SYN.size:
        first, size, *words, value, echo, third, fourth, shift = _SYN.unpack(raw)
        if (first, *words, third, fourth) == _SYN_WORDS and size:
            known = (size, min(shift, WINDOW_SCALE_MAX), True, (value, echo), (), None)
            return tuple.__new__(TcpOptions, known)
    mss, scale, sack_permitted, timestamps, user_timeout = None, None, False, None, None
    sack: tuple[tuple[int, int], ...] = ()
    # Of every segment that reports a loss: plain numbers, and no call for each option.
    at, size = 0, len(raw)
    while at < size:
        kind = raw[at]
        if kind == _NOP:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < size else 0
        if kind == _END or not 2 <= length <= size - at:
            break
        if kind == _TIMESTAMPS and length == 10:
            timestamps = _TIMES.unpack_from(raw, at + 2)
        elif kind == _SACK and length in _BLOCKS:
            edges = _BLOCKS[length].unpack_from(raw, at + 2)
            sack = tuple(zip(edges[::2], edges[1::2], strict=True))
        elif kind == _USER_TIMEOUT and length == 4:
            user_timeout = _seconds(raw[at + 2] << 8 | raw[at + 3])
        elif not syn:
            pass
        elif kind == _MSS and length == 4:
            mss = raw[at + 2] << 8 | raw[at + 3] or mss
        elif kind == _WINDOW_SCALE and length == 3:
            scale = min(raw[at + 2], WINDOW_SCALE_MAX)
        elif kind == _SACK_PERMITTED and length == 2:
            sack_permitted = True
        at += length
    values = (mss, scale, sack_permitted, timestamps, sack, user_timeout)
    return tuple.__new__(TcpOptions, values)


def items(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and data of each option, as far as they make sense; padding is none."""
    at, size = 0, len(raw)
    while at < size:
        kind = raw[at]
        if kind == TcpOptionType.END:
            return
        if kind == TcpOptionType.NOP:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < size else 0
        if not 2 <= length <= size - at:
            return
        yield kind, raw[at + 2 : at + length]
        at += length


def text(raw: bytes) -> str:
    """Return options in words: ``mss 1460, sackOK, TS val 1 ecr 0, wscale 7``, as tcpdump does."""
    return ", ".join(_words(kind, data) for kind, data in items(raw))


def _words(kind: int, data: bytes) -> str:
    size, number = len(data), int.from_bytes(data)
    if kind == TcpOptionType.MSS and size == 2:
        return f"mss {number}"
    if kind == TcpOptionType.WINDOW_SCALE and size == 1:
        return f"wscale {number}"
    if kind == TcpOptionType.SACK_PERMITTED and size == 0:
        return "sackOK"
    if kind == TcpOptionType.TIMESTAMPS and size == 8:
        return f"TS val {number >> 32} ecr {number & _LONG}"
    if kind == TcpOptionType.SACK and size and not size % 8:
        blocks = (_pair(data, at) for at in range(0, size, 8))
        return " ".join(("sack", *(f"{left}:{right}" for left, right in blocks)))
    if kind == TcpOptionType.USER_TIMEOUT and size == 2:
        return f"uto {_seconds(number)} s"
    return f"option {kind} of {size + 2} B"


def _pair(data: bytes, at: int) -> tuple[int, int]:
    first, second = _TIMES.unpack_from(data, at)
    return first, second


def _timeout(seconds: int) -> int:
    """Return 15 bits of seconds, or of minutes with the first bit set, at most 32767 of them."""
    if seconds < _MINUTES:
        return seconds
    return _MINUTES | min((seconds + 59) // 60, _MINUTES - 1)


def _seconds(number: int) -> int:
    return (number & ~_MINUTES) * 60 if number & _MINUTES else number
