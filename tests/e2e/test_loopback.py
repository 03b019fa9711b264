"""A fresh stack on a machine where the user may do nothing: the loopback just works."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.kit import daemon_pid, events
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

TEXT = "Hello, loopback!"


def capabilities(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^CapEff:\s+(\w+)$", status, re.MULTILINE)[0], 16)


@pytest.mark.parametrize("source", [None, "127.0.0.1:34254", "127.0.0.2:1"])
def test_datagram_is_delivered_with_nothing_configured(
    user: SmolctlEnv, source: str | None
) -> None:
    receiver = user.popen("udp", "recv", "127.0.0.2:34254", "-c", "1")
    receiver.wait_for("listening on 127.0.0.2:34254")
    options = () if source is None else ("-s", source)
    sent = user("udp", "send", "127.0.0.2:34254", TEXT, *options)
    assert (sent.returncode, sent.stderr) == (0, "")
    assert sent.stdout == f"delivered {len(TEXT)} bytes to 127.0.0.2:34254\n"

    received = receiver.wait()
    assert received.returncode == 0
    sender, _, rest = received.stdout.partition("  ")
    assert rest == f"{len(TEXT)} bytes: {TEXT}\n"
    assert sender.startswith(f"{source or '127.0.0.1:'}")
    assert sender.endswith(" > 127.0.0.2:34254")
    assert capabilities(daemon_pid(user)) == 0
    (address,) = [info for row in user.json("-4", "addr") for info in row["addr_info"]]
    assert (address["local"], address["prefixlen"]) == ("127.0.0.1", 8)


def test_nobody_listens(user: SmolctlEnv) -> None:
    sent = user("-j", "udp", "send", "127.0.0.2:34254", TEXT)
    assert sent.returncode == 1
    failed, summary = events(sent)
    assert (failed["event"], failed["reason"]) == ("failed", "udp-port-closed")
    assert failed["errno"] == "ECONNREFUSED"
    assert (summary["sent"], summary["failed"], summary["ok"]) == (0, 1, False)


def test_ping_answers_on_all_of_the_loopback_network(user: SmolctlEnv) -> None:
    assert user("ping", "-c", "1", "127.200.0.1").returncode == 0
    broadcast = user("ping", "-c", "1", "127.255.255.255")
    assert (broadcast.returncode, broadcast.stdout) == (2, "")


def test_both_ends_may_start_the_stack_at_the_same_time(user: SmolctlEnv) -> None:
    receivers = [
        user.popen("-j", "udp", "recv", f"127.0.0.{n}:9", "-c", "1", "-w", "10") for n in (1, 2, 3)
    ]
    for receiver in receivers:
        receiver.wait_for('"bound"')
    for n in (1, 2, 3):
        user("udp", "send", f"127.0.0.{n}:9", "x", check=True)
    assert [receiver.wait().returncode for receiver in receivers] == [0, 0, 0]
    # One stack for all: nobody was left alone with a daemon of their own.
    started = [r for r in receivers if "started stack" in r.stderr]
    assert len(user.pids()) == 1
    assert len(started) >= 1


@pytest.mark.parametrize("how", [("-i", "0"), ("--rate", "5000")])
def test_a_flood_shows_its_rate(smolctl: SmolctlEnv, how: tuple[str, str]) -> None:
    echo = smolctl.popen("-q", "udp", "echo", "7")
    wait_until(lambda: smolctl.json("socket", "show"), "the echo to be bound")
    flood = smolctl("-q", "udp", "send", "127.0.0.1:7", "x", "-c", "500", *how, check=True)
    pattern = r"500 sent, 0 failed, 0 ICMP errors, \d+ replies in \d+\.\d{3} s, [\d.]+/s\n"
    assert re.fullmatch(pattern, flood.stdout)
    *_, summary = events(smolctl("-j", "udp", "send", "127.0.0.1:7", "x", "-c", "9", *how))
    assert summary["rate"] > 0
    assert summary["seconds"] > 0
    assert echo.process.poll() is None


# --- two TCP sockets, as two commands in two shells -----------------------------------------------


def test_a_stream_between_two_commands_without_privileges(user: SmolctlEnv) -> None:
    listener = user.popen("tcp", "listen", "127.0.0.1:8080", "--count", "1")
    listener.wait_for("listening on 127.0.0.1:8080")
    (row,) = user.json("socket", "show", "-l")
    assert (row["owner"], row["pid"]) == ("tcp listen", listener.process.pid)
    sent = user.cold("tcp", "connect", "127.0.0.1:8080", input=f"{TEXT}\n")
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, "", "")
    received = listener.wait()
    assert (received.returncode, received.stdout) == (0, f"{TEXT}\n")
    assert capabilities(daemon_pid(user)) == 0


@pytest.mark.parametrize("server", [("listen",), ("bench", "--server")])
def test_a_server_ends_in_time_though_data_comes(
    smolctl: SmolctlEnv, server: tuple[str, ...]
) -> None:
    words = " ".join(server)
    listener = smolctl.shell(f"smolctl tcp {words} 9000 -w 0.4 > {os.devnull}")
    wait_until(lambda: smolctl.json("socket", "show", "-l"), "it to listen")
    sending = smolctl.shell("smolctl tcp connect 127.0.0.1:9000 < /dev/zero")
    assert listener.wait(10).returncode == 1  # as none had ended
    assert sending.wait(10).returncode == 1


def test_names_are_refused_alike(smolctl: SmolctlEnv) -> None:
    """The stack has no resolver, and an address is needed by whatever explains a packet."""
    where = "localhost:9"
    for words in (
        ("ping", "localhost"), ("traceroute", "localhost"), ("udp", "send", where, "x"),
        ("tcp", "send", where, "x"), ("tcp", "connect", where), ("tcp", "ping", where),
        ("tcp", "scan", where), ("tcp", "traceroute", where), ("tcp", "http", where),
        ("tcp", "bench", where), ("tcp", "listen", where), ("tcp", "bench", "--server", where),
        ("tcp", "connect", "-s", "localhost", "127.0.0.1:9"), ("tcp", "echo", where),
    ):  # fmt: skip
        refused = smolctl(*words)
        assert (refused.returncode, refused.stdout) == (2, ""), words
        assert "'localhost' is not an address, such as 10.0.0.1" in refused.stderr, words


def test_an_archive_goes_through_two_pipes(smolctl: SmolctlEnv) -> None:
    source, target = smolctl.directory / "source", smolctl.directory / "target"
    source.mkdir()
    target.mkdir()
    data = os.urandom(3_000_000)
    (source / "data").write_bytes(data)
    getting = smolctl.shell(f"cd {target} && smolctl tcp listen 9000 --count 1 | tar x")
    wait_until(lambda: smolctl.json("socket", "show", "-l"), "it to listen")
    sending = smolctl.shell(f"cd {source} && tar c . | smolctl tcp connect 127.0.0.1:9000")
    assert sending.wait(60).returncode == 0
    assert getting.wait(60).returncode == 0
    assert (target / "data").read_bytes() == data


@pytest.mark.parametrize("verb", ["connect", "send"])
def test_a_refusal_is_an_answer(smolctl: SmolctlEnv, verb: str) -> None:
    words = ("hi",) if verb == "send" else ()
    refused = smolctl("tcp", verb, "127.0.0.1:9", *words)
    assert refused.returncode == 1
    assert "127.0.0.1:9 answered SYN with RST" in refused.stderr
    why = smolctl("why", "tcp", "any", "127.0.0.1:9")
    assert why.returncode == 1
    assert "an attempt failed" in why.stdout
    assert "nobody listens at 127.0.0.1:9" in why.stdout


def test_a_killed_connection_says_so_at_both_ends(smolctl: SmolctlEnv) -> None:
    listener = smolctl.popen("tcp", "listen", "8080", "-c", "1")
    listener.wait_for("listening on *:8080")
    client = smolctl.popen("tcp", "connect", "127.0.0.1:8080", stdin=True)
    listener.wait_for("connection from")
    killed = smolctl("socket", "kill", "peer", "127.0.0.1:8080", check=True)
    assert killed.stdout.startswith("killed tcp ESTAB 127.0.0.1:")
    ended = client.wait()
    assert (ended.returncode, "was killed" in ended.stderr) == (1, True)
    ended = listener.wait()
    assert (ended.returncode, "RST from 127.0.0.1" in ended.stderr) == (1, True)
    assert smolctl("socket", "kill", "sport", "8080").returncode == 1


def test_a_silent_peer_is_given_up_in_time(smolctl: SmolctlEnv) -> None:
    smolctl("link", "add", "eth0", "type", "cable", "name", "c1", check=True)
    smolctl("addr", "add", "10.0.0.1/24", "dev", "eth0", check=True)
    silent = smolctl("tcp", "connect", "10.0.0.2:22", "-z", "-w", "0.3")
    assert (silent.returncode, silent.stdout) == (1, "")
    assert "nothing from 10.0.0.2:22 for 0.3 s" in silent.stderr
    for verb in ("bench", "http"):
        waiting = smolctl.popen("tcp", verb, "10.0.0.2:22")
        wait_until(lambda: smolctl.json("socket", "show"), "SYN to be sent")
        assert waiting.stop(signal.SIGINT).returncode == -signal.SIGINT
        wait_until(lambda: not smolctl.json("socket", "show"), "the socket to be closed")
    unsent = smolctl("tcp", "send", "10.0.0.2:22", "hi", "-w", "0.3")
    assert (unsent.returncode, "did not answer SYN in time" in unsent.stderr) == (1, True)
