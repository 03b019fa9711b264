from typing import Any

import pytest

from smolctl.control import messages
from smolctl.control.codec import MAX_REQUEST, Decoder, encode_json
from smolctl.control.messages import Cancel, Request, Status
from smolctl.errors import AlreadyExists, ControlError


def decode(frame: bytes) -> dict[str, Any]:
    decoder = Decoder(MAX_REQUEST)
    decoder.feed(frame)
    message = decoder.next()
    assert message is not None
    return message


def test_a_hello_is_accepted_by_the_other_side() -> None:
    messages.parse_hello(decode(messages.hello("0.1.0")))
    welcome = decode(messages.welcome(version="0.1.0", stack="default", pid=123))
    messages.parse_welcome(welcome)
    assert welcome == {"hello": 1, "version": "0.1.0", "stack": "default", "pid": 123}


def test_another_protocol_number_says_what_to_do() -> None:
    with pytest.raises(ControlError) as caught:
        messages.parse_hello({"hello": messages.PROTOCOL + 1})
    assert caught.value.code == "version-mismatch"
    assert caught.value.hint is not None
    assert "smolctl stack stop" in caught.value.hint


@pytest.mark.parametrize("message", [{}, {"hello": "1"}, {"hello": True}, {"id": 1, "op": "x"}])
def test_the_first_message_must_be_a_hello(message: dict[str, Any]) -> None:
    with pytest.raises(ControlError) as caught:
        messages.parse_hello(message)
    assert caught.value.code == "control-protocol"


def test_commands_are_understood_by_the_other_side() -> None:
    frame = messages.request(3, "route.show", {"dev": "lo"})
    assert messages.parse_command(decode(frame)) == Request(3, "route.show", {"dev": "lo"})
    assert messages.parse_command(decode(messages.cancel(3))) == Cancel(3)
    assert messages.parse_command(decode(messages.ask_status(3))) == Status(3)
    assert messages.parse_command({"id": 4, "op": "stack.stop"}) == Request(4, "stack.stop", {})


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"id": 1},
        {"op": "link.show"},
        {"id": "1", "op": "link.show"},
        {"id": True, "op": "link.show"},
        {"id": -1, "op": "link.show"},
        {"id": 1.0, "op": "link.show"},
        {"id": 1, "op": ["link.show"]},
        {"id": 1, "op": "link.show", "args": []},
        {"cancel": "1"},
        {"cancel": None},
        {"status": "1"},
    ],
)
def test_what_is_neither_request_nor_cancel_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        messages.parse_command(message)


def test_the_replies_to_a_request() -> None:
    error = AlreadyExists("it is there", hint="remove it")
    assert decode(messages.rows(2, [{"a": 1}])) == {"id": 2, "rows": [{"a": 1}]}
    assert decode(messages.last_rows(2, [])) == {"id": 2, "rows": [], "done": {}}
    assert decode(messages.done(2, {"ok": True})) == {"id": 2, "done": {"ok": True}}
    assert decode(messages.error(2, error)) == {
        "id": 2,
        "error": {
            "code": "exists",
            "message": "it is there",
            "hint": "remove it",
            "errno": "EEXIST",
        },
    }
    assert "id" not in decode(messages.error(None, error))


def test_an_event_says_how_many_were_lost_before_it() -> None:
    body = encode_json({"event": "datagram", "data": "aGk="})
    whole = {"event": "datagram", "data": "aGk="}
    assert decode(messages.event(9, body, 0)) == {"id": 9, "event": whole}
    assert decode(messages.event(9, body, 7)) == {"id": 9, "event": {**whole, "lost": 7}}
