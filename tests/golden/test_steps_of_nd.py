"""Golden answers: what ``why`` says of each step of neighbor discovery."""

# ruff: noqa: E501  (lines as they are printed)

import pytest

from smolctl.stack.explain import verdict
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.wire import ndp
from smolctl.wire.ndp import Options
from tests.golden.kit import Golden6, answer6, expected, lines, question
from tests.golden.kit6 import (
    PEER_AT,
    TESTED6,
    UNTESTED,
    address_under_test,
    asked_already,
    asks_in_vain,
    has_lost_an_address,
    knows_peer,
    nothing,
    own_probe,
)
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    DEAD6,
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    Host6,
    advertise,
    echo6_request,
    nd_frame,
    solicit,
)

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
