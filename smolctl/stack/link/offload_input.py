"""The way in of a frame behind a virtio header: first what its sender left to be done.

A super-packet counts as the datagrams that it stands for: nobody can see whether they came one by
one or in one piece.
"""

from typing import TYPE_CHECKING

from smolctl.stack.fastpath import udp as fast_udp
from smolctl.stack.fastpath.forward import forwarded
from smolctl.stack.interface import Interface
from smolctl.stack.link.input import frame_input
from smolctl.stack.packet import wire_fault
from smolctl.stack.trace.trace import Direction
from smolctl.stack.transport.udp.socket import DATAGRAM_OVERHEAD
from smolctl.wire import udp
from smolctl.wire.fault import WireFault
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import HEADERS_LEN

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

_PAYLOAD_AT = virtio.HEADER_LEN + HEADERS_LEN


def offloaded_input(stack: "Stack", interface: Interface, data: bytes, now: int) -> None:
    """Take what a device received, a virtio header in front. Nothing is raised for any bytes.

    The caller counts one packet of ``len(data)`` without the header; what a super-packet has
    beside it is counted here.
    """
    counters = interface.counters
    number = segments_input(stack, interface, data, now)
    if number:
        counters.rx_packets += number - 1
        counters.rx_bytes += (number - 1) * HEADERS_LEN
        return
    frames = virtio.frames(data)
    if isinstance(frames, WireFault):
        trace = stack.journal.begin(Direction.IN, now, None, interface.name)
        trace.frame, trace.linked = data[virtio.HEADER_LEN :], True
        wire_fault(stack, interface, frames, now, trace)
        return
    counters.rx_packets += len(frames) - 1
    counters.rx_bytes += sum(map(len, frames)) - (len(data) - virtio.HEADER_LEN)
    for frame in frames:
        if not (interface.forward_flows and forwarded(stack, interface, frame, now)):
            frame_input(stack, interface, frame, now)


def segments_input(stack: "Stack", interface: Interface, data: bytes, now: int) -> int:
    """Deliver the datagrams of a super-packet whose flow is known, all or none.

    Returns: how many they are; 0 leaves them to the layered path, nothing done.
    """
    size = virtio.segment_size(data)
    if not size or interface.flows_generation != stack.generation:
        return 0
    flow = interface.flows.get(data[36:48] + (size + udp.HEADER_LEN).to_bytes(2))
    if flow is None or not fast_udp.is_plain(interface, data, len(data)):
        return 0
    socket, end = flow.socket, len(data)
    payloads = [data[at : at + size] for at in range(_PAYLOAD_AT, end, size)]
    queue_bytes = socket.queue_bytes + end - _PAYLOAD_AT + len(payloads) * DATAGRAM_OVERHEAD
    if queue_bytes > socket.rcvbuf:
        return 0
    src, sport, dst, dport, name = flow.src, flow.sport, flow.dst, flow.dport, interface.name
    socket.queue.extend([(each, src, sport, dst, dport, name, now) for each in payloads])
    socket.queue_bytes = queue_bytes
    socket.rx_datagrams += len(payloads)
    if not socket.ready:
        stack.wake(socket)
    return len(payloads)
