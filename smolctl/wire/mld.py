"""Multicast listener discovery: what IGMP is for IPv4 (RFC 2710, RFC 3810).

A message is an ICMPv6 message whose checksum was found right (``icmpv6.parse``). A query's version
follows from its length alone (RFC 3810 8.1), so ``parse`` tells it. ``igmp.Change`` has the types
of a record.
"""

from struct import Struct
from typing import NamedTuple

from smolctl.wire import igmp
from smolctl.wire.address import IPV6_MARK, UNSPECIFIED6, is_link_local, packed
from smolctl.wire.fault import Fault6, WireFault
from smolctl.wire.icmpv6 import HEADER_LEN, Icmpv6Message, Type
from smolctl.wire.ipv6_ext import ALERT_MLD

HOP_LIMIT = 1
"""Of every message: it does not leave its link (RFC 2710 3, RFC 3810 5)."""
TYPES = frozenset({Type.MLD_QUERY, Type.MLD_REPORT, Type.MLD_DONE, Type.MLD_REPORT_V2})
V1_LEN = 24
QUERY_V2_LEN = 28
RECORD_LEN = 20
"""Of a record in a version 2 report, without its sources."""
SOURCE_LEN = 16

V2_ROUTERS = IPV6_MARK | 0xFF02 << 112 | 0x16
"""ff02::16: version 2 reports go there (RFC 3810 5.2.14)."""

_QUERY = Struct("!16sBBH")
_RECORD = Struct("!BBH16s")


class Query(NamedTuple):
    """A router asks who listens.

    Attributes:
        version: 1 or 2.
        group: which group it asks for, ``::`` for all of them.
        code: the maximum response code as it stands there, 0..65535.
        sources: asked for too, in version 2.
        suppress: routers that hear this do not reset their timers, in version 2.
        robustness: the querier's robustness variable, 0..7; 0 says nothing.
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
        """Within which time to answer (RFC 2710 3.4; RFC 3810 5.1.3)."""
        return self.code if self.version == 1 else decode(self.code)

    @property
    def interval_s(self) -> int:
        """The querier's query interval in seconds, 0 when it says none (RFC 3810 5.1.9)."""
        return igmp.decode(self.interval_code)

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the ICMPv6 message with its checksum."""
        body = packed(self.group)
        if self.version > 1:
            flags = self.suppress << 3 | self.robustness & 7
            body = _QUERY.pack(body, flags, self.interval_code, len(self.sources))
            body += b"".join(map(packed, self.sources))
        return Icmpv6Message(Type.MLD_QUERY, 0, self.code << 16, body).to_bytes(src, dst)


class Membership(NamedTuple):
    """A report or a done message of version 1: about one group."""

    type: int
    group: int

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the ICMPv6 message with its checksum."""
        return Icmpv6Message(self.type, 0, 0, packed(self.group)).to_bytes(src, dst)


class Record(NamedTuple):
    """The record about one group in a version 2 report; ``change`` is an ``igmp.Change``."""

    change: int
    group: int
    sources: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Bytes it takes in a report."""
        return RECORD_LEN + SOURCE_LEN * len(self.sources)


class Report(NamedTuple):
    """A report of version 2."""

    records: tuple[Record, ...]

    def to_bytes(self, src: int, dst: int) -> bytes:
        """Return the ICMPv6 message with its checksum."""
        body = b"".join(
            _RECORD.pack(change, 0, len(sources), packed(group)) + b"".join(map(packed, sources))
            for change, group, sources in self.records
        )
        return Icmpv6Message(Type.MLD_REPORT_V2, 0, len(self.records), body).to_bytes(src, dst)


Message = Query | Membership | Report


def decode(code: int) -> int:
    """Return the milliseconds that a code of 0..65535 stands for (RFC 3810 5.1.3).

    Up to 32767 it is the number itself; from there on, three bits of exponent and twelve of
    mantissa.
    """
    if code < 0x8000:
        return code
    return (code & 0x0FFF | 0x1000) << (code >> 12 & 7) + 3


def parse(
    message: Icmpv6Message, src: int, hop_limit: int, alert: int | None
) -> Message | WireFault:
    """Return the message of listener discovery that an ICMPv6 message of ``TYPES`` is.

    Args:
        message: its checksum is right. Its code is ignored (RFC 2710 3.2, RFC 3810 5.1.1).
        src: source address of the packet.
        hop_limit: of the packet.
        alert: of its hop-by-hop header, ``ipv6_ext.Chain.alert``.

    Faults: mld-bad-hop-limit, mld-no-alert, mld-source, mld-bad-length. What is behind all that is
    understood is ignored (RFC 3810 5.1.12, 5.2.12).
    Source: RFC 3810 5, 5.1.14, 6.2; Linux ``igmp6_event_query``.
    """
    kind, _, rest, body = message
    if hop_limit != HOP_LIMIT:
        return WireFault(Fault6.MLD_BAD_HOP_LIMIT, 0, {"number": hop_limit})
    if alert != ALERT_MLD:
        what = "has no router alert" if alert is None else f"has a router alert for {alert}"
        return WireFault(Fault6.MLD_NO_ALERT, 0, {"what": what})
    # A reporter may have no address yet (RFC 3590 4, RFC 3810 5.2.13); who asks has one.
    if not is_link_local(src) and (src != UNSPECIFIED6 or kind == Type.MLD_QUERY):
        return WireFault(Fault6.MLD_SOURCE, 0, {"number": kind})
    if kind == Type.MLD_REPORT_V2:
        return _report(body, rest & 0xFFFF)
    size = HEADER_LEN + len(body)
    if size < V1_LEN:
        return _bad_length(size, f"one about a group has {V1_LEN}")
    if kind == Type.MLD_QUERY:
        return _query(body, size, rest >> 16)
    return Membership(kind, IPV6_MARK | int.from_bytes(body[:16]))


def _query(body: bytes, size: int, code: int) -> Query | WireFault:
    group = IPV6_MARK | int.from_bytes(body[:16])
    if size == V1_LEN:
        return Query(1, group, code)
    if size < QUERY_V2_LEN:
        # RFC 3810 8.1: a query of any other length must be ignored.
        return _bad_length(size, f"a query has {V1_LEN}, or {QUERY_V2_LEN} and more")
    _, flags, interval, count = _QUERY.unpack_from(body)
    need = QUERY_V2_LEN + SOURCE_LEN * count
    if need > size:
        return _bad_length(size, f"a query for {count} sources has {need}")
    sources = _sources(body, _QUERY.size, count)
    return Query(2, group, code, sources, flags & 8 != 0, flags & 7, interval)


def _report(body: bytes, count: int) -> Report | WireFault:
    records = []
    at, size = 0, len(body)
    for _ in range(count):
        if at + RECORD_LEN > size:
            return _bad_length(HEADER_LEN + size, f"a report of {count} groups has more")
        change, auxiliary, number, group = _RECORD.unpack_from(body, at)
        if at + RECORD_LEN + SOURCE_LEN * number > size:
            return _bad_length(HEADER_LEN + size, f"a report of {count} groups has more")
        sources = _sources(body, at + RECORD_LEN, number)
        records.append(Record(change, IPV6_MARK | int.from_bytes(group), sources))
        # Auxiliary data, in units of 4 bytes, is not defined and is ignored (RFC 3810 5.2.11).
        at += RECORD_LEN + SOURCE_LEN * number + 4 * auxiliary
    return Report(tuple(records))


def _sources(body: bytes, at: int, count: int) -> tuple[int, ...]:
    end = at + SOURCE_LEN * count
    return tuple(
        IPV6_MARK | int.from_bytes(body[i : i + SOURCE_LEN]) for i in range(at, end, SOURCE_LEN)
    )


def _bad_length(size: int, what: str) -> WireFault:
    return WireFault(Fault6.MLD_BAD_LENGTH, size, {"number": size, "what": what})
