"""Situations of connections between two stacks, whose causes are known to those who read on."""

from collections.abc import Callable
from typing import Any, Protocol

from smolctl.cli.nouns import why_text
from smolctl.stack.explain.connection import tell_connection
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.explain.verdict import tell
from smolctl.stack.stack import Stack
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.wire import ethernet, ipv4, tcp
from smolctl.wire import ipv6 as ipv6_header
from smolctl.wire.tcp import TcpHeader
from tests.cli.kit import output
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, Host, frame_of, icmp_frame, ip, packet_of
from tests.kit.tcp import CLIENT, SERVER, Pair

CLIENT_END, SERVER_END = 0, 1


class HasStack(Protocol):
    """One end of a connection: a stack, and the time there."""

    @property
    def stack(self) -> Stack: ...

    @property
    def now(self) -> int: ...


def told(host: HasStack, ends: Ends) -> list[str]:
    """Return what ``why tcp`` says of the connection between two ends: steps of TCP, and below."""
    row = tell_connection(host.stack.tcp, ends, host.now)
    assert row is not None, "nothing is known of it"
    return shown(row)


def predicted(host: Host, dst: str, port: int) -> list[str]:
    """Return the verdict of ``why tcp`` on an attempt to connect, and what is below."""
    asked = Question("tcp", None, ip(dst), dport=port)
    lines = shown(tell(predict(host.stack, asked, host.now)))
    return [line for line in lines if not line.startswith("tcp")]  # random numbers are in it


def shown(row: dict[str, Any]) -> list[str]:
    steps = [step for step in row["steps"] if step["stage"] in ("tcp", "icmp", "size")]
    lines = [f"{step['stage']:<5}{step['result']:<7}{step['text']}" for step in steps]
    return [
        *lines,
        f"verdict: {row['verdict']}",
        f"why:     {row['why']}",
        *(f"fix:     {fix}" for fix in row["fix"]),
        *(line for line in why_text.what_helps(row, output()) if line.startswith("look")),
        f"exit {0 if row['ok'] else 1}",
    ]


def wanted(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


# --- the wire -------------------------------------------------------------------------------------


def header_of(frame: bytes) -> TcpHeader | None:
    """Return the TCP header of a frame; None for anything else."""
    packet = frame[ethernet.HEADER_LEN :]
    if packet[0] >> 4 == 6 and packet[6] == ipv4.Protocol.TCP:
        header6 = ipv6_header.parse(packet)
        assert isinstance(header6, ipv6_header.Ipv6Header)
        parsed6 = tcp.parse(packet[40:], header6.src, header6.dst)
        assert isinstance(parsed6, TcpHeader), parsed6
        return parsed6
    if frame[12:14] != b"\x08\x00":
        return None
    header = ipv4.parse(packet)
    assert isinstance(header, ipv4.Ipv4Header)
    if header.protocol != ipv4.Protocol.TCP:
        return None
    parsed = tcp.parse(ipv4.payload(packet, header), header.src, header.dst)
    assert isinstance(parsed, TcpHeader), parsed
    return parsed


Loses = Callable[[int, TcpHeader, bytes], bool]
"""Takes the end that sends, a segment's header, and its frame; tells whether it is lost."""


def wire(loses: Loses, *, ipv6: bool = False) -> Pair:
    """Return two stacks on a wire that loses some segments."""

    def treat(end: int, frame: bytes) -> list[tuple[int, bytes]]:
        header = header_of(frame)
        return [] if header is not None and loses(end, header, frame) else [(0, frame)]

    return Pair(treat=treat, ipv6=ipv6)


def segment(header: TcpHeader, src: str, dst: str, ttl: int = 64) -> bytes:
    """Return a packet with a segment."""
    data = header.to_bytes(b"", ip(src), ip(dst))
    return packet_of(ipv4.Protocol.TCP, data, src, dst, ttl=ttl)


def box_refuses(ttl: int) -> Pair:
    """Return two stacks between which a box answers SYNs of port 23 with RST."""
    pair: Pair

    def loses(end: int, header: TcpHeader, frame: bytes) -> bool:
        if header.dport != 23:
            return False
        reset = TcpHeader(23, header.sport, 0, header.seq + 1, 0, tcp.RST | tcp.ACK, 0)
        answer = segment(reset, SERVER, CLIENT, ttl)
        pair.client.receive(frame_of(answer, to=OUR_MAC, by=OTHER_MAC))
        return True

    pair = wire(loses)
    return pair


def router_says(kind: int, code: int, rest: int = 0, *, over: int = 0) -> Pair:
    """Return two stacks between which a router refuses what is larger than a size."""
    pair: Pair

    def loses(end: int, header: TcpHeader, frame: bytes) -> bool:
        if end != CLIENT_END or len(frame) - ethernet.HEADER_LEN <= over:
            return False
        quote = frame[ethernet.HEADER_LEN :][:48]
        pair.client.receive(icmp_frame(kind, code, rest, quote, "10.0.0.9"))
        return True

    pair = wire(loses)
    return pair


def flow(pair: Pair, source: TcpSocket, sink: TcpSocket, size: int, seconds: float = 60) -> None:
    """Send some data from one end to the other, all of which must arrive."""
    assert pair.transfer(source, sink, bytes(size), round(seconds * SECOND_NS)) == bytes(size)
