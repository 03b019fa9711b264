"""Reasons of IPv4 that comes in."""

from smolctl.stack.reason.model import Kind, Reason

IP_HEADER_SHORT = Reason(
    "ip-header-short", Kind.DROP, "RFC 791 3.1", "IP_INHDR",
    "a packet that is shorter than an IPv4 header",
    """An IPv4 header has at least 20 bytes. This packet is shorter, so source and destination are
    not complete. It is dropped silently: nobody could be told.""",
    why_template=("{size} B, an IPv4 header needs 20",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_VERSION = Reason(
    "ip-bad-version", Kind.DROP, "RFC 1122 3.2.1.1", "IP_INHDR",
    "a packet of another IP version under IPv4's ethertype",
    """The first four bits of a packet are its IP version. The frame said IPv4 (ethertype 0x0800),
    and the packet says something else. RFC 1122 3.2.1.1 has a host drop it silently. IPv6 has its
    own ethertype, so this packet was built or tunnelled wrongly.""",
    why_template=("version {v}, not 4",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_IHL = Reason(
    "ip-bad-ihl", Kind.DROP, "RFC 791 3.1", "IP_INHDR",
    "an IPv4 header length that is impossible",
    """The header length counts words of 4 bytes. It is at least 5, and the packet must be that
    long. This one is impossible, so nobody can tell where the payload begins. The packet is dropped
    silently.""",
    why_template=("header length {ihl}*4 B: {cause}",),
    causes={
        "short": "a header has 20 B or more",
        "long": "the packet has only {size} B",
    },
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_CHECKSUM = Reason(
    "ip-bad-checksum", Kind.DROP, "RFC 1122 3.2.1.2", "IP_CSUM",
    "an IPv4 header checksum that is wrong",
    """The checksum covers the header. It is wrong, so a field of the header, perhaps an address, is
    not what was sent. RFC 1122 3.2.1.2 has a host drop the packet silently. If all packets from one
    host are wrong, its network card was to fill in the checksum (offload), and the packets were
    taken before it did.""",
    why_template=("header checksum {got:#06x}, want {want:#06x}",),
    advice_template="when all from one host are wrong, switch its offload off; on it: ethtool"
    " -K DEV tx off",
)  # fmt: skip
IP_LENGTH_MISMATCH = Reason(
    "ip-length-mismatch", Kind.DROP, "RFC 791 3.1", "PKT_TOO_SMALL",
    "an IPv4 length that does not fit the packet",
    """The total length counts the bytes of header and payload. Either fewer bytes arrived, or the
    length is smaller than the header itself. In the first case the packet was cut off: by a link
    whose MTU is smaller than both sides believe, by a capture with a snap length, or by the program
    that built it. More bytes than the length says are fine, because short frames are padded.""",
    why_template=("{cause}",),
    causes={
        "cut": "the header says {a} B, and {b} B arrived",
        "header": "the header has {header} B itself, and says that the whole packet has {a} B",
    },
    advice_template="compare the MTU of both ends of {dev}: smolctl link show dev {dev}",
)  # fmt: skip
IP_SRC_INVALID = Reason(
    "ip-src-invalid", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INVALID_SOURCE",
    "a source address that no host can have",
    """A source address must belong to one host, so that it can be answered. A multicast or
    broadcast address or 0.0.0.0 does not. RFC 1122 3.2.1.3 has a host drop such packets silently,
    because an answer would go to everybody. Only a host that has no address yet may send from
    0.0.0.0, to ask for one by broadcast.""",
    why_template=("source {ip} {cause}",),
    causes={
        "broadcast": "is the broadcast address of {owner}",
        "everybody": "is everybody on the link",
        "multicast": "is a multicast address",
        "zero": "is no address: a host that has none may only ask for one by broadcast",
        "zeronet": "is in 0.0.0.0/8, which no host has",
    },
    advice_template="on the sender: give it an address of its own; its MAC: smolctl capture"
    " {dev} -v",
)  # fmt: skip
IP_SRC_IS_OURS = Reason(
    "ip-src-is-ours", Kind.DROP, "RFC 1122 3.2.1.3", "IP_LOCAL_SOURCE",
    "a packet from the wire with our own address as its source",
    """A packet came in from the wire with one of our own addresses as its source. We did not send
    it: another host has the same address, somebody forges it, or the link has a loop. Linux calls
    it a martian source. It is dropped, because an answer would go to ourselves. Only if we sent it
    on purpose by another link of ours is ip.accept_local=1 right.""",
    why_template=("source {ip} is ours, yet it came in by {dev}",),
    fix_templates=("smolctl sysctl {knob}=1",),
    advice_template="who else has it: smolctl arping -D -I {dev} {ip}",
)  # fmt: skip
IP_LOOPBACK_ON_WIRE = Reason(
    "ip-loopback-on-wire", Kind.DROP, "RFC 1122 3.2.1.3(g)", "IP_LOCALNET",
    "a packet from the wire with a loopback address",
    """A host uses 127.0.0.0/8 to talk to itself, and such addresses must not appear outside a host
    (RFC 1122 3.2.1.3 (g)). If it is the source, the sender's socket is bound to 127.0.0.1 while it
    sends to another host. If it is the destination, the sender's routes lead 127/8 out. The packet
    is dropped silently, unless ip.route_localnet is set for the link.""",
    why_template=("{cause} {ip} is a loopback address, and came in by {dev}",),
    causes={"source": "source", "destination": "destination"},
    fix_templates=("smolctl sysctl {knob}=1",),
    cause_advice={
        "destination": "on the sender: look at its route to 127.0.0.0/8: ip route get {ip}",
    },
    advice_template="on the sender: bind the socket to its own address or to 0.0.0.0, not to"
    " loopback",
)  # fmt: skip
IP_DST_INVALID = Reason(
    "ip-dst-invalid", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INVALID_DEST",
    "a packet to an address that no packet may be sent to",
    """0.0.0.0 means "this host" and is never a destination (RFC 1122 3.2.1.3). Most likely the
    sender never filled the address in. The packet is dropped silently.""",
    why_template=("destination {ip} {cause}",),
    causes={
        "zero": "is no address: it was never filled in",
        "zeronet": "is in 0.0.0.0/8, which no host has",
    },
    advice_template="on the sender: look where the destination came from; it was never filled in",
    stage="route",
)  # fmt: skip
IP_DST_NOT_OURS = Reason(
    "ip-dst-not-ours", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INADDRERRORS",
    "a packet to an address that this stack does not have",
    """The frame had our MAC, but the packet is for an address that is not ours. A host takes only
    packets for its own addresses (RFC 1122 3.2.1.3), and this stack forwards packets only with
    ip.forward=1. Either the address was never added here, or the sender uses this stack as its
    gateway. The sender hears nothing.""",
    why_template=("{ip} is no address of this stack", " ({dev} has {networks})"),
    fix_templates=("smolctl sysctl ip.forward={router}", "smolctl addr add {ip}/{plen} dev {dev}"),
    advice_template="on the sender: this stack is no gateway; take it out of the routes",
    stage="route",
)  # fmt: skip
IP_DST_TENTATIVE = Reason(
    "ip-dst-tentative", Kind.DROP, "RFC 5227 2.1", "IP_INADDRERRORS",
    "a packet to an address that is still being tested",
    """The destination was added here a moment ago and is still being tested. With arp.dad or "addr
    add ... dad", a stack first asks the link for some seconds whether another host has the address,
    and uses it if nobody answers (RFC 5227). Until then it is not ours. The sender already knows
    our MAC, from before or from a static entry, and hears nothing.""",
    why_template=("{ip} of {dev} {state}, so packets to it are dropped",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
    advice_template="wait some seconds: smolctl addr show {dev}",
    stage="route",
)  # fmt: skip
IP_DST_OTHER_IFACE = Reason(
    "ip-dst-other-iface", Kind.DROP, "RFC 1122 3.3.4.2", "silent",
    "a packet to an address that another interface has",
    """The destination is ours, but it belongs to another interface than the one that the packet
    came in by. RFC 1122 3.3.4.2 allows two models. In the weak model, which Linux follows, an
    address belongs to the host and is answered on every link; in the strong model (ip.strong_host)
    it belongs to its interface. The sender hears nothing.""",
    why_template=("{ip} belongs to {home}, the packet came in by {dev}",),
    fix_templates=("smolctl sysctl ip.strong_host=0",),
    stage="route",
)  # fmt: skip
IP_RULE_REFUSED = Reason(
    "ip-rule-refused", Kind.DROP, "RFC 1122 3.3.1", "IP_INADDRERRORS",
    "a packet that a rule refuses before any table is looked into",
    """Rules choose the routing table that says whether a packet is for this stack. A rule of type
    blackhole, unreachable or prohibit comes before the rule that looks into the table local, and it
    matched this packet. The sender hears nothing, unless this stack forwards packets: then
    unreachable is answered by ICMP code 0 and prohibit by code 13.""",
    why_template=("a packet from {ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    advice_template="which rules there are, and in which order: smolctl rule show",
    stage="rule",
)  # fmt: skip
IP_REVERSE_PATH = Reason(
    "ip-reverse-path", Kind.DROP, "RFC 3704 2.2", "IP_RPFILTER",
    "a packet whose answer would not go back the way it came",
    """A source address can be forged, so ip.rp_filter checks which way an answer would take. With 1
    it must leave by the interface that the packet came in by; with 2 there must be some way. If
    routes are asymmetric on purpose, 1 drops honest packets, and many systems set it. ARP requests
    are checked as well, as in Linux (rp_filter). The sender hears nothing.""",
    why_template=("{ip} came in by {dev}, {cause}",),
    causes={
        "elsewhere": "and an answer would leave by {back} (ip.rp_filter is 1)",
        "none": "and no route leads back to it",
        "unaddressed": "which has no address, and an answer would leave by {back}",
    },
    fix_templates=("smolctl sysctl ip.rp_filter={value}",),
    advice_template="does a route to {ip} leave by {dev}? smolctl route get {ip!z}",
    stage="route",
)  # fmt: skip
IP_UNICAST_IN_BROADCAST = Reason(
    "ip-unicast-in-broadcast", Kind.DROP, "RFC 1122 3.3.6", "UNICAST_IN_L2_MULTICAST",
    "a packet to one host in a frame to all",
    """The packet is for one host, but its frame went to all stations or to a group. The sender does
    not know our MAC, or it attacks everybody at once. RFC 1122 3.3.6 has a host drop it. Like
    Linux, this stack does so only with ip.drop_unicast_in_l2_multicast=1.""",
    why_template=("{ip} is one host, and the frame went to {cause}",),
    causes={"broadcast": "all stations", "multicast": "a group of stations"},
    fix_templates=("smolctl sysctl ip.drop_unicast_in_l2_multicast=0",),
)  # fmt: skip
IP_MULTICAST_NOT_JOINED = Reason(
    "ip-multicast-not-joined", Kind.DROP, "RFC 1122 3.3.7", "silent",
    "a packet to a group that nobody here has joined",
    """A multicast address names a group. A host takes only packets to groups that it has joined, on
    the interface that they come in by, and nothing here has joined this group on this interface.
    Such packets are normal on a shared link (from routers or name services of other systems). They
    are dropped silently, and an ICMP error must not answer them. A datagram that was sent to a
    group by lo also ends here, unless a member is there.""",
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
    "a packet to a group, from a sender that no member wants",
    """A member of a group may choose its senders (source-specific multicast): only some, or all but
    some. No member here wants this sender. Routers that know of it keep such packets from the link,
    but on the sender's own link they arrive.""",
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
    """The header has an option with an impossible length or pointer, or one that may be there only
    once is there twice. A stack skips options that it does not know, but for that it needs a right
    length. The sender is told by ICMP "parameter problem", which points at the byte that is
    wrong.""",
    why_template=("option {kind}: {cause} at byte {pointer} of the header",),
    causes={
        "length": "an impossible length",
        "pointer": "an impossible pointer",
        "overflow": "a timestamp counter that can count no further",
        "twice": "it is there a second time",
    },
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="options",
)  # fmt: skip
IP_SOURCE_ROUTE = Reason(
    "ip-source-route", Kind.REJECT, "RFC 1122 3.2.1.8", "silent",
    "a packet that chooses its own hops",
    """With the source route option the sender chooses the hops of a packet and, worse, of its
    answer. It was used to get around address filters, so hosts refuse it today. Linux refuses it
    silently (accept_source_route=0); here the sender is told by ICMP "source route failed". RFC
    1122 3.2.1.8 has a host accept it, and ip.accept_source_route=1 does.""",
    why_template=("a source route in a packet to {ip} is refused",),
    fix_templates=("smolctl sysctl ip.accept_source_route=1",),
    advice_template="on the sender: send without the option",
    stage="options",
)  # fmt: skip
IP_SOURCE_ROUTE_OPEN = Reason(
    "ip-source-route-open", Kind.REJECT, "RFC 1122 3.3.5", "silent",
    "a packet whose source route goes on beyond this stack",
    """The packet is for us, but its source route names more hops, so we would have to send it on. A
    host need not do that (RFC 1122 3.3.5), and this stack does not. A source route that ends here
    is accepted. The sender is told by ICMP "source route failed".""",
    why_template=(
        "the source route of a packet to {ip} has hops left, and this stack is none of them",
    ),
    advice_template="on the sender: name this stack as the destination, not as a hop",
    stage="options",
)  # fmt: skip
IP_PROTO_UNKNOWN = Reason(
    "ip-proto-unknown", Kind.REJECT, "RFC 1122 3.2.2.1", "IP_NOPROTO",
    "a packet of a protocol that this stack does not speak",
    """The packet is for us and sound, but this stack takes only TCP (6), UDP (17), ICMP (1) and
    IGMP (2). The sender is told by ICMP "protocol unreachable" (RFC 1122 3.2.2.1), so it can stop
    trying. An SCTP connect, for example, fails with "Protocol not available".""",
    why_template=(
        "protocol {protocol} is {name}; this stack takes TCP (6), UDP (17), ICMP (1)"
        " and IGMP (2)",
    ),
    advice_template="use TCP, UDP or ICMP: this stack speaks no other",
)  # fmt: skip
FRAG_PENDING = Reason(
    "frag-pending", Kind.WAIT, "RFC 1122 3.3.2", "silent",
    "a fragment that waits for the others of its datagram",
    """A packet that was too big for a link arrives in fragments, in any order. This fragment is
    here, and others are not yet. It is kept for at most ip.frag_time_ms after the first one, and
    the datagram goes on when it is complete. If big datagrams arrive, this count grows, and that is
    normal.""",
    why_template=("{have} B of the datagram are here", ", of {need}"),
    advice_template="give it a moment; what is never completed is counted as frag-timeout",
    stage="fragment",
)  # fmt: skip
FRAG_BAD_LENGTH = Reason(
    "frag-bad-length", Kind.DROP, "RFC 791 3.1", "IPFRAG error",
    "a fragment of a length that no fragment can have",
    """A fragment's place counts units of 8 bytes. So every fragment but the last has a multiple of
    8 bytes of data, and none is empty. No router cuts packets in another way: this one was built by
    hand, or changed on its way. The other fragments of its datagram are kept.""",
    why_template=("{cause}",),
    causes={
        "empty": "the fragment has no data",
        "uneven": "{size} B of data is no multiple of 8, and it is not the last fragment",
    },
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="fragment",
)  # fmt: skip
FRAG_TOO_BIG = Reason(
    "frag-too-big", Kind.DROP, "RFC 791 3.1", "IPFRAG oversize",
    "fragments of a datagram that would be too big",
    """An IPv4 datagram has at most 65,535 bytes with its header, and this fragment lies beyond
    that. It is an old attack, the "ping of death", or a mistake of the program that built it. The
    whole datagram is dropped, with its later fragments. The sender hears nothing.""",
    why_template=("the datagram would have {size} B or more, 65535 are allowed",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="fragment",
)  # fmt: skip
FRAG_DUPLICATE = Reason(
    "frag-duplicate", Kind.DROP, "RFC 791 3.2", "IPFRAG_DUP",
    "a fragment that came before",
    """The bytes of this fragment are already here, and they are the same. A link or a router sent
    it twice. It is not needed and does no harm: the datagram waits for what is still missing.""",
    why_template=("bytes {first} to {last} of the datagram are here already",),
    advice_template="usually harmless: something on the way sends packets twice",
    stage="fragment",
)  # fmt: skip
FRAG_OVERLAP = Reason(
    "frag-overlap", Kind.DROP, "RFC 5722 3", "IPFRAG_OVERLAP",
    "fragments that overlap",
    """Two fragments bring bytes for the same place of the datagram. Honest fragmentation never does
    that, and nobody can tell which fragment is right. Attackers use it to get past filters that
    look at only one of them. RFC 5722 forbids it for IPv6, and its rule is used here as well: the
    whole datagram is dropped, with its later fragments, and the sender hears nothing.""",
    why_template=(
        "bytes {first} to {last}: {overlap} of them were here already", ", with {how} contents",
    ),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
    stage="fragment",
)  # fmt: skip
FRAG_END_CONFLICT = Reason(
    "frag-end-conflict", Kind.DROP, "RFC 5722 3", "IPFRAG error",
    "fragments that disagree on where their datagram ends",
    """The last fragment says how long the datagram is, and this fragment disagrees: it is a second
    last one with another end, or it lies beyond the end. Two datagrams that share an ident by
    accident look the same. Nobody can tell which is right, so the whole datagram is dropped, with
    its later fragments, and the sender hears nothing.""",
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
    """Fragments take memory until their datagram is complete. The memory (ip.frag_high_thresh) and
    the number of datagrams (ip.frag_max_datagrams) are limited, and the limit was reached. The
    datagram that had waited longest was dropped to make room, or the fragment itself if it alone is
    too big. Either many big datagrams come at the same time, or fragments that nothing will ever
    complete.""",
    why_template=("no more room for fragments: {limit}",),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="on the sender: keep each datagram within the MTU: smolctl link show dev {dev}",
    stage="fragment",
)  # fmt: skip
FRAG_TIMEOUT = Reason(
    "frag-timeout", Kind.DROP, "RFC 1122 3.3.2", "FRAG_REASM_TIMEOUT",
    "fragments whose datagram did not become complete in time",
    """All fragments of a datagram must arrive within ip.frag_time_ms of the first one. At least one
    did not: it was lost on the way, or a filter dropped it because only the first fragment has
    ports. The fragments that did arrive are dropped. If the first one is among them, the sender is
    told by ICMP "time exceeded", code 1.""",
    why_template=(
        "{have} B of the datagram came within {seconds:g} s",
        ", {need} are needed",
        "; missing: {missing}",
    ),
    advice_template="a fragment was lost on its way; on the sender: keep each datagram within"
    " the MTU",
    stage="fragment",
)  # fmt: skip
