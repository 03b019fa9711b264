"""The config file: its table ``[sysctl]``, with the line of each value.

    [sysctl]
    iface.neighbor_cache_count = 4
    "neigh.unres_qlen" = 1

tomllib says what stands in a file, but not where; so the lines are read once more, one by one.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from smolctl.errors import InvalidArgument
from smolctl.stack.sysctl.precedence import Assignment, Level

TABLE = "sysctl"


def settings_of(text: str, name: str) -> list[Assignment]:
    """Return the values of the table ``[sysctl]`` of a TOML text.

    Args:
        text: of the whole file; other tables are not looked at.
        name: of the file, for messages.

    Raises:
        InvalidArgument: it is no TOML, a value is no number, flag or word, or a key has two.
    """
    lines: dict[str, int] = {}
    for key, number in _lines(text):
        if key in lines:
            raise InvalidArgument(
                f"{key} has two values: {name} line {lines[key]}, and {name} line {number}",
                hint="keep one of them",
            )
        lines[key] = number
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidArgument(f"{name} is not TOML: {error}", hint="https://toml.io") from None
    table = document.get(TABLE, {})
    if not isinstance(table, dict):
        raise InvalidArgument(f"{name}: {TABLE} is not a table", hint=f"[{TABLE}]")
    return [_assignment(key, value, name, lines.get(key)) for key, value in _flat(table)]


def _assignment(key: str, value: object, name: str, line: int | None) -> Assignment:
    place = name if line is None else f"{name} line {line}"
    if isinstance(value, bool):
        return Assignment(Level.CONFIG, key, str(int(value)), place)
    if isinstance(value, int | str):
        return Assignment(Level.CONFIG, key, str(value), place)
    raise InvalidArgument(
        f"{place}: {key} is not a whole number, true, false or a word",
        hint=f"smolctl sysctl {key}",
    )


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield keys and values; TOML reads ``neigh.unres_qlen = 1`` as a table in a table."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield each key of the table with the number of its line, as often as it is there."""
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            said = tomllib.loads(line)
        except tomllib.TOMLDecodeError:
            continue  # a part of something longer: no setting is
        if line.lstrip().startswith("["):
            prefix = ".".join(_path(said)) + "."
            continue
        for key, _ in _flat(said):
            full = prefix + key
            if full.startswith(f"{TABLE}."):
                yield full.removeprefix(f"{TABLE}."), number


def _path(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a header line: ``[a.b]`` is {"a": {"b": {}}}."""
    while table:
        name, inner = next(iter(table.items()))
        yield name
        table = inner[0] if isinstance(inner, list) else inner
