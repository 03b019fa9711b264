"""Whatever fragments come in, in any order and at any time: each has exactly one fate."""

from collections import Counter
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.ip.reassembly import Complete, Reassembly
from smolctl.stack.ipv4.fragment import RULES, received
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire import ipv4, udp
from smolctl.wire.address import IPV4, IPV6, Family
from smolctl.wire.fragment import fragments as cut_into
from smolctl.wire.fragment import fragments6 as cut_into6
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import Fragment, options_header
from tests.kit.amount import MAKE_FUZZ, examples
from tests.kit.host import DEAD, OURS, PEER, Host, frame_of, ip, packet_of, text
from tests.kit.host6 import DEAD6, OURS6, PEER6, frame6_of, packet6_of
from tests.kit.packets import ip_packet
from tests.stack.reason.provokers import fresh
from tests.stack.reason.provokers_ipv6 import with_ipv6

FAMILIES = pytest.mark.parametrize("family", [IPV4, IPV6])
# A bad length or place is told to the sender of IPv6 (RFC 8200 4.5).
ENDS = {
    IPV4: (Fate.ABSORBED, Fate.DROPPED),
    IPV6: (Fate.ABSORBED, Fate.DROPPED, Fate.REJECTED),
}
KEYS = {IPV4: "ip", IPV6: "ip6"}
US, PEERS, STRANGERS = ({IPV4: one, IPV6: other} for one, other in
                        ((OURS, OURS6), (PEER, PEER6), (DEAD, DEAD6)))  # fmt: skip


def receiver(family: Family) -> Host:
    """Return a host that knows its peer."""
    host = fresh()
    if family is IPV6:
        with_ipv6(lambda host: host.poll())(host)
        host.take()
    return host


def segment(family: Family, payload: bytes, src: str | None = None) -> bytes:
    """Return a datagram to us from the peer, or from somebody else."""
    sender = PEERS[family] if src is None else src
    return udp.to_bytes(9, 7, payload, ip(sender), ip(US[family]))


def datagram(ident: int, family: Family = IPV4) -> bytes:
    """Return the data of one of a few datagrams."""
    return segment(family, bytes([ident]) * (20 + 37 * ident))


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


def frame(cut: Cut, family: Family = IPV4) -> bytes:
    data = datagram(cut.ident, family)
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
        offset = min(offset + 65_400, 65_528)
    return fragment_of(family, 17, taken, offset, mf=mf, ident=cut.ident)


def fragment_of(
    family: Family, protocol: int, data: bytes, offset: int, *, mf: bool, ident: int,
    src: str | None = None, options: bool = False,
) -> bytes:  # fmt: skip
    """Return a frame with a fragment to us, with or without options before its data."""
    sender = PEERS[family] if src is None else src
    if family is IPV4:
        front = b"\1" * 4 if options else b""
        return frame_of(
            packet_of(protocol, data, sender, mf=mf, offset=offset, ident=ident, options=front)
        )
    body, first = Fragment(protocol, offset, mf, ident).to_bytes() + data, NextHeader.FRAGMENT
    if options:
        body, first = options_header(first, []) + body, NextHeader.DESTINATION
    return frame6_of(packet6_of(first, body, sender))


def is_fragment(frame: bytes) -> bool:
    if frame[12:14] == b"\x86\xdd":
        return NextHeader.FRAGMENT in (frame[20], *(frame[54:55] if frame[20] == 60 else b""))
    return frame[20:22] != b"\0\0"


def listen(host: Host) -> list[Trace]:
    heard: list[Trace] = []
    host.stack.watch(heard.append, everything=True)
    return heard


@FAMILIES
@given(parts, SYSCTLS)
def test_every_fragment_has_exactly_one_fate(
    family: Family, lists: list[list[Cut]], sysctls: tuple[int, int]
) -> None:
    host = receiver(family)
    socket, table = host.socket(7, text(family.mark)), host.stack.networks[family].reassembly
    number, memory = sysctls
    bound(host, family, number, memory)
    heard, fragments = listen(host), 0
    for cut in (cut for each in lists for cut in each):
        bytes_ = frame(cut, family)
        fragments += is_fragment(bytes_)
        host.receive(bytes_)
        assert len(table) <= number
        assert table.cost <= memory
        host.wait(cut.wait_ms * 1_000_000)
    host.wait(2_000_000_000)
    assert (len(table), table.cost) == (0, 0)
    assert host.stack.deadline() is None
    check(heard, fragments, family)
    # What was delivered is what was sent, or its checksum has let it pass by chance.
    while (delivered := socket.receive()) is not None:
        assert len(set(delivered.payload)) == 1


def bound(host: Host, family: Family, number: int, memory: int) -> None:
    """Let a second pass before a datagram is given up, and set the bounds of their table."""
    host.set(f"{KEYS[family]}.frag_max_datagrams", number)
    host.set(f"{KEYS[family]}.frag_high_thresh", memory)
    host.set(f"{KEYS[family]}.frag_time_ms", 1000)


def check(heard: list[Trace], fragments: int, family: Family) -> None:
    """Count who waited, and who ended and how often."""
    incoming = [trace for trace in heard if trace.direction == "in"]
    assert all(trace.settled for trace in incoming)
    settled = {id(trace): trace for trace in incoming}
    frames = [trace for trace in settled.values() if trace.linked and is_fragment(trace.frame)]
    assert len(frames) == fragments
    assert all(trace.fate in ENDS[family] for trace in frames)
    # A wait comes first, if any: heard at most twice, and the second time it is the end.
    assert max(Counter(map(id, incoming)).values(), default=0) <= 2


@FAMILIES
@given(st.lists(st.binary(min_size=20, max_size=120), max_size=20))
def test_no_fragment_raises(family: Family, tails: list[bytes]) -> None:
    host = receiver(family)
    for tail in tails:
        offset, mf = int.from_bytes(tail[:2]) & 0x1FFF, bool(tail[2] & 1)
        host.receive(fragment_of(family, tail[3], tail[4:], offset * 8, mf=mf, ident=tail[2] & 3))
    host.wait(61_000_000_000)
    assert len(host.stack.networks[family].reassembly) == 0


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
PROTOCOLS = {IPV4: (17, 17, 17, 17, 1, 6), IPV6: (17, 17, 17, 17, 58, 6)}


class Fuzz:
    """Lets fragments of a few datagrams come in, in any order and with anything wrong.

    Args:
        seed: decides everything; the same one does the same.
    """

    def __init__(self, seed: int, family: Family) -> None:
        self.chance = Random(seed)
        self.family, self.host = family, receiver(family)
        self.number, self.memory = self.chance.choice(LIMITS)
        bound(self.host, family, self.number, self.memory)
        self.socket = self.host.socket(7, text(family.mark))
        self.table = self.host.stack.networks[family].reassembly
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
        assert len(self.table) <= self.number
        assert self.table.cost <= self.memory
        if self.chance.random() < 0.01:
            self.host.wait(self.chance.choice((1, 400, 1100)) * 1_000_000)

    def _whole(self) -> list[bytes]:
        ident = self.chance.randrange(0x10000)
        size = self.chance.choice((200, 1400))
        src = self.chance.choice((PEERS, STRANGERS))[self.family]
        data = segment(self.family, bytes([ident & 0xFF]) * size, src)
        mtu = self.chance.choice((68, 100, 200))
        if self.family is IPV6:
            packet = packet6_of(17, data, src)
            frames = [frame6_of(part) for part in cut_into6(packet, mtu, ident)]
        else:
            header = ipv4.parse(packet_of(17, data, src, ident=ident))
            assert isinstance(header, ipv4.Ipv4Header)
            frames = [frame_of(part) for part in cut_into(header, data, mtu)]
        self.chance.shuffle(frames)
        return frames

    def _piece(self) -> bytes:
        """Return a fragment that few others fit: any place, length, ident, bytes and flags."""
        chance = self.chance
        data = chance.randbytes(chance.choice((0, 1, 7, 8, 8, 16, 24, 80, 400)))
        offset = 8 * chance.choice((0, 0, 1, 2, 3, chance.randrange(0x2000)))
        frame = fragment_of(
            self.family, chance.choice(PROTOCOLS[self.family]), data, offset,
            src=chance.choice((PEERS, STRANGERS))[self.family],
            mf=not offset or chance.random() < 0.7, ident=chance.randrange(6),
            options=chance.random() < 0.5,
        )  # fmt: skip
        if chance.random() < 0.03:
            at = chance.randrange(len(frame))
            frame = frame[:at] + bytes([frame[at] ^ 1 << chance.randrange(8)]) + frame[at + 1 :]
        return frame[: chance.randrange(len(frame))] if chance.random() < 0.01 else frame


@FAMILIES
@examples(5, times=ROUNDS / MAKE_FUZZ)
@given(st.integers(0, 1 << 64))
def test_a_hundred_thousand_fuzzed_fragments(family: Family, seed: int) -> None:
    fuzz = Fuzz(seed, family)
    for _ in range(FUZZED):
        fuzz.come()
    fuzz.host.wait(2_000_000_000)
    assert (len(fuzz.table), fuzz.table.cost) == (0, 0)
    frames = [trace for trace in fuzz.ends if trace.direction == "in" and trace.linked]
    assert len(frames) == fuzz.came == FUZZED
    assert {fuzz.ends[trace] for trace in frames} <= set(ENDS[family])
    while (delivered := fuzz.socket.receive()) is not None:
        assert len(set(delivered.payload)) <= 1


STRUCK = {
    IPV4: {"frag-pending", "frag-overlap", "frag-bad-length", "frag-end-conflict"},
    IPV6: {"frag-pending", "frag6-overlap", "frag6-bad-length", "frag-end-conflict"},
}


@FAMILIES
def test_the_fuzzed_fragments_are_as_many_as_it_says_and_some_make_datagrams(
    family: Family,
) -> None:
    assert FUZZED * ROUNDS >= 100_000
    fuzz = Fuzz(7, family)
    for _ in range(FUZZED):
        fuzz.come()
    assert set(fuzz.host.reasons()) >= STRUCK[family]
    assert fuzz.host.event("ip.datagrams_reassembled") > 0
