"""A capture file as a link: its packets come in as they once did, what is sent is recorded.

A file of another's trouble can be played to a stack that explains what it makes of it.
"""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from time import time_ns
from typing import Any, BinaryIO, NamedTuple

from smolctl.capture import CaptureFileError, Record, pcapng, reader
from smolctl.device import Framed, random_mac
from smolctl.device.polled import is_frame, nobody
from smolctl.errors import DeviceError
from smolctl.wire.address import ZERO_MAC

_DEFAULT_MTU = 1500
_AHEAD = 1000
"""Frames that may be due and not taken yet."""
_PEER = b"\x02\x00\x00\x00\x00\x01"
"""Source MAC of the packets of a file of raw IP, which has no link addresses."""


class PcapDevice:
    """A link that a file plays; see ``smolctl.device.Device`` for what its methods promise.

    The first packet comes at the first ``turn``, the others after it as far apart as in the file.
    Of a file that knows directions only what came in is played.

    Args:
        name: the interface's.
        mac: our address; that of the host in the file, to be that host. None for a random one.
        mtu: None for 1500.
        read: path of a pcap or pcapng file; None to record only.
        speed: how many times faster than in the file; None for as fast as frames are taken.
        write: path of the pcapng file that gets what is sent; None throws it away.

    Raises:
        DeviceError: a file cannot be read, written, or is no capture.
    """

    kind = "pcap"
    only_up = True

    def __init__(
        self,
        name: str,
        *,
        mac: bytes | None = None,
        mtu: int | None = None,
        read: str | None = None,
        speed: float | None = 1.0,
        write: str | None = None,
    ) -> None:
        self.name = name
        self.mac = mac or random_mac()
        self.mtu = mtu or _DEFAULT_MTU
        self.report: Callable[[str], None] = nobody
        self._read, self._write, self._speed = read, write, speed
        self._began_ns: int | None = None
        self._first_ns: int | None = None
        self._offset_ns = 0
        self.on_snapped: Callable[[bytes, int], None] = _forget
        self._next: bytes | _Snapped | None = None
        self._due: deque[bytes | _Snapped] = deque()
        self._news: str | None = None
        self._played = self._skipped = self._recorded = 0
        self._input: BinaryIO | None = None
        self._output: BinaryIO | None = None
        self._writer = pcapng.Writer()
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closed = False
        try:
            if read is not None:
                self._input = _open_input(read)
                self._records = reader.read(self._input)
                self._advance(first=True)
            if write is not None:
                self._output = _open_output(write, self._writer.header())
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return a descriptor that is readable while frames are due."""
        return self._event

    def receive(self, limit: int) -> list[bytes]:
        """Return the frames that are due; see ``Device``."""
        frames: list[bytes] = []
        while len(frames) < limit:
            if self._due:
                item = self._due.popleft()
            elif self._speed is None and self._began_ns is not None and self._next is not None:
                item = self._next
                self._advance()
            else:
                with suppress(BlockingIOError):
                    os.eventfd_read(self._event)
                break
            if isinstance(item, _Snapped):
                self.on_snapped(item.frame, item.length)
            else:
                frames.append(item)
        self._played += len(frames)
        return frames

    def transmit(self, frame: bytes) -> None:
        """Record one frame; see ``Device``."""
        if not is_frame(frame):
            raise OSError(22, "shorter than an Ethernet header")
        self.transmit_batch([frame])

    def transmit_batch(self, items: Sequence[bytes | Framed]) -> int:
        """Record frames, with one write; see ``Device``."""
        if self._output is not None:
            now, blocks = time_ns(), []
            for item in items:
                frame = item if isinstance(item, bytes) else item.frame
                record = Record(now, frame, True, self.name, "out", len(frame))
                blocks.append(self._writer.packet(record))
            try:
                self._output.write(b"".join(blocks))
                self._recorded += len(items)
            except OSError as error:
                # The link goes on: what is sent is worth more than its record.
                self.report(f"no longer recorded in {self._write}: {error.strerror}")
                self._output.close()
                self._output = None
        return len(items)

    def watch_fileno(self) -> int | None:
        """Nothing changes."""
        return None

    def carrier(self) -> bool | None:
        """Return that somebody is at the other end, also when the file is at its own."""
        return True

    def set_mtu(self, mtu: int) -> None:
        """Change our MTU."""
        self.mtu = mtu

    def check_mac(self, mac: bytes) -> None:
        """Any will do."""

    def set_mac(self, mac: bytes) -> None:
        """Be another host from now on; see ``AddressedDevice``."""
        self.mac = mac

    def deadline(self) -> int | None:
        """Return when the next packet is due; see ``ActiveDevice``."""
        if self._news is not None:
            return 0
        if self._next is None or (self._speed is None and self._began_ns is not None):
            return None
        if self._began_ns is None:
            return 0
        return self._began_ns + self._offset_ns

    def turn(self, now: int) -> None:
        """Let the packets come in that are due; see ``ActiveDevice``."""
        if self._news is not None:
            self.report(self._news)
            self._news = None
        if self._began_ns is None:
            self._began_ns = now
        if self._speed is not None:
            began = self._began_ns
            while self._next is not None and began + self._offset_ns <= now:
                if len(self._due) >= _AHEAD:
                    break
                self._due.append(self._next)
                self._advance()
        os.eventfd_write(self._event, 1)

    def details(self) -> dict[str, Any]:
        """Return the files, and how far they are; see ``Device``."""
        row: dict[str, Any] = {}
        if self._read is not None:
            speed = "fast" if self._speed is None else self._speed
            done = self._next is None and not self._due
            row |= {"read": self._read, "speed": speed, "played": self._played}
            row |= {"skipped": self._skipped, "done": done}
        if self._write is not None:
            row |= {"write": self._write, "recorded": self._recorded}
        return row

    def close(self, *, delete: bool = False) -> None:
        """Close the files; see ``Device``. What was recorded stays."""
        if self._closed:
            return
        self._closed = True
        if self._output is not None:
            with suppress(OSError):
                self._output.write(self._writer.end())
            self._output.close()
        if self._input is not None:
            self._input.close()
        os.close(self._event)

    def _advance(self, *, first: bool = False) -> None:
        """Go to the next packet of the file.

        Raises:
            DeviceError: the file is no capture; at its first packet only.
        """
        self._next = None
        try:
            record = self._wanted(self._records)
        except (CaptureFileError, OSError) as error:
            if first:
                why = error.message if isinstance(error, CaptureFileError) else error.strerror
                raise DeviceError(f"cannot play {self._read}: {why}") from None
            self._news = f"stopped playing {self._read}: {error}"
            return
        if record is None:
            # Told at the next turn: the file may have nothing to play, and nobody listens yet.
            self._news = f"played {self._read} to its end"
            return
        frame = record.frame if record.ethernet else self._ethernet(record.frame)
        frame = self._addressed(frame) if record.cooked else frame
        more = len(frame) - len(record.frame)
        snapped = record.length > len(record.frame)
        self._next = _Snapped(frame, record.length + more) if snapped else frame
        if self._first_ns is None:
            self._first_ns = record.time_ns
        # A clock that was set back while the file was made lets no time pass here.
        offset_ns = int((record.time_ns - self._first_ns) / (self._speed or 1.0))
        self._offset_ns = max(self._offset_ns, offset_ns)

    def _wanted(self, records: Iterator[Record]) -> Record | None:
        for record in records:
            if record.direction in ("", "in") and (
                is_frame(record.frame) or (record.frame and not record.ethernet)
            ):
                return record
            self._skipped += 1
        return None

    def _addressed(self, frame: bytes) -> bytes:
        """Return a frame with addresses in the place of those that its file does not say."""
        dst, src = frame[:6], frame[6:12]
        dst, src = self.mac if dst == ZERO_MAC else dst, _PEER if src == ZERO_MAC else src
        return dst + src + frame[12:]

    def _ethernet(self, packet: bytes) -> bytes:
        return self.mac + _PEER + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet


class _Snapped(NamedTuple):
    """A frame of ``length`` bytes, of which the file has only the beginning."""

    frame: bytes
    length: int


def _forget(_frame: bytes, _length: int) -> None:
    """Take note of a frame that nobody wants to hear of."""


def _open_input(path: str) -> BinaryIO:
    try:
        # Not blocking, for a named pipe; which is then refused.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceError(f"cannot read {path}: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise DeviceError(f"cannot play {path}: it is not a file")
    return os.fdopen(fd, "rb")


def _open_output(path: str, header: bytes) -> BinaryIO:
    try:
        with ExitStack() as undo:
            output = undo.enter_context(open(path, "wb", buffering=0))
            output.write(header)
            undo.pop_all()
            return output
    except OSError as error:
        raise DeviceError(f"cannot write {path}: {error.strerror}") from None
