"""Whatever fragments come in, in any order and at any time: each has exactly one fate."""

from collections import Counter
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.cast import Cast
from smolctl.stack.fate import Fate, Trace
from smolctl.stack.reassembly import Complete, Fragment, Reassembly
from smolctl.stack.settings import Settings
from smolctl.wire import ipv4, udp
from smolctl.wire.fragment import fragments as cut_into
from tests.stack.kit import OURS, PEER, Host, frame_of, ip, packet_of
from tests.stack.provokers import fresh

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
KNOBS = st.sampled_from([(1024, 4_194_304), (1, 4_194_304), (2, 4000), (3, 1200), (0, 0)])


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


@given(parts, KNOBS)
def test_every_fragment_has_exactly_one_fate(
    lists: list[list[Cut]], knobs: tuple[int, int]
) -> None:
    host = fresh()
    socket = host.socket(7)
    number, memory = knobs
    host.set("ip.frag_max_datagrams", number)
    host.set("ip.frag_high_thresh", memory)
    host.set("ip.frag_time_ms", 1000)
    heard, fragments = listen(host), 0
    for cut in (cut for each in lists for cut in each):
        bytes_ = frame(cut)
        fragments += bytes_[20:22] != b"\0\0"
        host.receive(bytes_)
        assert len(host.stack.reassembly) <= number
        assert host.stack.reassembly.cost <= memory
        host.wait(cut.wait_ms * 1_000_000)
    host.wait(2_000_000_000)
    assert (len(host.stack.reassembly), host.stack.reassembly.cost) == (0, 0)
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
    assert len(host.stack.reassembly) == 0


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
    table, outcome = Reassembly(Settings()), None
    for packet in data.draw(st.permutations(packets)):
        header = ipv4.parse(packet)
        assert isinstance(header, ipv4.Ipv4Header)
        *_, outcome = table.add(Fragment(packet, header, Trace(), "tap0", Cast.HOST), 0)
    assert isinstance(outcome, Complete)
    assert outcome.packet == whole
