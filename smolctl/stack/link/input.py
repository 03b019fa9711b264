"""Link input: an Ethernet frame, from the device to its protocol."""

from collections.abc import Callable

from smolctl.stack import reason
from smolctl.stack.interface import Interface
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.wire import ethernet
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC
from smolctl.wire.fault import WireFault


class LinkProtocols:
    """The protocols that frames carry.

    Attributes:
        input: who takes a packet, by ethertype.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.input: dict[int, Callable[[Packet], None]] = {}


def frame_input(
    protocols: LinkProtocols,
    interface: Interface,
    frame: bytes,
    now: int,
    trace: Trace | None = None,
) -> None:
    """Take one Ethernet frame from a device. Nothing is raised for any bytes.

    Args:
        trace: follows the frame to its fate.
    """
    recorder = protocols.recorder
    if trace is None:
        trace = recorder.begin(Direction.IN, now, None, interface.name)
    trace.frame, trace.linked = frame, True
    packet = Packet(b"", interface, now, trace, recorder)
    if not interface.up:
        packet.record(reason.RX_IFACE_DOWN)
        interface.counters.rx_dropped += 1
        return
    header = ethernet.parse(frame)
    if isinstance(header, WireFault):
        packet.malformed(header)
        return
    src = header.src
    if src[0] & 1 or src == ZERO_MAC:
        packet.record(reason.RX_SRC_MAC_INVALID, mac=src)
        interface.counters.rx_errors += 1
        return
    if src == interface.mac:
        packet.record(reason.RX_OWN_FRAME, mac=src)
        return
    if header.dst != interface.mac:
        if not header.dst[0] & 1:
            # A bridge or hub shows us others' frames (RFC 1122 2.4; Linux PACKET_OTHERHOST).
            packet.record(
                reason.RX_NOT_OUR_MAC, mac=header.dst, ours=interface.mac, _frame=frame[:64]
            )
            return
        packet.pkt_type = (
            PacketType.BROADCAST if header.dst == BROADCAST_MAC else PacketType.MULTICAST
        )
        interface.counters.multicast += 1
    trace.step("ethernet", "ok", now, header)
    packet.data = frame[ethernet.HEADER_LEN :]
    protocol = protocols.input.get(header.ethertype)
    if protocol is None:
        packet.record(reason.RX_ETHERTYPE_UNKNOWN, ethertype=f"0x{header.ethertype:04x}")
        return
    protocol(packet)
