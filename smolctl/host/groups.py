"""Multicast groups and anycast addresses of the Linux host's links, from /proc/net."""

import sys
from collections.abc import Iterable
from typing import NamedTuple

from smolctl.host.namespace import OWN
from smolctl.host.proc import lines
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.wire.address import IPV6_MARK

AF_PACKET = 17


class Group(NamedTuple):
    """One group that a link is a member of.

    Attributes:
        ifindex: of the link.
        family: Linux's number; ``AF_PACKET`` for a link address.
        address: of an IP group; 0 for a link address.
        mac: the link address, b"" of an IP group.
        users: members on this host.
        static: somebody added it by hand; only of a link address.
    """

    ifindex: int
    family: int
    address: int
    mac: bytes
    users: int
    static: bool = False


class SourceFilter(NamedTuple):
    """One sender that a group wants, or does not want (RFC 3376).

    Attributes:
        ifindex: of the link.
        group, source: addresses.
        included, excluded: how many sockets said so.
    """

    ifindex: int
    group: int
    source: int
    included: int
    excluded: int


class Anycast(NamedTuple):
    """One anycast address of IPv6 that a link has.

    Attributes:
        ifindex: of the link.
        address: the address.
        users: who joined it.
    """

    ifindex: int
    address: int
    users: int


class Groups(NamedTuple):
    """All that links receive besides their own addresses."""

    groups: tuple[Group, ...]
    sources: tuple[SourceFilter, ...]
    anycasts: tuple[Anycast, ...]


def read() -> Groups:
    """Return the groups of the namespace in which the thread is.

    Raises:
        OSError: a file must not be read.
    """
    groups = [
        *parse_igmp(lines(f"{OWN}/igmp", skip=1)),
        *parse_igmp6(lines(f"{OWN}/igmp6")),
        *parse_dev_mcast(lines(f"{OWN}/dev_mcast")),
    ]
    sources = [
        *parse_sources(lines(f"{OWN}/mcfilter", skip=1)),
        *parse_sources(lines(f"{OWN}/mcfilter6", skip=1)),
    ]
    return Groups(tuple(groups), tuple(sources), tuple(parse_anycast(lines(f"{OWN}/anycast6"))))


def parse_igmp(told: Iterable[str]) -> list[Group]:
    """Return the groups in /proc/net/igmp, without its title; what is no group is left out."""
    found, ifindex = [], 0
    for line in told:
        words = line.split()
        try:
            if line.startswith(("\t", " ")):
                address = int.from_bytes(int(words[0], 16).to_bytes(4, sys.byteorder))
                found.append(Group(ifindex, AF_INET, address, b"", int(words[1])))
            else:
                ifindex = int(words[0])
        except (ValueError, IndexError, OverflowError):
            continue
    return found


def parse_igmp6(told: Iterable[str]) -> list[Group]:
    """Return the groups in /proc/net/igmp6; what is no group is left out."""
    found = []
    for words in map(str.split, told):
        try:
            group = _ipv6(words[2])
            found.append(Group(int(words[0]), AF_INET6, group, b"", int(words[3])))
        except (ValueError, IndexError):
            continue
    return found


def parse_dev_mcast(told: Iterable[str]) -> list[Group]:
    """Return the link addresses in /proc/net/dev_mcast; what is none is left out."""
    found = []
    for words in map(str.split, told):
        try:
            mac = bytes.fromhex(words[4])
            found.append(Group(int(words[0]), AF_PACKET, 0, mac, int(words[2]), words[3] != "0"))
        except (ValueError, IndexError):
            continue
    return found


def parse_sources(told: Iterable[str]) -> list[SourceFilter]:
    """Return what /proc/net/mcfilter or mcfilter6 has, without its title."""
    found = []
    for words in map(str.split, told):
        try:
            group, source = _either(words[2]), _either(words[3])
            found.append(SourceFilter(int(words[0]), group, source, int(words[4]), int(words[5])))
        except (ValueError, IndexError):
            continue
    return found


def parse_anycast(told: Iterable[str]) -> list[Anycast]:
    """Return the addresses in /proc/net/anycast6; what is none is left out."""
    found = []
    for words in map(str.split, told):
        try:
            found.append(Anycast(int(words[0]), _ipv6(words[2]), int(words[3])))
        except (ValueError, IndexError):
            continue
    return found


def _either(text: str) -> int:
    """Return an address: of IPv4 it is written ``0x0a000001``, of IPv6 as 32 digits."""
    return int(text, 16) & 0xFFFFFFFF if text.startswith("0x") else _ipv6(text)


def _ipv6(text: str) -> int:
    if len(text) != 32:
        raise ValueError(text)
    return IPV6_MARK | int(text, 16) & ((1 << 128) - 1)
