"""The fast path of forwarding is invisible, too: with it and without it a router does the same."""

from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import icmpv6, udp
from smolctl.wire.fault import WireFault
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import Fragment, options_header
from smolctl.wire.offload import virtio
from tests.kit.amount import examples
from tests.kit.host import OTHER_MAC, OUR_MAC, frame_of, ip, packet_of
from tests.kit.host6 import PEER_LINK_LOCAL, frame6_of, packet6_of
from tests.property.events import Event, Offloaded, Receive, Send, histories
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
    return dev, spoiled(frame_of(packet, to=OUR_MAC if dev == "tap0" else OTHER_MAC), spoil, at)


def spoiled(frame: bytes, spoil: str, at: int) -> bytes:
    """Return a frame that is longer or shorter than it says, or of which a bit is wrong."""
    if spoil == "padding":
        return frame + bytes(14)
    if spoil == "cut":
        return frame[:-1]
    if spoil == "short":
        return frame[: at % 54]
    if spoil == "flip":
        at %= len(frame)
        return frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]
    return frame


def packets(ends: st.SearchStrategy[tuple[str, str, str]]) -> st.SearchStrategy[tuple[str, bytes]]:
    return st.builds(
        passing, ends, st.sampled_from([17, 17, 1, 6]),
        st.sampled_from([64, 64, 64, 2, 1, 0, 255]), st.integers(0, 0xFFFF),
        st.sampled_from(SPOILS), st.integers(0, 99),
    )  # fmt: skip


ENDS6 = (
    ("tap0", "2001:db8::2", "2001:db8:1::2"),
    ("tap0", "2001:db8::2", "2001:db8:1::2"),
    ("tap0", "2001:db8::7", "2001:db8:1::2"),
    ("tap1", "2001:db8:1::2", "2001:db8::2"),
    ("tap1", "2001:db8:1::2", "2001:db8:2::8"),
    ("tap1", "2001:db8:1::2", "3ffe::1"),
    ("tap0", "2001:db8::3", "2001:db8:1::2"),
    ("tap0", PEER_LINK_LOCAL, "2001:db8:1::2"),
    ("tap0", "2001:db8::2", PEER_LINK_LOCAL),
    ("tap0", "::", "2001:db8:1::2"),
    ("tap0", "2001:db8::2", "3ffe::1"),
)
"""The same; 2001:db8::3 may be ours, and link-local addresses go nowhere."""
SPOILS6 = (*["nothing"] * 14, "padding", "cut", "flip", "hop-by-hop", "options", "label", "class",
           "fragment", "big", "big", "none", "short")  # fmt: skip


def passing6(
    ends: tuple[str, str, str], protocol: int, hops: int, spoil: str, at: int
) -> tuple[str, bytes]:
    """Return what ``passing`` does, of IPv6."""
    dev, src, dst = ends
    body = bytes([at]) * (1460 if spoil == "big" else at % 4)
    if protocol == NextHeader.UDP:
        body = udp.to_bytes(9, 7 + at % 2, body, ip(src), ip(dst))
    elif protocol == NextHeader.ICMPV6:
        message = icmpv6.Icmpv6Message(icmpv6.Type.ECHO_REQUEST, 0, at, body)
        body = message.to_bytes(ip(src), ip(dst))
    front = {"hop-by-hop": NextHeader.HOP_BY_HOP, "options": NextHeader.DESTINATION}.get(spoil)
    if front is not None:
        protocol, body = front, options_header(protocol, []) + body
    elif spoil == "fragment":
        protocol, body = NextHeader.FRAGMENT, Fragment(protocol, 0, True, 1).to_bytes() + body
    elif spoil == "none":
        protocol, body = NextHeader.NONE, b""
    packet = packet6_of(
        protocol, body, src, dst, hops=hops, flow=at if spoil == "label" else 0,
        traffic_class=at if spoil == "class" else 0,
    )  # fmt: skip
    return dev, spoiled(frame6_of(packet, to=OUR_MAC if dev == "tap0" else OTHER_MAC), spoil, at)


def packets6(ends: st.SearchStrategy[tuple[str, str, str]]) -> st.SearchStrategy[tuple[str, bytes]]:
    return st.builds(
        passing6, ends, st.sampled_from([17, 17, 58, 6]),
        st.sampled_from([64, 64, 64, 2, 1, 0, 255]), st.sampled_from(SPOILS6), st.integers(0, 99),
    )  # fmt: skip


arriving = packets(st.sampled_from(ENDS)) | packets6(st.sampled_from(ENDS6))
alike = st.sampled_from(ENDS6).flatmap(lambda ends: st.lists(packets6(st.just(ends)), max_size=6))


def batches(frames: list[tuple[str, bytes]]) -> list[Event]:
    return [Receive(dev, [frame]) for dev, frame in frames]


steady = (st.lists(arriving, min_size=1, max_size=10) | alike).map(batches)


def offloaded(arrival: tuple[str, bytes], how: str, seed: bytes) -> Event:
    """Return a frame behind a virtio header: whole, or a datagram that is not summed."""
    dev, frame = arrival
    six = frame[12:14] == b"\x86\xdd"
    front = {"plain": virtio.PLAIN, "verified": virtio.VERIFIED}.get(how)
    if front is None:
        front, at = (virtio.UDP6_CSUM, 60) if six else (virtio.UDP_CSUM, 40)
        if len(frame) >= at + 2:
            frame = frame[:at] + seed + frame[at + 2 :]
    return Offloaded(dev, [front + frame])


behind_headers = st.lists(
    st.builds(offloaded, arriving, st.sampled_from(["plain", "verified", "partial"]), seeds),
    min_size=1, max_size=10,
)  # fmt: skip


KNOWN = [(ends[1], ends[0], True) for ends in (*ENDS[1:3], *ENDS6[1:5], ENDS6[7])]


def friendly(config: Config, rules: bool) -> Config:
    """Return a config in which ways are remembered: both ends known, mostly no rules."""
    config = forwarding(config)
    return config._replace(
        known=[*KNOWN, *config.known],
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


@examples(25)
@given(routers, mixed(steady), OUTBOX_LIMITS)
def test_fast_path_equals_layered_path(
    config: Config, history: list[Event], outbox_limit: int
) -> None:
    compare(config, history, outbox_limit)


@examples(25)
@given(routers, mixed(behind_headers), OUTBOX_LIMITS)
def test_fast_path_equals_layered_path_behind_virtio_headers(
    config: Config, history: list[Event], outbox_limit: int
) -> None:
    compare(config, history, outbox_limit, headroom=10, reference_headroom=10)


sends = st.builds(
    Send, st.integers(0, 2),
    st.sampled_from(["10.0.0.2", "10.0.0.2", "10.1.0.2", "127.0.0.1", "8.8.8.8", "2001:db8::2"]),
    st.sampled_from([7, 9]), st.sampled_from([b"ping", b"ping", bytes(1600)]), st.none(),
    st.integers(1, 2),
)  # fmt: skip
both_ways = st.tuples(st.lists(sends, max_size=5), steady).map(lambda two: [*two[0], *two[1]])


@examples(20)
@given(routers, mixed(both_ways))
def test_what_was_decided_is_what_would_be_decided_again(
    config: Config, history: list[Event]
) -> None:
    compare(config, history, 1000, learns=False)


@given(arriving, st.sampled_from(["plain", "verified", "partial"]), seeds)
def test_what_is_summed_is_what_the_slow_way_makes(
    arrival: tuple[str, bytes], how: str, seed: bytes
) -> None:
    event = offloaded(arrival, how, seed)
    assert isinstance(event, Offloaded)
    (data,) = event.data
    found, frames = virtio.summed(data) or virtio.summed6(data), virtio.frames(data)
    if found is not None:
        assert how == "partial"
        assert not isinstance(frames, WireFault)
        assert [found] == frames
