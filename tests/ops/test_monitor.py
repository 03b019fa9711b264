"""monitor: rows of the show commands as things happen, in virtual time."""

from typing import Any

import pytest

from smolctl.errors import InvalidArgument, NoSuchDevice
from smolctl.ops.feed import MAX_EVENTS
from smolctl.ops.monitor import KINDS
from smolctl.stack.config.link import add_interface, delete_interface, set_mac
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, OURS, PEER, PEER_MAC, ip, request
from tests.ops.kit import WALL_EPOCH, Api, Exchange, Row

MAC = "02:00:00:00:00:0b"


@pytest.fixture
def api() -> Api:
    return Api()


def watch(api: Api, *kinds: str, **args: Any) -> Exchange:
    exchange, _ = api.start("monitor.run", **dict.fromkeys(kinds, True), **args)
    assert exchange.events.pop(0)["event"] == "watching"
    return exchange


def taken(exchange: Exchange) -> list[Row]:
    events, exchange.events = exchange.events, []
    return events


def test_everything_is_watched_when_nothing_is_named(api: Api) -> None:
    exchange, _ = api.start("monitor.run")
    assert exchange.events == [{"event": "watching", "kinds": list(KINDS)}]
    exchange, _ = api.start("monitor.run", neigh=True, addr=True)
    assert exchange.events == [{"event": "watching", "kinds": ["addr", "neigh"]}]


def test_a_link_has_the_row_of_link_show(api: Api) -> None:
    seen = watch(api, "link")
    api("link.set", dev="tap0", mtu="1400")
    (row,) = taken(seen)
    now = api.clock.now
    assert row | {"linkmode": "DEFAULT"} == {  # which ip monitor leaves out
        "event": "link",
        "time": round(WALL_EPOCH + now / 1e9, 6),
        **api.one("link.show", dev="tap0"),
    }
    assert "linkmode" not in row
    api("link.add", name="lo1", type="loopback")
    api("link.del", dev="lo1")
    new, gone = taken(seen)
    assert "deleted" not in new
    assert gone["deleted"] is True
    assert gone["ifname"] == new["ifname"] == "lo1"


def test_a_link_that_is_made_bad(api: Api) -> None:
    seen = watch(api, "link")
    api("link.set", dev="tap0", loss="10%")
    (row,) = taken(seen)
    assert row["netem"] == api.one("link.show", dev="tap0")["netem"]


def test_an_address_has_the_row_of_addr_show(api: Api) -> None:
    seen = watch(api, "addr")
    api("addr.add", local="10.1.0.1/24", dev="tap0", broadcast="+")
    (row,) = taken(seen)
    shown = api.one("addr.show", dev="tap0", family="inet")
    assert row["addr_info"] == shown["addr_info"][-1:]
    assert (row["ifindex"], row["ifname"]) == (shown["ifindex"], "tap0")
    api("addr.del", local="10.1.0.1/24", dev="tap0")
    (gone,) = taken(seen)
    assert gone == {**row, "time": gone["time"], "deleted": True}


def test_a_route_has_the_row_of_route_show_table_all(api: Api) -> None:
    seen = watch(api, "route")
    api("route.add", dst="192.168.0.0/16", via=PEER, metric="5")
    (row,) = taken(seen)
    del row["event"], row["time"]
    assert row in api("route.show", table="all")
    api("route.replace", dst="192.168.0.0/16", via="10.0.0.3", metric="5")
    api("route.flush", root="192.168.0.0/16")
    changed, gone = taken(seen)
    assert changed["gateway"] == gone["gateway"] == "10.0.0.3"
    assert gone["deleted"] is True
    api("addr.add", local="10.1.0.1/24", dev="tap0")
    assert [row.get("table") for row in taken(seen)] == ["local", None, "local"]


def test_a_neighbor_walks_through_its_states(api: Api) -> None:
    seen = watch(api, "neigh")
    api.run("ping.run", 1, dst=PEER, count=1)
    api.wait(100 * SECOND_NS)
    states = [row["state"] for row in taken(seen)]
    assert states == [["INCOMPLETE"], ["REACHABLE"], ["STALE"]]
    api.peer.silent.add("arp")
    api.peer.silent.add("ping")
    api.start("ping.run", dst=PEER, count=1)
    api.wait(10 * SECOND_NS)
    states = [row["state"] for row in taken(seen)]
    assert states == [["DELAY"], ["PROBE"], ["FAILED"]]
    api("neigh.del", dst=PEER, dev="tap0")
    (gone,) = taken(seen)
    assert (gone["dst"], gone["state"], gone["deleted"]) == (PEER, ["FAILED"], True)
    api("neigh.add", dst=PEER, lladdr=MAC, dev="tap0")
    (row,) = taken(seen)
    del row["event"], row["time"]
    assert [row] == api("neigh.show")


def test_stats_add_what_they_add_to_show(api: Api) -> None:
    seen = watch(api, "neigh", "link", stats=True)
    api("neigh.add", dst=PEER, lladdr=MAC, dev="tap0")
    api("link.set", dev="tap0", mtu="1400")
    neigh, link = taken(seen)
    assert neigh["probes"] == 0
    assert "stats64" in link


def test_sockets(api: Api) -> None:
    seen = watch(api, "socket")
    job = api.start("udp.recv", port=7)[1]
    shown = api.one("socket.show")
    job.cancel(api.clock.now)
    new, gone = taken(seen)
    assert new == {"event": "socket", "time": new["time"], **shown}
    assert gone == {**new, "deleted": True}
    api.run("ping.run", 1, dst=PEER, count=1)
    assert [row["netid"] for row in taken(seen)] == ["icmp", "icmp"]


def test_groups_are_joined_and_left(api: Api) -> None:
    seen = watch(api, "maddr")
    api("maddr.add", address="239.1.2.3", dev="tap0")
    shown = api.one("maddr.show", dev="tap0")
    (row,) = taken(seen)
    assert (row["event"], row["ifindex"], row["ifname"]) == ("maddr", shown["ifindex"], "tap0")
    assert row["maddr"] == [{"family": "inet", "address": "239.1.2.3", "features": "static"}]
    assert row["maddr"][0] in shown["maddr"]
    _, job = api.start("udp.recv", port=7, group="239.1.2.3", dev="tap0", source="10.0.0.9")
    assert taken(seen) == []  # the interface is in it already
    job.cancel(api.clock.now)
    api("maddr.del", address="239.1.2.3", dev="tap0")
    (gone,) = taken(seen)
    assert gone == {
        "event": "maddr", "time": gone["time"], "ifindex": row["ifindex"], "ifname": "tap0",
        "maddr": [{"family": "inet", "address": "239.1.2.3"}], "deleted": True,
    }  # fmt: skip


def test_the_groups_of_a_link_that_is_deleted(api: Api) -> None:
    api("link.add", name="tap1", type="test")
    api("addr.add", local="239.1.2.3/32", dev="tap1", autojoin=True)
    seen = watch(api, "maddr", "link")
    api("link.del", dev="tap1")
    rows = [row for row in taken(seen) if "ff02::1:ff" not in str(row)]
    assert [(row["event"], row["ifname"], row["deleted"]) for row in rows] == [
        ("maddr", "tap1", True),
        ("link", "tap1", True),
    ]


def test_only_what_concerns_a_device(api: Api) -> None:
    api("link.add", name="lo1", type="loopback")
    seen = watch(api, dev="lo1")
    api("neigh.add", dst=PEER, lladdr=MAC, dev="tap0")
    api("route.add", dst="192.168.0.0/16", via=PEER)
    api("route.add", dst="192.168.0.0/16", type="blackhole", metric="7")
    api("addr.add", local="10.1.0.1/32", dev="lo1")
    assert [row["event"] for row in taken(seen)] == ["addr", "route"]
    with pytest.raises(NoSuchDevice):
        api.start("monitor.run", dev="tap9")


# --- drops ----------------------------------------------------------------------------------------


def test_a_dropped_frame(api: Api) -> None:
    seen = watch(api, "drops")
    api.arrive(request("224.0.0.1", OURS))
    (row,) = taken(seen)
    assert row == {
        "event": "drop",
        "id": row["id"],
        "time": row["time"],
        "dev": "tap0",
        "dir": "in",
        "reason": "arp-sender-invalid",
        "class": "drop",
        "summary": f"who-has {OURS} tell 224.0.0.1 ({MAC})",
        "why": row["why"],
    }
    trace = api.stack.journal.get(row["id"])
    assert trace is not None
    assert trace.reason is not None
    assert row["why"] == trace.reason.why(trace.detail)


def test_a_packet_that_waits_and_then_fails_has_one_id(api: Api) -> None:
    seen = watch(api, "drops")
    api.run("udp.send", dst=DEAD, port=9, data="aGk=")
    rows = taken(seen)
    assert [(row["class"], row["reason"]) for row in rows] == [
        ("wait", "neigh-pending"),
        ("reject", "neigh-failed"),
    ]
    assert len({row["id"] for row in rows}) == 1
    assert {row["dir"] for row in rows} == {"out"}
    assert all(row["summary"].endswith(f"> {DEAD}:9 UDP 2 B") for row in rows)


def test_a_datagram_that_was_refused_before_it_was_built(api: Api) -> None:
    seen = watch(api, "drops")
    api.run("udp.send", dst="8.8.8.8", port=9, data="aGk=")
    (row,) = taken(seen)
    assert row["reason"] == "tx-no-route"
    assert "8.8.8.8:9 UDP 2 B" in row["summary"]
    assert "dev" not in row


def test_a_fast_flow_that_overflows_is_told(api: Api) -> None:
    seen = watch(api, "drops")
    api.start("udp.recv", port=7)[0].has_room = False
    sender = api.stack.udp.open("test")
    for _ in range(5000):
        api.stack.udp.send(sender, b"x" * 500, ip("127.0.0.1"), 7, api.clock.now)
        api.stack.poll(api.clock.now)
    rows = taken(seen)
    assert rows
    assert {row["reason"] for row in rows} == {"udp-rcvbuf-full"}
    (shown,) = [row for row in api("socket.show") if row["local_port"] == 7]
    assert len(rows) == shown["drops"]


# --- how it ends ----------------------------------------------------------------------------------


def test_count(api: Api) -> None:
    exchange = api.start("monitor.run", route=True, count=2)[0]
    for metric in range(5):
        api("route.add", dst="192.168.0.0/16", via=PEER, metric=str(metric))
    api.wait(0)
    assert len(exchange.of("route")) == 2
    assert exchange.done_with == {"events": 2, "lost": 0, "ok": True}


def test_wait_and_cancel(api: Api) -> None:
    timed, (other, job) = api.start("monitor.run", wait=3, count=1)[0], api.start("monitor.run")
    api.wait(3 * SECOND_NS)
    assert timed.done_with == {"events": 0, "lost": 0, "ok": False}
    job.cancel(api.clock.now)
    assert other.done_with["ok"] is True
    assert api.stack.ipv4.fib.on_change is None, "nobody listens any more"
    api("link.set", dev="tap0", mtu="1400")


@pytest.mark.parametrize("args", [{"count": 0}, {"count": "x"}, {"wait": -1}, {"link": "yes"}])
def test_bad_arguments(api: Api, args: Row) -> None:
    with pytest.raises(InvalidArgument):
        api.start("monitor.run", **args)
    assert api.stack.ipv4.fib.on_change is None


def test_a_stalled_reader_is_told_what_it_lost_and_slows_nobody(api: Api) -> None:
    stalled, brisk = watch(api, "route"), watch(api, "route")
    stalled.has_room = False
    total = MAX_EVENTS + 1000
    for number in range(total):
        api("route.add", dst=f"11.{number >> 8}.{number & 255}.0/24", via=PEER)
    assert len(brisk.events) == total
    assert len(stalled.feed) <= MAX_EVENTS
    stalled.has_room = True
    stalled.read()
    lost, *rest = stalled.events
    assert lost == {"event": "lost", "count": stalled.feed.lost}
    assert stalled.feed.lost + len(rest) == total
    assert rest == brisk.events[lost["count"] :], "the newest are those that were kept"


def test_a_link_that_goes_ends_nothing(api: Api) -> None:
    seen = watch(api)
    add_interface(
        api.stack.shared, "lo9", "loopback", api.stack.interfaces.loopback.medium, 1500, None
    )
    delete_interface(api.stack.shared, api.stack.interface("lo9"), api.clock.now)
    set_mac(api.stack.shared, api.host.tap, PEER_MAC, api.clock.now)
    assert [row["event"] for row in taken(seen)] == ["link"] * 3


def test_a_prediction_is_no_event(api: Api) -> None:
    seen = watch(api)
    (row,) = api("why.ask", proto="udp", dst=DEAD, dport="9")
    assert row["kind"] == "predicted"
    assert taken(seen) == []
    api.run("udp.send", 0.01, dst=DEAD, port=9, data="aGk=")
    assert [row["event"] for row in taken(seen)][:3] == ["socket", "neigh", "drop"]
