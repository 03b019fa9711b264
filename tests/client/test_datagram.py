"""The stack's sockets in this process, on daemons of its own."""

import errno
import os
import select
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl import client as package
from smolctl.client import Client, DatagramSocket, stop_daemon
from smolctl.errors import ClientError
from tests.kit.amount import examples
from tests.kit.home import Home
from tests.kit.process import PATIENCE_SECONDS, wait_until

Make = Callable[[], DatagramSocket]
HERE = ("127.0.0.1", 7)
NOBODY = ("127.0.0.1", 9)
AWAY = ("192.0.2.1", 9)


@pytest.fixture
def make(running: Home) -> Iterator[Make]:
    """Open sockets that wait for at most ten seconds, and close them."""
    with ExitStack() as stack:

        def one() -> DatagramSocket:
            made = stack.enter_context(DatagramSocket())
            made.settimeout(PATIENCE_SECONDS)
            return made

        yield one


def error_of(action: Callable[[], object]) -> str:
    """Return the name of the errno that an action ends with."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the caller compares its errno
        action()
    return errno.errorcode[caught.value.errno or 0]


def test_an_unknown_name_of_the_package_is_an_error() -> None:
    with pytest.raises(AttributeError):
        _ = package.nothing


def test_there_and_back(make: Make) -> None:
    server, client = make(), make()
    kind = socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP
    assert (server.family, server.type, server.proto) == kind
    assert server.getsockname() == ("0.0.0.0", 0)
    server.bind(HERE)
    assert server.getsockname() == HERE
    assert client.sendto(b"x", HERE) == 1
    assert client.sendto(bytearray(b"yy"), 0, HERE) == 2
    data, sender = server.recvfrom(65535)
    assert (data, sender) == (b"x", ("127.0.0.1", client.getsockname()[1]))
    assert server.recv(1) == b"y"
    server.connect(sender)
    assert server.getpeername() == sender
    assert server.send(memoryview(b"answer")) == 6
    assert client.recv(3, socket.MSG_PEEK) == b"ans"
    assert client.recvfrom(100) == (b"answer", HERE)
    assert repr(server).startswith("<DatagramSocket stack='default' local=('127.0.0.1', 7) peer=")


def test_the_other_calls_of_a_socket(make: Make) -> None:
    server, client = make(), make()
    server.bind(HERE)
    assert isinstance(server, socket.socket)
    assert client.connect_ex(HERE) == 0
    client.sendall(b"abcdef")
    assert client.sendmsg([b"gh", bytearray(b"i")]) == 3
    assert client.sendmsg([b"j"], [], 0, HERE) == 1
    name, buffer = client.getsockname(), bytearray(4)
    assert server.recvfrom_into(buffer, 0, socket.MSG_PEEK) == (4, name)
    assert server.recvmsg(4, 0, socket.MSG_PEEK) == (b"abcd", [], socket.MSG_TRUNC, name)
    parts = bytearray(2), bytearray(9)
    assert server.recvmsg_into(parts) == (6, [], 0, name)
    assert b"".join(parts) == b"abcdef" + bytes(5)
    assert server.recv_into(buffer, 2) == 2
    assert buffer == b"ghcd"
    assert server.recvmsg(100) == (b"j", [], 0, name)
    assert error_of(lambda: server.recvmsg(1, 0, socket.MSG_ERRQUEUE)) == "EAGAIN"
    assert error_of(lambda: client.sendmsg([b"x"], [(0, 0, b"")])) == "EINVAL"
    for action in (server.listen, server.accept, server.dup):
        assert error_of(action) in ("EOPNOTSUPP", "ENOTSUP")
    with client.makefile("wb") as file:
        file.write(b"of a file")
    assert server.recv(100) == b"of a file"


@pytest.mark.parametrize("connected", [True, False])
def test_shutdown(make: Make, connected: bool) -> None:
    one = make()
    if connected:
        one.connect(HERE)
        one.shutdown(socket.SHUT_WR)
    else:
        assert error_of(lambda: one.shutdown(socket.SHUT_WR)) == "ENOTCONN"
    assert error_of(lambda: one.sendto(b"x", HERE)) == "EPIPE"
    told: list[bytes] = []
    waiting = threading.Thread(target=lambda: told.append(one.recv(1)))
    waiting.start()
    with nullcontext() if connected else pytest.raises(OSError, match=r"\[Errno 107\]"):
        one.shutdown(socket.SHUT_RD)
    waiting.join()
    assert told == [b""]
    assert one.recv(1) == b""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_socket_that_is_forgotten_gives_its_port_back(make: Make, home: Home) -> None:
    forgotten = DatagramSocket()
    forgotten.bind(HERE)
    del forgotten
    wait_until(lambda: not home.connect().call("socket.show"), "the port to be free")


def test_a_child_sends_by_its_parents_socket(make: Make) -> None:
    server, client = make(), make()
    server.bind(HERE)
    client.sendto(b"x", HERE)
    _, sender = server.recvfrom(100)
    child = os.fork()
    if child == 0:
        try:
            server.sendto(b"from the child", sender)
            refused = error_of(lambda: server.connect(sender)) == "ENOTCONN"
            server.close()
        finally:
            os._exit(not refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.recv(100) == b"from the child"
    server.sendto(b"from the parent", sender)
    assert client.recv(100) == b"from the parent"


def test_names_of_addresses(make: Make) -> None:
    server = make()
    server.bind(("", 7))
    assert server.getsockname() == ("0.0.0.0", 7)
    other = make()
    with pytest.raises(socket.gaierror, match="does not look up names"):
        other.sendto(b"x", ("nobody.test", 7))
    with pytest.raises(OverflowError):
        other.bind(("", 65536))
    with pytest.raises(TypeError):
        other.sendto("text", HERE)


def test_errors_are_those_of_linux(make: Make) -> None:
    taken, one = make(), make()
    taken.bind(HERE)
    assert error_of(lambda: one.bind(HERE)) == "EADDRINUSE"
    assert error_of(lambda: one.bind(("10.0.0.1", 7))) == "EADDRNOTAVAIL"
    assert error_of(lambda: taken.bind(NOBODY)) == "EINVAL"
    assert error_of(lambda: one.send(b"x")) == "EDESTADDRREQ"
    assert error_of(one.getpeername) == "ENOTCONN"
    assert error_of(lambda: one.sendto(b"x", ("127.255.255.255", 7))) == "EACCES"
    for size in (65_508, 131_500, 1_000_000):
        assert error_of(lambda size=size: one.sendto(bytes(size), HERE)) == "EMSGSIZE"  # type: ignore[misc]
    for _ in range(2):
        assert error_of(lambda: one.sendto(b"x", AWAY)) == "ENETUNREACH"
    assert error_of(lambda: one.connect(AWAY)) == "ENETUNREACH"
    assert error_of(one.getpeername) == "ENOTCONN"
    one.sendto(b"x", HERE)
    assert taken.recv(10) == b"x"


def test_an_error_says_what_helps(make: Make) -> None:
    with pytest.raises(OSError, match="no route to 192") as caught:
        make().sendto(b"x", AWAY)
    assert "smolctl" in caught.value.__notes__[0]
    with pytest.raises(PermissionError) as denied:
        make().sendto(b"x", ("127.255.255.255", 7))
    assert "SO_BROADCAST" in denied.value.__notes__[0]


@pytest.mark.parametrize("raised_by", ["recv", "send", "getsockopt"])
def test_a_connected_socket_is_refused(make: Make, raised_by: str) -> None:
    one = make()
    one.connect(NOBODY)
    one.send(b"x")
    if raised_by == "recv":
        assert error_of(lambda: one.recv(1)) == "ECONNREFUSED"
    else:
        assert select.select([one], [], [], 10)[0]
        if raised_by == "send":
            assert error_of(lambda: one.send(b"y")) == "ECONNREFUSED"
        else:
            number = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            assert number == errno.ECONNREFUSED
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    one.settimeout(0)
    assert error_of(lambda: one.recv(1)) == "EAGAIN"


def test_options(make: Make) -> None:
    one = make()
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 212_992
    assert one.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 64
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 0
    own = socket.SOL_SOCKET, socket.SO_TYPE
    assert one.getsockopt(*own) == socket.SOCK_DGRAM
    assert one.getsockopt(*own, 4) == struct.pack("i", socket.SOCK_DGRAM)
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL) == socket.IPPROTO_UDP
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1000)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 7)
    one.bind(HERE)
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2304
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 1
    with Client.connect() as client:
        (row,) = client.call("socket.show")
    assert (row["rcvbuf"], row["dev"], row["pid"]) == (2304, "lo", os.getpid())
    sndbuf = socket.SOL_SOCKET, socket.SO_SNDBUF
    usual = one.getsockopt(*sndbuf)
    one.setsockopt(*sndbuf, 1)
    assert one.sendto(bytes(65_507), HERE) == 65_507
    assert one.getsockopt(*sndbuf) == min(usual, 212_992)
    unknown = socket.SOL_SOCKET, socket.SO_DONTROUTE
    assert error_of(lambda: one.getsockopt(*unknown)) == "ENOPROTOOPT"
    assert error_of(lambda: one.setsockopt(*unknown, 1)) == "ENOPROTOOPT"
    assert error_of(lambda: one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 999)) == "EINVAL"


def test_waiting(make: Make) -> None:
    one = make()
    one.bind(HERE)
    one.setblocking(False)
    assert one.gettimeout() == 0
    with pytest.raises(BlockingIOError):
        one.recv(1)
    one.settimeout(0.01)
    with pytest.raises(TimeoutError):
        one.recv_many(5)
    one.setblocking(True)
    assert one.gettimeout() is None
    with pytest.raises(BlockingIOError):
        one.recv(1, socket.MSG_DONTWAIT)
    client = make()
    timer = threading.Timer(0.01, lambda: client.sendto(b"late", HERE))
    timer.start()
    assert one.recv(10) == b"late"
    timer.join()


def test_the_descriptor_is_readable_until_the_last_datagram_is_taken(make: Make) -> None:
    server, client = make(), make()
    server.bind(HERE)
    client.connect(HERE)
    client.send_many([b"%d" % number for number in range(100)])
    got = []
    for _ in range(100):
        assert select.select([server], [], [], 10)[0]
        got.append(server.recv(10))
    assert got == [b"%d" % number for number in range(100)]
    assert not select.select([server], [], [], 0)[0]
    assert select.select([], [server], [], 0)[1]


@pytest.mark.parametrize("more", [0, 3], ids=["no more", "and more come"])
def test_a_descriptor_that_is_asked_for_amid_a_batch_is_readable_to_its_end(
    make: Make, more: int
) -> None:
    server, client = make(), make()
    server.bind(HERE)
    client.connect(HERE)
    client.send(b"0")
    assert server.recv(10) == b"0"
    client.send_many([b"%d" % number for number in range(1, 50)])
    got = [server.recv(10)]  # nobody has the descriptor, so all of the batch are taken from it
    server.fileno()
    client.send_many([b"%d" % number for number in range(50, 50 + more)])
    while len(got) < 49 + more:
        assert select.select([server], [], [], PATIENCE_SECONDS)[0]
        got.append(server.recv(10))
    assert got == [b"%d" % number for number in range(1, 50 + more)]
    assert not select.select([server], [], [], 0)[0]
    client.send(b"last")
    assert select.select([server], [], [], PATIENCE_SECONDS)[0]
    assert server.recv_many(9) == [(b"last", client.getsockname())]
    assert not select.select([server], [], [], 0)[0]


def test_the_descriptor_is_had_while_another_thread_waits(make: Make) -> None:
    server, client = make(), make()
    server.bind(HERE)
    client.connect(HERE)
    got: list[bytes] = []
    waiting = threading.Thread(target=lambda: got.append(server.recv(10)))
    waiting.start()
    assert server.fileno() >= 0
    client.send_many([b"1", b"2"])
    waiting.join()
    assert got == [b"1"]
    assert select.select([server], [], [], PATIENCE_SECONDS)[0]
    assert server.recv(10) == b"2"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DatagramSocket, ...]]:
    """Two sockets for many examples, on a stack that lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("pair")))
        with DatagramSocket() as server, DatagramSocket() as client:
            for one in (server, client):
                one.settimeout(PATIENCE_SECONDS)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000_000)
            server.bind(HERE)
            client.connect(HERE)
            yield server, client
        stop_daemon()


SIZES = st.one_of(st.integers(0, 100), st.integers(1400, 1500), st.integers(65_000, 65_507))


@examples(40, times=0.1)
@given(
    sizes=st.lists(SIZES, min_size=1, max_size=30),
    at_once=st.booleans(),
    take=st.integers(1, 40),
)
def test_what_goes_in_comes_out_in_order(
    pair: tuple[DatagramSocket, ...], sizes: list[int], at_once: bool, take: int
) -> None:
    server, client = pair
    payloads = [bytes((number % 251,)) * size for number, size in enumerate(sizes)]
    if at_once:
        assert client.send_many(payloads) == len(payloads)
    else:
        for payload in payloads:
            assert client.send(payload) == len(payload)
    got: list[bytes] = []
    while len(got) < len(payloads):
        if take == 1:
            got.append(server.recv(65535))
        else:
            some = server.recv_many(take)
            assert 1 <= len(some) <= take
            got += [data for data, _ in some]
    assert got == payloads
    assert not select.select([server], [], [], 0)[0]


def test_send_many_tells_how_many_were_sent(make: Make) -> None:
    server, client = make(), make()
    server.bind(HERE)
    payloads = [b"a", b"b", bytes(70_000), b"c"]
    assert client.send_many(payloads, HERE) == 2
    assert error_of(lambda: client.send_many(payloads[2:], HERE)) == "EMSGSIZE"
    assert [data for data, _ in server.recv_many(1) + server.recv_many(1)] == [b"a", b"b"]
    assert error_of(lambda: client.send_many([b"x"])) == "EDESTADDRREQ"
    assert client.send_many([], HERE) == 0


def test_a_flood_waits_in_its_own_send(make: Make) -> None:
    server, client = make(), make()
    server.bind(HERE)
    client.connect(HERE)
    client.send(b"x")
    with Client.connect() as control:
        pid = control.pid
    os.kill(pid, signal.SIGSTOP)  # a stack that takes nothing
    try:
        client.settimeout(0)
        sent = 0
        with suppress(BlockingIOError):
            while sent < 100_000:
                sent += client.send(bytes(1000)) > 0
        assert 10 < sent < 1000
        assert not select.select([], [client], [], 0)[1]
        assert error_of(lambda: client.send_many([bytes(1000)] * 10)) == "EAGAIN"
        client.settimeout(0.01)
        with pytest.raises(TimeoutError):
            client.send(b"x")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert select.select([], [client], [], 10)[1]
    client.send(b"last")
    got = [server.recv(2000) for _ in range(sent + 2)]
    assert [len(data) for data in got] == [1, *[1000] * sent, 4]


def test_datagrams_of_a_socket_that_is_closed_at_once_arrive(make: Make) -> None:
    server = make()
    server.bind(HERE)
    with DatagramSocket() as client:
        client.sendto(b"0", HERE)
        for number in range(1, 100):
            client.sendto(b"%d" % number, HERE)
    got: list[bytes] = []
    while len(got) < 100:
        got += [data for data, _ in server.recv_many(100)]
    assert got == [b"%d" % number for number in range(100)]


def test_closing_gives_the_port_back_at_once(make: Make) -> None:
    for _ in range(20):
        with DatagramSocket() as one:
            one.bind(HERE)
        assert one.fileno() == -1
        assert error_of(lambda one=one: one.recv(1)) == "EBADF"  # type: ignore[misc]


def test_the_end_of_the_stack_is_an_error(make: Make) -> None:
    one = make()
    one.connect(NOBODY)
    one.settimeout(PATIENCE_SECONDS)
    threading.Timer(0.01, stop_daemon).start()
    assert error_of(lambda: one.recv(1)) == "ECONNRESET"
    assert error_of(lambda: one.send(b"x")) == "ECONNRESET"
    assert error_of(lambda: one.send_many([b"x"])) == "ECONNRESET"
    assert error_of(lambda: one.bind(HERE)) == "ECONNRESET"


def test_one_thread_sends_while_another_receives(make: Make) -> None:
    server, client = make(), make()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000_000)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000_000)
    server.bind(HERE)
    client.connect(HERE)
    payloads = [b"%d" % number for number in range(3000)]

    def echo() -> None:
        for _ in payloads:
            server.sendto(*server.recvfrom(100))

    got: list[bytes] = []
    threads = [
        threading.Thread(target=echo),
        threading.Thread(target=lambda: got.extend(client.recv(100) for _ in payloads)),
    ]
    for thread in threads:
        thread.start()
    for payload in payloads:
        client.send(payload)
    for thread in threads:
        thread.join()
    assert got == payloads


def test_a_hundred_sockets_at_once(make: Make, home: Home) -> None:
    sockets = [make() for _ in range(100)]
    for number, one in enumerate(sockets):
        one.bind(("127.0.0.1", 10_000 + number))
    for number, one in enumerate(sockets):
        one.sendto(b"%d" % number, ("127.0.0.1", 10_000 + (number + 1) % 100))
    for number, one in enumerate(sockets):
        assert one.recv(10) == b"%d" % ((number - 1) % 100)
    with Client.connect() as client:
        assert len(client.call("socket.show")) == 100
        for one in sockets:
            one.close()
        wait_until(lambda: not client.call("socket.show"), "the sockets to be closed")
        wait_until(lambda: client.call("stack.status")[0]["clients"] == 1, "the clients to go")


# --- opening --------------------------------------------------------------------------------------


def test_a_stack_that_is_not_running(home: Home) -> None:
    with pytest.raises(ClientError) as caught:
        DatagramSocket("lab", start=False)
    assert caught.value.code == "not-running"


def test_the_environment_names_the_stack(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMOLCTL_STACK", "lab")
    with DatagramSocket() as one:
        assert one.stack == "lab"
        with pytest.raises(OSError, match="no route") as caught:
            one.sendto(b"x", AWAY)
    assert "smolctl -n lab " in caught.value.__notes__[0]


def test_an_older_daemon_has_no_sockets(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smolctl.control.channel.VERSION", 99)
    with pytest.raises(package.RemoteError) as caught:
        DatagramSocket()
    assert caught.value.code == "version-mismatch"
