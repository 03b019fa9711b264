"""Groups: smolctl and the kernel as members, senders and routers of each other, and in stacks."""

import base64
import json
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.igmp import IGMP, IGMPv3_MQ
from scapy.layers.inet import IP, IPOption_Router_Alert
from scapy.layers.l2 import Ether
from scapy.packet import Packet
from scapy.utils import wrpcap

from smolctl.wire.address import format_mac, multicast_mac, parse_address, parse_mac
from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Lab, events, nothing_waits, receive
from tests.e2e.profiles.stacks import Stack
from tests.kit.process import Background, wait_until

Make = Callable[[str], Stack]
GROUP, PORT = "239.1.2.3", 5000
OURS, THEIRS = "10.0.0.1", "10.0.0.2"
netns = pytest.mark.netns("tcpdump", "tshark")


@pytest.fixture(params=["on", "off"])
def tap(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """Connect smolctl and the kernel, with and without offloads."""
    lab.plug(theirs=("10.0.0.2/24", "10.0.0.3/24"), offload=request.param)
    return lab


def listen(smolctl: Callable[..., Background], *args: str, count: int = 1) -> Background:
    """Start a receiver of the group and wait until it is a member."""
    started = smolctl("-j", "udp", "recv", "--group", GROUP, str(PORT), "-c", str(count), *args)
    started.wait_for('"event":"bound"')
    return started


def texts(ended: Background) -> list[str]:
    """Return what a receiver got, in order, as ``SENDER TEXT``."""
    result = ended.wait()
    assert result.returncode == 0, result
    got = [event for event in events(result) if event["event"] == "datagram"]
    return [f"{event['src']} {base64.b64decode(event['data']).decode()}" for event in got]


def kernel_sender(tap: Lab, address: str = THEIRS) -> socket.socket:
    """Return a socket of the kernel's that sends to groups by the TAP."""
    kernel = tap.peer.udp(address)
    kernel.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    return kernel


def kernel_member(tap: Lab) -> socket.socket:
    """Return a socket of the kernel's that has joined the group."""
    kernel = tap.peer.udp("0.0.0.0", PORT)
    membership = socket.inet_aton(GROUP) + socket.inet_aton(THEIRS)
    kernel.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    return kernel


def querier(message: Packet, dst: str = "224.0.0.1") -> bytes:
    """Return a query as a router sends it."""
    mac = format_mac(multicast_mac(parse_address(dst)))
    ip = IP(src="10.0.0.9", dst=dst, ttl=1, tos=0xC0, options=[IPOption_Router_Alert()])
    return bytes(Ether(src=THEIRS_MAC, dst=mac) / ip / message)


IGMP_AT = 38
"""Offset of a message in our frames: behind Ethernet, and IPv4 with a router alert."""


def igmp_frames(wire: socket.socket, count: int, by: str = OURS_MAC) -> list[bytes]:
    """Return the next IGMP frames that smolctl sends, or the kernel."""
    found: list[bytes] = []
    while len(found) < count:
        frame = wire.recv(65535)
        if frame[6:12] == parse_mac(by) and frame[12:14] == b"\x08\0" and frame[23] == 2:
            found.append(frame)
    return found


def tshark(frames: list[bytes], tmp_path: Path) -> list[list[str]]:
    """Return for each frame what Wireshark makes of it: type, to whom, and what is wrong."""
    file = tmp_path / "igmp.pcap"
    wrpcap(str(file), [Ether(frame) for frame in frames])
    fields = ["igmp.type", "ip.dst", "ip.ttl", "ip.opt.type", "igmp.maddr", "igmp.record_type"]
    fields += ["igmp.checksum.status", "_ws.expert.message", "_ws.malformed"]
    args = [word for field in fields for word in ("-e", field)]
    result = subprocess.run(
        ["tshark", "-r", str(file), "-o", "ip.check_checksum:TRUE", "-T", "fields", *args],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.split("\t") for line in result.stdout.splitlines()]


# --- datagrams ------------------------------------------------------------------------------------


@netns
def test_the_kernel_sends_and_every_member_receives(tap: Lab) -> None:
    members = [listen(tap.smolctl.popen, "--dev", "tap0") for _ in range(2)]
    kernel_sender(tap).sendto(b"to all", (GROUP, PORT))
    assert [texts(member) for member in members] == [[f"{THEIRS} to all"]] * 2
    assert tap.counter("udp", "copies_delivered") == 1


@netns
def test_what_nobody_joined_is_not_heard_and_why_says_how(tap: Lab) -> None:
    kernel_sender(tap).sendto(b"x", (GROUP, PORT))
    tap.wait_for_drop("ip-multicast-not-joined")
    told = tap.smolctl("why", "last")
    assert f"nobody here has joined {GROUP} on tap0" in told.stdout
    assert f"smolctl udp recv --group {GROUP} --dev tap0 {PORT}" in told.stdout


@netns
def test_smolctl_sends_and_a_member_of_the_kernel_receives(tap: Lab) -> None:
    kernel = kernel_member(tap)
    sent = tap.smolctl("udp", "send", f"{GROUP}:{PORT}", "to all", "--dev", "tap0")
    assert (sent.returncode, sent.stderr) == (0, "")
    data, sender = receive(kernel)
    assert (data, sender[0]) == ("to all", OURS)


@netns
def test_a_sender_hears_itself_when_it_is_a_member(tap: Lab) -> None:
    kernel, member = kernel_member(tap), listen(tap.smolctl.popen, "--dev", "tap0")
    tap.smolctl("udp", "send", f"{GROUP}:{PORT}", "all of us", "-I", "tap0", check=True)
    assert texts(member) == [f"{OURS} all of us"]
    assert receive(kernel)[0] == "all of us"


@netns
def test_ttl_0_stays_here(tap: Lab) -> None:
    kernel, member = kernel_member(tap), listen(tap.smolctl.popen, "--dev", "tap0", count=2)
    for ttl, text in (("0", "inside"), ("1", "outside")):
        tap.smolctl("udp", "send", f"{GROUP}:{PORT}", text, "-I", "tap0", "--ttl", ttl, check=True)
    assert texts(member) == [f"{OURS} inside", f"{OURS} outside"]
    assert receive(kernel)[0] == "outside"
    assert nothing_waits(kernel)


@netns
def test_only_the_sources_that_were_named_are_heard(tap: Lab) -> None:
    member = listen(tap.smolctl.popen, "--dev", "tap0", "--source", "10.0.0.3")
    for address in (THEIRS, "10.0.0.3"):
        kernel_sender(tap, address).sendto(b"x", (GROUP, PORT))
    assert texts(member) == ["10.0.0.3 x"]
    assert tap.drops()["ip-multicast-filtered"] == 1


@netns
def test_the_route_says_on_which_link_a_group_is(tap: Lab) -> None:
    refused = tap.smolctl("udp", "recv", "--group", GROUP, str(PORT))
    assert refused.returncode == 2
    assert "smolctl route add 224.0.0.0/4 dev tap0" in refused.stderr
    tap.smolctl("route", "add", "224.0.0.0/4", "dev", "tap0", check=True)
    member = listen(tap.smolctl.popen)
    kernel_sender(tap).sendto(b"x", (GROUP, PORT))
    assert texts(member) == [f"{THEIRS} x"]


@netns
def test_a_ping_of_all_hosts_is_answered_if_the_sysctl_says_so(tap: Lab) -> None:
    ping = ("ping", "-c", "1", "-W", "1", "-I", "tap0", "224.0.0.1")
    assert tap.peer.namespace.run(*ping).returncode == 1
    assert tap.drops()["icmp-echo-broadcast"] == 1
    tap.sysctl(icmp__echo_ignore_broadcasts=0)
    answered = tap.peer.namespace.run(*ping)
    assert answered.returncode == 0
    assert f"64 bytes from {OURS}" in answered.stdout


# --- IGMP -----------------------------------------------------------------------------------------


@netns
def test_our_igmp_is_what_wireshark_understands(tap: Lab, tmp_path: Path) -> None:
    wire = tap.peer.wire("tap0")
    member = tap.smolctl.popen("-j", "udp", "recv", "--group", GROUP, "--dev", "tap0", str(PORT))
    frames = igmp_frames(wire, 2)
    wire.send(querier(IGMPv3_MQ(mrcode=1, qrv=2, qqic=125)))
    frames += igmp_frames(wire, 1)
    member.stop()
    frames += igmp_frames(wire, 2)
    wire.send(querier(IGMP(type=0x11, mrcode=1)))
    tap.smolctl("maddr", "add", GROUP, "dev", "tap0", check=True)
    frames += igmp_frames(wire, 1)
    tap.smolctl("maddr", "del", GROUP, "dev", "tap0", check=True)
    while (frame := igmp_frames(wire, 1)[0])[IGMP_AT:] == frames[-1][IGMP_AT:]:
        pass  # the report again, at some time within ten seconds (RFC 2236 3)
    frames.append(frame)
    v3, good = ["0x22", "224.0.0.22", "1", "148"], ["1", "", ""]
    assert tshark(frames, tmp_path) == [
        [*v3, GROUP, "4", *good],  # to EXCLUDE nobody: it joins
        [*v3, GROUP, "4", *good],
        [*v3, GROUP, "2", *good],  # is in that state
        [*v3, GROUP, "3", *good],  # to INCLUDE nobody: it leaves
        [*v3, GROUP, "3", *good],
        ["0x16", GROUP, "1", "148", GROUP, "", *good],
        ["0x17", "224.0.0.2", "1", "148", GROUP, "", *good],
    ]


@netns
@pytest.mark.parametrize(("version", "count"), [(3, 4), (2, 3), (1, 2)])
def test_our_reports_are_those_of_the_kernel(tap: Lab, version: int, count: int) -> None:
    """Both join a group and leave it: what they say differs in their addresses alone."""
    tap.peer.sysctl({"net.ipv4.conf.tap0.force_igmp_version": version})
    for interval in ("igmpv2", "igmpv3"):
        tap.peer.sysctl({f"net.ipv4.conf.tap0.{interval}_unsolicited_report_interval": 100})
    tap.sysctl(
        igmp__force_version=version,
        igmp__v2_unsolicited_report_interval_ms=100,
        igmp__v3_unsolicited_report_interval_ms=100,
    )
    wire = tap.peer.wire("tap0")
    kernel = kernel_member(tap)
    theirs = igmp_frames(wire, 2, THEIRS_MAC)
    kernel.close()
    theirs += igmp_frames(wire, count - 2, THEIRS_MAC)
    tap.smolctl("maddr", "add", GROUP, "dev", "tap0", check=True)
    ours = igmp_frames(wire, 2)
    tap.smolctl("maddr", "del", GROUP, "dev", "tap0", check=True)
    ours += igmp_frames(wire, count - 2)
    assert list(map(without_addresses, ours)) == list(map(without_addresses, theirs))


def without_addresses(frame: bytes) -> tuple[bytes, ...]:
    """Return a frame without source addresses, the IP ident and the IP checksum."""
    return frame[:6], frame[12:18], frame[20:24], frame[30:]


@netns
def test_maddr_shows_what_ip_maddr_shows(tap: Lab) -> None:
    kernel_member(tap)
    member = listen(tap.smolctl.popen, "--dev", "tap0")
    theirs = json.loads(tap.peer.ip("-j", "maddr", "show", "dev", "tap0"))
    ours = tap.smolctl.json("maddr", "show", "dev", "tap0")
    for row in (*theirs, *ours):
        row.pop("ifindex")
        ipv6 = [e for e in row["maddr"] if e.get("family") == "inet6" or "33:33" in str(e)]
        row["maddr"] = sorted((e for e in row["maddr"] if e not in ipv6), key=str)
    assert ours == theirs
    lines = tap.smolctl("maddr", "show", "dev", "tap0").stdout.splitlines(keepends=True)
    text = "".join(line for line in lines if "inet6" not in line and "  33:33:" not in line)
    assert re.fullmatch(
        r"2:\ttap0\n\tlink  01:00:5e:00:00:01\n\tlink  01:00:5e:01:02:03\n"
        r"\tinet  239\.1\.2\.3\n\tinet  224\.0\.0\.1\n",
        text,
    )
    member.stop()
    wait_until(lambda: GROUP not in tap.smolctl("maddr").stdout, "it has left")


# --- without root ---------------------------------------------------------------------------------


def test_members_on_a_hub(stacks: Make) -> None:
    ends = [stacks(name).start("cable", "name", "c1") for name in "abc"]
    for one in ends:
        one.wait_for_link()
    sender, *others = ends
    members = [listen(one.popen, "--dev", "eth0") for one in others]
    sender("udp", "send", f"{GROUP}:{PORT}", "to all", "--dev", "eth0", check=True)
    for member in members:
        assert texts(member) == [f"{sender.address} to all"]


def test_members_on_the_loopback(stacks: Make) -> None:
    stack = stacks("a")
    alone = stack("udp", "send", f"{GROUP}:{PORT}", "x", "--dev", "lo")
    assert alone.returncode == 1
    assert "ip-multicast-not-joined" in alone.stderr
    members = [listen(stack.popen, "--dev", "lo") for _ in range(2)]
    stack("udp", "send", f"{GROUP}:{PORT}", "to all", "--dev", "lo", check=True)
    for member in members:
        assert texts(member) == ["127.0.0.1 to all"]
