"""Fragments out, and path MTU discovery, against the kernel as host and as router."""

import errno
import json
import socket
import time
from collections.abc import Callable

import pytest

from smolctl.client import DatagramSocket
from smolctl.client.options import IP_MTU_DISCOVER
from tests.e2e.kit import Lab, Peer, events
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns("ping", "tcpdump")

BIGGEST = 65507
FAR = "192.168.9.2"


@pytest.fixture(params=["on", "off"])
def tap(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """Connect smolctl and the kernel, with and without offloads."""
    lab.plug(offload=request.param)
    return lab


@pytest.fixture
def far(lab: Lab, peer_factory: Callable[[], Peer]) -> Peer:
    """Make a host behind the kernel, which forwards by a link with an MTU of 1280."""
    lab.plug()
    router, host = lab.peer, peer_factory()
    router.sysctl({"net.ipv4.ip_forward": 1})
    other = ("type", "veth", "peer", "name", "veth1", "netns", host.namespace.name)
    router.ip("link", "add", "veth0", *other)
    router.batch("addr add 192.168.9.1/24 dev veth0", "link set veth0 mtu 1280 up")
    back = "route add default via 192.168.9.1"
    host.batch(f"addr add {FAR}/24 dev veth1", "link set veth1 mtu 1280 up", back)
    lab.call("route.add", dst="default", via="10.0.0.2")
    return host


def data(size: int) -> bytes:
    return (bytes(range(256)) * 256)[:size]


@pytest.mark.parametrize("size", [1473, BIGGEST])
def test_the_largest_datagram_goes_both_ways(tap: Lab, size: int) -> None:
    kernel = tap.peer.udp("10.0.0.2", 9000)
    sent = events(tap.smolctl("-j", "udp", "send", "10.0.0.2:9000", "--size", str(size)))
    payload, sender = kernel.recvfrom(65535)
    assert payload == data(size)
    assert sent[0]["fragments"] == -(-(size + 8) // 1480)
    # And back, by an echo: reassembled, then cut once more.
    echo = tap.smolctl.popen("udp", "echo", "7")
    echo.wait_for("listening")
    kernel.sendto(payload, ("10.0.0.1", 7))
    assert kernel.recvfrom(65535) == (payload, ("10.0.0.1", 7))
    assert sender[0] == "10.0.0.1"


def test_the_fragments_are_as_tcpdump_wants_them(tap: Lab) -> None:
    tap.peer.udp("10.0.0.2", 9000)
    capture = tap.peer.namespace.tcpdump(tap.dev, "udp", "-v")
    text = tap.smolctl("udp", "send", "10.0.0.2:9000", "--size", "3000", "-w", "0", check=True)
    assert f"3000 bytes to 10.0.0.2:9000 dev {tap.dev} in 3 fragments" in text.stdout
    capture.wait_for("offset 2960")
    heads = [line for line in capture.stdout.splitlines() if "proto UDP" in line]
    fields = [line[line.index("id ") : line.rindex(")")] for line in heads]
    ident = fields[0].split(",")[0]
    assert fields == [
        f"{ident}, offset 0, flags [+], proto UDP (17), length 1500",
        f"{ident}, offset 1480, flags [+], proto UDP (17), length 1500",
        f"{ident}, offset 2960, flags [none], proto UDP (17), length 68",
    ]
    assert "bad" not in capture.stdout


@pytest.mark.parametrize("size", ["9000", str(BIGGEST)])
def test_big_pings_are_answered_both_ways(tap: Lab, size: str) -> None:
    ours = tap.smolctl("ping", "-c", "2", "-i", "0.1", "-s", size, "10.0.0.2")
    assert "2 packets transmitted, 2 received, 0% packet loss" in ours.stdout, ours
    theirs = tap.peer.namespace.run("ping", "-c", "2", "-i", "0.2", "-s", size, "10.0.0.1")
    assert "2 packets transmitted, 2 received, 0% packet loss" in theirs.stdout, theirs


def test_a_kernel_router_is_believed(lab: Lab, far: Peer) -> None:
    kernel = far.udp(FAR, 9000)
    sending = ("udp", "send", f"{FAR}:9000", "--size", "1400", "-w", "5")
    lost = lab.smolctl(*sending)
    assert lost.returncode == 1
    assert "icmp-fragmentation-needed: 10.0.0.2 says that the packet is too big" in lost.stderr
    assert f"whose MTU is 1280: 1280 B get through to {FAR}" in lost.stderr
    # Learned: what does not fit goes in fragments, which get through.
    assert "in 2 fragments" in lab.smolctl(*sending, check=True).stdout
    assert kernel.recvfrom(65535)[0] == data(1400)
    # What fits has DF and gets through; one byte more is refused where DF is insisted on.
    lab.smolctl("udp", "send", f"{FAR}:9000", "--size", "1252", "--df", "-w", "0", check=True)
    assert kernel.recvfrom(65535)[0] == data(1252)
    refused = lab.smolctl("udp", "send", f"{FAR}:9000", "--size", "1253", "-M", "do")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"tx-too-big: the packet has 1281 B and DF, the MTU of the way to {FAR} is 1280" in (
        refused.stderr
    )


def test_it_is_shown_and_flushed_as_ip_does(lab: Lab, far: Peer) -> None:
    lab.smolctl("ping", "-c", "1", "-W", "1", "-s", "1400", FAR)
    ours = lab.smolctl("route", "get", FAR, check=True).stdout
    # The kernel as the far host's neighbor learns the same of a path of its own.
    far.namespace.run("ping", "-c", "1", "-W", "1", "-M", "do", "-s", "1400", "10.0.0.1")
    (row,) = lab.smolctl.json("route", "get", FAR)
    assert (row["metrics"], row["cache"]) == ([{"mtu": 1280}], [])
    assert 590 <= row["expires"] <= 600
    assert ours == (
        f"{FAR} via 10.0.0.2 dev {lab.dev} src 10.0.0.1 uid 0\n"
        f"    cache expires {ours.split('expires ')[1].split('sec')[0]}sec mtu 1280\n"
    )
    shown = lab.smolctl("route", "show", "cache", check=True).stdout
    assert shown.startswith(f"{FAR} via 10.0.0.2 dev {lab.dev}\n    cache expires ")
    lab.smolctl("route", "flush", "cache", check=True)
    assert "cache\n" in lab.smolctl("route", "get", FAR, check=True).stdout
    assert lab.smolctl("route", "show", "cache", check=True).stdout == ""


def test_the_kernel_shows_the_same_of_the_same_path(lab: Lab, far: Peer) -> None:
    """The words of ip about a path whose MTU the kernel learned are ours."""
    namespace = far.namespace
    # The far host's own way to smolctl is narrow at the TAP, whose MTU the kernel router knows.
    lab.peer.batch(f"link set {lab.dev} mtu 1000")
    namespace.run("ping", "-c", "1", "-W", "1", "-M", "do", "-s", "1200", "10.0.0.1")
    theirs = json.loads(namespace.run("ip", "-j", "route", "get", "10.0.0.1", check=True).stdout)
    assert theirs[0]["metrics"] == [{"mtu": 1000}]
    lab.smolctl("ping", "-c", "1", "-W", "1", "-s", "1400", FAR)
    (ours,) = lab.smolctl.json("route", "get", FAR)
    assert [key for key in theirs[0] if key in ours] == list(ours)
    text = namespace.run("ip", "route", "get", "10.0.0.1", check=True).stdout.splitlines()[1]
    mine = lab.smolctl("route", "get", FAR, check=True).stdout.splitlines()[1]
    assert [word for word in mine.split() if not word[0].isdigit()] == [
        word for word in text.split() if not word[0].isdigit()
    ]


def test_ping_says_that_it_was_too_big_and_goes_on_in_fragments(lab: Lab, far: Peer) -> None:
    ended = lab.smolctl("ping", "-c", "3", "-i", "0.2", "-s", "1400", FAR)
    assert "From 10.0.0.2 icmp_seq=1 Frag needed and DF set (mtu = 1280)" in ended.stdout
    assert "3 packets transmitted, 2 received, +1 errors, 33.3333% packet loss" in ended.stdout


def test_what_was_learned_is_forgotten(lab: Lab, far: Peer) -> None:
    lab.sysctl(ip__mtu_expires_ms=1500)
    lab.smolctl("ping", "-c", "1", "-W", "1", "-s", "1400", FAR)
    assert "mtu 1280" in lab.smolctl("route", "get", FAR).stdout
    began = time.monotonic()
    wait_until(lambda: not lab.call("route.show", cache=True), "the end of what was learned")
    assert time.monotonic() - began < 10


def test_a_program_can_ask_for_df_and_is_told(
    lab: Lab, far: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux: a connected socket hears EMSGSIZE of an earlier datagram in its next call."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(lab.smolctl.directory))
    kernel = far.udp(FAR, 9000)
    with DatagramSocket(start=False) as one:
        one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 2)
        one.connect((FAR, 9000))
        one.send(bytes(1400))
        wait_until(
            lambda: one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE,
            "the router's word",
        )
        with pytest.raises(OSError, match=f"the MTU of the way to {FAR} is 1280") as caught:
            one.send(bytes(1400))
        assert caught.value.errno == errno.EMSGSIZE
        one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 1)
        assert one.getsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER) == 1
        one.send(bytes(1400))
        assert kernel.recvfrom(65535)[0] == bytes(1400)
