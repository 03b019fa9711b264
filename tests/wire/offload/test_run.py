"""Runs: what is sent in one write is cut into the very frames that would have been sent alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import ethernet, ipv4, udp
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import MAX_SEGMENTS, Headers, Run, coalesce

SRC, DST = 0x0A000001, 0x0A000002
OURS, PEER = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")


def headers(size: int, *, dst: int = DST, dport: int = 7, ttl: int = 64) -> Headers:
    return Headers((PEER, OURS), SRC, dst, 5, dport, ttl, size)


def frame(payload: bytes, ident: int = 0, *, dst: int = DST) -> bytes:
    """Return the frame as the codecs make it."""
    segment = udp.to_bytes(5, 7, payload, SRC, dst)
    header = ipv4.Ipv4Header(5, 0, 20 + len(segment), ident, True, False, 0, 64, 17, SRC, dst)
    link = ethernet.EthernetHeader(PEER, OURS, ethernet.EtherType.IPV4)
    return link.to_bytes() + header.to_bytes() + segment


payloads = st.integers(0, 100).flatmap(
    lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=64)
)
addresses = st.integers(0, 2**32 - 1)


@given(payloads, addresses)
def test_one_by_one_they_are_what_the_codecs_make(items: list[bytes], dst: int) -> None:
    run = Run(headers(len(items[0]), dst=dst), items)
    assert run.frames() == [frame(item, dst=dst) for item in items]
    assert len(run) == sum(map(len, run.frames()))


@given(payloads, addresses)
def test_cut_by_the_receiver_they_are_the_same_but_for_the_ident(
    items: list[bytes], dst: int
) -> None:
    if not items[0]:
        items = items[:1]
    run = Run(headers(len(items[0]), dst=dst), items)
    # Whoever cuts counts the ident up, as Linux does; with DF set any will do (RFC 6864 4.1).
    expected = [frame(item, ident, dst=dst) for ident, item in enumerate(items)]
    assert virtio.frames(run.to_bytes()) == expected


@given(payloads, addresses)
def test_the_seed_is_the_sum_of_the_pseudo_header(items: list[bytes], dst: int) -> None:
    data = Run(headers(len(items[0]), dst=dst), items[: max(1, len(items[0]))]).to_bytes()
    length = len(data) - 10 - 34
    assert int.from_bytes(data[48:50]) == length
    seed = int.from_bytes(data[50:52])
    assert seed == ((SRC + dst + 17 + length) % 0xFFFF or 0xFFFF)


def test_a_lone_datagram_is_no_super_packet() -> None:
    data = Run(headers(1), [b"x"]).to_bytes()
    assert data[:10] == virtio.UDP_CSUM
    assert data[10:50] == frame(b"x")[:40]


@pytest.mark.parametrize(
    ("size", "most"), [(0, 1), (1, 64), (64, 64), (1023, 64), (1024, 63), (1472, 44), (65507, 1)]
)
def test_a_run_is_at_most_64_datagrams_and_one_packet(size: int, most: int) -> None:
    shared = headers(size)
    assert shared.most == most
    runs = coalesce([(shared, bytes(size))] * (most + 1), MAX_SEGMENTS)
    assert [len(run.payloads) for run in runs] == [most, 1]
    assert int.from_bytes(runs[0].to_bytes()[26:28]) == 28 + size * most <= 65535


def test_coalescing_keeps_the_order_and_stops_at_whatever_is_different() -> None:
    a, b = headers(1), headers(1, dport=8)
    other = b"a frame"
    items = [(a, b"1"), (a, b"2"), (b, b"3"), (a, b"4"), other, (a, b"5"), (a, b"6"), other]
    runs = coalesce(items, 64)
    shown = [(r.headers, r.payloads) if isinstance(r, Run) else r for r in runs]
    assert shown == [
        (a, [b"1", b"2"]), (b, [b"3"]), (a, [b"4"]), other, (a, [b"5", b"6"]), other,
    ]  # fmt: skip
    assert [len(run.payloads) for run in coalesce([(a, b"x")] * 5, 2)] == [2, 2, 1]
    assert [len(run.payloads) for run in coalesce([(a, b"x")] * 3, 1)] == [1, 1, 1]
    assert coalesce([], 64) == []
