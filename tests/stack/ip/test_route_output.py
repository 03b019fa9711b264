"""The way of a packet: interface, next hop and source address."""

import pytest

from smolctl.errors import NoSuchDevice
from smolctl.stack.config.link import set_up
from smolctl.stack.fib.route import RouteType, Scope, TableName
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal, Way
from smolctl.stack.reason import Rejected
from tests.kit.host import OTHER_MAC, Host, ip, text


def way(host: Host, dst: str, src: str | None = None, dev: str | None = None) -> str:
    """Return the decision in one line, or the name of the reason for a refusal."""
    found = route_output(host.stack.ipv4, RouteKey(ip(dst), None if src is None else ip(src), dev))
    if isinstance(found, Refusal):
        return found.reason.name
    via = "" if found.gateway is None else f" via {text(found.gateway)}"
    source = "none" if found.src is None else text(found.src)
    return f"{found.type}{via} dev {found.interface.name} src {source}"


@pytest.fixture
def host() -> Host:
    """Two links: tap0 10.0.0.1/24 with the default route, tap1 10.1.0.1/24."""
    host = Host()
    host.link("tap1", OTHER_MAC)
    host.add("10.1.0.1/24", "tap1")
    host.route("0.0.0.0/0", via="10.0.0.254")
    return host


@pytest.mark.parametrize(
    ("dst", "wanted"),
    [
        ("10.0.0.2", "unicast dev tap0 src 10.0.0.1"),
        ("10.1.0.2", "unicast dev tap1 src 10.1.0.1"),
        ("8.8.8.8", "unicast via 10.0.0.254 dev tap0 src 10.0.0.1"),
        ("10.0.0.1", "local dev lo src 10.0.0.1"),
        ("10.1.0.1", "local dev lo src 10.1.0.1"),
        ("127.0.0.1", "local dev lo src 127.0.0.1"),
        ("127.0.0.2", "local dev lo src 127.0.0.1"),
        ("10.0.0.255", "broadcast dev tap0 src 10.0.0.1"),
        ("10.1.0.255", "broadcast dev tap1 src 10.1.0.1"),
        ("127.255.255.255", "broadcast dev lo src 127.0.0.1"),
        # The FIB is asked about groups as well, but they are never sent to a gateway.
        ("255.255.255.255", "broadcast dev tap0 src 10.0.0.1"),
        ("224.0.0.1", "multicast dev tap0 src 10.0.0.1"),
        ("240.0.0.1", "unicast via 10.0.0.254 dev tap0 src 10.0.0.1"),
        ("0.0.0.0", "tx-dst-invalid"),
    ],
)
def test_by_the_fib(host: Host, dst: str, wanted: str) -> None:
    assert way(host, dst) == wanted


@pytest.mark.parametrize(
    ("dst", "src", "wanted"),
    [
        # The weak host model (RFC 1122 3.3.4.2): the source does not choose the interface ...
        ("10.0.0.2", "10.1.0.1", "unicast dev tap0 src 10.1.0.1"),
        # ... but it does for a group.
        ("224.0.0.1", "10.1.0.1", "multicast dev tap1 src 10.1.0.1"),
        ("255.255.255.255", "10.1.0.1", "broadcast dev tap1 src 10.1.0.1"),
        ("10.0.0.1", "127.0.0.5", "local dev lo src 127.0.0.5"),
        ("127.0.0.1", "10.0.0.1", "local dev lo src 10.0.0.1"),
        # RFC 1122 3.2.1.3(g): 127/8 must not appear outside a host.
        ("10.0.0.2", "127.0.0.1", "tx-loopback-source"),
        ("224.0.0.1", "127.0.0.1", "multicast dev lo src 127.0.0.1"),
        ("10.0.0.2", "10.0.0.77", "tx-src-not-ours"),
        ("10.0.0.2", "10.0.0.255", "tx-src-not-ours"),
        ("10.0.0.2", "224.0.0.1", "tx-src-invalid"),
        ("10.0.0.2", "255.255.255.255", "tx-src-invalid"),
    ],
)
def test_by_a_source_address(host: Host, dst: str, src: str, wanted: str) -> None:
    assert way(host, dst, src=src) == wanted


@pytest.mark.parametrize(
    ("dst", "dev", "wanted"),
    [
        ("10.0.0.2", "tap0", "unicast dev tap0 src 10.0.0.1"),
        # No route by that device: Linux assumes that the destination is on its link.
        ("10.0.0.2", "tap1", "unicast dev tap1 src 10.1.0.1"),
        ("8.8.8.8", "tap0", "unicast via 10.0.0.254 dev tap0 src 10.0.0.1"),
        ("8.8.8.8", "tap1", "unicast dev tap1 src 10.1.0.1"),
        ("255.255.255.255", "tap1", "broadcast dev tap1 src 10.1.0.1"),
        ("224.0.0.1", "tap1", "multicast dev tap1 src 10.1.0.1"),
        ("10.0.0.1", "tap0", "local dev lo src 10.0.0.1"),
        ("127.0.0.1", "tap0", "tx-dst-invalid"),
        ("10.0.0.2", "lo", "unicast dev lo src 10.0.0.1"),
    ],
)
def test_by_a_device(host: Host, dst: str, dev: str, wanted: str) -> None:
    assert way(host, dst, dev=dev) == wanted


def test_an_unknown_device_is_the_callers_mistake(host: Host) -> None:
    with pytest.raises(NoSuchDevice, match='no interface "tap7"'):
        way(host, "10.0.0.2", dev="tap7")


def test_longest_prefix_wins_over_a_connected_network(host: Host) -> None:
    # A /32 inside a connected network is honoured; "on-link first" is wrong.
    host.route("10.0.0.77/32", via="10.1.0.2")
    assert way(host, "10.0.0.77") == "unicast via 10.1.0.2 dev tap1 src 10.1.0.1"


def rejected(host: Host, refusal: Refusal) -> Rejected:
    """Return what the sender is told."""
    detail = host.stack.ledger.detail(refusal.reason, {**refusal.values, "dev": refusal.dev})
    return Rejected(refusal.reason, detail)


def test_no_route_names_the_connected_networks() -> None:
    host = Host()
    found = route_output(host.stack.ipv4, RouteKey(ip("8.8.8.8")))
    assert isinstance(found, Refusal)
    error = rejected(host, found)
    assert error.code == "tx-no-route"
    assert error.errno_name == "ENETUNREACH"
    assert error.message == "no route to 8.8.8.8 (connected: 10.0.0.0/24 dev tap0)"
    assert error.hint == "who is the router? smolctl neigh show"


@pytest.mark.parametrize(
    ("kind", "reason", "errno"),
    [
        (RouteType.BLACKHOLE, "tx-route-blackhole", "EINVAL"),
        (RouteType.UNREACHABLE, "tx-route-unreachable", "EHOSTUNREACH"),
        (RouteType.PROHIBIT, "tx-route-prohibit", "EACCES"),
    ],
)
def test_a_route_may_refuse(host: Host, kind: RouteType, reason: str, errno: str) -> None:
    host.route("8.8.8.0/24", kind=kind)
    found = route_output(host.stack.ipv4, RouteKey(ip("8.8.8.8")))
    assert isinstance(found, Refusal)
    assert found.reason.name == reason
    error = rejected(host, found)
    assert error.errno_name == errno
    assert "8.8.8.0/24" in error.message


def test_a_throw_hides_the_default_route(host: Host) -> None:
    host.route("8.0.0.0/8", kind=RouteType.THROW)
    assert way(host, "8.8.8.8") == "tx-no-route"
    assert way(host, "9.9.9.9") == "unicast via 10.0.0.254 dev tap0 src 10.0.0.1"


def test_links_that_are_down_lead_nowhere(host: Host) -> None:
    set_up(host.stack.shared, host.dev("tap1"), False, host.now)
    # Its network is gone from the FIB, so the default route takes over.
    assert way(host, "10.1.0.2") == "unicast via 10.0.0.254 dev tap0 src 10.0.0.1"
    assert way(host, "10.1.0.2", dev="tap1") == "tx-iface-down"
    # The address itself stays ours, and is reached by lo.
    assert way(host, "10.1.0.1") == "local dev lo src 10.1.0.1"
    set_up(host.stack.shared, host.stack.interfaces.loopback, False, host.now)
    # Without lo there is a way all the same, on which the packet is lost (Linux, noop_qdisc).
    assert way(host, "10.1.0.1") == "local dev lo src 10.1.0.1"
    assert way(host, "127.0.0.1") == "local dev lo src 127.0.0.1"
    heard = host.socket(7)
    lost = host.send(host.socket(), "10.1.0.1", 7)
    host.poll()
    assert lost.reason is not None
    assert lost.reason.name == "tx-link-down"
    assert heard.rx_datagrams == 0


def test_the_source_is_of_the_gateways_network(host: Host) -> None:
    host.add("10.5.0.1/24")
    host.route("172.16.0.0/12", via="10.5.0.254")
    assert way(host, "172.16.0.1") == "unicast via 10.5.0.254 dev tap0 src 10.5.0.1"
    assert way(host, "8.8.8.8") == "unicast via 10.0.0.254 dev tap0 src 10.0.0.1"


def test_a_route_may_prefer_a_source(host: Host) -> None:
    host.route("172.16.0.0/12", via="10.0.0.2", src="10.1.0.1")
    assert way(host, "172.16.0.1") == "unicast via 10.0.0.2 dev tap0 src 10.1.0.1"
    assert way(host, "172.16.0.1", src="10.0.0.1") == "unicast via 10.0.0.2 dev tap0 src 10.0.0.1"


def test_a_link_without_an_address_borrows_one_but_not_of_lo() -> None:
    host = Host()
    host.link("tap1", OTHER_MAC)
    host.route("10.7.0.0/24", dev="tap1")
    assert way(host, "10.7.0.1") == "unicast dev tap1 src 10.0.0.1"
    host.delete("10.0.0.1")
    host.route("10.8.0.0/24", dev="tap1")
    assert way(host, "10.8.0.1") == "unicast dev tap1 src none"


def test_an_address_of_scope_link_is_not_borrowed() -> None:
    host = Host(bare=True)
    host.add("10.0.0.1/24", scope=Scope.LINK)
    host.link("tap1", OTHER_MAC)
    assert way(host, "10.7.0.1", dev="tap1") == "unicast dev tap1 src none"


def test_a_gateway_of_our_own_means_straight_to_the_destination(host: Host) -> None:
    host.route("172.16.0.0/12", via="10.1.0.1")
    assert way(host, "172.16.0.1") == "unicast dev tap1 src 10.1.0.1"


def test_onlink_vouches_for_a_gateway(host: Host) -> None:
    host.route("172.16.0.0/12", dev="tap1", via="192.168.1.1", onlink=True)
    assert way(host, "172.16.0.1") == "unicast via 192.168.1.1 dev tap1 src 10.1.0.1"


@pytest.mark.parametrize(("route_mtu", "mtu"), [(None, 1500), (1400, 1400), (9000, 1500)])
def test_the_mtu_is_the_smaller_of_route_and_link(
    host: Host, route_mtu: int | None, mtu: int
) -> None:
    host.route("172.16.0.0/12", via="10.0.0.2", mtu=route_mtu)
    found = route_output(host.stack.ipv4, RouteKey(ip("172.16.0.1")))
    assert isinstance(found, Way)
    assert found.mtu == mtu


def test_user_made_local_and_broadcast_routes_count(host: Host) -> None:
    local = TableName.LOCAL
    host.route("172.16.0.0/12", dev="lo", kind=RouteType.LOCAL, table=local)
    host.route("10.0.0.200", dev="tap0", kind=RouteType.BROADCAST, table=local)
    assert way(host, "172.16.5.5") == "local dev lo src 172.16.5.5"
    assert way(host, "10.0.0.200") == "broadcast dev tap0 src 10.0.0.1"


def test_deciding_changes_nothing(host: Host) -> None:
    for dst in ("10.0.0.2", "8.8.8.8", "127.0.0.1", "224.0.0.1", "0.0.0.0"):
        way(host, dst)
    assert list(host.cache()) == []
    assert host.tap.outbox == []
    assert host.stack.ledger.reasons == {}
