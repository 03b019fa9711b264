"""Listening sockets that share a port, and what comes to it, by SO_REUSEPORT."""

import pytest

from smolctl.stack.packet import Packet
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.socket import TcpSocket
from tests.kit.tcp import Pair
from tests.property.test_tcp import nothing


def listeners_of(pair: Pair, number: int) -> list[TcpSocket]:
    """Return sockets of the server that listen at one port."""
    tcp, made = pair.server.stack.tcp, []
    for _ in range(number):
        made.append(tcp.open("server", pair.family))
        made[-1].reuseport = True
        tcp.bind(made[-1], None, 7)
        tcp.listen(made[-1], 64)
    return made


def takers(pair: Pair) -> list[int]:
    """Return which of three listeners each of 30 connections is for."""
    tcp, group = pair.server.stack.tcp, listeners_of(pair, 3)
    taken = []
    for _ in range(30):
        client = pair.begin()
        assert pair.run(until=lambda: any(each.readable for each in group))
        for number, each in enumerate(group):
            child = tcp.accept(each)
            if child is not None:
                taken.append(number)
                found = tcp.lookup(child.ends.peer, child.ends.peer_port, child.ends.local, 7, "")
                assert found is each
        pair.tcp(client).abort(client, pair.now)
    return taken


@pytest.mark.parametrize("ipv6", [False, True])
def test_connections_are_shared_out_by_the_fast_path_as_by_the_other(ipv6: bool) -> None:
    fast, layered = Pair(ipv6=ipv6), Pair(ipv6=ipv6)
    layered.server.stack.tcp.learn_opening = nothing
    tcp, learned = fast.server.stack.tcp, []
    learn = tcp.learn_opening

    def noted(request: Request, packet: Packet) -> None:
        learned.append(request)
        learn(request, packet)

    tcp.learn_opening = noted
    found = takers(fast)
    assert found == takers(layered)
    assert set(found) == {0, 1, 2}
    assert len(learned) == 1  # by the first SYN: the fast path has answered all others


def test_a_listener_that_closes_leaves_its_group_to_the_others() -> None:
    pair = Pair()
    tcp, group = pair.server.stack.tcp, listeners_of(pair, 2)
    clients = [pair.begin() for _ in range(20)]
    pair.run()
    waiting = [len(each.backlog.queue) for each in group if each.backlog is not None]
    assert sum(waiting) == 20
    assert all(waiting)
    tcp.close(group[0], pair.now)
    pair.run()
    # What it had not accepted is reset; Linux would move it only with tcp_migrate_req.
    assert [client.connected for client in clients].count(False) == waiting[0]
    more = [pair.begin() for _ in range(10)]
    pair.run()
    assert all(client.connected for client in more)
    backlog = group[1].backlog
    assert backlog is not None
    assert len(backlog.queue) == waiting[1] + 10
    assert all(child.reuseport for child in backlog.queue)
