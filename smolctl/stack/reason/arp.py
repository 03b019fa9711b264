"""Reasons of ARP that comes in."""

from smolctl.stack.reason.model import Kind, Reason

ARP_TRUNCATED = Reason(
    "arp-truncated", Kind.DROP, "RFC 826", "PKT_TOO_SMALL",
    "an ARP packet that ends too early",
    """ARP for IPv4 over Ethernet has 28 bytes with the addresses of sender and target. This packet
    has fewer, so at least one address is missing. It is not answered, nothing is learned from it,
    and its sender hears nothing.""",
    why_template=("ARP for IPv4 is 28 B, got {size}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ARP_BAD_FORMAT = Reason(
    "arp-bad-format", Kind.DROP, "RFC 826", "NOT_SPECIFIED",
    "ARP that is not for IPv4 over Ethernet",
    """ARP can map the addresses of any protocol to those of any hardware, and its first four fields
    say which. Here they must be Ethernet (1), IPv4 (0x0800), and address lengths of 6 and 4 bytes.
    RFC 826 has a host drop everything else silently.""",
    why_template=("{cause}",),
    causes={
        "htype": "hardware type {htype} is {name}, not Ethernet (1)",
        "ptype": "protocol type {ptype} is {name}, not IPv4 (0x0800)",
        "hlen": "its hardware addresses have {hlen} B; those of Ethernet have 6",
        "plen": "its protocol addresses have {plen} B; those of IPv4 have 4",
    },
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
ARP_BAD_OP = Reason(
    "arp-bad-op", Kind.DROP, "RFC 826", "NOT_SPECIFIED",
    "ARP that is neither a request nor a reply",
    """The operation says what an ARP packet is: 1 is a request ("who has"), 2 is a reply ("is at").
    Other numbers belong to RARP and InARP, which this stack does not speak. They are dropped
    silently, as Linux does.""",
    why_template=("op {opcode} is {name}, neither a request (1) nor a reply (2)",),
    advice_template="usually harmless; what it is: smolctl capture {dev} -v",
)  # fmt: skip
ARP_TARGET_NOT_OURS = Reason(
    "arp-target-not-ours", Kind.DROP, "RFC 826", "silent",
    "ARP that asks for an address that is not ours",
    """Somebody asked "who has this address?", and it is not ours. Only its owner may answer. An
    address inside the network of our interface is not ours for that reason: the mask only says
    which hosts are reached without a gateway. On a shared link this is normal. If the question was
    meant for this stack, the address was never added here, and the peer gets no answer to its
    ARP.""",
    why_template=("{ip} {cause}",),
    causes={
        "absent": "is not an address of this stack ({dev} has {networks})",
        "group": "is a multicast address, which belongs to no single host",
        "loopback": "is a loopback address, which no link is asked for",
    },
    fix_templates=("smolctl addr add {ip}/{plen} dev {dev}",),
    advice_template="usually harmless: others on the link ask for others",
    stage="target",
)  # fmt: skip
ARP_TARGET_TENTATIVE = Reason(
    "arp-target-tentative", Kind.DROP, "RFC 5227 2.1.1", "silent (IPv6: tentative)",
    "ARP that asks for an address that is still being tested",
    """Somebody asked for an address that was added here a moment ago and is still being tested.
    With arp.dad or "addr add ... dad", a stack first asks the link for some seconds whether another
    host has the address, and uses it if nobody answers (RFC 5227). Until then the address is not
    ours, so the question gets no answer. Ask again later, or use the address untested.""",
    why_template=("{ip} of {dev} {state}, so nobody is answered",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
    advice_template="wait some seconds: smolctl addr show {dev}",
    stage="target",
)  # fmt: skip
ARP_RULE_REFUSED = Reason(
    "arp-rule-refused", Kind.DROP, "RFC 826", "silent",
    "ARP for an address of ours that rules refuse to its sender",
    """Somebody asked for an address of this stack, but a packet from that sender would not be
    taken. A rule that comes before the lookup of the table local refuses it, or leads to a table
    that knows another way. An answer would only make the sender send packets that are dropped.
    Linux looks up a route for each ARP request, too, and stays silent.""",
    why_template=("{ip} is ours, but {cause}",),
    causes={
        "rule": "the rule {priority}: {rule} refuses what {sender} sends to it",
        "table": "for what {sender} sends, the rules lead to a table that knows another way",
    },
    fix_templates=("smolctl rule add priority 0 lookup local",),
    advice_template="which rules there are, and in which order: smolctl rule show",
)  # fmt: skip
ARP_PROXY_IDLE = Reason(
    "arp-proxy-idle", Kind.DROP, "RFC 1027", "silent",
    "ARP for a proxy entry whose packets could not be forwarded",
    """Somebody asked for an address that has a proxy entry on this link (neigh add proxy), so this
    stack should answer with its own MAC. But it could not forward what is then sent here: it
    forwards packets only with ip.forward=1, and only by another link than the one they came in by.
    An answer would make the address a black hole. Linux stays silent, too.""",
    why_template=("{ip} is a proxy entry of {dev}, but {cause}",),
    causes={
        "forward": "ip.forward is 0",
        "route": "there is no route to it",
        "link": "it is reached by {dev} itself",
    },
    fix_templates=("smolctl sysctl ip.forward={value}",),
    advice_template="by which link it is reached: smolctl route get {ip!z}",
    stage="target",
)  # fmt: skip
ARP_PROXY_DELAYED = Reason(
    "arp-proxy-delayed", Kind.WAIT, "RFC 1027", "silent (proxy_delay)",
    "ARP that will be answered for somebody else",
    """Somebody asked for a host behind this stack, and this stack answers for it (arp.proxy, or
    neigh add proxy). It waits for a random time first, up to neigh.proxy_delay_ms: if the host is
    on this link after all, its own answer comes first. A unicast request is answered at once.""",
    why_template=("{ip} is answered for in {ms} ms",),
    advice_template="at once: smolctl sysctl neigh.proxy_delay_ms=0",
)  # fmt: skip
ARP_PROXY_QUEUE_FULL = Reason(
    "arp-proxy-queue-full", Kind.DROP, "policy", "silent (proxy_qlen)",
    "too many requests wait to be answered for others",
    """A request that this stack answers for another host waits for a while (neigh.proxy_delay_ms).
    As many as neigh.proxy_qlen allows are waiting already, so this one is dropped silently, as
    Linux does. Whoever asked will ask again.""",
    why_template=("{limit} requests wait on {dev} already; nobody answers for {ip}",),
    fix_templates=("smolctl sysctl neigh.proxy_qlen={value}",),
    advice_template="at once: smolctl sysctl neigh.proxy_delay_ms=0",
    stage="target",
)  # fmt: skip
ARP_PROXY_PURGED = Reason(
    "arp-proxy-purged", Kind.DROP, "-", "QUEUE_PURGE",
    "the link went away before the proxy answered",
    """This stack was going to answer a request for a host behind it, a moment later
    (neigh.proxy_delay_ms). Before that, the link went down or was deleted, and the request was
    dropped with it.""",
    why_template=("{dev} went down before {ip} was answered for",),
    advice_template="what the link says: smolctl link show",
)  # fmt: skip
ARP_OWN_SENDER = Reason(
    "arp-own-sender", Kind.DROP, "RFC 5227 2.4", "silent",
    "ARP that another interface of this stack sent",
    """ARP came in whose sender MAC belongs to another interface of this stack. Both interfaces are
    on the same link, or something sends our frames back. Our own addresses are no conflict, and
    there is nothing to learn. Linux drops it, too.""",
    why_template=("{mac} is our own {home}, which is on the same link as {dev}",),
    advice_template="usually harmless: what {home} sends to everybody, {dev} hears",
    stage="sender",
)  # fmt: skip
ARP_SENDER_INVALID = Reason(
    "arp-sender-invalid", Kind.DROP, "RFC 1812 3.3.2", "silent",
    "ARP from an address that no host can have",
    """ARP says "this IP address is at this MAC". A multicast, broadcast or loopback address belongs
    to no single host, and a group MAC to no single station. If we believed it, our packets would go
    to everybody or to nobody, and RFC 1812 3.3.2 forbids that. The packet is not answered, and
    nothing is learned from it.""",
    why_template=("ARP from {ip} ({mac}): {cause}",),
    causes={
        "broadcast": "{ip} is the broadcast address of {owner}",
        "everybody": "{ip} is everybody on the link",
        "multicast": "{ip} is a multicast address",
        "loopback": "{ip} is a loopback address",
        "zero": "a reply from no address; 0.0.0.0 may only ask",
        "zeronet": "{ip} is in 0.0.0.0/8, which no host has",
        "group-mac": "{mac} is the MAC address of a group",
        "zero-mac": "the MAC address is all zeros",
    },
    advice_template="on the sender ({mac}): configure an address and a MAC of one host",
    stage="sender",
)  # fmt: skip
ARP_SENDER_OFF_SUBNET = Reason(
    "arp-sender-off-subnet", Kind.DROP, "policy", "answers and learns",
    "ARP whose sender is in another network",
    """Somebody on the link asked for our address, and the sender's address is in none of the
    networks of the interface. RFC 826 allows that. Linux answers, and so does this stack by
    default. With arp.accept_from=subnet the packet is dropped silently, as smoltcp does, and the
    sender believes that nobody is here. The address or mask is wrong, either there or here.""",
    why_template=("sender {ip} ({mac}) is in none of the networks of {dev}", " ({networks})"),
    fix_templates=("smolctl sysctl arp.accept_from=any",),
    advice_template="on the sender ({mac}): use an address and mask of {networks}",
    stage="sender",
)  # fmt: skip
ARP_IGNORED = Reason(
    "arp-ignored", Kind.DROP, "RFC 1122 3.3.4.2", "silent (arp_ignore)",
    "ARP for an address of ours that a setting leaves unanswered",
    """Somebody asked for an address of ours, and a setting keeps this stack silent. With
    arp.ignore=1 an interface answers for its own addresses only, with 2 only to hosts of the same
    network, with 3 not for addresses of scope host, with 8 never; Linux has the same levels, and 0
    by default. With arp.filter=1 only the link that leads back to the sender answers. With
    arp.answer_probes=0 a host that tests whether an address is free (RFC 5227) is not answered. The
    peer gets no answer to its ARP.""",
    why_template=("{ip} is ours, but {cause}",),
    causes={
        "elsewhere": "{dev} does not have it, and arp.ignore is {level} ({dev} has {networks})",
        "far": "{sender} is in none of its networks, and arp.ignore is 2 ({dev} has {networks})",
        "host": "no link has it with scope link or global, and arp.ignore is 3",
        "never": "arp.ignore is 8 for {dev}",
        "filter": "packets to {sender} leave by another link than {dev}, and arp.filter is 1",
        "probe": "0.0.0.0 asks whether it is free, and arp.answer_probes is 0",
    },
    fix_templates=("smolctl sysctl {knob}={value}",),
    stage="target",
)  # fmt: skip
ARP_UNSOLICITED = Reason(
    "arp-unsolicited", Kind.DROP, "RFC 826", "silent (arp_accept=0)",
    "ARP that nobody asked for",
    """A reply or an announcement came for an address that this stack has no neighbor entry for.
    Nobody here wants to talk to that host, so nothing is learned; otherwise anybody on the link
    could fill the cache. Linux does the same unless arp_accept is set. Nothing is lost: before a
    packet is sent there, the stack asks. arp.accept=1 learns it. arp.accept_from=solicited learns
    from answers to our own requests only, also for known neighbors.""",
    why_template=("{ip} says that it is at {mac}, {cause}",),
    causes={
        "unknown": "and nobody here asked for it",
        "unasked": "and is not being asked for now (arp.accept_from=solicited)",
        "others": "but to another target than an address of ours (arp.accept_target=ours)",
    },
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="learn it anyway: smolctl sysctl arp.accept=1",
)  # fmt: skip
ARP_ADDRESS_CONFLICT = Reason(
    "arp-address-conflict", Kind.DROP, "RFC 5227 2.4", "silent",
    "another host claims our address",
    """ARP came from another MAC with one of our addresses as its sender: two hosts have the same
    address. It is not answered, and nothing is learned. To others, each of the two seems to come
    and go, because they keep the MAC that they heard last. The only cure is another address for one
    of them. By default this stack does nothing more, like Linux. arp.defend changes that as RFC
    5227 2.4 has it: yield gives the address up, once announces it and gives it up if it is claimed
    again within 10 s (arp.defend_interval_ms), and always announces it at most once in that
    time.""",
    why_template=("{mac} claims our {ip} on {dev}", ": {defence}"),
    advice_template="give one of the two another address; who has it: smolctl arping -D -I"
    " {dev} {ip}",
    stage="sender",
)  # fmt: skip
ARP_DAD_FAILED = Reason(
    "arp-dad-failed", Kind.DROP, "RFC 5227 2.1.1", "silent (IPv6: dadfailed)",
    "another host has the address that is being tested",
    """An address was added here, and this stack asked the link whether another host has it
    (arp.dad, or "addr add ... dad"). Another host has it, or is testing it at the same time. So the
    address is not used: it stays in the list as tentative and dadfailed, and nothing is sent from
    it or answered for it. It is tested again when the link comes up, or with addr replace. After
    more than 10 such conflicts (arp.max_conflicts), one address a minute is tested.""",
    why_template=("{mac} {cause} {ip}, which was being tested on {dev} and is not used now",),
    causes={"owner": "has", "tester": "tests"},
    advice_template="add another address, or use it all the same: smolctl addr replace {ip}/{plen}"
    " dev {dev} nodad",
    stage="sender",
)  # fmt: skip
ARP_DAD_RATE_LIMITED = Reason(
    "arp-dad-rate-limited", Kind.NOTE, "RFC 5227 2.1.1", "silent",
    "an address is tested later, after many conflicts",
    """More addresses than arp.max_conflicts turned out to belong to other hosts. Something tries
    one address after another, and each test costs every host on the link a few broadcasts. From now
    on one address is tested in arp.rate_limit_interval_ms (a minute), and it stays tentative until
    then. The limit ends with the first address that no other host has.""",
    why_template=("more than {limit} conflicts on {dev}: the test of {ip} begins in {ms} ms",),
    fix_templates=("smolctl addr replace {ip}/{plen} dev {dev} nodad",),
)  # fmt: skip
ARP_DAD_UNHEARD = Reason(
    "arp-dad-unheard", Kind.NOTE, "RFC 5227 2.1.1", "silent",
    "ARP from the owner of an address that was tested was dropped",
    """An address was tested before its use: this stack asked the link whether another host has it.
    ARP from such a host came, but was dropped for the reason in the why line, so the test did not
    count it. Two hosts with one address take packets from each other. First find out why the ARP
    was dropped, then whether that host really is on this link: a host in another VLAN is no
    conflict.""",
    why_template=("{ip} was tested on {dev}, and an answer was dropped: {dropped}",),
    advice_template="all about that answer: smolctl why {packet}",
    stage="sender",
)  # fmt: skip
ARP_NO_REPLY = Reason(
    "arp-no-reply", Kind.NOTE, "RFC 826", "silent",
    "no usable answer to ARP for the address",
    """ARP requests left, and no answer came that could be used. Either no host on this link has the
    address (it is down, has another address, or is in another VLAN), or its answer does not reach
    us, or its answer came and was dropped; the why line says which. A host that answers ping but
    not ARP is behind a router: ARP never crosses one.""",
    why_template=("{probes:ARP request} for {next_hop} on {dev}{cause}",),
    advice_template="is it on this link at all: smolctl route get {next_hop!z}",
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
ARP_NOT_NEEDED = Reason(
    "arp-not-needed", Kind.NOTE, "RFC 826", "IFF_NOARP",
    "no MAC address has to be asked for",
    """ARP finds out which station on a link has an address. A packet to one of our own addresses
    touches no link, a loopback has no MAC addresses, and the MAC of a broadcast or multicast
    address follows from a rule (RFC 1112 6.4). So no request is sent, and none is missing. Linux
    marks such interfaces NOARP.""",
    why_template=("{ip} {cause}, so nobody is asked for a MAC address",),
    causes={
        "own": "is our own and is reached without any link",
        "noarp": "is reached by {out}, which needs no MAC addresses",
        "broadcast": "is a broadcast address, whose MAC address is known",
        "multicast": "is a multicast address, whose MAC address follows from it",
    },
)  # fmt: skip
ARP_OFF = Reason(
    "arp-off", Kind.DROP, "-", "(NOARP: freed)",
    "ARP that came in by a link without ARP",
    """The link has the flag NOARP (link set DEV arp off): it asks nobody and answers nobody, as on
    a link that leads to one other end. All of its neighbors count as known, with the link's own MAC
    address. On a link that several hosts share, nobody can reach this one then. Linux drops such
    ARP, too.""",
    why_template=("{dev} has no ARP, and takes and sends none",),
    fix_templates=("smolctl link set {dev} arp on",),
)  # fmt: skip
ARP_LOCKED_ENTRY = Reason(
    "arp-locked-entry", Kind.DROP, "-", "PERMANENT kept",
    "ARP about a neighbor that was entered by hand",
    """The neighbor's entry is PERMANENT or NOARP: a user entered it, and nothing that comes from
    the wire changes it, as in Linux. If the host got another network card, our packets still go to
    the old MAC and nobody answers. An entry in another state follows the wire again.""",
    why_template=("{ip} is {cause}", " with {lladdr}", ", and ARP says {mac}"),
    causes={"permanent": "a permanent entry", "noarp": "an entry of state NOARP"},
    fix_templates=("smolctl neigh replace {ip} lladdr {mac} dev {dev} nud reachable",),
)  # fmt: skip
ARP_LOCKTIME = Reason(
    "arp-locktime", Kind.DROP, "policy", "silent (locktime)",
    "a second host answered for an address a moment after the first",
    """An entry whose MAC has just changed ignores another MAC for a while (neigh.locktime_ms). If
    several stations answer one question, such as proxies, the first answer counts and the entry
    does not flap. Linux calls this locktime. If it happens again and again, two hosts have the same
    address. Without the locktime that would be worse, because packets would go now to one host and
    now to the other.""",
    why_template=(
        "{mac} answers for {ip} within {ms} ms of {lladdr}; the first answer counts",
    ),
    advice_template="do two hosts have {ip}? smolctl arping -c 3 -I {dev} {ip}",
)  # fmt: skip
ARP_FLAPPING = Reason(
    "arp-flapping", Kind.NOTE, "RFC 5227 1", "silent",
    "a neighbor's MAC address changes back and forth",
    """ARP said that the neighbor is at one MAC address, then at another, then at the first one
    again, each within a minute. Two hosts have the same IP address, or one host has two cards on
    this link and answers with both (arp_ignore on Linux). Packets go to the one that spoke last: a
    ping works for a while and is lost for a while, and connections hang and break. One of the two
    must get another address.""",
    why_template=(
        "{ip} moved from {lladdr} back to {mac}: its MAC changed {times} times in {seconds} s",
    ),
    advice_template="do two hosts have {ip}? smolctl arping -c 3 -I {dev} {ip}",
)  # fmt: skip
ARP_OWN_MAC = Reason(
    "arp-own-mac", Kind.NOTE, "IEEE 802", "silent",
    "a neighbor says that it has our own MAC address",
    """ARP about another host's IP address has our own MAC address as its sender. Two stations with
    one MAC address on a link, such as copies of one virtual machine, lose packets to each other: a
    switch sends frames to the one that spoke last. If the frame itself came from another station,
    that station answers ARP for us. Linux learns such a neighbor silently, and so does this
    stack.""",
    why_template=("{ip} says that its MAC is {mac}, which is our own on {dev}",),
    advice_template="give one of the two another: smolctl link set {dev} address MAC",
)  # fmt: skip
