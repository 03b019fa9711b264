"""Datagrams between smolctl and the kernel's sockets, both ways, up to the limits."""

import os
import signal
import socket

import pytest

from tests.e2e.kit import BOTH_WAYS, Lab, daemon_pid, events, nothing_waits, receive, wait_for_lines
from tests.kit.process import Background, wait_until

pytestmark = [pytest.mark.netns("tcpdump", "nc.openbsd"), BOTH_WAYS]

OURS = ("10.0.0.1/24", "10.0.0.3/24", "192.168.7.1/30")
THEIRS = ("10.0.0.2/24", "192.168.7.2/30")
FITS = 1500 - 28


@pytest.fixture
def tap(lab: Lab, offload: str) -> Lab:
    """Connect smolctl, with two more addresses, and the kernel."""
    lab.plug(*OURS, theirs=THEIRS, offload=offload)
    return lab


def listen(tap: Lab, *args: str) -> Background:
    """Start ``udp ARGS`` and wait until it is bound."""
    started = tap.smolctl.popen("-j", "udp", *args)
    started.wait_for('"event":"bound"')
    return started


def test_kernel_sends_and_smolctl_receives(tap: Lab) -> None:
    receiver = tap.smolctl.popen("udp", "recv", "34254", "-c", "2")
    receiver.wait_for("listening on *:34254")
    kernel = tap.peer.udp("10.0.0.2", 5000)
    kernel.sendto(b"one", ("10.0.0.3", 34254))
    kernel.sendto(bytes([0, 10, 92, 255]), ("10.0.0.1", 34254))
    ended = receiver.wait()
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == [
        "10.0.0.2:5000 > 10.0.0.3:34254  3 bytes: one",
        r"10.0.0.2:5000 > 10.0.0.1:34254  4 bytes: \x00\n\\\xff",
    ]


def test_deadline_ends_a_receiver_with_1(tap: Lab) -> None:
    receiver = tap.smolctl("udp", "recv", "34254", "-c", "2", "-w", "0.1")
    assert (receiver.returncode, receiver.stdout) == (1, "")
    assert receiver.stderr.splitlines()[-1] == "smolctl: received 0 of 2 datagrams"


def test_smolctl_sends_and_nc_receives(tap: Lab) -> None:
    nc = tap.peer.namespace.popen("nc.openbsd", "-u", "-l", "-n", "-v", "10.0.0.2", "9000")
    nc.wait_for("Bound on 10.0.0.2 9000")
    sent = tap.smolctl("udp", "send", "10.0.0.2", "9000", "-", input="from a pipe\n")
    assert sent.returncode == 0, sent
    assert sent.stdout.startswith("sent 12 bytes to 10.0.0.2:9000 dev tap0 after ")
    nc.wait_for("from a pipe")


def test_nc_talks_to_the_echo(tap: Lab) -> None:
    listen(tap, "echo", "10.0.0.3:7")
    nc = tap.peer.namespace.popen("nc.openbsd", "-u", "-n", "10.0.0.3", "7", stdin=True)
    assert nc.process.stdin is not None
    for word in ("first", "second"):
        nc.process.stdin.write(f"{word}\n".encode())
        nc.process.stdin.flush()
        nc.wait_for(word)


def test_source_is_what_was_asked_for(tap: Lab) -> None:
    kernel = tap.peer.udp("10.0.0.2", 9000)
    for source in ("10.0.0.3:5000", "192.168.7.1:5001"):
        send = ("udp", "send", "10.0.0.2:9000", "x", "-s", source)
        tap.smolctl(*send, check=True)
        address, _, port = source.partition(":")
        assert receive(kernel) == ("x", (address, int(port)))
    tap.smolctl("udp", "send", "10.0.0.2:9000", "x", check=True)
    assert receive(kernel)[1][0] == "10.0.0.1"
    # Its own network's address, not the first one.
    other = tap.peer.udp("192.168.7.2", 9000)
    tap.smolctl("udp", "send", "192.168.7.2:9000", "x", check=True)
    assert receive(other)[1][0] == "192.168.7.1"


def test_echo_answers_from_the_address_it_was_sent_to(tap: Lab) -> None:
    listen(tap, "echo", "7")
    kernel = tap.peer.udp("10.0.0.2", 0)
    for address in OURS:
        ip = address.partition("/")[0]
        # A connected socket hears nobody else.
        kernel.connect((ip, 7))
        kernel.send(ip.encode())
        assert receive(kernel) == (ip, (ip, 7))


def test_expected_reply_comes_or_is_missed(tap: Lab) -> None:
    kernel = tap.peer.udp("10.0.0.2", 9000)
    send = ("udp", "send", "10.0.0.2:9000", "question", "--expect-reply")
    asking = tap.smolctl.popen("-j", *send, "-w", "10")
    _, sender = receive(kernel)
    kernel.sendto(b"answer", sender)
    ended = asking.wait()
    assert ended.returncode == 0
    (reply,) = [event for event in events(ended) if event["event"] == "reply"]
    assert (reply["src"], reply["sport"], reply["data"]) == ("10.0.0.2", 9000, "YW5zd2Vy")

    silent = tap.smolctl(*send, "-w", "0.2")
    assert silent.returncode == 1
    said, why = silent.stderr.splitlines()
    assert said == (
        "smolctl: no answer from 10.0.0.2:9000 within 0.2 s, and no ICMP error, though 10.0.0.2"
        " answers ARP; on 10.0.0.2: does the program at port 9000 answer, or does a filter drop it?"
    )
    assert why.startswith("reason: udp-no-reply (smolctl why ")
    number = why.split()[-1].rstrip(")")
    told = tap.smolctl("why", number)
    assert (told.returncode, told.stdout.splitlines()[-3]) == (
        1,
        "verdict: sent, but it failed - udp-no-reply",
    )


@pytest.mark.parametrize("size", [0, 1, FITS])
def test_payload_that_fits_arrives_both_ways(tap: Lab, size: int) -> None:
    kernel = tap.peer.udp("10.0.0.2", 9000)
    tap.smolctl("udp", "send", "10.0.0.2:9000", "--size", str(size), check=True)
    data, _ = kernel.recvfrom(65535)
    assert data == (bytes(range(256)) * 6)[:size]
    listen(tap, "echo", "7")
    kernel.sendto(data, ("10.0.0.1", 7))
    assert kernel.recvfrom(65535) == (data, ("10.0.0.1", 7))


def test_payload_that_does_not_fit_and_has_df_is_refused_with_the_limit(tap: Lab) -> None:
    kernel = tap.peer.udp("10.0.0.2", 9000)
    too_big = ("udp", "send", "10.0.0.2:9000", "--df", "--size", str(FITS + 1))
    text = tap.smolctl(*too_big)
    assert (text.returncode, text.stdout) == (1, "")
    assert text.stderr.startswith("smolctl: not sent: tx-too-big: ")
    assert str(FITS) in text.stderr
    failed = events(tap.smolctl("-j", *too_big))[0]
    assert (failed["reason"], failed["errno"]) == ("tx-too-big", "EMSGSIZE")
    # The route's MTU counts as well as the link's.
    tap.smolctl("route", "add", "10.0.0.2", "dev", tap.dev, "mtu", "500", check=True)
    fits = tap.smolctl("udp", "send", "10.0.0.2:9000", "--size", "473", "-M", "do")
    assert (fits.returncode, "472" in fits.stderr) == (1, True)
    assert nothing_waits(kernel)


def test_broadcast_needs_permission(tap: Lab) -> None:
    kernel = tap.peer.udp("0.0.0.0", 9000)
    tap.smolctl("route", "add", "default", "via", "10.0.0.2", check=True)
    for dst in ("10.0.0.255", "255.255.255.255"):
        denied = tap.smolctl("udp", "send", f"{dst}:9000", "all")
        assert denied.returncode == 2
        assert denied.stderr.startswith("smolctl: not sent: tx-broadcast-denied: ")
        assert dst in denied.stderr
    assert nothing_waits(kernel)
    capture = tap.peer.namespace.tcpdump(tap.dev, "udp")
    for dst in ("10.0.0.255", "255.255.255.255"):
        tap.smolctl("udp", "send", f"{dst}:9000", "all", "--broadcast", check=True)
        assert receive(kernel)[1][0] == "10.0.0.1"
    lines = wait_for_lines(lambda: capture.stdout, "> ff:ff:ff:ff:ff:ff", 2)
    assert ["10.0.0.255.9000" in lines[0], "255.255.255.255.9000" in lines[1]] == [True, True]


@pytest.mark.parametrize("bind", ["", "10.0.0.255:"])
def test_broadcast_of_the_kernel_arrives(tap: Lab, bind: str) -> None:
    receiver = listen(tap, "recv", f"{bind}9000", "-c", "1")
    kernel = tap.peer.udp("10.0.0.2", 9000)
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    kernel.sendto(b"all", ("10.0.0.255", 9000))
    ended = receiver.wait()
    assert ended.returncode == 0
    assert events(ended)[1]["dst"] == "10.0.0.255"
    # A closed port stays silent when everybody was asked (RFC 1122 3.2.2).
    kernel.sendto(b"all", ("10.0.0.255", 9001))
    tap.wait_for_drop("udp-no-listener")
    assert nothing_waits(kernel)


def test_closed_port_answers_and_the_kernel_reports_it(tap: Lab) -> None:
    kernel = tap.peer.udp("10.0.0.2", 0)
    kernel.connect(("10.0.0.1", 9))
    kernel.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        kernel.recv(1)
    assert tap.drops()["udp-port-closed"] == 1


@pytest.mark.parametrize("quiet", [True, False])
def test_many_at_once_come_back_as_they_were(tap: Lab, quiet: bool) -> None:
    if quiet:
        tap.smolctl.popen("-q", "udp", "echo", "7")
        wait_until(lambda: tap.smolctl.json("socket", "show"), "the socket")
    else:
        listen(tap, "echo", "7")
    kernel = tap.peer.udp("10.0.0.2", 0)
    kernel.connect(("10.0.0.1", 7))
    kernel.send(b"the way is known")
    assert kernel.recv(65535) == b"the way is known"
    payloads = [bytes([number]) * 700 for number in range(40)]
    kernel.setsockopt(17, 103, 700)  # SOL_UDP, UDP_SEGMENT
    kernel.send(b"".join(payloads) + b"short")
    assert [kernel.recv(65535) for _ in range(41)] == [*payloads, b"short"]
    kernel.setsockopt(17, 103, 0)
    for payload in payloads:
        kernel.send(payload)
    assert [kernel.recv(65535) for _ in payloads] == payloads
    stats = tap.smolctl.json("-s", "link", "show", tap.dev)[0]["stats64"]
    # 82 datagrams and the ARP exchange: how they were carried makes no difference.
    assert (stats["rx"]["packets"], stats["tx"]["packets"]) == (83, 83)
    sizes = 16 + 80 * 700 + 5
    assert stats["rx"]["bytes"] == stats["tx"]["bytes"] == sizes + 82 * 42 + 42


def test_datagram_without_a_checksum_is_taken(tap: Lab) -> None:
    receiver = listen(tap, "recv", "9000", "-c", "1")
    kernel = tap.peer.udp("10.0.0.2", 0)
    # RFC 768: an all zero checksum means that the sender made none. Linux SO_NO_CHECK.
    kernel.setsockopt(socket.SOL_SOCKET, 11, 1)
    kernel.sendto(b"unsure", ("10.0.0.1", 9000))
    assert receiver.wait().returncode == 0


def test_receive_queue_is_bounded_and_losses_are_counted(tap: Lab) -> None:
    # A stopped daemon finds all of the burst at once, and reads faster than it hands on.
    tap.sysctl(udp__rmem_default=1024)
    receiver = listen(tap, "recv", "9000")
    kernel = tap.peer.udp("10.0.0.2", 0)
    kernel.sendto(b"x" * 64, ("10.0.0.1", 9000))
    wait_until(lambda: '"datagram"' in receiver.stdout, "the first")
    pid = daemon_pid(tap.smolctl)
    os.kill(pid, signal.SIGSTOP)
    burst = 200
    for _ in range(burst):
        kernel.sendto(b"x" * 64, ("10.0.0.1", 9000))
    os.kill(pid, signal.SIGCONT)

    def counted() -> int:
        return tap.drops().get("udp-rcvbuf-full", 0) + receiver.stdout.count('"datagram"')

    wait_until(lambda: counted() == burst + 1, lambda: f"all {burst}, not {counted()}")
    (row,) = tap.smolctl.json("socket", "show")
    assert row["drops"] == tap.drops()["udp-rcvbuf-full"] >= burst // 2
    assert row["rx_datagrams"] + row["drops"] == burst + 1
    # It goes on as if nothing had been.
    kernel.sendto(b"after", ("10.0.0.1", 9000))
    wait_until(lambda: receiver.stdout.count('"datagram"') == row["rx_datagrams"] + 1, "the next")


def test_reader_that_stands_still_costs_bounded_memory(tap: Lab) -> None:
    receiver = listen(tap, "recv", "9000")
    pid = daemon_pid(tap.smolctl)
    os.kill(receiver.process.pid, signal.SIGSTOP)
    kernel = tap.peer.udp("10.0.0.2", 0)
    before, chunks, chunk = resident_kib(pid), 10, 1000
    # Many times what the daemon keeps for a client, in chunks that its TAP's queue can hold.
    for n in range(chunks):
        for _ in range(chunk):
            kernel.sendto(bytes(1400), ("10.0.0.1", 9000))
        wait_for_received(tap, (n + 1) * chunk)
    assert resident_kib(pid) - before < 8 * 1024
    (row,) = tap.smolctl.json("socket", "show")
    assert row["recv_q"] <= row["rcvbuf"]
    assert row["drops"] == tap.drops()["udp-rcvbuf-full"] > chunks * chunk // 2
    # What was not lost arrives when the reader goes on.
    os.kill(receiver.process.pid, signal.SIGCONT)
    kept = chunks * chunk - row["drops"]
    wait_until(
        lambda: receiver.stdout.count('"datagram"') == kept,
        lambda: f"{kept} datagrams, not {receiver.stdout.count('datagram')}",
    )


def wait_for_received(tap: Lab, count: int) -> None:
    wait_until(lambda: received(tap) >= count, lambda: f"{count}, not {received(tap)}")


def received(tap: Lab) -> int:
    (row,) = tap.smolctl.json("socket", "show")
    return int(row["rx_datagrams"] + row["drops"])


def resident_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        (line,) = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1])
