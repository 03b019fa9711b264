"""Reasons of the way out: what keeps a packet from being sent."""

from smolctl.stack.reason.model import Kind, Reason

TX_PAYLOAD_TOO_LONG = Reason(
    "tx-payload-too-long", Kind.REJECT, "RFC 768", "EMSGSIZE",
    "more payload than a UDP datagram can hold",
    """An IPv4 packet has at most 65535 bytes. Its header takes 20 of them and UDP's takes 8. So
    more than 65507 bytes of payload never fit into one datagram, on any link. An IPv6 packet has as
    many bytes behind its header, so there 65527 fit. Linux gives EMSGSIZE.""",
    why_template=("{size} B of payload never fit into a datagram; at most {most} do",),
    advice_template="send it in parts",
    stage="socket",
)  # fmt: skip
TX_SRC_NOT_OURS = Reason(
    "tx-src-not-ours", Kind.REJECT, "RFC 1122 3.2.1.3", "ENETUNREACH",
    "the source address asked for is not on this stack",
    """A host may send only from its own addresses (RFC 1122 3.2.1.3), or answers would go to
    another host. The address that the sender asked for is on no interface here: it was never added,
    was removed since, or is mistyped. Linux gives ENETUNREACH, and EADDRNOTAVAIL to a socket that
    is to be bound to it. With ip.nonlocal_bind=1 that is allowed, and with ip6.nonlocal_bind=1
    sending is, too.""",
    why_template=("{ip} is not on this stack",),
    advice_template="send from an address that is: smolctl addr show",
    stage="source",
)  # fmt: skip
TX_SRC_INVALID = Reason(
    "tx-src-invalid", Kind.REJECT, "RFC 1122 3.2.1.3", "EINVAL",
    "a source address that no host can have",
    """A packet comes from one host, and groups, 255.255.255.255 and 0.0.0.0/8 are no host's
    addresses (RFC 1122 3.2.1.3). The sender asked for such a source, or connects to 255.255.255.255
    where a route of type local makes that address the host's own. Linux gives EINVAL.""",
    why_template=("{ip} {cause}",),
    causes={
        "multicast": "is a multicast address",
        "everybody": "is the address of everybody",
        "zeronet": "belongs to 0.0.0.0/8",
    },
    advice_template="send from an address of this host: smolctl addr show",
    stage="source",
)  # fmt: skip
TX_SRC_TENTATIVE = Reason(
    "tx-src-tentative", Kind.REJECT, "RFC 5227 2.1", "EADDRNOTAVAIL",
    "the source address may not be used yet, or no longer",
    """An address is tentative while it is tested for a conflict: each IPv6 address, which takes
    about a second (RFC 4862 5.4), and an IPv4 one with arp.dad or "addr add ... dad", which takes 4
    to 7 s (RFC 5227). It stays tentative if another host turns out to have it (dadfailed), or if it
    was given up (arp.defend). Nothing is sent from it, because answers would go to the host that
    has it. Linux does the same with IPv6 addresses.""",
    why_template=("{ip} of {dev} {state}",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
    advice_template="send from another address, or see what this one is: smolctl addr show {dev}",
    stage="source",
)  # fmt: skip
TX_NO_SOURCE = Reason(
    "tx-no-source", Kind.REJECT, "RFC 1122 3.3.4.3", "EADDRNOTAVAIL",
    "the interface has no address to send from",
    """The packet's way is known, but a packet needs a source address, and neither this interface
    nor another one has an address that could be used. Give the interface an address in the peer's
    network. In this case Linux sends from 0.0.0.0, which nobody can answer; in IPv6 it gives
    EADDRNOTAVAIL.""",
    why_template=("{dev} has no address to send from", " to {ip}"),
    advice_template="give {dev} an address of the peer's network: smolctl addr show dev {dev}",
    stage="source",
)  # fmt: skip
TX_LOOPBACK_SOURCE = Reason(
    "tx-loopback-source", Kind.REJECT, "RFC 1122 3.2.1.3(g)", "EINVAL",
    "a packet from a loopback address that would leave the host",
    """The sender is bound to a loopback address, of 127/8 or ::1, and the destination is another
    host. Nobody outside can answer such an address, and it is forbidden on any wire (RFC 1122
    3.2.1.3 (g), RFC 4291 2.5.3). Bind to 0.0.0.0 or ::, or to an address of the interface that the
    packet leaves by. Linux gives EINVAL, unless route_localnet is set for the link, as
    ip.route_localnet here.""",
    why_template=("source {ip} cannot leave by {dev}",),
    advice_template="send from an address of {dev}: smolctl addr show dev {dev}",
    stage="source",
)  # fmt: skip
TX_WRONG_IFACE = Reason(
    "tx-wrong-iface", Kind.REJECT, "RFC 1122 3.3.4.2", "-",
    "the source address belongs to another interface",
    """The sender insists on a source address of one interface, and the way to the destination leads
    by another one. In the weak model of RFC 1122 3.3.4.2, which Linux follows, the packet is sent.
    In the strong model (ip.strong_host) an address leaves only by its own interface, because the
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
    """0.0.0.0 and :: are no destinations, port 0 is no port, and 127/8 and ::1 are never reached by
    a wire (RFC 1122 3.2.1.3, RFC 4291 2.5). Most likely the sender did not fill in a value. Linux
    takes 0.0.0.0 and :: for the host itself, which hides such mistakes.""",
    why_template=("{ip} cannot be a destination: {cause}",),
    causes={
        "zero": "it is no address; one was never filled in",
        "port": "no socket can have it",
        "loopback": "it is a loopback address, and {dev} leads out of this host",
    },
    advice_template="name another destination; to reach this stack itself use 127.0.0.1 or ::1",
    stage="route",
)  # fmt: skip
TX_NO_ROUTE = Reason(
    "tx-no-route", Kind.REJECT, "RFC 1122 3.3.1.1", "ENETUNREACH",
    "no route leads to the destination",
    """The destination is in no network that this stack is connected to, and no other route names a
    gateway for it. So there is no next hop whose MAC could be asked for, and nothing is sent. In
    most cases a default route via the router of the link is missing. Linux gives ENETUNREACH,
    "Network is unreachable".""",
    why_template=(
        "no route to {ip}",
        " (connected: {connected})",
        ": it is in the network of {down}, which is down",
        "; the route {ignored} does not count: its link has no carrier, and {sysctl} is 1",
        "; {gone}",
        "; IPv6 is disabled on {disabled}",
    ),
    fix_templates=(
        "smolctl link set {down} up",
        "smolctl route add default via {gateway!z}",
        "smolctl sysctl {knob}=0",
    ),
    advice_template="connect a link, or add a route: smolctl route show",
    stage="route",
)  # fmt: skip
TX_ROUTE_BLACKHOLE = Reason(
    "tx-route-blackhole", Kind.REJECT, "RFC 1122 3.3.1", "EINVAL",
    "a route of type blackhole matched",
    """A route of type blackhole discards all packets to this prefix. The longest prefix wins, so it
    beats a default route. Other hosts hear nothing; the sender here gets EINVAL, as in Linux.""",
    why_template=("{ip} matches the route blackhole {route}",),
    fix_templates=("smolctl route del blackhole {route}",),
    advice_template="is this route meant? smolctl route show match {ip}",
    stage="route",
)  # fmt: skip
TX_ROUTE_UNREACHABLE = Reason(
    "tx-route-unreachable", Kind.REJECT, "RFC 1122 3.3.1", "EHOSTUNREACH",
    "a route of type unreachable matched",
    """A route of type unreachable refuses all packets to this prefix. The longest prefix wins, so
    it beats a default route. The sender gets EHOSTUNREACH, "No route to host", as in Linux.""",
    why_template=("{ip} matches the route unreachable {route}",),
    fix_templates=("smolctl route del unreachable {route}",),
    advice_template="is this route meant? smolctl route show match {ip}",
    stage="route",
)  # fmt: skip
TX_ROUTE_PROHIBIT = Reason(
    "tx-route-prohibit", Kind.REJECT, "RFC 1122 3.3.1", "EACCES",
    "a route of type prohibit matched",
    """A route of type prohibit forbids all packets to this prefix. The longest prefix wins, so it
    beats a default route. The sender gets EACCES, "Permission denied", as in Linux.""",
    why_template=("{ip} matches the route prohibit {route}",),
    fix_templates=("smolctl route del prohibit {route}",),
    advice_template="is this route meant? smolctl route show match {ip}",
    stage="route",
)  # fmt: skip
TX_RULE_BLACKHOLE = Reason(
    "tx-rule-blackhole", Kind.REJECT, "RFC 1122 3.3.1", "EINVAL",
    "a rule of type blackhole matched",
    """Rules come before routes, the lowest priority first, and a rule of type blackhole matched
    this packet. Such a rule discards every packet that it matches. With another rule before it, or
    a narrower one in its place, the packet would find its route. The sender here gets EINVAL, as in
    Linux.""",
    why_template=("{ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    advice_template="is this rule meant? smolctl rule show",
    stage="rule",
)  # fmt: skip
TX_RULE_UNREACHABLE = Reason(
    "tx-rule-unreachable", Kind.REJECT, "RFC 1122 3.3.1", "ENETUNREACH",
    "a rule of type unreachable matched",
    """Rules come before routes, the lowest priority first, and a rule of type unreachable matched
    this packet. Such a rule says that the packets that it matches have no way. With another rule
    before it, or a narrower one in its place, the packet would find its route. The sender gets
    ENETUNREACH, "Network is unreachable", as in Linux; a route of that type gives EHOSTUNREACH.""",
    why_template=("{ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    advice_template="is this rule meant? smolctl rule show",
    stage="rule",
)  # fmt: skip
TX_RULE_PROHIBIT = Reason(
    "tx-rule-prohibit", Kind.REJECT, "RFC 1122 3.3.1", "EACCES",
    "a rule of type prohibit matched",
    """Rules come before routes, the lowest priority first, and a rule of type prohibit matched this
    packet. Such a rule forbids the packets that it matches. With another rule before it, or a
    narrower one in its place, the packet would find its route. The sender gets EACCES, "Permission
    denied", as in Linux.""",
    why_template=("{ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    advice_template="is this rule meant? smolctl rule show",
    stage="rule",
)  # fmt: skip
TX_BROADCAST_DENIED = Reason(
    "tx-broadcast-denied", Kind.REJECT, "RFC 1122 3.3.6", "EACCES",
    "a broadcast that its sender did not ask for",
    """The destination is a broadcast address, so every host on the link would have to look at the
    packet. To keep a program from doing this by mistake, a socket must ask for it (SO_BROADCAST;
    here udp send --broadcast and ping -b). Linux gives EACCES.""",
    why_template=("{ip} is a broadcast address, and the sender did not allow that",),
    fix_templates=(
        "smolctl udp send --broadcast {ip}:{port} --size {size}",
        "smolctl ping -b {broadcast}",
    ),
    advice_template="allow it: smolctl udp send --broadcast, or smolctl ping -b",
    stage="socket",
)  # fmt: skip
TX_NO_DEVICE = Reason(
    "tx-no-device", Kind.REJECT, "-", "ENODEV",
    "the interface that the socket is bound to is gone",
    """The socket was bound to an interface that was deleted since. It does not fall back to another
    interface: a program that binds to one wants to keep its packets off the others. Open a new
    socket. Linux gives ENODEV.""",
    why_template=("the socket is bound to {dev}, which no longer exists",),
    advice_template="use another one: smolctl link show",
    stage="socket",
)  # fmt: skip
TX_NO_PORT = Reason(
    "tx-no-port", Kind.REJECT, "RFC 6335 6", "EAGAIN",
    "all ephemeral ports are taken",
    """A socket that sends without being bound gets a port of the ephemeral range, and other sockets
    have all of them. Close some, bind to a port outside the range, or make the range wider. Linux
    gives EAGAIN.""",
    why_template=("no ephemeral port of {first} to {last} is free",),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="who has them: smolctl socket show",
    stage="socket",
)  # fmt: skip
TX_IFACE_DOWN = Reason(
    "tx-iface-down", Kind.REJECT, "-", "ENETUNREACH",
    "the interface is down",
    """The packet would leave by an interface that was set down. Such an interface keeps its
    addresses, but its connected routes are gone, so this happens to packets that are bound to the
    interface or to one of its addresses. Linux gives ENETUNREACH.""",
    why_template=("{dev} is down",),
    fix_templates=("smolctl link set {dev} up",),
    advice_template="is {dev} to be up? smolctl link set {dev} up",
    stage="device",
)  # fmt: skip
TX_LINK_DOWN = Reason(
    "tx-link-down", Kind.DROP, "-", "silent",
    "a packet was lost at an interface that is down",
    """The packet had a way, and its interface is down: it went down meanwhile, it is lo, or the
    packet is for a group and from an address of the interface. Linux drops it silently.""",
    why_template=("{dev} is down",),
    fix_templates=("smolctl link set {dev} up",),
    advice_template="is {dev} to be up? smolctl link set {dev} up",
    stage="device",
)  # fmt: skip
TX_NO_CARRIER = Reason(
    "tx-no-carrier", Kind.DROP, "-", "silent",
    "nobody is at the other end of the link",
    """The interface is up, but its device has no carrier: the cable is unplugged, or the other end
    is down. Not even a question for a MAC would be heard, so the packet is dropped at once. Linux
    drops it silently; only "linkdown" in ip route show hints at it.""",
    why_template=("{dev} has no carrier: nobody is at the other end",),
    advice_template="bring the other end back: {command}",
    stage="device",
)  # fmt: skip
TX_TOO_BIG = Reason(
    "tx-too-big", Kind.REJECT, "RFC 1122 3.3.3", "EMSGSIZE",
    "a packet that must stay whole, and is bigger than its way allows",
    """A packet that is too big for its way leaves in fragments, unless its sender forbids that
    (here --df or -M do; IPv4 packets say so by DF). Then it must fit the smallest of three MTUs:
    that of the link that it leaves by, that of its route, and the one that a router on the way
    reported (RFC 1191, RFC 8201), which route get shows. Linux gives EMSGSIZE.""",
    why_template=(
        "the packet has {size} B and {whole}, the MTU of {of} is {mtu}: at most {max_payload} B of"
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
    and now the queue is full, so this frame is dropped. The sender is faster than the link, or the
    program at the other end does not read.""",
    why_template=("{dev} takes no more frames",),
    advice_template="slow the sender, or look whether the other end of {dev} reads",
    stage="device",
)  # fmt: skip
TX_TTL_ZERO = Reason(
    "tx-ttl-zero", Kind.REJECT, "RFC 1122 3.2.1.7", "EINVAL",
    "a packet with a time to live of 0",
    """The TTL is the number of hops that a packet may go, and with 0 it may not even leave. RFC
    1122 3.2.1.7: a host MUST NOT send one. A TTL of 1 keeps a packet on the link, and 64 reaches
    every host of the Internet. For a group, 0 means the members on this host only (RFC 1112 6.1),
    and there are none.""",
    why_template=("a packet with TTL 0 may not be sent",),
    advice_template="ask for a TTL of 1 to 255",
)  # fmt: skip
STACK_STOPPED = Reason(
    "stack-stopped", Kind.DROP, "-", "-",
    "the link was deleted with packets still queued",
    """The frame was waiting for the device of its link, or the link's delay or rate held it back,
    when the link was deleted. It never left. Nobody is told.""",
    why_template=("{dev} was deleted with {frames:frame} queued",),
)  # fmt: skip
TX_NO_SCOPE = Reason(
    "tx-no-scope", Kind.REJECT, "RFC 4007 6", "EINVAL",
    "an address of one link, and no link was named",
    """Every link has addresses of fe80::/10, and the same address may be on several links; so may
    groups of ff02::/16. To send to one, the interface must be named beside it, as a zone (%tap0) or
    by dev. Linux gives EINVAL to connect() and ping; datagrams that are not connected it sends by
    the first route of all that match, as a stack does with ip6.any_link.""",
    why_template=("{ip} is on one link: which one?",),
    advice_template="name the interface: {ip}%DEV, or dev DEV; smolctl link show",
    stage="route",
)  # fmt: skip
TX_BEYOND_SCOPE = Reason(
    "tx-beyond-scope", Kind.REJECT, "RFC 4007 6", "EHOSTUNREACH",
    "the source address is valid on another link only",
    """The sender insists on a link-local source address of one interface, or on ::1, and the packet
    would leave by another one. There the address means another node, or none, so nobody could
    answer (RFC 4007 6). Linux gives EADDRNOTAVAIL to a socket that is to be bound to such an
    address on another link.""",
    why_template=("source {ip} is not on {dev}",),
    advice_template="send from an address of {dev}: smolctl addr show dev {dev}",
    stage="source",
)  # fmt: skip
TX_WRONG_FAMILY = Reason(
    "tx-wrong-family", Kind.REJECT, "RFC 3493 3.7", "ENETUNREACH, EAFNOSUPPORT",
    "a destination of a family that the socket does not speak",
    """A socket of IPv4 sends to IPv4 addresses alone. One of IPv6 sends to both, unless it is bound
    to an IPv6 address or told to speak IPv6 only (IPV6_V6ONLY). Linux gives ENETUNREACH for an IPv4
    destination, and EAFNOSUPPORT for an IPv6 one.""",
    why_template=("{cause}",),
    causes={
        "family": "{ip} is an IPv4 address, and the socket speaks only IPv6",
        "mapped": "{ip} is an IPv6 address, and the socket speaks only IPv4",
        "source": "{source} is of another family than {ip}",
    },
    advice_template="open a socket of the other family",
    stage="socket",
)  # fmt: skip
