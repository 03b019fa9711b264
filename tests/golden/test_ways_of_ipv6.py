"""Golden answers: what ``why`` says of IPv6's routers, errors, and addresses of one link."""

# ruff: noqa: E501  (lines as they are printed)

import pytest

from smolctl.stack.config.link import set_mtu
from smolctl.wire import icmpv6, ndp
from smolctl.wire.ndp import Options
from tests.golden.kit import Golden6, answer6, expected, question
from tests.golden.kit6 import (
    FAR6,
    OTHER_ROUTER6,
    PEER_AT,
    ROUTER6,
    believes_none,
    default_route,
    error,
    hears_a_router,
    knows_peer,
    narrow_router,
    nothing,
    redirect,
    router,
    sends_to_far,
    two_links,
)
from tests.kit.host import PEER_MAC
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    Host6,
    echo6_request,
    nd_frame,
)

GOLDEN = (
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
