"""Snapshots: nothing is forgotten, and what is no snapshot is refused with what is wrong."""

import json
from contextlib import suppress
from dataclasses import fields, is_dataclass
from random import Random
from typing import Any

import pytest

from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.ops import snapshot_shapes as shapes
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.operations import OPS
from smolctl.ops.restore import configured, restore
from smolctl.ops.scratch import NoDevices
from smolctl.ops.shapes import Shape
from smolctl.stack.config.link import set_carrier
from smolctl.stack.explain import verdict
from smolctl.stack.explain.connection import tell_connection
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.fib.route import Route
from smolctl.stack.fib.rule import Rule
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.dad import DadEntry
from smolctl.stack.ipv6.addresses import Address6
from smolctl.stack.link.impairment import Netem
from smolctl.stack.neighbor.entry import Neighbor
from smolctl.stack.stack import Stack
from smolctl.stack.transport.ping import EchoClient
from smolctl.stack.transport.send_queue import SendQueue
from smolctl.stack.transport.tcp.probe import Probe
from smolctl.stack.transport.tcp.receive import ReceiveSide
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.send import SendSide
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import ipv4, tcp
from smolctl.wire.address import IPV4, IPV6
from tests.kit.amount import amount
from tests.kit.host import OURS, PEER, frame_of, ip, packet_of
from tests.ops.configurations import Changes
from tests.ops.kit import Api

WAITER = "ready_queue handler ready "
LEFT_OUT: dict[type, tuple[Shape, str]] = {
    Interface: (
        shapes.LINK,
        # said in other words, or of no importance to a prediction
        "name ipv4 ipv6 settings vlan vlans mirror options impairment loopback outbox"
        " headroom counters flows flows_generation forward_flows forward_generation traced",
    ),
    Netem: (shapes.NETEM, ""),
    Address: (shapes.ADDRESS4, ""),
    Address6: (shapes.ADDRESS6, ""),
    DadEntry: (shapes.DAD, "address"),
    Route: (shapes.ROUTE, ""),
    Hop: (shapes.HOP_OF, "whole"),
    Rule: (shapes.RULE, "refusal"),
    Neighbor: (shapes.NEIGHBOR, "queue queue_bytes standing"),
    UdpSocket: (shapes.UDP, WAITER + "errors groups queue queue_bytes send_queue bound flows"),
    SendQueue: (shapes.SEND_QUEUE, "items bytes"),
    TcpSocket: (
        shapes.TCP,
        WAITER + "errors on_error backlog snd rcv out"
        # of a connection that goes on: data, and what only time brings about
        " ending ended soft window controller loss rtt timer timer_ns ack_ns ack_now quick pingpong"
        " keepalive_ns close_ns heap_ns ece cwr waits_for flow key handover generation copied"
        " copied_since_ns stats",
    ),
    SendSide: (
        shapes.SENDING, "_chunks _tail again crumbs dups lost records sacked unacked unsent"
    ),
    ReceiveSide: (shapes.RECEIVING, "_blocks _chunks _touched duplicate out_of_order ready"),
    Request: (shapes.REQUEST, "flow heap_ns key listener"),
    TimeWait: (shapes.TIME_WAIT, ""),
    Probe: (shapes.PROBE, "client"),
    EchoClient: (shapes.PING, WAITER + "closed replies errors redirects"),
}  # fmt: skip
"""The attributes of each class that are no part of its shape."""


@pytest.mark.parametrize("kind", LEFT_OUT, ids=lambda kind: kind.__name__)
def test_every_attribute_is_in_a_snapshot_or_left_out_on_purpose(kind: Any) -> None:
    shape, left_out = LEFT_OUT[kind]
    names = [each.name for each in fields(kind)] if is_dataclass(kind) else kind.__slots__
    assert sorted(names) == sorted([*shape.names, *left_out.split()])


def snapshot_of(api: Api) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(json.dumps(api("stack.snapshot")))
    return rows


def told(stack: Stack, question: Question, now: int) -> Any:
    return verdict.tell(predict(stack, question, now))


def test_what_helps_is_proven_on_a_restored_stack_too() -> None:
    api = Api()
    api("sysctl.set", key="icmp.echo_ignore_all", value="1")
    question = Question("icmp", ip(PEER), ip(OURS), iif="tap0")
    row = told(api.stack, question, api.clock.now)
    assert row["fix"] == ["smolctl sysctl icmp.echo_ignore_all=0"]
    assert told(restore(snapshot_of(api), 5), question, 5) == row


@pytest.fixture
def busy() -> Api:
    """A stack with connections in several states, and a listener whose backlog is full."""
    api = Api()
    table = api.stack.tcp
    for port, backlog in ((80, 0), (81, 8), (82, 8)):
        listener = table.open(f"web {port}")
        table.bind(listener, None, port)
        table.listen(listener, backlog)
    for _ in range(2):
        api.run("tcp.send", seconds=0.5, dst="127.0.0.1", port="80", data="")
    api.run("tcp.send", seconds=0.5, dst="127.0.0.1", port="81", data="eA==")
    api.host.know()
    table.connect(table.open("client"), ip(PEER), 22, api.clock.now)
    api.arrive(syn_frame(81))
    assert {type(each).__name__ for each in table.connections.values()} >= {"TcpSocket", "Request"}
    return api


def syn_frame(dport: int) -> bytes:
    segment = tcp.TcpHeader(4000, dport, 7, 0, 0, tcp.SYN, 1000).to_bytes(b"", ip(PEER), ip(OURS))
    return frame_of(packet_of(ipv4.Protocol.TCP, segment, PEER, OURS))


def test_segments_meet_the_same_connections(busy: Api) -> None:
    copy, now = restore(snapshot_of(busy), busy.clock.now), busy.clock.now
    copy.tcp.secrets, copy.tcp._searched = busy.stack.tcp.secrets, busy.stack.tcp._searched
    known = list(busy.stack.tcp.connections)
    questions = [
        Question("tcp", ip(PEER), ip(OURS), 4000, port, iif="tap0") for port in (80, 81, 82, 83)
    ]
    questions += [Question("tcp", None, ip("127.0.0.1"), 0, port) for port in (80, 81, 82, 83)]
    rows = [told(busy.stack, each, now) for each in questions]
    assert [told(copy, each, now) for each in questions] == rows
    assert {row.get("reason") for row in rows} >= {"tcp-backlog-full", "tcp-no-listener"}
    assert list(copy.tcp.connections) == known
    for ends in known:
        row = tell_connection(busy.stack.tcp, ends, now)
        assert row is not None
        again = tell_connection(copy.tcp, ends, now)
        assert again is not None
        assert (again["summary"], again["verdict"]) == (row["summary"], row["verdict"])


def test_sockets_that_share_a_port_get_the_same_flows_again() -> None:
    api = Api()
    for family in (IPV4, IPV6):
        for number in range(3):
            udp, tcp = api.stack.udp.open(f"{number}", family), api.stack.tcp.open("x", family)
            udp.reuseport = tcp.reuseport = udp.v6only = tcp.v6only = True
            api.stack.udp.bind(udp, None, 7)
            api.stack.tcp.bind(tcp, None, 7)
    copy = restore(snapshot_of(api), api.clock.now)
    for src, dst in ((ip(PEER), ip(OURS)), (ip("fd00::2"), ip("fd00::1"))):
        for sport in range(1000, 1040):
            ends = src, sport, dst, 7, "tap0"
            found, again = api.stack.udp.lookup(*ends), copy.udp.lookup(*ends)
            assert found is not None
            assert again is not None
            assert (again.owner, again.family) == (found.owner, found.family)


def test_links_tell_where_they_lead() -> None:
    api = Api()
    links = {row["name"]: row for row in snapshot_of(api) if row["part"] == "link"}
    assert links["tap0"]["kind"] == "tap"
    assert "device" in links["tap0"]
    assert "device" not in links["lo"]


def test_a_bad_link_is_as_bad_again() -> None:
    api = Api()
    api("link.set", dev="tap0", delay="5ms", loss="100%")
    link = restore(snapshot_of(api), 0).interface("tap0")
    assert link.impairment is not None
    assert link.impairment.netem == Netem(delay_ns=5_000_000, loss=1.0)


def test_routes_without_carrier_count_as_little_again() -> None:
    api = Api()
    api("sysctl.set", key="ip.ignore_routes_with_linkdown", value="1")
    question = Question("udp", None, ip(PEER), dport=9)
    for carrier, reason in ((True, "neigh-pending"), (False, "tx-no-route")):
        set_carrier(api.stack.shared, api.stack.interface("tap0"), carrier, 0)
        row = told(api.stack, question, api.clock.now)
        assert row["reason"] == reason
        assert told(restore(snapshot_of(api), 0), question, 0) == row


SAVED: list[tuple[str, dict[str, Any]]] = [
    ("link.add", {"name": "eth0", "type": "cable", "cable": "x", "address": "02:00:00:00:00:01"}),
    ("addr.add", {"local": "10.0.0.1/24", "dev": "eth0"}),
    ("route.add", {"dst": "default", "via": "10.0.0.254"}),
]


def test_a_stack_is_made_of_a_saved_configuration() -> None:
    stack = configured(SAVED, 0)
    row = told(stack, Question("udp", None, ip("192.0.2.1"), dport=9), 0)
    assert row["reason"] == "neigh-pending"
    assert row["packet"]["src"] == "10.0.0.1"


@pytest.mark.parametrize("op", ["route.show", "udp.send", "no.such"])
def test_what_changes_nothing_is_no_part_of_a_configuration(op: str) -> None:
    with pytest.raises(SmolctlError, match=r"does not change the configuration|no operation"):
        configured([(op, {})], 0)


def test_an_empty_file_is_no_snapshot() -> None:
    with pytest.raises(InvalidArgument, match="at least one row"):
        restore([], 0)


@pytest.mark.parametrize("first", [{}, {"part": "link"}, [], "x", None, 7])
def test_another_document_is_no_snapshot(first: Any) -> None:
    with pytest.raises(InvalidArgument, match="no snapshot of a stack"):
        restore([first], 0)


def test_a_snapshot_of_another_version_is_refused() -> None:
    head, *_ = snapshot_of(Api())
    with pytest.raises(InvalidArgument, match="a smolctl-snapshot-0, and this smolctl reads"):
        restore([{**head, "schema": "smolctl-snapshot-0"}], 0)


@pytest.mark.parametrize(
    "row",
    [
        {},
        7,
        "x",
        [],
        {"part": "weather"},
        {"part": "address", "family": "inet", "dev": "eth9", "local": "10.0.0.1", "plen": 8},
        {"part": "address", "family": "inet", "dev": "tap0", "local": "10.0.0.1"},
        {"part": "address", "family": "inet", "dev": "tap0", "local": "10.0.1", "plen": 8},
        {"part": "address", "family": "ipx", "dev": "tap0", "local": "10.0.0.1", "plen": 8},
        {"part": "neighbor", "dev": "tap0", "ip": "10.0.0.9", "state": "WRONG", "created_ns": 0},
        {"part": "route", "plen": 8},
        {"part": "tcp_request", "listener": 9},
    ],
)
def test_a_row_that_is_none_is_named(row: Any) -> None:
    rows = snapshot_of(Api())
    with pytest.raises(InvalidArgument, match=f"row {len(rows) + 1}"):
        restore([*rows, row], 0)


ODD: tuple[Any, ...] = (None, -1, 1 << 70, 1.5, "", "x", "::", [], [1], {}, {"x": 1}, True)


@pytest.mark.parametrize("seed", range(amount(200, 6)))
def test_any_value_is_taken_or_refused_with_its_row(seed: int, busy: Api) -> None:
    api, random = busy, Random(seed)
    Changes(seed, ipv6=True).some(api, 10)
    rows = snapshot_of(api)
    for _ in range(30):
        number = random.randrange(len(rows))
        key = random.choice(list(rows[number]))
        changed = [*rows]
        changed[number] = {**rows[number], key: random.choice(ODD)}
        with suppress(InvalidArgument):
            restore(changed, 0)


# --- what every noun shows ------------------------------------------------------------------------

SHOWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("link.show", {}),
    ("addr.show", {"stats": True}),
    ("route.show", {"table": "all"}),
    ("route.show", {"table": "all", "family": "inet6"}),
    ("route.show", {"cache": True}),
    ("rule.show", {}),
    ("rule.show", {"family": "inet6"}),
    ("neigh.show", {"stats": True}),
    ("neigh.show", {"proxy": True}),
    ("maddr.show", {"stats": True}),
    ("addrlabel.show", {}),
    ("nexthop.show", {}),
    ("sysctl.show", {}),
    ("socket.show", {}),
    ("config.save", {}),
    *(("sysctl.show", {"key": scope}) for scope in ("all", "default", "t1", "lo")),
)
UNKNOWN = {"linkinfo", "stats64", "operstate"}
"""Keys that only the process and its devices know, and counters."""


def shown(stack: Stack, links: Any, api: Api, op: str, args: dict[str, Any]) -> Any:
    context = Context(stack, links, api, api.clock.now)
    operation = OPS[op]
    try:
        rows = list(operation.handler(context, Args(op, args, operation.names)))  # type: ignore[arg-type]
    except SmolctlError as error:
        return error.message
    return [{key: value for key, value in row.items() if key not in UNKNOWN} for row in rows]


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(300, 12)))
def test_every_noun_shows_the_same_of_a_restored_stack(seed: int) -> None:
    api = Api()
    Changes(seed, ipv6=seed % 2 > 0).some(api, 40)
    assert_restored_shows_the_same(api)


def assert_restored_shows_the_same(api: Api) -> None:
    """See that each noun shows the same of what is restored from a snapshot."""
    kinds = [link.kind for link in api.stack.interfaces.values()]
    copy = restore(snapshot_of(api), api.clock.now)
    for op, args in SHOWS:
        wanted = shown(api.stack, api.cables, api, op, args)
        assert shown(copy, NoDevices(kinds), api, op, args) == wanted, op
