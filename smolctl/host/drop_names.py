"""Linux's own names for the reasons for which packets are dropped, beside smolctl's.

Source: Linux include/net/dropreason-core.h, enum skb_drop_reason, up to Linux 6.18, as the
tracepoint skb:kfree_skb shows it, without ``SKB_DROP_REASON_``; and the errno that a program gets.
Which of smolctl's reasons has which counterpart, the reasons themselves say (``Reason.linux``).
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from smolctl.stack.reason import REASONS

_NAME = re.compile(r"[A-Z][A-Z0-9_]+")


LINUX: Mapping[str, str] = {
    reason.name: reason.linux for reason in REASONS.values() if _NAME.fullmatch(reason.linux)
}
"""Each reason that Linux has one name for: ``ip-reverse-path`` is ``IP_RPFILTER``."""


class LinuxReason(NamedTuple):
    """One of Linux's reasons.

    Attributes:
        meaning: what happened, in one sentence without full stop.
        names: smolctl's reasons for the same; several where Linux has one name for all of them,
            none where smolctl has no such thing.
        change: commands of the host that may let such a packet through, with placeholders as
            ``hints.fill`` has them.
        look: commands of the host that tell more.
    """

    meaning: str
    names: tuple[str, ...]
    change: tuple[str, ...]
    look: tuple[str, ...]


UNSPECIFIED = "NOT_SPECIFIED"
_LISTENERS = "ss -ln{socket} 'sport = :{dport}'"
_TABLES = "ip{six} route get {dst} from {src} iif {dev}"
_ROUTE = "ip{six} route get {dst}"
_FILTER = "nft list ruleset; iptables-save -c"
_DEVICE = "ip -s -s link show dev {dev}"
_QUEUES = "tc -s qdisc show dev {dev}"
_BYTES = "tcpdump -nevvXi {dev}"
_OFFLOAD = "ethtool -k {dev}"
_TCP = "ss -tino state all '( sport = :{dport} and dport = :{sport} )'"
_TUNNEL = "ip -d link show dev {dev}"
_NEIGHBORS = "ip{six} neigh show dev {dev}"
_BRIDGE = "bridge -d link show dev {dev}"
_Row = tuple[str, str, tuple[str, ...], tuple[str, ...]]
# Linux's name: meaning, smolctl's names beside those whose counterpart it is, change, look.
_ROWS: dict[str, _Row] = {
    UNSPECIFIED: ("the kernel gives no reason", "", (), ()),
    "NO_SOCKET": (
        "no socket takes the packet", "icmp-echo-unmatched", (),
        (_LISTENERS,),
    ),
    "SOCKET_CLOSE": ("its socket was closed while it waited", "", (), ()),
    "SOCKET_FILTER": (
        "the filter of the socket itself refused it (SO_ATTACH_FILTER, BPF)", "", (),
        ("ss -n{socket}bp 'sport = :{dport}'",),
    ),
    "SOCKET_RCVBUFF": (
        "the receive buffer of the socket is full: its program reads too slowly", "",
        ("sysctl -w net.core.rmem_max=8388608 net.core.rmem_default=8388608",),
        ("ss -n{socket}mp 'sport = :{dport}'",),
    ),
    "UNIX_DISCONNECT": ("a socket of this machine was disconnected or closed", "", (), ("ss -xp",)),
    "UNIX_SKIP_OOB": ("urgent data of a socket of this machine was left out", "", (), ("ss -xp",)),
    "PKT_TOO_SMALL": (
        "the packet is shorter than its header, or than that says",
        "udp-header-short icmp6-error-unknown icmp-error-unmatched", (),
        (_BYTES,),
    ),
    "TCP_CSUM": ("its TCP checksum is wrong", "", (), (_BYTES, _OFFLOAD)),
    "UDP_CSUM": ("its UDP checksum is wrong", "udp6-no-checksum", (), (_BYTES, _OFFLOAD)),
    "NETFILTER_DROP": ("a rule of the packet filter dropped it", "", (), (_FILTER,)),
    "OTHERHOST": (
        "the frame is for another MAC address", "", (),
        ("ip link show dev {dev}", "bridge fdb show dev {dev}"),
    ),
    "IP_CSUM": ("the checksum of its IPv4 header is wrong", "", (), (_BYTES, _OFFLOAD)),
    "IP_INHDR": (
        "its IP header makes no sense, or its time to live ended here", "ip-length-mismatch", (),
        (_BYTES,),
    ),
    "IP_RPFILTER": (
        "its answer would not go back by the device on which it came in", "",
        ("sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{dev}.rp_filter=2",),
        (
            "ip route get {src}",
            "sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.{dev}.rp_filter",
        ),
    ),
    "UNICAST_IN_L2_MULTICAST": (
        "a packet to one host came in a frame to all, and that is refused", "",
        ("sysctl -w net.{ip}.conf.{dev}.drop_unicast_in_l2_multicast=0",), (),
    ),
    "XFRM_POLICY": ("a policy of IPsec refuses it", "", (), ("ip xfrm policy", "ip -s xfrm state")),
    "IP_NOPROTO": ("nobody here speaks its protocol", "", (), ()),
    "PROTO_MEM": (
        "the memory for sockets of its protocol is used up", "", (),
        ("cat /proc/net/sockstat", "sysctl net.ipv4.udp_mem net.ipv4.tcp_mem"),
    ),
    "TCP_AUTH_HDR": ("its authentication options are broken", "", (), (_TCP,)),
    "TCP_MD5NOTFOUND": ("it has no MD5 signature, and its socket wants one", "", (), (_TCP,)),
    "TCP_MD5UNEXPECTED": ("it has an MD5 signature, and its socket has no key", "", (), (_TCP,)),
    "TCP_MD5FAILURE": ("its MD5 signature is wrong", "", (), (_TCP,)),
    "TCP_AONOTFOUND": ("it has no TCP-AO signature, and its socket wants one", "", (), (_TCP,)),
    "TCP_AOUNEXPECTED": ("it has a TCP-AO signature, and its socket has no key", "", (), (_TCP,)),
    "TCP_AOKEYNOTFOUND": ("its TCP-AO key is not known", "", (), (_TCP,)),
    "TCP_AOFAILURE": ("its TCP-AO signature is wrong", "", (), (_TCP,)),
    "SOCKET_BACKLOG": (
        "too much waits for a socket that its program holds", "", (),
        ("ss -n{socket}mp 'sport = :{dport}'",),
    ),
    "TCP_FLAGS": ("its TCP flags make no sense here", "", (), (_TCP,)),
    "TCP_ABORT_ON_DATA": ("data came for a program that has closed", "", (), (_TCP,)),
    "TCP_ZEROWINDOW": (
        "data came, and there is no room: the program does not read", "tcp-seq-outside-window", (),
        (_TCP,),
    ),
    "TCP_OLD_DATA": ("the data came before", "", (), (_TCP,)),
    "TCP_OVERWINDOW": ("data came behind the window", "tcp-seq-outside-window", (), (_TCP,)),
    "TCP_OFOMERGE": ("data beyond a gap came twice", "tcp-duplicate", (), (_TCP,)),
    "TCP_RFC7323_PAWS": ("its timestamp is older than the last one", "", (), (_TCP,)),
    "TCP_RFC7323_PAWS_ACK": ("an old acknowledgment came late", "tcp-paws", (), (_TCP,)),
    "TCP_RFC7323_TW_PAWS": ("its timestamp is too old for TIME-WAIT", "tcp-paws", (), (_TCP,)),
    "TCP_RFC7323_TSECR": (
        "it echoes a timestamp that was never sent", "tcp-ack-unacceptable", (), (_TCP,)
    ),
    "TCP_LISTEN_OVERFLOW": (
        "the program does not accept connections fast enough", "",
        ("sysctl -w net.core.somaxconn=4096",), (_LISTENERS,),
    ),
    "TCP_OLD_SEQUENCE": ("its sequence numbers are old", "tcp-duplicate", (), (_TCP,)),
    "TCP_INVALID_SEQUENCE": ("its sequence numbers are outside the window", "", (), (_TCP,)),
    "TCP_INVALID_END_SEQUENCE": (
        "it ends behind the window", "tcp-seq-outside-window", (), (_TCP,)
    ),
    "TCP_INVALID_ACK_SEQUENCE": (
        "it acknowledges what was never sent", "tcp-ack-unacceptable", (), (_TCP,)
    ),
    "TCP_RESET": ("a reset ended the connection", "tcp-reset", (), (_TCP,)),
    "TCP_INVALID_SYN": ("a SYN came in an open connection", "", (), (_TCP,)),
    "TCP_CLOSE": ("its connection is closed", "tcp-no-connection", (), (_TCP,)),
    "TCP_FASTOPEN": ("data of a fast open could not be taken", "", (), (_TCP,)),
    "TCP_OLD_ACK": ("it acknowledges what was acknowledged before", "", (), (_TCP,)),
    "TCP_TOO_OLD_ACK": (
        "its acknowledgment is older than any window", "tcp-ack-unacceptable", (), (_TCP,)
    ),
    "TCP_ACK_UNSENT_DATA": ("it acknowledges what was never sent", "", (), (_TCP,)),
    "TCP_OFO_QUEUE_PRUNE": ("there was no room for data beyond a gap", "", (), (_TCP,)),
    "TCP_OFO_DROP": ("there is no room for data beyond a gap", "tcp-ofo-pruned", (), (_TCP,)),
    "IP_OUTNOROUTES": ("no route leads to its destination", "tx-no-route", (), (_ROUTE,)),
    "BPF_CGROUP_EGRESS": ("a BPF program of a cgroup refused it", "", (), ("bpftool cgroup tree",)),
    "IPV6DISABLED": (
        "its device does without IPv6", "", ("sysctl -w net.ipv6.conf.{dev}.disable_ipv6=0",), ()
    ),
    "NEIGH_CREATEFAIL": (
        "there is no room for a neighbor", "neigh-table-full",
        ("sysctl -w net.{ip}.neigh.default.gc_thresh3=4096",), ("ip{six} -s neigh",),
    ),
    "NEIGH_FAILED": (
        "the next hop does not answer when it is asked for its MAC address", "", (),
        (_ROUTE, _NEIGHBORS),
    ),
    "NEIGH_QUEUEFULL": (
        "too many packets wait for the MAC address of one next hop", "",
        ("sysctl -w net.{ip}.neigh.{dev}.unres_qlen_bytes=1048576",),
        ("ip{six} -s neigh show dev {dev}",),
    ),
    "NEIGH_DEAD": (
        "its neighbor entry was removed", "neigh-queue-purged", (), (_NEIGHBORS,)
    ),
    "NEIGH_HH_FILLFAIL": ("no Ethernet header could be made for it", "", (), (_DEVICE,)),
    "TC_EGRESS": (
        "a filter of traffic control dropped it on its way out", "", (),
        ("tc -s filter show dev {dev} egress",),
    ),
    "SECURITY_HOOK": ("a security module (SELinux, AppArmor, BPF) refused it", "", (), ("dmesg",)),
    "QDISC_DROP": (
        "the queue of its device dropped it; one without carrier drops all", "tx-no-carrier"
        " tx-queue-full", (), ("ip link show dev {dev}", _QUEUES),
    ),
    "QDISC_OVERLIMIT": ("the queue of its device is full", "", (), (_QUEUES,)),
    "QDISC_CONGESTED": (
        "the queue of its device dropped it to avoid congestion", "tx-queue-full", (), (_QUEUES,)
    ),
    "CAKE_FLOOD": ("the queue of its device takes it for a flood", "", (), (_QUEUES,)),
    "FQ_BAND_LIMIT": ("a band of its device's queue is full", "tx-queue-full", (), (_QUEUES,)),
    "FQ_HORIZON_LIMIT": ("its time to leave is too far ahead", "", (), (_QUEUES,)),
    "FQ_FLOW_LIMIT": ("the queue of its flow is full", "tx-queue-full", (), (_QUEUES,)),
    "CPU_BACKLOG": (
        "packets came faster than this CPU takes them", "",
        ("sysctl -w net.core.netdev_max_backlog=10000",), ("cat /proc/net/softnet_stat",),
    ),
    "XDP": ("an XDP program dropped it", "", (), (_TUNNEL,)),
    "TC_INGRESS": (
        "a filter of traffic control dropped it as it came in", "", (),
        ("tc -s filter show dev {dev} ingress",),
    ),
    "UNHANDLED_PROTO": ("nobody here knows what it carries", "", (), (_BYTES,)),
    "SKB_CSUM": ("its checksum could not be computed", "", (), (_DEVICE,)),
    "SKB_GSO_SEG": ("it could not be cut into segments", "", (), (_DEVICE,)),
    "SKB_UCOPY_FAULT": ("a program's memory could not be read", "", (), ()),
    "DEV_HDR": ("its driver refuses its header", "", (), (_DEVICE,)),
    "DEV_READY": (
        "its device is down, or not ready", "tx-iface-down", ("ip link set {dev} up",), (_DEVICE,)
    ),
    "FULL_RING": ("the ring of its device is full", "tx-queue-full", (), (_DEVICE,)),
    "NOMEM": ("there was no memory for it", "", (), ("free -m",)),
    "HDR_TRUNC": ("the frame ends within its header", "", (), (_BYTES,)),
    "TAP_FILTER": ("the filter of the tap refuses it", "", (), (_TUNNEL,)),
    "TAP_TXFILTER": ("the address filter of the tap refuses it", "", (), (_TUNNEL,)),
    "ICMP_CSUM": (
        "its ICMP checksum is wrong", "icmp-truncated icmp6-truncated", (), (_BYTES, _OFFLOAD)
    ),
    "INVALID_PROTO": (
        "such a message is not answered here: a ping to a broadcast address, for one", "", (),
        ("sysctl net.ipv4.icmp_echo_ignore_broadcasts",),
    ),
    "IP_INADDRERRORS": (
        "it is to an address that is none of this host, which does not forward it",
        "ip6-src-unspecified",
        ("sysctl -w net.{ip}.conf.all.forwarding=1",),
        (_TABLES, "ip{six} addr show", "sysctl net.{ip}.conf.{dev}.forwarding"),
    ),
    "IP_INNOROUTES": (
        "it would be forwarded, and no route leads to its destination",
        "fwd-route-unreachable fwd-route-prohibit ip6-dst-not-ours", (), (_TABLES,),
    ),
    "IP_LOCAL_SOURCE": (
        "it came from outside with an address of this host as its source", "",
        ("sysctl -w net.ipv4.conf.{dev}.accept_local=1",), ("ip addr show to {src}",),
    ),
    "IP_INVALID_SOURCE": ("its source is no address of a host", "", (), (_BYTES,)),
    "IP_LOCALNET": (
        "it has an address of 127.0.0.0/8, and came from outside", "",
        ("sysctl -w net.ipv4.conf.{dev}.route_localnet=1",), (),
    ),
    "IP_INVALID_DEST": ("its destination is no address", "", (), (_BYTES,)),
    "PKT_TOO_BIG": (
        "it is bigger than the MTU of its way, and must stay whole", "tx-too-big", (),
        (_ROUTE, "ip link show dev {dev}"),
    ),
    "DUP_FRAG": ("the fragment came before", "frag-duplicate frag-overlap", (), (_BYTES,)),
    "FRAG_REASM_TIMEOUT": ("the other fragments did not come in time", "", (), (_BYTES,)),
    "FRAG_TOO_FAR": ("too many other fragments came in between", "frag-no-slot", (), (_BYTES,)),
    "TCP_MINTTL": ("its time to live is below what its socket wants", "", (), (_TCP,)),
    "IPV6_BAD_EXTHDR": (
        "its extension headers make no sense",
        "ip6-exthdr-truncated ip6-option-overrun ip6-routing-type", (), (_BYTES,),
    ),
    "IPV6_NDISC_FRAG": ("neighbor discovery came in a fragment", "", (), (_BYTES,)),
    "IPV6_NDISC_HOP_LIMIT": ("neighbor discovery came from another link", "", (), (_BYTES,)),
    "IPV6_NDISC_BAD_CODE": ("neighbor discovery has a code that is not 0", "", (), (_BYTES,)),
    "IPV6_NDISC_BAD_OPTIONS": (
        "the options of neighbor discovery make no sense", "nd-too-short", (), (_BYTES,)
    ),
    "IPV6_NDISC_NS_OTHERHOST": (
        "it asks for an address that is none of this host", "", (), ("ip -6 addr show dev {dev}",)
    ),
    "QUEUE_PURGE": (
        "it waited, and its queue was thrown away", "arp-proxy-purged neigh-queue-purged", (), ()
    ),
    "TC_COOKIE_ERROR": ("traffic control failed inside", "", (), (_QUEUES,)),
    "PACKET_SOCK_ERROR": ("a capturing socket could not take it", "", (), ("ss -0p",)),
    "TC_CHAIN_NOTFOUND": ("a chain of traffic control is missing", "", (), (_QUEUES,)),
    "TC_RECLASSIFY_LOOP": ("the filters of traffic control loop", "", (), (_QUEUES,)),
    "VXLAN_INVALID_HDR": ("its VXLAN header makes no sense", "", (), (_TUNNEL,)),
    "VXLAN_VNI_NOT_FOUND": ("no VXLAN here has its number", "", (), (_TUNNEL,)),
    "MAC_INVALID_SOURCE": ("its source MAC is none of a station", "", (), (_BYTES,)),
    "VXLAN_ENTRY_EXISTS": ("its sender is known at another place", "", (), ("bridge fdb show",)),
    "NO_TX_TARGET": ("its device knows nobody to send it to", "", (), (_BRIDGE,)),
    "IP_TUNNEL_ECN": ("its ECN marks inside and outside of a tunnel differ", "", (), (_TUNNEL,)),
    "TUNNEL_TXINFO": ("its tunnel is not told where to send it", "", (), (_TUNNEL,)),
    "LOCAL_MAC": ("its source MAC is our own", "", (), ("ip link show",)),
    "ARP_PVLAN_DISABLE": ("ARP came back to its own link", "arp-proxy-idle", (), ()),
    "MAC_IEEE_MAC_CONTROL": ("a bridge does not pass on such a frame", "", (), (_BRIDGE,)),
    "BRIDGE_INGRESS_STP_STATE": ("the port of the bridge is blocked", "", (), (_BRIDGE,)),
    "CAN_RX_INVALID_FRAME": ("a CAN frame makes no sense", "", (), (_DEVICE,)),
    "CANFD_RX_INVALID_FRAME": ("a CAN FD frame makes no sense", "", (), (_DEVICE,)),
    "CANXL_RX_INVALID_FRAME": ("a CAN XL frame makes no sense", "", (), (_DEVICE,)),
    "PFMEMALLOC": ("memory is so short that only what frees some is taken", "", (), ("free -m",)),
    "DUALPI2_STEP_DROP": ("the queue of its device is too long", "tx-queue-full", (), (_QUEUES,)),
    "PSP_INPUT": ("PSP refuses it as it comes in", "", (), ()),
    "PSP_OUTPUT": ("PSP refuses it on its way out", "", (), ()),
    "RECURSION_LIMIT": ("it went through too many devices: they loop", "", (), ("ip -d link",)),
}  # fmt: skip


def _names(linux: str, more: str) -> tuple[str, ...]:
    """Return smolctl's reasons for one of Linux's, in the order of a packet's life."""
    extra = more.split()
    return tuple(
        name
        for name, reason in REASONS.items()
        if linux in reason.linux.split(", ") or name in extra
    )


BY_LINUX: Mapping[str, LinuxReason] = {
    linux: LinuxReason(meaning, _names(linux, more), change, look)
    for linux, (meaning, more, change, look) in _ROWS.items()
}
"""Linux's reasons by their names: ``IP_RPFILTER`` is ``ip-reverse-path``."""
