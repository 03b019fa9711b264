"""The host model, and all that stacks do differently: each sysctl in both positions."""

import pytest

from smolctl.errors import InvalidArgument, NoBuffers, SendRejected
from smolctl.stack.config.addr import add_address
from smolctl.stack.config.link import set_up
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.route import InsertMode, RouteType, Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import BROADCAST_MAC
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    ip,
    reply,
    request,
    text,
    udp_frame,
)

HERE, THERE = "10.7.0.1", "10.7.0.2"


@pytest.fixture
def host() -> Host:
    """A host on two networks: 10.0.0.0/24 by tap0, 10.7.0.0/24 by tap1."""
    host = Host()
    host.link("tap1")
    host.add(f"{HERE}/24", "tap1")
    return host


def way(host: Host, dst: str, src: str | None = None, dev: str | None = None) -> tuple[str, ...]:
    """Return device, next hop and source of a packet, or the reason why it goes no way."""
    found = route_output(host.stack.ipv4, RouteKey(ip(dst), None if src is None else ip(src), dev))
    if isinstance(found, Refusal):
        return (found.reason.name,)
    assert isinstance(found, Way)
    return found.interface.name, text(found.next_hop), text(found.src or 0)


# --- what an address owns -------------------------------------------------------------------------


def test_an_address_of_lo_owns_its_network_or_itself(host: Host) -> None:
    socket = host.socket(9)
    host.send(host.socket(), "127.0.0.2")
    host.poll()
    assert socket.rx_datagrams == 1
    host.set("ip.local_prefix", 0)
    trace = host.send(host.socket(), "127.0.0.2")
    host.poll()
    assert trace.reason is not None
    assert trace.reason.name == "ip-dst-not-ours"
    assert "smolctl addr add 127.0.0.2/8 dev lo" in trace.reason.fixes(trace.detail)
    host.send(host.socket(), "127.0.0.1")
    host.add("127.0.0.2/8", "lo", Scope.HOST)
    host.send(host.socket(), "127.0.0.2")
    host.poll()
    assert socket.rx_datagrams == 3


@pytest.mark.parametrize("key", ["ip.local_prefix", "ip.subnet_broadcast"])
def test_a_sysctl_that_derives_routes_can_be_taken_back(host: Host, key: str) -> None:
    def routes() -> set[tuple[object, ...]]:
        return {(route.prefix, route.plen, *route.identity()) for route in host.stack.ipv4.fib}

    before = routes()
    host.set(key, 0)
    assert routes() != before
    host.add("10.8.0.1/24", "lo")
    host.delete("10.8.0.1", "lo")
    set_up(host.stack.shared, host.tap, False, host.now)
    set_up(host.stack.shared, host.tap, True, host.now)
    host.set(key, 1)
    assert routes() == before


def test_the_last_address_of_a_network_is_everybody_or_a_host(host: Host) -> None:
    assert route_output(host.stack.ipv4, RouteKey(ip("10.0.0.255"))).type == "broadcast"  # type: ignore[union-attr]
    host.set("ip.subnet_broadcast", 0)
    host.send(host.socket(), "10.0.0.255")
    (asked,) = host.sent()
    assert asked.arp is not None
    assert asked.arp.target_ip == ip("10.0.0.255")


def test_a_packet_to_ourselves_stays_inside_or_asks_the_wire(host: Host) -> None:
    assert way(host, OURS) == ("lo", OURS, OURS)
    host.set("ip.loopback_own", 0)
    assert way(host, OURS) == ("tap0", OURS, OURS)
    assert way(host, "127.0.0.2") == ("lo", "127.0.0.2", "127.0.0.1")
    host.send(host.socket(), OURS)
    (asked,) = host.sent()
    assert asked.arp is not None
    assert (asked.arp.sender_ip, asked.arp.target_ip) == (ip(OURS), ip(OURS))
    set_up(host.stack.shared, host.tap, False, host.now)
    assert way(host, OURS) == ("tx-iface-down",)


def test_asking_the_wire_for_ourselves_says_how_to_end_it(host: Host) -> None:
    host.set("ip.loopback_own", 0)
    host.socket(9)
    trace = host.send(host.socket(), OURS)
    host.wait(4 * SECOND_NS)
    assert trace.reason is not None
    assert trace.reason.name == "neigh-failed"
    assert trace.reason.fixes(trace.detail) == ["smolctl sysctl ip.loopback_own=1"]


# --- which way ------------------------------------------------------------------------------------


def test_the_longest_prefix_comes_first_or_what_is_on_the_link(host: Host) -> None:
    host.route("10.0.0.9/32", via=THERE)
    host.route("10.0.0.8/32", kind=RouteType.BLACKHOLE)
    assert way(host, "10.0.0.9") == ("tap1", THERE, HERE)
    assert way(host, "10.0.0.8") == ("tx-route-blackhole",)
    host.set("ip.onlink_first", 1)
    assert way(host, "10.0.0.9") == ("tap0", "10.0.0.9", OURS)
    assert way(host, "10.0.0.8") == ("tap0", "10.0.0.8", OURS)
    assert way(host, OURS) == ("lo", OURS, OURS)
    assert route_output(host.stack.ipv4, RouteKey(ip("10.0.0.255"))).type == "broadcast"  # type: ignore[union-attr]
    assert way(host, "10.0.0.9", dev="tap1") == ("tap1", THERE, HERE)


def test_a_route_that_was_overruled_is_told(host: Host) -> None:
    host.route("10.0.0.9/32", via=THERE)
    host.set("ip.onlink_first", 1)
    trace = predict(host.stack, Question("udp", None, ip("10.0.0.9"), dport=9), host.now)
    causes = [getattr(step.facts, "cause", None) for step in trace.steps if step.stage == "route"]
    assert "policy" in causes


def test_the_source_is_that_of_the_network_or_the_first(host: Host) -> None:
    host.add("10.5.0.1/24")
    assert way(host, "10.5.0.2") == ("tap0", "10.5.0.2", "10.5.0.1")
    host.set("ip.first_source", 1)
    assert way(host, "10.5.0.2") == ("tap0", "10.5.0.2", OURS)
    host.route("8.8.8.0/24", via=PEER, src=HERE)
    assert way(host, "8.8.8.8") == ("tap0", PEER, HERE)


def test_rfc1122_3_3_4_2_a_strong_host_sends_each_address_by_its_interface(host: Host) -> None:
    assert way(host, THERE, OURS) == ("tap1", THERE, OURS)
    host.set("ip.strong_host", 1)
    assert way(host, THERE, OURS) == ("tx-wrong-iface",)
    assert way(host, THERE, HERE) == ("tap1", THERE, HERE)
    assert way(host, THERE) == ("tap1", THERE, HERE)
    host.route("0.0.0.0/0", via=PEER)
    assert way(host, THERE, OURS) == ("tap0", PEER, OURS)
    assert way(host, HERE, OURS) == ("lo", HERE, OURS)
    assert way(host, "255.255.255.255", OURS, "tap1") == ("tx-wrong-iface",)


def test_a_strong_host_borrows_no_source(host: Host) -> None:
    host.delete(HERE, "tap1")
    assert way(host, THERE, dev="tap1") == ("tap1", THERE, OURS)
    host.set("ip.strong_host", 1)
    with pytest.raises(SendRejected) as caught:
        host.send(host.socket(dev="tap1"), THERE)
    assert caught.value.code == "tx-no-source"


def test_a_refused_source_tells_whose_it_is(host: Host) -> None:
    host.set("ip.strong_host", 1)
    with pytest.raises(SendRejected) as caught:
        host.send(host.socket(local=OURS), THERE)
    assert caught.value.message == (
        f"source {OURS} may not leave by tap1: it belongs to tap0, and no route to {THERE} leads"
        " by that one"
    )
    assert caught.value.hint == "smolctl sysctl ip.strong_host=0"


# --- the way in -----------------------------------------------------------------------------------


def test_rfc1122_3_3_4_2_an_address_is_the_hosts_or_its_interfaces(host: Host) -> None:
    host.socket(7)
    host.receive(udp_frame(dst=HERE), udp_frame(dst="10.7.0.255", to=BROADCAST_MAC))
    assert host.reasons() == {}
    host.set("ip.strong_host", 1)
    host.receive(udp_frame(dst=HERE), udp_frame(dst="10.7.0.255", to=BROADCAST_MAC))
    assert host.reasons() == {"ip-dst-other-iface": 2}
    host.receive(udp_frame(), udp_frame(dst="255.255.255.255", to=BROADCAST_MAC))
    assert host.reasons() == {"ip-dst-other-iface": 2}


def test_an_address_that_two_interfaces_have_is_taken_by_both(host: Host) -> None:
    host.add(f"{OURS}/24", "tap1")
    host.set("ip.strong_host", 1)
    host.socket(7)
    host.receive(udp_frame())
    host.receive(udp_frame(to=OTHER_MAC), dev="tap1")
    assert host.reasons() == {}


@pytest.mark.parametrize(
    ("src", "strict", "loose"),
    [
        (PEER, True, True),
        (THERE, False, True),
        ("8.8.8.8", False, False),
        ("9.9.9.9", False, False),
        ("0.0.0.0", True, True),
    ],
)
def test_rfc3704_a_source_that_could_not_be_answered(
    host: Host, src: str, strict: bool, loose: bool
) -> None:
    host.route("9.9.9.0/24", kind=RouteType.BLACKHOLE)
    host.socket(7)
    for level, passes in ((0, True), (1, strict), (2, loose)):
        before = host.reasons().get("ip-reverse-path", 0)
        host.set("ip.rp_filter", level)
        host.receive(udp_frame(src=src, dst="255.255.255.255", to=BROADCAST_MAC))
        assert host.reasons().get("ip-reverse-path", 0) - before == (not passes)


def test_the_reverse_path_filter_tests_who_asks_as_well(host: Host) -> None:
    host.set("ip.rp_filter", 1)
    host.receive(request(THERE), request("0.0.0.0"), request(PEER))
    assert len(host.sent()) == 2
    assert host.reasons() == {"ip-reverse-path": 1}
    assert host.neighbor(THERE) is None


def test_loose_is_strict_without_an_address(host: Host) -> None:
    host.delete(HERE, "tap1")
    host.set("ip.rp_filter", 2)
    host.receive(udp_frame(to=OTHER_MAC), dev="tap1")
    assert host.reasons() == {"ip-reverse-path": 1}


# --- ARP ------------------------------------------------------------------------------------------


def answers(host: Host, sender: str, target: str) -> bool:
    host.receive(request(sender, target))
    return any(frame.arp is not None and frame.arp.op == 2 for frame in host.sent())


@pytest.mark.parametrize(
    ("sender", "target", "levels"),
    [
        (PEER, OURS, (True, True, True)),
        ("0.0.0.0", OURS, (True, True, True)),
        (PEER, HERE, (True, False, False)),
        (PEER, "10.9.9.9", (True, False, False)),
        ("8.8.8.8", OURS, (True, True, False)),
        (PEER, "10.5.0.1", (True, True, False)),
        ("0.0.0.0", "10.9.9.9", (True, False, False)),
    ],
)
def test_who_is_answered_at_each_level_of_arp_ignore(
    host: Host, sender: str, target: str, levels: tuple[bool, ...]
) -> None:
    host.add("10.5.0.1/24")
    host.add("10.9.9.9/32", "lo")
    for level, answered in enumerate(levels):
        host.set("arp.ignore", level)
        assert answers(host, sender, target) is answered
    ignored = levels.count(False)
    assert host.reasons().get("arp-ignored", 0) == ignored


def test_rfc5227_a_probe_is_answered_or_not(host: Host) -> None:
    assert answers(host, "0.0.0.0", OURS)
    host.set("arp.answer_probes", 0)
    assert not answers(host, "0.0.0.0", OURS)
    assert host.reasons() == {"arp-ignored": 1}
    assert answers(host, PEER, OURS)


@pytest.mark.parametrize(
    ("source", "target", "senders"),
    [
        (OURS, PEER, (OURS, OURS, OURS)),
        (HERE, PEER, (HERE, OURS, OURS)),
        ("10.0.0.7", PEER, ("10.0.0.7", "10.0.0.7", OURS)),
    ],
)
def test_whose_address_a_request_bears_at_each_level_of_arp_announce(
    host: Host, source: str, target: str, senders: tuple[str, ...]
) -> None:
    host.add("10.0.0.7/24")  # a secondary
    for level, sender in enumerate(senders):
        host.set("arp.announce", level)
        host.send(host.socket(local=source), f"10.0.0.{20 + level}")
        (asked,) = host.sent()
        assert asked.arp is not None
        assert text(asked.arp.sender_ip) == sender


def test_only_answers_to_our_own_questions_are_learned(host: Host) -> None:
    host.set("arp.accept_from", "solicited")
    host.set("arp.accept", 1)
    assert answers(host, PEER, OURS)
    assert host.neighbor(PEER) is None
    host.receive(reply(DEAD))
    assert host.neighbor(DEAD) is None
    host.send(host.socket(), PEER)
    host.receive(reply())
    entry = host.neighbor(PEER)
    assert entry is not None
    assert entry.state is State.REACHABLE
    host.wait(2 * SECOND_NS)
    host.receive(reply(mac=OTHER_MAC), request(mac=OTHER_MAC), request(PEER, PEER, OTHER_MAC))
    assert entry.lladdr == PEER_MAC
    assert host.reasons()["arp-unsolicited"] == 3
    tally = {why.name: tally for (why, _), tally in host.stack.ledger.reasons.items()}
    assert tally["arp-unsolicited"].detail["value"] == "any"


# --- how many -------------------------------------------------------------------------------------


def test_an_interface_may_have_so_many_addresses(host: Host) -> None:
    host.set("iface.max_addr_count", 2)
    host.add("10.0.0.3/24")
    with pytest.raises(NoBuffers) as caught:
        host.add("10.0.0.4/24")
    assert caught.value.message == "tap0 has 2 addresses already, and iface.max_addr_count is 2"
    assert caught.value.hint == "smolctl sysctl iface.max_addr_count=3"
    assert len(host.tap.ipv4.addresses.items) == 2
    host.add("10.7.0.3/24", "tap1")
    again = Address(ip("10.0.0.3"), 24, Scope.GLOBAL, "tap0")
    with pytest.raises(Exception, match="already assigned"):
        add_address(host.stack.ipv4, host.tap, again)


def test_an_interface_may_have_so_many_routes(host: Host) -> None:
    host.set("iface.max_route_count", 1)
    host.route("0.0.0.0/0", via=PEER)
    with pytest.raises(NoBuffers, match="tap0 has 1 routes already"):
        host.route("8.0.0.0/8", via=PEER)
    host.route("0.0.0.0/0", via="10.0.0.3", mode=InsertMode.REPLACE)
    host.route("0.0.0.0/0", via="10.0.0.4", mode=InsertMode.CHANGE)
    with pytest.raises(NoBuffers):
        host.route("0.0.0.0/0", via="10.0.0.5", mode=InsertMode.APPEND)
    host.route("8.0.0.0/8", kind=RouteType.BLACKHOLE)
    host.route("9.0.0.0/8", via=THERE)


# --- how they are set -----------------------------------------------------------------------------


def test_a_choice_is_set_by_its_words(host: Host) -> None:
    for word in ("any", "subnet", "solicited", "ANY"):
        host.set("arp.accept_from", word)
    with pytest.raises(InvalidArgument) as caught:
        host.set("arp.accept_from", "all")
    assert caught.value.message == 'arp.accept_from: "all" is not any, subnet or solicited'
    assert caught.value.hint == "smolctl sysctl arp.accept_from=any"


def test_a_sysctl_that_is_refused_changes_no_route(host: Host) -> None:
    before = host.stack.generation.number
    with pytest.raises(InvalidArgument):
        host.set("ip.local_prefix", 2)
    assert host.stack.generation.number == before


@pytest.mark.parametrize("key", ["ip.strong_host", "ip.rp_filter", "ip.loopback_own"])
def test_a_known_flow_minds_a_sysctl_at_once(host: Host, key: str) -> None:
    listener, sender = host.socket(7), host.socket(8, OURS)
    host.know(THERE, dev="tap1")
    for _ in range(3):
        host.receive(udp_frame(src=PEER, dst=HERE))
        host.stack.udp.send(sender, b"x", ip(THERE), 9, host.now)
        host.stack.udp.send(sender, b"x", ip(OURS), 7, host.now)
    host.poll()
    before = listener.rx_datagrams
    assert before == 6
    host.sent("tap1")
    host.set(key, 1 - host.settings[key])
    host.receive(udp_frame(src=THERE if key == "ip.rp_filter" else PEER, dst=HERE))
    if key == "ip.strong_host":
        with pytest.raises(SendRejected):
            host.stack.udp.send(sender, b"x", ip(THERE), 9, host.now)
    host.stack.udp.send(sender, b"x", ip(OURS), 7, host.now)
    host.poll()
    assert listener.rx_datagrams == before + 1
