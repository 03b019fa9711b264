"""Messages of a program's socket: what goes in comes out, and no bytes do harm."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.control import channel
from smolctl.errors import ControlError

ADDRESS = st.integers(0, 0xFFFFFFFF)
PORT = st.integers(0, 0xFFFF)
PAYLOAD = st.binary(max_size=40)


@given(ADDRESS, PORT, PAYLOAD)
def test_a_datagram_is_its_head_and_its_payload(dst: int, port: int, payload: bytes) -> None:
    said = channel.parse_sent(channel.head(dst, port) + payload)
    assert said == channel.Sent(dst, port, (payload,), 0)


@given(ADDRESS, PORT, st.lists(PAYLOAD, min_size=1, max_size=channel.MAX_BATCH))
def test_a_batch_comes_out_in_order(dst: int, port: int, payloads: list[bytes]) -> None:
    said = channel.parse_sent(channel.batch(channel.head(dst, port), payloads))
    assert said == channel.Sent(dst, port, payloads, 0)


@given(ADDRESS, PORT, PAYLOAD, st.integers(1, 0xFFFFFFFF))
def test_a_datagram_that_is_asked_about(dst: int, port: int, payload: bytes, number: int) -> None:
    said = channel.parse_sent(channel.ask(dst, port, payload, number))
    assert said == channel.Sent(dst, port, (payload,), number)


def test_a_command_keeps_its_arguments() -> None:
    message = channel.command("bind", {"addr": "10.0.0.1", "port": 7}, 3)
    said = channel.parse_sent(message)
    assert said == channel.Command("bind", {"addr": "10.0.0.1", "port": 7}, 3)


@pytest.mark.parametrize(
    "message",
    [
        b"\0",
        b"\1",
        b"\4" * 20,
        b"\3" + b"\0" * 8,
        b"\2\2" + b"\0" * 6 + b"\0\1",
        b"\2\1" + b"\0" * 6 + b"\0\2x",
        b"\2\1" + b"\0" * 6 + b"\0\1xx",
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


@given(st.lists(st.tuples(PAYLOAD, st.integers(0, 3), st.integers(0, 1)), min_size=1))
def test_received_datagrams_come_out_in_order(datagrams: list[tuple[bytes, int, int]]) -> None:
    runs = channel.parse_received(channel.received(datagrams))
    assert isinstance(runs, list)
    seen = [(payload, src, port) for src, port, payloads in runs for payload in payloads]
    assert seen == datagrams


def test_a_run_of_one_sender_costs_one_head() -> None:
    message = channel.received([(b"x" * 64, 1, 2)] * 100)
    assert len(message) < 64 * 100 + 20


def test_an_error_is_told_from_datagrams() -> None:
    error = {"code": "udp-port-closed", "errno": "ECONNREFUSED", "message": "no"}
    message = channel.failed(error)
    assert message[0] == channel.JSON
    assert channel.parse_received(message) == error
