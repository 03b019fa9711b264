"""All changes of a batch, or none."""

from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest

from smolctl.control.changes import changes
from smolctl.errors import DeviceError, InvalidArgument
from tests.kit.host import PEER, ip
from tests.ops.configurations import Changes
from tests.ops.kit import Api, Device
from tests.ops.test_config import bare, looks
from tests.ops.usual import ROWS

BAD = ["addr.add", {"local": "127.0.0.1/8", "dev": "lo"}]
"""A change that every stack of these tests refuses: lo has that address."""
CHANGES = {op: args for op, args in ROWS.items() if changes(op)}
CHANGES["addr.change"] = {"local": "10.0.0.1/24", "dev": "tap0", "broadcast": "+"}
NOT_ATOMIC: dict[str, str] = {}
"""Changes that cannot be taken back, and why."""
_FREE = {"generation", "flows", "flows_generation", "handler", "on_change", "now_ns", "_fib"}
"""What a refused change may touch: what the fast path remembers, and who is told."""


def all_of(thing: Any, seen: set[int]) -> Any:
    """Return everything that can be reached from a thing, as plain values to be compared."""
    if thing is None or isinstance(thing, int | float | str | bytes | Enum):
        return thing
    if isinstance(thing, dict):
        return [(all_of(k, seen), all_of(v, seen)) for k, v in thing.items()]
    if isinstance(thing, list | tuple | deque):
        return [all_of(item, seen) for item in thing]
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
    api("link.set", dev="tap0", delay="1s")
    api.peer.silent.add("arp")
    api.start("udp.send", dst="10.0.0.8", port="9", data="", wait="60")
    api.start("udp.send", dst=PEER, port="9", data="", wait="60")
    return api


def codes(rows: list[dict[str, Any]]) -> list[str]:
    return [row["error"]["code"] if "error" in row else "ok" for row in rows]


@pytest.mark.parametrize("op", sorted(CHANGES.keys() - NOT_ATOMIC.keys()))
def test_after_an_error_nothing_has_changed(op: str) -> None:
    api, other = busy(), busy()
    wanted = [[op, CHANGES[op]], BAD]
    before, packets = everything(api), api.wire[:]
    rows = api("batch.run", commands=wanted, atomic=True)
    assert codes(rows)[-1] == "exists", rows
    assert everything(api) == before
    assert api.wire == packets
    # The change by itself is one: what is compared would show it.
    assert everything(other) == before
    other(op, **CHANGES[op])
    assert everything(other) != before


@pytest.mark.parametrize("seed", range(60))
def test_many_changes_end_as_they_do_one_by_one(seed: int) -> None:
    one, whole = bare(), bare()
    Changes(seed).some(one, 20)
    Changes(seed).some(whole, 20)
    more = Changes(seed + 1000)
    wanted = [more.any() for _ in range(12)]
    good = [[op, args] for op, args in wanted if works(one, op, args)]
    assert codes(whole("batch.run", commands=good, atomic=True)) == ["ok"] * len(good)
    assert looks(whole) == looks(one)
    before = looks(whole)
    assert codes(whole("batch.run", commands=[*good[:3], BAD_EVER], atomic=True))[-1] != "ok"
    assert looks(whole) == before


BAD_EVER = ["link.del", {"dev": "nope"}]


def works(api: Api, op: str, args: dict[str, Any]) -> bool:
    return codes(api("batch.run", commands=[[op, args]])) == ["ok"]


def test_packets_that_wait_are_not_lost_by_what_fails() -> None:
    api = busy()
    down = ["link.set", {"dev": "tap0", "state": "down"}]
    assert codes(api("batch.run", commands=[down, BAD], atomic=True)) == ["ok", "exists"]
    api.peer.silent.clear()
    api.wait(5_000_000_000)
    assert [row for row in api("stats.drops") if row["reason"] == "neigh-queue-purged"] == []


def test_nobody_hears_of_what_was_taken_back() -> None:
    api = Api()
    exchange, _ = api.start("monitor.run", wait="1")
    seen = len(exchange.events)
    up = ["addr.add", {"local": "10.5.0.1/24", "dev": "tap0"}]
    api("batch.run", commands=[up, BAD], atomic=True)
    assert len(exchange.events) == seen
    api("batch.run", commands=[up], atomic=True)
    assert [event["event"] for event in exchange.events[seen:]] == ["addr", *["route"] * 3]


# --- devices --------------------------------------------------------------------------------------


def test_a_device_is_opened_once_and_closed_when_it_was_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log: list[str] = []
    monkeypatch.setattr(Device, "close", lambda self, *, delete: log.append(f"close {delete}"))
    api = Api()
    new = ["link.add", {"name": "t9", "type": "test"}]
    assert codes(api("batch.run", commands=[new, BAD], atomic=True)) == ["ok", "exists"]
    assert log == ["close True"]
    made = Device.__init__

    def opened(self: Device, options: dict[str, Any]) -> None:
        log.append("open")
        made(self, options)

    monkeypatch.setattr(Device, "__init__", opened)
    rows = api("batch.run", commands=[new, ["link.set", {"dev": "t9", "mtu": "1400"}]], atomic=True)
    assert codes(rows) == ["ok", "ok"]
    assert log == ["close True", "open"]
    assert api.one("link.show", dev="t9")["mtu"] == 1400


def test_the_mtu_of_a_device_is_put_back() -> None:
    api = Api()
    small = ["link.set", {"dev": "tap0", "mtu": "900"}]
    rows = api("batch.run", commands=[small, BAD], atomic=True)
    assert codes(rows) == ["ok", "exists"]
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
    rows = api("batch.run", commands=[add, link], atomic=True)
    assert codes(rows) == ["ok", "device"]
    assert everything(api) == before


def test_a_name_is_not_free_before_the_end() -> None:
    api = Api()
    rows = api(
        "batch.run",
        commands=[["link.del", {"dev": "tap0"}], ["link.add", {"name": "tap0", "type": "test"}]],
        atomic=True,
    )
    assert codes(rows) == ["ok", "invalid-argument"]
    assert "tap0 is deleted in the same batch" in rows[1]["error"]["message"]
    assert "tap0" in api.stack.interfaces


def test_atomic_and_force_contradict_each_other() -> None:
    with pytest.raises(InvalidArgument):
        Api()("batch.run", commands=[], atomic=True, force=True)
