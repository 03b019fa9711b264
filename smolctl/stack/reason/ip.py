"""Reasons of IPv4 that comes in."""

from smolctl.stack.reason.model import Kind, define

IP_HEADER_SHORT = define(
    "ip-header-short", Kind.DROP, "RFC 791 3.1", "IP_INHDR",
    "a packet that is shorter than an IPv4 header",
    """An IPv4 header has at least 20 bytes. This packet ended before that, so that source and
    destination are not all there. It is dropped in silence, since nobody could be told.""",
    why="{n} B, an IPv4 header needs 20",
    advice="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_VERSION = define(
    "ip-bad-version", Kind.DROP, "RFC 1122 3.2.1.1", "IP_INHDR",
    "a packet of another IP version under IPv4's ethertype",
    """The first four bits of a packet are its IP version. The frame said IPv4 (ethertype 0x0800),
    the packet says otherwise. RFC 1122 3.2.1.1 has it dropped in silence. IPv6 proper has an
    ethertype of its own, so this is a packet that was built or tunnelled wrongly.""",
    why="version {v}, not 4",
    advice="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_IHL = define(
    "ip-bad-ihl", Kind.DROP, "RFC 791 3.1", "IP_INHDR",
    "an IPv4 header length that cannot be",
    """The header says how long it is, in words of 4 bytes: at least 5, and not more than the packet
    has. This one says otherwise, so that one cannot tell where the payload begins. It is dropped in
    silence.""",
    why="header length {n}*4 B is impossible",
    advice="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IP_BAD_CHECKSUM = define(
    "ip-bad-checksum", Kind.DROP, "RFC 1122 3.2.1.2", "IP_CSUM",
    "an IPv4 header checksum that is wrong",
    """The checksum covers the header. It does not match, so that one of its fields, perhaps an
    address, is not what was sent; RFC 1122 3.2.1.2 has it dropped in silence. When all packets of
    one host are wrong, its network card was to fill in the checksum (offload) and they were taken
    before it did.""",
    why="header checksum {got:#06x}, want {want:#06x}",
    advice="when all from one host are wrong, switch its offload off; on it: ethtool -K DEV tx off",
)  # fmt: skip
IP_LENGTH_MISMATCH = define(
    "ip-length-mismatch", Kind.DROP, "RFC 791 3.1", "PKT_TOO_SMALL",
    "an IPv4 length that does not fit the packet",
    """The header says how many bytes the packet has, and the frame brought fewer; or it claims less
    than the header itself. The packet was cut off: by a link with a smaller MTU than both sides
    believe, by a capture with a snap length, or by the program that built it. More bytes than the
    header says are fine, since short frames are padded.""",
    why="header says {a} B, {b} B arrived",
    advice="compare the MTU of both ends of {dev}: smolctl link show dev {dev}",
)  # fmt: skip
IP_SRC_INVALID = define(
    "ip-src-invalid", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INVALID_SOURCE",
    "a source address that no host can have",
    """A source address must be that of one host, so that it can be answered. Multicast and
    broadcast addresses and 0.0.0.0 are not; RFC 1122 3.2.1.3 has such packets dropped in silence,
    because an answer would go to everybody. Only a host that asks for its first address by
    broadcast may be 0.0.0.0.""",
    why="source {ip} is multicast, broadcast or zero",
    advice="on the sender: give it an address of its own; its MAC: smolctl capture {dev} -v",
)  # fmt: skip
IP_SRC_IS_OURS = define(
    "ip-src-is-ours", Kind.DROP, "RFC 1122 3.2.1.3", "IP_LOCAL_SOURCE",
    "a packet from the wire that bears our own address as its source",
    """A packet came in by a wire with one of our own addresses as its source. We did not send it:
    another host has the same address, somebody forges it, or the link has a loop. Linux calls it a
    martian source. It is dropped, since an answer would go to ourselves.""",
    why="source {ip} is ours, yet it came in by {dev}",
    advice="who else has it: smolctl arping -D -I {dev} {ip}",
)  # fmt: skip
IP_LOOPBACK_ON_WIRE = define(
    "ip-loopback-on-wire", Kind.DROP, "RFC 1122 3.2.1.3(g)", "IP_LOCALNET",
    "a packet from the wire with a loopback address",
    """127.0.0.0/8 is for a host to talk to itself. RFC 1122 3.2.1.3 (g): such addresses must not
    appear outside a host. The sender's socket is bound to 127.0.0.1 while it sends to another host,
    or its routes lead 127/8 out. The packet is dropped in silence.""",
    why="{ip} must not appear on {dev}",
    advice="on the sender: bind the socket to its own address or to 0.0.0.0, not to loopback",
)  # fmt: skip
IP_DST_INVALID = define(
    "ip-dst-invalid", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INVALID_DEST",
    "a packet to an address that no packet may be sent to",
    """0.0.0.0 means "this host, whoever it is" and is never a destination (RFC 1122 3.2.1.3). The
    sender took it from somewhere without looking: an address that was not filled in. The packet is
    dropped in silence.""",
    why="destination {ip} cannot be one",
    advice="on the sender: look where the destination came from; it was never filled in",
)  # fmt: skip
IP_DST_NOT_OURS = define(
    "ip-dst-not-ours", Kind.DROP, "RFC 1122 3.2.1.3", "IP_INADDRERRORS",
    "a packet to an address that this stack does not have",
    """The frame had our MAC, but the packet is for an address that is not ours. A host takes only
    what is for its own addresses (RFC 1122 3.2.1.3), and this stack does not forward packets to
    others. Either the address was never added here, or the sender uses this stack as its gateway.
    The sender hears nothing.""",
    why=("{ip} is no address of this stack", " ({dev} has {networks})"),
    fix=("smolctl addr add {ip}/{plen} dev {dev}",),
    advice="on the sender: this stack is no gateway; take it out of the routes",
)  # fmt: skip
IP_UNICAST_IN_BROADCAST = define(
    "ip-unicast-in-broadcast", Kind.DROP, "RFC 1122 3.3.6", "UNICAST_IN_L2_MULTICAST",
    "a packet to one host in a frame to all",
    """The packet is for one address, the frame that carried it went to all stations or to a group.
    The sender lacks our MAC, or it attacks everybody at once. RFC 1122 3.3.6 has a host drop it; as
    Linux, this stack does so only when ip.drop_unicast_in_l2_multicast is set.""",
    why="unicast {ip} in a broadcast or multicast frame",
    fix=("smolctl sysctl ip.drop_unicast_in_l2_multicast=0",),
)  # fmt: skip
IP_MULTICAST_NOT_JOINED = define(
    "ip-multicast-not-joined", Kind.DROP, "RFC 1122 3.3.7", "silent",
    "a packet to a group that nobody here has joined",
    """A multicast address names a group, and a host takes only packets to groups that it has
    joined. No socket of this stack has. Such packets are ordinary on a shared link (routers, name
    services of other systems) and are dropped without a word; an ICMP error must not answer
    them.""",
    why="no socket here joined {ip} on {dev}",
    advice="usually harmless: it is for others on the link",
)  # fmt: skip
IP_SOURCE_ROUTE = define(
    "ip-source-route", Kind.DROP, "RFC 1122 3.2.1.8", "silent",
    "a packet that says by itself which way it wants to go",
    """The source route option has the sender choose the hops of a packet and, worse, of its answer.
    It was used to get around address filters, so that hosts refuse it today; Linux does too
    (accept_source_route=0). The packet is dropped in silence.""",
    why="a source route in a packet to {ip} is refused",
    advice="on the sender: send without the option",
)  # fmt: skip
IP_PROTO_UNKNOWN = define(
    "ip-proto-unknown", Kind.REJECT, "RFC 1122 3.2.2.1", "IP_NOPROTO",
    "a packet of a protocol that this stack does not speak",
    """The packet is for us and sound, but what it carries is neither UDP (17) nor ICMP (1); 6 would
    be TCP, 2 IGMP. The sender is told by ICMP "protocol unreachable" (RFC 1122 3.2.2.1), so that it
    can stop trying: TCP's connect fails with "Protocol not available".""",
    why="protocol {protocol} has no handler (UDP is 17, ICMP is 1)",
    advice="use UDP or ICMP: this stack speaks no other",
)  # fmt: skip
FRAG_UNSUPPORTED = define(
    "frag-unsupported", Kind.DROP, "RFC 791 3.2", "-",
    "a fragment, which this stack does not put together again",
    """A packet that was too big for a link arrives in pieces. This stack does not reassemble them,
    so that each piece is dropped. The sender hears nothing, and its big datagrams seem to vanish
    while small ones arrive. Keep datagrams within the MTU of the path, 1472 bytes of payload on
    Ethernet.""",
    why="fragments are not reassembled",
    advice="on the sender: keep each datagram within the MTU: smolctl link show dev {dev}",
)  # fmt: skip
