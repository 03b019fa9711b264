"""Daemons come and go: real processes."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from smolctl.client import Client, stop_daemon
from smolctl.errors import ClientError
from tests.kit.home import Home
from tests.kit.process import wait_until


def status_field(pid: int, name: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split(":", 1)[1].strip()
    raise AssertionError(name)


def ended(pid: int) -> bool:
    try:
        return status_field(pid, "State").startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for_end(pid: int) -> None:
    wait_until(lambda: ended(pid), f"the end of process {pid}")


def test_a_stack_is_started_on_first_use_and_says_so(home: Home) -> None:
    notices: list[str] = []
    client = home.connect(notice=notices.append)
    (row,) = client.call("stack.status")
    assert notices == [f'started stack "default" (pid {client.pid})']
    assert (row["name"], row["pid"], row["clients"]) == ("default", client.pid, 1)
    assert row["socket"] == home.paths().socket
    again = home.connect(notice=notices.append)
    assert again.pid == client.pid
    assert len(notices) == 1


def test_a_new_stack_has_lo_up_with_its_address(home: Home) -> None:
    client = home.connect()
    (row,) = client.call("addr.show")
    assert row["ifname"] == "lo"
    assert row["flags"] == ["LOOPBACK", "UP", "LOWER_UP"]
    found = [(info["local"], info["prefixlen"]) for info in row["addr_info"]]
    assert found == [("127.0.0.1", 8), ("::1", 128)]


def test_a_daemon_leaves_its_starter_behind(home: Home) -> None:
    reader, writer = os.pipe()
    try:
        os.set_inheritable(writer, True)
        pid = home.connect().pid
    finally:
        os.close(writer)
    # The end of the pipe: nobody else has it. A shell's $(...) would hang otherwise.
    assert os.read(reader, 1) == b""
    os.close(reader)
    assert os.getsid(pid) == pid
    assert status_field(pid, "PPid") != str(os.getpid())
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/0") == os.devnull
    assert os.readlink(f"/proc/{pid}/fd/1") == home.paths().log
    assert os.readlink(f"/proc/{pid}/fd/2") == home.paths().log
    assert status_field(pid, "Threads") == "1"


def test_what_a_daemon_makes_is_for_its_owner_only(home: Home) -> None:
    home.connect()
    paths = home.paths()
    assert os.stat(paths.directory).st_mode & 0o777 == 0o700
    for path in (paths.socket, paths.lock, paths.log):
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_a_module_in_the_callers_directory_is_not_the_daemons(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "selectors.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    assert home.connect().call("stack.status")


@pytest.mark.parametrize(
    "heavy",
    [
        "argparse", "asyncio", "click", "decimal", "difflib", "logging", "scapy", "tabulate",
        "tomllib", "smolctl.ops.addr", "smolctl.ops.traceroute",
    ],
)  # fmt: skip
def test_a_daemon_does_not_load_what_it_does_not_need(heavy: str) -> None:
    code = "import sys, smolctl.daemon.__main__, smolctl.daemon.process as p; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert heavy not in loaded.stdout.split()


@pytest.mark.parametrize("heavy", ["subprocess", "socket", "selectors", "logging", "asyncio"])
def test_a_client_does_not_load_what_it_does_not_need(heavy: str) -> None:
    code = "import sys, smolctl.client; print(*sys.modules)"
    # -S: this virtual environment may load things of its own.
    argv = [sys.executable, "-S", "-c", code]
    loaded = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert heavy not in loaded.stdout.split()


def test_a_daemon_that_was_killed_stops_nobody(home: Home) -> None:
    first = home.connect().pid
    os.kill(first, signal.SIGKILL)
    wait_for_end(first)
    assert os.path.exists(home.paths().socket)
    second = home.connect()
    assert second.pid != first
    assert second.call("stack.status")[0]["pid"] == second.pid


def test_two_stacks_live_side_by_side(home: Home) -> None:
    a, b = home.connect("a"), home.connect("b")
    assert a.pid != b.pid
    stop_daemon("a")
    assert b.call("stack.status")


@pytest.mark.parametrize("lost", ["nothing", "lock"])
def test_a_live_daemon_keeps_its_socket(home: Home, lost: str) -> None:
    first = home.connect()
    if lost == "lock":
        os.unlink(home.paths().lock)
    second = home.daemon("--name", "default").wait()
    assert second.returncode == 3
    assert 'stack "default" is already running' in second.stderr
    assert first.call("stack.status")
    assert home.connect().pid == first.pid


def test_a_lock_that_is_held_by_nobody_who_answers(home: Home) -> None:
    client = home.connect()
    os.unlink(home.paths().socket)
    with pytest.raises(ClientError) as caught:
        Client.connect()
    assert caught.value.code == "start-failed"
    assert caught.value.hint == f"kill {client.pid}"
    assert client.call("stack.status")


def test_many_clients_that_start_one_stack_get_the_same(home: Home) -> None:
    code = (
        "from smolctl.client import Client\n"
        "c = Client.connect()\n"
        "print(c.pid, c.call('stack.status')[0]['pid'])\n"
    )
    env = {**home.env.environ, "PYTHONPATH": os.getcwd()}
    racers = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    answers = {racer.communicate()[0] for racer in racers}
    assert len(answers) == 1
    assert answers != {""}
    (pid,) = {*answers.pop().split()}
    # A daemon that came second may still be on its way out.
    wait_until(lambda: home.env.pids() == [int(pid)], "one daemon")


def test_start_right_after_stop(home: Home) -> None:
    pids = set()
    for _ in range(5):
        pids.add(home.connect().pid)
        stop_daemon()
    assert len(pids) == 5


def test_stop_returns_when_the_name_is_free(home: Home) -> None:
    home.connect()
    stop_daemon()
    paths = home.paths()
    assert not os.path.exists(paths.socket)
    assert not os.path.exists(paths.lock)
    with pytest.raises(ClientError) as caught:
        stop_daemon()
    assert caught.value.code == "not-running"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_a_daemon_cleanly(home: Home, number: signal.Signals) -> None:
    daemon = home.daemon("--name", "lab")
    assert home.connect("lab", start=False).pid == daemon.process.pid
    ended = daemon.stop(number)
    assert ended.returncode == 0
    assert f'stack "lab" stops: {number.name}' in ended.stderr
    assert os.listdir(home.paths("lab").directory) == []


def test_clients_are_told_that_the_stack_was_stopped(home: Home) -> None:
    client = home.connect()
    stream = client.stream("udp.recv", port=7)
    assert next(stream)["event"] == "bound"
    stop_daemon()
    with pytest.raises(ClientError) as caught:
        next(stream)
    assert caught.value.code == "daemon-gone"
    assert "was stopped" in caught.value.message


def test_clients_notice_that_a_daemon_was_killed(home: Home) -> None:
    client = home.connect()
    stream = client.stream("udp.recv", port=7)
    next(stream)
    os.kill(client.pid, signal.SIGKILL)
    with pytest.raises(ClientError) as caught:
        next(stream)
    assert caught.value.code == "daemon-gone"
    assert str(client.pid) in caught.value.message


def test_something_else_in_the_sockets_place_is_left_alone(home: Home) -> None:
    paths = home.paths()
    os.mkdir(paths.directory, 0o700)
    Path(paths.socket).write_text("precious")
    with pytest.raises(ClientError) as caught:
        Client.connect()
    assert "is not a socket" in caught.value.message
    assert Path(paths.socket).read_text() == "precious"


def test_a_socket_that_nobody_listens_on_is_taken_over(home: Home) -> None:
    paths = home.paths()
    os.mkdir(paths.directory, 0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(paths.socket)
    assert home.connect().call("stack.status")
