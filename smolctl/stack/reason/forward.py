"""Reasons of forwarding: what keeps a packet for another host from being sent on."""

from smolctl.stack.reason.model import Kind, Reason

FWD_GROUP_FRAME = Reason(
    "fwd-group-frame", Kind.DROP, "RFC 1812 5.3.4", "pkt_type != PACKET_HOST",
    "a packet for another host, in a frame to all",
    """The packet is for another host, but its frame went to all stations or to a group. If it were
    forwarded, every router on the link would do the same, and each would add a copy; RFC 1812 5.3.4
    forbids that. The sender does not know our MAC, or does not know that it has a gateway. It hears
    nothing.""",
    why_template=("{ip} is another host's, and the frame went to {cause} on {dev}",),
    causes={"broadcast": "all stations", "multicast": "a group of stations"},
    advice_template="on the sender: does it know our MAC? ip neigh show",
    stage="forward",
)  # fmt: skip
FWD_SPECIAL_ADDRESS = Reason(
    "fwd-special-address", Kind.DROP, "RFC 3927 7", "-",
    "a packet with an address that must stay on its link",
    """Hosts give themselves addresses of 169.254.0.0/16, and these mean something only on their own
    link (RFC 3927 7). Addresses of 240.0.0.0/4 were never assigned (RFC 1812 5.3.7). Linux forwards
    both all the same, and so does this stack by default; here ip.forward_special is 0. The sender
    hears nothing.""",
    why_template=("{ip} must stay on its link, and ip.forward_special is 0",),
    fix_templates=("smolctl sysctl ip.forward_special=1",),
    stage="forward",
)  # fmt: skip
FWD_NO_ROUTE = Reason(
    "fwd-no-route", Kind.REJECT, "RFC 1812 5.2.7.1", "IP_INNOROUTES",
    "a packet to be forwarded, and no route leads to its destination",
    """The sender takes this stack for a router on the way to the destination, and ip.forward is 1.
    But no route leads there: the destination is in no connected network, and there is no gateway
    for it. The sender is told by ICMP "net unreachable" (type 3, code 0), in IPv6 "no route to
    destination" (type 1, code 0), and its program sees "Network is unreachable".""",
    why_template=(
        "no route leads on to {ip}",
        ": it is in the network of {down}, which is down",
        "; the route {ignored} does not count: its link has no carrier, and {sysctl} is 1",
        "; {gone}",
    ),
    fix_templates=("smolctl link set {down} up", "smolctl route add default via {gateway!z}"),
    advice_template="add a route to it: smolctl route show",
    stage="route",
)  # fmt: skip
FWD_DIRECTED_BROADCAST = Reason(
    "fwd-directed-broadcast", Kind.DROP, "RFC 2644 2", "NOT_SPECIFIED",
    "a broadcast to another of our networks, not forwarded",
    """The destination is the broadcast address of a network on another link of this router, as with
    wake-on-LAN from far away. By default a router must not forward such packets, because they were
    used to make whole networks answer one victim (smurf). So the packet is a broadcast to this
    stack only, and no socket here listens for it.""",
    why_template=(
        "{ip} is the broadcast address of {out}'s network; with ip.bc_forwarding=0 it is not"
        " forwarded there, and no socket here listens at port {port}",
    ),
    fix_templates=("smolctl sysctl ip.bc_forwarding=1",),
    stage="forward",
)  # fmt: skip
FWD_ROUTE_BLACKHOLE = Reason(
    "fwd-route-blackhole", Kind.DROP, "RFC 1812 5.2.1.2", "EINVAL",
    "a packet to be forwarded met a route of type blackhole",
    """A route of type blackhole discards all packets to this prefix. The longest prefix wins, so it
    beats a default route. A packet from another host is dropped silently, as in Linux. With a route
    of type unreachable or prohibit, the sender would be told.""",
    why_template=("{ip} matches the route blackhole {route}",),
    fix_templates=("smolctl route del blackhole {route}",),
    advice_template="is this route meant? smolctl route show match {ip}",
    stage="route",
)  # fmt: skip
FWD_ROUTE_UNREACHABLE = Reason(
    "fwd-route-unreachable", Kind.REJECT, "RFC 1812 5.2.7.1", "EHOSTUNREACH",
    "a packet to be forwarded met a route of type unreachable",
    """A route of type unreachable refuses all packets to this prefix. The longest prefix wins, so
    it beats a default route. The sender is told by ICMP "host unreachable" (type 3, code 1), in
    IPv6 "no route to destination" (type 1, code 0), as by Linux.""",
    why_template=("{ip} matches the route unreachable {route}",),
    fix_templates=("smolctl route del unreachable {route}",),
    advice_template="is this route meant? smolctl route show match {ip}",
    stage="route",
)  # fmt: skip
FWD_ROUTE_PROHIBIT = Reason(
    "fwd-route-prohibit", Kind.REJECT, "RFC 1812 5.2.7.1", "EACCES",
    "a packet to be forwarded met a route of type prohibit",
    """A route of type prohibit forbids all packets to this prefix. The longest prefix wins, so it
    beats a default route. The sender is told by ICMP "communication administratively prohibited"
    (type 3, code 13; in IPv6 type 1, code 1), as by Linux.""",
    why_template=("{ip} matches the route prohibit {route}",),
    fix_templates=("smolctl route del prohibit {route}",),
    advice_template="is this route meant? smolctl route show match {ip}",
    stage="route",
)  # fmt: skip
FWD_TTL_EXCEEDED = Reason(
    "fwd-ttl-exceeded", Kind.REJECT, "RFC 1812 5.3.1", "IP_INHDR",
    "a packet whose time to live ended here",
    """Each router takes one from a packet's TTL, or its hop limit in IPv6, and drops a packet that
    has none left, so that no packet goes in a circle for ever. This one came with 1 or 0. Either
    its sender made it small on purpose, as traceroute does, or routers send it in a circle. The
    sender is told by ICMP "time exceeded" (type 11, code 0; in IPv6 type 3, code 0).""",
    why_template=("{hops} {ttl} of a packet to {ip} ends here",),
    advice_template="traceroute wants it so; otherwise look for a circle: smolctl route get {ip!z}",
    stage="forward",
)  # fmt: skip
FWD_TOO_BIG = Reason(
    "fwd-too-big", Kind.REJECT, "RFC 1191 4", "PKT_TOO_BIG",
    "a packet that must stay whole, and is too big for the next link",
    """The packet is bigger than the MTU of the link or route that leads on, and its sender forbids
    fragments (DF); an IPv6 packet is never cut on its way (RFC 8200 5). So it is dropped, and ICMP
    "fragmentation needed" (type 3, code 4), in IPv6 "packet too big" (type 2), tells the sender how
    big the next packet may be. This is how path MTU discovery works (RFC 1191, RFC 8201), and one
    such packet now and then is no trouble. If it happens again and again, a filter drops these
    errors.""",
    why_template=(
        "the packet has {size} B, the MTU of {of} is {mtu}, and it may not be fragmented",
    ),
    fix_templates=("smolctl link set {out} mtu {link_mtu}", "smolctl route change {route}"),
    advice_template="the sender should learn {mtu} B by itself; on it: ip route get {ip}",
    stage="size",
)  # fmt: skip
FWD_LINK_LOCAL = Reason(
    "fwd-link-local", Kind.REJECT, "RFC 4291 2.5.6", "IP_INADDRERRORS",
    "an IPv6 packet that must stay on its link",
    """A router must not forward a packet with a link-local source or destination to another link
    (RFC 4291 2.5.6): there the address means another node. The sender is told by ICMPv6
    "destination unreachable" with code 2, beyond scope of source address.""",
    why_template=("{ip} is of its link alone, and the packet would leave by {out}",),
    advice_template="on the sender: send from a global address: ip -6 addr show",
    stage="forward",
)  # fmt: skip
