"""Nothing grows without a bound, whatever comes in and whoever does not read."""

from collections.abc import Callable

import pytest
from hypothesis import given

from smolctl.stack.fastpath import udp as fast_udp
from smolctl.stack.fib import exceptions, path_mtu
from smolctl.stack.interface import OUTBOX_LIMIT
from smolctl.stack.ip import route_cache
from smolctl.stack.ip.icmp_rate_limit import PEERS_LIMIT
from smolctl.stack.ready import REPLY_QUEUE_LIMIT
from smolctl.stack.stack import Stack
from smolctl.stack.transport.socket_base import ERROR_QUEUE_LIMIT
from smolctl.stack.transport.udp.socket import DATAGRAM_OVERHEAD
from smolctl.wire import icmpv6, ndp, udp
from smolctl.wire.address import format_address
from smolctl.wire.ipv6_ext import Fragment
from tests.kit.amount import amount
from tests.kit.host import (
    DEAD,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    echo_request,
    ip,
    request,
    udp_frame,
    udp_packet,
    unreachable,
)
from tests.kit.host6 import (
    DEAD6,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    advertise,
    echo6_request,
    frame6_of,
    icmp6_packet,
    nd_frame,
    packet6_of,
    solicit,
    udp6_frame,
    udp6_packet,
)
from tests.property.events import Event, Player, histories
from tests.property.world import Config, configs

BIGGEST = udp.MAX_PAYLOAD + DATAGRAM_OVERHEAD
FLOOD = amount(3000, 2000)
"""More than any limit here."""


UNRES_QLEN = 256
"""The largest value of neigh.unres_qlen here; a lower one holds from the next packet on."""


def check_bounds(stack: Stack) -> None:
    assert len(stack.loopback.queue) <= OUTBOX_LIMIT
    clients = sum(len(net.probe_clients) for net in stack.networks.values())
    assert len(stack.ready.waiters) <= len(stack.udp) + len(stack.ping) + clients
    for net in stack.networks.values():
        assert len(net.fib.path_mtus) <= path_mtu.LIMIT
        assert len(net.fib.exceptions) <= exceptions.LIMIT
        assert len(net.icmp_limiter.peers) <= PEERS_LIMIT
        assert len(net.reassembly) <= stack.settings[net.fragment_rules.number]
        assert len(net.ways) <= route_cache.LIMIT
        assert len(net.inbound) <= route_cache.LIMIT
        assert net.reassembly.cost <= stack.settings[net.fragment_rules.room]
        for cache in net.neighbors.values():
            assert len(cache._timers) <= 65 + 4 * max(len(cache.entries), 16)
            assert all(len(entry.queue) <= UNRES_QLEN for entry in cache)
    for link in stack.interfaces.values():
        assert len(link.outbox) <= OUTBOX_LIMIT
        assert len(link.flows) <= fast_udp.FLOWS_LIMIT
        assert 0 <= link.traced <= OUTBOX_LIMIT
    for socket in stack.udp:
        assert socket.queue_bytes <= max(socket.rcvbuf, BIGGEST)
        payload = sum(len(datagram[0]) for datagram in socket.queue)
        assert socket.queue_bytes == payload + len(socket.queue) * DATAGRAM_OVERHEAD
        assert len(socket.errors) <= ERROR_QUEUE_LIMIT
        assert (socket in stack.udp.blocked) == (socket.send_queue is not None)
        if socket.send_queue is not None:
            assert socket.send_queue.items
            assert socket.send_queue.bytes == sum(item.size for item in socket.send_queue.items)
            assert len(socket.send_queue.items) == 1 or socket.send_queue.bytes <= socket.sndbuf
        assert len(socket.flows) <= fast_udp.FLOWS_LIMIT
    for client in stack.ping.values():
        assert len(client.replies) <= REPLY_QUEUE_LIMIT
        assert len(client.errors) <= ERROR_QUEUE_LIMIT


@given(configs, histories(sizes=(5, 30)))
def test_queues_are_bounded(config: Config, history: list[Event]) -> None:
    player = Player(config)
    for event in history:
        player.play(event)
        check_bounds(player.stack)


# --- floods: each drives one queue to its limit ---------------------------------------------------


def address(number: int) -> str:
    return format_address(ip("10.0.0.0") + number)


def to_a_device_that_takes_nothing(host: Host) -> int:
    host.know()
    socket = host.socket()
    for _ in range(FLOOD):
        host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    return len(host.tap.outbox)


def to_a_neighbor_that_does_not_answer(host: Host) -> int:
    socket = host.socket()
    for _ in range(FLOOD):
        host.stack.udp.send(socket, b"x", ip(DEAD), 9, host.now)
    entry = host.neighbor(DEAD)
    assert entry is not None
    return len(entry.queue)


def to_as_many_neighbors(host: Host) -> int:
    socket = host.socket()
    for number in range(2, 2 + FLOOD):
        host.stack.udp.send(socket, b"x", ip(address(number)), 9, host.now)
    return len(host.cache().entries)


def by_as_many_askers(host: Host) -> int:
    for number in range(2, 2 + FLOOD):
        host.receive(request(address(number)))
    return len(host.cache().entries)


def to_ourselves_and_nobody_polls(host: Host) -> int:
    socket = host.socket()
    for _ in range(FLOOD):
        host.stack.udp.send(socket, b"x", ip(OURS), 9, host.now)
    return len(host.stack.loopback.queue)


def to_a_reader_that_sleeps(host: Host) -> int:
    socket = host.socket(7)
    host.receive(*[udp_frame(payload=bytes(100))] * FLOOD)
    return len(socket.queue)


def of_errors(host: Host) -> int:
    socket = host.socket(5000)
    host.receive(*[unreachable(3, udp_packet(5000, 9, src=OURS, dst=PEER))] * FLOOD)
    return len(socket.errors)


def of_pings_by_strangers(host: Host) -> int:
    for number in range(2, 2 + FLOOD):
        host.receive(echo_request(src=address(number)))
    return len(host.cache().entries)


def of_flows(host: Host) -> int:
    host.socket(7)
    for port in range(1, FLOOD):
        host.receive(udp_frame(sport=port))
    return len(host.tap.flows)


def to_as_many_ports(host: Host) -> int:
    host.know()
    socket = host.socket()
    for port in range(1, FLOOD):
        host.sent()
        host.stack.udp.send(socket, b"x", ip(PEER), port, host.now)
    return len(socket.flows)


FLOODS: dict[Callable[[Host], int], int] = {
    to_a_device_that_takes_nothing: OUTBOX_LIMIT,
    to_a_neighbor_that_does_not_answer: 256,
    to_as_many_neighbors: 1024,
    by_as_many_askers: 1024,
    to_ourselves_and_nobody_polls: OUTBOX_LIMIT,
    to_a_reader_that_sleeps: 212_992 // (100 + DATAGRAM_OVERHEAD),
    of_errors: ERROR_QUEUE_LIMIT,
    of_pings_by_strangers: 1024,
    of_flows: 999,
    to_as_many_ports: 999,
}


@pytest.mark.proof
@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_a_flood_fills_a_queue_to_its_limit(
    monkeypatch: pytest.MonkeyPatch, flood: Callable[[Host], int]
) -> None:
    monkeypatch.setattr(fast_udp, "FLOWS_LIMIT", 1000)
    monkeypatch.setattr(route_cache, "LIMIT", 1000)
    host = Host("10.0.0.1/8")
    assert flood(host) == FLOODS[flood]
    check_bounds(host.stack)


# --- floods of IPv6 -------------------------------------------------------------------------------


def address6(number: int) -> str:
    return format_address(ip("2001:db8::") + 0x1000 + number)


def to_a_silent_neighbor6(host: Host6) -> int:
    socket = host.socket(local="::")
    for _ in range(FLOOD):
        host.stack.udp.send(socket, b"x", ip(DEAD6), 9, host.now)
    entry = host.neighbor(DEAD6)
    assert entry is not None
    return len(entry.queue)


def to_as_many_neighbors6(host: Host6) -> int:
    socket = host.socket(local="::")
    for number in range(FLOOD):
        host.stack.udp.send(socket, b"x", ip(address6(number)), 9, host.now)
    return len(host.stack.ipv6.neighbors["tap0"].entries)


def by_as_many_solicitors(host: Host6) -> int:
    for number in range(FLOOD):
        host.receive(solicit(src=address6(number)))
    return len(host.stack.ipv6.neighbors["tap0"].entries)


def by_as_many_advertisers(host: Host6) -> int:
    for number in range(FLOOD):
        host.receive(advertise(address6(number), "O", dst="ff02::1"))
    return len(host.stack.ipv6.neighbors["tap0"].entries)


def of_pings_by_strangers6(host: Host6) -> int:
    for number in range(FLOOD):
        host.receive(echo6_request(src=address6(number)))
    return len(host.stack.ipv6.neighbors["tap0"].entries)


def of_errors6(host: Host6) -> int:
    socket = host.socket(5000, "::")
    quote = udp6_packet(5000, 9, src=OURS6, dst=PEER6)
    host.receive(*[frame6_of(icmp6_packet(1, 3, 0, quote))] * FLOOD)
    return len(socket.errors)


def of_first_fragments6(host: Host6) -> int:
    for number in range(FLOOD):
        head = Fragment(17, 0, True, number).to_bytes() + bytes(8)
        host.receive(frame6_of(packet6_of(44, head)))
    return len(host.stack.ipv6.reassembly)


def of_path_mtus(host: Host6) -> int:
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    host.socket(5000, "::")
    for number in range(FLOOD):
        quote = udp6_packet(5000, 9, src=OURS6, dst=f"2600::{number:x}")
        host.receive(frame6_of(icmp6_packet(icmpv6.Type.PACKET_TOO_BIG, 0, 1400, quote)))
    return len(host.stack.ipv6.fib.path_mtus)


def of_redirects6(host: Host6) -> int:
    host.know(PEER_LINK_LOCAL)
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
    for number in range(FLOOD):
        told = ndp.Redirect(ip("fe80::99"), ip(f"2600::{number:x}"))
        host.receive(nd_frame(told, PEER_LINK_LOCAL))
    return len(host.stack.ipv6.fib.exceptions)


def of_flows6(host: Host6) -> int:
    host.know(PEER6)
    host.socket(7, "::")
    for port in range(1, FLOOD):
        host.receive(udp6_frame(sport=port))
    return len(host.tap.flows)


FLOODS6: dict[Callable[[Host6], int], int] = {
    to_a_silent_neighbor6: 256,
    to_as_many_neighbors6: 1024,
    by_as_many_solicitors: 1024,
    by_as_many_advertisers: 0,
    of_pings_by_strangers6: 1024,
    of_errors6: ERROR_QUEUE_LIMIT,
    of_first_fragments6: 1024,
    of_path_mtus: 1000,
    of_redirects6: 1000,
    of_flows6: 999,
}
"""Entries of a table of IPv6 after a flood; an advertisement that nobody asked for makes none."""


@pytest.mark.proof
@pytest.mark.parametrize("flood", FLOODS6, ids=lambda flood: flood.__name__)
def test_a_flood_of_ipv6_fills_a_table_to_its_limit(
    monkeypatch: pytest.MonkeyPatch, flood: Callable[[Host6], int]
) -> None:
    monkeypatch.setattr(fast_udp, "FLOWS_LIMIT", 1000)
    for module in (route_cache, path_mtu, exceptions):
        monkeypatch.setattr(module, "LIMIT", 1000)
    host = Host6()
    assert flood(host) == FLOODS6[flood]
    check_bounds(host.stack)


def test_a_flood_of_arp_from_one_host_makes_one_entry() -> None:
    host = Host()
    host.receive(*[request(mac=PEER_MAC)] * FLOOD)
    assert len(host.cache().entries) == 1
    assert len(host.tap.outbox) == OUTBOX_LIMIT
    check_bounds(host.stack)
