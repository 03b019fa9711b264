"""The fast path is invisible: with it and without it a stack does the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.config.link import set_carrier
from smolctl.stack.fastpath import forward as fast_forward
from smolctl.stack.fastpath import udp as fast_udp
from smolctl.stack.link import loopback
from smolctl.stack.link import output as link_output
from smolctl.stack.neighbor.states import State
from smolctl.wire import ipv4, udp
from smolctl.wire.offload import virtio
from tests.kit.amount import examples
from tests.kit.host import OURS, PEER, PEER_MAC, Host, frame_of, ip, udp_frame
from tests.property.events import (
    Event,
    Offloaded,
    Player,
    Receive,
    Send,
    histories,
    snapshot,
)
from tests.property.world import SOCKETS, Config, configs

# --- traffic that the fast path is made for: few flows, few sizes, most of it right ---------------

PAYLOADS = (b"ping", b"pong", b"odd", b"\xff\xff\xff\xff")
SPOILS = (*["nothing"] * 12, "no checksum", "padding", "cut", "flip", "ttl", "tail", "df")


def steady(dport: int, payload: bytes, ident: int, spoil: str, at: int) -> bytes:
    """Return a datagram of one of a few flows, perhaps with something wrong or unusual.

    Args:
        at: which byte is changed by the spoil "flip".
    """
    segment = udp.to_bytes(9, dport, payload, ip(PEER), ip(OURS))
    if spoil == "no checksum":
        segment = segment[:6] + b"\0\0" + segment[8:]
    elif spoil == "tail":
        segment += b"tail"  # IP carries more than UDP says
    header = ipv4.Ipv4Header(
        5, 0, 20 + len(segment), ident, spoil == "df", False, 0,
        63 if spoil == "ttl" else 64, 17, ip(PEER), ip(OURS),
    )  # fmt: skip
    frame = frame_of(header.to_bytes() + segment)
    if spoil == "padding":
        return frame + bytes(14)
    if spoil == "cut":
        return frame[:-1]
    if spoil == "flip":
        at %= len(frame)
        return frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]
    return frame


def friendly(config: Config) -> Config:
    """Return a config in which flows are remembered: sockets bound, the peer's MAC known."""
    return config._replace(
        sockets=[SOCKETS[0], SOCKETS[2], *config.sockets],
        known=[(PEER, "tap0", True), *config.known],
        down=None,
        no_carrier=None,
    )


steady_frames = st.builds(
    steady, st.sampled_from([7, 8]), st.sampled_from(PAYLOADS), st.integers(0, 0xFFFF),
    st.sampled_from(SPOILS), st.integers(0, 99),
)  # fmt: skip
bursts = st.builds(Receive, st.just("tap0"), st.lists(steady_frames, min_size=1, max_size=8))
shots = st.builds(
    Send, st.integers(0, 2), st.sampled_from([PEER, PEER, OURS, "127.0.0.1"]),
    st.sampled_from([7, 8, 9]), st.sampled_from(PAYLOADS), st.none(), st.integers(1, 4),
)  # fmt: skip


def offloaded(frame: bytes, how: str, seed: bytes, size: int) -> bytes:
    """Return a frame behind a virtio header: verified, partial, or as a super-packet."""
    if how == "super":
        return virtio.VirtioHeader(1, virtio.Gso.UDP_L4, 42, size, 34, 6).to_bytes() + frame
    if how == "partial":
        return virtio.UDP_CSUM + frame[:40] + seed + frame[42:]
    return (virtio.VERIFIED if how == "verified" else virtio.PLAIN) + frame


many = st.builds(
    steady, st.sampled_from([7, 8]), st.sampled_from([b"ping" * 9, b"ping" * 2, b"odd" * 5 + b"o"]),
    st.integers(0, 0xFFFF), st.sampled_from(SPOILS), st.integers(0, 99),
)  # fmt: skip
seeds = st.sampled_from([b"\0\0", b"\xff\xff", b"\x12\x34"])
datas = st.one_of(
    st.builds(offloaded, steady_frames, st.sampled_from(["plain", "verified", "partial"]), seeds,
              st.just(0)),
    st.builds(offloaded, many, st.just("super"), seeds, st.sampled_from([3, 4, 1, 100, 0])),
)  # fmt: skip
broken = st.tuples(datas, st.integers(0, 9), st.binary(min_size=1, max_size=1)).map(
    lambda given: given[0][: given[1]] + given[2] + given[0][given[1] + 1 :]
)
offloads = st.builds(
    Offloaded, st.just("tap0"),
    st.lists(st.one_of(datas, datas, datas, broken), min_size=1, max_size=8),
)  # fmt: skip
right_offloads = st.builds(
    Offloaded, st.just("tap0"),
    st.lists(datas.filter(lambda data: isinstance(virtio.frames(data), list)), max_size=8),
)  # fmt: skip


calm = st.lists(st.one_of(bursts, shots), min_size=1, max_size=8)
# Calm traffic, and now and then something else that may change everything.
mixed = st.lists(st.tuples(calm, histories(sizes=(0, 2))), min_size=1, max_size=5).map(
    lambda parts: [event for part in parts for events in part for event in events]
)
OUTBOX_LIMITS = st.sampled_from([1000, 1000, 5])


def with_offloads(of: st.SearchStrategy[Offloaded]) -> st.SearchStrategy[list[Event]]:
    """Return calm traffic by a device with virtio headers, and now and then something else."""
    parts = st.lists(st.one_of(of, of, bursts, shots), min_size=1, max_size=8)
    return st.lists(st.tuples(parts, histories(sizes=(0, 2))), min_size=1, max_size=5).map(
        lambda all_: [event for part in all_ for events in part for event in events]
    )


def compare(
    config: Config,
    history: list[Event],
    outbox_limit: int,
    *,
    headroom: int = 0,
    reference_headroom: int = 0,
    learns: bool = True,
) -> None:
    """Play the same with and without the fast path; nothing that can be seen may differ.

    Args:
        learns: else it is never taken on either side, and what differs is how often is decided.
    """
    with pytest.MonkeyPatch.context() as patch:
        for module in (fast_udp, fast_forward, link_output, loopback):
            patch.setattr(module, "OUTBOX_LIMIT", outbox_limit)
        quick = Player(config, headroom=headroom)
        layered = Player(config, layered=True, headroom=reference_headroom)
        if not learns:
            learn_nothing(quick)
        for event in history:
            quick.play(event)
            layered.play(event)
            assert snapshot(quick.world) == snapshot(layered.world)


def learn_nothing(player: Player) -> None:
    """Let a stack learn no flow, so that every packet takes the layered path."""
    stack = player.stack
    stack.udp.learn_output = lambda *_: None
    stack.udp.learn_input = lambda *_: None
    for net in stack.networks.values():
        net.learn_forward = lambda *_: None


@given(configs, histories())
def test_fast_path_equals_layered_path(config: Config, history: list[Event]) -> None:
    compare(config, history, 1000)


@examples(25)
@given(configs.map(friendly), mixed, OUTBOX_LIMITS)
def test_fast_path_equals_layered_path_in_steady_traffic(
    config: Config, history: list[Event], outbox_limit: int
) -> None:
    compare(config, history, outbox_limit)


@examples(25)
@given(configs.map(friendly), with_offloads(offloads), OUTBOX_LIMITS)
def test_fast_path_equals_layered_path_behind_virtio_headers(
    config: Config, history: list[Event], outbox_limit: int
) -> None:
    compare(config, history, outbox_limit, headroom=10, reference_headroom=10)


@examples(25)
@given(configs.map(friendly), with_offloads(right_offloads), OUTBOX_LIMITS)
def test_super_packets_cannot_be_told_from_their_datagrams(
    config: Config, history: list[Event], outbox_limit: int
) -> None:
    compare(config, history, outbox_limit, headroom=10)


# The property would hold as well if the fast path were never taken; these show that it is.


def test_known_flows_do_not_reach_the_layered_path() -> None:
    host = Host()
    host.know(state=State.PERMANENT)
    socket = host.socket(7)
    host.receive(udp_frame())
    (flow,) = host.tap.flows.values()
    assert flow.head == b""
    host.receive(udp_frame())
    assert flow.head == udp_frame()[:18]
    host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    (way,) = socket.flows.values()
    assert isinstance(way, fast_udp.EthernetFlow)
    before = way.headers
    host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
    assert before is None
    assert way.headers is not None
    assert way.headers.macs[0] == PEER_MAC


def test_a_super_packet_of_a_known_flow_is_cut_without_building_frames() -> None:
    host = Host()
    host.tap.headroom = virtio.HEADER_LEN
    socket = host.socket(7)

    def super_packet(payload: bytes) -> bytes:
        return offloaded(steady(7, payload, 0, "nothing", 0), "super", b"", 4)

    host.receive(super_packet(b"onlyfour"))  # nothing is known yet
    assert host.tap.flows
    count = fast_udp.segments_input(
        host.stack.generation.number, host.tap, super_packet(b"onlyfo"), host.now
    )
    assert count == 2
    payloads = [datagram[0] for datagram in socket.receive_all()]
    assert payloads == [b"only", b"four", b"only", b"fo"]


def test_a_checksum_that_is_not_there_yet_is_not_looked_at() -> None:
    host = Host()
    host.tap.headroom = virtio.HEADER_LEN
    socket = host.socket(7)
    for seed in (b"\1\2", b"\3\4", b"\5\6"):
        host.receive(offloaded(steady(7, b"ping", 0, "nothing", 0), "partial", seed, 0))
    (flow,) = host.tap.flows.values()
    assert flow.partial
    assert len(socket.queue) == 3


def test_a_flow_to_ourselves_is_delivered_at_once() -> None:
    host = Host()
    sender, receiver = host.socket(), host.socket(7)
    for number in range(3):
        host.stack.udp.send(sender, b"x", ip(OURS), 7, host.now)
        assert len(receiver.queue) == number
        host.poll()
        assert len(receiver.queue) == number + 1
        if number == 0:
            break
    host.stack.udp.send(sender, b"x", ip(OURS), 7, host.now)
    assert len(receiver.queue) == 2


def test_nothing_is_remembered_of_a_link_without_carrier() -> None:
    host = Host()
    host.know(state=State.PERMANENT)
    socket = host.socket(7)
    set_carrier(host.stack.shared, host.tap, False, host.now)
    for number in (1, 2, 3):
        host.stack.udp.send(socket, b"x", ip(PEER), 9, host.now)
        assert host.reasons() == {"tx-no-carrier": number}
    assert host.tap.outbox == []


def test_nothing_is_remembered_of_what_comes_round_the_loopback() -> None:
    host = Host()
    host.socket(7)
    host.send(host.socket(), "127.0.0.1", 7)
    host.poll()
    assert host.stack.interfaces.loopback.flows == {}
