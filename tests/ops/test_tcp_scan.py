"""``tcp scan``: the state of each port, how many SYNs that takes, and how many at a time."""

from itertools import pairwise
from typing import Any

import pytest

from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.ops.tcp_scan import parse_ports
from smolctl.wire import tcp
from tests.kit.clock import SECOND_NS
from tests.kit.host import OURS, PEER
from tests.ops.kit import Api, Exchange


@pytest.fixture
def api() -> Api:
    api = Api()
    api.host.know()
    return api


def scan(api: Api, ports: str, seconds: float = 600, **args: Any) -> Exchange:
    return api.run("tcp.scan", seconds=seconds, dst=args.pop("dst", PEER), ports=ports, **args)


def states(done: Exchange) -> dict[int, str]:
    return {event["port"]: event["state"] for event in done.of("port")}


def syns(api: Api) -> list[tuple[int, int]]:
    """Return when which ports were asked."""
    found = []
    for at, frame in api.wire:
        if frame.ip is not None and frame.ip.protocol == 6:
            header = tcp.parse(frame.payload, frame.ip.src, frame.ip.dst)
            assert isinstance(header, tcp.TcpHeader)
            if header.flags == tcp.SYN:
                found.append((at, header.dport))
    return found


def test_each_port_is_what_its_answer_says(api: Api) -> None:
    api.peer.ports = {22: "open", 80: "closed", 81: 13, 82: 1}
    done = scan(api, "22,80-82,83")
    assert states(done) == {
        22: "open", 80: "closed", 81: "unreachable", 82: "unreachable", 83: "filtered",
    }  # fmt: skip
    told = {event["port"]: event for event in done.of("port")}
    assert (told[22]["flags"], told[22]["ttl"], told[22]["tries"]) == ("SYN-ACK", 64, 1)
    assert (told[81]["from"], told[81]["icmp_type"], told[81]["icmp_code"]) == (PEER, 3, 13)
    assert told[81]["message"] == "Packet filtered"
    assert told[83]["tries"] == 2
    result = done.done_with
    counts = [result[key] for key in ("open", "closed", "filtered", "unreachable", "unknown")]
    assert (counts, result["ok"], result["sent"]) == ([1, 1, 1, 2, 0], True, 6)
    assert api.peer.resets == [22]
    assert not api.stack.tcp.connections
    for port in (81, 83):
        assert api.one("why.show", id=str(told[port]["id"]))["packet"]["dport"] == port


@pytest.mark.parametrize(
    ("state", "reason"),
    [("closed", "tcp-refused"), (13, "icmp-prohibited"), (None, "tcp-no-answer")],
)
def test_when_none_is_open_the_reason_is_that_of_most(
    api: Api, state: str | int | None, reason: str
) -> None:
    if state is not None:
        api.peer.ports = dict.fromkeys(range(1, 4), state)
    result = scan(api, "1-3").done_with
    assert (result["ok"], result["reason"]) == (False, reason)
    assert reason in api.one("why.show", id=str(result["id"]))["verdict"]


def test_a_lost_answer_is_asked_for_again_and_all_silent_ports_once_more(api: Api) -> None:
    api.peer.ports = dict.fromkeys(range(1, 100), "closed")
    exchange, _ = api.start("tcp.scan", dst=PEER, ports="1-100")
    api.wait(SECOND_NS // 100)
    api.peer.ports[100] = "open"  # its first SYN was lost, as far as anybody sees
    api.wait(60 * SECOND_NS)
    assert states(exchange)[100] == "open"
    assert exchange.done_with["open"] == 1
    api.wire.clear()
    # Of a port that answers its third SYN only, others are asked as often.
    api.peer.ports = {7: "open"}
    exchange, _ = api.start("tcp.scan", dst=PEER, ports="7,8,9")
    del api.peer.ports[7]
    api.wait(60 * SECOND_NS)
    assert sorted(port for _, port in syns(api)) == [7, 8, 8, 9, 9]


def test_the_window_grows_with_answers_and_is_halved_by_a_loss(api: Api) -> None:
    api.peer.ports = dict.fromkeys(range(1, 701), "closed")
    done = scan(api, "1-700")
    assert done.done_with["closed"] == 700
    first, asked = syns(api)[0][0], syns(api)
    assert sum(at == first for at, _ in asked) == 16
    at_once = [sum(a <= at < a + 1_000_000 for at, _ in asked) for a, _ in asked]
    assert 200 < max(at_once) <= 256
    assert done.done_with["seconds"] < 0.05


def test_silent_ports_do_not_take_for_ever(api: Api) -> None:
    done = scan(api, "1-200")
    assert done.done_with["filtered"] == 200
    assert done.done_with["sent"] == 400
    assert done.done_with["seconds"] < 20


def test_an_interval_a_timeout_and_a_deadline(api: Api) -> None:
    api.peer.ports = dict.fromkeys(range(1, 6), "closed")
    scan(api, "1-5", interval="0.2")
    times = [at for at, _ in syns(api)]
    assert [later - at for at, later in pairwise(times)] == [200_000_000] * 4
    done = scan(api, "100", timeout="0.3", retries="2")
    assert done.done_with["seconds"] == 0.6
    done = scan(api, "1-5,100-200", deadline="0.5")
    result = done.done_with
    assert (result["seconds"], result["closed"], result["unknown"]) == (0.5, 5, 101)


def test_ended_before_anything_is_known_it_has_a_reason(api: Api) -> None:
    exchange, job = api.start("tcp.scan", dst=PEER, ports="1-100")
    api.wait(SECOND_NS // 2)
    job.cancel(api.clock.now)
    result = exchange.done_with
    assert (result["unknown"], result["ok"]) == (100, False)
    assert result["reason"] == "tcp-no-answer"
    assert result["message"].startswith("1 SYN left for")


def test_a_host_that_is_not_there_ends_it(api: Api) -> None:
    result = scan(api, "1-1000", dst="10.0.0.77").done_with
    assert (result["reason"], result["unreachable"], result["unknown"]) == ("neigh-failed", 1, 999)
    assert result["seconds"] < 5


def test_a_client_that_does_not_read_loses_nothing(api: Api) -> None:
    api.peer.ports = dict.fromkeys(range(1, 301), "closed")
    exchange, _ = api.start("tcp.scan", dst=PEER, ports="1-300")
    exchange.has_room = False
    api.wait(SECOND_NS)
    assert 0 < len(exchange.of("port")) < 100
    exchange.has_room = True
    api.wait(SECOND_NS)
    assert len(exchange.of("port")) == 300


def test_the_journal_keeps_room_for_others(api: Api) -> None:
    api.peer.ports = dict.fromkeys(range(1, 201), "closed")
    before = len(api.stack.journal)
    done = scan(api, "1-300")
    assert len(api.stack.journal) - before <= 2 * 64 + 1
    assert done.done_with["reason"] == "tcp-refused"


def test_own_ports_in_both_families(api: Api) -> None:
    api.start("tcp.echo", port="7", quiet=True)
    for dst in ("127.0.0.1", "::1", OURS):
        assert states(scan(api, "6-8", dst=dst)) == {6: "closed", 7: "open", 8: "closed"}


@pytest.mark.parametrize(
    ("text", "ports"),
    [("22", (22,)), ("80,22,80", (80, 22)), ("7-9,8", (7, 8, 9)), ("65534-", (65534, 65535))],
)
def test_lists_of_ports(text: str, ports: tuple[int, ...]) -> None:
    assert parse_ports(text) == ports


@pytest.mark.parametrize("text", ["", "0", "65536", "9-7", "1,,2", "a", "-", "-5", "1-2-3", "¹"])
def test_what_is_no_list_of_ports(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_ports(text)


def test_what_cannot_be_scanned(api: Api) -> None:
    for args in (
        {"ports": "x"},
        {"ports": "1", "dst": "224.0.0.1"},
        {"ports": "1", "dst": "8.8.8.8"},
    ):
        with pytest.raises(SmolctlError):
            api.start("tcp.scan", **{"dst": PEER, **args})
    assert not api.stack.tcp.connections
