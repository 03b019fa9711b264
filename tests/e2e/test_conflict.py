"""Address conflicts between smolctl and the kernel: who tests, who has it, who defends it."""

import pytest

from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Lab, Row, wait_for_lines
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns("arping", "ping", "tcpdump")

WANTED = "10.0.0.77"
QUICK = {
    "arp__probe_wait_ms": 10, "arp__probe_min_ms": 50, "arp__probe_max_ms": 50,
    "arp__announce_wait_ms": 100, "arp__announce_interval_ms": 50,
}  # fmt: skip
"""The times of a test, in some tenths of a second instead of in 4 to 7 s."""


@pytest.fixture
def tap(lab: Lab) -> Lab:
    lab.plug()
    return lab


def address(tap: Lab, local: str = WANTED) -> Row:
    (row,) = tap.call("addr.show", dev=tap.dev, to=f"{local}/32")
    (info,) = row["addr_info"]
    found: Row = info
    return found


def settled(tap: Lab, local: str = WANTED) -> Row:
    """Wait until an address is ours, or another host's, and return its row."""
    wait_until(
        lambda: not address(tap, local).get("tentative") or address(tap, local).get("dadfailed"),
        lambda: f"the end of the test of {address(tap, local)}",
    )
    return address(tap, local)


def arping_d(tap: Lab, local: str) -> tuple[int, bool]:
    """Let the kernel's arping ask who has an address; return its status, and whether we did."""
    run = tap.peer.namespace.run("arping", "-D", "-c", "1", "-w", "1", "-I", tap.dev, local)
    return run.returncode, OURS_MAC.upper() in run.stdout


def test_probes_and_announcements_on_the_wire(tap: Lab) -> None:
    tap.sysctl(**QUICK)
    capture = tap.peer.namespace.tcpdump(tap.dev, "arp")
    tap.smolctl("addr", "add", f"{WANTED}/24", "dev", tap.dev, "dad", check=True)
    lines = wait_for_lines(lambda: capture.stdout, "ethertype ARP", 5)
    assert all(f"{OURS_MAC} > ff:ff:ff:ff:ff:ff," in line for line in lines)
    assert [line.partition("Request ")[2] for line in lines] == [
        *[f"who-has {WANTED} tell 0.0.0.0, length 28"] * 3,
        *[f"who-has {WANTED} tell {WANTED}, length 28"] * 2,
    ]


def test_a_tentative_address_is_neither_answered_for_nor_used(tap: Lab) -> None:
    tap.sysctl(**QUICK | {"arp__probe_wait_ms": 3_600_000})
    tap.smolctl("addr", "add", f"{WANTED}/24", "dev", tap.dev, "dad", check=True)
    shown = tap.smolctl("addr", "show", tap.dev, check=True).stdout
    assert f"inet {WANTED}/24 scope global secondary dad tentative tap0" in shown
    # Not before it was tested: it neither answers nor can be used.
    asked = tap.peer.namespace.run("arping", "-c", "1", "-w", "1", "-I", tap.dev, WANTED)
    assert asked.returncode == 1, asked
    refused = tap.smolctl("udp", "send", "-s", WANTED, "10.0.0.2:9", "x")
    assert (refused.returncode, "is being tested" in refused.stderr) == (2, True)


def test_an_address_that_was_tested_answers(tap: Lab) -> None:
    tap.sysctl(**QUICK)
    watching = tap.smolctl.popen("monitor", "addr", "-c", "2", "-w", "10")
    watching.wait_for("watching")
    tap.smolctl("addr", "add", f"{WANTED}/24", "dev", tap.dev, "dad", check=True)
    assert "tentative" not in settled(tap)
    assert arping_d(tap, WANTED) == (1, True)
    tap.peer.namespace.run("ping", "-c", "1", "-W", "5", WANTED, check=True)
    first, _, second, _ = watching.wait().stdout.splitlines()
    assert (f"{WANTED}/24" in first, f"{WANTED}/24" in second) == (True, True)
    assert ("tentative" in first, "tentative" in second) == (True, False)


def test_an_address_that_the_kernel_has_is_not_used(tap: Lab) -> None:
    tap.sysctl(**QUICK)
    tap.peer.ip("addr", "add", f"{WANTED}/24", "dev", tap.dev)
    tap.smolctl("addr", "add", f"{WANTED}/24", "dev", tap.dev, "dad", check=True)
    found = settled(tap)
    assert (found["dadfailed"], found["conflict"]) == (True, THEIRS_MAC)
    shown = tap.smolctl("addr", "show", "dadfailed", check=True).stdout
    assert f"inet {WANTED}/24 scope global secondary dad dadfailed tentative tap0" in shown
    told = tap.smolctl("why", "last").stdout
    assert f"{THEIRS_MAC} has {WANTED}, which was being tested" in told
    # It is the kernel's, which we can reach.
    tap.smolctl("ping", "-c", "1", "-W", "5", WANTED, check=True)
    tap.peer.ip("addr", "del", f"{WANTED}/24", "dev", tap.dev)
    tap.smolctl("addr", "replace", f"{WANTED}/24", "dev", tap.dev, check=True)
    assert "tentative" not in settled(tap)
    assert arping_d(tap, WANTED) == (1, True)


def test_both_test_the_same_address(tap: Lab) -> None:
    tap.sysctl(**QUICK | {"arp__announce_wait_ms": 5000})
    tap.smolctl("addr", "add", f"{WANTED}/24", "dev", tap.dev, "dad", check=True)
    wait_until(lambda: tap.counter("arp", "probes_sent") == 3, "the probes")
    assert arping_d(tap, WANTED) == (0, False)  # the kernel's probe
    assert settled(tap)["dadfailed"]


@pytest.mark.parametrize("policy", ["off", "yield", "once"])
def test_the_kernel_claims_our_address(tap: Lab, policy: str) -> None:
    tap.smolctl("sysctl", f"arp.defend={policy}", check=True)
    capture = tap.peer.namespace.tcpdump(tap.dev, "arp", "and", "ether", "src", OURS_MAC)
    tap.peer.ip("addr", "add", "10.0.0.1/32", "dev", tap.dev)
    announce = ("arping", "-U", "-c", "1", "-I", tap.dev, "10.0.0.1")
    tap.peer.namespace.run(*announce, check=True)
    tap.wait_for_drop("arp-address-conflict")
    if policy == "once":
        capture.wait_for("who-has 10.0.0.1 tell 10.0.0.1")
        assert "tentative" not in address(tap, "10.0.0.1")
        tap.peer.namespace.run(*announce, check=True)
    if policy != "off":
        assert settled(tap, "10.0.0.1")["conflict"] == THEIRS_MAC
        assert arping_d(tap, "10.0.0.1")[0] == 0
    else:
        assert arping_d(tap, "10.0.0.1") == (1, True)


def test_announcements_repair_the_kernels_neighbors(tap: Lab) -> None:
    tap.smolctl("sysctl", "arp.notify=1", check=True)
    tap.peer.ip(
        "neigh",
        "replace",
        "10.0.0.1",
        "lladdr",
        "02:00:00:00:00:99",
        "dev",
        tap.dev,
        "nud",
        "reachable",
    )
    tap.peer.sysctl({"net.ipv4.neigh.tap0.locktime": 0})
    mac = "02:00:00:00:00:03"
    tap.smolctl("link", "set", tap.dev, "address", mac, check=True)

    def known() -> str:
        (row,) = tap.peer.rows("neigh", "show", "10.0.0.1")
        return str(row["lladdr"])

    wait_until(lambda: known() == mac, lambda: f"{mac} for 10.0.0.1: {known()}")


@pytest.mark.parametrize("how", ["-U", "-A"])
def test_arping_announces_as_iputils_does(tap: Lab, how: str) -> None:
    capture = tap.peer.namespace.tcpdump(tap.dev, "arp")
    words = ("arping", how, "-c", "2", "-I", tap.dev)
    ours = tap.smolctl(*words, "10.0.0.1")
    theirs = tap.peer.namespace.run(*words, "10.0.0.2")
    for run, ip in ((ours, "10.0.0.1"), (theirs, "10.0.0.2")):
        lines = [f"ARPING {ip} from {ip} tap0", "Sent 2 probes (2 broadcast(s))",
                 "Received 0 response(s)"]  # fmt: skip
        assert (run.returncode, run.stdout.splitlines()) == (0, lines), run
        saying = f"Reply {ip} is-at" if how == "-A" else f"tell {ip},"
        wait_for_lines(lambda: capture.stdout, saying, 2)
    # Only an address of one's own can be announced.
    for run in (tap.smolctl(*words, "10.0.0.99"), tap.peer.namespace.run(*words, "10.0.0.99")):
        assert (run.returncode, run.stdout) == (2, ""), run
