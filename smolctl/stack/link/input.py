"""Link input: an Ethernet frame, from the device to its protocol."""

from collections.abc import Callable, Iterable, Iterator

from smolctl.stack import reason
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.link.vlan import Member, member
from smolctl.stack.packet import Packet, PacketType
from smolctl.stack.trace.facts import PortOf
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.wire import ethernet, snap, vlan
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC
from smolctl.wire.fault import WireFault


class LinkProtocols:
    """The protocols that frames carry.

    Args:
        receive: takes a frame as from a device: one of a VLAN, its tag taken off.

    Attributes:
        input: who takes a packet, by ethertype.
        own: tells of a frame from the interface's own MAC whether it is taken all the same.
    """

    def __init__(
        self, recorder: Recorder, receive: Callable[[Interface, bytes, int], None]
    ) -> None:
        self.recorder, self.receive = recorder, receive
        self.input: dict[int, Callable[[Packet], None]] = {}
        self.own: dict[int, Callable[[Interface, bytes], bool]] = {}


def frame_input(
    protocols: LinkProtocols,
    interface: Interface,
    frame: bytes,
    now: int,
    trace: Trace | None = None,
    mark: int = 0,
) -> None:
    """Take one Ethernet frame from a device. Nothing is raised for any bytes.

    Args:
        trace: follows the frame to its fate.
        mark: of its packet, which rules may select.
    """
    recorder = protocols.recorder
    if interface.vlans and interface.up and (found := member(interface, frame)) is not None:
        _vlan_input(protocols, found, now, trace, mark)
        return
    if trace is None:
        trace = recorder.begin(Direction.IN, now, None, interface.name)
        if interface.vlan is not None:
            trace.step("vlan", "pick", now, interface.vlan.tag)
    packet = Packet(b"", interface, now, trace, recorder)
    trace.frame, trace.linked, packet.mark = frame, True, mark
    if not interface.up:
        packet.record(reason.RX_IFACE_DOWN)
        interface.counters.rx_dropped += 1
        return
    if interface.mirror is not None and interface.mirror.master is not None:
        _port_input(protocols, interface, interface.mirror.master, frame, packet)
        return
    header = ethernet.parse(frame)
    if isinstance(header, WireFault):
        packet.malformed(header)
        return
    dst, src, _ = header
    if src[0] & 1 or src == ZERO_MAC:
        packet.record(reason.RX_SRC_MAC_INVALID, mac=src, cause="group" if src[0] & 1 else "zero")
        interface.counters.rx_errors += 1
        return
    if src == interface.mac and not _wanted(protocols, interface, header.ethertype, frame):
        packet.record(reason.RX_OWN_FRAME, mac=src, _frame=frame[:64])
        return
    if dst != interface.mac:
        if not dst[0] & 1:
            # A bridge or hub shows us others' frames (RFC 1122 2.4; Linux PACKET_OTHERHOST).
            packet.record(reason.RX_NOT_OUR_MAC, mac=dst, ours=interface.mac, _frame=frame[:64])
            return
        to_all = dst == BROADCAST_MAC
        packet.pkt_type = PacketType.BROADCAST if to_all else PacketType.MULTICAST
        interface.counters.multicast += 1
    _protocol_input(protocols, packet, header, frame)


def _protocol_input(
    protocols: LinkProtocols, packet: Packet, header: ethernet.EthernetHeader, frame: bytes
) -> None:
    """Hand a frame that is for us to the protocol of its ethertype."""
    if packet.interface.medium is not Medium.NONE:
        packet.step("ethernet", "ok", header)
    protocol = protocols.input.get(header.ethertype)
    if protocol is None:
        _wrapped_input(protocols, packet, frame)
        return
    packet.data = frame[ethernet.HEADER_LEN :]
    protocol(packet)


def _wanted(protocols: LinkProtocols, interface: Interface, ethertype: int, frame: bytes) -> bool:
    """Tell whether a protocol takes a frame that has our own MAC as its source."""
    wanted = protocols.own.get(ethertype)
    return wanted is not None and wanted(interface, frame)


def snapped_input(
    recorder: Recorder, interface: Interface, frame: bytes, length: int, now: int
) -> None:
    """Drop a frame of which a capture kept the beginning; it counts as received."""
    trace = recorder.begin(Direction.IN, now, None, interface.name)
    trace.frame, trace.linked = frame, True
    interface.counters.rx_packets += 1
    interface.counters.rx_bytes += length
    interface.counters.rx_dropped += 1
    packet = Packet(b"", interface, now, trace, recorder)
    packet.record(reason.RX_FRAME_SNAPPED, size=length, kept=len(frame))


def fitting(
    recorder: Recorder, interface: Interface, frames: Iterable[bytes], now: int
) -> Iterator[bytes]:
    """Yield the frames that fit the interface's MTU, as Linux's veth takes them.

    Source: Linux __is_skb_forwardable.
    """
    for frame in frames:
        if fits(recorder, interface, frame, now):
            yield frame


def fits(
    recorder: Recorder, interface: Interface, frame: bytes, now: int, trace: Trace | None = None
) -> bool:
    """Tell whether a frame fits the interface's MTU; that it does not, is recorded.

    Args:
        trace: follows the frame.
    """
    most = interface.mtu + ethernet.HEADER_LEN + vlan.TAG_LEN
    if len(frame) > most:
        if trace is None:
            trace = recorder.begin(Direction.IN, now, None, interface.name)
        trace.frame, trace.linked = frame, True
        interface.counters.rx_dropped += 1
        packet = Packet(b"", interface, now, trace, recorder)
        packet.record(
            reason.RX_FRAME_TOO_LONG, size=len(frame), mtu=interface.mtu, most=most,
            needed=len(frame) - ethernet.HEADER_LEN,
        )  # fmt: skip
    return len(frame) <= most


def _vlan_input(
    protocols: LinkProtocols, found: Member, now: int, trace: Trace | None, mark: int
) -> None:
    """Take a frame that belongs to a VLAN which has an interface here."""
    interface, frame, tag = found
    if trace is None and not tag.pcp and not tag.dei:
        protocols.receive(interface, frame, now)
        return
    interface.counters.rx_packets += 1
    interface.counters.rx_bytes += len(frame)
    if trace is None:
        trace = protocols.recorder.begin(Direction.IN, now, None, interface.name)
    trace.dev = interface.name
    trace.step("vlan", "pick", now, tag)
    frame_input(protocols, interface, frame, now, trace, mark)


def _port_input(
    protocols: LinkProtocols, port: Interface, master: Interface, frame: bytes, packet: Packet
) -> None:
    """Take a frame that came in by a port: it is the bridge's, or the bond's.

    Source: Linux br_handle_frame, bond_handle_frame.
    """
    kind = "" if master.mirror is None else master.mirror.kind
    packet.step("port", "pick", PortOf(port.name, master.name, kind))
    if frame[:6] == port.mac:
        # A port's own address is the bridge's, too (Linux br_fdb_add_local).
        frame = master.mac + frame[6:]
    packet.trace.dev = master.name
    master.counters.rx_packets += 1
    master.counters.rx_bytes += len(frame)
    frame_input(protocols, master, frame, packet.now, packet.trace, packet.mark)


def _wrapped_input(protocols: LinkProtocols, packet: Packet, frame: bytes) -> None:
    """Take a frame whose third field is no protocol's ethertype: a VLAN tag, a length, or what."""
    tags = 0
    while (tag := vlan.parse(frame, vlan.AT + tags * vlan.TAG_LEN)) is not None:
        if isinstance(tag, WireFault):
            packet.malformed(tag)
            return
        if tag.vid != vlan.PRIORITY:
            kind = vlan.PROTOCOLS[tag.tpid]
            packet.record(reason.RX_VLAN_UNKNOWN, vid=tag.vid, kind=kind)
            return
        # It has a priority and no VLAN (IEEE 802.1Q 6.9.1; Linux __netif_receive_skb_core).
        packet.step("vlan", "ok", tag)
        tags += 1
    frame = vlan.untagged(frame, tags)
    ethertype = int.from_bytes(frame[12:14])
    packet.data = frame[ethernet.HEADER_LEN :]
    if ethertype <= snap.LENGTH_MAX:
        # RFC 1122 2.3.3: SHOULD be able to receive RFC 1042 packets, intermixed with RFC 894's.
        length, inside = ethertype, None
        if packet.interface.settings["iface.snap"]:
            inside = snap.parse(frame, ethertype)
        if isinstance(inside, WireFault):
            packet.malformed(inside)
            return
        if inside is not None:
            ethertype, packet.data = inside, snap.payload(frame, length)
            packet.step("snap", "ok", {"ethertype": f"0x{ethertype:04x}"})
    protocol = protocols.input.get(ethertype)
    if protocol is None:
        _unknown(packet, ethertype)
        return
    protocol(packet)


def _unknown(packet: Packet, ethertype: int) -> None:
    """Drop what no protocol takes; below 0x600 the field is a length (IEEE 802.3 3.2.6)."""
    if ethertype < ethernet.MIN_ETHERTYPE:
        values = {"cause": "length", "length": ethertype, "_llc": packet.data[:3]}
    else:
        values = {"cause": "ethertype", "_number": ethertype}
    packet.record(reason.RX_ETHERTYPE_UNKNOWN, ethertype=f"0x{ethertype:04x}", **values)
