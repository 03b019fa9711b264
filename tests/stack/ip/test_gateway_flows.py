"""Flows on the fast path and several gateways: each packet goes by the one that it would get alone.

Linux looks a route up for each datagram of a socket that is not connected, so that a flow is back
on its own gateway as soon as that one is heard again (tests/e2e/test_gateway_recovers.py asks it).
"""

from collections.abc import Iterable

import pytest

from smolctl.stack.config.route import add_route
from smolctl.stack.fib.nexthop import NextHop, with_ways
from smolctl.stack.fib.route import InsertMode, Route
from smolctl.stack.neighbor.states import State
from smolctl.stack.transport.udp.socket import UdpSocket
from tests.kit.host import OTHER_MAC, PEER_MAC, Host, ip, request

FIRST, SECOND, FAR = "10.0.0.251", "10.0.0.252", "8.8.8.8"


def host_with(*, multipath: bool) -> Host:
    host = Host()
    host.set("ip.fib_multipath_hash_seed", 1)
    if multipath:
        ways = [NextHop(None, ip(via), 1) for via in (FIRST, SECOND)]
        add_route(host.stack.ipv4, with_ways(Route(0, 0), ways), InsertMode.ADD)
    else:
        for gateway in (FIRST, SECOND):
            host.route("0.0.0.0/0", via=gateway, mode=InsertMode.APPEND)
    host.know(FIRST, OTHER_MAC, State.PERMANENT)
    host.know(SECOND, PEER_MAC, State.PERMANENT)
    return host


def macs(host: Host, socket: UdpSocket, dsts: Iterable[str], times: int = 2) -> list[bytes]:
    """Return the next hop of each destination; each is used ``times``, by the fast path at last."""
    result: list[bytes] = []
    for dst in dsts:
        for _ in range(times):
            host.stack.udp.send(socket, b"x", ip(dst), 9, host.now)
        used = {frame.dst for frame in host.sent() if frame.ip}
        assert len(used) == 1
        result += used
    return result


@pytest.mark.parametrize("multipath", [False, True])
def test_rfc1122_3_3_1_5_a_flow_is_back_when_its_gateway_is_heard_again(multipath: bool) -> None:
    host = host_with(multipath=multipath)
    socket, dsts = host.socket(), [f"8.8.8.{last}" for last in range(12)]
    before = macs(host, socket, dsts)
    assert set(before) == ({OTHER_MAC, PEER_MAC} if multipath else {OTHER_MAC})
    host.know(FIRST, state=State.FAILED)
    assert set(macs(host, socket, dsts)) == {PEER_MAC}
    host.receive(request(FIRST, mac=OTHER_MAC))
    host.know(FIRST, OTHER_MAC, State.PERMANENT)
    assert macs(host, socket, dsts) == before


@pytest.mark.parametrize("multipath", [False, True])
def test_it_is_back_when_nothing_is_known_of_its_gateway(multipath: bool) -> None:
    host = host_with(multipath=multipath)
    socket, dsts = host.socket(), [f"8.8.8.{last}" for last in range(12)]
    host.know(FIRST, state=State.FAILED)
    assert set(macs(host, socket, dsts)) == {PEER_MAC}
    host.cache().delete(ip(FIRST))
    generation = host.stack.generation.number
    for dst in dsts:
        host.stack.udp.send(socket, b"x", ip(dst), 9, host.now)
    assert host.neighbor(FIRST) is not None  # it is asked for, which only its flows do
    assert host.stack.generation.number >= generation


def test_others_that_die_move_nobody() -> None:
    host = host_with(multipath=True)
    macs(host, host.socket(), [FAR])
    generation = host.stack.generation.number
    host.know("10.0.0.7", state=State.FAILED)
    assert host.stack.generation.number == generation
    host.know(FIRST, state=State.FAILED)
    assert host.stack.generation.number == generation + 1


def test_a_gateway_that_a_redirect_named_is_taken_again() -> None:
    host = Host()
    host.route("0.0.0.0/0", via=FIRST)
    host.know(FIRST, OTHER_MAC, State.PERMANENT)
    host.know(SECOND, PEER_MAC, State.PERMANENT)
    socket = host.socket()
    (route,) = host.stack.ipv4.fib.matches(ip(FAR))[:1]
    host.stack.ipv4.fib.exceptions.redirect(ip(FAR), route, ip(SECOND), host.now)
    host.stack.generation.touch()
    assert macs(host, socket, [FAR]) == [PEER_MAC]
    host.know(SECOND, state=State.FAILED)
    assert macs(host, socket, [FAR]) == [OTHER_MAC]
    host.know(SECOND, PEER_MAC, State.PERMANENT)
    assert macs(host, socket, [FAR]) == [PEER_MAC]


@pytest.mark.parametrize("metric", [5, 0])
def test_a_dead_next_hop_of_a_socket_that_insists_on_its_link(metric: int) -> None:
    """Other routes of the prefix, or of any other one, are beside the route of several hops."""
    host = host_with(multipath=True)
    prefix = "0.0.0.0/0" if metric else "198.51.100.0/24"
    for each in (metric, metric + 1):
        host.route(prefix, via=SECOND, metric=each)
    host.know(FIRST, state=State.FAILED)
    host.know(SECOND, state=State.FAILED)
    socket = host.socket(dev="tap0")
    host.stack.udp.send(socket, b"x", ip(FAR), 9, host.now)
    assert sum(map(bool, (host.neighbor(FIRST), host.neighbor(SECOND)))) == 2
    assert [frame for frame in host.sent() if frame.arp]  # one of them is asked again
