"""Options of sockets of the stack and of the kernel: what they are, and what they become."""

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from smolctl.client import DatagramSocket, StreamSocket
from tests.kit.home import Home

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
V4, V6 = socket.AF_INET, socket.AF_INET6
SOL, IP, IP6, L4 = (
    socket.SOL_SOCKET, socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.IPPROTO_TCP,
)  # fmt: skip
BOTH, FAMILIES = (TCP, UDP), (V4, V6)
FLAG = (0, 1, 7, b"\0", b"\1\0\0\0")
BIG = struct.pack("ll", 3, 250_000)
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IP_PKTINFO = 10, 23, 8

Row = tuple[tuple[int, ...], tuple[int, ...], int, int, tuple[Any, ...], int]
ROWS: list[Row] = [
    # kinds, families, level, option, values, bytes that are asked for (0: a number)
    (BOTH, FAMILIES, SOL, socket.SO_REUSEADDR, FLAG[:3], 0),
    (BOTH, FAMILIES, SOL, socket.SO_REUSEPORT, FLAG[:3], 0),
    (BOTH, FAMILIES, SOL, socket.SO_KEEPALIVE, FLAG[:3], 0),
    (BOTH, FAMILIES, SOL, socket.SO_BROADCAST, FLAG[:3], 0),
    (BOTH, FAMILIES, SOL, socket.SO_OOBINLINE, FLAG[:3], 0),
    (BOTH, FAMILIES, SOL, socket.SO_LINGER, (struct.pack("ii", 1, 4),), 8),
    (BOTH, FAMILIES, SOL, socket.SO_PRIORITY, (0, 6), 0),
    (BOTH, FAMILIES, SOL, socket.SO_RCVLOWAT, (0, 100), 0),
    (BOTH, FAMILIES, SOL, socket.SO_SNDLOWAT, (1, 2), 0),
    (BOTH, FAMILIES, SOL, socket.SO_RCVTIMEO, (BIG, struct.pack("ll", 0, 0), 5, b"x"), 16),
    (BOTH, FAMILIES, SOL, socket.SO_SNDTIMEO, (BIG, struct.pack("ll", 0, 1_000_000)), 16),
    (BOTH, FAMILIES, SOL, socket.SO_ACCEPTCONN, (1,), 0),
    (BOTH, FAMILIES, SOL, socket.SO_TYPE, (), 0),
    (BOTH, FAMILIES, SOL, socket.SO_DOMAIN, (), 0),
    (BOTH, FAMILIES, SOL, socket.SO_PROTOCOL, (), 0),
    (BOTH, FAMILIES, SOL, socket.SO_ERROR, (), 0),
    (BOTH, FAMILIES, IP, socket.IP_TTL, (9, 255, 0, 256), 0),
    ((TCP,), (V4,), IP, socket.IP_TOS, (0x10, 0xFF, struct.pack("i", 4)), 0),
    ((UDP,), FAMILIES, IP, socket.IP_TOS, (0x10, 0xFF, struct.pack("i", 4)), 0),
    (BOTH, (V6,), IP6, socket.IPV6_TCLASS, (0x10, 0, -1, 256), 0),
    (BOTH, (V6,), IP6, socket.IPV6_UNICAST_HOPS, (9, 256), 0),
    (BOTH, (V6,), IP6, socket.IPV6_V6ONLY, FLAG[:3], 0),
    (BOTH, (V4,), IP6, socket.IPV6_V6ONLY, (1,), 0),
    (BOTH, (V4,), IP6, socket.IPV6_TCLASS, (1,), 0),
    (BOTH, (V4,), IP, IP_MTU_DISCOVER, (0, 1, 2, 3), 0),
    (BOTH, (V6,), IP6, IPV6_MTU_DISCOVER, (0, 1, 2, 3), 0),
    ((UDP,), (V4,), IP, socket.IP_MULTICAST_TTL, (7, -1, 256), 0),
    ((UDP,), (V4,), IP, socket.IP_MULTICAST_LOOP, FLAG[:3], 0),
    ((UDP,), (V4,), IP, socket.IP_MULTICAST_IF, (socket.inet_aton("127.0.0.1"),), 4),
    ((UDP,), (V6,), IP6, socket.IPV6_MULTICAST_IF, (1, 0, 99), 0),
    ((UDP,), (V6,), IP6, socket.IPV6_MULTICAST_HOPS, (7, -1), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_NODELAY, FLAG[:3], 0),
    ((TCP,), FAMILIES, L4, socket.TCP_CORK, FLAG[:3], 0),
    ((TCP,), FAMILIES, L4, socket.TCP_KEEPIDLE, (30, 0, 40_000), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_KEEPINTVL, (5, 0, 40_000), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_KEEPCNT, (3, 0, 128), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_USER_TIMEOUT, (1500, 0), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_SYNCNT, (3, 0, 128), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_LINGER2, (3, 0, -5, 1000), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_NOTSENT_LOWAT, (16_384, 0, -1), 0),
    ((UDP,), FAMILIES, L4, socket.TCP_NODELAY, (1,), 0),
]


def outcomes(made: socket.socket, row: Row) -> list[Any]:
    """Return what an option is, and what it becomes with each value, or the names of errors."""

    def read() -> Any:
        try:
            value = made.getsockopt(level, option, size) if size else made.getsockopt(level, option)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return value

    _, _, level, option, values, size = row
    found = [read()]
    for value in values:
        try:
            made.setsockopt(level, option, value)
        except OSError as error:
            found.append(errno.errorcode[error.errno or 0])
        found.append(read())
    return found


def opened(kind: int, family: int) -> socket.socket:
    """Return a socket of the stack."""
    return (StreamSocket if kind == TCP else DatagramSocket)(family=family)


@pytest.fixture
def pair(running: Home) -> Iterator[tuple[StreamSocket, StreamSocket]]:
    """Return a listening socket and one that is connected to it."""
    with StreamSocket() as listener, StreamSocket() as client:
        listener.bind(("127.0.0.1", 8080))
        listener.listen()
        client.connect(("127.0.0.1", 8080))
        yield listener, client


def test_options_are_those_of_the_kernel(running: Home) -> None:
    differ = []
    for row in ROWS:
        for kind in row[0]:
            for family in row[1]:
                with opened(kind, family) as ours, socket.socket(family, kind) as kernels:
                    found = outcomes(ours, row), outcomes(kernels, row)
                if found[0] != found[1]:
                    differ.append((kind, family, row[2:5], *found))
    assert not differ, "\n".join(map(str, differ))


# --- time limits ----------------------------------------------------------------------------------

SOON = struct.pack("ll", 0, 30_000)


def waits(call: Any) -> str:
    """Return the error of a call that gives up after the time that was set."""
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def test_a_blocking_call_waits_as_long_as_so_rcvtimeo_says(
    pair: tuple[StreamSocket, StreamSocket],
) -> None:
    listener, client = pair
    listener.setsockopt(SOL, socket.SO_RCVTIMEO, SOON)
    server, _ = listener.accept()
    with server, DatagramSocket() as datagrams:
        assert waits(listener.accept) == "EAGAIN"
        limits = [each.getsockopt(SOL, socket.SO_RCVTIMEO, 16) for each in (listener, server)]
        assert limits[0] == limits[1] != bytes(16)
        for each in (client, datagrams):
            each.setsockopt(SOL, socket.SO_RCVTIMEO, SOON)
        for each in (server, client, datagrams):
            assert waits(lambda each=each: each.recv(1)) == "EAGAIN"
        client.sendall(b"xyz")
        assert [server.recv(1), server.recv(2)] == [b"x", b"yz"]
        assert waits(lambda: server.recv_into(bytearray(1))) == "EAGAIN"
        client.settimeout(0.05)  # that of Python comes first
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.setsockopt(SOL, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
        client.settimeout(None)
        server.sendall(b"later")
        assert client.recv(9) == b"later"


def test_a_blocking_call_waits_as_long_as_so_sndtimeo_says(
    running: Home, pair: tuple[StreamSocket, StreamSocket]
) -> None:
    running.env("link", "add", "c0", "type", "cable", "name", "c1", check=True)
    running.env("addr", "add", "198.51.100.1/24", "dev", "c0", check=True)
    _, client = pair
    with StreamSocket() as lost:
        for each in (client, lost):
            each.setsockopt(SOL, socket.SO_SNDTIMEO, SOON)
        assert waits(lambda: lost.connect(("198.51.100.9", 7))) == "EINPROGRESS"

        def flood() -> None:
            while True:
                client.send(bytes(1 << 20))

        assert waits(flood) == "EAGAIN"


def test_recv_waits_for_as_much_as_so_rcvlowat_says(
    pair: tuple[StreamSocket, StreamSocket],
) -> None:
    listener, client = pair
    server, _ = listener.accept()
    with server:
        server.setsockopt(SOL, socket.SO_RCVLOWAT, 10)
        server.setsockopt(SOL, socket.SO_RCVTIMEO, SOON)
        client.sendall(b"12345")
        client.sendall(b"67890")
        assert server.recv(20) == b"1234567890"
