"""Provokers of the reasons of IPv6, and the lines that their causes give."""

from smolctl.stack.config.link import add_interface, set_mtu
from smolctl.stack.config.neigh import add_proxy
from smolctl.stack.config.rule import add_rule
from smolctl.stack.explain.predict import Question, happen
from smolctl.stack.fib.route import TableName
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.interface import Medium
from smolctl.stack.ip.groups import SourceFilter
from smolctl.stack.ip.membership import join
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import ND_NO_REPLY
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.errors import unanswered
from smolctl.wire import icmpv6, ndp, udp
from smolctl.wire.address import BROADCAST_MAC, IPV6, multicast_mac, solicited_node
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import Fragment, Routing, options_header
from smolctl.wire.mld import Query, Record, Report
from smolctl.wire.ndp import Options
from tests.kit.clock import SECOND_NS
from tests.kit.groups6 import mld_frame, query6
from tests.kit.host import OTHER_MAC, PEER_MAC, Host, frame_of, ip, text
from tests.kit.host6 import (
    DEAD6,
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    advertise,
    echo6_request,
    frame6_of,
    icmp6_packet,
    nd_frame,
    packet6_of,
    solicit,
    udp6_frame,
    udp6_packet,
)
from tests.stack.reason.provokers import Provoker, iface_down, receives, refused

Row = tuple[Provoker, str]
ETHERTYPE = 0x86DD
UDP6 = udp6_packet()
FAR6 = "2001:db8:9::1"


def with_ipv6(then: Provoker, *addresses: str) -> Provoker:
    """Return a provoker on a host that has IPv6 on tap0, and knows its peer for good."""

    def provoke(host: Host) -> None:
        host.set("ip6.disable", 0)
        for address in (f"{OURS6}/64", *addresses):
            host.add(address)
        host.know(PEER6, PEER_MAC, State.PERMANENT)
        host.know(PEER_LINK_LOCAL, PEER_MAC, State.PERMANENT)
        then(host)

    return provoke


def no_advertisement(*frames: bytes, drops: int = 0) -> Provoker:
    """Return a provoker that solicits in vain, while frames come in and are dropped."""

    def provoke(host: Host) -> None:
        trace, began = Trace(), host.now
        trace.dev = "tap0"
        host.stack.journal.follow(trace, began)
        host.wait(SECOND_NS)
        host.receive(*frames, *[bytes(13)] * drops)
        awaited = Awaited("nd", ip(DEAD6), began, host.now)
        unanswered(
            host.stack.shared.recorder, trace, ND_NO_REPLY, awaited, probes=3, next_hop=DEAD6
        )

    return with_ipv6(provoke)


def gets(*frames: bytes) -> Provoker:
    """Return a provoker to which frames of IPv6 come in."""
    return with_ipv6(lambda host: host.receive(*frames))


def packet_in(*parts: bytes, protocol: int, dst: str = OURS6, src: str = PEER6) -> Provoker:
    """Return a provoker to which a packet comes in whose payload has these parts."""
    return gets(frame6_of(packet6_of(protocol, b"".join(parts), src, dst)))


def as_router6(then: Provoker) -> Provoker:
    """Return a provoker on a router between tap0 and tap1, where 2001:db8:1::/64 is."""

    def provoke(host: Host) -> None:
        host.set("ip6.forward", 1)
        host.link("tap1")
        host.add("2001:db8:1::1/64", "tap1")
        then(host)

    return with_ipv6(provoke)


def with_value(key: str, value: int, then: Provoker) -> Provoker:
    """Return a provoker with another value of a sysctl."""

    def provoke(host: Host) -> None:
        host.set(key, value)
        then(host)

    return provoke


def with_route(then: Provoker) -> Provoker:
    """Return a provoker whose packets go by a router on the link."""

    def provoke(host: Host) -> None:
        host.route("::/0", "tap0", via=PEER_LINK_LOCAL)
        then(host)

    return with_ipv6(provoke)


def proxied(then: Provoker, *, proxy: int = 1) -> Provoker:
    """Return a provoker on a router that answers on tap0 for a host behind tap1."""

    def provoke(host: Host) -> None:
        host.set("nd.proxy", proxy)
        add_proxy(host.stack.ipv6, host.tap, ProxyEntry(ip("2001:db8::99")))
        then(host)

    return as_router6(provoke)


def proxied_purged(host: Host) -> None:
    PROXIED(host)
    iface_down(host)


PROXIED = receives(solicit("2001:db8::99"))


def nd(message: ndp.Message, src: str = PEER6, dst: str = OURS6, hops: int = 255) -> Provoker:
    return gets(nd_frame(message, src, dst, hops=hops))


def raw_nd(kind: int, body: bytes, code: int = 0, src: str = PEER6, dst: str = OURS6) -> Provoker:
    """Return a provoker to which a message of any content comes in."""
    return gets(frame6_of(icmp6_packet(kind, code, 0, body, src, dst, hops=255)))


def filtered(host: Host) -> None:
    socket = host.socket(5000, local="::", reuse=True)
    wanted = SourceFilter(False, frozenset({ip("2001:db8::3")}))
    join(host.stack.ipv6, socket, host.tap, ip("ff05::5"), wanted)
    host.receive(udp6_frame(dport=5000, dst="ff05::5"))


def refused_by_rule6(host: Host) -> None:
    rule = Rule(5, RuleAction.BLACKHOLE, src=ip(PEER6), src_len=128, dst=ip("::"))
    add_rule(host.stack.ipv6, rule)
    rules = host.stack.ipv6.fib.rules
    local = next(each for each in rules if each.table == TableName.LOCAL)
    rules.remove(local)
    add_rule(host.stack.ipv6, Rule(9, table=TableName.LOCAL, src=ip("::"), dst=ip("::")))
    host.receive(udp6_frame())


def while_tested(host: Host) -> None:
    """Begin to test 2001:db8::5."""
    host.set("nd.accept_dad", 1)
    host.add("2001:db8::5/64")
    host.poll()


def tested(*frames: bytes) -> Provoker:
    """Return a provoker that tests 2001:db8::5, to which frames come in then."""

    def provoke(host: Host) -> None:
        while_tested(host)
        host.receive(*frames)

    return with_ipv6(provoke)


def test_looped(host: Host) -> None:
    host.set("nd.accept_dad", 1)
    host.add("2001:db8::5/64")
    host.wait(600_000_000)
    host.receive(*[frame for frame in host.take() if frame[20] == NextHeader.ICMPV6])


def dad_probe(target: str = "2001:db8::5") -> bytes:
    """Return another node's test of an address."""
    message = ndp.NeighborSolicitation(ip(target))
    return nd_frame(message, "::", text(solicited_node(ip(target))))


def cut_checksum(packet: bytes) -> bytes:
    return packet[:42] + bytes([packet[42] ^ 1]) + packet[43:]


def too_big(mtu: int, quoted: bytes) -> bytes:
    return frame6_of(icmp6_packet(icmpv6.Type.PACKET_TOO_BIG, 0, mtu, quoted, "2001:db8::3"))


def error_for_us(kind: int, code: int, rest: int = 0) -> Provoker:
    """Return a provoker whose datagram is answered by an ICMPv6 error."""

    def provoke(host: Host) -> None:
        host.send(host.socket(7, local="::"), PEER6, payload=bytes(1400))
        frame = host.take()[-1]
        host.receive(frame6_of(icmp6_packet(kind, code, rest, frame[14:], "2001:db8::3")))

    return with_ipv6(provoke)


def not_forwarding(host: Host) -> None:
    host.set("ip6.forward", 0)
    host.receive(udp6_frame(dst="2001:db8:1::9"))


def asked_for6(dst: str, medium: Medium | None = None) -> Provoker:
    """Return a provoker that asks for a MAC address, by a link that may have none."""

    def provoke(host: Host) -> None:
        if medium is not None:
            add_interface(host.stack.shared, "tun0", "tun", medium, 1500, OTHER_MAC)
            host.add("2001:db8:8::1/64", "tun0")
        happen(
            host.stack,
            Question("nd", None, ip(dst), dev="tap0" if dst[0] == "f" else None),
            host.now,
        )

    return with_ipv6(provoke)


def beyond_scope(host: Host) -> None:
    host.link("tap1")
    socket = host.socket(7, local=OUR_LINK_LOCAL, dev="tap0")
    socket.dev = "tap1"
    host.stack.generation.touch()
    refused(host, socket, "ff02::5")


def without_scope(host: Host) -> None:
    refused(host, host.socket(7, local="::"), "fe80::5")


def wrong_family(v6only: bool, dst: str) -> Provoker:
    def provoke(host: Host) -> None:
        socket = host.stack.udp.open("test", IPV6)
        socket.v6only = v6only
        local = None if v6only else ip("10.0.0.1")
        host.stack.udp.bind(socket, local, 7)
        refused(host, socket, dst)

    return with_ipv6(provoke)


def source_of_the_other_family(host: Host) -> None:
    refused(host, host.socket(7), src=OURS6)


def conflict_failed(host: Host) -> None:
    host.know(PEER6, PEER_MAC, State.FAILED)
    host.receive(advertise())


def unknown_mac(host: Host) -> None:
    host.stack.ipv6.neighbors["tap0"].delete(ip(PEER6))
    host.send(host.socket(7, local="::"), PEER6)
    host.receive(advertise(mac=None))


def override_refused(host: Host) -> None:
    host.know(PEER6, PEER_MAC, State.REACHABLE)
    host.receive(advertise(flags="S", mac=OTHER_MAC))


def fragments(*parts: tuple[int, bool, bytes]) -> list[bytes]:
    return [
        frame6_of(
            packet6_of(NextHeader.FRAGMENT, Fragment(17, at, more, 1).to_bytes() + data)
        )
        for at, more, data in parts
    ]  # fmt: skip


DATAGRAM6 = udp.to_bytes(9, 7, bytes(range(64)), ip(PEER6), ip(OURS6))
UNKNOWN_OPTION = 0x1E
QUERY = Query(2, ip("::"), 1000)
PADDED = bytes((NextHeader.UDP, 0, 1, 4, 0, 0, 0, 1))


def _on_a_narrow_link(host: Host) -> None:
    set_mtu(host.stack.shared, host.dev("tap0"), 1279)
    host.receive(udp6_frame())


IPV6_PROVOKERS: dict[str, Provoker] = {
    "ip6-disabled": lambda host: host.receive(udp6_frame()),
    "ip6-header-short": gets(frame_of(UDP6[:39], ETHERTYPE)),
    "ip6-bad-version": gets(frame_of(b"\x45" + UDP6[1:], ETHERTYPE)),
    "ip6-length-mismatch": gets(frame_of(UDP6[:-1], ETHERTYPE)),
    "ip6-src-multicast": gets(udp6_frame(src="ff02::5")),
    "ip6-loopback-on-wire": gets(udp6_frame(src="::1")),
    "ip6-src-unspecified": gets(udp6_frame(src="::")),
    "ip6-src-is-ours": gets(udp6_frame(src=OURS6)),
    "ip6-mapped-on-wire": gets(udp6_frame(src="::ffff:10.0.0.2")),
    "ip6-dst-invalid": gets(udp6_frame(dst="::")),
    "ip6-dst-not-ours": gets(udp6_frame(dst="2001:db8::77")),
    "ip6-dst-tentative": tested(udp6_frame(dst="2001:db8::5")),
    "ip6-anycast-host": gets(udp6_frame(dst="2001:db8::")),
    "ip6-rule-refused": with_ipv6(refused_by_rule6),
    "ip6-multicast-not-joined": gets(udp6_frame(dst="ff02::5")),
    "ip6-multicast-filtered": with_ipv6(filtered),
    "ip6-multicast-scope": gets(udp6_frame(dst="ff01::1")),
    "ip6-unicast-in-multicast": with_ipv6(
        with_value(
            "ip6.drop_unicast_in_l2_multicast", 1,
            lambda host: host.receive(frame6_of(UDP6, to=multicast_mac(ip("ff02::1")))),
        )
    ),
    "ip6-proto-unknown": packet_in(bytes(20), protocol=132),
    "ip6-no-next-header": packet_in(protocol=59),
    "ip6-hop-by-hop-late": packet_in(
        options_header(0, []), options_header(17, []), UDP6[40:], protocol=60
    ),
    "ip6-option-skip-not": packet_in(
        options_header(17, [(0x40 | UNKNOWN_OPTION, b"")]), UDP6[40:], protocol=60
    ),
    "ip6-option-unknown": packet_in(
        options_header(17, [(0x80 | UNKNOWN_OPTION, b"")]), UDP6[40:], protocol=60
    ),
    "ip6-option-overrun": packet_in(bytes((17, 0, 5, 9, 0, 0, 0, 0)), UDP6[40:], protocol=60),
    "ip6-option-limit": packet_in(
        options_header(17, [(UNKNOWN_OPTION, b"")] * 9), UDP6[40:], protocol=60
    ),
    "ip6-padding": packet_in(PADDED, UDP6[40:], protocol=60),
    "ip6-exthdr-truncated": packet_in(bytes((17, 1, 0, 0, 0, 0, 0, 0)), protocol=60),
    "ip6-routing-type": packet_in(Routing(17, 0, 1, bytes(20)).to_bytes(), UDP6[40:], protocol=43),
    "ip6-jumbo": packet_in(
        options_header(17, [(0xC2, bytes((0, 2, 0, 0)))]), UDP6[40:], protocol=0
    ),
    "frag6-bad-length": gets(*fragments((0, True, DATAGRAM6[:20]))),
    "frag6-too-big": gets(*fragments((65528, False, bytes(9)))),
    "frag6-overlap": gets(*fragments((0, True, DATAGRAM6[:32]), (24, False, DATAGRAM6[24:]))),
    "frag6-headers-missing": gets(
        frame6_of(packet6_of(44, Fragment(60, 0, True, 1).to_bytes() + bytes((17, 1)) + bytes(6)))
    ),
    "icmp6-truncated": packet_in(bytes(7), protocol=58),
    "icmp6-bad-checksum": gets(
        frame6_of(cut_checksum(icmp6_packet(icmpv6.Type.ECHO_REQUEST, 0, 0, b"abc")))
    ),
    "icmp6-echo-ignored": with_ipv6(
        with_value("icmp6.echo_ignore_all", 1, lambda host: host.receive(echo6_request()))
    ),
    "icmp6-error-unknown": gets(frame6_of(icmp6_packet(100, 0, 0, UDP6))),
    "icmp6-info-unknown": gets(frame6_of(icmp6_packet(200, 0, 0, b""))),
    "icmp6-mtu-unmatched": gets(too_big(1400, udp6_packet(src=OURS6, dst=PEER6))),
    "icmp6-mtu-too-small": error_for_us(icmpv6.Type.PACKET_TOO_BIG, 0, 1000),
    "nd-bad-hop-limit": gets(nd_frame(ndp.RouterSolicitation(), hops=254)),
    "nd-bad-code": raw_nd(135, ip(OURS6).to_bytes(17)[1:], code=1),
    "nd-too-short": raw_nd(135, bytes(15)),
    "nd-option-zero": raw_nd(135, ip(OURS6).to_bytes(17)[1:] + bytes(8)),
    "nd-option-length": raw_nd(135, ip(OURS6).to_bytes(17)[1:] + b"\1\2" + bytes(14)),
    "nd-fragmented": gets(
        frame6_of(
            packet6_of(
                44, Fragment(58, 0, False, 1).to_bytes()
                + ndp.NeighborSolicitation(ip(OURS6)).to_bytes(ip(PEER6), ip(OURS6)),
                hops=255,
            )
        )
    ),
    "nd-target-multicast": nd(ndp.NeighborSolicitation(ip("ff02::1"))),
    "nd-target-not-ours": nd(ndp.NeighborSolicitation(ip("2001:db8::77"))),
    "nd-proxy-idle": proxied(PROXIED, proxy=0),
    "nd-answer-delayed": proxied(PROXIED),
    "nd-answer-queue-full": proxied(with_value("neigh.proxy_qlen", 0, PROXIED)),
    "nd-answer-purged": proxied(proxied_purged),
    "nd-source-invalid": gets(solicit(mac=b"\1\0\0\0\0\0")),
    "nd-dad-with-lladdr": nd(
        ndp.NeighborSolicitation(ip(OURS6), Options(source=PEER_MAC)), "::", "ff02::1:ff00:1"
    ),
    "nd-dad-to-unicast": gets(
        frame6_of(
            packet6_of(
                58, ndp.NeighborSolicitation(ip(OURS6)).to_bytes(ip("::"), ip(OURS6)),
                "::", OURS6, hops=255,
            )
        )
    ),
    "nd-solicited-to-group": gets(advertise(flags="S", dst="ff02::1")),
    "nd-dad-failed": tested(dad_probe()),
    "nd-dad-looped": with_ipv6(test_looped),
    "nd-target-tentative": tested(solicit("2001:db8::5")),
    "nd-address-conflict": gets(advertise(OURS6, "O", dst="ff02::1")),
    "nd-unsolicited": gets(advertise("2001:db8::3")),
    "nd-not-needed": asked_for6(OURS6),
    "nd-no-reply": no_advertisement(),
    "nd-override-refused": with_ipv6(override_refused),
    "ra-not-link-local": nd(ndp.RouterAdvertisement(64, False, False, 0, 0, 0, 0), PEER6),
    "ra-ignored": nd(
        ndp.RouterAdvertisement(64, False, False, 0, 0, 0, 0), PEER_LINK_LOCAL, "ff02::1"
    ),
    "rs-at-host": nd(ndp.RouterSolicitation(), PEER_LINK_LOCAL, OUR_LINK_LOCAL),
    "mld-bad-length": gets(
        mld_frame(Report((Record(4, ip("ff05::5"), (ip(PEER6),)),)), cut=16)
    ),
    "mld-bad-hop-limit": gets(mld_frame(QUERY, hops=64)),
    "mld-no-alert": gets(mld_frame(QUERY, header=b"")),
    "mld-source": gets(mld_frame(QUERY, PEER6)),
    "mld-query-refused": gets(query6(group=PEER6, dst="ff02::1")),
    "redirect6-source": nd(ndp.Redirect(ip(FAR6), ip(FAR6))),
    "redirect6-target": nd(ndp.Redirect(ip(PEER6), ip(FAR6)), PEER_LINK_LOCAL),
    "redirect6-group": nd(ndp.Redirect(ip("fe80::9"), ip("ff05::9")), PEER_LINK_LOCAL),
    "redirect6-stranger": nd(ndp.Redirect(ip(FAR6), ip(FAR6)), PEER_LINK_LOCAL),
    "redirect6-ignored": with_ipv6(
        with_value(
            "ip6.accept_redirects", 0,
            lambda host: host.receive(
                nd_frame(ndp.Redirect(ip(FAR6), ip(FAR6)), PEER_LINK_LOCAL)
            ),
        )
    ),
    "redirect6-taken": with_route(
        lambda host: host.receive(nd_frame(ndp.Redirect(ip(FAR6), ip(FAR6)), PEER_LINK_LOCAL))
    ),
    "udp6-no-checksum": packet_in(b"\0\7\0\7\0\x08\0\0", protocol=17),
    "fwd-link-local": as_router6(
        lambda host: host.receive(udp6_frame(src=PEER_LINK_LOCAL, dst="2001:db8:1::9"))
    ),
    "tx-no-scope": with_ipv6(without_scope),
    "tx-beyond-scope": with_ipv6(beyond_scope),
    "tx-wrong-family": wrong_family(True, "10.0.0.2"),
}  # fmt: skip

VARIANTS6: dict[str, tuple[Provoker, ...]] = {
    "ip6-dst-not-ours": (as_router6(not_forwarding),),
    "ip6-multicast-not-joined": (gets(echo6_request(dst="ff05::5")),),
}

BESIDE6: dict[str, dict[str, int]] = {
    "nd-answer-purged": {"nd-answer-delayed": 1},
    "frag6-overlap": {"frag6-overlap": 2, "frag-pending": 1},
}

CAUSES6: dict[tuple[str, str], Row] = {
    ("nd-proxy-idle", "sysctl"): (
        IPV6_PROVOKERS["nd-proxy-idle"],
        "2001:db8::99 is a proxy entry of tap0, but nd.proxy is 0",
    ),
    ("nd-proxy-idle", "forward"): (
        proxied(with_value("ip6.forward", 0, PROXIED)),
        "2001:db8::99 is a proxy entry of tap0, but ip6.forward is 0",
    ),
    ("nd-not-needed", "own"): (
        IPV6_PROVOKERS["nd-not-needed"],
        "2001:db8::1 is our own and is reached without any link, so nobody is asked for a MAC"
        " address",
    ),
    ("nd-not-needed", "noarp"): (
        asked_for6("2001:db8:8::2", Medium.IP),
        "2001:db8:8::2 is reached by tun0, which needs no MAC addresses, so nobody is asked for"
        " a MAC address",
    ),
    ("nd-not-needed", "multicast"): (
        asked_for6("ff02::9"),
        "ff02::9 is a group, whose MAC address follows from it, so nobody is asked for a MAC"
        " address",
    ),
    ("ip6-disabled", "sysctl"): (
        IPV6_PROVOKERS["ip6-disabled"], "ip6.disable is on for tap0",
    ),
    ("ip6-disabled", "mtu"): (
        with_ipv6(_on_a_narrow_link), "the mtu of tap0 is 1279, IPv6 needs 1280",
    ),
    ("ip6-loopback-on-wire", "source"): (
        IPV6_PROVOKERS["ip6-loopback-on-wire"],
        "source ::1 is the loopback address, and came in by tap0",
    ),
    ("ip6-loopback-on-wire", "destination"): (
        gets(udp6_frame(dst="::1")), "destination ::1 is the loopback address, and came in by tap0",
    ),
    ("ip6-mapped-on-wire", "source"): (
        IPV6_PROVOKERS["ip6-mapped-on-wire"],
        "source ::ffff:10.0.0.2 stands for an IPv4 address",
    ),
    ("ip6-mapped-on-wire", "destination"): (
        gets(udp6_frame(dst="::ffff:10.0.0.2")),
        "destination ::ffff:10.0.0.2 stands for an IPv4 address",
    ),
    ("ip6-unicast-in-multicast", "multicast"): (
        IPV6_PROVOKERS["ip6-unicast-in-multicast"],
        "2001:db8::1 is one node, and the frame went to a group of stations",
    ),
    ("ip6-unicast-in-multicast", "broadcast"): (
        with_ipv6(
            with_value(
                "ip6.drop_unicast_in_l2_multicast", 1,
                lambda host: host.receive(frame6_of(UDP6, to=BROADCAST_MAC)),
            )
        ),
        "2001:db8::1 is one node, and the frame went to all stations",
    ),
    ("nd-unsolicited", "unknown"): (
        IPV6_PROVOKERS["nd-unsolicited"], "2001:db8::3: no entry of tap0 is about it",
    ),
    ("nd-unsolicited", "failed"): (
        with_ipv6(conflict_failed),
        "2001:db8::2: its entry is FAILED, and nothing asks for it any more",
    ),
    ("nd-unsolicited", "no-lladdr"): (
        with_ipv6(unknown_mac),
        "2001:db8::2: its link-layer address is not known, and the message does not tell it",
    ),
    ("nd-unsolicited", "sysctl"): (
        with_ipv6(
            with_value(
                "nd.drop_unsolicited_na", 1, lambda host: host.receive(advertise(flags="O"))
            )
        ),
        "2001:db8::2: nobody asked for it, and nd.drop_unsolicited_na is on",
    ),
    ("nd-unsolicited", "permanent"): (
        gets(advertise()), "2001:db8::2: its entry was made by hand, and nothing changes it",
    ),
    ("nd-dad-failed", "tester"): (
        IPV6_PROVOKERS["nd-dad-failed"],
        "02:00:00:00:00:0b tests 2001:db8::5, which was being tested on tap0 and is not used now",
    ),
    ("nd-dad-failed", "owner"): (
        tested(advertise("2001:db8::5", "O", dst="ff02::1")),
        "02:00:00:00:00:0b has 2001:db8::5, which was being tested on tap0 and is not used now",
    ),
    ("mld-query-refused", "group"): (
        IPV6_PROVOKERS["mld-query-refused"],
        f"a query of {PEER_LINK_LOCAL} asks for 2001:db8::2, which is not a group",
    ),
    ("mld-query-refused", "sources"): (
        gets(query6(2, "::", PEER6)),
        f"a query of {PEER_LINK_LOCAL} asks for all groups, but for some of their sources",
    ),
    ("mld-query-refused", "version"): (
        with_ipv6(
            with_value("mld.force_version", 2, lambda host: host.receive(query6(1)))
        ),
        f"a query of {PEER_LINK_LOCAL} is of version 1, and mld.force_version is 2",
    ),
    ("redirect6-ignored", "sysctl"): (
        IPV6_PROVOKERS["redirect6-ignored"],
        f"{PEER_LINK_LOCAL} names {FAR6} as first hop to {FAR6}: ip6.accept_redirects is off",
    ),
    ("redirect6-ignored", "router"): (
        as_router6(
            lambda host: host.receive(
                nd_frame(ndp.Redirect(ip(FAR6), ip(FAR6)), PEER_LINK_LOCAL)
            )
        ),
        f"{PEER_LINK_LOCAL} names {FAR6} as first hop to {FAR6}: this stack is a router itself"
        " (ip6.forward)",
    ),
    ("tx-wrong-family", "family"): (
        IPV6_PROVOKERS["tx-wrong-family"],
        "10.0.0.2 is an IPv4 address, and the socket speaks only IPv6",
    ),
    ("tx-wrong-family", "mapped"): (
        wrong_family(False, PEER6),
        "2001:db8::2 is an IPv6 address, and the socket speaks only IPv4",
    ),
    ("tx-wrong-family", "source"): (
        source_of_the_other_family,
        "2001:db8::1 is of another family than 10.0.0.2",
    ),
    ("icmp-error-unmatched", "quote6"): (
        gets(frame6_of(icmp6_packet(icmpv6.Type.DEST_UNREACHABLE, 4, 0, b"?"))),
        "type 1 code 4 from 2001:db8::2 quotes no IPv6 packet",
    ),
    ("icmp-host-unreachable", "scope"): (
        error_for_us(icmpv6.Type.DEST_UNREACHABLE, 2),
        "2001:db8::3 says that 2001:db8::2 is beyond the scope of our source address",
    ),
    ("icmp-prohibited", "policy"): (
        error_for_us(icmpv6.Type.DEST_UNREACHABLE, 5),
        "2001:db8::3 says that our source address may not be used there",
    ),
    ("icmp-prohibited", "reject"): (
        error_for_us(icmpv6.Type.DEST_UNREACHABLE, 6),
        "2001:db8::3 says that a route there rejects packets to 2001:db8::2",
    ),
    ("icmp-parameter-problem", "byte"): (
        error_for_us(icmpv6.Type.PARAMETER_PROBLEM, 0, 7),
        "2001:db8::3 says that the header of a packet to 2001:db8::2 is wrong: byte 7 of the"
        " packet",
    ),
}  # fmt: skip
