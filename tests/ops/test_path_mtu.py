"""Learned path MTUs, shown and flushed; and the wishes of senders about fragmentation."""

import pytest

from smolctl.errors import SmolctlError
from smolctl.wire import ipv4
from tests.kit.host import OURS, PEER, icmp_frame, ip, text, udp_packet
from tests.ops.kit import Api, Row

FAR = "192.0.2.7"
SECOND_NS = 1_000_000_000


@pytest.fixture
def api() -> Api:
    made = Api()
    made.host.know(PEER)
    made("route.add", dst="default", via=PEER)
    return made


def learn(api: Api, mtu: int, dst: str = FAR) -> None:
    """Let the router say what it says when a datagram of some socket is too big."""
    socket = api.host.socket()
    quoted = udp_packet(socket.port, 9, bytes(8), OURS, dst)
    api.arrive(icmp_frame(3, 4, mtu, quoted))
    api.stack.udp.close(socket)


def test_route_get_shows_what_was_learned(api: Api) -> None:
    learn(api, 1280)
    api.wait(SECOND_NS + 1)
    # As ip -j route get has it: whole seconds, and the order of its words.
    assert api("route.get", dst=FAR) == [
        {
            "dst": FAR, "gateway": PEER, "dev": "tap0", "prefsrc": OURS, "flags": [], "uid": 0,
            "cache": [], "expires": 598, "metrics": [{"mtu": 1280}],
        }
    ]  # fmt: skip
    (other,) = api("route.get", dst="192.0.2.8")
    assert "expires" not in other
    assert "metrics" not in other
    api.wait(599 * SECOND_NS)
    (row,) = api("route.get", dst=FAR)
    assert "expires" not in row


def test_route_get_says_when_smaller_links_fragment(api: Api) -> None:
    learn(api, 300)
    (row,) = api("route.get", dst=FAR)
    assert (row["metrics"], row["mtu_lock"]) == ([{"mtu": 552}], True)


def test_the_cache_is_shown_and_flushed(api: Api) -> None:
    learn(api, 1280)
    learn(api, 1000, "192.0.2.8")
    learn(api, 1400, PEER)
    first = {
        "dst": PEER, "dev": "tap0", "flags": [], "cache": [], "expires": 600,
        "metrics": [{"mtu": 1400}],
    }  # fmt: skip
    assert api("route.show", cache=True)[0] == first
    assert api("route.show", table="cache") == api("route.show", cache=True)
    assert dsts(api("route.show", cache=True)) == [PEER, FAR, "192.0.2.8"]
    assert dsts(api("route.show", cache=True, root="192.0.2.0/24")) == [FAR, "192.0.2.8"]
    assert dsts(api("route.show", cache=True, via=PEER, exact=FAR)) == [FAR]
    assert dsts(api("route.show", cache=True, dev="lo")) == []
    assert dsts(api("route.flush", cache=True, exact=FAR)) == [FAR]
    assert dsts(api("route.show", cache=True)) == [PEER, "192.0.2.8"]
    assert dsts(api("route.flush", table="cache")) == [PEER, "192.0.2.8"]
    assert api("route.show", cache=True) == []
    assert api("route.show") != []


def dsts(rows: list[Row]) -> list[str]:
    return [row["dst"] for row in rows]


def test_after_a_flush_the_links_own_mtu_is_tried(api: Api) -> None:
    learn(api, 1280)
    api("route.flush", cache=True)
    (sent, *_) = api.run("udp.send", dst=FAR, port="9", size="1472", pmtudisc="do").events
    assert sent["event"] == "sent"


@pytest.mark.parametrize("word", ["match", "protocol", "scope", "src", "metric", "type"])
def test_what_the_cache_has_not_cannot_be_selected_by(api: Api, word: str) -> None:
    value = {"match": FAR, "src": OURS, "metric": "1", "type": "local"}.get(word, "link")
    with pytest.raises(SmolctlError, match=f"has no {word}"):
        api("route.show", cache=True, **{word: value})


def test_a_route_can_have_a_locked_mtu(api: Api) -> None:
    api("route.add", dst="192.0.2.0/24", via=PEER, mtu="1400", mtu_lock=True)
    (row,) = api("route.show", root="192.0.2.0/24")
    assert (row["metrics"], row["mtu_lock"]) == ([{"mtu": 1400}], True)
    (row,) = api("route.get", dst=FAR)
    assert (row["metrics"], row["mtu_lock"]) == ([{"mtu": 1400}], True)
    api.run("udp.send", dst=FAR, port="9", size="1000")
    assert headers(api)[0].df is False


def headers(api: Api) -> list[ipv4.Ipv4Header]:
    return [frame.ip for _, frame in api.wire if frame.ip]


# --- senders --------------------------------------------------------------------------------------


def test_a_big_datagram_is_reported_once_with_its_fragments(api: Api) -> None:
    exchange = api.run("udp.send", dst=PEER, port="9", size="65507")
    (sent,) = exchange.of("sent")
    assert (sent["fragments"], sent["bytes"], sent["fate"]) == (45, 65507, "sent")
    assert len(headers(api)) == 45
    api.peer.silent = {"udp"}
    (small,) = api.run("udp.send", dst=PEER, port="9", size="5").of("sent")
    assert "fragments" not in small


@pytest.mark.parametrize(
    ("word", "size", "seen"),
    [
        (None, "100", [True]),
        ("want", "100", [True]),
        ("dont", "100", [False]),
        ("do", "1472", [True]),
        ("probe", "1472", [True]),
        ("DO", "1472", [True]),
        (None, "1473", [False, False]),
        ("dont", "1473", [False, False]),
    ],
)
@pytest.mark.parametrize("op", ["udp.send", "ping.run"])
def test_the_words_of_ping(
    api: Api, op: str, word: str | None, size: str, seen: list[bool]
) -> None:
    more: Row = {} if word is None else {"pmtudisc": word}
    if op == "udp.send":
        more["port"] = "9"
    api.peer.silent = {"udp", "ping"}
    api.run(op, dst=PEER, size=size, count="1", **more)
    assert [header.df for header in headers(api)] == seen


@pytest.mark.parametrize("op", ["udp.send", "ping.run", "why.ask"])
def test_another_word_is_refused(api: Api, op: str) -> None:
    more = {"port": "9"} if op == "udp.send" else {}
    if op == "why.ask":
        more = {"proto": "icmp"}
    with pytest.raises(SmolctlError, match='pmtudisc "x" is none of: dont, want, do, probe'):
        api.start(op, dst=PEER, pmtudisc="x", **more)


def test_who_sent_what_was_too_big_for_a_router_is_told(api: Api) -> None:
    api.peer.silent = {"udp"}
    exchange, _ = api.start("udp.send", dst=FAR, port="9", size="1472", wait="1")
    (packet,) = [frame for _, frame in api.wire if frame.ip]
    assert packet.ip is not None
    quoted = packet.ip.to_bytes() + packet.payload[:8]
    api.arrive(icmp_frame(3, 4, 1280, quoted))
    api.wait(2 * SECOND_NS, until=lambda: exchange.ended)
    (told,) = exchange.of("icmp")
    assert (told["errno"], told["reason"]) == ("EMSGSIZE", "icmp-fragmentation-needed")
    assert "1280 B get through" in told["message"]
    assert "at most 1252 B" in told["hint"]
    assert exchange.done_with["ok"] is False


def test_ping_says_it_in_the_words_of_ping(api: Api) -> None:
    api.peer.silent = {"ping"}
    exchange, _ = api.start("ping.run", dst=FAR, count="1", size="1472", pmtudisc="do", timeout="1")
    (packet,) = [frame for _, frame in api.wire if frame.ip]
    assert packet.ip is not None
    api.arrive(icmp_frame(3, 4, 1280, packet.ip.to_bytes() + packet.payload[:8]))
    api.wait(2 * SECOND_NS, until=lambda: exchange.ended)
    (told,) = exchange.of("error")
    assert told["message"] == "Frag needed and DF set (mtu = 1280)"
    assert told["from"] == PEER


def test_why_predicts_fragments_and_refusals(api: Api) -> None:
    (row,) = api("why.ask", proto="udp", dst=PEER, dport="9", size="3000")
    assert row["ok"]
    assert "fragment" in [step["stage"] for step in row["steps"]]
    (row,) = api("why.ask", proto="udp", dst=PEER, dport="9", size="3000", pmtudisc="do")
    assert (row["ok"], row["reason"]) == (False, "tx-too-big")
    learn(api, 1280, PEER)
    (row,) = api("why.ask", proto="icmp", dst=PEER, size="1253", pmtudisc="do")
    assert (row["reason"], row["fix"]) == ("tx-too-big", [])
    assert row["look"] == "send at most 1252 B, or let it be fragmented: -M want"
    assert not api.host.sent()


def test_a_big_ping_is_answered_and_matched(api: Api) -> None:
    exchange = api.run("ping.run", dst="127.0.0.1", count="1", size="9000")
    assert exchange.done_with["received"] == 1
    api.stack.interfaces["lo"].mtu = 1500
    api.stack.generation.touch()
    exchange = api.run("ping.run", dst="127.0.0.1", count="2", size="9000", interval="0.1")
    assert exchange.done_with["received"] == 2
    assert api.stack.ledger.events["ip.datagrams_reassembled"] == 4
    assert text(ip("127.0.0.1")) == exchange.of("reply")[0]["from"]


def test_the_capture_shows_what_is_on_the_wire(api: Api) -> None:
    exchange, _ = api.start("capture.run", wait="1", filter="udp")
    api.peer.silent = {"udp"}
    api.run("udp.send", dst=PEER, port="9", size="3000")
    api.wait(2 * SECOND_NS, until=lambda: exchange.ended)
    packets = exchange.of("packet")
    assert [packet["linked"] for packet in packets] == [True] * 3
