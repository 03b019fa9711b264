"""RFC 3376: what IGMP version 3 asks of a host, on the wire and in virtual time."""

import pytest

from smolctl.wire import igmp
from smolctl.wire.checksum import internet_checksum
from smolctl.wire.igmp import Membership, Query, Type
from tests.conformance.kit import raw
from tests.kit.clock import SECOND_NS
from tests.kit.groups import (
    ALL_HOSTS,
    GROUP,
    OTHER_GROUP,
    V3_ROUTERS,
    Said,
    but,
    igmp_frame,
    leave,
    member,
    only,
    query,
    reported,
    said,
    words,
)
from tests.kit.host import OURS, PEER, Host, ip, text

IP_HEADER = slice(14, 38)
A, B = "10.0.0.2", "10.0.0.3"


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def settled(host: Host) -> Host:
    """A host in one group, of which all has been said."""
    member(host)
    host.wait(60 * SECOND_NS)
    raw(host)
    return host


def with_checksum(message: bytes) -> bytes:
    bare = message[:2] + bytes(2) + message[4:]
    return bare[:2] + internet_checksum(bare).to_bytes(2) + bare[4:]


def test_rfc3376_2_a_socket_joins_and_leaves_a_group_on_an_interface(host: Host) -> None:
    host.link("tap1")
    socket = member(host, dev="tap1")
    assert ip(GROUP) in host.dev("tap1").ipv4.groups.filters
    assert ip(GROUP) not in host.tap.ipv4.groups.filters
    leave(host, socket, dev="tap1")
    assert ip(GROUP) not in host.dev("tap1").ipv4.groups.filters


def test_rfc3376_3_1_a_socket_says_which_sources_it_wants_or_does_not(host: Host) -> None:
    member(host, wanted=only(A))
    assert words(host) == [(f"allow {GROUP} {A}",)]
    member(host, OTHER_GROUP, but(A))
    assert words(host) == [(f"to_ex {OTHER_GROUP} {A}",)]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_rfc3376_4_ttl_1_precedence_and_router_alert(host: Host, version: int) -> None:
    host.set("igmp.force_version", version)
    member(host)
    host.poll()
    (frame,) = raw(host)
    header = frame[IP_HEADER]
    assert header[0] == 0x46
    assert header[1] == 0xC0
    assert header[8] == 1
    assert header[9] == 2
    assert header[20:24] == bytes((0x94, 4, 0, 0))
    assert internet_checksum(frame[38:]) in (0, 0xFFFF)


@pytest.mark.parametrize("kind", [0x00, 0x13, 0x14, 0x1F, 0x23, 0xFF])
def test_rfc3376_4_unknown_types_are_silently_ignored(settled: Host, kind: int) -> None:
    message = with_checksum(bytes((kind, 1)) + bytes(10))
    settled.receive(igmp_frame(message))
    settled.wait(60 * SECOND_NS)
    assert raw(settled) == []
    assert settled.reasons() == {"igmp-type-unknown": 1}


def test_rfc3376_4_1_1_a_code_of_128_or_more_is_floating_point(settled: Host) -> None:
    settled.receive(query(code=0x8F))  # (15 | 16) << 3 tenths of a second, of which half
    settled.wait(12_400_000_000 - 1)
    assert raw(settled) == []
    settled.wait(1)
    assert words(settled) == [(f"ex {GROUP}",)]


def test_rfc3376_4_1_2_the_checksum_is_verified_first(settled: Host) -> None:
    message = bytearray(Query(3, 0, 100).to_bytes())
    message[3] ^= 1
    settled.receive(igmp_frame(bytes(message)))
    settled.wait(60 * SECOND_NS)
    assert raw(settled) == []
    assert settled.reasons() == {"igmp-bad-checksum": 1}


def test_rfc3376_4_1_10_more_bytes_are_ignored_but_summed(settled: Host) -> None:
    longer = Query(3, 0, 100).to_bytes() + b"more"
    settled.receive(igmp_frame(longer))
    assert settled.reasons() == {"igmp-bad-checksum": 1}
    settled.receive(igmp_frame(with_checksum(longer)))
    settled.wait(60 * SECOND_NS)
    assert words(settled) == [(f"ex {GROUP}",)]


@pytest.mark.parametrize("dst", [OURS, ALL_HOSTS, GROUP])
def test_rfc3376_4_1_12_a_query_to_any_address_of_the_interface(settled: Host, dst: str) -> None:
    frame = igmp_frame(Query(3, 0, 100).to_bytes(), dst=dst)
    settled.receive(settled.tap.mac + frame[6:] if dst == OURS else frame)
    settled.wait(60 * SECOND_NS)
    assert words(settled) == [(f"ex {GROUP}",)]


def test_rfc3376_4_2_14_reports_go_to_224_0_0_22(host: Host) -> None:
    socket = member(host)
    host.wait(60 * SECOND_NS)
    host.receive(query())
    host.wait(60 * SECOND_NS)
    leave(host, socket)
    host.wait(60 * SECOND_NS)
    frames = raw(host)
    assert len(frames) == 5
    for frame in frames:
        assert frame[:6] == bytes.fromhex("01005e000016")
        assert text(int.from_bytes(frame[30:34])) == V3_ROUTERS


def test_rfc3376_5_all_hosts_are_joined_everywhere_and_never_reported(host: Host) -> None:
    host.link("tap1")
    for dev in ("tap0", "tap1", "lo"):
        assert ip(ALL_HOSTS) in host.dev(dev).ipv4.groups.filters
    host.receive(query(), query(3, ALL_HOSTS), query(2), query(1))
    socket = member(host, ALL_HOSTS)
    leave(host, socket, ALL_HOSTS)
    host.wait(600 * SECOND_NS)
    assert raw(host) == []


def test_rfc3376_5_1_a_change_is_reported_at_once(host: Host) -> None:
    socket = member(host)
    assert said(host) == [Said(V3_ROUTERS, (f"to_ex {GROUP}",))]
    leave(host, socket)
    assert said(host) == [Said(V3_ROUTERS, (f"to_in {GROUP}",))]


@pytest.mark.parametrize("robustness", [1, 2, 7])
@pytest.mark.parametrize("random", [0.0, 0.5, 0.999999])
def test_rfc3376_5_1_a_change_is_repeated(robustness: int, random: float) -> None:
    host = Host(random=random)
    host.set("igmp.qrv", robustness)
    member(host)
    assert len(words(host)) == 1
    host.wait((robustness - 1) * SECOND_NS)  # each within the interval after the one before
    assert len(words(host)) == robustness - 1
    host.wait(60 * SECOND_NS)
    assert words(host) == []


@pytest.mark.parametrize("random", [0.0, 0.3, 0.999999])
def test_rfc3376_5_2_an_answer_comes_at_a_random_time(random: float) -> None:
    host = Host(random=random)
    member(host)
    host.wait(60 * SECOND_NS)
    host.sent()
    host.receive(query(code=100))
    host.wait(int(random * 10 * SECOND_NS))
    assert words(host) == [(f"ex {GROUP}",)]


def test_rfc3376_5_2_a_sooner_general_answer_makes_another_superfluous(settled: Host) -> None:
    settled.receive(query(code=10), query(3, GROUP, code=100))
    settled.wait(60 * SECOND_NS)
    assert words(settled) == [(f"ex {GROUP}",)]


def test_rfc3376_5_2_a_general_answer_is_not_delayed_by_another_query(settled: Host) -> None:
    settled.receive(query(code=10), query(code=100))
    settled.wait(SECOND_NS // 2)
    assert words(settled) == [(f"ex {GROUP}",)]
    settled.wait(60 * SECOND_NS)
    assert words(settled) == []


def test_rfc3376_5_2_a_query_for_a_group_is_answered_for_it(settled: Host) -> None:
    member(settled, OTHER_GROUP)
    settled.wait(60 * SECOND_NS)
    settled.sent()
    settled.receive(query(3, GROUP), query(3, OTHER_GROUP, A, B))
    settled.wait(60 * SECOND_NS)
    assert words(settled) == [(f"ex {GROUP}", f"in {OTHER_GROUP} {A} {B}")]


@pytest.mark.parametrize(("version", "kind"), [(1, Type.REPORT_V1), (2, Type.REPORT_V2)])
def test_rfc3376_7_2_1_the_oldest_querier_decides(host: Host, version: int, kind: Type) -> None:
    host.receive(query(version))
    host.wait(259 * SECOND_NS)  # of 2 times 125 s and 10 s
    socket = member(host)
    host.poll()
    (frame,) = raw(host)
    assert igmp.parse(frame[38:]) == Membership(kind, ip(GROUP))
    assert text(int.from_bytes(frame[30:34])) == GROUP
    leave(host, socket)
    host.wait(SECOND_NS)
    raw(host)
    member(host, OTHER_GROUP)
    assert said(host) == [Said(V3_ROUTERS, (f"to_ex {OTHER_GROUP}",))]


@pytest.mark.parametrize("version", [1, 2])
def test_rfc3376_7_2_1_a_change_of_version_cancels_what_was_planned(
    settled: Host, version: int
) -> None:
    settled.receive(query(3, code=100), query(3, GROUP, code=100))
    settled.receive(query(version, code=100))
    settled.wait(60 * SECOND_NS)
    assert words(settled) == [(f"v{version} {GROUP}",)]


@pytest.mark.parametrize("version", [1, 2])
def test_rfc3376_7_2_2_anothers_report_makes_ours_superfluous(settled: Host, version: int) -> None:
    settled.receive(query(version), reported(GROUP, version))
    settled.wait(60 * SECOND_NS)
    assert raw(settled) == []


@pytest.mark.parametrize("strict", [0, 1])
def test_rfc3376_9_1_a_query_without_router_alert_is_ignored(settled: Host, strict: int) -> None:
    settled.set("igmp.strict_queries", strict)
    settled.receive(igmp_frame(Query(3, 0, 100).to_bytes(), PEER, options=b""))
    settled.wait(60 * SECOND_NS)
    assert len(raw(settled)) == 1 - strict
    assert settled.reasons() == ({"igmp-query-refused": 1} if strict else {})
