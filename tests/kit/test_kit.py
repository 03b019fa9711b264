"""The kit itself: what it makes goes away again, also when a test fails."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import here, process, warm
from tests.kit import netns as netns_kit
from tests.kit.clock import SECOND_NS, ManualClock
from tests.kit.netns import Namespace
from tests.kit.process import Background, run, wait_until
from tests.kit.stack_env import SmolctlEnv


@pytest.mark.netns
def test_command_runs_inside_a_namespace(netns: Namespace) -> None:
    assert netns.name in netns_kit.names()
    links = netns.run("ip", "-o", "link", check=True).stdout.splitlines()
    assert [line.split()[1] for line in links] == ["lo:"]
    assert netns.run("cat", input="hello").stdout == "hello"
    assert netns.run("false").returncode == 1


@pytest.mark.netns
def test_namespace_goes_with_its_processes() -> None:
    namespace = Namespace()
    sleeper = namespace.popen("sleep", "1000")
    wait_until(lambda: sleeper.process.pid in namespace.pids(), "the process inside")
    namespace.close()
    assert sleeper.process.returncode == -signal.SIGKILL
    assert namespace.name not in netns_kit.names()


@pytest.mark.netns
def test_smolctl_runs_inside_a_namespace(netns: Namespace, smolctl_env: SmolctlEnv) -> None:
    smolctl_env.enter(netns)
    assert smolctl_env("--version", check=True).stdout.startswith("smolctl")


@pytest.mark.parametrize(
    ("line", "input"),
    [
        ("route show table local", None),
        ("-j addr show", None),
        ("addr show dev nothing", None),
        ("addr add 10.9.9.9/33 dev lo", None),
        ("-n nobody --no-start addr show", None),
        ("udp send 127.0.0.1:9 hello", None),
        ("why udp 127.0.0.1:9", None),
        ("-j why icmp 8.8.8.8", None),
        ("rote", None),
        ("", None),
        ("route add --help", None),
        ("batch -", "sysctl udp.rcvbuf\nroute show\nnonsense\n"),
        ("udp send 127.0.0.1:9 -", "caf\udce9"),
    ],
)
def test_a_command_says_the_same_wherever_it_runs(
    smolctl_env: SmolctlEnv, line: str, input: str | None
) -> None:
    smolctl_env("stack", "start", check=True)
    args, data = tuple(line.split()), (input or "").encode(errors="surrogateescape")
    forked = warm.forked().run(args, smolctl_env.environ, data, 30, None)
    cold = smolctl_env.cold(*args, input=input)
    found = [process.completed(cold.args, *forked, check=False), cold]
    if not input and (ran := here.run(args, smolctl_env.environ)):
        found.append(process.completed(cold.args, *ran, check=False))
    said = {
        # What no two packets have in common.
        (each.returncode, *(re.sub(r"why \d+", "why", s) for s in (each.stdout, each.stderr)))
        for each in found
    }
    assert len(said) == 1


def test_a_command_that_starts_a_daemon_is_forked(smolctl_env: SmolctlEnv) -> None:
    assert here.run(("route", "show"), smolctl_env.environ) is None
    assert smolctl_env.pids() == []
    assert smolctl_env("route", "show", check=True).stderr.startswith("smolctl: started stack")
    assert here.run(("route", "show"), smolctl_env.environ) is not None


@pytest.mark.netns
def test_a_forked_command_has_environment_and_namespace_of_its_own(
    netns: Namespace, smolctl_env: SmolctlEnv
) -> None:
    netns.run("ip", "tuntap", "add", "dev", "tap7", "mode", "tap", check=True)
    smolctl_env("stack", "start", check=True)
    here = os.readlink("/proc/self/ns/net")
    smolctl_env.environ["SMOLCTL_STACK"] = "inside"
    smolctl_env.enter(netns)
    smolctl_env("link", "add", "tap7", "type", "tap", check=True)
    pids = smolctl_env.pids()
    spaces = {os.readlink(f"/proc/{pid}/ns/net") for pid in pids}
    assert len(pids) == len(spaces) == 2
    assert here in spaces
    assert [row["ifname"] for row in smolctl_env.json("-n", "default", "link")] == ["lo"]


def test_a_forked_command_that_takes_too_long_is_killed(smolctl_env: SmolctlEnv) -> None:
    smolctl_env("stack", "start", check=True)
    with pytest.raises(subprocess.TimeoutExpired):
        smolctl_env("udp", "recv", "7", timeout=0.5)
    wait_until(lambda: smolctl_env.json("stack", "status")[0]["clients"] == 1, "its end")


def test_device_names_are_unique_and_short() -> None:
    first, second = netns_kit.unique_device("tapx"), netns_kit.unique_device("tapx")
    assert first != second
    assert len(first) <= 15


@pytest.mark.netns("ping", "tcpdump")
def test_two_namespaces_on_a_cable(netns_factory: Callable[[], Namespace]) -> None:
    left, right = netns_factory(), netns_factory()
    cable = ("type", "veth", "peer", "name", "veth1", "netns", right.name)
    left.run("ip", "link", "add", "veth0", *cable, check=True)
    for namespace, dev, address in (
        (left, "veth0", "10.9.0.1/24"),
        (right, "veth1", "10.9.0.2/24"),
    ):
        namespace.run("ip", "addr", "add", address, "dev", dev, check=True)
        namespace.run("ip", "link", "set", dev, "up", check=True)
    capture = right.tcpdump("veth1", "icmp")
    left.run("ping", "-c1", "-W5", "10.9.0.2", check=True)
    capture.wait_for("ICMP echo request")


@pytest.mark.netns
def test_leftovers_of_a_dead_run_are_swept() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, ours = f"smolctl-t{ended.pid}-1", f"smolctl-t{os.getpid()}-9999"
    run(["ip", "netns", "add", left], check=True)
    run(["ip", "netns", "add", ours], check=True)
    try:
        netns_kit.sweep()
        assert left not in netns_kit.names()
        assert ours in netns_kit.names()
    finally:
        run(["ip", "netns", "del", ours])


def test_missing_tool_skips_and_fails_in_ci_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs no-such-tool"):
        netns_kit.require_root_and("no-such-tool")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs no-such-tool"):
        netns_kit.require_root_and("no-such-tool")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(pytest.skip.Exception, match="needs root"):
        netns_kit.require_root_and()


def test_background_process_is_watched_and_stopped() -> None:
    code = "import sys; print('ready', flush=True); sys.stderr.write(sys.stdin.readline())"
    background = Background([sys.executable, "-c", code], stdin=True)
    try:
        background.wait_for("ready")
        assert background.process.stdin is not None
        background.process.stdin.write(b"done\n")
        background.process.stdin.flush()
        result = background.wait()
        assert (result.returncode, result.stdout, result.stderr) == (0, "ready\n", "done\n")
        with pytest.raises(AssertionError, match="no 'never' before the end"):
            background.wait_for("never")
    finally:
        background.close()


def test_wait_until_says_what_it_waited_for() -> None:
    with pytest.raises(AssertionError, match="in vain for the moon"):
        wait_until(lambda: False, "the moon", timeout=0.01)


def test_run_shows_the_output_of_a_failed_command() -> None:
    with pytest.raises(AssertionError, match=r"exited with 3\nout\nerr"):
        run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=True)


def test_environment_is_private_and_its_socket_paths_are_short(smolctl_env: SmolctlEnv) -> None:
    socket = smolctl_env.directory / "smolctl" / ("n" * 32 + ".sock")
    assert len(str(socket)) <= 107
    assert smolctl_env.directory.stat().st_mode & 0o777 == 0o700


def test_environment_ends_what_was_started_in_it() -> None:
    env = SmolctlEnv()
    # Detached, as a daemon is; and it does not end at SIGTERM's first word but by its own exit.
    code = (
        "import os, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0));"
        "os.fork() and os._exit(0); os.setsid(); print('up', flush=True); signal.pause()"
    )
    started = Background([sys.executable, "-c", code], env=env.environ)
    try:
        started.wait()
        wait_until(lambda: "up" in started.stdout, "the child")
        assert len(env.pids()) == 1
    finally:
        env.close()
        started.close()
    assert env.pids() == []
    assert not env.directory.exists()


def test_traceback_in_a_log_fails_the_test() -> None:
    env = SmolctlEnv()
    log = env.directory / "smolctl" / "default.log"
    log.parent.mkdir()
    log.write_text("Traceback (most recent call last):\nKeyError: 1\n")
    with pytest.raises(AssertionError, match="KeyError: 1"):
        env.close()
    assert not env.directory.exists()


def test_clock_goes_only_forward_and_only_when_told() -> None:
    clock = ManualClock()
    start = clock.now
    assert clock() == start
    assert clock.advance(SECOND_NS) == start + SECOND_NS
    assert clock.advance_to(start) == start + SECOND_NS
    assert clock.advance_to(start + 2 * SECOND_NS) == start + 2 * SECOND_NS
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck (make deps)")
def test_shell_scripts_are_clean() -> None:
    root = Path(__file__).parents[2]
    scripts = [
        str(path)
        for path in [
            *(root / "scripts").iterdir(),
            *(root / "docs" / "examples").iterdir(),
            root / ".ci" / "run",
        ]
        if path.is_file() and re.match(rb"#!.*sh\n", path.read_bytes())
    ]
    run(["shellcheck", *scripts], check=True)
