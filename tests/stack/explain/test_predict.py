"""Predictions for a port that several sockets share (SO_REUSEADDR), and for broadcasts."""

import pytest

from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import ethernet
from tests.kit.host import OURS, PEER, Host, ip, udp_frame


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def pair(host: Host) -> list[UdpSocket]:
    host.know(PEER)
    return [host.socket(7, reuse=True, owner=owner) for owner in ("first", "second")]


@pytest.mark.parametrize("connected", [None, 0, 1])
def test_of_two_the_one_that_gets_a_datagram_is_named(
    host: Host, pair: list[UdpSocket], connected: int | None
) -> None:
    if connected is not None:
        host.stack.udp.connect(pair[connected], ip(PEER), 9)
    trace = predict(host.stack, Question("udp", ip(PEER), ip(OURS), 9, 7, iif="tap0"), host.now)
    told = verdict.verdict(trace)
    host.receive(udp_frame(9, 7))
    (owner,) = [socket.owner for socket in pair if socket.receive()]
    assert owner == ("first" if connected == 0 else "second")
    assert told.startswith("delivered to ")
    assert told.endswith(f":7 ({owner})")


@pytest.mark.parametrize("connected", [None, 0, 1])
def test_of_two_the_one_that_hears_the_answer_is_the_sender(
    host: Host, pair: list[UdpSocket], connected: int | None
) -> None:
    pair[0].ttl, pair[1].ttl = 5, 6
    if connected is not None:
        host.stack.udp.connect(pair[connected], ip(PEER), 9)
    trace = predict(host.stack, Question("udp", ip(OURS), ip(PEER), 7, 9), host.now)
    assert trace.frame[ethernet.HEADER_LEN + 8] == (5 if connected == 0 else 6), "its TTL"


def test_everybody_is_asked_only_when_that_is_wanted(host: Host) -> None:
    """As by ping and ping -b of iputils (Linux raw_sendmsg: EACCES without SO_BROADCAST)."""
    for dst in ("10.0.0.255", "255.255.255.255"):
        question = Question("icmp", None, ip(dst), dev="tap0")
        denied = predict(host.stack, question, host.now)
        assert verdict.verdict(denied) == "not sent - tx-broadcast-denied"
        wanted = predict(host.stack, question._replace(broadcast=True), host.now)
        assert verdict.verdict(wanted) == "sent by tap0"
