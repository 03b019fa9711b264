"""Fixes that are proven: each in a situation in which nothing else is in the packet's way."""

from contextlib import suppress
from typing import Any

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.config.link import delete_interface
from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.reason import REASONS, Detail
from smolctl.stack.sysctl.settings import PER_LINK, SYSCTLS
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, OURS, PEER, Host, ip, request, udp_frame
from tests.kit.host6 import Host6
from tests.stack.proof.situations import SITUATIONS, Situation
from tests.stack.proof.situations6 import SITUATIONS6
from tests.stack.reason.provokers import fresh

Row = dict[str, Any]
ALL = (*SITUATIONS, *SITUATIONS6)
EACH = pytest.mark.parametrize("situation", ALL, ids=str)
UNPROVEN = {
    "arp-dad-rate-limited": "no packet is dropped: an address is not in use yet",
}
"""Reasons whose commands are tried by nobody, and why."""


def struck(host: Host, reason: str) -> Detail:
    """Return the values of the last packet that a reason struck."""
    (detail,) = (
        tally.detail for (why, _), tally in host.stack.ledger.reasons.items() if why.name == reason
    )
    assert isinstance(detail, Detail)
    return detail


@EACH
def test_a_fix_that_helps_is_proven(situation: Situation) -> None:
    host = fresh()
    situation.provoke(host)
    reason, detail = REASONS[situation.reason], struck(host, situation.reason)
    assert reason.fixes(detail) == [situation.fix]
    assert reason.hint(detail) == situation.fix


def test_each_reason_that_a_command_fixes_has_its_situation() -> None:
    fixed = {name for name, reason in REASONS.items() if reason.fix_templates}
    proven = {situation.reason for situation in ALL}
    assert proven | UNPROVEN.keys() == fixed
    assert len(proven) >= 60


@EACH
def test_a_proof_changes_nothing(situation: Situation) -> None:
    host = fresh()
    situation.provoke(host)
    detail = struck(host, situation.reason)
    routes, counted = all_routes(host), host.reasons()
    settings = {item.key: host.settings[item.key] for item in host.settings}
    number = host.stack.generation.number
    REASONS[situation.reason].fixes(detail)
    assert all_routes(host) == routes
    assert {item.key: host.settings[item.key] for item in host.settings} == settings
    assert (host.reasons(), host.stack.generation.number) == (counted, number)


def all_routes(host: Host) -> list[int]:
    return [id(route) for net in host.stack.networks.values() for route in net.fib]


REFUSING = RouteType.UNREACHABLE


# --- what is not proven ---------------------------------------------------------------------------


def asked(host: Host, dst: str, **fields: Any) -> Row:
    question = Question("icmp", None, ip(dst))._replace(**fields)
    return verdict.tell(predict(host.stack, question, host.now))


def test_a_next_hop_that_nobody_has_heard_of_proves_nothing() -> None:
    host = Host()
    host.route("8.0.0.0/8", kind=REFUSING)
    row = asked(host, "8.8.8.8")
    assert row["fix"] == []
    assert row["look"] == "is this route meant? smolctl route show match 8.8.8.8"
    host.know(DEAD)
    host.route("0.0.0.0/0", via=DEAD)
    assert asked(host, "8.8.8.8")["fix"] == ["smolctl route del unreachable 8.0.0.0/8"]


def test_a_gateway_that_does_not_answer_proves_nothing() -> None:
    host = Host()
    host.route("8.0.0.0/8", kind=REFUSING)
    host.route("0.0.0.0/0", via=DEAD)
    host.send(host.socket(), "9.9.9.9")
    host.wait(4 * SECOND_NS)
    assert asked(host, "8.8.8.8")["fix"] == []


def test_what_only_leads_to_the_next_trouble_is_no_fix() -> None:
    host = Host()
    host.know(PEER)
    host.set("ip.rp_filter", 1)
    host.receive(udp_frame(src="8.8.8.8"))  # and nobody listens at its port
    detail = struck(host, "ip-reverse-path")
    assert REASONS["ip-reverse-path"].fixes(detail) == []


def test_a_packet_that_would_get_through_by_now_needs_no_fix() -> None:
    host = Host()
    host.receive(udp_frame())
    detail = struck(host, "udp-port-closed")
    host.socket(7)
    host.know(PEER)
    reason = REASONS["udp-port-closed"]
    assert reason.fixes(detail) == []
    assert reason.look(detail) == "send it again: nothing is in its way now"


def test_an_answer_that_has_no_way_back_proves_nothing() -> None:
    host = Host()
    host.set("icmp.echo_ignore_all", 1)
    host.receive(request(PEER))
    row = asked(host, OURS, src=ip("99.9.9.9"), iif="tap0")
    assert (row["reason"], row["fix"]) == ("icmp-echo-ignored", [])
    row = asked(host, OURS, src=ip(PEER), iif="tap0")
    assert row["fix"] == ["smolctl sysctl icmp.echo_ignore_all=0"]


def test_without_a_prover_no_fix_is_shown() -> None:
    host = fresh()
    host.stack.ledger.prove = None
    host.receive(udp_frame())
    detail = struck(host, "udp-port-closed")
    assert REASONS["udp-port-closed"].fixes(detail) == []
    assert REASONS["udp-port-closed"].look(detail) == "smolctl explain udp-port-closed"


# --- absurd fixes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dst", "look"),
    [
        ("255.255.255.255", "by which link is it to leave? name it, such as: dev tap0"),
        ("239.1.2.3", "by which link is it to leave? name it, such as: dev tap0"),
        (
            "169.254.1.1",
            "on which link is it? 169.254.0.0/16 is never behind a router (RFC 3927 7)",
        ),
        ("240.0.0.1", "is the address right? 240.0.0.0/4 is reserved (RFC 1112 4)"),
        ("203.0.113.1", "who is the router? smolctl neigh show"),
    ],
)
def test_no_gateway_is_made_up(dst: str, look: str) -> None:
    row = asked(Host(), dst)
    assert (row["reason"], row["fix"], row["look"]) == ("tx-no-route", [], look)


def test_of_a_mapped_address_the_ipv4_address_is_told() -> None:
    row = asked(Host6(), "::ffff:10.0.0.9")
    look = "is IPv4 meant? 10.0.0.9 is its address there (RFC 4291 2.5.5.2)"
    assert (row["reason"], row["fix"], row["look"]) == ("tx-no-route", [], look)


@pytest.mark.parametrize("dst", ["255.255.255.255", "239.1.2.3", "169.254.1.1", "240.0.0.1"])
def test_no_gateway_is_proposed_to_what_is_behind_none(dst: str) -> None:
    host = Host()
    host.know(PEER)
    host.route("10.9.0.0/16", via=PEER)
    assert asked(host, dst)["fix"] == []


@pytest.mark.parametrize("wired", [True, False])
def test_a_strangers_address_is_not_to_become_ours(wired: bool) -> None:
    host = Host(bare=not wired)
    assert not any("addr add" in fix for fix in fixes(asked(host, "203.0.113.1")))
    row = asked(host, PEER, src=ip("203.0.113.1"))
    assert (row["reason"], row["fix"]) == ("tx-src-not-ours", [])


def test_who_asks_everybody_for_another_host_is_answered_by_that_one() -> None:
    host = Host()
    row = verdict.tell(predict(host.stack, arp_for("10.0.0.77"), host.now))
    assert (row["reason"], row["fix"]) == ("arp-target-not-ours", [])
    assert "smolctl addr add 10.0.0.77/24 dev tap0; else" in str(row["look"])


def test_an_address_that_another_host_has_is_not_to_become_ours() -> None:
    host = Host()
    host.socket(7)
    host.know("10.0.0.77")
    host.receive(udp_frame(dst="10.0.0.77"))
    assert REASONS["ip-dst-not-ours"].fixes(struck(host, "ip-dst-not-ours")) == []


def test_no_prefix_length_is_made_up() -> None:
    host = Host("10.66.0.1/32")
    host.receive(udp_frame(src="10.77.0.1", dst="10.66.0.9"))
    assert REASONS["ip-dst-not-ours"].fixes(struck(host, "ip-dst-not-ours")) == []
    bare = Host(bare=True)
    row = verdict.tell(predict(bare.stack, arp_for(OURS), bare.now))
    assert row["fix"] == []
    assert str(row["look"]).endswith("smolctl addr add 10.0.0.1/LENGTH dev tap0")


def test_no_source_address_is_made_up() -> None:
    host = Host(bare=True)
    row = asked(host, PEER, dev="tap0")
    assert (row["reason"], row["fix"]) == ("tx-no-source", [])


def test_a_route_that_refuses_is_named_with_its_table() -> None:
    host = Host()
    host.know(PEER)
    host.route("0.0.0.0/0", via=PEER)
    host.route("8.8.8.0/24", kind=RouteType.PROHIBIT, table=7)
    add_rule(host.stack.ipv4, Rule(5, table=7))
    row = asked(host, "8.8.8.8")
    assert row["fix"] == ["smolctl route del prohibit 8.8.8.0/24 table 7"]


def test_a_default_route_is_not_proposed_where_one_is() -> None:
    host = Host()
    host.know(PEER)
    host.route("0.0.0.0/0", via=PEER)
    host.route("8.0.0.0/8", kind=RouteType.THROW)
    row = asked(host, "8.8.8.8")
    assert (row["reason"], row["fix"]) == ("tx-no-route", [])


def test_a_fix_of_the_peer_is_not_ours_to_prove() -> None:
    host = Host()
    host.receive(udp_frame(to=b"\x02\0\0\0\0\x77"))
    detail = struck(host, "rx-not-our-mac")
    assert REASONS["rx-not-our-mac"].fixes(detail) == []
    assert "smolctl arping -U -c 1 -I tap0 10.0.0.1" in str(REASONS["rx-not-our-mac"].look(detail))


def fixes(row: Row) -> list[str]:
    found = row["fix"]
    assert isinstance(found, list)
    return found


def arp_for(target: str) -> Question:
    return Question("arp", ip(PEER), ip(target), iif="tap0")


# --- what is gone by the time of the question -----------------------------------------------------


@EACH
def test_nobody_trips_over_a_link_that_is_gone(situation: Situation) -> None:
    host = fresh()
    situation.provoke(host)
    reason, detail = REASONS[situation.reason], struck(host, situation.reason)
    for name in [link.name for link in host.stack.interfaces.values() if not link.loopback]:
        delete_interface(host.stack.shared, host.dev(name), host.now)
    assert "link set" not in " ".join(reason.fixes(detail))


def test_a_rule_that_is_gone_is_not_to_be_deleted() -> None:
    host = fresh()
    host.set("icmp.echo_ignore_all", 1)
    rule = Rule(5, RuleAction.PROHIBIT, dst=ip("8.8.8.0"), dst_len=24)
    add_rule(host.stack.ipv4, rule)
    with suppress(SendRejected):
        host.send(host.socket(), "8.8.8.8")
    detail = struck(host, "tx-rule-prohibit")
    delete_rule(host.stack.ipv4, rule)
    assert REASONS["tx-rule-prohibit"].fixes(detail) == []


# --- sysctls of links -----------------------------------------------------------------------------

OF_LINKS = {f"smolctl sysctl {item.key}=": item.key for item in PER_LINK}
LINK_SITUATIONS = [
    each
    for each in SITUATIONS
    if each.fix.partition("=")[0] + "=" in OF_LINKS
    # A link cannot refuse what all accept.
    if each.reason != "icmp-redirect-ignored"
]


@pytest.mark.parametrize("situation", LINK_SITUATIONS, ids=str)
def test_a_fix_names_the_sysctl_of_the_link_where_that_decides(
    situation: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = fresh()
    key = OF_LINKS[situation.fix.partition("=")[0] + "="]

    def at_link(key: str, value: int | str) -> None:
        if SYSCTLS[key].link is None:
            Host.set(host, key, value)
            return
        for link in host.settings.links:
            Host.set(host, f"{link}.{key}", value)

    monkeypatch.setattr(host, "set", at_link)
    situation.provoke(host)
    detail = struck(host, situation.reason)
    own = host.settings.differing(SYSCTLS[key])
    wanted = situation.fix.replace(key, f"{detail['dev']}.{key}") if own else situation.fix
    assert REASONS[situation.reason].fixes(detail) == [wanted]


def test_a_fix_names_all_links_where_that_decides() -> None:
    host = Host()
    host.link("tap1")
    host.set("all.arp.ignore", 1)
    host.add("10.7.0.1/24", "tap1")
    host.receive(request(target="10.7.0.1"))
    detail = struck(host, "arp-ignored")
    assert REASONS["arp-ignored"].fixes(detail) == ["smolctl sysctl all.arp.ignore=0"]
    host.set("all.arp.ignore", 0)
    host.receive(request(target="10.7.0.1"))
    assert host.event("arp.replies_sent") == 1
