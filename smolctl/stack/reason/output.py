"""Reasons of the way out: what keeps a packet from being sent."""

from smolctl.stack.reason.model import Kind, Reason

TX_PAYLOAD_TOO_LONG = Reason(
    "tx-payload-too-long", Kind.REJECT, "RFC 768", "EMSGSIZE",
    "more payload than a UDP datagram can hold",
    """An IPv4 packet has at most 65535 bytes, of which its header takes 20 and UDP's 8. More than
    65507 bytes of payload can therefore never be one datagram, on any link. Linux gives
    EMSGSIZE.""",
    why_template=("{size} B of payload never fit into a datagram; at most 65507 do",),
    advice_template="send it in parts",
    stage="socket",
)  # fmt: skip
TX_SRC_NOT_OURS = Reason(
    "tx-src-not-ours", Kind.REJECT, "RFC 1122 3.2.1.3", "EADDRNOTAVAIL",
    "the source address asked for is not on this stack",
    """A host may send only from addresses of its own (RFC 1122 3.2.1.3), or answers would go to
    somebody else. The address that the sender asked for is on no interface here: it was never
    added, was removed meanwhile, or is a typing error. Linux gives EADDRNOTAVAIL.""",
    why_template=("{ip} is not on this stack",),
    advice_template="send from an address that is: smolctl addr show",
    stage="source",
)  # fmt: skip
TX_SRC_TENTATIVE = Reason(
    "tx-src-tentative", Kind.REJECT, "RFC 5227 2.1", "EADDRNOTAVAIL",
    "the source address may not be used yet, or any more",
    """An address is tentative while it is being tested for a conflict (arp.dad, or "addr add ...
    dad"), and stays so when another host turns out to have it (dadfailed), or when it was given up
    (arp.defend). Nothing is sent from it: answers would go to whoever has it. Linux does the same
    with IPv6 addresses. A test takes 4 to 7 s.""",
    why_template=("{ip} of {dev} {state}",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
    advice_template="send from another address, or see what this one is: smolctl addr show {dev}",
    stage="source",
)  # fmt: skip
TX_NO_SOURCE = Reason(
    "tx-no-source", Kind.REJECT, "RFC 1122 3.3.4.3", "EADDRNOTAVAIL",
    "the interface has no address to send from",
    """The packet's way is known, but a packet needs a source address, and neither the interface nor
    any other one has an address that could be used there. Give the interface an address in the
    peer's network. Linux sends from 0.0.0.0 in this case, which nobody can answer.""",
    why_template=("{dev} has no address to send from", " to {ip}"),
    advice_template="give {dev} an address of the peer's network: smolctl addr show dev {dev}",
    stage="source",
)  # fmt: skip
TX_LOOPBACK_SOURCE = Reason(
    "tx-loopback-source", Kind.REJECT, "RFC 1122 3.2.1.3(g)", "EINVAL",
    "a packet from 127/8 that would leave the host",
    """The sender is bound to a loopback address, and the destination is another host. Nobody
    outside can answer 127.0.0.1, and RFC 1122 3.2.1.3 (g) forbids it on any wire. Bind to 0.0.0.0,
    or to an address of the interface by which the packet leaves. Linux gives EINVAL.""",
    why_template=("source {ip} cannot leave by {dev}",),
    advice_template="send from an address of {dev}: smolctl addr show dev {dev}",
    stage="source",
)  # fmt: skip
TX_WRONG_IFACE = Reason(
    "tx-wrong-iface", Kind.REJECT, "RFC 1122 3.3.4.2", "-",
    "the source address belongs to another interface than the way",
    """The sender insists on a source address of one interface, and the way to the destination leads
    by another. In the weak model of RFC 1122 3.3.4.2, which Linux follows, that is sent; in the
    strong one, which ip.strong_host asks for, an address leaves by its own interface alone, or the
    answer would come in where the address is not.""",
    why_template=(
        "source {ip} may not leave by {dev}", ": it belongs to {home}",
        ", and no route to {dst} leads by that one",
    ),
    fix_templates=("smolctl sysctl ip.strong_host=0",),
    advice_template="send from an address of {dev}: smolctl addr show dev {dev}",
    stage="source",
)  # fmt: skip
TX_DST_INVALID = Reason(
    "tx-dst-invalid", Kind.REJECT, "RFC 1122 3.2.1.3", "EINVAL",
    "an address or port that nothing can be sent to",
    """0.0.0.0 is not a destination, port 0 is not a port, and 127/8 is never reached by a wire
    (RFC 1122 3.2.1.3). The sender most likely did not fill in a value. Linux takes 0.0.0.0 for the
    host itself, which hides such mistakes.""",
    why_template=("{ip} cannot be a destination",),
    advice_template="name another destination; to reach this stack itself use 127.0.0.1",
    stage="route",
)  # fmt: skip
TX_NO_ROUTE = Reason(
    "tx-no-route", Kind.REJECT, "RFC 1122 3.3.1.1", "ENETUNREACH",
    "no route leads to the destination",
    """The destination is in no network that this stack is connected to, and no other route says by
    which gateway to reach it. So there is nobody to ask for by ARP, and nothing is sent. A default
    route via the router of the link is what is missing in most cases. Linux gives ENETUNREACH,
    "Network is unreachable".""",
    why_template=(
        "no route to {ip}",
        " (connected: {connected})",
        ": it is in the network of {down}, which is down",
        "; {gone}",
    ),
    fix_templates=(
        "smolctl link set {down} up",
        "smolctl route add default via {gateway}",
    ),
    advice_template="connect a link, or add a route: smolctl route show",
    stage="route",
)  # fmt: skip
TX_ROUTE_BLACKHOLE = Reason(
    "tx-route-blackhole", Kind.REJECT, "RFC 1122 3.3.1", "EINVAL",
    "a route of type blackhole matched",
    """Somebody added a route that discards all packets to this prefix. The longest prefix wins, so
    that it beats a default route. Others hear nothing; the sender here gets EINVAL, as in
    Linux.""",
    why_template=("{ip} matches the route blackhole {route}",),
    fix_templates=("smolctl route del blackhole {route}",),
    stage="route",
)  # fmt: skip
TX_ROUTE_UNREACHABLE = Reason(
    "tx-route-unreachable", Kind.REJECT, "RFC 1122 3.3.1", "EHOSTUNREACH",
    "a route of type unreachable matched",
    """Somebody added a route that refuses all packets to this prefix. The longest prefix wins, so
    that it beats a default route. The sender gets EHOSTUNREACH, "No route to host", as in
    Linux.""",
    why_template=("{ip} matches the route unreachable {route}",),
    fix_templates=("smolctl route del unreachable {route}",),
    stage="route",
)  # fmt: skip
TX_ROUTE_PROHIBIT = Reason(
    "tx-route-prohibit", Kind.REJECT, "RFC 1122 3.3.1", "EACCES",
    "a route of type prohibit matched",
    """Somebody added a route that forbids all packets to this prefix. The longest prefix wins, so
    that it beats a default route. The sender gets EACCES, "Permission denied", as in Linux.""",
    why_template=("{ip} matches the route prohibit {route}",),
    fix_templates=("smolctl route del prohibit {route}",),
    stage="route",
)  # fmt: skip
TX_RULE_BLACKHOLE = Reason(
    "tx-rule-blackhole", Kind.REJECT, "RFC 1122 3.3.1", "EINVAL",
    "a rule of type blackhole matched",
    """Rules are asked before any route, the lowest priority first, and one of type blackhole says
    that what it matches is discarded. Another rule in front of it, or a narrower one in its place,
    would let the packet find its route. The sender here gets EINVAL, as in Linux.""",
    why_template=("{ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    stage="rule",
)  # fmt: skip
TX_RULE_UNREACHABLE = Reason(
    "tx-rule-unreachable", Kind.REJECT, "RFC 1122 3.3.1", "ENETUNREACH",
    "a rule of type unreachable matched",
    """Rules are asked before any route, the lowest priority first, and one of type unreachable says
    that what it matches has no way. Another rule in front of it, or a narrower one in its place,
    would let the packet find its route. The sender gets ENETUNREACH, "Network is unreachable", as
    in Linux; a route of that type gives EHOSTUNREACH.""",
    why_template=("{ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    stage="rule",
)  # fmt: skip
TX_RULE_PROHIBIT = Reason(
    "tx-rule-prohibit", Kind.REJECT, "RFC 1122 3.3.1", "EACCES",
    "a rule of type prohibit matched",
    """Rules are asked before any route, the lowest priority first, and one of type prohibit says
    that what it matches is forbidden. Another rule in front of it, or a narrower one in its place,
    would let the packet find its route. The sender gets EACCES, "Permission denied", as in
    Linux.""",
    why_template=("{ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    stage="rule",
)  # fmt: skip
TX_BROADCAST_DENIED = Reason(
    "tx-broadcast-denied", Kind.REJECT, "RFC 1122 3.3.6", "EACCES",
    "a broadcast that was not asked for as one",
    """The destination is a broadcast address: all hosts of the link would have to look at the
    packet. So that nobody does this by mistake, a socket must say that it wants to (SO_BROADCAST;
    here --broadcast). Linux gives EACCES.""",
    why_template=("{ip} is a broadcast address, and the sender did not allow that",),
    fix_templates=("smolctl udp send --broadcast {ip}:{port} --size {size}",),
    advice_template="allow it: smolctl udp send --broadcast ...",
    stage="socket",
)  # fmt: skip
TX_NO_DEVICE = Reason(
    "tx-no-device", Kind.REJECT, "-", "ENODEV",
    "the interface that the socket is bound to is gone",
    """The socket was bound to an interface that was deleted since. It does not fall back to
    another one: who binds to an interface does so to keep the packets off the others. Open a new
    socket. Linux gives ENODEV.""",
    why_template=("{dev}, which the socket is bound to, is no interface any more",),
    advice_template="use another one: smolctl link show",
    stage="socket",
)  # fmt: skip
TX_NO_PORT = Reason(
    "tx-no-port", Kind.REJECT, "RFC 6335 6", "EAGAIN",
    "all ephemeral ports are taken",
    """A socket that sends without having been bound gets a port of the ephemeral range. All of them
    are taken by other sockets. Close some, bind to a port outside the range, or make the range
    wider. Linux gives EAGAIN.""",
    why_template=("no ephemeral port of {first} to {last} is free",),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="who has them: smolctl socket show",
    stage="socket",
)  # fmt: skip
TX_IFACE_DOWN = Reason(
    "tx-iface-down", Kind.REJECT, "-", "ENETUNREACH",
    "the interface is down",
    """The packet would leave by an interface that was set down. One that is down keeps its
    addresses, but its connected routes are gone, so that this happens to packets bound to the
    interface or to one of its addresses. Linux gives ENETUNREACH.""",
    why_template=("{dev} is down",),
    fix_templates=("smolctl link set {dev} up",),
    stage="device",
)  # fmt: skip
TX_NO_CARRIER = Reason(
    "tx-no-carrier", Kind.DROP, "-", "silent",
    "nobody is at the other end of the link",
    """The interface is up, but its device reports no carrier: the cable is out, or the other end is
    down. Nobody would hear even the ARP request, so the packet is dropped at once. Linux drops it
    without a word; only "linkdown" in ip route show hints at it.""",
    why_template=("{dev} has no carrier: nobody is at the other end",),
    advice_template="bring the other end up: of a TAP, ip link set {dev} up; of a cable,"
    " link add ... type cable with its name, in another stack",
    stage="device",
)  # fmt: skip
TX_TOO_BIG = Reason(
    "tx-too-big", Kind.REJECT, "RFC 1122 3.3.3", "EMSGSIZE",
    "the packet is bigger than its way allows, and not to be fragmented",
    """A packet that is too big for its way leaves in fragments, unless its sender forbids that
    (DF; here --df or -M do). Then it must fit the MTU of the link that it leaves by, the smaller
    one that its route asks for, or the one that a router on the way reported (RFC 1191), which
    route get shows. Linux gives EMSGSIZE.""",
    why_template=(
        "the packet has {size} B and DF, the MTU of {of} is {mtu}: at most {max_payload} B of"
        " payload fit",
    ),
    fix_templates=("smolctl link set {dev} mtu {link_mtu}", "smolctl route change {route}"),
    advice_template="send at most {max_payload} B, or let it be fragmented: -M want",
    stage="size",
)  # fmt: skip
TX_QUEUE_FULL = Reason(
    "tx-queue-full", Kind.DROP, "-", "QDISC_OVERLIMIT",
    "the device took no more frames",
    """Frames wait in a queue until the device takes them. It took none, or fewer than were sent,
    and the queue is full, so that this frame is dropped. The sender is faster than the link, or the
    program at the other end does not read.""",
    why_template=("{dev} takes no more frames",),
    advice_template="slow the sender, or look whether the other end of {dev} reads",
    stage="device",
)  # fmt: skip
TX_TTL_ZERO = Reason(
    "tx-ttl-zero", Kind.REJECT, "RFC 1122 3.2.1.7", "EINVAL",
    "a packet with a time to live of 0",
    """The TTL says how many hops a packet may go; with 0 it may not even leave. RFC 1122 3.2.1.7: a
    host MUST NOT send one. 1 keeps a packet on the link, 64 reaches every host of the
    Internet. Sent to a group, 0 means the members on this host alone (RFC 1112 6.1), and there is
    none.""",
    why_template=("a packet with TTL 0 may not be sent",),
    advice_template="ask for a TTL of 1 to 255",
)  # fmt: skip
STACK_STOPPED = Reason(
    "stack-stopped", Kind.DROP, "-", "-",
    "the stack or the link ended with packets still queued",
    """The frame was in the interface's queue when the link was deleted, or the daemon stopped. It
    never left. Nobody is told, since the sender's program is gone as well or knows by itself.""",
    why_template=("the stack or {dev} was stopped with {frames} packets queued",),
)  # fmt: skip
