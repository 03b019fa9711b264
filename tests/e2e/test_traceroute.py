"""``traceroute`` through a chain of kernels that route, beside traceroute for Linux."""

import json
import re
import socket
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.e2e.kit import Lab, Peer, events
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns("traceroute")

FAR = "10.2.0.2"
"""Behind two routers: 10.0.0.2 (the kernel's end of the TAP) and 10.1.0.2."""
NO_HOST, NO_WAY, FILTERED, SILENT = "10.50.0.1", "10.51.0.1", "10.52.0.1", "10.53.0.1"
"""Answers of the second router: host unreachable, nothing known, prohibited, and nothing."""


class Chain(NamedTuple):
    """smolctl, and a kernel as a host beside it, in front of two routers and a host."""

    lab: Lab
    beside: Peer
    middle: Peer
    far: Peer

    def ours(self, *words: str) -> list[str]:
        return shape(self.lab.smolctl("traceroute", *patient(words)).stdout)

    def theirs(self, *words: str) -> list[str]:
        run = self.beside.namespace.run("traceroute", *patient(words), check=True)
        return shape(run.stdout.replace("10.9.0.2", "10.0.0.2").replace("10.9.0.1", "10.0.0.1"))


def patient(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return arguments that say how long to wait.

    Otherwise both give up on an answer that takes three times as long as another one, and on a busy
    machine one does (``-w`` in traceroute(8)).
    """
    return words if "-w" in words else ("-w", "5", *words)


def shape(text: str) -> list[str]:
    """Return the lines without the times that were measured."""
    return [re.sub(r"\d+\.\d{3} ms", "T ms", line) for line in text.splitlines()]


@pytest.fixture
def chain(lab: Lab, peer_factory: Callable[[], Peer]) -> Chain:
    first, second, far, beside = lab.peer, peer_factory(), peer_factory(), peer_factory()
    lab.plug()
    for router in (first, second):
        router.sysctl({"net.ipv4.ip_forward": 1})
    for peer in (first, second, far):
        # The mask is that of the limit of all namespaces together, too.
        peer.sysctl({"net.ipv4.icmp_ratelimit": 0, "net.ipv4.icmp_ratemask": 0})
    link(first, second, "10.1.0")
    link(second, far, "10.2.0")
    link(first, beside, "10.9.0", swapped=True)
    first.batch("route add default via 10.1.0.2")
    second.batch(
        "route add 10.0.0.0/24 via 10.1.0.1",
        "route add 10.9.0.0/24 via 10.1.0.1",
        f"route add unreachable {NO_HOST}",
        f"route add prohibit {FILTERED}",
        f"route add blackhole {SILENT}",
    )
    far.ip("route", "add", "default", "via", "10.2.0.1")
    beside.ip("route", "add", "default", "via", "10.9.0.2")
    lab.smolctl("route", "add", "default", "via", "10.0.0.2", check=True)
    return Chain(lab, beside, second, far)


def link(left: Peer, right: Peer, network: str, *, swapped: bool = False) -> None:
    """Connect two kernels; ``left`` is .1 and ``right`` .2, unless swapped."""
    name = "v" + network.replace(".", "")
    other = ("type", "veth", "peer", "name", name, "netns", right.namespace.name)
    left.ip("link", "add", name, *other)
    for peer, last in ((left, 2 if swapped else 1), (right, 1 if swapped else 2)):
        peer.batch(f"addr add {network}.{last}/24 dev {name}", f"link set {name} up")


@pytest.mark.parametrize(
    "words",
    [
        ("-n", FAR),
        (FAR,),
        ("-n", "-I", FAR),
        ("-n", "-q", "1", FAR),
        ("-n", "-f", "2", FAR),
        ("-n", "-m", "2", FAR),
        ("-n", "-N", "1", FAR, "100"),
        ("-n", "-p", "40000", "-t", "16", FAR),
        ("-n", "-U", FAR),
        ("-n", "-T", FAR),
        ("-n", "-T", "-p", "7", "-q", "2", NO_HOST),
        ("-n", NO_HOST),
        ("-n", "-I", NO_HOST),
        ("-n", NO_WAY),
        ("-n", FILTERED),
        ("-n", "-q", "2", "-w", "0.3", "-m", "4", SILENT),
        ("-n", "10.0.0.2"),
    ],
    ids=" ".join,
)
def test_text_is_that_of_traceroute(chain: Chain, words: tuple[str, ...]) -> None:
    kernel = tuple(word.replace("10.0.0.2", "10.9.0.2") for word in words)
    theirs = chain.theirs(*kernel)
    assert chain.ours(*words) == theirs
    assert len(theirs) >= 2


@pytest.mark.parametrize("mode", [(), ("-I",), ("-U",)], ids=["udp", "icmp", "fixed"])
def test_probes_that_may_not_be_cut(chain: Chain, mode: tuple[str, ...]) -> None:
    chain.far.ip("link", "set", "v1020", "mtu", "1200")
    chain.middle.ip("link", "set", "v1020", "mtu", "1200")
    words = ("-n", "-q", "2", *mode, FAR, "1400")
    for more in ((), ("-F",)):
        theirs = chain.theirs(*more, *words)
        assert chain.ours(*more, *words) == theirs
        assert ("!F-1200" in theirs[-1]) == bool(more)


@pytest.mark.parametrize(
    ("dst", "status", "reason"),
    [
        (FAR, 0, None),
        (NO_HOST, 1, "icmp-host-unreachable"),
        (NO_WAY, 1, "icmp-net-unreachable"),
        (FILTERED, 1, "icmp-prohibited"),
    ],
)
@pytest.mark.parametrize("mode", [(), ("-I",)], ids=["udp", "icmp"])
def test_where_it_ends_is_told(
    chain: Chain, mode: tuple[str, ...], dst: str, status: int, reason: str | None
) -> None:
    text = chain.lab.smolctl("traceroute", *mode, dst)
    assert text.returncode == status, text
    *probes, summary = events(chain.lab.smolctl("-j", "traceroute", *mode, dst))[1:]
    assert summary["ok"] is (status == 0)
    assert summary.get("reason") == reason
    if reason is None:
        assert text.stderr == ""
        assert summary["hops"] == 3
        assert [probe["from"] for probe in probes[::3]] == ["10.0.0.2", "10.1.0.2", FAR]
        return
    assert re.search(rf"^reason: {reason} \(smolctl why \d+\)$", text.stderr, re.MULTILINE)
    assert "10.1.0.2 says" in text.stderr
    why = chain.lab.smolctl("why", str(summary["id"]))
    assert reason in why.stdout


def test_silence_beyond_the_last_router_is_a_reason(chain: Chain) -> None:
    ended = chain.lab.smolctl("traceroute", "-w", "0.2", "-q", "1", "-m", "4", SILENT)
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[2:] == [" 2  *", " 3  *", " 4  *"]
    assert "reason: icmp-hops-silent" in ended.stderr
    assert "beyond hop 1 (10.0.0.2)" in ended.stderr


def test_the_way_to_a_port_ends_with_what_the_port_is(chain: Chain) -> None:
    server = chain.far.open(socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("", 7))
    server.listen()
    words = ("tcp", "traceroute", "-n", "-q", "1", "-w", "0.2")
    for port, said in ((7, "open (SYN-ACK)"), (8, "closed (RST)")):
        ended = chain.lab.smolctl(*words, f"{FAR}:{port}")
        assert ended.returncode == 0
        assert shape(ended.stdout)[1:] == [
            " 1  10.0.0.2  T ms", " 2  10.1.0.2  T ms", f" 3  {FAR}  T ms",
            f"{FAR}:{port} is {said}",
        ]  # fmt: skip
    assert chain.lab.call("socket.show", netid="tcp") == []
    # A router that dies: it still takes packets, and passes none on.
    chain.middle.sysctl({"net.ipv4.ip_forward": 0})
    ended = chain.lab.smolctl(*words, "-m", "4", f"{FAR}:7")
    assert ended.returncode == 1
    assert shape(ended.stdout)[1:] == [" 1  10.0.0.2  T ms", " 2  *", " 3  *", " 4  *"]
    assert "reason: icmp-hops-silent" in ended.stderr
    assert "beyond hop 1 (10.0.0.2)" in ended.stderr
    ended = chain.lab.smolctl("tcp", "ping", "-c", "1", "-W", "0.2", f"{FAR}:7")
    assert ended.returncode == 1
    assert f"how far they get: smolctl tcp traceroute {FAR}:7" in ended.stderr


def test_a_gateway_that_does_not_answer_is_told_by_ourselves(chain: Chain) -> None:
    chain.lab.sysctl(neigh__retrans_time_ms=50)
    chain.lab.smolctl("route", "replace", "default", "via", "10.0.0.99", check=True)
    ended = chain.lab.smolctl("traceroute", "-n", "-q", "1", FAR)
    assert ended.returncode == 1
    assert re.fullmatch(r" 1  10\.0\.0\.1  \d+\.\d{3} ms !H", ended.stdout.splitlines()[1])
    assert "reason: neigh-failed" in ended.stderr


def test_no_route_is_told_at_once(chain: Chain) -> None:
    chain.lab.smolctl("route", "del", "default", check=True)
    ended = chain.lab.smolctl("traceroute", FAR)
    assert (ended.returncode, ended.stdout.count("\n")) == (2, 1)
    assert "reason: tx-no-route" in ended.stderr


def test_an_interrupt_ends_it_with_a_reason(chain: Chain) -> None:
    running = chain.lab.smolctl.popen("traceroute", "-q", "1", "-N", "1", "-w", "60", SILENT)
    running.wait_for(" 1  10.0.0.2")
    running.process.send_signal(2)
    ended = running.wait()
    assert ended.returncode == 1
    assert ended.stdout.endswith("\n")
    assert "reason: icmp-hops-silent" in ended.stderr


def test_a_hop_by_a_source_route(chain: Chain) -> None:
    for peer in (chain.lab.peer, chain.far):
        peer.sysctl({"net.ipv4.conf.all.accept_source_route": 1})
    ended = chain.lab.smolctl("-j", "traceroute", "-q", "1", "-m", "1", "-g", "10.0.0.2", FAR)
    event = json.loads(ended.stdout.splitlines()[1])
    assert event["from"] == "10.0.0.2"


def test_nothing_is_left_open(chain: Chain) -> None:
    assert chain.lab.smolctl("traceroute", FAR).returncode == 0
    wait_until(lambda: not chain.lab.call("socket.show"), "no sockets")
