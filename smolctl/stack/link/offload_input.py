"""The way in of a frame behind a virtio header: first what its sender left to be done.

A super-packet counts as the datagrams that it stands for: nobody can see whether they came one by
one or in one piece.
"""

from collections.abc import Callable

from smolctl.stack.interface import Interface
from smolctl.stack.packet import Packet
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Direction
from smolctl.wire.fault import WireFault
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import HEADERS6_LEN, HEADERS_LEN


def offloaded_input(
    recorder: Recorder,
    interface: Interface,
    data: bytes,
    now: int,
    take: Callable[[list[bytes]], None],
) -> None:
    """Take what a device received, a virtio header in front. Nothing is raised for any bytes.

    The caller counts one packet of ``len(data)`` without the header; what a super-packet has
    beside it is counted here.

    Args:
        take: takes the frames that it is made of, at least one, with their checksums.
    """
    counters = interface.counters
    frames = virtio.frames(data)
    if isinstance(frames, WireFault):
        trace = recorder.begin(Direction.IN, now, None, interface.name)
        trace.frame, trace.linked = data[virtio.HEADER_LEN :], True
        Packet(b"", interface, now, trace, recorder).malformed(frames)
        return
    counters.rx_packets += len(frames) - 1
    counters.rx_bytes += sum(map(len, frames)) - (len(data) - virtio.HEADER_LEN)
    take(frames)


def count_segments(interface: Interface, data: bytes, number: int) -> None:
    """Count the datagrams of a super-packet that was taken whole.

    Args:
        data: the super-packet, a virtio header in front.
    """
    six = data[virtio.HEADER_LEN + 12 : virtio.HEADER_LEN + 14] == b"\x86\xdd"
    interface.counters.rx_packets += number - 1
    interface.counters.rx_bytes += (number - 1) * (HEADERS6_LEN if six else HEADERS_LEN)
