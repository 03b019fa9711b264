"""Rules: which of them a packet matches, and which table decides then, as Linux fib_rules."""

import pytest

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound, SendRejected
from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.explain import candidates
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.route import RouteType, Scope, TableName
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.fib.rule import Rule, RuleAction, Rules
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.trace.facts import Ruled
from tests.kit.host import OTHER_MAC, OURS, PEER, PEER_MAC, Host, ip, text, udp_frame

FAR = "8.8.8.8"
BITS = 32


@pytest.fixture
def host() -> Host:
    """A host with two addresses, and a default route in main and in the table 100."""
    host = Host(f"{OURS}/24", "10.0.0.3/24")
    host.route("0.0.0.0/0", via="10.0.0.254")
    host.route("0.0.0.0/0", via="10.0.0.100", table=100)
    return host


def add(host: Host, priority: int, **more: object) -> Rule:
    rule = Rule(priority, **more)  # type: ignore[arg-type]
    add_rule(host.stack.ipv4, rule)
    return rule


def way(host: Host, dst: str = FAR, src: str | None = None, dev: str | None = None,
        **more: object) -> str:  # fmt: skip
    """Return the gateway or the refusal's reason."""
    source = None if src is None else ip(src)
    key = RouteKey(ip(dst), source, dev, **more)  # type: ignore[arg-type]
    found = route_output(host.stack.ipv4, key)
    if isinstance(found, Refusal):
        return found.reason.name
    return found.type if found.gateway is None else text(found.gateway)


# --- conditions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "packet", "matches"),
    [
        ({}, {}, True),
        ({"src": "10.0.0.0", "src_len": 24}, {"src": "10.0.0.7"}, True),
        ({"src": "10.0.0.0", "src_len": 24}, {"src": "10.0.1.7"}, False),
        ({"src": "10.0.0.9", "src_len": 24}, {"src": "10.0.0.7"}, True),
        ({"src": "10.0.0.7", "src_len": 32}, {"src": "0.0.0.0"}, False),
        ({"dst": "8.0.0.0", "dst_len": 8}, {}, True),
        ({"dst": "9.0.0.0", "dst_len": 8}, {}, False),
        ({"iif": "lo"}, {}, True),
        ({"iif": "tap0"}, {}, False),
        ({"iif": "tap0"}, {"iif": "tap0"}, True),
        ({"oif": "tap0"}, {}, False),
        ({"oif": "tap0"}, {"oif": "tap0"}, True),
        ({"tos": 0x10}, {"tos": 0x10}, True),
        ({"tos": 0x10}, {"tos": 0x13}, True),
        ({"tos": 0x10}, {"tos": 0x14}, False),
        ({"ipproto": 17}, {"protocol": 17}, True),
        ({"ipproto": 17}, {"protocol": 1}, False),
        ({"sport": (5, 9)}, {"sport": 5}, True),
        ({"sport": (5, 9)}, {"sport": 9}, True),
        ({"sport": (5, 9)}, {"sport": 4}, False),
        ({"dport": (7, 7)}, {"dport": 8}, False),
        ({"ipproto": 17, "dport": (7, 7)}, {"protocol": 17, "dport": 7}, True),
        ({"ipproto": 17, "dport": (7, 7)}, {"protocol": 6, "dport": 7}, False),
        ({"oif": "gone"}, {"oif": "tap0"}, False),
    ],
)
def test_a_rule_matches_when_all_it_says_holds_and_not_when_inverted(
    rule: dict[str, object], packet: dict[str, object], matches: bool
) -> None:
    said = {k: ip(str(v)) if k in ("src", "dst") else v for k, v in rule.items()}
    known = {k: ip(str(v)) if k == "src" else v for k, v in packet.items()}
    key = RouteKey(ip(FAR), **known)  # type: ignore[arg-type]
    for invert in (False, True):
        made = Rule(1, invert=invert, **said)  # type: ignore[arg-type]
        assert made.matches(BITS, key) is (matches is not invert)


# --- which table ----------------------------------------------------------------------------------


def test_without_a_change_of_rules_local_and_main_are_one_table(host: Host) -> None:
    host.add("10.9.9.1/24", "lo")
    host.link("tap1")
    host.route("10.9.9.64/26", "tap1")
    assert host.stack.ipv4.fib.merged
    assert way(host, "10.9.9.65") == "unicast"
    assert not host.stack.ipv4.fib.is_local(ip("10.9.9.65"))
    rule = add(host, 40000, table=100)
    assert way(host, "10.9.9.65") == "local"
    assert host.stack.ipv4.fib.is_local(ip("10.9.9.65"))
    delete_rule(host.stack.ipv4, rule)
    assert way(host, "10.9.9.65") == "local"  # Linux does not merge them again


def test_rfc1122_3_3_4_2_the_source_address_may_choose_the_way(host: Host) -> None:
    add(host, 100, src=ip("10.0.0.3"), src_len=32, table=100)
    assert way(host) == "10.0.0.254"
    assert way(host, src=OURS) == "10.0.0.254"
    assert way(host, src="10.0.0.3") == "10.0.0.100"
    assert way(host, PEER, src="10.0.0.3") == "10.0.0.100"  # the table knows no other route


def test_the_lowest_priority_is_asked_first_and_the_elder_among_equals(host: Host) -> None:
    host.route("0.0.0.0/0", via="10.0.0.200", table=200)
    add(host, 300, table=200)
    assert way(host) == "10.0.0.200"
    add(host, 200, table=100)
    assert way(host) == "10.0.0.100"
    add(host, 200, table=200)
    assert way(host) == "10.0.0.100"


def test_a_table_without_a_route_or_that_throws_leaves_it_to_the_next_rule(host: Host) -> None:
    host.route("8.8.0.0/16", kind=RouteType.THROW, table=100)
    add(host, 50, table=77)  # nobody has put a route into it
    add(host, 100, table=100)
    assert way(host) == "10.0.0.254"
    assert way(host, "9.9.9.9") == "10.0.0.100"


def test_the_table_default_is_for_what_nobody_else_knows(host: Host) -> None:
    host.route("9.9.9.0/24", via="10.0.0.50", table=TableName.DEFAULT)
    assert way(host, "9.9.9.9") == "10.0.0.254"
    host.stack.ipv4.fib.remove_where(
        lambda route: route.plen == 0 and route.table == TableName.MAIN
    )
    assert way(host, "9.9.9.9") == "10.0.0.50"
    host.route("9.9.0.0/16", kind=RouteType.PROHIBIT)
    assert way(host, "9.9.9.9") == "tx-route-prohibit"


def test_a_suppressed_prefix_length_passes_over_the_default_route(host: Host) -> None:
    add(host, 50, table=TableName.MAIN, suppress=0)
    add(host, 100, table=100)
    assert way(host) == "10.0.0.100"
    assert way(host, PEER) == "unicast"
    host.route("0.0.0.0/0", kind=RouteType.UNREACHABLE, table=200)
    add(host, 40, table=200, suppress=32)
    assert way(host) == "tx-route-unreachable"  # what refuses is not suppressed


@pytest.mark.parametrize(
    ("action", "errno_name"),
    [
        (RuleAction.BLACKHOLE, "EINVAL"),
        (RuleAction.UNREACHABLE, "ENETUNREACH"),
        (RuleAction.PROHIBIT, "EACCES"),
    ],
)
def test_a_rule_refuses_with_the_errno_of_linux(
    host: Host, action: RuleAction, errno_name: str
) -> None:
    add(host, 5, action=action, dst=ip(FAR), dst_len=32)
    with pytest.raises(SendRejected) as refused:
        host.stack.udp.send(host.socket(), b"x", ip(FAR), 9, host.now)
    assert refused.value.errno_name == errno_name
    assert refused.value.code == f"tx-rule-{action}"
    assert refused.value.hint is not None
    assert f"smolctl rule del priority 5 from all to 8.8.8.8 {action}" in refused.value.hint
    # A device that its sender insists on is taken at its word (ip_route_output_key_hash_rcu).
    assert way(host, dev="tap0") == "unicast"
    assert way(host, "8.8.4.4") == "10.0.0.254"


def test_goto_goes_on_at_its_target_and_to_nowhere_is_nothing(host: Host) -> None:
    add(host, 10, action=RuleAction.GOTO, target=30)
    add(host, 20, action=RuleAction.PROHIBIT)
    assert way(host) == "tx-rule-prohibit"
    add(host, 30, action=RuleAction.NOP)
    assert way(host) == "10.0.0.254"
    with pytest.raises(InvalidArgument, match="does not lead forward"):
        add(host, 30, action=RuleAction.GOTO, target=30)


def test_ports_and_protocol_of_a_datagram_choose_its_way(host: Host) -> None:
    for gateway in ("10.0.0.254", "10.0.0.100"):
        host.know(gateway, PEER_MAC if gateway.endswith("4") else OTHER_MAC)
    add(host, 100, ipproto=17, dport=(53, 53), table=100)
    add(host, 101, ipproto=17, sport=(7000, 7999), table=100)
    plain, bound = host.socket(5000), host.socket(7001)
    seen = []
    for socket, port in ((plain, 53), (plain, 54), (bound, 54), (plain, 53), (plain, 54)):
        host.stack.udp.send(socket, b"x", ip(FAR), port, host.now)
        seen += [frame.dst == OTHER_MAC for frame in host.sent()]
    assert seen == [True, False, True, True, False]


def test_rfc1122_3_3_1_3_the_type_of_service_may_choose_the_way(host: Host) -> None:
    host.know("10.0.0.254", PEER_MAC)
    host.know("10.0.0.100", OTHER_MAC)
    add(host, 100, tos=0x10, table=100)
    plain, quick = host.socket(), host.socket()
    quick.tos = 0x10
    for socket, mac in ((plain, PEER_MAC), (quick, OTHER_MAC)) * 2:
        host.stack.udp.send(socket, b"x", ip(FAR), 9, host.now)
        assert [frame.dst for frame in host.sent()] == [mac]


@pytest.mark.parametrize("proto", ["udp", "icmp"])
@pytest.mark.parametrize(("tos", "gateway"), [(None, ""), (0x10, "100"), (0x13, "100"), (8, "")])
def test_a_question_may_have_a_type_of_service(
    host: Host, proto: str, tos: int | None, gateway: str
) -> None:
    add(host, 100, tos=0x10, table=100)
    trace = predict(host.stack, Question(proto, None, ip(FAR), 0, 9, tos=tos), host.now)
    assert trace.gateway == ip(f"10.0.0.{gateway or 254}")


def test_a_connected_socket_is_looked_up_again_with_its_address(host: Host) -> None:
    host.know("10.0.0.100", OTHER_MAC)
    host.know("10.0.0.254", PEER_MAC)
    add(host, 100, src=ip(OURS), src_len=32, table=100)
    loose, fixed = host.socket(), host.socket()
    host.stack.udp.connect(fixed, ip(FAR), 9)
    assert fixed.local == ip(OURS)
    for socket, mac in ((loose, PEER_MAC), (fixed, OTHER_MAC)):
        host.stack.udp.send(socket, b"x", ip(FAR), 9, host.now)
        assert [frame.dst for frame in host.sent()] == [mac]


def test_a_route_of_type_local_behind_a_rule_is_delivered_to(host: Host) -> None:
    host.route("192.0.2.0/24", "lo", kind=RouteType.LOCAL, table=200)
    socket = host.socket(9)
    frame = udp_frame(dst="192.0.2.7", dport=9)
    host.receive(frame)
    assert not socket.queue
    add(host, 100, table=200)
    host.receive(frame)
    host.stack.udp.send(host.socket(), b"me", ip("192.0.2.8"), 9, host.now)
    host.poll()
    assert [datagram[0] for datagram in socket.queue] == [b"hello", b"me"]


def test_a_flow_on_the_fast_path_notices_a_change_of_rules(host: Host) -> None:
    socket = host.socket(9)
    for _ in range(3):
        host.receive(udp_frame(dport=9))
    assert len(socket.queue) == 3
    for rule in list(host.stack.ipv4.fib.rules):
        delete_rule(host.stack.ipv4, rule)
    host.receive(udp_frame(dport=9))
    assert len(socket.queue) == 3
    assert host.reasons()["ip-dst-not-ours"] == 1


# --- the list of rules ----------------------------------------------------------------------------


def test_a_rule_without_priority_comes_before_those_that_are_there_but_the_first() -> None:
    rules = Rules()
    for priority in (32765, 32764, 32763):
        assert rules.free_priority() == priority
        rules.insert(Rule(priority, table=5))
    assert [rule.priority for rule in rules] == [0, 32763, 32764, 32765, 32766, 32767]


def test_the_same_rule_twice_is_refused_and_another_protocol_makes_it_another() -> None:
    rules = Rules()
    rules.insert(Rule(9, src=ip(PEER), src_len=32))
    rules.insert(Rule(9, src=ip(PEER), src_len=32, protocol="static"))
    for same in (Rule(9, src=ip(PEER), src_len=32), Rule(9)):  # as Linux: no from says nothing
        with pytest.raises(AlreadyExists):
            rules.insert(same)
    assert len(rules) == 5


def test_what_is_not_there_cannot_be_found() -> None:
    with pytest.raises(NotFound):
        Rules().find(Rule(5), frozenset({"priority"}))


def test_a_gateway_is_looked_for_in_the_routes_own_table_first(host: Host) -> None:
    add(host, 100, src=ip("10.0.0.3"), src_len=32, table=300)
    host.route("7.7.7.0/24", "tap0", table=300)
    route = host.route("24.0.0.0/8", via="7.7.7.7", table=300)
    assert (route.dev, route.scope) == ("tap0", Scope.GLOBAL)


# --- what is told ---------------------------------------------------------------------------------


def test_a_traced_packet_tells_the_rules_and_tables_that_it_met(host: Host) -> None:
    add(host, 50, table=TableName.MAIN, suppress=0)
    add(host, 60, dst=ip("9.0.0.0"), dst_len=8, table=100)
    add(host, 70, table=100)
    trace = predict(host.stack, Question("udp", None, ip(FAR), 0, 9), host.now)
    told = [step.facts for step in trace.steps if isinstance(step.facts, Ruled)]
    assert [(facts.rule.priority, facts.cause) for facts in told] == [
        (0, "none"),
        (50, "suppressed"),
        (70, ""),
    ]
    found = route_output(host.stack.ipv4, RouteKey(ip(FAR)))
    assert isinstance(found, Way)
    causes = {
        (route.table, route.plen): cause
        for route, cause in candidates.candidates(host.stack.ipv4, RouteKey(ip(FAR)), found.route)
        if route.plen == 0
    }
    assert causes == {(100, 0): "", (TableName.MAIN, 0): "suppressed"}


def test_candidates_of_tables_that_no_rule_leads_to_lose_by_that(host: Host) -> None:
    add(host, 100, src=ip("10.0.0.3"), src_len=32, table=100)
    found = candidates.candidates(
        host.stack.ipv4, RouteKey(ip(FAR)), host.stack.ipv4.fib.lookup(ip(FAR))
    )
    causes = [cause for route, cause in found if route.table == 100]
    assert causes == ["rule"]
