"""Groups of IPv6 in the tests of the core: messages of routers, and what our reports say."""

from typing import NamedTuple

from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import ANYBODY, SourceFilter
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import mld
from smolctl.wire.address import IPV6
from smolctl.wire.fault import WireFault
from smolctl.wire.icmpv6 import Icmpv6Message, Type
from smolctl.wire.igmp import Change
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import MLD_HEADER, Chain, walk
from smolctl.wire.mld import Membership, Query, Record, Report
from tests.kit.host import Host, ip, text
from tests.kit.host6 import PEER_LINK_LOCAL, Host6, Seen6, frame6_of, packet6_of

GROUP6, OTHER_GROUP6 = "ff05::5", "ff05::6"
V2_ROUTERS, ALL_NODES, ALL_ROUTERS = "ff02::16", "ff02::1", "ff02::2"
_NAMES = {
    Change.IS_INCLUDE: "in",
    Change.IS_EXCLUDE: "ex",
    Change.TO_INCLUDE: "to_in",
    Change.TO_EXCLUDE: "to_ex",
    Change.ALLOW: "allow",
    Change.BLOCK: "block",
}


def only6(*sources: str) -> SourceFilter:
    """Return the filter INCLUDE of RFC 3810."""
    return SourceFilter(False, frozenset(map(ip, sources)))


def member6(
    host: Host, group: str = GROUP6, wanted: SourceFilter = ANYBODY, dev: str = "tap0"
) -> UdpSocket:
    """Return a socket that has joined a group; several may have the port."""
    socket = host.stack.udp.open("member", IPV6)
    socket.reuse = True
    host.stack.udp.bind(socket, None, 5000)
    membership.join(host.stack.ipv6, socket, host.dev(dev), ip(group), wanted)
    return socket


def leave6(host: Host, socket: UdpSocket, group: str = GROUP6, dev: str = "tap0") -> None:
    membership.leave(host.stack.ipv6, socket, host.dev(dev), ip(group))


def mld_frame(
    message: mld.Message,
    src: str = PEER_LINK_LOCAL,
    dst: str = ALL_NODES,
    *,
    hops: int = 1,
    header: bytes = MLD_HEADER,
    cut: int = 0,
) -> bytes:
    """Return a message of listener discovery with its router alert.

    Args:
        cut: bytes of the end that are missing.
    """
    said = message.to_bytes(ip(src), ip(dst))
    if cut:
        bare = Icmpv6Message(said[0], said[1], int.from_bytes(said[4:8]), said[8:-cut])
        said = bare.to_bytes(ip(src), ip(dst))
    body = header + said
    protocol = NextHeader.HOP_BY_HOP if header else NextHeader.ICMPV6
    return frame6_of(packet6_of(protocol, body, src, dst, hops=hops))


def query6(
    version: int = 2,
    group: str = "::",
    *sources: str,
    code: int = 10_000,
    robustness: int = 2,
    dst: str = "",
) -> bytes:
    """Return a query; of a code of 10000 the answer is to come within 10 s."""
    message = Query(version, ip(group), code, tuple(map(ip, sources)), robustness=robustness)
    return mld_frame(message, dst=dst or (ALL_NODES if group == "::" else group))


def reported6(group: str = GROUP6) -> bytes:
    """Return another listener's report of version 1."""
    return mld_frame(Membership(Type.MLD_REPORT, ip(group)), dst=group)


class Said6(NamedTuple):
    """A message of listener discovery of ours: from where to where, and each record's words."""

    src: str
    dst: str
    words: tuple[str, ...]


def said6(host: Host6, dev: str = "tap0") -> list[Said6]:
    """Let the device take all that waits, and return what its listener messages say."""
    host.poll()
    frames = [each for each in host.sent6(dev) if each.ip.next_header == NextHeader.HOP_BY_HOP]
    return [_said(frame) for frame in frames]


def words6(host: Host6, dev: str = "tap0") -> list[tuple[str, ...]]:
    """Return what our reports say, without where to."""
    return [each.words for each in said6(host, dev)]


def _said(frame: Seen6) -> Said6:
    chain = walk(frame.packet, frame.ip)
    assert isinstance(chain, Chain), chain
    message = mld.parse(frame.icmp, frame.ip.src, frame.ip.hop_limit, chain.alert)
    assert not isinstance(message, WireFault), message
    src, dst = text(frame.ip.src), text(frame.ip.dst)
    if isinstance(message, Membership):
        word = "report" if message.type == Type.MLD_REPORT else "done"
        return Said6(src, dst, (f"{word} {text(message.group)}",))
    assert isinstance(message, Report), message
    return Said6(src, dst, tuple(map(_record, message.records)))


def _record(record: Record) -> str:
    names = [_NAMES[Change(record.change)], text(record.group), *map(text, record.sources)]
    return " ".join(names)
