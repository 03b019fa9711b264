"""RFC 1122 sections 3.3 and 3.4: gateways, sizes, interfaces, broadcasts."""

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.neighbor.states import State
from smolctl.wire import ipv4, udp
from smolctl.wire.address import BROADCAST_MAC, is_multicast, multicast_mac
from tests.kit.clock import SECOND_NS
from tests.kit.groups import GROUP, group_frame, member
from tests.kit.host import (
    OURS,
    PEER,
    PEER_MAC,
    Host,
    echo_request,
    frame_of,
    ip,
    packet_of,
    reply,
    text,
    udp_frame,
)
from tests.ops.kit import Api

GATEWAY = "10.0.0.254"


@pytest.fixture
def host() -> Host:
    return Host()


def test_rfc1122_3_3_1_1_without_a_gateway_the_own_network_works(host: Host) -> None:
    host.know()
    trace = host.send(host.socket())
    (frame,) = host.sent()
    assert (frame.dst, trace.gateway) == (PEER_MAC, None)
    with pytest.raises(SendRejected, match="no route"):
        host.send(host.socket(), "8.8.8.8")


def test_rfc1122_3_3_1_4_a_dead_gateway_is_detected(host: Host) -> None:
    host.route("0.0.0.0/0", via=GATEWAY)
    entry = host.know(GATEWAY, state=State.REACHABLE)
    socket = host.socket()
    for _ in range(60):  # it works, then it stops answering
        host.send(socket, "8.8.8.8")
        host.wait(SECOND_NS)
    assert entry.state in (State.FAILED, State.INCOMPLETE)
    assert socket.errors


def test_rfc1122_3_3_1_4_an_idle_gateway_is_left_alone(host: Host) -> None:
    host.route("0.0.0.0/0", via=GATEWAY)
    host.send(host.socket(), "8.8.8.8")
    host.sent()
    host.receive(reply(GATEWAY))
    assert len(host.sent()) == 1
    host.wait(3600 * SECOND_NS)
    assert host.sent() == []


def test_rfc1122_3_3_1_6_what_must_be_configured_can_be() -> None:
    host = Host(bare=True)
    host.add("192.168.5.9/20")
    host.route("0.0.0.0/0", via="192.168.0.1")
    host.know("192.168.0.1")
    host.know("192.168.15.254")
    socket = host.socket()
    assert host.send(socket, "192.168.15.254").gateway is None  # the mask is 20 bits
    trace = host.send(socket, "192.168.16.1")
    assert trace.gateway is not None
    assert text(trace.gateway) == "192.168.0.1"
    sources = {text(frame.ip.src) for frame in host.sent() if frame.ip}
    assert sources == {"192.168.5.9"}


def test_rfc1122_3_3_2_the_largest_datagram_fits_every_socket(host: Host) -> None:
    socket = host.socket(7)
    socket.rcvbuf = 256
    segment = udp.to_bytes(9, 7, bytes(65507), ip(PEER), ip(OURS))
    for at in range(0, len(segment), 1480):
        data = segment[at : at + 1480]
        more = at + 1480 < len(segment)
        host.receive(frame_of(packet_of(ipv4.Protocol.UDP, data, mf=more, offset=at)))
    datagram = socket.receive()
    assert datagram is not None
    assert len(datagram.payload) == 65507


@pytest.mark.parametrize("mtu", [68, 576, 1500])
def test_rfc1122_3_3_3_the_largest_payload_is_told(mtu: int) -> None:
    host = Host()
    host.know()
    host.route("10.9.0.0/16", via=PEER, mtu=mtu)
    socket = host.socket()
    socket.pmtudisc = Pmtudisc.DO
    with pytest.raises(SendRejected, match=f"at most {mtu - 28} B"):
        host.send(socket, "10.9.0.1", payload=bytes(65507))
    host.send(socket, "10.9.0.1", payload=bytes(mtu - 28))


def test_rfc1122_3_3_6_only_group_addresses_leave_in_group_frames(host: Host) -> None:
    host.know()
    socket = host.socket(dev="tap0")
    socket.broadcast = True
    for dst in (PEER, "10.0.0.255", "255.255.255.255", "224.0.0.251"):
        host.send(socket, dst)
    host.receive(
        echo_request(to=BROADCAST_MAC),  # a unicast packet in a broadcast frame
        udp_frame(dport=9, dst="10.0.0.255", to=BROADCAST_MAC),
    )
    frames = [frame for frame in host.sent() if frame.ip]
    assert len(frames) >= 4
    for frame in frames:
        assert frame.ip is not None
        group = host.stack.ipv4.is_broadcast(frame.ip.dst) or is_multicast(frame.ip.dst)
        assert bool(frame.dst[0] & 1) == group


def test_rfc1122_3_3_7_multicasts_go_out_and_come_in_on_every_link(host: Host) -> None:
    host.link("tap1")
    host.add("10.7.0.1/24", "tap1")
    for dev in ("tap0", "tap1"):
        socket = member(host, dev=dev)
        host.receive(group_frame(), dev=dev)
        assert len(socket.receive_all()) == 1
        host.poll()
        host.sent(dev)
        host.send(host.socket(dev=dev), GROUP)
        (frame,) = host.sent(dev)
        assert frame.dst == multicast_mac(ip(GROUP))


def test_rfc1122_3_3_7_a_link_says_whether_it_can_multicast() -> None:
    api = Api()
    flags = {row["ifname"]: row["flags"] for row in api("link.show")}
    assert "MULTICAST" in flags["tap0"]
    assert "MULTICAST" not in flags["lo"]
