"""``capture``: every packet once, when its fate is known, and the fast path back afterwards."""

import base64
from typing import Any

import pytest

from smolctl.errors import InvalidArgument, NoSuchDevice
from smolctl.ops.feed import MAX_EVENTS
from smolctl.stack.config.link import delete_interface
from smolctl.wire import vlan
from smolctl.wire.vlan import Tpid, VlanTag
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, OURS, PEER, echo_request, frame_of, packet_of, see, udp_frame
from tests.ops.kit import WALL_EPOCH, Api, Exchange, Row


@pytest.fixture
def api() -> Api:
    return Api()


def capture(api: Api, **args: Any) -> Exchange:
    exchange, _ = api.start("capture.run", **args)
    return exchange


def brief(exchange: Exchange) -> list[tuple[Any, ...]]:
    return [
        (row["dev"], row["dir"], row["linked"], row.get("reason")) for row in exchange.of("packet")
    ]


def frames(exchange: Exchange) -> list[bytes]:
    return [base64.b64decode(row["data"]) for row in exchange.of("packet")]


def test_both_directions_with_arp_in_the_order_of_the_wire(api: Api) -> None:
    exchange = capture(api)
    assert exchange.events[0] == {
        "event": "start",
        "links": [{"ifname": "lo", "loopback": True}, {"ifname": "tap0", "loopback": False}],
    }
    api.run("ping.run", dst=PEER, count="1")
    assert brief(exchange) == [
        ("tap0", "out", True, None),
        ("tap0", "in", True, None),
        ("tap0", "out", True, None),
        ("tap0", "in", True, None),
    ]
    ethertypes = [frame[12:14].hex() for frame in frames(exchange)]
    assert ethertypes == ["0806", "0806", "0800", "0800"]
    assert [see(frame) for frame in frames(exchange)[::2]] == [frame for _, frame in api.wire]


def test_times_are_of_the_wall_clock_and_to_the_nanosecond(api: Api) -> None:
    exchange = capture(api, filter="udp")
    begun = api.clock.now
    api.wait(SECOND_NS)
    api.arrive(udp_frame())
    (row,) = exchange.of("packet")
    assert abs(row["time_ns"] - int(WALL_EPOCH * 1e9) - begun - SECOND_NS) < 1000


def test_a_loopback_packet_is_shown_once(api: Api) -> None:
    exchange = capture(api, dev="lo")
    api.run("ping.run", dst="127.0.0.1", count="1")
    api.run("ping.run", dst=PEER, count="1")
    assert brief(exchange) == [("lo", "local", False, None)] * 2
    assert all(frame[0] == 0x45 for frame in frames(exchange))


def test_a_drop_has_its_reason(api: Api) -> None:
    exchange = capture(api)
    api.arrive(udp_frame(), b"\0" * 10)
    closed, _answer, short = sorted(exchange.of("packet"), key=lambda row: row["id"])
    reasons = {row.get("reason"): row for row in (closed, _answer, short)}
    assert reasons["udp-port-closed"]["kind"] == "reject"
    assert reasons["udp-port-closed"]["why"]
    assert reasons["rx-frame-short"]["kind"] == "drop"
    assert base64.b64decode(reasons["rx-frame-short"]["data"]) == bytes(10)


def test_a_packet_that_waits_is_shown_when_it_leaves_or_fails(api: Api) -> None:
    exchange = capture(api, filter="not arp")
    api.start("udp.send", dst=DEAD, port="9", data="")
    assert exchange.of("packet") == []
    api.wait(10 * SECOND_NS)
    assert brief(exchange) == [("tap0", "out", False, "neigh-failed")]


def test_what_was_refused_before_it_was_a_packet_is_not_shown(api: Api) -> None:
    exchange = capture(api)
    api.run("udp.send", dst="8.8.8.8", port="9", data="")
    assert exchange.of("packet") == []


def test_a_broadcast_is_shown_without_its_local_copy(api: Api) -> None:
    exchange = capture(api)
    api.run("udp.send", dst="255.255.255.255", port="9", data="", dev="tap0", broadcast=True)
    assert brief(exchange) == [("tap0", "out", True, None)]


def test_a_filter_and_a_count(api: Api) -> None:
    exchange = capture(api, filter="icmp and in", count="1")
    api.run("ping.run", dst=PEER, count="3")
    assert brief(exchange) == [("tap0", "in", True, None)]
    assert exchange.done_with == {"events": 1, "lost": 0, "ok": True}


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ({"dev": "tap9"}, NoSuchDevice, 'there is no interface "tap9" (there are: lo, tap0)'),
        ({"filter": "udp prot 7"}, InvalidArgument, 'filter: "prot" is not a word of a filter'),
        ({"count": "0"}, InvalidArgument, 'count "0" is not a whole number of 1..'),
    ],
)
def test_refusals(api: Api, args: Row, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        capture(api, **args)
    assert str(caught.value).startswith(message)
    assert not api.stack.journal.everything


def test_a_link_may_go_meanwhile(api: Api) -> None:
    exchange = capture(api, dev="tap0")
    api.host.know()
    api.peer.silent = {"ping"}
    api.run("ping.run", dst=PEER, count="1")
    delete_interface(api.stack.shared, api.stack.interface("tap0"), api.clock.now)
    api.wait(SECOND_NS)
    assert brief(exchange) == [("tap0", "out", True, None)]
    assert not exchange.ended


def test_the_fast_path_is_back_when_the_last_reader_has_left(api: Api) -> None:
    journal = api.stack.journal
    _, one = api.start("capture.run")
    _, two = api.start("capture.run")
    assert journal.everything
    one.close(api.clock.now)
    assert journal.everything
    two.cancel(api.clock.now)
    assert not journal.everything


def test_what_was_captured_before_the_end_is_still_read(api: Api) -> None:
    exchange, job = api.start("capture.run")
    exchange.has_room = False
    api.arrive(udp_frame())
    job.cancel(api.clock.now)
    exchange.has_room = True
    exchange.read()
    assert len(exchange.of("packet")) == 2  # and the answer to it
    assert exchange.done_with == {"events": 2, "lost": 0, "ok": True}


def test_a_slow_reader_loses_the_oldest_and_is_told_where(api: Api) -> None:
    exchange = capture(api, filter="in")
    exchange.has_room = False
    for number in range(MAX_EVENTS + 5):
        api.host.receive(frame_of(packet_of(17, number.to_bytes(8), PEER, OURS)))
    exchange.has_room = True
    exchange.read()
    lost = exchange.of("lost")
    assert exchange.events[1] == {"event": "lost", **lost[0]}
    packets = exchange.of("packet")
    assert lost[0]["count"] + len(packets) == MAX_EVENTS + 5
    assert int.from_bytes(frames(exchange)[0][34:42]) == lost[0]["count"]


# --- VLANs ----------------------------------------------------------------------------------------

TAG = VlanTag(Tpid.CUSTOMER, 0, False, 5)
PING = echo_request(src="10.5.0.2", dst="10.5.0.1")


def with_a_vlan(api: Api, *frames: bytes, **args: Any) -> Exchange:
    """Capture while frames come in by tap0, which has VLAN 5 at 10.5.0.1."""
    api("link.add", name="tap0.5", type="vlan", link="tap0", id="5")
    api("addr.add", dev="tap0.5", local="10.5.0.1/24")
    api.host.know("10.5.0.2", dev="tap0.5")
    exchange = capture(api, **args)
    api.host.receive(*frames)
    api.host.take()
    api.engine.turn(api.clock.now)
    return exchange


def test_a_vlan_shows_its_packets_without_the_tag(api: Api) -> None:
    exchange = with_a_vlan(api, vlan.tagged(PING, TAG), dev="tap0.5")
    assert brief(exchange) == [("tap0.5", "in", True, None), ("tap0.5", "out", True, None)]
    assert [vlan.tags(frame) for frame in frames(exchange)] == [[], []]


def test_the_link_below_shows_them_as_they_are_on_the_wire(api: Api) -> None:
    marked = TAG._replace(pcp=6)
    exchange = with_a_vlan(api, vlan.tagged(PING, marked), dev="tap0")
    assert brief(exchange) == [("tap0", "in", True, None), ("tap0", "out", True, None)]
    assert frames(exchange)[0] == vlan.tagged(PING, marked)
    assert vlan.tags(frames(exchange)[1]) == [TAG]


def test_a_packet_is_shown_once(api: Api) -> None:
    exchange = with_a_vlan(api, vlan.tagged(PING, TAG))
    assert [row["dev"] for row in exchange.of("packet")] == ["tap0.5", "tap0.5"]


FOUND = [("vlan 5", 2), ("vlan 5 and icmp", 2), ("icmp", 2), ("vlan 6", 0), ("vlan and arp", 0),
         ("not vlan", 0), ("vlan 5 and vlan", 0)]  # fmt: skip


@pytest.mark.parametrize(("words", "number"), FOUND)
def test_a_filter_finds_the_tag_that_came_off(api: Api, words: str, number: int) -> None:
    exchange = with_a_vlan(api, vlan.tagged(PING, TAG), filter=words)
    assert len(exchange.of("packet")) == number


def test_a_filter_looks_behind_the_tag_at_the_link_below(api: Api) -> None:
    exchange = with_a_vlan(api, vlan.tagged(PING, TAG), dev="tap0", filter="vlan 5 and icmp")
    assert len(exchange.of("packet")) == 2


def test_a_frame_of_an_unknown_vlan_is_shown_with_its_tag(api: Api) -> None:
    frame = vlan.tagged(PING, TAG._replace(vid=6))
    exchange = with_a_vlan(api, frame, filter="vlan 6 and icmp")
    assert brief(exchange) == [("tap0", "in", True, "rx-vlan-unknown")]
    assert frames(exchange) == [frame]


def test_notes_of_a_packet_are_told_beside_its_fate(api: Api) -> None:
    exchange = capture(api, dev="lo")
    api.run("tcp.send", dst="127.0.0.1", port="7", data="aGk=")
    syn, reset = exchange.of("packet")
    assert (syn["reason"], "notes" in syn) == ("tcp-no-listener", False)
    why = "127.0.0.1:7 answered SYN with RST, TTL 64"
    assert ("reason" in reset, reset["notes"]) == (False, [{"reason": "tcp-refused", "why": why}])
