"""Sysctls about whose addresses come in by a wire, and which a socket may have."""

import pytest

from smolctl.errors import AddressNotAvailable, SendRejected
from smolctl.stack.config.rule import add_rule
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.rule import Rule
from tests.kit.host import OURS, PEER, Host, echo_request, ip, request, udp_frame

THERE = "10.7.0.1"


@pytest.fixture
def host() -> Host:
    """A host with two links, and a socket at port 7."""
    host = Host()
    host.link("tap1")
    host.add(f"{THERE}/24", "tap1")
    host.socket(7)
    host.know(PEER)
    return host


def heard(host: Host, src: str = PEER, dst: str = OURS) -> bool:
    (socket,) = host.stack.udp
    before = socket.rx_datagrams
    host.receive(udp_frame(src=src, dst=dst))
    return socket.rx_datagrams > before


@pytest.mark.parametrize("scope", ["", "tap0."])
def test_our_own_address_comes_in_with_accept_local(host: Host, scope: str) -> None:
    assert not heard(host, THERE)
    host.receive(request(THERE))
    assert not host.sent()
    host.set(f"{scope}ip.accept_local", 1)
    assert heard(host, THERE)
    host.receive(request(THERE))
    assert [seen.arp is not None for seen in host.sent()] == [True]
    assert host.neighbor(THERE) is not None
    assert host.reasons() == {"ip-src-is-ours": 1, "arp-address-conflict": 1}


def test_127_8_comes_in_and_answers_with_route_localnet(host: Host) -> None:
    frames = udp_frame(dst="127.0.0.1"), request(target="127.0.0.1"), echo_request(dst="127.0.0.1")
    host.receive(*frames)
    assert not host.sent()
    assert host.reasons() == {"ip-loopback-on-wire": 2, "arp-target-not-ours": 1}
    host.set("tap0.ip.route_localnet", 1)
    assert heard(host, dst="127.0.0.1")
    host.receive(*frames[1:])
    said = host.sent()
    assert said[0].arp is not None
    assert said[0].arp.sender_ip == ip("127.0.0.1")
    assert said[1].ip is not None
    assert said[1].ip.src == ip("127.0.0.1")
    # Its source is our own, too.
    assert not heard(host, "127.0.0.1")
    host.set("ip.accept_local", 1)
    assert heard(host, "127.0.0.1")


def test_the_mark_of_a_packet_counts_for_the_way_back_with_src_valid_mark(host: Host) -> None:
    host.route("198.51.100.0/24", via=PEER, table=100)
    add_rule(host.stack.ipv4, Rule(50, table=100, mark=5, mark_mask=0xFF))
    host.set("ip.rp_filter", 1)

    def reason(mark: int) -> str:
        asked = Question("udp", ip("198.51.100.9"), ip(OURS), dport=7, iif="tap0", mark=mark)
        found = predict(host.stack, asked, host.now).reason
        return "" if found is None else found.name

    assert [reason(mark) for mark in (0, 5)] == ["ip-reverse-path"] * 2
    host.set("tap0.ip.src_valid_mark", 1)
    assert [reason(mark) for mark in (0, 5, 6)] == ["ip-reverse-path", "", "ip-reverse-path"]


@pytest.mark.parametrize(
    ("address", "sysctl", "sends"),
    [("203.0.113.7", "ip.nonlocal_bind", False), ("2001:db8:113::7", "ip6.nonlocal_bind", True)],
)
def test_sockets_may_have_addresses_of_others(address: str, sysctl: str, sends: bool) -> None:
    host = Host("10.0.0.1/24", "2001:db8::1/64", ipv6=True)
    host.route("0.0.0.0/0", via=PEER)
    host.route("::/0", "tap0", via="2001:db8::2")
    for opening in (host.socket, lambda local: listener(host, local)):
        with pytest.raises(AddressNotAvailable):
            opening(local=address)
    host.set(sysctl, 1)
    socket, far = host.socket(local=address), "8.8.8.8" if "." in address else "2001:db8:9::9"
    listener(host, address)
    if not sends:
        with pytest.raises(SendRejected) as refused:
            host.send(socket, far)
        assert refused.value.errno_name == "ENETUNREACH"
        host.add(f"{address}/32", "lo")
    trace = host.send(socket, far)
    assert trace.reason is not None
    assert trace.reason.name == "neigh-pending"  # it waits for the router's MAC address


def listener(host: Host, local: str) -> None:
    tcp = host.stack.tcp
    socket = tcp.open("test", host.stack.networks.for_address(ip(local)).family)
    tcp.bind(socket, ip(local), 0)
    tcp.listen(socket)
