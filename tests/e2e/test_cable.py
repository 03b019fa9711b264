"""Stacks on a cable: processes of one user, without root."""

import json
import signal
from collections.abc import Callable

import pytest

from tests.e2e.profiles.stacks import Stack, arping, exchange, ping
from tests.kit.stack_env import SmolctlEnv

Make = Callable[[str], Stack]
CABLE = ("cable", "name", "c1")


@pytest.fixture(autouse=True)
def _ipv4_alone(smolctl_env: SmolctlEnv) -> None:
    """Let links send nothing by themselves, as those of IPv6 do."""
    smolctl_env.environ["SMOLCTL_IP6_DISABLE"] = "1"


def test_two_stacks(stacks: Make) -> None:
    a = stacks("a").start(*CABLE)
    assert a.row()["operstate"] == "DOWN"
    b = stacks("b").start(*CABLE)
    for one, other in ((a, b), (b, a)):
        one.wait_for_link()
        arping(one, other)
        ping(one, other)
        exchange(one, other)
    assert a.drops().keys() <= {"neigh-pending"}
    assert a.data()["name"] == "c1"
    assert "cable name c1 ends 2" in a("-v", "link", "show", "eth0").stdout


def test_three_ends_are_a_hub(stacks: Make) -> None:
    ends = [stacks(name).start(*CABLE) for name in "abc"]
    for one in ends:
        one.wait_for_link()
    for one in ends:
        for other in ends:
            if other is not one:
                ping(one, other)
    assert [one.data()["ends"] for one in ends] == [3, 3, 3]
    # A hub shows each frame to all; the third one's card would have been quiet about it.
    assert all(one.drops()["rx-not-our-mac"] > 0 for one in ends)


def test_ends_with_different_mtus_lose_what_is_too_long(stacks: Make) -> None:
    a = stacks("a").start(*CABLE, "mtu", "9000")
    b = stacks("b").start(*CABLE)
    a.wait_for_link()
    b.wait_for_link()
    ping(a, b)
    lost = a("ping", "-c", "1", "-W", "0.2", "-s", "3000", b.address)
    assert lost.returncode == 1
    assert b.drops()["rx-frame-too-long"] == 1
    b("link", "set", "eth0", "mtu", "9000", check=True)
    a("ping", "-c", "1", "-W", "5", "-s", "3000", b.address, check=True)


def test_an_end_that_is_killed_is_unplugged_and_comes_back(stacks: Make) -> None:
    a, b = (stacks(name).start(*CABLE) for name in "ab")
    a.wait_for_link()
    ping(a, b)
    b.kill()
    a.wait_for_link(up=False)
    assert a("udp", "send", f"{b.address}:9", "x").returncode == 1
    assert a.drops()["tx-no-carrier"] >= 1
    b.start(*CABLE)
    a.wait_for_link()
    b.wait_for_link()
    ping(a, b)
    ping(b, a)
    assert a.data()["ends"] == 2


def test_a_stopped_stack_leaves_nothing(stacks: Make) -> None:
    a, b = (stacks(name).start(*CABLE) for name in "ab")
    cables = a.env.directory / "smolctl" / "cables"
    assert len(list((cables / "c1").iterdir())) == 2
    b("stack", "stop", check=True)
    a.wait_for_link(up=False)
    a("link", "del", "eth0", check=True)
    assert list(cables.iterdir()) == []


def test_both_ends_in_one_stack(stacks: Make) -> None:
    a = stacks("a").start(*CABLE)
    a("link", "add", "eth1", "type", *CABLE, check=True)
    a.wait_for_link()
    assert [row["operstate"] for row in a.call("link.show")][1:] == ["UP", "UP"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("cable",), "type cable needs the cable's name"),
        (("cable", "name", "a/b"), '"a/b" is not a cable\'s name'),
    ],
)
def test_a_wrong_name_is_one_line(words: tuple[str, ...], says: str, stacks: Make) -> None:
    a = stacks("a")
    a("stack", "start", check=True)
    run = a("link", "add", "eth0", "type", *words)
    assert run.returncode == 2
    assert says in run.stderr.splitlines()[0]


def test_a_bad_cable_says_what_it_did(stacks: Make) -> None:
    a, b = (stacks(name).start(*CABLE) for name in "ab")
    a.wait_for_link()
    ping(a, b)
    a("link", "set", "eth0", "loss", "100%", check=True)
    lost = a("udp", "send", f"{b.address}:9", "x")
    assert lost.returncode == 1
    assert "lab-loss" in lost.stderr
    assert a.row()["netem"] == {"limit": 1000, "loss-random": {"loss": 1}}
    a("link", "set", "eth0", "loss", "0", "duplicate", "100%", check=True)
    assert "DUP!" in a("ping", "-c", "2", "-i", "0.1", b.address, check=True).stdout
    a("link", "set", "eth0", "duplicate", "0", "corrupt", "100%", check=True)
    for _ in range(20):
        a("udp", "send", f"{b.address}:9", "x")
    assert a.drops()["lab-corrupt"] >= 20
    # One flipped bit is found by some check at the other end, or was in what nobody looks at.
    assert sum(b.drops().values()) > 0
    for end in (a, b):  # an ARP packet with a flipped bit may have taught anything
        end.call("neigh.flush", dev="eth0")
    a("link", "set", "eth0", "corrupt", "0", "delay", "20ms", "rate", "1mbit", check=True)
    *_, summary = a("-j", "ping", "-c", "3", "-i", "0.1", b.address, check=True).stdout.splitlines()
    assert json.loads(summary)["rtt_ns"]["min"] >= 20_000_000
    a("link", "set", "eth0", "delay", "0", "rate", "0", check=True)
    assert "netem" not in a.row()
    ping(a, b)
    assert a.drops()["lab-loss"] >= 1


def test_two_stacks_over_datagrams(stacks: Make) -> None:
    a, b = stacks("a"), stacks("b")
    paths = [str(a.env.directory / name) for name in "ab"]
    a.start("dgram", "local", paths[0], "remote", paths[1])
    b.start("dgram", "local", paths[1], "remote", paths[0])
    for one, other in ((a, b), (b, a)):
        one.wait_for_link()
        arping(one, other)
        ping(one, other)
        exchange(one, other)
    b.kill()
    a.wait_for_link(up=False)
    b.start("dgram", "local", paths[1], "remote", paths[0])
    for one in (a, b):
        one.wait_for_link()
    ping(a, b)


def lossy(stacks: Make) -> tuple[Stack, Stack]:
    """Return two stacks on a cable of which each end loses 30 %, and nothing is left to ARP."""
    a, b = (stacks(name).start(*CABLE) for name in "ab")
    a.wait_for_link()
    b.wait_for_link()
    for one, other in ((a, b), (b, a)):
        mac = other.row()["address"]
        one.call("neigh.replace", dst=other.address, lladdr=mac, dev="eth0", nud="permanent")
        one("link", "set", "eth0", "loss", "30%", check=True)
    return a, b


def counters(stack: Stack) -> tuple[int, int, int]:
    """Return how many frames eth0 sent and received, and how many its end of the cable lost."""
    stats = stack.call("link.show", dev="eth0", stats=True)[0]["stats64"]
    return stats["tx"]["packets"], stats["rx"]["packets"], stack.drops().get("lab-loss", 0)


def grown(stack: Stack, before: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(now - then for now, then in zip(counters(stack), before, strict=True))


def test_each_of_1000_lost_pings_is_accounted_for(stacks: Make) -> None:
    a, b = lossy(stacks)
    before = counters(a), counters(b)
    run = a("-j", "ping", "-c", "1000", "-i", "0.001", "-W", "1", b.address)
    summary = json.loads(run.stdout.splitlines()[-1])
    (sent, back, lost), (replied, arrived, vanished) = map(grown, (a, b), before)
    assert summary["transmitted"] == 1000
    assert lost > 200
    assert vanished > 100
    assert sent == 1000 - lost
    assert arrived == sent
    assert replied == arrived - vanished
    assert summary["received"] == back == replied


def test_each_of_1000_lost_datagrams_is_accounted_for(stacks: Make) -> None:
    a, b = lossy(stacks)
    reader = b.popen("-j", "udp", "recv", "9")
    reader.wait_for('"event":"bound"')
    before = counters(a), counters(b)
    run = a("-j", "udp", "send", f"{b.address}:9", "x", "-c", "1000", "-i", "0")
    *events, summary = [json.loads(line) for line in run.stdout.splitlines()]
    (sent, _, lost), (_, arrived, _) = map(grown, (a, b), before)
    assert lost > 200
    assert [event["reason"] for event in events if event["event"] == "failed"] == [
        "lab-loss"
    ] * lost
    assert (summary["sent"], summary["failed"]) == (1000 - lost, lost)
    assert sent == arrived == 1000 - lost
    heard = json.loads(reader.stop(signal.SIGINT).stdout.splitlines()[-1])
    assert (heard["received"], heard["drops"]) == (arrived, 0)
