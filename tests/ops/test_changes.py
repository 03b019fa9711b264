"""Changes, lists and flushes by addr, route, neigh, link and sysctl."""

from typing import Any

import pytest

from smolctl.errors import SmolctlError
from tests.kit.host import DEAD, OURS, PEER
from tests.ops.kit import Api, Row

MAC = "02:00:00:00:00:09"


@pytest.fixture
def api() -> Api:
    return Api()


def refused(api: Api, op: str, **args: Any) -> SmolctlError:
    with pytest.raises(SmolctlError) as caught:
        api(op, **args)
    return caught.value


def addresses(api: Api, **args: Any) -> list[str]:
    """Return the addresses that ``addr show`` shows with these selectors."""
    rows = api("addr.show", family="inet", **args)
    return [f"{info['local']}/{info['prefixlen']}" for row in rows for info in row["addr_info"]]


def routes(api: Api, **args: Any) -> list[str]:
    return [row["dst"] for row in api("route.show", **args)]


# --- addr -----------------------------------------------------------------------------------------


def test_an_address_comes_and_goes(api: Api) -> None:
    api("addr.add", local="10.5.0.1/24", dev="tap0")
    assert addresses(api, dev="tap0") == ["10.0.0.1/24", "10.5.0.1/24"]
    (gone,) = api("addr.del", local="10.5.0.1/24", dev="tap0")
    assert (gone["dev"], gone["local"]) == ("tap0", "10.5.0.1")
    assert addresses(api, dev="tap0") == ["10.0.0.1/24"]


def test_an_address_without_a_length_is_a_host(api: Api) -> None:
    api("addr.add", local="10.5.0.1", dev="tap0")
    assert addresses(api, dev="tap0") == ["10.0.0.1/24", "10.5.0.1/32"]


def test_deleting_a_primary_tells_which_secondaries_went(api: Api) -> None:
    api("addr.add", local="10.0.0.3/24", dev="tap0")
    rows = api("addr.del", local="10.0.0.1", dev="tap0")
    assert [row["local"] for row in rows] == ["10.0.0.1", "10.0.0.3"]


def test_addr_errors_say_what_to_do(api: Api) -> None:
    error = refused(api, "addr.add", local="10.0.0.1/24", dev="tap0")
    assert (error.code, error.errno_name) == ("exists", "EEXIST")
    assert error.hint == "smolctl addr replace 10.0.0.1/24 dev tap0"
    for op in ("addr.del", "addr.change"):
        error = refused(api, op, local="10.0.0.1/25", dev="tap0")
        assert (error.code, error.hint) == ("not-found", "smolctl addr show dev tap0")
    assert refused(api, "addr.add", local="10.0.0.1/24", dev="tap7").code == "no-such-device"


def test_replace_adds_or_changes(api: Api) -> None:
    for local in ("10.0.0.1/24", "10.5.0.1/24"):
        api("addr.replace", local=local, dev="tap0", label="tap0:x", scope="link")
    infos = api("addr.show", dev="tap0", family="inet")[0]["addr_info"]
    assert [(info["label"], info["scope"]) for info in infos] == [("tap0:x", "link")] * 2


@pytest.mark.parametrize(
    ("selectors", "shown"),
    [
        ({}, ["127.0.0.1/8", "10.0.0.1/24", "10.5.0.1/16"]),
        ({"dev": "lo"}, ["127.0.0.1/8"]),
        ({"to": "10.0.0.1"}, ["10.0.0.1/24"]),
        ({"to": "10.0.0.0/8"}, ["10.0.0.1/24", "10.5.0.1/16"]),
        ({"to": "10.5.0.1/32"}, ["10.5.0.1/16"]),
        ({"scope": "host"}, ["127.0.0.1/8"]),
        ({"label": "tap0:x"}, ["10.5.0.1/16"]),
        ({"up": True}, ["127.0.0.1/8", "10.0.0.1/24", "10.5.0.1/16"]),
        ({"to": "9.9.9.9"}, []),
    ],
)
def test_addr_selectors(api: Api, selectors: Row, shown: list[str]) -> None:
    api("addr.add", local="10.5.0.1/16", dev="tap0", label="tap0:x")
    assert addresses(api, **selectors) == shown
    if selectors.keys() - {"up"}:
        gone = api("addr.flush", family="inet", **selectors)
        assert [f"{row['local']}/{row['prefixlen']}" for row in gone] == shown
        assert addresses(api, **selectors) == []


def test_a_link_without_addresses_is_shown_unless_addresses_are_selected(api: Api) -> None:
    api("link.add", name="tap1", type="test")
    assert [row["ifname"] for row in api("addr.show")] == ["lo", "tap0", "tap1"]
    assert [row["ifname"] for row in api("addr.show", scope="global")] == ["tap0"]


# --- route ----------------------------------------------------------------------------------------

SOME_ROUTES: list[Row] = [
    {"dst": "default", "via": PEER, "metric": "100"},
    {"dst": "10.0.0.0/8", "via": PEER, "protocol": "static"},
    {"dst": "10.0.0.128/25", "dev": "tap0", "src": OURS},
    {"dst": "192.168.0.0/16", "type": "blackhole"},
]


@pytest.mark.parametrize(
    ("selectors", "shown"),
    [
        ({"root": "10.0.0.0/8"}, ["10.0.0.0/24", "10.0.0.0/8", "10.0.0.128/25"]),
        ({"match": "10.0.0.200"}, ["default", "10.0.0.0/24", "10.0.0.0/8", "10.0.0.128/25"]),
        ({"exact": "10.0.0.0/8"}, ["10.0.0.0/8"]),
        ({"exact": "default"}, ["default"]),
        ({"dev": "lo"}, []),
        ({"via": PEER}, ["default", "10.0.0.0/8"]),
        ({"protocol": "static"}, ["10.0.0.0/8"]),
        ({"protocol": "4"}, ["10.0.0.0/8"]),
        ({"protocol": "kernel"}, ["10.0.0.0/24"]),
        ({"scope": "link"}, ["10.0.0.0/24", "10.0.0.128/25"]),
        ({"type": "blackhole"}, ["192.168.0.0/16"]),
        ({"src": OURS}, ["10.0.0.0/24", "10.0.0.128/25"]),
        ({"metric": "100"}, ["default"]),
        ({"table": "main", "root": "192.0.0.0/8"}, ["192.168.0.0/16"]),
    ],
)
def test_route_selectors(api: Api, selectors: Row, shown: list[str]) -> None:
    for args in SOME_ROUTES:
        api("route.add", **args)
    assert routes(api, **selectors) == shown
    gone = [row["dst"] for row in api("route.flush", **selectors)]
    assert gone == shown
    assert routes(api, **selectors) == []


def test_local_and_broadcast_routes_are_in_their_own_table(api: Api) -> None:
    assert routes(api, type="local") == [OURS, "127.0.0.0/8", "127.0.0.1"]
    assert routes(api, type="broadcast") == ["10.0.0.255", "127.255.255.255"]
    assert routes(api, table="local") == routes(api, table="255")
    assert set(routes(api, table="all", family="inet")) == {
        *routes(api),
        *routes(api, table="local"),
    }


def test_route_errors_say_what_to_do(api: Api) -> None:
    error = refused(api, "route.add", dst="10.0.0.0/24", dev="tap0")
    assert (error.code, error.errno_name) == ("exists", "EEXIST")
    assert error.message.startswith("10.0.0.0/24: ")
    error = refused(api, "route.change", dst="10.9.0.0/24", dev="tap0")
    assert (error.code, error.errno_name) == ("not-found", "ESRCH")
    error = refused(api, "route.add", dst="default", via="9.9.9.9")
    assert (error.code, error.errno_name) == ("network-unreachable", "ENETUNREACH")
    assert refused(api, "route.del", dst="10.9.0.0/24").code == "not-found"
    assert refused(api, "route.get", dst="9.9.9.9").code == "tx-no-route"


def test_append_and_replace_keep_the_order(api: Api) -> None:
    for via in ("10.0.0.2", "10.0.0.3"):
        api("route.append", dst="default", via=via)
    api("route.replace", dst="default", via="10.0.0.4")
    assert [row.get("gateway") for row in api("route.show", exact="default")] == [
        "10.0.0.4",
        "10.0.0.3",
    ]
    (gone,) = api("route.del", dst="default")
    assert gone["gateway"] == "10.0.0.4"
    api("route.del", dst="default", via="10.0.0.3")


@pytest.mark.parametrize(
    ("given", "gone"),
    [({}, True), ({"metric": "100"}, True), ({"metric": "0"}, False), ({"via": PEER}, True),
     ({"dev": "lo"}, False), ({"type": "unicast"}, True), ({"scope": "link"}, False),
     ({"src": OURS}, False), ({"protocol": "boot"}, True)],
)  # fmt: skip
def test_a_route_is_deleted_when_all_that_is_given_agrees(api: Api, given: Row, gone: bool) -> None:
    api("route.add", **SOME_ROUTES[0])
    if gone:
        assert api.one("route.del", dst="default", **given)["metric"] == 100
    else:
        assert refused(api, "route.del", dst="default", **given).code == "not-found"


# --- neigh ----------------------------------------------------------------------------------------


def states(api: Api, **args: Any) -> dict[str, str]:
    return {row["dst"]: row["state"][0] for row in api("neigh.show", **args)}


def test_a_neighbor_comes_changes_and_goes(api: Api) -> None:
    api("neigh.add", dst=PEER, lladdr=MAC, dev="tap0")
    assert api.one("neigh.get", dst=PEER, dev="tap0") == {
        "dst": PEER,
        "dev": "tap0",
        "lladdr": MAC,
        "state": ["PERMANENT"],
    }
    api("neigh.change", dst=PEER, dev="tap0", nud="stale")
    assert states(api) == {PEER: "STALE"}
    api("neigh.replace", dst=DEAD, lladdr=MAC, dev="tap0", nud="reachable")
    api("neigh.del", dst=PEER, dev="tap0")
    assert states(api) == {DEAD: "REACHABLE"}


def test_neigh_errors_say_what_to_do(api: Api) -> None:
    api("neigh.add", dst=PEER, lladdr=MAC, dev="tap0", nud="failed")
    error = refused(api, "neigh.add", dst=PEER, lladdr=MAC, dev="tap0")
    assert error.code == "exists"
    assert error.hint == f"smolctl neigh replace {PEER} lladdr {MAC} dev tap0"
    assert "FAILED" in error.message
    for op in ("neigh.change", "neigh.del", "neigh.get"):
        assert refused(api, op, dst=DEAD, dev="tap0", **mac_for(op)).code == "not-found"
    api("sysctl.set", key="iface.neighbor_cache_count", value="1")
    api("neigh.replace", dst=PEER, lladdr=MAC, dev="tap0")
    assert refused(api, "neigh.add", dst=DEAD, lladdr=MAC, dev="tap0").code == "no-buffers"


def mac_for(op: str) -> Row:
    return {"lladdr": MAC} if op == "neigh.change" else {}


@pytest.mark.parametrize(
    ("selectors", "shown", "flushed"),
    [
        ({"dev": "tap0"}, 3, 2),
        ({"to": "10.0.0.8/29"}, 1, 1),
        ({"nud": "stale"}, 1, 1),
        ({"nud": "permanent"}, 1, 1),
        ({"nud": "all"}, 3, 3),
        ({"dev": "lo"}, 0, 0),
    ],
)
def test_neigh_selectors(api: Api, selectors: Row, shown: int, flushed: int) -> None:
    for dst, nud in ((PEER, "permanent"), (DEAD, "stale"), ("10.0.0.3", "reachable")):
        api("neigh.add", dst=dst, lladdr=MAC, dev="tap0", nud=nud)
    assert len(api("neigh.show", **selectors)) == shown
    # Static entries go only when they are asked for by their state.
    assert len(api("neigh.flush", **selectors)) == flushed
    assert len(api("neigh.show", **selectors)) == shown - flushed


def test_lo_has_no_neighbors(api: Api) -> None:
    with pytest.raises(SmolctlError, match="lo has no neighbors"):
        api("neigh.add", dst="127.0.0.2", lladdr="02:00:00:00:00:0b", dev="lo")


def test_a_deleted_neighbor_frees_what_waited_for_it(api: Api) -> None:
    exchange, _ = api.start("udp.send", dst=DEAD, port="9")
    api("neigh.del", dst=DEAD, dev="tap0")
    api.wait(0, until=lambda: exchange.ended)
    assert exchange.of("failed")[0]["reason"] == "neigh-queue-purged"


def test_setting_a_neighbor_sends_what_waited_for_it(api: Api) -> None:
    exchange, _ = api.start("udp.send", dst=DEAD, port="9", wait="0")
    api("neigh.replace", dst=DEAD, lladdr=MAC, dev="tap0")
    api.wait(0, until=lambda: exchange.ended)
    assert exchange.done_with["ok"]


# --- link and sysctl ------------------------------------------------------------------------------


def test_a_link_comes_changes_and_goes(api: Api) -> None:
    api("link.add", name="tap1", type="test", mtu="1400", address="02:00:00:00:00:10")
    (row,) = api("link.show", dev="tap1")
    assert (row["mtu"], row["address"], row["operstate"]) == (1400, "02:00:00:00:00:10", "UP")
    api("link.set", dev="tap1", mtu="576", address="02:00:00:00:00:11", state="down")
    (row,) = api("link.show", dev="tap1")
    assert (row["mtu"], row["address"], row["operstate"]) == (576, "02:00:00:00:00:11", "DOWN")
    assert "UP" not in row["flags"]
    api("link.del", dev="tap1")
    assert refused(api, "link.show", dev="tap1").code == "no-such-device"


def test_a_loopback_needs_no_device(api: Api) -> None:
    api("link.add", name="lo1", type="loopback")
    api("addr.add", local="192.168.7.1/24", dev="lo1")
    assert api.run("ping.run", dst="192.168.7.77", count="1").done_with["ok"]


def test_a_sysctl_works_at_once(api: Api) -> None:
    api("sysctl.set", key="neigh.mcast_solicit", value="1")
    start = api.clock.now
    assert not api.run("udp.send", dst=DEAD, port="9").done_with["ok"]
    assert api.clock.now - start == 1_000_000_000
    error = refused(api, "sysctl.set", key="neigh.mcast", value="1")
    assert (error.code, error.hint) == ("not-found", 'did you mean "neigh.mcast_solicit"?')


@pytest.mark.parametrize(
    ("op", "words", "hint"),
    [
        ("neigh.add", {"proxy": "10.0.0.9", "dev": "tap0", "nud": "stale"},
         "smolctl neigh add proxy 10.0.0.9 dev tap0"),
        ("why.ask", {"proto": "udp", "dst": "8.8.8.8"}, "smolctl why udp 8.8.8.8:PORT"),
        ("why.ask", {"proto": "udp", "src": "10.0.0.1", "dst": "8.8.8.8"},
         "smolctl why udp 10.0.0.1 8.8.8.8:PORT"),
        ("sysctl.set", {"key": "ip.forward", "value": "2"}, "smolctl sysctl ip.forward=1"),
        ("sysctl.set", {"key": "ip.default_ttl", "value": "256"},
         "smolctl sysctl ip.default_ttl=255"),
        ("sysctl.set", {"key": "ip.default_ttl", "value": "x"},
         "smolctl sysctl ip.default_ttl=64"),
    ],
)  # fmt: skip
def test_a_hint_has_the_words_that_were_said(
    api: Api, op: str, words: dict[str, str], hint: str
) -> None:
    assert refused(api, op, **words).hint == hint
