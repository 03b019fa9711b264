"""trace beside real commands and the kernel at the other end of a TAP."""

import json
import re
import signal

import pytest

from tests.e2e.kit import Lab, Row, connect, daemon_pid, receive, struck
from tests.kit.process import Background, wait_until

pytestmark = pytest.mark.netns("ping")


@pytest.fixture
def tap(lab: Lab) -> Lab:
    # No IPv6 chatter of the kernel: what is traced shall be what the test does.
    lab.peer.namespace.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    lab.plug()
    return lab


def start(tap: Lab, *words: str) -> Background:
    """Start a trace and wait until it listens."""
    reader = tap.smolctl.popen("-j", "trace", *words)
    reader.wait_for('"event":"start"')
    return reader


def rows(reader: Background, *kinds: str) -> list[Row]:
    """Return the events of some kinds; all of them without."""
    # The last line may be on its way.
    lines = reader.stdout.rpartition("\n")[0].splitlines()
    found = [json.loads(line) for line in lines]
    return [row for row in found if not kinds or row["event"] in kinds]


def stages(row: Row) -> list[str]:
    return [f"{step['stage']} {step['result']}" for step in row["steps"] if step["stage"] != "arp"]


def test_others_ping_and_are_pinged(tap: Lab) -> None:
    reader = start(tap, "tap0", "icmp")
    tap.smolctl("ping", "-c", "3", "-i", "0.3", "10.0.0.2", check=True)
    tap.peer.namespace.run("ping", "-c", "2", "-i", "0.3", "10.0.0.1", check=True)
    wait_until(lambda: len(rows(reader, "packet")) >= 10, lambda: reader.stdout)
    ended = reader.stop(signal.SIGINT)
    assert ended.returncode == 0
    traced = rows(reader, "packet")
    verdicts = [(row["dir"], row["verdict"].partition(" after")[0]) for row in traced]
    assert verdicts == [("out", "sent by tap0"), ("in", "delivered")] * 3 + [
        ("in", "answered"), ("out", "sent by tap0"),
    ] * 2  # fmt: skip
    for asked, answer in zip(traced[6::2], traced[7::2], strict=True):
        assert "echo request" in asked["summary"]
        assert "echo reply" in answer["summary"]
        assert answer["cause"] == {"id": asked["id"], "summary": asked["summary"]}
    assert rows(reader, "summary") == [{"event": "summary", "traced": 10, "lost": 0}]


def test_a_packet_that_waits_for_arp_and_is_sent(tap: Lab) -> None:
    reader = start(tap)
    kernel = tap.peer.udp("10.0.0.2", 5000)
    tap.smolctl("udp", "send", "10.0.0.2:5000", "hello", "-s", "10.0.0.1:4000", check=True)
    assert receive(kernel) == ("hello", ("10.0.0.1", 4000))
    wait_until(lambda: len(rows(reader, "packet")) >= 3, lambda: reader.stdout)
    wait, request, reply, sent = rows(reader, "wait", "packet")[:4]
    assert wait["summary"] == sent["summary"] == "10.0.0.1:4000 > 10.0.0.2:5000 UDP 5 B"
    assert (wait["fate"], wait["reason"]) == ("waiting", "neigh-pending")
    assert request["cause"] == {"id": sent["id"], "summary": sent["summary"]}
    assert (reply["dir"], reply["verdict"]) == ("in", "learned from")
    assert [step for step in stages(sent) if step != "route skip"] == [
        "socket ok", "route pick", "neigh wait", "neigh ok", "device ok",
    ]  # fmt: skip
    assert re.fullmatch(r"sent by tap0 after \d+\.\d ms", sent["verdict"])
    assert sent["delay_ms"] >= 0
    past = json.loads(tap.smolctl("-j", "why", str(sent["id"]), check=True).stdout)
    assert past["steps"] == sent["steps"]


def test_text_of_a_datagram_that_nobody_wants(tap: Lab) -> None:
    reader = tap.smolctl.popen("-v", "trace", "tap0", "udp", "-c", "1")
    reader.wait_for("smolctl: listening on tap0")
    tap.peer.udp("10.0.0.2", 5000).sendto(b"hello", ("10.0.0.1", 99))
    ended = reader.wait()
    assert ended.returncode == 0
    head, *story = ended.stdout.splitlines()
    number = re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{6} tap0 in  10\.0\.0\.2:5000 > 10\.0\.0\.1:99 UDP 5 B  id (\d+)", head
    )
    assert number, head
    assert story == tap.smolctl("why", number[1]).stdout.splitlines()[1:]
    assert story[-3] == "verdict: refused - udp-port-closed"


def test_the_fast_path_is_used_again_when_the_tracer_has_ended_or_was_killed(tap: Lab) -> None:
    echo = tap.smolctl.popen("-j", "udp", "echo", "10.0.0.1:7")
    echo.wait_for('"event":"bound"')
    kernel = tap.peer.udp("10.0.0.2", 5000)

    def flows() -> int:
        """Let a few datagrams go there and back; return how many flows are known then."""
        for number in range(4):
            kernel.sendto(f"datagram {number}".encode(), ("10.0.0.1", 7))
            assert kernel.recv(100) == f"datagram {number}".encode()
        return tap.counter("udp", "flows_known")

    assert flows() == 2  # there and back
    for number in (signal.SIGINT, signal.SIGKILL):
        reader = start(tap, "udp")
        assert flows() == 0
        wait_until(lambda r=reader: len(rows(r, "packet")) == 8, lambda r=reader: r.stdout)  # type: ignore[misc]
        reader.process.send_signal(signal.SIGSTOP)  # it holds up nobody
        assert flows() == 0
        reader.process.send_signal(signal.SIGCONT)
        reader.stop(number)
        wait_until(lambda: flows() == 2, "the flows to be known again")
    echo.stop()


def test_a_reader_that_stalls_is_told_what_it_lost(tap: Lab) -> None:
    pid = daemon_pid(tap.smolctl)
    reader = start(tap, "in and udp")
    reader.process.send_signal(signal.SIGSTOP)
    kernel = tap.peer.udp("10.0.0.2", 5000)
    total = 4000  # far more than the feed, the socket and the connection's buffers hold
    with connect(tap.smolctl) as client:

        def refused() -> int:
            return struck(client).get("udp-port-closed", 0)

        for sent in range(0, total, 100):
            for _ in range(100):
                kernel.sendto(b"x", ("10.0.0.1", 9))
            wait_until(lambda s=sent: refused() >= s + 100, "what was sent")  # type: ignore[misc]
    reader.process.send_signal(signal.SIGCONT)
    wait_until(
        lambda: sum(row.get("count", 1) for row in rows(reader, "lost", "packet")) == total,
        "all of them, or word of them",
    )
    reader.stop(signal.SIGINT)
    (summary,) = rows(reader, "summary")
    lost = sum(row["count"] for row in rows(reader, "lost"))
    assert summary == {"event": "summary", "traced": total - lost, "lost": lost}
    assert lost
    assert daemon_pid(tap.smolctl) == pid
