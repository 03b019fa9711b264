"""smolctl and the kernel as neighbors on a TAP: each answers the other's ARP and ping."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from scapy.layers.l2 import ARP, Ether

from tests.e2e.kit import BOTH_WAYS, OURS_MAC, THEIRS_MAC, Lab, Peer, events
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns("arping", "ping")

OURS = ("10.0.0.1/24", "10.0.0.3/24", "192.168.7.1/30")
THEIRS = ("10.0.0.2/24", "192.168.7.2/30")
STRANGER, OTHER = "02:00:00:00:00:50", "02:00:00:00:00:51"
BROADCAST = "ff:ff:ff:ff:ff:ff"


@pytest.fixture
def tap(lab: Lab, offload: str) -> Lab:
    """Connect smolctl, with two more addresses, and the kernel."""
    lab.plug(*OURS, theirs=THEIRS, offload=offload)
    return lab


def operstate(tap: Lab) -> str:
    return str(tap.call("link.show", dev=tap.dev)[0]["operstate"])


@BOTH_WAYS
@pytest.mark.parametrize("address", OURS)
def test_kernel_asks_and_smolctl_answers(tap: Lab, address: str) -> None:
    ip = address.partition("/")[0]
    found = tap.peer.namespace.run("arping", "-c", "1", "-w", "5", "-I", tap.dev, ip)
    assert (found.returncode, OURS_MAC.upper() in found.stdout) == (0, True), found
    answered = tap.peer.namespace.run("ping", "-c", "1", "-W", "5", ip)
    assert answered.returncode == 0, answered
    assert "1 received, 0% packet loss" in answered.stdout


def test_kernel_gets_no_answer_from_an_address_that_is_not_ours(tap: Lab) -> None:
    # Inside the prefix is not the same as ours.
    found = tap.peer.namespace.run("arping", "-c", "1", "-w", "1", "-I", tap.dev, "10.0.0.4")
    assert found.returncode == 1
    tap.wait_for_drop("arp-target-not-ours")


def test_duplicate_address_detection_of_the_kernel(tap: Lab) -> None:
    def free(ip: str) -> bool:
        run = tap.peer.namespace.run("arping", "-D", "-c", "1", "-w", "1", "-I", tap.dev, ip)
        assert run.returncode in (0, 1), run
        return run.returncode == 0

    # RFC 5227 2.1.1: the probe's sender address is 0.0.0.0; it is answered and teaches nothing.
    assert not free("10.0.0.3")
    assert free("10.0.0.4")
    assert "0.0.0.0" not in tap.neighbors()


@BOTH_WAYS
def test_smolctl_asks_and_the_kernel_answers(tap: Lab) -> None:
    found = tap.smolctl("arping", "-c", "2", "-i", "0.1", "10.0.0.2")
    assert found.returncode == 0, found
    lines = found.stdout.splitlines()
    assert lines[0] == "ARPING 10.0.0.2 from 10.0.0.1 tap0"
    reply = rf"Unicast reply from 10\.0\.0\.2 \[{THEIRS_MAC}\]  \d+\.\d\d\dms"
    assert all(re.fullmatch(reply, line, re.IGNORECASE) for line in lines[1:3])
    # The first asks everybody, the second only who answered, as iputils does.
    assert lines[3:5] == ["Sent 2 probes (1 broadcast(s))", "Received 2 response(s)"]

    answered = tap.smolctl("ping", "-c", "2", "-i", "0.1", "192.168.7.2")
    assert answered.returncode == 0, answered
    assert "2 packets transmitted, 2 received, 0% packet loss" in answered.stdout


def test_duplicate_address_detection_of_smolctl(tap: Lab) -> None:
    taken = tap.smolctl("arping", "-D", "-c", "1", "-W", "2", "-I", tap.dev, "10.0.0.2")
    assert (taken.returncode, THEIRS_MAC.upper() in taken.stdout) == (1, True)
    free = tap.smolctl("arping", "-D", "-c", "1", "-W", "0.2", "-I", tap.dev, "10.0.0.4")
    assert free.returncode == 0, free


def test_neighbor_is_reachable_and_grows_stale(tap: Lab) -> None:
    tap.sysctl(neigh__base_reachable_time_ms=1000, neigh__delay_first_probe_time_ms=1)
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    assert tap.neighbors()["10.0.0.2"] == (THEIRS_MAC, "REACHABLE")
    tap.wait_for_neighbor("10.0.0.2", "STALE")
    assert tap.neighbors()["10.0.0.2"] == (THEIRS_MAC, "STALE")


def test_stale_neighbor_in_use_is_probed_by_unicast(tap: Lab) -> None:
    tap.sysctl(neigh__delay_first_probe_time_ms=100)
    replace = ("neigh", "replace", "10.0.0.2", "dev", tap.dev, "lladdr", THEIRS_MAC)
    tap.smolctl(*replace, "nud", "stale", check=True)
    capture = tap.peer.namespace.tcpdump(tap.dev, "arp")
    # No upper layer confirms that it arrived; whether a socket is there does not matter.
    tap.smolctl("udp", "send", "10.0.0.2:9", "x", "-w", "0")
    capture.wait_for("who-has 10.0.0.2")
    assert f"{OURS_MAC} > {THEIRS_MAC}" in capture.stdout
    tap.wait_for_neighbor("10.0.0.2", "REACHABLE")


def test_reply_from_another_network_is_believed_when_we_asked(tap: Lab) -> None:
    # A route without a gateway vouches for it; the kernel answers for any address it has.
    tap.peer.ip("addr", "add", "172.16.5.5/32", "dev", "lo")
    tap.smolctl("route", "add", "172.16.5.0/24", "dev", tap.dev, check=True)
    answered = tap.smolctl("ping", "-c", "1", "172.16.5.5")
    assert answered.returncode == 0, answered
    assert tap.neighbors()["172.16.5.5"] == (THEIRS_MAC, "REACHABLE")


@BOTH_WAYS
def test_neighbor_with_a_new_mac_is_found_again(tap: Lab) -> None:
    tap.sysctl(neigh__base_reachable_time_ms=200, neigh__delay_first_probe_time_ms=50)
    tap.sysctl(neigh__retrans_time_ms=50)
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    tap.peer.ip("link", "set", tap.dev, "address", OTHER)
    wait_until(
        lambda: tap.smolctl("ping", "-c", "1", "-W", "0.2", "10.0.0.2").returncode == 0,
        lambda: f"an answer; there are {tap.neighbors()}",
    )
    assert tap.neighbors()["10.0.0.2"][0] == OTHER


@BOTH_WAYS
def test_kernels_side_goes_down_and_comes_back(tap: Lab) -> None:
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    tap.peer.ip("link", "set", tap.dev, "down")
    wait_until(lambda: operstate(tap) == "DOWN", "the loss of the carrier")
    assert tap.neighbors() == {}
    assert "linkdown" in tap.smolctl.json("route", "show")[0]["flags"]
    # At once, and not the blame on a neighbor that could not hear the question.
    failed = events(tap.smolctl("-j", "udp", "send", "10.0.0.2:9", "x"))[0]
    assert (failed["event"], failed["reason"]) == ("failed", "tx-no-carrier")
    assert tap.neighbors() == {}
    # An address that nobody could be asked about is not free.
    unknown = tap.smolctl("arping", "-D", "-c", "1", "-I", tap.dev, "10.0.0.4")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 2)

    tap.peer.ip("link", "set", tap.dev, "up")
    wait_until(lambda: operstate(tap) == "UP", "the carrier")
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)


@BOTH_WAYS
def test_kernels_side_is_deleted(tap: Lab, offload: str) -> None:
    tap.peer.ip("link", "del", tap.dev)
    wait_until(lambda: operstate(tap) == "NOTPRESENT", "the loss of the device")
    sent = tap.smolctl("udp", "send", "10.0.0.2:9", "x")
    assert (sent.returncode, "tx-no-carrier" in sent.stderr) == (1, True)
    tap.smolctl("link", "del", tap.dev, check=True)
    tap.plug(*OURS, theirs=THEIRS, offload=offload)
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)


# --- what is learned, with Linux itself as the reference ------------------------------------------


class Linux(NamedTuple):
    """A second kernel with smolctl's addresses and MAC, behind ``dev`` of the first."""

    stack: Peer
    dev: str

    def neighbors(self) -> dict[str, tuple[str | None, str]]:
        rows = self.stack.rows("neigh", "show")
        return {row["dst"]: (row.get("lladdr"), row["state"][0]) for row in rows}


@pytest.fixture
def linux(tap: Lab, peer_factory: Callable[[], Peer]) -> Linux:
    """Make the kernel that gets the same frames as smolctl."""
    reference = Linux(peer_factory(), "veth0")
    other = ("type", "veth", "peer", "name", tap.dev, "netns", reference.stack.namespace.name)
    tap.peer.ip("link", "add", reference.dev, *other)
    # Nobody but the test may talk there: the injecting end has no address.
    tap.peer.ip("link", "set", reference.dev, "up")
    add = (f"addr add {address} dev {tap.dev}" for address in OURS)
    reference.stack.batch(f"link set {tap.dev} address {OURS_MAC} up", *add)
    return reference


def arp(op: int, sender: str, target: str, mac: str = STRANGER, dst: str = BROADCAST) -> Any:
    """Return an ARP frame; op 1 asks, 2 answers."""
    about = OURS_MAC if op == 2 and dst == OURS_MAC else "00:00:00:00:00:00"
    return Ether(src=mac, dst=dst) / ARP(op=op, psrc=sender, pdst=target, hwsrc=mac, hwdst=about)


KNOWN = arp(1, "10.0.0.50", "10.0.0.1")
"""A question to us: its sender is about to talk to us, so it is learned (RFC 826)."""

LEARNING = {
    "request to us creates an entry": ([KNOWN], None),
    "request to our other address does too": ([arp(1, "10.0.0.50", "192.168.7.1")], None),
    "request from another network too": ([arp(1, "99.0.0.1", "10.0.0.1")], None),
    "request to somebody else creates none": ([arp(1, "10.0.0.50", "10.0.0.60")], None),
    "reply that nobody asked for creates none": (
        [arp(2, "10.0.0.50", "10.0.0.1", dst=OURS_MAC)],
        "arp-unsolicited",
    ),
    "gratuitous request creates none": ([arp(1, "10.0.0.50", "10.0.0.50")], "arp-unsolicited"),
    "gratuitous reply creates none": ([arp(2, "10.0.0.50", "10.0.0.50")], "arp-unsolicited"),
    "gratuitous request updates": ([KNOWN, arp(1, "10.0.0.50", "10.0.0.50", OTHER)], None),
    "gratuitous reply updates": ([KNOWN, arp(2, "10.0.0.50", "10.0.0.50", OTHER)], None),
    "reply from the same MAC confirms": (
        [KNOWN, arp(2, "10.0.0.50", "10.0.0.1", dst=OURS_MAC)],
        None,
    ),
    "other MAC within the locktime is ignored": (
        [KNOWN, arp(2, "10.0.0.50", "10.0.0.1", OTHER, dst=OURS_MAC)],
        "arp-locktime",
    ),
    "who claims our address is not learned": (
        [arp(1, "10.0.0.3", "10.0.0.1")],
        "arp-address-conflict",
    ),
    "sender on the loopback is refused": ([arp(1, "127.0.0.1", "10.0.0.1")], "arp-sender-invalid"),
    "sender that is a group is refused": ([arp(1, "224.0.0.9", "10.0.0.1")], "arp-sender-invalid"),
    "probe teaches nothing": ([arp(1, "0.0.0.0", "10.0.0.1")], None),
}
"""Frames, and the reason that smolctl gives for the last of them, if it is of no use."""


@pytest.mark.parametrize("name", LEARNING)
def test_learns_as_linux_does(tap: Lab, linux: Linux, name: str) -> None:
    frames, reason = LEARNING[name]
    ours, theirs = tap.peer.wire(tap.dev), tap.peer.wire(linux.dev)
    before = tap.counter("arp", "packets_received")
    for frame in frames:
        ours.send(bytes(frame))
        theirs.send(bytes(frame))
    wait_until(lambda: tap.counter("arp", "packets_received") - before == len(frames), "the frames")
    wait_until(
        lambda: tap.neighbors() == linux.neighbors(),
        lambda: f"smolctl {tap.neighbors()} to be as Linux {linux.neighbors()}",
        timeout=2,
    )
    if reason is not None:
        assert tap.drops().get(reason) == 1, tap.drops()


@pytest.mark.parametrize("mac", [BROADCAST, "01:00:5e:00:00:01", "00:00:00:00:00:00"])
def test_mac_that_no_host_has_is_not_believed(tap: Lab, mac: str) -> None:
    # Deviation: Linux learns it. RFC 1812 3.3.2: a router MUST not believe such an ARP reply.
    frame = KNOWN.copy()
    frame[ARP].hwsrc = mac
    tap.peer.wire(tap.dev).send(bytes(frame))
    tap.wait_for_drop("arp-sender-invalid")
    assert tap.neighbors() == {}
