"""Duplicate address detection, in virtual time.

The random function of these hosts returns 0.5: the delay of a test is half a second.
"""

import pytest

from smolctl.errors import AddressNotAvailable, SendRejected
from smolctl.stack.config.addr import add_address, change_address
from smolctl.stack.config.link import set_carrier, set_mac, set_up
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ipv6.addresses import Address6, new_address
from smolctl.wire import ndp
from smolctl.wire.address import ALL_NODES, UNSPECIFIED6, format_mac, solicited_node
from smolctl.wire.ndp import NeighborAdvertisement, NeighborSolicitation, Options
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, Host, ip, text
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    Seen6,
    advertise,
    echo6_request,
    nd_frame,
    solicit,
    udp6_frame,
)

MS = 1_000_000


@pytest.fixture
def host() -> Host6:
    """A host whose addresses are tested before they are used; nothing was sent yet."""
    return Host6(dad=True, optimistic=False)


def address_of(host: Host, address: str = OURS6) -> Address:
    found = host.tap.ipv6.addresses.find(ip(address), None)
    assert found is not None
    return found


def solicitations(host: Host6) -> list[tuple[Seen6, NeighborSolicitation]]:
    """Let the device take all that waits, and return what asks who has an address."""
    found = []
    for frame in host.sent6():
        if frame.ip.next_header == 58 and isinstance(frame.nd, NeighborSolicitation):
            found.append((frame, frame.nd))
    return found


def probe(target: str = OURS6, nonce: bytes | None = b"abcdef", by: bytes = PEER_MAC) -> bytes:
    """Return another node's test of an address."""
    message = NeighborSolicitation(ip(target), Options(nonce=nonce))
    return nd_frame(message, "::", text(solicited_node(ip(target))), by=by)


def looped(host: Host6) -> bytes:
    """Let the first test leave, and return its frame as it would come back."""
    host.wait(501 * MS)
    (frame,) = [
        each for each in host.take() if each[20] == 58 and each[62:78] == ip(OURS6).to_bytes(17)[1:]
    ]
    return frame


# --- a test without an answer ---------------------------------------------------------------------


def test_an_address_is_asked_for_once_after_a_delay_and_used_a_second_later(host: Host6) -> None:
    host.wait(499 * MS)
    assert [each for each in host.sent6() if each.ip.next_header == 58] == []
    host.wait(MS)
    asked = solicitations(host)
    assert len(asked) == 2  # the link-local address is tested, too
    ((frame, message),) = [each for each in asked if each[1].target == ip(OURS6)]
    assert (frame.ip.src, frame.ip.dst) == (UNSPECIFIED6, solicited_node(ip(OURS6)))
    assert frame.ip.hop_limit == 255
    assert frame.dst == bytes.fromhex("3333ff000001")
    assert message.options.source is None
    assert message.options.nonce is not None
    assert len(message.options.nonce) == 6
    host.wait(999 * MS)
    assert address_of(host).tentative
    host.wait(MS)
    assert not address_of(host).tentative
    host.wait(60 * SECOND_NS)
    assert solicitations(host) == []
    assert host.event("nd.probes_sent") == 2


@pytest.mark.parametrize("random", [0.0, 0.999999])
def test_the_longest_test_takes_two_seconds(random: float) -> None:
    host = Host6(dad=True, random=random)
    host.wait(int((1 + random) * SECOND_NS) + MS)
    assert not address_of(host).tentative
    assert not address_of(host, OUR_LINK_LOCAL).tentative


@pytest.mark.parametrize(("transmits", "milliseconds"), [(1, 1500), (3, 3500), (0, 0)])
def test_dad_transmits_is_the_number_of_questions(transmits: int, milliseconds: int) -> None:
    host = Host6(dad=True, bare=True)
    host.set("nd.dad_transmits", transmits)
    host.wait(10 * SECOND_NS)
    host.take()
    host.add(f"{OURS6}/64")
    assert address_of(host).tentative is (transmits > 0)
    host.wait(milliseconds * MS)
    assert len(solicitations(host)) == transmits
    assert not address_of(host).tentative


def test_without_enhanced_dad_there_is_no_nonce(host: Host6) -> None:
    host.set("nd.enhanced_dad", 0)
    host.add("2001:db8::5/64")
    host.wait(2 * SECOND_NS)
    ((_, message),) = [each for each in solicitations(host) if each[1].target == ip("2001:db8::5")]
    assert message.options == Options()


@pytest.mark.parametrize(
    ("accept_dad", "dad", "tested"),
    [(1, None, True), (2, None, True), (0, None, False), (1, False, False), (0, True, True)],
)
def test_an_address_is_tested_as_the_sysctl_and_its_own_word_say(
    host: Host6, accept_dad: int, dad: bool | None, tested: bool
) -> None:
    host.set("nd.accept_dad", accept_dad)
    assert host.add("2001:db8::5/64", dad=dad).tentative is tested


def test_nothing_is_tested_on_a_loopback(host: Host6) -> None:
    assert not host.add("2001:db8::5/64", "lo").tentative


# --- while it is tested ---------------------------------------------------------------------------


def test_a_tentative_address_is_no_source_and_no_destination(host: Host6) -> None:
    assert not host.stack.ipv6.fib.is_local(ip(OURS6))
    host.receive(echo6_request(), udp6_frame(dport=5000))
    assert host.reasons() == {"ip6-dst-tentative": 2}
    with pytest.raises(AddressNotAvailable):
        host.socket(5000, local=OURS6)
    with pytest.raises(SendRejected):
        host.send(host.socket(7, local="::"), PEER6)


def test_who_asks_for_it_gets_no_answer(host: Host6) -> None:
    host.receive(solicit())
    assert host.reasons() == {"nd-target-tentative": 1}
    assert host.stack.ipv6.neighbors["tap0"].lookup(ip(PEER6)) is None
    host.wait(5 * SECOND_NS)
    assert not address_of(host).tentative


def test_what_is_tested_by_another_node_is_not_answered_but_lost(host: Host6) -> None:
    host.wait(700 * MS)
    host.take()
    host.receive(probe())
    host.wait(5 * SECOND_NS)
    address = address_of(host)
    assert (address.tentative, address.dadfailed, address.other_mac) == (True, True, PEER_MAC)
    assert host.reasons() == {"nd-dad-failed": 1}
    assert [each for each in host.sent6() if each.ip.dst == ALL_NODES] == []
    assert not host.stack.ipv6.fib.is_local(ip(OURS6))


def test_an_advertisement_has_it_lost_as_well(host: Host6) -> None:
    host.wait(700 * MS)
    host.receive(advertise(OURS6, "O", dst="ff02::1", mac=OTHER_MAC))
    host.wait(5 * SECOND_NS)
    assert address_of(host).dadfailed
    assert not address_of(host, OUR_LINK_LOCAL).dadfailed


def test_a_packet_alone_changes_no_address(host: Host6) -> None:
    """As on a clone, on which ``why`` lets a packet happen."""
    host.wait(700 * MS)
    host.receive(probe())
    assert not address_of(host).dadfailed
    host.poll()
    assert address_of(host).dadfailed


def test_our_own_question_that_comes_back_is_noted_and_the_test_goes_on(host: Host6) -> None:
    frame = looped(host)
    host.receive(frame)
    host.wait(SECOND_NS)
    assert not address_of(host).tentative
    assert host.reasons() == {"nd-dad-looped": 1}


def test_without_a_nonce_it_looks_like_another_nodes(host: Host6) -> None:
    host = Host6(dad=True, bare=True)
    host.set("nd.enhanced_dad", 0)
    host.add(f"{OURS6}/64")
    frame = looped(host)
    host.receive(frame)
    host.wait(SECOND_NS)
    assert address_of(host).dadfailed


def test_a_node_with_our_mac_and_our_address_is_found(host: Host6) -> None:
    host.wait(700 * MS)
    host.receive(probe(OUR_LINK_LOCAL, by=OUR_MAC))
    host.poll()
    assert address_of(host, OUR_LINK_LOCAL).dadfailed


@pytest.mark.parametrize("nonce", [None, b"", b"abcdefgh" * 2 + b"zzzzzz"])
def test_a_nonce_of_any_length_is_another_nodes(host: Host6, nonce: bytes | None) -> None:
    host.wait(700 * MS)
    host.receive(probe(nonce=nonce))
    host.poll()
    assert address_of(host).dadfailed


# --- afterwards -----------------------------------------------------------------------------------


def test_an_address_in_use_is_kept_and_defended_by_an_answer(host: Host6) -> None:
    host.wait(5 * SECOND_NS)
    host.take()
    host.receive(probe())
    host.poll()
    (frame,) = [each for each in host.sent6() if each.ip.dst == ALL_NODES]
    assert frame.nd == NeighborAdvertisement(False, False, True, ip(OURS6), Options(target=OUR_MAC))
    assert not address_of(host).tentative


def test_who_advertises_it_afterwards_changes_nothing(host: Host6) -> None:
    host.wait(5 * SECOND_NS)
    host.receive(advertise(OURS6, "O", dst="ff02::1"))
    own = nd_frame(
        NeighborAdvertisement(False, False, True, ip(OURS6), Options(target=OUR_MAC)),
        OURS6, "ff02::1", by=OUR_MAC,
    )  # fmt: skip
    host.receive(own)  # lwIP once took that for a conflict
    host.wait(5 * SECOND_NS)
    assert not address_of(host).tentative
    assert host.reasons() == {"nd-address-conflict": 1, "rx-own-frame": 1}


def test_a_dadfailed_address_is_another_nodes_and_can_be_talked_to(host: Host6) -> None:
    host.add("2001:db8::7/64", dad=False)
    host.wait(700 * MS)
    host.receive(probe())
    host.poll()
    host.send(host.socket(7, local="2001:db8::7"), OURS6)
    host.receive(advertise(OURS6, dst="2001:db8::7", mac=PEER_MAC))
    host.poll()
    sent = [each for each in host.sent6() if each.ip.dst == ip(OURS6)]
    assert [each.dst for each in sent] == [PEER_MAC]


@pytest.mark.parametrize("dad", [None, False])
def test_a_dadfailed_address_is_tested_again_or_taken(host: Host6, dad: bool | None) -> None:
    host.wait(700 * MS)
    host.receive(probe())
    host.wait(SECOND_NS)
    old = address_of(host)
    new = host.stack.ipv6.new_address(ip(OURS6), 64, host.tap)
    new.dad = dad
    change_address(host.stack.ipv6, host.tap, old, new, host.now)
    assert old.tentative is (dad is None)
    host.wait(2 * SECOND_NS)
    assert (old.tentative, old.dadfailed) == (False, False)


# --- links ----------------------------------------------------------------------------------------


def test_a_test_waits_for_the_carrier_and_begins_anew(host: Host6) -> None:
    host.wait(700 * MS)
    host.take()
    set_carrier(host.stack.shared, host.tap, False, host.now)
    host.wait(60 * SECOND_NS)
    assert address_of(host).tentative
    set_carrier(host.stack.shared, host.tap, True, host.now)
    host.wait(501 * MS)
    assert ip(OURS6) in [message.target for _, message in solicitations(host)]
    host.wait(SECOND_NS)
    assert not address_of(host).tentative


def test_an_address_in_use_is_not_tested_because_the_carrier_was_away(host: Host6) -> None:
    host.wait(5 * SECOND_NS)
    for on in (False, True):
        set_carrier(host.stack.shared, host.tap, on, host.now)
    assert not address_of(host).tentative


def test_what_another_node_had_is_tested_again_when_the_carrier_comes_back(host: Host6) -> None:
    host.wait(700 * MS)
    host.receive(probe())
    host.wait(5 * SECOND_NS)
    for on in (False, True):
        set_carrier(host.stack.shared, host.tap, on, host.now)
    host.wait(2 * SECOND_NS)
    assert (address_of(host).tentative, address_of(host).dadfailed) == (False, False)


def test_a_link_that_comes_up_tests_its_own_address_again(host: Host6) -> None:
    host.wait(5 * SECOND_NS)
    for up in (False, True):
        set_up(host.stack.shared, host.tap, up, host.now)
    assert address_of(host, OUR_LINK_LOCAL).tentative
    assert host.tap.ipv6.addresses.find(ip(OURS6), None) is None  # as in Linux
    host.wait(2 * SECOND_NS)
    assert not address_of(host, OUR_LINK_LOCAL).tentative


# --- optimistic addresses -------------------------------------------------------------------------


def optimistic(host: Host6) -> Address6:
    """Return an address that is used while it is tested."""
    new = new_address(ip("2001:db8::7"), 64, "tap0")
    new.optimistic = True
    add_address(host.stack.ipv6, host.tap, new, host.now)
    return new


def test_an_optimistic_address_answers_without_replacing_what_others_know(host: Host6) -> None:
    host.wait(5 * SECOND_NS)
    host.take()
    address = optimistic(host)
    host.poll()
    assert [message.target for _, message in solicitations(host)] == [ip("2001:db8::7")]
    host.receive(solicit("2001:db8::7"), echo6_request(dst="2001:db8::7"))
    answers = [each for each in host.sent6() if each.ip.src == ip("2001:db8::7")]
    assert answers[0].nd == NeighborAdvertisement(
        False, True, False, ip("2001:db8::7"), Options(target=OUR_MAC)
    )
    assert answers[1].icmp.type == 129
    assert (address.tentative, address.optimistic) == (True, True)
    host.wait(SECOND_NS)
    assert (address.tentative, address.optimistic) == (False, False)


def test_an_optimistic_address_may_be_lost(host: Host6) -> None:
    host.wait(5 * SECOND_NS)
    address = optimistic(host)
    host.poll()
    host.receive(advertise("2001:db8::7", "O", dst="ff02::1"))
    host.poll()
    assert address.dadfailed
    assert not host.stack.ipv6.fib.is_local(ip("2001:db8::7"))


def test_with_the_sysctl_a_link_local_address_is_used_at_once() -> None:
    host = Host6(dad=True, bare=True)
    link = host.link("tap1")
    own = link.ipv6.addresses.items[0]
    assert own.tentative
    host.receive(echo6_request(src=PEER_LINK_LOCAL, dst=text(own.local)), dev="tap1")
    assert "ip6-dst-tentative" not in host.reasons()


# --- announcements --------------------------------------------------------------------------------


def test_with_notify_an_address_is_advertised_once_when_it_is_tested(host: Host6) -> None:
    host.set("nd.notify", 1)
    host.wait(60 * SECOND_NS)
    said = [each.nd for each in host.sent6() if each.ip.dst == ALL_NODES]
    own = Options(target=OUR_MAC)
    assert said == [
        ndp.NeighborAdvertisement(False, False, True, target, own)
        for target in (ip(OUR_LINK_LOCAL), ip(OURS6))
    ]


def test_with_notify_a_new_mac_is_advertised_for_all_addresses_in_use(host: Host6) -> None:
    host.wait(60 * SECOND_NS)
    host.set("nd.notify", 1)
    host.add("2001:db8::7/64")
    host.take()
    set_mac(host.stack.shared, host.tap, OTHER_MAC, host.now)
    said = [each.nd for each in host.sent6() if each.ip.dst == ALL_NODES]
    targets = {text(each.target) for each in said if isinstance(each, NeighborAdvertisement)}
    assert targets == {OUR_LINK_LOCAL, OURS6}
    assert {each.options.target for each in said} == {OTHER_MAC}


def test_without_notify_nothing_is_advertised(host: Host6) -> None:
    host.wait(60 * SECOND_NS)
    set_mac(host.stack.shared, host.tap, OTHER_MAC, host.now)
    assert [each for each in host.sent6() if each.ip.dst == ALL_NODES] == []
    assert format_mac(host.tap.mac) == format_mac(OTHER_MAC)
