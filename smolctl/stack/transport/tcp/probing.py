"""Probes out, and their answers in: half-open on purpose, and for no longer than one answer takes.

Source: the state machine is that of SYN-SENT (RFC 9293 3.10.7.3), whose user gives up at once.
"""

from smolctl.stack import reason
from smolctl.stack.fib.route_key import OUTPUT, RouteKey
from smolctl.stack.ip.output import follow, refuse
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.ip.route_output import confirm, no_source, route_output
from smolctl.stack.ip.way import Refusal, Way, WayType
from smolctl.stack.trace.trace import Fate, Flow, Trace
from smolctl.stack.transport.tcp.incoming import Incoming
from smolctl.stack.transport.tcp.opening import first_window
from smolctl.stack.transport.tcp.probe import Probe, SynAnswer, SynClient
from smolctl.stack.transport.tcp.reset import answer_reset, reject
from smolctl.stack.transport.tcp.segment import segment_output, usable_mtu
from smolctl.stack.transport.tcp.sequence import Ends, timestamp
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire import tcp
from smolctl.wire.ipv4 import Protocol
from smolctl.wire.tcp import ACK, RST, SYN, TcpHeader
from smolctl.wire.tcp_options import TcpOptions

_MASK = 0xFFFFFFFF


def open_client(table: TcpTable, dst: int, owner: str) -> SynClient:
    """Return a new client for probes to ``dst``; ``close_client`` ends it."""
    return SynClient(owner, dst, table.shared.ready)


def probe_way(
    table: TcpTable, dst: int, port: int, how: SendOptions, now: int, trace: Trace
) -> Way:
    """Return the way that a probe takes.

    Args:
        trace: of the SYN, which is refused where there is no way.

    Raises:
        SendRejected: there is none, or none to a single host.
    """
    recorder, net = table.recorder, table.networks.for_address(dst)
    follow(recorder, trace, now)
    trace.flow = Flow("tcp", how.src, 0, dst, port, 0, flags=SYN)
    protocol, mark = Protocol.TCP, how.mark
    key = RouteKey(dst, how.src, how.dev, OUTPUT, mark, protocol, 0, port, how.tos, how.uid)
    way = route_output(net, key)
    if isinstance(way, Refusal):
        recorder.note_candidates(key, None, trace, now)
        refuse(recorder, way, now, trace)
    name = way.interface.name
    if way.type not in (WayType.UNICAST, WayType.LOCAL):
        values: dict[str, object] = {"ip": dst, "cause": "broadcast"}
        refuse(recorder, Refusal(reason.TX_DST_INVALID, name, values), now, trace)
    if way.src is None:
        refuse(recorder, no_source(net, way.interface, way.dst, way.next_hop), now, trace)
    return way


def send_probe(
    table: TcpTable, client: SynClient, what: tuple[int, int], how: SendOptions, now: int,
    trace: Trace,
) -> None:  # fmt: skip
    """Send a SYN; one of a number that was sent before is the same SYN again.

    Args:
        what: number of the probe, and port that it asks.
        how: whose source, device, TTL and type of service count.

    Raises:
        SendRejected, NoBuffers: it goes no way, or no ephemeral port is free.
    """
    number, port = what
    way = probe_way(table, client.dst, port, how, now, trace)
    probe = client.probes.get(number)
    if probe is None:
        probe = client.probes[number] = _begin(table, client, (number, port), way, now)
    probe.dev, probe.pmtudisc = how.dev, how.pmtudisc
    ends = probe.ends
    trace.step("socket", "ok", now, {"owner": client.owner, "port": ends.port})
    segment = _syn(table, probe, way, now).to_bytes(b"", ends.local, ends.peer)
    how = how._replace(src=ends.local)
    segment_output(table, ends, segment, how, now, trace, probe)
    probe.began_ns, probe.times = probe.began_ns or now, probe.times + 1


def _begin(table: TcpTable, client: SynClient, what: tuple[int, int], way: Way, now: int) -> Probe:
    """Return a new probe, whose port nobody uses towards that peer."""
    number, port = what
    local = way.src
    if local is None:
        raise AssertionError("a way to probe by has a source address")
    own = table.ephemeral(local, client.dst, port)
    while (local, own) == (client.dst, port):  # a SYN to its own port would answer itself
        own = table.ephemeral(local, client.dst, port)
    ends = Ends(local, own, client.dst, port)
    probe = Probe(client, number, ends, table.secrets.initial(ends, now))
    table.register(ends, probe)
    return probe


def _syn(table: TcpTable, probe: Probe, way: Way, now: int) -> TcpHeader:
    """Return a SYN like that of a connection: who judges by options sees no difference."""
    net, usual, ends = table.networks.for_address(probe.ends.peer), table.defaults, probe.ends
    mss = min(usable_mtu(net, way) - net.header_len - tcp.MIN_HEADER_LEN, 0xFFFF)
    offset = table.secrets.timestamp_offset(ends)
    options = TcpOptions(
        mss,
        usual.own_scale if usual.scaling else None,
        usual.sack,
        (timestamp(now, offset), 0) if usual.timestamps else None,
    )
    window = first_window(table.settings["tcp.rmem_default"], mss)
    return TcpHeader(ends.port, ends.peer_port, probe.iss, 0, 0, SYN, window, 0, options.to_bytes())


def probe_input(table: TcpTable, probe: Probe, segment: Incoming) -> None:
    """Take a segment for a probe (RFC 9293 3.10.7.3): RST answers all that is not RST itself."""
    packet, flags, now = segment.packet, segment.flags, segment.now
    ends, client = probe.ends, probe.client
    named: dict[str, object] = {"peer": (ends.peer, ends.peer_port), "port": ends.port}
    right = bool(flags & ACK) and segment.header.ack == (probe.iss + 1) & _MASK
    if flags & RST and not right:
        packet.record(reason.TCP_RST_BAD_SEQ, **named, ahead=segment.header.seq, size=0)
        return
    opened = bool(flags & SYN) and right
    if not (flags & RST or opened):
        # Of an old connection between these ends, or SYN alone: the peer is to forget it.
        reject(table, segment, reason.TCP_NO_CONNECTION, **named)
        return
    packet.step("socket", "pick", {"owner": client.owner, "port": ends.port})
    if flags & RST:
        packet.trace.settle(Fate.ABSORBED, now)
    else:
        packet.trace.settle(Fate.ANSWERED, now)
        answer_reset(table, segment)
        table.answered_ttl(ends.peer, packet.header.ttl)
    net = table.networks.for_address(ends.peer)
    confirm(net, ends.peer, now, packet.interface.name)
    client.answers.append(SynAnswer(probe.number, opened, packet.header.ttl, now))
    client.wake()


def forget_probe(table: TcpTable, client: SynClient, number: int) -> None:
    """Take no answer to a probe any more, and give its port back; what still comes gets RST."""
    probe = client.probes.pop(number, None)
    if probe is not None:
        table.unregister(probe.ends, probe)


def close_client(table: TcpTable, client: SynClient) -> None:
    """Forget a client and what it waited for."""
    client.closed = True
    for number in list(client.probes):
        forget_probe(table, client, number)
