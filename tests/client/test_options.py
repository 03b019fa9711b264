"""Options of sockets of the stack and of the kernel: what they are, and what they become."""

import errno
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from smolctl.client import DatagramSocket, StreamSocket
from smolctl.client.options import IP_MTU, IP_RECVERR, IPV6_MTU
from tests.kit.home import Home
from tests.kit.process import PATIENCE_SECONDS, wait_until

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
    (BOTH, FAMILIES, SOL, socket.SO_RCVBUF, (10_000, 1), 0),
    (BOTH, FAMILIES, SOL, socket.SO_BINDTODEVICE, (b"lo\0", b"nix\0", b"lo", b""), 16),
    ((UDP,), FAMILIES, IP, IP_RECVERR, FLAG[:3], 0),
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
    ((TCP,), FAMILIES, L4, socket.TCP_QUICKACK, FLAG[:3], 0),
    ((TCP,), FAMILIES, L4, socket.TCP_MAXSEG, (1000, 10, 88, 32_767, 32_768), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_KEEPIDLE, (30, 0, 40_000), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_KEEPINTVL, (5, 0, 40_000), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_KEEPCNT, (3, 0, 128), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_USER_TIMEOUT, (1500, 0), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_SYNCNT, (3, 0, 128), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_LINGER2, (3, 0, -5, 1000), 0),
    ((TCP,), FAMILIES, L4, socket.TCP_NOTSENT_LOWAT, (16_384, 0, -1), 0),
    ((UDP,), FAMILIES, L4, socket.TCP_NODELAY, (1,), 0),
    (BOTH, FAMILIES, IP, IP_MTU, (1500,), 0),
    (BOTH, (V6,), IP6, IPV6_MTU, (), 0),
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


MISSING = [
    (SOL, socket.SO_DONTROUTE, "SOL_SOCKET, SO_DONTROUTE"),
    (L4, socket.TCP_FASTOPEN, "IPPROTO_TCP, TCP_FASTOPEN"),
    (IP, 15, "IPPROTO_IP, 15"),
    (IP6, 99, "IPPROTO_IPV6, 99"),
    (99, 1, "99, 1"),
]


def test_an_option_that_a_stack_has_not_is_named(running: Home) -> None:
    for kind in BOTH:
        with opened(kind, V6) as made:
            for level, option, shown in MISSING:
                with pytest.raises(OSError, match=rf"\({shown}\)") as caught:
                    made.setsockopt(level, option, 1)
                assert caught.value.errno == errno.ENOPROTOOPT


# --- time limits ----------------------------------------------------------------------------------

SOON, LATER = struct.pack("ll", 0, 30_000), struct.pack("ll", 40, 0)


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
    assert select.select([listener], [], [], PATIENCE_SECONDS)[0]
    server, _ = listener.accept()
    with server, DatagramSocket() as datagrams:
        assert waits(listener.accept) == "EAGAIN"
        limits = [each.getsockopt(SOL, socket.SO_RCVTIMEO, 16) for each in (listener, server)]
        assert limits[0] == limits[1] != bytes(16)
        for each in (client, datagrams):
            each.setsockopt(SOL, socket.SO_RCVTIMEO, SOON)
        for each in (server, client, datagrams):
            assert waits(lambda each=each: each.recv(1)) == "EAGAIN"
        server.setsockopt(SOL, socket.SO_RCVTIMEO, LATER)
        client.sendall(b"xyz")
        assert [server.recv(1), server.recv(2)] == [b"x", b"yz"]
        server.setsockopt(SOL, socket.SO_RCVTIMEO, SOON)
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


def test_a_connected_socket_tells_its_path_mtu(pair: tuple[StreamSocket, StreamSocket]) -> None:
    _, client = pair
    assert client.getsockopt(IP, IP_MTU) == 65_535
    for family, host, option in ((V4, "127.0.0.1", (IP, IP_MTU)), (V6, "::1", (IP6, IPV6_MTU))):
        with DatagramSocket(family=family) as ours, socket.socket(family, UDP) as kernels:
            for each in (ours, kernels):
                each.connect((host, 9))
            assert ours.getsockopt(*option) == kernels.getsockopt(*option)


def test_recv_waits_for_as_much_as_so_rcvlowat_says(
    pair: tuple[StreamSocket, StreamSocket],
) -> None:
    listener, client = pair
    server, _ = listener.accept()
    with server:
        server.setsockopt(SOL, socket.SO_RCVLOWAT, 10)
        client.sendall(b"12345")
        client.sendall(b"67890")
        assert server.recv(20) == b"1234567890"


# --- TCP_INFO -------------------------------------------------------------------------------------

_INFO = struct.Struct("=8B24I4Q6I4Q2I2Q6I2HI")
_ALIKE = (*range(6), *range(12, 17), 21, 25, 27, 28, 31, 35, 38, 40, 41, 48, 49, 50, 51, 52)
"""Places of fields that have the same values in the same dialog: states, options, what is in
flight, path MTU, threshold, MSS that was told, what was sent, sent again and received."""
_UNACKED = 12


def infos(make: Any) -> list[list[int]]:
    """Return the information about a dialog: who listens, before and after, then both ends."""

    def told(made: socket.socket) -> list[int]:
        return list(_INFO.unpack(made.getsockopt(L4, socket.TCP_INFO, _INFO.size)))

    with make() as listener, make() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        client.connect(listener.getsockname())
        wait_until(lambda: told(listener)[_UNACKED] == 1, "the connection to be in the backlog")
        found = [told(listener)]
        server, _ = listener.accept()
        with server:
            for source, sink, size in ((client, server, 1000), (server, client, 500)):
                source.sendall(bytes(size))
                assert len(sink.recv(2000)) == size
            wait_until(lambda: not told(server)[_UNACKED], "the last acknowledgment")
            return [*found, told(listener), told(client), told(server)]


def test_tcp_info_is_that_of_the_kernel_in_the_same_dialog(running: Home) -> None:
    ours, kernels = infos(StreamSocket), infos(socket.socket)
    for own, kernel in zip(ours, kernels, strict=True):
        assert [own[place] for place in _ALIKE] == [kernel[place] for place in _ALIKE]
    assert (ours[0][0], ours[0][12:14], ours[1][12:14]) == (10, [1, 5], [0, 5])
    client = ours[2]
    assert client[8] > 100_000  # the timeout, us
    assert 0 < client[23] < 1_000_000  # the round trip, us
    assert client[26] >= 2  # the congestion window, segments
    assert client[34] == 1000  # acknowledged


def test_gunicorn_reads_the_backlog(running: Home) -> None:
    with StreamSocket() as listener, ExitStack() as made:
        listener.bind(("127.0.0.1", 8080))
        listener.listen(5)
        for _ in range(3):
            made.enter_context(StreamSocket()).connect(("127.0.0.1", 8080))

        # As gunicorn.sock.TCPSocket.get_backlog has it.
        def backlog() -> int:
            info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
            return int(struct.unpack("B" * 8 + "I" * 24, info)[12])

        wait_until(lambda: backlog() == 3, "the connections to be in the backlog")
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO) == 10  # its first bytes
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\n"
