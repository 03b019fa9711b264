"""The decision about a socket's datagrams to a destination, and what each of them has alone."""

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.config.rule import add_rule
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.neighbor.states import State
from smolctl.stack.trace.trace import Flow, Trace
from smolctl.stack.transport.udp.socket import UdpSocket
from tests.kit.host import OURS, PEER, Host, ip


@pytest.fixture
def host() -> Host:
    """Return a host that sends each datagram by the layered path."""
    host = Host()
    host.know(state=State.PERMANENT)
    host.stack.udp.learn_output = lambda *_: None
    return host


def send(host: Host, socket: UdpSocket, payload: bytes, port: int = 9) -> Trace:
    trace = Trace()
    host.stack.udp.send(socket, payload, ip(PEER), port, host.now, trace)
    return trace


def test_it_is_decided_once(host: Host) -> None:
    socket = host.socket(7)
    for payload in (b"a", b"bc", b"de"):
        send(host, socket, payload)
    assert len(host.stack.udp.outbound) == 1
    assert [frame.udp for frame in host.sent()] == [(7, 9, b"a"), (7, 9, b"bc"), (7, 9, b"de")]


def test_each_datagram_has_its_own_trace(host: Host) -> None:
    one, other = host.socket(7), host.socket(8)
    traces = [send(host, one, b"a"), send(host, other, b"bc"), send(host, one, b"bcd")]
    flows = [Flow("udp", None, 7, ip(PEER), 9, size, one) for size in (1, 3)]
    assert [traces[0].flow, traces[2].flow] == flows
    assert traces[1].flow == Flow("udp", None, 8, ip(PEER), 9, 2, other)
    stages = [[step.stage for step in trace.steps] for trace in traces]
    assert stages == [stages[0]] * 3  # the routes that were not taken are among them each time
    assert (stages[0][0], stages[0][-2:]) == ("socket", ["route", "neigh"])
    assert {trace.src for trace in traces} == {ip(OURS)}


def test_what_is_too_big_is_asked_about_again(host: Host) -> None:
    socket = host.socket(7)
    socket.pmtudisc = Pmtudisc.DO
    send(host, socket, bytes(1472))
    for size, why in ((1473, "tx-too-big"), (65508, "tx-payload-too-long")):
        with pytest.raises(SendRejected):
            send(host, socket, bytes(size))
        assert host.reasons()[why] == 1
    send(host, socket, bytes(1472))
    assert socket.tx_datagrams == 2


def test_what_is_too_big_for_one_packet_leaves_in_pieces(host: Host) -> None:
    socket = host.socket(7)
    socket.pmtudisc = Pmtudisc.DONT
    sizes = []
    for size in (1472, 1473, 1472):
        send(host, socket, bytes(size))
        sizes.append(len(host.take()))
    assert sizes == [1, 2, 1]


def test_another_port_and_another_configuration_are_decided_anew(host: Host) -> None:
    socket = host.socket(7)
    send(host, socket, b"a")
    send(host, socket, b"a", 5)
    rule = Rule(10, action=RuleAction.PROHIBIT, dport=(5, 5), ipproto=17)
    add_rule(host.stack.ipv4, rule)
    send(host, socket, b"a")
    with pytest.raises(SendRejected):
        send(host, socket, b"a", 5)
    assert host.reasons() == {"tx-rule-prohibit": 1}
