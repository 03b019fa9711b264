"""The language that says which packets one wants to see: that of tcpdump, as far as it goes.

::

    filter  = [not] term { (and | or) [not] term }
    term    = "(" filter ")"  |  [PROTO] [WAY] [KIND] VALUE  |  PROTO
            | vlan [ID] | in | out | local | dev NAME | reason NAME | reason any
    PROTO   = ip | ip6 | arp | rarp | icmp | icmp6 | igmp | tcp | udp
    WAY     = src | dst | src or dst | src and dst
    KIND    = host | net | port | proto,  and sport, dport for src port, dst port

A word that tcpdump has too means the same here (pcap-filter(7)): ``and`` and ``or`` bind equally
and from the left, ``not`` binds closest, a value without a kind is of the kind before it
(``port 53 or 67``), or else a host. A host, and a network (``net fd00::/64``), may be of either
family. What follows ``vlan`` is looked for behind that tag, also a
second ``vlan``. ``&&``, ``||`` and ``!`` may be written too.
"""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from smolctl.errors import InvalidArgument
from smolctl.near import did_you_mean
from smolctl.stack.explain import filter_match
from smolctl.stack.explain.filter_match import Combine, FilteredPacket, Test
from smolctl.stack.reason import REASONS
from smolctl.wire.address import (
    IPV4,
    IPV6,
    Family,
    family_of,
    format_address,
    mask,
    parse_prefix,
)
from smolctl.wire.ipv4 import Protocol
from smolctl.wire.vlan import RESERVED

MAX_LENGTH = 4096
"""Characters of a filter: far more than a person writes, and what bounds the work per packet."""
_MAX_DEPTH = 50
_SHOWN_MAX = 40

_TOKEN = r"\(|\)|!|&&|\|\||(?:(?!&&|\|\|)[^\s()!])+"
_SPELLINGS = {"&&": "and", "||": "or", "!": "not", "inbound": "in", "outbound": "out"}
_WAYS = ("src", "dst")
_ENDS = {"src": slice(0, 1), "dst": slice(1, 2), "": slice(0, 2)}
_KINDS = {"host": "an address", "net": "a network", "port": "a port", "proto": "a protocol"}
_PORTS = {"sport": "src", "dport": "dst"}
_DIRECTIONS = ("in", "out", "local")
_NAMED = {"dev": "an interface's name", "reason": 'a reason\'s name or "any"'}
_OF_IPV4, _OF_IPV6 = ("ip", "arp", "rarp", "icmp", "igmp"), ("ip6", "icmp6")
_IS_IPV6 = r"[0-9a-fA-F]{0,4}:"
_NO_VALUE = ("", "(", ")", "and", "or", "not")
_NUMBERS = {"icmp": 1, "icmp6": 58, "igmp": 2, "tcp": Protocol.TCP, "udp": Protocol.UDP}

WORDS = (
    *filter_match.PROTOCOLS, *_WAYS, *_KINDS, *_PORTS, *_DIRECTIONS, *_NAMED, "vlan",
    "and", "or", "not",
)  # fmt: skip
"""All words of the language, for help and completion."""


@dataclass(frozen=True, slots=True)
class PacketFilter:
    """A filter that was understood.

    Attributes:
        text: as it was written.
        test: what it came to.
    """

    text: str
    test: Test

    def matches(self, packet: FilteredPacket) -> bool:
        """Return whether a packet is one of those; never raises, whatever its bytes are."""
        return self.test(filter_match.fields(packet))


def parse(text: str) -> PacketFilter:
    """Understand a filter; one without any word lets everything pass.

    Raises:
        InvalidArgument: it is none; the message is one line and shows the word at fault.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidArgument(
            f"filter: {len(text)} characters are too many, {MAX_LENGTH} are allowed"
        )
    return PacketFilter(text, _Parser(text).parse())


class _Qualifiers(NamedTuple):
    """The qualifiers before a value, which hold for the values that follow it, too."""

    protocol: str = ""
    way: str = ""
    combine: Combine = any
    kind: str = "host"


def _joined(first: Test, others: Sequence[tuple[bool, Test]]) -> Test:
    """Return terms joined from the left, each by "and" (True) or "or"; a loop, however many."""

    def test(fields: filter_match.Fields) -> bool:
        value = first(fields)
        for both, other in others:
            if value is both:  # otherwise the term cannot change it
                value = other(fields)
        return value

    return test if others else first


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [_SPELLINGS.get(token, token) for token in re.findall(_TOKEN, text)]
        self._at = 0
        self._depth = 0
        self._inherited = _Qualifiers()
        self._tags = 0

    def parse(self) -> Test:
        if not self._tokens:
            return lambda _: True
        test = self._chain()
        if self._next() == ")":
            self._fail('")" has no "(" before it')
        if self._next() not in ("", "(", *WORDS) and not self._is_value():
            self._unknown()
        if self._next():
            self._fail(f'"and" or "or" is missing before {self._shown()}')
        return test

    # --- terms ------------------------------------------------------------------------------
    def _chain(self) -> Test:
        first = self._negation()
        others = []
        while self._next() in ("and", "or"):
            both = self._take() == "and"
            others.append((both, self._negation()))
        return _joined(first, others)

    def _negation(self) -> Test:
        negative = False
        while self._next() == "not":
            self._take()
            negative = not negative
        test = self._term()
        return (lambda fields: not test(fields)) if negative else test

    def _term(self) -> Test:
        word = self._next()
        if word == "(":
            return self._group()
        if word in _DIRECTIONS:
            return filter_match.direction(self._take())
        if word in _NAMED:
            return self._named(self._take())
        if word == "vlan":
            return self._vlan()
        protocol = self._take() if word in filter_match.PROTOCOLS else ""
        qualifiers = self._qualifiers(protocol)
        if qualifiers is None:
            if protocol:
                return filter_match.inside(self._tags, filter_match.PROTOCOLS[protocol])
            if self._next() in _NO_VALUE:
                self._fail(f"something to look for is missing {self._place()}")
            if not self._is_value():
                self._unknown()
            return self._value(self._inherited)
        self._inherited = qualifiers
        # tcpdump: host (10.0.0.1 or 10.0.0.2)
        return self._group() if self._next() == "(" else self._value(qualifiers)

    def _vlan(self) -> Test:
        self._take()
        vid = self._number(self._take(), RESERVED, "VLAN ID") if self._is_value() else None
        self._tags += 1
        return filter_match.tag(self._tags - 1, vid)

    def _group(self) -> Test:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"more than {_MAX_DEPTH} parentheses are open at once")
        self._take()
        test = self._chain()
        if self._next() != ")":
            self._fail(f'")" is missing {self._place()}')
        self._take()
        self._depth -= 1
        return test

    def _named(self, word: str) -> Test:
        name = self._take()
        if not name or name in "()":
            self._fail(f'{_NAMED[word]} is missing after "{word}"')
        if word == "dev":
            return filter_match.device(name)
        if name != "any" and name not in REASONS:
            self._fail(f"{_quoted(name)} is not a reason", near=(name, list(REASONS)))
        return filter_match.reason(None if name == "any" else name)

    # --- qualifiers and their value ---------------------------------------------------------
    def _qualifiers(self, protocol: str) -> _Qualifiers | None:
        """Read way and kind; None when there is neither, and no value after a protocol."""
        at = self._at
        way, combine = self._way()
        kind = "host"
        if self._next() in _KINDS:
            kind = self._take()
        elif at == self._at and self._next() in _PORTS:
            way, kind = _PORTS[self._take()], "port"
        elif at == self._at and not (protocol and self._is_value()):
            return None
        if kind == "port" and protocol not in ("", "tcp", "udp"):
            self._fail(f'{protocol} has no ports: "{protocol} port"')
        if kind == "proto" and protocol not in ("", "ip", "ip6"):
            self._fail(f'{protocol} carries no protocol: "{protocol} proto"')
        if kind == "proto" and self._at - at > 1:
            self._fail(f'a protocol has no direction: "{" ".join(self._tokens[at : self._at])}"')
        return _Qualifiers(protocol, way, combine, kind)

    def _way(self) -> tuple[str, Combine]:
        """Read which ends are meant, "" for both, and whether one of them will do."""
        if self._next() not in _WAYS:
            return "", any
        way = self._take()
        joint, other = self._next(), self._next(1)
        if joint in ("and", "or") and other in _WAYS and other != way:
            self._at += 2
            return "", all if joint == "and" else any
        return way, any

    def _value(self, qualifiers: _Qualifiers) -> Test:
        word = self._next()
        if word in _NO_VALUE or (
            word in WORDS and not (qualifiers.kind == "proto" and word in _NUMBERS)
        ):
            self._fail(f"{_KINDS[qualifiers.kind]} is missing {self._place()}")
        test = self._value_test(qualifiers, self._take())
        if qualifiers.protocol and qualifiers.kind != "port":
            test = _joined(filter_match.PROTOCOLS[qualifiers.protocol], [(True, test)])
        return filter_match.inside(self._tags, test)

    def _value_test(self, qualifiers: _Qualifiers, word: str) -> Test:
        _, way, combine, kind = qualifiers
        if kind == "proto":
            return filter_match.protocol(self._protocol(word))
        if kind == "port":
            protocols: Container[int] = filter_match.WITH_PORTS
            if qualifiers.protocol:
                protocols = (_NUMBERS[qualifiers.protocol],)
            return filter_match.port(
                self._number(word, 65535, "port"), protocols, _ENDS[way], combine
            )
        address, length = self._prefix(word)
        if kind == "host" and length is not None:
            self._fail(f"{_quoted(word)} is a network, not a host", hint=f"net {word}")
        family = family_of(address)
        self._check_family(qualifiers.protocol, word, family)
        bits = mask(family.bits if length is None else length, family.bits)
        if address & ~(bits | family.mark):
            network = f"{format_address(address & (bits | family.mark))}/{length}"
            self._fail(f"{_quoted(word)} has host bits set", hint=f"net {network}")
        return filter_match.address(address, bits, _ENDS[way], combine)

    def _check_family(self, protocol: str, word: str, family: Family) -> None:
        """Refuse an address that no packet of the protocol before it can have, as tcpdump does."""
        wanted = IPV6 if protocol in _OF_IPV6 else IPV4 if protocol in _OF_IPV4 else family
        if wanted is not family:
            other = "IPv6" if family is IPV6 else "IPv4"
            self._fail(f"{_quoted(word)} is an {other} address, which {protocol} has none of")

    def _prefix(self, word: str) -> tuple[int, int | None]:
        try:
            return parse_prefix(word)
        except ValueError as error:
            self._fail(str(error))

    def _protocol(self, word: str) -> int:
        # tcpdump wants a backslash before a protocol's name here, because it is a keyword.
        name = word.removeprefix("\\")
        return _NUMBERS[name] if name in _NUMBERS else self._number(name, 255, "protocol")

    def _number(self, word: str, most: int, what: str) -> int:
        if not (word.isascii() and word.isdigit() and len(word) <= 5 and int(word) <= most):
            self._fail(f"{_quoted(word)} is not a {what}: a number in 0..{most} is needed")
        return int(word)

    # --- words ------------------------------------------------------------------------------
    def _next(self, further: int = 0) -> str:
        """Return the next word without taking it, "" at the end."""
        at = self._at + further
        return self._tokens[at] if at < len(self._tokens) else ""

    def _take(self) -> str:
        word = self._next()
        self._at += 1
        return word

    def _is_value(self) -> bool:
        """Return whether the next word can only be a value."""
        word = self._next()
        return word[:1].isdigit() or re.match(_IS_IPV6, word) is not None

    def _shown(self) -> str:
        return _quoted(self._next())

    def _place(self) -> str:
        """Return where the parser stands, in words."""
        if self._next():
            return f"before {self._shown()}"
        return f"after {_quoted(self._tokens[-1])}"

    def _unknown(self) -> NoReturn:
        self._fail(f"{self._shown()} is not a word of a filter", near=(self._next(), WORDS))

    def _fail(
        self,
        message: str,
        *,
        hint: str | None = None,
        near: tuple[str, list[str] | tuple[str, ...]] | None = None,
    ) -> NoReturn:
        if near is not None:
            hint = did_you_mean(*near, otherwise=hint)
        raise InvalidArgument(f"filter: {message}", hint=hint)


def _quoted(word: str) -> str:
    shown = word if len(word) <= _SHOWN_MAX else word[:_SHOWN_MAX] + "..."
    return '"' + "".join(c if c.isprintable() else "?" for c in shown) + '"'
