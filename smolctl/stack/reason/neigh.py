"""Reasons of address resolution: packets that wait for a MAC, and what comes of it."""

from smolctl.stack.reason.model import Kind, Reason

NEIGH_PENDING = Reason(
    "neigh-pending", Kind.WAIT, "RFC 1122 2.3.2.2", "silent",
    "the packet waits until the next hop's MAC is known",
    """To send a packet on Ethernet, the stack needs the MAC of the next hop: of the destination if
    it is on the link, else of the gateway. It is not known yet, so ARP asks for it, or neighbor
    discovery in IPv6, and the packet waits in the neighbor's queue instead of being lost (RFC 1122
    2.3.2.2, RFC 4861 7.2.2). Usually it leaves within a millisecond. This is no error: only the
    first packet to a host is late.""",
    why_template=("waiting for {asking} of {next_hop} on {dev}, {queued} queued",),
)  # fmt: skip
NEIGH_CACHE_THRASH = Reason(
    "neigh-cache-thrash", Kind.WAIT, "RFC 1122 2.3.2.1", "neighbour table overflow",
    "more neighbors than entries: a known MAC is asked for again",
    """More neighbors are in use than the neighbor cache has entries (iface.neighbor_cache_count).
    Each new neighbor pushes another one out, and ARP has to ask for that one again the next time.
    Each such packet waits for a round trip, or for up to a second where a stack limits ARP to one
    request a second for the whole cache, as smoltcp does. From outside, one sees ARP requests for
    the same few hosts that never end. Linux has 1024 entries and refuses a new neighbor if all of
    them are in use ("neighbour table overflow").""",
    why_template=(
        "{next_hop} lost its entry to {new} {ago_ms} ms ago ({times}x in 60 s): {peers} neighbors"
        " share the {capacity:entry|entries} of {dev}",
    ),
    fix_templates=("smolctl sysctl iface.neighbor_cache_count={value}",),
    advice_template="have more entries than active peers: smolctl sysctl"
    " iface.neighbor_cache_count",
)  # fmt: skip
NEIGH_FAILED = Reason(
    "neigh-failed", Kind.REJECT, "RFC 1122 2.3.2.1", "NEIGH_FAILED",
    "the next hop gave no usable answer when asked for its MAC",
    """The stack asked for the MAC of the next hop by ARP, or by neighbor solicitations in IPv6,
    usually three times in three seconds, and got no answer that it could use. If nothing came back,
    the host is off, it is on another link or VLAN, or the mask here is too wide, so an address
    behind a gateway looks like one on the link. If an answer came and was dropped, the why line
    gives the reason. A Linux program sees "No route to host" (EHOSTUNREACH), about three seconds
    after Linux accepted the packet.""",
    why_template=("{cause}",),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="{command}",
    causes={
        "silent": "{asked} for {next_hop} on {dev}, and nothing came back",
        "dropped": "{asked} for {next_hop} on {dev}; an answer came and was dropped:"
        " {dropped}",
        "forgotten": "{asked} for {next_hop} on {dev}, no answer that was taken; so"
        " much was dropped meanwhile that it is not known whether one came",
        "by-hand": "the neighbor entry of {next_hop} on {dev} was set to FAILED by hand",
    },
    cause_advice={
        "dropped": "all about that answer: smolctl why {packet}",
        "forgotten": "what is dropped: smolctl stats drops",
        "by-hand": "have it asked for again: smolctl neigh del {next_hop} dev {dev}",
    },
)  # fmt: skip
NEIGH_QUEUE_FULL = Reason(
    "neigh-queue-full", Kind.DROP, "RFC 1122 2.3.2.2", "NEIGH_QUEUEFULL",
    "too many packets wait for one next hop; the oldest went",
    """While ARP or neighbor discovery asks for a MAC, packets for that next hop wait. Beyond
    neigh.unres_qlen packets or neigh.unres_qlen_bytes, the oldest one is dropped for the newest, as
    in Linux. The sender sends faster than the neighbor answers, or the neighbor does not answer at
    all.""",
    why_template=(
        "{queued:packet already waits|packets already wait} for {next_hop} on {dev}",
        "; {limit}",
    ),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="is it there at all? {command}",
)  # fmt: skip
NEIGH_QUEUE_PURGED = Reason(
    "neigh-queue-purged", Kind.DROP, "-", "QUEUE_PURGE",
    "the neighbor entry went away while the packet waited",
    """The packet was waiting for the MAC of the next hop when its neighbor entry was removed. The
    queue of an entry goes with it. Send again.""",
    why_template=("the neighbor entry of {next_hop} on {dev} went away: {cause}",),
    causes={
        "evicted": "it made room for {new}",
        "down": "{dev} was set down",
        "carrier": "{dev} lost its carrier",
        "link": "{dev} was deleted",
        "mac": "{dev} got another MAC address",
        "arp": "{dev} was set to do with ARP, or without",
        "deleted": "it was deleted by hand",
        "address": "{dev} lost its last address",
    },
    advice_template="send again; what the interface says: smolctl link show dev {dev}",
)  # fmt: skip
NEIGH_EVICTED = Reason(
    "neigh-evicted", Kind.NOTE, "policy", "-",
    "a neighbor lost its entry to another because the cache is full",
    """The neighbor cache of an interface holds iface.neighbor_cache_count entries. If a new
    neighbor needs one and all are taken, the least used entry goes. That is fine as long as it is
    rare. With more active peers than entries it happens for every packet: each one has to wait for
    ARP, and the throughput collapses. Linux refuses the new neighbor instead ("neighbour table
    overflow").""",
    why_template=("the cache of {dev} is full ({capacity}), {ip} evicted for {new}",),
    fix_templates=("smolctl sysctl iface.neighbor_cache_count={value}",),
    advice_template="have more entries than active peers: smolctl sysctl"
    " iface.neighbor_cache_count",
)  # fmt: skip
NEIGH_TABLE_FULL = Reason(
    "neigh-table-full", Kind.REJECT, "policy", "ENOBUFS",
    "no room for a neighbor, all entries are permanent or in use",
    """The neighbor cache is full, and none of its entries may make room for this neighbor. A
    PERMANENT entry is never evicted. One that we used in the last 5 s is not evicted for a
    stranger: a host that asks for our address, or that gets an answer and has never answered us.
    Raise iface.neighbor_cache_count, or delete entries that were entered by hand. Linux gives
    ENOBUFS in this case ("neighbour table overflow").""",
    why_template=("all {capacity} entries of {dev} are {taken}, none left for {next_hop}",),
    fix_templates=("smolctl sysctl iface.neighbor_cache_count={value}",),
    advice_template="delete one of them: smolctl neigh show dev {dev}",
)  # fmt: skip
NEIGH_RATE_LIMITED = Reason(
    "neigh-rate-limited", Kind.WAIT, "RFC 1122 2.3.2.1", "silent",
    "not asked for yet: another neighbor has just been asked for",
    """The MAC of the next hop is not known, and no request for it has left. A request for another
    neighbor left less than neigh.retrans_time_ms ago, and neigh.rate_limit_scope=cache allows one
    in that time for the whole cache, as smoltcp does. RFC 1122 2.3.2.1 asks for at most one request
    a second for each destination. With one limit for all destinations, a single host that is down
    can keep the stack from asking for any other.""",
    why_template=("no {question} for {next_hop} may leave {dev} for {ms} ms: {ip} was asked for",),
    fix_templates=("smolctl sysctl neigh.rate_limit_scope=entry",),
)  # fmt: skip
NEIGH_NOT_QUEUED = Reason(
    "neigh-not-queued", Kind.DROP, "RFC 1122 2.3.2.2", "silent",
    "the MAC is not known, and such a packet may not wait",
    """The packet needs a MAC that is not known yet. The question for it leaves, but the packet
    itself is lost: it has no socket to wait in, and the sysctls give it no queue. smoltcp does the
    same, so there the first ping from an unknown host goes unanswered. RFC 1122 2.3.2.2 asks that
    at least the latest packet be saved, and Linux saves an answer like any other packet.""",
    why_template=(
        "the MAC of {next_hop} on {dev} is not known, and with {knob}=0 nothing is kept for it",
    ),
    fix_templates=("smolctl sysctl {knob}={value}",),
)  # fmt: skip
