"""Frames of the control connection: a 4-byte big-endian length, then a JSON object in UTF-8."""

import json
import struct
from collections.abc import Mapping
from typing import Any

from smolctl.errors import ControlError

MAX_REQUEST = 1 << 20
"""Largest object a client may send, bytes: one UDP payload in base64 is 88 KB."""
MAX_REPLY = 1 << 26
"""Largest object a client accepts, bytes: a daemon sends at most 1000 rows in one."""

_LENGTH = struct.Struct(">I")
# ASCII only: a lone surrogate, which JSON can spell ("\ud800"), has no UTF-8 form to send back in.
to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode
"""Returns compact JSON of ASCII characters."""
_from_json = json.JSONDecoder().decode


def encode_json(message: object) -> bytes:
    """Return ``message`` as compact JSON.

    Raises:
        ValueError, TypeError: ``message`` holds something JSON has no form for (NaN, bytes).
    """
    return to_json(message).encode("ascii")


def frame(body: bytes) -> bytes:
    """Return ``body``, one JSON object, with its length in front."""
    return _LENGTH.pack(len(body)) + body


def encode(message: Mapping[str, Any]) -> bytes:
    """Return ``message`` as one frame; see ``encode_json`` for errors."""
    return frame(encode_json(message))


def whole_frames(data: bytes | bytearray) -> int:
    """Return how many bytes at the beginning of ``data`` are whole frames."""
    size = 0
    while len(data) >= size + _LENGTH.size:
        end = size + _LENGTH.size + _LENGTH.unpack_from(data, size)[0]
        if end > len(data):
            break
        size = end
    return size


class Decoder:
    """Cuts a byte stream into JSON objects; holds at most one incomplete frame beyond its input.

    Args:
        limit: largest body accepted, bytes. It is checked against the length field, so that a
            peer that speaks another protocol is found out by its first four bytes.
    """

    __slots__ = ("_buffer", "_limit", "_offset")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._offset = 0

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        if self._offset:
            del self._buffer[: self._offset]
            self._offset = 0
        self._buffer += data

    def next(self) -> dict[str, Any] | None:
        """Return the next object, or None until more bytes come.

        Raises:
            ControlError: the frame is too long, not UTF-8, not JSON or not an object. The stream
                cannot be trusted after that: close the connection.
        """
        start = self._offset + _LENGTH.size
        if len(self._buffer) < start:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, self._offset)
        if length > self._limit:
            raise ControlError(
                f"a message of {length} bytes is longer than the {self._limit} allowed",
                code="message-too-large",
            )
        end = start + length
        if len(self._buffer) < end:
            return None
        body = self._buffer[start:end]
        self._offset = end
        try:
            message = _from_json(body.decode("utf-8"))
        # RecursionError: "[" a hundred thousand times.
        except (ValueError, RecursionError) as error:
            raise ControlError(f"a message is not JSON: {error}") from None
        if not isinstance(message, dict):
            raise ControlError(f"a message is a JSON {type(message).__name__}, not an object")
        return message
