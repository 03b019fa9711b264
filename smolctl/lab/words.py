"""Words for times, counts and values, in expectations and reports."""

import json
from typing import Any

from smolctl.counted import counted
from smolctl.lab.expectation import Count, Window

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))


def duration(ns: int) -> str:
    """Return a time as people write it: "1.5 s", "20 us"."""
    for factor, unit in _UNITS:
        if ns >= factor:
            whole, rest = divmod(ns, factor)
            digits = f"{rest:0{len(str(factor)) - 1}d}".rstrip("0")
            return f"{whole}.{digits[:6]} {unit}" if digits[:6].strip("0") else f"{whole} {unit}"
    return "0 s"


def instant(ns: int) -> str:
    """Return a time of a run, in seconds to the microsecond, of one width."""
    return f"{ns // 1_000_000_000}.{ns // 1_000 % 1_000_000:06d}"


def how_often(count: Count) -> str:
    """Return bounds in words: "at least once", "exactly 3 times"."""
    if count.max == 0:
        return "never"
    if count.max is None:
        return f"at least {_times(count.min)}"
    if count.min == count.max:
        return f"exactly {_times(count.min)}"
    if not count.min:
        return f"at most {_times(count.max)}"
    return f"{count.min} to {_times(count.max)}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def times(number: int) -> str:
    """Return how often something was seen."""
    return "never" if not number else _times(number)


def amount(count: Count, noun: str) -> str:
    """Return bounds of a number of things: "at least 1 row"."""
    if count.max is None:
        return f"at least {counted(count.min, noun)}"
    if count.min == count.max:
        return counted(count.min, noun) if count.max else f"no {noun}"
    if not count.min:
        return f"at most {counted(count.max, noun)}"
    return f"{count.min} to {counted(count.max, noun)}"


def when(window: Window) -> str:
    """Return a window in words, with a space in front; "" for the whole run."""
    after, by = window.after_ns, window.by_ns
    if after and by is not None:
        return f" between {duration(after)} and {duration(by)}"
    if by is not None:
        return f" by {duration(by)}"
    return f" after {duration(after)}" if after else ""


def value(item: Any) -> str:
    """Return a value of a row as JSON has it."""
    return json.dumps(item, ensure_ascii=False, default=dict, separators=(", ", ": "))
