"""Reasons of address resolution: packets that wait for a MAC, and what comes of it."""

from smolctl.stack.reason.model import Kind, Reason

NEIGH_PENDING = Reason(
    "neigh-pending", Kind.WAIT, "RFC 1122 2.3.2.2", "silent",
    "the packet waits until the next hop's MAC is known",
    """To put a packet on Ethernet one needs the MAC of the next hop: of the destination when it is
    on the link, else of the gateway. It is not known yet, so ARP asks for it, and the packet waits
    in the neighbor's queue instead of being lost (RFC 1122 2.3.2.2). Usually it leaves within a
    millisecond. This is no error: only the first packet to a host is later than the others.""",
    why_template=("waiting for ARP of {next_hop} on {dev}, {queued} queued",),
)  # fmt: skip
NEIGH_CACHE_THRASH = Reason(
    "neigh-cache-thrash", Kind.WAIT, "RFC 1122 2.3.2.1", "neighbour table overflow",
    "more neighbors than entries: a known MAC is asked for again",
    """More neighbors are in use than the neighbor cache has entries
    (iface.neighbor_cache_count). Each one that is talked to pushes another out, which has to be
    asked for again by ARP the next time, so that packets wait which need not: once a round trip
    here, and up to a second where a stack limits its requests to one a second for the whole cache,
    as smoltcp does. Seen from outside, ARP requests for the same few hosts never end. Linux has
    1024 entries, and refuses the new neighbor when all of them are in use ("neighbour table
    overflow").""",
    why_template=(
        "{next_hop} lost its entry to {new} {ago_ms} ms ago ({times}x in 60 s): {peers} neighbors"
        " share the {capacity} entries of {dev}",
    ),
    fix_templates=("smolctl sysctl iface.neighbor_cache_count={value}",),
    advice_template="have more entries than active peers: smolctl sysctl"
    " iface.neighbor_cache_count",
)  # fmt: skip
NEIGH_FAILED = Reason(
    "neigh-failed", Kind.REJECT, "RFC 1122 2.3.2.1", "NEIGH_FAILED",
    "the next hop did not answer ARP",
    """The stack asked for the next hop's MAC, usually three times in three seconds, and heard
    nothing. The host is off, it is on another link or VLAN, or the mask here is too wide, so that
    an address behind a gateway is taken for one on the link. Linux tells its programs "No route to
    host" (EHOSTUNREACH) about three seconds after it had accepted the packet.""",
    why_template=("{probes} ARP requests for {next_hop} on {dev}, no answer"
    " (host down, wrong subnet or VLAN?)",),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="smolctl arping -I {dev} {next_hop}",
)  # fmt: skip
NEIGH_QUEUE_FULL = Reason(
    "neigh-queue-full", Kind.DROP, "RFC 1122 2.3.2.2", "NEIGH_QUEUEFULL",
    "too many packets wait for one next hop; the oldest went",
    """While ARP is under way packets for that next hop wait, but not without limit: beyond
    neigh.unres_qlen packets or neigh.unres_qlen_bytes the oldest one is dropped for the newest, as
    in Linux. The sender sends faster than the neighbor answers, or the neighbor does not answer at
    all.""",
    why_template=("{queued} packets already wait for {next_hop} on {dev}", "; {limit}"),
    fix_templates=("smolctl sysctl {knob}={value}",),
    advice_template="is it there at all? smolctl arping -I {dev} {next_hop}",
)  # fmt: skip
NEIGH_QUEUE_PURGED = Reason(
    "neigh-queue-purged", Kind.DROP, "-", "QUEUE_PURGE",
    "the neighbor entry went away while the packet waited",
    """The packet was waiting for the next hop's MAC when its neighbor entry was removed: the
    interface went down or lost its carrier, the entry was deleted or flushed, or it had to make
    room for another in a full cache. With the entry goes its queue. Send again.""",
    why_template=(
        "the neighbor entry of {next_hop} on {dev} went away while the packet waited",
        ": it had to make room for {new}",
    ),
    advice_template="send again; what the interface says: smolctl link show dev {dev}",
)  # fmt: skip
NEIGH_EVICTED = Reason(
    "neigh-evicted", Kind.NOTE, "policy", "-",
    "a neighbor lost its entry to another because the cache is full",
    """The neighbor cache of an interface holds iface.neighbor_cache_count entries. When a new
    neighbor needs one and all are taken, the least used one goes. Nothing is wrong as long as this
    is rare. With more active peers than entries it happens on every packet: each send has to ask by
    ARP again, and the throughput collapses. Linux refuses the new one ("neighbour table overflow")
    instead.""",
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
    "not asked for yet: another neighbor was just now",
    """The next hop's MAC is not known, and no ARP request for it has left: one for another neighbor
    did, less than neigh.retrans_time_ms ago, and neigh.rate_limit_scope=cache lets only one leave
    in that time, whoever it is for. So does smoltcp. RFC 1122 2.3.2.1 wants at most one request a
    second for each destination; where it is one for all of them, a single host that is down, and is
    asked for again and again, can keep all others from ever being asked for.""",
    why_template=("no ARP request for {next_hop} may leave {dev} for {ms} ms: {ip} was asked for",),
    fix_templates=("smolctl sysctl neigh.rate_limit_scope=entry",),
)  # fmt: skip
NEIGH_NOT_QUEUED = Reason(
    "neigh-not-queued", Kind.DROP, "RFC 1122 2.3.2.2", "silent",
    "the MAC is not known, and such a packet may not wait",
    """The packet needs a MAC that is not known yet. An ARP request leaves in its place, but the
    packet itself is lost: it has no socket to wait in, and the sysctls give it no queue. So it is
    in smoltcp, where the first ping of an unknown host goes unanswered. RFC 1122 2.3.2.2 asks that
    at least the latest packet be saved, and Linux saves an answer like any other packet.""",
    why_template=(
        "the MAC of {next_hop} on {dev} is not known, and with {knob} nothing is kept for it",
    ),
    fix_templates=("smolctl sysctl {knob}={value}",),
)  # fmt: skip
