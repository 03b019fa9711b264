"""Two sockets of one stack get the same from each other, by the layered path and handed over."""

from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from smolctl.stack.config.addr import bring_up_loopback
from smolctl.stack.stack import Stack
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.wire.address import IPV6, parse_address

_MS = 1_000_000
_SECOND = 1_000 * _MS


class Step(NamedTuple):
    """A step of one end; ``watch`` turns a listener on or off, which ends all short ways."""

    do: str
    end: int
    size: int


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(("write", "write", "write", "read", "read", "shut", "wait", "watch")),
        st.integers(0, 1),
        st.integers(1, 200_000),
    ),
    max_size=40,
)


class World:
    """A stack whose two sockets are connected."""

    def __init__(self, *, short: bool, v6: bool, rcvbuf: int) -> None:
        self.now = _SECOND
        self.stack = stack = Stack(Random(1).random)
        for net in stack.networks.values():
            bring_up_loopback(net)
        if not short:
            stack.tcp.learn_output = lambda *_: None
        self.watched = False
        tcp, address = stack.tcp, parse_address("::1" if v6 else "127.0.0.1")
        listener, one = tcp.open(family=IPV6), tcp.open(family=IPV6)
        for socket in (listener, one):
            socket.rcvbuf, socket.rcvbuf_locked = rcvbuf, True
        tcp.bind(listener, None, 7)
        tcp.listen(listener)
        tcp.connect(one, address, 7, self.now)
        self.settle()
        other = tcp.accept(listener)
        assert other is not None
        self.ends: tuple[TcpSocket, TcpSocket] = (one, other)
        self.sent, self.got = (bytearray(), bytearray()), (bytearray(), bytearray())
        self.listener, self.handed = listener, 0

    def settle(self) -> None:
        """Let everything arrive that is on its way."""
        for _ in range(1000):
            due = self.stack.deadline()
            if due is None or due > self.now:
                return
            self.stack.poll(self.now)
            self.stack.take_ready()
        raise AssertionError("it never ends")

    def wait(self, until: int) -> None:
        """Let time pass."""
        while (due := self.stack.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.settle()
        self.now = until

    def take(self, step: Step, draw: Random) -> None:
        """Take a step; what cannot be done now is not done."""
        tcp, socket = self.stack.tcp, self.ends[step.end]
        if step.do == "write" and not socket.snd.fin:
            data, queued = draw.randbytes(step.size), len(self.stack.loopback.queue)
            taken = tcp.send(socket, data, self.now)
            self.handed += bool(taken) and queued == len(self.stack.loopback.queue)
            self.sent[step.end].extend(data[:taken])
        elif step.do == "read":
            self.got[step.end].extend(tcp.receive(socket, step.size, self.now) or b"")
        elif step.do == "shut" and not socket.snd.fin:
            tcp.shutdown(socket, self.now, send=True, receive=False)
        elif step.do == "wait":
            self.wait(self.now + step.size * 1000)
        elif step.do == "watch":
            change = self.stack.unwatch if self.watched else self.watch
            change(self.listen)
            self.watched = not self.watched
        self.settle()

    def watch(self, listener: object) -> None:
        self.stack.watch(self.listen, everything=True)

    def listen(self, *_: object) -> None:
        """Hear of every packet."""

    def finish(self) -> None:
        """Read everything, and close."""
        tcp = self.stack.tcp
        for number in (0, 1):
            self.take(Step("shut", number, 0), Random())
        for _ in range(2000):
            for number, socket in enumerate(self.ends):
                if socket.rcv.ready:
                    self.got[number].extend(tcp.receive(socket, 1 << 20, self.now) or b"")
                self.settle()
            if all(each.state is State.CLOSED and not each.rcv.ready for each in self.ends):
                break
            self.wait(self.now + 100 * _MS)
        for socket in (*self.ends, self.listener):
            tcp.close(socket, self.now)
        self.wait(self.now + 200 * _SECOND)


def play(
    plan: list[Step], seed: int, *, short: bool, v6: bool, rcvbuf: int
) -> World:  # fmt: skip
    world, draw = World(short=short, v6=v6, rcvbuf=rcvbuf), Random(seed)
    for step in plan:
        world.take(step, draw)
    world.finish()
    return world


@given(steps, st.integers(0, 1 << 30), st.booleans(), st.sampled_from((4096, 30_000, 131_072)))
@settings(deadline=None)
def test_what_is_handed_over_is_what_segments_bring(
    plan: list[Step], seed: int, v6: bool, rcvbuf: int
) -> None:
    for short in (True, False):
        world = play(plan, seed, short=short, v6=v6, rcvbuf=rcvbuf)
        tcp, (one, other) = world.stack.tcp, world.ends
        assert [bytes(each) for each in world.got] == [bytes(each) for each in world.sent[::-1]]
        assert (one.ended, other.ended) == (None, None)
        for socket, sent, got in zip(world.ends, world.sent, world.got, strict=True):
            stats = socket.stats
            assert (stats.bytes_acked, stats.bytes_received) == (len(sent), len(got))
            assert (stats.retrans, stats.timeouts) == (0, 0)
        assert not tcp.connections
        assert (len(tcp.timers), tcp.orphans, tcp.pending, tcp.throttled) == (0, 0, {}, {})


def test_data_is_handed_over_but_while_somebody_watches() -> None:
    write = [Step("write", 0, 1000), Step("read", 1, 1000), Step("write", 1, 10)]
    settled = [Step("write", 0, 1), Step("write", 1, 1), Step("wait", 0, 200_000)]
    watch = [Step("watch", 0, 1)]
    assert play([*settled, *write], 1, short=True, v6=False, rcvbuf=131_072).handed >= 2
    assert play([*watch, *settled, *write], 1, short=True, v6=False, rcvbuf=131_072).handed == 0
    assert play([*settled, *write], 1, short=False, v6=False, rcvbuf=131_072).handed == 0
