"""The kit of the tests of devices on sockets: a device alone, and a peer that is a socket."""

import select
import socket
import struct
from collections.abc import Callable
from typing import Protocol

from smolctl.device import ActiveDevice, Device
from smolctl.device.framing import encode
from tests.kit.clock import ManualClock
from tests.kit.process import PATIENCE_SECONDS, wait_until


class Both(Device, ActiveDevice, Protocol):
    """A device with work of its own."""


Opener = Callable[..., "Driver"]
LOCAL_TCP = ("127.0.0.1", 0)


def frame(number: int, length: int = 60) -> bytes:
    """Return a frame that no other number gives."""
    return bytes(12) + b"\x88\xb5" + number.to_bytes(4, "big") + bytes(length - 18)


def readable(fd: int | None) -> bool:
    """Tell whether a descriptor is readable now."""
    return fd is not None and bool(select.select([fd], [], [], 0)[0])


class Driver:
    """Does for one device what the daemon's loop does; the time is a number.

    Attributes:
        frames: all that came in.
        reports: all that was reported.
    """

    def __init__(self, device: Both) -> None:
        self.device = device
        self.clock = ManualClock()
        self.frames: list[bytes] = []
        self.reports: list[str] = []
        device.report = self.reports.append
        self._up = device.carrier()

    def up(self) -> bool:
        """Tell the carrier as the loop knows it: looked up only when the device says so."""
        return bool(self._up)

    def step(self) -> None:
        """Do what is ready and due now."""
        if readable(self.device.fileno()):
            self.frames += self.device.receive(32)
        due = self.device.deadline()
        if due is not None and due <= self.clock.now:
            self.device.turn(self.clock.now)
        if readable(self.device.watch_fileno()):
            self._up = self.device.carrier()

    def settle(self) -> None:
        """Do all that is ready and due now."""
        while True:
            self.step()
            due = self.device.deadline()
            ready = readable(self.device.fileno()) or readable(self.device.watch_fileno())
            if not ready and (due is None or due > self.clock.now):
                return

    def wait(self, ns: int) -> None:
        """Let time pass, and do what becomes due on the way."""
        end = self.clock.now + ns
        self.settle()
        while (due := self.device.deadline()) is not None and due <= end:
            self.clock.advance_to(due)
            self.settle()
        self.clock.advance_to(end)
        self.settle()

    def until(self, count: int) -> list[bytes]:
        """Wait for that many frames, and return all that came in."""

        def enough() -> bool:
            self.settle()
            return len(self.frames) >= count

        wait_until(enough, lambda: f"{count} frames, there are {len(self.frames)}")
        return self.frames


class Peer:
    """The other end of a stream: a socket, and QEMU's framing."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        connected.settimeout(PATIENCE_SECONDS)

    def send(self, *frames: bytes) -> None:
        """Send frames."""
        self.socket.sendall(b"".join(map(encode, frames)))

    def receive(self, driver: "Driver | None" = None) -> bytes:
        """Return the next frame; the device of ``driver`` may still have to send the rest of it."""
        (length,) = struct.unpack("!I", self.exactly(4, driver))
        return self.exactly(length, driver)

    def exactly(self, count: int, driver: "Driver | None" = None) -> bytes:
        """Return the next bytes."""
        data = b""
        while len(data) < count:
            if driver is not None:
                driver.settle()
            piece = self.socket.recv(count - len(data))
            assert piece, "the device hung up"
            data += piece
        return data

    def hung_up(self) -> bool:
        """Tell whether the device closes the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class Listener:
    """A socket that listens, as QEMU's or passt's does."""

    def __init__(self, address: str | tuple[str, int]) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.listen()
        self.socket.settimeout(PATIENCE_SECONDS)
        self.address = self.socket.getsockname()

    def accept(self) -> Peer:
        return Peer(self.socket.accept()[0])

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def dial(address: str | tuple[str, int]) -> Peer:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM)
    client.connect(address)
    return Peer(client)


def free_port() -> int:
    with Listener(LOCAL_TCP) as listener:
        port: int = listener.address[1]
        return port
