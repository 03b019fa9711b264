"""The handshake: SYNs, and what answers them (RFC 9293 3.5, 3.10.7.2, 3.10.7.3)."""

from collections import deque

from smolctl.stack import reason
from smolctl.stack.alarm import NEVER
from smolctl.stack.events import ChangeType
from smolctl.stack.ip.way import Way
from smolctl.stack.packet import Packet
from smolctl.stack.trace.trace import Fate
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.tcp import cookies
from smolctl.stack.transport.tcp.ending import drop_request, fail, move
from smolctl.stack.transport.tcp.established import socket_input, text_input
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.opening import (
    begin,
    first_window,
    opened,
    own_mss,
)
from smolctl.stack.transport.tcp.output import retransmit, set_timer
from smolctl.stack.transport.tcp.receive import ReceiveSide
from smolctl.stack.transport.tcp.request import Answering, Request
from smolctl.stack.transport.tcp.reset import answer_reset, reject
from smolctl.stack.transport.tcp.segment import find_way, route_key, syn_ack, usable_mtu, wishes
from smolctl.stack.transport.tcp.send import SendSide
from smolctl.stack.transport.tcp.sequence import Ends, timestamp, unwrap
from smolctl.stack.transport.tcp.socket import NO_ERRORS, Backlog, Opened, TcpSocket
from smolctl.stack.transport.tcp.states import State, TcpEvent
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.stack.transport.tcp.timers import TimerKind
from smolctl.wire.address import format_address
from smolctl.wire.tcp import ACK, CWR, ECE, FIN, RST, SYN
from smolctl.wire.tcp_options import TcpOptions

_SYN_AGAIN_NS = 8_000_000
"""Time after which SYN is sent again that met an old connection (Linux TCP_TIMEOUT_MIN)."""
_COOKIES_NS = 120_000_000_000
"""Time after the last cookie during which one may come back."""


# --- an active open -------------------------------------------------------------------------------


def syn_sent_input(table: TcpTable, socket: TcpSocket, segment: Incoming) -> None:
    """Take a segment in SYN-SENT (RFC 9293 3.10.7.3)."""
    packet, flags, snd = segment.packet, segment.flags, socket.snd
    now, ends = packet.now, socket.ends
    named: dict[str, object] = {"peer": (ends.peer, ends.peer_port), "port": ends.port}
    segment.ack = unwrap(segment.header.ack, snd.una)
    right = bool(flags & ACK) and snd.iss < segment.ack <= snd.nxt
    if flags & RST:
        if not right:
            packet.record(reason.TCP_RST_BAD_SEQ, **named, ahead=segment.header.seq, size=0)
            return
        detail = packet.record(reason.TCP_REFUSED, **named, ttl=packet.header.ttl)
        packet.trace.settle(Fate.ABSORBED, now)
        fail(table, socket, TcpEvent.RST, reason.TCP_REFUSED, detail)
        return
    if (flags & ACK and not right) or echoes_another(socket, segment, now):
        if flags & ACK and not flags & SYN:
            socket.opened |= Opened.HALF_OPEN
            if not socket.retries:  # RST makes the peer forget: it takes SYN now (Linux does so)
                set_timer(table, socket, TimerKind.RETRANSMIT, now + _SYN_AGAIN_NS)
        reject(table, segment, reason.TCP_NO_CONNECTION, socket.mark, **named)
        return
    if not flags & SYN:
        packet.record(reason.TCP_FLAGS_INVALID, cause="syn", **named)
        return
    packet.trace.settle(Fate.ANSWERED, now)
    begin_stream(table, socket, segment)
    if flags & ACK:
        answered(table, socket, segment, packet.header.ttl)
        if segment.payload or flags & FIN:
            segment.seq = socket.rcv.nxt
            segment.size -= 1
            text_input(table, socket, segment, now)
        return
    # Both ends opened at once: our SYN goes out again, as an answer.
    socket.opened |= Opened.BOTH_SIDES
    move(table, socket, TcpEvent.SYN)
    snd.wnd = segment.header.window
    retransmit(table, socket, snd.records[0], now)


def begin_stream(table: TcpTable, socket: TcpSocket, segment: Incoming) -> None:
    """Begin to receive: the peer's SYN says what it wants."""
    rcv = socket.rcv = ReceiveSide(segment.header.seq)
    segment.place(rcv.irs, socket.snd.una)
    _agree(table, socket, segment.options, segment)
    rcv.edge = rcv.nxt + first_window(socket.rcvbuf, socket.advmss)


def echoes_another(socket: TcpSocket, segment: Incoming, now: int) -> bool:
    """Tell whether it echoes a timestamp that we never sent: it answers an old SYN (Linux)."""
    times = segment.options.timestamps
    if not socket.timestamps or times is None or not times[1] or not segment.flags & ACK:
        return False
    clock = timestamp(now, socket.ts_offset)
    first = timestamp(socket.retry_since_ns, socket.ts_offset)
    return not first <= unwrap(times[1], clock) <= clock


def _agree(table: TcpTable, socket: TcpSocket, told: TcpOptions, segment: Incoming) -> None:
    """Keep what both ends want (RFC 7323 2.2, 3.2; RFC 2018 2)."""
    rcv, snd = socket.rcv, socket.snd
    socket.peer_mss = told.mss or _default_mss(table, socket.ends)
    socket.timestamps = socket.timestamps and told.timestamps is not None
    socket.sack = socket.sack and told.sack_permitted
    if socket.scaling and told.window_scale is not None:
        rcv.scale, snd.scale = table.defaults.own_scale, told.window_scale
    else:
        socket.scaling = False
        rcv.scale = snd.scale = 0
    if socket.timestamps and told.timestamps is not None:
        rcv.ts_recent, rcv.ts_recent_ns = told.timestamps[0], segment.now
    flags = segment.flags & (ECE | CWR)
    socket.ecn = socket.ecn and flags == (ECE if segment.flags & ACK else ECE | CWR)
    # SYN is sent again without asking for it, and so is our answer to a simultaneous one.
    socket.ect = socket.ecn and bool(segment.flags & ACK) and snd.records[0].times == 1


def _default_mss(table: TcpTable, ends: Ends) -> int:
    """Return the segment size of a peer that tells none (RFC 9293 3.7.1, MUST-15)."""
    return 536 if table.networks.for_address(ends.peer).header_len == 20 else 1220


def answered(table: TcpTable, socket: TcpSocket, segment: Incoming, ttl: int) -> None:
    """Take the answer to our SYN, in a packet with this TTL: the connection is open."""
    snd, now = socket.snd, segment.now
    gone = snd.acknowledge(segment.ack)
    again = any(record.times > 1 for record in gone)
    if not again and gone:
        socket.rtt.sample(now - gone[0].sent_ns, now)
    snd.wl1, snd.wl2 = segment.seq, segment.ack
    snd.wnd = snd.max_wnd = segment.header.window
    table.answered_ttl(socket.ends.peer, ttl)
    move(table, socket, TcpEvent.SYN_ACK)
    opened(table, socket, now, retransmitted=again)
    socket.timer_ns = NEVER
    socket.timer = TimerKind.NONE
    socket.ack_now = True
    table.want_output(socket)


# --- a passive open -------------------------------------------------------------------------------


def listen_input(table: TcpTable, segment: Incoming, ends: Ends) -> None:
    """Take a segment that belongs to no connection (RFC 9293 3.10.7.1, 3.10.7.2)."""
    packet, flags = segment.packet, segment.flags
    local, port, peer, peer_port = ends
    named: dict[str, object] = {"peer": (peer, peer_port), "port": port, "ip": local}
    if flags & RST:
        packet.record(reason.TCP_STRAY_RST, **named)
        return
    if table.networks.for_address(local).is_anycast(local):
        # Several nodes have it, and a connection has one (Linux ipv6_unicast_destination).
        packet.record(reason.TCP_GROUP_ADDRESS, ip=local, peer=(peer, peer_port))
        return
    listener = table.lookup(peer, peer_port, local, port, packet.entrance.name)
    if listener is None:
        if not flags & SYN or flags & ACK:
            reject(table, segment, reason.TCP_NO_CONNECTION, **named)
        else:
            _no_listener(table, segment, ends)
        return
    if flags & ACK:
        _cookie_input(table, listener, segment, ends)
    elif not flags & SYN or flags & FIN:
        packet.record(reason.TCP_FLAGS_INVALID, cause="listen", **named)
    else:
        _syn_input(table, listener, segment, ends)


def _no_listener(table: TcpTable, segment: Incoming, ends: Ends) -> None:
    """Refuse a SYN: nobody listens at the port, or for something else."""
    listening = [each for each in table.at_port(ends.port) if each.state is State.LISTEN]
    named: dict[str, object] = {
        "peer": (ends.peer, ends.peer_port), "port": ends.port, "ip": ends.local,
    }  # fmt: skip
    if not listening:
        reject(table, segment, reason.TCP_NO_LISTENER, **named)
        return
    here = any(each.local in (ANY, ends.local) for each in listening)
    first = listening[0]
    where = format_address(first.local) if first.local is not None else "every address"
    if first.dev is not None:
        where += f" dev {first.dev}"
    cause = "device" if here else "address"
    reject(table, segment, reason.TCP_BOUND_ELSEWHERE, **named, cause=cause, bound=where)


def _syn_input(table: TcpTable, listener: TcpSocket, segment: Incoming, ends: Ends) -> None:
    """Answer a SYN, as far as the queues have room (Linux tcp_conn_request)."""
    packet, backlog, settings = segment.packet, listener.backlog, table.settings
    if backlog is None:
        raise AssertionError("a listening socket has a backlog")
    named: dict[str, object] = {"peer": (ends.peer, ends.peer_port), "port": ends.port}
    if backlog.full:
        backlog.overflows += 1
        packet.record(
            reason.TCP_BACKLOG_FULL, **named, queued=len(backlog.queue), limit=backlog.limit
        )
        return
    full = backlog.requests >= min(max(backlog.limit, 8), settings["tcp.max_syn_backlog"])
    if full and not settings["tcp.syncookies"]:
        packet.record(reason.TCP_SYN_QUEUE_FULL, **named, queued=backlog.requests)
        return
    request = _request(table, listener, segment, ends)
    packet.trace.settle(Fate.ANSWERED, packet.now)
    now = packet.now
    if full:
        packet.record(reason.TCP_SYN_COOKIE, **named, queued=backlog.requests)
        _as_cookie(table, request, segment, now)
        backlog.cookie_until_ns = now + _COOKIES_NS
        table.recorder.count("tcp.cookies_sent")
    else:
        begin_request(table, request, now)
    window = first_window(listener.rcvbuf, request.advmss)
    syn_ack(table, request, window, now, packet.trace)
    if not full and not packet.looped:
        table.learn_opening(request, packet)


def _request(table: TcpTable, listener: TcpSocket, segment: Incoming, ends: Ends) -> Request:
    """Return what is to be known of a handshake."""
    net = table.networks.for_address(ends.peer)
    # What was heard on a link goes back by it, where an address alone does not say which link.
    dev = segment.packet.interface.name if net.needs_dev(ends.peer) else listener.dev
    mark = _mark(table, listener, segment.packet)
    way = find_way(net, route_key(net, ends, wishes(listener, ends, dev, None, mark)))
    mtu = usable_mtu(net, way) if isinstance(way, Way) else 576
    offset = table.secrets.timestamp_offset(ends)
    answering = Answering(dev, own_mss(net, mtu, listener), _default_mss(table, ends), offset)
    iss = table.secrets.initial(ends, segment.packet.now)
    request = Request(ends, listener, iss, segment.header.seq)
    request.window, request.mark = segment.header.window, mark
    agree(table, request, answering, segment.options)
    both = segment.flags & (ECE | CWR) == ECE | CWR
    request.ecn = both and table.defaults.ecn > 0
    return request


def _mark(table: TcpTable, listener: TcpSocket, packet: Packet) -> int:
    """Return the mark of a connection that begins (Linux ``inet_request_mark``)."""
    if not listener.mark and packet.mark and table.settings["tcp.fwmark_accept"]:
        return packet.mark
    return listener.mark


def agree(table: TcpTable, request: Request, answering: Answering, told: TcpOptions) -> None:
    """Keep what a SYN tells, and what both ends want (RFC 7323 2.2, 3.2; RFC 2018 2)."""
    usual = table.defaults
    request.dev, request.advmss = answering.dev, answering.advmss
    request.mss = told.mss or answering.default_mss
    if told.window_scale is not None and usual.scaling:
        request.scale, request.own_scale = told.window_scale, usual.own_scale
    request.sack = told.sack_permitted and usual.sack
    if told.timestamps is not None and usual.timestamps:
        request.timestamps, request.ts_recent = True, told.timestamps[0]
        request.ts_offset = answering.ts_offset


def begin_request(table: TcpTable, request: Request, now: int) -> None:
    """Put a handshake into the queue, from where its answer is sent again."""
    table.connections[request.ends] = request
    if request.listener.backlog is not None:
        request.listener.backlog.requests += 1
    table.requests.add(request, now + table.defaults.rto_initial_ns)


def _as_cookie(table: TcpTable, request: Request, segment: Incoming, now: int) -> None:
    """Put a handshake into the numbers of its answer, since no queue has room for it."""
    request.iss = cookies.make(table.secrets, request.ends, request.irs, request.mss, now)
    if not request.timestamps:
        request.scale, request.sack, request.ecn = None, False, False  # there is no place for them
        return
    options = cookies.CookieOptions(request.scale, request.sack, request.ecn)
    clock = timestamp(now, request.ts_offset)
    request.ts_offset += cookies.encode_time(clock, options) - clock


def _cookie_input(table: TcpTable, listener: TcpSocket, segment: Incoming, ends: Ends) -> None:
    """Take an acknowledgment that may bring a cookie back."""
    packet, backlog, header = segment.packet, listener.backlog, segment.header
    now = packet.now
    named: dict[str, object] = {
        "peer": (ends.peer, ends.peer_port), "port": ends.port, "ip": ends.local,
    }  # fmt: skip
    if backlog is None or now >= backlog.cookie_until_ns or segment.flags & SYN:
        reject(table, segment, reason.TCP_NO_CONNECTION, listener.mark, **named)
        return
    irs, iss = header.seq - 1 & 0xFFFFFFFF, header.ack - 1 & 0xFFFFFFFF
    mss = cookies.check(table.secrets, ends, irs, iss, now)
    if mss is None:
        reject(table, segment, reason.TCP_COOKIE_BAD, listener.mark, **named)
        return
    request = _request(table, listener, segment, ends)
    if backlog.full:
        backlog.overflows += 1
        packet.record(
            reason.TCP_BACKLOG_FULL, **named, queued=len(backlog.queue), limit=backlog.limit
        )
        return
    request.iss, request.irs, request.mss = iss, irs, mss
    request.scale, request.sack, request.ecn = None, False, False
    if request.timestamps and segment.options.timestamps is not None:
        known = cookies.decode_time(segment.options.timestamps[1])
        request.scale, request.sack, request.ecn = known
        request.own_scale = table.defaults.own_scale if known.scale is not None else 0
    table.recorder.count("tcp.cookies_accepted")
    _accepted(table, request, segment)


# --- handshakes in progress -----------------------------------------------------------------------


def request_input(table: TcpTable, request: Request, segment: Incoming) -> None:
    """Take a segment of a handshake in progress (RFC 9293 3.10.7.4 in SYN-RECEIVED)."""
    packet, flags, now = segment.packet, segment.flags, segment.packet.now
    ends, nxt = request.ends, request.irs + 1
    named: dict[str, object] = {"peer": (ends.peer, ends.peer_port), "port": ends.port}
    segment.place(nxt, request.iss + 1)
    window = first_window(request.listener.rcvbuf, request.advmss)
    if flags & SYN and segment.seq == request.irs and not flags & (RST | ACK):
        packet.trace.settle(Fate.ANSWERED, now)
        _answer_again(table, request, now)
        return
    if not nxt <= segment.seq <= nxt + window:
        values = {"ahead": segment.seq - nxt, "size": segment.size, **named}
        why = reason.TCP_RST_BAD_SEQ if flags & RST else reason.TCP_SEQ_OUTSIDE_WINDOW
        packet.record(why, **values)
        if not flags & RST:
            _answer_again(table, request, now)
        return
    if flags & RST:
        if segment.seq != nxt:
            packet.record(reason.TCP_RST_BAD_SEQ, ahead=segment.seq - nxt, size=0, **named)
            _answer_again(table, request, now)
            return
        packet.record(reason.TCP_RESET, ttl=packet.header.ttl, cause="handshake", **named)
        packet.trace.settle(Fate.ABSORBED, now)
        drop_request(table, request)
    elif flags & SYN:
        packet.record(reason.TCP_SYN_IN_WINDOW, **named)
        _answer_again(table, request, now)
    elif not flags & ACK:
        packet.record(reason.TCP_FLAGS_INVALID, cause="ack", **named)
    elif segment.ack != request.iss + 1:
        mark = request.listener.mark
        reject(table, segment, reason.TCP_NO_CONNECTION, mark, **named, ip=ends.local)
    else:
        _complete(table, request, segment)


def _answer_again(table: TcpTable, request: Request, now: int) -> None:
    """Answer once more, twice a second at most (Linux tcp_oow_rate_limited)."""
    least = table.settings.ns("tcp.invalid_ratelimit_ms")
    if least and now - request.invalid_ns < least:
        table.recorder.count("tcp.invalid_acks_limited")
        return
    request.invalid_ns = now
    syn_ack(table, request, first_window(request.listener.rcvbuf, request.advmss), now)


def _complete(table: TcpTable, request: Request, segment: Incoming) -> None:
    """Make a connection of a handshake, if the backlog has room (Linux tcp_check_req)."""
    backlog, packet, ends = request.listener.backlog, segment.packet, request.ends
    if backlog is None:
        raise AssertionError("a handshake has a listening socket")
    if backlog.full:
        # The peer believes that it is connected: the answer is sent again, until there is room.
        backlog.overflows += 1
        packet.record(
            reason.TCP_BACKLOG_FULL, peer=(ends.peer, ends.peer_port), port=ends.port,
            queued=len(backlog.queue), limit=backlog.limit,
        )  # fmt: skip
        if table.settings["tcp.abort_on_overflow"]:
            answer_reset(table, segment, request.listener.mark)
            drop_request(table, request)
        return
    drop_request(table, request)
    _accepted(table, request, segment)


def _accepted(table: TcpTable, request: Request, segment: Incoming) -> None:
    """Put a new connection into the queue of its listening socket, and give it its segment."""
    child = accept(table, request, segment.packet.header.ttl, segment.packet.now)
    socket_input(table, child, segment)
    if child.state is State.ESTABLISHED and not segment.packet.looped:
        table.learn_input(child, segment.packet)


def accept(table: TcpTable, request: Request, ttl: int, now: int) -> TcpSocket:
    """Put the new connection of a handshake into the queue of its listening socket.

    Args:
        ttl: of the segment that completes it.
    """
    child = _child(table, request, now)
    listener, backlog = request.listener, request.listener.backlog
    table.answered_ttl(child.ends.peer, ttl)
    table.register(child.ends, child)
    if table.events.heard:
        table.tell(ChangeType.NEW, child)
    if backlog is not None:
        backlog.queue.append(child)
    listener.wake()
    return child


def _child(table: TcpTable, request: Request, now: int) -> TcpSocket:
    """Return the socket of a connection, with the options of the one that listened."""
    listener, ends = request.listener, request.ends
    snd, rcv = SendSide(request.iss), ReceiveSide(request.irs)
    child = TcpSocket(
        rcvbuf=listener.rcvbuf, sndbuf=listener.sndbuf, pmtudisc=listener.pmtudisc,
        rcvbuf_locked=listener.rcvbuf_locked, sndbuf_locked=listener.sndbuf_locked,
        nodelay=listener.nodelay, cork=listener.cork, keepalive=listener.keepalive,
        keepidle_ns=listener.keepidle_ns, keepintvl_ns=listener.keepintvl_ns,
        keepcnt=listener.keepcnt, user_timeout_ns=listener.user_timeout_ns,
        linger_ns=listener.linger_ns, tos=listener.tos, ttl=listener.ttl,
        mss_max=listener.mss_max, syn_retries=listener.syn_retries,
        fin_timeout_ns=listener.fin_timeout_ns, notsent_lowat=listener.notsent_lowat,
        oob_inline=listener.oob_inline, control=listener.control,
        family=listener.family, v6only=listener.v6only, reuse=listener.reuse,
        reuseport=listener.reuseport, owner=listener.owner, pid=listener.pid, mark=request.mark,
        uid=listener.uid,
        ready_queue=listener.ready_queue, errors=NO_ERRORS, snd=snd, rcv=rcv,
    )  # fmt: skip
    child.local = child.source = ends.local
    child.port, child.peer, child.peer_port = ends.port, ends.peer, ends.peer_port
    child.opened = request.opened
    child.dev, child.ends, child.on_error = request.dev, ends, listener.on_error
    child.timestamps, child.sack = request.timestamps, request.sack
    child.ecn = child.ect = request.ecn
    child.scaling = request.scale is not None
    child.ts_offset, child.peer_mss, child.advmss = request.ts_offset, request.mss, request.advmss
    snd.una = snd.nxt = snd.small_end = request.iss + 1
    snd.wnd = snd.max_wnd = request.window
    snd.wl1, snd.wl2 = request.irs, snd.una
    snd.scale, rcv.scale = request.scale or 0, request.own_scale if child.scaling else 0
    rcv.edge = rcv.nxt + first_window(child.rcvbuf, child.advmss)
    if child.timestamps:
        rcv.ts_recent, rcv.ts_recent_ns = request.ts_recent, now
    child.state = State.SYN_RECEIVED
    flow = request.flow
    if flow is not None and flow.generation == table.generation.number:
        child.flow, child.generation = flow, flow.generation
        child.pmtu, child.out = flow.mtu, flow.out
    begin(table, child)
    if request.times == 1:
        child.rtt.sample(now - request.sent_ns, now)
    move(table, child, TcpEvent.ACK_OF_SYN)
    opened(table, child, now, retransmitted=request.times > 1)
    return child


def new_backlog(limit: int) -> Backlog:
    """Return an empty backlog."""
    return Backlog(limit, deque())
