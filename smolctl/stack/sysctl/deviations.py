"""The deliberate differences from Linux: one table, for the documents and the profile linux-exact.

Where a difference decides about packets and can be switched, it is a sysctl; ``linux-exact`` has
what Linux does. Others only refuse what a user says, or are about who speaks first.
"""

from typing import NamedTuple


class Deviation(NamedTuple):
    """One difference.

    Attributes:
        what: that is treated differently.
        linux: what Linux does.
        here: what a stack does with its defaults, and why.
        sysctl: what switches it; "" for none.
        exact: text of the value that does as Linux.
    """

    what: str
    linux: str
    here: str
    sysctl: str = ""
    exact: str = ""


DEVIATIONS = (
    # --- what profile linux-exact switches -------------------------------------------------------
    Deviation("destination 0.0.0.0 or ::", "the host itself",
              "refused: RFC 1122 3.2.1.3(a), RFC 4291 2.5.2", "ip.zero_is_own", "1"),
    Deviation("destination 127/8 with `dev` of a wire, or IPv6 from ::1 to another host",
              "sent, to the gateway",
              "refused, unless ip.route_localnet is set: RFC 1122 3.2.1.3(g), RFC 4291 2.5.3",
              "ip.loopback_leaves", "1"),
    Deviation("an IPv4 packet where no interface has an address to send from",
              "sent from 0.0.0.0",
              "refused: nobody could answer; to a group through `lo`, from 127.0.0.1",
              "ip.source_zero", "1"),
    Deviation("a packet from or to 0.0.0.0/8, but for 0.0.0.0", "taken, and sent on, like any",
              "dropped: RFC 1122 3.2.1.3(b)", "ip.zeronet", "1"),
    Deviation("a group that an address with `autojoin` joins",
              "an address of this host (of IPv4), from which it may send",
              "nobody's own: RFC 1122 3.2.1.3 forbids it as a source", "ip.autojoin_own", "1"),
    Deviation("a next hop of several whose link has no carrier",
              "gets its flows, unless ignore_routes_with_linkdown is set",
              "passed over: all that is sent there would be lost", "ip.multipath_carrier", "0"),
    Deviation("a next hop of several that does not answer",
              "gets its flows, unless fib_multipath_use_neigh is set",
              "passed over, as among several routes: RFC 1122 3.3.1.5",
              "ip.fib_multipath_use_neigh", "0"),
    Deviation("a redirect to a gateway on no connected network", "taken (shared_media)",
              "ignored: RFC 1122 3.2.2.2", "ip.shared_media", "1"),
    Deviation("redirects from gateways that are none here", "only those of gateways (secure)",
              "with ip.shared_media=0, that is no difference", "ip.secure_redirects", "1"),
    Deviation("a question for the time (ICMP timestamp)", "answered",
              "ignored: strangers need not know it", "icmp.answer_timestamp", "1"),
    Deviation("a new link-local address", "of no use for one to two seconds, while it is tested",
              "used at once, as RFC 4429 allows: a cable is enough for `ping`",
              "nd.optimistic_dad", "0"),
    Deviation("IPv6 from one of our own addresses, from :: and no test of an address, or to ::",
              "taken; an answer has no way; what is to :: goes where a route says", "dropped and"
              " named: RFC 4291 2.5.2; somebody has our address", "ip6.check_source", "0"),
    Deviation("an ICMPv6 error about a packet to the routers of a network (anycast)",
              "from that address", "from one of this host alone: RFC 4443 2.2 (b)",
              "icmp6.anycast_source", "1"),
    Deviation("an answer from a link-local address of ours, whose way is by another link",
              "sent", "refused: RFC 4007 9; nobody there could answer", "ip6.check_scope", "0"),
    Deviation("a packet, or ARP, from the broadcast address of a connected network",
              "taken where ip.rp_filter is 0, no rule or local route was added, and it does not"
              " leave by its link",
              "dropped: RFC 1122 3.2.1.3", "ip.broadcast_source", "1"),
    Deviation("an IPv6 packet without a way, and no address to send from",
              "EADDRNOTAVAIL", "the missing way is told: that is what to mend first",
              "ip6.source_first", "1"),
    Deviation("a datagram to an address of one link, and no link is named",
              "sent by the first route of all that match; only connect() is refused",
              "refused: RFC 4007 6", "ip6.any_link", "1"),
    Deviation("a link with IPv6 addresses and no link-local one",
              "asks for a neighbor only from the address of the packet",
              "asks from any of its addresses", "nd.ask_from_any", "0"),
    Deviation("IPv4 in IEEE 802.3 with SNAP", "dropped", "received: RFC 1122 2.3.3",
              "iface.snap", "0"),
    Deviation("a socket that is bound to a device, and an error of this host, as of a neighbor that"
              " does not answer", "hears it if it comes by that device: by the one of the sender's"
              " address, and of UDP over IPv4 by `lo`", "is told", "udp.tell_bound", "0"),
    Deviation("a TCP connection on whose way large packets vanish without a word", "hangs",
              "finds a size that gets through: RFC 4821", "tcp.mtu_probing", "0"),
    # --- what stays ------------------------------------------------------------------------------
    Deviation("an address that no host can have (0.0.0.0/8, multicast, broadcast, a network's own"
              " broadcast)", "accepted by `ip addr add`", "refused: RFC 1122 3.2.1.3"),
    Deviation("an IPv4-mapped address (::ffff:0:0/96) on an interface", "accepted by `ip addr add`",
              "refused: no packet from it is taken by anybody"),
    Deviation("neighbor entry with the broadcast MAC, or for a group address", "accepted",
              "refused: the MAC follows from the address"),
    Deviation("`maddr add`", "adds a link address",
              "joins a group: the stack takes frames to any group's link address anyway"),
    Deviation("address labels for a link that is deleted", "stay, for a link that never comes back",
              "go with it: a link of the same name would get them"),
    Deviation("an interface named `all` or `default`", "accepted, without IPv4",
              "refused: in sysctls it means something else"),
    Deviation("groups on a loopback", "reported by IGMP", "not reported: no router can be there"),
    Deviation("neighbor table full", "the packet is refused (ENOBUFS)",
              "the least used entry is replaced, for a stranger only one that we do not use;"
              " refused when there is none"),
    Deviation("fragments of more packets than fit", "the new ones are refused",
              "the oldest packet is given up, so that none keeps others out for long"),
    Deviation("a fragment whose place is filled", "a duplicate, whatever it brings",
              "one only if it brings the same bytes: RFC 5722"),
    Deviation("a gateway among several routes that was heard and has not answered yet",
              "dead for one packet and alive for the next", "alive until it fails to answer"),
    Deviation("an address that failed its test, when the link gets carrier again",
              "stays unused", "is tested again: the cable may be in another link"),
    Deviation("ARP `sendto` to a dead host", "says OK; the error comes 3 s later, if asked for",
              "`udp send` waits for the datagram's fate and reports it"),
    Deviation("an answer to a program of `exec`, by a link without `ip.forward`",
              "(a namespace behind a router: dropped)",
              "forwarded: the program has no other router"),
    Deviation("a new link", "down", "up, like a plugged-in cable"),
    Deviation("`sysctl all.KEY=VALUE`, where Linux's `all` has no effect", "nothing",
              "sets all links: what else could be meant?"),
    Deviation("a program's `sendto` after its route was removed", "fails",
              "a later call fails: only the first datagram to a destination waits for the stack"),
)  # fmt: skip
"""Those that a sysctl switches come first."""

EXACT = {each.sysctl: each.exact for each in DEVIATIONS if each.sysctl}
"""The values of profile ``linux-exact``."""
