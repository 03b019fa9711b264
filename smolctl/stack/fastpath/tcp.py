"""The fast path: TCP segments of a connection that the layered path has handled before.

A frame or super-packet that continues a stream is taken as one segment; FIN may come with it. A
host that has opened a connection to a port opens others (``tcp_open.py``). Everything unusual is
left to the layered path: options of IP, other flags, gaps, old timestamps, a neighbor that is not
sure, a packet that is followed. ``Generation`` says how long what is known is true. The ways out
are in ``tcp_path.py``.
"""

from struct import Struct

from smolctl.stack.fastpath.tcp_open import opener_of, syn_input
from smolctl.stack.interface import Interface
from smolctl.stack.packet import Packet
from smolctl.stack.transport.tcp.established import fin_input
from smolctl.stack.transport.tcp.fast_input import calm_input, stream_input
from smolctl.stack.transport.tcp.fast_open import calm_answer, calm_request
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.table import Known, TcpTable, wire_key
from smolctl.wire import ipv4
from smolctl.wire.address import ZERO_MAC
from smolctl.wire.checksum import sums_to_zero
from smolctl.wire.offload import virtio
from smolctl.wire.offload.tcp_run import TIMED, TIMED_LEN
from smolctl.wire.tcp import ACK, CHECKSUM_AT, FIN, PSH, SYN, TcpHeader

FLOWS_LIMIT = 65536
"""Connections remembered for what comes in; all are forgotten when there are more."""
_TCP = Struct("!HHIIHHHH")
_IPV4 = Struct("!HHHBB")
"""Of a packet's header from its length to its protocol."""
_PROTOCOL = ipv4.Protocol.TCP.value
_TIMED_MASK, _TIMED_ACK = 0xF1F7, 0x8010
"""Length and flags of a header with one timestamp, without PSH, which says nothing to us."""
_PLAIN_FLAGS = frozenset({ACK, ACK | PSH})
_ANSWER = SYN | ACK
_LAST_FLAGS = frozenset({ACK | FIN, ACK | FIN | PSH})
_ETHERNET = 14
_KEY6_LEN = 36
"""Of addresses and ports of IPv6, bytes."""
_LARGE = 2048


# --- in -------------------------------------------------------------------------------------------


def learn_input(table: TcpTable, socket: TcpSocket, packet: Packet) -> None:
    """Remember the connection of a segment that came in by a wire."""
    interface, ends = packet.interface, socket.ends
    if table.recorder.journal.everything or interface.loopback or interface.vlan is not None:
        return
    flows = table.inbound
    if table.inbound_generation != table.generation.number or len(flows) >= FLOWS_LIMIT:
        table.forget_inbound()
    key = socket.key = wire_key(ends)
    flows[key] = (socket, interface, b"")
    if len(table.heard) >= FLOWS_LIMIT:
        table.heard.clear()
    table.heard[key[:-4]] = interface


def frame_input(table: TcpTable, interface: Interface, data: bytes, now: int) -> int:
    """Take a frame, or a super-packet, that continues a stream.

    Args:
        data: with ``interface.headroom`` bytes in front.

    Returns: how many segments it stands for; 0 leaves it to the layered path, nothing done.
    """
    if table.inbound_generation != table.generation.number:
        return 0
    at = interface.headroom + _ETHERNET
    v6 = data[at - 2 : at] == b"\x86\xdd"
    tcp_at = at + 40 if v6 else at + 20
    key = data[at + 8 : tcp_at + 4] if v6 else data[at + 12 : tcp_at + 4]
    found = table.inbound.get(key)
    if found is None:
        return _syn_input(table, interface, data, key, now) if table.openers else 0
    known, by, front = found
    if by is not interface or len(data) < tcp_at + 20:
        return 0
    if not front or not data.startswith(front):
        return _segment_input(table, found, data, key, now)
    # Up to its length the packet is like an earlier one, with which everything was right.
    if v6:
        end = _end6(data, at)
    else:
        total, _, fragment, _, protocol = _IPV4.unpack_from(data, at + 2)
        end = at + total
        if (
            fragment & 0x3FFF or protocol != _PROTOCOL or end > len(data)
            or int.from_bytes(data[at : at + 20]) % 0xFFFF
        ):  # fmt: skip
            return 0
    if not TIMED_LEN <= end - tcp_at < _LARGE:
        return _segment_input(table, found, data, key, now)
    fields = TIMED.unpack_from(data, tcp_at)
    flags, payload = fields[4] & _TIMED_MASK, data[tcp_at + TIMED_LEN : end]
    if flags & ~FIN == _TIMED_ACK:
        if isinstance(known, TcpSocket):
            if calm_input(table, known, fields, payload, len(payload), now):
                if flags & FIN:
                    fin_input(table, known, now)
                return 1
        elif flags == _TIMED_ACK and not payload:
            return _request_input(table, found, data, key, now)
    return _segment_input(table, found, data, key, now)


def _end4(data: bytes, at: int) -> int:
    """Return where a packet of IPv4 ends whose first bytes are right, 0 for one that is not."""
    total, _, fragment, _, protocol = _IPV4.unpack_from(data, at + 2)
    end: int = at + total
    if fragment & 0x3FFF or protocol != _PROTOCOL or end > len(data):
        return 0
    return end if not int.from_bytes(data[at : at + 20]) % 0xFFFF else 0


def _end6(data: bytes, at: int) -> int:
    """Return where a packet of IPv6 ends whose first bytes are right, 0 for one that is not."""
    end = at + 40 + int.from_bytes(data[at + 4 : at + 6])
    return end if data[at + 6] == _PROTOCOL and end <= len(data) else 0


def _request_input(table: TcpTable, found: Known, data: bytes, key: bytes, now: int) -> int:
    """Take the acknowledgment of our SYN, whose headers are right, and nothing with it."""
    request, interface, front = found
    at = interface.headroom + _ETHERNET
    v6 = len(key) == _KEY6_LEN
    ttl, fields = data[at + (7 if v6 else 8)], TIMED.unpack_from(data, at + (40 if v6 else 20))
    if not isinstance(request, Request):
        raise AssertionError("a handshake is no connection yet")
    child = calm_request(table, request, fields, ttl, now)
    if child is None:
        return 0
    table.inbound[key] = child, interface, front
    return 1


def _segment_input(table: TcpTable, found: Known, data: bytes, key: bytes, now: int) -> int:
    """Take what continues a stream, after a look at everything; see ``frame_input``."""
    known, interface, _ = found
    at, v6 = interface.headroom + _ETHERNET, len(key) == _KEY6_LEN
    tcp_at = at + (40 if v6 else 20)
    end = _end_of_packet(interface, data, at, v6=v6)
    if not end:
        return 0
    size, summed = _offload(data, interface.headroom, tcp_at - interface.headroom)
    words = int.from_bytes(data[tcp_at + 12 : tcp_at + 14])
    head = words >> 12 << 2
    if words & 0x1FF == _ANSWER and not size and tcp_at + head == end:
        return _answer_input(table, found, data, key, summed=summed, now=now)
    plain = words & 0x1FF in _PLAIN_FLAGS
    last = not plain and words & 0x1FF in _LAST_FLAGS and head == TIMED_LEN
    if not (plain or last) or head < 20 or tcp_at + head > end or size < 0:
        return 0
    marks = data[at + 1] & 3 if not v6 else data[at + 1] >> 4 & 3
    start = tcp_at + head
    length = end - start
    # A large payload is not copied: it keeps the frame that it came in.
    payload = memoryview(data)[start:end] if length >= _LARGE else data[start:end]
    if marks == 3 or (size and size * 4096 < length):
        return 0
    if not summed and not _right_sum(key, data[tcp_at:end]):
        return 0
    if not size and summed:
        found = table.inbound[key] = known, interface, data[: at + (4 if v6 else 2)]
    if isinstance(known, Request):
        ends = length or last or head != TIMED_LEN
        return 0 if ends else _request_input(table, found, data, key, now)
    number = -(-length // size) if size else 1
    if head == TIMED_LEN and calm_input(
        table, known, TIMED.unpack_from(data, tcp_at), payload, size or length, now
    ):
        if last:
            fin_input(table, known, now)
        return number
    if last:
        return 0
    sport, dport, seq, ack, words, window, _, urgent = _TCP.unpack_from(data, tcp_at)
    options = data[tcp_at + 20 : tcp_at + head]
    header = TcpHeader(sport, dport, seq, ack, words >> 12, words & 0x1FF, window, urgent, options)
    incoming = Incoming(None, header, payload, now)
    return number if stream_input(table, known, incoming, size or length, number) else 0


def _answer_input(
    table: TcpTable, found: Known, data: bytes, key: bytes, *, summed: bool, now: int
) -> int:  # fmt: skip
    """Take the answer to our SYN, whose other headers are right, and nothing with it."""
    socket, interface, _ = found
    if not isinstance(socket, TcpSocket) or socket.state is not State.SYN_SENT:
        return 0
    at, v6 = interface.headroom + _ETHERNET, len(key) == _KEY6_LEN
    tcp_at = at + (40 if v6 else 20)
    sport, dport, seq, ack, words, window, _, urgent = _TCP.unpack_from(data, tcp_at)
    end = tcp_at + (words >> 12 << 2)
    if not summed and not _right_sum(key, data[tcp_at:end]):
        return 0
    options = data[tcp_at + 20 : end]
    header = TcpHeader(sport, dport, seq, ack, words >> 12, _ANSWER, window, urgent, options)
    ttl = data[at + (7 if v6 else 8)]
    return int(calm_answer(table, socket, Incoming(None, header, b"", now), ttl))


def _right_sum(key: bytes, segment: bytes) -> bool:
    """Tell whether the checksum of a segment is right.

    Args:
        key: addresses and ports as they stand in the frame.
    """
    # A longer number counts as the sum of its words: those of both addresses.
    pseudo = int.from_bytes(key[:-4]) + _PROTOCOL + len(segment)
    return sums_to_zero(segment, pseudo)


def _syn_input(
    table: TcpTable, interface: Interface, data: bytes, key: bytes, now: int
) -> int:  # fmt: skip
    """Take SYN from where others came from; everything else is left to the layered path."""
    at, v6 = interface.headroom + _ETHERNET, len(key) == _KEY6_LEN
    tcp_at = at + (40 if v6 else 20)
    if len(data) < tcp_at + 20 or data[tcp_at + 13] != SYN:
        return 0
    opener = opener_of(table, interface, key)
    if opener is None:
        return 0
    fields = _TCP.unpack_from(data, tcp_at)
    front, words = opener.front, fields[4]
    if front and data.startswith(front):
        end = _end6(data, at) if v6 else _end4(data, at)
    else:
        end = _end_of_packet(interface, data, at, v6=v6)
        size, summed = _offload(data, interface.headroom, tcp_at - interface.headroom)
        tos = (data[at] & 15) << 4 | data[at + 1] >> 4 if v6 else data[at + 1]
        if not end or size or tos != opener.tos:
            return 0
        if summed:
            opener.front = data[: at + (4 if v6 else 2)]
        elif not _right_sum(key, data[tcp_at:end]):
            return 0
    # No payload, and no flag in the other byte.
    if tcp_at + (words >> 12 << 2) != end or words & 0x1FF != SYN:
        return 0
    return int(syn_input(table, opener, key, fields, data[tcp_at + 20 : end], now))


def count_segments(interface: Interface, data: bytes, number: int) -> None:
    """Count the segments of a super-packet that was taken whole; its frame is counted once."""
    at = interface.headroom + _ETHERNET
    tcp_at = at + (40 if data[at - 2 : at] == b"\x86\xdd" else 20)
    head = tcp_at - interface.headroom + (data[tcp_at + 12] >> 4) * 4
    interface.counters.rx_packets += number - 1
    interface.counters.rx_bytes += (number - 1) * head


def _end_of_packet(interface: Interface, data: bytes, at: int, *, v6: bool) -> int:
    """Return where an IP packet that is right and plain ends, 0 for any other.

    Everything that the layered path would check of the headers is checked here.
    """
    headroom = interface.headroom
    dst, src = data[headroom : headroom + 6], data[headroom + 6 : headroom + 12]
    if not interface.up or dst != interface.mac or src[0] & 1 or src in (interface.mac, ZERO_MAC):
        return 0
    if v6:
        end = at + 40 + int.from_bytes(data[at + 4 : at + 6])
        right = data[at] >> 4 == 6 and data[at + 6] == 6
    else:
        end = at + int.from_bytes(data[at + 2 : at + 4])
        right = (
            data[at : at + 1] == b"\x45"
            and not (data[at + 6] & 0x3F or data[at + 7])
            and data[at + 9] == _PROTOCOL
            and not int.from_bytes(data[at : at + 20]) % 0xFFFF
        )
    return end if right and end <= len(data) else 0


def _offload(data: bytes, headroom: int, start: int) -> tuple[int, bool]:
    """Return the payload of each segment, 0 for one, and whether nobody need sum it.

    The size is -1 for what is in front of a frame that the layered path has to look at.
    """
    if not headroom:
        return 0, False
    flags, kind, _, size, csum_start, csum_offset = _VIRTIO.unpack_from(data)
    if not flags & virtio.NEEDS_CSUM:
        return (0, False) if not kind else (-1, False)
    if csum_start != start or csum_offset != CHECKSUM_AT:
        return -1, False
    if not kind:
        return 0, True
    return (size, True) if kind in _TCP_KINDS and size else (-1, False)


_VIRTIO = Struct("=BBHHHH")
_TCP_KINDS = frozenset({virtio.Gso.TCPV4.value, virtio.Gso.TCPV6.value})
