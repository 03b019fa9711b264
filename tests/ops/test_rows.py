"""The rows of every operation that returns some: keys and types as those of ``ip -j``."""

from typing import Any

import pytest

from smolctl.ops.operations import OPS
from smolctl.stack.neighbor.states import State
from smolctl.stack.sysctl.settings import SYSCTLS
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, PEER, ip, request, udp_frame
from tests.ops.kit import Api, Row
from tests.ops.usual import JOBS, OPENED, PASSED, ROWS


@pytest.fixture
def api() -> Api:
    """An engine with a neighbor, sockets, counters and a reason or two."""
    api = Api()
    api.host.know()
    api("nexthop.add", id="7", blackhole=True)
    api.host.socket(5000)
    api.stack.udp.connect(api.host.socket(5001), ip(PEER), 9)
    api.stack.ping.open(1)
    listener = api.stack.tcp.open("listener")
    api.stack.tcp.bind(listener, None, 7000)
    api.stack.tcp.listen(listener)
    api.host.receive(udp_frame(dport=5000), udp_frame())
    api("maddr.add", address="239.1.2.9", dev="tap0")
    return api


def test_every_operation_is_here() -> None:
    assert sorted([*ROWS, *JOBS, *OPENED, *PASSED]) == sorted(OPS)


@pytest.mark.parametrize("op", ROWS)
def test_rows_are_plain_data(api: Api, op: str) -> None:
    for row in api(op, **ROWS[op]):
        assert all(isinstance(key, str) for key in row)


@pytest.mark.parametrize("op", JOBS)
def test_jobs_end_and_leave_nothing_behind(api: Api, op: str) -> None:
    before = (len(api.stack.udp), len(api.stack.ping), len(api.stack.ipv4.probe_clients))
    exchange = api.run(op, **JOBS[op])
    assert isinstance(exchange.done_with["ok"], bool)
    assert (len(api.stack.udp), len(api.stack.ping), len(api.stack.ipv4.probe_clients)) == before


@pytest.mark.parametrize("op", JOBS)
def test_jobs_end_when_their_client_leaves(api: Api, op: str) -> None:
    before = (len(api.stack.udp), len(api.stack.ping), len(api.stack.ipv4.probe_clients))
    exchange, job = api.start(op, **JOBS[op])
    if not exchange.ended:
        job.close(api.clock.now)
    job.close(api.clock.now)
    api.wait(60 * SECOND_NS)
    assert (len(api.stack.udp), len(api.stack.ping), len(api.stack.ipv4.probe_clients)) == before


@pytest.mark.parametrize("op", JOBS)
def test_jobs_report_what_they_know_when_cancelled(api: Api, op: str) -> None:
    exchange, job = api.start(op, **JOBS[op])
    job.cancel(api.clock.now)
    assert "ok" in exchange.done_with
    job.cancel(api.clock.now)


# --- keys and types -------------------------------------------------------------------------------

INT, STR, LIST, BOOL = int, str, list, bool
LINK = {
    "ifindex": INT, "ifname": STR, "flags": LIST, "mtu": INT, "qdisc": STR, "operstate": STR,
    "group": STR, "txqlen": INT, "link_type": STR, "address": STR, "broadcast": STR,
}  # fmt: skip
ADDR_INFO = {
    "family": STR, "local": STR, "prefixlen": INT, "scope": STR, "label": STR,
    "valid_life_time": INT, "preferred_life_time": INT,
}  # fmt: skip
NEIGH = {"dst": STR, "dev": STR, "lladdr": STR, "state": LIST}

SHAPES: dict[str, dict[str, Any]] = {
    "addr.show": {**LINK, "addr_info": LIST},
    "neigh.get": NEIGH,
    "neigh.show": {
        **NEIGH, "refcnt": INT, "used": INT, "confirmed": INT, "updated": INT, "probes": INT,
        "queue": INT, "queue_bytes": INT,
    },
    "neigh.flush": NEIGH,
    "route.get": {
        "dst": STR, "dev": STR, "prefsrc": STR, "flags": LIST, "uid": INT, "cache": LIST,
    },
    "addr.del": {"dev": STR, **ADDR_INFO},
    "addr.flush": {"dev": STR, **ADDR_INFO},
    "stats.show": {"layer": STR, "name": STR, "value": INT},
}  # fmt: skip


@pytest.mark.parametrize("op", SHAPES)
def test_rows_have_these_keys_and_types(api: Api, op: str) -> None:
    family = {"family": "inet"} if op.startswith("addr.") else {}
    rows = api(op, **ROWS[op], **family)
    assert rows
    for row in rows:
        assert {key: type(value) for key, value in row.items()} == SHAPES[op]


def test_an_address_looks_as_in_ip(api: Api) -> None:
    api("addr.add", local="10.0.0.3/24", dev="tap0", label="tap0:x", broadcast="+")
    row = api("addr.show", dev="tap0", family="inet")[0]
    assert row["addr_info"] == [
        {
            "family": "inet",
            "local": "10.0.0.1",
            "prefixlen": 24,
            "scope": "global",
            "label": "tap0",
            "valid_life_time": 4294967295,
            "preferred_life_time": 4294967295,
        },
        {
            "family": "inet",
            "local": "10.0.0.3",
            "prefixlen": 24,
            "broadcast": "10.0.0.255",
            "scope": "global",
            "secondary": True,
            "label": "tap0:x",
            "valid_life_time": 4294967295,
            "preferred_life_time": 4294967295,
        },
    ]


ROUTE_ROWS: list[tuple[dict[str, Any], Row]] = [
    (
        {"dst": "default", "via": PEER},
        {"dst": "default", "gateway": PEER, "dev": "tap0", "flags": []},
    ),
    (
        {"dst": "192.168.5.0/24", "via": PEER, "src": "10.0.0.1", "metric": "50", "mtu": "1400"},
        {
            "dst": "192.168.5.0/24", "gateway": PEER, "dev": "tap0", "prefsrc": "10.0.0.1",
            "metric": 50, "flags": [], "metrics": [{"mtu": 1400}],
        },
    ),
    (
        {"dst": "10.5.0.1", "dev": "tap0", "protocol": "static"},
        {"dst": "10.5.0.1", "dev": "tap0", "protocol": "static", "scope": "link", "flags": []},
    ),
    (
        {"dst": "10.6.0.0/16", "via": "9.9.9.9", "dev": "tap0", "onlink": True},
        {"dst": "10.6.0.0/16", "gateway": "9.9.9.9", "dev": "tap0", "flags": ["onlink"]},
    ),
    (
        {"dst": "10.7.0.0/16", "type": "blackhole"},
        {"type": "blackhole", "dst": "10.7.0.0/16", "flags": []},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("args", "row"), ROUTE_ROWS, ids=[row["dst"] for _, row in ROUTE_ROWS])
def test_a_route_looks_as_in_ip(api: Api, args: dict[str, Any], row: Row) -> None:
    api("route.add", **args)
    assert row in api("route.show")
    assert list(api("route.show", exact=args["dst"])[0]) == list(row)


def test_the_connected_route_looks_as_in_ip(api: Api) -> None:
    assert api("route.show") == [
        {
            "dst": "10.0.0.0/24",
            "dev": "tap0",
            "protocol": "kernel",
            "scope": "link",
            "prefsrc": "10.0.0.1",
            "flags": [],
        }
    ]
    tables = {row.get("table") for row in api("route.show", table="all")}
    assert tables == {None, "local"}


GET_ROWS: list[tuple[dict[str, Any], Row]] = [
    ({"dst": PEER}, {"dst": PEER, "dev": "tap0", "prefsrc": "10.0.0.1", "cache": []}),
    (
        {"dst": "127.0.0.2"},
        {
            "type": "local", "dst": "127.0.0.2", "dev": "lo", "prefsrc": "127.0.0.1",
            "cache": ["local"],
        },
    ),
    (
        {"dst": "8.8.8.8"},
        {"dst": "8.8.8.8", "gateway": PEER, "dev": "tap0", "prefsrc": "10.0.0.1", "cache": []},
    ),
    (
        {"dst": "8.8.8.8", "src": "10.0.0.1"},
        {"dst": "8.8.8.8", "from": "10.0.0.1", "gateway": PEER, "dev": "tap0", "cache": []},
    ),
    (
        {"dst": "10.0.0.255"},
        {
            "type": "broadcast", "dst": "10.0.0.255", "dev": "tap0", "prefsrc": "10.0.0.1",
            "cache": ["local", "brd"],
        },
    ),
    (
        {"dst": "224.0.0.1", "dev": "tap0"},
        {
            "type": "multicast", "dst": "224.0.0.1", "dev": "tap0", "prefsrc": "10.0.0.1",
            "cache": ["mc"],
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("args", "row"), GET_ROWS, ids=[str(args) for args, _ in GET_ROWS])
def test_route_get_looks_as_in_ip(api: Api, args: dict[str, Any], row: Row) -> None:
    api("route.add", dst="default", via=PEER)
    assert api.one("route.get", **args) == {**row, "flags": [], "uid": 0}


def test_route_get_shows_match_and_candidates(api: Api) -> None:
    api("route.add", dst="default", via=PEER)
    row = api.one("route.get", dst=DEAD, fibmatch=True, candidates=True)
    assert row["dst"] == "10.0.0.0/24"
    shown = [(c["dst"], c["table"], c["result"], c.get("cause")) for c in row["candidates"]]
    assert shown[:2] == [
        ("10.0.0.0/24", "main", "pick", None),
        ("default", "main", "skip", "shorter"),
    ]


def test_neighbor_ages_are_whole_seconds(api: Api) -> None:
    api.wait(7 * SECOND_NS)
    row = api.one("neigh.show", stats=True)
    assert (row["used"], row["confirmed"], row["updated"]) == (7, 7, 7)
    assert row["state"] == ["REACHABLE"]


@pytest.mark.parametrize("state", [State.INCOMPLETE, State.FAILED])
def test_a_mac_that_is_not_used_is_not_shown(api: Api, state: State) -> None:
    api.host.know(state=state)
    assert "lladdr" not in api.one("neigh.get", dst=PEER, dev="tap0")


def test_sysctl_rows_tell_all_of_a_sysctl(api: Api) -> None:
    rows = api("sysctl.show")
    assert [row["key"] for row in rows] == sorted(SYSCTLS)
    row = api.one("sysctl.set", key="arp.accept", value="on")
    assert row == api.one("sysctl.show", key="arp.accept")
    assert (row["value"], row["default"], row["origin"]) == (1, 0, "command line")
    assert {"unit", "min", "max", "description", "source", "environment"} <= row.keys()


def test_sockets_look_as_in_ss(api: Api) -> None:
    udp, connected, _listener, ping = api("socket.show")
    assert (udp["netid"], udp["state"], udp["local"], udp["local_port"]) == (
        "udp",
        "UNCONN",
        "0.0.0.0",
        5000,
    )
    assert (udp["recv_q"], udp["rx_datagrams"], udp["drops"]) == (69, 1, 0)
    assert (connected["state"], connected["peer"], connected["peer_port"]) == ("ESTAB", PEER, 9)
    assert ping["netid"] == "icmp"


def test_drops_stand_by_kind_then_count(api: Api) -> None:
    api.host.receive(b"", b"", udp_frame(src="0.0.0.9"))
    api.wait(2 * SECOND_NS)
    rows = api("stats.drops")
    assert [(row["reason"], row["count"]) for row in rows] == [
        ("rx-frame-short", 2),
        ("ip-src-invalid", 1),
        ("udp-port-closed", 1),
    ]
    assert rows[0] == {
        "reason": "rx-frame-short",
        "class": "drop",
        "layer": "ethernet",
        "dev": "tap0",
        "count": 2,
        "time": api.wall_time(api.clock.now - 2 * SECOND_NS),
        "last_ms": 2000,
        "summary": "a frame that is shorter than an Ethernet header",
        "hint": "frame is 0 B, an Ethernet header needs 14;"
        " the bytes and their sender: smolctl capture tap0 -v",
        "fix": [],
        "source": "RFC 894",
    }


def test_a_drop_that_can_be_fixed_says_how(api: Api) -> None:
    api.host.receive(request("10.0.0.9", "10.0.0.77"))
    (row,) = (row for row in api("stats.drops") if row["reason"] == "arp-target-not-ours")
    assert row["fix"] == []  # who asks everybody may well mean another host
    assert row["hint"].endswith(
        "is it to be ours? smolctl addr add 10.0.0.77/24 dev tap0; else it is for another host"
    )


def test_counters_that_are_zero_are_shown_on_request(api: Api) -> None:
    some, everything = api("stats.show"), api("stats.show", all=True)
    assert all(row["value"] for row in some)
    assert [row for row in everything if row["value"]] == some
    assert {"layer": "arp", "name": "requests_sent", "value": 0} in everything
    assert {"layer": "udp", "name": "datagrams_delivered", "value": 1} in some


def test_status_and_stop_are_the_daemons(api: Api) -> None:
    assert api.one("stack.status")["name"] == "test"
    assert api("stack.stop") == []
    assert api.stopped == ["stack stop"]
