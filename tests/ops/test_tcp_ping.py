"""``tcp ping``: what answers SYN, when, and that no end keeps anything of it."""

from typing import Any

import pytest

from smolctl.errors import SmolctlError
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import OURS, PEER, ip
from tests.ops.kit import Api, Exchange


@pytest.fixture
def api() -> Api:
    api = Api()
    api.host.know()
    return api


def ping(api: Api, port: str = "80", seconds: float = 60, **args: Any) -> Exchange:
    return api.run("tcp.ping", seconds=seconds, dst=args.pop("dst", PEER), port=port, **args)


def test_an_open_port_answers_and_is_reset_at_once(api: Api) -> None:
    api.peer.ports[80] = "open"
    done = ping(api, count="3", interval="0.5")
    assert done.kinds == ["start", "reply", "reply", "reply"]
    assert done.of("start") == [{"dst": PEER, "port": 80, "src": OURS, "dev": "tap0"}]
    assert done.of("reply")[0] == {
        "seq": 1, "flags": "SYN-ACK", "state": "open", "ttl": 64, "rtt_ns": MILLISECOND_NS,
        "port": 80, "from": PEER,
    }  # fmt: skip
    result = done.done_with
    assert (result["ok"], result["received"], result["open"], result["closed"]) == (True, 3, 3, 0)
    assert result["time_ms"] == 1000
    assert api.peer.resets == [80] * 3
    assert not api.stack.tcp.connections


def test_refused_is_an_answer(api: Api) -> None:
    api.peer.ports[80] = "closed"
    done = ping(api, count="2", interval="0.1")
    assert [(event["flags"], event["state"]) for event in done.of("reply")] == [
        ("RST", "closed")
    ] * 2
    result = done.done_with
    assert (result["ok"], result["open"], result["closed"]) == (True, 0, 2)
    assert "reason" not in result
    assert api.peer.resets == [], "RST is not answered"


def test_an_icmp_error_names_who_sent_it(api: Api) -> None:
    api.peer.ports[80] = 13
    done = ping(api, count="1")
    (error,) = done.of("error")
    assert (error["from"], error["reason"], error["message"]) == (
        PEER, "icmp-prohibited", "Packet filtered",
    )  # fmt: skip
    result = done.done_with
    assert (result["ok"], result["errors"], result["reason"]) == (False, 1, "icmp-prohibited")
    row = api.one("why.show", id=str(result["id"]))
    assert "icmp-prohibited" in row["verdict"]


def test_silence_has_a_reason_that_why_tells(api: Api) -> None:
    done = ping(api, count="2", interval="0.1", timeout="1")
    result = done.done_with
    assert (result["ok"], result["received"]) == (False, 0)
    assert result["reason"] == "tcp-no-answer"
    assert result["message"] == (
        f"2 SYNs left for {PEER}:80 by tap0, and nothing came back, though {PEER} answers ARP"
    )
    row = api.one("why.show", id=str(result["id"]))
    assert (row["packet"]["proto"], row["packet"]["dport"]) == ("tcp", 80)
    stages = [step["stage"] for step in row["steps"]]
    assert "tcp" in stages or "socket" in stages
    assert not api.stack.tcp.connections


def test_a_host_that_is_not_there_is_told_by_its_neighbor(api: Api) -> None:
    result = ping(api, dst="10.0.0.77", count="1", timeout="5").done_with
    assert (result["reason"], result["errors"]) == ("neigh-failed", 1)


def test_a_second_answer_is_a_duplicate_and_reset_too(api: Api) -> None:
    api.peer.ports[80], api.peer.copies = "open", 2
    done = ping(api, count="2", interval="0.1")
    assert [event.get("dup", False) for event in done.of("reply")] == [False, True] * 2
    assert done.done_with["duplicates"] == 2
    assert api.peer.resets == [80] * 4


def test_a_stack_pings_its_own_ports_in_both_families(api: Api) -> None:
    api.start("tcp.echo", port="7", quiet=True)
    for dst in ("127.0.0.1", "::1", OURS):
        assert ping(api, "7", dst=dst, count="2", interval="0").done_with["open"] == 2
        assert ping(api, "8", dst=dst, count="1").done_with["closed"] == 1
    api.wait(SECOND_NS)
    (listener,) = api.stack.tcp.sockets()
    assert listener.backlog is not None
    assert (listener.backlog.requests, len(listener.backlog.queue)) == (0, 0)


def test_every_syn_has_a_port_that_nobody_else_gets(api: Api) -> None:
    ping(api, count="70", interval="0.01", timeout="0.1", seconds=0.75)
    rows = api("socket.show", netid="tcp")
    assert {(row["state"], row["owner"]) for row in rows} == {("SYN-SENT", "tcp ping")}
    ports = [row["local_port"] for row in rows]
    assert len(set(ports)) == len(ports) == 64, "older ones are given up"
    socket = api.stack.tcp.open("other")
    api.stack.tcp.connect(socket, ip(PEER), 80, api.clock.now)
    assert socket.port not in ports


def test_a_prediction_leaves_the_probe_as_it_is(api: Api) -> None:
    exchange, _ = api.start("tcp.ping", dst=PEER, port="80", count="1", timeout="5")
    (probe,) = api.stack.tcp.connections.values()
    words = {"proto": "tcp", "src": PEER, "sport": "80", "dst": OURS, "iif": "tap0"}
    api("why.ask", **words, dport=str(probe.ends.port))
    assert exchange.kinds == ["start"]
    assert list(api.stack.tcp.connections.values()) == [probe]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"port": None}, "the port is missing"),
        ({"dst": "224.0.0.1"}, "no peer can have that address"),
        ({"dst": "::"}, "no peer can have that address"),
        ({"src": "::1"}, "of two families"),
        ({"src": "192.0.2.9"}, "192.0.2.9"),
        ({"dst": "10.0.0.255"}, "10.0.0.255"),
        ({"dst": "192.0.2.1"}, "no route"),
        ({"ttl": "256"}, "256"),
    ],
)
def test_what_cannot_be_asked(api: Api, args: dict[str, Any], said: str) -> None:
    words = {"dst": PEER, "port": "80", **args}
    with pytest.raises(SmolctlError, match=said):
        api.start("tcp.ping", **{key: value for key, value in words.items() if value})
    assert not api.stack.tcp.connections
