"""Whatever happens to a neighbor cache: time goes on, packets are not lost, memory is bounded."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import NoBuffers
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import (
    Evicted,
    GiveUp,
    NeighborAction,
    Overflow,
    Purged,
    SendProbe,
    Transmit,
)
from smolctl.stack.neighbor.states import State
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.settings import Settings
from tests.kit.packets import bare_packet

MACS = [b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"]
TIMED = {State.INCOMPLETE, State.REACHABLE, State.DELAY, State.PROBE}
SETTABLE = [state for state in State if state is not State.NONE]

ips = st.integers(1, 5)
macs = st.sampled_from(MACS)
Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["use", "use", "use", "replied", "heard", "confirm", "set", "delete", "flush"]
            + ["deadline", "deadline", "deadline", "wait"]
        ),
        ips,
        st.integers(0, 63),
    ),
    min_size=10,
    max_size=60,
)
sysctls = st.fixed_dictionaries(
    {
        "iface.neighbor_cache_count": st.integers(1, 5),
        "neigh.unres_qlen": st.integers(1, 4),
        "neigh.unres_qlen_bytes": st.integers(1, 300),
        "neigh.mcast_solicit": st.integers(1, 3),
        "neigh.ucast_solicit": st.integers(0, 3),
        "neigh.retrans_time_ms": st.integers(10, 2000),
        "neigh.base_reachable_time_ms": st.sampled_from([1, 1000, 30_000]),
        "neigh.delay_first_probe_time_ms": st.sampled_from([1, 5000]),
        "neigh.gc_thresh1": st.integers(0, 3),
        "neigh.gc_stale_time_ms": st.sampled_from([1, 60_000]),
        "neigh.locktime_ms": st.sampled_from([0, 1000]),
    }
)


class Run:
    """A cache, and the books of every packet that was handed to it."""

    def __init__(self, values: dict[str, int], random: float) -> None:
        self.settings = Settings()
        for key, value in values.items():
            self.settings.set(key, str(value), origin="command line")
        self.cache = NeighborCache(self.settings, lambda: random)
        self.now = 1_000_000_007
        self.packets: list[Packet] = []
        self.ends: Counter[int] = Counter()

    def do(self, step: Step) -> None:
        what, ip, number = step
        cache, now = self.cache, self.now
        mac = MACS[number & 1]
        if what == "use":
            self.use(ip, bytes(number * 3))
        elif what == "replied":
            self.note(cache.replied(ip, mac, now, create=bool(number & 2))[1])
        elif what == "heard":
            flags = {"create": bool(number & 2), "override": bool(number & 4)}
            self.note(cache.heard(ip, mac, now, **flags)[1])
        elif what == "confirm":
            cache.confirm(ip, now)
        elif what == "set":
            self.set(ip, SETTABLE[number % len(SETTABLE)], mac)
        elif what == "delete" and cache.lookup(ip) is not None:
            self.note(cache.delete(ip))
        elif what == "flush" and number < 8:
            self.note(cache.flush(keep_permanent=bool(number & 1)))
        elif what == "deadline":
            self.to_deadline()
        elif what == "wait":
            self.now += number * 100_000_000
            self.note(cache.expire(self.now))

    def use(self, ip: int, packet: bytes) -> None:
        queued = bare_packet(packet)
        try:
            _, actions = self.cache.use(ip, queued, self.now)
        except NoBuffers:
            return
        self.packets.append(queued)
        self.note(actions)

    def set(self, ip: int, state: State, mac: bytes) -> None:
        try:
            self.note(self.cache.set(ip, state, mac, self.now))
        except NoBuffers:
            return

    def to_deadline(self) -> None:
        """Nothing happens before the deadline, something is over when it has passed."""
        due = self.cache.deadline()
        if due is None:
            return
        assert due > self.now
        timers = {entry.ip: entry.timer_ns for entry in self.cache}
        assert self.cache.expire(due - 1) == []
        assert all(timers[entry.ip] == entry.timer_ns for entry in self.cache)
        self.now = due
        self.note(self.cache.expire(due))
        following = self.cache.deadline()
        assert following is None or following > due

    def note(self, actions: list[NeighborAction]) -> None:
        for action in actions:
            match action:
                case Transmit(entry, packets):
                    assert entry.lladdr is not None
                    self.ends.update(id(queued) for queued in packets)
                case GiveUp(_, packets) | Purged(_, packets) | Evicted(_, _, packets):
                    self.ends.update(id(queued) for queued in packets)
                case Overflow(_, queued):
                    self.ends[id(queued)] += 1
                case SendProbe(entry, unicast):
                    assert entry.lladdr is not None or not unicast

    def check(self) -> None:
        cache, settings = self.cache, self.settings
        assert len(cache.entries) <= settings["iface.neighbor_cache_count"]
        assert len(cache._timers) <= 64 + 4 * settings["iface.neighbor_cache_count"] + 1
        due = cache.deadline()
        for entry in cache:
            assert (entry.timer_ns is not None) == (entry.state in TIMED)
            assert entry.timer_ns is None or (due is not None and due <= entry.timer_ns)
            assert not entry.queue or entry.state is State.INCOMPLETE
            assert len(entry.queue) <= settings["neigh.unres_qlen"]
            assert entry.queue_bytes == sum(len(queued.data) for queued in entry.queue)
            if len(entry.queue) > 1:
                assert entry.queue_bytes <= settings["neigh.unres_qlen_bytes"]
        waiting = Counter(id(queued) for entry in cache for queued in entry.queue)
        wanted = Counter(id(queued) for queued in self.packets)
        assert self.ends + waiting == wanted, "each packet ends once, or waits"


@given(sysctls, st.floats(0, 1, exclude_max=True), steps)
def test_time_goes_on_and_no_packet_is_lost(
    values: dict[str, int], random: float, script: list[Step]
) -> None:
    run = Run(values, random)
    for step in script:
        run.do(step)
        run.check()


@given(sysctls, st.floats(0, 1, exclude_max=True), steps)
def test_left_alone_a_cache_comes_to_rest(
    values: dict[str, int], random: float, script: list[Step]
) -> None:
    run = Run(values, random)
    for step in script:
        run.do(step)
    for _ in range(5 * 12):  # 5 entries, each at most 3 + 3 probes and some steps in between
        run.to_deadline()
    assert run.cache.deadline() is None
    assert not any(entry.queue for entry in run.cache)
    run.check()
