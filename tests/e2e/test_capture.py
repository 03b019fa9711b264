"""Packets that ``capture`` sees are those that tcpdump sees at the kernel's end."""

import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from smolctl.capture import CaptureFileError, Record
from tests.capture.kit import read
from tests.e2e.kit import (
    BOTH_WAYS,
    OURS_MAC,
    THEIRS_MAC,
    Lab,
    connect,
    daemon_pid,
    events,
    wait_for_lines,
)
from tests.kit.process import Background, run, wait_until

pytestmark = pytest.mark.netns("tcpdump", "ping")

ADDRESSED = re.compile(r"ethertype (\S+) .*?, length \d+: (.*)")


@pytest.fixture
def tap(lab: Lab, offload: str) -> Lab:
    # No IPv6 chatter of the kernel: what is compared shall end.
    lab.peer.namespace.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    lab.plug(offload=offload)
    return lab


def captured(path: Path) -> list[Record]:
    """Return what is in the file so far; its last packet may still be on its way into it."""
    if not path.exists() or not path.stat().st_size:
        return []
    for _ in range(100):
        with suppress(CaptureFileError):
            return read(path.read_bytes())
    return read(path.read_bytes())


def start(tap: Lab, path: Path, *words: str) -> Background:
    """Start to capture into a file and wait until it does."""
    reader = tap.smolctl.popen("capture", *words, "-w", str(path))
    wait_until(lambda: path.exists() and path.stat().st_size, "the beginning of the file")
    return reader


def packets(lines: list[str]) -> list[tuple[str, ...]]:
    """Return ethertype and all that tcpdump says of each packet, without the time."""
    found = [ADDRESSED.search(line) for line in lines]
    return [match.groups() for match in found if match]


def traffic(tap: Lab) -> None:
    """Ping and datagrams both ways, with all the ARP that they need; then one that is closed."""
    echo = tap.smolctl.popen("-j", "udp", "echo", "10.0.0.1:7")
    echo.wait_for('"event":"bound"')
    tap.smolctl("ping", "-c", "2", "-i", "0.05", "10.0.0.2", check=True)
    tap.peer.namespace.run("ping", "-c", "2", "-i", "0.05", "10.0.0.1", check=True)
    kernel = tap.peer.udp("10.0.0.2", 5000)
    for number in range(5):
        kernel.sendto(f"datagram {number}".encode(), ("10.0.0.1", 7))
        kernel.recvfrom(100)
    tap.smolctl("udp", "send", "10.0.0.2:5000", "the other way", check=True)
    kernel.recvfrom(100)
    kernel.sendto(b"nobody", ("10.0.0.1", 99))
    tap.wait_for_drop("udp-port-closed")


@BOTH_WAYS
def test_the_same_packets_as_tcpdump_at_the_other_end(tap: Lab, tmp_path: Path) -> None:
    theirs = tap.peer.namespace.tcpdump("tap0")
    path = tmp_path / "tap0.pcapng"
    reader = start(tap, path, "tap0")
    traffic(tap)
    lines = wait_for_lines(lambda: theirs.stdout, "udp port 99 unreachable", 1)
    assert lines
    wait_until(lambda: len(captured(path)) >= len(theirs.stdout.splitlines()), "all packets")
    ended = reader.stop(signal.SIGINT)

    shown = run(["tcpdump", "-n", "-e", "-r", str(path)], check=True).stdout.splitlines()
    assert ended.stderr.splitlines()[-1] == f"{len(shown)} packets captured"
    # Each end has its own order where two packets cross on the wire.
    assert sorted(packets(shown)) == sorted(packets(theirs.stdout.splitlines()))
    assert len(packets(shown)) >= 23
    assert {record.direction for record in captured(path)} == {"in", "out"}
    refused = [record for record in captured(path) if record.comments]
    assert [record.frame[-6:] for record in refused] == [b"nobody"]
    assert refused[0].comments == ("reason: udp-port-closed - nothing is bound to 10.0.0.1:99",)


def test_tcpdump_reads_a_live_pipe(tap: Lab) -> None:
    smolctl = " ".join([sys.executable, "-m", "smolctl", "-v", "capture", "tap0", "-w", "-"])
    script = f"{smolctl} udp port 5001 | tcpdump -l -n -r -"
    argv = tap.peer.namespace.inside("sh", "-c", script)
    pipe = Background(argv, env=tap.smolctl.environ)
    try:
        pipe.wait_for("smolctl: listening on tap0")
        kernel = tap.peer.udp("10.0.0.2", 5001)
        for number in range(3):
            kernel.sendto(bytes(number), ("10.0.0.1", 9))
            wait_for_lines(lambda: pipe.stdout, "10.0.0.2.5001 > 10.0.0.1.9: UDP", number + 1)
    finally:
        pipe.close()


def test_a_filter_and_a_count_live(tap: Lab) -> None:
    reader = tap.smolctl.popen("-j", "capture", "tap0", "icmp and src 10.0.0.2", "-c", "2")
    reader.wait_for('"event":"start"')
    tap.smolctl("ping", "-c", "3", "-i", "0.05", "10.0.0.2", check=True)
    ended = reader.wait()
    found = [event for event in events(ended) if event["event"] == "packet"]
    assert [(event["dev"], event["dir"]) for event in found] == [("tap0", "in")] * 2
    assert all("10.0.0.2 > 10.0.0.1 ICMP echo reply ident" in event["summary"] for event in found)


def test_dropped_frames_have_their_reason(tap: Lab, tmp_path: Path) -> None:
    path = tmp_path / "drops.pcapng"
    start(tap, path, "reason", "any")
    wire = tap.peer.wire("tap0")
    to_us = bytes.fromhex(OURS_MAC.replace(":", "")) + bytes.fromhex(THEIRS_MAC.replace(":", ""))
    wire.send(to_us + b"\x08\x00" + b"\x65" + bytes(40))  # IP version 6 in an IPv4 frame
    wire.send(bytes.fromhex("020000000099") + to_us[6:] + b"\x08\x00" + bytes(40))
    wire.send(to_us + b"\x12\x34" + bytes(40))
    wait_until(lambda: len(captured(path)) >= 3, lambda: f"three drops: {captured(path)}")
    names = [record.comments[0].split()[1] for record in captured(path)]
    assert names == ["ip-bad-version", "rx-not-our-mac", "rx-ethertype-unknown"]


@pytest.mark.netns("tcpdump", "ping", "tshark")
def test_tshark_shows_why_packets_were_dropped(tap: Lab, tmp_path: Path) -> None:
    path = tmp_path / "run.pcapng"
    start(tap, path)
    traffic(tap)
    wait_until(lambda: any(record.comments for record in captured(path)), "the drop")
    fields = ("-T", "fields", "-e", "frame.comment", "-e", "udp.dstport")
    shown = run(["tshark", "-r", str(path), *fields])
    refused = [line.split("\t") for line in shown.stdout.splitlines() if line.strip()]
    assert ["reason: udp-port-closed - nothing is bound to 10.0.0.1:99", "99"] in refused
    assert [comment for comment, *_ in refused if comment] == [
        comment for record in captured(path) for comment in record.comments
    ]


def test_a_neighbor_that_never_answers(tap: Lab, tmp_path: Path) -> None:
    path = tmp_path / "dead.pcapng"
    start(tap, path)
    assert tap.smolctl("udp", "send", "10.0.0.9:9", "x").returncode == 1
    wait_until(lambda: any(record.comments for record in captured(path)), "the end of the wait")
    *asked, failed = captured(path)
    assert [record.frame[12:14] for record in asked] == [b"\x08\x06"] * 3
    assert failed.frame[:14] == bytes(12) + b"\x08\x00"
    assert failed.comments[0].startswith("reason: neigh-failed - ")


def test_a_slow_reader_loses_and_is_told_and_nobody_else_does(tap: Lab, tmp_path: Path) -> None:
    slow = tap.smolctl.popen("capture", "tap0", "-w", str(tmp_path / "slow.pcapng"))
    wait_until(lambda: (tmp_path / "slow.pcapng").exists(), "the slow reader")
    slow.process.send_signal(signal.SIGSTOP)
    path = tmp_path / "quick.pcapng"
    quick = start(tap, path, "tap0", "udp", "dst", "port", "9")
    kernel = tap.peer.udp("10.0.0.2", 5000)
    receiver = tap.smolctl.popen("-q", "udp", "recv", "9", "--raw")
    wait_until(lambda: tap.call("socket.show"), "the receiver")
    total = 3000  # of 1400 B: more than a feed, the socket and the connection's buffers hold
    for number in range(0, total, 100):
        for _ in range(100):
            kernel.sendto(bytes(1400), ("10.0.0.1", 9))
        wait_until(lambda n=number: len(captured(path)) >= n, "the quick reader")  # type: ignore[misc]
    wait_until(lambda: len(captured(path)) == total, "all packets")
    assert quick.stop(signal.SIGINT).stderr.splitlines()[-1] == f"{total} packets captured"
    slow.process.send_signal(signal.SIGCONT)
    _, *said = slow.stop(signal.SIGINT).stderr.splitlines()
    found = captured(tmp_path / "slow.pcapng")
    kept, lost = (int(line.split()[0]) for line in said)
    assert said == [f"{kept} packets captured", f"{lost} lost (reader too slow)"]
    assert len(found) == kept
    assert kept + lost >= total
    comments = [comment for record in found for comment in record.comments if "lost" in comment]
    assert comments == [f"lost: {lost} packets before this one"]
    receiver.stop()


def test_a_killed_reader_leaves_the_daemon_healthy(tap: Lab, tmp_path: Path) -> None:
    pid = daemon_pid(tap.smolctl)
    readers = [start(tap, tmp_path / str(number)) for number in range(3)]
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    for reader in readers:
        reader.stop(signal.SIGKILL)
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    with connect(tap.smolctl) as client:
        status = client.call("stack.status")[0]
    assert status["pid"] == pid
    wait_until(lambda: tap.call("stack.status")[0]["clients"] <= 1, "the readers to be forgotten")


def test_a_link_that_is_deleted_meanwhile(tap: Lab, tmp_path: Path) -> None:
    path = tmp_path / "gone.pcapng"
    reader = start(tap, path, "tap0")
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    tap.smolctl("link", "del", "tap0", check=True)
    ended = reader.stop(signal.SIGINT)
    assert ended.returncode == 0
    assert int(ended.stderr.splitlines()[-1].split()[0]) == len(captured(path)) >= 2


def test_tcpdump_reads_all_interfaces_together(tap: Lab, tmp_path: Path) -> None:
    path = tmp_path / "all.pcapng"
    reader = start(tap, path)
    tap.smolctl("ping", "-c", "1", "10.0.0.2", check=True)
    tap.smolctl("ping", "-c", "1", "127.0.0.1", check=True)
    wait_until(lambda: {record.dev for record in captured(path)} == {"lo", "tap0"}, "both")
    reader.stop(signal.SIGINT)
    result = subprocess.run(["tcpdump", "-n", "-r", str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == len(captured(path))
