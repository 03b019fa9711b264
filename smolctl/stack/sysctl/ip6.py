"""Sysctls of IPv6: addresses, forwarding, headers, fragments and ICMPv6."""

from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import DAY_MS, Sysctl

IP6_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "icmp6.anycast_source", 0, "flag", 0, 1,
        "send ICMPv6 errors about packets to an anycast address from that address",
        "RFC 4443 2.2 (b)", "1", "",
    ),
    Sysctl(
        "icmp6.echo_ignore_all", 0, "flag", 0, 1, "ignore all ICMPv6 echo requests",
        "RFC 4443 4.2; Linux ipv6 icmp echo_ignore_all", "0", "0",
    ),
    Sysctl(
        "icmp6.echo_ignore_anycast", 0, "flag", 0, 1,
        "ignore ICMPv6 echo requests to an anycast address",
        "RFC 4443 4.2; Linux echo_ignore_anycast", "0", "0",
    ),
    Sysctl(
        "icmp6.echo_ignore_multicast", 0, "flag", 0, 1,
        "ignore ICMPv6 echo requests to a group",
        "RFC 4443 4.2; Linux echo_ignore_multicast", "0", "0",
    ),
    Sysctl(
        "icmp6.ratelimit_ms", 100, "ms", 0, DAY_MS,
        "time between ICMPv6 errors to one destination after a burst of 6; 0 is no limit",
        "RFC 4443 2.4 (f); Linux ipv6 icmp ratelimit", "100", "no limit",
    ),
    Sysctl(
        "ip6.accept_redirects", 1, "flag", 0, 1,
        "accept redirects of neighbor discovery: another first hop for one destination",
        "RFC 4861 8.3; Linux ipv6 accept_redirects", "1", "",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "ip6.addr_gen_mode", 0, "choice", 0, 2,
        "interface identifier of a link-local address: of the MAC, no such address, or a random one"
        " that the link keeps",
        "RFC 4862 5.3; RFC 7217; Linux addr_gen_mode", "eui64", "", ("eui64", "none", "random"),
        link=LinkRule.OWN,
    ),
    Sysctl(
        "ip6.any_link", 0, "flag", 0, 1,
        "send datagrams to a link-local address by the first route where no link is named",
        "RFC 4007 6; Linux udpv6_sendmsg", "1", "",
    ),
    Sysctl(
        "ip6.auto_flowlabels", 1, "level", 0, 3,
        "make flow labels from a hash of the flow: 0 and 2 no, 1 and 3 yes",
        "RFC 6437 3; Linux auto_flowlabels", "1", "",
    ),
    Sysctl(
        "ip6.bindv6only", 0, "flag", 0, 1,
        "a new IPv6 socket does not speak IPv4",
        "RFC 3493 5.3; Linux bindv6only", "0", "",
    ),
    Sysctl(
        "ip6.check_scope", 1, "flag", 0, 1,
        "send nothing from a link-local address by another link, which answers may have to take",
        "RFC 4007 9", "0", "",
    ),
    Sysctl(
        "ip6.check_source", 1, "flag", 0, 1,
        "drop IPv6 packets from one of our own addresses, from :: if they test no address, and"
        " to ::",
        "RFC 4291 2.5.2", "0", "",
    ),
    Sysctl(
        "ip6.disable", 0, "flag", 0, 1,
        "do without IPv6: no link has an IPv6 address, and IPv6 packets are dropped",
        "RFC 8504 1; Linux disable_ipv6", "0", "a compile-time feature",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "ip6.drop_unicast_in_l2_multicast", 0, "flag", 0, 1,
        "drop a unicast IPv6 packet that came in a broadcast or multicast frame",
        "Linux ipv6 drop_unicast_in_l2_multicast", "0", "0",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "ip6.flowlabel_reflect", 0, "bits", 0, 7,
        "answer with the flow label of the question: 4 for echo replies; 1 and 2 are TCP's",
        "RFC 7690 4; Linux flowlabel_reflect", "0", "",
    ),
    Sysctl(
        "ip6.forward", 0, "flag", 0, 1,
        "be an IPv6 router: forward packets for others to their next hop; of a link alone, only"
        " be a router for its neighbors",
        "RFC 8200 2; RFC 4861 6.2; Linux ipv6 forwarding", "0", "no",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "ip6.frag_high_thresh", 4_194_304, "bytes", 0, 1_000_000_000,
        "memory for incomplete IPv6 packets; when it is full, the oldest is dropped",
        "RFC 8200 4.5; Linux ip6frag_high_thresh", "4194304", "",
    ),
    Sysctl(
        "ip6.frag_max_datagrams", 1024, "packets", 0, 1_000_000,
        "incomplete IPv6 packets at a time, then the oldest is dropped; 0 accepts no fragments",
        "RFC 8200 4.5", "no limit but the memory", "",
    ),
    Sysctl(
        "ip6.frag_time_ms", 60_000, "ms", 1, DAY_MS,
        "time for an IPv6 packet to become complete",
        "RFC 8200 4.5; Linux ip6frag_time", "60000", "",
    ),
    Sysctl(
        "ip6.fwmark_reflect", 0, "flag", 0, 1,
        "answers that no socket gives, such as echo replies, errors and resets, have the mark of"
        " what they answer",
        "Linux ipv6 fwmark_reflect", "0", "none",
    ),
    Sysctl(
        "ip6.hop_limit", 64, "hops", 1, 255, "default hop limit of IPv6 packets",
        "RFC 8200 3; Linux hop_limit", "64", "64",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "ip6.ignore_routes_with_linkdown", 0, "flag", 0, 1,
        "let IPv6 routes not count while their link has no carrier",
        "Linux ipv6 ignore_routes_with_linkdown", "0", "",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "ip6.max_dst_opts", 8, "options", 0, 1_000_000,
        "options that a destination options header may have, padding excepted",
        "RFC 8504 5.3; Linux max_dst_opts_number", "8", "",
    ),
    Sysctl(
        "ip6.max_hbh_opts", 8, "options", 0, 1_000_000,
        "options that a hop-by-hop header may have, padding excepted",
        "RFC 8504 5.3; Linux max_hbh_opts_number", "8", "",
    ),
    Sysctl(
        "ip6.mtu_expires_ms", 600_000, "ms", 1, DAY_MS,
        "how long a learned path MTU of IPv6 is used before a bigger one is tried",
        "RFC 8201 5.3; Linux ipv6 mtu_expires", "600000", "",
    ),
    Sysctl(
        "ip6.multicast_hops", 1, "hops", 0, 255,
        "default hop limit of packets to an IPv6 group; 0 stays on this host",
        "RFC 3493 5.2; Linux IPV6_MULTICAST_HOPS", "1", "",
    ),
    Sysctl(
        "ip6.nonlocal_bind", 0, "flag", 0, 1,
        "let sockets be bound to addresses that the stack does not have, and send from there",
        "Linux ipv6 ip_nonlocal_bind", "0", "",
    ),
    Sysctl(
        "ip6.source_first", 0, "flag", 0, 1,
        "say of a packet without a way that there is no address to send from, if there is none",
        "Linux ip6_dst_lookup_tail", "1", "none",
    ),
)  # fmt: skip
