"""Scenarios that come with smolctl: each is green, and says whose fix it is when one breaks it.

A break does what a student does: it takes a step away, or changes a line of the file.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from smolctl.cli.inside import LabCommands
from smolctl.cli.nouns.lab_names import names, text_of
from smolctl.lab.outcome import Judged, Outcome
from smolctl.lab.reading import read
from smolctl.lab.run import Setting, run
from smolctl.lab.scenario import Scenario
from smolctl.path.reaches import reach

SMOLTCP = "smoltcp-0.9"
_BLOCK = re.compile(r"(?m)^(?=\[)")


def played(scenario: Scenario, profile: str) -> Outcome:
    return run(scenario, Setting(LabCommands(), reach, profile=profile))


def shipped(name: str) -> str:
    return text_of("shipped", name).decode()


# --- all of them ----------------------------------------------------------------------------------


def spoken_of(scenario: Scenario) -> set[str]:
    """Return the profiles that a scenario is about, beside the two that each one has to stand."""
    named = {profile for spec in scenario.expects for profile in spec.profiles}
    return {scenario.profile, *scenario.compare, *named} - {"linux", SMOLTCP}


def test_each_is_green_under_the_further_profiles_that_it_speaks_of() -> None:
    failed = {}
    for name in names("shipped"):
        scenario = read(shipped(name), name)
        for profile in spoken_of(scenario):
            outcome = played(scenario, profile)
            failed[name, profile] = [each.text for each in outcome.judged if each.met is False]
    assert len(failed) >= 2
    assert {key: texts for key, texts in failed.items() if texts} == {}


def test_each_says_what_it_shows_and_what_to_try() -> None:
    for name in names("shipped"):
        scenario = read(shipped(name), name)
        assert re.search(r"^(Break|Mend) it|^Try: ", scenario.about, re.MULTILINE), name
        assert all(len(line) <= 100 for line in scenario.about.splitlines()), name
        assert any(spec.why for spec in scenario.expects), name


# --- as it was measured ---------------------------------------------------------------------------


def peers(number: int, settings: str) -> Scenario:
    """Return the scenario of a host that sends 36 datagrams to its peers in turn, from 3 s on."""
    ends, targets = ['"a:eth0"'], []
    text = f"""title = "t"
until = "60s"
[nodes.a]
sysctl = {{ {settings} }}
addresses = {{ eth0 = "10.0.0.100/24" }}
"""
    for peer in range(1, number + 1):
        ends.append(f'"p{peer}:eth0"')
        targets.append(f'"10.0.0.{peer}:9"')
        text += f"""[nodes.p{peer}]
addresses = {{ eth0 = "10.0.0.{peer}/24" }}
[programs.at-p{peer}]
node = "p{peer}"
protocol = "udp"
listen = 9
"""
    text += f"""[links.lan]
ends = [{", ".join(ends)}]
[programs.sender]
node = "a"
protocol = "udp"
at = "3s"
to = [{", ".join(targets)}]
send = "x"
times = 36
"""
    return read(text, "peers.toml")


@pytest.mark.parametrize(
    ("capacity", "requests", "seconds"), [(4, 36, 35), (8, 36, 35), (16, 12, 11)]
)
def test_twelve_peers_in_turn_cost_what_they_cost_smoltcp(
    capacity: int, requests: int, seconds: int
) -> None:
    """Reproduce what was measured of smoltcp 0.9.1 itself: 35.7 s, and 11.5 s with room."""
    scenario = peers(12, f"iface.neighbor_cache_count = {capacity}")
    outcome = played(scenario, SMOLTCP)
    assert sum(program.messages for program in outcome.programs) == 36
    assert outcome.counters["a"]["arp.requests_sent"] == requests
    assert max(travel.sent_ns for travel in outcome.travels) // 1_000_000_000 == 3 + seconds


# --- broken ones ----------------------------------------------------------------------------------


class Break(NamedTuple):
    """A change of a scenario, and what has to be said then.

    Attributes:
        cut: the steps that have this text are taken away.
        old, new: a text of the file, and what stands in its place.
        told: texts of what is expected in vain, seen, or advised.
    """

    name: str
    told: tuple[str, ...]
    cut: str = ""
    old: str = ""
    new: str = ""
    profile: str = "linux"


def broken(change: Break) -> str:
    text = shipped(change.name)
    if change.cut:
        blocks = _BLOCK.split(text)
        steps = [each for each in blocks if each.startswith("[[steps]]") and change.cut in each]
        assert steps, change
        return "".join(each for each in blocks if each not in steps)
    assert change.old in text, change
    return text.replace(change.old, change.new, 1)


def a_has(settings: str) -> dict[str, str]:
    return {"old": "[nodes.a]\n", "new": f"[nodes.a]\nsysctl = {{ {settings} }}\n"}


BREAKS = (
    Break("arp-first-datagram", ("was dropped at b", "arp-target-not-ours",
                                 "smolctl -n b addr add 10.0.0.2/24 dev eth0"),
          old='"10.0.0.2/24"', new='"10.0.0.9/24"'),
    Break("arp-off-subnet", ('"two"', "neigh-failed", "smolctl addr add 99.9.9.1/24 dev eth0"),
          cut="addr add", profile=SMOLTCP),
    Break("arp-war", ("arp-address-conflict at b at least 4 times", "3 times"),
          old='arp.defend = "always", arp.notify', new='arp.defend = "once", arp.notify'),
    Break("asymmetric-routes", ("was dropped at b", "ip-reverse-path",
                                "smolctl -n b sysctl eth0.ip.rp_filter=2"), cut="rp_filter=2"),
    Break("broadcast-storm", ("never; there were", "icmp.echo_ignore_broadcasts=1"),
          old="[nodes.h1]\n", new="[nodes.h1]\nsysctl = { icmp.echo_ignore_broadcasts = 0 }\n"),
    Break("cache-of-four", ("at-p1 to read 60 datagrams", "neigh-queue-purged"),
          **a_has('iface.neighbor_cache_count = 4, neigh.rate_limit_scope = "cache"')),
    Break("dad-conflict", ("nd-dad-failed at b", "smolctl sysctl nd.accept_dad=1"),
          old="[nodes.b]\n", new="[nodes.b]\nsysctl = { nd.accept_dad = 0 }\n"),
    Break("duplicate-address", ("arp-dad-failed at b", "smolctl sysctl arp.dad=1"),
          old="arp.dad = 1", new="arp.dad = 0"),
    Break("dying-router", ("neigh-failed", "smolctl route replace default via 10.0.0.254"),
          cut="route replace"),
    Break("first-datagram-off-link", ("was refused at a", "tx-no-route",
                                      "smolctl route add default via 10.0.0.254"), cut="route add"),
    Break("first-datagram-off-link", ("still waits at a", "udp-waits-for-route"),
          cut="route add", profile=SMOLTCP),
    Break("limit-at-run-time", ("11 datagrams", "smolctl sysctl iface.neighbor_cache_count=2"),
          cut="count=2", profile=SMOLTCP),
    Break("loopback-127-0-0-2", ('"three"', "smolctl addr add 127.0.0.2/8 dev lo"),
          cut="addr add 127.0.0.2", profile=SMOLTCP),
    Break("no-route-back", ("was refused at b", "the answer ends at b",
                            "smolctl -n b route add default via 10.0.1.254"), cut="route add"),
    Break("own-address-arp", ("smolctl -n a sysctl ip.loopback_own=1",),
          **a_has("ip.loopback_own = 0")),
    Break("path-mtu-black-hole", ("tx-rule-blackhole", "smolctl rule del priority 100"),
          cut="rule del"),
    Break("poisoned-cache", ("was dropped at m", "smolctl sysctl arp.accept=0"),
          **a_has("arp.accept = 1")),
    Break("proxy-arp", ("neigh-failed", "smolctl sysctl eth0.arp.proxy=1"), cut="arp.proxy"),
    Break("proxy-arp", ("still waits at a", "smolctl sysctl eth0.arp.proxy=1"), cut="arp.proxy",
          profile=SMOLTCP),
    Break("routing-table", ("10.0.0.2 dev eth0 src 10.0.0.1",),
          old='routes = ["10.0.0.2/32 via 10.0.0.254"]'),
    Break("tcp-half-open", ("tcp-reset at a", "there were tx-no-carrier"),
          old='restart = "b"', new='stop = "b"'),
    Break("tcp-lost-segments", ("300000 bytes", "lab-loss", "smolctl link set eth0 loss"),
          cut='"6s"'),
    Break("tcp-zero-window", ("it never reads", "The program at b has to read."),
          old='reads = "20s"', new="reads = false"),
    Break("vlan-mistake", ("was dropped at b", "rx-vlan-unknown", "type vlan id 10"),
          cut='node = "b"'),
    Break("which-interface", ("was refused at a", "metric 100"),
          old=', "default via 10.0.1.254 metric 100"'),
    Break("wrong-mask", ("was refused at b", "tx-no-route",
                         "smolctl addr add 10.0.0.130/24 dev eth0"), cut='node = "b"'),
)  # fmt: skip


def said(judged: Iterable[Judged]) -> str:
    """Return all that is said of expectations that are not met."""
    lines = []
    for each in judged:
        if each.met is False:
            seen = each.seen
            lines += [each.text, seen.text, *seen.fixes, seen.look or "", each.spec.why or ""]
    return "\n".join(lines)


@pytest.mark.parametrize("change", BREAKS, ids=lambda change: f"{change.name} {change.profile}")
def test_a_broken_one_says_what_fails_where_and_whose_fix(change: Break) -> None:
    outcome = played(read(broken(change), change.name), change.profile)
    assert not outcome.faults
    text = said(outcome.judged)
    assert [told for told in change.told if told not in text] == [], text


def test_every_shipped_scenario_can_break() -> None:
    assert {change.name for change in BREAKS} == set(names("shipped"))
