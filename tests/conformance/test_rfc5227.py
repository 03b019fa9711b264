"""RFC 5227: probes and announcements of addresses, and conflicts."""

import pytest

from smolctl.wire import addr, arp
from tests.api.kit import Api
from tests.stack.kit import DEAD, OURS, PEER_MAC, Host, ip, request


@pytest.fixture
def host() -> Host:
    return Host()


def test_rfc5227_1_1_a_probe_names_no_target_hardware() -> None:
    api = Api()
    api.run("arping.run", 60, dst=DEAD, mode="dad")
    probes = [frame.arp for _, frame in api.wire if frame.arp]
    assert len(probes) == 3
    assert {(probe.sender_ip, probe.target_ip) for probe in probes} == {(0, ip(DEAD))}
    assert {probe.target_mac for probe in probes} == {addr.ZERO_MAC}


def test_rfc5227_2_6_a_reply_is_not_broadcast(host: Host) -> None:
    for sender in ("10.0.0.2", "0.0.0.0"):
        host.receive(request(sender))
        (answer,) = host.sent()
        assert answer.arp is not None
        assert answer.arp.op == arp.Op.REPLY
        assert (answer.dst, answer.arp.sender_ip) == (PEER_MAC, ip(OURS))
