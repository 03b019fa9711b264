"""Values of scenario files as TOML has them."""

import json
from typing import Any

_UNITS = (("s", 10**9), ("ms", 10**6), ("us", 1000), ("ns", 1))


def time_text(ns: int) -> str:
    """Return a time with its unit, exactly: "1.5s"."""
    for unit, factor in _UNITS:
        if ns >= factor:
            whole, rest = divmod(ns, factor)
            decimals = f"{rest:0{len(str(factor)) - 1}d}".rstrip("0") if rest else ""
            return f"{whole}.{decimals}{unit}" if decimals else f"{whole}{unit}"
    return "0s"


def toml(value: Any) -> str:
    """Return a value as TOML has it, in one line.

    Args:
        value: text, number, bool, or a list or dict of such; all keys are texts.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" in text else f"{text}.0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        inside = ", ".join(f"{key(name)} = {toml(inner)}" for name, inner in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return f"[{', '.join(map(toml, value))}]"


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, and for what is beyond 16 bits, which is no pair.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def key(name: str) -> str:
    """Return a key, with quotes where it needs them."""
    bare = name.replace("-", "").replace("_", "")
    return name if bare.isascii() and bare.isalnum() else _quoted(name)


def long_text(text: str) -> str:
    """Return a text of several lines, each in a line of its own where that is possible."""
    if "\n" not in text:
        return _quoted(text)
    lines = [_quoted(line)[1:-1] for line in text.split("\n")]
    return '"""\n' + "\n".join(lines) + '"""'
