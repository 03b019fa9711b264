"""Reasons of forwarding: what keeps a packet for another host from being sent on."""

from smolctl.stack.reason.model import Kind, Reason

FWD_GROUP_FRAME = Reason(
    "fwd-group-frame", Kind.DROP, "RFC 1812 5.3.4", "pkt_type != PACKET_HOST",
    "a packet for another host, in a frame to all",
    """The packet is for one host that is not on this stack, and the frame that carried it went to
    all stations or to a group. Were it forwarded, every router of the link would do the same, and
    each of them would add a copy. RFC 1812 5.3.4 forbids it. The sender lacks our MAC, or does not
    know that it has a gateway. It hears nothing.""",
    why_template=("{ip} is another host's, and the frame went to all on {dev}",),
    advice_template="on the sender: does it know our MAC? ip neigh show",
    stage="forward",
)  # fmt: skip
FWD_SPECIAL_ADDRESS = Reason(
    "fwd-special-address", Kind.DROP, "RFC 3927 7", "-",
    "a packet with an address that must stay on its link",
    """169.254.0.0/16 are addresses that hosts give themselves, and they mean something on their own
    link alone (RFC 3927 7); 240.0.0.0/4 were never given to anybody (RFC 1812 5.3.7). Linux
    forwards both all the same, and so does this stack unless ip.forward_special=0, as here. The
    sender hears nothing.""",
    why_template=("{ip} is not forwarded",),
    fix_templates=("smolctl sysctl ip.forward_special=1",),
    stage="forward",
)  # fmt: skip
FWD_NO_ROUTE = Reason(
    "fwd-no-route", Kind.REJECT, "RFC 1812 5.2.7.1", "IP_INNOROUTES",
    "a packet to be forwarded, and no route leads on",
    """The sender takes this stack for a router on the way to the destination, and rightly:
    ip.forward is on. But no route here leads there: neither is it in a connected network, nor is
    there a gateway for it. The sender is told by ICMP "net unreachable" (type 3, code 0), which its
    programs see as "Network is unreachable".""",
    why_template=(
        "no route leads on to {ip}",
        ": it is in the network of {down}, which is down",
        "; {gone}",
    ),
    fix_templates=("smolctl link set {down} up", "smolctl route add default via {gateway}"),
    advice_template="add a route to it: smolctl route show",
    stage="route",
)  # fmt: skip
FWD_DIRECTED_BROADCAST = Reason(
    "fwd-directed-broadcast", Kind.DROP, "RFC 2644 2", "NOT_SPECIFIED",
    "a broadcast to another of our networks, not sent on",
    """The destination is the broadcast address of a network on another link of this router. Whoever
    sends wake-on-LAN from afar does that. A router must not send such packets on unless it was told
    to, because they were used to have whole networks answer one victim (smurf). So it is a
    broadcast to this stack alone, and no socket here listens for it.""",
    why_template=(
        "{ip} is the broadcast address of {out}'s network, and with ip.bc_forwarding=0 it is not"
        " sent on there; no socket here listens at port {port}",
    ),
    fix_templates=("smolctl sysctl ip.bc_forwarding=1",),
    stage="forward",
)  # fmt: skip
FWD_ROUTE_BLACKHOLE = Reason(
    "fwd-route-blackhole", Kind.DROP, "RFC 1812 5.2.1.2", "EINVAL",
    "a packet to be forwarded met a route of type blackhole",
    """Somebody added a route that discards all packets to this prefix. The longest prefix wins, so
    that it beats a default route. A packet from another host is dropped without a word, as in
    Linux: use a route of type unreachable or prohibit to have its sender told.""",
    why_template=("{ip} matches the route blackhole {route}",),
    fix_templates=("smolctl route del blackhole {route}",),
    stage="route",
)  # fmt: skip
FWD_ROUTE_UNREACHABLE = Reason(
    "fwd-route-unreachable", Kind.REJECT, "RFC 1812 5.2.7.1", "EHOSTUNREACH",
    "a packet to be forwarded met a route of type unreachable",
    """Somebody added a route that refuses all packets to this prefix. The longest prefix wins, so
    that it beats a default route. The sender is told by ICMP "host unreachable" (type 3, code 1),
    as by Linux.""",
    why_template=("{ip} matches the route unreachable {route}",),
    fix_templates=("smolctl route del unreachable {route}",),
    stage="route",
)  # fmt: skip
FWD_ROUTE_PROHIBIT = Reason(
    "fwd-route-prohibit", Kind.REJECT, "RFC 1812 5.2.7.1", "EACCES",
    "a packet to be forwarded met a route of type prohibit",
    """Somebody added a route that forbids all packets to this prefix. The longest prefix wins, so
    that it beats a default route. The sender is told by ICMP "communication administratively
    prohibited" (type 3, code 13), as by Linux.""",
    why_template=("{ip} matches the route prohibit {route}",),
    fix_templates=("smolctl route del prohibit {route}",),
    stage="route",
)  # fmt: skip
FWD_TTL_EXCEEDED = Reason(
    "fwd-ttl-exceeded", Kind.REJECT, "RFC 1812 5.3.1", "IP_INHDR",
    "a packet whose time to live ended here",
    """Each router takes one from a packet's TTL and drops the packet that has none left, so that
    none goes round in a circle for ever. This one came with 1 or 0. Its sender made it small on
    purpose, as traceroute does, or routers send it in a circle. It is told by ICMP "time exceeded"
    (type 11, code 0).""",
    why_template=("ttl {ttl} of a packet to {ip} ends here",),
    advice_template="traceroute wants it so; otherwise look for a circle: smolctl route get {ip}",
    stage="forward",
)  # fmt: skip
FWD_TOO_BIG = Reason(
    "fwd-too-big", Kind.REJECT, "RFC 1191 4", "PKT_TOO_BIG",
    "a packet that the next link is too small for, and must not be cut",
    """The packet is bigger than the MTU of the link or route that leads on, and its sender forbids
    to fragment it (DF). So it is dropped, and the sender is told by ICMP "fragmentation needed"
    (type 3, code 4) how big the next one may be: this is how path MTU discovery works (RFC 1191),
    and one such packet now and then is no trouble. Where it repeats, a filter drops these
    errors.""",
    why_template=(
        "the packet has {size} B, the MTU of {of} is {mtu}, and it may not be fragmented",
    ),
    fix_templates=("smolctl link set {out} mtu {link_mtu}", "smolctl route change {route}"),
    advice_template="the sender should learn {mtu} B by itself; on it: ip route get {ip}",
    stage="size",
)  # fmt: skip
