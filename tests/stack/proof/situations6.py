"""A situation of IPv6 for each reason that a command fixes, those of both families included."""

from collections.abc import Callable

from smolctl.stack.config.link import set_mtu
from smolctl.stack.config.rule import add_rule
from smolctl.stack.fib.route import InsertMode, Route, RouteType
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.ip.groups import ANYBODY
from smolctl.stack.ip.membership import join
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.neighbor.states import State
from smolctl.wire import ndp
from smolctl.wire.ipv6_ext import options_header
from tests.kit.clock import SECOND_NS
from tests.kit.host import PEER_MAC, Host, ip
from tests.kit.host6 import (
    DEAD6,
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    advertise,
    echo6_request,
    frame6_of,
    nd_frame,
    packet6_of,
    udp6_frame,
)
from tests.stack.proof.situations import Situation, after
from tests.stack.reason.provokers import Provoker, refused, without_ipv6
from tests.stack.reason.provokers_ipv6 import (
    DATAGRAM6,
    FAR6,
    IPV6_PROVOKERS,
    UNKNOWN_OPTION,
    as_router6,
    gets,
    while_tested,
    with_ipv6,
    with_value,
)

P = IPV6_PROVOKERS
GROUP6 = "ff05::5"
NEXT6 = "2001:db8:1::2"


def listens6(host: Host) -> None:
    host.socket(7, local="::")


def first(step: Callable[[Host], object], then: Provoker) -> Provoker:
    """Return a provoker on a host with IPv6 that did something before."""
    return with_ipv6(after(step, then))


def told(*frames: bytes) -> Provoker:
    return lambda host: host.receive(*frames)


def goes_by_peer(host: Host) -> None:
    host.route("::/0", "tap0", via=PEER_LINK_LOCAL)


def sends6(dst: str, size: int = 1, **fields: object) -> Provoker:
    """Return a provoker whose socket sends a datagram that is refused."""

    def act(host: Host) -> None:
        socket = host.socket(9, local="::")
        for name, value in fields.items():
            setattr(socket, name, value)
        refused(host, socket, dst, payload=bytes(size))

    return act


def refusing(kind: RouteType) -> Callable[[Host], object]:
    return lambda host: host.route("2001:db8:9::/48", kind=kind)


def ruled(kind: RuleAction) -> Callable[[Host], None]:
    def act(host: Host) -> None:
        rule = Rule(5, kind, src=ip("::"), dst=ip("2001:db8:9::"), dst_len=48)
        add_rule(host.stack.ipv6, rule)

    return act


def rule_first(host: Host) -> None:
    """Refuse what the peer sends before the table local is asked."""
    P["ip6-rule-refused"](host)


def has_a_way_on(host: Host) -> None:
    host.know(NEXT6, PEER_MAC, State.PERMANENT, "tap1")


def router_behind(host: Host) -> None:
    """A neighbor on tap1 says that it is a router."""
    has_a_way_on(host)
    host.route("2001:db8:7::/48", "tap1", via=NEXT6)


def to_far6(size: int = 5) -> bytes:
    return udp6_frame(dst=FAR6, payload=bytes(size))


def passing6(size: int = 5) -> Provoker:
    return told(to_far6(size))


def small_next_link(host: Host) -> None:
    host.route("2001:db8:9::/48", "tap1", via=NEXT6)
    set_mtu(host.stack.shared, host.stack.interface("tap1"), 1280)


def too_narrow(host: Host) -> None:
    set_mtu(host.stack.shared, host.tap, 1279)


def small_route(host: Host) -> None:
    route = Route(ip("2001:db8:9::"), 48, dev="tap0", via=ip(PEER_LINK_LOCAL), on_link=False)
    route.mtu = 1280
    host.stack.ipv6.fib.insert(route, InsertMode.ADD)
    host.stack.generation.touch()


def said_to_be_a_router(host: Host) -> None:
    """The neighbor says so in its advertisement (RFC 4861 4.4)."""
    host.know(PEER_LINK_LOCAL, PEER_MAC, State.STALE)
    host.receive(advertise(PEER_LINK_LOCAL, "RSO", dst=OUR_LINK_LOCAL))


def away_from_its_link(host: Host) -> None:
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    host.set("ip.strong_host", 1)


def joined6(host: Host) -> None:
    join(host.stack.ipv6, host.socket(5001, local="::"), host.tap, ip(GROUP6), ANYBODY)


def limited(host: Host) -> None:
    host.set("icmp6.ratelimit_ms", 1000)
    for _ in range(7):
        host.receive(udp6_frame(dport=99))


def full_queue(host: Host) -> None:
    host.set("neigh.unres_qlen", 2)
    socket = host.socket(9, local="::")
    for _ in range(3):
        host.send(socket, DEAD6)


def full_cache(host: Host) -> None:
    host.set("iface.neighbor_cache_count", 2)
    host.stack.ipv6.neighbors["tap0"].delete(ip(PEER6))
    host.stack.ipv6.neighbors["tap0"].delete(ip(PEER_LINK_LOCAL))
    socket = host.socket(9, local="::")
    for last in range(3):
        host.know(f"2001:db8::10{last}") if last < 2 else None
        host.wait(SECOND_NS)
        host.send(socket, f"2001:db8::10{last}")


def no_queue_for_answers(host: Host) -> None:
    host.set("neigh.queue_answers", 0)
    host.receive(echo6_request(src=DEAD6))


MANY_OPTIONS = options_header(17, [(UNKNOWN_OPTION, b"")] * 9) + DATAGRAM6
KINDS = (RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT)
RULES = (RuleAction.BLACKHOLE, RuleAction.UNREACHABLE, RuleAction.PROHIBIT)

TESTED6 = "2001:db8::5"
UNTESTED = f"smolctl addr replace {TESTED6}/64 dev tap0 nodad"

SITUATIONS6 = (
    Situation(
        "ip6-disabled", "smolctl sysctl ip6.disable=0",
        told(echo6_request(src=PEER_LINK_LOCAL, dst=OUR_LINK_LOCAL)),
    ),
    Situation(
        "ip6-disabled", "smolctl link set tap0 mtu 1280",
        first(too_narrow, told(echo6_request(src=PEER_LINK_LOCAL, dst=OUR_LINK_LOCAL))),
    ),
    Situation(
        "nd-unsolicited", "smolctl sysctl nd.drop_unsolicited_na=0",
        first(lambda host: host.know("2001:db8::8"), with_value(
            "nd.drop_unsolicited_na", 1, told(advertise("2001:db8::8", "O")))),
    ),
    Situation(
        "ip6-dst-not-ours", "smolctl addr add 2001:db8::77/64 dev tap0",
        first(listens6, told(udp6_frame(dst="2001:db8::77"))),
    ),
    Situation(
        "ip6-dst-not-ours", "smolctl sysctl ip6.forward=1",
        as_router6(after(has_a_way_on, lambda host: host.set("ip6.forward", 0),
                         told(udp6_frame(dst=NEXT6)))),
    ),
    Situation(
        "ip6-dst-tentative", UNTESTED, first(
            listens6, after(while_tested, told(udp6_frame(dst=TESTED6)))),
    ),
    Situation("nd-target-tentative", UNTESTED, P["nd-target-tentative"]),
    Situation(
        "tx-src-tentative", UNTESTED,
        first(while_tested, lambda host: refused(
            host, host.socket(9, local="::"), PEER6, src=TESTED6)),
    ),
    Situation(
        "ip6-anycast-host", "smolctl sysctl ip6.forward=1", gets(echo6_request(dst="2001:db8::")),
    ),
    Situation(
        "ip6-rule-refused", f"smolctl -6 rule del priority 5 from {PEER6} blackhole",
        after(lambda host: host.set("ip6.disable", 0), listens6, rule_first),
    ),
    Situation(
        "ip6-multicast-not-joined", f"smolctl udp recv --group {GROUP6} --dev tap0 7",
        gets(udp6_frame(dst=GROUP6)),
    ),
    Situation(
        "ip6-multicast-not-joined", f"smolctl maddr add {GROUP6} dev tap0",
        gets(echo6_request(dst=GROUP6)),
    ),
    Situation(
        "ip6-multicast-filtered",
        f"smolctl udp recv --group {GROUP6} --source {PEER6} --dev tap0 5000",
        P["ip6-multicast-filtered"],
    ),
    Situation(
        "ip6-unicast-in-multicast", "smolctl sysctl ip6.drop_unicast_in_l2_multicast=0",
        after(lambda host: host.set("ip6.disable", 0), listens6, P["ip6-unicast-in-multicast"]),
    ),
    Situation(
        "ip6-option-limit", "smolctl sysctl ip6.max_dst_opts=32",
        first(listens6, told(frame6_of(packet6_of(60, MANY_OPTIONS)))),
    ),
    Situation(
        "icmp6-echo-ignored", "smolctl sysctl icmp6.echo_ignore_all=0", P["icmp6-echo-ignored"]
    ),
    Situation(
        "nd-target-not-ours", "smolctl addr add 2001:db8::77/64 dev tap0", P["nd-target-not-ours"]
    ),
    Situation("tx-no-route", "smolctl sysctl ip6.disable=0",
              after(lambda host: host.socket(9, local="::"), without_ipv6)),
    Situation("nd-proxy-idle", "smolctl sysctl nd.proxy=1", P["nd-proxy-idle"]),
    Situation(
        "nd-answer-queue-full", "smolctl sysctl neigh.proxy_qlen=8", P["nd-answer-queue-full"]
    ),
    Situation(
        "redirect6-ignored", "smolctl sysctl ip6.accept_redirects=1",
        first(goes_by_peer, with_value("ip6.accept_redirects", 0, told(
            nd_frame(ndp.Redirect(ip(FAR6), ip(FAR6)), PEER_LINK_LOCAL)))),
    ),
    Situation("ip-dst-other-iface", "smolctl sysctl ip.strong_host=0",
              first(listens6, after(away_from_its_link, told(udp6_frame(dst="2001:db8:1::1"))))),
    Situation("udp-port-closed", f"smolctl udp recv [{OURS6}]:7", gets(udp6_frame())),
    Situation(
        "udp-port-closed", f"smolctl udp recv [{OUR_LINK_LOCAL}%tap0]:7",
        gets(udp6_frame(src=PEER_LINK_LOCAL, dst=OUR_LINK_LOCAL)),
    ),
    Situation(
        "udp-bound-elsewhere", f"smolctl udp recv [{OURS6}]:7 --dev tap0",
        with_ipv6(after(
            lambda host: host.socket(7, local=OUR_LINK_LOCAL, dev="tap0"), told(udp6_frame()))),
    ),
    Situation(
        "udp-no-listener", f"smolctl udp recv --group {GROUP6} --dev tap0 7",
        with_ipv6(after(
            joined6, told(udp6_frame(dst=GROUP6)))),
    ),
    Situation("icmp-rate-limited", "smolctl sysctl icmp6.ratelimit_ms=0", with_ipv6(limited)),
    Situation(
        "tx-no-route", f"smolctl -6 route add default via {PEER_LINK_LOCAL} dev tap0",
        first(said_to_be_a_router, sends6(FAR6)),
    ),
    Situation(
        "tx-no-route", f"smolctl -6 route add default via {PEER6}",
        first(lambda host: host.route("2001:db8:5::/48", via=PEER6), sends6(FAR6)),
    ),
    *(
        Situation(
            f"tx-route-{kind}", f"smolctl -6 route del {kind} 2001:db8:9::/48 metric 1024",
            first(goes_by_peer, after(refusing(kind), sends6(FAR6))),
        )
        for kind in KINDS
    ),
    *(
        Situation(
            f"tx-rule-{kind.value}",
            f"smolctl -6 rule del priority 5 from all to 2001:db8:9::/48 {kind.value}",
            first(goes_by_peer, after(ruled(kind), sends6(FAR6))),
        )
        for kind in RULES
    ),
    Situation(
        "tx-too-big", "smolctl link set tap0 mtu 1501",
        with_ipv6(sends6(PEER6, 1453, pmtudisc=Pmtudisc.DO)),
    ),
    Situation(
        "tx-too-big",
        f"smolctl -6 route change 2001:db8:9::/48 via {PEER_LINK_LOCAL} dev tap0 mtu 1448",
        first(small_route, sends6(FAR6, 1400, pmtudisc=Pmtudisc.DO)),
    ),
    Situation(
        "fwd-no-route", f"smolctl -6 route add default via {NEXT6}",
        as_router6(after(router_behind, passing6())),
    ),
    *(
        Situation(
            f"fwd-route-{kind}", f"smolctl -6 route del {kind} 2001:db8:9::/48 metric 1024",
            as_router6(after(
                has_a_way_on, lambda host: host.route("::/0", "tap1", via=NEXT6), refusing(kind),
                passing6())),
        )
        for kind in KINDS
    ),
    Situation(
        "fwd-too-big", "smolctl link set tap1 mtu 1448",
        as_router6(after(has_a_way_on, small_next_link, passing6(1400))),
    ),
    Situation(
        "neigh-queue-full", "smolctl sysctl neigh.unres_qlen=8", with_ipv6(full_queue)
    ),
    Situation(
        "neigh-evicted", "smolctl sysctl iface.neighbor_cache_count=8", with_ipv6(full_cache)
    ),
    Situation(
        "neigh-not-queued", "smolctl sysctl neigh.queue_answers=1", with_ipv6(no_queue_for_answers)
    ),
)  # fmt: skip
