"""What a stack begins with, and how a start that fails says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smolctl.client import Client
from smolctl.daemon.environment import initial_settings
from smolctl.errors import ClientError, InvalidArgument
from smolctl.launch import start_daemon
from tests.kit.home import Home


def test_the_environment_sets_knobs() -> None:
    settings = initial_settings({"SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT": "8", "HOME": "/"}, "linux")
    assert settings["iface.neighbor_cache_count"] == 8
    assert settings.origin("iface.neighbor_cache_count") == "environment"
    assert settings.origin("ip.default_ttl") == "default"


def test_variables_of_the_command_line_are_no_knobs() -> None:
    initial_settings({"SMOLCTL_STACK": "lab", "SMOLCTL_DEBUG": "1"}, "linux")


def test_two_knobs_that_only_fit_together() -> None:
    ports = {"SMOLCTL_IP_LOCAL_PORT_FIRST": "61000", "SMOLCTL_IP_LOCAL_PORT_LAST": "62000"}
    assert initial_settings(ports, "linux")["ip.local_port_first"] == 61000


@pytest.mark.parametrize(
    ("environ", "profile", "says"),
    [
        ({"SMOLCTL_NEIGH_MAX": "8"}, "linux", "SMOLCTL_NEIGH_MAX=8"),
        ({"SMOLCTL_IP_DEFAULT_TTL": "many"}, "linux", "SMOLCTL_IP_DEFAULT_TTL=many"),
        (
            {"SMOLCTL_IP_LOCAL_PORT_FIRST": "62000", "SMOLCTL_IP_LOCAL_PORT_LAST": "61000"},
            "linux",
            "SMOLCTL_IP_LOCAL_PORT",
        ),
        ({}, "bsd", '"bsd"'),
    ],
)
def test_what_cannot_be_set_is_named_with_its_value(
    environ: dict[str, str], profile: str, says: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        initial_settings(environ, profile)
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_the_reason_of_a_failed_start_reaches_the_client(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMOLCTL_IP_DEFAULT_TTL", "999")
    with pytest.raises(ClientError) as caught:
        Client.connect()
    assert caught.value.code == "start-failed"
    assert "SMOLCTL_IP_DEFAULT_TTL=999" in caught.value.message
    assert caught.value.hint == "unset SMOLCTL_IP_DEFAULT_TTL"
    assert "\n" not in caught.value.message
    assert "not started" in home.log()
    assert sorted(os.listdir(home.paths().directory)) == ["default.log"]


def test_the_last_line_of_python_is_the_reason_when_there_is_no_other(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the child sees this home: what it fails at comes before any line of ours.
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    with pytest.raises(ClientError) as caught:
        Client.connect()
    assert caught.value.code == "start-failed"
    assert caught.value.message.startswith('cannot start stack "default": ')
    assert "\n" not in caught.value.message


def test_an_interpreter_that_is_not_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(ClientError) as caught:
        Client.connect()
    assert "/nonexistent/python: No such file or directory" in caught.value.message


def test_a_daemon_that_is_not_ready_in_time(home: Home) -> None:
    with pytest.raises(ClientError) as caught:
        start_daemon(timeout=0.0)
    assert caught.value.code == "start-failed"
    assert "not ready after 0 s" in caught.value.message


def test_a_bad_option_in_the_foreground(home: Home) -> None:
    ended = home.daemon("--name", "a b").wait()
    assert ended.returncode == 3
    assert ended.stderr.startswith('smolctl: "a b" is not a stack name')
    assert ended.stderr.count("\n") == 1


def test_the_module_explains_itself() -> None:
    argv = [sys.executable, "-m", "smolctl.daemon", "--help"]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "--ready-fd" in text


def test_a_log_that_cannot_be_written(home: Home) -> None:
    paths = home.paths()
    os.mkdir(paths.directory, 0o700)
    Path(paths.log).mkdir()
    with pytest.raises(ClientError) as caught:
        Client.connect()
    assert "Is a directory" in caught.value.message
    Path(paths.log).rmdir()
