"""RFC 1812: what a forwarding host takes from the requirements for routers."""

import pytest

from smolctl.stack.neighbor.states import State
from smolctl.wire import icmpv4
from tests.kit.host import Host, echo_request, frame_of, packet_of, udp_frame, udp_packet


@pytest.fixture
def host() -> Host:
    host = Host()
    host.know(state=State.PERMANENT)
    return host


@pytest.mark.parametrize("ttl", [1, 2, 255])
def test_rfc1812_4_3_2_2_an_error_has_a_time_to_live_of_its_own(host: Host, ttl: int) -> None:
    host.receive(frame_of(packet_of(17, udp_packet()[20:], ttl=ttl)))
    (answer,) = host.sent()
    assert answer.ip is not None
    assert answer.ip.ttl == 64


def test_rfc1812_4_3_3_3_source_quench_is_never_sent(host: Host) -> None:
    socket = host.socket(7)
    socket.rcvbuf = 300
    host.receive(*[udp_frame(payload=bytes(100)) for _ in range(50)])
    assert host.reasons()["udp-rcvbuf-full"] > 40
    assert [frame for frame in host.sent() if frame.icmp.type == icmpv4.Type.SOURCE_QUENCH] == []


@pytest.mark.parametrize("size", [576 - 28, 1500 - 28])
def test_rfc1812_4_3_3_6_an_echo_of_the_mtu_is_answered(host: Host, size: int) -> None:
    data = bytes(n & 0xFF for n in range(size))
    host.receive(echo_request(data=data))
    (answer,) = host.sent()
    assert answer.icmp.body == data
