"""TCP between a stack and the kernel, over a TAP: both ways, with losses, and at the ends."""

import random
import socket
from contextlib import suppress
from typing import Any

import pytest

from smolctl.stack.transport.tcp.states import State
from smolctl.wire.address import IPV4, IPV6
from smolctl.wire.tcp import SYN
from tests.e2e.tcp_kit import Linker
from tests.golden.connections import header_of
from tests.kit.amount import amount

pytestmark = pytest.mark.netns

OPENED = pytest.mark.parametrize("opener", ["opened", "accepted"])


def some(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.proof
@OPENED
@pytest.mark.parametrize("offload", [True, False])
@pytest.mark.parametrize("loss", [0, 0.01])
def test_data_arrives_both_ways(linker: Linker, opener: str, offload: bool, loss: float) -> None:
    draw = random.Random(7).random
    link = linker(offload=offload, lose=(lambda end, frame: draw() < loss) if loss else None)
    ours, theirs = getattr(link, opener)()
    data = some(amount(200_000_000, 1_000_000 if loss else 4_000_000))
    assert link.send(ours, theirs, data, 240) == data
    assert link.receive(ours, theirs, data, 240) == data
    assert bool(link.lost) == bool(loss)
    assert loss or ours.stats.retrans == 0
    theirs.close()
    assert link.pump(lambda: ours.at_end, 10)
    link.tcp.close(ours, link.now)
    assert link.pump(lambda: not link.tcp.connections, 10)


@pytest.mark.parametrize(
    ("linker", "mtu"),
    [(IPV4, 576), (IPV4, 9000), (IPV4, 65_521), (IPV6, 1280), (IPV6, 9000), (IPV6, 65_521)],
    indirect=["linker"],
)
def test_any_mtu(linker: Linker, mtu: int) -> None:
    link = linker(mtu=mtu)
    headers = link.net.header_len + 20
    ours, theirs = link.opened()
    data = some(300_000)
    assert ours.advmss == mtu - headers
    assert ours.mss == min(mtu - headers - 12, ours.snd.max_wnd // 2)
    assert link.send(ours, theirs, data, 60) == data
    assert link.receive(ours, theirs, data, 60) == data


@pytest.mark.parametrize("off", ["tcp_sack", "tcp_timestamps", "tcp_window_scaling"])
def test_a_kernel_without_an_option(linker: Linker, off: str) -> None:
    draw = random.Random(7).random
    link = linker(lose=lambda end, frame: draw() < 0.01)
    link.peer.sysctl({f"net.ipv4.{off}": 0})
    ours, theirs = link.opened()
    assert not getattr(ours, {"tcp_window_scaling": "scaling"}.get(off, off[4:]))
    data = some(300_000)
    assert link.send(ours, theirs, data, 60) == data
    assert link.receive(ours, theirs, data, 60) == data


def test_refused_both_ways(linker: Linker) -> None:
    link = linker()
    ours = link.connects(9)
    assert link.pump(lambda: ours.state is State.CLOSED, 10)
    error = link.tcp.take_error(ours)
    assert error is not None
    assert error.errno_name == "ECONNREFUSED"
    theirs = link.kernel_socket()
    with suppress(BlockingIOError):
        theirs.connect((link.ours, 9))
    failed: list[int] = []

    def refused() -> bool:
        failed[:] = [theirs.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
        return bool(failed[0])

    assert link.pump(refused, 10)
    assert failed == [111]


def test_the_kernel_resets_and_is_reset(linker: Linker) -> None:
    link = linker()
    ours, theirs = link.opened()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    assert link.pump(lambda: ours.state is State.CLOSED, 10)
    error = link.tcp.take_error(ours)
    assert error is not None
    assert error.errno_name == "ECONNRESET"
    ours, theirs = link.opened()
    link.tcp.abort(ours, link.now)

    def reset() -> bool:
        try:
            theirs.recv(1)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        return False

    assert link.pump(reset, 10)


def test_half_of_a_connection_is_closed(linker: Linker) -> None:
    link = linker()
    ours, theirs = link.opened()
    link.tcp.shutdown(ours, link.now, send=True, receive=False)
    ends: list[bytes] = []

    def ended() -> bool:
        with suppress(BlockingIOError):
            ends.append(theirs.recv(10))
        return bool(ends)

    assert link.pump(ended, 10, theirs)
    assert ends == [b""]
    assert link.receive(ours, theirs, b"still there", 10) == b"still there"
    theirs.shutdown(socket.SHUT_WR)
    assert link.pump(lambda: ours.state is State.CLOSED, 10)


def test_a_kernel_that_does_not_read_and_then_does(linker: Linker) -> None:
    link = linker()
    ours, theirs = link.opened()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    data = some(500_000)
    sent = 0

    def full() -> bool:
        nonlocal sent
        sent += link.tcp.send(ours, data[sent : sent + 65_536], link.now)
        return ours.zero_since_ns > 0

    assert link.pump(full, 10)
    got = bytearray()

    def done() -> bool:
        nonlocal sent
        if sent < len(data):
            sent += link.tcp.send(ours, data[sent : sent + 65_536], link.now)
        with suppress(BlockingIOError):
            while chunk := theirs.recv(65_536):
                got.extend(chunk)
        return len(got) == len(data)

    assert link.pump(done, 30, theirs)
    assert bytes(got) == data


def test_ecn_is_agreed_on(linker: Linker) -> None:
    link = linker()
    link.stack.settings.set("tcp.ecn", "1")
    link.peer.sysctl({"net.ipv4.tcp_ecn": 1})
    ours, theirs = link.opened()
    assert ours.ecn
    assert link.send(ours, theirs, some(100_000), 10) == some(100_000)
    theirs.close()
    link.pump(lambda: ours.at_end, 10)
    ours, theirs = link.accepted()
    assert ours.ecn
    assert link.receive(ours, theirs, some(100_000), 10) == some(100_000)


def test_many_connections_of_the_kernel(linker: Linker) -> None:
    link = linker()
    listener = link.listens(backlog=200)
    clients = [link.kernel_socket() for _ in range(100)]
    for client in clients:
        with suppress(BlockingIOError):
            client.connect((link.ours, 7))
    servers: list[Any] = []

    def all_there() -> bool:
        while (server := link.tcp.accept(listener)) is not None:
            servers.append(server)
        return len(servers) == len(clients)

    assert link.pump(all_there, 20)
    for number, client in enumerate(clients):
        client.send(b"%d" % number)
    assert link.pump(lambda: all(server.readable for server in servers), 20)
    said = {link.tcp.receive(server, 10, link.now) for server in servers}
    assert said == {b"%d" % number for number in range(100)}
    for client in clients:
        client.close()
    assert link.pump(lambda: all(server.at_end for server in servers), 20)


def test_the_kernel_takes_syn_cookies(linker: Linker) -> None:
    def is_last_of_handshake(end: int, frame: bytes) -> bool:
        header = header_of(frame)
        return end == 1 and header is not None and header.sport == 5 and not header.flags & SYN

    link = linker(lose=is_last_of_handshake)
    link.stack.settings.set("tcp.max_syn_backlog", "1")
    listener = link.listens()
    # A handshake that is never finished takes the only place.
    first = link.kernel_socket()
    first.bind((link.kernel, 5))
    with suppress(BlockingIOError):
        first.connect((link.ours, 7))
    assert link.pump(lambda: link.lost > 0, 10)
    theirs = link.kernel_socket()
    with suppress(BlockingIOError):
        theirs.connect((link.ours, 7))
    assert link.pump(lambda: listener.readable, 10)
    assert link.stack.ledger.events["tcp.cookies_accepted"] == 1
    ours = link.tcp.accept(listener)
    assert ours is not None
    assert (ours.sack, ours.scaling) == (True, True)
    assert link.receive(ours, theirs, some(200_000), 10) == some(200_000)
    assert link.send(ours, theirs, some(200_000), 10) == some(200_000)
