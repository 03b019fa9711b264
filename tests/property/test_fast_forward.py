"""The fast path of forwarding is invisible, too: with it and without it a router does the same."""

from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import udp
from smolctl.wire.fault import WireFault
from smolctl.wire.offload import virtio
from tests.kit.amount import examples
from tests.kit.host import OTHER_MAC, OUR_MAC, frame_of, ip, packet_of
from tests.property.events import Event, Offloaded, Receive, histories
from tests.property.test_fast import OUTBOX_LIMITS, compare, seeds
from tests.property.test_forward import forwarding
from tests.property.world import Config, configs

ENDS = (
    ("tap0", "10.0.0.2", "10.1.0.2"),
    ("tap0", "10.0.0.2", "10.1.0.2"),
    ("tap1", "10.1.0.2", "10.0.0.2"),
    ("tap1", "10.1.0.2", "8.8.8.8"),
    ("tap1", "10.1.0.2", "8.8.4.4"),
    ("tap0", "8.8.4.4", "10.1.0.2"),
    ("tap0", "10.0.0.2", "8.8.8.8"),
)
"""By which interface, from whom and to whom packets come; the last may have to be told a way."""
SPOILS = (*["nothing"] * 14, "padding", "cut", "flip", "options", "fragment", "df", "tos", "big",
          "short")  # fmt: skip


def passing(
    ends: tuple[str, str, str], protocol: int, ttl: int, ident: int, spoil: str, at: int
) -> tuple[str, bytes]:
    """Return an interface and a frame that comes in by it for another host.

    Args:
        at: which byte is changed by the spoil "flip".
    """
    dev, src, dst = ends
    body = bytes([at]) * (1480 if spoil == "big" else at % 4)
    if protocol == 17:
        body = udp.to_bytes(9, 7 + ident % 2, body, ip(src), ip(dst))
    packet = packet_of(
        protocol, body, src, dst, ttl=ttl, ident=ident, df=spoil == "df", mf=spoil == "fragment",
        tos=0x10 * (spoil == "tos"), options=b"\x9e\4\1\2" if spoil == "options" else b"",
    )  # fmt: skip
    frame = frame_of(packet, to=OUR_MAC if dev == "tap0" else OTHER_MAC)
    if spoil == "padding":
        frame += bytes(14)
    elif spoil == "cut":
        frame = frame[:-1]
    elif spoil == "short":
        frame = frame[: at % 34]
    elif spoil == "flip":
        at %= len(frame)
        frame = frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]
    return dev, frame


arriving = st.builds(
    passing, st.sampled_from(ENDS), st.sampled_from([17, 17, 1, 6]),
    st.sampled_from([64, 64, 64, 2, 1, 0, 255]), st.integers(0, 0xFFFF), st.sampled_from(SPOILS),
    st.integers(0, 99),
)  # fmt: skip


def batches(frames: list[tuple[str, bytes]]) -> list[Event]:
    return [Receive(dev, [frame]) for dev, frame in frames]


steady = st.lists(arriving, min_size=1, max_size=10).map(batches)


def offloaded(arrival: tuple[str, bytes], how: str, seed: bytes) -> Event:
    """Return a frame behind a virtio header: whole, or a datagram that is not summed."""
    dev, frame = arrival
    front = {"plain": virtio.PLAIN, "verified": virtio.VERIFIED, "partial": virtio.UDP_CSUM}[how]
    if how == "partial" and len(frame) >= 42:
        frame = frame[:40] + seed + frame[42:]
    return Offloaded(dev, [front + frame])


behind_headers = st.lists(
    st.builds(offloaded, arriving, st.sampled_from(["plain", "verified", "partial"]), seeds),
    min_size=1, max_size=10,
)  # fmt: skip


def friendly(config: Config, rules: bool) -> Config:
    """Return a config in which ways are remembered: both ends known, mostly no rules."""
    config = forwarding(config)
    return config._replace(
        known=[("10.0.0.2", "tap0", True), ("10.1.0.2", "tap1", True), *config.known],
        down=None,
        no_carrier=None,
        rules=config.rules if rules else [],
    )


routers = st.builds(friendly, configs, st.sampled_from([False, False, True]))


def mixed(traffic: st.SearchStrategy[list[Event]]) -> st.SearchStrategy[list[Event]]:
    """Return such traffic, and now and then something else that may change everything."""
    return st.lists(st.tuples(traffic, histories(sizes=(0, 2))), min_size=1, max_size=4).map(
        lambda parts: [event for part in parts for events in part for event in events]
    )


@examples(40)
@given(routers, mixed(steady), OUTBOX_LIMITS)
def test_fast_path_equals_layered_path(
    config: Config, history: list[Event], outbox_limit: int
) -> None:
    compare(config, history, outbox_limit)


@examples(40)
@given(routers, mixed(behind_headers), OUTBOX_LIMITS)
def test_fast_path_equals_layered_path_behind_virtio_headers(
    config: Config, history: list[Event], outbox_limit: int
) -> None:
    compare(config, history, outbox_limit, headroom=10, reference_headroom=10)


@given(arriving, st.sampled_from(["plain", "verified", "partial"]), seeds)
def test_what_is_summed_is_what_the_slow_way_makes(
    arrival: tuple[str, bytes], how: str, seed: bytes
) -> None:
    event = offloaded(arrival, how, seed)
    assert isinstance(event, Offloaded)
    (data,) = event.data
    found, frames = virtio.summed(data), virtio.frames(data)
    if found is not None:
        assert how == "partial"
        assert not isinstance(frames, WireFault)
        assert [found] == frames
