"""Reading capture files: pcap and pcapng of either byte order, by whoever wrote them.

Source: draft-ietf-opsawg-pcap 4, 5; draft-ietf-opsawg-pcapng 3, 4.
"""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple, Protocol

from smolctl.capture import ETHERNET_HEADER_LEN, CaptureFileError, Record
from smolctl.capture import pcapng as ng
from smolctl.capture.linktype import framed, refusal

_MAX_BLOCK = 1 << 24
"""Bytes. A longer block or packet is taken for damage, before memory is spent on it."""
_NS_PER_S = 1_000_000_000
_LATEST_NS = (1 << 63) - 1
"""Times beyond 2262 are damage, and more than what shows times can bear."""
_OBSOLETE_PACKET = 2
_PCAP_MAGICS = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
"""Byte order, and the nanoseconds of one unit of a time's second part."""
_DIRECTIONS = {number: name for name, number in ng.DIRECTIONS.items()}


class File(Protocol):
    """A binary file, or a pipe."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer only at the end."""


def read(file: File) -> Iterator[Record]:
    """Yield the packets of a capture file, as they are read.

    Raises:
        CaptureFileError: it is none, is damaged or cut off, or of a link type that cannot be read.
            What came before has been yielded.
        OSError: it cannot be read.
    """
    source = _Source(file)
    magic = source.take(4)
    if magic == b"\x0a\x0d\x0d\x0a":
        yield from _pcapng(source)
    elif magic in _PCAP_MAGICS:
        yield from _pcap(source, *_PCAP_MAGICS[magic])
    elif magic:
        raise CaptureFileError("this is neither a pcap nor a pcapng file")
    else:
        raise CaptureFileError("the file is empty")


class _Source:
    """A file, and how far it was read."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return at most ``size`` bytes, fewer only at the end."""
        data = self._file.read(size)
        self._at += len(data)
        return data

    def need(self, size: int) -> bytes:
        """Return exactly ``size`` bytes."""
        if not 0 <= size <= _MAX_BLOCK:
            raise self.damaged(f"{size} B cannot be the size of anything")
        data = self.take(size)
        if len(data) < size:
            raise self.damaged(
                f"it ends in the middle of a packet, {size - len(data)} B are missing"
            )
        return data

    def damaged(self, what: str) -> CaptureFileError:
        return CaptureFileError(f"damaged at byte {self._at}: {what}")


def _check_linktype(linktype: int) -> None:
    if (why := refusal(linktype)) is not None:
        raise CaptureFileError(why)


# --- pcap -----------------------------------------------------------------------------------------


def _pcap(source: _Source, order: str, unit: int) -> Iterator[Record]:
    header = Struct(order + "HHIIII")
    # The upper bits of the last word say whether frames have a checksum at their end.
    linktype = header.unpack(source.need(header.size))[5] & 0xFFFF
    _check_linktype(linktype)
    packet = Struct(order + "IIII")
    while head := source.take(packet.size):
        if len(head) < packet.size:
            raise source.damaged("it ends in the middle of a packet's header")
        seconds, part, captured, length = packet.unpack(head)
        found = framed(linktype, source.need(captured))
        time_ns = seconds * _NS_PER_S + part * unit
        length = max(length - found.header_len + found.more, len(found.frame))
        yield Record(
            time_ns, found.frame, found.ethernet, "", found.direction, length, (), found.cooked
        )


# --- pcapng ---------------------------------------------------------------------------------------


class _Interface(NamedTuple):
    """An interface of the section that is being read.

    Attributes:
        units: per second, of its times.
        offset_s: to be added to them.
    """

    linktype: int
    name: str
    loopback: bool
    snapshot_length: int
    units: int
    offset_s: int


def _pcapng(source: _Source) -> Iterator[Record]:
    order, interfaces = _section(source), list[_Interface]()
    while start := source.take(4):
        if len(start) < 4:
            raise source.damaged("it ends in the middle of a block")
        if start == b"\x0a\x0d\x0d\x0a":
            order, interfaces = _section(source), []
            continue
        word = Struct(order + "I")
        (kind,) = word.unpack(start)
        (total,) = word.unpack(source.need(4))
        if total < 12 or total % 4:
            raise source.damaged(f"a block cannot be {total} B long")
        body = source.need(total - 12)
        if source.need(4) != word.pack(total):
            raise source.damaged("a block's two lengths differ")
        if kind == ng.INTERFACE_DESCRIPTION:
            interfaces.append(_interface(source, order, body))
        elif kind in (ng.ENHANCED_PACKET, _OBSOLETE_PACKET):
            yield _packet(source, order, kind, body, interfaces)
        elif kind == ng.SIMPLE_PACKET:
            yield _simple_packet(source, order, body, interfaces)


def _section(source: _Source) -> str:
    """Read what follows a section header's type, and return its byte order."""
    length, magic = source.need(4), source.need(4)
    order = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(magic)
    if order is None:
        raise source.damaged("a section does not say its byte order")
    (total,) = Struct(order + "I").unpack(length)
    if total < 28 or total % 4:
        raise source.damaged(f"a section header cannot be {total} B long")
    source.need(total - 12)
    return order


def _interface(source: _Source, order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        raise source.damaged("an interface's block is too short")
    linktype, _, snapshot_length = Struct(order + "HHI").unpack_from(body)
    _check_linktype(linktype)
    name, loopback, units, offset_s = "", False, 1_000_000, 0
    for code, value in _options(order, body[8:]):
        if code == ng.IF_NAME:
            name = _text(value)
        elif code == ng.IF_DESCRIPTION:
            loopback = _text(value) == ng.LOOPBACK_DESCRIPTION
        elif code == ng.IF_TSRESOL and value:
            units = (2 if value[0] & 0x80 else 10) ** (value[0] & 0x7F)
        elif code == ng.IF_TSOFFSET and len(value) == 8:
            (offset_s,) = Struct(order + "q").unpack(value)
    return _Interface(linktype, name, loopback, snapshot_length, units, offset_s)


def _packet(
    source: _Source, order: str, kind: int, body: bytes, interfaces: list[_Interface]
) -> Record:
    fixed = Struct(order + "IIIII")
    if len(body) < fixed.size:
        raise source.damaged("a packet's block is too short")
    number, high, low, captured, length = fixed.unpack_from(body)
    if kind == _OBSOLETE_PACKET:  # it counts drops in the other half of the word
        (number,) = Struct(order + "H").unpack_from(body)
    interface = _of(source, number, interfaces)
    end = fixed.size + captured
    if end > len(body):
        raise source.damaged(f"{captured} B of a packet do not fit into its block")
    direction, comments = "", []
    for code, value in _options(order, body[end + -end % 4 :]):
        if code == ng.EPB_FLAGS and len(value) == 4:
            (flags,) = Struct(order + "I").unpack(value)
            direction = _DIRECTIONS.get(flags & 3, "")
        elif code == ng.COMMENT:
            comments.append(_text(value))
    time_ns = (high << 32 | low) * _NS_PER_S // interface.units + interface.offset_s * _NS_PER_S
    frame = body[fixed.size : end]
    return _record(interface, time_ns, frame, direction, length, tuple(comments))


def _simple_packet(
    source: _Source, order: str, body: bytes, interfaces: list[_Interface]
) -> Record:
    if len(body) < 4:
        raise source.damaged("a packet's block is too short")
    (length,) = Struct(order + "I").unpack_from(body)
    interface = _of(source, 0, interfaces)
    captured = min(length, len(body) - 4, interface.snapshot_length or length)
    return _record(interface, 0, body[4 : 4 + captured], "", length, ())


def _record(
    interface: _Interface,
    time_ns: int,
    frame: bytes,
    direction: str,
    length: int,
    comments: tuple[str, ...],
) -> Record:
    frame, ethernet, told, header_len, more, cooked = framed(interface.linktype, frame)
    length, direction = length - header_len + more, direction or told
    if interface.loopback and not direction:
        direction = "local"
    if interface.loopback and ethernet:  # the header of zeros is not the packet's own
        frame, length, ethernet = frame[ETHERNET_HEADER_LEN:], length - ETHERNET_HEADER_LEN, False
    time_ns = min(max(time_ns, 0), _LATEST_NS)
    length = max(length, len(frame))
    return Record(time_ns, frame, ethernet, interface.name, direction, length, comments, cooked)


def _of(source: _Source, number: int, interfaces: list[_Interface]) -> _Interface:
    if number >= len(interfaces):
        raise source.damaged(f"a packet is of interface {number}, not described")
    return interfaces[number]


def _options(order: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the options of a block, as far as they make sense."""
    head = Struct(order + "HH")
    at = 0
    while at + head.size <= len(data):
        code, length = head.unpack_from(data, at)
        at += head.size
        if code == ng.END_OF_OPTIONS or at + length > len(data):
            return
        yield code, data[at : at + length]
        at += length + -length % 4


def _text(value: bytes) -> str:
    """Return text that can be shown, whatever the bytes are."""
    text = value.decode(errors="replace").rstrip("\0")
    return "".join(c if c.isprintable() else " " for c in text)
