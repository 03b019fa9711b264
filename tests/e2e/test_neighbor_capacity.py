"""More live neighbors than the cache holds: what that costs, and who has to go."""

import json
import socket

import pytest

from tests.e2e.kit import Lab, receive
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns

PEERS = [f"10.0.0.{n}" for n in range(101, 121)]
ROUNDS = 5
PORT = 7


@pytest.fixture
def tap(lab: Lab) -> Lab:
    """Connect smolctl, which echoes, and a kernel that has the addresses of 20 neighbors."""
    lab.plug(theirs=tuple(f"{peer}/24" for peer in PEERS))
    # The kernel shall not ask for smolctl's MAC: its questions would be answers for us.
    asks_never = ("lladdr", "02:00:00:00:00:01", "dev", lab.dev, "nud", "permanent")
    lab.peer.ip("neigh", "replace", "10.0.0.1", *asks_never)
    echo = lab.smolctl.popen("-q", "udp", "echo", str(PORT))
    wait_until(lambda: lab.call("socket.show"), lambda: f"the socket of {echo}")
    return lab


def converse(kernels: list[socket.socket]) -> None:
    """Let each neighbor send a datagram and wait for the echo."""
    for kernel in kernels:
        kernel.sendto(b"hello", ("10.0.0.1", PORT))
        assert receive(kernel) == ("hello", ("10.0.0.1", PORT))


def requests_per_round(tap: Lab) -> list[int]:
    """Return how many ARP requests each round of talking to all neighbors cost."""
    kernels = [tap.peer.udp(peer, 0) for peer in PEERS]
    result, before = [], 0
    for _ in range(ROUNDS):
        converse(kernels)
        now = tap.counter("arp", "requests_sent")
        result.append(now - before)
        before = now
    return result


def test_four_entries_mean_a_request_for_every_datagram(tap: Lab) -> None:
    tap.sysctl(iface__neighbor_cache_count=4)
    assert requests_per_round(tap) == [len(PEERS)] * ROUNDS
    assert len(tap.neighbors()) == 4
    # Each new entry but the first four pushed one out, and the reason says so.
    assert tap.drops()["neigh-evicted"] == len(PEERS) * ROUNDS - 4
    (row,) = [r for r in tap.smolctl.json("stats", "drops") if r["reason"] == "neigh-evicted"]
    assert (row["class"], row["dev"]) == ("note", tap.dev)
    assert "iface.neighbor_cache_count" in row["hint"]


def test_sixty_four_entries_mean_one_request_for_each_neighbor(tap: Lab) -> None:
    tap.sysctl(iface__neighbor_cache_count=64)
    assert requests_per_round(tap) == [len(PEERS)] + [0] * (ROUNDS - 1)
    assert len(tap.neighbors()) == len(PEERS)
    assert "neigh-evicted" not in tap.drops()


def test_permanent_entry_is_never_evicted(tap: Lab) -> None:
    tap.sysctl(iface__neighbor_cache_count=4)
    mac = tap.peer.mac(tap.dev)
    add = ("neigh", "add", PEERS[0], "lladdr", mac, "dev", tap.dev)
    tap.smolctl(*add, check=True)
    # It was never used, so it would be the first to go.
    assert requests_per_round(tap) == [len(PEERS) - 1] * ROUNDS
    assert tap.neighbors()[PEERS[0]] == (mac, "PERMANENT")


def test_cache_full_of_permanent_entries_refuses_others(tap: Lab) -> None:
    tap.sysctl(iface__neighbor_cache_count=2)
    mac = tap.peer.mac(tap.dev)
    for peer in PEERS[:2]:
        tap.smolctl("neigh", "add", peer, "lladdr", mac, "dev", tap.dev, check=True)
    refused = tap.smolctl("udp", "send", f"{PEERS[2]}:9", "hello")
    assert refused.returncode == 1
    assert refused.stderr.startswith("smolctl: not sent: neigh-table-full: ")
    assert refused.stderr.count("\n") == 2
    assert refused.stderr.endswith(")\n")
    # Who is in the cache is not disturbed, and who asks us is still answered.
    kernels = [tap.peer.udp(peer, 0) for peer in PEERS[:2]]
    converse(kernels)
    assert {state for _, state in tap.neighbors().values()} == {"PERMANENT"}


def test_idle_entries_go_before_those_in_use(tap: Lab) -> None:
    busy, idle, new = PEERS[0], PEERS[1:4], PEERS[4:7]
    tap.sysctl(iface__neighbor_cache_count=4, neigh__delay_first_probe_time_ms=600)
    converse([tap.peer.udp(peer, 0) for peer in [busy, *idle]])
    tap.smolctl.popen("-q", "ping", "-i", "0.05", busy)

    def ages() -> dict[str, int]:
        rows = json.loads(tap.smolctl("-j", "-s", "neigh", "show", check=True).stdout)
        return {row["dst"]: row["used"] for row in rows}

    wait_until(lambda: all(ages()[peer] >= 1 for peer in idle), lambda: f"idle ones: {ages()}")
    assert ages()[busy] == 0
    for peer in new:
        tap.smolctl("udp", "send", f"{peer}:9", "x", "-w", "0")
        assert busy in tap.neighbors()
    assert set(tap.neighbors()) == {busy, *new}
    assert tap.drops()["neigh-evicted"] == 3
