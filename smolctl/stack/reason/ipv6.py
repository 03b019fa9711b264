"""Reasons of IPv6 that comes in: its header, its extension headers, and its fragments."""

from smolctl.stack.reason.model import Kind, Reason

_BYTES = "the bytes and their sender: smolctl capture {dev} -v"

IP6_DISABLED = Reason(
    "ip6-disabled", Kind.DROP, "policy", "IPV6DISABLED",
    "an IPv6 packet, and its link does without IPv6",
    """Somebody set ip6.disable=1, or the link takes no packets of 1280 bytes, which IPv6 needs
    (RFC 8200 5). Then the link has no IPv6 address and takes no IPv6 packet. Nodes that use IPv6
    send to groups of the link all the time, so such packets are usual. They are dropped
    silently.""",
    why_template=("{cause}",),
    causes={
        "sysctl": "ip6.disable is on for {dev}",
        "mtu": "the mtu of {dev} is {mtu}, IPv6 needs 1280",
    },
    fix_templates=("smolctl sysctl ip6.disable=0", "smolctl link set {dev} mtu {needed}"),
    advice_template="usually harmless; to use IPv6: smolctl sysctl ip6.disable=0",
    cause_advice={"mtu": "to use IPv6: smolctl link set {dev} mtu 1280"},
)  # fmt: skip
IP6_HEADER_SHORT = Reason(
    "ip6-header-short", Kind.DROP, "RFC 8200 3", "IP_INHDR",
    "a packet that is shorter than an IPv6 header",
    """An IPv6 header has 40 bytes. This packet is shorter, so source and destination are not
    complete. It is dropped silently: nobody could be told.""",
    why_template=("{number} B, an IPv6 header needs 40",),
    advice_template=_BYTES,
)  # fmt: skip
IP6_BAD_VERSION = Reason(
    "ip6-bad-version", Kind.DROP, "RFC 8200 3", "UNHANDLED_PROTO",
    "a packet of another IP version under IPv6's ethertype",
    """The first four bits of a packet are its IP version. The frame said IPv6 (ethertype 0x86dd),
    and the packet says something else. IPv4 has its own ethertype, so this packet was built or
    tunnelled wrongly. It is dropped silently.""",
    why_template=("version {v}, not 6",),
    advice_template=_BYTES,
)  # fmt: skip
IP6_LENGTH_MISMATCH = Reason(
    "ip6-length-mismatch", Kind.DROP, "RFC 8200 3", "PKT_TOO_SMALL",
    "an IPv6 payload that is shorter than its length says",
    """The payload length counts the bytes behind the header, and fewer arrived. The packet was cut
    off: by a link whose MTU is smaller than both sides believe, by a capture with a snap length, or
    by the program that built it. More bytes than the length says are fine, because short frames are
    padded.""",
    why_template=("the header says {a} B of payload, and {b} B arrived",),
    advice_template="compare the MTU of both ends of {dev}: smolctl link show dev {dev}",
)  # fmt: skip
IP6_SRC_MULTICAST = Reason(
    "ip6-src-multicast", Kind.DROP, "RFC 4291 2.7", "IP_INHDR",
    "a packet whose source is a group",
    """A multicast address must not be the source of a packet (RFC 4291 2.7): an answer would go to
    everybody in the group. Such a packet was forged, or its sender is broken. It is dropped
    silently.""",
    why_template=("source {ip} is a group",),
    advice_template="on the sender: give it an address of its own; its MAC: smolctl capture"
    " {dev} -v",
)  # fmt: skip
IP6_LOOPBACK_ON_WIRE = Reason(
    "ip6-loopback-on-wire", Kind.DROP, "RFC 4291 2.5.3", "IP_INHDR",
    "a packet from the wire with the loopback address",
    """A node uses ::1 to talk to itself. Such a packet must not leave a node, and one that comes in
    by a wire must be dropped (RFC 4291 2.5.3). Either the sender's socket is bound to ::1 while it
    sends to another node, or somebody tries to reach what listens on ::1 alone.""",
    why_template=("{cause} {ip} is the loopback address, and came in by {dev}",),
    causes={"source": "source", "destination": "destination"},
    advice_template="on the sender: bind the socket to its own address or to ::, not to ::1",
)  # fmt: skip
IP6_SRC_UNSPECIFIED = Reason(
    "ip6-src-unspecified", Kind.DROP, "RFC 4291 2.5.2", "answered",
    "a packet from ::, which is no address",
    """The source :: says that the sender has no address yet. It is right only while the sender
    tests an address (neighbor solicitation), asks for routers, or reports its groups. An answer to
    anything else could not be sent. Linux takes the packet, and its answer finds no way.""",
    why_template=("from :: to {ip}, and it is neither neighbor discovery nor listener discovery",),
    advice_template="on the sender: give it an address; its MAC: smolctl capture {dev} -v",
)  # fmt: skip
IP6_SRC_IS_OURS = Reason(
    "ip6-src-is-ours", Kind.DROP, "policy", "answered",
    "a packet from the wire with our own address as its source",
    """A packet came in from the wire with one of our own addresses as its source. We did not send
    it: another node has the same address, somebody forges it, or the link has a loop. An answer
    would go to ourselves, so it is dropped. Linux drops the same of IPv4 only.""",
    why_template=("source {ip} is ours, yet it came in by {dev}",),
    advice_template="who else has it: smolctl capture {dev} -v",
)  # fmt: skip
IP6_MAPPED_ON_WIRE = Reason(
    "ip6-mapped-on-wire", Kind.DROP, "RFC 4038 4.2", "IP_INHDR, IP_INADDRERRORS",
    "a packet from the wire with an IPv4 address in IPv6 form",
    """Programs write IPv4 addresses as ::ffff:10.0.0.1, so that one socket serves both families.
    Such an address belongs into programs, not into packets. In a packet it would pass for an IPv4
    peer, and get around address filters. It is dropped silently, as by Linux.""",
    why_template=("{cause} {ip} stands for an IPv4 address",),
    causes={"source": "source", "destination": "destination"},
    advice_template="on the sender: it should send this packet by IPv4",
)  # fmt: skip
IP6_DST_INVALID = Reason(
    "ip6-dst-invalid", Kind.DROP, "RFC 4291 2.5.2", "IP_INADDRERRORS",
    "a packet to ::, which is no address",
    """The address :: says that there is none, and must not be a destination (RFC 4291 2.5.2). Most
    likely the sender never filled the address in. The packet is dropped silently.""",
    why_template=("the destination is ::, which was never filled in",),
    advice_template="on the sender: look where the destination came from; it was never filled in",
    stage="route",
)  # fmt: skip
IP6_DST_NOT_OURS = Reason(
    "ip6-dst-not-ours", Kind.DROP, "RFC 4291 2.8", "IP_INADDRERRORS",
    "a packet to an IPv6 address that this stack does not have",
    """The frame had our MAC, but the packet is for an address that is not ours. A host takes only
    packets for its own addresses, and this stack forwards IPv6 packets only with ip6.forward=1.
    Either the address was never added here, or the sender uses this stack as its gateway. A
    link-local address is ours on its own link alone. The sender hears nothing, unless this stack
    has no route to the address, or one that refuses: then, as from Linux, it gets an ICMPv6
    error.""",
    why_template=("{ip} is no address of this stack on {dev}", " ({dev} has {networks})"),
    fix_templates=("smolctl sysctl ip6.forward={router}", "smolctl addr add {ip}/{plen} dev {dev}"),
    advice_template="on the sender: this stack is no gateway; take it out of the routes",
    stage="route",
)  # fmt: skip
IP6_DST_TENTATIVE = Reason(
    "ip6-dst-tentative", Kind.DROP, "RFC 4862 5.4", "IP_INADDRERRORS",
    "a packet to an IPv6 address that is still being tested",
    """A new IPv6 address is tested for about a second, and is used if nobody else on the link has
    it. Until then it is not ours, and packets to it are dropped (RFC 4862 5.4). The sender hears
    nothing and should send again.""",
    why_template=("{ip} of {dev} is being tested for a conflict",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
    advice_template="wait a second: smolctl addr show {dev}",
    stage="route",
)  # fmt: skip
IP6_ANYCAST_HOST = Reason(
    "ip6-anycast-host", Kind.DROP, "RFC 4291 2.6.1", "IP_INADDRERRORS",
    "a packet to all routers of a network, and this is none",
    """The address of a network without host bits is that of its routers: a packet to it goes to the
    nearest one (subnet-router anycast). This stack is in the network and is no router
    (ip6.forward=0), so the packet is for another node. The sender hears nothing.""",
    why_template=("{ip} is for the routers of a network of {dev}, and ip6.forward is off",),
    fix_templates=("smolctl sysctl ip6.forward=1",),
    advice_template="on the sender: it wants a router, and this stack is none",
    stage="route",
)  # fmt: skip
IP6_RULE_REFUSED = Reason(
    "ip6-rule-refused", Kind.DROP, "policy", "IP_INADDRERRORS",
    "an IPv6 packet that a rule refuses before any table is asked",
    """Rules choose the routing table that says whether a packet is for this stack. A rule of type
    blackhole, unreachable or prohibit comes before the rule that looks into the table local, and it
    matched this packet. The sender hears nothing, unless this stack forwards packets.""",
    why_template=("a packet from {ip} matches the rule {priority}: {rule}",),
    fix_templates=("smolctl rule del priority {priority} {rule}",),
    advice_template="which rules there are, and in which order: smolctl rule show",
    stage="rule",
)  # fmt: skip
IP6_MULTICAST_NOT_JOINED = Reason(
    "ip6-multicast-not-joined", Kind.DROP, "RFC 4291 2.8", "NOT_SPECIFIED",
    "a packet to an IPv6 group that nobody here has joined",
    """A node takes only packets to groups that it has joined on the interface that they come in by,
    and nothing here has joined this group on this interface. Such packets are normal on a shared
    link: neighbor solicitations for others, routers' and name services' groups. They are dropped
    silently, and an ICMPv6 error must not answer them.""",
    why_template=("nobody here has joined {ip} on {dev}",),
    fix_templates=(
        "smolctl udp recv --group {ip} --dev {dev} {port}",
        "smolctl maddr add {group} dev {dev}",
    ),
    advice_template="usually harmless: it is for others on the link",
    stage="route",
)  # fmt: skip
IP6_MULTICAST_FILTERED = Reason(
    "ip6-multicast-filtered", Kind.DROP, "RFC 3810 4.2", "silent",
    "a packet to a group, from a sender that no member wants",
    """A member of a group may choose its senders (source-specific multicast): only some, or all but
    some. No member here wants this sender. Routers that know of it keep such packets from the link,
    but on the sender's own link they arrive.""",
    why_template=("nobody who joined {ip} on {dev} wants what {source} sends",),
    fix_templates=("smolctl udp recv --group {ip} --source {source} --dev {dev} {port}",),
    advice_template="to hear everybody: smolctl maddr add {ip} dev {dev}",
    stage="route",
)  # fmt: skip
IP6_MULTICAST_SCOPE = Reason(
    "ip6-multicast-scope", Kind.DROP, "RFC 4291 2.7", "IP_INHDR",
    "a packet from the wire to a group that is on no wire",
    """Four bits of a group's address say how far its packets reach. Scope 1 is the interface
    itself, so such packets never leave a node; scope 0 is reserved, and what has it must be dropped
    (RFC 4291 2.7). The sender's address of the group is wrong.""",
    why_template=("{ip} has scope {scope}, which is on no wire",),
    advice_template="on the sender: for the link the group is to begin with ff02:",
)  # fmt: skip
IP6_UNICAST_IN_MULTICAST = Reason(
    "ip6-unicast-in-multicast", Kind.DROP, "policy", "UNICAST_IN_L2_MULTICAST",
    "an IPv6 packet to one node in a frame to a group",
    """The packet is for one node, but its frame went to all stations or to a group. The sender does
    not know our MAC, or it attacks everybody at once. Like Linux, this stack drops such packets
    only with ip6.drop_unicast_in_l2_multicast=1.""",
    why_template=("{ip} is one node, and the frame went to {cause}",),
    causes={"broadcast": "all stations", "multicast": "a group of stations"},
    fix_templates=("smolctl sysctl ip6.drop_unicast_in_l2_multicast=0",),
)  # fmt: skip
IP6_PROTO_UNKNOWN = Reason(
    "ip6-proto-unknown", Kind.REJECT, "RFC 8200 4", "IP_NOPROTO",
    "an IPv6 packet of a protocol that this stack does not speak",
    """The packet is for us and sound, but no protocol here takes what follows its headers. The
    sender is told by ICMPv6 "parameter problem" with code 1, unrecognized next header, which points
    at the field that names it (RFC 8200 4).""",
    why_template=("next header {protocol} is nothing that this stack takes",),
    advice_template="on the sender: this stack takes TCP (6), UDP (17) and ICMPv6 (58)",
)  # fmt: skip
IP6_NO_NEXT_HEADER = Reason(
    "ip6-no-next-header", Kind.DROP, "RFC 8200 4.7", "NOT_SPECIFIED",
    "an IPv6 packet with nothing inside",
    """The next header 59 says that nothing follows, and bytes behind it are ignored (RFC 8200 4.7).
    There is nobody to deliver it to. Routers and test tools send such packets on purpose.""",
    why_template=("next header 59: nothing is inside",),
    advice_template="harmless; its sender: smolctl capture {dev} -v",
)  # fmt: skip
IP6_HOP_BY_HOP_LATE = Reason(
    "ip6-hop-by-hop-late", Kind.REJECT, "RFC 8200 4.1", "IP_NOPROTO",
    "hop-by-hop options that are not behind the IPv6 header",
    """Hop-by-hop options may only follow the IPv6 header itself (RFC 8200 4.1), so that routers
    find them at once. Here another extension header stands before them. The sender is told by
    ICMPv6 "parameter problem" with code 1.""",
    why_template=("hop-by-hop options behind {number:other header}",),
    advice_template="on the sender: put them right behind the IPv6 header",
    stage="options",
)  # fmt: skip
IP6_OPTION_SKIP_NOT = Reason(
    "ip6-option-skip-not", Kind.DROP, "RFC 8200 4.2", "UNHANDLED_PROTO",
    "an unknown option, of which nobody is to be told",
    """The two highest bits of an option's type say what a node does that does not know it. Here
    they are 01: drop the packet silently (RFC 8200 4.2). No such option is known here.""",
    why_template=("option {number} is unknown, and says that the packet is to be dropped",),
    advice_template=_BYTES,
    stage="options",
)  # fmt: skip
IP6_OPTION_UNKNOWN = Reason(
    "ip6-option-unknown", Kind.REJECT, "RFC 8200 4.2", "UNHANDLED_PROTO",
    "an unknown option, of which the sender is to be told",
    """The two highest bits of an option's type say what a node does that does not know it. Here
    they are 10 or 11: drop the packet, and tell the sender by ICMPv6 "parameter problem" with code
    2; with 11 not when the packet went to a group (RFC 8200 4.2).""",
    why_template=("option {number} is unknown, and says that its sender is to be told",),
    advice_template="on the sender: send without this option",
    stage="options",
)  # fmt: skip
IP6_OPTION_OVERRUN = Reason(
    "ip6-option-overrun", Kind.DROP, "RFC 8200 4.2", "IP_INHDR",
    "an option that is longer than the header it is in",
    """Each option says its length, and this one goes beyond the end of its header, or has a length
    that its kind cannot have. Nobody can tell what follows it. The packet is dropped silently, as
    by Linux.""",
    why_template=("{what}",),
    advice_template=_BYTES,
    stage="options",
)  # fmt: skip
IP6_OPTION_LIMIT = Reason(
    "ip6-option-limit", Kind.DROP, "RFC 8504 5.3", "IP_INHDR",
    "more options or headers than this stack looks at",
    """Options and extension headers cost work, and a packet could have hundreds of them. So a node
    may limit them (RFC 8504 5.3). This stack looks at ip6.max_hbh_opts and ip6.max_dst_opts of
    them, as Linux does by default, and at 16 extension headers. The packet is dropped silently.""",
    why_template=("more than {number} {what}",),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="on the sender: send with fewer of them",
    stage="options",
)  # fmt: skip
IP6_PADDING = Reason(
    "ip6-padding", Kind.DROP, "RFC 8504 5.3", "IP_INHDR",
    "padding between options that is too long or not zero",
    """Padding aligns options to 8 bytes, so more than 7 bytes of it are of no use, and all of it is
    zero. Anything else may carry data past a filter. The packet is dropped silently, as by
    Linux.""",
    why_template=("{number} B of padding: {what}",),
    advice_template=_BYTES,
    stage="options",
)  # fmt: skip
IP6_EXTHDR_TRUNCATED = Reason(
    "ip6-exthdr-truncated", Kind.DROP, "RFC 8200 4", "NOT_SPECIFIED",
    "an extension header that ends behind the packet",
    """An extension header says its length, and the packet ends before it does. What it was to carry
    is not there. The packet is dropped silently, as by Linux.""",
    why_template=("{number} B are left for an extension header that needs more",),
    advice_template=_BYTES,
    stage="options",
)  # fmt: skip
IP6_ROUTING_TYPE = Reason(
    "ip6-routing-type", Kind.REJECT, "RFC 8200 4.4", "NOT_SPECIFIED",
    "a routing header with hops left, of a type that is not known",
    """A routing header names hops that a packet is to visit. Type 0 was used to send packets back
    and forth and is forbidden (RFC 5095), and this stack takes part in no other. While no hop is
    left, the header is skipped. The sender is told by ICMPv6 "parameter problem" with code 0.""",
    why_template=("a routing header of type {number} with hops left",),
    advice_template="on the sender: send without a routing header",
    stage="options",
)  # fmt: skip
IP6_JUMBO = Reason(
    "ip6-jumbo", Kind.REJECT, "RFC 2675 3", "IP_INHDR",
    "a packet of more than 65535 bytes, or one that says so",
    """The option for jumbo packets replaces the payload length, which is 0 then. No link here takes
    so many bytes, and both lengths in one packet contradict each other. The sender is told by
    ICMPv6 "parameter problem" with code 0.""",
    why_template=("a jumbo payload of {number} B",),
    advice_template="on the sender: send at most 65535 B in a packet",
    stage="options",
)  # fmt: skip

# --- fragments ------------------------------------------------------------------------------------

FRAG6_BAD_LENGTH = Reason(
    "frag6-bad-length", Kind.REJECT, "RFC 8200 4.5", "NOT_SPECIFIED",
    "a fragment with an impossible length",
    """The place of a fragment counts units of 8 bytes, so every fragment but the last has a
    multiple of 8. This one does not, or it has no data at all, so it could not be put together with
    others. The sender is told by ICMPv6 "parameter problem" with code 0.""",
    why_template=("a fragment of {number} B",),
    advice_template=_BYTES,
    stage="fragment",
)  # fmt: skip
FRAG6_TOO_BIG = Reason(
    "frag6-too-big", Kind.REJECT, "RFC 8200 4.5", "NOT_SPECIFIED",
    "a fragment that ends behind byte 65535",
    """A packet has at most 65535 bytes behind its header. This fragment would end behind that, so
    its packet could never be put together ("ping of death"). The sender is told by ICMPv6
    "parameter problem" with code 0.""",
    why_template=("the packet would have {number} B",),
    advice_template="on the sender: it forges fragments, or is broken",
    stage="fragment",
)  # fmt: skip
FRAG6_OVERLAP = Reason(
    "frag6-overlap", Kind.DROP, "RFC 5722 4", "DUP_FRAG",
    "a fragment that overlaps another one",
    """Nobody can tell which of two fragments that overlap is right, and attacks on filters use it.
    So the whole packet is dropped silently, with all fragments of it that still come (RFC 5722 4).
    A fragment that came twice is only dropped itself.""",
    why_template=("bytes {first}-{last} overlap {overlap} B that are there already",),
    advice_template="on the sender: it forges fragments, or two packets have one identification",
    stage="fragment",
)  # fmt: skip
FRAG6_HEADERS_MISSING = Reason(
    "frag6-headers-missing", Kind.REJECT, "RFC 7112 5", "NOT_SPECIFIED",
    "a first fragment that does not have all headers",
    """A filter decides by the headers of the first fragment, so all of them must be in it, up to
    that of the transport (RFC 7112 5). Here some are in a later fragment, which gets around
    filters. The sender is told by ICMPv6 "parameter problem" with code 3.""",
    why_template=("the first fragment has {number} B, and its headers need more",),
    advice_template="on the sender: put all headers into the first fragment",
    stage="fragment",
)  # fmt: skip
