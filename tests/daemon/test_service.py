"""News for the service manager that started a daemon (sd_notify(3))."""

import os
import socket
from collections.abc import Iterator

import pytest

from tests.kit.home import Home, home
from tests.kit.process import PATIENCE_SECONDS

__all__ = ["home"]


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(PATIENCE_SECONDS)
        yield manager


@pytest.mark.parametrize("abstract", [False, True])
def test_it_is_told_once_that_the_stack_answers(
    home: Home, manager: socket.socket, abstract: bool
) -> None:
    name = f"@smolctl-test-{os.getpid()}" if abstract else f"{home.env.directory}/notify"
    manager.bind(name.replace("@", "\0", 1))
    home.env.environ["NOTIFY_SOCKET"] = name
    home.daemon("--name", "lab")
    said = manager.recv(4096).decode().splitlines()
    assert said == ["READY=1", "STATUS=serving stack lab"]
    client = home.connect("lab", start=False)  # which answers as soon as that is said
    assert client.call("stack.status")[0]["name"] == "lab"
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_the_command_of_a_unit_is_the_process_that_tells(
    home: Home, manager: socket.socket
) -> None:
    """NotifyAccess=main: systemd hears nobody but the process that it started."""
    manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    manager.bind(f"{home.env.directory}/notify")
    home.env.environ["NOTIFY_SOCKET"] = f"{home.env.directory}/notify"
    started = home.env.popen("stack", "start", "--foreground")
    _, control, _, _ = manager.recvmsg(4096, socket.CMSG_SPACE(12))
    assert int.from_bytes(control[0][2][:4], "little") == started.process.pid


def test_nobody_is_told_by_a_daemon_that_some_command_started(
    home: Home, manager: socket.socket
) -> None:
    """A service may use smolctl without being one; it is ready when it says so itself."""
    manager.bind(f"{home.env.directory}/notify")
    home.env.environ["NOTIFY_SOCKET"] = f"{home.env.directory}/notify"
    home.env("stack", "start", check=True)
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_a_start_that_fails_says_nothing(home: Home, manager: socket.socket) -> None:
    manager.bind(f"{home.env.directory}/notify")
    home.env.environ["NOTIFY_SOCKET"] = f"{home.env.directory}/notify"
    assert home.daemon("--sysctl", "xyzzy=1").wait().returncode == 3
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_a_manager_that_is_gone_is_no_trouble(home: Home) -> None:
    home.env.environ["NOTIFY_SOCKET"] = f"{home.env.directory}/nobody"
    home.daemon()
    assert home.connect(start=False).call("stack.status")
