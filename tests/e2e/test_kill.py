"""The daemon dies amid traffic: everybody is told, nothing is left, and the next one starts."""

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.kit import Lab, daemon_pid, wait_for_end
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns("ping")

CLIENTS = {
    "udp echo": ("udp", "echo", "7"),
    "udp recv": ("udp", "recv", "9"),
    "udp send": ("udp", "send", "10.0.0.2:9", "x", "-c", "1000000", "-i", "0.001"),
    "ping": ("ping", "-i", "0.001", "10.0.0.2"),
    "arping": ("arping", "-i", "0.001", "10.0.0.2"),
}


@pytest.fixture
def busy(lab: Lab) -> Lab:
    """Connect smolctl and the kernel, which floods it with echo requests."""
    lab.plug()
    lab.peer.namespace.popen("ping", "-f", "-q", "10.0.0.1")
    wait_until(lambda: lab.counter("icmp", "echo_replies_sent") > 100, "the flood")
    return lab


def kill(lab: Lab) -> int:
    """Kill the daemon, wait for its end, and return what its process number was."""
    pid = daemon_pid(lab.smolctl)
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    return pid


@pytest.mark.parametrize("name", CLIENTS)
def test_client_says_that_the_daemon_is_gone(busy: Lab, name: str) -> None:
    busy.peer.udp("10.0.0.2", 9)  # so that the kernel complains of nothing
    client = busy.smolctl.popen(*CLIENTS[name])
    wait_until(lambda: "listening on" in client.stderr or client.stdout, f"{name} to begin")
    begun = len(client.stderr.splitlines())
    pid = kill(busy)
    ended = client.wait()
    assert ended.returncode == 3
    (line,) = ended.stderr.splitlines()[begun:]
    assert line.startswith(f'smolctl: the daemon of stack "default" (pid {pid}) is gone')


def test_nothing_is_left_and_the_next_command_starts_anew(busy: Lab) -> None:
    smolctl = busy.smolctl
    socket = Path(smolctl.directory, "smolctl", "default.sock")
    old = kill(busy)
    assert smolctl.pids() == []
    assert socket.exists(), "nobody was left to remove it: that is what is tested below"
    devices = {row["ifname"] for row in busy.peer.rows("link", "show")}
    assert devices == {"lo"}

    refused = smolctl("--no-start", "addr", "show")
    assert (refused.returncode, refused.stderr.count("\n")) == (3, 1)
    started = smolctl("-j", "addr", "show")
    assert started.returncode == 0
    assert "started stack" in started.stderr
    new = daemon_pid(smolctl)
    assert new != old
    assert smolctl.pids() == [new]
    # It begins afresh, and can have the same TAP again.
    assert [row["ifname"] for row in smolctl.json("link", "show")] == ["lo"]
    busy.plug()
    answered = smolctl("ping", "-c", "1", "10.0.0.2")
    assert answered.returncode == 0, answered


def test_many_commands_at_once_start_one_daemon(busy: Lab) -> None:
    old = kill(busy)
    commands = [busy.smolctl.popen("-j", "addr", "show") for _ in range(6)]
    ended = [command.wait() for command in commands]
    assert [one.returncode for one in ended] == [0] * 6, ended
    assert len({one.stdout for one in ended}) == 1
    (new,) = busy.smolctl.pids()
    assert new != old


def test_daemon_that_is_told_to_end_ends_cleanly(busy: Lab) -> None:
    client = busy.smolctl.popen("udp", "echo", "7")
    client.wait_for("listening on")
    pid = daemon_pid(busy.smolctl)
    os.kill(pid, signal.SIGTERM)
    wait_for_end(pid)
    assert client.wait().returncode == 3
    assert not Path(busy.smolctl.directory, "smolctl", "default.sock").exists()
    assert {row["ifname"] for row in busy.peer.rows("link", "show")} == {"lo"}
