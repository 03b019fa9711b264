"""Marks and users of sockets, as rules select them: a flow of one is no flow of another."""

from typing import NamedTuple

import pytest

from smolctl.stack.config.rule import add_rule
from smolctl.stack.fib.rule import Rule
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import family_of
from tests.kit.host import OTHER_MAC, PEER_MAC, Host, ip

USUAL, MARKED = PEER_MAC, OTHER_MAC


class World(NamedTuple):
    """A host whose packets with the mark 5, and those of user 7, go to another router."""

    host: Host
    far: int

    def socket(self, mark: int = 0, uid: int = 0) -> UdpSocket:
        socket = self.host.stack.udp.open("test", family_of(self.far))
        socket.mark, socket.uid = mark, uid
        return socket

    def used(self, socket: UdpSocket) -> bytes:
        """Return to which router a socket sends, by the layered path and by the fast one."""
        for _ in range(3):
            self.host.stack.udp.send(socket, b"x", self.far, 9, self.host.now)
        assert socket.flows
        (mac,) = {frame[:6] for frame in self.host.take()}
        return mac


@pytest.fixture(params=["10.0.0.{} 0.0.0.0/0 203.0.113.9", "2001:db8::{} ::/0 2001:db8:113::9"])
def world(request: pytest.FixtureRequest) -> World:
    router, everything, far = request.param.split()
    host = Host("10.0.0.1/24", "2001:db8::1/64", ipv6=True)
    for number, mac, table in ((2, USUAL, 254), (3, MARKED, 100)):
        host.know(router.format(number), mac)
        host.route(everything, "tap0", router.format(number), table=table)
    net = host.stack.networks.for_address(ip(far))
    add_rule(net, Rule(50, table=100, mark=5, mark_mask=0xFF))
    add_rule(net, Rule(51, table=100, uids=(7, 8)))
    host.take()
    return World(host, ip(far))


def test_sockets_with_different_marks_share_no_flow(world: World) -> None:
    sockets = [world.socket(), world.socket(5), world.socket(0x105), world.socket(6)]
    for _ in range(2):
        ways = [world.used(socket) for socket in sockets]
        assert ways == [USUAL, MARKED, MARKED, USUAL]


def test_sockets_of_different_users_share_no_flow(world: World) -> None:
    sockets = [world.socket(), world.socket(uid=7), world.socket(uid=9)]
    assert [world.used(socket) for socket in sockets] == [USUAL, MARKED, USUAL]


def test_a_socket_whose_mark_changes_takes_another_way(world: World) -> None:
    socket = world.socket()
    for mark, way in ((0, USUAL), (5, MARKED), (0, USUAL)):
        socket.mark = mark
        world.host.stack.generation.touch()  # as whoever changes an option does
        assert world.used(socket) == way
