"""Writing pcapng, which tcpdump, Wireshark and scapy read, with comments on packets.

libpcap refuses a file whose interfaces differ in link type or snapshot length. So a file is either
of a loopback alone and raw IP, or all its interfaces are Ethernet; then a packet without a link
header gets one of zeros, which is what Linux shows on its own ``lo``.

Source: draft-ietf-opsawg-pcapng 4.1 to 4.3 and 3.5.
"""

from struct import Struct

from smolctl import __version__
from smolctl.capture import ETHERNET_HEADER_LEN, Interface, Record

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
LINKTYPE_ETHERNET, LINKTYPE_RAW = 1, 101

END_OF_OPTIONS, COMMENT = 0, 1
IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_TSOFFSET = 2, 3, 9, 14
EPB_FLAGS = 2
_SHB_USERAPPL = 4

DIRECTIONS = {"in": 1, "out": 2}
"""Bits 0 and 1 of epb_flags; 0 is "not known"."""
LOOPBACK_DESCRIPTION = "loopback"
SNAPSHOT_LENGTH = 262144
"""The most that libpcap allows for Ethernet."""
_NANOSECONDS = b"\x09"
_LONGEST_COMMENT = 0xFFFF

_BLOCK = Struct("<II")
_LENGTH = Struct("<I")
_OPTION = Struct("<HH")
_SECTION = Struct("<IHHq")
_INTERFACE = Struct("<HHI")
_PACKET = Struct("<IIIII")


class Writer:
    """Makes the bytes of one file; the caller writes them in the order in which it got them.

    Args:
        raw: the file is raw IP; all its packets must be.
    """

    def __init__(self, *, raw: bool = False) -> None:
        self._raw = raw
        self._interfaces: dict[str, int] = {}

    def header(self, interfaces: tuple[Interface, ...] = ()) -> bytes:
        """Return the beginning of the file.

        Args:
            interfaces: those that are known already. A file without any cannot be read by libpcap.
        """
        program = f"smolctl {__version__}".encode()
        section = _SECTION.pack(BYTE_ORDER_MAGIC, 1, 0, -1)
        blocks = [_block(SECTION_HEADER, section, [(_SHB_USERAPPL, program)])]
        return b"".join(blocks + [self._describe(interface) for interface in interfaces])

    def packet(self, record: Record) -> bytes:
        """Return the block of a packet, behind that of its interface when it is the first of it."""
        blocks = b""
        if record.dev not in self._interfaces:
            loopback = record.direction == "local" and not record.ethernet
            blocks = self._describe(Interface(record.dev, loopback))
        frame, length = record.frame, record.length
        if not record.ethernet and not self._raw:
            frame = _zero_header(frame) + frame
            length += ETHERNET_HEADER_LEN
        number = self._interfaces[record.dev]
        high, low = divmod(record.time_ns, 1 << 32)
        body = _PACKET.pack(number, high, low, len(frame), length) + frame
        flags = DIRECTIONS.get(record.direction, 0)
        options = [(EPB_FLAGS, _LENGTH.pack(flags))]
        options += [(COMMENT, comment.encode()[:_LONGEST_COMMENT]) for comment in record.comments]
        return blocks + _block(ENHANCED_PACKET, body, options)

    def end(self) -> bytes:
        """Return what makes the file readable when it has no packet and no interface."""
        return b"" if self._interfaces else self._describe(Interface(""))

    def _describe(self, interface: Interface) -> bytes:
        self._interfaces[interface.name] = len(self._interfaces)
        options = [(IF_NAME, interface.name.encode()), (IF_TSRESOL, _NANOSECONDS)]
        if interface.loopback:
            options.append((IF_DESCRIPTION, LOOPBACK_DESCRIPTION.encode()))
        linktype = LINKTYPE_RAW if self._raw else LINKTYPE_ETHERNET
        body = _INTERFACE.pack(linktype, 0, SNAPSHOT_LENGTH)
        return _block(INTERFACE_DESCRIPTION, body, options)


def _zero_header(packet: bytes) -> bytes:
    version = packet[0] >> 4 if packet else 0
    return bytes(12) + (b"\x86\xdd" if version == 6 else b"\x08\x00")


def _block(kind: int, body: bytes, options: list[tuple[int, bytes]]) -> bytes:
    body += bytes(-len(body) % 4)
    for code, value in options:
        body += _OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4)
    body += _OPTION.pack(END_OF_OPTIONS, 0)
    length = _BLOCK.size + len(body) + _LENGTH.size
    return _BLOCK.pack(kind, length) + body + _LENGTH.pack(length)
