"""Golden answers: what ``why`` says of each step of neighbor discovery, and of IPv6's addresses."""

# ruff: noqa: E501  (lines as they are printed)

import pytest

from smolctl.stack.config.link import set_mtu
from smolctl.stack.explain import verdict
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.wire import icmpv6, ndp
from smolctl.wire.ndp import Options
from tests.golden.kit import Golden6, answer6, expected, lines, question
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, PEER_MAC, ip, text
from tests.kit.host6 import (
    DEAD6,
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    advertise,
    echo6_request,
    frame6_of,
    icmp6_packet,
    nd_frame,
    solicit,
    udp6_packet,
)

FAR6, TESTED6 = "2001:db8:9::1", "2001:db8::5"
ROUTER6, OTHER_ROUTER6 = PEER_LINK_LOCAL, "fe80::99"


def nothing(_host: Host6) -> None:
    """Configure nothing."""


def knows_peer(host: Host6) -> None:
    host.know(PEER6)
    host.know(ROUTER6)


def default_route(host: Host6) -> None:
    knows_peer(host)
    host.route("::/0", "tap0", via=ROUTER6)


def asks_in_vain(host: Host6) -> None:
    host.send(host.socket(9, "::"), PEER6)
    host.wait(4 * SECOND_NS)


def asked_already(host: Host6) -> None:
    host.send(host.socket(9, "::"), PEER6)


def hears_a_router(host: Host6) -> None:
    host.know(ROUTER6)
    host.receive(advertise(ROUTER6, "RSO", dst=OUR_LINK_LOCAL))


def address_under_test(host: Host6) -> None:
    host.set("nd.accept_dad", 1)
    host.add(f"{TESTED6}/64")
    host.wait(SECOND_NS // 2)
    knows_peer(host)


def has_lost_an_address(host: Host6) -> None:
    address_under_test(host)
    host.receive(advertise(TESTED6, "O", dst="ff02::1"))
    host.poll()


def own_probe() -> bytes:
    """Return the test of an address that a host sends which draws 0.5 for each byte of a nonce."""
    probe = ndp.NeighborSolicitation(ip(TESTED6), Options(nonce=b"\x80" * 6))
    return nd_frame(probe, "::", "ff02::1:ff00:5", by=OTHER_MAC)


def two_links(host: Host6) -> None:
    host.link("tap1", OTHER_MAC)
    host.add("2001:db8:1::1/64", "tap1")
    host.know("2001:db8:1::2", PEER_MAC, dev="tap1")
    knows_peer(host)


def router(host: Host6) -> None:
    two_links(host)
    host.set("ip6.forward", 1)


def narrow_router(host: Host6) -> None:
    router(host)
    host.dev("tap1").mtu = 1400
    host.stack.generation.touch()


def sends_to_far(host: Host6) -> None:
    default_route(host)
    host.send(host.socket(7, "::"), FAR6, 9, bytes(1452))
    host.take()


def error(kind: int, code: int, rest: int = 0, offender: str = "2001:db8::ff") -> bytes:
    """Return an error about the datagram that ``sends_to_far`` has sent."""
    quote = udp6_packet(7, 9, bytes(1452), OURS6, FAR6)
    return frame6_of(icmp6_packet(kind, code, rest, quote[:1232], offender))


def believes_none(host: Host6) -> None:
    default_route(host)
    host.set("ip6.accept_redirects", 0)


def redirect(src: str = ROUTER6, target: str = OTHER_ROUTER6) -> bytes:
    return nd_frame(ndp.Redirect(ip(target), ip(FAR6), Options(target=OTHER_MAC)), src)


UNTESTED = f"smolctl addr replace {TESTED6}/64 dev tap0 nodad"
PEER_AT = "02:00:00:00:00:0b"

GOLDEN = (
    # --- asking -------------------------------------------------------------------------------
    Golden6(
        "a solicitation that leaves",
        nothing,
        question("nd", None, PEER6),
        f"""
        verdict: sent by tap0
        why:     2001:db8::/64 dev tap0 metric 256 is the best route to {PEER6}
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden6(
        "nobody is asked for a group",
        nothing,
        question("nd", None, "ff02::1", dev="tap0"),
        """
        verdict: nobody is asked - nd-not-needed
        why:     ff02::1 is a group, whose MAC address follows from it, so nobody is asked for a MAC address
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden6(
        "a datagram to a neighbor that is not known yet",
        nothing,
        question("udp", None, PEER6, dport=9),
        f"""
        verdict: waiting, 1 queued - neigh-pending
        why:     2001:db8::/64 dev tap0 metric 256 is the best route to {PEER6}; waiting for neighbor discovery of {PEER6} on tap0, 1 queued
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden6(
        "a neighbor that has not answered three solicitations is asked again",
        asks_in_vain,
        question("icmp", None, PEER6),
        f"""
        verdict: waiting, 1 queued - neigh-pending
        why:     2001:db8::/64 dev tap0 metric 256 is the best route to {PEER6}; waiting for neighbor discovery of {PEER6} on tap0, 1 queued
        fix:     nothing to fix
        exit 0
        """,
    ),
    # --- answers ------------------------------------------------------------------------------
    Golden6(
        "the advertisement that was asked for",
        asked_already,
        advertise(PEER6),
        f"""
        verdict: learned from
        why:     {PEER6} is at {PEER_AT}
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden6(
        "an advertisement of a node that we do not talk to",
        nothing,
        advertise(PEER6),
        f"""
        verdict: dropped - nd-unsolicited
        why:     {PEER6}: no entry of tap0 is about it
        look:    usually harmless; who is known: smolctl neigh show dev tap0
        exit 1
        """,
    ),
    Golden6(
        "an advertisement with another MAC and without the O flag",
        knows_peer,
        advertise(PEER6, "S", mac=OTHER_MAC),
        f"""
        verdict: not believed - nd-override-refused
        why:     {PEER6} is at {PEER_AT}; 02:00:00:00:00:0c may not replace it without the O flag
        look:    two nodes answer for {PEER6}: smolctl capture tap0 -v
        exit 0
        """,
    ),
    Golden6(
        "an advertisement of an address that is ours",
        nothing,
        advertise(OURS6, "O", dst="ff02::1"),
        f"""
        verdict: dropped - nd-address-conflict
        why:     {OURS6} is ours, and {PEER_AT} advertises it
        look:    give one of the two another address; the other node's frames: smolctl capture tap0 -v
        exit 1
        """,
    ),
    # --- being asked --------------------------------------------------------------------------
    Golden6(
        "a solicitation of our address",
        knows_peer,
        question("nd", PEER6, OURS6, iif="tap0"),
        f"""
        answer:  ok     {OURS6} > {PEER6} ICMPv6 neighbor advertisement, {OURS6} is-at 02:00:00:00:00:0a (solicited, override), by tap0 to {PEER_AT}
        verdict: answered
        why:     {OURS6} is ours by local {OURS6}/128 dev tap0; ff02::1:ff00:1 is joined on tap0
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden6(
        "a solicitation of an address that nobody here has",
        knows_peer,
        nd_frame(ndp.NeighborSolicitation(ip("2001:db8::1:1"), Options(source=PEER_MAC)), PEER6, "ff02::1:ff00:1"),
        f"""
        verdict: dropped - nd-target-not-ours
        why:     {PEER6} asks for 2001:db8::1:1, which tap0 does not have (tap0 has {OURS6}/64, {OUR_LINK_LOCAL}/64)
        look:    is it to be ours? smolctl addr add 2001:db8::1:1/64 dev tap0; else it is for another host
        exit 1
        """,
    ),
    Golden6(
        "a solicitation that has passed a router",
        nothing,
        nd_frame(ndp.NeighborSolicitation(ip(OURS6), Options(source=PEER_MAC)), PEER6, OURS6, hops=254),
        """
        verdict: dropped - nd-bad-hop-limit
        why:     hop limit 254, not 255: it is from beyond a router
        look:    the bytes and their sender: smolctl capture tap0 -v
        exit 1
        """,
    ),
    # --- tests of addresses -------------------------------------------------------------------
    Golden6(
        "another node tests our address",
        nothing,
        question("nd", "::", OURS6, iif="tap0"),
        f"""
        answer:  ok     {OURS6} > ff02::1 ICMPv6 neighbor advertisement, {OURS6} is-at 02:00:00:00:00:0a (override), by tap0 to 33:33:00:00:00:01
        verdict: answered
        why:     {OURS6} is ours by local {OURS6}/128 dev tap0; ff02::1:ff00:1 is joined on tap0
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden6(
        "a solicitation of an address under test",
        address_under_test,
        solicit(TESTED6),
        f"""
        verdict: dropped - nd-target-tentative
        why:     {TESTED6} of tap0 is being tested for a conflict, so nobody is answered
        fix:     {UNTESTED}
        exit 1
        """,
    ),
    Golden6(
        "a ping of an address under test",
        address_under_test,
        echo6_request(dst=TESTED6),
        f"""
        verdict: dropped - ip6-dst-tentative
        why:     {TESTED6} of tap0 is being tested for a conflict
        fix:     {UNTESTED}
        exit 1
        """,
    ),
    Golden6(
        "a ping from an address under test",
        address_under_test,
        question("icmp", TESTED6, PEER6),
        f"""
        verdict: not sent - tx-src-tentative
        why:     {TESTED6} of tap0 is being tested for a conflict
        fix:     {UNTESTED}
        exit 1
        """,
    ),
    Golden6(
        "another node has the address under test",
        address_under_test,
        advertise(TESTED6, "O", dst="ff02::1"),
        f"""
        verdict: dropped - nd-dad-failed
        why:     {PEER_AT} has {TESTED6}, which was being tested on tap0 and is not used now
        look:    add another address, or use it all the same: {UNTESTED}
        exit 1
        """,
    ),
    Golden6(
        "another node tests the same address",
        address_under_test,
        nd_frame(ndp.NeighborSolicitation(ip(TESTED6), Options(nonce=b"other!")), "::", "ff02::1:ff00:5"),
        f"""
        verdict: dropped - nd-dad-failed
        why:     {PEER_AT} tests {TESTED6}, which was being tested on tap0 and is not used now
        look:    add another address, or use it all the same: {UNTESTED}
        exit 1
        """,
    ),
    Golden6(
        "our own test comes back",
        address_under_test,
        own_probe(),
        f"""
        verdict: known again - nd-dad-looped
        why:     our own test of {TESTED6} came back by tap0
        look:    look for a loop on the link: smolctl capture tap0 -v
        exit 0
        """,
    ),
    Golden6(
        "a ping from an address that another node has",
        has_lost_an_address,
        question("icmp", TESTED6, PEER6),
        f"""
        verdict: not sent - tx-src-tentative
        why:     {TESTED6} of tap0 belongs to another host ({PEER_AT})
        look:    send from another address, or see what this one is: smolctl addr show tap0
        exit 1
        """,
    ),
    # --- routers ------------------------------------------------------------------------------
    Golden6(
        "a router advertisement",
        nothing,
        nd_frame(ndp.RouterAdvertisement(64, False, False, 0, 1800, 0, 0, Options(source=PEER_MAC)), ROUTER6, "ff02::1"),
        f"""
        verdict: dropped - ra-ignored
        why:     {ROUTER6} advertises itself as a router
        look:    to use that router: smolctl -6 route add default via {ROUTER6} dev tap0
        exit 1
        """,
    ),
    Golden6(
        "no route, and no router was heard",
        nothing,
        question("icmp", None, FAR6),
        f"""
        verdict: not sent - tx-no-route
        why:     no route to {FAR6} (connected: 2001:db8::/64 dev tap0, fe80::/64 dev tap0)
        look:    who is the router? smolctl ping -c 2 ff02::2%tap0
        exit 1
        """,
    ),
    Golden6(
        "no route, and a neighbor says that it is a router",
        hears_a_router,
        question("icmp", None, FAR6),
        f"""
        verdict: not sent - tx-no-route
        why:     no route to {FAR6} (connected: 2001:db8::/64 dev tap0, fe80::/64 dev tap0)
        fix:     smolctl -6 route add default via {ROUTER6} dev tap0
        exit 1
        """,
    ),
    Golden6(
        "the router in use names a nearer one",
        default_route,
        redirect(),
        f"""
        verdict: followed - redirect6-taken
        why:     {ROUTER6} says that {OTHER_ROUTER6} is the first hop to {FAR6}
        look:    what was learned: smolctl -6 route get {FAR6}
        exit 0
        """,
    ),
    Golden6(
        "a redirect by another node than the router in use",
        default_route,
        redirect("fe80::66"),
        f"""
        verdict: dropped - redirect6-stranger
        why:     fe80::66 is not the router to {FAR6}
        look:    which router is in use: smolctl -6 route get {FAR6}
        exit 1
        """,
    ),
    Golden6(
        "a redirect, and none is believed",
        believes_none,
        redirect(),
        f"""
        verdict: dropped - redirect6-ignored
        why:     {ROUTER6} names {OTHER_ROUTER6} as first hop to {FAR6}: ip6.accept_redirects is off
        fix:     smolctl sysctl ip6.accept_redirects=1
        exit 1
        """,
    ),
    # --- errors -------------------------------------------------------------------------------
    Golden6(
        "a router has no route to the destination",
        sends_to_far,
        error(icmpv6.Type.DEST_UNREACHABLE, 0),
        f"""
        verdict: told to its sender - icmp-net-unreachable
        why:     2001:db8::ff says that it has no route to {FAR6}
        look:    on 2001:db8::ff: ip route get {FAR6}
        exit 0
        """,
    ),
    Golden6(
        "the destination's port is closed",
        sends_to_far,
        error(icmpv6.Type.DEST_UNREACHABLE, 4, offender=FAR6),
        f"""
        verdict: told to its sender - icmp-port-unreachable
        why:     {FAR6} says that nothing is bound to [{FAR6}]:9
        look:    on {FAR6}: start what is to listen on UDP port 9; ss -lun shows what does
        exit 0
        """,
    ),
    Golden6(
        "a packet was too big for a router's next link",
        sends_to_far,
        error(icmpv6.Type.PACKET_TOO_BIG, 0, 1400),
        f"""
        verdict: told to its sender - icmp-fragmentation-needed
        why:     2001:db8::ff says that the packet is too big for its next link, whose MTU is 1400: 1400 B get through to {FAR6}
        look:    send it again: it leaves in fragments, unless --df forbids it, where at most 1352 B get through
        exit 0
        """,
    ),
    Golden6(
        "a router says that less gets through than every link must carry",
        sends_to_far,
        error(icmpv6.Type.PACKET_TOO_BIG, 0, 1279),
        f"""
        verdict: dropped - icmp6-mtu-too-small
        why:     2001:db8::ff says that only 1279 B get through to {FAR6}, and 1280 B must
        look:    on 2001:db8::ff: its next link must take 1280 B
        exit 1
        """,
    ),
    # --- addresses and their links ------------------------------------------------------------
    Golden6(
        "the source is the address of the network, not the link-local one",
        knows_peer,
        question("icmp", None, PEER6),
        f"""
        verdict: sent by tap0
        why:     2001:db8::/64 dev tap0 metric 256 is the best route to {PEER6}; {PEER6} is at {PEER_AT}
        fix:     nothing to fix
        exit 0
        """,
    ),
    Golden6(
        "a link-local address that says no link, and there is one",
        nothing,
        question("icmp", None, ROUTER6),
        f"""
        verdict: not sent - tx-no-scope
        why:     {ROUTER6} is on one link: which one?
        look:    name the interface: {ROUTER6}%tap0, or dev tap0
        exit 1
        """,
    ),
    Golden6(
        "a link-local address that says no link, and a neighbor on one of two has it",
        two_links,
        question("icmp", None, ROUTER6),
        f"""
        verdict: not sent - tx-no-scope
        why:     {ROUTER6} is on one link: which one?
        look:    name the interface: {ROUTER6}%tap0, or dev tap0
        exit 1
        """,
    ),
    Golden6(
        "a group of a link, and any of two links may be meant",
        two_links,
        question("udp", None, "ff02::5", dport=9),
        """
        verdict: not sent - tx-no-scope
        why:     ff02::5 is on one link: which one?
        look:    name the interface: ff02::5%DEV, or dev DEV; smolctl link show
        exit 1
        """,
    ),
    Golden6(
        "a link whose MTU is too small for IPv6",
        lambda host: set_mtu(host.stack.shared, host.tap, 1279),
        echo6_request(src=ROUTER6, dst=OUR_LINK_LOCAL),
        """
        verdict: dropped - ip6-disabled
        why:     the mtu of tap0 is 1279, IPv6 needs 1280
        fix:     smolctl link set tap0 mtu 1280
        exit 1
        """,
    ),
    Golden6(
        "a link-local source whose link is not the one that leads there",
        two_links,
        question("icmp", OUR_LINK_LOCAL, "2001:db8:1::2"),
        f"""
        verdict: not sent - tx-beyond-scope
        why:     source {OUR_LINK_LOCAL} is not on tap1
        look:    send from an address of tap1: smolctl addr show dev tap1
        exit 1
        """,
    ),
    Golden6(
        "a ping from a node that has no address",
        nothing,
        question("icmp", "::", OURS6, iif="tap0"),
        f"""
        verdict: dropped - ip6-src-unspecified
        why:     from :: to {OURS6}, and it is neither neighbor discovery nor listener discovery
        look:    on the sender: give it an address; its MAC: smolctl capture tap0 -v
        exit 1
        """,
    ),
    Golden6(
        "a source that nobody has",
        knows_peer,
        question("icmp", "2001:db8::77", PEER6),
        """
        verdict: not sent - tx-src-not-ours
        why:     2001:db8::77 is not on this stack
        look:    send from an address that is: smolctl addr show
        exit 1
        """,
    ),
    # --- passing on ---------------------------------------------------------------------------
    Golden6(
        "a packet for another link, at a host",
        two_links,
        question("icmp", PEER6, "2001:db8:1::2", iif="tap0"),
        f"""
        verdict: dropped - ip6-dst-not-ours
        why:     2001:db8:1::2 is no address of this stack on tap0 (tap0 has {OURS6}/64, {OUR_LINK_LOCAL}/64)
        fix:     smolctl sysctl ip6.forward=1
        exit 1
        """,
    ),
    Golden6(
        "a packet with no hop left",
        router,
        question("icmp", PEER6, "2001:db8:1::2", iif="tap0", ttl=1),
        f"""
        answer:  ok     {OURS6} > {PEER6} ICMPv6 hop limit exceeded for {PEER6} > 2001:db8:1::2 ICMPv6, by tap0 to {PEER_AT}
        verdict: not forwarded - fwd-ttl-exceeded
        why:     hop limit 1 of a packet to 2001:db8:1::2 ends here
        look:    traceroute wants it so; otherwise look for a circle: smolctl -6 route get 2001:db8:1::2
        exit 1
        """,
    ),
    Golden6(
        "a packet that is too big for the next link",
        narrow_router,
        question("udp", PEER6, "2001:db8:1::2", sport=9, dport=7, size=1400, iif="tap0"),
        f"""
        answer:  ok     {OURS6} > {PEER6} ICMPv6 packet too big (mtu 1400) for [{PEER6}]:9 > [2001:db8:1::2]:7 UDP, by tap0 to {PEER_AT}
        verdict: not forwarded - fwd-too-big
        why:     the packet has 1448 B, the MTU of tap1 is 1400, and it may not be fragmented
        fix:     smolctl link set tap1 mtu 1448
        exit 1
        """,
    ),
    Golden6(
        "a packet whose source is of one link",
        router,
        question("icmp", ROUTER6, "2001:db8:1::2", iif="tap0"),
        f"""
        answer:  ok     {OUR_LINK_LOCAL} > {ROUTER6} ICMPv6 beyond scope of source address for {ROUTER6} > 2001:db8:1::2 ICMPv6, by tap0 to {PEER_AT}
        verdict: not forwarded - fwd-link-local
        why:     {ROUTER6} is of its link alone, and the packet would leave by tap1
        look:    on the sender: send from a global address: ip -6 addr show
        exit 1
        """,
    ),
)  # fmt: skip


@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_golden(golden: Golden6) -> None:
    assert answer6(golden, Host6()) == expected(golden)


NEVER_HEARD = f"""
    verdict: not sent - neigh-failed
    why:     3 neighbor solicitations for {PEER6} on tap0, and nothing came back
    look:    smolctl ndisc -I tap0 {PEER6}
    exit 1
    """
HEARD_AND_DROPPED = f"""
    verdict: not sent - neigh-failed
    why:     3 neighbor solicitations for {PEER6} on tap0; an answer came and was dropped: nd-source-invalid: {PEER6} says that it is at 01:00:00:00:00:01, which is no station
    look:    all about that answer: smolctl why 2
    exit 1
    """


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([], NEVER_HEARD),
        ([advertise(PEER6, mac=b"\1\0\0\0\0\1")], HEARD_AND_DROPPED),
        ([advertise(DEAD6)], NEVER_HEARD),
    ],
    ids=["nobody answers", "the answer is dropped", "another node says something"],
)
def test_a_datagram_whose_next_hop_is_never_known(answers: list[bytes], told: str) -> None:
    host, trace = Host6(), Trace()
    datagram = OutgoingDatagram(b"x", ip(PEER6), 9, None, trace)
    host.stack.udp.send_from(host.socket(9, "::"), datagram, host.now)
    host.receive(*answers)
    host.wait(4 * SECOND_NS)
    assert lines(verdict.tell(trace)) == [line.strip() for line in told.strip().splitlines()]


def test_the_answers_are_about_different_situations() -> None:
    assert len({str(golden) for golden in GOLDEN}) == len(GOLDEN) >= 35
    assert text(ip(FAR6)) == FAR6
