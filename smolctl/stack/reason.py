"""Why a packet was dropped, refused or delayed: the one table of reasons.

Every path in the core that does not deliver or send names a reason of this table; the counters, the
messages of ``udp send`` and ``stats drops`` come from it. RFC 1122 1.3.3 asks for it: a "silent"
discard should still be countable and explainable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What became of the packet."""

    DROP = "drop"
    """It is gone, and nobody is told."""
    REJECT = "reject"
    """It is gone, and the sender is told: an errno, or an ICMP error."""
    WAIT = "wait"
    """It is queued; another fate follows."""
    NOTE = "note"
    """Not a fate: something worth counting happened beside the packet's own fate."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Attributes:
        name: stable kebab-case name, what scripts and people know it by.
        kind: drop, reject, wait or note.
        layer: where it happens: ethernet, arp, ip, icmp, udp, neigh, device or stack.
        source: RFC and section that asks for it, or "policy".
        linux: Linux's counterpart (errno or skb drop reason), "silent" where Linux has none.
        hint: one line with ``{placeholders}`` for the details recorded with the fate.
    """

    name: str
    kind: Kind
    layer: str
    source: str
    linux: str
    hint: str

    def explain(self, detail: Mapping[str, object]) -> str:
        """Return the hint with its placeholders filled; an unknown one becomes "?"."""
        return self.hint.format_map(_Detail(detail))


class _Detail(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


REASONS: dict[str, Reason] = {}


def _reason(name: str, kind: Kind, source: str, linux: str, hint: str) -> Reason:
    layer = _LAYERS[name.partition("-")[0]]
    reason = Reason(name, kind, layer, source, linux, hint)
    REASONS[name] = reason
    return reason


_LAYERS = {
    "rx": "ethernet",
    "arp": "arp",
    "neigh": "neigh",
    "ip": "ip",
    "frag": "ip",
    "icmp": "icmp",
    "udp": "udp",
    "tx": "ip",
    "stack": "stack",
}
_DROP, _REJECT, _WAIT, _NOTE = Kind.DROP, Kind.REJECT, Kind.WAIT, Kind.NOTE

# --- Ethernet, in ---------------------------------------------------------------------------
RX_FRAME_SHORT = _reason(
    "rx-frame-short", _DROP, "RFC 894", "HDR_TRUNC",
    "frame is {n} B, an Ethernet header needs 14; check the sender or capture",
)  # fmt: skip
RX_ETHERTYPE_UNKNOWN = _reason(
    "rx-ethertype-unknown", _DROP, "RFC 1122 2.3.3", "UNHANDLED_PROTO",
    "ethertype {ethertype} is not IPv4 or ARP (0x86dd is IPv6); usually harmless",
)  # fmt: skip
RX_NOT_OUR_MAC = _reason(
    "rx-not-our-mac", _DROP, "RFC 1122 2.4", "OTHERHOST",
    "destination MAC {mac}, ours is {ours}; the peer's ARP entry for us is stale",
)  # fmt: skip
RX_SRC_MAC_INVALID = _reason(
    "rx-src-mac-invalid", _DROP, "IEEE 802.3 3.2.3", "MAC_INVALID_SOURCE",
    "source MAC {mac} is a group address or zero; broken or hostile sender",
)  # fmt: skip
RX_OWN_FRAME = _reason(
    "rx-own-frame", _DROP, "-", "LOCAL_MAC",
    "a frame with our own source MAC came back: a loop, or another host uses {mac}",
)  # fmt: skip
RX_IFACE_DOWN = _reason(
    "rx-iface-down", _DROP, "-", "DEV_READY", "{dev} is down; smolctl link set {dev} up"
)

# --- ARP --------------------------------------------------------------------------------------
ARP_TRUNCATED = _reason(
    "arp-truncated", _DROP, "RFC 826", "PKT_TOO_SMALL", "ARP for IPv4 is 28 B, got {n}"
)
ARP_BAD_FORMAT = _reason(
    "arp-bad-format", _DROP, "RFC 826", "NOT_SPECIFIED",
    "htype {htype}, ptype {ptype}, hlen {hlen}, plen {plen}; only 1, 2048, 6, 4 is supported",
)  # fmt: skip
ARP_BAD_OP = _reason(
    "arp-bad-op", _DROP, "RFC 826", "NOT_SPECIFIED", "op {n}; 1 is request, 2 is reply"
)
ARP_TARGET_NOT_OURS = _reason(
    "arp-target-not-ours", _DROP, "RFC 826", "silent",
    "{ip} is not an address of this stack; inside a prefix of {dev} is not the same as ours",
)  # fmt: skip
ARP_SENDER_INVALID = _reason(
    "arp-sender-invalid", _DROP, "RFC 1812 3.3.2", "silent",
    "sender {ip} ({mac}) is multicast, broadcast, loopback or has no unicast MAC",
)  # fmt: skip
ARP_UNSOLICITED = _reason(
    "arp-unsolicited", _DROP, "RFC 826", "silent (arp_accept=0)",
    "nobody asked for {ip}; smolctl sysctl arp.accept=1 learns from it",
)  # fmt: skip
ARP_ADDRESS_CONFLICT = _reason(
    "arp-address-conflict", _DROP, "RFC 5227 2.4", "silent",
    "{mac} claims our {ip}; smolctl arping -D {ip}",
)  # fmt: skip
ARP_LOCKED_ENTRY = _reason(
    "arp-locked-entry", _DROP, "-", "PERMANENT kept",
    "{ip} is a static entry; smolctl neigh replace {ip} changes it",
)  # fmt: skip
ARP_LOCKTIME = _reason(
    "arp-locktime", _DROP, "policy", "silent (locktime)",
    "{ip} answered with {mac} within {ms} ms of another answer; the first one counts",
)  # fmt: skip

# --- neighbors --------------------------------------------------------------------------------
NEIGH_PENDING = _reason(
    "neigh-pending", _WAIT, "RFC 1122 2.3.2.2", "silent",
    "waiting for ARP of {next_hop} on {dev}, {queued} queued",
)  # fmt: skip
NEIGH_FAILED = _reason(
    "neigh-failed", _REJECT, "RFC 1122 2.3.2.1", "NEIGH_FAILED",
    "{probes} ARP requests for {next_hop} on {dev}, no answer (host down, wrong subnet or VLAN?);"
    " smolctl arping -I {dev} {next_hop}",
)  # fmt: skip
NEIGH_QUEUE_FULL = _reason(
    "neigh-queue-full", _DROP, "RFC 1122 2.3.2.2", "NEIGH_QUEUEFULL",
    "{queued} packets already wait for {next_hop}; the oldest was dropped"
    " (neigh.unres_qlen, neigh.unres_qlen_bytes)",
)  # fmt: skip
NEIGH_QUEUE_PURGED = _reason(
    "neigh-queue-purged", _DROP, "-", "QUEUE_PURGE",
    "the neighbor entry of {next_hop} went away while the packet waited",
)  # fmt: skip
NEIGH_EVICTED = _reason(
    "neigh-evicted", _NOTE, "policy", "-",
    "the cache of {dev} is full ({capacity}), {ip} evicted for {new};"
    " smolctl sysctl iface.neighbor_cache_count=N",
)  # fmt: skip
NEIGH_TABLE_FULL = _reason(
    "neigh-table-full", _REJECT, "policy", "ENOBUFS",
    "all {capacity} entries of {dev} are permanent, none left for {next_hop};"
    " smolctl sysctl iface.neighbor_cache_count=N",
)  # fmt: skip

# --- IP, in -----------------------------------------------------------------------------------
IP_HEADER_SHORT = _reason(
    "ip-header-short", _DROP, "RFC 791 3.1", "IP_INHDR", "{n} B, an IPv4 header needs 20"
)
IP_BAD_VERSION = _reason(
    "ip-bad-version", _DROP, "RFC 1122 3.2.1.1", "IP_INHDR", "version {v}, not 4"
)
IP_BAD_IHL = _reason(
    "ip-bad-ihl", _DROP, "RFC 791 3.1", "IP_INHDR", "header length {n}*4 B is impossible"
)
IP_BAD_CHECKSUM = _reason(
    "ip-bad-checksum", _DROP, "RFC 1122 3.2.1.2", "IP_CSUM",
    "header checksum {got}, want {want}; if captured on the sending host, checksum offload",
)  # fmt: skip
IP_LENGTH_MISMATCH = _reason(
    "ip-length-mismatch", _DROP, "RFC 791 3.1", "PKT_TOO_SMALL",
    "header says {a} B, {b} B arrived; truncated by an MTU or a capture",
)  # fmt: skip
IP_SRC_INVALID = _reason(
    "ip-src-invalid", _DROP, "RFC 1122 3.2.1.3", "IP_INVALID_SOURCE",
    "source {ip} is multicast, broadcast or zero",
)  # fmt: skip
IP_SRC_IS_OURS = _reason(
    "ip-src-is-ours", _DROP, "RFC 1122 3.2.1.3", "IP_LOCAL_SOURCE",
    "source {ip} is ours yet came in on {dev}: address conflict or loop",
)  # fmt: skip
IP_LOOPBACK_ON_WIRE = _reason(
    "ip-loopback-on-wire", _DROP, "RFC 1122 3.2.1.3(g)", "IP_LOCALNET",
    "{ip} must not appear on {dev}; the sender is bound to loopback",
)  # fmt: skip
IP_DST_INVALID = _reason(
    "ip-dst-invalid", _DROP, "RFC 1122 3.2.1.3", "IP_INVALID_DEST",
    "destination {ip}; the sender has no address yet?",
)  # fmt: skip
IP_DST_NOT_OURS = _reason(
    "ip-dst-not-ours", _DROP, "RFC 1122 3.2.1.3", "IP_INADDRERRORS",
    "{ip} is no address of this stack; hosts do not forward",
)  # fmt: skip
IP_UNICAST_IN_BROADCAST = _reason(
    "ip-unicast-in-broadcast", _DROP, "RFC 1122 3.3.6", "UNICAST_IN_L2_MULTICAST",
    "unicast {ip} in a broadcast frame; the sender lacks our MAC",
)  # fmt: skip
IP_MULTICAST_NOT_JOINED = _reason(
    "ip-multicast-not-joined", _DROP, "RFC 1122 3.3.7", "silent",
    "no socket here joined {ip} on {dev}",
)  # fmt: skip
IP_SOURCE_ROUTE = _reason(
    "ip-source-route", _DROP, "RFC 1122 3.2.1.8", "silent", "source routing is refused"
)
IP_PROTO_UNKNOWN = _reason(
    "ip-proto-unknown", _REJECT, "RFC 1122 3.2.2.1", "IP_NOPROTO",
    "protocol {protocol} has no handler; ICMP protocol unreachable answers it",
)  # fmt: skip
FRAG_UNSUPPORTED = _reason(
    "frag-unsupported", _DROP, "RFC 791 3.2", "-",
    "fragments are not reassembled; keep datagrams within the MTU of the path",
)  # fmt: skip

# --- ICMP -------------------------------------------------------------------------------------
ICMP_TRUNCATED = _reason(
    "icmp-truncated", _DROP, "RFC 792", "PKT_TOO_SMALL", "ICMP message is {n} B, needs 8"
)
ICMP_BAD_CHECKSUM = _reason(
    "icmp-bad-checksum", _DROP, "RFC 1122 3.2.2", "ICMP_CSUM", "checksum {got}, want {want}"
)
ICMP_ECHO_BROADCAST = _reason(
    "icmp-echo-broadcast", _DROP, "RFC 1122 3.2.2.6", "INVALID_PROTO",
    "echo to {ip} ignored by policy (icmp.echo_ignore_broadcasts)",
)  # fmt: skip
ICMP_ECHO_IGNORED = _reason(
    "icmp-echo-ignored", _DROP, "policy", "silent", "icmp.echo_ignore_all is on"
)
ICMP_ECHO_UNMATCHED = _reason(
    "icmp-echo-unmatched", _DROP, "RFC 1122 3.2.2.6", "silent",
    "echo reply from {ip}, ident {ident}: nobody here waits for it",
)  # fmt: skip
ICMP_TYPE_UNKNOWN = _reason(
    "icmp-type-unknown", _DROP, "RFC 1122 3.2.2", "UNHANDLED_PROTO", "type {type} is ignored"
)
ICMP_ERROR_UNMATCHED = _reason(
    "icmp-error-unmatched", _DROP, "RFC 1122 3.2.2", "NO_SOCKET",
    "type {type} code {icmp_code} from {ip} quotes a packet that no socket here sent",
)  # fmt: skip
ICMP_REPLY_SUPPRESSED = _reason(
    "icmp-reply-suppressed", _NOTE, "RFC 1122 3.2.2", "silent",
    "no ICMP error sent: its trigger was a broadcast, a fragment, an ICMP error or no single host",
)  # fmt: skip
ICMP_RATE_LIMITED = _reason(
    "icmp-rate-limited", _NOTE, "RFC 1812 4.3.2.8", "RateLimitHost, RateLimitGlobal",
    "no ICMP error sent to {ip}: icmp.ratelimit_ms or icmp.msgs_per_sec",
)  # fmt: skip

ICMP_NET_UNREACHABLE = _reason(
    "icmp-net-unreachable", _NOTE, "RFC 792", "ENETUNREACH",
    "{offender} says that it has no route to {ip}",
)  # fmt: skip
ICMP_HOST_UNREACHABLE = _reason(
    "icmp-host-unreachable", _NOTE, "RFC 792", "EHOSTUNREACH",
    "{offender} says that {ip} does not answer it",
)  # fmt: skip
ICMP_PROTOCOL_UNREACHABLE = _reason(
    "icmp-protocol-unreachable", _NOTE, "RFC 792", "ENOPROTOOPT",
    "{offender} says that it does not speak this protocol",
)  # fmt: skip
ICMP_PORT_UNREACHABLE = _reason(
    "icmp-port-unreachable", _NOTE, "RFC 792", "ECONNREFUSED",
    "{offender} says that nothing is bound to {ip}:{port}",
)  # fmt: skip
ICMP_FRAGMENTATION_NEEDED = _reason(
    "icmp-fragmentation-needed", _NOTE, "RFC 1191", "EMSGSIZE",
    "{offender} says that the packet is too big for its next link",
)  # fmt: skip
ICMP_PROHIBITED = _reason(
    "icmp-prohibited", _NOTE, "RFC 1812 5.2.7.1", "EHOSTUNREACH",
    "{offender} says that a rule there forbids it",
)  # fmt: skip
ICMP_TIME_EXCEEDED = _reason(
    "icmp-time-exceeded", _NOTE, "RFC 792", "EHOSTUNREACH",
    "{offender} says that the time to live ran out; a routing loop, or raise --ttl",
)  # fmt: skip
ICMP_PARAMETER_PROBLEM = _reason(
    "icmp-parameter-problem", _NOTE, "RFC 792", "EPROTO",
    "{offender} says that the header is wrong",
)  # fmt: skip

# --- UDP --------------------------------------------------------------------------------------
UDP_HEADER_SHORT = _reason(
    "udp-header-short", _DROP, "RFC 768", "PKT_TOO_SMALL", "UDP header needs 8 B, got {n}"
)
UDP_BAD_LENGTH = _reason(
    "udp-bad-length", _DROP, "RFC 768", "PKT_TOO_SMALL", "UDP length {a}, IP payload {b}"
)
UDP_BAD_CHECKSUM = _reason(
    "udp-bad-checksum", _DROP, "RFC 1122 4.1.3.4", "UDP_CSUM",
    "checksum {got}, want {want}; zero would mean none",
)  # fmt: skip
UDP_PORT_CLOSED = _reason(
    "udp-port-closed", _REJECT, "RFC 1122 4.1.3.1", "NO_SOCKET",
    "nothing is bound to {ip}:{port}; smolctl socket show",
)  # fmt: skip
UDP_BOUND_ELSEWHERE = _reason(
    "udp-bound-elsewhere", _REJECT, "RFC 1122 4.1.3.5", "NO_SOCKET",
    "port {port} is bound, but to {bound}, not to {ip}; bind 0.0.0.0 or {ip}",
)  # fmt: skip
UDP_PEER_MISMATCH = _reason(
    "udp-peer-mismatch", _REJECT, "RFC 1122 4.1.4", "NO_SOCKET",
    "the socket is connected to {peer}, the datagram is from {source}",
)  # fmt: skip
UDP_RCVBUF_FULL = _reason(
    "udp-rcvbuf-full", _DROP, "-", "SOCKET_RCVBUFF",
    "{queued} B of {limit} queued at port {port}; the reader is slow (udp.rmem_default)",
)  # fmt: skip

# --- out --------------------------------------------------------------------------------------
TX_PAYLOAD_TOO_LONG = _reason(
    "tx-payload-too-long", _REJECT, "RFC 768", "EMSGSIZE",
    "{n} B of payload never fit into a datagram; at most 65507 do",
)  # fmt: skip
TX_SRC_NOT_OURS = _reason(
    "tx-src-not-ours", _REJECT, "RFC 1122 3.2.1.3", "EADDRNOTAVAIL",
    "{ip} is not on this stack; smolctl addr add {ip}/LEN dev DEV",
)  # fmt: skip
TX_NO_SOURCE = _reason(
    "tx-no-source", _REJECT, "RFC 1122 3.3.4.3", "EADDRNOTAVAIL",
    "{dev} has no address to send from; smolctl addr add ADDR/LEN dev {dev}",
)  # fmt: skip
TX_LOOPBACK_SOURCE = _reason(
    "tx-loopback-source", _REJECT, "RFC 1122 3.2.1.3(g)", "EINVAL",
    "source {ip} cannot leave by {dev}; send from an address of {dev}: smolctl addr show {dev}",
)  # fmt: skip
TX_DST_INVALID = _reason(
    "tx-dst-invalid", _REJECT, "RFC 1122 3.2.1.3", "EINVAL", "{ip} cannot be a destination"
)
TX_NO_ROUTE = _reason(
    "tx-no-route", _REJECT, "RFC 1122 3.3.1.1", "ENETUNREACH",
    "no route to {ip}{connected}; smolctl route add default via GATEWAY",
)  # fmt: skip
TX_ROUTE_BLACKHOLE = _reason(
    "tx-route-blackhole", _REJECT, "RFC 1122 3.3.1", "EINVAL",
    "{ip} matches the route blackhole {route}; smolctl route del blackhole {route}",
)  # fmt: skip
TX_ROUTE_UNREACHABLE = _reason(
    "tx-route-unreachable", _REJECT, "RFC 1122 3.3.1", "EHOSTUNREACH",
    "{ip} matches the route unreachable {route}; smolctl route del unreachable {route}",
)  # fmt: skip
TX_ROUTE_PROHIBIT = _reason(
    "tx-route-prohibit", _REJECT, "RFC 1122 3.3.1", "EACCES",
    "{ip} matches the route prohibit {route}; smolctl route del prohibit {route}",
)  # fmt: skip
TX_BROADCAST_DENIED = _reason(
    "tx-broadcast-denied", _REJECT, "RFC 1122 3.3.6", "EACCES",
    "{ip} is a broadcast address and this was not allowed; smolctl udp send --broadcast ...",
)  # fmt: skip
TX_NO_DEVICE = _reason(
    "tx-no-device", _REJECT, "-", "ENODEV",
    "{dev}, which the socket is bound to, is no interface any more; smolctl link show",
)  # fmt: skip
TX_NO_PORT = _reason(
    "tx-no-port", _REJECT, "RFC 6335 6", "EAGAIN",
    "no ephemeral port of {first} to {last} is free; smolctl sysctl ip.local_port_last=65535",
)  # fmt: skip
TX_IFACE_DOWN = _reason(
    "tx-iface-down", _REJECT, "-", "ENETUNREACH", "{dev} is down; smolctl link set {dev} up"
)
TX_NO_CARRIER = _reason(
    "tx-no-carrier", _DROP, "-", "silent",
    "nobody is at the other end of {dev}; bring the peer's side up",
)  # fmt: skip
TX_TOO_BIG = _reason(
    "tx-too-big", _REJECT, "RFC 1122 3.3.3", "EMSGSIZE",
    "the packet has {n} B, the MTU of {dev} is {mtu}: at most {max_payload} B of payload fit;"
    " smolctl link set {dev} mtu {n}",
)  # fmt: skip
TX_QUEUE_FULL = _reason(
    "tx-queue-full", _DROP, "-", "QDISC_OVERLIMIT", "{dev} takes no more frames; slow the sender"
)
TX_TTL_ZERO = _reason(
    "tx-ttl-zero", _REJECT, "RFC 1122 3.2.1.7", "EINVAL", "a packet with TTL 0 may not be sent"
)
STACK_STOPPED = _reason(
    "stack-stopped", _DROP, "-", "-", "the stack or link was stopped with {n} packets queued"
)
