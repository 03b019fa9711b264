"""Two nodes whose only addresses are still tested: they find each other without a solicitation.

RFC 4429 3.2: an optimistic address must not be the source of a solicitation. It is advertised to
the neighbor that is looked for, without the O flag, and that neighbor tells where it is.
"""

import pytest

from smolctl.stack.explain.steps import steps_rows
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import UNSPECIFIED6, multicast_mac, solicited_node
from smolctl.wire.ndp import NeighborAdvertisement, NeighborSolicitation, Options
from tests.kit.clock import MILLISECOND_NS
from tests.kit.host import OUR_MAC, PEER_MAC, Host, ip, text
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    PEER_LINK_LOCAL,
    Host6,
    Seen6,
    advertise,
    nd_frame,
    see6,
)

GROUP = solicited_node(ip(OUR_LINK_LOCAL))


def pair() -> tuple[Host, Host]:
    """Return two stacks on one cable whose links have just come up."""
    return Host6(dad=True, bare=True), Host(bare=True, ipv6=True, dad=True, mac=PEER_MAC)


def exchange(one: Host, other: Host) -> list[Seen6]:
    """Let frames pass until nobody says more, without any time; return all of them."""
    seen = []
    for _ in range(10):
        for sender, receiver in ((one, other), (other, one)):
            sender.poll()
            frames = sender.take()
            seen += [see6(frame) for frame in frames]
            receiver.receive(*frames)
    return seen


def is_nd(seen: Seen6) -> bool:
    return seen.protocol == 58 and seen.payload[0] in (135, 136)


def call(to: str = OUR_LINK_LOCAL, flags: str = "", src: str = PEER_LINK_LOCAL) -> bytes:
    """Return what a node sends that may not ask yet."""
    said = NeighborAdvertisement("R" in flags, False, "O" in flags, ip(PEER_LINK_LOCAL),
                                 Options(target=PEER_MAC))  # fmt: skip
    group = solicited_node(ip(to))
    return nd_frame(said, src, text(group), to=multicast_mac(group))


def test_the_first_datagram_and_its_answer_pass_at_once() -> None:
    a, b = pair()
    client, server = a.socket(7, "::", "tap0"), b.socket(9, "::", "tap0")
    trace = a.send(client, PEER_LINK_LOCAL)
    frames = exchange(a, b)
    assert len(server.queue) == 1
    b.send(server, OUR_LINK_LOCAL, 7)
    frames += exchange(b, a)
    assert len(client.queue) == 1
    # No time has passed, and both are still tested.
    assert all(item.tentative for host in (a, b) for item in host.tap.ipv6.addresses.items)
    asked = [each.nd for each in frames if is_nd(each)]
    solicitations = [each for each in asked if isinstance(each, NeighborSolicitation)]
    advertisements = [each for each in asked if isinstance(each, NeighborAdvertisement)]
    # Their tests are the only solicitations, from "::" (RFC 4429 3.2); no O flag (3.3).
    assert {each.ip.src for each in frames if is_nd(each)
            and isinstance(each.nd, NeighborSolicitation)} == {UNSPECIFIED6}  # fmt: skip
    assert len(solicitations) == 2
    assert [(each.solicited, each.override) for each in advertisements] == [(False, False)] * 2
    assert any("may not ask" in row["text"] for row in steps_rows(trace))
    # Groups are reported to routers, who are not there.
    assert set(a.reasons()) == {"neigh-pending", "ip6-multicast-not-joined"}
    assert set(b.reasons()) == {"ip6-multicast-not-joined"}


def test_both_may_begin() -> None:
    a, b = pair()
    one, other = a.socket(7, "::", "tap0"), b.socket(7, "::", "tap0")
    a.send(one, PEER_LINK_LOCAL, 7)
    b.send(other, OUR_LINK_LOCAL, 7)
    exchange(a, b)
    assert (len(one.queue), len(other.queue)) == (1, 1)


def test_one_that_was_tested_answers_too() -> None:
    host = Host6(bare=True)
    host.receive(call())
    (answer,) = host.sent6()
    said = answer.nd
    assert isinstance(said, NeighborAdvertisement)
    assert (answer.dst, answer.ip.dst) == (PEER_MAC, ip(PEER_LINK_LOCAL))
    assert (said.solicited, said.override) == (False, True)
    assert (said.target, said.options.target) == (ip(OUR_LINK_LOCAL), OUR_MAC)
    entry = host.neighbor(PEER_LINK_LOCAL)
    assert entry is not None
    assert entry.lladdr == PEER_MAC


@pytest.mark.parametrize(
    "frame",
    [
        advertise(PEER_LINK_LOCAL, "", dst="ff02::1"),  # to all nodes: nobody is looked for
        call("fe80::ffff:77"),  # another node is
        call(flags="O"),
        call(src="fe80::99"),  # of somebody else's address
        advertise(PEER_LINK_LOCAL, "", dst=OUR_LINK_LOCAL),
    ],
)
def test_other_advertisements_make_no_entry_and_are_not_answered(frame: bytes) -> None:
    host = Host6(bare=True)
    host.receive(frame)
    assert host.sent6() == []
    assert host.neighbor(PEER_LINK_LOCAL) is None


def test_the_sysctl_that_drops_unsolicited_ones_drops_it() -> None:
    host = Host6(bare=True)
    host.set("nd.drop_unsolicited_na", 1)
    host.receive(call())
    assert host.sent6() == []
    assert host.reasons() == {"nd-unsolicited": 1}


def test_it_overrides_nothing_that_is_known() -> None:
    host = Host6(bare=True)
    host.know(PEER_LINK_LOCAL, OUR_MAC, State.STALE)
    host.receive(call())
    entry = host.neighbor(PEER_LINK_LOCAL)
    assert entry is not None
    assert entry.lladdr == OUR_MAC
    assert host.reasons() == {"nd-override-refused": 1}


def test_a_neighbor_that_does_not_answer_is_asked_when_the_test_is_over() -> None:
    host = Host6(dad=True, bare=True)
    host.wait(300 * MILLISECOND_NS)
    host.send(host.socket(7, "::", "tap0"), PEER_LINK_LOCAL)
    host.wait(700 * MILLISECOND_NS)
    seen = [each for each in host.sent6() if is_nd(each)]
    own = ip(OUR_LINK_LOCAL)
    assert [(type(each.nd).__name__, each.ip.src) for each in seen] == [
        ("NeighborSolicitation", UNSPECIFIED6), ("NeighborAdvertisement", own),
        ("NeighborSolicitation", own),
    ]  # fmt: skip
    asked = seen[-1].nd
    assert isinstance(asked, NeighborSolicitation)
    assert asked.options.source == OUR_MAC
