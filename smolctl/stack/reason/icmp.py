"""Reasons of ICMP: what comes in, what was not answered, and what errors tell our sockets."""

from smolctl.stack.reason.model import Kind, Reason

ICMP_TRUNCATED = Reason(
    "icmp-truncated", Kind.DROP, "RFC 792", "PKT_TOO_SMALL",
    "an ICMP message that ends too early",
    """An ICMP header has 8 bytes: type, code, checksum and four bytes whose meaning depends on the
    type. The message is shorter than that, or shorter than a message of its type must be: a
    timestamp request without a time, for example. It is dropped silently, because an ICMP error
    must not answer it.""",
    why_template=("ICMP message of {size} B: {cause}",),
    causes={
        "header": "an ICMP header has 8 B",
        "timestamp": "a timestamp request has 12 B or more",
    },
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_BAD_CHECKSUM = Reason(
    "icmp-bad-checksum", Kind.DROP, "RFC 1122 3.2.2", "ICMP_CSUM",
    "an ICMP checksum that is wrong",
    """The checksum covers the whole ICMP message. It is wrong, so something changed on the way, or
    the sender computed it wrongly. The message is dropped silently; a ping with such requests gets
    no answer.""",
    why_template=("checksum {got:#06x}, want {want:#06x}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_ECHO_BROADCAST = Reason(
    "icmp-echo-broadcast", Kind.DROP, "RFC 1122 3.2.2.6", "INVALID_PROTO",
    "a ping to a broadcast address, left unanswered",
    """Every host on the link would answer an echo request to a broadcast address. With a forged
    source, that floods a victim ("smurf"). RFC 1122 3.2.2.6 lets a host stay silent, and Linux does
    by default (icmp_echo_ignore_broadcasts).""",
    why_template=(
        "echo request to the broadcast address {ip}, and icmp.echo_ignore_broadcasts is on",
    ),
    fix_templates=("smolctl sysctl icmp.echo_ignore_broadcasts=0",),
)  # fmt: skip
ICMP_ECHO_IGNORED = Reason(
    "icmp-echo-ignored", Kind.DROP, "policy", "silent",
    "a ping, and this stack was told to answer none",
    """Somebody set icmp.echo_ignore_all=1, so no echo request is answered. RFC 1122 3.2.2.6 has
    every host answer; this is a choice. The other side sees 100% packet loss, although ARP and UDP
    work.""",
    why_template=("icmp.echo_ignore_all is on",),
    fix_templates=("smolctl sysctl icmp.echo_ignore_all=0",),
)  # fmt: skip
ICMP_ECHO_UNMATCHED = Reason(
    "icmp-echo-unmatched", Kind.DROP, "RFC 1122 3.2.2.6", "silent",
    "an echo reply that nobody waits for",
    """Each ping has an identifier, and its replies carry it. No ping of this stack has this
    identifier: the ping ended before the reply came (a slow path), or the reply was forged or sent
    to the wrong host. It is dropped silently.""",
    why_template=("echo reply from {ip}, ident {ident}: nobody here waits for it",),
    advice_template="when replies are only late, wait longer: smolctl ping -W 10 {ip!z}",
)  # fmt: skip
ICMP_TYPE_UNKNOWN = Reason(
    "icmp-type-unknown", Kind.DROP, "RFC 1122 3.2.2", "UNHANDLED_PROTO",
    "an ICMP type that this stack ignores",
    """A host need not support every ICMP type: not router discovery, not timestamp replies that
    nobody asked for, and none of the many types that were retired. An unknown type must be dropped
    silently (RFC 1122 3.2.2).""",
    why_template=("type {type} ({name}) is ignored",),
    advice_template="usually harmless; what it is: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_TIMESTAMP_IGNORED = Reason(
    "icmp-timestamp-ignored", Kind.DROP, "RFC 1122 3.2.2.8", "answered",
    "a request for the time, left unanswered",
    """An ICMP timestamp request asks for the milliseconds since midnight. RFC 1122 3.2.2.8 lets a
    host stay silent. An answer shows strangers how a clock runs, which helps them to guess numbers
    that depend on the time, and NTP sets clocks better. Linux answers.""",
    why_template=("timestamp request from {ip}, and icmp.answer_timestamp is off",),
    fix_templates=("smolctl sysctl icmp.answer_timestamp=1",),
)  # fmt: skip
ICMP_TIMESTAMP_BROADCAST = Reason(
    "icmp-timestamp-broadcast", Kind.DROP, "RFC 1122 3.2.2.8", "silent",
    "a broadcast request for the time, left unanswered",
    """Every host on the link would answer a timestamp request to a broadcast address, as with echo
    requests. RFC 1122 3.2.2.8 lets a host stay silent. One sysctl is for both, as in Linux.""",
    why_template=(
        "timestamp request to the broadcast address {ip}, and icmp.echo_ignore_broadcasts is on",
    ),
    fix_templates=("smolctl sysctl icmp.echo_ignore_broadcasts=0",),
)  # fmt: skip
ICMP_SOURCE_QUENCH = Reason(
    "icmp-source-quench", Kind.DROP, "RFC 6633", "silent",
    "a request to send more slowly, which is ignored",
    """Routers once used ICMP source quench to ask a sender to slow down. It never worked well, and
    anybody can forge it. RFC 6633 retired it: hosts do not send it, and drop it silently. Linux
    ignores it as well.""",
    why_template=("source quench from {ip} is ignored",),
    advice_template="on {ip}: it should send no source quench (RFC 6633 6)",
)  # fmt: skip
ICMP_MASK_IGNORED = Reason(
    "icmp-mask-ignored", Kind.DROP, "RFC 1122 3.2.2.9", "silent",
    "a request for a network mask, or an unsolicited reply",
    """Hosts once used address mask messages to find out the length of their network prefix. A host
    must not answer unless it is configured to be the authority for the mask (RFC 1122 3.2.2.9), and
    RFC 6918 retired the messages. They are dropped silently, as Linux does.""",
    why_template=("{cause} (type {type}) from {ip} is ignored",),
    causes={"request": "address mask request", "reply": "address mask reply"},
    advice_template="masks are configured, and shown by: smolctl addr show",
)  # fmt: skip
ICMP_REDIRECT_IGNORED = Reason(
    "icmp-redirect-ignored", Kind.DROP, "RFC 1122 3.2.2.2", "silent",
    "a redirect, and this stack was told to believe none",
    """A gateway says that another gateway is nearer to a destination. RFC 1122 3.2.2.2 has a host
    learn that. But anybody on the link can forge a redirect, so many systems ignore them
    (ip.accept_redirects=0). Packets still go to the gateway of the route, which sends them back by
    the same link.""",
    why_template=(
        "{offender} names {gateway} as first hop to {ip}, and ip.accept_redirects is off",
    ),
    fix_templates=("smolctl sysctl ip.accept_redirects=1",),
)  # fmt: skip
ICMP_REDIRECT_STRANGER = Reason(
    "icmp-redirect-stranger", Kind.DROP, "RFC 1122 3.2.2.2", "silent",
    "a redirect that is not from the gateway in use",
    """Only the gateway in use for a destination may name a better one. This redirect is not from
    that gateway, or it came by another interface, or the destination is reached without a gateway.
    Either it is forged, or the route has changed since. It is dropped silently.""",
    why_template=("{offender} is not the gateway to {ip}: {cause}",),
    causes={
        "gateway": "that is {next_hop}",
        "link": "packets to it leave by {out}, not by {dev}",
        "direct": "it is reached without a gateway",
        "none": "there is no way to it",
    },
    advice_template="which gateway is in use: smolctl route get {ip!z}",
)  # fmt: skip
ICMP_REDIRECT_NO_HOST = Reason(
    "icmp-redirect-no-host", Kind.DROP, "RFC 1122 3.2.2.2", "silent",
    "a redirect to an address that can be no gateway",
    """A redirect names the gateway to use. This one names an address that cannot be another
    gateway: one of our own, a broadcast or multicast address, or the sender of the redirect itself.
    It is dropped silently.""",
    why_template=("{offender} names {gateway} as first hop to {ip}: {cause}",),
    causes={
        "same": "that is the gateway itself",
        "own": "that is an address of ours",
        "broadcast": "that is a broadcast address",
        "no-host": "that is no address of a host",
    },
    advice_template="on {offender}: look for a wrong route to {ip}",
)  # fmt: skip
ICMP_REDIRECT_OFF_LINK = Reason(
    "icmp-redirect-off-link", Kind.DROP, "RFC 1122 3.2.2.2", "silent",
    "a redirect to a gateway that is on another network",
    """The gateway that a redirect names must be on the network that the redirect came by (RFC 1122
    3.2.2.2). Packets to any other gateway would again need a gateway. If several networks share one
    link, it can be right nevertheless, and ip.shared_media=1 believes it, as Linux does by
    default.""",
    why_template=(
        "{gateway} is in no network of {dev}, and {offender} names it as first hop to {ip}",
    ),
    fix_templates=("smolctl sysctl ip.shared_media=1",),
    advice_template="on {offender}: look for a wrong route to {ip}",
)  # fmt: skip
ICMP_REDIRECT_INSECURE = Reason(
    "icmp-redirect-insecure", Kind.DROP, "policy", "silent",
    "a redirect to a gateway that no default route has",
    """With ip.secure_redirects=1, a redirect is believed only if it names the gateway of a default
    route, which a user has configured. So nobody on the link can make itself a gateway. Packets
    still go to the gateway of the route.""",
    why_template=(
        "{offender} names {gateway} as first hop to {ip}, which is the gateway of no default route",
    ),
    fix_templates=("smolctl sysctl ip.secure_redirects=0",),
)  # fmt: skip
ICMP_REDIRECTED = Reason(
    "icmp-redirected", Kind.NOTE, "RFC 1122 3.2.2.2", "silent",
    "a gateway said that another one is nearer",
    """Our gateway for a destination said that another gateway on the same link is nearer to it (RFC
    792). The other gateway is used from now on, for this destination only and for
    ip.redirect_timeout_ms. The packet that caused the redirect was delivered all the same. Many
    redirects mean that a route is missing here.""",
    why_template=("{offender} says that {gateway} is nearer to {cause}",),
    causes={
        "net": "the network of {ip}",
        "host": "{ip}",
        "net-tos": "the network of {ip}, for this type of service",
        "host-tos": "{ip}, for this type of service",
    },
    advice_template="what was learned: smolctl route get {ip!z}; a route of your own avoids the"
    " detour",
)  # fmt: skip
ICMP_ERROR_UNMATCHED = Reason(
    "icmp-error-unmatched", Kind.DROP, "RFC 1122 3.2.2", "NO_SOCKET",
    "an ICMP error about a packet that no socket here sent",
    """An ICMP error quotes the packet that it is about, and the addresses and ports of the quote
    tell which socket sent it. No socket of this stack fits. Either the socket is closed by now, or
    NAT on the way changed the quoted addresses, or the error is forged. It is dropped silently, and
    no socket is told.""",
    why_template=("type {type} code {icmp_code} from {offender} {cause}",),
    causes={
        "quote": "quotes no IPv4 packet",
        "quote6": "quotes no IPv6 packet",
        "code": "has a code that no RFC defines, about a packet to {ip}",
        "source": "quotes a packet to {ip} from {quoted}, which is no address of ours",
        "protocol": "quotes a packet to {ip} of protocol {protocol}, which nothing here sends",
        "socket": "quotes a datagram to {ip} from port {sport}, where no such socket is",
        "ping": "quotes an echo request to {ip}, and no ping to it runs here",
        "message": "quotes an ICMP message to {ip} that is no echo request",
    },
    cause_advice={
        "quote": "the bytes and their sender: smolctl capture {dev} -v",
        "quote6": "the bytes and their sender: smolctl capture {dev} -v",
        "source": "NAT on the way changed the address and does not change it back in ICMP errors,"
        " or the error is meant for {quoted}",
        "code": "the bytes and their sender: smolctl capture {dev} -v",
        "protocol": "the bytes and their sender: smolctl capture {dev} -v",
        "ping": "usually late news of a ping that has ended",
        "message": "the bytes and their sender: smolctl capture {dev} -v",
    },
    advice_template="usually late news of a socket that is closed; the others: smolctl socket show",
)  # fmt: skip
ICMP_MTU_IGNORED = Reason(
    "icmp-mtu-ignored", Kind.DROP, "RFC 1191 6.1", "silent",
    "path MTU discovery is off, and routers are not believed",
    """A router says that a packet was too big for its next link. With ip.no_pmtu_disc=2 that is not
    believed, so nobody can make this stack send small packets by forged messages. Its packets have
    no DF then, and routers should fragment them instead. If one drops them anyway, big packets
    never get through. Linux ignores it as well, with ip_no_pmtu_disc=2.""",
    why_template=(
        "{offender} says that a packet to {ip} is too big; ip.no_pmtu_disc={level} ignores that",
    ),
    fix_templates=("smolctl sysctl ip.no_pmtu_disc=0",),
)  # fmt: skip
ICMP_REPLY_SUPPRESSED = Reason(
    "icmp-reply-suppressed", Kind.NOTE, "RFC 1122 3.2.2", "silent",
    "an ICMP error was due, but none may be sent here",
    """RFC 1122 3.2.2 forbids an ICMP error about a broadcast or multicast, about a fragment other
    than the first, about another ICMP error, and about a packet whose source is not one host.
    Otherwise errors would multiply and flood the link. The packet itself is counted under its own
    reason.""",
    why_template=("no ICMP error is sent: {cause}",),
    causes={
        "frame": "the packet came in a frame to more than one station",
        "group": "the packet is for a group, {dst}",
        "broadcast": "the packet is for a broadcast address, {dst}",
        "fragment": "the packet is a fragment other than the first",
        "source": "its source {ip} is not one host",
        "error": "the packet is an ICMP error itself",
        "cut": "the packet is an ICMP message that ends before its type",
    },
)  # fmt: skip
ICMP_RATE_LIMITED = Reason(
    "icmp-rate-limited", Kind.NOTE, "RFC 1812 4.3.2.8", "RateLimitHost, RateLimitGlobal",
    "an ICMP error was due, but too many were sent already",
    """ICMP errors are limited, so that a flood of bad packets does not cause a flood of errors. One
    host gets a burst of 6, then one every icmp.ratelimit_ms (in IPv6 icmp6.ratelimit_ms); all hosts
    together get at most icmp.msgs_per_sec. These are Linux's limits. The peer gets "unreachable"
    for some of its packets and silence for the others.""",
    why_template=("no ICMP error is sent to {ip}: {cause}",),
    causes={
        "host": "it got too many already ({knob})",
        "all": "too many were sent to all hosts together (icmp.msgs_per_sec)",
        "none": "none may be sent at all (icmp.msgs_burst is 0)",
    },
    fix_templates=("smolctl sysctl {knob}={value}",),
)  # fmt: skip

# --- what an ICMP error told a socket -------------------------------------------------------------

ICMP_NET_UNREACHABLE = Reason(
    "icmp-net-unreachable", Kind.NOTE, "RFC 792", "ENETUNREACH",
    "a router has no route to the destination",
    """A router on the way dropped our packet: it knows no route to the destination's network, or
    none for this type of service. Nothing is wrong here; the route is missing there. A Linux
    program sees "Network is unreachable".""",
    why_template=("{offender} says that it {cause}",),
    advice_template="on {offender}: ip route get {ip}",
    causes={
        "route": "has no route to {ip}",
        "unknown": "does not know the network of {ip}",
        "tos": "has no route to {ip} for this type of service",
    },
    cause_advice={"tos": "ask for another type of service: smolctl ping -Q 0 {ip!z}"},
)  # fmt: skip
ICMP_HOST_UNREACHABLE = Reason(
    "icmp-host-unreachable", Kind.NOTE, "RFC 792", "EHOSTUNREACH",
    "a router cannot reach the destination",
    """A router on the way, most often the last one, dropped our packet and said that it cannot
    reach the destination. Most often the destination does not answer its ARP: the host is off, or
    has another address. A Linux program sees "No route to host".""",
    why_template=("{offender} says that {cause}",),
    advice_template="on {offender}: arping {ip}",
    causes={
        "host": "it cannot reach {ip}",
        "tos": "it cannot reach {ip} with this type of service",
        "code": "{ip} is unreachable, by code {icmp_code}, which no RFC defines",
        "scope": "{ip} is beyond the scope of our source address",
    },
    cause_advice={"tos": "ask for another type of service: smolctl ping -Q 0 {ip!z}"},
)  # fmt: skip
ICMP_PROTOCOL_UNREACHABLE = Reason(
    "icmp-protocol-unreachable", Kind.NOTE, "RFC 792", "ENOPROTOOPT",
    "the destination does not speak the protocol",
    """The destination got our packet, but its stack has no handler for the protocol in it. For UDP
    that is rare: a very small stack, or a filter that answers this way. A Linux program sees
    "Protocol not available".""",
    why_template=("{offender} says that it does not speak this protocol",),
    advice_template="on {offender}: look for a filter that answers with protocol unreachable",
)  # fmt: skip
ICMP_PORT_UNREACHABLE = Reason(
    "icmp-port-unreachable", Kind.NOTE, "RFC 792", "ECONNREFUSED",
    "nobody listens on the destination's port",
    """The destination got our datagram, and nobody is bound to its port. So the path works in both
    directions, and what is missing is the program there. A Linux program sees "Connection
    refused".""",
    why_template=("{offender} says that nothing is bound to {ip!b}:{port}",),
    advice_template="on {ip}: start what is to listen on UDP port {port}; ss -lun shows what does",
)  # fmt: skip
ICMP_FRAGMENTATION_NEEDED = Reason(
    "icmp-fragmentation-needed", Kind.NOTE, "RFC 1191", "EMSGSIZE",
    "the packet is too big for a link on its way",
    """Our packets may not be fragmented on their way (DF). A router whose next link is too small
    for one drops it and says so. From then on packets to the destination are no bigger, and what is
    bigger leaves in fragments (path MTU discovery, RFC 1191); route get shows it. The packet itself
    is lost, and its sender is told. A Linux program sees "Message too long".""",
    why_template=("{offender} says that the packet is too big for its next link{cause}",),
    advice_template="send it again: it leaves in fragments, unless --df forbids it, where at most"
    " {max_payload} B get through",
    causes={
        "mtu": ", whose MTU is {mtu}: {path_mtu} B get through to {ip}",
        "unnamed": ", and names no MTU: {path_mtu} B are assumed to get through to {ip}",
        "small": ", whose MTU is only {mtu}: with DF {mtu} B get through to {ip}; packets of up to"
        " {path_mtu} B leave without DF, and routers cut them",
        "larger": ", but names an MTU of {mtu}, which the {size} B of the packet do not exceed",
        "distrusted": "; the MTU that it names is not believed (ip.no_pmtu_disc=1): {path_mtu} B"
        " are assumed to get through to {ip}",
        "fixed": ", whose MTU is {mtu}, but the route to {ip} has a fixed one: {path_mtu}",
        "lost": ", whose MTU is {mtu}, but no way leads to {ip} any more",
    },
    cause_advice={
        "unnamed": "send it again: it leaves in fragments of what is assumed; on {offender}: it"
        " should name its MTU (RFC 1191 4)",
        "small": "with DF send at most {max_payload} B; without, it gets through: smolctl ping -M"
        " dont {ip!z}",
        "larger": "on {offender}: compare the MTU that it names with that of its link to {ip}",
        "distrusted": "believe what routers say: smolctl sysctl ip.no_pmtu_disc=0",
        "fixed": "which route that is: smolctl route get {ip!z}",
        "lost": "what became of the way: smolctl route get {ip!z}",
    },
)  # fmt: skip
ICMP_SOURCE_ROUTE_FAILED = Reason(
    "icmp-source-route-failed", Kind.NOTE, "RFC 792", "EOPNOTSUPP",
    "a hop does not follow the source route",
    """Our packet names the hops that it is to go by, and one of them, or a router between them,
    refuses to send it on. Most routers refuse source routes today. Without the option the packet
    may well get through. A Linux program sees "Operation not supported".""",
    why_template=("{offender} says that it does not follow the source route of a packet to {ip}",),
    advice_template="send without a source route: smolctl traceroute {ip!z}",
)  # fmt: skip
ICMP_HOST_UNKNOWN = Reason(
    "icmp-host-unknown", Kind.NOTE, "RFC 1122 3.2.2.1", "EHOSTDOWN",
    "a router says that the destination does not exist",
    """A router on the way dropped our packet and said that there is no such host: the link layer
    there knows it for sure. That is different from a host that does not answer. A Linux program
    sees "Host is down".""",
    why_template=("{offender} says that there is no host {ip}",),
    advice_template="is the address right? on {offender}: ip neigh show {ip}",
)  # fmt: skip
ICMP_HOST_ISOLATED = Reason(
    "icmp-host-isolated", Kind.NOTE, "RFC 1122 3.2.2.1", "ENONET",
    "a router says that our own address is cut off",
    """A router on the way dropped our packet and said that its source host, which is us, is cut off
    from the network. RFC 1812 5.2.7.1 has routers send this no longer. A Linux program sees
    "Machine is not on the network".""",
    why_template=("{offender} says that the sender of a packet to {ip}, which is us, is isolated",),
    advice_template="on {offender}: look for what cuts us off",
)  # fmt: skip
ICMP_PROHIBITED = Reason(
    "icmp-prohibited", Kind.NOTE, "RFC 1812 5.2.7.1", "EHOSTUNREACH",
    "a filter on the way forbids the packet",
    """A router or the destination itself has a rule against this packet, and says so (codes 9, 10
    and 13 of "destination unreachable"). The path is sound up to there. A Linux program sees "No
    route to host", or "Network is unreachable" (code 9).""",
    why_template=("{offender} says that {cause}",),
    advice_template="on {offender}: look through its filter, such as nft list ruleset",
    causes={
        "rule": "a rule there forbids it",
        "host": "we may not speak to the host {ip}",
        "net": "we may not speak to the network of {ip}",
        "policy": "our source address may not be used there",
        "reject": "a route there rejects packets to {ip}",
    },
)  # fmt: skip
ICMP_PRECEDENCE = Reason(
    "icmp-precedence", Kind.NOTE, "RFC 1812 5.3.3.3", "EHOSTUNREACH",
    "a router refuses the precedence of the packet",
    """The first three bits of the type of service are the precedence of a packet (RFC 791 3.1). A
    router on the way refuses that of ours: nobody may use it there, or it is below the lowest that
    the network takes now. A Linux program sees "No route to host".""",
    why_template=("{offender} says that the precedence of a packet to {ip} {cause}",),
    advice_template="ask for another type of service: smolctl ping -Q 0 {ip!z}",
    causes={
        "violation": "is not allowed there",
        "cutoff": "is below the lowest that the network takes",
    },
)  # fmt: skip
ICMP_TIME_EXCEEDED = Reason(
    "icmp-time-exceeded", Kind.NOTE, "RFC 792", "EHOSTUNREACH",
    "the packet's time to live ran out on its way",
    """Each router takes one from a packet's TTL, and the one that reaches zero drops the packet and
    says so. Either the TTL was small on purpose, as with traceroute, or the routers send the packet
    in a circle. A Linux program sees "No route to host".""",
    why_template=("{offender} says that {cause}",),
    advice_template="a routing loop, or a TTL that was too small: smolctl traceroute {ip!z}",
    causes={
        "ttl": "the time to live ran out on the way to {ip}",
        "code": "a time ran out on the way to {ip}, by code {icmp_code}, which no RFC defines",
    },
)  # fmt: skip
ICMP_FRAGMENT_LOST = Reason(
    "icmp-fragment-lost", Kind.NOTE, "RFC 792", "EHOSTUNREACH",
    "a fragment of the packet was lost on its way",
    """Our packet was cut into fragments, here or on its way. The host that puts them together, most
    often the destination, did not get all of them in time (RFC 1122 3.3.2) and says so by "time
    exceeded" with code 1. This is no routing loop: a link loses packets, or a filter drops the
    fragments that have no ports. A Linux program sees "No route to host".""",
    why_template=("{offender} did not get all fragments of a packet to {ip} in time",),
    advice_template="keep each packet within the MTU of its way: smolctl route get {ip!z}",
)  # fmt: skip
ICMP_PARAMETER_PROBLEM = Reason(
    "icmp-parameter-problem", Kind.NOTE, "RFC 792", "EPROTO",
    "somebody on the way could not read the header",
    """A router or the destination found a field of our IPv4 header that it does not understand. The
    headers of this stack are plain, so something on the way changed them, unless options were asked
    for. A Linux program sees "Protocol error".""",
    why_template=("{offender} says that the header of a packet to {ip} is wrong: {cause}",),
    advice_template="see what leaves, and compare it with what arrives: smolctl capture {dev} -v",
    causes={
        "pointer": "byte {pointer}, {field}",
        "byte": "byte {pointer} of the packet",
        "option": "an option that it requires is missing",
        "length": "a length",
        "code": "code {icmp_code}, which no RFC defines",
    },
)  # fmt: skip
ICMP_HOPS_SILENT = Reason(
    "icmp-hops-silent", Kind.NOTE, "RFC 1812 5.3.1", "silent",
    "no usable answer beyond some hop",
    """The probes of a traceroute left, each with a time to live that lets it go one hop further.
    Beyond some hop, no usable answer came: no router said that the time to live ran out, and the
    host did not answer. A filter drops the probes or the answers, or the routers there say nothing
    or have no way back to our address. If an answer came and was dropped here, the why line gives
    the reason.""",
    why_template=(
        "no answer on the way to {ip} up to hop {hops}",
        ", beyond hop {hop} ({last})",
        "{cause}",
    ),
    causes={
        "silent": "; nothing came back",
        "dropped": "; an answer came and was dropped: {dropped}",
        "forgotten": "; so much was dropped meanwhile that it is not known whether an answer came",
    },
    cause_advice={
        "dropped": "all about that answer: smolctl why {packet}",
        "forgotten": "what is dropped: smolctl stats drops",
    },
    advice_template="what is dropped differs by protocol: smolctl traceroute -I {ip!z}",
)  # fmt: skip
ICMP_NO_REPLY = Reason(
    "icmp-no-reply", Kind.NOTE, "RFC 1122 3.2.2.6", "silent",
    "no usable reply to the echo requests came",
    """The requests left, and no reply and no ICMP error came that could be used. If nothing came
    back, the host is down, a filter drops echo requests or their replies, or the host has no way
    back to our address. If a reply came and was dropped, the why line gives the reason.""",
    why_template=("{requests:echo request} left for {ip} by {dev}{cause}",),
    advice_template="what leaves and what comes: smolctl capture {dev} {icmp}",
    causes={
        "silent": ", and nothing came back",
        "near": ", and nothing came back, though {ip} answers {asking}",
        "far": ", and nothing came back; the gateway {gateway} answers {asking}",
        "dropped": "; a reply came and was dropped: {dropped}",
        "forgotten": "; so much was dropped meanwhile that it is not known whether a reply came",
    },
    cause_advice={
        "near": "on {ip}: does a filter drop echo requests, or has it a route back to us?",
        "far": "how far they get: smolctl traceroute -I {ip!z}",
        "dropped": "all about that reply: smolctl why {packet}",
        "forgotten": "what is dropped: smolctl stats drops",
    },
)  # fmt: skip
