"""Reasons of ICMP: what comes in, what was not answered, and what errors tell our sockets."""

from smolctl.stack.reason.model import Kind, Reason

ICMP_TRUNCATED = Reason(
    "icmp-truncated", Kind.DROP, "RFC 792", "PKT_TOO_SMALL",
    "an ICMP message that is shorter than its header",
    """An ICMP header has 8 bytes: type, code, checksum and four bytes whose meaning depends on the
    type. The message ended before that, or before what a message of its type must have, such as the
    time in a timestamp request. It is dropped in silence: an ICMP message never provokes an
    ICMP error.""",
    why_template=("ICMP message is {size} B, which is less than its type needs",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_BAD_CHECKSUM = Reason(
    "icmp-bad-checksum", Kind.DROP, "RFC 1122 3.2.2", "ICMP_CSUM",
    "an ICMP checksum that is wrong",
    """The checksum covers the whole ICMP message. It does not match, so that something was changed
    on the way or computed wrongly. The message is dropped in silence; a ping with such a request
    gets no answer.""",
    why_template=("checksum {got:#06x}, want {want:#06x}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_ECHO_BROADCAST = Reason(
    "icmp-echo-broadcast", Kind.DROP, "RFC 1122 3.2.2.6", "INVALID_PROTO",
    "a ping to a broadcast address, left unanswered",
    """One request to a broadcast address would be answered by every host of the link: with a forged
    source that floods a victim ("smurf"). RFC 1122 3.2.2.6 lets a host stay silent, and Linux does
    unless told otherwise (icmp_echo_ignore_broadcasts).""",
    why_template=(
        "echo request to the broadcast address {ip}, and icmp.echo_ignore_broadcasts is on",
    ),
    fix_templates=("smolctl sysctl icmp.echo_ignore_broadcasts=0",),
)  # fmt: skip
ICMP_ECHO_IGNORED = Reason(
    "icmp-echo-ignored", Kind.DROP, "policy", "silent",
    "a ping, and this stack was told to answer none",
    """Somebody set icmp.echo_ignore_all: no echo request is answered. RFC 1122 3.2.2.6 has every
    host answer, so this is a choice and not the rule. The one who pings sees 100% loss, though ARP
    and UDP work.""",
    why_template=("icmp.echo_ignore_all is on",),
    fix_templates=("smolctl sysctl icmp.echo_ignore_all=0",),
)  # fmt: skip
ICMP_ECHO_UNMATCHED = Reason(
    "icmp-echo-unmatched", Kind.DROP, "RFC 1122 3.2.2.6", "silent",
    "an echo reply that nobody waits for",
    """Each ping has an identifier, and its replies bear it. No ping of this stack has this one: it
    ended before the reply came (a slow path), or the reply was forged or sent to the wrong host. It
    is dropped without a word.""",
    why_template=("echo reply from {ip}, ident {ident}: nobody here waits for it",),
    advice_template="when replies are only late, wait longer: smolctl ping -W 10 {ip}",
)  # fmt: skip
ICMP_TYPE_UNKNOWN = Reason(
    "icmp-type-unknown", Kind.DROP, "RFC 1122 3.2.2", "UNHANDLED_PROTO",
    "an ICMP type that this stack ignores",
    """ICMP has types that a host need not take part in: router discovery, timestamp replies that
    nobody asked for, and many that were retired. An unknown type must be dropped in silence (RFC
    1122 3.2.2).""",
    why_template=("type {type} is ignored",),
    advice_template="usually harmless; what it is: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_TIMESTAMP_IGNORED = Reason(
    "icmp-timestamp-ignored", Kind.DROP, "RFC 1122 3.2.2.8", "answered",
    "a question for the time, left unanswered",
    """An ICMP timestamp request asks for the milliseconds since midnight. RFC 1122 3.2.2.8 lets a
    host stay silent. It tells strangers how a clock goes, which helps them to guess what is made of
    the time, and there are better ways to set one (NTP). Linux answers it.""",
    why_template=("timestamp request from {ip}, and icmp.answer_timestamp is off",),
    fix_templates=("smolctl sysctl icmp.answer_timestamp=1",),
)  # fmt: skip
ICMP_TIMESTAMP_BROADCAST = Reason(
    "icmp-timestamp-broadcast", Kind.DROP, "RFC 1122 3.2.2.8", "silent",
    "a question to everybody for the time, left unanswered",
    """As an echo request, a timestamp request to a broadcast address would be answered by every
    host of the link. RFC 1122 3.2.2.8 lets a host stay silent, and one sysctl says so for both, as
    in Linux.""",
    why_template=(
        "timestamp request to the broadcast address {ip}, and icmp.echo_ignore_broadcasts is on",
    ),
    fix_templates=("smolctl sysctl icmp.echo_ignore_broadcasts=0",),
)  # fmt: skip
ICMP_SOURCE_QUENCH = Reason(
    "icmp-source-quench", Kind.DROP, "RFC 6633", "silent",
    "a request to send more slowly, which nobody should heed",
    """Routers of old asked senders by ICMP source quench to slow down. It never worked well, and
    anybody can forge it to slow others down. RFC 6633 retired it: it is not sent, and dropped in
    silence where it comes. Linux ignores it as well.""",
    why_template=("source quench from {ip} is ignored",),
    advice_template="on {ip}: it should send no source quench (RFC 6633 6)",
)  # fmt: skip
ICMP_MASK_IGNORED = Reason(
    "icmp-mask-ignored", Kind.DROP, "RFC 1122 3.2.2.9", "silent",
    "a question for a network mask, or an unasked answer",
    """By address mask messages hosts once asked how long the network's part of their address is. A
    host must not answer unless it is told to be the authority for it (RFC 1122 3.2.2.9), RFC 6918
    retired the messages, and masks are configured. They are dropped in silence, as by Linux.""",
    why_template=("address mask message (type {type}) from {ip} is ignored",),
    advice_template="masks are configured, and shown by: smolctl addr show",
)  # fmt: skip
ICMP_REDIRECT_IGNORED = Reason(
    "icmp-redirect-ignored", Kind.DROP, "RFC 1122 3.2.2.2", "silent",
    "a redirect, and this stack was told to believe none",
    """A gateway says that another one is nearer to a destination. RFC 1122 3.2.2.2 has a host learn
    from that, but redirects can be forged by whoever is on the link, so that many systems are told
    to ignore them (ip.accept_redirects). Packets go on by the gateway of the route, which sends
    them back by the same link.""",
    why_template=(
        "{offender} names {gateway} as first hop to {ip}, and ip.accept_redirects is off",
    ),
    fix_templates=("smolctl sysctl ip.accept_redirects=1",),
)  # fmt: skip
ICMP_REDIRECT_STRANGER = Reason(
    "icmp-redirect-stranger", Kind.DROP, "RFC 1122 3.2.2.2", "silent",
    "a redirect by somebody else than the gateway in use",
    """Only the gateway to which packets for a destination go now may say that another one is
    better. This redirect came from somebody else, by another interface, or about a destination that
    is reached without a gateway. It is forged, or late: the route changed meanwhile. It is dropped
    in silence.""",
    why_template=("{offender} is not the gateway to {ip}", ", which is {next_hop}"),
    advice_template="who is used, and by which route: smolctl route get {ip}",
)  # fmt: skip
ICMP_REDIRECT_NO_HOST = Reason(
    "icmp-redirect-no-host", Kind.DROP, "RFC 1122 3.2.2.2", "silent",
    "a redirect to an address that can be no gateway",
    """A redirect names the gateway to use. This one names an address that no other host has: one of
    our own, a broadcast or multicast address, or the very gateway that says so. It is dropped in
    silence.""",
    why_template=("{offender} names {gateway} as first hop to {ip}, which is no other gateway",),
    advice_template="on {offender}: look for a wrong route to {ip}",
)  # fmt: skip
ICMP_REDIRECT_OFF_LINK = Reason(
    "icmp-redirect-off-link", Kind.DROP, "RFC 1122 3.2.2.2", "silent",
    "a redirect to a gateway that is on another network",
    """The gateway that a redirect names must be on the network by which the redirect came (RFC 1122
    3.2.2.2): to any other one, packets would have to be sent by a gateway again. Where several
    networks share one link, it can be right nonetheless; ip.shared_media believes it, as Linux
    does.""",
    why_template=(
        "{gateway} is in no network of {dev}, and {offender} names it as first hop to {ip}",
    ),
    fix_templates=("smolctl sysctl ip.shared_media=1",),
    advice_template="on {offender}: look for a wrong route to {ip}",
)  # fmt: skip
ICMP_REDIRECT_INSECURE = Reason(
    "icmp-redirect-insecure", Kind.DROP, "policy", "silent",
    "a redirect to a gateway that no default route has",
    """With ip.secure_redirects, a redirect is believed only if it names a gateway that somebody has
    configured: that of a default route. So nobody on the link can make himself one. Packets go on
    by the gateway of the route.""",
    why_template=(
        "{offender} names {gateway} as first hop to {ip}, which is the gateway of no default route",
    ),
    fix_templates=("smolctl sysctl ip.secure_redirects=0",),
)  # fmt: skip
ICMP_REDIRECTED = Reason(
    "icmp-redirected", Kind.NOTE, "RFC 1122 3.2.2.2", "silent",
    "a gateway said that another one is nearer",
    """The gateway that packets to a destination went to said that another one on the same link is
    nearer to it (RFC 792). That one is used from now on, for this destination alone and for
    ip.redirect_timeout_ms. The packet that was the cause was delivered all the same. Many of them
    mean that a route is missing here.""",
    why_template=("{offender} says that {gateway} is nearer to {ip}",),
    advice_template="what was learned: smolctl route get {ip}; a route of your own spares the"
    " detour",
)  # fmt: skip
ICMP_ERROR_UNMATCHED = Reason(
    "icmp-error-unmatched", Kind.DROP, "RFC 1122 3.2.2", "NO_SOCKET",
    "an ICMP error about a packet that no socket here sent",
    """An ICMP error quotes the packet that it is about; addresses and ports tell which socket sent
    it. No socket of this stack fits: it was closed meanwhile, or the error is forged. It is dropped
    without a word, and no socket is told.""",
    why_template=(
        "type {type} code {icmp_code} from {offender} is on a packet to {ip} that no socket sent",
    ),
    advice_template="usually late news of a socket that is closed; the others: smolctl socket show",
)  # fmt: skip
ICMP_MTU_IGNORED = Reason(
    "icmp-mtu-ignored", Kind.DROP, "RFC 1191 6.1", "silent",
    "path MTU discovery is off, and routers are not believed",
    """A router says that a packet was too big for its next link. ip.no_pmtu_disc says that this is
    not to be believed, so that nobody can make this stack send small packets by forged messages.
    Packets have no DF then, and routers should fragment instead of complaining; where one drops
    them anyway, big ones never get through. Linux ignores it as well, with ip_no_pmtu_disc=2.""",
    why_template=(
        "{offender} says that a packet to {ip} is too big; ip.no_pmtu_disc={level} ignores that",
    ),
    fix_templates=("smolctl sysctl ip.no_pmtu_disc=0",),
)  # fmt: skip
ICMP_REPLY_SUPPRESSED = Reason(
    "icmp-reply-suppressed", Kind.NOTE, "RFC 1122 3.2.2", "silent",
    "an ICMP error was due, but none may be sent here",
    """RFC 1122 3.2.2 forbids an ICMP error in answer to a broadcast or multicast, to a fragment but
    the first, to another ICMP error, and to a packet whose source is not one host. Otherwise errors
    would multiply and storm the link. The packet's own reason is counted beside this note.""",
    why_template=(
        "no ICMP error sent: it would answer a broadcast, a fragment, an ICMP error or no one host",
    ),
)  # fmt: skip
ICMP_RATE_LIMITED = Reason(
    "icmp-rate-limited", Kind.NOTE, "RFC 1812 4.3.2.8", "RateLimitHost, RateLimitGlobal",
    "an ICMP error was due, but too many were sent already",
    """ICMP errors are limited, so that a flood of bad packets does not become a flood of errors: a
    burst of 6 to one host and then one every icmp.ratelimit_ms; together at most
    icmp.msgs_per_sec. The limits are Linux's. The peer sees some of its packets answered with
    "unreachable" and others with silence.""",
    why_template=(
        "no ICMP error sent to {ip}, too many were: icmp.ratelimit_ms or icmp.msgs_per_sec",
    ),
    fix_templates=("smolctl sysctl {knob}={value}",),
)  # fmt: skip

# --- what an ICMP error told a socket -------------------------------------------------------------

ICMP_NET_UNREACHABLE = Reason(
    "icmp-net-unreachable", Kind.NOTE, "RFC 792", "ENETUNREACH",
    "a router has no route to the destination",
    """A router on the way dropped our packet and said why: it knows no route to the destination's
    network. The packet left this stack in order; the route is missing there. Linux programs see
    "Network is unreachable".""",
    why_template=("{offender} says that it has no route to {ip}",),
    advice_template="on {offender}: ip route get {ip}",
)  # fmt: skip
ICMP_HOST_UNREACHABLE = Reason(
    "icmp-host-unreachable", Kind.NOTE, "RFC 792", "EHOSTUNREACH",
    "a router got no answer from the destination",
    """A router on the way, most often the last one, dropped our packet and said why: the
    destination does not answer its ARP. The host is off, or its address is another one. Linux
    programs see "No route to host".""",
    why_template=("{offender} says that {ip} does not answer it",),
    advice_template="on {offender}: arping {ip}",
)  # fmt: skip
ICMP_PROTOCOL_UNREACHABLE = Reason(
    "icmp-protocol-unreachable", Kind.NOTE, "RFC 792", "ENOPROTOOPT",
    "the destination does not speak the protocol",
    """The destination got our packet, but its stack has no handler for the protocol in it. For UDP
    that is rare: a very small stack, or a filter that answers this way. Linux programs see
    "Protocol not available".""",
    why_template=("{offender} says that it does not speak this protocol",),
    advice_template="on {offender}: look for a filter that answers with protocol unreachable",
)  # fmt: skip
ICMP_PORT_UNREACHABLE = Reason(
    "icmp-port-unreachable", Kind.NOTE, "RFC 792", "ECONNREFUSED",
    "nobody listens on the destination's port",
    """The destination got our datagram and nobody is bound to its port. So the path works in both
    directions, and what is missing is the program there. Linux programs see "Connection
    refused".""",
    why_template=("{offender} says that nothing is bound to {ip}:{port}",),
    advice_template="on {ip}: start what is to listen on UDP port {port}; ss -lun shows what does",
)  # fmt: skip
ICMP_FRAGMENTATION_NEEDED = Reason(
    "icmp-fragmentation-needed", Kind.NOTE, "RFC 1191", "EMSGSIZE",
    "the packet is too big for a link on its way",
    """Our packets may not be fragmented on their way (DF), so that a router whose next link is too
    small for one drops it and says so. From then on packets to the destination are no bigger, and
    what is leaves in fragments (path MTU discovery, RFC 1191); route get shows it. The packet
    itself is lost, and who sent it is told. Linux programs see "Message too long".""",
    why_template=(
        "{offender} says that the packet is too big for its next link",
        ", whose MTU is {mtu}",
        ": {path_mtu} B get through to {ip}",
    ),
    advice_template="send it again: it leaves in fragments, unless --df forbids it, where at most"
    " {max_payload} B get through",
)  # fmt: skip
ICMP_PROHIBITED = Reason(
    "icmp-prohibited", Kind.NOTE, "RFC 1812 5.2.7.1", "EHOSTUNREACH",
    "a filter on the way forbids the packet",
    """A router or the destination itself has a rule against this packet, and was so kind to say so
    (codes 9, 10 and 13 of "destination unreachable"). The path is sound up to there. Linux programs
    see "No route to host".""",
    why_template=("{offender} says that a rule there forbids it",),
    advice_template="on {offender}: look through its filter, such as nft list ruleset",
)  # fmt: skip
ICMP_TIME_EXCEEDED = Reason(
    "icmp-time-exceeded", Kind.NOTE, "RFC 792", "EHOSTUNREACH",
    "the packet's time to live ran out on its way",
    """Each router takes one from a packet's TTL, and the one that reaches zero drops the packet and
    says so. Either the TTL was small on purpose, as traceroute has it, or the routers send it in a
    circle. Linux programs see "No route to host".""",
    why_template=("{offender} says that the time to live ran out on the way to {ip}",),
    advice_template="a routing loop, or a TTL that was too small: smolctl ping -t 64 {ip}",
)  # fmt: skip
ICMP_PARAMETER_PROBLEM = Reason(
    "icmp-parameter-problem", Kind.NOTE, "RFC 792", "EPROTO",
    "somebody on the way could not read the header",
    """A router or the destination found a field of our IPv4 header that it does not understand. The
    headers of this stack are plain, so that something on the way changes them. Linux programs see
    "Protocol error".""",
    why_template=("{offender} says that the header of a packet to {ip} is wrong",),
    advice_template="see what leaves, and compare it with what arrives: smolctl capture {dev} -v",
)  # fmt: skip
ICMP_HOPS_SILENT = Reason(
    "icmp-hops-silent", Kind.NOTE, "RFC 1812 5.3.1", "silent",
    "no hop answered beyond the last one that did",
    """The probes of a traceroute left, each with a time to live that lets it go one hop further,
    and from some hop on nothing came back: no router said that it ran out, nor did the host answer.
    A filter drops the probes or the answers, the routers there say nothing, or have no way back to
    our address.""",
    why_template=(
        "nothing answered the way to {ip} up to hop {hops}",
        ", beyond hop {hop} ({last})",
    ),
    advice_template="what is dropped differs by protocol: smolctl traceroute -I {ip}",
)  # fmt: skip
ICMP_NO_REPLY = Reason(
    "icmp-no-reply", Kind.NOTE, "RFC 1122 3.2.2.6", "silent",
    "echo requests were sent, and nothing came back",
    """The requests left, and their next hop answered ARP, so what is near works. Neither a reply
    nor an ICMP error came back: the host behind the gateway is down, a filter drops echo requests
    or their replies, or the host has no way back to our address.""",
    why_template=("{requests:echo request} left for {ip} by {dev}, and nothing came back",),
    advice_template="does its next hop answer: smolctl neigh show dev {dev}",
)  # fmt: skip
