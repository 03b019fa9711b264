"""One daemon and its clients, good and bad: real processes, real sockets."""

import errno
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from smolctl.client import DatagramSocket, RemoteError
from smolctl.control import messages
from smolctl.control.codec import MAX_REQUEST, encode
from smolctl.daemon.connection import EVENT_LIMIT, GUEST_NS
from smolctl.daemon.lifecycle import Listener
from smolctl.daemon.links import Links
from smolctl.daemon.log import Log
from smolctl.daemon.poller import READ, Poller
from smolctl.daemon.resources import Resources
from smolctl.daemon.server import GUESTS, MAX_CLIENTS, Server
from smolctl.errors import SmolctlError
from smolctl.ops.engine import Engine
from smolctl.stack.stack import Stack
from tests.kit.amount import amount
from tests.kit.home import Home, Raw
from tests.kit.no_copies import NoCopies
from tests.kit.process import wait_until


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "message-too-large"),
        (b"\0\0\0\x03abc", "control-protocol"),
        ((MAX_REQUEST + 1).to_bytes(4, "big"), "message-too-large"),
        (encode({"hello": messages.PROTOCOL + 1, "client": "9"}), "version-mismatch"),
        (encode({"id": 1, "op": "stack.stop"}), "control-protocol"),
    ],
)
def test_nonsense_ends_one_connection_and_no_other(home: Home, data: bytes, code: str) -> None:
    good = home.connect()
    with Raw(home.paths().socket) as bad:
        bad.send(data)
        answer = bad.receive()
        assert answer is not None
        assert answer["error"]["code"] == code
        assert bad.receive() is None
    assert good.call("stack.status")[0]["clients"] == 1


def test_a_request_of_the_largest_size_is_answered(home: Home) -> None:
    client = home.connect()
    with pytest.raises(RemoteError) as caught:
        client.call("link.show", dev="x" * (MAX_REQUEST - 100))
    assert caught.value.code == "no-such-device"
    assert client.call("stack.status")


def test_unknown_operations_and_arguments_are_refused_by_name(home: Home) -> None:
    client = home.connect()
    with pytest.raises(RemoteError, match=r'"route\.shew"'):
        client.call("route.shew")
    with pytest.raises(RemoteError, match='"colour"'):
        client.call("route.show", colour="red")
    assert client.call("stack.status")


def test_many_requests_at_once_are_all_answered_in_order(home: Home) -> None:
    home.connect()
    with Raw(home.paths().socket) as raw:
        raw.send(messages.hello("test"))
        raw.send(b"".join(messages.request(n, "link.show", {}) for n in range(2000)))
        assert raw.receive() is not None
        for number in range(2000):
            answer = raw.receive()
            assert answer is not None
            assert answer["id"] == number
            assert answer["done"] == {}


@pytest.mark.proof
def test_a_client_that_never_reads_costs_nobody_anything(home: Home) -> None:
    client = home.connect()
    with Raw(home.paths().socket) as slow:
        slow.send(messages.hello("test") + messages.request(1, "udp.recv", {"port": "7"}))
        wait_until(lambda: len(client.call("socket.show")) == 1, "the socket")
        data = "eHh4eHh4eHg="  # 8 bytes
        before = client.call("stack.status")[0]["rss_kib"]
        delivered = refused = 0
        rounds = amount(40, 20)
        for _ in range(rounds):
            result = client.stream(
                "udp.send", dst="127.0.0.1", port=7, data=data, count=1000, interval=0
            )
            for _event in result:
                pass
            delivered += result.result["sent"]
            refused += result.result["failed"]
        assert delivered + refused == rounds * 1000
        grown = client.call("stack.status")[0]["rss_kib"] - before
        assert grown * 1024 < 6 * EVENT_LIMIT
        # What it has no room for waits in the socket; what that has no room for is refused and
        # counted, and the sender is told. No event is lost behind anybody's back.
        assert refused > 0
        (row,) = client.call("socket.show")
        assert row["drops"] == refused
        welcome, seen, lost = slow.receive(), 0, 0
        assert welcome is not None
        while seen < delivered:
            reply = slow.receive()
            assert reply is not None
            lost += reply["event"].get("lost", 0)
            seen += reply["event"]["event"] == "datagram"
        assert lost == 0


def test_clients_come_and_go_and_leave_nothing(home: Home) -> None:
    client = home.connect()
    before = descriptors(client.pid)
    for _ in range(100):
        with Raw(home.paths().socket) as raw:
            raw.send(messages.hello("test") + messages.request(1, "udp.recv", {"port": "0"}))
        with Raw(home.paths().socket) as raw:
            raw.send(messages.hello("test") + messages.request(1, "udp.recv", {"port": "7"}))
    # Some may not even be accepted yet; in the end nothing of any of them is left.
    wait_until(
        lambda: (
            client.call("stack.status")[0]["clients"] == 1 and descriptors(client.pid) == before
        ),
        "the clients to be forgotten",
    )
    assert client.call("socket.show") == []


def test_when_all_places_are_taken_guests_are_let_in_and_told_whom_to_end(home: Home) -> None:
    client = home.connect()
    with ExitStack() as stack:
        for _ in range(MAX_CLIENTS - 1):
            stack.enter_context(Raw(home.paths().socket)).send(messages.hello("test"))
        wait_until(lambda: client.call("stack.status")[0]["clients"] == MAX_CLIENTS, "all clients")
        guests = [home.connect() for _ in range(GUESTS - 1)]
        assert guests[-1].call("link.show")
        holds = rf"\(process {os.getpid()}\) has 27\d sockets and connections"
        with pytest.raises(OSError, match=holds) as refused:
            DatagramSocket("default", start=False)
        assert refused.value.errno == errno.EMFILE
        with pytest.raises(RemoteError, match=holds) as caught:
            [home.connect() for _ in range(3)]
        assert caught.value.code == "too-many-clients"
        assert caught.value.hint == f"kill {os.getpid()}"
    wait_until(lambda: client.call("stack.status")[0]["clients"] <= GUESTS + 1, "them to be gone")
    home.connect().call("stack.stop")


def test_a_guest_leaves_after_a_while(home: Home) -> None:
    around = Around(home)
    around.resources.short = True
    with Raw(around.path) as raw:
        around.step()
        raw.send(messages.hello("test") + messages.request(1, "udp.recv", {"port": "7"}))
        around.step()
        assert raw.receive() is not None
        around.now += GUEST_NS - 1
        around.step()
        assert around.server.clients == 1
        around.now += 1
        around.step()
        answers = [answer for answer in iter(raw.receive, None) if "error" in answer]
        assert answers[-1]["error"]["code"] == "too-many-clients"
        assert around.server.clients == 0
    around.close()


def test_an_idle_daemon_does_nothing(home: Home) -> None:
    client = home.connect()
    client.call("stack.status")

    def switches() -> int:
        status = Path(f"/proc/{client.pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in status if "voluntary_ctxt" in line)

    wait_until(lambda: state(client.pid) == "S", "the daemon to sleep")
    before, ticks = switches(), cpu_ticks(client.pid)
    deadline = [0]

    def later() -> bool:
        deadline[0] += 1
        return deadline[0] > 60  # 60 looks, 5 ms apart

    wait_until(later, "a while")
    assert switches() - before <= 1
    assert cpu_ticks(client.pid) == ticks


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_refused(home: Home) -> None:
    client = home.connect()
    paths = home.paths()
    os.chmod(home.env.directory, 0o755)
    os.chmod(paths.directory, 0o755)
    os.chmod(paths.socket, 0o666)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(12345)
        with Raw(paths.socket) as raw:
            os.write(writer, str(raw.receive()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert b"permission-denied" in os.read(reader, 4096)
    os.close(reader)
    os.close(writer)
    assert client.call("stack.status")[0]["clients"] == 1


class Around(NoCopies):
    """A server and all it needs, in this process; ``step`` is one turn of its loop."""

    def __init__(self, home: Home) -> None:
        paths = home.paths("inside")
        os.makedirs(paths.directory, 0o700, exist_ok=True)
        self.path = paths.socket
        self.log_path = f"{paths.directory}/inside.log"
        self.log = Log(self.log_path)
        self.listener = Listener(paths)
        self.poller = Poller()
        stack = Stack(lambda: 0.5)
        self.resources = Resources("inside", self.log, self.poller)
        self.links = Links(stack, self.poller, self.resources)
        self.server = Server(
            "inside", self.listener.socket, self.poller, self.links, self.resources
        )
        self.server._core = Engine(stack, self.links, self)  # what run() does
        self.now = 0

    def status(self, now: int) -> dict[str, object]:
        return {"now": now}

    def wall_time(self, now: int) -> float:
        return now / 1e9

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        raise error

    def request_stop(self, reason: str) -> None:
        self.server.request_stop(reason)

    def step(self) -> None:
        self.server._turn(self.poller.wait(0), self.now)
        self.server._flush(self.now)

    def close(self) -> None:
        self.server.farewell(self.now)
        self.listener.close()
        self.resources.close()
        self.poller.close()
        self.log.close()


def test_the_loop_looks_away_when_it_is_out_of_descriptors(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = Around(home)

    def accept(_self: socket.socket) -> None:
        raise OSError(24, "Too many open files")

    with Raw(around.path) as raw:
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "accept", accept)
            around.step()
            around.step()  # the reserve does not help either
        # Readable still, but not looked at: no spin.
        assert around.poller.wait(0) == []
        assert around.server._timeout(around.now) == 1.0
        around.now += 1_000_000_000
        around.step()
        around.step()
        raw.send(messages.hello("test"))
        around.step()
        answer = raw.receive()
        assert answer is not None
        assert answer["stack"] == "inside"
    around.close()


def test_a_bug_in_one_callback_does_not_keep_others_waiting(home: Home) -> None:
    around = Around(home)
    reader, writer = os.pipe()
    os.write(writer, b"x")

    def bug(_mask: int, _now: int) -> None:
        raise RuntimeError("a bug")

    around.poller.register(reader, READ, bug)
    with Raw(around.path) as raw:
        raw.send(messages.hello("test") + messages.request(1, "stack.status", {}))
        for _ in range(50):
            around.step()
        assert raw.receive() is not None
        answer = raw.receive()
        assert answer is not None
        assert answer["rows"] == [{"now": 0}]
    log = Path(around.log_path).read_text()
    assert log.count("RuntimeError('a bug')") == 20  # and no more: the log is bounded
    around.close()
    home.env.tracebacks_expected = True
    os.close(reader)
    os.close(writer)


class Watched:
    """A loop, something that is ready when it is told to be, and a clock.

    The clock goes on by 10 us whenever it is read.
    """

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.around = around = Around(home)
        self.ends = os.pipe()
        around.poller.register(self.ends[0], READ, lambda _mask, _now: None)
        self.timeouts: list[float | None] = []
        self.now = 0
        look = around.poller.wait

        def wait(timeout: float | None) -> Any:
            self.timeouts.append(timeout)
            return look(0)

        def clock() -> int:
            self.now += 10_000
            return self.now

        monkeypatch.setattr(around.poller, "wait", wait)
        monkeypatch.setattr("smolctl.daemon.server.monotonic_ns", clock)

    def wait(self, *, ready: bool) -> list[float | None]:
        """Wait once; return the timeouts with which that was done."""
        self.timeouts.clear()
        if ready:
            os.write(self.ends[1], b"x")
        found, _ = self.around.server._wait(self.now)
        assert bool(found) == ready
        if ready:
            os.read(self.ends[0], 1)
        return self.timeouts.copy()

    def close(self) -> None:
        self.around.close()
        for fd in self.ends:
            os.close(fd)


def test_the_loop_stays_awake_while_things_come_fast(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Watched(home, monkeypatch)
    monkeypatch.setattr(loop.around.server, "_may_stay_awake", True)
    assert loop.wait(ready=True) == [None]
    assert loop.wait(ready=True) == [0]
    # 50 us, and then it sleeps until something happens, and so the next time.
    assert loop.wait(ready=False) == [0] * 5 + [None]
    assert loop.wait(ready=True) == [None]
    loop.close()


def test_a_loop_that_was_awake_in_vain_rests(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer may wait for this very processor: then to look is what keeps it from sending."""
    loop = Watched(home, monkeypatch)
    monkeypatch.setattr(loop.around.server, "_may_stay_awake", True)

    def rest() -> int:
        """Return for how long it sleeps between events that come fast, when it was in vain."""
        loop.wait(ready=True)
        assert loop.wait(ready=False) == [0] * 5 + [None]
        begin = loop.now
        while loop.wait(ready=True) == [None]:
            pass
        return loop.now - begin

    loop.wait(ready=True)
    assert 500_000 <= rest() < 550_000
    assert 500_000 <= rest() < 550_000, "it was awake to good purpose in between"

    def rest_again() -> int:
        """Return the same without any event that the loop was awake for."""
        begin = loop.now
        while loop.wait(ready=True) == [None]:
            if loop.around.server._brisk:
                assert loop.wait(ready=False) == [0] * 5 + [None]
                return loop.now - begin
        raise AssertionError("it is awake")

    assert loop.wait(ready=False) == [0] * 5 + [None]
    times = [rest_again() for _ in range(10)]
    expected = [500_000 << min(number, 7) for number in range(10)]
    assert all(0 <= time - rest < 200_000 for time, rest in zip(times, expected, strict=True)), (
        times
    )
    loop.close()


def test_where_there_is_one_processor_the_loop_leaves_it_to_the_peer(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    loop = Watched(home, monkeypatch)
    assert [loop.wait(ready=True) for _ in range(3)] == [[None]] * 3
    loop.close()


def test_a_loop_that_stays_awake_does_what_is_due_within_a_millisecond(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Watched(home, monkeypatch)
    server = loop.around.server
    monkeypatch.setattr(server, "_may_stay_awake", True)
    loop.wait(ready=True)
    asked = 0
    due = server._core.deadline

    def deadline() -> int | None:
        nonlocal asked
        asked += 1
        return due()

    monkeypatch.setattr(server._core, "deadline", deadline)
    begin = loop.now
    while loop.now < begin + 10_000_000:
        assert loop.wait(ready=True) == [0]
    assert 9 <= asked <= 10
    loop.close()
