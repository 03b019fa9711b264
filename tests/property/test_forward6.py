"""Laws of every packet of IPv6 that is forwarded, and of the errors that answer for it."""

from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.config.link import set_mtu
from smolctl.stack.trace.trace import Fate
from smolctl.wire import icmpv6, ipv6
from smolctl.wire.address import is_link_local, is_multicast
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.ipv6_ext import Fragment, options_header
from tests.kit.host import ip
from tests.kit.host6 import Seen6, frame6_of, packet6_of, see6
from tests.kit.routers import FAR6, Router6
from tests.property.events import Event, Receive, histories
from tests.property.frames import frames6, ips6, srcs6, to_macs
from tests.property.test_law import obey
from tests.property.test_predict import fares_as_predicted, toses
from tests.property.world import Config, configs

MIN_MTU = 1280
FRONTS = (
    (NextHeader.UDP, b""),
    (NextHeader.UDP, b""),
    (NextHeader.HOP_BY_HOP, options_header(NextHeader.UDP, [(5, b"\0\0")])),
    (NextHeader.DESTINATION, options_header(NextHeader.UDP, [(0xC3, b"for the last one")])),
    (NextHeader.FRAGMENT, Fragment(NextHeader.UDP, 0, True, 7).to_bytes()),
    (NextHeader.FRAGMENT, Fragment(NextHeader.UDP, 4096, False, 7).to_bytes()),
    (99, b""),
)
"""The first header of a packet, and what stands before its payload."""
bodies = st.binary(max_size=40) | st.integers(0, 1400).map(bytes)


def packet(
    front: tuple[int, bytes], body: bytes, ends: tuple[str, str], hops: int, label: int
) -> bytes:
    return packet6_of(
        front[0], front[1] + body, *ends, hops=hops, flow=label, traffic_class=label & 0xFF
    )


fronts, labels = st.sampled_from(FRONTS), st.integers(0, 0xFFFFF)
passing = st.builds(
    lambda sent, to: Receive("tap0", [frame6_of(sent, to=to)]),
    st.builds(
        packet, fronts, bodies, st.tuples(srcs6, ips6), st.sampled_from([0, 1, 2, 64]), labels
    ),
    st.none() | to_macs,
)
some = passing.map(lambda event: [event])
traffic = st.lists(st.one_of(some, some, histories(sizes=(1, 1))), max_size=15).map(
    lambda parts: [event for part in parts for event in part]
)


def forwarding(config: Config) -> Config:
    """Return a config that forwards, and whose second link leads somewhere."""
    sysctls = [
        sysctl
        for sysctl in config.sysctls
        if not sysctl[0].endswith(("ip6.forward", "ip6.disable"))
    ]
    wired = [*config.addresses, ("2001:db8::1/64", "tap0"), ("2001:db8:1::1/64", "tap1")]
    return config._replace(
        sysctls=[*sysctls, ("ip6.forward", 1)], addresses=list(dict.fromkeys(wired))
    )


routers = configs.map(forwarding)


@given(routers, traffic, st.booleans())
def test_every_forwarded_packet_has_exactly_one_fate(
    config: Config, history: list[Event], followed: bool
) -> None:
    obey(config, history, followed=followed)


@given(routers, histories(sizes=(0, 8)), st.sampled_from(["udp", "icmp"]), srcs6, ips6,
       st.integers(0, 1452), st.sampled_from(["tap0", "tap1"]), toses)  # fmt: skip
def test_a_packet_for_another_node_fares_as_predicted(
    config: Config,
    history: list[Event],
    proto: str,
    src: str,
    dst: str,
    size: int,
    dev: str,
    tos: int | None,
) -> None:
    fares_as_predicted(config, history, proto, src, dst, 9, size, dev, tos)


# --- what leaves ----------------------------------------------------------------------------------

sound = st.builds(
    lambda front, body, hops, label: packet(front, body, ("2001:db8::2", FAR6), hops, label),
    fronts, bodies, st.integers(2, 255), labels,
)  # fmt: skip


@given(sound)
def test_all_but_the_hop_limit_is_as_it_came(packet: bytes) -> None:
    router = Router6()
    router.receive(frame6_of(packet))
    (left,) = (frame[14:] for frame in router.take("tap1"))
    assert left[7] == packet[7] - 1
    assert left[:7] + left[8:] == packet[:7] + packet[8:]


@given(sound, st.integers(MIN_MTU, 1500))
def test_what_does_not_fit_is_not_cut_but_told(packet: bytes, mtu: int) -> None:
    router = Router6()
    set_mtu(router.stack.shared, router.dev("tap1"), mtu)
    trace = router.follow(frame6_of(packet))
    left, back = router.take("tap1"), router.sent6()
    if len(packet) <= mtu:
        assert trace.fate is Fate.FORWARDED
        assert [len(frame) - 14 for frame in left] == [len(packet)]
        assert back == []
        return
    assert trace.fate is Fate.REJECTED
    assert left == []
    (error,) = back
    assert (error.icmp.type, error.icmp.code, error.icmp.rest) == (2, 0, mtu)
    assert len(error.packet) == min(MIN_MTU, len(packet) + 48)
    assert packet.startswith(error.icmp.body)


@given(st.builds(packet, fronts, bodies, st.tuples(ips6, ips6), st.just(64), labels))
def test_no_address_of_a_link_goes_on_to_another_one(packet: bytes) -> None:
    router = Router6()
    router.route("::/0", "tap1", via=FAR6)
    router.receive(frame6_of(packet))
    header = ipv6.parse(packet)
    assert isinstance(header, Ipv6Header)
    through = [see6(frame) for frame in router.take("tap1") if frame[14 + 8 : 54] == packet[8:40]]
    for _ in through:
        assert not is_link_local(header.src)
        assert not is_link_local(header.dst)
        assert not is_multicast(header.src)
        assert not is_multicast(header.dst)
        assert ip("::") not in (header.src, header.dst)
        assert ip("::1") not in (header.src, header.dst)


# --- errors (RFC 4443 2.4) ------------------------------------------------------------------------


def errors_about(frame: bytes, seen: list[Seen6]) -> list[Seen6]:
    """Return the errors that a frame caused; what was forwarded has its source."""
    own = [each for each in seen if each.packet[8:24] != frame[22:38]]
    return [
        each
        for each in own
        if each.protocol == NextHeader.ICMPV6 and icmpv6.is_error(each.icmp.type)
    ]


@given(st.lists(frames6, max_size=6), st.booleans())
def test_each_error_keeps_the_rules_of_errors(frames: list[bytes], forwards: bool) -> None:
    router = Router6()
    router.set("icmp6.ratelimit_ms", 0)
    router.set("ip6.forward", int(forwards))
    for frame in frames:
        router.take()
        router.receive(frame)
        for error in errors_about(frame, router.sent6()):
            check_error(error, frame[14:])


def check_error(error: Seen6, cause: bytes) -> None:
    """Compare an error with the packet that caused it."""
    message, header = error.icmp, ipv6.parse(cause)
    assert isinstance(header, Ipv6Header)
    assert len(error.packet) == min(MIN_MTU, 48 + ipv6.HEADER_LEN + header.payload_length)
    assert cause.startswith(message.body)
    assert error.ip.dst == header.src
    assert not is_multicast(header.src)
    assert header.src != ip("::")
    if is_multicast(header.dst):
        # Only a packet that is too big, and an option that asks for it, are told then.
        assert message.type == icmpv6.Type.PACKET_TOO_BIG or (message.type, message.code) == (4, 2)
    if cause[6] == NextHeader.ICMPV6:
        assert not icmpv6.is_error(cause[40])
        assert cause[40] != icmpv6.Type.REDIRECT
    if message.type == icmpv6.Type.PARAMETER_PROBLEM:
        assert message.rest < ipv6.HEADER_LEN + header.payload_length
