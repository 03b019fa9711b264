"""Connections that carry frames: a stream socket, QEMU's framing, and a bounded queue."""

import errno
import select
import socket
from collections.abc import Sequence
from functools import partial

from smolctl.device import Framed
from smolctl.device.framing import Decoder, encode
from smolctl.device.polled import PolledDevice, is_frame

_READ_SIZE = 1 << 16
_WRITE_BYTES = 1 << 16
QUEUE_BYTES = 2 << 20
"""Bytes that may wait here for a peer that does not read, beside the kernel's buffer."""
QUEUE_FRAMES = 1024
"""Frames that may, about: a frame that waits longer than a burst takes is of no use to anybody."""
_KERNEL_BUFFER = 1 << 15
"""Size for setsockopt; the kernel doubles it (socket(7)). By default it holds 3,000 small
frames, which the peer has to work through before it sees the next one."""


class Connection:
    """A connected stream socket.

    Args:
        connected: the socket; it is closed with this object.

    Attributes:
        lost: why the connection is of no more use, in a few words; None while it is.
        fault: whether that was the peer's framing.
        writing: whether it is watched for room to write.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            connected.setsockopt(socket.SOL_SOCKET, buffer, _KERNEL_BUFFER)
        self.socket = connected
        self.lost: str | None = None
        self.fault = False
        self.writing = False
        self._decoder = Decoder()
        self._unsent = bytearray()
        self._unsent_frames = 0

    @property
    def unsent(self) -> int:
        """Bytes that wait for the peer to read."""
        return len(self._unsent)

    def receive(self) -> list[bytes]:
        """Return the frames that one read completes."""
        try:
            data = self.socket.recv(_READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            self.lost = error.strerror or str(error)
            return []
        if not data:
            within = " in the middle of a frame" if self._decoder.partial else ""
            self.lost = f"the other end closed it{within}"
            return []
        frames = self._decoder.feed(data)
        if self._decoder.fault is not None:
            self.lost, self.fault = f"it sent {self._decoder.fault}", True
        return frames

    def send(self, items: Sequence[bytes | Framed]) -> int:
        """Take frames in their order; return how many, the others do not fit into the queue.

        What was taken is lost when the connection is.
        """
        taken, unsent = 0, self._unsent
        enough = QUEUE_BYTES if unsent else _WRITE_BYTES
        for item in items:
            if len(unsent) >= enough or self._unsent_frames >= QUEUE_FRAMES:
                self.flush()
                if self.lost is not None or self._full:
                    break
                # Once the kernel takes no more, asking it after each frame would be idle.
                enough = QUEUE_BYTES if unsent else _WRITE_BYTES
            unsent += encode(item if isinstance(item, bytes) else item.frame)
            self._unsent_frames += 1
            taken += 1
        self.flush()
        return taken

    @property
    def _full(self) -> bool:
        return len(self._unsent) >= QUEUE_BYTES or self._unsent_frames >= QUEUE_FRAMES

    def flush(self) -> None:
        """Write what waits, as far as the peer reads."""
        before = len(self._unsent)
        try:
            while self._unsent:
                del self._unsent[: self.socket.send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            # As if all were of one size.
            self._unsent_frames = -(-self._unsent_frames * len(self._unsent) // before)
        except OSError as error:
            self.lost = error.strerror or str(error)
        else:
            self._unsent_frames = 0

    def close(self) -> None:
        """Close the socket; what waits is gone."""
        self.socket.close()
        self._unsent.clear()


class ConnectionDevice(PolledDevice):
    """The common half of devices whose frames go over connections."""

    def transmit(self, frame: bytes) -> None:
        """Send one frame; see ``Device``."""
        if not is_frame(frame):
            raise OSError(errno.EINVAL, "shorter than an Ethernet header")
        if self.transmit_batch([frame]) == 0:
            if not self._carrier:
                raise OSError(errno.EIO, "nobody is connected")
            raise BlockingIOError(errno.EAGAIN, "the other end does not read")

    def transmit_batch(self, items: Sequence[bytes | Framed]) -> int:
        """Send frames, many of them with one write; see ``Device``."""
        raise NotImplementedError

    def _adopt(self, connected: socket.socket) -> Connection:
        """Take a connected socket; its frames come in from now on."""
        connection = Connection(connected)
        self._watch(connected.fileno(), select.EPOLLIN, partial(self._on_ready, connection))
        return connection

    def _on_ready(self, connection: Connection, mask: int) -> list[bytes]:
        frames: list[bytes] = []
        if mask & ~select.EPOLLOUT:
            frames = connection.receive()
        if mask & select.EPOLLOUT and connection.lost is None:
            connection.flush()
        if frames:
            self._received(connection)
        self._settle(connection)
        return frames

    def _send(self, connection: Connection, items: Sequence[bytes | Framed]) -> int:
        """Send frames over a connection; return how many it took."""
        taken = connection.send(items)
        self._settle(connection)
        return taken if connection.lost is None else 0

    def _settle(self, connection: Connection) -> None:
        """Draw the consequences of what was sent and received."""
        if connection.lost is not None:
            self._unwatch(connection.socket.fileno())
            connection.close()
            self._lost(connection)
        elif connection.writing != bool(connection.unsent):
            connection.writing = not connection.writing
            events = select.EPOLLIN | (select.EPOLLOUT if connection.writing else 0)
            self._rewatch(connection.socket.fileno(), events)

    def _received(self, connection: Connection) -> None:
        """Take note that the peer speaks."""

    def _lost(self, connection: Connection) -> None:
        """Draw the consequences of a connection that is gone; ``connection.lost`` says why."""
        raise NotImplementedError
