"""Every fix that is printed works: run by a shell as it stands, it lets the packet through."""

import json
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from smolctl.stack.reason import REASONS
from tests.e2e.fixes import fixes, fixes_hold, fixes_proxy
from tests.e2e.fixes.fix_frames import FAR, OURS, PORT, THEIRS, echo, ip, udp
from tests.e2e.fixes.fixes import Bench, Case, counts
from tests.e2e.fixes.fixes6 import CASES6, UNFIXED6
from tests.e2e.fixes.fixes_conflict import CONFLICT_CASES
from tests.e2e.fixes.fixes_forward import FORWARD_CASES
from tests.e2e.fixes.fixes_groups import GROUP, GROUP_CASES, GROUP_MAC, TO_PORT
from tests.e2e.fixes.fixes_icmp import ICMP_CASES
from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Lab, Row
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv

ALL = (
    *fixes.CASES, *CONFLICT_CASES, *fixes_hold.CASES, *ICMP_CASES, *FORWARD_CASES,
    *fixes_proxy.CASES, *GROUP_CASES, *CASES6,
)  # fmt: skip
UNFIXED = {
    **UNFIXED6,
    "tx-no-port": "udp send binds its socket before; see the test of the error that it gives",
    "arp-dad-rate-limited": "its fix is not proven",
    "ip-multicast-filtered": "has a test of its own: a member is there from the beginning",
    "udp-bound-elsewhere": "has a test of its own: a socket is there from the beginning",
    "tcp-bound-elsewhere": "has a test of its own, too",
    "tcp-syn-queue-full": "has a test of its own, too",
}
"""Reasons with a fix that are not in the table, and why."""


def run(env: SmolctlEnv, line: str) -> Background:
    """Run a line as printed, in a shell; one that listens is left to do so."""
    running = env.shell(line)
    if " udp recv " in line or " tcp listen " in line:
        wait_until(lambda: env.json("socket", "show"), lambda: f"a socket by: {running}")
    else:
        ended = running.wait()
        assert ended.returncode == 0, ended
    return running


def struck(lab: Lab, reason: str) -> Row:
    """Return the row of a reason that was counted."""
    lab.wait_for_drop(reason)
    (row,) = (row for row in lab.call("stats.drops") if row["reason"] == reason)
    return row


@pytest.mark.netns("ping")
@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.reason}: {case.fix}")
def test_fix_lets_the_packet_through(lab: Lab, case: Case) -> None:
    bench = Bench(lab)
    for line in case.kernel:
        lab.peer.ip(*line.split())
    for line in case.setup:
        assert bench.ctl(line), line
    assert not case.act(bench)
    row = struck(lab, case.reason)
    assert row["fix"] == [case.fix]
    assert row["hint"].endswith(f"; {case.fix}")
    run(lab.smolctl, case.fix)
    count = lab.drops()[case.reason]
    bench.patience = 5
    assert (case.again or case.act)(bench)
    assert lab.drops()[case.reason] == count


@pytest.mark.netns
def test_a_listener_that_is_bound_elsewhere(lab: Lab) -> None:
    bench = Bench(lab)
    elsewhere = lab.smolctl.popen("tcp", "echo", f"127.0.0.1:{PORT}")
    elsewhere.wait_for("listening")
    assert not fixes.connected(bench)
    row = struck(lab, "tcp-bound-elsewhere")
    assert row["fix"] == [f"smolctl tcp listen {OURS}:{PORT} --dev tap0"]
    listening = lab.smolctl.shell(row["fix"][0])
    wait_until(lambda: len(lab.call("socket.show", netid="tcp")) > 1, lambda: f"{listening}")
    assert fixes.connected(bench)


@pytest.mark.netns
def test_a_queue_of_handshakes_that_is_full(lab: Lab) -> None:
    bench = Bench(lab)
    for line in ("tcp.syncookies=0", "tcp.max_syn_backlog=1"):
        assert bench.ctl(f"sysctl {line}")
    echo = lab.smolctl.popen("tcp", "echo", str(PORT))
    echo.wait_for("listening")
    bench.wire.send(
        bytes(
            Ether(dst=OURS_MAC, src=THEIRS_MAC)
            / IP(src="10.0.0.77", dst=OURS)
            / TCP(sport=9, dport=PORT, flags="S")
        )
    )
    lab.wait_for_neighbor("10.0.0.77", "INCOMPLETE")
    assert not fixes.connected(bench)
    row = struck(lab, "tcp-syn-queue-full")
    assert row["fix"] == ["smolctl sysctl tcp.syncookies=1"]
    run(lab.smolctl, row["fix"][0])
    assert fixes.connected(bench)


@pytest.mark.netns
def test_a_port_that_is_bound_elsewhere(lab: Lab) -> None:
    bench = Bench(lab)
    elsewhere = lab.smolctl.popen("udp", "recv", f"127.0.0.1:{PORT}")
    wait_until(lambda: lab.call("socket.show"), f"{elsewhere}")
    arrives = counts("udp.datagrams_delivered", udp())
    assert not arrives(bench)
    row = struck(lab, "udp-bound-elsewhere")
    assert row["fix"] == [f"smolctl udp recv {OURS}:{PORT} --dev tap0"]
    lab.smolctl.shell(row["fix"][0])
    wait_until(lambda: len(lab.call("socket.show")) == 2, "the second socket")
    assert arrives(bench)
    assert lab.drops()["udp-bound-elsewhere"] == row["count"]


FILTERED = {
    f"smolctl udp recv --group {GROUP} --source {THEIRS} --dev tap0 {PORT}": counts(
        "udp.datagrams_delivered", ip(TO_PORT, GROUP, GROUP_MAC)
    ),
    f"smolctl maddr add {GROUP} dev tap0": counts("icmp.echo_replies_sent", echo(GROUP, GROUP_MAC)),
}


@pytest.mark.netns
@pytest.mark.parametrize("fix", FILTERED)
def test_a_sender_that_no_member_wants(lab: Lab, fix: str) -> None:
    bench, act = Bench(lab), FILTERED[fix]
    assert bench.ctl("sysctl icmp.echo_ignore_broadcasts=0")
    lab.smolctl.popen("udp", "recv", "--group", GROUP, "--source", "10.0.0.9", "-I", "tap0", "1")
    wait_until(lambda: lab.call("socket.show"), "a member")
    assert not act(bench)
    row = struck(lab, "ip-multicast-filtered")
    assert row["fix"] == [fix]
    lab.smolctl.shell(fix)
    wait_until(lambda: any(row.get("users") == 2 for row in groups(lab)), fix)
    assert act(bench)


def test_every_reason_with_a_fix_is_here() -> None:
    fixed = {name for name, reason in REASONS.items() if reason.fix_templates}
    assert fixed == {case.reason for case in ALL} | UNFIXED.keys()


def groups(lab: Lab) -> list[Row]:
    """Return the rows of the groups of the TAP."""
    rows: list[Row] = lab.call("maddr.show", dev="tap0")[0]["maddr"]
    return rows


def refused(env: SmolctlEnv, *words: str) -> Row:
    """Return the error of a command that fails, as JSON has it."""
    result = env("-j", *words)
    assert result.returncode != 0
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("{"))
    error: Row = json.loads(line)["error"]
    return error


@pytest.mark.parametrize(
    ("last", "fix"),
    [
        ("40000", "smolctl sysctl ip.local_port_last=65535"),
        ("65535", "smolctl sysctl ip.local_port_first=1024"),
    ],
)
def test_ephemeral_ports(smolctl: SmolctlEnv, last: str, fix: str) -> None:
    smolctl("sysctl", f"ip.local_port_last={last}", check=True)
    smolctl("sysctl", f"ip.local_port_first={last}", check=True)
    smolctl.popen("udp", "echo", "9")
    smolctl.popen("udp", "recv", last)
    wait_until(lambda: len(smolctl.json("socket", "show")) == 2, "two sockets")
    error = refused(smolctl, "udp", "send", "127.0.0.1:9", "x")
    assert (error["code"], error["hint"]) == ("no-buffers", fix)
    run(smolctl, error["hint"])
    smolctl("udp", "send", "127.0.0.1:9", "x", check=True)


def test_an_address_to_bind_to(smolctl: SmolctlEnv) -> None:
    smolctl.popen("udp", "echo", "9")
    wait_until(lambda: smolctl.json("socket", "show"), "a socket")
    words = ("udp", "send", "-s", FAR, "127.0.0.1:9", "x")
    error = refused(smolctl, *words)
    # An address that nobody gave us is not ours to take.
    assert (error["code"], error["hint"]) == (
        "address-not-available",
        "send from an address that is: smolctl addr show",
    )


@pytest.mark.parametrize("environ", [False, True])
def test_a_fix_reaches_the_stack_that_it_is_for(smolctl: SmolctlEnv, environ: bool) -> None:
    # In the environment of the one who reads it, or only on this one's command line.
    name = [] if environ else ["-n", "b"]
    if environ:
        smolctl.environ["SMOLCTL_STACK"] = "b"
    smolctl(*name, "link", "set", "lo", "mtu", "100", check=True)
    smolctl.popen(*name, "udp", "recv", "9")
    wait_until(lambda: smolctl.json(*name, "socket", "show"), "the receiver")
    sending = [*name, "udp", "send", "127.0.0.1:9", "--size", "100", "--df"]
    (event, _) = [json.loads(line) for line in smolctl("-j", *sending).stdout.splitlines()]
    assert event["reason"] == "tx-too-big"
    assert event["hint"] == "smolctl -n b link set lo mtu 128"
    assert f"; try: {event['hint']}\n" in smolctl(*sending).stderr
    (row,) = smolctl.json(*name, "stats", "drops")
    assert row["fix"] == [event["hint"]]
    smolctl.environ.pop("SMOLCTL_STACK", None)
    run(smolctl, event["hint"])
    assert smolctl.json("-n", "b", "link", "show", "lo")[0]["mtu"] == 128
    assert not list(Path(smolctl.directory).glob("smolctl/default.sock"))
