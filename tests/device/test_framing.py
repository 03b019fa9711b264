"""QEMU's framing of a stream: whatever the pieces it comes in, the frames are the same."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.device.framing import FRAME_MAX, FRAME_MIN, Decoder, encode

FRAMES = st.lists(st.binary(min_size=FRAME_MIN, max_size=100), max_size=8)


def stream(frames: list[bytes]) -> bytes:
    return b"".join(map(encode, frames))


@given(FRAMES, st.lists(st.integers(0, 1000)))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(
    frames: list[bytes], cuts: list[int]
) -> None:
    data, decoder = stream(frames), Decoder()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    out = []
    for start, stop in pairwise(edges):
        out += decoder.feed(data[start:stop])
    assert out == frames
    assert (decoder.fault, decoder.partial) == (None, 0)


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_no_bytes_raise_and_what_waits_is_bounded(pieces: list[bytes]) -> None:
    decoder = Decoder()
    for piece in pieces:
        for frame in decoder.feed(piece):
            assert FRAME_MIN <= len(frame) <= FRAME_MAX
        assert decoder.partial < 4 + FRAME_MAX


@pytest.mark.parametrize("length", [0, 1, FRAME_MIN - 1, FRAME_MAX + 1, 0xFFFFFFFF])
def test_an_impossible_length_ends_the_stream(length: int) -> None:
    decoder = Decoder()
    good = bytes(60)
    assert decoder.feed(encode(good) + length.to_bytes(4, "big") + encode(good)) == [good]
    assert decoder.fault is not None
    assert str(length) in decoder.fault
    assert decoder.feed(encode(good)) == []
    assert decoder.partial == 0


@pytest.mark.parametrize("length", [FRAME_MIN, FRAME_MAX])
def test_the_smallest_and_the_largest_frame_pass(length: int) -> None:
    assert Decoder().feed(encode(bytes(length))) == [bytes(length)]


def test_the_length_is_four_bytes_the_most_significant_first() -> None:
    assert encode(bytes(258))[:4] == b"\0\0\1\2"
