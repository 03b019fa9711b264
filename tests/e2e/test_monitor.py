"""monitor beside real commands: what it prints, how it ends, and that it holds nobody up."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from smolctl.ops.feed import MAX_BYTES
from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Lab, Row, alive, connect, daemon_pid
from tests.e2e.oracle.oracle import Oracle
from tests.kit import process
from tests.kit.amount import amount
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv


def watch(smolctl: SmolctlEnv, *args: str) -> Background:
    """Start a monitor and wait until it watches."""
    background = smolctl.popen(*args)
    background.wait_for("smolctl: watching ")
    return background


def rows(background: Background) -> list[Row]:
    return [json.loads(line) for line in background.stdout.splitlines()]


def rss_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


@pytest.fixture
def smolctl(smolctl_env: SmolctlEnv) -> SmolctlEnv:
    """Start a stack with one more link, which needs no privileges."""
    smolctl_env("link", "add", "lo1", "type", "loopback", check=True)
    smolctl_env("addr", "add", "10.0.0.1/24", "dev", "lo1", check=True)
    return smolctl_env


def test_changes_by_other_commands(smolctl: SmolctlEnv) -> None:
    text, ndjson = watch(smolctl, "monitor", "addr", "route"), watch(smolctl, "-j", "monitor")
    smolctl("addr", "add", "10.1.0.1/16", "brd", "+", "dev", "lo1", check=True)
    smolctl("route", "add", "default", "via", "10.0.0.2", check=True)
    smolctl("route", "del", "default", check=True)
    text.wait_for("[ROUTE]Deleted default")
    assert text.stdout.splitlines() == [
        "[ADDR]2: lo1    inet 10.1.0.1/16 brd 10.1.255.255 scope global lo1",
        "       valid_lft forever preferred_lft forever",
        "[ROUTE]local 10.1.0.1 dev lo1 table local proto kernel scope host src 10.1.0.1",
        "[ROUTE]broadcast 10.1.255.255 dev lo1 table local proto kernel scope link src 10.1.0.1",
        "[ROUTE]local 10.1.0.0/16 dev lo1 table local proto kernel scope host src 10.1.0.1",
        "[ROUTE]default via 10.0.0.2 dev lo1",
        "[ROUTE]Deleted default via 10.0.0.2 dev lo1",
    ]
    ndjson.wait_for('"deleted":true')
    *_, added, deleted = rows(ndjson)
    assert added["dst"] == "default"
    assert deleted == {**added, "time": deleted["time"], "deleted": True}
    assert deleted["time"] > added["time"] > 1_700_000_000


def test_a_stack_is_started_for_it_like_for_any_command(smolctl_env: SmolctlEnv) -> None:
    found = smolctl_env("monitor", "-w", "0")
    assert (found.returncode, found.stdout) == (0, "")
    assert found.stderr.startswith('smolctl: started stack "default"')
    assert smolctl_env("--stack", "b", "--no-start", "monitor").returncode == 3


# --- how it ends ----------------------------------------------------------------------------------


def test_signals_end_it_quietly(smolctl: SmolctlEnv) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        background = watch(smolctl, "monitor")
        ended = background.stop(number)
        assert ended.returncode == -number
        assert (ended.stdout, ended.stderr.count("\n")) == ("", 1)


def test_a_stack_that_stops_ends_it_and_says_so(smolctl: SmolctlEnv) -> None:
    background = watch(smolctl, "monitor")
    smolctl("stack", "stop", check=True)
    ended = background.wait()
    assert ended.returncode == 3
    assert 'stack "default" was stopped' in ended.stderr.splitlines()[-1]


def test_a_daemon_that_is_killed_ends_it_and_says_so(smolctl: SmolctlEnv) -> None:
    background = watch(smolctl, "-j", "monitor")
    process.run(["kill", "-9", str(daemon_pid(smolctl))], check=True)
    ended = background.wait()
    assert ended.returncode == 3
    assert json.loads(ended.stderr.splitlines()[-1])["error"]["code"] == "daemon-gone"


def test_count_and_wait(smolctl: SmolctlEnv) -> None:
    background = watch(smolctl, "monitor", "route", "-c", "2")
    with connect(smolctl) as client:
        for metric in range(5):
            client.call("route.add", dst="default", via="10.0.0.2", metric=metric)
    ended = background.wait()
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 2)
    assert smolctl("monitor", "-w", "0.05").returncode == 0
    assert smolctl("monitor", "-c", "1", "-w", "0.05").returncode == 1
    bad = smolctl("monitor", "-c", "0")
    assert (bad.returncode, "count" in bad.stderr) == (2, True)
    nowhere = smolctl("monitor", "dev", "tap9")
    assert (nowhere.returncode, "tap9" in nowhere.stderr) == (2, True)


def test_a_reader_that_goes_away_ends_it_quietly(smolctl: SmolctlEnv) -> None:
    argv = " ".join(smolctl._argv(("monitor", "route")))
    pipeline = Background(["sh", "-c", f"{argv} | head -n 1"], env=smolctl.environ)
    try:
        pipeline.wait_for("watching")
        with connect(smolctl) as client:
            client.call("route.add", dst="default", via="10.0.0.2")
            pipeline.wait_for("default via 10.0.0.2 dev lo1\n")
            # Only writing tells that nobody reads any more, as for any filter.
            wait_until(lambda: _adds_until_it_ended(client, pipeline), "the end of the pipeline")
        assert pipeline.stderr == "smolctl: watching route\n"
    finally:
        pipeline.close()


def _adds_until_it_ended(client: "object", pipeline: Background) -> bool:
    client.call("route.replace", dst="default", via="10.0.0.3")  # type: ignore[attr-defined]
    client.call("route.replace", dst="default", via="10.0.0.2")  # type: ignore[attr-defined]
    return pipeline.process.poll() is not None


# --- slow and dead readers ------------------------------------------------------------------------

# Far more than the feed and the buffers on the way hold: the feed alone, some 5,000.
MANY = amount(6_000, 4_000)


@pytest.mark.proof
def test_a_stalled_reader_is_told_what_it_lost_and_the_stack_is_not_held_up(
    smolctl: SmolctlEnv,
) -> None:
    stalled = watch(smolctl, "-j", "monitor", "route")
    brisk = watch(smolctl, "-j", "monitor", "route")
    pid = daemon_pid(smolctl)
    stalled.process.send_signal(signal.SIGSTOP)
    with connect(smolctl) as client:
        # What the routes themselves take, and what their making leaves behind, is there before.
        _add_and_flush(client)
        before = rss_kib(pid)
        _add_and_flush(client)
        grown = rss_kib(pid) - before
        assert len(client.call("route.show", root="20.0.0.0/8")) == 0
        client.call("route.add", dst="21.0.0.0/8", via="10.0.0.2")
    assert stalled.process.poll() is None, "slow is no reason to be cut off"
    stalled.process.send_signal(signal.SIGCONT)
    total = 2 * 2 * MANY + 1
    # The last routes that were flushed may be told of after the one that was added then. A brisk
    # reader shares the daemon with one that does not read, and loses nothing by it but what it
    # could not take in time.
    for background in (brisk, stalled):
        wait_until(lambda b=background: sum(told(b)) == total, "all events", 60)  # type: ignore[misc]
    lost, _ = told(stalled)
    # What was flushed is told of in turns, the last of it after the reader goes on.
    assert lost > total // 3
    assert "21.0.0.0/8" in [row.get("dst") for row in rows(stalled)]
    assert grown * 1024 < 4 * MAX_BYTES, f"{grown} KiB for a reader that does not read"


def told(background: Background) -> tuple[int, int]:
    """Return how many events a reader lost, and how many it has seen."""
    complete = background.stdout.rpartition("\n")[0].splitlines()
    events = [json.loads(line) for line in complete]
    lost = sum(row["count"] for row in events if row["event"] == "lost")
    return lost, sum(row["event"] == "route" for row in events)


def _add_and_flush(client: "object") -> None:
    call: Callable[..., object] = client.call  # type: ignore[attr-defined]
    for number in range(MANY):
        call("route.add", dst=f"20.{number >> 8}.{number & 255}.0/24", via="10.0.0.2")
    call("route.flush", root="20.0.0.0/8")


def test_a_lost_event_is_told_in_text_on_standard_error(smolctl: SmolctlEnv) -> None:
    stalled = watch(smolctl, "monitor", "route")
    stalled.process.send_signal(signal.SIGSTOP)
    with connect(smolctl) as client:
        for number in range(12_000):
            client.call("route.add", dst=f"20.{number >> 8}.{number & 255}.0/24", via="10.0.0.2")
    stalled.process.send_signal(signal.SIGCONT)
    last = 11_999
    stalled.wait_for(f"20.{last >> 8}.{last & 255}.0/24 via", timeout=60)
    (told,) = re.findall(r"smolctl: (\d+) events were lost", stalled.stderr)
    assert int(told) + len(stalled.stdout.splitlines()) == 12_000


def test_a_killed_reader_leaves_nothing(smolctl: SmolctlEnv) -> None:
    background = watch(smolctl, "monitor")
    background.process.send_signal(signal.SIGSTOP)
    with connect(smolctl) as client:
        for number in range(5_000):
            client.call("route.add", dst=f"20.{number >> 8}.{number & 255}.0/24", via="10.0.0.2")
        background.process.send_signal(signal.SIGKILL)
        background.process.wait(10)
        assert not alive(background.process.pid)
        wait_until(lambda: client.call("stack.status")[0]["clients"] == 1, "it to be forgotten")
        client.call("route.flush", root="20.0.0.0/8")
        assert client.call("route.show", root="20.0.0.0/8") == []


# --- with a peer ----------------------------------------------------------------------------------


@pytest.mark.netns("ip")
def test_a_neighbor_walks_through_its_states_over_a_tap(lab: Lab) -> None:
    lab.plug()
    lab.sysctl(
        neigh__base_reachable_time_ms=100,
        neigh__delay_first_probe_time_ms=100,
        neigh__retrans_time_ms=50,
    )
    background = watch(lab.smolctl, "-j", "monitor", "neigh")

    def states() -> list[str]:
        return [row["state"][0] for row in rows(background) if row["dst"] == "10.0.0.2"]

    lab.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    wait_until(lambda: "STALE" in states(), lambda: f"STALE, there is: {states()}")
    assert states()[:2] == ["INCOMPLETE", "REACHABLE"]
    known = [row for row in rows(background) if row["state"] == ["REACHABLE"]]
    assert {row["lladdr"] for row in known} == {THEIRS_MAC}
    lab.peer.ip("addr", "del", "10.0.0.2/24", "dev", lab.dev)
    lab.smolctl("ping", "-c", "1", "-W", "1", "10.0.0.2")
    background.wait_for("FAILED")
    assert states()[-3:] == ["DELAY", "PROBE", "FAILED"]
    lab.smolctl("neigh", "del", "10.0.0.2", "dev", lab.dev, check=True)
    background.wait_for('"deleted":true')


@pytest.mark.netns("ip")
def test_drops(lab: Lab) -> None:
    lab.plug()
    lab.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    background = watch(lab.smolctl, "monitor", "drops", "dev", lab.dev)
    ndjson = watch(lab.smolctl, "-j", "monitor", "drops")
    kernel = lab.peer.udp("10.0.0.2")
    kernel.sendto(b"hello", ("10.0.0.1", 9))
    port = kernel.getsockname()[1]
    background.wait_for("udp-port-closed")
    line = (
        rf"\[\d\d:\d\d:\d\d\.\d{{6}}\] tap0 in reject udp-port-closed"
        rf" 10\.0\.0\.2:{port} > 10\.0\.0\.1:9 UDP 5 B  id (\d+)"
    )
    found = re.fullmatch(line, background.stdout.rstrip("\n"))
    assert found, background.stdout
    ndjson.wait_for("udp-port-closed")
    (row,) = [row for row in rows(ndjson) if row["reason"] == "udp-port-closed"]
    assert row["id"] == int(found[1])
    assert "10.0.0.1:9" in row["why"]
    assert OURS_MAC not in row["summary"]


@pytest.mark.netns("ip")
def test_carrier(lab: Lab) -> None:
    lab.plug()
    background = watch(lab.smolctl, "monitor", "link")
    lab.peer.ip("link", "set", lab.dev, "down")
    background.wait_for("NO-CARRIER")
    lab.peer.ip("link", "set", lab.dev, "up")
    background.wait_for("<BROADCAST,MULTICAST,UP,LOWER_UP>")


# --- against ip monitor ---------------------------------------------------------------------------

MAC = "02:00:00:00:00:0b"
COMMANDS = (
    "addr add 10.0.0.1/24 dev tap0",
    "addr add 10.0.0.5/24 dev tap0",
    "addr add 192.168.7.1/30 brd + dev tap0 scope link label tap0:x",
    "route add 192.168.5.0/24 via 10.0.0.3",
    "route add default via 10.0.0.2 dev tap0 src 10.0.0.5 metric 50",
    "route replace 192.168.5.0/24 via 10.0.0.4",
    "route add unreachable 10.9.0.0/16 metric 7",
    "route add 10.8.0.0/16 dev tap0 scope link mtu 1400",
    "route del 192.168.5.0/24",
    "route del default",
    f"neigh add 10.0.0.7 lladdr {MAC} dev tap0",
    f"neigh replace 10.0.0.7 lladdr {MAC} dev tap0 nud stale",
    f"neigh replace 10.0.0.7 lladdr {MAC[:-1]}c dev tap0 nud stale",
    "addr del 10.0.0.5/24 dev tap0",
    "addr del 192.168.7.1/30 dev tap0",
    "link set tap0 mtu 1400",
    f"link set tap1 address {MAC}",
    "link set tap1 down",  # last: the kernel has more to say about it, later
)


@pytest.mark.netns("ip")
def test_the_words_of_ip_monitor_in_its_order(oracle: Oracle) -> None:
    kinds = ("monitor", "label", "link", "address", "route", "neigh")
    theirs = Background(oracle.kernel.namespace.inside("ip", "-4", *kinds))
    ours = watch(oracle.smolctl, "-4", *kinds)
    try:
        oracle.do("route add blackhole 198.18.255.255")
        for background in (theirs, ours):
            background.wait_for("[ROUTE]blackhole 198.18.255.255")
        for number, command in enumerate(COMMANDS):
            start = [len(background.stdout) for background in (theirs, ours)]
            oracle.do(command, f"route add blackhole 198.18.0.{number}")
            for background in (theirs, ours):
                background.wait_for(f"[ROUTE]blackhole 198.18.0.{number}")
            kernel = events_of(theirs.stdout[start[0] :])
            smolctl = events_of(ours.stdout[start[1] :])
            if command.startswith("link"):
                assert len(smolctl) == 2, command
                assert set(smolctl) <= set(kernel), command
                continue
            # The kernel notices carrier, and tells of it, some time after it came.
            kernel = [line for line in kernel if not line.startswith("[LINK]")]
            if command.startswith("addr del"):
                # The address first; which of its routes goes first is nobody's business.
                assert (smolctl[0], sorted(smolctl)) == (kernel[0], sorted(kernel)), command
            else:
                assert smolctl == kernel, command
    finally:
        theirs.close()


def events_of(text: str) -> list[str]:
    """Return the lines, without what only the kernel has to say about a link."""
    text = re.sub(r"@\w+:", ":", text)
    text = re.sub(r" (qdisc|group|qlen|link-netns|link-netnsid) \S+", "", text)
    text = re.sub(r"link/ether \S+", "link/ether MAC", text)
    return [" ".join(line.split()) for line in re.split(r"\n(?=\[)", text.strip())]


@pytest.mark.netns("ip")
def test_a_deleted_neighbor_says_so_first(oracle: Oracle) -> None:
    theirs = Background(oracle.kernel.namespace.inside("ip", "monitor", "neigh"))
    ours = watch(oracle.smolctl, "monitor", "neigh")
    try:
        oracle.do(f"neigh add 10.0.0.7 lladdr {MAC} dev tap0")
        theirs.wait_for("PERMANENT")
        oracle.do("neigh del 10.0.0.7 dev tap0")
        for background in (theirs, ours):
            background.wait_for("Deleted 10.0.0.7 dev tap0")
        # Deviation: Linux says FAILED of every deleted entry, and forgets what it was.
        assert ours.stdout.splitlines()[-1].endswith(f"lladdr {MAC} PERMANENT")
    finally:
        theirs.close()
