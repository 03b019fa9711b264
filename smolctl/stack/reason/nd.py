"""Reasons of neighbor discovery (RFC 4861) and of ICMPv6 that comes in."""

from smolctl.stack.reason.model import Kind, Reason

_BYTES = "the bytes and their sender: smolctl capture {dev} -v"

ICMP6_TRUNCATED = Reason(
    "icmp6-truncated", Kind.DROP, "RFC 4443 2.1", "PKT_TOO_SMALL",
    "an ICMPv6 message that ends too early",
    """An ICMPv6 header has 8 bytes: type, code, checksum and four bytes whose meaning depends on
    the type. The message is shorter than that. It is dropped silently.""",
    why_template=("ICMPv6 message of {number} B: a header has 8 B",),
    advice_template=_BYTES,
)  # fmt: skip
ICMP6_BAD_CHECKSUM = Reason(
    "icmp6-bad-checksum", Kind.DROP, "RFC 4443 2.3", "ICMP_CSUM",
    "an ICMPv6 checksum that is wrong",
    """The checksum covers the message and the addresses of the packet. It is wrong, so something
    changed on the way, or the sender computed it wrongly. Without neighbor discovery, which is
    ICMPv6, nothing works on the link. The message is dropped silently.""",
    why_template=("checksum {got:#06x}, want {want:#06x}",),
    advice_template=_BYTES,
)  # fmt: skip
ICMP6_ECHO_IGNORED = Reason(
    "icmp6-echo-ignored", Kind.DROP, "policy", "silent",
    "a ping, and this stack was told not to answer it",
    """Somebody set icmp6.echo_ignore_all, icmp6.echo_ignore_multicast or icmp6.echo_ignore_anycast,
    so this echo request is not answered. RFC 4443 4.2 has every node answer; this is a choice. The
    other side sees 100% packet loss, although neighbor discovery and UDP work.""",
    why_template=("{knob} is on",),
    fix_templates=("smolctl sysctl {knob}=0",),
)  # fmt: skip
ICMP6_ERROR_UNKNOWN = Reason(
    "icmp6-error-unknown", Kind.DROP, "RFC 4443 2.4", "IPV6_BAD_EXTHDR",
    "an ICMPv6 error of a type that this stack does not know",
    """Types below 128 are errors. What an unknown one means cannot be known, but the socket whose
    packet it quotes is told that there was one, as EPROTO (RFC 4443 2.4 (a)).""",
    why_template=("error of type {type} from {offender}",),
    advice_template=_BYTES,
)  # fmt: skip
ICMP6_INFO_UNKNOWN = Reason(
    "icmp6-info-unknown", Kind.DROP, "RFC 4443 2.4", "NOT_SPECIFIED",
    "an ICMPv6 message of a type that this stack does not know",
    """Types from 128 on inform or ask. An unknown one must be dropped silently (RFC 4443 2.4 (b)).
    Routers' and mobile nodes' messages are of such types.""",
    why_template=("type {type} is ignored",),
    advice_template="usually harmless; what it is: smolctl capture {dev} -v",
)  # fmt: skip
ICMP6_MTU_UNMATCHED = Reason(
    "icmp6-mtu-unmatched", Kind.DROP, "RFC 8201 4", "-",
    "a packet that was too big for a router, and not ours",
    """A router says that a packet was too big for its next link, and quotes that packet. No socket
    here sent such a packet, so the message is late or forged, and no path MTU is learned from it
    (RFC 8201 4).""",
    why_template=("{offender} says that a packet to {ip} is too big, and we sent none",),
    advice_template="usually late news of a socket that is closed: smolctl socket show",
)  # fmt: skip
ICMP6_MTU_TOO_SMALL = Reason(
    "icmp6-mtu-too-small", Kind.DROP, "RFC 8201 4", "silent (tells the socket)",
    "a router says that less than 1280 bytes get through",
    """Every link takes IPv6 packets of 1280 bytes (RFC 8200 5), so a router that reports less lies
    or is broken, and RFC 8201 4 has its message discarded: a forged one could otherwise make all
    packets tiny. The path MTU stays as it is, and the socket is not told. The packet that the
    message is about is lost.""",
    why_template=("{offender} says that only {mtu} B get through to {ip}, and 1280 B must",),
    advice_template="on {offender}: its next link must take 1280 B",
)  # fmt: skip

# --- neighbor discovery ---------------------------------------------------------------------------

ND_BAD_HOP_LIMIT = Reason(
    "nd-bad-hop-limit", Kind.DROP, "RFC 4861 7.1.1", "IPV6_NDISC_HOP_LIMIT",
    "neighbor discovery that may come from another link",
    """Every message of neighbor discovery leaves with the hop limit 255, and every router takes one
    from it. One with another hop limit has passed a router, so it is no neighbor's, and perhaps
    forged from afar. It is dropped silently.""",
    why_template=("hop limit {number}, not 255: it is from beyond a router",),
    advice_template=_BYTES,
)  # fmt: skip
ND_BAD_CODE = Reason(
    "nd-bad-code", Kind.DROP, "RFC 4861 7.1.1", "IPV6_NDISC_BAD_CODE",
    "neighbor discovery with a code other than 0",
    """The code of every message of neighbor discovery is 0. One with another code must be dropped
    silently (RFC 4861 7.1.1).""",
    why_template=("code {number}, not 0",),
    advice_template=_BYTES,
)  # fmt: skip
ND_TOO_SHORT = Reason(
    "nd-too-short", Kind.DROP, "RFC 4861 7.1.1", "PKT_TOO_SMALL",
    "neighbor discovery that ends too early",
    """The message ends before the fields that its type has, the target's address for example. It is
    dropped silently (RFC 4861 7.1.1).""",
    why_template=("{b} B, a message of this type has {a} or more",),
    advice_template=_BYTES,
)  # fmt: skip
ND_OPTION_ZERO = Reason(
    "nd-option-zero", Kind.DROP, "RFC 4861 4.6", "IPV6_NDISC_BAD_OPTIONS",
    "neighbor discovery with an option of length 0",
    """An option of length 0 would never end, and a loop over the options would run for ever. The
    whole message must be dropped silently (RFC 4861 4.6).""",
    why_template=("option {number} has length 0",),
    advice_template=_BYTES,
)  # fmt: skip
ND_OPTION_LENGTH = Reason(
    "nd-option-length", Kind.DROP, "RFC 4861 4.6", "IPV6_NDISC_BAD_OPTIONS",
    "neighbor discovery with an option of a wrong length",
    """An option ends behind the message, or a link-layer address has another length than those of
    this link. Nobody can tell what was meant. The message is dropped silently, as by Linux.""",
    why_template=("option {number} has {a} B, and {b} B are there",),
    advice_template=_BYTES,
)  # fmt: skip
ND_FRAGMENTED = Reason(
    "nd-fragmented", Kind.DROP, "RFC 6980 5", "IPV6_NDISC_FRAG",
    "neighbor discovery in a packet with a fragment header",
    """Messages of neighbor discovery fit into one packet. In fragments they get around switches
    that watch over them, so a node must ignore them (RFC 6980 5). The message is dropped
    silently.""",
    why_template=("a message of type {number} has a fragment header",),
    advice_template=_BYTES,
)  # fmt: skip
ND_TARGET_MULTICAST = Reason(
    "nd-target-multicast", Kind.DROP, "RFC 4861 7.1.1", "NOT_SPECIFIED",
    "neighbor discovery about a group",
    """The target of a solicitation or an advertisement is the address of one node. A group has no
    link-layer address to be asked for: it follows from the group's own. The message is dropped
    silently.""",
    why_template=("its target is a group",),
    advice_template=_BYTES,
)  # fmt: skip
ND_TARGET_NOT_OURS = Reason(
    "nd-target-not-ours", Kind.DROP, "RFC 4861 7.2.3", "IPV6_NDISC_NS_OTHERHOST",
    "somebody asks for an IPv6 address that is not ours",
    """A neighbor solicitation asks who has an address. The address is none of this interface, so
    there is no answer. On a shared link that is usual: two addresses with the same last 24 bits
    share the group in which they are asked for. An address of another interface of this stack is
    not answered for here either.""",
    why_template=(
        "{source} asks for {ip}, which {dev} does not have",
        " ({dev} has {networks})",
    ),
    fix_templates=("smolctl addr add {ip}/{plen} dev {dev}",),
    advice_template="usually harmless: it is for another node",
)  # fmt: skip
ND_PROXY_IDLE = Reason(
    "nd-proxy-idle", Kind.DROP, "RFC 4861 7.2.8", "IPV6_NDISC_NS_OTHERHOST",
    "a solicitation for a proxy entry for which nobody answers",
    """Somebody asked for an address that has a proxy entry on this link (neigh add proxy), so this
    stack should answer with its own MAC. It does so only as a router (ip6.forward=1), and only with
    nd.proxy=1: the entry alone is not enough. Linux stays silent, too.""",
    why_template=("{ip} is a proxy entry of {dev}, but {cause}",),
    causes={"forward": "ip6.forward is 0", "sysctl": "nd.proxy is 0"},
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="it takes both: smolctl sysctl ip6.forward=1, and smolctl sysctl nd.proxy=1",
    stage="target",
)  # fmt: skip
ND_ANSWER_DELAYED = Reason(
    "nd-answer-delayed", Kind.WAIT, "RFC 4861 7.2.7, 7.2.8", "silent (proxy_delay)",
    "a solicitation that will be answered for somebody else",
    """Somebody asked for a host behind this stack, for which it answers (neigh add proxy), or for
    the address that all routers of a network have, and this stack is one of them (anycast). It
    waits for a random time first, up to neigh.proxy_delay_ms: if the host is on this link after
    all, its own answer comes first, and not all routers answer at once. A unicast solicitation is
    answered at once.""",
    why_template=("{ip} is answered for in {ms} ms",),
    advice_template="at once: smolctl sysctl neigh.proxy_delay_ms=0",
)  # fmt: skip
ND_ANSWER_QUEUE_FULL = Reason(
    "nd-answer-queue-full", Kind.DROP, "policy", "silent (proxy_qlen)",
    "too many solicitations wait to be answered for others",
    """A solicitation that this stack answers for another host, or as one of several routers, waits
    for a while (neigh.proxy_delay_ms). As many as neigh.proxy_qlen allows are waiting already, so
    this one is dropped silently, as Linux does. Whoever asked will ask again.""",
    why_template=("{limit} solicitations wait on {dev} already; nobody answers for {ip}",),
    fix_templates=("smolctl sysctl neigh.proxy_qlen={value}",),
    advice_template="at once: smolctl sysctl neigh.proxy_delay_ms=0",
    stage="target",
)  # fmt: skip
ND_ANSWER_PURGED = Reason(
    "nd-answer-purged", Kind.DROP, "-", "QUEUE_PURGE",
    "the link went away before the solicitation was answered",
    """This stack was going to answer a solicitation for another host, or as one of several routers,
    a moment later (neigh.proxy_delay_ms). Before that, the link went down or was deleted, and the
    solicitation was dropped with it.""",
    why_template=("{dev} went down before {ip} was answered for",),
    advice_template="what the link says: smolctl link show",
)  # fmt: skip
ND_SOURCE_INVALID = Reason(
    "nd-source-invalid", Kind.DROP, "RFC 4861 7.2.3", "NOT_SPECIFIED",
    "neighbor discovery from a MAC that is no station's",
    """A message says that its sender has a link-layer address which no station can have: a group's,
    or zero. What is sent there would go to everybody or to nobody. It is dropped silently and
    teaches nothing.""",
    why_template=("{source} says that it is at {mac}, which is no station",),
    advice_template=_BYTES,
)  # fmt: skip
ND_DAD_WITH_LLADDR = Reason(
    "nd-dad-with-lladdr", Kind.DROP, "RFC 4861 7.1.1", "NOT_SPECIFIED",
    "a test of an address that tells a link-layer address",
    """Who tests an address sends from ::, and must not tell its own link-layer address: it does not
    have the address yet, and nobody may learn it. The message is dropped silently (RFC 4861
    7.1.1).""",
    why_template=("from ::, with a link-layer address",),
    advice_template=_BYTES,
)  # fmt: skip
ND_DAD_TO_UNICAST = Reason(
    "nd-dad-to-unicast", Kind.DROP, "RFC 4861 7.1.1", "NOT_SPECIFIED",
    "a test of an address that does not go to its group",
    """Who tests an address asks in the group of those that may have it (solicited-node). A test
    that is sent elsewhere must be dropped silently (RFC 4861 7.1.1).""",
    why_template=("from ::, and not to a solicited-node group",),
    advice_template=_BYTES,
)  # fmt: skip
ND_SOLICITED_TO_GROUP = Reason(
    "nd-solicited-to-group", Kind.DROP, "RFC 4861 7.1.2", "NOT_SPECIFIED",
    "an advertisement to a group that says it was asked for",
    """An answer goes to who asked, and only to that one may it say that it is one (S flag). With
    the flag and to a group it would have everybody believe that the sender is reachable. It is
    dropped silently (RFC 4861 7.1.2).""",
    why_template=("the S flag is set, and the destination is a group",),
    advice_template=_BYTES,
)  # fmt: skip
ND_ADDRESS_CONFLICT = Reason(
    "nd-address-conflict", Kind.DROP, "RFC 4862 5.4.4", "NOT_SPECIFIED",
    "another node advertises an address that is ours",
    """A neighbor advertisement says that another node has an address of ours. Two nodes with one
    address take each other's packets. The message is dropped, and the address is kept, as by Linux,
    which logs it.""",
    why_template=("{ip} is ours, and {mac} advertises it",),
    advice_template="give one of the two another address; the other node's frames: smolctl capture"
    " {dev} -v",
)  # fmt: skip
ND_DAD_FAILED = Reason(
    "nd-dad-failed", Kind.DROP, "RFC 4862 5.4.4", "NOT_SPECIFIED",
    "another node has the IPv6 address that is being tested",
    """A new IPv6 address is tested: this stack asks the link whether another node has it. Another
    node has it, or is testing it at the same time. So the address is not used: it stays in the list
    as tentative and dadfailed, as in Linux, and nothing is sent from it or answered for it. It is
    tested again when the carrier comes back, or with addr replace.""",
    why_template=("{mac} {cause} {ip}, which was being tested on {dev} and is not used now",),
    causes={"owner": "has", "tester": "tests"},
    advice_template="add another address, or use it all the same: smolctl addr replace {ip}/{plen}"
    " dev {dev} nodad",
)  # fmt: skip
ND_DAD_LOOPED = Reason(
    "nd-dad-looped", Kind.NOTE, "RFC 7527 4.2", "NOT_SPECIFIED",
    "the test of an IPv6 address came back",
    """This stack asked the link whether another node has a new address, and its own question came
    back: a cable, a switch or a radio sends frames back to their sender. The question has a nonce,
    by which it is known (RFC 7527), so that it does not look like another node's test. The test
    goes on.""",
    why_template=("our own test of {ip} came back by {dev}",),
    advice_template="look for a loop on the link: smolctl capture {dev} -v",
)  # fmt: skip
ND_TARGET_TENTATIVE = Reason(
    "nd-target-tentative", Kind.DROP, "RFC 4862 5.4.3", "NOT_SPECIFIED",
    "neighbor discovery about an address under test",
    """Somebody asked for an IPv6 address that was added here a moment ago and is still being
    tested. Until nobody has said for a second that it is taken, the address is not ours, and the
    question gets no answer (RFC 4862 5.4.3). Ask again later, or use the address untested.""",
    why_template=("{ip} of {dev} {state}, so nobody is answered",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
    advice_template="wait a second: smolctl addr show {dev}",
)  # fmt: skip
ND_UNSOLICITED = Reason(
    "nd-unsolicited", Kind.DROP, "RFC 4861 7.2.5", "NOT_SPECIFIED",
    "an advertisement about a node that we do not talk to",
    """An advertisement changes an entry that is there, and makes none (RFC 4861 7.2.5): whoever
    talks to the node asks for it. Nor is one learned from that brings no link-layer address while
    none is known. It is dropped silently.""",
    why_template=("{ip}: {cause}",),
    causes={
        "unknown": "no entry of {dev} is about it",
        "failed": "its entry is FAILED, and nothing asks for it any more",
        "no-lladdr": "its link-layer address is not known, and the message does not tell it",
        "permanent": "its entry was made by hand, and nothing changes it",
        "sysctl": "nobody asked for it, and nd.drop_unsolicited_na is on",
    },
    fix_templates=("smolctl sysctl {knob}=0",),
    advice_template="usually harmless; who is known: smolctl neigh show dev {dev}",
)  # fmt: skip
ND_OVERRIDE_REFUSED = Reason(
    "nd-override-refused", Kind.NOTE, "RFC 4861 7.2.5", "-",
    "an advertisement with a MAC that may not replace ours",
    """The advertisement tells another link-layer address than the entry has, without the O flag
    that would let it replace it, as a proxy's does. A REACHABLE entry becomes STALE, so that it is
    checked at the next use; any other stays as it is (RFC 4861 7.2.5).""",
    why_template=("{ip} is at {lladdr}; {mac} may not replace it without the O flag",),
    advice_template="two nodes answer for {ip}: smolctl capture {dev} -v",
)  # fmt: skip
ND_NOT_NEEDED = Reason(
    "nd-not-needed", Kind.NOTE, "RFC 4861 7.2", "IFF_NOARP",
    "no MAC address has to be asked for",
    """A neighbor solicitation asks which station on a link has an address. A packet to one of our
    own addresses touches no link, a loopback has no MAC addresses, and the MAC of a group follows
    from its address (RFC 2464 7). So nothing is asked, and nothing is missing.""",
    why_template=("{ip} {cause}, so nobody is asked for a MAC address",),
    causes={
        "own": "is our own and is reached without any link",
        "noarp": "is reached by {out}, which needs no MAC addresses",
        "multicast": "is a group, whose MAC address follows from it",
    },
)  # fmt: skip
RA_NOT_LINK_LOCAL = Reason(
    "ra-not-link-local", Kind.DROP, "RFC 4861 6.1.2", "NOT_SPECIFIED",
    "a router advertisement that is not from a link-local address",
    """Routers advertise themselves from their link-local address, so that hosts tell them apart by
    it. One from another address must be dropped silently (RFC 4861 6.1.2).""",
    why_template=("the source is not link-local",),
    advice_template=_BYTES,
)  # fmt: skip
RA_IGNORED = Reason(
    "ra-ignored", Kind.DROP, "policy", "-",
    "a router advertisement, which this stack does not use",
    """A router on the link offers itself, and prefixes for addresses. This stack takes neither:
    addresses and routes are configured by hand. The message is sound and is dropped silently.""",
    why_template=("{source} advertises itself as a router",),
    advice_template="to use that router: smolctl -6 route add default via {source} dev {dev}",
)  # fmt: skip
RS_AT_HOST = Reason(
    "rs-at-host", Kind.DROP, "RFC 4861 6.1.1", "NOT_SPECIFIED",
    "somebody asks for routers, and this stack advertises nothing",
    """A router solicitation asks the routers of the link to advertise themselves. This stack sends
    no router advertisements. The message is dropped silently.""",
    why_template=("{source} asks for routers",),
    advice_template="usually harmless: a router of the link answers it",
)  # fmt: skip

# --- redirects ------------------------------------------------------------------------------------

REDIRECT6_SOURCE = Reason(
    "redirect6-source", Kind.DROP, "RFC 4861 8.1", "NOT_SPECIFIED",
    "a redirect that is not from a link-local address",
    """Hosts know routers by their link-local addresses, so a redirect must come from one. This one
    does not, and is dropped silently (RFC 4861 8.1).""",
    why_template=("the source is not link-local",),
    advice_template=_BYTES,
)  # fmt: skip
REDIRECT6_TARGET = Reason(
    "redirect6-target", Kind.DROP, "RFC 4861 8.1", "NOT_SPECIFIED",
    "a redirect to what is neither a router nor the destination",
    """A redirect names a better first hop: another router by its link-local address, or the
    destination itself, which is on the link. This one names something else, and is dropped silently
    (RFC 4861 8.1).""",
    why_template=("its target is neither link-local nor the destination",),
    advice_template=_BYTES,
)  # fmt: skip
REDIRECT6_GROUP = Reason(
    "redirect6-group", Kind.DROP, "RFC 4861 8.1", "NOT_SPECIFIED",
    "a redirect for a group",
    """A redirect is about the first hop to one node. Packets to a group have none, so such a
    redirect is dropped silently (RFC 4861 8.1).""",
    why_template=("its destination is a group",),
    advice_template=_BYTES,
)  # fmt: skip
REDIRECT6_STRANGER = Reason(
    "redirect6-stranger", Kind.DROP, "RFC 4861 8.1", "NOT_SPECIFIED",
    "a redirect that is not from the router in use",
    """Only the router in use for a destination may name a better first hop. This redirect is from
    another one, or came by another interface, or no packet goes by a router there. Either it is
    forged, or the route has changed since. It is dropped silently.""",
    why_template=("{offender} is not the router to {ip}",),
    advice_template="which router is in use: smolctl route get {ip!z}",
)  # fmt: skip
REDIRECT6_IGNORED = Reason(
    "redirect6-ignored", Kind.DROP, "RFC 4861 8.3", "silent",
    "a redirect, and this stack believes none",
    """A router says that another first hop is nearer to a destination. Anybody on the link can
    forge that, so ip6.accept_redirects=0 ignores it; a router never follows redirects (RFC 4861
    8.3). Packets still go to the router of the route.""",
    why_template=("{offender} names {gateway} as first hop to {ip}: {cause}",),
    fix_templates=("smolctl sysctl {knob}={value}",),
    causes={
        "sysctl": "ip6.accept_redirects is off",
        "router": "this stack is a router itself (ip6.forward)",
    },
    advice_template="which router is in use: smolctl route get {ip!z}",
)  # fmt: skip
REDIRECT6_TAKEN = Reason(
    "redirect6-taken", Kind.NOTE, "RFC 4861 8.3", "silent",
    "a router said that another first hop is nearer",
    """The router for a destination said that another router on the link is nearer to it, or that
    the destination is on the link itself. That is used from now on, for this destination only. The
    packet that caused it was delivered all the same.""",
    why_template=("{offender} says that {gateway} is the first hop to {ip}",),
    advice_template="what was learned: smolctl route get {ip!z}",
)  # fmt: skip
ND_NO_REPLY = Reason(
    "nd-no-reply", Kind.NOTE, "RFC 4861 7.2", "silent",
    "no usable advertisement of the address",
    """Neighbor solicitations left, and no advertisement came that could be used. Either no node on
    this link has the address (it is down, has another address, or is in another VLAN), or its
    advertisement does not reach us, or came and was dropped; the why line says which. Solicitations
    go to a group of the address, which a switch that snoops MLD wrongly keeps from its owner.""",
    why_template=("{probes:solicitation} for {next_hop} on {dev}{cause}",),
    advice_template="who is on this link: smolctl ping -c 2 ff02::1%{dev}",
    causes={
        "silent": ", and nothing came back",
        "dropped": "; an answer came and was dropped: {dropped}",
        "forgotten": ", no answer that was taken; so much was dropped meanwhile that it is not"
        " known whether one came",
    },
    cause_advice={
        "dropped": "all about that answer: smolctl why {packet}",
        "forgotten": "what is dropped: smolctl stats drops",
    },
)  # fmt: skip
