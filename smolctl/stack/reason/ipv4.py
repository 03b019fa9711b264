"""Reasons of IPv4 that comes in."""

from smolctl.stack.reason.model import Kind, Reason

IP_HEADER_SHORT = Reason(
    "ip-header-short", Kind.DROP, "RFC 791 3.1", "IP_INHDR",
    "a packet that is shorter than an IPv4 header",
    """An IPv4 header has at least 20 bytes. This packet ended before that, so that source and
    destination are not all there. It is dropped in silence, since nobody could be told.""",
    why_template=("{size} B, an IPv4 header needs 20",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_VERSION = Reason(
    "ip-bad-version", Kind.DROP, "RFC 1122 3.2.1.1", "IP_INHDR",
    "a packet of another IP version under IPv4's ethertype",
    """The first four bits of a packet are its IP version. The frame said IPv4 (ethertype 0x0800),
    the packet says otherwise. RFC 1122 3.2.1.1 has it dropped in silence. IPv6 proper has an
    ethertype of its own, so this is a packet that was built or tunnelled wrongly.""",
    why_template=("version {v}, not 4",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_IHL = Reason(
    "ip-bad-ihl", Kind.DROP, "RFC 791 3.1", "IP_INHDR",
    "an IPv4 header length that cannot be",
    """The header says how long it is, in words of 4 bytes: at least 5, and not more than the packet
    has. This one says otherwise, so that one cannot tell where the payload begins. It is dropped in
    silence.""",
    why_template=("header length {ihl}*4 B is impossible",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_CHECKSUM = Reason(
    "ip-bad-checksum", Kind.DROP, "RFC 1122 3.2.1.2", "IP_CSUM",
    "an IPv4 header checksum that is wrong",
    """The checksum covers the header. It does not match, so that one of its fields, perhaps an
    address, is not what was sent; RFC 1122 3.2.1.2 has it dropped in silence. When all packets of
    one host are wrong, its network card was to fill in the checksum (offload) and they were taken
    before it did.""",
    why_template=("header checksum {got:#06x}, want {want:#06x}",),
    advice_template="when all from one host are wrong, switch its offload off; on it: ethtool"
    " -K DEV tx off",
)  # fmt: skip
IP_LENGTH_MISMATCH = Reason(
    "ip-length-mismatch", Kind.DROP, "RFC 791 3.1", "PKT_TOO_SMALL",
    "an IPv4 length that does not fit the packet",
    """The header says how many bytes the packet has, and the frame brought fewer; or it claims less
    than the header itself. The packet was cut off: by a link with a smaller MTU than both sides
    believe, by a capture with a snap length, or by the program that built it. More bytes than the
    header says are fine, since short frames are padded.""",
    why_template=("header says {a} B, {b} B arrived",),
    advice_template="compare the MTU of both ends of {dev}: smolctl link show dev {dev}",
)  # fmt: skip
IP_SRC_INVALID = Reason(
    "ip-src-invalid", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INVALID_SOURCE",
    "a source address that no host can have",
    """A source address must be that of one host, so that it can be answered. Multicast and
    broadcast addresses and 0.0.0.0 are not; RFC 1122 3.2.1.3 has such packets dropped in silence,
    because an answer would go to everybody. Only a host that asks for its first address by
    broadcast may be 0.0.0.0.""",
    why_template=("source {ip} is multicast, broadcast or zero",),
    advice_template="on the sender: give it an address of its own; its MAC: smolctl capture"
    " {dev} -v",
)  # fmt: skip
IP_SRC_IS_OURS = Reason(
    "ip-src-is-ours", Kind.DROP, "RFC 1122 3.2.1.3", "IP_LOCAL_SOURCE",
    "a packet from the wire that bears our own address as its source",
    """A packet came in by a wire with one of our own addresses as its source. We did not send it:
    another host has the same address, somebody forges it, or the link has a loop. Linux calls it a
    martian source. It is dropped, since an answer would go to ourselves.""",
    why_template=("source {ip} is ours, yet it came in by {dev}",),
    advice_template="who else has it: smolctl arping -D -I {dev} {ip}",
)  # fmt: skip
IP_LOOPBACK_ON_WIRE = Reason(
    "ip-loopback-on-wire", Kind.DROP, "RFC 1122 3.2.1.3(g)", "IP_LOCALNET",
    "a packet from the wire with a loopback address",
    """127.0.0.0/8 is for a host to talk to itself. RFC 1122 3.2.1.3 (g): such addresses must not
    appear outside a host. The sender's socket is bound to 127.0.0.1 while it sends to another host,
    or its routes lead 127/8 out. The packet is dropped in silence.""",
    why_template=("{ip} must not appear on {dev}",),
    advice_template="on the sender: bind the socket to its own address or to 0.0.0.0, not to"
    " loopback",
)  # fmt: skip
IP_DST_INVALID = Reason(
    "ip-dst-invalid", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INVALID_DEST",
    "a packet to an address that no packet may be sent to",
    """0.0.0.0 means "this host, whoever it is" and is never a destination (RFC 1122 3.2.1.3). The
    sender took it from somewhere without looking: an address that was not filled in. The packet is
    dropped in silence.""",
    why_template=("destination {ip} cannot be one",),
    advice_template="on the sender: look where the destination came from; it was never filled in",
    stage="route",
)  # fmt: skip
IP_DST_NOT_OURS = Reason(
    "ip-dst-not-ours", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INADDRERRORS",
    "a packet to an address that this stack does not have",
    """The frame had our MAC, but the packet is for an address that is not ours. A host takes only
    what is for its own addresses (RFC 1122 3.2.1.3), and this stack forwards nothing to others
    unless ip.forward is on. Either the address was never added here, or the sender uses this stack
    as its gateway. The sender hears nothing.""",
    why_template=("{ip} is no address of this stack", " ({dev} has {networks})"),
    fix_templates=("smolctl sysctl ip.forward={router}", "smolctl addr add {ip}/{plen} dev {dev}"),
    advice_template="on the sender: this stack is no gateway; take it out of the routes",
    stage="route",
)  # fmt: skip
IP_DST_TENTATIVE = Reason(
    "ip-dst-tentative", Kind.DROP, "RFC 5227 2.1", "IP_INADDRERRORS",
    "a packet to an address that is still being tested",
    """The destination was added here a moment ago, and is being tested: with arp.dad or "addr add
    ... dad" a host uses an address only when nobody on the link has said for some seconds that it
    is his (RFC 5227). Until then it is not ours. The sender knows our MAC already, from before or
    by an entry made by hand, and hears nothing.""",
    why_template=("{ip} of {dev} {state}, so that nothing for it is taken",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
    advice_template="wait some seconds: smolctl addr show {dev}",
    stage="route",
)  # fmt: skip
IP_DST_OTHER_IFACE = Reason(
    "ip-dst-other-iface", Kind.DROP, "RFC 1122 3.3.4.2", "silent",
    "a packet to an address that another interface has",
    """The destination is ours, but it belongs to another interface than the one by which the packet
    came in. RFC 1122 3.3.4.2 allows two models: in the weak one, which Linux follows, an address
    belongs to the host and is answered everywhere; in the strong one, which ip.strong_host asks
    for, it belongs to its interface. The sender hears nothing.""",
    why_template=("{ip} belongs to {home}, the packet came in by {dev}",),
    fix_templates=("smolctl sysctl ip.strong_host=0",),
    stage="route",
)  # fmt: skip
IP_RULE_REFUSED = Reason(
    "ip-rule-refused", Kind.DROP, "RFC 1122 3.3.1", "IP_INADDRERRORS",
    "a packet that a rule refuses before any table is asked",
    """Rules choose the table of routes that says whether a packet is for this stack. One of type
    blackhole, unreachable or prohibit matched the packet before a table could, as it stands in
    front of the rule that leads to the table local. The sender hears nothing, unless the stack
    forwards: then it is told of unreachable (code 0) and prohibit (13).""",
    why_template=("a packet from {ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    advice_template="which rules there are, and in which order: smolctl rule show",
    stage="rule",
)  # fmt: skip
IP_REVERSE_PATH = Reason(
    "ip-reverse-path", Kind.DROP, "RFC 3704 2.2", "IP_RPFILTER",
    "a packet whose answer would not go back where it came from",
    """A source address can be forged, so ip.rp_filter has us look which way an answer would take:
    with 1 it must leave by the interface that the packet came in by, with 2 there must be any way.
    Where routes are asymmetric on purpose, 1 drops honest packets; many systems set it. ARP
    requests are tested as well, as in Linux (rp_filter). The sender hears nothing.""",
    why_template=("{ip} came in by {dev}, where no answer to it would leave", ", but by {back}"),
    fix_templates=("smolctl sysctl ip.rp_filter={value}",),
    advice_template="does a route to {ip} leave by {dev}? smolctl route get {ip}",
    stage="route",
)  # fmt: skip
IP_UNICAST_IN_BROADCAST = Reason(
    "ip-unicast-in-broadcast", Kind.DROP, "RFC 1122 3.3.6", "UNICAST_IN_L2_MULTICAST",
    "a packet to one host in a frame to all",
    """The packet is for one address, the frame that carried it went to all stations or to a group.
    The sender lacks our MAC, or it attacks everybody at once. RFC 1122 3.3.6 has a host drop it; as
    Linux, this stack does so only when ip.drop_unicast_in_l2_multicast is set.""",
    why_template=("unicast {ip} in a broadcast or multicast frame",),
    fix_templates=("smolctl sysctl ip.drop_unicast_in_l2_multicast=0",),
)  # fmt: skip
IP_MULTICAST_NOT_JOINED = Reason(
    "ip-multicast-not-joined", Kind.DROP, "RFC 1122 3.3.7", "silent",
    "a packet to a group that nobody here has joined",
    """A multicast address names a group, and a host takes only packets to groups that it has
    joined, on the interface by which they come in. Nobody here has joined this one on this one.
    Such packets are ordinary on a shared link (routers, name services of other systems) and are
    dropped without a word; an ICMP error must not answer them. A datagram that was sent to a group
    by lo ends here, too, unless a member is there.""",
    why_template=("nobody here has joined {ip} on {dev}",),
    fix_templates=(
        "smolctl udp recv --group {ip} --dev {dev} {port}",
        "smolctl maddr add {group} dev {dev}",
    ),
    advice_template="usually harmless: it is for others on the link",
    stage="route",
)  # fmt: skip
IP_MULTICAST_FILTERED = Reason(
    "ip-multicast-filtered", Kind.DROP, "RFC 3376 3.2", "silent",
    "a packet to a group, of a sender that no member wants",
    """Who joins a group may say which senders it wants (source-specific multicast): only some, or
    all but some. All members here together do not want this one. Where routers know of it, such
    packets do not even come to the link; on the sender's own link they do.""",
    why_template=("nobody who joined {ip} on {dev} wants what {source} sends",),
    fix_templates=(
        "smolctl udp recv --group {ip} --source {source} --dev {dev} {port}",
        "smolctl maddr add {group} dev {dev}",
    ),
    stage="route",
)  # fmt: skip
IP_BAD_OPTION = Reason(
    "ip-bad-option", Kind.REJECT, "RFC 1122 3.2.2.5", "IP_INHDR",
    "an IP option that makes no sense",
    """The header has an option whose length or pointer cannot be, or that may be there only once.
    Options that this stack does not know are skipped, but not even that is possible without a right
    length. The sender is told by ICMP "parameter problem", which says at which byte of the header
    it went wrong.""",
    why_template=("option {kind} makes no sense at byte {pointer} of the header",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="options",
)  # fmt: skip
IP_SOURCE_ROUTE = Reason(
    "ip-source-route", Kind.REJECT, "RFC 1122 3.2.1.8", "silent",
    "a packet that says by itself which way it wants to go",
    """The source route option has the sender choose the hops of a packet and, worse, of its answer.
    It was used to get around address filters, so that hosts refuse it today; Linux does too
    (accept_source_route=0), without a word. Here the sender is told by ICMP "source route failed".
    RFC 1122 3.2.1.8 has a host take it, which ip.accept_source_route does.""",
    why_template=("a source route in a packet to {ip} is refused",),
    fix_templates=("smolctl sysctl ip.accept_source_route=1",),
    advice_template="on the sender: send without the option",
    stage="options",
)  # fmt: skip
IP_SOURCE_ROUTE_OPEN = Reason(
    "ip-source-route-open", Kind.REJECT, "RFC 1122 3.3.5", "silent",
    "a packet whose source route goes on behind this stack",
    """The packet is for us, but its source route names further hops: we are to send it on. A host
    need not do that for others (RFC 1122 3.3.5), and this stack does not; source routes that end
    here are taken. The sender is told by ICMP "source route failed".""",
    why_template=(
        "the source route of a packet to {ip} has hops left, and this stack is none of them",
    ),
    advice_template="on the sender: name this stack as the destination, not as a hop",
    stage="options",
)  # fmt: skip
IP_PROTO_UNKNOWN = Reason(
    "ip-proto-unknown", Kind.REJECT, "RFC 1122 3.2.2.1", "IP_NOPROTO",
    "a packet of a protocol that this stack does not speak",
    """The packet is for us and sound, but what it carries is neither UDP (17), ICMP (1) nor IGMP
    (2); 6 would be TCP. The sender is told by ICMP "protocol unreachable" (RFC 1122 3.2.2.1), so
    that it can stop trying: TCP's connect fails with "Protocol not available".""",
    why_template=("protocol {protocol} has no handler (UDP is 17, ICMP is 1)",),
    advice_template="use UDP or ICMP: this stack speaks no other",
)  # fmt: skip
FRAG_PENDING = Reason(
    "frag-pending", Kind.WAIT, "RFC 1122 3.3.2", "silent",
    "a fragment that waits for the others of its datagram",
    """A packet that was too big for a link arrives in pieces, in any order. This one is here,
    others are not yet. It is kept until all are, at most for ip.frag_time_ms from the first one on,
    and then the datagram goes on in one piece. A count that grows by itself is ordinary where big
    datagrams arrive.""",
    why_template=("{have} B of the datagram are here", ", of {need}"),
    advice_template="give it a moment; what is never completed is counted as frag-timeout",
    stage="fragment",
)  # fmt: skip
FRAG_BAD_LENGTH = Reason(
    "frag-bad-length", Kind.DROP, "RFC 791 3.1", "IPFRAG error",
    "a fragment of a length that no fragment can have",
    """A fragment's place is told in units of 8 bytes, so that each but the last has a multiple of 8
    bytes of data, and none has nothing at all. No router cuts packets in another way: this one was
    built by hand, or changed on its way. The others of its datagram are kept.""",
    why_template=("{size} B of data: it must be a multiple of 8 unless it is the last, and not 0",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="fragment",
)  # fmt: skip
FRAG_TOO_BIG = Reason(
    "frag-too-big", Kind.DROP, "RFC 791 3.1", "IPFRAG oversize",
    "fragments of a datagram that would be bigger than any can be",
    """An IPv4 datagram has at most 65,535 bytes with its header. By its place this fragment lies
    beyond that. It is an attack of old, the "ping of death", or a fault of whoever built it. The
    whole datagram is dropped, what comes of it later too; the sender hears nothing.""",
    why_template=("the datagram would have {size} B or more, 65535 are allowed",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="fragment",
)  # fmt: skip
FRAG_DUPLICATE = Reason(
    "frag-duplicate", Kind.DROP, "RFC 791 3.2", "IPFRAG_DUP",
    "a fragment that has come before",
    """The bytes that this fragment brings are here already, and they are the same. A link or a
    router sent it twice. It is not needed, and does no harm: the datagram waits for what is still
    missing.""",
    why_template=("bytes {first} to {last} of the datagram are here already",),
    advice_template="usually harmless: something on the way sends packets twice",
    stage="fragment",
)  # fmt: skip
FRAG_OVERLAP = Reason(
    "frag-overlap", Kind.DROP, "RFC 5722 3", "IPFRAG_OVERLAP",
    "fragments that overlap",
    """Two fragments bring bytes for the same place of the datagram. Honest fragmentation never does
    that, and nobody can tell which of them is right; attackers use it to get past filters that look
    at one and not at the other. RFC 5722 forbids it for IPv6, and what it says holds here as well:
    the whole datagram is dropped, what comes of it later too, and the sender hears nothing.""",
    why_template=(
        "bytes {first} to {last}: {overlap} of them were here already", ", with {how} contents",
    ),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="fragment",
)  # fmt: skip
FRAG_END_CONFLICT = Reason(
    "frag-end-conflict", Kind.DROP, "RFC 5722 3", "IPFRAG error",
    "fragments that disagree on where their datagram ends",
    """The last fragment says how long the datagram is. This one and another disagree on that: there
    are two last ones with different ends, or one that lies beyond the end. Two datagrams that share
    an ident by accident do so too. Nobody can tell what is right, so the whole datagram is dropped,
    what comes of it later too, and the sender hears nothing.""",
    why_template=("it ends at byte {end}, and the others say {reach}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="fragment",
)  # fmt: skip
FRAG_ECN_MIXED = Reason(
    "frag-ecn-mixed", Kind.DROP, "RFC 3168 5.3", "NOT_SPECIFIED",
    "fragments of one datagram that disagree about ECN",
    """A sender that takes part in explicit congestion notification says so in every packet, and a
    router may then mark it instead of dropping it. Here some fragments of one datagram say that
    they take part, and others that they do not. Neither a sender nor a router does that: something
    on the way cleared or set the two bits. The datagram could be neither called marked nor
    unmarked, so all its fragments are dropped, as by Linux.""",
    why_template=("some fragments of the datagram are ECN-capable, and others are not",),
    advice_template="the type of service of each fragment: smolctl capture {dev} -v",
    stage="fragment",
)  # fmt: skip
FRAG_NO_SLOT = Reason(
    "frag-no-slot", Kind.DROP, "RFC 1122 3.3.2", "FRAG_REASM_NOMEM",
    "fragments for which there was no more room",
    """Fragments take memory until their datagram is complete. They may take so much of it
    (ip.frag_high_thresh), for so many datagrams (ip.frag_max_datagrams), and there were more. The
    datagram that had waited longest was dropped to make room, or the fragment itself when it alone
    is too much. Either many big datagrams come at the same time, or fragments that nothing will
    ever complete.""",
    why_template=("no more room for fragments: {limit}",),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="on the sender: keep each datagram within the MTU: smolctl link show dev {dev}",
    stage="fragment",
)  # fmt: skip
FRAG_TIMEOUT = Reason(
    "frag-timeout", Kind.DROP, "RFC 1122 3.3.2", "FRAG_REASM_TIMEOUT",
    "fragments whose datagram did not become complete in time",
    """All fragments of a datagram must arrive within ip.frag_time_ms of the first one. At least one
    did not: it was lost on the way, or a filter drops fragments, of which only the first has ports
    that it could look at. What was here is dropped. If the first fragment is among it, the sender
    is told by ICMP "time exceeded", code 1.""",
    why_template=(
        "{have} B of the datagram came within {seconds:g} s",
        ", {need} are needed",
        "; missing: {missing}",
    ),
    advice_template="a fragment was lost on its way; on the sender: keep each datagram within"
    " the MTU",
    stage="fragment",
)  # fmt: skip
