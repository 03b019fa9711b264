"""A TAP's descriptor: frames in and out, with virtio headers where it has them."""

import errno
import os
from collections.abc import Sequence
from fcntl import ioctl
from typing import NoReturn

from smolctl.device import DeviceGone, Framed, tap_offload
from smolctl.device.tun import IFREQ_FLAGS, TUNGETIFF, has_virtio
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import MAX_SEGMENTS, Run
from smolctl.wire.offload.tcp_run import Segment

# A read into a shorter buffer would cut the frame without a word: 64 KiB packet, VLAN tag, headers.
_READ_SIZE = 65535 + 4 + 14 + virtio.HEADER_LEN
# Super-packets hold many datagrams each, and the socket that gets them has a bound: about so many
# bytes of them are read before somebody may take them up.
_BATCH_BYTES = 32768
_LARGE = 2048
_STREAMS = frozenset({virtio.Gso.TCPV4.value, virtio.Gso.TCPV6.value})
_STREAM_SHARE = 16
"""A super-packet of TCP counts less: one acknowledgment for many is what makes a bulk quick."""
# After a frame that came alone: how often no other is expected behind the next.
_LONE = 16

# The queue toward us. What does not fit is lost, and its sender is not told; but whoever comes
# behind a flood waits for all that is in it, some 30 us a frame.
QUEUE_FRAMES = 1024


class TapQueue:
    """The common half of devices whose frames go through a TAP's descriptor.

    Args:
        name: of the stack's interface.
        mac: our address on the link, 6 bytes.
        mtu: largest packet, bytes.
    """

    def __init__(self, name: str, mac: bytes, mtu: int) -> None:
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.headroom = 0
        self.segments = 0
        self._offload: tuple[str, ...] = ()
        self._lone = 0
        self._fd = -1

    def fileno(self) -> int:
        """Return the TAP's descriptor."""
        return self._fd

    def receive(self, limit: int) -> list[bytes]:
        """Return waiting frames; see ``Device``."""
        frames: list[bytes] = []
        append, read, fd, room = frames.append, os.read, self._fd, _BATCH_BYTES
        if self._lone:
            # Whoever waits for each answer has sent no other: a read in vain costs as much as one.
            self._lone -= 1
            limit = 1
        try:
            for _ in range(limit):
                data = read(fd, _READ_SIZE)
                append(data)
                if len(data) > _LARGE:
                    # A connection's window bounds what its sender may have under way.
                    stream = self.headroom and data[1] in _STREAMS
                    room -= len(data) // _STREAM_SHARE if stream else len(data)
                    if room < 0:
                        break
        except BlockingIOError:
            if len(frames) == 1:
                self._lone = _LONE
        except OSError as error:
            # EIO: the kernel's side is down. It says so once, and has no frame for us.
            if error.errno != errno.EIO and not frames:
                self._raise_gone(error)
        return frames

    def transmit(self, item: bytes | Run | Segment) -> None:
        """Write one frame or run; see ``Device``."""
        try:
            os.write(self._fd, self._bytes_of(item))
        except OSError as error:
            if error.errno == errno.EBADFD:
                self._raise_gone(error)
            raise

    def transmit_batch(self, items: Sequence[bytes | Framed | Run | Segment]) -> int:
        """Write frames and runs, one write each; see ``Device``."""
        write, fd, bytes_of, taken = os.write, self._fd, self._bytes_of, 0
        try:
            for item in items:
                if type(item) is Segment:
                    os.writev(fd, item.buffers())  # its payload is nowhere copied
                else:
                    write(fd, bytes_of(item))
                taken += 1
        except OSError:
            pass
        return taken

    def _bytes_of(self, item: bytes | Framed | Run | Segment) -> bytes:
        """Return what is to be written."""
        if isinstance(item, Run | Segment):
            return item.to_bytes()
        frame = item if isinstance(item, bytes) else item.frame
        return virtio.PLAIN + frame if self.headroom else frame

    def _set_offload(self, *, wanted: bool) -> None:
        """Agree with the kernel on virtio headers, and on what they may leave to us."""
        if not has_virtio(self._fd):
            tap_offload.none(self._fd)
            return
        self.headroom, self.segments = virtio.HEADER_LEN, 1
        self._offload = tap_offload.agree(self._fd)
        # What it may give us it also takes from us: both came with the same kernel.
        if "uso" in self._offload:
            self.segments = MAX_SEGMENTS

    def _kernel_name(self) -> tuple[bytes, int]:
        """Return what the kernel calls its side now (it may be renamed), and its IFF_ flags."""
        try:
            request = ioctl(self._fd, TUNGETIFF, bytes(IFREQ_FLAGS.size))
        except OSError as error:
            self._raise_gone(error)
        name, flags = IFREQ_FLAGS.unpack(request)
        return name, flags

    def _raise_gone(self, error: OSError) -> NoReturn:
        raise DeviceGone(
            f"{self.name}: the kernel's side was deleted ({error.strerror})",
            hint=f"smolctl link del {self.name}, then link add it again",
        ) from None
