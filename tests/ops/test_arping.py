"""``arping``: who has an address, does somebody else have it, and telling that we do."""

from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.stack.config.link import delete_interface, set_carrier, set_up
from smolctl.stack.trace.trace import Fate
from smolctl.wire import arp
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, format_mac
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Seen,
    ip,
    reply,
    request,
    text,
    udp_frame,
)
from tests.ops.kit import Api, Exchange, Row


@pytest.fixture
def api() -> Api:
    return Api()


def arping(api: Api, dst: str = PEER, seconds: float = 600, **args: Any) -> Exchange:
    return api.run("arping.run", seconds, dst=dst, **args)


def probes(api: Api) -> list[Seen]:
    return [frame for _, frame in api.wire if frame.arp]


# --- asking ---------------------------------------------------------------------------------------


def test_an_answer_is_shown_with_its_mac_and_round_trip_time(api: Api) -> None:
    exchange = arping(api, count="1")
    assert exchange.events == [
        {"event": "start", "dst": PEER, "src": OURS, "dev": "tap0"},
        {
            "event": "reply",
            "from": PEER,
            "lladdr": "02:00:00:00:00:0b",
            "unicast": True,
            "rtt_ns": 1_000_000,
            "seq": 1,
        },
    ]
    assert exchange.done_with == {
        "sent": 1,
        "broadcasts": 1,
        "received": 1,
        "time_ms": 1,
        "ok": True,
        "rtt_ns": {"min": 1_000_000, "avg": 1_000_000, "max": 1_000_000, "mdev": 0},
    }
    (frame,) = probes(api)
    assert frame.arp == arp.ArpPacket(1, OUR_MAC, ip(OURS), ZERO_MAC, ip(PEER))


def test_after_the_first_answer_it_asks_by_unicast(api: Api) -> None:
    exchange = arping(api, count="3")
    assert [frame.dst for frame in probes(api)] == [BROADCAST_MAC, PEER_MAC, PEER_MAC]
    assert exchange.done_with["broadcasts"] == 1


def test_it_asks_by_broadcast_only_when_told_to(api: Api) -> None:
    exchange = arping(api, count="3", broadcast=True)
    assert {frame.dst for frame in probes(api)} == {BROADCAST_MAC}
    assert exchange.done_with["broadcasts"] == 3


def test_asking_leaves_the_neighbor_cache_alone(api: Api) -> None:
    arping(api, count="2")
    assert list(api.host.cache()) == []
    assert api.host.event("arp.taken_by_clients") == 2


def test_two_hosts_with_one_address_are_both_shown(api: Api) -> None:
    exchange, job = api.start("arping.run", dst=PEER)
    api.arrive(reply(mac=OTHER_MAC))
    api.wait(10 * MILLISECOND_NS)
    job.cancel(api.clock.now)
    macs = [event["lladdr"] for event in exchange.of("reply")]
    assert macs == [format_mac(OTHER_MAC), format_mac(PEER_MAC)]


def test_nobody_answers(api: Api) -> None:
    start = api.clock.now
    exchange = arping(api, DEAD, count="3")
    assert api.clock.now - start == 3 * SECOND_NS
    result = exchange.done_with
    assert (result["sent"], result["received"], result["ok"]) == (3, 0, False)
    assert result["reason"] == "arp-no-reply"
    assert result["message"] == "3 ARP requests for 10.0.0.9 on tap0, and nothing came back"
    trace = api.stack.journal.get(result["id"])
    assert trace is not None
    assert trace.fate is Fate.SENT
    assert trace.complaint is not None


@pytest.mark.parametrize(
    ("args", "sent", "seconds"),
    [
        ({"count": "2", "interval": "0.25"}, 2, 0.25 + 1),
        ({"count": "1", "wait": "0.5"}, 1, 0.5),
        ({"deadline": "2.5"}, 3, 2.5),
        ({"count": "9", "deadline": "1.5"}, 2, 1.5),
    ],
)
def test_how_long_it_asks(api: Api, args: Row, sent: int, seconds: float) -> None:
    start = api.clock.now
    exchange = arping(api, DEAD, **args)
    assert api.clock.now - start == seconds * SECOND_NS
    assert exchange.done_with["sent"] == sent


@pytest.mark.parametrize(
    ("args", "received", "seconds"),
    [
        ({"first": True}, 1, 0.001),
        ({"replies": "3"}, 3, 2.001),
        ({"replies": "2", "count": "9"}, 2, 1.001),
        ({"deadline": "1.5"}, 2, 1.5),
    ],
)
def test_when_it_has_heard_enough(api: Api, args: Row, received: int, seconds: float) -> None:
    start = api.clock.now
    exchange = arping(api, **args)
    assert exchange.done_with["received"] == received
    assert api.clock.now - start == pytest.approx(seconds * SECOND_NS)
    assert exchange.done_with["ok"]


def test_the_source_may_be_any_address_of_ours(api: Api) -> None:
    api("addr.add", local="10.0.0.3/24", dev="tap0")
    arping(api, count="1", src="10.0.0.3")
    packet = probes(api)[0].arp
    assert packet is not None
    assert text(packet.sender_ip) == "10.0.0.3"


def test_a_device_that_is_named_is_used_for_an_address_of_another_network(api: Api) -> None:
    exchange = arping(api, "192.168.9.9", dev="tap0", count="1")
    assert exchange.of("start") == [{"dst": "192.168.9.9", "src": OURS, "dev": "tap0"}]


# --- duplicate address detection (RFC 5227 2.1.1) -------------------------------------------------


def test_probes_of_a_free_address_come_from_0_0_0_0(api: Api) -> None:
    start = api.clock.now
    exchange = arping(api, DEAD, mode="dad")
    assert [frame.dst for frame in probes(api)] == [BROADCAST_MAC] * 3
    assert {frame.arp.sender_ip for frame in probes(api) if frame.arp} == {0}
    assert exchange.done_with["ok"]
    assert api.clock.now - start == 3 * SECOND_NS


@pytest.mark.parametrize(
    "frame",
    [reply(PEER, "0.0.0.0"), request(PEER, PEER), request("0.0.0.0", PEER)],
    ids=["an answer", "an announcement", "another's probe"],
)
def test_an_address_that_somebody_has_or_wants_is_taken(api: Api, frame: bytes) -> None:
    api.peer.silent.add("arp")
    exchange, _ = api.start("arping.run", dst=PEER, mode="dad", dev="tap0")
    api.arrive(frame)
    assert exchange.of("reply")[0]["lladdr"] == format_mac(PEER_MAC)
    assert (exchange.done_with["ok"], exchange.done_with["received"]) == (False, 1)


def test_the_peer_answers_a_probe(api: Api) -> None:
    assert not arping(api, PEER, mode="dad").done_with["ok"]


@pytest.mark.parametrize("how", ["down", "no carrier"])
def test_an_address_that_nobody_could_be_asked_about_is_not_called_free(api: Api, how: str) -> None:
    exchange, _ = api.start("arping.run", dst=DEAD, mode="dad", dev="tap0")
    api.host.sent()
    if how == "down":
        set_up(api.stack.shared, api.host.tap, False, api.clock.now)
    else:
        set_carrier(api.stack.shared, api.host.tap, False, api.clock.now)
    with pytest.raises(SmolctlError) as caught:
        arping(api, DEAD, mode="dad", dev="tap0")
    assert caught.value.code == ("tx-iface-down" if how == "down" else "tx-no-carrier")
    api.wait(10 * SECOND_NS, until=lambda: exchange.ended)
    lost = "tx-link-down" if how == "down" else "tx-no-carrier"
    assert exchange.done_with["reason"] == lost


# --- announcing (RFC 5227 2.3) --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "op", "target_mac"),
    [("announce-request", 1, ZERO_MAC), ("announce-reply", 2, OUR_MAC)],
)
def test_an_announcement_names_our_address_twice(
    api: Api, mode: str, op: int, target_mac: bytes
) -> None:
    start = api.clock.now
    exchange = arping(api, OURS, mode=mode, count="2")
    for frame in probes(api):
        assert frame.dst == BROADCAST_MAC
        assert frame.arp == arp.ArpPacket(op, OUR_MAC, ip(OURS), target_mac, ip(OURS))
    result = exchange.done_with
    assert (result["sent"], result["received"], result["ok"]) == (2, 0, True)
    assert "reason" not in result
    assert api.clock.now - start == SECOND_NS


def test_an_announcement_that_did_not_leave_is_no_success(api: Api) -> None:
    exchange, _ = api.start("arping.run", dst=OURS, mode="announce-request", count="2")
    set_carrier(api.stack.shared, api.host.tap, False, api.clock.now)
    api.wait(10 * SECOND_NS)
    result = exchange.done_with
    assert (result["ok"], result["sent"], result["reason"]) == (False, 1, "tx-no-carrier")


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dst", "args", "code"),
    [
        (OURS, {}, "invalid-argument"),
        ("127.0.0.1", {}, "invalid-argument"),
        (PEER, {"dev": "lo"}, "invalid-argument"),
        ("10.0.0.255", {}, "invalid-argument"),
        ("224.0.0.1", {}, "invalid-argument"),
        ("0.0.0.0", {}, "invalid-argument"),
        ("8.8.8.8", {}, "tx-no-route"),
        (PEER, {"src": "10.0.0.77"}, "address-not-available"),
        (PEER, {"dev": "tap7"}, "no-such-device"),
        (PEER, {"mode": "announce-request"}, "address-not-available"),
        (PEER, {"mode": "shout"}, "invalid-argument"),
        (PEER, {"count": "0"}, "invalid-argument"),
    ],
)
def test_what_can_never_work_is_refused_at_once(api: Api, dst: str, args: Row, code: str) -> None:
    with pytest.raises(SmolctlError) as caught:
        api.start("arping.run", dst=dst, **args)
    assert caught.value.code == code
    assert api.stack.ipv4.probe_clients == []


def test_a_link_that_is_deleted_meanwhile_is_the_reason(api: Api) -> None:
    exchange, _ = api.start("arping.run", dst=DEAD, count="3")
    delete_interface(api.stack.shared, api.host.tap, api.clock.now)
    api.wait(10 * SECOND_NS)
    assert exchange.done_with["reason"] == "tx-link-down"
    assert not exchange.done_with["ok"]


def test_other_traffic_is_no_answer(api: Api) -> None:
    api.peer.silent.add("arp")
    exchange, _ = api.start("arping.run", dst=PEER, count="1")
    api.arrive(udp_frame(), request(), reply("10.0.0.3"))
    api.wait(5 * SECOND_NS)
    assert exchange.done_with["received"] == 0
