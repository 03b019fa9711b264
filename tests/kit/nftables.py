"""Chains of nftables, made by netlink: nft(8) is not on every machine."""

import socket
import struct

_NETFILTER = 12
_BEGIN, _END = 0x10, 0x11
_NEW_TABLE, _NEW_CHAIN = 10 << 8 | 0, 10 << 8 | 3
_REQUEST_CREATE, _ACK = 0x1 | 0x400, 0x4
_INPUT, _OUTPUT = 1, 3
_DROP, _ACCEPT = 0, 1


def add_chains() -> str:
    """Add a table ``t`` with a chain that drops what comes in, and one that lets out all.

    Returns: why that could not be; "" if it was done.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as kernel:
        kernel.settimeout(5)
        messages = [
            _message(_BEGIN, 0, 0, 10, b""),
            _message(_NEW_TABLE, _ACK, 1, 0, _text(1, "t")),
            _message(_NEW_CHAIN, _ACK, 1, 0, _chain("in", _INPUT, _DROP)),
            _message(_NEW_CHAIN, _ACK, 1, 0, _chain("out", _OUTPUT, _ACCEPT)),
            _message(_END, 0, 0, 10, b""),
        ]
        kernel.send(b"".join(messages))
        for _ in range(3):
            answer = kernel.recv(65536)
            (number,) = struct.unpack_from("=i", answer, 16)
            if number:
                return f"error {-number}"
    return ""


def _chain(name: str, hook: int, policy: int) -> bytes:
    at = _attribute(1, struct.pack("!I", hook)) + _attribute(2, struct.pack("!i", 0))
    return (
        _text(1, "t") + _text(3, name) + _attribute(4 | 0x8000, at)
        + _attribute(5, struct.pack("!I", policy)) + _text(7, "filter")
    )  # fmt: skip


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def _message(kind: int, flags: int, family: int, resource: int, body: bytes) -> bytes:
    header = struct.pack("!BBH", family, 0, resource)
    flags |= _REQUEST_CREATE
    return struct.pack("=IHHII", 16 + 4 + len(body), kind, flags, 1, 0) + header + body
