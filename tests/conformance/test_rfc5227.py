"""RFC 5227: probes and announcements of addresses, and conflicts."""

import pytest

from smolctl.stack.reason import shown
from smolctl.wire import arp
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, format_mac
from tests.conformance.kit import raw
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, OTHER_MAC, OUR_MAC, OURS, PEER, PEER_MAC, Host, ip, reply, request
from tests.ops.kit import Api


@pytest.fixture
def host() -> Host:
    return Host()


def test_rfc5227_1_1_a_probe_names_no_target_hardware() -> None:
    api = Api()
    api.run("arping.run", 60, dst=DEAD, mode="dad")
    probes = [frame.arp for _, frame in api.wire if frame.arp]
    assert len(probes) == 3
    assert {(probe.sender_ip, probe.target_ip) for probe in probes} == {(0, ip(DEAD))}
    assert {probe.target_mac for probe in probes} == {ZERO_MAC}


def test_rfc5227_2_1_an_address_is_tested_before_it_is_used() -> None:
    host = Host(bare=True)
    host.set("arp.dad", 1)
    host.add(f"{OURS}/24")
    host.receive(request(), request("0.0.0.0"))
    assert host.sent() == []  # not ours yet; and the second one had it tested, too
    for dad in (True, False):
        host = Host(bare=True)
        host.add(f"{OURS}/24", dad=dad)
        host.wait(60 * SECOND_NS)
        probes = [frame.arp for frame in host.sent() if frame.arp]
        assert bool(probes) is dad
        host.receive(request())
        assert len(host.sent()) == 1


def test_rfc5227_2_1_1_a_probe_is_a_broadcast_from_nobody(host: Host) -> None:
    host.add("10.0.0.7/24", dad=True)
    host.wait(60 * SECOND_NS)
    frames = raw(host)
    probe = "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a 00000000 000000000000"
    said = probe.replace("00000000 0", "0a000007 0")
    wanted = [bytes.fromhex(text + "0a000007") for text in [probe] * 3 + [said] * 2]
    assert frames == wanted


def test_rfc5227_2_1_1_a_probe_of_our_other_interface_is_no_conflict(host: Host) -> None:
    host.link("tap1", OTHER_MAC)
    host.add("10.0.0.7/24", dad=True)
    host.receive(request("0.0.0.0", "10.0.0.7", mac=OTHER_MAC))
    host.wait(60 * SECOND_NS)
    assert host.stack.ipv4.fib.is_local(ip("10.0.0.7"))


@pytest.mark.parametrize("policy", ["yield", "once", "always"])
def test_rfc5227_2_4_a_defence_is_one_broadcast_announcement(host: Host, policy: str) -> None:
    host.set("arp.defend", policy)
    host.receive(request(OURS, PEER), reply(OURS, OURS))
    frames = [(frame.dst, frame.arp) for frame in host.sent()]
    mine = arp.ArpPacket(arp.Op.REQUEST, OUR_MAC, ip(OURS), ZERO_MAC, ip(OURS))
    assert frames == [(BROADCAST_MAC, mine)] * (policy != "yield")
    host.poll()
    assert host.stack.ipv4.fib.is_local(ip(OURS)) == (policy == "always")


def test_rfc5227_2_4_the_operator_is_told_who_it_is(host: Host) -> None:
    host.set("arp.defend", "yield")
    host.receive(request(OURS, PEER))
    (told,) = (tally.detail for tally in host.stack.ledger.reasons.values())
    assert (shown(told)["ip"], shown(told)["mac"]) == (OURS, format_mac(PEER_MAC))
    host.poll()
    (address,) = host.tap.ipv4.addresses.items
    assert (address.dadfailed, address.other_mac) == (True, PEER_MAC)


def test_rfc5227_2_6_a_reply_is_not_broadcast(host: Host) -> None:
    for sender in ("10.0.0.2", "0.0.0.0"):
        host.receive(request(sender))
        (answer,) = host.sent()
        assert answer.arp is not None
        assert answer.arp.op == arp.Op.REPLY
        assert (answer.dst, answer.arp.sender_ip) == (PEER_MAC, ip(OURS))
