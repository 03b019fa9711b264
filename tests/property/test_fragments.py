"""Whatever fragments come in, in any order and at any time: each has exactly one fate."""

from collections import Counter
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.ip.reassembly import Complete, Reassembly
from smolctl.stack.ipv4.fragment import RULES, received
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import ipv4, udp
from smolctl.wire.fragment import fragments as cut_into
from tests.kit.amount import MAKE_FUZZ, examples
from tests.kit.host import DEAD, OURS, PEER, Host, frame_of, ip, packet_of
from tests.kit.packets import ip_packet
from tests.stack.reason.provokers import fresh

ENDS = (Fate.ABSORBED, Fate.DROPPED)


def datagram(ident: int) -> bytes:
    """Return the data of one of a few datagrams."""
    return udp.to_bytes(9, 7, bytes([ident]) * (20 + 37 * ident), ip(PEER), ip(OURS))


class Cut(NamedTuple):
    """A fragment to come: of which datagram, from where to where, and what is wrong with it."""

    ident: int
    start: int
    length: int
    fault: str
    wait_ms: int


cuts = st.builds(
    Cut,
    st.integers(1, 4),
    st.integers(0, 22).map(lambda unit: unit * 8),
    st.integers(1, 12).map(lambda units: units * 8),
    st.sampled_from([*["none"] * 12, "bytes", "length", "end", "no end", "far", "empty"]),
    st.sampled_from([0, 0, 0, 0, 1, 400, 1000]),
)
# Whole datagrams, cut and shuffled, so that some become complete.
wholes = st.integers(1, 4).flatmap(
    lambda ident: st.permutations(
        [Cut(ident, at, 24, "none", 0) for at in range(0, len(datagram(ident)), 24)]
    )
)
parts = st.lists(st.one_of(st.lists(cuts, max_size=4), wholes), max_size=6)
SYSCTLS = st.sampled_from([(1024, 4_194_304), (1, 4_194_304), (2, 4000), (3, 1200), (0, 0)])


def frame(cut: Cut) -> bytes:
    data = datagram(cut.ident)
    taken = data[cut.start : cut.start + cut.length]
    mf, offset = cut.start + cut.length < len(data), cut.start
    if cut.fault == "bytes":
        taken = bytes(byte ^ 1 for byte in taken)
    elif cut.fault == "length":
        taken = taken[:-1]
    elif cut.fault == "empty":
        taken = b""
    elif cut.fault in ("end", "no end"):
        mf = cut.fault == "no end"
    elif cut.fault == "far":
        offset += 65_400
    return frame_of(packet_of(17, taken, mf=mf, offset=offset, ident=cut.ident))


def listen(host: Host) -> list[Trace]:
    heard: list[Trace] = []
    host.stack.watch(heard.append, everything=True)
    return heard


@given(parts, SYSCTLS)
def test_every_fragment_has_exactly_one_fate(
    lists: list[list[Cut]], sysctls: tuple[int, int]
) -> None:
    host = fresh()
    socket = host.socket(7)
    number, memory = sysctls
    host.set("ip.frag_max_datagrams", number)
    host.set("ip.frag_high_thresh", memory)
    host.set("ip.frag_time_ms", 1000)
    heard, fragments = listen(host), 0
    for cut in (cut for each in lists for cut in each):
        bytes_ = frame(cut)
        fragments += bytes_[20:22] != b"\0\0"
        host.receive(bytes_)
        assert len(host.stack.ipv4.reassembly) <= number
        assert host.stack.ipv4.reassembly.cost <= memory
        host.wait(cut.wait_ms * 1_000_000)
    host.wait(2_000_000_000)
    assert (len(host.stack.ipv4.reassembly), host.stack.ipv4.reassembly.cost) == (0, 0)
    assert host.stack.deadline() is None
    check(heard, fragments)
    # What was delivered is what was sent, or its checksum has let it pass by chance.
    while (delivered := socket.receive()) is not None:
        assert len(set(delivered.payload)) == 1


def check(heard: list[Trace], fragments: int) -> None:
    """Count who waited, and who ended and how often."""
    incoming = [trace for trace in heard if trace.direction == "in"]
    assert all(trace.settled for trace in incoming)
    settled = {id(trace): trace for trace in incoming}
    frames = [trace for trace in settled.values() if trace.linked and is_fragment(trace.frame)]
    assert len(frames) == fragments
    assert all(trace.fate in ENDS for trace in frames)
    # A wait comes first, if any: heard at most twice, and the second time it is the end.
    assert max(Counter(map(id, incoming)).values(), default=0) <= 2


def is_fragment(linked: bytes) -> bool:
    return linked[20:22] != b"\0\0"


@given(st.lists(st.binary(min_size=20, max_size=120), max_size=20))
def test_no_fragment_raises(tails: list[bytes]) -> None:
    host = fresh()
    for tail in tails:
        offset, mf = int.from_bytes(tail[:2]) & 0x1FFF, bool(tail[2] & 1)
        host.receive(
            frame_of(packet_of(tail[3], tail[4:], mf=mf, offset=offset * 8, ident=tail[2] & 3))
        )
    host.wait(60_000_000_000)
    assert len(host.stack.ipv4.reassembly) == 0


mtus = st.one_of(st.integers(68, 120), st.integers(68, 1500))


@given(st.data(), st.binary(max_size=40), st.binary(max_size=1200), st.lists(mtus, max_size=3))
def test_what_is_cut_at_any_mtus_is_put_together_as_it_was(
    data: st.DataObject, options: bytes, payload: bytes, path: list[int]
) -> None:
    whole = packet_of(17, payload, ident=data.draw(st.integers(0, 0xFFFF)), options=options)
    packets = [whole]
    for mtu in path:  # every link on the way cuts what the one before left too big for it
        packets = [
            piece
            for packet in packets
            if isinstance(header := ipv4.parse(packet), ipv4.Ipv4Header)
            for piece in cut_into(header, ipv4.payload(packet, header), mtu)
        ]
        assert all(len(packet) <= mtu for packet in packets)
    if len(packets) == 1:
        assert packets == [whole]
        return
    table, outcome = Reassembly(RULES, Settings()), None
    for packet in data.draw(st.permutations(packets)):
        *_, outcome = table.add(received(ip_packet(packet)), 0)
    assert isinstance(outcome, Complete)
    assert outcome.data == whole


# --- fuzzed fragments by the hundred thousand -----------------------------------------------------

FUZZED, ROUNDS = 1000, 100
"""Fragments that come in in one round, and rounds of ``make fuzz``: 100,000 fragments in all."""
LIMITS = ((1024, 4_194_304), (4, 20_000), (1, 4_194_304), (3, 1200), (0, 0))
PROTOCOLS = (17, 17, 17, 17, 1, 6)


class Fuzz:
    """Lets fragments of a few datagrams come in, in any order and with anything wrong.

    Args:
        seed: decides everything; the same one does the same.
    """

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.host = fresh()
        self.number, self.memory = self.chance.choice(LIMITS)
        self.host.set("ip.frag_max_datagrams", self.number)
        self.host.set("ip.frag_high_thresh", self.memory)
        self.host.set("ip.frag_time_ms", 1000)
        self.socket = self.host.socket(7)
        self.ends: dict[Trace, Fate] = {}
        self.host.stack.watch(self._hear, everything=True)
        self.came = 0
        # Whole datagrams, whose pieces come between the others, so that some become complete.
        self.due: list[bytes] = []

    def _hear(self, trace: Trace) -> None:
        assert trace not in self.ends, "it is heard of after its fate"
        if trace.settled:
            assert trace.fate is not None
            self.ends[trace] = trace.fate

    def come(self) -> None:
        """Let one fragment come in, and hold the table to its bounds."""
        if not self.due and self.chance.random() < 0.05:
            self.due = self._whole()
        frame = self.due.pop() if self.due and self.chance.random() < 0.7 else self._piece()
        self.came += 1
        self.host.receive(frame)
        table = self.host.stack.ipv4.reassembly
        assert len(table) <= self.number
        assert table.cost <= self.memory
        if self.chance.random() < 0.01:
            self.host.wait(self.chance.choice((1, 400, 1100)) * 1_000_000)

    def _whole(self) -> list[bytes]:
        ident = self.chance.randrange(0x10000)
        size, src = self.chance.choice((200, 1400)), self.chance.choice((PEER, DEAD))
        segment = udp.to_bytes(9, 7, bytes([ident & 0xFF]) * size, ip(src), ip(OURS))
        header = ipv4.parse(packet_of(17, segment, src, ident=ident))
        assert isinstance(header, ipv4.Ipv4Header)
        parts = cut_into(header, segment, self.chance.choice((68, 100, 200)))
        self.chance.shuffle(parts)
        return [frame_of(part) for part in parts]

    def _piece(self) -> bytes:
        """Return a fragment that few others fit: any place, length, ident, bytes and flags."""
        chance = self.chance
        data = chance.randbytes(chance.choice((0, 1, 7, 8, 8, 16, 24, 80, 400)))
        offset = 8 * chance.choice((0, 0, 1, 2, 3, chance.randrange(0x2000)))
        packet = packet_of(
            chance.choice(PROTOCOLS), data, chance.choice((PEER, DEAD)),
            mf=not offset or chance.random() < 0.7, offset=offset, ident=chance.randrange(6),
            options=chance.choice((b"", b"\1" * 4)),
        )  # fmt: skip
        frame = frame_of(packet)
        if chance.random() < 0.03:
            at = chance.randrange(len(frame))
            frame = frame[:at] + bytes([frame[at] ^ 1 << chance.randrange(8)]) + frame[at + 1 :]
        return frame[: chance.randrange(len(frame))] if chance.random() < 0.01 else frame


@examples(5, times=ROUNDS / MAKE_FUZZ)
@given(st.integers(0, 1 << 64))
def test_a_hundred_thousand_fuzzed_fragments(seed: int) -> None:
    fuzz = Fuzz(seed)
    for _ in range(FUZZED):
        fuzz.come()
    fuzz.host.wait(2_000_000_000)
    table = fuzz.host.stack.ipv4.reassembly
    assert (len(table), table.cost) == (0, 0)
    frames = [trace for trace in fuzz.ends if trace.direction == "in" and trace.linked]
    assert len(frames) == fuzz.came == FUZZED
    assert {fuzz.ends[trace] for trace in frames} <= set(ENDS)
    while (delivered := fuzz.socket.receive()) is not None:
        assert len(set(delivered.payload)) <= 1


def test_the_fuzzed_fragments_are_as_many_as_it_says_and_some_make_datagrams() -> None:
    assert FUZZED * ROUNDS >= 100_000
    fuzz = Fuzz(7)
    for _ in range(FUZZED):
        fuzz.come()
    struck = {name for name in fuzz.host.reasons() if name.startswith("frag-")}
    assert struck >= {"frag-pending", "frag-overlap", "frag-bad-length", "frag-end-conflict"}
    assert fuzz.host.event("ip.datagrams_reassembled") > 0
