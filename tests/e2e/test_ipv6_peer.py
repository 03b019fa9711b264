"""smolctl and the kernel as IPv6 neighbors on a TAP: discovery, echo, datagrams and groups."""

import re
import socket
from base64 import b64decode

import pytest

from tests.e2e.kit import (
    BOTH_WAYS,
    OURS_MAC,
    THEIRS_MAC,
    Lab,
    events,
    nothing_waits,
    wait_for_lines,
)
from tests.kit.process import Background, wait_until

pytestmark = pytest.mark.netns("ping", "tcpdump", "nc.openbsd")

OURS, THEIRS = "2001:db8::1", "2001:db8::2"
OURS_LOCAL, THEIRS_LOCAL = "fe80::ff:fe00:1", "fe80::ff:fe00:2"
OTHER = "02:00:00:00:00:51"
BIGGEST = 65527
"""The largest payload of UDP in a packet of 65575 bytes."""
FITS = 1500 - 48
IPV6_V6ONLY, IPV6_DONTFRAG = 26, 62


@pytest.fixture
def tap(lab: Lab, offload: str) -> Lab:
    """Connect smolctl, with a second address, and the kernel."""
    # Of two in one network, the one that was added last is a source first, as in Linux.
    theirs = (f"{THEIRS}/64", f"{THEIRS_LOCAL}/64")
    lab.plug("2001:db8::3/64", f"{OURS}/64", theirs=theirs, offload=offload)
    return lab


def listen(tap: Lab, *args: str) -> Background:
    """Start ``udp ARGS`` and wait until it is bound."""
    started = tap.smolctl.popen("-j", "udp", *args)
    started.wait_for('"event":"bound"')
    return started


def data(size: int) -> bytes:
    return (bytes(range(256)) * 256)[:size]


# --- discovery and echo ---------------------------------------------------------------------------


@BOTH_WAYS
@pytest.mark.parametrize("address", [OURS, "2001:db8::3", f"{OURS_LOCAL}%tap0"])
def test_the_kernel_asks_and_smolctl_answers(tap: Lab, address: str) -> None:
    answered = tap.peer.namespace.run("ping", "-6", "-c", "2", "-i", "0.2", "-W", "5", address)
    assert "2 received, 0% packet loss" in answered.stdout, answered
    rows = tap.peer.ip("-6", "neigh", "show", "dev", "tap0")
    assert f"{address.partition('%')[0]} lladdr {OURS_MAC} REACHABLE" in rows
    assert "router" not in rows


@BOTH_WAYS
@pytest.mark.parametrize("address", [THEIRS, f"{THEIRS_LOCAL}%tap0"])
def test_smolctl_asks_and_the_kernel_answers(tap: Lab, address: str) -> None:
    answered = tap.smolctl("ping", "-c", "2", "-i", "0.1", address)
    assert answered.returncode == 0, answered
    assert "2 packets transmitted, 2 received, 0% packet loss" in answered.stdout
    assert tap.neighbors()[address.partition("%")[0]] == (THEIRS_MAC, "REACHABLE")


def test_an_address_that_nobody_has_is_asked_for_three_times(tap: Lab) -> None:
    capture = tap.peer.namespace.tcpdump(tap.dev, "icmp6")
    tap.sysctl(neigh__retrans_time_ms=100)
    failed = events(tap.smolctl("-j", "udp", "send", "[2001:db8::9]:9", "x", "-w", "5"))
    assert "neigh-failed" in [event.get("reason") for event in failed]
    asked = wait_for_lines(lambda: capture.stdout, "who has 2001:db8::9", 3)
    # To the solicited-node group, from an address of ours (RFC 4861 7.2.2).
    assert all(f"{OURS} > ff02::1:ff00:9" in line for line in asked)
    assert all(f"{OURS_MAC} > 33:33:ff:00:00:09" in line for line in asked)


def test_a_stale_neighbor_in_use_is_probed_by_unicast(tap: Lab) -> None:
    tap.sysctl(neigh__delay_first_probe_time_ms=100)
    replace = ("neigh", "replace", THEIRS, "dev", tap.dev, "lladdr", THEIRS_MAC)
    tap.smolctl(*replace, "nud", "stale", check=True)
    capture = tap.peer.namespace.tcpdump(tap.dev, "icmp6")
    tap.smolctl("udp", "send", f"[{THEIRS}]:9", "x", "-w", "0")
    capture.wait_for(f"who has {THEIRS}")
    assert f"{OURS_MAC} > {THEIRS_MAC}" in capture.stdout
    tap.wait_for_neighbor(THEIRS, "REACHABLE")


@BOTH_WAYS
def test_a_neighbor_with_a_new_mac_is_found_again(tap: Lab) -> None:
    tap.sysctl(neigh__base_reachable_time_ms=200, neigh__delay_first_probe_time_ms=50)
    tap.sysctl(neigh__retrans_time_ms=50)
    tap.smolctl("ping", "-c", "1", THEIRS, check=True)
    tap.peer.ip("link", "set", tap.dev, "address", OTHER)
    wait_until(
        lambda: tap.smolctl("ping", "-c", "1", "-W", "0.2", THEIRS).returncode == 0,
        lambda: f"an answer; there are {tap.neighbors()}",
    )
    assert tap.neighbors()[THEIRS][0] == OTHER


def test_the_kernel_finds_that_our_address_is_taken(tap: Lab) -> None:
    tap.peer.sysctl({f"net.ipv6.conf.tap0.{key}": 1 for key in ("accept_dad", "dad_transmits")})
    tap.peer.ip("addr", "add", f"{OURS}/64", "dev", tap.dev)
    show = ("addr", "show", "dev", tap.dev, "dadfailed")
    wait_until(lambda: OURS in tap.peer.ip(*show), "the failure of the kernel's detection")


@BOTH_WAYS
@pytest.mark.parametrize("size", ["0", "1452", "1453", "9000", "65487"])
def test_pings_of_any_size_are_answered_both_ways(tap: Lab, size: str) -> None:
    ours = tap.smolctl("ping", "-c", "2", "-i", "0.1", "-s", size, THEIRS)
    assert "2 packets transmitted, 2 received, 0% packet loss" in ours.stdout, ours
    theirs = tap.peer.namespace.run("ping", "-6", "-c", "2", "-i", "0.2", "-s", size, OURS)
    assert "2 packets transmitted, 2 received, 0% packet loss" in theirs.stdout, theirs


# --- datagrams ------------------------------------------------------------------------------------


@BOTH_WAYS
@pytest.mark.parametrize("size", [0, 1, FITS, FITS + 1, BIGGEST])
def test_datagrams_of_any_size_go_both_ways(tap: Lab, size: int) -> None:
    kernel = tap.peer.udp(THEIRS, 9000)
    sent = events(tap.smolctl("-j", "udp", "send", f"[{THEIRS}]:9000", "--size", str(size)))
    payload, sender = kernel.recvfrom(65535)
    assert (payload, sender[0]) == (data(size), OURS)
    told = [event for event in sent if event["event"] == "sent"]  # it may wait for a neighbor first
    assert told[0].get("fragments", 1) == (1 if size <= FITS else -(-(size + 8) // 1448))
    listen(tap, "echo", "[::]:7")
    kernel.sendto(payload, (OURS, 7))
    assert kernel.recvfrom(65535)[0] == payload


@BOTH_WAYS
def test_the_kernel_sends_and_smolctl_receives(tap: Lab) -> None:
    receiver = tap.smolctl.popen("udp", "recv", "[::]:34254", "-c", "2")
    receiver.wait_for("listening on *:34254")
    kernel = tap.peer.udp(THEIRS, 5000)
    kernel.sendto(b"one", (OURS, 34254))
    kernel.sendto(b"two", (OURS_LOCAL, 34254, 0, index_of(tap)))
    ended = receiver.wait()
    assert ended.returncode == 0
    assert ended.stdout.splitlines() == [
        f"[{THEIRS}]:5000 > [{OURS}]:34254  3 bytes: one",
        f"[{THEIRS}]:5000 > [{OURS_LOCAL}%tap0]:34254  3 bytes: two",
    ]


def index_of(tap: Lab) -> int:
    """Return the kernel's index of the TAP, which is the scope of its link-local addresses."""
    return int(tap.peer.rows("link", "show", "dev", tap.dev)[0]["ifindex"])


def test_nc_talks_to_the_echo(tap: Lab) -> None:
    listen(tap, "echo", f"[{OURS}]:7")
    nc = tap.peer.namespace.popen("nc.openbsd", "-6", "-u", "-n", OURS, "7", stdin=True)
    assert nc.process.stdin is not None
    for word in ("first", "second"):
        nc.process.stdin.write(f"{word}\n".encode())
        nc.process.stdin.flush()
        nc.wait_for(word)


def test_a_dual_socket_hears_both_families(tap: Lab) -> None:
    tap.peer.ip("addr", "add", "10.0.0.2/24", "dev", tap.dev)
    tap.call("addr.add", local="10.0.0.1/24", dev=tap.dev)
    receiver = listen(tap, "recv", "[::]:7", "-c", "2")
    tap.peer.udp(THEIRS, 5000).sendto(b"six", (OURS, 7))
    receiver.wait_for("c2l4")
    tap.peer.udp("10.0.0.2", 5000).sendto(b"four", ("10.0.0.1", 7))
    got = [event for event in events(receiver.wait()) if event["event"] == "datagram"]
    assert [b64decode(event["data"]) for event in got] == [b"six", b"four"]


def test_a_closed_port_is_reported_both_ways(tap: Lab) -> None:
    kernel = tap.peer.udp(THEIRS, 0)
    kernel.connect((OURS, 9))
    kernel.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        kernel.recv(1)
    assert tap.drops()["udp-port-closed"] == 1
    told = events(tap.smolctl("-j", "udp", "send", f"[{THEIRS}]:9", "x", "-w", "5"))
    assert "ECONNREFUSED" in [event.get("errno") for event in told]


def test_a_payload_that_does_not_fit_and_must_not_be_cut_is_refused(tap: Lab) -> None:
    kernel = tap.peer.udp(THEIRS, 9000)
    too_big = tap.smolctl("udp", "send", f"[{THEIRS}]:9000", "--df", "--size", str(FITS + 1))
    assert (too_big.returncode, too_big.stdout) == (1, "")
    assert too_big.stderr.startswith("smolctl: not sent: tx-too-big: ")
    assert str(FITS) in too_big.stderr
    assert nothing_waits(kernel)


def test_the_fragments_are_as_tcpdump_wants_them(tap: Lab) -> None:
    tap.peer.udp(THEIRS, 9000)
    capture = tap.peer.namespace.tcpdump(tap.dev, "ip6[6] = 44", "-v")
    tap.smolctl("udp", "send", f"[{THEIRS}]:9000", "--size", "3000", "-w", "0", check=True)
    lines = wait_for_lines(lambda: capture.stdout, "frag (", 3)
    parts = [re.search(r"frag \((0x[0-9a-f]+):(\d+)\|(\d+)\)", line) for line in lines]
    found = [part.groups() for part in parts if part]
    (ident,) = {part[0] for part in found}
    assert int(ident, 16) != 0
    assert [(int(offset), int(size)) for _, offset, size in found] == [
        (0, 1448), (1448, 1448), (2896, 112),
    ]  # fmt: skip


# --- groups ---------------------------------------------------------------------------------------


def test_all_nodes_are_reached_both_ways(tap: Lab) -> None:
    receiver = listen(tap, "recv", "[::]:5000", "-c", "1")
    kernel = tap.peer.udp("::", 5000)
    kernel.sendto(b"all", ("ff02::1", 5000, 0, index_of(tap)))
    (got,) = [event for event in events(receiver.wait()) if event["event"] == "datagram"]
    assert (got["dst"], b64decode(got["data"])) == ("ff02::1", b"all")
    # Its own datagram comes back to the kernel's socket, too (IPV6_MULTICAST_LOOP).
    assert kernel.recvfrom(100)[0] == b"all"
    tap.smolctl("udp", "send", "[ff02::1%tap0]:5000", "us", check=True)
    payload, sender = kernel.recvfrom(100)
    assert (payload, sender[0].partition("%")[0]) == (b"us", OURS_LOCAL)


def test_a_group_that_is_joined_is_heard(tap: Lab) -> None:
    capture = tap.peer.namespace.tcpdump(tap.dev, "-v", "ip6[48] = 143")
    group = "ff05::1:3"
    receiver = listen(tap, "recv", "[::]:5000", "--group", group, "--dev", tap.dev, "-c", "1")
    # RFC 3810: it is reported at once, to the routers.
    capture.wait_for(f"gaddr {group}")
    assert "ff02::16" in capture.stdout
    kernel = tap.peer.udp(THEIRS)
    kernel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index_of(tap))
    kernel.sendto(b"members", (group, 5000))
    (got,) = [event for event in events(receiver.wait()) if event["event"] == "datagram"]
    assert (got["dst"], b64decode(got["data"])) == (group, b"members")
