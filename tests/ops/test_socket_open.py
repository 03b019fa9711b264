"""A program's socket on a stack in virtual time; the test is the program."""

from typing import Any

import pytest

from smolctl.control import channel
from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.socket_open import SocketJob
from smolctl.stack.config.link import set_up
from smolctl.stack.transport.udp.socket import DATAGRAM_OVERHEAD
from smolctl.wire.address import parse_address
from tests.kit.host import OURS, PEER, udp_frame
from tests.ops.kit import Api, Exchange, Program, Row

DEAD = parse_address("10.0.0.77")
PEER_IP = parse_address(PEER)


@pytest.fixture
def api() -> Api:
    api = Api()
    api.host.know()
    return api


class Socket:
    """A socket as its program sees it."""

    def __init__(self, api: Api, **args: Any) -> None:
        self.api = api
        args = {"channel": channel.VERSION, "owner": "test.py", "pid": 7, **args}
        self.exchange, job = api.start("socket.open", **args)
        assert isinstance(job, SocketJob)
        self.job = job
        self.program: Program = self.exchange.channels[0]
        self._number = 0

    def write(self, *messages: bytes) -> int:
        cost = self.job.take(messages, self.api.clock.now)
        self.api._flush()
        return cost

    def call(self, message: bytes) -> Row:
        self.write(message)
        return {k: v for k, v in self.exchange.events[-1].items() if k != "number"}

    def command(self, name: str, **args: Any) -> Row:
        self._number += 1
        answer = self.call(channel.command(name, args, self._number))
        assert self.exchange.events[-1]["number"] == self._number
        return answer

    def ask(self, payload: bytes, dst: int, port: int = 9) -> Row:
        self._number += 1
        return self.call(channel.ask(channel.head(dst, port), payload, self._number))

    def received(self) -> list[Any]:
        """Return errors by their errno, datagrams by their payload, and forget them."""
        messages, self.program.messages = self.program.messages, []
        result: list[Any] = []
        for message in messages:
            said = channel.parse_received(message)
            if isinstance(said, dict):
                result.append(said["errno"])
            else:
                result += [payload for run in said for payload in run.payloads]
        return result


@pytest.fixture
def socket(api: Api) -> Socket:
    return Socket(api)


def test_it_is_shown_with_its_program(api: Api, socket: Socket) -> None:
    opened = {"event": "opened", "rcvbuf": 212_992, "ttl": 64, "mtu_discover": 1}
    groups = {"multicast_ttl": 1, "multicast_loop": 1, "multicast_all": 1}
    assert socket.exchange.events == [{**opened, **groups}]
    assert api("socket.show") == []
    assert socket.command("bind", port=7) == {"event": "answer", "addr": "0.0.0.0", "port": 7}
    row = api.one("socket.show")
    assert (row["local_port"], row["owner"], row["pid"]) == (7, "test.py", 7)


def test_another_version_is_refused(api: Api) -> None:
    with pytest.raises(ControlError) as caught:
        Socket(api, channel=channel.VERSION + 1)
    assert caught.value.code == "version-mismatch"
    assert api("socket.show") == []


def test_a_datagram_that_is_asked_about_is_answered(api: Api, socket: Socket) -> None:
    answer = socket.ask(b"x", PEER_IP)
    assert (answer["event"], answer["addr"], answer["room"]) == ("answer", "0.0.0.0", 65507)
    assert answer["port"] == api.one("socket.show")["local_port"]
    assert api.wire[-1][1].udp[2] == b"x"


@pytest.mark.parametrize(
    ("dst", "size", "errno"),
    [
        ("192.0.2.1", 1, "ENETUNREACH"),
        ("198.51.100.1", 1, "EHOSTUNREACH"),
        ("203.0.113.1", 1, "EACCES"),
        (PEER, 65508, "EMSGSIZE"),
        ("10.0.0.255", 1, "EACCES"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(
    api: Api, socket: Socket, dst: str, size: int, errno: str
) -> None:
    api("route.add", dst="198.51.100.0/24", type="unreachable")
    api("route.add", dst="203.0.113.0/24", type="prohibit")
    answer = socket.ask(b"x" * size, parse_address(dst))
    assert (answer["event"], answer["errno"]) == ("refused", errno)
    assert "hint" in answer
    assert api.wire == []


@pytest.mark.parametrize(("mode", "room"), [(0, 65507), (1, 65507), (2, 1472), (3, 1472)])
def test_who_insists_on_df_has_room_for_what_fits(
    api: Api, socket: Socket, mode: int, room: int
) -> None:
    """Linux IP_MTU_DISCOVER: with DO and PROBE what is too big is refused, else fragmented."""
    assert socket.command("set", mtu_discover=mode)["event"] == "answer"
    assert socket.ask(b"x", PEER_IP)["room"] == room
    said = socket.ask(b"x" * 1473, PEER_IP)
    assert said.get("errno") == ("EMSGSIZE" if mode > 1 else None)
    assert socket.command("set", mtu_discover=4)["errno"] == "EINVAL"


def test_broadcast_is_allowed_by_an_option(api: Api, socket: Socket) -> None:
    assert socket.command("connect", addr="10.0.0.255", port=9)["errno"] == "EACCES"
    assert socket.command("set", broadcast=1)["event"] == "answer"
    assert socket.ask(b"x", parse_address("10.0.0.255"))["event"] == "answer"
    assert socket.command("connect", addr="10.0.0.255", port=9)["event"] == "answer"


def test_options_change_the_socket(api: Api, socket: Socket) -> None:
    assert socket.command("set", ttl=3, tos=0x13, rcvbuf=1000, dev="tap0")["event"] == "answer"
    socket.command("bind", port=7)
    row = api.one("socket.show")
    assert (row["rcvbuf"], row["dev"]) == (1000, "tap0")
    socket.ask(b"x", PEER_IP)
    assert api.wire[-1][1].ip is not None
    assert (api.wire[-1][1].ip.ttl, api.wire[-1][1].ip.dscp_ecn) == (3, 0x13)
    assert socket.command("set", dev="tap0")["errno"] == "EINVAL"
    assert socket.command("set", ttl=256)["errno"] == "EINVAL"
    assert socket.command("set", colour=1)["errno"] == "EINVAL"


def test_a_device_that_is_not_there(socket: Socket) -> None:
    assert socket.command("set", dev="tap9")["errno"] == "ENODEV"


@pytest.mark.parametrize(
    ("args", "errno"),
    [
        ({"addr": OURS, "port": 7}, "EADDRINUSE"),
        ({"addr": PEER, "port": 8}, "EADDRNOTAVAIL"),
        ({"addr": "ten", "port": 8}, "EINVAL"),
        ({"addr": OURS, "port": 65536}, "EINVAL"),
    ],
)
def test_bind_is_refused(api: Api, socket: Socket, args: dict[str, Any], errno: str) -> None:
    Socket(api).command("bind", port=7)
    assert socket.command("bind", **args)["errno"] == errno
    assert socket.command("bind", port=9)["event"] == "answer"
    assert socket.command("bind", port=10)["errno"] == "EINVAL"


def test_an_unknown_command_is_refused(socket: Socket) -> None:
    assert socket.command("listen")["event"] == "refused"


def test_datagrams_come_in_order_and_in_few_messages(api: Api, socket: Socket) -> None:
    socket.command("bind", port=7)
    payloads = [b"%d" % number for number in range(200)]
    for payload in payloads:
        api.host.receive(udp_frame(1234, 7, payload))
    api.engine.turn(api.clock.now)
    assert len(socket.program.messages) == 1
    assert socket.received() == payloads


def test_a_program_that_does_not_read_costs_its_receive_buffer(api: Api, socket: Socket) -> None:
    socket.command("bind", port=7)
    socket.command("set", rcvbuf=10 * (1 + DATAGRAM_OVERHEAD))
    socket.program.full = True
    for number in range(30):
        api.arrive(udp_frame(1234, 7, b"%c" % number))
    drops = {row["reason"]: row["count"] for row in api("stats.drops")}
    # One message of a datagram is out of the queue, ten wait in it.
    assert drops == {"udp-rcvbuf-full": 19}
    assert api.one("socket.show")["drops"] == 19
    socket.program.full = False
    socket.job.room(api.clock.now)
    assert socket.received() == [b"%c" % number for number in range(11)]


def test_a_batch_goes_out_in_order(api: Api, socket: Socket) -> None:
    front = channel.head(PEER_IP, 9)
    payloads = [b"a", b"bb", b"", b"cc"]
    assert socket.write(channel.batch(front, payloads)) == 4
    assert [frame.udp[2] for _, frame in api.wire] == payloads
    assert socket.write(front + b"single") == 1
    assert api.wire[-1][1].udp[2] == b"single"


@pytest.mark.parametrize("at_once", [1, 7, 40])
@pytest.mark.parametrize("where", ["lo", "tap0"])
def test_what_is_taken_at_once_does_what_it_does_one_by_one(where: str, at_once: int) -> None:
    """Datagrams of two destinations, one of which has no room for all; a command between them."""
    seen = []
    for limit in (1, at_once):
        api = Api()
        api.host.know()
        receiver, sender = Socket(api), Socket(api)
        receiver.command("bind", port=7)
        receiver.command("set", rcvbuf=1000)
        receiver.program.full = True
        dst = parse_address("127.0.0.1") if where == "lo" else PEER_IP
        sender.ask(b"first", dst, 7)
        sender.ask(b"first", dst, 8)
        api.wait(1)  # the receiver's next message is full: the others wait in its queue
        heads = [channel.head(dst, 7), channel.head(dst, 8)]
        messages = [heads[number % 5 == 4] + b"%d" % number * 3 for number in range(30)]
        messages.insert(20, channel.command("set", {"ttl": 9}, 99))
        messages.insert(25, channel.batch(heads[0], [b"a", b"bb"]))
        for at in range(0, len(messages), limit):
            sender.write(*messages[at : at + limit])
            api.wait(1)
        receiver.program.full = False
        receiver.job.room(api.clock.now)
        rows = [{**row, "id": 0} for row in api("socket.show")]
        sent = [(frame.ip, frame.udp) for _, frame in api.wire if frame.udp is not None]
        drops = [(row["reason"], row["count"]) for row in api("stats.drops")]
        seen.append((receiver.received(), sender.received(), rows, sent, drops))
    assert seen[0] == seen[1]
    assert (where == "lo") == (("udp-rcvbuf-full" in dict(seen[0][4])) and bool(seen[0][0]))


def test_a_way_that_is_gone_is_told_later(api: Api, socket: Socket) -> None:
    socket.ask(b"x", PEER_IP)
    set_up(api.stack.shared, api.stack.interfaces["tap0"], False, api.clock.now)
    for _ in range(3):
        socket.write(channel.head(PEER_IP, 9) + b"y")
    assert set(socket.received()) == {"ENETUNREACH"}


def test_errors_that_wait_are_one(api: Api, socket: Socket) -> None:
    socket.program.full = True
    for _ in range(5):
        socket.write(channel.head(parse_address("192.0.2.1"), 9) + b"y")
    socket.program.full = False
    socket.job.room(api.clock.now)
    assert len(socket.received()) <= 2  # one was on its way, one waited


# --- ICMP errors ----------------------------------------------------------------------------------


def test_a_connected_socket_is_refused(api: Api, socket: Socket) -> None:
    api.peer.closed = True
    assert socket.command("connect", addr=PEER, port=9)["addr"] == OURS
    socket.ask(b"x", PEER_IP)
    api.wait(10_000_000)
    assert socket.received() == ["ECONNREFUSED"]


def test_another_socket_is_told_nothing_unless_it_asks(api: Api, socket: Socket) -> None:
    api.peer.closed = True
    socket.ask(b"x", PEER_IP)
    api.wait(10_000_000)
    assert socket.received() == []
    socket.command("set", recverr=1)
    socket.ask(b"x", PEER_IP)
    api.wait(10_000_000)
    assert socket.received() == ["ECONNREFUSED"]


@pytest.mark.parametrize(("recverr", "told"), [(0, []), (1, ["EHOSTUNREACH"])])
def test_a_dead_host_is_told_to_whom_asks(
    api: Api, socket: Socket, recverr: int, told: list[str]
) -> None:
    socket.command("set", recverr=recverr)
    socket.command("connect", addr="10.0.0.77", port=9)
    assert socket.ask(b"x", DEAD)["event"] == "answer"
    api.wait(10_000_000_000)
    assert socket.received() == told


# --- the end --------------------------------------------------------------------------------------


def test_hanging_up_closes_the_socket(api: Api, socket: Socket) -> None:
    socket.command("bind", port=7)
    socket.job.hangup(api.clock.now)
    assert socket.exchange.result == {}
    assert api("socket.show") == []


def test_what_was_sent_before_the_client_left_is_sent(api: Api, socket: Socket) -> None:
    socket.command("bind", port=7)
    socket.job.close(api.clock.now)
    socket.write(channel.head(PEER_IP, 9) + b"last words")
    assert api.wire[-1][1].udp[2] == b"last words"
    assert len(api("socket.show")) == 1
    socket.job.hangup(api.clock.now)
    assert api("socket.show") == []


def test_a_channel_that_cannot_be_made_leaves_no_socket(api: Api) -> None:
    exchange = Exchange()
    exchange.no_channel = ControlError("too many", code="too-many-sockets")
    args = {"channel": channel.VERSION, "owner": "x", "pid": 1}
    with pytest.raises(SmolctlError):
        api.engine.request("socket.open", args, exchange, api.clock.now)
    assert api("socket.show") == []
    assert len(api.stack.udp) == 0
