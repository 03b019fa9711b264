"""Messages of the channel of a program's TCP sockets."""

import pytest

from smolctl.control import stream
from smolctl.errors import ControlError


def test_a_command_there_and_back() -> None:
    message = stream.command("connect", 3, {"addr": "10.0.0.2", "port": 7}, 12)
    found = stream.parse_command(message)
    assert found == stream.Command("connect", 3, {"addr": "10.0.0.2", "port": 7}, 12)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        b"[]",
        b"{}",
        b'{"do": "bind"}',
        b'{"do": 1, "socket": 1, "args": {}, "number": 1}',
        b'{"do": "bind", "socket": true, "args": {}, "number": 1}',
        b'{"do": "bind", "socket": 1, "args": [], "number": 1}',
        b'{"do": "bind", "socket": 1, "args": {}, "number": "1"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_command_is_refused(message: bytes) -> None:
    with pytest.raises(ControlError):
        stream.parse_command(message)


def test_what_the_daemon_says() -> None:
    error = {"code": "tcp-reset", "message": "reset"}
    assert stream.parse_told(stream.answer(1, {"port": 7})) == {"answer": 1, "port": 7}
    assert stream.parse_told(stream.refused(2, error)) == {"answer": 2, "error": error}
    assert stream.parse_told(stream.failed(3, error)) == {"failed": 3, "error": error}
    assert stream.parse_told(stream.accepted({"socket": 4})) == {"accepted": {"socket": 4}}
