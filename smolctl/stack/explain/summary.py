"""Summaries of frames and packets, in one line and in the words of their protocols.

For people who look at packets that went wrong, so broken ones are said as far as they make sense:
checksums and lengths are not checked here, and no bytes raise.
"""

from struct import Struct

from smolctl.stack.explain.names import ETHERTYPES, PROTOCOLS, icmp_name
from smolctl.stack.explain.summary_icmp6 import icmp6_words, quoted_packet
from smolctl.wire import arp, ethernet, icmpv4, icmpv6, igmp, ipv4, ipv6, mld, snap, udp, vlan
from smolctl.wire.address import (
    UNSPECIFIED6,
    format_address,
    format_endpoint,
    format_mac,
)
from smolctl.wire.fault import Fault, WireFault
from smolctl.wire.icmpv4 import Type
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import upper_layer

_IPV6 = 0x86DD
_PORTS = Struct("!HH")
_UDP = Struct("!HHH")
_TCP = Struct("!HHIIBB")
_ACK = 0x10
_ICMP = Struct("!BBHHH")
_SHOWN = 16
"""Bytes shown of what has no words."""
_TAGS_SHOWN = 4
"""VLAN tags shown; two are what there is."""


def summarize(frame: bytes, ethernet: bool) -> str:
    """Return one line about a packet; raises nothing for any bytes.

    Args:
        frame: what was received or was to be sent.
        ethernet: it begins with an Ethernet header; otherwise it is an IP packet.

    Examples:
        10.0.0.9:1000 > 10.0.0.15:53 UDP 2 B
        who-has 10.0.0.1 tell 99.9.9.9 (02:00:00:00:00:0b)
        10.0.0.2 > 10.0.0.1 ICMP echo request ident 7 seq 1, 56 B
        10.0.0.2:80 > 10.0.0.1:2000 TCP SYN,ACK seq 7 ack 8, 0 B
        fe80::2 > ff02::1:ff00:1 ICMPv6 neighbor solicitation, who-has fe80::1 (02:00:00:00:00:0b)
    """
    if ethernet:
        return _ethernet(frame)
    return _ipv6(frame) if frame[:1] and frame[0] >> 4 == 6 else _ipv4(frame)


def _ethernet(frame: bytes) -> str:
    header = ethernet.parse(frame)
    if isinstance(header, WireFault):
        return f"Ethernet frame of {len(frame)} B{_hex(frame)}"
    tags = vlan.tags(frame)
    if tags:
        words = " ".join(f"vlan {tag.vid}" for tag in tags[:_TAGS_SHOWN])
        return f"{words}, {_ethernet(vlan.untagged(frame, len(tags)))}"
    payload, ethertype = frame[ethernet.HEADER_LEN :], header.ethertype
    if ethertype <= snap.LENGTH_MAX:
        inside = snap.parse(frame, ethertype)
        if isinstance(inside, int):
            payload, ethertype = snap.payload(frame, ethertype), inside
    if ethertype == ethernet.EtherType.ARP:
        return _arp(payload)
    if ethertype == ethernet.EtherType.IPV4:
        return _ipv4(payload)
    if header.ethertype == _IPV6:
        return _ipv6(payload)
    ends = f"{format_mac(header.src)} > {format_mac(header.dst)}"
    if ethertype < ethernet.MIN_ETHERTYPE:
        return f"{ends} IEEE 802.3 {len(payload)} B"
    name = ETHERTYPES.get(ethertype)
    kind = f"ethertype {ethertype:#06x}" + (f" ({name})" if name else "")
    return f"{ends} {kind} {len(payload)} B"


def _arp(packet: bytes) -> str:
    """As tcpdump says it; a probe and an announcement are called so (RFC 5227 1.1)."""
    found = arp.parse(packet)
    if isinstance(found, WireFault):
        if found.fault is Fault.ARP_TRUNCATED:
            return f"ARP packet of {len(packet)} B{_hex(packet)}"
        if found.fault is Fault.ARP_BAD_OP:
            return f"ARP op {found.detail['opcode']}"
        fields = {name: value for name, value in found.detail.items() if name != "cause"}
        return "ARP " + " ".join(f"{name} {value}" for name, value in fields.items())
    sender, target = format_address(found.sender_ip), format_address(found.target_ip)
    mac = format_mac(found.sender_mac)
    if found.sender_ip == found.target_ip:
        return f"announcement {sender} is-at {mac}"
    if found.op == arp.Op.REPLY:
        return f"reply {sender} is-at {mac}"
    if found.sender_ip == 0:
        return f"who-has {target} probe ({mac})"
    return f"who-has {target} tell {sender} ({mac})"


def _ipv4(packet: bytes) -> str:
    header = ipv4.parse_unchecked(packet)
    if header is None:
        return f"IPv4 packet of {len(packet)} B{_hex(packet)}"
    payload = packet[header.header_len : max(header.total_length, header.header_len)]
    protocol = header.protocol
    src, dst = format_address(header.src), format_address(header.dst)
    name = PROTOCOLS.get(protocol, f"protocol {protocol}")
    has_ports = protocol in (ipv4.Protocol.UDP, ipv4.Protocol.TCP) and not header.fragment_offset
    if has_ports and len(payload) >= _PORTS.size:
        sport, dport = _PORTS.unpack_from(payload)
        src, dst = format_endpoint(header.src, sport), format_endpoint(header.dst, dport)
    if header.fragment_offset or header.mf:
        more = "" if header.mf else ", the last"
        place = f"ident {header.ident} offset {header.fragment_offset}"
        return f"{src} > {dst} {name} fragment {place}, {len(payload)} B{more}"
    if protocol == ipv4.Protocol.ICMP:
        return f"{src} > {dst} {_icmp(payload)}"
    if protocol == ipv4.Protocol.IGMP:
        message = igmp.parse(payload)
        if not isinstance(message, WireFault):
            return f"{src} > {dst} IGMP {igmp_words(message)}"
    return f"{src} > {dst} {_transport(protocol, payload)}"


def _ipv6(packet: bytes) -> str:
    """As an IPv4 packet; extension headers are passed, and a fragment is said to be one."""
    header = ipv6.parse_unchecked(packet)
    if header is None:
        return f"IPv6 packet of {len(packet)} B{_hex(packet)}"
    packet = packet[: max(header.total_length, ipv6.HEADER_LEN)]
    upper = upper_layer(packet, header.next_header)
    payload, protocol, part = packet[upper.offset :], upper.protocol, upper.fragment
    src, dst = format_address(header.src), format_address(header.dst)
    name = PROTOCOLS.get(protocol, f"protocol {protocol}")
    first = part is None or not part.fragment_offset
    has_ports = protocol in (ipv4.Protocol.UDP, ipv4.Protocol.TCP) and first
    if has_ports and len(payload) >= _PORTS.size:
        sport, dport = _PORTS.unpack_from(payload)
        src, dst = format_endpoint(header.src, sport), format_endpoint(header.dst, dport)
    if part is not None and (part.mf or part.fragment_offset):
        more = "" if part.mf else ", the last"
        place = f"ident {part.ident} offset {part.fragment_offset}"
        return f"{src} > {dst} {name} fragment {place}, {len(payload)} B{more}"
    said = icmp6_words(payload) if protocol == NextHeader.ICMPV6 else None
    if said is not None:
        return f"{src} > {dst} {name} {said}"
    return f"{src} > {dst} {_transport(protocol, payload)}"


def _transport(protocol: int, payload: bytes) -> str:
    """Return the name of a protocol, what its header says, and the length of its payload."""
    name, size = PROTOCOLS.get(protocol, f"protocol {protocol}"), len(payload)
    if protocol == ipv4.Protocol.UDP and size >= udp.HEADER_LEN:
        size = max(_UDP.unpack_from(payload)[2] - udp.HEADER_LEN, 0)
    elif protocol == ipv4.Protocol.TCP and size >= _TCP.size:
        from smolctl.wire import tcp  # only what others send

        _, _, sequence, acked, offset, flags = _TCP.unpack_from(payload)
        ack = f" ack {acked}" if flags & _ACK else ""
        size = max(size - (offset >> 4) * 4, 0)
        return f"{name} {tcp.flags_text(flags)} seq {sequence}{ack}, {size} B"
    return f"{name} {size} B"


def _icmp(message: bytes) -> str:
    if len(message) < icmpv4.HEADER_LEN:
        return f"ICMP {len(message)} B{_hex(message)}"
    kind, code, _, ident, sequence = _ICMP.unpack_from(message)
    words = f"ICMP {icmp_name(kind, code)}"
    body = message[icmpv4.HEADER_LEN :]
    if kind in (Type.ECHO_REQUEST, Type.ECHO_REPLY):
        return f"{words} ident {ident} seq {sequence}, {len(body)} B"
    if not icmpv4.is_error(kind):
        return f"{words}, {len(body)} B"
    quote = icmpv4.parse_quote(body)
    if quote is None:
        return f"{words}, quoting {len(body)} B"
    return f"{words} for {quoted_packet(quote)}"


def igmp_words(message: igmp.Message) -> str:
    """Return what an IGMP message says: "v3 report join 239.1.2.3"."""
    if isinstance(message, igmp.Unknown):
        return f"type {message.type:#04x}"
    if isinstance(message, igmp.Query):
        group = f" for {format_address(message.group)}" if message.group else ""
        return f"v{message.version} query{group}{_sources(message.sources)}"
    if isinstance(message, igmp.Membership):
        return f"{_MEMBERSHIPS[message.type]} {format_address(message.group)}"
    return f"v3 report {_records(message.records)}"


def mld_words(message: mld.Message) -> str:
    """Return what a message of listener discovery says: "v2 report join ff05::5"."""
    if isinstance(message, mld.Query):
        general = message.group == UNSPECIFIED6
        group = "" if general else f" for {format_address(message.group)}"
        return f"v{message.version} query{group}{_sources(message.sources)}"
    if isinstance(message, mld.Membership):
        word = "report" if message.type == icmpv6.Type.MLD_REPORT else "done"
        return f"v1 {word} {format_address(message.group)}"
    return f"v2 report {_records(message.records)}"


def _records(records: tuple[igmp.Record, ...] | tuple[mld.Record, ...]) -> str:
    words = [_record(record) for record in records[:_RECORDS_SHOWN]]
    more = len(records) - len(words)
    return ", ".join(words + [f"{more} more"] * (more > 0))


def _record(record: igmp.Record | mld.Record) -> str:
    """In the words of an application where nothing but joining and leaving happens."""
    group, sources = format_address(record.group), _sources(record.sources)
    word = _CHANGES.get(record.change, f"record {record.change}")
    if record.change == igmp.Change.TO_EXCLUDE:
        return f"join {group}" + (f" but{sources}" if sources else "")
    if record.change == igmp.Change.TO_INCLUDE and not sources:
        return f"leave {group}"
    if record.change == igmp.Change.IS_EXCLUDE:
        return f"in {group}" + (f" but{sources}" if sources else "")
    return f"{word} {group}{sources}"


def _sources(sources: tuple[int, ...]) -> str:
    if not sources:
        return ""
    shown = ", ".join(format_address(source) for source in sources[:_RECORDS_SHOWN])
    return f" from {shown}" + ("..." if len(sources) > _RECORDS_SHOWN else "")


_RECORDS_SHOWN = 3
"""Groups, and sources of each, that are named."""
_MEMBERSHIPS: dict[int, str] = {
    igmp.Type.REPORT_V1: "v1 report",
    igmp.Type.REPORT_V2: "v2 report",
    igmp.Type.LEAVE: "v2 leave",
}
_CHANGES: dict[int, str] = {
    igmp.Change.IS_INCLUDE: "in",
    igmp.Change.TO_INCLUDE: "only",
    igmp.Change.ALLOW: "allow",
    igmp.Change.BLOCK: "block",
}


def _hex(data: bytes) -> str:
    """Return the first bytes of what has no words."""
    if not data:
        return ""
    return f" {data[:_SHOWN].hex()}" + ("..." if len(data) > _SHOWN else "")
