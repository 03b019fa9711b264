"""Segments out: from a connection's numbers to a packet of IP."""

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack.alarm import NEVER
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.output import choose_way, default_ttl
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.packet import Packet, Sender
from smolctl.stack.trace.trace import Direction, Flow, Trace
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.send import RECORD_OVERHEAD, Buffer, Sent
from smolctl.stack.transport.tcp.sequence import Ends, timestamp
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire import tcp, tcp_options
from smolctl.wire.address import IPV6
from smolctl.wire.ipv4 import Protocol
from smolctl.wire.tcp import ACK, CWR, ECE, SYN, TcpHeader
from smolctl.wire.tcp_options import TcpOptions

_OUT, _TCP = Direction.OUT, Protocol.TCP
_ECT0 = 2
"""The codepoint ECT(0) (RFC 3168 5)."""
_HEADER = tcp.MIN_HEADER_LEN
TIMESTAMP_LEN = 12
"""Bytes of a timestamp with its padding."""
_LEAST_MSS = 48
"""Below that, a peer asks for headers only (Linux tcp_min_snd_mss; CVE-2019-11479)."""


def send_segment(
    table: TcpTable, ends: Ends, segment: bytes, how: SendOptions, now: int,
    trace: Trace | None = None, sender: Sender | None = None,
) -> bool:  # fmt: skip
    """Send a segment between two ends; False when it was refused, which is recorded."""
    trace = trace if trace is not None else table.recorder.begin(_OUT, now)
    try:
        segment_output(table, ends, segment, how, now, trace, sender)
    except (SendRejected, NoBuffers):
        return False  # recorded under its own reason
    return True


def segment_output(
    table: TcpTable, ends: Ends, segment: bytes, how: SendOptions, now: int, trace: Trace,
    sender: Sender | None = None,
) -> None:  # fmt: skip
    """Send a segment between two ends.

    Raises:
        SendRejected, NoBuffers: it goes no way, which is recorded.
    """
    local, port, peer, peer_port = ends
    net = table.networks.for_address(peer)
    size = len(segment) - (segment[12] >> 4) * 4
    trace.flow = Flow("tcp", local, port, peer, peer_port, size, sender, segment[13])
    key = route_key(net, ends, how)
    if sender is None and net.family is IPV6:  # Linux tcp_v6_send_response
        key = key._replace(tos=0)
    way = choose_way(net, key, now, trace)
    if how.ttl is None:
        how = how._replace(ttl=default_ttl(net, way))
    packet = Packet(segment, way.interface, now, trace, table.recorder)
    packet.sender = sender
    packet.answer = trace.cause is not None and sender is None
    net.output(packet, way, _TCP, how)
    if isinstance(sender, TcpSocket) and sender.ends is ends:
        table.learn_output(sender, way, how)
    table.recorder.count("tcp.segments_sent")


def transmit(
    table: TcpTable, socket: TcpSocket, seq: int, flags: int, buffers: tuple[Buffer, ...],
    now: int, *, ecn: bool = False,
) -> bool:  # fmt: skip
    """Send one segment of a connection; False when it was refused, which is recorded.

    Args:
        ecn: it carries new data, so that routers may mark it instead of dropping it (RFC 3168
            6.1.5: not a retransmission).
    """
    size = len(buffers[0]) if len(buffers) == 1 else sum(map(len, buffers))
    flow = socket.flow
    if flow is not None and flow.generation == table.generation.number:
        number = _transmit_timed(socket, (seq, flags, size), buffers, now)
        if number:
            _count_sent(table, socket, size, number)
            return True
    rcv, ends = socket.rcv, socket.ends
    syn = bool(flags & SYN)
    flags |= ACK if socket.state.acknowledges else 0
    options = _syn_options(socket, flags, now) if syn else _options(socket, now)
    window = rcv.tell_window(socket.rcvbuf, socket.mss, syn=syn)
    if socket.ecn and not syn:
        flags |= (ECE if socket.ece else 0) | (CWR if socket.cwr and size and ecn else 0)
        if flags & CWR:
            socket.cwr = False
    urgent = 0
    if socket.snd.urgent is not None and seq < socket.snd.urgent <= seq + 0xFFFF:
        flags |= tcp.URG
        urgent = socket.snd.urgent - seq
    ack, raw = rcv.nxt if flags & ACK else 0, options.to_bytes()
    tos = socket.tos & ~3 | (_ECT0 if ecn and socket.ect else 0)
    if flags & ACK:
        _acknowledged(socket)
    number = 0
    if flow is not None and flow.generation == table.generation.number and not urgent:
        number = flow.send((seq, ack, flags, window), raw, tos, _room(socket), buffers)
    _count_sent(table, socket, size, number)
    if number:
        return True
    header = TcpHeader(ends.port, ends.peer_port, seq, ack, 0, flags, window, urgent, raw)
    payload = buffers[0] if len(buffers) == 1 else b"".join(buffers)
    how = SendOptions(
        ends.local, socket.dev, socket.ttl, tos, pmtudisc=socket.pmtudisc, mark=socket.mark,
        uid=socket.uid,
    )  # fmt: skip
    room = _room(socket) - len(header.options)
    if size > room:
        return _transmit_cut(table, socket, (header, bytes(payload), room), how, now)
    segment = header.to_bytes(bytes(payload), ends.local, ends.peer)
    return send_segment(table, ends, segment, how, now, _noted(table, socket, now), socket)


def _noted(table: TcpTable, socket: TcpSocket, now: int) -> Trace | None:
    """Return the trace of a segment that says what it is sent for; None for one that does not."""
    note = socket.loss.note
    if note is None:
        return None
    trace = table.recorder.begin(_OUT, now)
    trace.struck(note.reason, note.detail, now)
    return trace


def _room(socket: TcpSocket) -> int:
    """Return how many bytes of options and payload a segment has room for."""
    return socket.mss + (TIMESTAMP_LEN if socket.timestamps else 0)


def _transmit_timed(
    socket: TcpSocket, what: tuple[int, int, int], buffers: tuple[Buffer, ...], now: int
) -> int:
    """Send a segment whose only option is a timestamp; return how many it is cut into.

    Args:
        what: sequence number, flags, and the length of the payload.

    Returns: 0 for nothing done, where there is more to say or the layered path has to look.
    """
    rcv, flow, (seq, flags, size) = socket.rcv, socket.flow, what
    more = rcv.out_of_order or rcv.duplicate is not None or socket.ecn
    plain = socket.timestamps and not flags & SYN and socket.state.acknowledges
    if flow is None or more or not plain or socket.snd.urgent is not None:
        return 0
    edge = rcv.edge
    window = rcv.tell_window(socket.rcvbuf, socket.mss)
    value, echo = timestamp(now, socket.ts_offset), rcv.ts_recent or 0
    numbers = (seq, rcv.nxt, flags | ACK, value, echo, window)
    number = flow.send_timed(
        numbers, socket.tos & ~3, socket.mss + TIMESTAMP_LEN, size, buffers
    )  # fmt: skip
    if not number:
        rcv.edge = edge
        return 0
    _acknowledged(socket)
    return number


def send_last(table: TcpTable, socket: TcpSocket, record: Sent, size: int) -> None:
    """Send one segment by a known flow, behind which nothing waits to be sent.

    Args:
        record: the segment, which is next in the stream; the connection has timestamps, and nothing
            else to say.
        size: of its payload, bytes.

    It does what ``transmit`` does, after ``output`` has noted what leaves.
    """
    snd, rcv, loss, flow = socket.snd, socket.rcv, socket.loss, socket.flow
    now, seq, room = record.sent_ns, record.seq, socket.mss + TIMESTAMP_LEN
    socket.window.used_ns = now
    record.delivered, record.delivered_ns = loss.delivered, loss.delivered_ns
    record.app_limited = True
    snd.records.append(record)
    snd.unacked += size
    if size < RECORD_OVERHEAD:
        record.small = True
        snd.crumbs += 1
    snd.nxt = record.end
    loss.prr_out += record.end - seq
    if socket.ack_ns < NEVER:
        socket.pingpong = True  # the program answers: what it says acknowledges what it got
    edge = rcv.edge
    window = rcv.tell_window(socket.rcvbuf, socket.mss)
    value = now // 1_000_000 + socket.ts_offset
    numbers = (seq, rcv.nxt, record.flags | ACK, value, rcv.ts_recent or 0, window)
    if flow is None or not flow.send_timed(
        numbers, socket.tos & ~3, room, size, record.buffers
    ):  # fmt: skip
        rcv.edge = edge
        transmit(table, socket, seq, record.flags, record.buffers, now)
        return
    rcv.acked = rcv.nxt
    socket.ack_now, socket.ack_ns = False, NEVER
    if socket.quick:
        socket.quick -= 1
    table.recorder.count("tcp.segments_sent")
    stats = socket.stats
    stats.segs_out += 1
    if size:
        stats.data_segs_out += 1
        stats.bytes_sent += size


def _count_sent(table: TcpTable, socket: TcpSocket, size: int, number: int) -> None:
    """Count what leaves: ``number`` segments by the fast path, or one by the layered path."""
    stats = socket.stats
    if number:
        table.recorder.count("tcp.segments_sent", number)
        if number > 1:
            socket.quick = max(socket.quick - number + 1, 0)  # each of them acknowledges
    stats.segs_out += number or 1
    if size:
        stats.data_segs_out += number or 1
        stats.bytes_sent += size


def _transmit_cut(
    table: TcpTable, socket: TcpSocket, what: tuple[TcpHeader, bytes, int], how: SendOptions,
    now: int,
) -> bool:  # fmt: skip
    """Send in single segments what was to leave at once: the fast path has refused it.

    It does so when the neighbor is not known any more, the queue of the link is full, or there is
    urgent data.

    Args:
        what: the header in front of all, the payload, and how much of it a segment has room for.
    """
    (header, payload, room), stats = what, socket.stats
    for at in range(0, len(payload), room):
        piece, flags = payload[at : at + room], header.flags
        if at + room < len(payload):
            flags &= ~(tcp.FIN | tcp.PSH)
        if at:
            flags &= ~CWR
            stats.segs_out += 1
            stats.data_segs_out += 1
        urgent = max(header.urgent - at, 0)
        if not urgent:
            flags &= ~tcp.URG
        cut = header._replace(seq=header.seq + at & 0xFFFFFFFF, flags=flags, urgent=urgent)
        segment = cut.to_bytes(piece, socket.ends.local, socket.ends.peer)
        trace = _noted(table, socket, now)
        if not send_segment(table, socket.ends, segment, how, now, trace, socket):
            return False
    return True


def _acknowledged(socket: TcpSocket) -> None:
    """Note that an acknowledgment leaves, so that none has to follow."""
    socket.rcv.acked = socket.rcv.nxt
    socket.rcv.duplicate = None
    socket.ack_now, socket.ack_ns = False, NEVER
    if socket.quick:
        socket.quick -= 1


def _options(socket: TcpSocket, now: int) -> TcpOptions:
    rcv = socket.rcv
    times = _times(socket, now)
    if socket.sack and (rcv.blocks or rcv.duplicate is not None):
        return TcpOptions(timestamps=times, sack=rcv.sack_blocks(3 if times is not None else 4))
    return TcpOptions(timestamps=times)


def _times(socket: TcpSocket, now: int) -> tuple[int, int] | None:
    if not socket.timestamps:
        return None
    return timestamp(now, socket.ts_offset), socket.rcv.ts_recent or 0


def _syn_options(socket: TcpSocket, flags: int, now: int) -> TcpOptions:
    """Return the options of our SYN: what we want, in an answer only what the peer wants, too."""
    return TcpOptions(
        socket.advmss,
        socket.rcv.scale if socket.scaling else None,
        socket.sack,
        (timestamp(now, socket.ts_offset), socket.rcv.ts_recent or 0)
        if socket.timestamps else None,
    )  # fmt: skip


def send_ack(table: TcpTable, socket: TcpSocket, now: int) -> bool:
    """Send an acknowledgment without data.

    Its sequence number lies within what the peer allows, though its window may have shrunk (Linux
    tcp_acceptable_seq): the peer would not look at it otherwise.
    """
    snd = socket.snd
    return transmit(table, socket, max(min(snd.nxt, snd.una + snd.wnd), snd.una), 0, (), now)


def syn_ack(
    table: TcpTable, request: Request, window: int, now: int, cause: Trace | None = None
) -> bool:
    """Answer a SYN, for the first time or again (RFC 9293 3.10.7.2).

    Args:
        cause: the SYN; None for an answer that is sent again.
    """
    ends = request.ends
    value, echo = timestamp(now, request.ts_offset), request.ts_recent
    if request.timestamps and request.sack and request.scale is not None:
        options = tcp_options.usual_syn(request.advmss, request.own_scale, value, echo)
    else:
        options = TcpOptions(
            request.advmss, request.own_scale if request.scale is not None else None, request.sack,
            (value, echo) if request.timestamps else None,
        ).to_bytes()  # fmt: skip
    flags = SYN | ACK | (ECE if request.ecn else 0)
    flow, listener = request.flow, request.listener
    tos, ack = listener.tos & ~3, request.irs + 1
    request.times += 1
    request.sent_ns = now
    if flow is not None and flow.generation == table.generation.number:
        room = min(request.mss, request.advmss)  # as of the segments to come
        if flow.send((request.iss, ack, flags, window), options, tos, room, ()):
            table.recorder.count("tcp.segments_sent")
            return True
    how = wishes(listener, ends, request.dev, listener.ttl, request.mark)
    header = TcpHeader(
        ends.port, ends.peer_port, request.iss, ack, 0, flags, window, 0, options
    )  # fmt: skip
    segment = header.to_bytes(b"", ends.local, ends.peer)
    trace = table.recorder.begin(_OUT, now, cause)
    return send_segment(table, ends, segment, how, now, trace, listener)


# --- how large ------------------------------------------------------------------------------------


def way_of(table: TcpTable, socket: TcpSocket) -> Way | None:
    """Return the way of a connection's packets as it is now, None while there is none."""
    net = table.networks.for_address(socket.ends.peer)
    how = wishes(socket, socket.ends, socket.dev, None)
    way = find_way(net, route_key(net, socket.ends, how))
    return way if isinstance(way, Way) else None


def wishes(
    socket: TcpSocket, ends: Ends, dev: str | None, ttl: int | None, mark: int | None = None
) -> SendOptions:
    """Return the wishes of a socket about the packets of a connection, without ECN's bits.

    Args:
        ttl: of the packets, None for the stack's default.
        mark: another one than the socket's.
    """
    return SendOptions(
        ends.local, dev, ttl, socket.tos & ~3, pmtudisc=socket.pmtudisc,
        mark=socket.mark if mark is None else mark, uid=socket.uid,
    )  # fmt: skip


def route_key(net: Network, ends: Ends, how: SendOptions) -> RouteKey:
    """Return the key of a connection's way.

    Ports are part of it where they may matter: by rules, and among several next hops. Otherwise all
    connections between two addresses share what was decided.
    """
    tos, fib, dev = how.tos & ~3, net.fib, how.dev
    if fib.usual_rules and not fib.multipaths:
        return RouteKey(ends.peer, ends.local, dev, OUTPUT, 0, _TCP, 0, 0, tos)
    ports = ends.port, ends.peer_port
    return RouteKey(ends.peer, ends.local, dev, OUTPUT, how.mark, _TCP, *ports, tos, how.uid)


def find_way(net: Network, key: RouteKey) -> Way | Refusal:
    """Return the way that was chosen before, or would be now."""
    return net.ways.recall(key, net.generation.number) or route_output(net, key)


def sync_mss(table: TcpTable, socket: TcpSocket) -> None:
    """Bring the size of full segments in line with the way, as it is now (RFC 1191; RFC 6691).

    RFC 9293 3.7.1: no more than the peer takes, and options count.
    """
    if socket.generation != table.generation.number:
        way = way_of(table, socket)
        if way is not None:
            net = table.networks.for_address(socket.ends.peer)
            socket.pmtu, socket.out = usable_mtu(net, way), way.interface
            socket.generation = table.generation.number
            ttl = socket.ttl if socket.ttl is not None else default_ttl(net, way)
            table.learn_output(socket, way, wishes(socket, socket.ends, socket.dev, ttl))
    set_mss(table.networks.for_address(socket.ends.peer).header_len, socket)


def set_mss(header_len: int, socket: TcpSocket) -> None:
    """Compute the size of full segments from what is known.

    Args:
        header_len: of the header of IP in front of them, bytes.
    """
    mtu = min(socket.pmtu, socket.probe_mtu) if socket.probe_mtu else socket.pmtu
    mss = min(socket.peer_mss, max(mtu - header_len - _HEADER, _LEAST_MSS))
    if socket.mss_max is not None:
        mss = min(mss, socket.mss_max)
    mss = max(mss, _LEAST_MSS)
    if socket.timestamps:
        mss -= TIMESTAMP_LEN
    # Of a small window half at most, so that two segments are under way (Linux
    # tcp_bound_to_half_wnd): a peer that waits for a second one would never be woken.
    socket.window.mss = mss
    largest = socket.snd.max_wnd
    cutoff = largest >> 1 if largest > 536 else largest
    if cutoff:
        mss = min(mss, max(cutoff, 28))
    socket.mss = mss


def usable_mtu(net: Network, way: Way) -> int:
    """Return the largest packet of a way, as far as its length can be told.

    The MTU of a loopback is one byte more than IPv4's total length has room for.
    """
    return min(way.mtu, net.max_packet_len)


def payload_room(socket: TcpSocket) -> int:
    """Return how much payload a segment has room for that leaves now (RFC 6691 2).

    Beside the timestamps that ``mss`` knows of, what is told of gaps takes room.
    """
    rcv = socket.rcv
    if not (rcv.out_of_order or rcv.duplicate is not None) or not socket.sack:
        return socket.mss
    number = min(rcv.blocks + (rcv.duplicate is not None), 3 if socket.timestamps else 4)
    return max(socket.mss - 4 - 8 * number, 8)
