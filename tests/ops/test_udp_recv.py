"""``udp recv`` and ``udp echo``."""

import base64
from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.ops.job import Job
from smolctl.ops.udp import RETRY_NS, TELL_NS
from smolctl.stack.config.link import delete_interface
from smolctl.wire.address import BROADCAST_MAC
from tests.kit.clock import SECOND_NS
from tests.kit.host import OURS, PEER, frame_of, packet_of, udp_frame, udp_packet
from tests.ops.kit import WALL_EPOCH, Api, Exchange, Row


@pytest.fixture
def api() -> Api:
    api = Api()
    api.host.know()
    api.peer.silent.add("udp")
    return api


def listen(api: Api, op: str = "udp.recv", **args: Any) -> tuple[Exchange, Job]:
    return api.start(op, port="7", **args)


def data(exchange: Exchange) -> list[bytes]:
    return [base64.b64decode(event["data"]) for event in exchange.of("datagram")]


# --- recv -----------------------------------------------------------------------------------------


def test_where_it_listens_is_said_first(api: Api) -> None:
    exchange, _ = listen(api)
    assert exchange.events == [{"event": "bound", "addr": "::", "port": 7}]
    for family, addr, more in (("inet", "0.0.0.0", {}), ("inet6", "::", {"v6only": True})):
        exchange, _ = api.start("udp.recv", port="9", family=family)
        assert exchange.events == [{"event": "bound", "addr": addr, "port": 9, **more}]
    exchange, _ = api.start("udp.recv", addr=OURS, port="8", dev="tap0")
    assert exchange.of("bound") == [{"addr": OURS, "port": 8, "dev": "tap0"}]


def test_a_datagram_is_shown_with_all_that_is_known(api: Api) -> None:
    exchange, _ = listen(api)
    api.arrive(udp_frame(1234, 7, b"x\0"))
    assert exchange.of("datagram") == [
        {
            "src": PEER,
            "sport": 1234,
            "dst": OURS,
            "dport": 7,
            "dev": "tap0",
            "data": base64.b64encode(b"x\0").decode(),
            "time": WALL_EPOCH + api.clock.now / 1e9,
        }
    ]


def test_type_of_service_and_options_are_told(api: Api) -> None:
    exchange, _ = listen(api)
    segment = udp_packet()[20:]
    alert = bytes.fromhex("94040000")
    api.arrive(frame_of(packet_of(17, segment, tos=0xB8, options=alert)))
    api.arrive(frame_of(packet_of(17, segment)))
    marked, plain = exchange.of("datagram")
    assert (marked["tos"], marked["options"]) == (0xB8, "ra")
    assert not {"tos", "options"} & plain.keys()


def test_it_ends_after_count_datagrams(api: Api) -> None:
    exchange, _ = listen(api, count="2")
    api.arrive(*[udp_frame(payload=bytes([i])) for i in range(3)])
    assert data(exchange) == [b"\0", b"\1"]
    assert exchange.done_with == {"received": 2, "drops": 0, "ok": True}
    assert len(api.stack.udp) == 0


@pytest.mark.parametrize(("arrived", "count", "good"), [
    (0, None, False), (1, None, True), (1, "2", False), (2, "2", True),
])  # fmt: skip
def test_it_ends_when_the_time_is_over(
    api: Api, arrived: int, count: str | None, good: bool
) -> None:
    start = api.clock.now
    exchange, _ = listen(api, wait="1.5", count=count)
    for _ in range(arrived):
        api.arrive(udp_frame())
    api.wait(10 * SECOND_NS, until=lambda: exchange.ended)
    assert exchange.done_with == {"received": arrived, "drops": 0, "ok": good}
    assert api.clock.now - start == (0 if count == "2" and arrived == 2 else 1.5 * SECOND_NS)


def test_it_goes_on_for_ever_unless_told_otherwise(api: Api) -> None:
    exchange, job = listen(api)
    api.wait(1000 * SECOND_NS)
    assert not exchange.ended
    job.cancel(api.clock.now)
    assert exchange.done_with == {"received": 0, "drops": 0, "ok": False}


def test_a_client_that_does_not_read_fills_the_sockets_queue(api: Api) -> None:
    api("sysctl.set", key="udp.rmem_default", value="256")
    exchange, job = listen(api)
    exchange.has_room = False
    api.arrive(*[udp_frame(payload=b"x" * 36) for _ in range(5)])
    assert data(exchange) == []
    exchange.has_room = True
    api.wait(RETRY_NS)
    assert len(data(exchange)) == 2
    job.cancel(api.clock.now)
    assert exchange.done_with == {"received": 2, "drops": 3, "ok": True}
    assert api.host.reasons()["udp-rcvbuf-full"] == 3


def test_the_time_is_over_for_a_client_that_does_not_read_too(api: Api) -> None:
    exchange, _ = listen(api, wait="1")
    exchange.has_room = False
    api.arrive(udp_frame())
    api.wait(2 * SECOND_NS)
    assert exchange.ended


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"addr": "10.0.0.77"}, "address-not-available"),
        ({"dev": "tap7"}, "no-such-device"),
        ({"port": "8"}, "address-in-use"),
    ],
)
@pytest.mark.parametrize("op", ["udp.recv", "udp.echo"])
def test_where_it_cannot_listen_it_is_refused(api: Api, op: str, args: Row, code: str) -> None:
    api.host.socket(8)
    with pytest.raises(SmolctlError) as caught:
        api.start(op, **{"port": "7", **args})
    assert caught.value.code == code
    assert len(api.stack.udp) == 1


def test_another_link_may_come_and_go_meanwhile(api: Api) -> None:
    exchange, _ = listen(api)
    api("link.add", name="tap1", type="test")
    api("link.del", dev="tap1")
    api.arrive(udp_frame())
    assert len(data(exchange)) == 1


# --- echo -----------------------------------------------------------------------------------------


def sent_back(api: Api) -> list[tuple[int, int, bytes]]:
    return [frame.udp for _, frame in api.wire if frame.ip]


@pytest.mark.parametrize("args", [{}, {"quiet": True}, {"quiet": True, "count": "3"}])
def test_every_datagram_goes_back_to_where_it_came_from(api: Api, args: Row) -> None:
    exchange, job = listen(api, "udp.echo", **args)
    for payload in (b"a", b"", b"a"):
        api.arrive(udp_frame(1234, 7, payload))
    assert sent_back(api) == [(7, 1234, b"a"), (7, 1234, b""), (7, 1234, b"a")]
    expected = (
        [] if "quiet" in args else [{"src": PEER, "sport": 1234, "bytes": n} for n in (1, 0, 1)]
    )
    assert exchange.of("echoed") == expected[:1]
    api.wait(TELL_NS)
    assert exchange.of("echoed") == expected
    job.cancel(api.clock.now)
    assert exchange.done_with == {"received": 3, "drops": 0, "ok": True, "echoed": 3}


def test_datagrams_alike_that_come_together_are_one_event(api: Api) -> None:
    exchange, _ = listen(api, "udp.echo")
    api.arrive(*[udp_frame(1234, 7, payload) for payload in (b"a", b"b", b"cc", b"d")])
    one = {"src": PEER, "sport": 1234, "bytes": 1}
    assert exchange.of("echoed") == [one | {"times": 2}, one | {"bytes": 2}, one]


def test_echoes_that_follow_soon_are_told_together(api: Api) -> None:
    exchange, job = listen(api, "udp.echo")
    one = {"src": PEER, "sport": 1234, "bytes": 1}
    for _ in range(4):
        api.arrive(udp_frame(1234, 7, b"a"))
    assert exchange.of("echoed") == [one]
    api.wait(TELL_NS)
    assert exchange.of("echoed") == [one, one | {"times": 3}]
    api.arrive(udp_frame(1234, 7, b"a"))
    assert len(exchange.of("echoed")) == 2
    job.cancel(api.clock.now)
    assert exchange.of("echoed") == [one, one | {"times": 3}, one]


def test_what_went_back_is_told_before_what_did_not(api: Api) -> None:
    exchange, _ = listen(api, "udp.echo")
    for sport in (1234, 1234, 7, 1234, 0):
        api.arrive(udp_frame(sport))
    assert exchange.kinds[1:] == ["echoed", "echoed", "ignored", "echoed", "failed"]


@pytest.mark.parametrize("quiet", [True, False])
def test_it_answers_from_the_address_that_was_asked(api: Api, quiet: bool) -> None:
    api("addr.add", local="10.0.0.3/24", dev="tap0")
    listen(api, "udp.echo", quiet=quiet)
    for _ in range(3):
        api.arrive(udp_frame(dst="10.0.0.3"))
    api.arrive(udp_frame(dst="10.0.0.255", to=BROADCAST_MAC))
    sources = [frame.ip.src & 255 for _, frame in api.wire if frame.ip]
    assert sources == [3, 3, 3, 1]


@pytest.mark.parametrize("sport", [7, 13, 17, 19, 37, 4000])
def test_two_echoes_do_not_answer_each_other_for_ever(api: Api, sport: int) -> None:
    exchange, job = api.start("udp.echo", port="4000")
    api.arrive(udp_frame(sport, 4000), udp_frame(sport + 1, 4000), udp_frame(sport, 4000))
    assert sent_back(api) == [(4000, sport + 1, b"hello")]
    assert exchange.of("ignored") == [{"src": PEER, "sport": sport}] * 2
    api.arrive(udp_frame(sport, 4000), udp_frame(sport, 4000))
    assert exchange.of("ignored")[2:] == [{"src": PEER, "sport": sport, "times": 2}]
    job.cancel(api.clock.now)
    assert exchange.done_with == {"received": 5, "drops": 0, "ok": True, "echoed": 1}


def test_an_echo_ends_after_count_datagrams(api: Api) -> None:
    exchange, _ = listen(api, "udp.echo", count="2")
    api.arrive(udp_frame(), udp_frame(), udp_frame())
    assert exchange.done_with["echoed"] == 2
    assert len(sent_back(api)) == 2


def test_an_echo_that_cannot_be_sent_is_told(api: Api) -> None:
    exchange, job = listen(api, "udp.echo")
    api.arrive(udp_frame(sport=0))
    (event,) = exchange.of("failed")
    assert (event["dst"], event["reason"], event["errno"]) == (PEER, "tx-dst-invalid", "EINVAL")
    job.cancel(api.clock.now)
    assert exchange.done_with == {"received": 1, "drops": 0, "ok": True, "echoed": 0}


@pytest.mark.parametrize("quiet", [True, False])
def test_an_echo_survives_that_its_link_is_deleted(api: Api, quiet: bool) -> None:
    exchange, _ = listen(api, "udp.echo", dev="tap0", quiet=quiet)
    api.host.receive(udp_frame())
    delete_interface(api.stack.shared, api.host.tap, api.clock.now)
    api.wait(SECOND_NS)
    assert exchange.error is None
    reasons = [event["reason"] for event in exchange.of("failed")]
    assert reasons == ([] if quiet else ["tx-no-device"])


def test_a_quiet_echo_answers_an_unknown_peer_after_arp() -> None:
    api = Api()
    api.peer.silent.add("udp")
    listen(api, "udp.echo", quiet=True)
    api.arrive(udp_frame())
    api.wait(SECOND_NS)
    assert len(sent_back(api)) == 1
