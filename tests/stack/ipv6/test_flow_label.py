"""Flow labels of what is sent (RFC 6437), as Linux makes them."""

import pytest

from tests.kit.host6 import PEER6, Host6, echo6_request, frame6_of, icmp6_packet, packet6_of


@pytest.fixture
def host() -> Host6:
    host = Host6()
    host.know(PEER6)
    host.know("2001:db8::3")
    return host


def label(host: Host6, port: int, dst: str = PEER6, sport: int = 7) -> int:
    socket = host.socket(sport, "::")
    host.send(socket, dst, port)
    host.stack.udp.close(socket)
    (sent,) = host.sent6()
    return sent.ip.flow_label


def test_all_packets_of_a_flow_have_one_label_and_other_flows_others(host: Host6) -> None:
    labels = [label(host, 9), label(host, 9), label(host, 10), label(host, 9, "2001:db8::3")]
    assert labels[0] == labels[1]
    assert len(set(labels)) == 3
    assert all(0x80000 <= each <= 0xFFFFF for each in labels)


def test_the_fragments_of_a_packet_have_its_label(host: Host6) -> None:
    host.send(host.socket(7, "::"), PEER6, 9, bytes(3000))
    assert len({each.ip.flow_label for each in host.sent6()}) == 1


def test_another_stack_makes_other_labels() -> None:
    one, other = Host6(random=0.1), Host6(random=0.2)
    for each in (one, other):
        each.know(PEER6)
    assert label(one, 9) != label(other, 9)


@pytest.mark.parametrize(("level", "made"), [(0, False), (1, True), (2, False), (3, True)])
def test_labels_can_be_switched_off(host: Host6, level: int, made: bool) -> None:
    host.set("ip6.auto_flowlabels", level)
    assert (label(host, 9) != 0) is made


@pytest.mark.parametrize("wanted", [0, 1, 0xFFFFF])
def test_a_socket_may_ask_for_its_own(host: Host6, wanted: int) -> None:
    socket = host.socket(7, "::")
    socket.flow_label = wanted
    host.send(socket, PEER6)
    (sent,) = host.sent6()
    assert sent.ip.flow_label == wanted


def test_neighbor_discovery_has_none() -> None:
    host = Host6()
    host.send(host.socket(7, "::"), PEER6)
    (asked,) = host.sent6()
    assert asked.ip.flow_label == 0


@pytest.mark.parametrize(("bits", "same"), [(0, False), (3, False), (4, True), (7, True)])
def test_an_echo_reply_may_have_the_label_of_its_request(
    host: Host6, bits: int, same: bool
) -> None:
    host.set("ip6.flowlabel_reflect", bits)
    body = icmp6_packet(128, 0, 1 << 16, b"abc")[40:]
    host.receive(frame6_of(packet6_of(58, body, flow=0x12345)), echo6_request())
    first, _ = host.sent6()
    assert (first.ip.flow_label == 0x12345) is same
