"""A situation for each reason that a command fixes: what else is there lets the packet through.

A reason's provoker alone will not do: a packet whose next trouble is a closed port, or a host that
nobody knows, is not helped by what gets it past the first one.
"""

from collections.abc import Callable
from typing import NamedTuple

from smolctl.stack.fib.route import RouteType
from smolctl.stack.fib.rule import RuleAction
from smolctl.stack.link.impairment import Netem
from smolctl.wire.address import BROADCAST_MAC
from tests.kit.host import (
    DEAD,
    OUR_MAC,
    OURS,
    PEER,
    Host,
    arp_frame,
    icmp_frame,
    reply,
    request,
    udp_frame,
)
from tests.stack.reason import provoke
from tests.stack.reason.provoke_groups import VARIANTS as OF_GROUPS
from tests.stack.reason.provoke_mtu import by_a_route_of_small_mtu
from tests.stack.reason.provokers import (
    Provoker,
    by_route,
    by_rule,
    failed_for,
    fragment,
    known_before,
    limited_by,
    neigh_queue_full_of,
    on_a_bad_link,
    receives,
    with_its_link_down,
    with_sysctl,
)
from tests.stack.reason.provokers_arp import TESTED
from tests.stack.reason.provokers_forward import (
    as_router,
    forwarded_by_a_route_of_small_mtu,
    forwarded_into_a_link_that_is_down,
    passing,
)
from tests.stack.reason.provokers_icmp import pings, with_options
from tests.stack.reason.provokers_tcp import TCP_CAUSES


class Situation(NamedTuple):
    """A way to a reason, and the commands that are proven to lead out of it."""

    reason: str
    fix: str
    provoke: Provoker

    def __str__(self) -> str:
        return f"{self.reason}: {self.fix}"


def after(*steps: Callable[[Host], object]) -> Provoker:
    """Return a provoker that does one thing after the other."""

    def act(host: Host) -> None:
        for step in steps:
            step(host)

    return act


def listens(host: Host) -> None:
    host.socket(7)


def has_a_router(host: Host) -> None:
    host.route("0.0.0.0/0", via=PEER)


def has_a_router_behind(host: Host) -> None:
    host.route("0.0.0.0/0", via="10.7.0.2")


def bound_to_both(host: Host) -> None:
    """A datagram to ourselves, by the wire, where nobody is: our own address is asked for."""
    host.socket(9)
    host.set("ip.loopback_own", 0)
    failed_for(OURS)(host)


def echo_of_a_group(host: Host) -> None:
    host.set("icmp.echo_ignore_broadcasts", 0)
    OF_GROUPS["ip-multicast-not-joined"][0](host)


def echo_of_a_filtered_group(host: Host) -> None:
    host.set("icmp.echo_ignore_broadcasts", 0)
    OF_GROUPS["ip-multicast-filtered"][0](host)


def refused_behind(kind: RouteType) -> Provoker:
    """Return a provoker of a packet that is to be forwarded, and that a route refuses."""

    def act(host: Host) -> None:
        host.route("8.8.8.0/24", kind=kind)
        passing("8.8.8.8")(host)

    return act


def gateway_of_another_network(host: Host) -> None:
    host.route("10.9.0.0/16", via=PEER)


TIMESTAMP = bytes(12)
BLACKHOLES = (RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT)
RULES = (RuleAction.BLACKHOLE, RuleAction.UNREACHABLE, RuleAction.PROHIBIT)
P = provoke.PROVOKERS


SITUATIONS = (
    Situation("rx-iface-down", "smolctl link set tap0 up", after(listens, P["rx-iface-down"])),
    Situation(
        "arp-target-not-ours", "smolctl addr add 10.0.0.77/24 dev tap0",
        receives(arp_frame(1, PEER, "10.0.0.77", to=OUR_MAC)),
    ),
    Situation(
        "arp-target-tentative", f"smolctl addr replace {TESTED}/24 dev tap0 nodad",
        P["arp-target-tentative"],
    ),
    Situation(
        "arp-rule-refused", "smolctl rule add priority 0 lookup local", P["arp-rule-refused"]
    ),
    Situation("arp-proxy-idle", "smolctl sysctl ip.forward=1", P["arp-proxy-idle"]),
    Situation(
        "arp-proxy-queue-full", "smolctl sysctl neigh.proxy_qlen=8", P["arp-proxy-queue-full"]
    ),
    Situation(
        "arp-sender-off-subnet", "smolctl sysctl arp.accept_from=any", P["arp-sender-off-subnet"]
    ),
    Situation("arp-ignored", "smolctl sysctl arp.ignore=0", P["arp-ignored"]),
    Situation(
        "arp-ignored", "smolctl sysctl arp.answer_probes=1",
        with_sysctl("arp.answer_probes", 0, receives(request("0.0.0.0"))),
    ),
    Situation("arp-unsolicited", "smolctl sysctl arp.accept=1", P["arp-unsolicited"]),
    Situation(
        "arp-unsolicited", "smolctl sysctl arp.accept_from=any",
        with_sysctl(
            "neigh.locktime_ms", 0,
            with_sysctl("arp.accept_from", "solicited", known_before(receives(reply(DEAD)))),
        ),
    ),
    Situation(
        "arp-locked-entry",
        f"smolctl neigh replace {PEER} lladdr 02:00:00:00:00:0b dev tap0 nud reachable",
        P["arp-locked-entry"],
    ),
    Situation("arp-off", "smolctl link set tap0 arp on", P["arp-off"]),
    Situation(
        "ip-dst-not-ours", "smolctl addr add 10.0.0.77/24 dev tap0",
        after(listens, P["ip-dst-not-ours"]),
    ),
    Situation(
        "ip-dst-not-ours", "smolctl sysctl ip.forward=1",
        as_router(passing(), **{"ip.forward": 0}),
    ),
    Situation(
        "ip-dst-tentative", f"smolctl addr replace {TESTED}/24 dev tap0 nodad",
        after(listens, P["ip-dst-tentative"]),
    ),
    Situation(
        "ip-dst-other-iface", "smolctl sysctl ip.strong_host=0",
        after(listens, P["ip-dst-other-iface"]),
    ),
    Situation(
        "ip-rule-refused", f"smolctl rule del priority 50 from {PEER} blackhole",
        after(listens, P["ip-rule-refused"]),
    ),
    Situation(
        "ip-src-is-ours", "smolctl sysctl ip.accept_local=1",
        after(listens, lambda host: host.add("10.9.9.9/32", "lo"),
              receives(udp_frame(src="10.9.9.9"))),
    ),
    Situation(
        "ip-loopback-on-wire", "smolctl sysctl ip.route_localnet=1",
        after(listens, receives(udp_frame(dst="127.0.0.1"))),
    ),
    Situation(
        "ip-reverse-path", "smolctl sysctl ip.rp_filter=0", after(listens, P["ip-reverse-path"])
    ),
    Situation(
        "ip-unicast-in-broadcast", "smolctl sysctl ip.drop_unicast_in_l2_multicast=0",
        after(listens, P["ip-unicast-in-broadcast"]),
    ),
    Situation(
        "ip-multicast-not-joined", "smolctl udp recv --group 224.0.0.9 --dev tap0 7",
        P["ip-multicast-not-joined"],
    ),
    Situation(
        "ip-multicast-not-joined", "smolctl maddr add 239.1.2.3 dev tap0", echo_of_a_group
    ),
    Situation(
        "ip-multicast-filtered",
        f"smolctl udp recv --group 239.1.2.3 --source {PEER} --dev tap0 5000",
        P["ip-multicast-filtered"],
    ),
    Situation(
        "ip-multicast-filtered", "smolctl maddr add 239.1.2.3 dev tap0", echo_of_a_filtered_group
    ),
    Situation(
        "ip-source-route", "smolctl sysctl ip.accept_source_route=1",
        after(listens, receives(with_options(bytes([131, 7, 8, 10, 0, 0, 2])))),
    ),
    Situation("frag-no-slot", "smolctl sysctl ip.frag_max_datagrams=8", P["frag-no-slot"]),
    Situation(
        "frag-no-slot", "smolctl sysctl ip.frag_high_thresh=262144",
        with_sysctl("ip.frag_high_thresh", 8, receives(fragment(0, 16))),
    ),
    Situation(
        "igmp-query-refused", "smolctl sysctl igmp.strict_queries=0",
        OF_GROUPS["igmp-query-refused"][0],
    ),
    Situation(
        "icmp-echo-broadcast", "smolctl sysctl icmp.echo_ignore_broadcasts=0",
        P["icmp-echo-broadcast"],
    ),
    Situation(
        "icmp-echo-ignored", "smolctl sysctl icmp.echo_ignore_all=0", P["icmp-echo-ignored"]
    ),
    Situation(
        "icmp-timestamp-ignored", "smolctl sysctl icmp.answer_timestamp=1",
        receives(icmp_frame(13, body=TIMESTAMP)),
    ),
    Situation(
        "icmp-timestamp-broadcast", "smolctl sysctl icmp.echo_ignore_broadcasts=0",
        with_sysctl(
            "icmp.answer_timestamp", 1,
            receives(icmp_frame(13, body=TIMESTAMP, dst="10.0.0.255", to=BROADCAST_MAC)),
        ),
    ),
    *(
        Situation(f"icmp-redirect-{kind}", f"smolctl sysctl {key}", P[f"icmp-redirect-{kind}"])
        for kind, key in (
            ("ignored", "ip.accept_redirects=1"),
            ("off-link", "ip.shared_media=1"),
            ("insecure", "ip.secure_redirects=0"),
        )
    ),
    Situation("icmp-mtu-ignored", "smolctl sysctl ip.no_pmtu_disc=0", P["icmp-mtu-ignored"]),
    Situation("icmp-rate-limited", "smolctl sysctl icmp.ratelimit_ms=0", P["icmp-rate-limited"]),
    Situation("icmp-rate-limited", "smolctl sysctl icmp.msgs_burst=50", limited_by(0, 1000)),
    Situation("icmp-rate-limited", "smolctl sysctl icmp.msgs_per_sec=1000", limited_by(1, 1)),
    Situation("udp-port-closed", f"smolctl udp recv {OURS}:7", P["udp-port-closed"]),
    Situation(
        "udp-bound-elsewhere", f"smolctl udp recv {OURS}:7 --dev tap0", P["udp-bound-elsewhere"]
    ),
    Situation(
        "udp-no-listener", "smolctl udp recv --group 239.1.2.3 --dev tap0 5000",
        P["udp-no-listener"],
    ),
    Situation(
        "udp-no-listener", "smolctl udp recv 10.0.0.255:7", OF_GROUPS["udp-no-listener"][0]
    ),
    Situation("tcp-no-listener", f"smolctl tcp listen {OURS}:80", P["tcp-no-listener"]),
    Situation(
        "tcp-bound-elsewhere", f"smolctl tcp listen {OURS}:80 --dev tap0",
        P["tcp-bound-elsewhere"],
    ),
    Situation(
        "tcp-bound-elsewhere", f"smolctl tcp listen {OURS}:80 --dev tap0",
        TCP_CAUSES["tcp-bound-elsewhere", "device"][0],
    ),
    Situation(
        "tcp-syn-queue-full", "smolctl sysctl tcp.syncookies=1", P["tcp-syn-queue-full"]
    ),
    Situation(
        "udp-waits-for-route", f"smolctl route add default via {PEER}", P["udp-waits-for-route"]
    ),
    Situation(
        "udp-head-of-line", "smolctl sysctl neigh.unres_qlen=256", P["udp-head-of-line"]
    ),
    Situation(
        "fwd-special-address", "smolctl sysctl ip.forward_special=1",
        after(
            lambda host: (host.link("tap2"), host.add("169.254.0.9/16", "tap2")),
            P["fwd-special-address"],
        ),
    ),
    Situation(
        "fwd-directed-broadcast", "smolctl sysctl ip.bc_forwarding=1", P["fwd-directed-broadcast"]
    ),
    Situation("fwd-no-route", "smolctl route add default via 10.7.0.2", P["fwd-no-route"]),
    Situation(
        "fwd-no-route", "smolctl link set tap1 up", as_router(forwarded_into_a_link_that_is_down)
    ),
    *(
        Situation(
            f"fwd-route-{kind}", f"smolctl route del {kind} 8.8.8.0/24",
            as_router(after(has_a_router_behind, refused_behind(kind))),
        )
        for kind in BLACKHOLES
    ),
    Situation("fwd-too-big", "smolctl link set tap1 mtu 1528", P["fwd-too-big"]),
    Situation(
        "fwd-too-big",
        f"smolctl route change 8.8.8.0/24 via 10.7.0.2 dev tap1 src {OURS} metric 7 mtu 1028",
        as_router(forwarded_by_a_route_of_small_mtu),
    ),
    Situation(
        "tx-src-tentative", f"smolctl addr replace {TESTED}/24 dev tap0 nodad",
        P["tx-src-tentative"],
    ),
    Situation("tx-wrong-iface", "smolctl sysctl ip.strong_host=0", P["tx-wrong-iface"]),
    Situation(
        "tx-no-route", f"smolctl route add default via {PEER}",
        after(gateway_of_another_network, P["tx-no-route"]),
    ),
    Situation("tx-no-route", f"smolctl route add default via {PEER}", P["tx-no-route"]),
    Situation("tx-no-route", "smolctl link set tap0 up", with_its_link_down),
    *(
        Situation(
            f"tx-route-{kind}", f"smolctl route del {kind} 8.8.8.0/24",
            after(has_a_router, by_route(kind)),
        )
        for kind in BLACKHOLES
    ),
    *(
        Situation(
            f"tx-rule-{kind.value}",
            f"smolctl rule del priority 5 from all to 8.8.8.0/24 {kind.value}",
            after(has_a_router, by_rule(kind)),
        )
        for kind in RULES
    ),
    Situation(
        "tx-broadcast-denied", "smolctl udp send --broadcast 10.0.0.255:9 --size 1",
        P["tx-broadcast-denied"],
    ),
    Situation("tx-broadcast-denied", "smolctl ping -b 10.0.0.255", pings("10.0.0.255")),
    Situation("tx-no-port", "smolctl sysctl ip.local_port_last=65535", P["tx-no-port"]),
    Situation("tx-iface-down", "smolctl link set tap0 up", P["tx-iface-down"]),
    Situation("tx-link-down", "smolctl link set lo up", P["tx-link-down"]),
    Situation("tx-too-big", "smolctl link set tap0 mtu 1501", P["tx-too-big"]),
    Situation(
        "tx-too-big",
        f"smolctl route change 8.8.8.0/24 via {PEER} dev tap0 src {OURS} metric 7 mtu 1028",
        by_a_route_of_small_mtu,
    ),
    Situation(
        "neigh-cache-thrash", "smolctl sysctl iface.neighbor_cache_count=8",
        P["neigh-cache-thrash"],
    ),
    Situation("neigh-failed", "smolctl sysctl ip.loopback_own=1", bound_to_both),
    Situation(
        "neigh-queue-full", "smolctl sysctl neigh.unres_qlen=8",
        P["neigh-queue-full"],
    ),
    Situation(
        "neigh-queue-full", "smolctl sysctl neigh.unres_qlen_bytes=100",
        with_sysctl("neigh.unres_qlen_bytes", 50, neigh_queue_full_of(2)),
    ),
    Situation(
        "neigh-evicted", "smolctl sysctl iface.neighbor_cache_count=8", P["neigh-evicted"]
    ),
    Situation(
        "neigh-table-full", "smolctl sysctl iface.neighbor_cache_count=8", P["neigh-table-full"]
    ),
    Situation(
        "neigh-rate-limited", "smolctl sysctl neigh.rate_limit_scope=entry",
        P["neigh-rate-limited"],
    ),
    Situation("neigh-not-queued", "smolctl sysctl neigh.queue_answers=1", P["neigh-not-queued"]),
    Situation("lab-loss", "smolctl link set tap0 loss 0", P["lab-loss"]),
    Situation("lab-loss", "smolctl link set tap0 loss 0", on_a_bad_link(Netem(loss=0.6))),
    Situation(
        "lab-queue-full", "smolctl link set tap0 delay 0 jitter 0 rate 0", P["lab-queue-full"]
    ),
    Situation("lab-delay", "smolctl link set tap0 delay 0 jitter 0 rate 0", P["lab-delay"]),
    Situation("lab-corrupt", "smolctl link set tap0 corrupt 0", P["lab-corrupt"]),
    Situation("lab-duplicate", "smolctl link set tap0 duplicate 0", P["lab-duplicate"]),
    Situation("lab-reorder", "smolctl link set tap0 reorder 0", P["lab-reorder"]),
)  # fmt: skip
