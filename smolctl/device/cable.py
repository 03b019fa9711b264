"""A cable between stacks of one user on one machine; three ends or more make it a hub.

Each end listens on a Unix socket of its own in the cable's directory and connects to those that are
there when it comes, so there is one connection between any two ends. Their processes hold them: an
end that is killed is unplugged at once, and the file that it leaves is removed by the next one.
"""

import fcntl
import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from smolctl.device import Framed, unix
from smolctl.device.connection import Connection, ConnectionDevice
from smolctl.device.polled import Backoff
from smolctl.errors import DeviceError

RETRY_FIRST_NS = 10_000_000
RETRY_MOST_NS = 1_000_000_000


class CableDevice(ConnectionDevice):
    """One end of a cable; see ``smolctl.device.Device`` for what its methods promise.

    A frame goes to every other end. One that does not read misses what does not fit into its
    queue, and the others do not wait for it.

    Args:
        name: the interface's.
        mac, mtu: None for a random one, and for 1500 bytes.
        cable: what people call the cable.
        directory: the cable's; made, and removed with its last end.

    Raises:
        DeviceError: with a one-line reason and what to do; nothing is left behind.
    """

    kind = "cable"

    def __init__(
        self,
        name: str,
        *,
        mac: bytes | None = None,
        mtu: int | None = None,
        cable: str,
        directory: str,
    ) -> None:
        super().__init__(name, mac, mtu)
        self._cable = cable
        self._directory = directory
        self._own = f"{os.getpid()}-{os.urandom(3).hex()}"
        self._bound: unix.BoundSocket | None = None
        self._ends: list[Connection] = []
        # Those to connect to that had no room for one more connection yet.
        self._awaited: list[str] = []
        self._missed = 0
        self._retry = Backoff(RETRY_FIRST_NS, RETRY_MOST_NS)
        try:
            unix.check_path(f"{directory}/{self._own}")
            self._join()
        except BaseException:
            self.close()
            raise

    def transmit_batch(self, items: Sequence[bytes | Framed]) -> int:
        """Send frames to all other ends; see ``Device``."""
        ends = self._ends
        if len(ends) == 1:
            return self._send(ends[0], items)
        # A frame is sent when one end took it; another one that is slow misses it.
        taken = [self._send(end, items) for end in list(ends)]
        most = max(taken, default=0)
        self._missed += sum(most - count for count in taken)
        return most

    def deadline(self) -> int | None:
        """Return when to look for other ends again; see ``ActiveDevice``."""
        return self._retry.at_ns

    def turn(self, now: int) -> None:
        """Go on with plugging in; see ``ActiveDevice``."""
        if not self._retry.due(now):
            return
        if self._bound is None:
            try:
                self._join()
            except DeviceError as error:
                self.report(error.message)
                self._retry.want()
            return
        if self._bound.socket.fileno() not in self._handlers:
            self._watch(self._bound.socket.fileno(), select.EPOLLIN, self._on_end)
        self._connect()

    def details(self) -> dict[str, Any]:
        """Return the cable's name and how many ends it has, with this one; see ``Device``."""
        queued = sum(end.unsent for end in self._ends)
        ends = 1 + len(self._ends)
        return {"name": self._cable, "ends": ends, "queued": queued, "missed": self._missed}

    def _join(self) -> None:
        """Plug in: listen, and connect to the ends that are there."""
        try:
            lock = _lock(self._directory)
            if lock is None:
                # Another end plugs in right now. One after the other, or two that come at the same
                # time would find each other twice.
                self._retry.want()
                return
            try:
                self._awaited = os.listdir(self._directory)
                self._bound = unix.BoundSocket(f"{self._directory}/{self._own}", socket.SOCK_STREAM)
                self._watch(self._bound.socket.fileno(), select.EPOLLIN, self._on_end)
                self._connect()
            finally:
                os.close(lock)
        except OSError as error:
            raise DeviceError(
                f"cannot use the directory {self._directory} of cable {self._cable}:"
                f" {error.strerror}",
                hint="set XDG_RUNTIME_DIR to a directory of your own",
            ) from None

    def _connect(self) -> None:
        """Connect to the ends that are awaited; an end that is not there any more is forgotten."""
        names, self._awaited = self._awaited, []
        while names:
            name = names.pop(0)
            path = f"{self._directory}/{name}"
            attempt: socket.socket | None = None
            try:
                attempt = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                attempt.setblocking(False)
                attempt.connect(path)
                self._add(attempt)
                continue
            except BlockingIOError:
                self._awaited.append(name)
            except (ConnectionRefusedError, FileNotFoundError):
                # Its process is gone: nobody can begin to listen on a socket that is there.
                with suppress(OSError):
                    os.unlink(path)
            except OSError as error:  # out of descriptors or memory
                self.report(f"cannot connect to an end of cable {self._cable}: {error.strerror}")
                self._awaited += [name, *names]
                names.clear()
            if attempt is not None:
                attempt.close()
        if self._awaited:
            self._retry.want()

    def _on_end(self, _mask: int) -> list[bytes]:
        assert self._bound is not None
        try:
            peer, _ = self._bound.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return []
        except OSError as error:
            # Out of descriptors or memory. The listener stays readable: look away for a while.
            self.report(f"cannot accept an end of cable {self._cable}: {error.strerror}")
            self._unwatch(self._bound.socket.fileno())
            self._retry.want()
            return []
        self._add(peer)
        return []

    def _add(self, connected: socket.socket) -> None:
        self._ends.append(self._adopt(connected))
        self._set_carrier(True)
        self.report(f"cable {self._cable} has {1 + len(self._ends)} ends")

    def _lost(self, connection: Connection) -> None:
        self._ends.remove(connection)
        self._set_carrier(bool(self._ends))
        # An end that leaves as it should, or is killed, says nothing; any other thing is strange.
        why = f": {connection.lost}" if connection.fault else ""
        self.report(f"cable {self._cable} has {1 + len(self._ends)} ends{why}")

    def _release(self) -> None:
        for end in self._ends:
            end.close()
        if self._bound is not None:
            self._bound.close()
            with suppress(OSError):  # other ends are there
                lock = _lock(self._directory)
                if lock is not None:  # else another end is coming
                    os.close(lock)
                    os.rmdir(self._directory)


def _lock(directory: str) -> int | None:
    """Return a descriptor that holds the lock of the cable's directory; None when another does.

    The directory is made unless it is there.
    """
    while True:
        with suppress(FileExistsError):
            os.mkdir(directory, 0o700)
        try:
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # its last end has just left
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), os.stat(directory)):
                return fd
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
