"""Messages of a program's socket: what goes in comes out, and no bytes do harm."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.control import channel
from smolctl.errors import ControlError
from smolctl.ops.socket_open import BATCH
from smolctl.wire.address import packed as from_address
from smolctl.wire.udp import MAX_PAYLOAD

ADDRESS = st.integers(0, 0xFFFFFFFF) | st.integers(1 << 128, (1 << 129) - 1)
ZONE = st.integers(0, 0xFFFFFFFF)
PORT = st.integers(0, 0xFFFF)
PAYLOAD = st.binary(max_size=40)


@given(ADDRESS, PORT, ZONE, PAYLOAD)
def test_a_datagram_is_its_head_and_its_payload(
    dst: int, port: int, zone: int, payload: bytes
) -> None:
    said = channel.parse_sent(channel.head(dst, port, zone) + payload)
    assert said == channel.Sent(dst, port, (payload,), 0, zone)


@given(ADDRESS, PORT, ZONE, st.lists(PAYLOAD, min_size=1, max_size=channel.MAX_BATCH))
def test_a_batch_comes_out_in_order(dst: int, port: int, zone: int, payloads: list[bytes]) -> None:
    said = channel.parse_sent(channel.batch(channel.head(dst, port, zone), payloads))
    assert said == channel.Sent(dst, port, payloads, 0, zone)


@given(ADDRESS, PORT, ZONE, PAYLOAD, st.integers(1, 0xFFFFFFFF))
def test_a_datagram_that_is_asked_about(
    dst: int, port: int, zone: int, payload: bytes, number: int
) -> None:
    said = channel.parse_sent(channel.ask(channel.head(dst, port, zone), payload, number))
    assert said == channel.Sent(dst, port, (payload,), number, zone)


@given(ADDRESS, ADDRESS, ZONE, PAYLOAD, st.integers(1, 0xFFFFFFFF))
def test_a_datagram_may_name_its_source(
    dst: int, src: int, ifindex: int, payload: bytes, number: int
) -> None:
    front = channel.head_from(channel.head(dst, 7, 3), src, ifindex)
    whole = channel.Sent(dst, 7, (payload,), 0, 3, src, ifindex)
    assert channel.parse_sent(front + payload) == whole
    asked = channel.parse_sent(channel.ask(front, payload, number))
    assert asked == whole._replace(number=number)


@given(ADDRESS, ADDRESS, ZONE, st.binary(min_size=4, max_size=4), st.lists(PAYLOAD, min_size=1))
def test_details_come_out_as_they_went_in(
    src: int, dst: int, ifindex: int, answer: bytes, payloads: list[bytes]
) -> None:
    details = channel.Details(dst, ifindex, answer, 1, 255)
    said = channel.with_details(channel.sender(src, 7, 3), details)
    runs = channel.parse_received(channel.received([(said, payloads)], details=True))
    assert isinstance(runs, list)
    assert [payload for run in runs for payload in run.payloads] == payloads
    for sender, _ in runs:
        assert (channel.sender_of(sender), channel.details_of(sender)) == ((src, 7, 3), details)
    assert channel.details_of(channel.sender(src, 7, 3)) is None


@given(ADDRESS)
def test_an_address_is_the_bytes_of_its_family(address: int) -> None:
    packed = channel.packed(address)
    assert packed == from_address(address)
    assert channel.number_of(packed) == address


@pytest.mark.parametrize("dst", [1 << 32, (1 << 128) - 1, 1 << 129, (1 << 136) - 1])
def test_numbers_of_no_family_are_refused(dst: int) -> None:
    head = channel.head(0, 7)
    with pytest.raises(ControlError):
        channel.parse_sent(head[:-17] + dst.to_bytes(17) + b"payload")


def test_a_command_keeps_its_arguments() -> None:
    message = channel.command("bind", {"addr": "10.0.0.1", "port": 7}, 3)
    said = channel.parse_sent(message)
    assert said == channel.Command("bind", {"addr": "10.0.0.1", "port": 7}, 3)


@pytest.mark.parametrize(
    "message",
    [
        b"\0",
        b"\1",
        b"\4" * 30,
        b"\3" + b"\0" * 25,
        b"\2\2" + b"\0" * 23 + b"\0\1",
        b"\2\1" + b"\0" * 23 + b"\0\2x",
        b"\2\1" + b"\0" * 23 + b"\0\1xx",
        b"\2\xff" + b"\0" * 600,
        b"{",
        b"{}",
        b'{"do":1,"args":{},"number":1}',
        b'{"do":"bind","args":[],"number":1}',
        b'{"do":"bind","args":{},"number":true}',
        b'{"do":"bind","args":{},"number":1}'.replace(b"bind", b"\xff"),
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ControlError):
        channel.parse_sent(message)


@given(st.binary(min_size=1, max_size=60))
def test_no_bytes_of_a_program_raise_anything_else(message: bytes) -> None:
    with suppress(ControlError):
        channel.parse_sent(message)


SENDER = st.tuples(st.sampled_from([0, 3, 1 << 128]), st.integers(0, 1), st.sampled_from([0, 9]))


@given(st.lists(st.tuples(SENDER, PAYLOAD), min_size=1))
def test_received_datagrams_come_out_in_order(
    datagrams: list[tuple[tuple[int, int, int], bytes]],
) -> None:
    message = channel.received([(channel.sender(*who), [payload]) for who, payload in datagrams])
    runs = channel.parse_received(message)
    assert isinstance(runs, list)
    seen = [
        (channel.sender_of(sender), payload) for sender, payloads in runs for payload in payloads
    ]
    assert seen == datagrams


@given(ADDRESS, PORT, ZONE, PAYLOAD)
def test_a_lone_datagram_has_its_sender_in_front(
    src: int, port: int, zone: int, payload: bytes
) -> None:
    message = channel.lone(channel.sender(src, port, zone), payload)
    assert message[0] == channel.LONE
    assert channel.sender_of(message[1 : channel.LONE_SIZE]) == (src, port, zone)
    assert message[channel.LONE_SIZE :] == payload
    (run,) = channel.parse_received(message)
    assert run == channel.Run(message[1 : channel.LONE_SIZE], (payload,))


def test_a_run_of_one_sender_costs_one_head() -> None:
    message = channel.received([(channel.sender(1, 2, 0), [b"x" * 64] * 100)])
    assert len(message) < 64 * 100 + 30


def test_no_message_is_longer_than_whoever_receives_expects() -> None:
    head, sender = channel.head(1 << 128, 1), channel.sender(1 << 128, 1, 1)
    size = channel.BATCH_BYTES // channel.MAX_BATCH
    lengths = [
        len(channel.ask(head, b"x" * MAX_PAYLOAD, 1)),
        len(channel.lone(sender, b"x" * MAX_PAYLOAD)),
        len(channel.batch(head, [b"x" * size] * channel.MAX_BATCH)),
        len(channel.received([(sender, [b"x" * (channel.BATCH_BYTES // BATCH)])] * BATCH)),
    ]
    assert max(lengths) < channel.MAX_MESSAGE


def test_an_error_is_told_from_datagrams() -> None:
    error = {"code": "udp-port-closed", "errno": "ECONNREFUSED", "message": "no"}
    message = channel.failed(error)
    assert message[0] == channel.JSON
    assert channel.parse_received(message) == error
