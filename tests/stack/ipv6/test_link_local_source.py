"""Packets from a link-local address to another address of the same stack, and their answers.

Linux does the same: the receiver sees the link of the source (``inet6_iif``, ``icmpv6_iif``).
"""

import pytest

from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from tests.kit.host import OTHER_MAC, ip, text
from tests.kit.host6 import OUR_LINK_LOCAL, OURS6, PEER6, Host6

ON_TAP1 = "2001:db8:1::1"


@pytest.fixture
def host() -> Host6:
    host = Host6()
    host.link("tap1", OTHER_MAC)
    host.add(f"{ON_TAP1}/64", "tap1")
    return host


def asked(host: Host6, proto: str, dst: str, dev: str | None = "tap0") -> dict[str, object]:
    question = Question(proto, ip(OUR_LINK_LOCAL), ip(dst), 0, 9, dev=dev)
    return verdict.tell(predict(host.stack, question, host.now))


@pytest.mark.parametrize("dst", [OURS6, OUR_LINK_LOCAL])
def test_a_ping_of_our_own_address_is_answered(host: Host6, dst: str) -> None:
    assert asked(host, "icmp", dst)["verdict"] == "answered"


def test_the_source_alone_says_on_which_link_it_is(host: Host6) -> None:
    assert asked(host, "icmp", ON_TAP1, None)["verdict"] == "answered"


@pytest.mark.parametrize(
    ("proto", "reason"), [("udp", "udp-port-closed"), ("tcp", "tcp-no-listener")]
)
def test_nobody_loses_the_answer_of_a_closed_port(host: Host6, proto: str, reason: str) -> None:
    row = asked(host, proto, OURS6)
    assert row["reason"] == reason
    assert f"[{OURS6}]:9" in str(row["why"])


def test_the_receiver_is_told_the_link(host: Host6) -> None:
    receiver = host.socket(5000, "::")
    sender = host.socket(0, OUR_LINK_LOCAL, "tap0")
    host.send(sender, OURS6, 5000)
    host.poll()
    datagram = receiver.receive()
    assert datagram is not None
    assert (text(datagram.src), datagram.dev) == (OUR_LINK_LOCAL, "tap0")


@pytest.mark.parametrize("proto", ["udp", "tcp", "icmp"])
def test_a_source_of_another_link_is_refused_in_words_and_not_by_an_error(
    host: Host6, proto: str
) -> None:
    row = asked(host, proto, "2001:db8:1::2", "tap1")
    assert row["reason"] == "tx-beyond-scope"
    assert asked(host, proto, PEER6, "tap1")["reason"] == "tx-no-route"
