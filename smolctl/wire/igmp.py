"""IGMP messages: who is a member of which group (RFC 1112, RFC 2236, RFC 3376).

A query's version follows from its length and its code alone (RFC 3376 7.1), so ``parse`` tells it.
"""

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from smolctl.wire.checksum import expected_checksum, internet_checksum, sums_to_zero
from smolctl.wire.fault import Fault, WireFault

HEADER_LEN = 8
QUERY_V3_LEN = 12
RECORD_LEN = 8
"""Of a record in a version 3 report, without its sources."""
SOURCE_LEN = 4

ALL_HOSTS = 0xE0000001
"""224.0.0.1: general queries go there, and it is never reported (RFC 3376 5)."""
ALL_ROUTERS = 0xE0000002
"""224.0.0.2: leave messages go there (RFC 2236 3)."""
V3_ROUTERS = 0xE0000016
"""224.0.0.22: version 3 reports go there (RFC 3376 4.2.14)."""

_HEADER = Struct("!BBHI")
_QUERY = Struct("!BBHIBBH")
_REPORT = Struct("!BBHHH")
_RECORD = Struct("!BBHI")


class Type(IntEnum):
    """IGMP message types. Source: RFC 3376 4."""

    QUERY = 0x11
    REPORT_V1 = 0x12
    REPORT_V2 = 0x16
    LEAVE = 0x17
    REPORT_V3 = 0x22


class Change(IntEnum):
    """Types of a group record (RFC 3376 4.2.12): a state, or how it changed."""

    IS_INCLUDE = 1
    IS_EXCLUDE = 2
    TO_INCLUDE = 3
    TO_EXCLUDE = 4
    ALLOW = 5
    BLOCK = 6


class Query(NamedTuple):
    """A router asks who is a member.

    Attributes:
        version: 1, 2 or 3.
        group: which group it asks for, 0 for all of them.
        code: the maximum response code as it stands there; 0 in version 1.
        sources: asked for too, in version 3.
        suppress: other routers are not to begin their timers (the S flag).
        robustness: the querier's robustness variable (QRV), 0 when it says none.
        interval_code: the querier's query interval code (QQIC).
    """

    version: int
    group: int
    code: int
    sources: tuple[int, ...] = ()
    suppress: bool = False
    robustness: int = 0
    interval_code: int = 0

    @property
    def max_response_ms(self) -> int:
        """Within which time to answer.

        Version 1 has no such field: 10 s (RFC 3376 7.2.1, 8.3). Version 2 counts tenths of a
        second, and version 3 does so in a way that reaches further (RFC 3376 4.1.1).
        """
        if self.version == 1:
            return 10_000
        return 100 * (self.code if self.version == 2 else decode(self.code))

    @property
    def interval_s(self) -> int:
        """The querier's query interval in seconds, 0 when it says none (RFC 3376 4.1.7)."""
        return decode(self.interval_code)

    def to_bytes(self) -> bytes:
        """Return the message with its checksum."""
        if self.version < 3:
            return _summed(_HEADER.pack(Type.QUERY, self.code, 0, self.group))
        flags = self.suppress << 3 | self.robustness & 7
        fields = (Type.QUERY, self.code, 0, self.group, flags, self.interval_code)
        return _summed(_QUERY.pack(*fields, len(self.sources)) + _addresses(self.sources))


class Membership(NamedTuple):
    """A report of version 1 or 2, or a leave message: about one group."""

    type: int
    group: int

    def to_bytes(self) -> bytes:
        """Return the message with its checksum."""
        return _summed(_HEADER.pack(self.type, 0, 0, self.group))


class Record(NamedTuple):
    """The record about one group in a version 3 report."""

    change: int
    group: int
    sources: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Bytes it takes in a report."""
        return RECORD_LEN + SOURCE_LEN * len(self.sources)


class Report(NamedTuple):
    """A report of version 3."""

    records: tuple[Record, ...]

    def to_bytes(self) -> bytes:
        """Return the message with its checksum."""
        parts = [_REPORT.pack(Type.REPORT_V3, 0, 0, 0, len(self.records))]
        for change, group, sources in self.records:
            parts.append(_RECORD.pack(change, 0, len(sources), group) + _addresses(sources))
        return _summed(b"".join(parts))


class Unknown(NamedTuple):
    """A message of a type that a host does not know (RFC 3376 4: to be ignored)."""

    type: int


Message = Query | Membership | Report | Unknown


def decode(code: int) -> int:
    """Return the number that a code of 0..255 stands for (RFC 3376 4.1.1, 4.1.7).

    Up to 127 it is the number itself; from 128 on, three bits of exponent and four of mantissa.
    """
    if code < 128:
        return code
    return (code & 0x0F | 0x10) << (code >> 4 & 7) + 3


def parse(message: bytes) -> Message | WireFault:
    """Return the message in an IPv4 payload.

    Faults: igmp-bad-length, igmp-bad-checksum. The checksum covers all bytes, also those behind
    what is understood, which are ignored otherwise (RFC 3376 4.1.10, 4.2.11).
    """
    size = len(message)
    if size < HEADER_LEN:
        return _bad_length(size, f"a header has {HEADER_LEN}")
    kind, code, got, group = _HEADER.unpack_from(message)
    if not sums_to_zero(message):
        want = expected_checksum(message, 2)
        return WireFault(Fault.IGMP_BAD_CHECKSUM, 2, {"got": got, "want": want})
    if kind == Type.QUERY:
        return _query(message, size, code, group)
    if kind in (Type.REPORT_V1, Type.REPORT_V2, Type.LEAVE):
        return Membership(kind, group)
    if kind == Type.REPORT_V3:
        return _report(message, size, group & 0xFFFF)
    return Unknown(kind)


def _query(message: bytes, size: int, code: int, group: int) -> Query | WireFault:
    if size == HEADER_LEN:
        return Query(2 if code else 1, group, code)
    if size < QUERY_V3_LEN:
        # RFC 3376 7.1: a query of any other length must be ignored.
        return _bad_length(size, f"a query has {HEADER_LEN}, or {QUERY_V3_LEN} and more")
    *_, flags, interval, count = _QUERY.unpack_from(message)
    need = QUERY_V3_LEN + SOURCE_LEN * count
    if need > size:
        return _bad_length(size, f"a query for {count} sources has {need}")
    sources = _sources(message, QUERY_V3_LEN, count)
    return Query(3, group, code, sources, flags & 8 != 0, flags & 7, interval)


def _report(message: bytes, size: int, count: int) -> Report | WireFault:
    records = []
    at = HEADER_LEN
    for _ in range(count):
        if at + RECORD_LEN > size:
            return _bad_length(size, f"a report of {count} groups has more")
        change, auxiliary, number, group = _RECORD.unpack_from(message, at)
        if at + RECORD_LEN + SOURCE_LEN * number > size:
            return _bad_length(size, f"a report of {count} groups has more")
        records.append(Record(change, group, _sources(message, at + RECORD_LEN, number)))
        # Auxiliary data is not defined; what there is must be ignored (RFC 3376 4.2.10).
        at += RECORD_LEN + SOURCE_LEN * (number + auxiliary)
    return Report(tuple(records))


def _sources(message: bytes, at: int, count: int) -> tuple[int, ...]:
    end = at + SOURCE_LEN * count
    return tuple(int.from_bytes(message[i : i + SOURCE_LEN]) for i in range(at, end, SOURCE_LEN))


def _addresses(sources: tuple[int, ...]) -> bytes:
    return b"".join(source.to_bytes(SOURCE_LEN) for source in sources)


def _summed(unsummed: bytes) -> bytes:
    return unsummed[:2] + internet_checksum(unsummed).to_bytes(2) + unsummed[4:]


def _bad_length(size: int, what: str) -> WireFault:
    return WireFault(Fault.IGMP_BAD_LENGTH, size, {"size": size, "what": what})
