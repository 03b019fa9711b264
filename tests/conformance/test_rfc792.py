"""RFC 792: the formats of ICMP, with scapy as the other side."""

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from tests.kit.host import OURS, PEER, Host, icmp_frame, udp_frame, udp_packet


@pytest.fixture
def host() -> Host:
    host = Host()
    host.know()
    return host


def test_rfc792_formats_an_error_has_protocol_1_and_service_0(host: Host) -> None:
    marked = Ether(udp_frame())
    marked[IP].tos = 0xB8
    del marked[IP].chksum
    host.set("icmp.error_tos", "zero")
    host.receive(bytes(marked))
    (answer,) = host.sent()
    assert answer.ip is not None
    assert (answer.ip.protocol, answer.ip.dscp_ecn) == (1, 0)
    assert ICMP(answer.payload).type == 3


@pytest.mark.parametrize("code", range(6))
def test_rfc792_unreachable_all_codes_reach_the_sender(host: Host, code: int) -> None:
    socket = host.socket(5000)
    quoted = udp_packet(5000, 9, src=OURS, dst=PEER)
    host.receive(icmp_frame(3, code, 1400, quoted, "10.0.0.3"))
    (error,) = socket.errors
    assert (error.dst, error.dport) == (quoted[16] << 24 | 2, 9)
