"""Runs over IPv6: cut by the receiver, they are the very frames that the codecs make."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ethernet, udp
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.ipv6 import Ipv6Header, NextHeader
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import Headers6, Run, coalesce

OURS, PEER = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
HEADER = Ipv6Header(0xB8, 0x12345, 0, 0, 64, IPV6_MARK | 0xFE80 << 112 | 1, IPV6_MARK | 2)

payloads = st.integers(0, 100).flatmap(
    lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=64)
)
addresses = st.integers(IPV6_MARK, 2 * IPV6_MARK - 1)


def headers(size: int, dst: int = HEADER.dst) -> Headers6:
    return Headers6((PEER, OURS), HEADER._replace(dst=dst), 5, 7, size)


def frame(payload: bytes, dst: int) -> bytes:
    """Return the frame as the codecs make it."""
    segment = udp.to_bytes(5, 7, payload, HEADER.src, dst)
    header = HEADER._replace(payload_length=len(segment), next_header=NextHeader.UDP, dst=dst)
    link = ethernet.EthernetHeader(PEER, OURS, ethernet.EtherType.IPV6)
    return link.to_bytes() + header.to_bytes() + segment


@given(payloads, addresses)
def test_one_by_one_and_cut_by_the_receiver(items: list[bytes], dst: int) -> None:
    expected = [frame(item, dst) for item in items]
    run = Run(headers(len(items[0]), dst), items)
    assert run.frames() == expected
    assert len(run) == sum(map(len, expected))
    if items[0]:
        assert virtio.frames(run.to_bytes()) == expected


def test_a_lone_datagram_is_no_super_packet() -> None:
    data = Run(headers(1), [b"x"]).to_bytes()
    assert data[:10] == virtio.UDP6_CSUM
    assert data[10:70] == frame(b"x", HEADER.dst)[:60]
    assert virtio.frames(data) == [frame(b"x", HEADER.dst)]


@pytest.mark.parametrize(
    ("size", "most"), [(0, 1), (1, 64), (1023, 64), (1024, 63), (1452, 45), (65487, 1)]
)
def test_a_run_is_at_most_64_datagrams_and_one_packet(size: int, most: int) -> None:
    shared = headers(size)
    assert shared.most == most
    runs = coalesce([(shared, bytes(size))] * (most + 1), 64)
    assert [len(run.payloads) for run in runs] == [most, 1]
    assert 40 + int.from_bytes(runs[0].to_bytes()[28:30]) == 48 + size * most <= 65535
