"""Answers to ARP where rules come before the table local: smolctl beside the kernel."""

import socket
from collections.abc import Callable

import pytest

from tests.e2e.kit import Lab, Peer
from tests.kit.host import PEER_MAC, request
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns
KERNEL, OURS, SENDER = "10.0.0.1", "10.0.0.2", "10.0.0.9"
LOCAL_LATER = ("rule add priority 100 lookup local", "rule del priority 0")
CASES = (
    ("from {sender} blackhole", False),
    ("from {sender} unreachable", False),
    ("from {sender} prohibit", False),
    ("to {own} blackhole", False),
    ("to {sender} blackhole", True),
    ("iif {dev} blackhole", False),
    ("iif lo blackhole", True),
    ("tos 0x10 blackhole", True),
    ("ipproto udp blackhole", True),
    ("lookup 50", False),
    ("lookup 51", False),
)
TABLES = ("route add {own}/32 dev {dev} table 50", "route add blackhole {own}/32 table 51")


def answers(wire: socket.socket) -> set[str]:
    """Ask both; each is sent a probe behind the request, which is answered whatever the rules."""
    for target in (KERNEL, OURS):
        wire.send(request(SENDER, target))
        wire.send(request("0.0.0.0", target))
    found: set[str] = set()
    probes: set[str] = set()

    def all_came() -> bool:
        try:
            frame = wire.recv(2000)
        except TimeoutError:
            return False
        if frame[12:14] == b"\x08\6" and frame[21] == 2 and frame[:6] == PEER_MAC:
            own, asked = socket.inet_ntoa(frame[28:32]), socket.inet_ntoa(frame[38:42])
            (probes if asked == "0.0.0.0" else found).add(own)
        return len(probes) == 2

    wait_until(all_came, lambda: f"answers to both probes, there are: {probes}")
    return found


def test_the_kernel_and_smolctl_answer_the_same(lab: Lab, peer_factory: Callable[[], Peer]) -> None:
    """A bridge carries requests to both; one answers for 10.0.0.1, the other for 10.0.0.2."""
    lab.plug(f"{OURS}/24", theirs=())
    kernel = peer_factory()
    lab.peer.batch(
        "link add br0 type bridge", "link set br0 up promisc on", "link set tap0 master br0 up",
        f"link add v0 type veth peer name e0 netns {kernel.namespace.name}",
        "link set v0 master br0 up",
    )  # fmt: skip
    kernel.batch(f"addr add {KERNEL}/24 dev e0", "link set e0 up")
    wire = lab.peer.wire("br0")
    wire.settimeout(0.2)

    def both(*commands: str) -> None:
        for run, own, dev in (
            (kernel.ip, KERNEL, "e0"),
            (lambda *words: lab.smolctl(*words, check=True), OURS, "tap0"),
        ):
            for command in commands:
                run(*command.format(own=own, dev=dev, sender=SENDER).split())

    both(*LOCAL_LATER, *TABLES)
    assert answers(wire) == {KERNEL, OURS}
    for words, answered in CASES:
        both(f"rule add priority 10 {words}")
        assert answers(wire) == ({KERNEL, OURS} if answered else set()), words
        both("rule del priority 10")
