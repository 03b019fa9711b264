"""Ethernet frames in a stream, as QEMU writes them: a length of four bytes, then the frame.

Source: QEMU net/net.c net_fill_rstate, net/stream.c; passt speaks the same.
"""

from struct import Struct

_LENGTH = Struct("!I")

FRAME_MIN = 14
"""An Ethernet header."""
FRAME_MAX = 65535 + 18
"""The largest packet of IPv4, behind a header with a VLAN tag."""


def encode(frame: bytes) -> bytes:
    """Return the bytes that carry a frame."""
    return _LENGTH.pack(len(frame)) + frame


class Decoder:
    """Takes the bytes as they come, gives the frames.

    Attributes:
        fault: what was wrong with the stream, in a few words. From there on nothing in it means
            anything, and ``feed`` returns nothing more.
    """

    def __init__(self) -> None:
        self.fault: str | None = None
        self._rest = b""

    @property
    def partial(self) -> int:
        """The number of bytes of a frame that wait for the others."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that ``data`` completes, in their order."""
        if self.fault is not None:
            return []
        frames: list[bytes] = []
        buffer = self._rest + data if self._rest else data
        at, end, unpack = 0, len(buffer), _LENGTH.unpack_from
        while end - at >= 4:
            (length,) = unpack(buffer, at)
            if not FRAME_MIN <= length <= FRAME_MAX:
                self.fault = f"a frame of {length} bytes (there are {FRAME_MIN} to {FRAME_MAX})"
                self._rest = b""
                return frames
            stop = at + 4 + length
            if stop > end:
                break
            frames.append(buffer[at + 4 : stop])
            at = stop
        self._rest = buffer[at:]
        return frames
