"""The command against a real daemon: what the user sees, in text, JSON and exit status."""

import json
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv


def last_lines(text: str, count: int) -> list[str]:
    return text.splitlines()[-count:]


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_stack_starts_when_it_is_needed(smolctl: SmolctlEnv) -> None:
    first = smolctl("addr")
    assert first.returncode == 0
    assert first.stderr.startswith('smolctl: started stack "default" (pid ')
    assert first.stdout == (
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN"
        " group default qlen 1000\n"
        "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n"
        "    inet 127.0.0.1/8 scope host lo\n"
        "       valid_lft forever preferred_lft forever\n"
        "    inet6 ::1/128 scope host\n"
        "       valid_lft forever preferred_lft forever\n"
    )
    assert smolctl("addr").stderr == ""


def test_quiet_start(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "-br", "addr")
    assert (result.stdout, result.stderr) == (
        "lo               UNKNOWN        127.0.0.1/8 ::1/128\n",
        "",
    )


def test_routes(smolctl: SmolctlEnv) -> None:
    for line in (
        "link add lo1 type loopback",
        "addr add 10.0.0.1/24 brd + dev lo1",
        "route add default via 10.0.0.2",
        "route add blackhole 10.9.0.0/16 metric 5",
        "r a 192.168.5.0/24 via 10.0.0.3 src 10.0.0.1 metric 50 mtu 1400",
    ):
        assert smolctl(*line.split(), check=True).stdout == ""
    assert smolctl("route").stdout == (
        "default via 10.0.0.2 dev lo1\n"
        "blackhole 10.9.0.0/16 metric 5\n"
        "192.168.5.0/24 via 10.0.0.3 dev lo1 src 10.0.0.1 metric 50 mtu 1400\n"
    )
    assert smolctl("route", "show", "match", "8.8.8.8", "dev", "lo1").stdout == (
        "default via 10.0.0.2\n"
    )
    assert "local 10.0.0.0/24 dev lo1 proto kernel scope host src 10.0.0.1\n" in (
        smolctl("route", "show", "table", "local").stdout
    )
    assert smolctl.json("route", "show", "root", "192.168.0.0/16") == [
        {
            "dst": "192.168.5.0/24",
            "gateway": "10.0.0.3",
            "dev": "lo1",
            "prefsrc": "10.0.0.1",
            "metric": 50,
            "flags": [],
            "metrics": [{"mtu": 1400}],
        }
    ]
    assert smolctl("route", "get", "8.8.8.8").stdout == (
        "8.8.8.8 dev lo1 src 10.0.0.1 uid 0\n    cache\n"
    )
    verbose = smolctl("-v", "route", "get", "192.168.5.1").stdout
    lines = [" ".join(line.split()) for line in verbose.splitlines()]
    assert "pick 192.168.5.0/24 via 10.0.0.3 dev lo1 metric 50" in lines
    assert any(line.startswith("skip default via 10.0.0.2") for line in lines)
    assert smolctl("route", "get", "10.9.0.1").returncode == 1
    assert smolctl("-s", "route", "flush", "root", "192.168.0.0/16").stdout.startswith(
        "Deleted 192.168.5.0/24 via 10.0.0.3"
    )


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ("addr add 10.1/24 dev lo", 2, "invalid-argument"),
        ("addr show nope0", 2, "no-such-device"),
        ("addr add 127.0.0.1/8 dev lo", 2, "exists"),
        ("addr del 10.0.0.1/24 dev lo", 2, "not-found"),
        ("neigh get 10.0.0.1 dev lo", 1, "not-found"),
        ("route get 8.8.8.8", 1, "tx-no-route"),
        ("ping -c 1 8.8.8.8", 2, "tx-no-route"),
        ("sysctl no.such.key", 2, "not-found"),
        ("udp recv 0", 2, "invalid-argument"),
        ("udp send 127.0.0.1:9 --size 65508", 2, "message-too-long"),
    ],
)
def test_errors(smolctl: SmolctlEnv, line: str, status: int, code: str) -> None:
    text = smolctl("-q", *line.split())
    assert (text.returncode, text.stdout) == (status, "")
    assert text.stderr.startswith("smolctl: ")
    lines = text.stderr.splitlines()
    assert all(line.startswith("reason: ") for line in lines[1:])
    result = smolctl("-q", *line.split(), "-j")
    assert result.returncode == status
    assert json.loads(result.stderr)["error"]["code"] == code


def test_send_and_receive(smolctl: SmolctlEnv) -> None:
    receiver = smolctl.popen("udp", "recv", "127.0.0.2:34254", "-c", "1", "-w", "10")
    receiver.wait_for("listening on 127.0.0.2:34254")
    sender = smolctl("udp", "send", "127.0.0.2:34254", "Hello, loopback!", "-s", ":49152")
    assert (sender.returncode, sender.stdout) == (0, "delivered 16 bytes to 127.0.0.2:34254\n")
    result = receiver.wait()
    assert result.returncode == 0
    assert result.stdout == "127.0.0.1:49152 > 127.0.0.2:34254  16 bytes: Hello, loopback!\n"


def test_raw_bytes_from_stdin(smolctl: SmolctlEnv) -> None:
    payload = "".join(chr(0xDC00 + byte) if byte > 0x7F else chr(byte) for byte in range(256))
    receiver = smolctl.popen("-q", "udp", "recv", "9", "--raw", "-c", "1")
    wait_until(lambda: smolctl.json("-q", "socket"), "the receiver's socket")
    assert smolctl("udp", "send", "127.0.0.1", "9", "-", input=payload).returncode == 0
    result = receiver.wait()
    assert (result.stdout, result.stderr) == (payload, "")


def test_streams_as_json(smolctl: SmolctlEnv) -> None:
    receiver = smolctl.popen("-j", "udp", "recv", "9", "-c", "2")
    receiver.wait_for('"event":"bound"')
    sender = smolctl("-j", "udp", "send", "127.0.0.1:9", "x", "-c", "2", "-i", "0.01")
    sent = events(sender.stdout)
    assert [event["event"] for event in sent] == ["sent", "sent", "summary"]
    assert sent[-1]["sent"] == 2
    assert [event["event"] for event in events(receiver.wait().stdout)] == [
        *("bound", "datagram", "datagram", "summary")
    ]


def test_a_closed_port_is_a_failure(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "udp", "send", "127.0.0.1:9", "x")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("smolctl: not sent: udp-port-closed: ")
    assert smolctl("-q", "udp", "send", "8.8.8.8:9", "x").returncode == 1
    assert smolctl("-q", "udp", "send", "127.0.0.1:9", "-s", "9.9.9.9").returncode == 2


def test_receive_deadline(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "udp", "recv", "9", "-c", "3", "-w", "0.05")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "smolctl: received 0 of 3 datagrams\n"


def test_echo_and_reply(smolctl: SmolctlEnv) -> None:
    echo = smolctl.popen("udp", "echo", "7", "-c", "1")
    echo.wait_for("listening on *:7")
    result = smolctl("udp", "send", "127.0.0.1:7", "hi", "--expect-reply", "-w", "5")
    assert result.returncode == 0
    first, second = result.stdout.splitlines()
    assert first == "delivered 2 bytes to 127.0.0.1:7"
    assert second.startswith("reply 2 bytes from 127.0.0.1:7 after ")
    assert second.endswith(" ms: hi")
    assert echo.wait().stdout.startswith("echoed 2 bytes to 127.0.0.1:")


@pytest.mark.parametrize("words", [[], ["-j"]])
def test_each_echoed_datagram_has_a_line_of_its_own(smolctl: SmolctlEnv, words: list[str]) -> None:
    echo = smolctl.popen(*words, "udp", "echo", "7", "-c", "200")
    echo.wait_for('"bound"' if words else "listening on *:7")
    assert smolctl("udp", "send", "127.0.0.1:7", "hi", "-c", "200", "-i", "0").returncode == 0
    lines = echo.wait().stdout.splitlines()
    echoed = [line for line in lines if "echoed" in line and "summary" not in line]
    assert len(echoed) == 200
    assert not any("times" in line for line in lines)


def test_ping(smolctl: SmolctlEnv) -> None:
    result = smolctl("-q", "addr")
    result = smolctl("ping", "-c", "2", "-i", "0.01", "127.0.0.2")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "PING 127.0.0.2 (127.0.0.2) 56(84) bytes of data."
    assert lines[1].startswith("64 bytes from 127.0.0.2: icmp_seq=1 ttl=64 time=")
    assert lines[3:5] == ["", "--- 127.0.0.2 ping statistics ---"]
    assert lines[5].startswith("2 packets transmitted, 2 received, 0% packet loss, time ")
    assert lines[6].startswith("rtt min/avg/max/mdev = ")


def test_interrupted_ping_prints_its_summary(smolctl: SmolctlEnv) -> None:
    ping = smolctl.popen("ping", "127.0.0.1")
    ping.wait_for("icmp_seq=1")
    result = ping.stop(signal.SIGINT)
    assert result.returncode == 0
    assert last_lines(result.stdout, 1)[0].startswith("rtt min/avg/max/mdev = ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "dots"),
    [
        ("-c 3 127.0.0.1", ".\b \b" * 3),
        ("-c 3 -q 127.0.0.1", ""),
        ("-c 2 -W 0.1 10.0.0.9", ".."),
        ("-c 2 -s 65507 -M do 10.0.0.9", "EE"),
    ],
)
def test_a_flood_shows_dots_as_iputils(smolctl: SmolctlEnv, words: str, dots: str) -> None:
    for line in (
        "link add c0 type cable name c",
        "link add c1 type cable name c",
        "link set c0 up",
        "link set c1 up",
        "addr add 10.0.0.1/24 dev c0",
        "neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev c0",
    ):
        smolctl(*line.split(), check=True)
    lines = smolctl("ping", "-f", *words.split()).stdout.split("\n")
    assert lines[1] == dots
    assert lines[2].endswith(" ping statistics ---")


def test_sigquit_tells_how_far_a_ping_is_and_it_goes_on(smolctl: SmolctlEnv) -> None:
    ping = smolctl.popen("ping", "-q", "-i", "0.05", "127.0.0.1")
    ping.wait_for("bytes of data")
    pattern = r"\r\d+/\d+ packets, \d+% loss, min/avg/ewma/max = [\d.]+(/[\d.]+){3} ms\n"

    def told() -> object:
        # One that comes before the first reply has no times to tell.
        ping.process.send_signal(signal.SIGQUIT)
        return re.search(pattern, ping.stderr)

    wait_until(told, "the status")
    result = ping.stop(signal.SIGINT)
    assert result.returncode == 0
    assert " packets transmitted, " in result.stdout


def test_interrupted_recv_ends_by_its_result(smolctl: SmolctlEnv) -> None:
    receiver = smolctl.popen("-j", "udp", "recv", "9")
    receiver.wait_for('"event":"bound"')
    result = receiver.stop(signal.SIGINT)
    assert result.returncode == 1
    assert events(result.stdout)[-1]["event"] == "summary"


def test_the_daemon_dies_meanwhile(smolctl: SmolctlEnv) -> None:
    receiver = smolctl.popen("udp", "recv", "9")
    receiver.wait_for("listening on")
    smolctl("stack", "stop", check=True)
    result = receiver.wait()
    assert result.returncode == 3
    assert last_lines(result.stderr, 1) == [
        'smolctl: stack "default" was stopped; try: smolctl --stack default stack log'
    ]
    assert "Traceback" not in result.stderr


def test_stack_life(smolctl: SmolctlEnv) -> None:
    started = smolctl("stack", "start", check=True)
    assert started.stderr.startswith('smolctl: started stack "default" (pid ')
    again = smolctl("stack", "start", check=True)
    assert "is already running" in again.stderr
    status = smolctl.json("stack", "status")[0]
    assert status["name"] == "default"
    assert smolctl("stack").stdout.startswith("stack default is running: pid ")
    smolctl("-n", "lab", "link", "add", "x", "type", "loopback", check=True)
    assert [row["name"] for row in smolctl.json("stack", "list")] == ["default", "lab"]
    assert smolctl("stack", "stop").stderr == 'smolctl: stopped stack "default"\n'
    assert smolctl("stack", "status").returncode == 3
    assert smolctl("stack", "stop").returncode == 3
    assert smolctl("stack", "log", check=True).stdout


def test_foreground(smolctl: SmolctlEnv) -> None:
    daemon = smolctl.popen("stack", "start", "--foreground")
    wait_until(lambda: smolctl("stack", "status").returncode == 0, "the daemon to answer")
    assert smolctl.json("stack", "status")[0]["pid"] == daemon.process.pid
    assert daemon.stop(signal.SIGTERM).returncode == 0


def test_closed_pipe_is_silent(smolctl: SmolctlEnv) -> None:
    smolctl("stack", "start", check=True)
    script = f'{sys.executable} -m smolctl "$@" | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}'
    result = subprocess.run(
        ["bash", "-c", script, "-", "ping", "-i", "0.01", "127.0.0.1"],
        env=smolctl.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("141\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["addr"], ["route", "show", "table", "local"]])
def test_full_disk_is_one_line(smolctl: SmolctlEnv, arguments: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        process = subprocess.run(
            [sys.executable, "-m", "smolctl", "-q", *arguments],
            env=smolctl.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert process.returncode == 2
    assert process.stderr == "smolctl: cannot write the output: No space left on device\n"


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("route show", 0, ""),
        ("capture -w x.pcapng -c 1", 2, "cannot write x.pcapng: No such file or directory"),
        ("batch lab.conf", 2, '"lab.conf": the current directory was deleted; cd to another one'),
        ("config diff lab.conf", 2, '"lab.conf": the current directory was deleted'),
        ("stack start --config lab.conf", 2, "cannot read lab.conf: No such file or directory"),
        (
            "link add x type stream listen x.sock",
            2,
            '"x.sock": the current directory was deleted; cd to another one',
        ),
    ],
)
def test_a_directory_that_was_deleted(
    smolctl_env: SmolctlEnv, command: str, status: int, said: str
) -> None:
    gone = smolctl_env.directory / "gone"
    gone.mkdir()
    result = smolctl_env.shell(f"cd {gone} && rmdir {gone} && exec smolctl -q {command}").wait(30)
    assert (result.returncode, said in result.stderr) == (status, True), result
    assert "internal error" not in result.stderr
