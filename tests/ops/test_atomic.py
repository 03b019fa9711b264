"""All changes of a batch, or none."""

from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest

from smolctl.control.changes import changes
from smolctl.errors import ControlError, DeviceError, InvalidArgument
from smolctl.ops.atomic import SLICE_NS
from smolctl.ops.job import NS_PER_S, Job
from smolctl.stack.config.addr import delete_addresses
from tests.kit.amount import amount
from tests.kit.host import PEER, ip
from tests.ops.configurations import Changes
from tests.ops.kit import Api, Device, Exchange
from tests.ops.test_config import bare, looks
from tests.ops.usual import ROWS

BAD = ["addr.add", {"local": "127.0.0.1/8", "dev": "lo"}]
"""A change that every stack of these tests refuses: lo has that address."""
CHANGES = {op: args for op, args in ROWS.items() if changes(op)}
CHANGES["addr.change"] = {"local": "10.0.0.1/24", "dev": "tap0", "broadcast": "+"}
NOT_ATOMIC: dict[str, str] = {}
"""Changes that cannot be taken back, and why."""
_FREE = {"generation", "flows", "flows_generation", "handler", "on_change", "now_ns", "_fib"}
"""State that a refused change may touch: the fast path's memory, and the listeners."""


def all_of(thing: Any, seen: set[int]) -> Any:
    """Return everything that can be reached from a thing, as plain values to be compared."""
    if thing is None or isinstance(thing, int | float | str | bytes | Enum):
        return thing
    if isinstance(thing, dict):
        return [(all_of(k, seen), all_of(v, seen)) for k, v in thing.items()]
    if isinstance(thing, list | tuple | deque):
        # Without the empty places, of which a table of routes has thousands.
        there = ((at, item) for at, item in enumerate(thing) if item is not None)
        return len(thing), [(at, all_of(item, seen)) for at, item in there]
    if isinstance(thing, set | frozenset):
        return sorted(map(repr, thing))
    if callable(thing) or id(thing) in seen:
        return type(thing).__name__
    seen.add(id(thing))
    return [type(thing).__name__, *sorted(fields(thing, seen))]


def fields(thing: Any, seen: set[int]) -> Iterator[tuple[str, str]]:
    names = list(getattr(thing, "__dict__", ()))
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    for name in names:
        if name not in _FREE and hasattr(thing, name):
            yield name, repr(all_of(getattr(thing, name), seen))


def everything(api: Api) -> str:
    return repr(all_of(api.stack, set()))


def busy() -> Api:
    """Return a stack in which something is going on: neighbors, packets that wait, a socket."""
    api = Api()
    api("neigh.add", dst=PEER, lladdr="02:00:00:00:00:0b", dev="tap0")
    api("neigh.add", dst="10.0.0.3", lladdr="02:00:00:00:00:0c", dev="tap0", nud="reachable")
    api("route.add", dst="10.9.0.0/16", via=PEER, metric="7")
    api("maddr.add", address="239.1.2.9", dev="tap0")
    api("nexthop.add", id="7", blackhole=True)
    api("link.set", dev="tap0", delay="1s")
    api.peer.silent.add("arp")
    api.start("udp.send", dst="10.0.0.8", port="9", data="", wait="60")
    api.start("udp.send", dst=PEER, port="9", data="", wait="60")
    api.wait(0)
    return api


def refused(rows: list[dict[str, Any]]) -> tuple[int, str] | None:
    """Return the number of the change because of which none was made, and why; else None."""
    assert not [row for row in rows if "lost" in row]
    last = rows[-1] if rows else {}
    return (last["at"], last["error"]["code"]) if "error" in last else None


@pytest.mark.parametrize("op", sorted(CHANGES.keys() - NOT_ATOMIC.keys()))
def test_after_an_error_nothing_has_changed(op: str) -> None:
    api, other = busy(), busy()
    wanted = [[op, CHANGES[op]], BAD]
    before, packets = everything(api), api.wire[:]
    rows = api.atomic(*wanted)
    assert refused(rows) == (1, "exists"), rows
    assert everything(api) == before
    assert api.wire == packets
    # The change by itself is one: what is compared would show it.
    assert everything(other) == before
    other(op, **CHANGES[op])
    assert everything(other) != before


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(60, 20)))
def test_many_changes_end_as_they_do_one_by_one(seed: int) -> None:
    one, whole = bare(), bare()
    Changes(seed).some(one, 20)
    Changes(seed).some(whole, 20)
    more = Changes(seed + 1000)
    wanted = [more.any() for _ in range(12)]
    good = [[op, args] for op, args in wanted if works(one, op, args)]
    assert refused(whole.atomic(*good)) is None
    assert looks(whole) == looks(one)
    before = looks(whole)
    assert refused(whole.atomic(*good[:3], BAD_EVER)) is not None
    assert looks(whole) == before


BAD_EVER = ["link.del", {"dev": "nope"}]


def works(api: Api, op: str, args: dict[str, Any]) -> bool:
    return "error" not in api("batch.run", commands=[[op, args]])[0]


def test_packets_that_wait_are_not_lost_by_what_fails() -> None:
    api = busy()
    down = ["link.set", {"dev": "tap0", "state": "down"}]
    assert refused(api.atomic(down, BAD)) == (1, "exists")
    api.peer.silent.clear()
    api.wait(5_000_000_000)
    assert [row for row in api("stats.drops") if row["reason"] == "neigh-queue-purged"] == []


def test_nobody_hears_of_what_was_taken_back() -> None:
    api = Api()
    exchange, _ = api.start("monitor.run", wait="1")
    seen = len(exchange.events)
    up = ["addr.add", {"local": "10.5.0.1/24", "dev": "tap0"}]
    api.atomic(up, BAD)
    assert len(exchange.events) == seen
    api.atomic(up)
    assert [event["event"] for event in exchange.events[seen:]] == ["addr", *["route"] * 3]


# --- devices --------------------------------------------------------------------------------------


def test_a_device_is_opened_once_and_closed_when_it_was_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log: list[str] = []
    monkeypatch.setattr(Device, "close", lambda self, *, delete: log.append(f"close {delete}"))
    api = Api()
    new = ["link.add", {"name": "t9", "type": "test"}]
    assert refused(api.atomic(new, BAD)) == (1, "exists")
    assert log == ["close True"]
    made = Device.__init__

    def opened(self: Device, options: dict[str, Any]) -> None:
        log.append("open")
        made(self, options)

    monkeypatch.setattr(Device, "__init__", opened)
    rows = api.atomic(new, ["link.set", {"dev": "t9", "mtu": "1400"}])
    assert refused(rows) is None
    assert log == ["close True", "open"]
    assert api.one("link.show", dev="t9")["mtu"] == 1400


def test_the_mtu_of_a_device_is_put_back() -> None:
    api = Api()
    small = ["link.set", {"dev": "tap0", "mtu": "900"}]
    rows = api.atomic(small, BAD)
    assert refused(rows) == (1, "exists")
    assert api.cables.devices["tap0"].mtu == 1500
    assert ip("10.0.0.1") in [
        item.local for item in api.stack.interface("tap0").ipv4.addresses.items
    ]


def test_a_device_that_refuses_takes_all_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Device:
        raise DeviceError("no such TAP")

    api = busy()
    before = everything(api)
    monkeypatch.setattr(api.cables, "open", refuse)
    add = ["addr.add", {"local": "10.5.0.1/24", "dev": "tap0"}]
    link = ["link.add", {"name": "t9", "type": "test"}]
    rows = api.atomic(add, link)
    assert refused(rows) == (1, "device")
    assert everything(api) == before


def test_a_name_is_not_free_before_the_end() -> None:
    api = Api()
    new = ["link.add", {"name": "tap0", "type": "test"}]
    rows = api.atomic(["link.del", {"dev": "tap0"}], new)
    assert refused(rows) == (1, "invalid-argument")
    assert "tap0 is deleted in the same batch" in rows[0]["error"]["message"]
    assert "tap0" in api.stack.interfaces


def test_atomic_and_force_contradict_each_other() -> None:
    with pytest.raises(InvalidArgument):
        Api()("batch.run", commands=[], atomic=True, force=True)


def test_a_sysctl_of_a_link_that_the_batch_adds() -> None:
    api = Api()
    new = ["link.add", {"name": "t9", "type": "test"}]
    mine = ["sysctl.set", {"key": "t9.arp.ignore", "value": "2"}]
    assert refused(api.atomic(new, mine, BAD)) == (2, "exists")
    assert "t9" not in api.stack.settings.links
    assert refused(api.atomic(new, mine)) is None
    assert api.stack.interface("t9").settings["arp.ignore"] == 2
    gone = ["link.del", {"dev": "t9"}]
    assert refused(api.atomic(gone, mine)) == (1, "no-such-device")
    assert api.stack.settings.links["t9"]["arp.ignore"] == 2


# --- time -----------------------------------------------------------------------------------------


def route(number: int) -> list[Any]:
    return ["route.add", {"dst": f"20.{number >> 8}.{number & 255}.0/24", "via": PEER}]


def routes(api: Api) -> int:
    return sum("gateway" in row for row in api("route.show"))


def begin(api: Api, *commands: Any) -> tuple[Exchange, Job]:
    return api.start("batch.run", commands=list(commands), atomic=True)


def test_many_changes_are_made_in_slices_between_which_packets_pass() -> None:
    api = Api()
    api.a_look_costs_ns = SLICE_NS // 10
    exchange, _ = begin(api, *map(route, range(35)))
    seen = [0]
    while not exchange.ended:
        api._turn()
        seen.append(routes(api))
    assert seen == [0, 10, 20, 30, 35]
    assert exchange.answer == []


def test_few_changes_are_made_between_two_packets() -> None:
    api = Api()
    exchange, _ = begin(api, *map(route, range(50)))
    seen = set()
    while not exchange.ended:
        api._turn()
        seen.add(routes(api))
    assert seen == {50}


def test_one_that_takes_long_is_made_alone() -> None:
    api = Api()
    api.a_look_costs_ns = 2 * SLICE_NS
    exchange, _ = begin(api, *map(route, range(3)))
    turns = 0
    while not exchange.ended:
        api._turn()
        turns += 1
    assert (turns, routes(api)) == (3, 3)


def test_nobody_else_changes_anything_while_they_are_made() -> None:
    api = Api()
    api.a_look_costs_ns = SLICE_NS
    exchange, _ = begin(api, *map(route, range(5)))
    waits = []
    while not exchange.ended:
        waits.append([api.engine.must_wait(op) for op in ("addr.add", "batch.run", "route.show")])
        api._turn()
    assert waits[1:] == [[True, True, False]] * (len(waits) - 1)
    assert not api.engine.must_wait("addr.add")


def test_who_waits_is_told_when_all_are_made() -> None:
    api, opened = Api(), []
    api.engine.gate.on_open = lambda: opened.append(routes(api))
    api.a_look_costs_ns = SLICE_NS
    api.atomic(*map(route, range(5)))
    assert opened == [5]


def test_a_change_of_another_during_the_trial_lets_it_be_repeated() -> None:
    api = Api()
    api.copies_take_ns = NS_PER_S
    exchange, _ = begin(api, route(1), route(2))
    api("route.add", dst="20.0.2.0/24", via=PEER)
    api.wait(NS_PER_S)
    assert (exchange.ended, routes(api)) == (False, 1)
    assert api.engine.must_wait("route.add")  # or it might be repeated for ever
    api.wait(NS_PER_S)
    assert refused(exchange.answer) == (1, "exists")
    assert routes(api) == 1
    assert not api.engine.must_wait("route.add")


def test_a_change_of_another_that_does_no_harm_costs_time_only() -> None:
    api = Api()
    api.copies_take_ns = NS_PER_S
    new = ["link.add", {"name": "t9", "type": "test"}]
    exchange, _ = begin(api, new, route(1))
    api("route.add", dst="20.0.2.0/24", via=PEER)
    api.wait(2 * NS_PER_S)
    assert exchange.done_with == {}
    assert (refused(exchange.answer), routes(api)) == (None, 2)
    assert "t9" in api.stack.interfaces


def test_two_at_once_are_made_one_after_the_other() -> None:
    api = Api()
    api.copies_take_ns, api.a_look_costs_ns = NS_PER_S, SLICE_NS
    first, _ = begin(api, *map(route, range(5)))
    other, _ = begin(api, *map(route, range(4, 8)))
    third, _ = begin(api, *map(route, range(10, 13)))
    api.wait(5 * NS_PER_S)
    assert [refused(each.answer) for each in (first, other, third)] == [None, (0, "exists"), None]
    assert routes(api) == 5 + 3


def test_the_client_hears_that_it_is_worked_for() -> None:
    api = Api()
    api.copies_take_ns = 7 * NS_PER_S // 2
    exchange, _ = begin(api, route(1))
    api.wait(3 * NS_PER_S)
    assert exchange.signs_of_life == 3
    api.wait(NS_PER_S)
    assert exchange.ended


def test_a_client_that_leaves_during_the_trial_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    monkeypatch.setattr(Device, "close", lambda self, *, delete: log.append(f"close {delete}"))
    api = Api()
    api.copies_take_ns = NS_PER_S
    _, job = begin(api, ["link.add", {"name": "t9", "type": "test"}], route(1))
    job.close(api.clock.now)
    assert (api.copies, log) == ([], ["close True"])
    api.wait(2 * NS_PER_S)
    assert (routes(api), "t9" in api.stack.interfaces) == (0, False)
    assert not api.engine.must_wait("route.add")


def test_what_has_begun_is_made_though_the_client_leaves() -> None:
    api = Api()
    api.a_look_costs_ns = SLICE_NS
    _, job = begin(api, *map(route, range(6)))
    api._turn()
    api._turn()
    assert 0 < routes(api) < 6
    job.cancel(api.clock.now)
    job.close(api.clock.now)
    assert api.engine.must_wait("route.add")
    api.wait(NS_PER_S)
    assert routes(api) == 6
    assert not api.engine.must_wait("route.add")


def test_a_trial_can_be_cancelled() -> None:
    api = Api()
    api.copies_take_ns = NS_PER_S
    exchange, job = begin(api, route(1))
    job.cancel(api.clock.now)
    assert exchange.error is not None
    assert exchange.error.code == "interrupted"
    api.wait(2 * NS_PER_S)
    assert routes(api) == 0


def test_what_is_lost_meanwhile_is_told_and_the_rest_is_made() -> None:
    api = Api()
    api.copies_take_ns = NS_PER_S
    other = ["route.add", {"dst": "10.9.0.0/16", "dev": "lo"}]
    exchange, _ = begin(api, route(1), other)
    tap0 = api.stack.interface("tap0")
    # As when another host has the address (RFC 5227 2.4).
    delete_addresses(api.stack.ipv4, tap0, tap0.ipv4.addresses.items[:1], api.clock.now)
    api.wait(NS_PER_S)
    (row,) = exchange.answer
    assert (row["at"], row["lost"]["code"]) == (0, "network-unreachable")
    assert [row["dst"] for row in api("route.show")] == ["10.9.0.0/16"]


def test_a_change_that_has_rows_gives_them() -> None:
    api = Api()
    rows = api.atomic(route(1), ["route.del", {"dst": "20.0.1.0/24"}])
    assert [(row["at"], [gone["dst"] for gone in row["rows"]]) for row in rows] == [
        (1, ["20.0.1.0/24"])
    ]


def test_what_is_no_change_is_refused_and_so_are_the_others() -> None:
    api = Api()
    with pytest.raises(InvalidArgument, match="does not change"):
        api.atomic(route(1), ["route.show", {}])
    with pytest.raises(ControlError, match="no operation"):
        api.atomic(route(1), ["frob.add", {}])
    error = api.run("batch.run", commands="[", atomic=True).error
    assert "list of operations" in str(error)
    assert routes(api) == 0
