"""SYN cookies: a handshake that is remembered in its numbers alone (RFC 4987 3.6).

As in Linux, 32 bits of the initial sequence number hold a hash, the minute and the segment size;
the lowest bits of the timestamp hold the other options.
"""

from typing import NamedTuple

from smolctl.stack.transport.tcp.sequence import Ends, Secrets

_MASK = 0xFFFFFFFF
_BITS = 24
_LOW = (1 << _BITS) - 1
_SIZES = (536, 1220, 1300, 1440, 1460, 4312, 8960, 65495)
"""Segment sizes that a cookie can tell (Linux msstab has four)."""
_PERIOD_NS = 60_000_000_000
_PERIODS_MAX = 2
_SCALE_NONE = 0xF
_TS_BITS = 6


class CookieOptions(NamedTuple):
    """The options that the timestamp of a cookie holds."""

    scale: int | None = None
    sack: bool = False
    ecn: bool = False


def make(secrets: Secrets, ends: Ends, irs: int, mss: int, now: int) -> int:
    """Return the initial sequence number that is a cookie."""
    index = max((i for i, size in enumerate(_SIZES) if size <= mss), default=0)
    minute = now // _PERIOD_NS
    high = secrets.hashed(ends, 3) + irs + (minute << _BITS)
    return (high + ((secrets.hashed(ends, 4 + minute) + index) & _LOW)) & _MASK


def check(secrets: Secrets, ends: Ends, irs: int, cookie: int, now: int) -> int | None:
    """Return the segment size that a cookie holds; None for what is none, or too old."""
    rest = (cookie - secrets.hashed(ends, 3) - irs) & _MASK
    minute = now // _PERIOD_NS
    age = (minute - (rest >> _BITS)) & (_MASK >> _BITS)
    if age >= _PERIODS_MAX:
        return None
    index = (rest - secrets.hashed(ends, 4 + minute - age)) & _LOW
    return _SIZES[index] if index < len(_SIZES) else None


def encode_time(clock: int, options: CookieOptions) -> int:
    """Return a timestamp, not later than the clock, that holds options in its lowest bits."""
    scale = _SCALE_NONE if options.scale is None else options.scale
    bits = scale | options.sack << 4 | options.ecn << 5
    value = clock >> _TS_BITS << _TS_BITS | bits
    return value if value <= clock else value - (1 << _TS_BITS)


def decode_time(echo: int) -> CookieOptions:
    """Return the options that an echoed timestamp holds."""
    scale = echo & 0xF
    return CookieOptions(
        None if scale == _SCALE_NONE else scale, bool(echo & 0x10), bool(echo & 0x20)
    )
