"""The knobs: what real stacks do differently, one setting each.

A knob has the value of RFC, Linux and smoltcp beside each other where they are known. The name in
the environment is ``SMOLCTL_`` and the key in capitals with ``_`` for ``.``:
``SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT=8``.
"""

from collections.abc import Iterable, Iterator, Mapping

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.sysctl.arp import ARP_KNOBS
from smolctl.stack.sysctl.ip import FORWARD_KNOBS
from smolctl.stack.sysctl.knob import Knob, linux_name
from smolctl.stack.sysctl.precedence import Assignment, Level, winners

NS_PER_MS = 1_000_000
_DAY_MS = 86_400_000

KNOBS: dict[str, Knob] = {
    knob.key: knob
    for knob in (
        *ARP_KNOBS,
        *FORWARD_KNOBS,
        Knob(
            "icmp.answer_timestamp", 0, "flag", 0, 1,
            "answer timestamp requests; by default nobody is told what time it is here",
            "RFC 1122 3.2.2.8; Linux icmp_timestamp", "1", "0",
        ),
        Knob(
            "icmp.echo_ignore_all", 0, "flag", 0, 1, "answer no echo request at all",
            "RFC 1122 3.2.2.6; Linux icmp_echo_ignore_all", "0", "0",
        ),
        Knob(
            "icmp.echo_ignore_broadcasts", 1, "flag", 0, 1,
            "do not answer an echo request sent to a broadcast or multicast address",
            "RFC 1122 3.2.2.6; Linux icmp_echo_ignore_broadcasts", "1", "0",
        ),
        Knob(
            "icmp.error_tos", 1, "choice", 0, 1,
            "type of service of ICMP errors: zero, or that of the packet with the precedence of"
            " internetwork control",
            "RFC 1122 3.2.2 (zero), RFC 1812 4.3.2.5; Linux icmp_send", "control", "zero",
            ("zero", "control"),
        ),
        Knob(
            "icmp.msgs_burst", 50, "messages", 0, 1_000_000,
            "ICMP errors that may leave at once, all destinations together",
            "RFC 1812 4.3.2.8; Linux icmp_msgs_burst", "50", "no limit",
        ),
        Knob(
            "icmp.msgs_per_sec", 1000, "messages/s", 0, 1_000_000,
            "ICMP errors a second, all destinations together",
            "RFC 1812 4.3.2.8; Linux icmp_msgs_per_sec", "1000", "no limit",
        ),
        Knob(
            "icmp.ratelimit_ms", 1000, "ms", 0, _DAY_MS,
            "time between ICMP errors to one destination after a burst of 6; 0 is no limit",
            "RFC 1812 4.3.2.8; Linux icmp_ratelimit", "1000", "no limit",
        ),
        Knob(
            "iface.max_addr_count", 0, "addresses", 0, 1_000_000,
            "addresses an interface may have; 0 is no limit",
            "smoltcp IFACE_MAX_ADDR_COUNT", "0", "2",
        ),
        Knob(
            "iface.max_route_count", 0, "routes", 0, 1_000_000,
            "routes by an interface beside those of its addresses; 0 is no limit",
            "smoltcp IFACE_MAX_ROUTE_COUNT", "0", "2",
        ),
        Knob(
            "iface.neighbor_cache_count", 1024, "entries", 1, 1_000_000,
            "neighbor entries an interface may hold; the least used one goes when it is full",
            "RFC 1122 2.3.2.1; Linux gc_thresh3", "1024", "4 (0.9), 8 (0.12)",
        ),
        Knob(
            "igmp.force_version", 0, "version", 0, 3,
            "latest IGMP version that is spoken, 0 for 3; an older router of the link is heeded",
            "RFC 3376 7.2.1; Linux force_igmp_version", "0", "1 or 2, as the router",
        ),
        Knob(
            "igmp.link_local_reports", 1, "flag", 0, 1,
            "report groups of 224.0.0.0/24, which no router forwards but switches may want to know",
            "RFC 4541 2.1.2; Linux igmp_link_local_mcast_reports", "1", "1",
        ),
        Knob(
            "igmp.max_memberships", 20, "groups", 0, 1_000_000,
            "groups that one socket may join",
            "Linux igmp_max_memberships", "20", "4 an interface",
        ),
        Knob(
            "igmp.max_msf", 10, "sources", 0, 1_000_000,
            "sources that a socket may name for one group",
            "RFC 3376 3.1; Linux igmp_max_msf", "10", "none",
        ),
        Knob(
            "igmp.qrv", 2, "reports", 1, 7,
            "how often a change is reported, unless the querier says otherwise",
            "RFC 3376 8.1; Linux igmp_qrv", "2", "1",
        ),
        Knob(
            "igmp.strict_queries", 0, "flag", 0, 1,
            "ignore queries without router alert, and general ones elsewhere than at 224.0.0.1",
            "RFC 3376 9.1", "0", "0",
        ),
        Knob(
            "igmp.v2_unsolicited_report_interval_ms", 10_000, "ms", 1, _DAY_MS,
            "within which time a report of version 1 or 2 that nobody asked for is repeated",
            "RFC 2236 8.10; Linux igmpv2_unsolicited_report_interval", "10000", "none",
        ),
        Knob(
            "igmp.v3_unsolicited_report_interval_ms", 1000, "ms", 1, _DAY_MS,
            "within which time a report of a change is repeated in version 3",
            "RFC 3376 8.11; Linux igmpv3_unsolicited_report_interval", "1000", "none",
        ),
        Knob(
            "ip.accept_redirects", 1, "flag", 0, 1,
            "believe ICMP redirects: another first hop for one destination",
            "RFC 1122 3.2.2.2; Linux accept_redirects", "1", "0",
        ),
        Knob(
            "ip.accept_source_route", 0, "flag", 0, 1,
            "take packets whose source route ends here, and answer them by the same hops",
            "RFC 1122 3.2.1.8(c); Linux accept_source_route", "0", "",
        ),
        Knob(
            "ip.default_ttl", 64, "hops", 1, 255, "time to live of packets that ask for none",
            "RFC 1122 3.2.1.7; Linux ip_default_ttl", "64", "64",
        ),
        Knob(
            "ip.drop_unicast_in_l2_multicast", 0, "flag", 0, 1,
            "drop a unicast packet that came in a broadcast or multicast frame",
            "RFC 1122 3.3.6; Linux drop_unicast_in_l2_multicast", "0", "0",
        ),
        Knob(
            "ip.fib_multipath_hash_policy", 0, "level", 0, 1,
            "what makes packets one flow, which takes one of a route's several next hops: both"
            " addresses (0), or the protocol and ports as well (1)",
            "RFC 2992 2.1; Linux fib_multipath_hash_policy", "0", "",
        ),
        Knob(
            "ip.fib_multipath_hash_seed", 0, "number", 0, 0xFFFFFFFF,
            "from what the hash of flows begins; 0: from a random number, another for each stack",
            "RFC 2992 2; Linux fib_multipath_hash_seed", "0", "",
        ),
        Knob(
            "ip.fib_multipath_use_neigh", 1, "flag", 0, 1,
            "of several next hops pass over those whose gateway does not answer",
            "RFC 1122 3.3.1.5; Linux fib_multipath_use_neigh", "0", "",
        ),
        Knob(
            "ip.first_source", 0, "flag", 0, 1,
            "send from the interface's first address, whatever network the next hop is in",
            "RFC 1122 3.3.4.3; smoltcp get_source_address", "0", "1",
        ),
        Knob(
            "ip.frag_high_thresh", 4_194_304, "bytes", 0, 1_000_000_000,
            "memory for fragments that wait for others; the oldest datagram makes room",
            "RFC 1122 3.3.2; Linux ipfrag_high_thresh", "4194304", "1500",
        ),
        Knob(
            "ip.frag_max_datagrams", 1024, "datagrams", 0, 1_000_000,
            "datagrams that may wait for fragments; the oldest makes room, and 0 takes no fragment",
            "RFC 1122 3.3.2", "no limit but the memory", "1",
        ),
        Knob(
            "ip.frag_time_ms", 30_000, "ms", 1, _DAY_MS,
            "how long the first fragment to come waits for the last; RFC 1122 asks for 60 to 120 s",
            "RFC 1122 3.3.2; Linux ipfrag_time", "30000", "60000",
        ),
        Knob(
            "ip.local_port_first", 32768, "port", 1, 65535, "lowest ephemeral port",
            "RFC 6335 6; Linux ip_local_port_range", "32768", "",
        ),
        Knob(
            "ip.local_port_last", 60999, "port", 1, 65535, "highest ephemeral port",
            "RFC 6335 6; Linux ip_local_port_range", "60999", "",
        ),
        Knob(
            "ip.local_prefix", 1, "flag", 0, 1,
            "an address of lo owns its whole network, as 127.0.0.2 by 127.0.0.1/8; 0 only itself",
            "RFC 1122 3.2.1.3(g); Linux fib_add_ifaddr", "1", "0",
        ),
        Knob(
            "ip.loopback_own", 1, "flag", 0, 1,
            "a packet to an address of ours stays inside; 0 asks the wire for it by ARP",
            "RFC 1122 3.2.1.3; Linux dev_out = loopback", "1", "0",
        ),
        Knob(
            "ip.multicast_all", 1, "flag", 0, 1,
            "a new socket hears every group that anybody here has joined, not its own alone",
            "Linux IP_MULTICAST_ALL", "1", "1",
        ),
        Knob(
            "ip.multicast_ttl", 1, "hops", 0, 255,
            "time to live of packets to a group that ask for none; 0 stays on this host",
            "RFC 1122 3.3.7; RFC 1112 6.1; Linux IP_MULTICAST_TTL", "1", "64",
        ),
        Knob(
            "ip.min_pmtu", 552, "bytes", 68, 65535,
            "smallest path MTU that is believed; where a router says less, packets have this size"
            " and smaller links fragment them",
            "RFC 1191 3; Linux min_pmtu", "552", "",
        ),
        Knob(
            "ip.mtu_expires_ms", 600_000, "ms", 1, _DAY_MS,
            "how long a path MTU that was learned is believed before a bigger one is tried",
            "RFC 1191 6.3; Linux mtu_expires", "600000", "",
        ),
        Knob(
            "ip.no_pmtu_disc", 0, "level", 0, 3,
            "path MTU discovery: 0 on; 1 off, packets have no DF and a router that complains gets"
            " ip.min_pmtu; 2 and 3 off, and what routers say is ignored",
            "RFC 1191 6.1; Linux ip_no_pmtu_disc", "0", "DF, and nothing is learned",
        ),
        Knob(
            "ip.no_route", 0, "choice", 0, 1,
            "a datagram without a route is refused, or waits in its socket until there is one",
            "RFC 1122 3.3.1.1; Linux ENETUNREACH", "refuse", "wait", ("refuse", "wait"),
        ),
        Knob(
            "ip.onlink_first", 0, "flag", 0, 1,
            "a connected network comes before longer prefixes of other routes",
            "RFC 1122 3.3.1.1; Linux fib_table_lookup", "0", "1",
        ),
        Knob(
            "ip.pmtu_plateaus", 0, "flag", 0, 1,
            "where an old router does not say its MTU, try the next smaller one of usual links; 0"
            " takes ip.min_pmtu at once",
            "RFC 1191 5, 7.1; Linux __ip_rt_update_pmtu", "0", "",
        ),
        Knob(
            "ip.redirect_timeout_ms", 300_000, "ms", 1, _DAY_MS,
            "how long the first hop that a redirect named is used",
            "RFC 1122 3.3.1.3; Linux route/gc_timeout", "300000", "",
        ),
        Knob(
            "ip.rp_filter", 0, "level", 0, 2,
            "drop a packet unless an answer would 1 leave by the interface it came in by, 2 have"
            " any way at all",
            "RFC 3704 2.2, 2.4; Linux rp_filter", "0", "0",
        ),
        Knob(
            "ip.secure_redirects", 0, "flag", 0, 1,
            "believe redirects only to the gateway of a default route",
            "Linux secure_redirects", "1, of no effect beside its shared_media", "",
        ),
        Knob(
            "ip.shared_media", 0, "flag", 0, 1,
            "believe redirects to gateways that are in no network of the interface",
            "RFC 1122 3.2.2.2 (0); Linux shared_media", "1", "",
        ),
        Knob(
            "ip.strong_host", 0, "flag", 0, 1,
            "an address belongs to its interface: nothing for it comes in, or leaves from it, by"
            " another one; no router does so (ip.forward)",
            "RFC 1122 3.3.4.2", "0", "1",
        ),
        Knob(
            "ip.subnet_broadcast", 1, "flag", 0, 1,
            "the last address of a connected network is everybody in it; 0 a host like others",
            "RFC 1122 3.3.6; Linux fib_add_ifaddr", "1", "0",
        ),
        Knob(
            "neigh.base_reachable_time_ms", 30_000, "ms", 1, _DAY_MS,
            "mean time an entry stays REACHABLE; each takes 0.5 to 1.5 times this",
            "RFC 4861 10 REACHABLE_TIME; Linux base_reachable_time_ms", "30000", "60000, fixed",
        ),
        Knob(
            "neigh.delay_first_probe_time_ms", 5000, "ms", 1, _DAY_MS,
            "how long a used STALE entry waits for a confirmation before it is probed",
            "RFC 4861 10 DELAY_FIRST_PROBE_TIME; Linux delay_first_probe_time", "5000", "none",
        ),
        Knob(
            "neigh.evict", 0, "choice", 0, 1,
            "who goes when the cache is full: whom nobody used for longest, or whom ARP spoke of"
            " longest ago, which needs no place before it is resolved",
            "RFC 1122 2.3.2.1; smoltcp neighbor::Cache::fill", "least-used", "oldest",
            ("least-used", "oldest"),
        ),
        Knob(
            "neigh.gc_stale_time_ms", 60_000, "ms", 1, _DAY_MS,
            "an unused STALE or FAILED entry older than this may be collected",
            "Linux gc_stale_time", "60000", "none",
        ),
        Knob(
            "neigh.gc_thresh1", 128, "entries", 0, 1_000_000,
            "nothing is collected while an interface has at most this many entries",
            "Linux gc_thresh1", "128", "none",
        ),
        Knob(
            "neigh.lifetime_ms", 0, "ms", 0, _DAY_MS,
            "an entry is forgotten so long after ARP last spoke of it, used or not; 0 asks before"
            " that, by the states of RFC 4861",
            "RFC 1122 2.3.2.1; RFC 4861 7.3.2; smoltcp ENTRY_LIFETIME", "0", "60000",
        ),
        Knob(
            "neigh.locktime_ms", 1000, "ms", 0, _DAY_MS,
            "after a change of its MAC an entry ignores other MACs this long",
            "Linux locktime", "1000", "0",
        ),
        Knob(
            "neigh.mcast_solicit", 3, "probes", 0, 100,
            "broadcast requests before an unresolved entry is FAILED; 0 is no limit",
            "RFC 4861 10 MAX_MULTICAST_SOLICIT; Linux mcast_solicit", "3", "0",
        ),
        Knob(
            "neigh.queue_answers", 1, "flag", 0, 1,
            "an echo reply or ICMP error waits for an unresolved neighbor as others do; 0 loses it",
            "RFC 1122 2.3.2.2; smoltcp #597", "1", "0",
        ),
        Knob(
            "neigh.rate_limit_scope", 0, "choice", 0, 1,
            "requests are neigh.retrans_time_ms apart for each entry, or for the whole cache",
            "RFC 1122 2.3.2.1; smoltcp silent_until", "entry", "cache", ("entry", "cache"),
        ),
        Knob(
            "neigh.retrans_time_ms", 1000, "ms", 10, _DAY_MS,
            "time between two requests for one neighbor",
            "RFC 1122 2.3.2.1; RFC 4861 10 RETRANS_TIMER; Linux retrans_time_ms",
            "1000", "1000",
        ),
        Knob(
            "neigh.ucast_solicit", 3, "probes", 0, 100,
            "unicast requests before a PROBE entry is FAILED",
            "RFC 4861 10 MAX_UNICAST_SOLICIT; Linux ucast_solicit", "3", "none",
        ),
        Knob(
            "neigh.unres_qlen", 256, "packets", 0, 100_000,
            "packets that may wait for one unresolved neighbor, the oldest goes first; with 0 a"
            " datagram waits in its socket and blocks it, and other packets are lost",
            "RFC 1122 2.3.2.2; Linux unres_qlen", "101 by count, see unres_qlen_bytes", "0",
        ),
        Knob(
            "neigh.unres_qlen_bytes", 212_992, "bytes", 1, 1_000_000_000,
            "bytes that may wait for one unresolved neighbor; the oldest packet goes first",
            "RFC 1122 2.3.2.2; Linux unres_qlen_bytes", "212992", "",
        ),
        Knob(
            "udp.rmem_default", 212_992, "bytes", 256, 1_000_000_000,
            "receive queue of a new socket; a datagram counts its payload and 64 bytes",
            "Linux rmem_default", "212992", "chosen by the caller",
        ),
        Knob(
            "udp.wmem_default", 212_992, "bytes", 256, 1_000_000_000,
            "datagrams that may wait in a new socket which is blocked; each counts its payload and"
            " 64 bytes",
            "Linux wmem_default", "212992", "chosen by the caller",
        ),
    )
}  # fmt: skip


_RANGES = (
    ("ip.local_port_first", "ip.local_port_last", "port range"),
    ("arp.probe_min_ms", "arp.probe_max_ms", "time between probes"),
)
"""Pairs of knobs of which the first may not be above the second, and what they bound."""


class Settings:
    """The values of all knobs of one stack, and where each came from."""

    __slots__ = ("_places", "_values", "profile")

    def __init__(self) -> None:
        self.profile = "linux"
        self._values = {key: knob.default for key, knob in KNOBS.items()}
        self._places: dict[str, Assignment] = {}

    @classmethod
    def begun(cls, assigned: Iterable[Assignment], profile: str = "linux") -> "Settings":
        """Return the settings that a stack begins with.

        Args:
            assigned: by profile, config file, environment and command line, in any order: of two
                for one knob that of the stronger level counts. Each has to be right by itself.
            profile: its name, for whoever asks.

        Raises:
            NotFound, InvalidArgument: a key or value is wrong, a key has two values at one level,
                or two knobs contradict each other; the message has the places.
        """
        settings = cls()
        settings.profile = profile
        for item, value in winners(assigned, lambda item: knob(item.key).parse(item.text)):
            key = knob(item.key).key
            settings._values[key] = value
            settings._places[key] = item
        settings._check(settings._values, settings._places)
        return settings

    def twin(self) -> "Settings":
        """Return the same settings, to be changed on their own."""
        result = Settings()
        result.profile = self.profile
        result._values, result._places = dict(self._values), dict(self._places)
        return result

    def __getitem__(self, key: str) -> int:
        return self._values[key]

    def ns(self, key: str) -> int:
        """Return a knob whose unit is milliseconds, in nanoseconds."""
        return self._values[key] * NS_PER_MS

    def origin(self, key: str) -> str:
        """Return who says so: default, profile NAME, config file, environment, command line."""
        item = self._places.get(key)
        return Level.DEFAULT.label if item is None else item.origin

    def place(self, key: str) -> str:
        """Return where exactly the value stands, such as "lab.toml line 3"; "" for a default."""
        item = self._places.get(key)
        return "" if item is None else item.place

    def set(self, key: str, text: str, *, origin: str = "command line") -> None:
        """Set one knob from its text, now.

        Raises:
            NotFound: no knob has that key.
            InvalidArgument: the value is not in its range, or contradicts another knob.
        """
        key = knob(key).key
        value = KNOBS[key].parse(text)
        item = Assignment(Level.of(origin), key, text, f"smolctl sysctl {key}={text}")
        self._check({**self._values, key: value}, {**self._places, key: item})
        self._values[key] = value
        self._places[key] = item

    @staticmethod
    def _check(values: Mapping[str, int], places: Mapping[str, Assignment]) -> None:
        """Check what only holds of two knobs together."""
        for low, high, what in _RANGES:
            if values[low] > values[high]:
                said = [places[key].place for key in (low, high) if key in places]
                raise InvalidArgument(
                    f"{' and '.join(said)}: the {what} {values[low]}-{values[high]} would be empty",
                    hint=f"smolctl sysctl {low}",
                )

    def __iter__(self) -> Iterator[Knob]:
        return iter(KNOBS.values())


def knob(key: str) -> Knob:
    """Return the knob named ``key``, or as Linux spells it: net.ipv4.ip_forward, rp_filter.

    Raises:
        NotFound: there is none; the hint names the nearest.
    """
    found = KNOBS.get(key) or KNOBS.get(linux_name(key, KNOBS))
    if found is None:
        raise NotFound(f'no setting is named "{key}"', hint=nearest(key))
    return found


def nearest(key: str) -> str:
    """Return a hint for a key that does not exist: those that it may have been meant for."""
    from difflib import get_close_matches  # only a typo needs it

    tail = key.rpartition(".")[2]
    near = [name for name in KNOBS if tail and tail in name]
    near = near or get_close_matches(key.lower(), list(KNOBS), n=3, cutoff=0.7)
    if not near:
        return "all keys: smolctl sysctl"
    return "did you mean " + " or ".join(f'"{name}"' for name in near[:3]) + "?"
