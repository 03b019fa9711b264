"""``config save``: what it prints makes the same stack again."""

import pytest

from smolctl.cli.nouns.config import Wording
from smolctl.cli.session import Session
from smolctl.cli.words.command import Request
from smolctl.cli.words.finder import Finder
from smolctl.cli.words.lines import split
from smolctl.cli.words.options import Options
from smolctl.control.changes import changes
from smolctl.ops.config import SAVERS
from smolctl.ops.operations import OPS
from smolctl.stack.fib.nexthop import Multipath
from tests.kit.amount import amount
from tests.kit.clock import SECOND_NS
from tests.ops.configurations import Changes
from tests.ops.kit import Api, Row

UNSAVED: dict[str, str] = {}
"""Nouns with changes that are no part of a stack's configuration, and why."""


TESTED_NS = 10 * SECOND_NS
"""Time at which all tests of addresses are over."""


def bare() -> Api:
    """Return a stack as a daemon begins with it."""
    api = Api()
    api("link.del", dev="tap0")
    return api


def saved(api: Api) -> list[str]:
    wording = Wording()
    rows = api("config.save")
    assert [row for row in rows if "error" in row] == []
    return [wording.command(row["op"], row["args"]) for row in rows]


def run(api: Api, commands: list[str]) -> None:
    """Run commands as ``batch`` does."""
    finder = Finder()
    for command in commands:
        session = Session(Options())
        verb, args = finder.find(session, split(command))
        assert isinstance(verb.run, Request)
        plan = verb.run.asked(args, session.options)
        assert changes(plan.op)
        api(plan.op, **plan.args)


def looks(api: Api) -> list[Row]:
    """Return all that there is to see of a stack's configuration."""
    rows = [{**of_waiting_tests(row), "ifindex": 0} for row in api("addr.show")]
    rows += [{**row, "ifindex": 0} for row in api("link.show")]
    rows = [row | of_the_link_below(api, row["ifname"]) for row in rows]
    rows += of_links_together([living(row) for row in api("route.show", table="all")])
    rows += api("rule.show") + api("rule.show", family="inet6")
    rows += sorted(api("addrlabel.show"), key=str)  # prefixes of one length are in no order
    rows += api("neigh.show", nud="permanent") + api("neigh.show", proxy=True)
    rows += api("nexthop.show")
    rows += [
        # IPv6 groups stand in the order in which addresses were added, and no copy has that.
        {**row, "ifindex": 0, "maddr": sorted(row["maddr"], key=str)}
        for row in api("maddr.show")
    ]
    scopes = (None, "default", *(row["ifname"] for row in api("link.show")))
    sysctls = (row for scope in scopes for row in api("sysctl.show", key=scope))
    return rows + [{"key": row["key"], "value": row["value"]} for row in sysctls]


def of_links_together(rows: list[Row]) -> list[Row]:
    """Return routes; what links bring to one IPv6 prefix stands in the order in which they came up.

    In a copy that is the order of the links.
    """

    def key(place: int) -> tuple[int, str]:
        row = rows[place]
        if row.get("protocol") != "kernel" or "pref" not in row:
            return place, ""
        like = [row.get(name) for name in ("dst", "table", "metric")]
        first = next(
            at
            for at, other in enumerate(rows)
            if [other.get(name) for name in ("dst", "table", "metric")] == like
        )
        return first, str(row["dev"])

    return [rows[place] for place in sorted(range(len(rows)), key=key)]


def living(row: Row) -> Row:
    """Return a route without what its next hops are like just now, as links are up or down."""
    for hop in row.get("nexthops", ()):
        hop["flags"] = [flag for flag in hop["flags"] if flag not in ("dead", "linkdown")]
    return row


def of_the_link_below(api: Api, name: str) -> Row:
    """Return the MAC that a VLAN which is down will have when it comes up."""
    vlan = api.stack.interface(name).vlan
    down = vlan is not None and not vlan.own_mac and not api.stack.interface(name).up
    return {"address": "that of the link below"} if down else {}


def of_waiting_tests(row: Row) -> Row:
    """Return a link without who asked for the tests of its addresses, when these wait for it.

    A sysctl did, as it was then; for the copy it is a word of each address.
    """
    if "UP" not in row["flags"]:
        for address in row["addr_info"]:
            address.pop("dad", None)
            address.pop("nodad", None)
    return row


def has_gateway_that_became_ours(api: Api) -> bool:
    """Whether a route goes by a gateway that was another host, and then became this one.

    In the copy it is this one from the beginning, which ``config save`` has other words for.
    """
    for route in api.stack.ipv4.fib:
        for hop in route.hops if isinstance(route, Multipath) else (route,):
            near = hop.via is not None and not hop.on_link and not hop.onlink
            if near and api.stack.ipv4.fib.is_local(hop.via or 0):
                return True
    return False


def copied(original: Api) -> tuple[list[str], Api]:
    """See that the saved commands make a copy that looks the same; return them and the copy."""
    copy = bare()
    original.wait(TESTED_NS)
    commands = saved(original)
    run(copy, commands)
    copy.wait(TESTED_NS)
    assert looks(copy) == looks(original), commands
    return commands, copy


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(200, 60)))
def test_a_copy_of_any_stack_is_the_same(seed: int) -> None:
    original = bare()
    Changes(seed).some(original, 10 + seed % 50)
    commands, copy = copied(original)
    if not has_gateway_that_became_ours(original):
        assert saved(copy) == commands


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(100, 30)))
def test_a_copy_of_any_ipv6_stack_is_the_same(seed: int) -> None:
    original = bare()
    Changes(seed, ipv6=True).some(original, 10 + seed % 40)
    commands, copy = copied(original)
    assert saved(copy) == commands


def test_a_fresh_stack_has_nothing_to_save() -> None:
    assert saved(bare()) == []


@pytest.mark.parametrize("waited", [0, 1, 3, TESTED_NS // SECOND_NS])
def test_a_link_local_address_is_not_saved_while_it_is_tested_or_later(waited: int) -> None:
    api = bare()
    run(api, ["link add eth0 type test"])
    api.wait(waited * SECOND_NS)
    assert any(
        each["local"].startswith("fe80") for each in api("addr.show", dev="eth0")[0]["addr_info"]
    )
    assert not [command for command in saved(api) if not command.startswith("link add")]


def test_every_noun_with_changes_is_saved() -> None:
    nouns = {op.partition(".")[0] for op in OPS if changes(op)}
    assert nouns == {noun for noun, _ in SAVERS} | UNSAVED.keys()
    assert all(len(why.split()) >= 3 for why in UNSAVED.values())


def test_groups_that_were_joined_by_hand_are_saved() -> None:
    original, copy = bare(), bare()
    for api in (original, copy):
        api("link.add", name="tap1", type="test")
    for group, dev in (("239.1.2.3", "tap1"), ("239.1.2.2", "tap1"), ("239.1.2.3", "lo")):
        original("maddr.add", address=group, dev=dev)
    commands = saved(original)
    assert [line for line in commands if line.startswith("maddr")] == [
        "maddr add 239.1.2.3 dev lo",
        "maddr add 239.1.2.3 dev tap1",
        "maddr add 239.1.2.2 dev tap1",
    ]
    run(copy, [line for line in commands if not line.startswith("link")])
    groups = [row["maddr"] for row in original("maddr.show")]
    assert [row["maddr"] for row in copy("maddr.show")] == groups


def test_address_labels_of_a_link_go_with_it() -> None:
    api = bare()
    usual = api("addrlabel.show")
    api("link.add", name="t1", type="test")
    api("addrlabel.add", prefix="2001:db8::/32", label="99", dev="t1")
    api("link.del", dev="t1")
    assert api("addrlabel.show") == usual
    assert saved(api) == []


def test_proxy_entries_and_what_is_tested_are_saved() -> None:
    original, copy = bare(), bare()
    for api in (original, copy):
        api("link.add", name="t1", type="test", address="02:00:00:00:00:31")
    original("neigh.add", proxy="10.7.0.9", dev="t1")
    original("addr.add", local="10.0.0.1/24", dev="t1", dad=True)
    original("addr.add", local="10.0.0.2/24", dev="t1", nodad=True)
    for line in (commands := saved(original)):
        if not line.startswith("link add"):
            run(copy, [line])
    assert "neigh add proxy 10.7.0.9 dev t1" in commands
    assert "addr add 10.0.0.1/24 dev t1 dad" in commands
    assert "addr add 10.0.0.2/24 dev t1 nodad" in commands
    assert looks(copy) == looks(original)


def test_a_neighbor_with_a_group_mac_as_of_a_cluster_is_taken_and_saved() -> None:
    api = Api()
    cluster = {"dst": "10.0.0.50", "lladdr": "03:bf:0a:00:00:32", "dev": "tap0"}
    api("neigh.add", **cluster)
    (row,) = [row for row in api("neigh.show") if row["dst"] == "10.0.0.50"]
    assert (row["lladdr"], row["state"]) == (cluster["lladdr"], ["PERMANENT"])
    saved = [row["args"] for row in api("config.save") if row["op"].startswith("neigh")]
    assert saved == [cluster]
