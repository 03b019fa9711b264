"""Floods of invented neighbors: a burst is taken whole, and who is established keeps its place."""

import sys
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.kit import Lab
from tests.kit.amount import amount
from tests.kit.process import Background, wait_until

pytestmark = pytest.mark.netns("ping")

INVENTED = Path(__file__).parents[2] / "bench" / "invented.py"
BURST = 1000
OURS, THEIRS = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def tap(lab: Lab) -> Lab:
    """Connect smolctl and the kernel, which know each other."""
    lab.plug(f"{OURS}/8", theirs=(f"{THEIRS}/8",))
    lab.smolctl("ping", "-c", "1", THEIRS, check=True)
    return lab


def flood(tap: Lab, rate: int, number: int) -> Background:
    """Begin to ask for our address from ``number`` addresses, ``rate`` a second or at once."""
    words = (tap.dev, OURS, str(rate), str(number))
    return tap.peer.namespace.popen(sys.executable, str(INVENTED), *words)


def test_a_burst_of_a_thousand_frames_is_taken_whole(tap: Lab) -> None:
    for _ in range(3):
        before = received(tap)
        assert flood(tap, 0, BURST).wait().returncode == 0
        wait_until(
            partial(took, tap, before + BURST), lambda: f"{BURST} frames, took {received(tap)}"
        )


def received(tap: Lab) -> int:
    return tap.counter("arp", "packets_received")


def took(tap: Lab, number: int) -> bool:
    return received(tap) >= number


@pytest.mark.proof
def test_an_established_neighbor_loses_nothing_under_a_flood(tap: Lab) -> None:
    rate, seconds = amount(10_000, 1000), amount(10, 2)
    invented = flood(tap, rate, rate * seconds)
    ping = tap.smolctl("ping", "-i", "0.02", "-c", str(40 * seconds), THEIRS)
    assert invented.wait().returncode == 0
    assert " 0% packet loss" in ping.stdout
    assert tap.drops()["neigh-evicted"] > 0
    assert THEIRS in tap.neighbors()
