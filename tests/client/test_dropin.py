"""The module socket when it opens sockets of a stack, in this process."""

import errno
import os
import pickle
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smolctl.client import DatagramSocket, StreamSocket, dropin, patch, stop_daemon
from tests.kit.home import Home

INET, INET6, STREAM, DGRAM = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
HERE = ("127.0.0.1", 8080)


@pytest.fixture
def patched(running: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the module be patched for one test."""
    for name in dropin._REPLACED:
        monkeypatch.setattr(socket, name, getattr(socket, name))
    bases = ssl.SSLSocket.__bases__
    patch()
    yield
    patch()  # a test may have chosen another stack
    ssl.SSLSocket.__bases__ = bases


@pytest.mark.usefixtures("patched")
def test_which_sockets_are_the_stacks() -> None:
    for args in ((), (INET,), (INET6, STREAM), (INET, STREAM, socket.IPPROTO_TCP)):
        with socket.socket(*args) as made:
            assert isinstance(made, StreamSocket)
            assert isinstance(made, socket.socket)
            assert (made.family, made.type) == ((*args, INET)[0], STREAM)
    for proto in (0, socket.IPPROTO_UDP):
        with socket.socket(INET6, DGRAM | socket.SOCK_NONBLOCK, proto) as made:
            assert isinstance(made, DatagramSocket)
            assert isinstance(made, socket.socket)
            assert made.gettimeout() == 0
    with socket.socket(socket.AF_UNIX, DGRAM) as kernels:
        with pytest.raises(TypeError, match="cannot pickle 'socket'"):
            pickle.dumps(kernels)
        assert isinstance(kernels, socket.socket)
        assert not isinstance(kernels, StreamSocket | DatagramSocket)
    one, other = socket.socketpair()
    with one, other:
        one.send(b"x")
        assert other.recv(1) == b"x"
        with socket.socket(fileno=os.dup(one.fileno())) as again:
            assert (again.family, again.send(b"y")) == (socket.AF_UNIX, 1)


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize(
    ("args", "name", "text"),
    [
        ((socket.AF_PACKET, socket.SOCK_RAW), "EAFNOSUPPORT", "smolctl capture"),
        ((INET, socket.SOCK_RAW, socket.IPPROTO_TCP), "EPROTONOSUPPORT", "no raw sockets"),
        ((INET6, DGRAM, socket.IPPROTO_ICMPV6), "EPROTONOSUPPORT", "smolctl ping"),
        ((INET, socket.SOCK_SEQPACKET), "EPROTONOSUPPORT", "none of type 5"),
        ((INET, STREAM, 262), "EPROTONOSUPPORT", "protocol 262"),
    ],
)
def test_sockets_that_a_stack_has_not(args: tuple[int, ...], name: str, text: str) -> None:
    with pytest.raises(OSError, match=text) as caught:
        socket.socket(*args)
    assert errno.errorcode[caught.value.errno or 0] == name


class Own(socket.socket):
    """A class of a program's own, made before the module was patched."""


@pytest.mark.usefixtures("patched")
def test_a_class_of_a_programs_own() -> None:
    class Mine(socket.socket):
        def __init__(self, peer: tuple[str, int]) -> None:
            super().__init__(INET, STREAM)
            self._peer, self._lock, self._connected = peer, "mine", "mine"

        def go(self) -> None:
            self.connect(self._peer)

        def recv(self, size: int, flags: int = 0) -> bytes:
            return super().recv(size, flags).upper()

    with socket.create_server(HERE) as listener, Mine(HERE) as mine:
        mine.go()
        server, peer = listener.accept()
        with server:
            assert type(server) is not type(mine)
            assert peer == mine.getsockname()
            server.sendall(b"hello")
            assert mine.recv(5) == b"HELLO"
            assert (type(mine).__name__, mine._lock, mine._connected) == ("Mine", "mine", "mine")

    class Narrow(socket.socket):
        __slots__ = ("mine",)
        mine: int

    with Narrow(INET6, DGRAM) as narrow:
        narrow.mine = 1
        narrow.bind(("localhost", 7))
        assert isinstance(narrow, Narrow | DatagramSocket)
        assert type(narrow).__name__ == "Narrow"
    with Own(socket.AF_INET, DGRAM) as kernels:  # its base was the kernel's
        assert not isinstance(kernels, DatagramSocket)


@pytest.mark.usefixtures("patched")
def test_functions_of_the_module(tmp_path: Path) -> None:
    assert socket.has_dualstack_ipv6()
    socket.setdefaulttimeout(7)
    try:
        with socket.socket() as one, socket.socket(INET, DGRAM) as other:
            assert (one.gettimeout(), other.gettimeout()) == (7, 7)
    finally:
        socket.setdefaulttimeout(None)
    with socket.create_server(("", 80), family=INET6, dualstack_ipv6=True) as listener:
        for host in ("localhost", "127.0.0.1", "::1"):
            with socket.create_connection((host, 80), timeout=10) as client:
                server, peer = listener.accept()
                assert peer[1] == client.getsockname()[1]
                server.close()
    with pytest.raises(socket.gaierror, match="does not look up names"):
        socket.create_connection(("nobody.test", 80))
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    assert socket.getfqdn("127.0.0.1") == "localhost"
    assert socket.if_nameindex() == [(1, "lo")]
    assert (socket.if_nametoindex("lo"), socket.if_indextoname(1)) == (1, "lo")
    with pytest.raises(OSError, match='no interface "eth0"'):
        socket.if_nametoindex("eth0")
    with pytest.raises(OSError, match="number 7"):
        socket.if_indextoname(7)


@pytest.fixture
def pair(patched: None) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return the two ends of a connection."""
    with socket.create_server(HERE) as listener, socket.create_connection(HERE, 10) as client:
        server, _ = listener.accept()
        with server:
            yield client, server


def test_what_else_is_done_with_a_connection(
    pair: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    client, server = pair
    (tmp_path / "file").write_bytes(b"of a file")
    with (tmp_path / "file").open("rb") as file:
        assert client.sendfile(file, 3) == 6
    assert server.recvmsg(100) == (b"a file", [], 0, None)
    buffer = bytearray(3)
    client.sendall(b"abc")
    assert server.recvmsg_into([b"", buffer]) == (3, [], 0, None)
    assert server.recvmsg_into([]) == (0, [], 0, None)
    assert buffer == b"abc"
    with socket.fromfd(client.fileno(), INET, STREAM) as again:
        assert again.getpeername() == HERE
        again.sendall(b"again")
        assert server.recv(100) == b"again"
    moved = socket.socket(fileno=client.fileno())
    client.detach()
    with moved:
        assert moved.getpeername() == HERE
        moved.shutdown(socket.SHUT_WR)
        assert server.recv(100) == b""
    server.shutdown(socket.SHUT_WR)
    with (tmp_path / "file").open("rb") as file, pytest.raises(BrokenPipeError):
        server.sendfile(file)


def tls(protocol: int) -> ssl.SSLContext:
    """Return a context that needs no certificate."""
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("connected", [True, False])
def test_ssl(connected: bool) -> None:
    told: list[Any] = []

    def serve() -> None:
        server, _ = listener.accept()
        with server:
            told.extend((server.getsockname(), server.recv(100)))
            server.sendall(b"over")

    plain = socket.create_server(HERE)
    listener = tls(ssl.PROTOCOL_TLS_SERVER).wrap_socket(plain, server_side=True)
    with listener:
        thread = threading.Thread(target=serve)
        thread.start()
        opened = socket.socket()
        opened.settimeout(10)
        if connected:
            opened.connect(HERE)
        with tls(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(opened) as client:
            if not connected:
                client.connect(HERE)
            assert isinstance(client, ssl.SSLSocket)
            assert (client.getpeername(), client.gettimeout(), opened.fileno()) == (HERE, 10, -1)
            assert client.cipher() is not None
            client.sendall(b"hello")
            assert client.recv(100) == b"over"
        thread.join()
    assert told == [HERE, b"hello"]


@pytest.mark.usefixtures("patched")
def test_a_stack_that_is_gone_is_a_network_that_is_down(home: Home) -> None:
    patch("default", start=False)
    with socket.socket(INET, DGRAM) as made:
        made.bind(HERE)
    stop_daemon("default")
    for kind in (STREAM, DGRAM):
        with pytest.raises(OSError, match="is not running") as caught:
            socket.socket(INET, kind)
        assert caught.value.errno == errno.ENETDOWN
        assert "smolctl" in caught.value.__notes__[0]
    with pytest.raises(OSError, match="is not running"):
        socket.if_nameindex()
