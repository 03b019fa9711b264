"""``ndisc``: who has an IPv6 address, does somebody else have it, and telling that we do."""

from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.stack.config.link import set_carrier, set_up
from smolctl.wire import ndp
from smolctl.wire.address import (
    ALL_NODES,
    UNSPECIFIED6,
    format_mac,
    multicast_mac,
    solicited_node,
)
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    DEAD6,
    OUR_LINK_LOCAL,
    PEER_LINK_LOCAL,
    Seen6,
    advertise,
    nd_frame,
    see6,
)
from tests.ops.kit import Api, Exchange

TARGET = f"{PEER_LINK_LOCAL}%tap0"


@pytest.fixture
def api() -> Api:
    return Api()


def answer(flags: str = "SO", mac: bytes | None = PEER_MAC) -> bytes:
    return advertise(PEER_LINK_LOCAL, flags, mac=mac, dst=OUR_LINK_LOCAL)


def ask(api: Api, *frames: bytes, dst: str = TARGET, **args: Any) -> Exchange:
    """Run ndisc; frames come in 3 ms after it began."""
    exchange, _ = api.start("ndisc.run", dst=dst, **args)
    api.wait(3 * MILLISECOND_NS)
    api.arrive(*frames)
    api.wait(60 * SECOND_NS, until=lambda: exchange.ended)
    return exchange


def sent(api: Api) -> list[Seen6]:
    return [see6(frame) for frame in api.wire6]


# --- asking ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("src", [None, OUR_LINK_LOCAL])
def test_it_waits_until_an_optimistic_source_is_tested(api: Api, src: str | None) -> None:
    # RFC 4429 3.2: such an address must not ask. The time that it may take begins then.
    set_up(api.stack.shared, api.host.tap, False, api.clock.now)
    set_up(api.stack.shared, api.host.tap, True, api.clock.now)
    (own,) = api.host.tap.ipv6.addresses.items
    assert own.tentative
    args = {} if src is None else {"src": src}
    exchange, _ = api.start("ndisc.run", dst=TARGET, count="1", deadline="1", **args)
    api.wait(SECOND_NS - 1)
    assert not any(each.ip.src == ip(OUR_LINK_LOCAL) for each in sent(api) if is_question(each))
    api.wait(2 * MILLISECOND_NS)
    (asked,) = [each for each in sent(api) if is_question(each) and each.ip.src != UNSPECIFIED6]
    assert asked.ip.src == ip(OUR_LINK_LOCAL)
    api.wait(500 * MILLISECOND_NS)
    api.arrive(answer())
    api.wait(SECOND_NS, until=lambda: exchange.ended)
    assert exchange.result is not None
    assert (exchange.result["ok"], exchange.result["received"]) == (True, 1)


def is_question(seen: Seen6) -> bool:
    return seen.protocol == 58 and seen.payload[0] == 135


def test_an_answer_is_shown_with_its_mac_and_round_trip_time(api: Api) -> None:
    exchange = ask(api, answer(), count="1")
    assert exchange.events == [
        {"event": "start", "dst": PEER_LINK_LOCAL, "src": OUR_LINK_LOCAL, "dev": "tap0"},
        {
            "event": "reply",
            "from": PEER_LINK_LOCAL,
            "lladdr": format_mac(PEER_MAC),
            "unicast": True,
            "rtt_ns": 3_000_000,
            "seq": 1,
        },
    ]
    assert exchange.done_with == {
        "sent": 1,
        "multicasts": 1,
        "received": 1,
        "time_ms": 3,
        "ok": True,
        "rtt_ns": {"min": 3_000_000, "avg": 3_000_000, "max": 3_000_000, "mdev": 0},
    }
    (frame,) = sent(api)
    assert (frame.ip.src, frame.ip.dst) == (
        ip(OUR_LINK_LOCAL),
        solicited_node(ip(PEER_LINK_LOCAL)),
    )
    assert frame.dst == multicast_mac(frame.ip.dst)
    assert frame.nd == ndp.NeighborSolicitation(ip(PEER_LINK_LOCAL), ndp.Options(source=OUR_MAC))


def test_after_the_first_answer_it_asks_by_unicast(api: Api) -> None:
    exchange = ask(api, answer(), count="2", wait="0.1")
    assert [frame.dst for frame in sent(api)][1:] == [PEER_MAC]
    assert sent(api)[1].ip.dst == ip(PEER_LINK_LOCAL)
    assert exchange.done_with["multicasts"] == 1


def test_it_asks_the_group_only_when_told_to(api: Api) -> None:
    assert ask(api, answer(), count="2", wait="0.1", broadcast=True).done_with["multicasts"] == 2


def test_a_router_is_one(api: Api) -> None:
    (reply,) = ask(api, answer("RSO"), count="1").of("reply")
    assert reply["router"] is True


def test_an_answer_without_a_mac_has_that_of_its_frame(api: Api) -> None:
    (reply,) = ask(api, answer("S", mac=None), count="1").of("reply")
    assert reply["lladdr"] == format_mac(PEER_MAC)


def test_asking_leaves_the_neighbor_cache_alone(api: Api) -> None:
    ask(api, answer(), count="1")
    assert list(api.stack.ipv6.neighbors["tap0"]) == []
    assert api.host.event("nd.taken_by_clients") == 1


def test_two_nodes_with_one_address_are_both_shown(api: Api) -> None:
    exchange = ask(api, answer(), answer(mac=OTHER_MAC), deadline="1")
    assert exchange.done_with["owners"] == [format_mac(PEER_MAC), format_mac(OTHER_MAC)]


@pytest.mark.parametrize(
    "frame",
    [
        advertise(DEAD6, "SO", dst=OUR_LINK_LOCAL),
        advertise(PEER_LINK_LOCAL, "O", dst="ff02::1"),
        advertise(PEER_LINK_LOCAL, "SO", dst=OUR_LINK_LOCAL, mac=bytes(6)),
        advertise(PEER_LINK_LOCAL, "SO", dst=OUR_LINK_LOCAL, mac=b"\x03\0\0\0\0\1"),
    ],
    ids=["another address", "unasked", "zeros", "group"],
)
def test_what_is_no_answer(api: Api, frame: bytes) -> None:
    assert ask(api, frame, count="1").done_with["received"] == 0


def test_nobody_answers(api: Api) -> None:
    result = ask(api, count="3").done_with
    assert (result["sent"], result["received"], result["ok"]) == (3, 0, False)
    assert result["reason"] == "nd-no-reply"
    assert result["message"] == (
        f"3 solicitations for {PEER_LINK_LOCAL} on tap0, and nothing came back"
    )


def test_an_answer_that_was_dropped_is_named(api: Api) -> None:
    bad = nd_frame(
        ndp.NeighborAdvertisement(False, True, True, ip(PEER_LINK_LOCAL)),
        PEER_LINK_LOCAL,
        OUR_LINK_LOCAL,
        hops=64,
    )
    result = ask(api, bad, count="1").done_with
    assert result["reason"] == "nd-no-reply"
    assert "dropped: nd-bad-hop-limit" in result["message"]


# --- testing, and telling -------------------------------------------------------------------------


def test_a_free_address(api: Api) -> None:
    result = ask(api, dst=DEAD6, dev="tap0", mode="dad").done_with
    assert (result["sent"], result["ok"]) == (3, True)
    for frame in sent(api):
        assert frame.ip.src == UNSPECIFIED6
        assert frame.nd == ndp.NeighborSolicitation(ip(DEAD6), ndp.Options())


@pytest.mark.parametrize(
    "frame",
    [
        advertise(DEAD6, "O", dst="ff02::1"),
        nd_frame(ndp.NeighborSolicitation(ip(DEAD6)), "::", "ff02::1:ff00:9"),
    ],
    ids=["its owner", "another one who tests it"],
)
def test_an_address_that_is_taken(api: Api, frame: bytes) -> None:
    api("maddr.add", address="ff02::1:ff00:9", dev="tap0")
    result = ask(api, frame, dst=DEAD6, dev="tap0", mode="dad").done_with
    assert (result["received"], result["ok"]) == (1, False)


def test_an_address_whose_owner_was_not_heard_is_not_free(api: Api) -> None:
    message = ndp.NeighborAdvertisement(False, False, True, ip(DEAD6))
    bad = nd_frame(message, DEAD6, "ff02::1", hops=1)
    result = ask(api, bad, dst=DEAD6, dev="tap0", mode="dad", count="1").done_with
    assert (result["ok"], result["reason"]) == (False, "nd-no-reply")


def test_an_announcement_goes_to_all_nodes(api: Api) -> None:
    result = ask(api, dst=OUR_LINK_LOCAL, dev="tap0", mode="announce", count="1").done_with
    assert result["ok"]
    (frame,) = sent(api)
    assert frame.ip.dst == ALL_NODES
    target = ip(OUR_LINK_LOCAL)
    assert frame.nd == ndp.NeighborAdvertisement(
        False, False, True, target, ndp.Options(target=OUR_MAC)
    )


# --- what it refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"dst": "ff02::1", "dev": "tap0"}, "ff02::1 is not the address of one node"),
        ({"dst": "::1"}, "::1 is not the address of one node"),
        ({"dst": "10.0.0.2"}, "neighbor discovery is of IPv6"),
        ({"dst": "fe80::2%lo"}, "lo has no neighbor discovery, and fe80::2 is reached through it"),
        ({"dst": TARGET, "src": DEAD6}, f"{DEAD6} is not on this stack"),
        ({"dst": DEAD6, "dev": "tap0", "mode": "announce"}, f"{DEAD6} is not on this stack"),
        ({"dst": "fe80::2%tap0", "dev": "lo"}, '"fe80::2%tap0" is not on lo: its zone is tap0'),
    ],
)
def test_what_it_refuses(api: Api, args: dict[str, Any], message: str) -> None:
    with pytest.raises(SmolctlError) as caught:
        api.run("ndisc.run", **args)
    assert str(caught.value) == message


def test_arping_knows_who_asks_ipv6(api: Api) -> None:
    with pytest.raises(SmolctlError) as caught:
        api.run("arping.run", dst=TARGET)
    assert caught.value.hint == f"smolctl ndisc {TARGET}"


@pytest.mark.parametrize("mode", ["request", "dad"])
def test_nobody_is_asked_by_a_link_that_sends_nothing(api: Api, mode: str) -> None:
    set_carrier(api.stack.shared, api.host.tap, False, api.clock.now)
    with pytest.raises(SmolctlError) as caught:
        api.run("ndisc.run", dst=TARGET, mode=mode)
    assert caught.value.code == "tx-no-carrier"
    set_carrier(api.stack.shared, api.host.tap, True, api.clock.now)
    set_up(api.stack.shared, api.host.tap, False, api.clock.now)
    with pytest.raises(SmolctlError) as caught:
        api.run("ndisc.run", dst=TARGET, mode=mode)
    assert caught.value.code == "tx-iface-down"
