"""Offloads between a TAP and the kernel, with and without them, and bad ones."""

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from fcntl import ioctl
from typing import Any

import pytest

from smolctl.device import DeviceGone, tap_offload, tun
from smolctl.device.tap import TapDevice
from smolctl.wire import ipv4, udp
from smolctl.wire.address import parse_address
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import MAX_SEGMENTS, Headers, Run
from smolctl.wire.offload.virtio import Gso, VirtioHeader
from tests.e2e.kit import Peer, nothing_waits
from tests.kit.netns import Namespace
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns

MAC, KERNEL_MAC = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
OURS, KERNEL, FAR = "10.9.0.1", "10.9.0.2", "10.8.0.2"
SOL_UDP, UDP_SEGMENT = 17, 103
Opener = Callable[..., TapDevice]
ip = parse_address


@pytest.fixture
def peer(netns: Namespace) -> Iterator[Peer]:
    made = Peer(netns)
    yield made
    made.close()


@pytest.fixture
def opener(netns: Namespace) -> Iterator[Opener]:
    opened: list[TapDevice] = []

    def open_it(**options: Any) -> TapDevice:
        options = {"mac": MAC, "host": (KERNEL, 24), **options}
        opened.append(TapDevice("tap0", netns=netns.name, **options))
        netns.run("ip", "link", "set", "tap0", "address", KERNEL_MAC.hex(":"), check=True)
        netns.run("ip", "neigh", "replace", OURS, "lladdr", MAC.hex(":"), "dev", "tap0", check=True)
        return opened[-1]

    yield open_it
    for device in opened:
        device.close(delete=True)


def run_of(payloads: list[bytes], dst: str = KERNEL) -> Run:
    headers = Headers((KERNEL_MAC, MAC), ip(OURS), ip(dst), 5, 9, 64, len(payloads[0]))
    return Run(headers, payloads)


def datagrams(device: TapDevice) -> list[bytes]:
    """Return the frames of UDP that wait, cut and summed where that was left to us."""
    found = []
    for data in device.receive(1000):
        frames = virtio.frames(data) if device.headroom else [data]
        assert isinstance(frames, list), frames
        found += [frame for frame in frames if frame[12:14] == b"\x08\0" and frame[23] == 17]
    return found


def payload_of(frame: bytes) -> bytes:
    """Return a datagram's payload; all checksums are right."""
    packet = frame[14:]
    header = ipv4.parse(packet)
    assert isinstance(header, ipv4.Ipv4Header), header
    segment = ipv4.payload(packet, header)
    parsed = udp.parse(segment, header.src, header.dst)
    assert isinstance(parsed, udp.UdpHeader), parsed
    assert parsed.checksum
    return udp.payload(segment, parsed)


def arrived(receiver: socket.socket, count: int) -> list[bytes]:
    return [receiver.recv(65535) for _ in range(count)]


def test_what_is_agreed_on_is_shown(opener: Opener) -> None:
    device = opener()
    details = device.details()
    assert (details["vnet_hdr"], details["offload"]) == (True, ["csum", "tso", "uso"])
    assert (device.headroom, device.segments) == (10, MAX_SEGMENTS)


def test_off_is_a_plain_tap(netns: Namespace, opener: Opener) -> None:
    device = opener(offload=False)
    details = device.details()
    assert (details["vnet_hdr"], details["offload"]) == (False, [])
    assert (device.headroom, device.segments) == (0, 0)
    shown = netns.run("ip", "-d", "-j", "link", "show", "tap0", check=True).stdout
    assert json.loads(shown)[0]["linkinfo"]["info_data"]["vnet_hdr"] is False


def test_the_next_user_of_one_that_persists_inherits_nothing(peer: Peer, opener: Opener) -> None:
    opener(persist=True).close()
    device = opener(offload=False)
    sender = peer.udp(KERNEL, 0)
    sender.setsockopt(SOL_UDP, UDP_SEGMENT, 100)
    sender.sendto(bytes(250), (OURS, 9))
    assert [payload_of(frame) for frame in datagrams(device)] == [
        bytes(100), bytes(100), bytes(50),
    ]  # fmt: skip
    device.close()
    assert opener().headroom == virtio.HEADER_LEN


@pytest.mark.parametrize(
    ("known", "names", "segments"),
    [(0x03, ["csum", "tso"], 1), (0x01, ["csum"], 1), (0x00, [], 1)],
)
def test_an_older_kernel_is_asked_for_less(
    peer: Peer,
    opener: Opener,
    monkeypatch: pytest.MonkeyPatch,
    known: int,
    names: list[str],
    segments: int,
) -> None:
    # As a kernel that knows no more: whatever else is asked for is EINVAL and changes nothing.
    def older(fd: int, request: int, argument: Any = 0) -> Any:
        if request == 0x400454D0 and argument & ~known:
            raise OSError(22, "Invalid argument")
        return ioctl(fd, request, argument)

    monkeypatch.setattr(tap_offload, "ioctl", older)
    device = opener()
    assert (device.details()["offload"], device.segments) == (names, segments)
    assert device.headroom == virtio.HEADER_LEN
    exchange(peer, device)


def test_a_kernel_without_virtio_headers(
    peer: Peer, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(fd: int, request: int, argument: Any = 0) -> Any:
        answer = ioctl(fd, request, argument)
        if request == 0x800454CF:
            return struct.pack("I", struct.unpack("I", answer)[0] & ~0x4000)
        return answer

    monkeypatch.setattr(tun, "ioctl", older)
    device = opener()
    assert (device.headroom, device.segments, device.details()["vnet_hdr"]) == (0, 0, False)
    exchange(peer, device)


@pytest.mark.parametrize("offload", [True, False])
def test_datagrams_cross_both_ways(peer: Peer, opener: Opener, offload: bool) -> None:
    exchange(peer, opener(offload=offload))


def exchange(peer: Peer, device: TapDevice) -> None:
    """Send datagrams both ways, alone and in runs, and find them all as they were."""
    kernel = peer.udp(KERNEL, 9)
    payloads = [bytes([number]) * 700 for number in range(40)]
    run = run_of(payloads)
    runs = [Run(run.headers, payloads[at : at + device.segments]) for at in range(0, 40, 64)]
    if device.segments == 1:
        runs = [Run(run.headers, [payload]) for payload in payloads]
    items: list[Any] = runs if device.segments else run.frames()
    assert device.transmit_batch(items) == len(items)
    device.transmit(run.frames()[0])
    assert arrived(kernel, 41) == [*payloads, payloads[0]]
    kernel.sendto(b"alone", (OURS, 9))
    kernel.setsockopt(SOL_UDP, UDP_SEGMENT, 700)
    kernel.sendto(b"".join(payloads) + b"short", (OURS, 9))
    got = [payload_of(frame) for frame in datagrams(device)]
    assert got == [b"alone", *payloads, b"short"]


def test_a_super_packet_comes_in_one_piece(peer: Peer, opener: Opener) -> None:
    device = opener()
    kernel = peer.udp(KERNEL, 9)
    kernel.setsockopt(SOL_UDP, UDP_SEGMENT, 1400)
    kernel.sendto(bytes(46 * 1400), (OURS, 9))
    # More than one piece of 4 KiB pages, and more than 64 KiB - with a short buffer the rest of it
    # would be gone without a word.
    supers = [data for data in device.receive(64) if data[1] == Gso.UDP_L4]
    assert [len(data) for data in supers] == [10 + 42 + 46 * 1400]
    assert VirtioHeader(1, 5, 42, 1400, 34, 6) == virtio.parse(supers[0])


def test_the_largest_packet_there_is(peer: Peer, opener: Opener, netns: Namespace) -> None:
    device = opener()
    netns.run("ip", "link", "set", "tap0", "mtu", "65521", check=True)
    kernel = peer.udp(KERNEL, 9)
    kernel.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
    kernel.sendto(bytes(65507 - 1000), (OURS, 9))
    assert sum(len(payload_of(frame)) for frame in datagrams(device)) == 65507 - 1000
    kernel.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
    kernel.sendto(bytes(65493), (OURS, 9))
    assert [len(payload_of(frame)) for frame in datagrams(device)] == [65493]


def test_64_datagrams_and_65507_bytes_are_the_most_that_a_run_has(
    peer: Peer, opener: Opener
) -> None:
    device = opener()
    kernel = peer.udp(KERNEL, 9)
    full = [bytes([number]) * 1023 for number in range(64)]  # 65,472
    device.transmit(run_of(full))
    assert arrived(kernel, 64) == full
    largest = run_of([bytes(65507)])
    assert largest.headers.most == 1
    # 65,508 would wrap the packet's total length: nobody would get anything.
    assert all(run_of([bytes(size)]).headers.most * size <= 65507 for size in range(1, 3000))


def test_65508_bytes_are_lost(peer: Peer, opener: Opener) -> None:
    # The length of the packet wraps, and nobody says a word: no run may be so large.
    device = opener()
    kernel = peer.udp(KERNEL, 9)
    for size in (65507, 65508):
        data = run_of([bytes(1024)] * 2).to_bytes()[:52]
        header = VirtioHeader(1, 5, 42, 1024, 34, 6).to_bytes()
        packet = bytearray(data[10:] + bytes(size))
        packet[16:18] = (20 + 8 + size & 0xFFFF).to_bytes(2)
        packet[38:40] = (8 + size & 0xFFFF).to_bytes(2)
        packet[24:26] = b"\0\0"
        total = sum(struct.unpack("!10H", packet[14:34]))
        total = (total & 0xFFFF) + (total >> 16)
        packet[24:26] = (~(total + (total >> 16)) & 0xFFFF).to_bytes(2)
        os.write(device.fileno(), header + packet)
        if size == 65507:
            assert sum(len(part) for part in arrived(kernel, 64)) == 65507
    device.transmit(run_of([b"next"]))
    assert arrived(kernel, 1) == [b"next"]


# --- what the kernel does with a run -------------------------------------------------------------


@pytest.fixture
def far(peer: Peer, netns_factory: Callable[[], Namespace]) -> Iterator[Peer]:
    """Make a kernel behind the TAP's, on a veth whose ends leave no checksum to anybody."""
    result = Peer(netns_factory())
    peer.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
    peer.ip("link", "set", "veth1", "netns", result.namespace.name)
    peer.batch("addr add 10.8.0.1/24 dev veth0", "link set veth0 up")
    result.batch(
        f"addr add {FAR}/24 dev veth1", "link set veth1 up", "route add default via 10.8.0.1"
    )
    peer.sysctl({"net.ipv4.ip_forward": 1})
    for where, dev in ((peer, "veth0"), (result, "veth1")):
        where.sum_at_once(dev)
    yield result
    result.close()


@pytest.mark.netns("tcpdump")
def test_a_forwarded_run_is_right_on_the_wire(peer: Peer, far: Peer, opener: Opener) -> None:
    device = opener()
    receiver = far.udp(FAR, 9)
    wire = far.wire("veth1")
    payloads = [bytes([number]) * 1001 for number in range(43)]
    device.transmit(run_of(payloads, FAR))
    device.transmit(run_of([b"alone"], FAR))
    assert arrived(receiver, 44) == [*payloads, b"alone"]
    assert far.bad_sums() == 0
    frames: list[bytes] = []
    while len(frames) < 44:
        frame = wire.recv(65535)
        if frame[12:14] == b"\x08\0" and frame[23] == 17:
            frames.append(frame)
    # Cut by the router: each is what we would have sent alone, the seed of the sum was right.
    assert [payload_of(frame) for frame in frames] == [*payloads, b"alone"]
    # Linux counts the ident up from ours, which is 0; DF is set, so any will do (RFC 6864 4.1).
    assert [int.from_bytes(frame[18:20]) for frame in frames] == [*range(43), 0]
    assert all(frame[20] == 0x40 for frame in frames)


def test_a_wrong_seed_of_the_sum_is_seen_on_this_path_alone(
    peer: Peer, far: Peer, opener: Opener
) -> None:
    device = opener()
    near, receiver = peer.udp(KERNEL, 9), far.udp(FAR, 9)
    for dst in (KERNEL, FAR):
        data = bytearray(run_of([b"one", b"two"], dst).to_bytes())
        assert data[50:52] != b"\0\0"
        data[50:52] = b"\0\0"  # the UDP checksum, behind 10 + 14 + 20 + 6 bytes
        os.write(device.fileno(), data)
    assert arrived(near, 2) == [b"one", b"two"]  # nobody looks
    wait_until(lambda: far.bad_sums() == 2, "two wrong sums")
    assert nothing_waits(receiver)


def test_a_run_larger_than_the_path_is_lost_which_is_why_the_stack_asks_the_route(
    peer: Peer, far: Peer, opener: Opener
) -> None:
    device = opener()
    receiver = far.udp(FAR, 9)
    peer.ip("link", "set", "veth0", "mtu", "1000")
    device.transmit(run_of([bytes(1000 - 27)] * 2, FAR))
    device.transmit(run_of([bytes(1000 - 28)] * 2, FAR))
    assert arrived(receiver, 2) == [bytes(972)] * 2
    receiver.settimeout(0)
    with pytest.raises(BlockingIOError):
        receiver.recv(1)


# --- what the kernel refuses ---------------------------------------------------------------------


def altered(run: Run, header: VirtioHeader) -> bytes:
    return header.to_bytes() + run.to_bytes()[virtio.HEADER_LEN :]


@pytest.mark.parametrize(
    "header",
    [
        VirtioHeader(0, 5, 42, 100, 34, 6),
        VirtioHeader(2, 5, 42, 100, 34, 6),
        VirtioHeader(1, 5, 42, 100, 34, 4),
        VirtioHeader(1, 5, 42, 0xFFFF, 34, 6),
        VirtioHeader(1, 5, 42, 1, 34, 6),
        VirtioHeader(1, 0x85, 42, 100, 34, 6),
    ],
    ids=["no sum", "verified", "offset", "by fragments", "200 segments", "ECN"],
)
def test_what_we_never_write_is_einval(opener: Opener, header: VirtioHeader) -> None:
    device = opener()
    data = altered(run_of([bytes(100)] * 2), header)
    with pytest.raises(OSError, match="Invalid argument"):
        os.write(device.fileno(), data)


def test_a_refused_item_stops_the_batch_there(peer: Peer, opener: Opener) -> None:
    device = opener()
    kernel = peer.udp(KERNEL, 9)
    good = run_of([b"one", b"two"])
    assert device.transmit_batch([good, b"short", good]) == 1
    with pytest.raises(OSError, match="Invalid argument"):
        device.transmit(b"short")
    assert arrived(kernel, 2) == [b"one", b"two"]


@pytest.mark.parametrize("offload", [True, False])
def test_down_and_deleted(netns: Namespace, opener: Opener, offload: bool) -> None:
    device = opener(offload=offload)
    run = run_of([b"one", b"two"])
    item = run if offload else run.frames()[0]
    netns.run("ip", "link", "set", "tap0", "down", check=True)
    assert device.transmit_batch([item]) == 0
    with pytest.raises(OSError, match="Input/output error"):
        device.transmit(item)
    device.receive(64)
    netns.run("ip", "link", "del", "tap0", check=True)
    with pytest.raises(DeviceGone):
        device.transmit(item)
    with pytest.raises(DeviceGone):
        wait_until(lambda: bool(device.receive(64)), "the end")


def test_a_tcp_super_packet_comes_in_one_piece_and_is_cut(peer: Peer, opener: Opener) -> None:
    # Without TCP here nobody can make the kernel send one; a packet socket can.
    device = opener()
    wire = peer.open(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind(("tap0", 0))
    wire.setsockopt(263, 15, 1)  # SOL_PACKET, PACKET_VNET_HDR
    segment = bytes([0, 5, 0, 7]) + bytes(8) + b"\x50\x10\xff\xff" + bytes(4) + bytes(5000)
    header = ipv4.Ipv4Header(
        5, 0, 20 + len(segment), 1, True, False, 0, 64, 6, ip(KERNEL), ip(OURS)
    )
    frame = MAC + KERNEL_MAC + b"\x08\0" + header.to_bytes() + segment
    wire.send(VirtioHeader(1, Gso.TCPV4, 54, 1000, 34, 16).to_bytes() + frame)
    found = [data for data in device.receive(64) if data[1] == Gso.TCPV4]
    assert [len(data) for data in found] == [10 + len(frame)]
    frames = virtio.frames(found[0])
    assert isinstance(frames, list)
    assert [len(each) for each in frames] == [54 + 1000] * 5
