"""Shapes: how objects of the stack become plain rows for a snapshot, and rows such objects again.

A row has only what differs from a new object of its class, so that rows are short and an attribute
that is not there is as usual. A time is how long ago it is, ns, so that it means the same on
another clock; one that is to come is negative.
"""

from collections.abc import Callable, Mapping
from enum import Enum, IntEnum
from typing import Any, NamedTuple

from smolctl.stack.alarm import NEVER
from smolctl.wire.address import IPV4, IPV6, format_address, format_mac, parse_address, parse_mac

Row = dict[str, Any]
_NO_TIMES = (NEVER, -NEVER)
_FAMILIES = {family.name: family for family in (IPV4, IPV6)}


_ZEROS_MAX = 1 << 28


def zeros(size: int) -> bytes:
    """Return what stands for a payload.

    Raises:
        ValueError: no queue is that long: nobody has to find memory for it.
    """
    if not 0 <= size <= _ZEROS_MAX:
        raise ValueError(f"{size} bytes cannot wait anywhere")
    return bytes(size)


class Kind(NamedTuple):
    """The two ways between a value and JSON; both are given the time of the snapshot, ns."""

    plain: Callable[[Any, int], Any]
    value: Callable[[Any, int], Any]


def _ago(time_ns: int, now: int) -> int:
    return time_ns if time_ns in _NO_TIMES else now - time_ns


ADDRESS = Kind(lambda ip, _: format_address(ip), lambda text, _: parse_address(text))
AGO = Kind(_ago, _ago)
MAC = Kind(lambda mac, _: format_mac(mac), lambda text, _: parse_mac(text))
BYTES = Kind(lambda data, _: data.hex(), lambda text, _: bytes.fromhex(text))
FAMILY = Kind(lambda family, _: family.name, lambda name, _: _FAMILIES[name])
PAIR = Kind(lambda pair, _: list(pair), lambda pair, _: tuple(pair))


def word(kind: type[Enum]) -> Kind:
    """Return how members of an enum become words: their values, or the names of numbers."""
    if issubclass(kind, IntEnum):
        return Kind(lambda item, _: item.name.lower(), lambda text, _: kind[text.upper()])
    return Kind(lambda item, _: item.value, lambda text, _: kind(text))


class Shape:
    """The attributes of one class that are in a snapshot.

    Args:
        usual: a new object, whose values go without saying.
        plain: the attributes that are numbers, words, or yes or no, by their names.
        kinds: the others, and what they are.
    """

    def __init__(self, usual: object, plain: str, **kinds: Kind) -> None:
        self.names = [*plain.split(), *kinds]
        self._usual = [(name, getattr(usual, name), kinds.get(name)) for name in self.names]
        self._kinds = kinds

    def row(self, item: object, now: int) -> Row:
        """Return what is unusual about an object, as plain data."""
        row: Row = {}
        for name, usual, kind in self._usual:
            value = getattr(item, name)
            if value is not usual and value != usual:
                row[name] = value if kind is None else kind.plain(value, now)
        return row

    def values(self, row: Mapping[str, Any], now: int) -> Row:
        """Return the attributes that a row tells; what it tells of others is passed over.

        Raises:
            ValueError, TypeError, KeyError: the row was not made by ``row``.
        """
        kinds = self._kinds
        return {
            name: row[name] if name not in kinds else kinds[name].value(row[name], now)
            for name in self.names
            if name in row
        }

    def fill(self, item: Any, row: Mapping[str, Any], now: int) -> Any:
        """Give a new object what a row tells, and return it.

        Raises: as ``values``.
        """
        for name, value in self.values(row, now).items():
            setattr(item, name, value)
        return item
