"""Explanations of TCP connections: how one is, or how it failed, with the evidence there is.

Nothing is guessed: what is said follows from what came, or did not come, for this connection, and
from the neighbor cache. Where two causes look the same from here, both are named.
"""

from typing import Any

from smolctl.counted import counted
from smolctl.stack import reason
from smolctl.stack.explain.verdict import SCHEMA
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Way
from smolctl.stack.neighbor.states import State as NeighborState
from smolctl.stack.transport.tcp.probe import Probe
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import Opened, TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.table import Failed, TcpTable
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.wire.address import format_address, format_endpoint

Row = dict[str, Any]
_OPENED = {
    Opened.BOTH_SIDES: "both ends sent SYN at once: opened from both sides (RFC 9293 3.5)",
    Opened.REUSED: "the one before was in TIME-WAIT, and has made room for it (RFC 6191)",
    Opened.HALF_OPEN: "the peer still had an old connection with this port: RST has ended it",
}
_PING_HEADERS = (28, 48)
"""Bytes of a ping of IPv4, and of IPv6, before its payload."""
_FIRST_TTLS = frozenset({32, 64, 128, 255})
"""Values that hosts send packets with."""
_ANSWERED = frozenset({NeighborState.REACHABLE, NeighborState.PERMANENT})


def tell_connection(tcp: TcpTable, ends: Ends, now: int) -> Row | None:
    """Return the row of a connection that there is, or was lately; None where none is known."""
    found = tcp.connections.get(ends)
    if isinstance(found, TcpSocket):
        return _Told(tcp, ends, now, found.state.upper()).live(found)
    if isinstance(found, TimeWait):
        return _Told(tcp, ends, now, "TIME-WAIT").time_wait(found)
    if isinstance(found, Request):
        return _Told(tcp, ends, now, "SYN-RECEIVED").request(found)
    if isinstance(found, Probe):
        return _Told(tcp, ends, now, "SYN-SENT").probe(found)
    for past in reversed(tcp.failed):
        if past.ends == ends:
            return _Told(tcp, ends, now, "failed").past(past)
    return None


def known_of(tcp: TcpTable, peer: int, port: int, now: int) -> list[Row]:
    """Return steps that tell what is known of a peer's port from earlier connections."""
    rows = []
    alive = [
        each
        for each in tcp.sockets()
        if each.peer == peer and each.peer_port == port and each.connected
    ]
    if alive:
        number = counted(len(alive), "connection")
        rows.append({"result": "note", "text": f"{number} with that port open already"})
    for past in reversed(tcp.failed):
        if (past.ends.peer, past.ends.peer_port) == (peer, port):
            ago = (now - past.at_ns) / 1e9
            why = past.ending.reason.why(past.ending.detail)
            rows.append({"result": "note", "text": f"an attempt failed {ago:.1f} s ago: {why}"})
            break
    return [{"stage": "tcp", **row} for row in rows]


class _Told:
    """The row of one connection, as it is put together."""

    def __init__(self, tcp: TcpTable, ends: Ends, now: int, state: str) -> None:
        self._tcp, self._ends, self._now = tcp, ends, now
        self._peer = format_endpoint(ends.peer, ends.peer_port)
        self._steps: list[Row] = []
        self._look: str | None = None
        self._state = state

    def _step(self, stage: str, result: str, text: str) -> None:
        self._steps.append(
            {"n": len(self._steps) + 1, "stage": stage, "result": result, "text": text}
        )

    def _row(self, verdict: str, why: str, *, ok: bool) -> Row:
        ends = self._ends
        row: Row = {
            "schema": SCHEMA, "kind": "connection", "dir": "out", "verdict": verdict, "ok": ok,
            "summary": f"{format_endpoint(ends.local, ends.port)} > {self._peer} TCP {self._state}",
            "packet": {
                "proto": "tcp", "src": format_address(ends.local), "sport": ends.port,
                "dst": format_address(ends.peer), "dport": ends.peer_port,
            },
            "steps": self._steps, "why": why, "fix": [],
        }  # fmt: skip
        if self._look is not None:
            row["look"] = self._look
        return row

    # --- the way ----------------------------------------------------------------------------------

    def _way(self) -> tuple[bool | None, bool]:
        """Add what is known of the next hop.

        Returns: whether it answers ARP or ND, None where nobody has to; and whether it is the peer.
        """
        ends = self._ends
        net = self._tcp.networks.for_address(ends.peer)
        way = route_output(net, RouteKey(ends.peer, ends.local))
        if not isinstance(way, Way):
            self._step("route", "drop", f"no way to {format_address(ends.peer)} now")
            return False, False
        hop = format_address(way.next_hop)
        self._step("route", "pick", f"dev {way.interface.name}, next hop {hop}")
        if not (way.interface.up and way.interface.carrier):
            what = "has no carrier" if way.interface.up else "is down"
            self._step("device", "drop", f"{way.interface.name} {what}")
        cache = net.neighbors.get(way.interface.name)
        if way.interface.loopback or cache is None:
            return None, way.next_hop == ends.peer
        entry = cache.lookup(way.next_hop)
        state = NeighborState.NONE if entry is None else entry.state
        good = state in _ANSWERED
        self._step("neigh", "ok" if good else "note", f"{hop} is {state.value.upper()}")
        return good, way.next_hop == ends.peer

    # --- there it is ------------------------------------------------------------------------------

    def live(self, socket: TcpSocket) -> Row:
        """Tell of a connection that there is."""
        answers, near = self._way()
        for how, text in _OPENED.items():
            if how in socket.opened:
                self._step("tcp", "note", text)
        if socket.state is State.SYN_SENT:
            return self._opening(socket, answers, near)
        self._losses(socket)
        if socket.syn_acks and not socket.stats.bytes_received:
            return self._not_accepted(socket)
        if socket.zero_since_ns:
            return self._zero_window(socket)
        if socket.probe_mtu:
            return self._black_hole(socket)
        if socket.retries:
            return self._silent(socket, answers)
        if socket.snd.unsent and socket.window.limited:
            text = (
                f"{socket.snd.unsent} B wait, {socket.snd.unacked} B are under way: the congestion"
                f" window of {socket.window.cwnd} B is full"
            )
            return self._row("open, and waits - tcp-cwnd-full", text, ok=True)
        if socket.snd.unsent and socket.waits_for is reason.TCP_NAGLE:
            what = {"cause": "cork" if socket.cork else "nagle"}
            text = reason.TCP_NAGLE.causes[what["cause"]]
            self._look = reason.TCP_NAGLE.look(what)
            why = f"{socket.snd.unsent} B wait: {text}"
            return self._row("open, and waits - tcp-nagle", why, ok=True)
        if socket.rcv.ready:
            owner = socket.owner or "its program"
            text = f"{counted(socket.rcv.ready, 'byte')} came that {owner} has not read"
            return self._row("open", text, ok=True)
        return self._row("open", "nothing is in its way", ok=True)

    def request(self, request: Request) -> Row:
        """Tell of a handshake that the peer has begun."""
        self._way()
        backlog, port = request.listener.backlog, self._ends.port
        sent = f"{counted(request.times, 'SYN-ACK')} sent"
        if backlog is not None and backlog.full:
            self._step("tcp", "wait", f"{sent}; {self._peer} may take the connection for open")
            self._look = f"have {request.listener.owner or 'the program'} accept faster, or listen"
            self._look += " with a longer backlog"
            why = (
                f"{counted(len(backlog.queue), 'connection waits', 'connections wait')} at port"
                f" {port}, the backlog is {backlog.limit}, and the program does not accept"
            )
            return self._row("not open yet - tcp-backlog-full", why, ok=False)
        since = (self._now - request.sent_ns) / 1e9
        self._step("tcp", "wait", f"{sent}, the last one {since:.1f} s ago")
        self._look = f"smolctl traceroute {format_address(self._ends.peer)}"
        why = f"{self._peer} has not acknowledged SYN-ACK: it is lost, or the SYN was not its own"
        return self._row("not open yet", why, ok=False)

    def probe(self, probe: Probe) -> Row:
        """Tell of a SYN that asks, and opens nothing."""
        answers, near = self._way()
        since = (self._now - probe.began_ns) / 1e9
        what = f"{counted(probe.times, 'SYN')} of {probe.client.owner}"
        self._step("tcp", "wait", f"{what} in {since:.1f} s; an answer opens nothing")
        why = f"no answer to {what}{self._filter(answers, near)}"
        return self._row("a probe, not a connection", why, ok=False)

    def _not_accepted(self, socket: TcpSocket) -> Row:
        """Tell of a peer that does not take our last segment of the handshake."""
        held = socket.snd.unacked
        times = counted(socket.syn_acks, "time")
        self._step("tcp", "wait", f"SYN-ACK came again {times} after it was acknowledged")
        if held:
            self._step("tcp", "wait", f"{held} B unacknowledged")
        self._look = f"does the program at {self._peer} accept, and how long is its backlog?"
        why = (
            f"{self._peer} repeats SYN-ACK: its backlog is full, since its program accepts more"
            " slowly than connections come, or our acknowledgments do not get there"
        )
        return self._row("open here, and not accepted there", why, ok=False)

    def _opening(self, socket: TcpSocket, answers: bool | None, near: bool) -> Row:
        sent, since = socket.retries + 1, (self._now - socket.retry_since_ns) / 1e9
        self._step("tcp", "wait", f"{counted(sent, 'SYN')} in {since:.1f} s, no answer")
        if Opened.HALF_OPEN in socket.opened and socket.retries < 2:
            why = f"{self._peer} answered for an old connection, which RST has ended: SYN follows"
            return self._row("not open yet", why, ok=False)
        if socket.soft is not None:
            soft = socket.soft
            text = f"{soft.reason.why(soft.detail)}; SYN is sent again all the same"
            self._step(
                "icmp", "note", f"{soft.reason.name}: soft, so it goes on (RFC 9293 3.9.2.2)"
            )
            return self._row(f"not open yet - {soft.reason.name}", text, ok=False)
        why = f"no answer to {counted(sent, 'SYN')} in {since:.1f} s{self._filter(answers, near)}"
        return self._row("not open yet", why, ok=False)

    def _filter(self, answers: bool | None, near: bool) -> str:
        """Return what the silence means, as far as the neighbor tells."""
        if answers and near:
            self._look = f"is there a filter on {format_address(self._ends.peer)}?"
            return ": the host is there, since it answers ARP or ND, and drops them silently"
        if answers:
            self._look = f"smolctl tcp traceroute {self._peer}"
            return ": the next hop is there; a filter or a dead host behind it drops them"
        if answers is False:
            self._look = f"smolctl arping {format_address(self._ends.peer)}" if near else None
            return ": the next hop has not answered lately"
        return ""

    def _losses(self, socket: TcpSocket) -> None:
        """Add what was sent again, and why."""
        stats = socket.stats
        syns = stats.syns_again - (Opened.BOTH_SIDES in socket.opened)
        if syns > 0:
            self._step("tcp", "note", f"SYN was sent again {counted(syns, 'time')}")
        again = stats.retrans - stats.syns_again
        if not again:
            return
        causes = []
        if stats.timeouts:
            causes.append(counted(stats.timeouts, "timeout"))
        if stats.probes:
            causes.append(counted(stats.probes, "tail probe"))
        if not causes:
            causes.append("the peer reported what was missing")
        text = f"{counted(again, 'segment')} sent again: {', '.join(causes)}"
        needless = min(stats.dsacks, again)
        if needless == again:
            text += "; all had arrived (DSACK): not they, but acknowledgments were lost or late"
        elif needless:
            text += (
                f"; {needless} of them had arrived (DSACK): acknowledgments were lost or late, too"
            )
        elif socket.sack and not socket.snd.again:
            text += "; none came twice (DSACK): they were lost on the way there"
        self._step("tcp", "note", text)

    def _zero_window(self, socket: TcpSocket) -> Row:
        since = (self._now - socket.zero_since_ns) / 1e9
        held = socket.snd.unsent + socket.snd.unacked
        probes = counted(socket.window_probes, "probe")
        self._step("tcp", "wait", f"window 0 for {since:.1f} s, {probes}, {held} B held")
        self._look = f"the program at {self._peer} has to read"
        why = f"the peer's program does not read: its window has been zero for {since:.1f} s"
        return self._row("open, and waits - tcp-zero-window", f"{why}, {held} B wait", ok=True)

    def _black_hole(self, socket: TcpSocket) -> Row:
        full, size = socket.pmtu, socket.probe_mtu
        if socket.retries:
            since = (self._now - socket.retry_since_ns) / 1e9
            self._step("size", "wait", f"{full} B did not get through; trying {size}")
            why = f"nothing is acknowledged for {since:.1f} s, and {size} B were not yet, either"
            self._look = f"smolctl ping {format_address(self._ends.peer)}"
            return self._row("open, and nothing gets through - tcp-rto", why, ok=False)
        self._step("size", "note", f"{full} B did not get through, {size} B do")
        self._look = f"where is it lost? {self._lock(size)} keeps every connection below"
        why = f"packets of {full} B are lost, those of {size} B arrive, and no router says why"
        return self._row("open, with smaller segments - tcp-mtu-black-hole", why, ok=True)

    def _lock(self, size: int) -> str:
        """Return the command that makes a size the largest to the peer."""
        ends = self._ends
        way = route_output(self._tcp.networks.for_address(ends.peer), RouteKey(ends.peer))
        peer = format_address(ends.peer)
        whole, minus = (128, "-6 ") if ":" in peer else (32, "")
        hop, dev = "", ""
        if isinstance(way, Way):
            dev = f" dev {way.interface.name}"
            hop = f" via {format_address(way.next_hop)}" if way.next_hop != ends.peer else ""
        return f"smolctl {minus}route add {peer}/{whole}{hop}{dev} mtu lock {size}"

    def _silent(self, socket: TcpSocket, answers: bool | None) -> Row:
        since = (self._now - socket.retry_since_ns) / 1e9
        held = socket.snd.unacked
        heard = (self._now - socket.heard_ns) / 1e9
        text = f"{held} B unacknowledged, {counted(socket.retries, 'timeout')} in a row"
        self._step("tcp", "wait", f"{text}; the last segment came {heard:.1f} s ago")
        where = " on the link" if answers is False else ""
        why = f"nothing is acknowledged for {since:.1f} s: the peer or the way is away{where}"
        peer = format_address(self._ends.peer)
        self._look = f"smolctl ping {peer}"
        head = socket.snd.records[0] if socket.snd.records else None
        if head is not None and sum(map(len, head.buffers)) >= socket.mss and socket.pmtu:
            why += f", or packets of {socket.pmtu} B do not get through"
            self._look += f", and then with --df --size {socket.pmtu - _PING_HEADERS[':' in peer]}"
        return self._row("open, and nothing gets through - tcp-rto", why, ok=False)

    # --- it is over -------------------------------------------------------------------------------

    def time_wait(self, rest: TimeWait) -> Row:
        """Tell of a connection that is over, and waits."""
        left = max(rest.until_ns - self._now, 0) / 1e9
        how = "a newer timestamp or" if rest.timestamps else "a"
        self._step("tcp", "ok", f"both ends have closed; {left:.0f} s are left")
        why = (
            f"the last segments may still be under way for {left:.0f} s; a new connection from the"
            f" same port gets in with {how} higher sequence number (RFC 6191)"
        )
        return self._row("closed, in TIME-WAIT", why, ok=True)

    def past(self, past: Failed) -> Row:
        """Tell of a connection that failed."""
        answers, near = self._way()
        reason, detail = past.ending.reason, past.ending.detail
        ago = (self._now - past.at_ns) / 1e9
        self._step("tcp", "note", f"{reason.name} {ago:.1f} s ago, in {past.state.upper()}")
        why = reason.why(detail)
        if reason.name == "tcp-refused":
            why += self._refuser(near, int(str(detail.get("ttl", 0))), loopback=answers is None)
        elif reason.name == "tcp-timed-out" and past.state is State.SYN_SENT:
            sent = past.retries + 1
            took = (past.at_ns - past.began_ns) / 1e9
            why = (
                f"no answer to {counted(sent, 'SYN')} in {took:.0f} s{self._filter(answers, near)}"
            )
        if self._look is None:
            self._look = reason.look(detail)
        return self._row(f"failed - {reason.name}", why, ok=False)

    def _refuser(self, near: bool, ttl: int, *, loopback: bool) -> str:
        """Return who refused: the TTL of what is known to be the peer's tells it from another's."""
        peer = format_address(self._ends.peer)
        known = self._tcp.ttls.get(self._ends.peer)
        if loopback:
            return ": nobody listens there"
        if known is not None and known != ttl:
            self._look = f"which router or filter stands before {peer}? smolctl traceroute {peer}"
            return f": most likely a box before {peer}, whose own segments have TTL {known}"
        if known is not None:
            return f": {peer} itself, whose segments have that TTL"
        if near and ttl in _FIRST_TTLS:
            return f": {peer} itself, which is on the link"
        if near:
            self._look = f"which router or filter answers for {peer}?"
            return f": a box behind a router, since nobody on the link sends TTL {ttl}"
        return f": {peer}, or a box before it that answers in its name"
