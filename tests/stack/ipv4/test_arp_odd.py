"""ARP that two hosts send where one was meant: a MAC that comes and goes, and one that is ours."""

import pytest

from smolctl.stack.explain.verdict import tell
from smolctl.stack.neighbor.entry import MOVES_WINDOW_NS
from smolctl.stack.neighbor.states import State
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    OTHER_MAC,
    OUR_MAC,
    PEER_MAC,
    Host,
    arp_frame,
    echo_request,
    reply,
    request,
    text,
    udp_frame,
)

TWIN = "10.0.0.9"
THIRD_MAC = bytes.fromhex("02000000000d")


@pytest.fixture
def host() -> Host:
    return Host()


def announced(host: Host, *macs: bytes, every_ns: int = SECOND_NS) -> None:
    for mac in macs:
        host.receive(request(TWIN, TWIN, mac=mac))
        host.clock.advance(every_ns)


def values(host: Host, name: str) -> dict[str, object]:
    (tally,) = [t for (why, _), t in host.stack.ledger.reasons.items() if why.name == name]
    return dict(tally.detail)


# --- back and forth -------------------------------------------------------------------------------


def test_two_hosts_with_one_address_are_told_with_both_macs_how_often_and_how_long(
    host: Host,
) -> None:
    host.know(TWIN)
    host.clock.advance(SECOND_NS)
    announced(host, OTHER_MAC, PEER_MAC, OTHER_MAC, PEER_MAC)
    assert host.reasons() == {"arp-flapping": 3}
    (((why, _), tally),) = host.stack.ledger.reasons.items()
    assert why.why(tally.detail) == (
        f"{TWIN} moved from {OTHER_MAC.hex(':')} back to {PEER_MAC.hex(':')}: its MAC changed"
        " 4 times in 3.0 s"
    )
    assert why.look(tally.detail) == (
        f"do two hosts have {TWIN}? smolctl arping -c 3 -I tap0 {TWIN}"
    )
    assert why.fixes(tally.detail) == []


def test_the_asker_s_mac_counts_too(host: Host) -> None:
    for mac in (PEER_MAC, OTHER_MAC, PEER_MAC):
        host.receive(request(TWIN, mac=mac))
    assert host.reasons() == {"arp-flapping": 1}


def test_three_hosts_in_turn_are_noted_when_the_first_is_back(host: Host) -> None:
    host.know(TWIN)
    announced(host, OTHER_MAC, THIRD_MAC, PEER_MAC)
    assert host.reasons() == {"arp-flapping": 1}


def test_a_card_that_is_replaced_is_no_war(host: Host) -> None:
    host.know(TWIN)
    announced(host, OTHER_MAC, OTHER_MAC, THIRD_MAC)
    assert host.reasons() == {}


def test_a_gateway_that_fails_over_and_back_hours_later_is_no_war(host: Host) -> None:
    host.know(TWIN)
    announced(host, OTHER_MAC, PEER_MAC, every_ns=MOVES_WINDOW_NS + 1)
    assert host.reasons() == {}


def test_who_enters_another_mac_by_hand_makes_no_war(host: Host) -> None:
    for mac in (PEER_MAC, OTHER_MAC, PEER_MAC, OTHER_MAC):
        host.know(TWIN, mac)
    assert host.reasons() == {}


def test_a_second_answer_to_one_question_is_told_with_both_macs_and_no_fix(host: Host) -> None:
    host.know(TWIN)
    host.receive(reply(TWIN, mac=OTHER_MAC))
    assert host.reasons() == {"arp-locktime": 1}
    (((why, _), tally),) = host.stack.ledger.reasons.items()
    assert why.why(tally.detail) == (
        f"{OTHER_MAC.hex(':')} answers for {TWIN} within 1000 ms of {PEER_MAC.hex(':')};"
        " the first answer counts"
    )
    assert why.fixes(tally.detail) == []  # to turn the locktime off would let it flap


def test_a_packet_that_taught_it_is_learned_from_all_the_same(host: Host) -> None:
    host.stack.watch(lambda _trace: None, everything=True)
    host.know(TWIN)
    announced(host, OTHER_MAC, PEER_MAC)
    row = tell(list(host.stack.journal)[-1], lambda _now: 0.0)
    assert row["verdict"] == "learned from"
    assert [step["reason"] for step in row["steps"] if "reason" in step] == ["arp-flapping"]


# --- our own MAC ----------------------------------------------------------------------------------


def test_a_neighbor_with_our_own_mac_is_noted_and_learned(host: Host) -> None:
    host.receive(request(TWIN, mac=OUR_MAC))
    assert host.reasons() == {"arp-own-mac": 1}
    assert text(values(host, "arp-own-mac")["ip"]) == TWIN  # type: ignore[arg-type]
    entry = host.neighbor(TWIN)
    assert entry is not None
    assert entry.lladdr == OUR_MAC


@pytest.mark.parametrize(
    "frame",
    [arp_frame(1, TWIN, mac=OUR_MAC, by=OUR_MAC), udp_frame(src=TWIN, by=OUR_MAC)],
    ids=["arp", "ip"],
)
def test_a_frame_of_another_host_with_our_mac_is_told_from_a_loop(host: Host, frame: bytes) -> None:
    host.receive(frame)
    (((why, _), tally),) = host.stack.ledger.reasons.items()
    assert why.name == "rx-own-frame"
    assert why.why(tally.detail) == (
        f"a frame with our own source MAC {OUR_MAC.hex(':')} came in on tap0 from {TWIN},"
        " which is not our address: another station has our MAC"
    )


def test_our_own_frame_that_comes_back_is_no_other_station_s(host: Host) -> None:
    host.receive(echo_request(src="10.0.0.1", dst="10.0.0.2")[:6] + OUR_MAC
                 + echo_request(src="10.0.0.1", dst="10.0.0.2")[12:])  # fmt: skip
    (((why, _), tally),) = host.stack.ledger.reasons.items()
    assert why.why(tally.detail) == (
        f"a frame with our own source MAC {OUR_MAC.hex(':')} came in on tap0"
    )


# --- a group MAC ----------------------------------------------------------------------------------


def test_arp_that_says_a_group_mac_is_not_believed(host: Host) -> None:
    host.know(TWIN)
    host.receive(reply(TWIN, mac=bytes.fromhex("03bf0a000009")))
    assert host.reasons() == {"arp-sender-invalid": 1}


def test_a_group_mac_that_was_entered_is_used(host: Host) -> None:
    cluster = bytes.fromhex("03bf0a000009")
    host.know(TWIN, cluster, State.PERMANENT)
    host.send(host.socket(), TWIN)
    (frame,) = host.sent()
    assert frame.dst == cluster
