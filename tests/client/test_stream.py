"""The TCP sockets of a stack in this process, on daemons of its own."""

import errno
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smolctl.client import Client, StreamSocket, stop_daemon
from tests.kit.home import Home
from tests.kit.process import PATIENCE_SECONDS, wait_until

Make = Callable[..., StreamSocket]
HERE = ("127.0.0.1", 8080)
NOBODY = ("127.0.0.1", 9)
AWAY = ("192.0.2.1", 9)


@pytest.fixture
def make(running: Home) -> Iterator[Make]:
    """Open sockets that wait for at most ten seconds, and close them."""
    with ExitStack() as stack:

        def one(*args: Any, **more: Any) -> StreamSocket:
            made = stack.enter_context(StreamSocket(*args, **more))
            made.settimeout(PATIENCE_SECONDS)
            return made

        yield one


@pytest.fixture
def listener(make: Make) -> StreamSocket:
    made = make()
    made.bind(HERE)
    made.listen(16)
    return made


@pytest.fixture
def pair(make: Make, listener: StreamSocket) -> Iterator[tuple[StreamSocket, StreamSocket]]:
    """Return the two ends of a connection."""
    client = make()
    client.connect(HERE)
    server, _ = listener.accept()
    server.settimeout(PATIENCE_SECONDS)
    with server:
        yield client, server


def error_of(action: Callable[[], object]) -> str:
    """Return the name of the errno that an action ends with."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the caller compares its errno
        action()
    return errno.errorcode[caught.value.errno or 0]


def events(of: socket.socket) -> int:
    poll = select.poll()
    poll.register(of, select.POLLIN | select.POLLOUT)
    return sum(event for _, event in poll.poll(0))


# --- opening --------------------------------------------------------------------------------------


def test_there_and_back(make: Make, listener: StreamSocket) -> None:
    client = make()
    assert (client.family, client.type, client.proto) == (
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP,
    )  # fmt: skip
    assert client.getsockname() == ("0.0.0.0", 0)
    client.connect(HERE)
    server, peer = listener.accept()
    with server:
        assert peer == client.getsockname() == server.getpeername()
        assert server.getsockname() == client.getpeername() == HERE
        assert client.send(b"hello") == 5
        assert server.recv(3) == b"hel"
        assert server.recv(3, socket.MSG_PEEK) == b"lo"
        assert server.recvfrom(9) == (b"lo", None)
        server.sendall(bytearray(b"answer"))
        buffer = bytearray(6)
        assert client.recv_into(buffer) == 6
        assert buffer == b"answer"
        assert client.sendmsg([b"a", b"b"]) == 2
        assert client.sendto(b"c", HERE) == 1
        got = b""
        while len(got) < 3:
            got += server.recv(3)
        assert got == b"abc"
        assert "StreamSocket stack='default' local=('127.0.0.1', 8080) peer=" in repr(server)


def test_many_sockets_have_one_client(make: Make, listener: StreamSocket) -> None:
    made = [make() for _ in range(10)]
    for each in made:
        each.connect(HERE)
    taken = [listener.accept()[0] for _ in made]
    with Client.connect() as client:
        assert client.call("stack.status")[0]["clients"] == 2
    for each in (*taken, *made):
        each.close()


def test_the_last_socket_closes_the_connection_to_the_daemon(home: Home) -> None:
    for _ in range(2):
        with StreamSocket() as one, StreamSocket() as other:
            assert one.fileno() != other.fileno()
        wait_until(lambda: home.connect().call("stack.status")[0]["clients"] == 1, "it to leave")
        home.close()


@pytest.mark.parametrize(("to", "name"), [(NOBODY, "ECONNREFUSED"), (AWAY, "ENETUNREACH")])
def test_what_cannot_be_connected_to(make: Make, to: tuple[str, int], name: str) -> None:
    assert error_of(lambda: make().connect(to)) == name
    assert make().connect_ex(to) == getattr(errno, name)


def test_bad_addresses(make: Make) -> None:
    one = make()
    assert error_of(lambda: one.connect(("127.0.0.1", 0))) == "EINVAL"
    assert error_of(lambda: one.connect(("224.0.0.1", 7))) == "EINVAL"
    with pytest.raises(socket.gaierror, match="does not look up names"):
        one.connect(("nobody.test", 7))
    with pytest.raises(OverflowError):
        one.bind(("", 65536))
    assert error_of(lambda: one.bind(("192.0.2.1", 7))) == "EADDRNOTAVAIL"
    assert error_of(lambda: StreamSocket(family=socket.AF_UNIX)) == "EAFNOSUPPORT"


def test_a_port_is_bound_once_and_listened_at_once(make: Make, listener: StreamSocket) -> None:
    other = make()
    assert error_of(lambda: other.bind(HERE)) == "EADDRINUSE"
    assert error_of(lambda: listener.bind(HERE)) == "EINVAL"
    listener.listen(3)  # again sets the backlog
    other.listen()  # a port of its own
    assert other.getsockname()[1] not in (0, HERE[1])


def test_what_a_socket_is_not(make: Make, listener: StreamSocket) -> None:
    one = make()
    assert error_of(one.dup) in ("EOPNOTSUPP", "ENOTSUP")
    for action in (lambda: one.send(b"x"), lambda: one.recv(1), lambda: one.shutdown(1)):
        assert error_of(action) == "ENOTCONN"
    assert error_of(one.getpeername) == "ENOTCONN"
    assert error_of(one.accept) == "EINVAL"
    assert error_of(lambda: listener.connect(NOBODY)) == "EISCONN"
    one.connect(HERE)
    assert error_of(lambda: one.connect(HERE)) == "EISCONN"
    assert error_of(one.listen) == "EINVAL"


def test_a_connection_goes_on_until_its_last_socket_is_closed(
    home: Home, make: Make, listener: StreamSocket
) -> None:
    one = make()
    with listener.dup() as again:
        one.connect(HERE)
        server, _ = again.accept()
    with server, one.dup() as other:
        assert (other.getpeername(), other.gettimeout()) == (HERE, PATIENCE_SECONDS)
        one.close()
        one.close()
        other.sendall(b"still here")
        assert server.recv(100) == b"still here"
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert "killed" in home.env("socket", "kill", "dport", "8080", check=True).stdout
        assert error_of(lambda: other.recv(1)) == "ECONNABORTED"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_socket_that_is_forgotten_is_closed(make: Make, listener: StreamSocket) -> None:
    one = make()
    one.connect(HERE)
    server, _ = listener.accept()
    del server
    assert one.recv(1) == b""


def test_a_socket_that_does_not_block_is_writable_when_it_is_connected(
    home: Home, make: Make
) -> None:
    client = home.connect()
    client.call("link.add", name="wire", type="cable", cable="c1")
    client.call("addr.add", local="10.0.0.1/24", dev="wire")
    client.call("neigh.replace", dst="10.0.0.2", lladdr="02:00:00:00:00:02", dev="wire")
    one = make()
    one.setblocking(False)
    assert error_of(lambda: one.connect(("10.0.0.2", 7))) == "EINPROGRESS"
    assert error_of(lambda: one.connect(("10.0.0.2", 7))) == "EALREADY"
    assert not events(one)
    assert error_of(lambda: one.send(b"x")) == "EAGAIN"
    assert error_of(one.getpeername) == "ENOTCONN"
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    one.settimeout(0.01)
    with pytest.raises(TimeoutError):
        one.send(b"x")
    other = make()
    other.settimeout(0.01)
    with pytest.raises(TimeoutError):
        other.connect(("10.0.0.2", 7))


def test_a_connection_that_is_made_without_waiting(make: Make, listener: StreamSocket) -> None:
    one = make()
    one.setblocking(False)
    assert one.connect_ex(HERE) == errno.EINPROGRESS
    wait_until(lambda: bool(events(one) & select.POLLOUT), "the connection")
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert one.getpeername() == HERE
    with listener.accept()[0] as server:
        one.send(b"x")
        assert server.recv(9) == b"x", "what filled the buffer is not part of the stream"


def test_a_refusal_without_waiting(make: Make) -> None:
    one = make()
    one.setblocking(False)
    assert one.connect_ex(NOBODY) == errno.EINPROGRESS
    wait_until(lambda: bool(events(one)), "the refusal")
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert error_of(lambda: one.send(b"x")) == "EPIPE"
    assert one.recv(1) == b""


def test_what_a_failure_says(make: Make) -> None:
    with pytest.raises(ConnectionRefusedError, match="answered SYN with RST") as caught:
        make().connect(NOBODY)
    (note,) = caught.value.__notes__
    assert note == "what listens: smolctl socket show"


def test_the_backlog_counts_what_was_not_accepted(make: Make, home: Home) -> None:
    server = make()
    server.bind(HERE)
    server.listen(1)
    clients = [make() for _ in range(3)]
    for each in clients:
        each.setblocking(False)
        assert each.connect_ex(HERE) == errno.EINPROGRESS
    wait_until(lambda: bool(events(clients[1])), "the second connection")
    assert select.select([server], [], [], 10)[0]
    backlog = {row["reason"]: row["count"] for row in home.connect().call("stats.drops")}
    assert backlog["tcp-backlog-full"] == 1, "two have room: the backlog and one more"
    # The third one, or the answer to it, is sent again after a second.
    taken = [server.accept()[0] for _ in clients]
    server.setblocking(False)
    assert error_of(server.accept) == "EAGAIN"
    for each in taken:
        each.close()


def test_connections_that_nobody_accepted_are_reset(make: Make) -> None:
    server, client = make(), make()
    server.bind(HERE)
    server.listen()
    client.connect(HERE)
    client.send(b"x")
    server.close()
    assert error_of(lambda: client.recv(1)) == "ECONNRESET"


# --- data -----------------------------------------------------------------------------------------


def test_half_of_a_connection_is_closed(pair: tuple[StreamSocket, StreamSocket]) -> None:
    client, server = pair
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert error_of(lambda: client.send(b"x")) == "EPIPE"
    assert server.recv(100) == b"question"
    assert server.recv(100) == server.recv(100) == b""
    server.sendall(b"answer")
    server.close()
    assert client.recv(100) == b"answer"
    assert client.recv(100) == client.recv(100) == b""


def test_a_program_that_reads_no_more(pair: tuple[StreamSocket, StreamSocket]) -> None:
    client, server = pair
    client.shutdown(socket.SHUT_RD)
    server.sendall(b"x")
    assert client.recv(1) == b""
    client.sendall(b"still writes")
    assert server.recv(100) == b"still writes"


def test_both_directions_are_shut_down(pair: tuple[StreamSocket, StreamSocket]) -> None:
    client, server = pair
    client.shutdown(socket.SHUT_RDWR)
    assert server.recv(100) == client.recv(100) == b""
    assert error_of(lambda: client.send(b"x")) == "EPIPE"


def test_a_close_with_data_unread_resets(pair: tuple[StreamSocket, StreamSocket]) -> None:
    client, server = pair
    client.sendall(b"never read")
    assert select.select([server], [], [], 10)[0]
    server.close()
    assert error_of(lambda: client.recv(1)) == "ECONNRESET"
    assert client.recv(1) == b"", "it is told once"
    assert error_of(lambda: client.sendall(b"x")) == "EPIPE"


def test_data_to_a_closed_connection_is_answered_by_a_reset(
    pair: tuple[StreamSocket, StreamSocket],
) -> None:
    client, server = pair
    server.close()
    assert client.recv(1) == b""
    client.sendall(b"too late")
    wait_until(lambda: bool(events(client) & select.POLLHUP), "the reset")
    assert error_of(lambda: client.sendall(b"x")) in ("ECONNRESET", "EPIPE")
    assert error_of(lambda: client.sendall(b"x")) == "EPIPE"


def test_lingering_for_nothing_resets(pair: tuple[StreamSocket, StreamSocket]) -> None:
    client, server = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    assert error_of(lambda: client.recv(1)) == "ECONNRESET"


def test_what_is_sent_is_delivered_after_the_close(
    pair: tuple[StreamSocket, StreamSocket],
) -> None:
    client, server = pair
    data = os.urandom(3_000_000)

    def send() -> None:
        client.sendall(data)
        client.close()

    thread = threading.Thread(target=send)
    thread.start()
    got = bytearray()
    while part := server.recv(100_000):
        got += part
    thread.join()
    assert got == data


def test_a_reader_that_never_reads_stops_the_writer(
    home: Home, pair: tuple[StreamSocket, StreamSocket]
) -> None:
    client, server = pair
    client.setblocking(False)
    sent = 0

    def blocked() -> bool:
        nonlocal sent
        try:
            while True:
                sent += client.send(bytes(65536))
        except BlockingIOError:
            return not select.select([], [client], [], 0.3)[1]

    wait_until(blocked, "the window to close")
    assert sent < 16_000_000, "buffers are bounded"
    got = 0
    while got < sent:
        got += len(server.recv(1 << 20))
    client.settimeout(PATIENCE_SECONDS)
    client.sendall(b"goes on")
    assert server.recv(100) == b"goes on"


# --- the stack, and the process -------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_stack_that_is_stopped_resets(
    home: Home, pair: tuple[StreamSocket, StreamSocket], listener: StreamSocket, how: str
) -> None:
    client, server = pair
    if how == "stop":
        stop_daemon()
    else:
        os.kill(home.connect().pid, signal.SIGKILL)
    assert error_of(lambda: client.recv(1)) == "ECONNRESET"
    # The daemon closes one connection after the other.
    wait_until(lambda: events(server) & select.POLLHUP, "the end of the other one")
    assert error_of(lambda: server.sendall(b"x")) == "ECONNRESET"
    assert error_of(lambda: server.sendall(b"x")) == "EPIPE"
    assert error_of(listener.accept) == "ECONNRESET"
    assert error_of(lambda: client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)) == (
        "ECONNRESET"
    )
    with StreamSocket() as again:  # on a new daemon
        again.bind(HERE)


def test_a_program_that_is_killed_leaves_nothing(home: Home, listener: StreamSocket) -> None:
    code = (
        "from smolctl.client import StreamSocket; s = StreamSocket()"
        "; s.connect(('127.0.0.1', 8080)); s.send(b'last words'); print('sent', flush=1); input()"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=home.env.environ, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    with program, listener.accept()[0] as server:
        server.settimeout(PATIENCE_SECONDS)
        assert program.stdout is not None
        assert program.stdout.readline() == b"sent\n"
        program.kill()
        program.wait()
        assert server.recv(100) == b"last words"
        assert server.recv(100) == b""


def test_a_program_that_is_executed_inherits_nothing(
    make: Make, pair: tuple[StreamSocket, StreamSocket], listener: StreamSocket
) -> None:
    """PEP 446: as descriptors of the kernel's sockets, unless told otherwise."""
    for each in (*pair, listener, make()):
        assert not each.get_inheritable()
    listener.set_inheritable(True)
    listener.listen()
    assert listener.get_inheritable()


def test_a_child_inherits_a_connection(home: Home, pair: tuple[StreamSocket, StreamSocket]) -> None:
    client, server = pair
    client.send(b"hello\n")
    server.setblocking(True)
    fd = server.fileno()
    subprocess.run(["sh", "-c", "read line; echo got $line"], stdin=fd, stdout=fd, check=True)
    assert client.recv(100) == b"got hello\n"


def test_a_descriptor_that_is_detached_goes_on(pair: tuple[StreamSocket, StreamSocket]) -> None:
    client, server = pair
    with socket.socket(fileno=server.detach()) as plain:
        plain.sendall(b"hello")
        assert client.recv(100) == b"hello"
    assert client.recv(100) == b""


def test_files_and_tls_work(pair: tuple[StreamSocket, StreamSocket]) -> None:
    client, server = pair
    with client.makefile("w") as out, server.makefile("r") as lines:
        out.write("one\ntwo\n")
        out.flush()
        assert [lines.readline(), lines.readline()] == ["one\n", "two\n"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    server.sendall(b"no TLS here, but enough bytes")
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(client)


# --- options --------------------------------------------------------------------------------------


def test_options(make: Make) -> None:
    one = make()
    for level, option, value, read in [
        (socket.SOL_SOCKET, socket.SO_REUSEADDR, 7, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1, 1),
        (socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000, 20_000),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, 1, 4608),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, True, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30, 30),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1500, 1500),
        (socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", 0x10), 0x10),
        (socket.IPPROTO_IP, socket.IP_TTL, 5, 5),
    ]:
        one.setsockopt(level, option, value)
        assert one.getsockopt(level, option) == read, option
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16) == b"reno".ljust(16, b"\0")
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 4))
    linger = one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    assert linger == struct.pack("ii", 1, 4)
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_INET
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
    one.listen()
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


@pytest.mark.parametrize(
    ("level", "option", "value", "name"),
    [
        (socket.SOL_SOCKET, socket.SO_DONTROUTE, 1, "ENOPROTOOPT"),
        (socket.SOL_SOCKET, socket.SO_LINGER, b"x", "EINVAL"),
        (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"nothing\0", "ENODEV"),
        (socket.IPPROTO_TCP, socket.TCP_CONGESTION, "bbr", "EINVAL"),
        (socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1, "EINVAL"),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 0, "EINVAL"),
    ],
)
def test_options_that_are_refused(
    make: Make, level: int, option: int, value: Any, name: str
) -> None:
    one = make()
    assert error_of(lambda: one.setsockopt(level, option, value)) == name
    if name == "ENOPROTOOPT":
        assert error_of(lambda: one.getsockopt(level, option)) == name


# --- descriptors that are closed ------------------------------------------------------------------


def _bound(made: StreamSocket, others: ExitStack) -> None:
    made.bind(("127.0.0.1", 8081))


def _listening(made: StreamSocket, others: ExitStack) -> None:
    _bound(made, others)
    made.listen()


def _with_one_that_waits(made: StreamSocket, others: ExitStack) -> None:
    _listening(made, others)
    others.enter_context(StreamSocket()).connect(("127.0.0.1", 8081))


def _connecting(made: StreamSocket, others: ExitStack) -> None:
    made.setblocking(False)
    assert made.connect_ex(AWAY) in (errno.EINPROGRESS, errno.ENETUNREACH)


def _connected(made: StreamSocket, others: ExitStack) -> None:
    made.connect(HERE)


def _writing(made: StreamSocket, others: ExitStack) -> None:
    _connected(made, others)
    made.setblocking(False)
    with suppress(BlockingIOError):
        while made.send(bytes(1 << 18)):
            pass


def _shut(made: StreamSocket, others: ExitStack) -> None:
    _connected(made, others)
    made.shutdown(socket.SHUT_WR)


_MOMENTS = (
    lambda _, others: None, _bound, _listening, _with_one_that_waits, _connecting, _connected,
    _writing, _shut,
)  # fmt: skip


@pytest.mark.parametrize("raw", [False, True])
def test_a_descriptor_that_is_closed_at_any_moment_leaves_nothing(
    home: Home, listener: StreamSocket, raw: bool
) -> None:
    client = home.connect()
    client.call("link.add", name="c0", type="cable", cable="c")
    client.call("addr.add", local="192.0.2.2/24", dev="c0")
    client.call("neigh.replace", dst="192.0.2.1", lladdr="02:00:00:00:00:02", dev="c0")
    for until in _MOMENTS:
        made = StreamSocket()
        with ExitStack() as others:
            until(made, others)
            if raw:
                os.close(made.detach())
            else:
                made.close()
        wait_until(partial(_is_over, client, listener), until.__name__)
    listener.settimeout(10)
    with StreamSocket() as again:
        again.connect(HERE)
        listener.accept()[0].close()
    assert "Traceback" not in home.log()


def _is_over(client: Client, listener: StreamSocket) -> bool:
    """Accept and close what there is; tell whether nothing else is left."""
    listener.settimeout(0.05)
    with suppress(TimeoutError):
        while True:
            listener.accept()[0].close()
    rows = client.call("socket.show", netid="tcp")
    return not any(row["state"] not in ("TIME-WAIT", "LISTEN") for row in rows) and not any(
        "8081" in str(row["local"]) for row in rows
    )
