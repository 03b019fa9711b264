"""Runs of scenarios: steps at their times, the same each time."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest

from smolctl.capture.reader import read as read_capture
from smolctl.cli.inside import LabCommands
from smolctl.cli.nouns.lab_names import names, text_of
from smolctl.lab.outcome import Outcome
from smolctl.lab.packets import pcapng
from smolctl.lab.reading import read
from smolctl.lab.report import Again, document
from smolctl.lab.run import Setting, run
from smolctl.lab.source import ScenarioError
from smolctl.path.reaches import reach
from smolctl.wire import ipv4, udp
from smolctl.wire.address import parse_address
from tests.lab.timelines import travel

S = 1_000_000_000
NET = """
title = "test"
until = "20s"
[nodes.a]
addresses = { eth0 = ["10.0.0.1/24"] }
[nodes.b]
addresses = { eth0 = ["10.0.0.2/24"] }
[links.c]
ends = ["a:eth0", "b:eth0"]
"""


def played(text: str, net: str = NET, **setting: Any) -> Outcome:
    """Run a scenario of two hosts on a cable, and what a text adds."""
    scenario = read(net + text, "test.toml")
    return run(scenario, Setting(LabCommands(), reach, **setting))


def step(at: str, what: str, node: str = "a") -> str:
    where = f"node = '{node}'\n" if node else ""
    return f"[[steps]]\nat = '{at}'\n{where}{what}\n"


def ping(at: str, dst: str = "10.0.0.2", more: str = "") -> str:
    return step(at, f"run = 'ping -c 1 -W 1 {dst}'\n{more}")


def statuses(outcome: Outcome) -> list[int | None]:
    return [done.status for done in outcome.steps]


# --- those that come with smolctl -----------------------------------------------------------------


@pytest.mark.parametrize("profile", ["linux", "smoltcp-0.9"])
def test_the_expectations_of_every_shipped_scenario_are_met(profile: str) -> None:
    failed = {}
    for name in names("shipped"):
        scenario = read(text_of("shipped", name), f"{name}.toml")
        outcome = run(scenario, Setting(LabCommands(), reach, profile=profile))
        failed[name] = [j.text + ": " + j.seen.text for j in outcome.judged if j.met is False]
        failed[name] += outcome.faults
    assert {name: told for name, told in failed.items() if told} == {}


def test_nothing_changes_while_somebody_looks_how_far_a_run_is() -> None:
    looks: list[tuple[int, int]] = []
    alone = played(ping("3s"))
    watched = played(ping("3s"), told=lambda now_ns, end_ns: looks.append((now_ns, end_ns)))
    assert b"".join(pcapng(watched.travels, watched.marks)) == (
        b"".join(pcapng(alone.travels, alone.marks))
    )
    assert len(looks) >= 200
    assert looks == sorted(looks)
    assert {end_ns for _, end_ns in looks} == {20 * S}


# --- the same each time ---------------------------------------------------------------------------

LOSSY = NET.replace("[links.c]", "[links.c]\nloss = '30%'\njitter = '1ms'\ndelay = '3ms'")
MANY = step("1s", "run = 'ping -c 10 -i 0.2 10.0.0.2'\nname = 'many'")


def digest(outcome: Outcome) -> str:
    told = json.dumps(document(outcome, Again("x")))
    packets = b"".join(pcapng(outcome.travels, outcome.marks))
    return hashlib.sha256(told.encode() + packets).hexdigest()


def test_the_same_seed_does_the_same_and_another_one_does_not() -> None:
    first = digest(played(MANY, LOSSY))
    assert digest(played(MANY, LOSSY)) == first
    assert digest(played(MANY, LOSSY, seed=2)) != first


def test_neither_the_process_nor_its_hashes_have_a_part_in_it() -> None:
    code = "from tests.lab.test_run import *; print(digest(played(MANY, LOSSY)))"
    seed = "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert other.stdout.strip() == digest(played(MANY, LOSSY))


def test_a_capture_has_two_frames_that_were_sent_at_one_instant_as_two() -> None:
    """A link that makes copies lets go of them at once, and no trace tells them apart."""
    copy = travel(1, "a", "b", bytes(60), None)
    records = list(read_capture(BytesIO(b"".join(pcapng([copy, copy], [])))))
    assert [(record.dev, record.direction) for record in records] == [("a:eth0", "out")] * 2
    hub = [travel(1, "a", dst, copy.frame) for dst in "bc"]
    records = list(read_capture(BytesIO(b"".join(pcapng([*hub, *hub], [])))))
    assert Counter(record.dev for record in records) == {"a:eth0": 2, "b:eth0": 2, "c:eth0": 2}


# --- steps ----------------------------------------------------------------------------------------


def test_steps_are_done_at_their_times() -> None:
    outcome = played(ping("1s") + ping("2.5s"))
    assert [(done.at_ns, done.status) for done in outcome.steps] == [(S, 0), (5 * S // 2, 0)]
    assert [mark.text for mark in outcome.marks if mark.kind == "step"] == [
        "ping -c 1 -W 1 10.0.0.2"
    ] * 2


def test_a_step_waits_for_the_one_before_it_unless_that_is_in_the_background() -> None:
    slow = "run = 'ping -c 3 -i 1 10.0.0.2'\n"
    outcome = played(step("1s", slow) + ping("1s"))
    assert outcome.steps[1].at_ns == outcome.steps[0].ended_ns
    outcome = played(step("1s", slow + "background = true") + ping("1s"))
    assert [done.at_ns for done in outcome.steps] == [S, S]
    assert statuses(outcome) == [0, 0]


def test_a_step_that_is_never_reached_says_what_it_waited_for() -> None:
    outcome = played(step("1s", "run = 'udp recv 9'") + ping("2s"))
    assert outcome.steps[0].ended_ns is None
    assert outcome.steps[1].missed == "it waited for line 10, which had not ended"
    assert (outcome.steps[1].at_ns, outcome.steps[1].status) == (2 * S, None)


def test_a_step_may_be_done_several_times() -> None:
    outcome = played(ping("1s", more="times = 3\nevery = '2s'"))
    assert [done.at_ns for done in outcome.steps] == [S, 3 * S, 5 * S]


def test_a_link_is_cut_mended_and_made_worse() -> None:
    outcome = played(
        ping("1s")
        + step("2s", "link = 'c'\nstate = 'down'", "")
        + ping("3s")
        + step("5s", "link = 'c'\nstate = 'up'\ndelay = '50ms'", "")
        + ping("6s")
        + step("8s", "link = 'c'\ndelay = '0s'\nloss = '100%'\nmtu = 1280", "")
        + ping("9s")
        + step("11s", "run = 'link show eth0'")
    )
    assert statuses(outcome) == [0, None, 1, None, 0, None, 1, 0]
    slow = outcome.steps[4]
    assert slow.ended_ns == slow.at_ns + 200_040_000
    assert "mtu 1280" in outcome.steps[7].out
    assert "delay" not in outcome.steps[7].out
    assert outcome.steps[5].text == "(c: delay 0, loss 100%, mtu 1280)"


def test_a_frame_of_nobody_enters_at_one_end_or_reaches_all() -> None:
    frame = "frame = 'ffffffffffff 02000000000a 0842 00'\n"
    outcome = played(step("1s", frame + "on = 'c'", "") + step("2s", frame + "on = 'a:eth0'", ""))
    travels = [travel for travel in outcome.travels if travel.frame[12:14] == b"\x08\x42"]
    assert [(each.src, each.dst) for each in travels] == [("", "a"), ("", "b"), ("a", "b")]


def test_the_frames_of_a_capture_file_come_with_their_distances() -> None:
    frames = [(0, bytes(20)), (S // 4, bytes(30))]
    outcome = played(step("1s", "replay = 'x.pcap'\non = 'a:eth0'", ""), replays={"x.pcap": frames})
    travels = [travel for travel in outcome.travels if len(travel.frame) in (20, 30)]
    assert [travel.sent_ns for travel in travels] == [S, S + S // 4]


def test_a_node_is_stopped_and_started_with_what_the_file_says() -> None:
    outcome = played(
        step("1s", "run = 'addr add 10.0.0.77/24 dev eth0'", "b")
        + step("2s", "stop = 'b'", "") + ping("3s")
        + step("5s", "start = 'b'", "") + ping("6s") + ping("8s", dst="10.0.0.77")
        + step("11s", "restart = 'b'", "") + ping("12s")
    )  # fmt: skip
    assert statuses(outcome) == [0, None, 1, None, 0, 1, None, 0]
    assert outcome.faults == []


def test_a_node_that_begins_anew_finds_its_links_as_they_are_now() -> None:
    worse = step("1s", "link = 'c'\ndelay = '50ms'\nmtu = 1280", "")
    shown = step("3s", "run = 'link show -d eth0'", "b")
    outcome = played(worse + step("2s", "restart = 'b'", "") + shown)
    assert "mtu 1280" in outcome.steps[-1].out
    assert "delay 50ms" in outcome.steps[-1].out


def test_a_command_on_a_node_that_is_switched_off_ends() -> None:
    outcome = played(
        step("1s", "run = 'udp recv 9'\nbackground = true", "b") + step("2s", "stop = 'b'", "")
    )
    assert outcome.steps[0].status == 3
    assert "switched off" in outcome.steps[0].err


def test_a_command_that_is_refused_is_a_step_that_failed() -> None:
    outcome = played(step("1s", "run = 'addr del 10.0.0.9/24 dev eth0'"))
    assert outcome.steps[0].status == 2
    assert "10.0.0.9" in outcome.steps[0].err


# --- what counts ----------------------------------------------------------------------------------


def test_a_profile_of_the_command_line_is_for_nodes_that_have_none() -> None:
    net = NET.replace("[nodes.b]", "[nodes.b]\nprofile = 'linux'")
    text = step("1s", "run = 'stack status'") + step("1s", "run = 'stack status'", "b")
    outcome = played(text, net, profile="smoltcp-0.9")
    assert ["smoltcp-0.9" in done.out for done in outcome.steps] == [True, False]
    assert outcome.profile == "smoltcp-0.9"


def test_a_line_that_a_node_refuses_is_an_error_of_the_file() -> None:
    net = NET.replace("[nodes.b]", "[nodes.b]\nroutes = ['default via 10.9.9.9']")
    with pytest.raises(ScenarioError, match=r"^test.toml:7: nodes.b: route add default via 10.9"):
        played("", net)
    with pytest.raises(ScenarioError, match=r"^test.toml:7: nodes.b: ping 10.0.0.1: "):
        played("", NET.replace("[nodes.b]", "[nodes.b]\ncommands = 'ping 10.0.0.1'"))


def expect(what: str) -> str:
    return f"[[expect]]\n{what}\n"


def met(outcome: Outcome) -> list[bool | None]:
    return [judged.met for judged in outcome.judged]


def test_an_end_that_comes_earlier_leaves_later_expectations_open() -> None:
    text = ping("1s") + expect("received = 'b'\nfilter = 'icmp'\nby = '2s'")
    text += expect("counter = 'arp.requests_sent'\nnode = 'a'\ncount = 1\nat = '15s'")
    assert met(played(text)) == [True, True]
    assert met(played(text, until_ns=3 * S)) == [True, None]


def test_tables_and_counters_are_looked_at_in_their_time() -> None:
    text = ping("2s")
    for at, lines in (("1s", "max = 0"), ("3s", "contains = {dst = '10.0.0.2'}")):
        text += expect(f"table = 'neigh show'\nnode = 'a'\nat = '{at}'\n{lines}")
    for at, count in (("1s", 0), ("3s", 1)):
        text += expect(
            f"counter = 'arp.requests_sent'\nnode = 'a'\nat = '{at}'\ncount = {count}"
        )  # fmt: skip
    assert met(played(text)) == [True] * 4


def test_reachability_is_asked_in_its_time_and_changes_nothing() -> None:
    text = step("2s", "link = 'c'\nstate = 'down'", "")
    asked = expect("reach = 'a -> b'\nat = '1s'") + expect(
        "not_reach = 'a -> b'\nat = '3s'\nbecause = 'tx-no-carrier'\nbreaks_at = 'a'"
    )
    outcome = played(text + asked)
    assert met(outcome) == [True, True]
    assert [len(travel.frame) for travel in outcome.travels] == [
        len(travel.frame) for travel in played(text).travels
    ]


def test_a_program_that_gets_nothing_says_where_its_datagrams_ended() -> None:
    programs = """
    [programs.sink]
    node = "b"
    protocol = "udp"
    listen = 7
    [programs.source]
    node = "a"
    protocol = "udp"
    to = "10.0.0.2:7"
    at = "1s"
    send = "hello"
    times = "forever"
    every = "500ms"
    """
    outcome = played(programs + expect("received = 'sink'\nmin = 30"))
    assert met(outcome) == [True]
    deaf = programs.replace("listen = 7", "listen = 8")
    outcome = played(deaf + expect("received = 'sink'"))
    seen = outcome.judged[0].seen
    assert seen.text.startswith("0 datagrams; no such packet was sent by anybody, but ")
    assert "was refused at b" in seen.text
    assert seen.reason == "udp-port-closed"


def test_series_are_taken_at_equal_distances() -> None:
    outcome = played(
        ping("1s") + "[[plots]]\ntitle = 'ARP'\nevery = '1s'\nseries = ["
        "{counter = 'arp.requests_sent', node = 'a'}, {link = 'c', label = 'bits'}]\n"
        "[[plots]]\ntitle = 'rate'\nrate = true\nevery = '10s'\nseries = [{link = 'c'}]\n"
    )
    requests, bits = outcome.plots[0].lines
    assert [value for _, value in requests.points] == [0, 0] + [1] * 19
    assert [at_ns for at_ns, _ in requests.points] == [number * S for number in range(21)]
    assert bits.label == "bits"
    rates = outcome.plots[1].lines[0].points
    assert outcome.plots[1].unit == "bit/s"
    assert rates[0] == (0, bits.points[10][1] / 10)


def test_series_tell_what_goes_on_within_a_connection() -> None:
    """A server reads nothing before 3 s: its window closes, and the sender has to wait."""
    net = NET.replace("[links.c]", "[links.c]\nrate = '1mbit'\ndelay = '5ms'")
    names = ("read", "sent", "unread", "unsent", "in-flight", "cwnd", "rtt")
    series = ", ".join(f"{{program = 'source', of = '{of}'}}" for of in names)
    text = f"""
    [programs.sink]
    node = "b"
    protocol = "tcp"
    listen = 80
    reads = "3s"
    [programs.source]
    node = "a"
    protocol = "tcp"
    to = "10.0.0.2:80"
    at = "1s"
    size = 10000
    times = 20
    [[plots]]
    title = "x"
    every = "500ms"
    series = [{series}, {{program = 'sink', of = 'unread'}}, {{program = 'sink'}}]
    """
    lines = played(text, net).plots[0].lines
    read, sent, _, unsent, in_flight, cwnd, rtt, unread, sunk = (
        dict(line.points) for line in lines
    )
    assert [line.label for line in lines][:2] == ["source", "source sent"]
    assert (sent[S], sent[2 * S]) == (0, 200_000)
    assert 100_000 < unread[5 * S // 2] < 200_000
    assert unread[5 * S // 2] + unsent[5 * S // 2] + in_flight[5 * S // 2] == 200_000
    assert cwnd[2 * S] >= 14_000
    assert rtt[2 * S] >= 10
    assert (unread[10 * S], unsent[10 * S], sunk[10 * S], read[10 * S]) == (0, 0, 200_000, 0)


def test_without_a_timeline_packets_are_not_asked_about_and_the_rest_is_the_same() -> None:
    text = ping("1s") + expect("received = 'b'") + expect("reason = 'lab-loss'\nmax = 0")
    text += expect("counter = 'icmp.messages_received'\nnode = 'b'\ncount = 1")
    with_one, without = played(text), played(text, watched=False)
    assert met(without) == [None, None, True]
    assert without.judged[0].seen.text == "no timeline is kept that would tell"
    assert [done.out for done in without.steps] == [done.out for done in with_one.steps]
    assert (without.frames, without.counters) == (with_one.frames, with_one.counters)
    assert (without.travels, without.marks[:-1]) == ((), ())


def test_what_is_not_met_is_marked_where_and_when_that_was_certain() -> None:
    text = ping("1s") + expect("received = 'b'\nfilter = 'tcp'\nby = '3s'")
    text += expect("reach = 'a -> 10.0.0.9'") + expect("received = 'b'")
    marks = [mark for mark in played(text).marks if mark.kind == "expect"]
    assert [(mark.at_ns, mark.node) for mark in marks] == [(3 * S, "b"), (20 * S, "a")]
    assert marks[0].text == (
        'expected b to receive "tcp" at least once by 3 s; no such packet was sent by anybody'
    )


def test_counters_of_all_nodes_are_kept() -> None:
    outcome = played(ping("1s"))
    assert outcome.counters["b"]["icmp.echo_replies_sent"] == 1
    assert outcome.frames == len(outcome.travels)


def test_the_document_has_all_of_it() -> None:
    outcome = played(ping("1s") + expect("received = 'b'\nfilter = 'tcp'\nwhy = 'nobody does'"))
    told = document(replace(outcome, faults=["a: x"]), Again("mine", None, "linux", "20s"))
    assert told["again"] == "smolctl lab run mine --seed 1 --profile linux --until 20s"
    assert told["ok"] is False
    assert told["expect"] == [{
        "line": 15, "text": 'b to receive "tcp" at least once', "ok": False,
        "seen": "no such packet was sent by anybody", "why": "nobody does",
    }]  # fmt: skip
    assert told["steps"][0]["status"] == 0
    assert json.loads(json.dumps(told)) == told


def test_a_storm_ends_the_run_before_its_time_and_says_so() -> None:
    """Two services that answer each other never end."""
    echo = "".join(
        f"[programs.echo-{node}]\nnode = '{node}'\nprotocol = 'udp'\nlisten = '7'\necho = true\n"
        for node in "ab"
    )
    ends = parse_address("10.0.0.1"), parse_address("10.0.0.2")
    datagram = udp.to_bytes(7, 7, b"x", *ends)
    size = 20 + len(datagram)
    header = ipv4.Ipv4Header(5, 0, size, 0, False, False, 0, 64, ipv4.Protocol.UDP, *ends)
    frame = bytes.fromhex("0200000002010200000001010800") + header.to_bytes() + datagram
    storm = echo + step("2s", f"frame = '{frame.hex()}'\non = 'a:eth0'", "")
    late = "[[expect]]\nstep = 'late'\nstatus = 0\n"
    outcome = played(storm + step("9s", "run = 'link show'\nname = 'late'") + late, most=500)
    assert 500 < outcome.frames < 1_000
    assert outcome.until_ns < 9 * S
    assert outcome.cut.startswith(f"{outcome.frames} frames by then, most often a storm")
    assert not outcome.ok
    unwatched = played(storm, most=500, watched=False, until_ns=2_010_000_000)
    assert unwatched.frames > 1_000
    assert unwatched.cut == ""
