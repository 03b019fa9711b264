"""``traceroute`` in virtual time: who answers, in which order it is told, and where it ends."""

from collections import Counter
from typing import Any

import pytest
from scapy.contrib.mpls import MPLS, ICMPExtension_MPLS
from scapy.layers.inet import ICMPExtension_Header

from smolctl.errors import InvalidArgument, SendRejected
from smolctl.stack.config.link import set_carrier
from smolctl.wire import icmpv4, ipv4
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.host import (
    DEAD,
    OURS,
    PEER,
    Seen,
    frame_of,
    icmp_frame,
    packet_of,
    text,
    unreachable,
)
from tests.ops.kit import Api, Exchange, Peer, Row

FAR = "192.0.2.7"
HOPS = (PEER, "10.1.0.2", "10.2.0.2")
"""Routers in front of ``FAR``."""


class Way(Peer):
    """A peer that is the first of several routers.

    Attributes:
        mute: hops that say nothing, by number; the host's own is ``host``.
        refusal: ICMP type and code by which the last router refuses what goes further.
        added: extensions of the first router's answers (RFC 4884).
    """

    host = len(HOPS) + 1

    def __init__(self) -> None:
        super().__init__()
        self.mute: set[int] = set()
        self.refusal: tuple[int, int, int] | None = None
        self.asked: list[ipv4.Ipv4Header] = []
        self.added = b""

    def answers(self, frame: Seen) -> list[bytes]:
        header = frame.ip
        if header is None or text(header.dst) != FAR:
            return super().answers(frame)
        self.asked.append(header)
        hop = min(header.ttl, self.host)
        if hop in self.mute:
            return []
        quoted = header.to_bytes() + frame.payload
        src = text(header.src)
        if hop == len(HOPS) and self.refusal is not None and header.ttl >= hop:
            kind, code, rest = self.refusal
            return [icmp_frame(kind, code, rest, quoted, HOPS[-1], src)]
        if hop == 1 and self.added:
            padded = quoted + bytes(128 - len(quoted))
            return [icmp_frame(11, 0, 32 << 16, padded + self.added, HOPS[0], src)]
        if hop < self.host:
            return [icmp_frame(icmpv4.Type.TIME_EXCEEDED, 0, 0, quoted, HOPS[hop - 1], src)]
        if header.protocol == ipv4.Protocol.ICMP:
            message = frame.icmp
            reply = icmpv4.IcmpMessage(icmpv4.Type.ECHO_REPLY, 0, message.rest, message.body)
            return [frame_of(packet_of(1, reply.to_bytes(), FAR, src))]
        code = icmpv4.Unreachable.PORT
        return [icmp_frame(icmpv4.Type.DEST_UNREACHABLE, code, 0, quoted, FAR, src)]


@pytest.fixture
def way() -> Way:
    return Way()


@pytest.fixture
def api(way: Way) -> Api:
    api = Api()
    api.peer = way
    api("route.add", dst="default", via=PEER)
    return api


def trace(api: Api, dst: str = FAR, **args: Any) -> Exchange:
    return api.run("traceroute.run", dst=dst, **args)


def told(exchange: Exchange) -> list[tuple[int, int, str | None]]:
    """Return hop, number and who answered, as they were told."""
    probes = exchange.of("probe")
    return [(probe["hop"], probe["probe"], probe.get("from")) for probe in probes]


@pytest.mark.parametrize("method", ["udp", "icmp", "fixed"])
def test_each_hop_is_told_in_order_up_to_the_host(api: Api, method: str) -> None:
    exchange = trace(api, method=method)
    names = [*HOPS, FAR]
    assert told(exchange) == [(hop + 1, n, names[hop]) for hop in range(4) for n in (1, 2, 3)]
    done = exchange.done_with
    assert (done["ok"], done["hops"], done["answered"]) == (True, 4, 12)
    assert "reason" not in done
    assert exchange.of("start") == [{"dst": FAR, "max_hops": 30, "bytes": 60}]


def test_sixteen_probes_are_on_their_way_at_once(api: Api, way: Way) -> None:
    api.host.know()
    trace(api)
    times = [at for at, frame in api.wire if frame.ip and text(frame.ip.dst) == FAR]
    assert len(set(times)) == len(times), "each has a time of its own"
    assert sum(at - times[0] < MILLISECOND_NS for at in times) == 16
    assert [header.ttl for header in way.asked[:16]] == [n // 3 + 1 for n in range(16)]


@pytest.mark.parametrize(("at_once", "most"), [("1", 1), ("4", 4)])
def test_fewer_at_once(api: Api, at_once: str, most: int) -> None:
    api.host.know()
    exchange = trace(api, at_once=at_once)
    times = [at for at, frame in api.wire if frame.ip and text(frame.ip.dst) == FAR]
    at_a_time = Counter(at // MILLISECOND_NS for at in times)
    assert max(at_a_time.values()) == most
    assert exchange.done_with["ok"]
    if most == 1:
        assert exchange.done_with["sent"] == 12


def test_what_a_probe_looks_like(api: Api) -> None:
    trace(api, size="100", tos="16", port="40000", queries="1", at_once="1")
    probes = [frame for _, frame in api.wire if frame.ip and text(frame.ip.dst) == FAR]
    assert [frame.udp[1] for frame in probes] == [40000, 40001, 40002, 40003]
    for frame in probes:
        assert frame.ip is not None
        assert (frame.ip.total_length, frame.ip.dscp_ecn) == (100, 16)
    assert probes[0].udp[2] == bytes(range(0x40, 0x80)) + bytes(range(0x40, 0x48))


@pytest.mark.parametrize("method", ["udp", "icmp", "fixed"])
@pytest.mark.parametrize("forbidden", [False, True])
def test_probes_may_be_cut_unless_that_is_forbidden(api: Api, method: str, forbidden: bool) -> None:
    trace(api, method=method, queries="1", at_once="1", dont_fragment=forbidden)
    probes = [frame.ip for _, frame in api.wire if frame.ip and text(frame.ip.dst) == FAR]
    assert [header.df for header in probes] == [forbidden] * 4


def test_what_leaves_by_no_link_whole_is_refused_if_it_may_not_be_cut(api: Api) -> None:
    with pytest.raises(SendRejected) as caught:
        trace(api, size="2000", dont_fragment=True)
    assert caught.value.code == "tx-too-big"
    assert trace(api, size="2000").done_with["ok"]


def test_echo_requests_have_rising_sequence_numbers(api: Api) -> None:
    trace(api, method="icmp", queries="1", at_once="1")
    messages = [frame.icmp for _, frame in api.wire if frame.ip and text(frame.ip.dst) == FAR]
    assert [message.sequence for message in messages] == [1, 2, 3, 4]
    assert len({message.ident for message in messages}) == 1


def test_one_port_for_all(api: Api) -> None:
    trace(api, method="fixed", queries="1", at_once="1")
    ports = [frame.udp[1] for _, frame in api.wire if frame.ip and text(frame.ip.dst) == FAR]
    assert ports == [53] * 4


def test_a_mute_hop_is_a_star_and_no_end(api: Api, way: Way) -> None:
    way.mute.add(2)
    exchange = trace(api, queries="1")
    assert told(exchange) == [(1, 1, PEER), (2, 1, None), (3, 1, HOPS[2]), (4, 1, FAR)]
    assert exchange.done_with["ok"]
    # It is not waited for longer than 10 times what the next one took, 1 ms and 1 ms for safety.
    assert api.clock.now - api.wire[0][0] < 100 * MILLISECOND_NS


def test_what_is_told_waits_for_what_comes_before(api: Api, way: Way) -> None:
    way.mute.add(1)
    exchange, _ = api.start("traceroute.run", dst=FAR, wait="5")
    api.wait(4 * SECOND_NS)
    assert told(exchange) == []
    api.wait(2 * SECOND_NS)
    assert told(exchange)[:4] == [(1, 1, None), (1, 2, None), (1, 3, None), (2, 1, HOPS[1])]


def test_silence_at_the_end_is_a_reason(api: Api, way: Way) -> None:
    way.mute |= {3, 4}
    exchange = trace(api, queries="1", max_hops="5", wait="1")
    assert told(exchange)[-3:] == [(3, 1, None), (4, 1, None), (5, 1, None)]
    done = exchange.done_with
    assert (done["ok"], done["reason"]) == (False, "icmp-hops-silent")
    assert "beyond hop 2 (10.1.0.2)" in done["message"]
    assert api.host.reasons()["icmp-hops-silent"] == 1


MARKS = [
    (3, 0, "!N", "icmp-net-unreachable"),
    (3, 1, "!H", "icmp-host-unreachable"),
    (3, 2, "!P", "icmp-protocol-unreachable"),
    (3, 4, "!F-1400", "icmp-fragmentation-needed"),
    (3, 5, "!S", "icmp-source-route-failed"),
    (3, 6, "!N", "icmp-net-unreachable"),
    (3, 9, "!X", "icmp-prohibited"),
    (3, 13, "!X", "icmp-prohibited"),
    (3, 14, "!V", "icmp-precedence"),
    (3, 15, "!C", "icmp-precedence"),
    (3, 77, "!<77>", "icmp-host-unreachable"),
    (3, 7, "!H", "icmp-host-unknown"),
    (3, 8, "!N", "icmp-host-isolated"),
    (11, 1, "!<11-1>", "icmp-fragment-lost"),
    (12, 0, "!<12-0>", "icmp-parameter-problem"),
]


@pytest.mark.parametrize(("kind", "code", "mark", "reason"), MARKS)
@pytest.mark.parametrize("method", ["udp", "icmp"])
def test_a_refusal_ends_the_way_and_is_marked(
    api: Api, way: Way, kind: int, code: int, mark: str, reason: str, method: str
) -> None:
    whole = mark.startswith("!F")  # who lets his probes be cut is not told (Linux icmp_unreach)
    way.refusal = kind, code, 1400 if whole else 0
    exchange = trace(api, queries="2", method=method, dont_fragment=whole)
    assert told(exchange)[-2:] == [(3, 1, HOPS[2]), (3, 2, HOPS[2])]
    assert {probe["mark"] for probe in exchange.of("probe")[-2:]} == {mark}
    assert not any("mark" in probe for probe in exchange.of("probe")[:-2])
    done = exchange.done_with
    assert (done["ok"], done["reason"]) == (False, reason)
    assert api.one("why.show", id=done["id"])["reason"] == reason


def test_what_a_router_adds_to_its_answer_is_told(api: Api, way: Way) -> None:
    stack = ICMPExtension_MPLS(stack=[MPLS(label=16, ttl=1)], len=8)
    way.added = bytes(ICMPExtension_Header() / stack)
    exchange = trace(api, queries="1")
    first, *_, last = exchange.of("probe")
    label = {"label": 16, "traffic_class": 0, "bottom": True, "ttl": 1}
    text = "MPLS:L=16,E=0,S=1,T=1"
    assert first["extensions"] == [{"class": 1, "type": 1, "mpls": [label], "text": text}]
    assert "extensions" not in last
    assert exchange.done_with["ok"]


def test_a_closed_port_of_a_router_is_not_the_host(api: Api, way: Way) -> None:
    way.refusal = 3, icmpv4.Unreachable.PORT, 0
    exchange = trace(api, queries="1")
    assert exchange.done_with["reason"] == "icmp-port-unreachable"
    assert "mark" not in exchange.of("probe")[-1]


def test_a_datagram_back_means_that_the_host_was_reached(api: Api) -> None:
    exchange = trace(api, PEER)
    assert told(exchange) == [(1, n, PEER) for n in (1, 2, 3)]
    assert exchange.done_with["hops"] == 1


def test_ourselves_are_one_hop(api: Api) -> None:
    exchange = trace(api, OURS)
    assert told(exchange) == [(1, n, OURS) for n in (1, 2, 3)]
    assert exchange.done_with["ok"]
    assert trace(api, OURS, method="icmp").done_with["hops"] == 1


def test_who_does_not_answer_arp_is_told_by_ourselves(api: Api) -> None:
    exchange = trace(api, DEAD, queries="1")
    (waiting,) = exchange.of("waiting")
    assert waiting["reason"] == "neigh-pending"
    (probe,) = exchange.of("probe")
    assert (probe["from"], probe["mark"], probe["rtt_ns"]) == (OURS, "!H", 3 * SECOND_NS)
    assert exchange.done_with["reason"] == "neigh-failed"


def test_a_link_that_goes_while_it_runs_is_the_reason(api: Api, way: Way) -> None:
    way.mute |= {1, 2, 3, 4}
    exchange, _ = api.start("traceroute.run", dst=FAR, at_once="1", wait="1", max_hops="1")
    api.wait(SECOND_NS // 2)
    set_carrier(api.stack.shared, api.host.tap, False, api.clock.now)
    api.wait(4 * SECOND_NS)
    assert exchange.done_with["reason"] == "tx-no-carrier"


def test_no_way_at_all_is_an_error(api: Api) -> None:
    api("route.del", dst="default")
    with pytest.raises(SendRejected) as caught:
        trace(api)
    assert caught.value.code == "tx-no-route"
    assert not list(api.stack.udp)


def test_an_end_from_outside_tells_what_is_known(api: Api, way: Way) -> None:
    way.mute.add(2)
    exchange, job = api.start("traceroute.run", dst=FAR, at_once="1", wait="50", queries="1")
    api.wait(SECOND_NS)
    job.cancel(api.clock.now)
    assert told(exchange) == [(1, 1, PEER)]
    assert exchange.done_with["reason"] == "icmp-hops-silent"
    assert not list(api.stack.udp)


def test_probes_begin_where_asked_and_with_a_gap(api: Api) -> None:
    api.host.know()
    exchange = trace(api, first="3", gap="0.5", queries="1", max_hops="4")
    assert told(exchange) == [(3, 1, HOPS[2]), (4, 1, FAR)]
    times = [at for at, frame in api.wire if frame.ip]
    assert times[1] - times[0] == SECOND_NS // 2


def test_by_a_gateway(api: Api) -> None:
    api.host.know()
    api.peer.silent.add("udp")
    exchange, _ = api.start("traceroute.run", dst=FAR, gateways=PEER, queries="1")
    (_, frame), *_ = api.wire
    assert frame.ip is not None
    assert text(frame.ip.dst) == PEER
    assert frame.ip.options.hex() == "830704c000020700"
    assert exchange.of("start") == [{"dst": FAR, "max_hops": 30, "bytes": 68}]


@pytest.mark.parametrize("method", ["udp", "icmp"])
def test_a_hop_that_refuses_a_source_route(api: Api, method: str) -> None:
    api.host.know()
    api.peer.silent |= {"udp", "ping"}
    args = {"dst": FAR, "gateways": PEER, "queries": "1", "at_once": "1", "method": method}
    exchange, _ = api.start("traceroute.run", **args)
    (_, frame), *_ = api.wire
    assert frame.ip is not None
    api.arrive(unreachable(5, frame.ip.to_bytes() + frame.payload))
    assert exchange.of("probe")[0]["mark"] == "!S"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"first": "5", "max_hops": "4"}, "first hop 5 is beyond the last one, 4"),
        ({"wait": "x"}, "is not MAX"),
        ({"wait": "1,2,3,4"}, "is not MAX"),
        ({"wait": "-1"}, "is not MAX"),
        ({"gateways": "10.0.0"}, "gateways"),
        ({"gateways": ",".join(["10.0.0.2"] * 10)}, "gateways"),
        ({"size": "27"}, "size"),
        ({"size": "29", "gateways": PEER}, "size"),
        ({"method": "sctp"}, "method"),
        ({"queries": "11"}, "queries"),
        ({"port": "0"}, "port"),
    ],
)
def test_bad_values_are_refused(api: Api, args: Row, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        trace(api, **args)
    assert not list(api.stack.udp)
    assert not api.stack.ping


@pytest.mark.parametrize("state", ["open", "closed"])
def test_syns_say_what_the_port_is(api: Api, state: str) -> None:
    api.peer.ports[443] = state
    exchange = api.run("traceroute.run", dst=PEER, method="tcp", port="443", queries="1")
    (probe,) = exchange.of("probe")
    assert (probe["from"], probe["state"]) == (PEER, state)
    done = exchange.done_with
    assert (done["ok"], done["hops"], done["state"]) == (True, 1, state)
    assert len(api.peer.resets) == (16 if state == "open" else 0), "one for each that was sent"
    assert not api.stack.tcp.connections


def test_a_syn_carries_nothing(api: Api) -> None:
    for more in ({"size": "100"}, {"gateways": PEER}):
        with pytest.raises(InvalidArgument, match="SYNs have no"):
            api.start("traceroute.run", dst=PEER, method="tcp", **more)
