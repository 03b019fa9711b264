"""Clones of a stack with connections: a packet may happen to one, and the stack does not notice."""

from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from tests.kit.clock import SECOND_NS
from tests.kit.host import Host, text
from tests.kit.tcp import Pair, check_socket


def frames_to_server(pair: Pair) -> list[bytes]:
    return pair.client.take()


def test_data_that_comes_in_for_a_clone_leaves_the_stack_as_it_was() -> None:
    pair = Pair()
    client, server = pair.connect()
    pair.write(client, b"first")
    pair.run(SECOND_NS)
    pair.write(client, b"second")
    frames = frames_to_server(pair)
    clone = clone_for_packet(pair.server.stack)
    for frame in frames:
        clone.receive(clone.interface("tap0"), frame, pair.now)
    copied = clone.tcp.connections.get(server.ends)
    assert isinstance(copied, TcpSocket)
    assert copied is not server
    assert clone.tcp.receive(copied, 100, pair.now) == b"firstsecond"
    assert server.rcv.ready == 5
    assert pair.server.reasons() == {}
    assert not pair.server.tap.outbox
    for frame in frames:
        pair.server.receive(frame)
    assert pair.read(server) == b"firstsecond"
    check_socket(server)


def test_a_listening_socket_of_a_clone_answers_and_the_stack_does_not() -> None:
    pair = Pair()
    listener = pair.listen()
    pair.client.know("10.0.0.2", pair.server.tap.mac)
    pair.server.know("10.0.0.1", pair.client.tap.mac)
    pair.begin()
    clone = clone_for_packet(pair.server.stack)
    for frame in frames_to_server(pair):
        clone.receive(clone.interface("tap0"), frame, pair.now)
    assert len(clone.interface("tap0").outbox) == 1
    assert not pair.server.tap.outbox
    assert listener.backlog is not None
    assert listener.backlog.requests == 0
    assert not pair.server.stack.tcp.connections


def test_a_reset_for_a_clone_ends_nothing() -> None:
    pair = Pair()
    client, server = pair.connect()
    pair.client.stack.tcp.abort(client, pair.now)
    clone = clone_for_packet(pair.server.stack)
    for frame in frames_to_server(pair):
        clone.receive(clone.interface("tap0"), frame, pair.now)
    assert clone.tcp.connections.get(server.ends) is None
    assert server.state is State.ESTABLISHED
    assert pair.server.stack.tcp.connections == {server.ends: server}


def test_a_clone_copies_no_connection_that_is_not_touched() -> None:
    host = Host()
    tcp = host.stack.tcp
    listener = tcp.open()
    tcp.bind(listener, None, 80)
    tcp.listen(listener)
    clients = [tcp.open() for _ in range(50)]
    for client in clients:
        tcp.connect(client, 0x7F000001, 80, host.now)
    host.wait(SECOND_NS)
    clone = clone_for_packet(host.stack)
    assert len(clone.tcp.connections) == 0
    assert len(list(clone.tcp)) == 1
    assert text(clients[0].ends.local) == "127.0.0.1"
