"""The arguments of a request: what came as words is checked here, once, and becomes values.

Every error shows the value and says what would be right; it is ``InvalidArgument`` unless said
otherwise.
"""

import binascii
import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from smolctl.errors import InvalidArgument
from smolctl.near import did_you_mean
from smolctl.stack.fib.route import Scope
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.wire.address import (
    IPV4,
    IPV6,
    IPV6_MARK,
    Family,
    family_of,
    parse_address,
    parse_mac,
    parse_prefix,
    parse_zoned,
    split_zone,
)

T = TypeVar("T")
_SHOWN_MAX = 60
_SCOPES = ("global", "site", "link", "host")
FAMILIES = {family.name: family for family in (IPV4, IPV6)}
EVERYWHERE = ("default", "any", "all")
"""Words for the prefix of all addresses of a family."""
_HEX = "0[xX][0-9a-fA-F]{1,2}"
_HEX_WORD = "0[xX][0-9a-fA-F]{1,8}"
UID_MAX = 0xFFFFFFFE
"""The highest number of a user: the next one is nobody's (Linux ``uid_valid``)."""


class Args:
    """The arguments of one request.

    Args:
        op: the operation, for messages.
        values: as they came.
        names: those the operation knows; another one is an error. With "family" among them its
            addresses are of either family, or of the one that is asked for; else they are IPv4
            addresses.

    Attributes:
        family: the one that is asked for, None for either.
    """

    def __init__(self, op: str, values: dict[str, Any], names: frozenset[str]) -> None:
        self.family = None if "family" in names else IPV4
        if "family" in values:
            self.family = _family(op, values, names)
        unknown = sorted(set(values) - names - {"family"})
        if unknown:
            raise InvalidArgument(
                f'{op} takes no "{unknown[0]}"', hint=f"it takes: {', '.join(sorted(names))}"
            )
        self.op = op
        self._values = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str) -> str | None:
        """Return a word, or None when it was not given."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise InvalidArgument(f"{name} must be a word")
        if isinstance(value, str) and not value.isprintable():
            # So that every message that shows it is one line, and every name can be encoded.
            shown = ascii(value[:_SHOWN_MAX])
            raise InvalidArgument(f"{name} {shown} has characters that cannot be printed")
        return str(value)

    def required(self, name: str) -> str:
        """Return a word that must be there."""
        value = self.text(name)
        if value is None:
            raise InvalidArgument(f'"{name}" is missing: {self.op.replace(".", " ")} needs it')
        return value

    def flag(self, name: str) -> bool:
        """Return whether a flag was given."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise InvalidArgument(f"{name} is a flag: it is true, or left out")
        return value is True

    def groups(self, name: str, names: frozenset[str]) -> "list[Args]":
        """Return a list of groups of arguments; empty when none was given.

        Args:
            names: those that a group may have.
        """
        values = self._list(name)
        if values is None:
            return []
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise InvalidArgument(f"{name} is a list of groups of words")
        if self.family is not IPV4:
            names |= {"family"}
        groups = [Args(f"{self.op} {name}", value, names) for value in values]
        for group in groups:
            group.family = self.family
        return groups

    def integer(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number of low..high, or None when it was not given."""
        text = self.text(name)
        if text is None:
            return None
        value = _whole(text)
        if value is None or not low <= value <= high:
            raise InvalidArgument(f"{name} {_shown(text)} is not a whole number of {low}..{high}")
        return value

    def tos(self, name: str) -> int | None:
        """Return a type of service, 0..255 in decimal or with 0x, or None when it was not given."""
        text = self.text(name)
        if text is None:
            return None
        value = _whole(text)
        if re.fullmatch(_HEX, text):
            value = int(text, 16)
        if value is None or not 0 <= value <= 255:
            raise InvalidArgument(
                f"{name} {_shown(text)} is no type of service: 0..255, or 0x0 to 0xff"
            )
        return value

    def fwmark(self, name: str) -> tuple[int, int] | None:
        """Return a mark of packets and its mask, given as MARK or MARK/MASK; None if it was not.

        Both are decimal, or hexadecimal with 0x. Without a mask all bits count, and none of mark 0,
        as ``ip`` has it.
        """
        text = self.text(name)
        if text is None:
            return None
        numbers = [_word(part) for part in text.split("/", 1)]
        mark, mask = numbers[0], numbers[-1]
        if mark is None or mask is None:
            raise InvalidArgument(
                f"{name} {_shown(text)} is no mark: 0..4294967295 or 0x0..0xffffffff, and a mask"
                " behind a slash if it is for some bits"
            )
        return mark, mask if len(numbers) > 1 else 0xFFFFFFFF if mark else 0

    def group(self, name: str) -> int | None:
        """Return the number of a group of links, 0 for "default", or None when it was not given."""
        if self.text(name) == "default":
            return 0
        return self.integer(name, 0, 0xFFFFFFFF)

    def mark(self, name: str = "mark") -> int | None:
        """Return a mark of packets, decimal or with 0x, or None when it was not given."""
        text = self.text(name)
        value = None if text is None else _word(text)
        if text is not None and value is None:
            raise InvalidArgument(
                f"{name} {_shown(text)} is no mark: 0..4294967295, or 0x0..0xffffffff"
            )
        return value

    def uid(self, name: str = "uid") -> int | None:
        """Return the number of a user, or None when it was not given."""
        return self.integer(name, 0, UID_MAX)

    def seconds(self, name: str, default: float | None = None) -> int | None:
        """Return a time given in seconds, fractions allowed, as nanoseconds."""
        text = self.text(name)
        if text is None:
            return None if default is None else int(default * 1e9)
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not (math.isfinite(value) and 0 <= value <= 1e9):
            raise InvalidArgument(f"{name} {_shown(text)} is not a number of seconds, 0 or more")
        return int(value * 1e9)

    def address(self, name: str) -> int | None:
        """Return an address, or None when it was not given; the interface is said beside it."""
        text = self.text(name)
        return None if text is None else _value(self._address, text)

    def the_address(self, name: str) -> int:
        """Return an address that must be there."""
        self.required(name)
        value = self.address(name)
        assert value is not None
        return value

    def _address(self, text: str) -> int:
        if "%" in text:
            raise ValueError(
                f"{_shown(text)}: no interface may stand behind the address here; say: dev DEV"
            )
        return parse_address(text, self.family)

    def zoned(self, name: str, *, either: bool = False) -> int | None:
        """Return an address that may have a zone, which ``device`` returns; or None.

        Args:
            either: it may be of any family, whatever is asked for.

        Raises:
            InvalidArgument: also for a zone of an address that is the same everywhere.
        """
        text = self.text(name)
        if text is None:
            return None
        family = None if either else self.family
        return _value(lambda word: parse_zoned(word, family)[0], text)

    def device(self, *names: str) -> str | None:
        """Return the interface that "dev" names, or the zone of one of these addresses; or None.

        Raises:
            InvalidArgument: they name two.
        Source: RFC 4007 11.
        """
        dev = self.text("dev")
        for name in names:
            text = self.text(name) or ""
            zone = _value(split_zone, text)[1]
            if zone is not None and zone != dev:
                if dev is not None:
                    raise InvalidArgument(f"{_shown(text)} is not on {dev}: its zone is {zone}")
                dev = zone
        return dev

    def addresses(self, name: str) -> list[int]:
        """Return addresses that came in one word, with commas between them."""
        text = self.text(name)
        if text is None:
            return []
        return [_value(self._address, word) for word in text.split(",")]

    def prefix(self, name: str) -> tuple[int, int | None] | None:
        """Return address and prefix length (None when left out); "default" and "all" are 0/0.

        They are of the family that is asked for, and of IPv4 if that may be either.
        """
        text = self.text(name)
        if text is None:
            return None
        if text in EVERYWHERE:
            return (IPV6_MARK if self.family is IPV6 else 0), 0
        if "%" in text:
            raise InvalidArgument(f"{_shown(text)}: a prefix has no zone", hint="say: dev DEV")
        return _value(lambda word: parse_prefix(word, self.family), text)

    def prefixes(self, name: str) -> list[tuple[int, int | None]]:
        """Return prefixes that came in one word, with commas between them, as ``prefix`` does."""
        text = self.text(name)
        if text is None:
            return []
        return [_value(lambda each: parse_prefix(each, self.family), w) for w in text.split(",")]

    def network(self, name: str) -> tuple[int, int] | None:
        """Return a prefix for selecting; without a length it is one address."""
        found = self.prefix(name)
        if found is None:
            return None
        return found[0], family_of(found[0]).bits if found[1] is None else found[1]

    def infer(self, *names: str, default: Family | None = None) -> Family | None:
        """Return the family: the one asked for, or that of the first of these that was given.

        The rest then has to be of it, too; "default" and the like are of any.
        """
        for name in names:
            text = self.text(name) if self.family is None else None
            if text is not None and text not in EVERYWHERE:
                self.family = IPV6 if ":" in text else IPV4
        if self.family is None:
            self.family = default
        return self.family

    def mac(self, name: str) -> bytes | None:
        """Return a MAC address, or None when it was not given."""
        text = self.text(name)
        return None if text is None else _value(parse_mac, text)

    def port(self, name: str) -> int | None:
        """Return a UDP port of 1..65535, or None when it was not given."""
        text = self.text(name)
        if text is None:
            return None
        value = _whole(text)
        if value is None or not 1 <= value <= 65535:
            raise InvalidArgument(f"{_shown(text)} is not a port: a number of 1..65535")
        return value

    def scope(self, name: str) -> Scope | None:
        """Return a scope by its name or number."""
        text = self.text(name)
        if text is None:
            return None
        number = _whole(text)
        if number is not None and number in Scope._value2member_map_:
            return Scope(number)
        try:
            return Scope[text.upper()]
        except KeyError:
            raise InvalidArgument(
                f"{_shown(text)} is not a scope: global, site, link, host",
                hint=did_you_mean(text, _SCOPES),
            ) from None

    def choice(self, name: str, words: tuple[str, ...]) -> str | None:
        """Return one of some words."""
        text = self.text(name)
        if text is not None and text.lower() not in words:
            raise InvalidArgument(
                f"{name} {_shown(text)} is none of: {', '.join(words)}",
                hint=did_you_mean(text, words),
            )
        return None if text is None else text.lower()

    def commands(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Return a list of operations, each with its arguments."""
        values = self._list(name)
        if not isinstance(values, list):
            raise InvalidArgument(f"{name} must be a list of operations")
        for value in values:
            if not (
                isinstance(value, list)
                and len(value) == 2
                and isinstance(value[0], str)
                and isinstance(value[1], dict)
            ):
                raise InvalidArgument(f"{name}: each is a name and an object of arguments")
        return [(op, arguments) for op, arguments in values]

    def _list(self, name: str) -> Any:
        """Return what should be a list; a long one came as JSON."""
        values = self._values.get(name)
        if isinstance(values, str):
            try:
                return json.loads(values)
            except (ValueError, RecursionError):
                pass
        return values

    def words(self, names: Iterable[str]) -> dict[str, str | bool]:
        """Return those of the named arguments that were given, as they came: words and flags."""
        return {name: self._values[name] for name in names if name in self}

    def pmtudisc(self, default: Pmtudisc) -> Pmtudisc:
        """Return "pmtudisc": what the sender wants of path MTU discovery, in the words of ping."""
        word = self.choice("pmtudisc", tuple(each.name.lower() for each in Pmtudisc))
        return default if word is None else Pmtudisc[word.upper()]

    def payload(self, name: str) -> bytes | None:
        """Return bytes that came as base64."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return binascii.a2b_base64(text, strict_mode=True)
        except (binascii.Error, ValueError):
            raise InvalidArgument(f"{name} is not base64") from None


def _word(text: str) -> int | None:
    """Return a number of 32 bits, decimal or hexadecimal with 0x; None for anything else."""
    value = int(text, 16) if re.fullmatch(_HEX_WORD, text) else _whole(text)
    return value if value is not None and 0 <= value < 1 << 32 else None


def _whole(text: str) -> int | None:
    """Return the number that plain decimal digits spell, at most 19 of them; else None."""
    digits = text.removeprefix("-")
    # Not int() alone: it takes "1_0" and other scripts' digits, and raises for very many.
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        return None
    return int(text)


def _value(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidArgument(str(error)) from None


def _shown(text: str) -> str:
    return f'"{text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."}"'


def _family(op: str, values: dict[str, Any], names: frozenset[str]) -> Family:
    """Return the family that is asked for.

    Raises:
        InvalidArgument: there is no such family, or the operation is about IPv4 alone.
    """
    name = values["family"]
    family = FAMILIES.get(name) if isinstance(name, str) else None
    if family is None:
        raise InvalidArgument(f"family must be one of: {', '.join(FAMILIES)}")
    if family is IPV6 and "family" not in names:
        raise InvalidArgument(f"{op.partition('.')[0]} is about IPv4 alone")
    return family
