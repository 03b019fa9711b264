"""Probes: each segment that comes for one has one fate, and leaves nothing behind."""

import pytest

from smolctl.errors import NoBuffers
from smolctl.stack.explain.connection import tell_connection
from smolctl.stack.ip.protocol import SendOptions
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.tcp.probe import Probe, SynAnswer, SynClient
from smolctl.stack.transport.tcp.probing import close_client, open_client, send_probe
from smolctl.stack.transport.tcp.table import TcpTable
from smolctl.wire import icmpv4, tcp
from smolctl.wire.tcp import ACK, FIN, RST, SYN, TcpHeader
from tests.kit.clock import MILLISECOND_NS
from tests.kit.host import OURS, PEER, Host, frame_of, icmp_frame, ip, packet_of, see

MASK = 0xFFFFFFFF


class Asked:
    """A host that has asked port 80 of its peer."""

    def __init__(self) -> None:
        self.host = Host()
        self.host.know()
        self.table: TcpTable = self.host.stack.tcp
        self.client: SynClient = open_client(self.table, ip(PEER), "test")
        self.send()
        self.probe: Probe = self.client.probes[1]

    def send(self, number: int = 1) -> Trace:
        trace = Trace()
        how = SendOptions()
        send_probe(self.table, self.client, (number, 80), how, self.host.now, trace)
        self.frame = see(self.host.take()[-1])
        return trace

    def answer(self, flags: int, ahead: int = 1) -> tuple[Fate | None, list[TcpHeader]]:
        """Have a segment come in; return its fate, and what it is answered with."""
        fates: list[Fate | None] = []
        stack = self.host.stack
        listener = lambda trace: fates.append(trace.fate)  # noqa: E731
        stack.watch(listener, everything=True)
        ends = self.probe.ends
        ack = self.probe.iss + ahead & MASK if flags & ACK else 0
        header = TcpHeader(80, ends.port, 7000, ack, 0, flags, 1000)
        segment = header.to_bytes(b"", ip(PEER), ip(OURS))
        self.host.receive(frame_of(packet_of(6, segment)))
        stack.unwatch(listener)
        sent = []
        for frame in map(see, self.host.take()):
            assert frame.ip is not None
            parsed = tcp.parse(frame.payload, frame.ip.src, frame.ip.dst)
            assert isinstance(parsed, TcpHeader)
            sent.append(parsed)
        return fates[0], sent


@pytest.mark.parametrize(
    ("flags", "ahead", "fate", "opens", "answered"),
    [
        (SYN | ACK, 1, Fate.ANSWERED, True, RST),
        (RST | ACK, 1, Fate.ABSORBED, False, None),
        (RST | ACK, 2, Fate.DROPPED, None, None),
        (RST, 0, Fate.DROPPED, None, None),
        (SYN | ACK, 2, Fate.REJECTED, None, RST),
        (ACK, 1, Fate.REJECTED, None, RST),
        (SYN, 0, Fate.REJECTED, None, RST | ACK),
        (FIN | ACK, 1, Fate.REJECTED, None, RST),
    ],
)
def test_what_answers_a_syn(
    flags: int, ahead: int, fate: Fate, opens: bool | None, answered: int | None
) -> None:
    asked = Asked()
    got, sent = asked.answer(flags, ahead)
    assert got is fate
    assert [(each.flags, each.seq) for each in sent] == (
        [] if answered is None
        else [(answered, asked.probe.iss + ahead & MASK if flags & ACK else 0)]
    )  # fmt: skip
    answers = list(asked.client.answers)
    expected = [] if opens is None else [SynAnswer(1, opens, 64, asked.host.now)]
    assert answers == expected
    assert asked.client.ready == bool(answers)
    assert list(asked.table.connections.values()) == [asked.probe]
    close_client(asked.table, asked.client)
    assert not asked.table.connections
    assert asked.host.stack.deadline() is None or not asked.table.pending


def test_a_syn_is_sent_again_with_the_same_numbers() -> None:
    asked = Asked()
    first = asked.frame.payload[:8]
    asked.host.wait(MILLISECOND_NS)
    asked.send()
    assert asked.frame.payload[:8] == first
    asked.send(2)
    assert asked.frame.payload[:2] != first[:2]
    assert len(asked.table.connections) == 2


def test_an_icmp_error_counts_only_if_it_quotes_our_number() -> None:
    asked = Asked()
    assert asked.frame.ip is not None
    quoted = asked.frame.ip.to_bytes() + asked.frame.payload[:8]
    wrong = quoted[:-4] + bytes(4)
    kind = icmpv4.Type.DEST_UNREACHABLE
    asked.host.receive(icmp_frame(kind, 13, 0, wrong))
    assert not asked.client.errors
    asked.host.receive(icmp_frame(kind, 13, 0, quoted))
    (told,) = asked.client.errors
    assert (told.number, told.error.reason.name) == (1, "icmp-prohibited")


def test_why_tells_a_probe_from_a_connection() -> None:
    asked = Asked()
    row = tell_connection(asked.table, asked.probe.ends, asked.host.now)
    assert row is not None
    assert row["verdict"] == "a probe, not a connection"
    assert row["why"].startswith("no answer to 1 SYN of test")


def test_ports_that_run_out_are_told() -> None:
    asked = Asked()
    asked.host.set("ip.local_port_first", 40000)
    asked.host.set("ip.local_port_last", 40001)
    asked.send(2)
    asked.send(3)
    with pytest.raises(NoBuffers, match="all ephemeral ports"):
        asked.send(4)
    assert len(asked.client.probes) == 3
