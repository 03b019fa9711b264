"""The law: every frame received and every datagram sent has exactly one fate.

All packets are listened to, from the first to the last; and that they are changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.config.netem import set_impairment
from smolctl.stack.explain import verdict
from smolctl.stack.link.impairment import Netem
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.reason import Kind, Reason
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Joined
from smolctl.stack.trace.journal import Journal
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire.address import IPV4, IPV6
from smolctl.wire.fault import WireFault
from smolctl.wire.offload import virtio
from tests.property.events import Do, Event, Player, Receive, Send, histories, snapshot
from tests.property.frames import DEVS
from tests.property.test_fast import friendly, mixed, right_offloads, shots
from tests.property.test_fragments import frame, parts
from tests.property.test_send import QUIET_NS, check_reason
from tests.property.world import Config, configs

NETEMS = (
    Netem(),
    Netem(delay_ns=100_000_000, jitter_ns=50_000_000),
    Netem(loss=1.0),
    Netem(corrupt=1.0, duplicate=1.0),
    Netem(delay_ns=2_000_000_000, reorder=0.4),
    Netem(rate=8000),
)
mostly_tap0 = st.sampled_from(["tap0", "tap0", "tap0", "tap1"])
bad_links = st.builds(Do, st.just("impair"), mostly_tap0, st.integers(0, len(NETEMS) - 1))
unplugged = st.builds(Do, st.just("delete"), mostly_tap0, st.just(99)).map(lambda event: [event])
on_bad_links = st.lists(
    st.tuples(bad_links, shots, st.one_of(unplugged, histories(sizes=(0, 6)))),
    min_size=1,
    max_size=5,
).map(lambda parts: [event for bad, shot, then in parts for event in (bad, shot, *then)])
"""Links are made bad, sent by, and perhaps deleted while they hold frames back."""


fragments = st.builds(
    lambda lists, family: [Receive("tap0", [frame(cut, family)]) for each in lists for cut in each],
    parts,
    st.sampled_from([IPV4, IPV6]),
)


# --- everybody is listened to ---------------------------------------------------------------------


class Counting(Trace):
    """A trace that counts how often the stack called it settled, where a trace keeps the first."""

    def __init__(
        self, direction: Direction = Direction.OUT, now: int = 0, cause: Trace | None = None
    ) -> None:
        super().__init__(None, direction, now, cause=cause)
        self.called: list[Fate] = []

    def settle(
        self,
        fate: Fate,
        now: int,
        reason: Reason | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        self.called.append(fate)
        super().settle(fate, now, reason, detail)


class Witness(Journal):
    """A journal that knows every packet that begins."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Counting] = []

    def begin(
        self, direction: Direction, now: int, cause: Trace | None = None, dev: str | None = None
    ) -> Trace:
        trace = Counting(direction, now, cause)
        trace.journal, trace.dev, trace.followed = self, dev, self.everything
        self.begun.append(trace)
        return trace

    def follow(self, trace: Trace, now: int) -> None:
        if trace.journal is None:
            assert isinstance(trace, Counting)
            self.begun.append(trace)
        super().follow(trace, now)


class Watcher(Player):
    """Listens to every packet, and counts what comes in and is sent.

    Attributes:
        ends: the fate of each packet that has one.
        waits: the waits of each packet that had any.
    """

    def __init__(self, config: Config, *, followed: bool = False, headroom: int = 0) -> None:
        super().__init__(config, followed=followed, headroom=headroom)
        self.journal = self.stack.journal = Witness()
        recorder = self.stack.shared.recorder
        recorder.journal = self.journal
        recorder.begin, recorder.follow = self.journal.begin, self.journal.follow
        self.stack.watch(self._changed, everything=True)
        self.ends: dict[Trace, Fate] = {}
        self.waits: Counter[Trace] = Counter()
        self.frames = self.datagrams = 0

    def make_trace(self) -> Trace:
        return Counting()

    def _changed(self, trace: Trace) -> None:
        assert trace not in self.ends, "it is heard of after its fate"
        assert trace.id
        if trace.settled:
            assert trace.fate is not None
            self.ends[trace] = trace.fate
        else:
            assert trace.fate is Fate.WAITING
            self.waits[trace] += 1

    def _take_in(self, dev: str, data: list[bytes]) -> None:
        for each in data:
            frames = virtio.frames(each) if self.host.dev(dev).headroom else [each]
            assert not isinstance(frames, WireFault)
            self.frames += len(frames)
        super()._take_in(dev, data)

    def _send(self, event: Send) -> None:
        self.datagrams += event.times + (event.times > 2)
        super()._send(event)

    def _impair(self, dev: str, number: int) -> None:
        set_impairment(self.stack.shared, self.host.dev(dev), NETEMS[number])

    def check(self) -> None:
        """Every packet either has its fate or still waits somewhere; nothing is both."""
        waiting = set(held(self.stack))
        cut = {trace.whole for trace in waiting}
        for trace in self.journal.begun:
            assert trace.settled == (trace in self.ends)
            if trace.parts and trace not in waiting:
                # One that was cut ends before its last fragment when one of them is lost.
                assert trace.settled or trace in cut
                continue
            assert trace.settled != (trace in waiting), (trace.fate, trace.reason, trace.steps)
        ways = (Direction.IN, Direction.FORWARD)
        came = [trace for trace in self.journal.begun if trace.direction in ways]
        joined = self.stack.ledger.events.get("ip.datagrams_reassembled", 0)
        assert len(came) == self.frames + joined
        flows = [trace.flow for trace in self.journal.begun if trace.flow is not None]
        assert sum(flow.proto == "udp" for flow in flows) == self.datagrams

    def check_counters(self) -> None:
        """Compare the counters of reasons with the fates of packets; notes are beside that.

        A datagram that was cut ends as one of its fragments, which is what is counted; unless they
        were put together here, and it went on.
        """
        counted: Counter[Fate] = Counter()
        for (reason, _), tally in self.stack.ledger.reasons.items():
            if reason.kind is not Kind.NOTE:
                counted[FATES[reason.kind]] += tally.count
        called = Counter(
            fate for trace in self.journal.begun if not of_its_parts(trace) for fate in trace.called
        )
        assert {fate: called[fate] for fate in FATES.values() if called[fate]} == dict(counted)


def of_its_parts(trace: Trace) -> bool:
    """Tell whether a datagram was cut, and not put together here."""
    return trace.parts > 0 and not any(isinstance(step.facts, Joined) for step in trace.steps)


FATES = {Kind.DROP: Fate.DROPPED, Kind.REJECT: Fate.REJECTED, Kind.WAIT: Fate.WAITING}


def held(stack: Stack) -> Iterator[Trace]:
    """Yield the packets that wait: for a neighbor or the device, on a bad link, or to come in."""
    yield from (packet.trace for packet, _ in stack.loopback.queue)
    for net in stack.networks.values():
        for datagram in net.reassembly._open.values():
            yield from (fragment.packet.trace for fragment in datagram.fragments)
        for cache in net.neighbors.values():
            yield from (queued.trace for entry in cache for queued in entry.queue)
    for socket in stack.udp.blocked:
        assert socket.send_queue is not None
        yield from (item.followed for item in socket.send_queue.items)
    for link in stack.interfaces.values():
        for own in (link.ipv4, link.ipv6):
            yield from (delayed.trace for _, _, delayed in own.proxies.queue)
    for link in stack.interfaces.values():
        yield from (item.trace for item in link.outbox if isinstance(item, TracedFrame))
        if link.impairment is not None:
            yield from (trace for _, _, _, trace in link.impairment._delayed)


def obey(config: Config, history: list[Event], *, followed: bool, headroom: int = 0) -> None:
    """Play, and hold each packet to the law at each step and when all is quiet again."""
    player = Watcher(config, followed=followed, headroom=headroom)
    for event in history:
        player.play(event)
        player.check()
    for _ in range(3):  # what a bad link held back, what that was answered, and what that asks for
        player.host.wait(QUIET_NS)
        for dev in DEVS:
            if dev in player.stack.interfaces:
                player.host.dev(dev).outbox, items = [], player.host.dev(dev).outbox
                player.stack.transmitted(player.host.dev(dev), traced(items), player.host.now)
    player.check()
    for socket in list(player.stack.udp.blocked):  # some policies let it wait as long as it lives
        player.stack.udp.close(socket)
    for socket in list(player.stack.udp.blocked):  # a route may be waited for for ever
        player.stack.udp.close(socket)
    player.check()
    player.check_counters()
    for trace in player.journal.begun:
        assert trace.settled
        ends = [fate for fate in trace.called if fate is not Fate.WAITING]
        assert len(ends) == 1, ends
        assert verdict.tell(trace, lambda ns: ns / 1e9)["verdict"]
        check_reason(trace)


def traced(items: Iterable[object]) -> list[TracedFrame]:
    return [item for item in items if isinstance(item, TracedFrame)]


@given(configs, histories(sizes=(5, 25)), st.booleans())
def test_every_packet_has_exactly_one_fate(
    config: Config, history: list[Event], followed: bool
) -> None:
    obey(config, history, followed=followed)


@given(configs.map(friendly), on_bad_links, st.booleans())
def test_every_packet_has_exactly_one_fate_on_bad_links(
    config: Config, history: list[Event], followed: bool
) -> None:
    obey(config, history, followed=followed)


@given(configs.map(friendly), st.lists(st.one_of(fragments, fragments, histories(sizes=(0, 2)))))
def test_every_fragment_has_exactly_one_fate(config: Config, history: list[list[Event]]) -> None:
    obey(config, [event for part in history for event in part], followed=False)


@given(configs.map(friendly), st.lists(right_offloads, max_size=5), st.booleans())
def test_every_segment_of_a_super_packet_has_exactly_one_fate(
    config: Config, history: list[Event], followed: bool
) -> None:
    obey(config, history, followed=followed, headroom=virtio.HEADER_LEN)


# --- nobody notices -------------------------------------------------------------------------------


class Listened(Player):
    """Is listened to from time to time."""

    def _listen(self, _dev: str, number: int) -> None:
        if number % 2:
            self.stack.watch(self._hear, everything=True)
        else:
            self.stack.unwatch(self._hear)

    def _hear(self, trace: Trace) -> None:
        assert verdict.tell(trace, lambda ns: ns / 1e9)


class Unheard(Player):
    """Is not."""

    def _listen(self, _dev: str, _number: int) -> None:
        """Nobody does."""


listeners = st.builds(Do, st.just("listen"), st.just("lo"), st.integers(0, 1))
in_turns = st.lists(st.tuples(listeners, mixed), min_size=1, max_size=3)


@given(configs.map(friendly), in_turns)
def test_who_listens_changes_nothing(config: Config, history: list[tuple[Do, list[Event]]]) -> None:
    listened, unheard = Listened(config), Unheard(config)
    for listener, events in history:
        for event in (listener, *events):
            listened.play(event)
            unheard.play(event)
            assert snapshot(listened.world) == snapshot(unheard.world)
