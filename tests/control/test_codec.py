import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.control.codec import MAX_REQUEST, Decoder, encode, frame
from smolctl.errors import ControlError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def decode_all(data: bytes, limit: int = MAX_REQUEST) -> list[dict[str, object]]:
    decoder = Decoder(limit)
    decoder.feed(data)
    found = []
    while (message := decoder.next()) is not None:
        found.append(message)
    return found


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=5), max_size=5), st.data())
def test_any_objects_come_out_as_they_went_in_however_the_stream_is_cut(
    messages: list[dict[str, object]], data: st.DataObject
) -> None:
    stream = b"".join(map(encode, messages))
    decoder = Decoder(MAX_REQUEST)
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        decoder.feed(stream[:size])
        stream = stream[size:]
        while (message := decoder.next()) is not None:
            found.append(message)
    assert found == messages


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_control_error(data: bytes) -> None:
    with contextlib.suppress(ControlError):
        decode_all(data, limit=100)


def test_a_frame_is_a_length_and_compact_json() -> None:
    assert encode({"a": [1, "é"]}) == b'\x00\x00\x00\x12{"a":[1,"\\u00e9"]}'


def test_a_lone_surrogate_survives() -> None:
    assert decode_all(encode({"a": "\ud800"})) == [{"a": "\ud800"}]


def test_nan_is_refused_when_encoding() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        encode({"a": float("nan")})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"hello", "control-protocol"),
        (b'"text"', "control-protocol"),
        (b"[1]", "control-protocol"),
        (b"\xff\xfe", "control-protocol"),
        (b"[" * 100_000, "control-protocol"),
        (b"9" * 5000, "control-protocol"),
        (b"", "control-protocol"),
    ],
)
def test_what_is_no_object_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(ControlError) as caught:
        decode_all(frame(body))
    assert caught.value.code == code


def test_another_protocol_is_found_out_by_its_first_four_bytes() -> None:
    with pytest.raises(ControlError) as caught:
        decode_all(b"GET / HTTP/1.1\r\n")
    assert caught.value.code == "message-too-large"


def test_a_message_of_exactly_the_limit_is_taken() -> None:
    body = json.dumps({"a": "x" * 90}).encode()
    assert decode_all(frame(body), limit=len(body)) == [{"a": "x" * 90}]
    with pytest.raises(ControlError):
        decode_all(frame(body), limit=len(body) - 1)


def test_what_came_before_a_bad_frame_is_delivered() -> None:
    decoder = Decoder(MAX_REQUEST)
    decoder.feed(encode({"a": 1}) + frame(b"nonsense"))
    assert decoder.next() == {"a": 1}
    with pytest.raises(ControlError):
        decoder.next()
