"""Two kernels are gateways of one route: flows leave by both, by weight, and each stays on its own.

A kernel says by which link a datagram came: it alone has heard it. The rules' tables are tried
against the same two kernels.
"""

import os
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from math import sqrt
from unittest import mock

import pytest

from smolctl.client import DatagramSocket
from tests.e2e.kit import SOCKET_SECONDS, Peer, connect, receive
from tests.kit.netns import Namespace
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns

NETWORKS = {"left": "10.1.0", "right": "10.2.0"}
FAR = "198.18.0.0/16"
"""Both kernels have all of it: only the way tells where a datagram went."""
FLOWS, EACH = 300, 3
PORT = 7000


class Gateways:
    """smolctl with a link to each of two kernels."""

    def __init__(self, smolctl: SmolctlEnv, kernels: dict[str, Peer]) -> None:
        self.smolctl, self.kernels = smolctl, kernels
        self.heard: dict[str, socket.socket] = {}
        for name, peer in kernels.items():
            network = NETWORKS[name]
            options = ("type", "tap", "netns", peer.namespace.name, "host", f"{network}.2/24")
            smolctl("link", "add", name, *options, check=True)
            smolctl("addr", "add", f"{network}.1/24", "dev", name, check=True)
            peer.batch(f"route add local {FAR} dev lo", f"route add default via {network}.1")
            self.heard[name] = peer.udp(port=PORT)
            self.heard[name].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        for network in NETWORKS.values():  # so that the first datagrams do not wait
            smolctl("ping", "-c", "1", f"{network}.2", check=True)

    def ctl(self, line: str) -> None:
        self.smolctl(*line.split(), check=True)

    def send_flows(self, *, by_port: bool = False) -> dict[str, list[str]]:
        """Send all flows, some datagrams each; return by which links each one's arrived."""
        ways: dict[str, list[str]] = {}
        sent = 0
        environ = {"XDG_RUNTIME_DIR": str(self.smolctl.directory)}
        with mock.patch.dict(os.environ, environ), DatagramSocket() as program:
            for number in range(FLOWS):
                address = "198.18.0.1" if by_port else f"198.18.{number // 250}.{number % 250 + 1}"
                flow = DatagramSocket() if by_port else program
                for _ in range(EACH):
                    flow.sendto(str(number).encode(), (address, PORT))
                    sent += 1
                if by_port:
                    flow.close()
        wait_until(
            lambda: self._take(ways) == sent,
            lambda: f"{sent} datagrams, there are {self._take(ways)}: {self._drops()}",
        )
        return ways

    def _take(self, ways: dict[str, list[str]]) -> int:
        for name, kernel in self.heard.items():
            kernel.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    ways.setdefault(kernel.recv(100).decode(), []).append(name)
            kernel.settimeout(SOCKET_SECONDS)
        return sum(map(len, ways.values()))

    def _drops(self) -> str:
        with connect(self.smolctl) as client:
            return str(client.call("stats.drops"))


@pytest.fixture
def gateways(
    netns: Namespace, peer_factory: Callable[[], Peer], smolctl_env: SmolctlEnv
) -> Gateways:
    smolctl_env.enter(netns)
    return Gateways(smolctl_env, {name: peer_factory() for name in NETWORKS})


def shares(ways: dict[str, list[str]]) -> Counter[str]:
    """Return how many flows went by each link; each must have kept to one."""
    assert len(ways) == FLOWS
    assert all(len(way) == EACH and len(set(way)) == 1 for way in ways.values())
    return Counter(way[0] for way in ways.values())


@pytest.mark.parametrize(("left", "right"), [(1, 1), (3, 1)])
@pytest.mark.parametrize("by_port", [False, True], ids=["addresses", "ports"])
def test_flows_leave_by_both_in_proportion_and_each_stays_on_one(
    gateways: Gateways, left: int, right: int, by_port: bool
) -> None:
    gateways.ctl(f"sysctl ip.fib_multipath_hash_policy={int(by_port)}")
    gateways.ctl(
        f"route add default nexthop via 10.1.0.2 weight {left} nexthop via 10.2.0.2 weight {right}"
    )
    ways = gateways.send_flows(by_port=by_port)
    expected = FLOWS * left / (left + right)
    spread = sqrt(FLOWS * left * right) / (left + right)
    assert abs(shares(ways)["left"] - expected) < 5 * spread
    if not by_port:
        for number in range(0, FLOWS, 25):
            (row,) = gateways.smolctl.json(
                "route", "get", f"198.18.{number // 250}.{number % 250 + 1}"
            )
            assert row["dev"] == ways[str(number)][0]


def test_a_gateway_that_dies_loses_its_flows_and_no_other_moves(gateways: Gateways) -> None:
    gateways.ctl("route add default nexthop via 10.1.0.2 nexthop via 10.2.0.2")
    before = gateways.send_flows()
    assert shares(before).keys() == {"left", "right"}
    gateways.kernels["right"].ip("link", "set", "right", "down")

    def carrier() -> bool:
        (row,) = gateways.smolctl.json("link", "show", "dev", "right")
        return bool(row["operstate"] == "UP")

    wait_until(lambda: not carrier(), "no carrier")
    assert shares(gateways.send_flows()) == {"left": FLOWS}
    gateways.kernels["right"].ip("link", "set", "right", "up")
    gateways.kernels["right"].ip("route", "replace", "default", "via", "10.2.0.1")
    wait_until(carrier, "carrier")
    gateways.ctl("ping -c 1 10.2.0.2")
    assert gateways.send_flows() == before


def test_a_rule_sends_what_comes_from_an_address_by_another_gateway(gateways: Gateways) -> None:
    gateways.ctl("addr add 10.9.9.9/32 dev lo")
    gateways.ctl("route add default via 10.1.0.2")
    gateways.ctl("route add default via 10.2.0.2 table 100")
    gateways.ctl("rule add from 10.9.9.9 lookup 100")
    gateways.ctl("rule add to 198.18.7.0/24 prohibit")
    for source, name in ((None, "left"), ("10.1.0.1", "left"), ("10.9.9.9", "right")):
        options = () if source is None else ("-s", source)
        sent = gateways.smolctl("udp", "send", f"198.18.0.1:{PORT}", "hi", *options)
        assert sent.returncode == 0, sent
        assert receive(gateways.heard[name])[0] == "hi"
    refused = gateways.smolctl("udp", "send", f"198.18.7.1:{PORT}", "hi")
    assert refused.returncode == 1
    assert "tx-rule-prohibit" in refused.stderr
    with connect(gateways.smolctl) as client:
        events = client.stream("monitor.run", rule=True, count=2)
        assert next(events)["event"] == "watching"
        gateways.ctl("rule add from 10.9.9.9 blackhole priority 5")
        gateways.ctl("rule del priority 5")
        made, gone = next(events), next(events)
    assert (made["event"], made["priority"], made["action"]) == ("rule", 5, "blackhole")
    assert gone == {**made, "deleted": True, "time": gone["time"]}
