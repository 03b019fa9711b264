"""scapy as an independent oracle for IGMP: it builds and we parse, we build and it parses."""

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.igmp import IGMP, IGMPv3_MQ, IGMPv3_MR, IGMPv3_MR_Group

from smolctl.wire import igmp
from smolctl.wire.address import format_address
from smolctl.wire.igmp import Membership, Query, Record, Report, Type

octets = st.integers(0, 255)
groups = st.integers(0xE0000000, 0xEFFFFFFF)
addresses = st.integers(0, 2**32 - 1)
sources = st.lists(addresses, max_size=5).map(tuple)
shown = format_address


@given(st.sampled_from([Type.REPORT_V1, Type.REPORT_V2, Type.LEAVE]), groups)
def test_reports_of_versions_1_and_2(kind: Type, group: int) -> None:
    theirs = bytes(IGMP(type=kind, mrcode=0, gaddr=shown(group)))
    assert igmp.parse(theirs) == Membership(kind, group)
    assert Membership(kind, group).to_bytes() == theirs


@given(octets, st.one_of(st.just(0), groups))
def test_queries_of_versions_1_and_2(code: int, group: int) -> None:
    theirs = bytes(IGMP(type=0x11, mrcode=code, gaddr=shown(group)))
    ours = Query(2 if code else 1, group, code)
    assert igmp.parse(theirs) == ours
    assert ours.to_bytes() == theirs


@given(octets, addresses, sources, st.booleans(), st.integers(0, 7), octets)
def test_queries_of_version_3(
    code: int, group: int, asked: tuple[int, ...], suppress: bool, robustness: int, interval: int
) -> None:
    theirs = bytes(
        IGMPv3_MQ(
            # scapy takes what the code stands for, and finds the code itself.
            mrcode=igmp.decode(code), gaddr=shown(group), s=suppress, qrv=robustness,
            qqic=interval, srcaddrs=[shown(source) for source in asked],
        )
    )  # fmt: skip
    ours = Query(3, group, code, asked, suppress, robustness, interval)
    assert igmp.parse(theirs) == ours
    assert ours.to_bytes() == theirs


@given(st.lists(st.tuples(st.integers(1, 6), addresses, sources), max_size=4))
def test_reports_of_version_3(records: list[tuple[int, int, tuple[int, ...]]]) -> None:
    theirs = bytes(
        IGMPv3_MR(
            records=[
                IGMPv3_MR_Group(rtype=kind, maddr=shown(group), srcaddrs=list(map(shown, asked)))
                for kind, group, asked in records
            ]
        )
    )
    ours = Report(tuple(Record(*record) for record in records))
    assert igmp.parse(theirs) == ours
    assert ours.to_bytes() == theirs
    found = [(each.rtype, each.maddr) for each in IGMPv3_MR(ours.to_bytes()).records]
    assert found == [(kind, shown(group)) for kind, group, _ in records]
