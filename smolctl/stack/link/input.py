"""Link input: an Ethernet frame, from the device to its protocol."""

from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.interface import Interface
from smolctl.stack.ipv4.arp import arp_input
from smolctl.stack.ipv4.input import ip_input
from smolctl.stack.packet import Cast, wire_fault
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.wire import ethernet
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, format_mac
from smolctl.wire.fault import WireFault

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def frame_input(
    stack: "Stack", interface: Interface, frame: bytes, now: int, trace: Trace | None = None
) -> None:
    """Take one Ethernet frame from a device. Nothing is raised for any bytes.

    Args:
        trace: follows the frame to its fate.
    """
    record = stack.ledger.record
    name = interface.name
    if trace is None:
        trace = stack.journal.begin(Direction.IN, now, None, name)
    trace.frame, trace.linked = frame, True
    if not interface.up:
        record(reason.RX_IFACE_DOWN, name, now, trace)
        interface.counters.rx_dropped += 1
        return
    header = ethernet.parse(frame)
    if isinstance(header, WireFault):
        wire_fault(stack, interface, header, now, trace)
        return
    src = header.src
    if src[0] & 1 or src == ZERO_MAC:
        record(reason.RX_SRC_MAC_INVALID, name, now, trace, mac=format_mac(src))
        interface.counters.rx_errors += 1
        return
    if src == interface.mac:
        record(reason.RX_OWN_FRAME, name, now, trace, mac=format_mac(src))
        return
    cast = Cast.HOST
    if header.dst != interface.mac:
        if not header.dst[0] & 1:
            # A bridge or hub shows us others' frames (RFC 1122 2.4; Linux PACKET_OTHERHOST).
            record(
                reason.RX_NOT_OUR_MAC, name, now, trace,
                mac=format_mac(header.dst), ours=format_mac(interface.mac),
                **suggest.meant_for_us(stack, frame),
            )  # fmt: skip
            return
        cast = Cast.BROADCAST if header.dst == BROADCAST_MAC else Cast.MULTICAST
        interface.counters.multicast += 1
    trace.step("ethernet", "ok", now, header)
    payload = frame[ethernet.HEADER_LEN :]
    if header.ethertype == ethernet.EtherType.IPV4:
        ip_input(stack, interface, payload, now, trace, cast)
    elif header.ethertype == ethernet.EtherType.ARP:
        arp_input(stack, interface, payload, now, trace, cast)
    else:
        record(reason.RX_ETHERTYPE_UNKNOWN, name, now, trace, ethertype=f"0x{header.ethertype:04x}")
