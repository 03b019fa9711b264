"""The beginning of a stack, and the words of a start that fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from smolctl.client import Client
from smolctl.daemon.__main__ import Options, main
from smolctl.daemon.config import settings_of
from smolctl.daemon.environment import from_words, initial_settings
from smolctl.errors import ClientError, InvalidArgument
from smolctl.launch import start_daemon
from tests.kit.home import Home
from tests.kit.process import run


def test_the_environment_sets_sysctls() -> None:
    settings = initial_settings({"SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT": "8", "HOME": "/"}, "linux")
    assert settings["iface.neighbor_cache_count"] == 8
    assert settings.origin("iface.neighbor_cache_count") == "environment"
    assert settings.origin("ip.default_ttl") == "default"


FILE = """\
[links]
names = [
  "[sysctl]",
]
[sysctl]
iface.neighbor_cache_count = 16  # for a small lab
"ip.default_ttl" = 33
arp.accept = true
arp.accept_from = "solicited"
[sysctl.neigh]
unres_qlen = 7
"""


def test_each_level_overrides_those_below() -> None:
    environ = {"SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT": "17", "SMOLCTL_IP_DEFAULT_TTL": "34"}
    words = from_words(["ip.default_ttl=35"])
    settings = initial_settings(environ, "smoltcp-0.9", [*words, *settings_of(FILE, "lab.toml")])
    assert {
        key: (settings[key], settings.origin(key), settings.place(key))
        for key in ("ip.default_ttl", "iface.neighbor_cache_count", "neigh.unres_qlen",
                    "arp.accept_from", "arp.ignore", "icmp.echo_ignore_all")
    } == {
        "ip.default_ttl": (35, "command line", "--sysctl ip.default_ttl=35"),
        "iface.neighbor_cache_count": (
            17, "environment", "SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT=17 in the environment"),
        "neigh.unres_qlen": (7, "config file", "lab.toml line 11"),
        "arp.accept_from": (2, "config file", "lab.toml line 9"),
        "arp.ignore": (1, "profile smoltcp-0.9", "profile smoltcp-0.9"),
        "icmp.echo_ignore_all": (0, "default", ""),
    }  # fmt: skip
    assert settings.profile == "smoltcp-0.9"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sysctl]\nip.default_ttl = 999", 'c.toml line 2: ip.default_ttl: "999" is not'),
        ("[sysctl]\nip.default_tll = 9", 'c.toml line 2: no setting is named "ip.default_tll"'),
        ("[sysctl]\nip.default_ttl = 9.5", "c.toml line 2: ip.default_ttl is not a whole"),
        ("[sysctl]\nip.default_ttl = [9]", "c.toml line 2: ip.default_ttl is not a whole"),
        ("[sysctl]\nip.default_ttl = 1\n[sysctl.ip]\ndefault_ttl = 2",
         "ip.default_ttl has two values: c.toml line 2, and c.toml line 4"),
        ('[sysctl]\nip.default_ttl = 1\n"ip.default_ttl" = 1',
         "ip.default_ttl has two values: c.toml line 2, and c.toml line 3"),
        ("[sysctl]\nip.local_port_first = 5\nip.local_port_last = 4",
         "c.toml line 2 and c.toml line 3: the port range 5-4 would be empty"),
        ("[sysctl\n", "c.toml is not TOML: "),
        ("sysctl = 1", "c.toml: sysctl is not a table"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_config_file_is_told_with_its_line(text: str, says: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        initial_settings({}, "linux", settings_of(text, "c.toml"))
    assert caught.value.message.startswith(says)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_a_mistake_that_a_stronger_level_covers_is_still_one() -> None:
    values = [*settings_of("[sysctl]\nip.default_ttl = 999", "c.toml"),
              *from_words(["ip.default_ttl=9"])]  # fmt: skip
    with pytest.raises(InvalidArgument, match=r"c\.toml line 2"):
        initial_settings({}, "linux", values)


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["ip.default_ttl=1", "ip.default_ttl=2"],
         "ip.default_ttl has two values: --sysctl ip.default_ttl=1, and --sysctl ip.default_ttl=2",
         "keep one of them"),
        (["ip.default_ttl"], "--sysctl ip.default_ttl: there is no = between",
         "--sysctl ip.default_ttl=VALUE"),
        (["ip.default_ttx=1"], '--sysctl ip.default_ttx=1: no setting is named "ip.default_ttx"',
         'did you mean "ip.default_ttl"?'),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line(words: list[str], says: str, hint: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        initial_settings({}, "linux", from_words(words))
    assert caught.value.message.startswith(says)
    assert caught.value.hint == hint


def test_two_levels_that_contradict_each_other_are_both_named() -> None:
    environ = {"SMOLCTL_IP_LOCAL_PORT_FIRST": "50000"}
    with pytest.raises(InvalidArgument) as caught:
        initial_settings(environ, "linux", from_words(["ip.local_port_last=40000"]))
    assert caught.value.message == (
        "SMOLCTL_IP_LOCAL_PORT_FIRST=50000 in the environment and --sysctl"
        " ip.local_port_last=40000: the port range 50000-40000 would be empty"
    )


def test_an_unknown_variable_is_told_what_is_near() -> None:
    with pytest.raises(InvalidArgument) as caught:
        initial_settings({"SMOLCTL_IFACE_NEIGHBOUR_CACHE_COUNT": "8"}, "linux")
    assert caught.value.hint == (
        "unset SMOLCTL_IFACE_NEIGHBOUR_CACHE_COUNT;"
        ' did you mean "SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT"?'
    )


def test_a_stack_begins_with_a_profile_and_says_so(home: Home) -> None:
    start_daemon(options=["--profile", "smoltcp-0.9", "--sysctl=ip.default_ttl=3"])
    with Client.connect(start=False) as client:
        assert client.call("stack.status")[0]["profile"] == "smoltcp-0.9"
        rows = {row["key"]: row for row in client.call("sysctl.show")}
        assert rows["iface.neighbor_cache_count"]["value"] == 4
        assert rows["iface.neighbor_cache_count"]["origin"] == "profile smoltcp-0.9"
        assert rows["ip.default_ttl"]["origin"] == "command line"
        different = [row["key"] for row in client.call("sysctl.show", diff="smoltcp-0.9")]
        assert different == ["ip.default_ttl"]
        assert "arp.ignore" in [row["key"] for row in client.call("sysctl.show", diff="linux")]


def test_variables_of_the_command_line_are_no_sysctls() -> None:
    initial_settings({"SMOLCTL_STACK": "lab", "SMOLCTL_DEBUG": "1"}, "linux")


def test_two_sysctls_that_only_fit_together() -> None:
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
    assert caught.value.hint == "smolctl doctor"


def test_an_interpreter_that_is_not_there(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(ClientError) as caught:
        Client.connect()
    assert "/nonexistent/python: No such file or directory" in caught.value.message
    assert caught.value.hint == "smolctl doctor"


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


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--nmae", "a"], "there is no option --nmae"),
        (["name"], "there is no option name"),
        (["--foreground=1"], "there is no option --foreground"),
        (["--name"], "--name needs a value"),
        (["--ready-fd", "x"], "--ready-fd x is not a descriptor"),
    ],
)
def test_a_wrong_option_of_the_module(
    words: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"smolctl: {what}; try: python -m smolctl.daemon --help\n"


def test_options_of_the_module() -> None:
    options = Options(["--name=a", "--sysctl", "x=1", "--sysctl=y=2", "--setup-fd", "4"])
    assert (options.name, options.profile, options.sysctl) == ("a", "linux", ["x=1", "y=2"])
    assert (options.setup_fd, options.ready_fd) == (4, None)


def test_a_log_that_cannot_be_written(home: Home) -> None:
    paths = home.paths()
    os.mkdir(paths.directory, 0o700)
    Path(paths.log).mkdir()
    with pytest.raises(ClientError) as caught:
        Client.connect()
    assert f"{paths.log}: Is a directory" in caught.value.message
    Path(paths.log).rmdir()


def test_a_disk_without_room_is_said_in_a_line_and_nothing_is_left(home: Home) -> None:
    shell = 'ulimit -f 0; exec "$@"'
    argv = ["sh", "-c", shell, "sh", sys.executable, "-P", "-m", "smolctl.daemon"]
    ended = run(argv, env=home.env.environ)
    lock = home.paths().lock
    assert ended.returncode == 3
    assert ended.stderr == f"smolctl: cannot write {lock}: File too large\n"
    assert not os.path.exists(lock)
    assert not os.path.exists(home.paths().socket)
