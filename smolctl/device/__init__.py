"""Devices: they carry frames between a stack and the world, and are usable without a stack.

One file a kind: ``tap`` for the Linux kernel's TAP (``host`` configures the kernel's side of it),
``stream`` for Ethernet over a stream, as QEMU and passt speak it, ``cable`` between stacks
(``framing`` has the frames of both, ``connection`` their sockets, ``unix`` the files of these),
``dgram`` for a frame a datagram, ``packet`` for an interface of the machine, ``pcap`` for
capture files.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from smolctl.errors import DeviceError
from smolctl.wire.offload.run import Run
from smolctl.wire.offload.tcp_run import Segment


class DeviceGone(DeviceError):
    """The device was deleted under us; it never comes back (ENODEV)."""

    code = "device-gone"
    errno_name = "ENODEV"


class Framed(Protocol):
    """Something that carries a frame and what its owner wants to remember with it."""

    @property
    def frame(self) -> bytes:
        """The frame, link header first, without FCS."""


class Device(Protocol):
    """One end of a link. Nothing blocks; frames begin with the link header and have no FCS.

    Attributes:
        name: the interface's name.
        kind: what ``link add NAME type`` calls it ("tap").
        mtu: largest packet after the link header, bytes; 68..65535.
        mac: our address on the link, 6 bytes.
    """

    name: str
    kind: str
    mtu: int
    mac: bytes

    def fileno(self) -> int:
        """Return the descriptor that is readable when frames wait."""

    def receive(self, limit: int) -> list[bytes]:
        """Return the frames that wait, oldest first, at most ``limit``; [] when there are none.

        Raises:
            DeviceGone: it was deleted.
        """

    def transmit(self, frame: bytes) -> None:
        """Hand one frame over.

        Raises:
            BlockingIOError: its queue is full.
            DeviceGone: it was deleted.
            OSError: the frame was not taken; EIO when the other side is down.
        """

    def transmit_batch(self, items: Sequence[bytes | Framed]) -> int:
        """Hand frames over in order; return how many were taken before the first failure.

        Never raises; ``transmit`` the one that failed to learn why.
        """

    def watch_fileno(self) -> int | None:
        """Return a descriptor that is readable when ``carrier`` may have changed, or None."""

    def carrier(self) -> bool | None:
        """Return whether the other side is there and up, None when that cannot be known.

        Reads what made ``watch_fileno`` readable.

        Raises:
            DeviceGone: it was deleted.
        """

    def set_mtu(self, mtu: int) -> None:
        """Change ``mtu``, and the other side's where that is ours to do.

        Raises:
            DeviceError: the other side refuses; nothing was changed.
        """

    def check_mac(self, mac: bytes) -> None:
        """See whether ``mac`` can be our address.

        Raises:
            DeviceError: the other end has it.
        """

    def details(self) -> dict[str, Any]:
        """Return what ``link show -d`` says under ``info_data``, keys as ``ip -d -j link``."""

    def close(self, *, delete: bool = False) -> None:
        """Let go of it; again does nothing.

        Args:
            delete: undo what opening it left in the system (a persistent TAP that we made).
        """


@runtime_checkable
class OffloadDevice(Protocol):
    """A device that leaves work to us, and takes some from us.

    Attributes:
        headroom: bytes in front of each frame that ``receive`` returns: those of a virtio header
            (``wire/virtio.py``), 0 for none.
        segments: how many datagrams of a ``Run`` it takes at once; 0 when it takes none but frames.
    """

    headroom: int
    segments: int

    def transmit(self, item: bytes | Run | Segment) -> None:
        """Hand over one frame, or a run of at most ``segments`` datagrams; see ``Device``."""

    def transmit_batch(self, items: Sequence[bytes | Framed | Run | Segment]) -> int:
        """Hand over frames and runs in order; see ``Device``."""


@runtime_checkable
class TaggedDevice(Protocol):
    """A device that gets frames with a VLAN tag in another way."""

    def tagged_fileno(self) -> int:
        """Return the descriptor that is readable when such frames wait."""

    def receive_tagged(self, limit: int) -> list[bytes]:
        """Return those that wait, as ``receive`` does, with their tags."""


@runtime_checkable
class ReplayDevice(Protocol):
    """A device that knows only the beginning of some frames.

    Attributes:
        on_snapped: is told of such a frame when it would have come in: what is known of it, and its
            length.
    """

    on_snapped: Callable[[bytes, int], None]


@runtime_checkable
class AddressedDevice(Protocol):
    """A device that lets in only what is for its address."""

    def set_mac(self, mac: bytes) -> None:
        """Let in what is for another address, which ``check_mac`` found to be right.

        Raises:
            DeviceError: that cannot be done.
        """


@runtime_checkable
class ActiveDevice(Protocol):
    """A device that works on its own: it keeps up a connection, or replays a file.

    Attributes:
        report: is told in a line what became of it, for a log; does nothing until it is set.
        only_up: it rests while its interface is down.
    """

    report: Callable[[str], None]
    only_up: bool

    def deadline(self) -> int | None:
        """Return when ``turn`` has something to do though nothing is readable, in ns, or None."""

    def turn(self, now: int) -> None:
        """Do what is due.

        Args:
            now: monotonic time, ns.

        Raises:
            DeviceGone: that was the end of it.
        """


def random_mac() -> bytes:
    """Return a random locally administered unicast address (IEEE 802-2014 8.2.2)."""
    first, *rest = os.urandom(6)
    return bytes([(first & 0xFC) | 0x02, *rest])
