"""VLANs between stacks on a cable, by the words of ip."""

import json
import socket
import struct
from collections.abc import Callable

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether

from smolctl.client import DatagramSocket
from tests.e2e.kit import THEIRS_MAC, Lab
from tests.e2e.profiles.stacks import Stack, ping
from tests.kit.process import wait_until

Make = Callable[[str], Stack]


SERVICE = "link add link eth0 name s type vlan protocol 802.1ad id 100 mtu 1400"


def vlan(stack: Stack, words: str, address: str, dev: str = "eth0.5") -> None:
    stack(*words.split(), check=True)
    stack("addr", "add", f"{address}/24", "dev", dev, check=True)


def pair(stacks: Make) -> tuple[Stack, Stack]:
    a, b = (stacks(name).start("cable", "name", "trunk") for name in "ab")
    for one in (a, b):
        one.wait_for_link()
    return a, b


def test_a_trunk_carries_vlans_beside_plain_frames(stacks: Make) -> None:
    a, b = pair(stacks)
    vlan(a, "link add link eth0 name eth0.5 type vlan id 5", "10.5.0.1")
    vlan(b, "link add eth0.5 link eth0 type vlan protocol 802.1q id 5", "10.5.0.2")
    ping(a, b)
    a("ping", "-c", "3", "-i", "0.01", "-W", "5", "10.5.0.2", check=True)
    # A tag makes the frame longer, and the packet no smaller.
    a("ping", "-c", "1", "-W", "5", "-M", "do", "-s", "1472", "10.5.0.2", check=True)
    lines = a("-d", "link", "show", "eth0.5").stdout.splitlines()
    assert "eth0.5@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue" in lines[0]
    assert lines[2] == "    vlan protocol 802.1Q id 5 <REORDER_HDR>"
    assert a("-br", "link", "show", "type", "vlan").stdout.startswith("eth0.5@eth0      UP   ")


def test_who_has_no_vlan_is_told_of_it(stacks: Make) -> None:
    a, b = pair(stacks)
    vlan(a, "link add link eth0 name eth0.5 type vlan id 5", "10.5.0.1")
    assert a("ping", "-c", "1", "-W", "0.2", "10.5.0.2").returncode == 1
    wait_until(lambda: "rx-vlan-unknown" in b.drops(), lambda: str(b.drops()))
    told = b("stats", "drops")
    assert "tagged for VLAN 5 (802.1Q), and eth0 has no interface in it (a trunk" in told.stdout


def test_qinq_between_two_stacks(stacks: Make) -> None:
    a, b = pair(stacks)
    for stack, address in ((a, "10.7.0.1"), (b, "10.7.0.2")):
        stack(*SERVICE.split(), check=True)
        vlan(stack, "link add link s name s.7 type vlan id 7", address, "s.7")
    a("ping", "-c", "2", "-i", "0.01", "-W", "5", "10.7.0.2", check=True)


def test_a_saved_configuration_has_its_vlans(stacks: Make) -> None:
    a = stacks("a")
    a("link", "add", "eth0", "type", "cable", "name", "c9", check=True)
    vlan(a, "link add link eth0 name eth0.5 type vlan id 5", "10.5.0.1")
    a(*SERVICE.split(), check=True)
    saved = a("config", "save").stdout
    assert "link add eth0.5 type vlan link eth0 id 5\n" in saved
    copied = a.env("-n", "copy", "batch", "-", input=saved)
    assert copied.returncode == 0, copied.stderr
    rows = json.loads(a.env("-n", "copy", "-j", "-d", "link").stdout)
    assert [row.get("link") for row in rows] == [None, None, "eth0", "eth0"]
    assert a.env("-n", "copy", "config", "diff", "--to", "a").returncode == 0


@pytest.mark.netns
@pytest.mark.parametrize("offload", ["on", "off"])
def test_a_tap_carries_tags_both_ways(lab: Lab, offload: str) -> None:
    lab.plug(offload=offload)
    for line in ("link add link tap0 name tap0.5 type vlan id 5",
                 "addr add 10.5.0.1/24 dev tap0.5"):  # fmt: skip
        lab.smolctl(*line.split(), check=True)
    wire = lab.peer.wire("tap0")
    wire.setsockopt(263, 8, 1)  # PACKET_AUXDATA: the kernel takes the tag off, and says it there
    asked = ARP(psrc="10.5.0.2", pdst="10.5.0.1", hwsrc=THEIRS_MAC)
    wire.send(bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=THEIRS_MAC) / Dot1Q(vlan=5) / asked))
    while True:
        data, ((_, _, said), *_), _, _ = wire.recvmsg(2048, socket.CMSG_SPACE(20))
        answer = Ether(data)
        if ARP in answer and answer[ARP].op == 2:
            break
    assert answer[ARP].psrc == "10.5.0.1"
    assert struct.unpack("12x4xHH", said) == (5, 0x8100)


@pytest.mark.netns
def test_the_kernel_cuts_and_sums_what_leaves_with_tags(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Datagrams leave in runs; a veth without offloads, behind a bridge, has whole frames."""
    lab.plug(offload="on")
    lab.peer.batch(
        "link add br0 up type bridge", "link add v0 type veth peer name v1", "link set v1 up",
        "link set v0 master br0 up", "link set tap0 master br0",
    )  # fmt: skip
    lab.peer.sum_at_once("v0")
    lines = (
        SERVICE.replace("eth0", "tap0"), "link add link s name s.7 type vlan id 7",
        "addr add 10.7.0.1/24 dev s.7", "neigh add 10.7.0.2 lladdr 02:00:00:00:00:99 dev s.7",
    )  # fmt: skip
    lab.smolctl("batch", "-", input="\n".join(lines), check=True)
    wire = lab.peer.wire("v1")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(lab.smolctl.directory))
    payloads, found = [bytes([number]) * 100 for number in range(20)], list[bytes]()
    with DatagramSocket(start=False) as program:
        program.sendto(b"first", ("10.7.0.2", 9))  # the layered path finds the way
        program.send_many(payloads, ("10.7.0.2", 9))
        while len(found) <= len(payloads):
            frame = Ether(wire.recv(2048))
            if UDP in frame and frame[IP].dst == "10.7.0.2":
                sums = frame[IP].chksum, frame[UDP].chksum
                del frame[IP].chksum, frame[UDP].chksum
                again = Ether(bytes(frame))
                assert sums == (again[IP].chksum, again[UDP].chksum)
                found.append(bytes(frame[UDP].payload))
    assert found == [b"first", *payloads]
    (row,) = lab.call("link.show", dev="s.7", stats=True)
    sizes = [14 + 28 + len(payload) for payload in found]
    assert row["stats64"]["tx"] == row["stats64"]["tx"] | {"packets": 21, "bytes": sum(sizes)}
