"""Groups in the tests of the core: joining, messages of routers, and what our reports say."""

from typing import NamedTuple

from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import ANYBODY, SourceFilter
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import igmp, ipv4
from smolctl.wire.address import multicast_mac
from smolctl.wire.igmp import Change, Membership, Query, Record, Report, Type
from smolctl.wire.ipv4_options import ROUTER_ALERT
from tests.kit.clock import SECOND_NS
from tests.kit.host import PEER, Host, Seen, frame_of, ip, packet_of, text, udp_frame

GROUP, OTHER_GROUP = "239.1.2.3", "239.1.2.4"
ALL_HOSTS, ALL_ROUTERS, V3_ROUTERS = "224.0.0.1", "224.0.0.2", "224.0.0.22"
A, B, C = (f"10.0.0.{number}" for number in (2, 3, 4))
"""Senders."""
MS = 1_000_000
OLD = 260 * SECOND_NS
"""Time for which an older router is remembered: 2 times 125 s, and 10 s (RFC 3376 8.12)."""


def only(*sources: str) -> SourceFilter:
    """Return the filter INCLUDE of RFC 3376."""
    return SourceFilter(False, frozenset(map(ip, sources)))


def but(*sources: str) -> SourceFilter:
    """Return the filter EXCLUDE of RFC 3376."""
    return SourceFilter(True, frozenset(map(ip, sources)))


def member(
    host: Host,
    group: str = GROUP,
    wanted: SourceFilter = ANYBODY,
    *,
    port: int = 5000,
    dev: str = "tap0",
    local: str = "0.0.0.0",
) -> UdpSocket:
    """Return a socket that has joined a group; several may have the port."""
    socket = host.stack.udp.open("member")
    socket.reuse = True
    host.stack.udp.bind(socket, ip(local) or None, port)
    join(host, socket, group, wanted, dev=dev)
    return socket


def join(
    host: Host,
    socket: UdpSocket,
    group: str = GROUP,
    wanted: SourceFilter = ANYBODY,
    dev: str = "tap0",
) -> None:
    membership.join(host.stack.ipv4, socket, host.dev(dev), ip(group), wanted)


def leave(host: Host, socket: UdpSocket, group: str = GROUP, dev: str = "tap0") -> None:
    membership.leave(host.stack.ipv4, socket, host.dev(dev), ip(group))


def group_frame(
    payload: bytes = b"hello", src: str = PEER, group: str = GROUP, port: int = 5000
) -> bytes:
    """Return a datagram to a group, as it comes by a wire."""
    return udp_frame(9, port, payload, src, group, to=multicast_mac(ip(group)))


def igmp_frame(
    message: bytes, src: str = PEER, dst: str = ALL_HOSTS, options: bytes = ROUTER_ALERT
) -> bytes:
    packet = packet_of(ipv4.Protocol.IGMP, message, src, dst, ttl=1, options=options)
    return frame_of(packet, to=multicast_mac(ip(dst)))


def query(
    version: int = 3, group: str = "0.0.0.0", *sources: str, code: int = 100, dst: str = ""
) -> bytes:
    """Return a query; of a code of 100 the answer is to come within 10 s."""
    asked = tuple(map(ip, sources))
    message = Query(version, ip(group), code if version > 1 else 0, asked, robustness=2)
    to = dst or (ALL_HOSTS if group == "0.0.0.0" else group)
    return igmp_frame(message.to_bytes(), dst=to)


def reported(group: str = GROUP, version: int = 2) -> bytes:
    """Return another member's report of version 1 or 2."""
    kind = Type.REPORT_V1 if version == 1 else Type.REPORT_V2
    return igmp_frame(Membership(kind, ip(group)).to_bytes(), dst=group)


class Said(NamedTuple):
    """An IGMP message of ours: its destination, and the words of each record."""

    dst: str
    words: tuple[str, ...]


def said(host: Host, dev: str = "tap0") -> list[Said]:
    """Let the device take all that waits, which is IGMP, and return what it says."""
    host.poll()
    return [_said(frame) for frame in host.sent(dev)]


def words(host: Host, dev: str = "tap0") -> list[tuple[str, ...]]:
    """Return what our reports say, without where to."""
    return [each.words for each in said(host, dev)]


_NAMES = {
    Change.IS_INCLUDE: "in",
    Change.IS_EXCLUDE: "ex",
    Change.TO_INCLUDE: "to_in",
    Change.TO_EXCLUDE: "to_ex",
    Change.ALLOW: "allow",
    Change.BLOCK: "block",
}
_MESSAGES = {Type.REPORT_V1: "v1", Type.REPORT_V2: "v2", Type.LEAVE: "leave"}


def _said(frame: Seen) -> Said:
    assert frame.ip is not None
    assert frame.ip.protocol == ipv4.Protocol.IGMP
    message = igmp.parse(frame.payload)
    dst = text(frame.ip.dst)
    if isinstance(message, Membership):
        return Said(dst, (f"{_MESSAGES[Type(message.type)]} {text(message.group)}",))
    assert isinstance(message, Report), message
    return Said(dst, tuple(map(_record, message.records)))


def _record(record: Record) -> str:
    names = [_NAMES[Change(record.change)], text(record.group), *map(text, record.sources)]
    return " ".join(names)


def settled(host: Host) -> Host:
    """Let all that is repeated be said."""
    host.wait(30 * SECOND_NS)
    host.sent()
    return host


def spoken_to(host: Host, version: int) -> Host:
    """Let a router ask in that version, which the host then speaks; nobody is a member yet."""
    host.receive(query(version))
    assert host.tap.ipv4.reports.version(host.now) == version
    return host
