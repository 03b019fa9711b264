"""Extensions of ICMP errors (RFC 4884), which routers add behind the packet that they quote."""

from struct import Struct
from typing import NamedTuple

from smolctl.wire.checksum import sums_to_zero
from smolctl.wire.icmpv4 import IcmpMessage, Type

MPLS, INCOMING_STACK = 1, 1
"""Class and type of the label stack of RFC 4950."""

_HEADER_LEN, _OBJECT_LEN = 4, 4
_VERSION = 2
_OLD_QUOTE_LEN = 128
"""Offset of extensions when the length of the quote is not said (RFC 4884 5.5)."""
_WITH_LENGTH = (Type.DEST_UNREACHABLE, Type.TIME_EXCEEDED, Type.PARAMETER_PROBLEM)
_OBJECT = Struct("!HBB")


class Extension(NamedTuple):
    """One object: its class, its type within the class, and what it says."""

    class_num: int
    c_type: int
    data: bytes


class Label(NamedTuple):
    """One entry of an MPLS label stack (RFC 3032 2.1).

    Attributes:
        label: 0..1048575.
        traffic_class: 0..7 (RFC 5462).
        bottom: the last one of the stack.
        ttl: 0..255.
    """

    label: int
    traffic_class: int
    bottom: bool
    ttl: int


def parse(message: IcmpMessage) -> tuple[Extension, ...]:
    """Return the extensions of an ICMP error; () for none, and for what makes no sense.

    The length of the quote is in the second word, in words of 4 bytes (RFC 4884 4). Routers older
    than that quote 128 bytes and say no length; their extensions count if their checksum is right.
    """
    if message.type not in _WITH_LENGTH:
        return ()
    length = (message.rest >> 16 & 0xFF) * 4
    raw = message.body[length or _OLD_QUOTE_LEN :]
    if len(raw) < _HEADER_LEN or raw[0] >> 4 != _VERSION:
        return ()
    # RFC 4884 7: no checksum is all zeros, which an old router's extensions must not have (5.5).
    summed = raw[2:4] != b"\0\0" or not length
    if summed and not sums_to_zero(raw):
        return ()
    return _objects(raw[_HEADER_LEN:])


def _objects(raw: bytes) -> tuple[Extension, ...]:
    found, at = list[Extension](), 0
    while at + _OBJECT_LEN <= len(raw):
        length, class_num, c_type = _OBJECT.unpack_from(raw, at)
        if length < _OBJECT_LEN or at + length > len(raw):
            return ()
        found.append(Extension(class_num, c_type, raw[at + _OBJECT_LEN : at + length]))
        at += length
    return tuple(found)


def labels(extension: Extension) -> tuple[Label, ...]:
    """Return the label stack that an MPLS extension shows; () for another one."""
    if (extension.class_num, extension.c_type) != (MPLS, INCOMING_STACK):
        return ()
    words = _words(extension.data)
    return tuple(
        Label(word >> 12, word >> 9 & 7, bool(word >> 8 & 1), word & 0xFF) for word in words
    )


def text(extensions: tuple[Extension, ...]) -> str:
    """Return extensions as ``traceroute -e`` writes them: "MPLS:L=16,E=0,S=1,T=1"."""
    return "/".join(_text(extension) for extension in extensions)


def _text(extension: Extension) -> str:
    stack = labels(extension)
    if stack:
        return "MPLS:" + "/".join(
            f"L={each.label},E={each.traffic_class},S={each.bottom:d},T={each.ttl}"
            for each in stack
        )
    words = ",".join(f"{word:08x}" for word in _words(extension.data))
    return f"{extension.class_num}/{extension.c_type}:{words}"


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 4]) for at in range(0, len(data) - 3, 4)]
