"""Impairments of a link: the words of Linux's netem to values, and back to rows as of ``tc -j``."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.stack.link.impairment import LIMIT_FRAMES, Netem

if TYPE_CHECKING:
    from decimal import Decimal

WORDS = "delay jitter loss corrupt duplicate reorder rate"

_TIMES: Mapping[str, int] = {
    **dict.fromkeys(("s", "sec", "secs"), 1_000_000_000),
    **dict.fromkeys(("ms", "msec", "msecs"), 1_000_000),
    **dict.fromkeys(("us", "usec", "usecs"), 1_000),
}
# tc(8): SI prefixes are powers of 1000; without a unit it is bits a second, and bps is bytes.
_PREFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_RATES: Mapping[str, int] = {
    "": 1,
    **{f"{prefix}bit": factor for prefix, factor in _PREFIXES.items()},
    **{f"{prefix}bps": 8 * factor for prefix, factor in _PREFIXES.items()},
}
_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([a-z%]*)"
_DELAY_MAX_NS = 3600 * 10**9
_RATE_MAX = 10**13


def read(args: Args, old: Netem) -> Netem | None:
    """Return ``old`` with the changes that the arguments ask for; None when they ask for none.

    Raises:
        InvalidArgument: a value is wrong, or they do not go together.
    """
    changes: dict[str, Any] = {}
    for name in ("delay", "jitter"):
        if name in args:
            changes[f"{name}_ns"] = _time(args, name)
    for name in ("loss", "corrupt", "duplicate", "reorder"):
        if name in args:
            changes[name] = _probability(args, name)
    if "rate" in args:
        changes["rate"] = _rate(args)
    if not changes:
        return None
    new = replace(old, **changes)
    if new.reorder and not new.delay_ns:
        raise InvalidArgument(
            "reorder needs a delay, because it lets frames pass the delayed ones",
            hint="add one: delay 10ms",
        )
    return new


def options(netem: Netem) -> dict[str, Any]:
    """Return the ``options`` object of ``tc -j qdisc show``; seconds, fractions, bytes a second."""
    row: dict[str, Any] = {"limit": LIMIT_FRAMES}
    if netem.delay_ns or netem.jitter_ns:
        row["delay"] = {"delay": netem.delay_ns / 1e9, "jitter": netem.jitter_ns / 1e9}
    if netem.loss:
        row["loss-random"] = {"loss": netem.loss}
    for name in ("duplicate", "reorder", "corrupt"):
        value = getattr(netem, name)
        if value:
            row[name] = {name: value}
    if netem.rate:
        row["rate"] = {"rate": netem.rate / 8 if netem.rate % 8 else netem.rate // 8}
    return row


def _time(args: Args, name: str) -> int:
    number, unit, text = _split(args, name)
    if number is None or (unit not in _TIMES and number != 0):
        raise InvalidArgument(
            f'{name} "{text}" is not a time: a number and s, ms or us', hint=f"{name} 10ms"
        )
    value = int(number * _TIMES.get(unit, 1))
    if value > _DELAY_MAX_NS:
        raise InvalidArgument(f'{name} "{text}" is longer than an hour', hint=f"{name} 10ms")
    return value


def _probability(args: Args, name: str) -> float:
    number, unit, text = _split(args, name)
    if number is None or unit not in ("", "%") or number > 100:
        raise InvalidArgument(f'{name} "{text}" is not within 0% to 100%', hint=f"{name} 10%")
    return float(number) / 100


def _rate(args: Args) -> int:
    number, unit, text = _split(args, "rate")
    value = 0 if number is None else int(number * _RATES.get(unit, 0))
    if number is None or unit not in _RATES or value > _RATE_MAX or (value == 0) != (number == 0):
        raise InvalidArgument(
            f'rate "{text}" is not a rate: a rate is a number of at least 1 bit a second with bit,'
            " kbit, mbit, gbit, or bps, kbps, mbps in bytes",
            hint="rate 10mbit",
        )
    return value


def _split(args: Args, name: str) -> "tuple[Decimal | None, str, str]":
    text = args.required(name)
    found = re.fullmatch(_NUMBER, text.lower())
    return (_decimal(found[1]), found[2], text) if found else (None, "", text)


def words(netem: Netem) -> dict[str, str]:
    """Return the words by which ``read`` makes exactly this."""
    found: dict[str, str] = {}
    for name, value in (("delay", netem.delay_ns), ("jitter", netem.jitter_ns)):
        if value:
            found[name] = _time_words(value)
    for name in ("loss", "corrupt", "duplicate", "reorder"):
        fraction = getattr(netem, name)
        if fraction:
            # They came as a percentage of at most nine decimals: so many, and it is the same one.
            found[name] = _plain(_decimal(f"{fraction * 100:.9f}")) + "%"
    if netem.rate:
        prefix, factor = next(
            (prefix, factor)
            for prefix, factor in reversed(_PREFIXES.items())
            if netem.rate % factor == 0
        )
        found["rate"] = f"{netem.rate // factor}{prefix}bit"
    return found


def _time_words(ns: int) -> str:
    for unit, factor in (("s", 10**9), ("ms", 10**6)):
        if ns % factor == 0:
            return f"{ns // factor}{unit}"
    return _plain(_decimal(ns) / 1000) + "us"


def _decimal(number: str | int) -> "Decimal":
    from decimal import Decimal  # which a stack without bad links need not load

    return Decimal(number)


def _plain(number: "Decimal") -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
