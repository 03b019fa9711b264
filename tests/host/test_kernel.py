"""The reading of a namespace beside iproute2's: every field that ``ip -j`` prints."""

import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from smolctl.host import reading, rows
from smolctl.host.neighbors import STATES
from smolctl.host.reading import HostState
from smolctl.wire.address import format_address, parse_address
from tests.host.world import World
from tests.kit.netns import require_root_and

pytestmark = pytest.mark.netns

OURS = {"unknown", "mtu_lock", "locks"}
"""Keys that ip has not."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    require_root_and()
    made = World()
    yield made
    made.close()


@pytest.fixture(scope="module")
def state(world: World) -> HostState:
    return reading.read(world.netns.name)


def canonical(found: Iterable[dict[str, Any]], *without: str) -> list[list[tuple[str, str]]]:
    """Return rows in an order that is the same for both; a word alone is null or true."""
    skipped = OURS | set(without)
    return sorted(
        sorted((key, "None" if value is True else repr(value)) for key, value in row.items()
               if key not in skipped)
        for row in found
    )  # fmt: skip


def test_this_kernel_took_nearly_everything(world: World) -> None:
    # The oracle is of no use for what is not there; what may be missing is known.
    may = ("resilient", "dscp", "l3mdev", "nexthop", "nhid", "br0", "mv0", "t0", "t1")
    assert [each for each in world.refused if not any(word in each for word in may)] == []


def test_routes(world: World, state: HostState) -> None:
    said = world.ip("-4", "route", "show", "table", "all")
    said += world.ip("-6", "route", "show", "table", "all")
    found = canonical(rows.route_rows(state), "expires")
    assert found == canonical(said, "expires")
    expiring = [each for each in state.routes if each.expires is not None]
    assert [60_000 - 3_000 <= (each.expires or 0) <= 60_000 for each in expiring].count(True) == 1


def test_locks_of_metrics(state: HostState) -> None:
    route = next(each for each in state.routes if each.dst == parse_address("10.20.0.0"))
    assert route.locked == {2}
    assert dict(route.metrics)[2] == 1300


def test_rules(world: World, state: HostState) -> None:
    said = world.ip("rule") + world.ip("-6", "rule")
    assert canonical(rows.rule_rows(state), "family") == canonical(said)


def test_addresses(world: World, state: HostState) -> None:
    # A second may pass between the two: lifetimes are compared below.
    def sorted_out(found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in found:
            infos = [each for each in row["addr_info"] if not each.get("dynamic")]
            yield row | {"addr_info": [sorted(each.items()) for each in infos]}

    assert canonical(sorted_out(rows.address_rows(state))) == canonical(
        sorted_out(world.ip("addr"))
    )
    dynamic = [each for each in state.addresses if each.valid is not None]
    assert [each.preferred or 0 for each in dynamic] == [pytest.approx(500, abs=60), 0]
    assert [each.valid for each in dynamic] == [pytest.approx(1000, abs=60)] * 2


def test_links(world: World, state: HostState) -> None:
    found = list(rows.link_rows(state))
    details = {"linkinfo", "promiscuity"}
    assert canonical(found, *details) == canonical(world.ip("link"))
    for row, said in zip(found, world.ip("-d", "link"), strict=True):
        assert row.get("promiscuity", 0) == said["promiscuity"]
        info, its = row.get("linkinfo", {}), said.get("linkinfo", {})
        data, its_data = info.pop("info_data", {}), its.pop("info_data", {})
        its.pop("info_slave_data", None)
        assert info == its
        assert data == {key: its_data[key] for key in data}


def test_neighbors(world: World, state: HostState) -> None:
    # Probes go on meanwhile.
    def settled(found: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        moving = {"INCOMPLETE", "DELAY", "PROBE", "FAILED", "REACHABLE", "STALE"}
        for row in found:
            if not row["dst"].startswith("ff"):  # groups: their reports go on, too
                yield row | ({"state": "moving"} if moving & set(row["state"]) else {})

    said = world.ip("neigh", "show", "nud", "all")
    assert canonical(settled(rows.neighbor_rows(state))) == canonical(settled(said))
    states = {
        format_address(each.dst): STATES[each.state] for each in state.neighbors if each.family == 2
    }
    assert states["10.0.0.10"] == "permanent"
    assert states["10.0.0.11"] == "reachable"
    assert states["10.0.0.12"] == "stale"
    assert states["10.0.0.13"] == "noarp"


def test_proxies(world: World, state: HostState) -> None:
    assert canonical(rows.proxy_rows(state)) == canonical(world.ip("neigh", "show", "proxy"))


def test_nexthops(world: World, state: HostState) -> None:
    assert canonical(rows.nexthop_rows(state)) == canonical(world.ip("nexthop"))


def test_groups(world: World, state: HostState) -> None:
    assert canonical(rows.group_rows(state)) == canonical(world.ip("maddr"))


def test_every_attribute_of_this_kernel_is_known(state: HostState) -> None:
    links: Iterable[Any] = (*state.links, *state.addresses, *state.neighbors, *state.proxies)
    ways: Iterable[Any] = (*state.routes, *state.rules, *state.nexthops)
    assert [each for each in (*links, *ways) if each.unknown] == []


def test_nothing_changed_meanwhile(state: HostState) -> None:
    assert state.settled
    assert pickle.loads(pickle.dumps(state)) == state
