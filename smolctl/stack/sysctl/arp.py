"""The sysctls of ARP: whom to answer, whom to believe, and whose an address is (RFC 5227)."""

from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import DAY_MS, Sysctl

ARP_SYSCTLS: tuple[Sysctl, ...] = (
    Sysctl(
        "arp.accept", 0, "flag", 0, 1,
        "learn from gratuitous ARP and unsolicited replies",
        "RFC 826; Linux arp_accept", "0", "1 (any ARP aimed at us)",
        link=LinkRule.LARGER,
    ),
    Sysctl(
        "arp.accept_from", 0, "choice", 0, 2,
        "whose ARP is accepted: anybody's, that of hosts in a network of the interface, or only"
        " answers to our own requests",
        "RFC 826; smoltcp in_same_network", "any", "subnet", ("any", "subnet", "solicited"),
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.accept_target", 0, "choice", 0, 1,
        "whose MAC is learned and updated: that of every ARP sender, or only of senders that ask"
        " for or answer to an address of ours",
        "RFC 826; smoltcp has_ip_addr", "any", "ours", ("any", "ours"),
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.answer_probes", 1, "flag", 0, 1,
        "answer requests from 0.0.0.0, with which others test whether an address is free",
        "RFC 5227 2.1.1", "1", "0",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.announce", 0, "level", 0, 2,
        "sender address of requests: 0 that of the waiting packet, 1 the same if it shares a"
        " network of the interface with the target, 2 always the interface's best",
        "RFC 1122 2.3.2.1; Linux arp_announce", "0", "0",
        link=LinkRule.LARGER,
    ),
    Sysctl(
        "arp.announce_interval_ms", 2000, "ms", 0, DAY_MS,
        "time between two announcements of a tested address",
        "RFC 5227 1.1 ANNOUNCE_INTERVAL", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.announce_num", 2, "announcements", 0, 100,
        "how often a tested address is announced",
        "RFC 5227 1.1 ANNOUNCE_NUM", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.announce_wait_ms", 2000, "ms", 0, DAY_MS,
        "how long to listen after the last probe before an address is used",
        "RFC 5227 1.1 ANNOUNCE_WAIT", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.dad", 0, "flag", 0, 1,
        "test an address for a conflict before it is used, unless it was added with nodad",
        "RFC 5227 2.1", "0", "0",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.defend", 0, "choice", 0, 3,
        "when another host claims an address of ours: do nothing; yield it; defend it once by an"
        " announcement, and yield when that does not help; or defend it always",
        "RFC 5227 2.4 (a), (b), (c)", "off", "off", ("off", "yield", "once", "always"),
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.defend_interval_ms", 10_000, "ms", 0, DAY_MS,
        "an address is defended at most once in this time",
        "RFC 5227 1.1 DEFEND_INTERVAL", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.filter", 0, "flag", 0, 1,
        "answer a request only on the link to which packets to its sender are routed",
        "RFC 1122 3.3.4.2; Linux arp_filter", "0", "0",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "arp.ignore", 0, "level", 0, 8,
        "answer requests for: 0 any address of ours, 1 addresses of the incoming interface, 2 the"
        " same, but only to hosts in their network, 3 those without scope host, 8 none; 4 to 7 are"
        " as 0",
        "RFC 1122 3.3.4.2; Linux arp_ignore", "0", "1",
        link=LinkRule.LARGER,
    ),
    Sysctl(
        "arp.max_conflicts", 10, "conflicts", 0, 1_000_000,
        "conflicts on an interface after which its addresses are tested at a limited rate",
        "RFC 5227 1.1 MAX_CONFLICTS", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.notify", 0, "flag", 0, 1,
        "announce new addresses, and all addresses of a link that comes up, gets carrier or"
        " changes its MAC",
        "RFC 5227 2.3; Linux arp_notify", "0", "0",
        link=LinkRule.LARGER,
    ),
    Sysctl(
        "arp.probe_max_ms", 2000, "ms", 0, DAY_MS,
        "longest time between two probes for an address",
        "RFC 5227 1.1 PROBE_MAX", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.probe_min_ms", 1000, "ms", 0, DAY_MS,
        "shortest time between two probes for an address",
        "RFC 5227 1.1 PROBE_MIN", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.probe_num", 3, "probes", 1, 100,
        "probes for an address before it is used",
        "RFC 5227 1.1 PROBE_NUM", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.probe_wait_ms", 1000, "ms", 0, DAY_MS,
        "the first probe for an address waits a random time up to this",
        "RFC 5227 1.1 PROBE_WAIT", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "arp.proxy", 0, "flag", 0, 1,
        "answer for addresses that are reached through another link (proxy ARP); needs ip.forward",
        "RFC 1027; Linux proxy_arp", "0", "0",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "arp.proxy_pvlan", 0, "flag", 0, 1,
        "answer for addresses that are reached through the same link, whose hosts cannot hear each"
        " other (private VLAN); needs ip.forward",
        "RFC 3069; Linux proxy_arp_pvlan", "0", "0",
        link=LinkRule.EITHER,
    ),
    Sysctl(
        "arp.rate_limit_interval_ms", 60_000, "ms", 0, DAY_MS,
        "after too many conflicts, one address at most is tested in this time",
        "RFC 5227 1.1 RATE_LIMIT_INTERVAL", "none", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.proxy_delay_ms", 800, "ms", 0, DAY_MS,
        "an answer for another host (proxy ARP, proxy ND) waits a random time up to this",
        "Linux proxy_delay", "800", "none",
        link=LinkRule.OWN,
    ),
    Sysctl(
        "neigh.proxy_qlen", 64, "requests", 0, 100_000,
        "answers for other hosts that may wait on each link, of each family",
        "Linux proxy_qlen", "64", "none",
        link=LinkRule.OWN,
    ),
)  # fmt: skip
