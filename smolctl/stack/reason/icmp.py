"""Reasons of ICMP: what comes in, what was not answered, and what errors tell our sockets."""

from smolctl.stack.reason.model import Kind, define

ICMP_TRUNCATED = define(
    "icmp-truncated", Kind.DROP, "RFC 792", "PKT_TOO_SMALL",
    "an ICMP message that is shorter than its header",
    """An ICMP header has 8 bytes: type, code, checksum and four bytes whose meaning depends on the
    type. The message ended before that. It is dropped in silence: an ICMP message never provokes an
    ICMP error.""",
    why="ICMP message is {n} B, needs 8",
    advice="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_BAD_CHECKSUM = define(
    "icmp-bad-checksum", Kind.DROP, "RFC 1122 3.2.2", "ICMP_CSUM",
    "an ICMP checksum that is wrong",
    """The checksum covers the whole ICMP message. It does not match, so that something was changed
    on the way or computed wrongly. The message is dropped in silence; a ping with such a request
    gets no answer.""",
    why="checksum {got:#06x}, want {want:#06x}",
    advice="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_ECHO_BROADCAST = define(
    "icmp-echo-broadcast", Kind.DROP, "RFC 1122 3.2.2.6", "INVALID_PROTO",
    "a ping to a broadcast address, left unanswered",
    """One request to a broadcast address would be answered by every host of the link: with a forged
    source that floods a victim ("smurf"). RFC 1122 3.2.2.6 lets a host stay silent, and Linux does
    unless told otherwise (icmp_echo_ignore_broadcasts).""",
    why="echo request to the broadcast address {ip}, and icmp.echo_ignore_broadcasts is on",
    fix=("smolctl sysctl icmp.echo_ignore_broadcasts=0",),
)  # fmt: skip
ICMP_ECHO_IGNORED = define(
    "icmp-echo-ignored", Kind.DROP, "policy", "silent",
    "a ping, and this stack was told to answer none",
    """Somebody set icmp.echo_ignore_all: no echo request is answered. RFC 1122 3.2.2.6 has every
    host answer, so this is a choice and not the rule. The one who pings sees 100% loss, though ARP
    and UDP work.""",
    why="icmp.echo_ignore_all is on",
    fix=("smolctl sysctl icmp.echo_ignore_all=0",),
)  # fmt: skip
ICMP_ECHO_UNMATCHED = define(
    "icmp-echo-unmatched", Kind.DROP, "RFC 1122 3.2.2.6", "silent",
    "an echo reply that nobody waits for",
    """Each ping has an identifier, and its replies bear it. No ping of this stack has this one: it
    ended before the reply came (a slow path), or the reply was forged or sent to the wrong host. It
    is dropped without a word.""",
    why="echo reply from {ip}, ident {ident}: nobody here waits for it",
    advice="when replies are only late, wait longer: smolctl ping -W 10 {ip}",
)  # fmt: skip
ICMP_TYPE_UNKNOWN = define(
    "icmp-type-unknown", Kind.DROP, "RFC 1122 3.2.2", "UNHANDLED_PROTO",
    "an ICMP type that this stack ignores",
    """ICMP has types that a host need not take part in: timestamps, address masks, router
    discovery, redirects, source quench (RFC 6633 retired it). An unknown type must be dropped in
    silence (RFC 1122 3.2.2).""",
    why="type {type} is ignored",
    advice="usually harmless; what it is: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_ERROR_UNMATCHED = define(
    "icmp-error-unmatched", Kind.DROP, "RFC 1122 3.2.2", "NO_SOCKET",
    "an ICMP error about a packet that no socket here sent",
    """An ICMP error quotes the packet that it is about; addresses and ports tell which socket sent
    it. No socket of this stack fits: it was closed meanwhile, or the error is forged. It is dropped
    without a word, and no socket is told.""",
    why="type {type} code {icmp_code} from {offender} is on a packet to {ip} that no socket sent",
    advice="usually late news of a socket that is closed; the others: smolctl socket show",
)  # fmt: skip
ICMP_MTU_IGNORED = define(
    "icmp-mtu-ignored", Kind.DROP, "RFC 1191 6.1", "silent",
    "path MTU discovery is off, and routers are not believed",
    """A router says that a packet was too big for its next link. ip.no_pmtu_disc says that this is
    not to be believed, so that nobody can make this stack send small packets by forged messages.
    Packets have no DF then, and routers should fragment instead of complaining; where one drops
    them anyway, big ones never get through. Linux ignores it as well, with ip_no_pmtu_disc=2.""",
    why="{offender} says that a packet to {ip} is too big; ip.no_pmtu_disc={level} ignores that",
    fix=("smolctl sysctl ip.no_pmtu_disc=0",),
)  # fmt: skip
ICMP_REPLY_SUPPRESSED = define(
    "icmp-reply-suppressed", Kind.NOTE, "RFC 1122 3.2.2", "silent",
    "an ICMP error was due, but none may be sent here",
    """RFC 1122 3.2.2 forbids an ICMP error in answer to a broadcast or multicast, to a fragment but
    the first, to another ICMP error, and to a packet whose source is not one host. Otherwise errors
    would multiply and storm the link. The packet's own reason is counted beside this note.""",
    why="no ICMP error sent: it would answer a broadcast, a fragment, an ICMP error or no one host",
)  # fmt: skip
ICMP_RATE_LIMITED = define(
    "icmp-rate-limited", Kind.NOTE, "RFC 1812 4.3.2.8", "RateLimitHost, RateLimitGlobal",
    "an ICMP error was due, but too many were sent already",
    """ICMP errors are limited, so that a flood of bad packets does not become a flood of errors: a
    burst of 6 to one host and then one every icmp.ratelimit_ms; together at most
    icmp.msgs_per_sec. The limits are Linux's. The peer sees some of its packets answered with
    "unreachable" and others with silence.""",
    why="no ICMP error sent to {ip}, too many were: icmp.ratelimit_ms or icmp.msgs_per_sec",
    fix=("smolctl sysctl {knob}={value}",),
)  # fmt: skip

# --- what an ICMP error told a socket -------------------------------------------------------------

ICMP_NET_UNREACHABLE = define(
    "icmp-net-unreachable", Kind.NOTE, "RFC 792", "ENETUNREACH",
    "a router has no route to the destination",
    """A router on the way dropped our packet and said why: it knows no route to the destination's
    network. The packet left this stack in order; the route is missing there. Linux programs see
    "Network is unreachable".""",
    why="{offender} says that it has no route to {ip}",
    advice="on {offender}: ip route get {ip}",
)  # fmt: skip
ICMP_HOST_UNREACHABLE = define(
    "icmp-host-unreachable", Kind.NOTE, "RFC 792", "EHOSTUNREACH",
    "a router got no answer from the destination",
    """A router on the way, most often the last one, dropped our packet and said why: the
    destination does not answer its ARP. The host is off, or its address is another one. Linux
    programs see "No route to host".""",
    why="{offender} says that {ip} does not answer it",
    advice="on {offender}: arping {ip}",
)  # fmt: skip
ICMP_PROTOCOL_UNREACHABLE = define(
    "icmp-protocol-unreachable", Kind.NOTE, "RFC 792", "ENOPROTOOPT",
    "the destination does not speak the protocol",
    """The destination got our packet, but its stack has no handler for the protocol in it. For UDP
    that is rare: a very small stack, or a filter that answers this way. Linux programs see
    "Protocol not available".""",
    why="{offender} says that it does not speak this protocol",
    advice="on {offender}: look for a filter that answers with protocol unreachable",
)  # fmt: skip
ICMP_PORT_UNREACHABLE = define(
    "icmp-port-unreachable", Kind.NOTE, "RFC 792", "ECONNREFUSED",
    "nobody listens on the destination's port",
    """The destination got our datagram and nobody is bound to its port. So the path works in both
    directions, and what is missing is the program there. Linux programs see "Connection
    refused".""",
    why="{offender} says that nothing is bound to {ip}:{port}",
    advice="on {ip}: start what is to listen on UDP port {port}; ss -lun shows what does",
)  # fmt: skip
ICMP_FRAGMENTATION_NEEDED = define(
    "icmp-fragmentation-needed", Kind.NOTE, "RFC 1191", "EMSGSIZE",
    "the packet is too big for a link on its way",
    """Our packets may not be fragmented on their way (DF), so that a router whose next link is too
    small for one drops it and says so. From then on packets to the destination are no bigger, and
    what is leaves in fragments (path MTU discovery, RFC 1191); route get shows it. The packet
    itself is lost, and who sent it is told. Linux programs see "Message too long".""",
    why=(
        "{offender} says that the packet is too big for its next link",
        ", whose MTU is {mtu}",
        ": {path_mtu} B get through to {ip}",
    ),
    advice="send it again: it leaves in fragments, unless --df forbids it, where at most"
    " {max_payload} B get through",
)  # fmt: skip
ICMP_PROHIBITED = define(
    "icmp-prohibited", Kind.NOTE, "RFC 1812 5.2.7.1", "EHOSTUNREACH",
    "a filter on the way forbids the packet",
    """A router or the destination itself has a rule against this packet, and was so kind to say so
    (codes 9, 10 and 13 of "destination unreachable"). The path is sound up to there. Linux programs
    see "No route to host".""",
    why="{offender} says that a rule there forbids it",
    advice="on {offender}: look through its filter, such as nft list ruleset",
)  # fmt: skip
ICMP_TIME_EXCEEDED = define(
    "icmp-time-exceeded", Kind.NOTE, "RFC 792", "EHOSTUNREACH",
    "the packet's time to live ran out on its way",
    """Each router takes one from a packet's TTL, and the one that reaches zero drops the packet and
    says so. Either the TTL was small on purpose, as traceroute has it, or the routers send it in a
    circle. Linux programs see "No route to host".""",
    why="{offender} says that the time to live ran out on the way to {ip}",
    advice="a routing loop, or a TTL that was too small: smolctl ping -t 64 {ip}",
)  # fmt: skip
ICMP_PARAMETER_PROBLEM = define(
    "icmp-parameter-problem", Kind.NOTE, "RFC 792", "EPROTO",
    "somebody on the way could not read the header",
    """A router or the destination found a field of our IPv4 header that it does not understand. The
    headers of this stack are plain, so that something on the way changes them. Linux programs see
    "Protocol error".""",
    why="{offender} says that the header of a packet to {ip} is wrong",
    advice="see what leaves, and compare it with what arrives: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_HOPS_SILENT = define(
    "icmp-hops-silent", Kind.NOTE, "RFC 1812 5.3.1", "silent",
    "no hop answered beyond the last one that did",
    """The probes of a traceroute left, each with a time to live that lets it go one hop further,
    and from some hop on nothing came back: no router said that it ran out, nor did the host answer.
    A filter drops the probes or the answers, the routers there say nothing, or have no way back to
    our address.""",
    why=(
        "nothing answered the way to {ip} up to hop {n}",
        ", beyond hop {hop} ({last})",
    ),
    advice="what is dropped differs by protocol: smolctl traceroute -I {ip}",
)  # fmt: skip
ICMP_NO_REPLY = define(
    "icmp-no-reply", Kind.NOTE, "RFC 1122 3.2.2.6", "silent",
    "echo requests were sent, and nothing came back",
    """The requests left, and their next hop answered ARP, so what is near works. Neither a reply
    nor an ICMP error came back: the host behind the gateway is down, a filter drops echo requests
    or their replies, or the host has no way back to our address.""",
    why="{n} echo requests left for {ip} by {dev}, and nothing came back",
    advice="does its next hop answer: smolctl neigh show dev {dev}",
)  # fmt: skip
