"""Changes by a user, and their effects; a refused one has none."""

from collections.abc import Callable
from typing import Any

import pytest

from smolctl.errors import (
    AlreadyExists,
    InterfaceDown,
    InvalidArgument,
    NetworkUnreachable,
    NoSuchDevice,
    NotFound,
    StackError,
)
from smolctl.stack.config.addr import change_address
from smolctl.stack.config.link import (
    add_interface,
    delete_interface,
    set_carrier,
    set_mac,
    set_mtu,
    set_up,
)
from smolctl.stack.config.route import add_route, delete_route
from smolctl.stack.fib.route import InsertMode, Route, RouteType, Scope, TableName
from smolctl.stack.interface import MTU_MAX, Medium
from smolctl.stack.ip.addresses import Address
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC
from smolctl.wire.ipv4 import MIN_MTU
from tests.kit.clock import SECOND_NS
from tests.kit.host import DEAD, OTHER_MAC, OUR_MAC, PEER, Host, ip, text, udp_frame


@pytest.fixture
def host() -> Host:
    return Host()


def prefixes(host: Host) -> list[str]:
    """Return the prefixes of the routes that were not derived."""
    return [
        f"{text(route.prefix)}/{route.plen}"
        for route in host.stack.ipv4.fib
        if route.protocol != "kernel"
    ]


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", InvalidArgument),
        ("x" * 16, InvalidArgument),
        ("é" * 8, InvalidArgument),
        (".", InvalidArgument),
        ("..", InvalidArgument),
        ("a/b", InvalidArgument),
        ("a:b", InvalidArgument),
        ("a b", InvalidArgument),
        ("a\n", InvalidArgument),
        ("lo", AlreadyExists),
        ("tap0", AlreadyExists),
    ],
)
def test_an_interface_needs_a_good_name(host: Host, name: str, error: type[StackError]) -> None:
    with pytest.raises(error):
        host.link(name)
    assert list(host.stack.interfaces) == ["lo", "tap0"]


@pytest.mark.parametrize("name", ["x" * 15, "é" * 7, "a.b", "-"])
def test_other_names_are_fine(host: Host, name: str) -> None:
    assert host.link(name) is host.dev(name)


@pytest.mark.parametrize("mtu", [MIN_MTU - 1, MTU_MAX + 1, 0, -1])
def test_an_mtu_has_limits(host: Host, mtu: int) -> None:
    with pytest.raises(InvalidArgument, match="mtu"):
        host.link("tap1", mtu=mtu)
    with pytest.raises(InvalidArgument, match="mtu"):
        set_mtu(host.stack.shared, host.tap, mtu)
    assert host.tap.mtu == 1500


@pytest.mark.parametrize("mac", [ZERO_MAC, BROADCAST_MAC, b"\1\0\0\0\0\1"])
def test_a_mac_is_that_of_one_interface(host: Host, mac: bytes) -> None:
    with pytest.raises(InvalidArgument, match="group address or zero"):
        host.link("tap1", mac)
    with pytest.raises(InvalidArgument, match="group address or zero"):
        set_mac(host.stack.shared, host.tap, mac, host.now)
    assert host.tap.mac == OUR_MAC


def test_a_loopback_has_no_mac(host: Host) -> None:
    with pytest.raises(InvalidArgument, match="lo has no MAC"):
        set_mac(host.stack.shared, host.stack.interfaces.loopback, OTHER_MAC, host.now)


def test_an_index_is_never_used_again(host: Host) -> None:
    first = host.link("tap1").index
    delete_interface(host.stack.shared, host.dev("tap1"), host.now)
    assert host.link("tap1").index == first + 1


def test_lo_cannot_be_deleted(host: Host) -> None:
    with pytest.raises(InvalidArgument, match="lo is part of the stack"):
        delete_interface(host.stack.shared, host.stack.interfaces.loopback, host.now)


def test_a_deleted_interface_takes_all_that_was_its_own_with_it(host: Host) -> None:
    host.link("tap1")
    host.add("10.1.0.1/24", "tap1")
    host.route("192.168.0.0/16", via=PEER)
    host.route("172.16.0.0/12", dev="tap1", src="10.0.0.1")
    waiting = host.send(host.socket(), DEAD)
    host.know()
    sent = host.send(host.socket(), PEER)
    delete_interface(host.stack.shared, host.tap, host.now)
    assert list(host.stack.interfaces) == ["lo", "tap1"]
    assert {route.dev for route in host.stack.ipv4.fib} == {"lo", "tap1"}
    assert prefixes(host) == []
    assert [trace.reason.name for trace in (waiting, sent) if trace.reason] == [
        "neigh-queue-purged",
        "stack-stopped",
    ]
    with pytest.raises(NoSuchDevice):
        host.stack.interface("tap0")
    host.wait(10 * SECOND_NS)


def test_frames_for_a_deleted_interface_are_counted(host: Host) -> None:
    tap = host.tap
    delete_interface(host.stack.shared, tap, host.now)
    host.stack.receive(tap, udp_frame(), host.now)
    assert host.reasons() == {"rx-iface-down": 1}


def test_down_takes_routes_and_neighbors(host: Host) -> None:
    host.route("0.0.0.0/0", via="10.0.0.254")
    host.know(state=State.PERMANENT)
    trace = host.send(host.socket(), DEAD)
    set_up(host.stack.shared, host.tap, False, host.now)
    assert trace.reason is not None
    assert trace.reason.name == "neigh-queue-purged"
    assert list(host.cache()) == []
    assert prefixes(host) == []
    set_up(host.stack.shared, host.tap, True, host.now)
    assert prefixes(host) == []  # as in Linux: what the user added does not come back
    assert host.stack.ipv4.fib.lookup(ip(PEER)) is not None


def test_setting_what_is_set_changes_nothing(host: Host) -> None:
    host.know()
    generation = host.stack.generation.number
    set_up(host.stack.shared, host.tap, True, host.now)
    set_carrier(host.stack.shared, host.tap, True, host.now)
    assert (len(list(host.cache())), host.stack.generation.number) == (1, generation)


def test_without_carrier_only_static_neighbors_stay(host: Host) -> None:
    host.know(PEER)
    host.know("10.0.0.3", state=State.PERMANENT)
    host.route("0.0.0.0/0", via="10.0.0.254")
    set_carrier(host.stack.shared, host.tap, False, host.now)
    assert [text(entry.ip) for entry in host.cache()] == ["10.0.0.3"]
    assert prefixes(host) == ["0.0.0.0/0"]


def test_a_new_mac_forgets_all_neighbors(host: Host) -> None:
    host.know(state=State.PERMANENT)
    set_mac(host.stack.shared, host.tap, OTHER_MAC, host.now)
    assert list(host.cache()) == []
    host.send(host.socket())
    assert host.sent()[0].src == OTHER_MAC


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0/0",
        "0.0.0.1/8",
        "224.0.0.1/24",
        "255.255.255.255/32",
        "240.0.0.1/24",
        "10.5.0.255/24",
        "10.5.0.3/30",
    ],
)
def test_an_address_is_that_of_one_host(host: Host, address: str) -> None:
    before = len(list(host.stack.ipv4.fib))
    with pytest.raises(InvalidArgument, match=address.partition("/")[0]):
        host.add(address)
    assert len(list(host.stack.ipv4.fib)) == before
    assert len(host.tap.ipv4.addresses.items) == 1


@pytest.mark.parametrize("address", ["10.5.0.1/31", "10.5.0.255/32", "10.5.0.0/24", "10.5.0.1/0"])
def test_unusual_addresses_are_fine(host: Host, address: str) -> None:
    host.add(address)
    assert host.stack.ipv4.fib.is_local(ip(address.partition("/")[0]))


def test_label_scope_and_broadcast_can_be_changed(host: Host) -> None:
    old = host.tap.ipv4.addresses.items[0]
    new = Address(old.local, 24, Scope.LINK, "tap0:x", ip("10.0.0.200"))
    change_address(host.stack.ipv4, host.tap, old, new)
    assert (old.label, old.scope) == ("tap0:x", Scope.LINK)
    assert host.stack.ipv4.is_broadcast(ip("10.0.0.200"))
    host.add("10.0.0.2/24", scope=Scope.LINK)
    with pytest.raises(InvalidArgument, match="another scope"):
        change_address(host.stack.ipv4, host.tap, old, Address(old.local, 24, Scope.HOST, "tap0"))
    assert old.scope == Scope.LINK
    other = host.add("10.5.0.1/24")  # of another network: its scope is its own
    new = Address(other.local, 24, Scope.HOST, "tap0")
    change_address(host.stack.ipv4, host.tap, other, new)
    assert other.scope == Scope.HOST


# --- routes ---------------------------------------------------------------------------------------


REFUSED: list[tuple[dict[str, Any], type[StackError], str]] = [
    ({"prefix": "10.5.0.1/24", "dev": "tap0"}, InvalidArgument, "host bits"),
    ({"prefix": "10.5.0.0/24"}, InvalidArgument, "needs a gateway or a device"),
    ({"prefix": "10.5.0.0/24", "dev": "tap7"}, NoSuchDevice, "tap7"),
    ({"prefix": "10.5.0.0/24", "dev": "tap1"}, InterfaceDown, "tap1 is down"),
    ({"prefix": "10.5.0.0/24", "via": "8.8.8.8"}, NetworkUnreachable, "no connected network"),
    ({"prefix": "10.5.0.0/24", "via": "10.0.0.255"}, NetworkUnreachable, "10.0.0.255"),
    ({"prefix": "10.5.0.0/24", "via": PEER, "dev": "lo"}, NetworkUnreachable, "of lo"),
    ({"prefix": "10.5.0.0/24", "via": PEER, "dev": "tap1"}, InterfaceDown, "tap1"),
    ({"prefix": "10.5.0.0/24", "via": "10.1.0.1"}, InterfaceDown, "tap1"),
    ({"prefix": "10.5.0.0/24", "via": "8.8.8.8", "onlink": True}, InvalidArgument, "device"),
    (
        {"prefix": "10.5.0.0/24", "via": "10.0.0.1", "dev": "tap0", "onlink": True},
        NetworkUnreachable,
        "cannot be a gateway",
    ),
    ({"prefix": "10.5.0.0/24", "dev": "tap0", "src": "10.0.0.9"}, InvalidArgument, "10.0.0.9"),
    (
        {"prefix": "10.5.0.0/24", "dev": "tap0", "kind": RouteType.BLACKHOLE},
        InvalidArgument,
        "takes no via, dev",
    ),
    (
        {"prefix": "10.5.0.0/24", "via": PEER, "kind": RouteType.LOCAL},
        InvalidArgument,
        "no gateway",
    ),
    ({"prefix": "10.0.0.0/24", "dev": "tap0"}, AlreadyExists, "already exists"),
    (
        {"prefix": "10.5.0.0/24", "dev": "tap0", "mode": InsertMode.CHANGE},
        NotFound,
        "no route",
    ),
]


@pytest.mark.parametrize(("fields", "error", "says"), REFUSED, ids=[row[2] for row in REFUSED])
def test_a_route_may_be_refused(
    host: Host, fields: dict[str, Any], error: type[StackError], says: str
) -> None:
    host.link("tap1")
    host.add("10.1.0.1/24", "tap1")
    set_up(host.stack.shared, host.dev("tap1"), False, host.now)
    before = [(route, route.identity()) for route in host.stack.ipv4.fib]
    with pytest.raises(error, match=says):
        host.route(**fields)
    assert [(route, route.identity()) for route in host.stack.ipv4.fib] == before


def test_a_gateway_gives_the_device(host: Host) -> None:
    assert host.route("0.0.0.0/0", via=PEER).dev == "tap0"


def test_a_gateway_behind_a_gateway_is_refused(host: Host) -> None:
    host.route("0.0.0.0/0", via=PEER)
    with pytest.raises(NetworkUnreachable):
        host.route("10.5.0.0/24", via="8.8.8.8")


def test_a_route_of_scope_link_takes_no_gateway(host: Host) -> None:
    route = Route(ip("10.5.0.0"), 24, via=ip(PEER), scope=Scope.LINK)
    with pytest.raises(NetworkUnreachable, match="takes no gateway"):
        add_route(host.stack.ipv4, route, InsertMode.ADD)


def test_scope_nowhere_is_refused(host: Host) -> None:
    route = Route(ip("10.5.0.0"), 24, dev="tap0", scope=Scope.NOWHERE)
    with pytest.raises(InvalidArgument, match="nowhere"):
        add_route(host.stack.ipv4, route, InsertMode.ADD)


def test_routes_in_table_local_work(host: Host) -> None:
    host.route("10.77.0.0/16", dev="lo", kind=RouteType.LOCAL, table=TableName.LOCAL)
    assert host.stack.ipv4.fib.is_local(ip("10.77.1.2"))


DELETE: list[tuple[dict[str, Any], str | None]] = [
    ({}, "b"),  # the lowest metric stands first
    ({"metric": 1}, "b"),
    ({"metric": 5}, "a"),
    ({"metric": 9}, None),
    ({"dev": "a"}, "a"),
    ({"dev": "c"}, "c"),
    ({"via": 3}, "c"),
    ({"via": 4}, None),
    ({"protocol": "static"}, "c"),
    ({"type": RouteType.PROHIBIT}, None),
    ({"prefsrc": None}, "b"),
    ({"dev": "a", "metric": 1}, None),
]


@pytest.mark.parametrize(("wanted", "gone"), DELETE)
def test_delete_takes_the_first_route_that_agrees(
    host: Host, wanted: dict[str, Any], gone: str | None
) -> None:
    network = ip("10.5.0.0")
    for dev, more in (
        ("a", {"metric": 5}),
        ("b", {"metric": 1}),
        ("c", {"metric": 5, "via": 3, "protocol": "static"}),
    ):
        fields: dict[str, Any] = {"dev": dev, **more}
        host.stack.ipv4.fib.insert(Route(network, 24, **fields), InsertMode.APPEND)
    spec = Route(network, 24, **wanted)
    if gone is None:
        with pytest.raises(NotFound, match=r"10\.5\.0\.0/24"):
            delete_route(host.stack.ipv4, spec, set(wanted))
        assert len(prefixes(host)) == 3
    else:
        assert delete_route(host.stack.ipv4, spec, set(wanted)).dev == gone
        assert len(prefixes(host)) == 2


def test_every_change_makes_the_fast_path_forget(host: Host) -> None:
    """Flows are true for one configuration, so each of these must begin a new one."""
    stack, tap = host.stack, host.tap
    changes: list[Callable[[], object]] = [
        lambda: host.link("tap1"),
        lambda: host.add("10.1.0.1/24", "tap1"),
        lambda: host.route("10.5.0.0/24", via=PEER),
        lambda: host.delete("10.1.0.1", "tap1"),
        lambda: delete_route(stack.ipv4, Route(ip("10.5.0.0"), 24), set()),
        lambda: set_mtu(stack.shared, tap, 1400),
        lambda: set_mac(stack.shared, tap, OTHER_MAC, host.now),
        lambda: set_carrier(stack.shared, tap, False, host.now),
        lambda: set_up(stack.shared, tap, False, host.now),
        lambda: delete_interface(stack.shared, tap, host.now),
        lambda: host.socket(7),
        lambda: stack.udp.connect(host.socket(8), ip("127.0.0.1"), 9),
        lambda: stack.udp.close(stack.udp.at_port(7)[0]),
        lambda: add_interface(stack.shared, "lo1", "loopback", Medium.IP, 65536, None),
    ]
    for number, change in enumerate(changes):
        before = stack.generation.number
        change()
        assert stack.generation.number > before, f"change {number}"
