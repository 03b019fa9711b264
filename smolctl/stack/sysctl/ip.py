"""Sysctls of IPv4: addresses, routes, forwarding, fragments and path MTUs."""

from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import DAY_MS, Sysctl

IP_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "ip.accept_local", 0, "flag", 0, 1,
        "accept packets and ARP from the wire whose sender has one of our own addresses, such as"
        " from ourselves by another link",
        "RFC 1122 3.2.1.3 (0); Linux accept_local", "0", "",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "ip.accept_redirects", 1, "flag", 0, 1,
        "accept ICMP redirects: another first hop for one destination",
        "RFC 1122 3.2.2.2; Linux accept_redirects", "1", "0",
        link=LinkRule.REDIRECTS,
    ),
    Sysctl(
        "ip.accept_source_route", 0, "flag", 0, 1,
        "accept packets whose source route ends here, and answer along the same hops",
        "RFC 1122 3.2.1.8(c); Linux accept_source_route", "0", "",
        link=LinkRule.BOTH, link_default=1,
    ),
    Sysctl(
        "ip.autojoin_own", 0, "flag", 0, 1,
        "take a group that an address joins (autojoin) for an address of this host",
        "RFC 1122 3.2.1.3", "1", "",
    ),
    Sysctl(
        "ip.bc_forwarding", 0, "flag", 0, 1,
        "forward broadcasts to a connected network",
        "RFC 2644 2; RFC 1812 5.3.5.2; Linux bc_forwarding", "0", "",
        link=LinkRule.BOTH,
    ),
    Sysctl(
        "ip.broadcast_source", 0, "flag", 0, 1,
        "take packets and ARP from the broadcast address of a connected network, where nothing"
        " else makes their source be looked up (ip.rp_filter, rules)",
        "RFC 1122 3.2.1.3; Linux fib_validate_source", "1", "",
    ),
    Sysctl(
        "ip.default_ttl", 64, "hops", 1, 255, "default time to live of packets",
        "RFC 1122 3.2.1.7; Linux ip_default_ttl", "64", "64",
    ),
    Sysctl(
        "ip.drop_unicast_in_l2_multicast", 0, "flag", 0, 1,
        "drop a unicast packet that came in a broadcast or multicast frame",
        "RFC 1122 3.3.6; Linux drop_unicast_in_l2_multicast", "0", "0",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "ip.fib_multipath_hash_policy", 0, "level", 0, 1,
        "which packets are one flow, and take the same next hop of a route: those with the same"
        " addresses (0), or also the same protocol and ports (1)",
        "RFC 2992 2.1; Linux fib_multipath_hash_policy", "0", "",
    ),
    Sysctl(
        "ip.fib_multipath_hash_seed", 0, "number", 0, 0xFFFFFFFF,
        "seed of the flow hash; 0: a random number for each stack",
        "RFC 2992 2; Linux fib_multipath_hash_seed", "0", "",
    ),
    Sysctl(
        "ip.fib_multipath_use_neigh", 1, "flag", 0, 1,
        "skip next hops whose gateway does not answer",
        "RFC 1122 3.3.1.5; Linux fib_multipath_use_neigh", "0", "",
    ),
    Sysctl(
        "ip.first_source", 0, "flag", 0, 1,
        "send from the interface's first address, whatever network the next hop is in",
        "RFC 1122 3.3.4.3; smoltcp get_source_address", "0", "1",
    ),
    Sysctl(
        "ip.forward", 0, "flag", 0, 1,
        "be a router: forward packets for others to their next hop",
        "RFC 1122 3.1; RFC 1812 5; Linux ip_forward", "0", "no",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "ip.forward_special", 1, "flag", 0, 1,
        "also forward packets from or to 169.254.0.0/16 or 240.0.0.0/4",
        "RFC 3927 7; RFC 1812 5.3.7", "1", "",
    ),
    Sysctl(
        "ip.frag_high_thresh", 4_194_304, "bytes", 0, 1_000_000_000,
        "memory for incomplete datagrams; when it is full, the oldest is dropped",
        "RFC 1122 3.3.2; Linux ipfrag_high_thresh", "4194304", "1500",
    ),
    Sysctl(
        "ip.frag_max_datagrams", 1024, "datagrams", 0, 1_000_000,
        "incomplete datagrams at a time, then the oldest is dropped; 0 accepts no fragments",
        "RFC 1122 3.3.2", "no limit but the memory", "1",
    ),
    Sysctl(
        "ip.frag_time_ms", 30_000, "ms", 1, DAY_MS,
        "time for a datagram to become complete; RFC 1122 requires 60 to 120 s",
        "RFC 1122 3.3.2; Linux ipfrag_time", "30000", "60000",
    ),
    Sysctl(
        "ip.fwmark_reflect", 0, "flag", 0, 1,
        "answers that no socket gives, such as echo replies, errors and resets, have the mark of"
        " what they answer",
        "Linux fwmark_reflect", "0", "none",
    ),
    Sysctl(
        "ip.ignore_routes_with_linkdown", 0, "flag", 0, 1,
        "let routes not count while their link has no carrier",
        "Linux ignore_routes_with_linkdown", "0", "",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "ip.local_port_first", 32768, "port", 1, 65535, "lowest ephemeral port",
        "RFC 6335 6; Linux ip_local_port_range", "32768", "",
    ),
    Sysctl(
        "ip.local_port_last", 60999, "port", 1, 65535, "highest ephemeral port",
        "RFC 6335 6; Linux ip_local_port_range", "60999", "",
    ),
    Sysctl(
        "ip.local_prefix", 1, "flag", 0, 1,
        "an address of lo makes its whole network local (127.0.0.2 with 127.0.0.1/8); 0 only"
        " itself",
        "RFC 1122 3.2.1.3(g); Linux fib_add_ifaddr", "1", "0",
    ),
    Sysctl(
        "ip.loopback_leaves", 0, "flag", 0, 1,
        "send to 127.0.0.0/8 by a wire where the sender insists on it, and from ::1 to other hosts",
        "RFC 1122 3.2.1.3(g)", "1", "",
    ),
    Sysctl(
        "ip.loopback_own", 1, "flag", 0, 1,
        "packets to our own addresses stay inside; 0 asks for them by ARP on the wire",
        "RFC 1122 3.2.1.3; Linux dev_out = loopback", "1", "0",
    ),
    Sysctl(
        "ip.min_pmtu", 552, "bytes", 68, 65535,
        "smallest accepted path MTU; if a router reports less, packets have this size and smaller"
        " links fragment them",
        "RFC 1191 3; Linux min_pmtu", "552", "",
    ),
    Sysctl(
        "ip.mtu_expires_ms", 600_000, "ms", 1, DAY_MS,
        "how long a learned path MTU is used before a bigger one is tried",
        "RFC 1191 6.3; Linux mtu_expires", "600000", "",
    ),
    Sysctl(
        "ip.multipath_carrier", 1, "flag", 0, 1,
        "pass over next hops whose link has no carrier: what a flow sent there would be lost",
        "RFC 2991 2", "0", "",
    ),
    Sysctl(
        "ip.multicast_all", 1, "flag", 0, 1,
        "a new socket hears every group that any socket here has joined, not only its own",
        "Linux IP_MULTICAST_ALL", "1", "1",
    ),
    Sysctl(
        "ip.multicast_ttl", 1, "hops", 0, 255,
        "default time to live of packets to a group; 0 stays on this host",
        "RFC 1122 3.3.7; RFC 1112 6.1; Linux IP_MULTICAST_TTL", "1", "64",
    ),
    Sysctl(
        "ip.no_pmtu_disc", 0, "level", 0, 3,
        "path MTU discovery: 0 on; 1 off, packets have no DF, and ip.min_pmtu is used after an"
        " error; 2 and 3 off, and errors are ignored",
        "RFC 1191 6.1; Linux ip_no_pmtu_disc", "0", "DF, and nothing is learned",
    ),
    Sysctl(
        "ip.no_route", 0, "choice", 0, 1,
        "a datagram without a route is refused, or waits in its socket until there is one",
        "RFC 1122 3.3.1.1; Linux ENETUNREACH", "refuse", "wait", ("refuse", "wait"),
    ),
    Sysctl(
        "ip.nonlocal_bind", 0, "flag", 0, 1,
        "let sockets be bound to addresses that the stack does not have (yet); nothing is sent from"
        " there before it has them",
        "Linux ip_nonlocal_bind", "0", "",
    ),
    Sysctl(
        "ip.onlink_first", 0, "flag", 0, 1,
        "prefer a connected network to longer prefixes of other routes",
        "RFC 1122 3.3.1.1; Linux fib_table_lookup", "0", "1",
    ),
    Sysctl(
        "ip.pmtu_plateaus", 0, "flag", 0, 1,
        "if an old router does not report its MTU, try the next smaller usual one; 0 uses"
        " ip.min_pmtu at once",
        "RFC 1191 5, 7.1; Linux __ip_rt_update_pmtu", "0", "",
    ),
    Sysctl(
        "ip.redirect_timeout_ms", 300_000, "ms", 1, DAY_MS,
        "how long the first hop of a redirect is used",
        "RFC 1122 3.3.1.3; Linux route/gc_timeout", "300000", "",
    ),
    Sysctl(
        "ip.route_localnet", 0, "flag", 0, 1,
        "let packets and ARP from and to 127.0.0.0/8 come in by a wire, and leave by one",
        "RFC 1122 3.2.1.3(g) (0); Linux route_localnet", "0", "",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "ip.rp_filter", 0, "level", 0, 2,
        "drop a packet unless an answer would: 1 leave through the interface where it came in, 2"
        " have any route",
        "RFC 3704 2.2, 2.4; Linux rp_filter", "0", "0",
        link=LinkRule.LARGER,
    ),
    Sysctl(
        "ip.secure_redirects", 0, "flag", 0, 1,
        "accept redirects only to the gateway of a default route",
        "Linux secure_redirects", "1, of no effect beside its shared_media", "",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "ip.send_redirects", 1, "flag", 0, 1,
        "tell a host about a better gateway in its own network",
        "RFC 1812 5.2.7.2; Linux send_redirects", "1", "",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "ip.shared_media", 0, "flag", 0, 1,
        "send and accept redirects to anybody on the link, whatever network they are in",
        "RFC 1122 3.2.2.2 (0); Linux shared_media", "1", "",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "ip.source_zero", 0, "flag", 0, 1,
        "send IPv4 from 0.0.0.0 where no interface has an address for it",
        "RFC 1122 3.2.1.3(a)", "1", "",
    ),
    Sysctl(
        "ip.src_valid_mark", 0, "flag", 0, 1,
        "the answer that ip.rp_filter looks for has the mark of the packet",
        "Linux src_valid_mark", "0", "none",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "ip.strong_host", 0, "flag", 0, 1,
        "an address belongs to its interface: its packets use no other interface (not for a"
        " router, ip.forward)",
        "RFC 1122 3.3.4.2", "0", "1",
    ),
    Sysctl(
        "ip.subnet_broadcast", 1, "flag", 0, 1,
        "the last address of a connected network is its broadcast address; 0 a host like others",
        "RFC 1122 3.3.6; Linux fib_add_ifaddr", "1", "0",
    ),
    Sysctl(
        "ip.zero_is_own", 0, "flag", 0, 1,
        "take 0.0.0.0 and :: as destination for this host itself",
        "RFC 1122 3.2.1.3(a); RFC 4291 2.5.2", "1", "",
    ),
    Sysctl(
        "ip.zeronet", 0, "flag", 0, 1,
        "take packets from and to 0.0.0.0/8, but for 0.0.0.0 itself",
        "RFC 1122 3.2.1.3(b)", "1", "",
    ),
)  # fmt: skip
