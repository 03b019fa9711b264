"""Laws of every packet that is forwarded, whatever it is and whatever the stack is like."""

from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.config.link import set_mtu
from smolctl.stack.ip.reassembly import Complete, Reassembly
from smolctl.stack.ipv4.fragment import RULES, received
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.trace.trace import Fate
from smolctl.wire import ipv4
from tests.kit.host import frame_of, packet_of
from tests.kit.packets import ip_packet
from tests.kit.routers import FAR, NEAR, Router
from tests.property.events import Event, Receive, histories
from tests.property.frames import by_macs, ips, srcs, to_macs
from tests.property.test_law import obey
from tests.property.test_predict import fares_as_predicted, toses
from tests.property.world import Config, configs

protocols = st.sampled_from([1, 6, 17, 17, 132])
ttls = st.sampled_from([0, 1, 2, 64, 255])
RECORD_ROUTE, UNKNOWN, SOURCE_ROUTE = b"\7\7\4\0\0\0\0", b"\x9e\4\1\2", b"\x83\3\4"
options = st.sampled_from([b"", b"", b"", RECORD_ROUTE, UNKNOWN, SOURCE_ROUTE])
packets = st.builds(
    lambda protocol, src, dst, body, ttl, df, mf, offset, options, ident: packet_of(
        protocol, body, src, dst, ttl=ttl, df=df, mf=mf, offset=offset, options=options,
        ident=ident,
    ),
    protocols, srcs, ips, st.binary(max_size=40) | st.integers(0, 1480).map(bytes), ttls,
    st.booleans(), st.booleans(), st.sampled_from([0, 0, 0, 8, 1480]), options,
    st.integers(0, 0xFFFF),
)  # fmt: skip
passing = st.builds(
    lambda packet, to, by: Receive("tap0", [frame_of(packet, to=to, by=by)]),
    packets, to_macs, by_macs,
)  # fmt: skip


def forwarding(config: Config) -> Config:
    """Return a config that forwards, and whose second link leads somewhere."""
    switches = ("ip.forward", "ip6.forward")
    sysctls = [sysctl for sysctl in config.sysctls if not sysctl[0].endswith(switches)]
    wired = [*config.addresses, ("10.1.0.1/24", "tap1"), ("2001:db8:1::1/64", "tap1")]
    return config._replace(
        sysctls=[*sysctls, *((switch, 1) for switch in switches)],
        addresses=list(dict.fromkeys(wired)),
    )


routers = configs.map(forwarding)
some = passing.map(lambda event: [event])
traffic = st.lists(st.one_of(some, some, histories(sizes=(1, 1))), max_size=15).map(
    lambda parts: [event for part in parts for event in part]
)


@given(routers, traffic, st.booleans())
def test_every_forwarded_packet_has_exactly_one_fate(
    config: Config, history: list[Event], followed: bool
) -> None:
    obey(config, history, followed=followed)


@given(routers, histories(sizes=(0, 8)), st.sampled_from(["udp", "icmp"]), srcs, ips,
       st.integers(0, 1472), st.sampled_from(["tap0", "tap1"]), toses)  # fmt: skip
def test_a_packet_for_another_host_fares_as_predicted(
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


# --- shape ----------------------------------------------------------------------------------------


def parsed(packet: bytes) -> ipv4.Ipv4Header:
    header = ipv4.parse(packet)
    assert isinstance(header, ipv4.Ipv4Header), header
    return header


sound_options = st.sampled_from([b"", b"\x9e\x04\1\2", b"\x01\x9e\x03\1", b"\x1e\x04\1\2"])
sound = st.builds(
    lambda protocol, body, ttl, df, mf, offset, options, ident: packet_of(
        protocol, body, NEAR, FAR, ttl=ttl, df=df, mf=mf, offset=offset, options=options,
        ident=ident,
    ),
    protocols, st.binary(max_size=40) | st.integers(0, 1420).map(bytes), st.integers(2, 255),
    st.booleans(), st.booleans(), st.sampled_from([0, 0, 8, 4096]), sound_options,
    st.integers(0, 0xFFFF),
)  # fmt: skip


@given(sound)
def test_all_but_time_to_live_and_checksum_are_as_they_came(packet: bytes) -> None:
    router = Router()
    router.receive(frame_of(packet))
    (left,) = (frame[14:] for frame in router.take("tap1"))
    header = parsed(packet)
    assert parsed(left) == header._replace(ttl=header.ttl - 1)
    assert left[:8] + left[9:10] + left[12:] == packet[:8] + packet[9:10] + packet[12:]


@given(sound, st.integers(68, 1500))
def test_what_is_cut_can_be_put_together_and_fits(packet: bytes, mtu: int) -> None:
    router, header = Router(), parsed(packet)
    set_mtu(router.stack.shared, router.dev("tap1"), mtu)
    trace = router.follow(frame_of(packet))
    left = [frame[14:] for frame in router.take("tap1")]
    if header.df and len(packet) > mtu:
        assert left == []
        assert trace.fate is Fate.REJECTED
        return
    assert trace.fate is Fate.FORWARDED
    assert all(len(piece) <= mtu for piece in left)
    at = header.fragment_offset
    for piece in left:
        own = parsed(piece)
        assert own.fragment_offset == at
        assert (own.ttl, own.ident, own.src, own.dst) == (
            header.ttl - 1, header.ident, header.src, header.dst,
        )  # fmt: skip
        at += own.total_length - own.header_len
        assert own.mf == (header.mf or piece is not left[-1])
    bodies = [piece[parsed(piece).header_len :] for piece in left]
    assert b"".join(bodies) == packet[header.header_len :]
    if len(left) > 1 and not header.mf and not header.fragment_offset:
        assert joined(left)[parsed(left[0]).header_len :] == packet[header.header_len :]


def joined(pieces: list[bytes]) -> bytes:
    """Return the datagram that the receiver makes of fragments."""
    reassembly = Reassembly(RULES, Settings())
    for piece in pieces:
        *_, outcome = reassembly.add(received(ip_packet(piece)), 0)
    assert isinstance(outcome, Complete)
    return outcome.data
