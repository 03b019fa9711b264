"""Reasons of ARP that comes in."""

from smolctl.stack.reason.model import Kind, Reason

ARP_TRUNCATED = Reason(
    "arp-truncated", Kind.DROP, "RFC 826", "PKT_TOO_SMALL",
    "an ARP packet that ends too early",
    """ARP for IPv4 over Ethernet has 28 bytes: who asks, and for whom. This one has fewer, so that
    an address is missing. It is neither answered nor learned from, and its sender hears
    nothing.""",
    why_template=("ARP for IPv4 is 28 B, got {size}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ARP_BAD_FORMAT = Reason(
    "arp-bad-format", Kind.DROP, "RFC 826", "NOT_SPECIFIED",
    "ARP that is not for IPv4 over Ethernet",
    """ARP can translate any protocol's addresses to any hardware's, and says in its first four
    fields which. Here it must be Ethernet (1), IPv4 (2048), addresses of 6 and of 4 bytes. RFC 826
    has a host drop what it does not speak, without a word.""",
    why_template=(
        "htype {htype}, ptype {ptype}, hlen {hlen}, plen {plen}; only 1, 2048, 6, 4 is supported",
    ),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ARP_BAD_OP = Reason(
    "arp-bad-op", Kind.DROP, "RFC 826", "NOT_SPECIFIED",
    "ARP that is neither a request nor a reply",
    """The operation tells what an ARP packet wants: 1 is a request ("who has"), 2 is a reply ("is
    at"). Other numbers belong to RARP and to relatives of ARP that this stack does not speak. They
    are dropped without a word, as Linux does.""",
    why_template=("op {opcode}; 1 is request, 2 is reply",),
    advice_template="usually harmless; what it is: smolctl capture {dev} -v",
)  # fmt: skip
ARP_TARGET_NOT_OURS = Reason(
    "arp-target-not-ours", Kind.DROP, "RFC 826", "silent",
    "ARP that asks for an address which is not ours",
    """Somebody asked "who has this address?", and it is none of ours. Only the owner may answer:
    that an address is inside the network of an interface does not make it ours, the mask only says
    who is reached without a gateway. On a shared link this is ordinary: others ask for others. When
    the question was meant for this stack, the address was never added here, and the peer sees its
    ping or its send fail with "no answer to ARP".""",
    why_template=("{ip} is not an address of this stack", " ({dev} has {networks})"),
    fix_templates=("smolctl addr add {ip}/{plen} dev {dev}",),
    advice_template="usually harmless: others on the link ask for others",
    stage="target",
)  # fmt: skip
ARP_TARGET_TENTATIVE = Reason(
    "arp-target-tentative", Kind.DROP, "RFC 5227 2.1.1", "silent (IPv6: tentative)",
    "ARP that asks for an address which is still being tested",
    """Somebody asked for an address that was added here a moment ago, and that is still being
    tested: with arp.dad or "addr add ... dad" a host asks the link for some seconds whether anybody
    else has the address, and uses it when nobody answers (RFC 5227). Until then it is not ours, so
    that nobody is answered. Ask again later, or use it untested.""",
    why_template=("{ip} of {dev} {state}, so that nobody is answered",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
    advice_template="wait some seconds: smolctl addr show {dev}",
    stage="target",
)  # fmt: skip
ARP_RULE_REFUSED = Reason(
    "arp-rule-refused", Kind.DROP, "RFC 826", "silent",
    "ARP for an address of ours that rules keep from its sender",
    """Somebody asked for an address of this stack, but a packet that he sent to it would not be
    taken either: a rule in front of the one that leads to the table local refuses it, or leads to a
    table that knows another way. To answer would only have him send what is dropped. Linux looks a
    route up for each request, too, and keeps silent.""",
    why_template=(
        "{ip} is ours, but rules keep what {sender} sends to it from us", ": {priority}: {rule}",
    ),
    fix_templates=("smolctl rule add priority 0 lookup local",),
    advice_template="which rules there are, and in which order: smolctl rule show",
)  # fmt: skip
ARP_PROXY_IDLE = Reason(
    "arp-proxy-idle", Kind.DROP, "RFC 1027", "silent",
    "ARP for a proxy entry that this stack cannot stand for",
    """Somebody asked for an address that has a proxy entry on this link (neigh add proxy), which is
    to be answered with our MAC. But what is then sent here must go on to its owner, and it could
    not: packets are forwarded only with ip.forward=1, and only by another link than the one that
    they came in by. To answer would make the address a black hole. Linux keeps silent, too.""",
    why_template=("{ip} is a proxy entry of {dev}, but {problem}",),
    fix_templates=("smolctl sysctl ip.forward={value}",),
    advice_template="by which link it is reached: smolctl route get {ip}",
    stage="target",
)  # fmt: skip
ARP_PROXY_DELAYED = Reason(
    "arp-proxy-delayed", Kind.WAIT, "RFC 1027", "silent (proxy_delay)",
    "ARP that will be answered for somebody else",
    """Somebody asked for a host behind this stack, which answers on its behalf (arp.proxy, or neigh
    add proxy). It waits a random time first, up to neigh.proxy_delay_ms: if the host is on this
    link after all, its own answer comes before. A request by unicast is answered at once.""",
    why_template=("{ip} is answered for in {ms} ms",),
    advice_template="at once: smolctl sysctl neigh.proxy_delay_ms=0",
)  # fmt: skip
ARP_PROXY_QUEUE_FULL = Reason(
    "arp-proxy-queue-full", Kind.DROP, "policy", "silent (proxy_qlen)",
    "too many requests wait to be answered for others",
    """Requests that this stack answers for others wait a while (neigh.proxy_delay_ms), and as many
    as neigh.proxy_qlen allows wait already. This one is dropped without a word, as Linux does; who
    asked will ask again.""",
    why_template=("{limit} requests wait on {dev} already; nobody answers for {ip}",),
    fix_templates=("smolctl sysctl neigh.proxy_qlen={value}",),
    advice_template="at once: smolctl sysctl neigh.proxy_delay_ms=0",
    stage="target",
)  # fmt: skip
ARP_PROXY_PURGED = Reason(
    "arp-proxy-purged", Kind.DROP, "-", "QUEUE_PURGE",
    "the link went away before somebody else was answered for",
    """A request was to be answered on behalf of a host behind this stack, a moment later
    (neigh.proxy_delay_ms). Until then the link went down or was deleted, and the request with
    it.""",
    why_template=("{dev} went down before {ip} was answered for",),
    advice_template="what the link says: smolctl link show",
)  # fmt: skip
ARP_OWN_SENDER = Reason(
    "arp-own-sender", Kind.DROP, "RFC 5227 2.4", "silent",
    "ARP that another interface of this stack sent",
    """ARP came in from a MAC address that another of our own interfaces has: both are on the same
    link, or somebody sends our frames back. That we have our own addresses is no conflict, and
    there is nothing to learn from it. Linux drops it, too, as a packet from itself.""",
    why_template=("{mac} is our own {home}, which is on the same link as {dev}",),
    advice_template="usually harmless: what {home} sends to everybody, {dev} hears",
    stage="sender",
)  # fmt: skip
ARP_SENDER_INVALID = Reason(
    "arp-sender-invalid", Kind.DROP, "RFC 1812 3.3.2", "silent",
    "ARP from an address that no host can have",
    """ARP teaches "this IP address is at this MAC". A multicast, broadcast or loopback address, or
    0.0.0.0 in a reply, belongs to no single host, and a group MAC to no single station. To believe
    it would send our packets to everybody or to nobody; RFC 1812 3.3.2 forbids it. The packet is
    neither answered nor learned from.""",
    why_template=(
        "sender {ip} ({mac}) is multicast, broadcast, loopback, zero or has no unicast MAC",
    ),
    advice_template="on the sender ({mac}): configure an address and a MAC of one host",
    stage="sender",
)  # fmt: skip
ARP_SENDER_OFF_SUBNET = Reason(
    "arp-sender-off-subnet", Kind.DROP, "policy", "answers and learns",
    "ARP whose sender is in another network",
    """Somebody on the link asked for our address, and its own is in none of the networks of the
    interface. RFC 826 does not mind, and neither does Linux, nor this stack as it comes: both
    answer. With arp.accept_from=subnet it is dropped without a word, as smoltcp does, and the
    sender believes that nobody is here. Either its mask or address is wrong, or the one here.""",
    why_template=("sender {ip} ({mac}) is in none of the networks of {dev}", " ({networks})"),
    fix_templates=("smolctl sysctl arp.accept_from=any",),
    advice_template="on the sender ({mac}): use an address and mask of {networks}",
    stage="sender",
)  # fmt: skip
ARP_IGNORED = Reason(
    "arp-ignored", Kind.DROP, "RFC 1122 3.3.4.2", "silent (arp_ignore)",
    "ARP for an address of ours that this link is not told of",
    """Somebody asked for an address that is ours, and arp.ignore has us say nothing: with 1 an
    interface speaks for its own addresses only, not for those of other interfaces or of lo, and
    with 2 only to hosts of the same network. Linux has the same levels (arp_ignore), and by default
    answers for every address of the host on every link. arp.filter=1 has only that link answer by
    which the sender is reached (arp_filter). arp.answer_probes=0 leaves those alone who
    ask from 0.0.0.0 whether an address is free (RFC 5227). The peer sees "no answer to ARP".""",
    why_template=(
        "{ip} is ours, but {knob} is {level}", ": {dev} has {networks}, and {sender} asked",
    ),
    fix_templates=("smolctl sysctl {knob}={value}",),
    stage="target",
)  # fmt: skip
ARP_UNSOLICITED = Reason(
    "arp-unsolicited", Kind.DROP, "RFC 826", "silent (arp_accept=0)",
    "ARP that tells what nobody asked",
    """A reply or an announcement came from an address that this stack has no neighbor entry for.
    Nobody here wants to talk to it, so that nothing is learned: otherwise anybody on the link could
    fill the cache. Linux does the same unless arp_accept is set. Nothing is lost: when a packet is
    to be sent there, the stack asks by itself. arp.accept=1 has it learn; arp.accept_from=solicited
    has it learn from answers to its own requests alone, even about neighbors that it knows.""",
    why_template=("nobody here asked for {ip}", ", which says that it is at {mac}"),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="learn it anyway: smolctl sysctl arp.accept=1",
)  # fmt: skip
ARP_ADDRESS_CONFLICT = Reason(
    "arp-address-conflict", Kind.DROP, "RFC 5227 2.4", "silent",
    "another host claims our address",
    """ARP came from another MAC with one of our own addresses as its sender: two hosts are
    configured with the same address. It is neither answered nor learned. From outside each of the
    two seems to come and go, since others keep whichever MAC they heard last. One of the two must
    get another address; nothing else cures it. Linux does nothing about it, and neither does this
    stack as it comes. With arp.defend=yield it gives the address up, with once it announces the
    address and gives it up when it is claimed again within 10 s (arp.defend_interval_ms), and with
    always it announces it at most once in that time: RFC 5227 2.4 (a), (b) and (c).""",
    why_template=("{mac} claims our {ip} on {dev}", ": {defence}"),
    advice_template="give one of the two another address; who has it: smolctl arping -D -I"
    " {dev} {ip}",
    stage="sender",
)  # fmt: skip
ARP_DAD_FAILED = Reason(
    "arp-dad-failed", Kind.DROP, "RFC 5227 2.1.1", "silent (IPv6: dadfailed)",
    "another host has the address that is being tested",
    """An address was added here, and before using it this stack asked the link whether anybody has
    it (arp.dad, or "addr add ... dad"). Somebody does, or asks for it at the same time because it
    is about to use it as well. So the address is not used: it stays in the list, as tentative and
    dadfailed, and nothing is sent from it or answered for it. It is tested again when the link
    comes up, or with addr replace. After more than 10 such conflicts (arp.max_conflicts) one
    address a minute is tested.""",
    why_template=("{mac} {how} {ip}, which was being tested on {dev} and is not used now",),
    advice_template="add another address, or use it all the same: smolctl addr replace {ip}/{plen}"
    " dev {dev} nodad",
    stage="sender",
)  # fmt: skip
ARP_DAD_RATE_LIMITED = Reason(
    "arp-dad-rate-limited", Kind.NOTE, "RFC 5227 2.1.1", "silent",
    "an address is tested later, after many conflicts",
    """Address after address turned out to be another host's: more of them than arp.max_conflicts.
    Something tries one after another, and each attempt costs all hosts on the link a few
    broadcasts. From now on one address is tested in arp.rate_limit_interval_ms (a minute), and
    stays tentative until then. An address that nobody else has ends it.""",
    why_template=("more than {limit} conflicts on {dev}: the test of {ip} begins in {ms} ms",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
)  # fmt: skip
ARP_NO_REPLY = Reason(
    "arp-no-reply", Kind.NOTE, "RFC 826", "silent",
    "nobody on the link answered for the address",
    """ARP requests left, and nobody said that the address is theirs. Either no host on this link
    has it (it is down, has another address, or is in another VLAN), or its answer does not reach
    us. A host that answers ping but not this is behind a router: ARP never crosses one.""",
    why_template=("{probes} ARP requests for {next_hop} on {dev}, no answer",),
    advice_template="is it on this link at all: smolctl route get {next_hop}",
)  # fmt: skip
ARP_NOT_NEEDED = Reason(
    "arp-not-needed", Kind.NOTE, "RFC 826", "IFF_NOARP",
    "nobody has to be asked for a MAC address",
    """ARP asks who on a link has an address. A packet to one of our own addresses never touches a
    link, a loopback has no MAC addresses, and broadcast and multicast addresses have theirs by
    rule (RFC 1112 6.4). So no request is sent, and none is missing. Linux marks such interfaces
    NOARP.""",
    why_template=("{ip} {cause}, so nobody is asked for a MAC address",),
)  # fmt: skip
ARP_LOCKED_ENTRY = Reason(
    "arp-locked-entry", Kind.DROP, "-", "PERMANENT kept",
    "ARP about a neighbor that was entered by hand",
    """The neighbor's entry is PERMANENT: somebody entered it, and what arrives by the wire does not
    change it, as in Linux. If the host got another network card, packets go on to the old MAC and
    nobody answers. An entry that is not PERMANENT follows the wire again.""",
    why_template=("{ip} is a permanent entry", " with {lladdr}", ", and ARP says {mac}"),
    fix_templates=("smolctl neigh replace {ip} lladdr {mac} dev {dev} nud reachable",),
)  # fmt: skip
ARP_LOCKTIME = Reason(
    "arp-locktime", Kind.DROP, "policy", "silent (locktime)",
    "a second host answered for an address a moment after the first",
    """An entry whose MAC just changed ignores another MAC for a while (neigh.locktime_ms): when
    several stations answer one question, such as proxies, the first answer counts and the entry
    does not flap. This is Linux's locktime. Seen again and again, it means that two hosts have the
    same address. To ignore nothing would make that worse, since packets would go now to the one
    and now to the other.""",
    why_template=(
        "{mac} answers for {ip} within {ms} ms of {lladdr}; the first answer counts",
    ),
    advice_template="do two hosts have {ip}? smolctl arping -c 3 -I {dev} {ip}",
)  # fmt: skip
ARP_FLAPPING = Reason(
    "arp-flapping", Kind.NOTE, "RFC 5227 1", "silent",
    "a neighbor's MAC address changes back and forth",
    """ARP said that the neighbor is at one MAC address, then at another, then at the first one
    again, within a minute of each other. Two hosts have the same IP address, or one host has two
    cards on this link and answers with both (arp_ignore on Linux). Packets go to whichever spoke
    last: a ping is answered for a while and lost for a while, and connections hang and break. One
    of the two must get another address.""",
    why_template=(
        "{ip} moved from {lladdr} back to {mac}: its MAC changed {times} times in {seconds} s",
    ),
    advice_template="do two hosts have {ip}? smolctl arping -c 3 -I {dev} {ip}",
)  # fmt: skip
ARP_OWN_MAC = Reason(
    "arp-own-mac", Kind.NOTE, "IEEE 802", "silent",
    "a neighbor says that it has our own MAC address",
    """ARP of another host's IP address has our own MAC address as that of its sender. Two stations
    on a link with one MAC address, such as copies of one virtual machine, lose packets to each
    other: a switch sends frames to whichever spoke last. If the frame itself came from another
    station, somebody answers ARP for us without being asked. Linux learns such a neighbor without
    a word, and so does this stack.""",
    why_template=("{ip} says that its MAC is {mac}, which is our own on {dev}",),
    advice_template="give one of the two another: smolctl link set {dev} address MAC",
)  # fmt: skip
