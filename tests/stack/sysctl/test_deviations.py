"""Differences from Linux that profile linux-exact switches: each is there, and can be none."""

from contextlib import suppress

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.config.addr import add_address
from smolctl.stack.fib.route import Scope
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.route_output import route_output
from smolctl.stack.ip.way import Refusal
from smolctl.stack.ipv6.addresses import asking_address
from smolctl.stack.reason import Rejected
from smolctl.stack.sysctl.deviations import DEVIATIONS, EXACT
from smolctl.stack.sysctl.profiles import PROFILES
from smolctl.stack.sysctl.settings import Settings
from smolctl.wire.ndp import NeighborSolicitation
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    DEAD,
    OURS,
    Host,
    icmp_frame,
    ip,
    text,
    udp_frame,
)  # fmt: skip
from tests.kit.host6 import OUR_LINK_LOCAL, OURS6, PEER6, Host6, udp6_frame

EITHER = pytest.mark.parametrize("exact", [False, True], ids=["ours", "linux"])


def as_linux(host: Host, key: str, exact: bool) -> None:
    if exact:
        host.set(key, EXACT[key])


def way(host: Host, dst: str, dev: str | None = None) -> str:
    net = host.stack.networks.for_address(ip(dst))
    found = route_output(net, RouteKey(ip(dst), oif=dev))
    if isinstance(found, Refusal):
        return found.reason.name
    source = "none" if found.src is None else text(found.src)
    return f"{text(found.dst)} dev {found.interface.name} src {source}"


def test_the_profile_switches_all_that_the_table_says() -> None:
    settings = Settings.begun(PROFILES["linux-exact"].assignments(), "linux-exact")
    assert {key: str(settings[key]) for key in EXACT} == EXACT
    assert len({each.what for each in DEVIATIONS}) == len(DEVIATIONS)


@EITHER
@pytest.mark.parametrize(("dst", "own"), [("0.0.0.0", "127.0.0.1"), ("::", "::1")])
def test_no_address_is_this_host(dst: str, own: str, exact: bool) -> None:
    host = Host(ipv6=True)
    as_linux(host, "ip.zero_is_own", exact)
    assert way(host, dst) == (f"{own} dev lo src {own}" if exact else "tx-dst-invalid")
    heard = host.socket(7, "::" if ":" in dst else "0.0.0.0")
    for _ in range(2):  # decided, and remembered
        with suppress(SendRejected):
            host.send(host.socket(local="::" if ":" in dst else "0.0.0.0"), dst, 7)
        host.poll()
    assert heard.rx_datagrams == (2 if exact else 0)


@EITHER
def test_a_loopback_address_leaves_by_a_wire_that_is_named(exact: bool) -> None:
    host = Host()
    as_linux(host, "ip.loopback_leaves", exact)
    found = way(host, "127.0.0.9", "tap0")
    assert found == (f"127.0.0.9 dev tap0 src {OURS}" if exact else "tx-dst-invalid")


@EITHER
def test_a_packet_leaves_without_a_source(exact: bool) -> None:
    host = Host(bare=True)
    as_linux(host, "ip.source_zero", exact)
    host.delete("127.0.0.1", "lo")
    host.route("10.0.0.0/24", "tap0")
    host.know()
    with suppress(SendRejected):
        host.send(host.socket())
    sent = [text(each.ip.src) for each in host.sent() if each.ip is not None]
    assert sent == (["0.0.0.0"] if exact else [])


@EITHER
def test_a_source_of_net_zero_is_taken(exact: bool) -> None:
    host = Host()
    as_linux(host, "ip.zeronet", exact)
    socket = host.socket(7)
    for source in ("0.0.0.0", "0.1.2.3"):
        host.receive(udp_frame(src=source))
    assert socket.rx_datagrams == int(exact)
    assert host.reasons()["ip-src-invalid"] == 2 - int(exact)


@EITHER
def test_a_group_that_an_address_joins_is_our_own(exact: bool) -> None:
    host = Host()
    as_linux(host, "ip.autojoin_own", exact)
    group = Address(ip("239.1.2.3"), 32, Scope.GLOBAL, "tap0", autojoin=True)
    add_address(host.stack.ipv4, host.tap, group, host.now)
    assert host.stack.ipv4.fib.is_local(group.local) is exact


@EITHER
def test_ipv6_from_ourselves_is_taken(exact: bool) -> None:
    host = Host6()
    as_linux(host, "ip6.check_source", exact)
    socket = host.socket(7, "::")
    host.receive(udp6_frame(src=OURS6), udp6_frame(src="::"))
    assert socket.rx_datagrams == (2 if exact else 0)


@EITHER
def test_an_answer_from_a_link_local_address_takes_any_link(exact: bool) -> None:
    host = Host6()
    as_linux(host, "ip6.check_scope", exact)
    host.link("tap1")
    host.route("2001:db8:9::/64", "tap1")
    host.receive(udp6_frame(src="2001:db8:9::1", dst=OUR_LINK_LOCAL, dport=9))
    asked = [each for each in host.sent6("tap1") if isinstance(each.nd, NeighborSolicitation)]
    assert len(asked) == int(exact)


@EITHER
def test_an_error_may_be_from_an_anycast_address(exact: bool) -> None:
    host = Host6()
    host.set("ip6.forward", "1")
    as_linux(host, "icmp6.anycast_source", exact)
    host.know(PEER6)
    host.take()
    host.receive(udp6_frame(dst="2001:db8::", dport=9))
    assert [text(each.ip.src) for each in host.sent6()] == ["2001:db8::" if exact else OURS6]


@EITHER
def test_frames_with_snap_are_dropped(exact: bool) -> None:
    host = Host()
    as_linux(host, "iface.snap", exact)
    socket = host.socket(7)
    frame = udp_frame()
    inside = b"\xaa\xaa\x03\x00\x00\x00" + frame[12:]
    host.receive(frame[:12] + len(inside).to_bytes(2) + inside)
    assert socket.rx_datagrams == (0 if exact else 1)


@EITHER
@pytest.mark.parametrize("bound", [False, True])
def test_a_socket_that_is_bound_to_a_device_does_not_hear_of_a_dead_neighbor(
    exact: bool, bound: bool
) -> None:
    host = Host()
    as_linux(host, "udp.tell_bound", exact)
    socket = host.socket(dev="tap0" if bound else None)
    host.send(socket, DEAD)
    host.wait(4 * SECOND_NS)
    assert bool(socket.errors) is not (exact and bound)


@EITHER
def test_strangers_are_told_the_time(exact: bool) -> None:
    host = Host()
    as_linux(host, "icmp.answer_timestamp", exact)
    host.know()
    host.receive(icmp_frame(13, 0, 0, bytes(12)))
    assert len(host.sent()) == int(exact)


@EITHER
@pytest.mark.parametrize("filtered", [False, True])
def test_a_broadcast_address_is_taken_for_a_source(exact: bool, filtered: bool) -> None:
    host = Host()
    as_linux(host, "ip.broadcast_source", exact)
    host.set("ip.rp_filter", "2" if filtered else "0")
    socket = host.socket(7)
    host.receive(udp_frame(src="10.0.0.255"))
    assert socket.rx_datagrams == int(exact and not filtered)


@EITHER
def test_ipv6_leaves_from_the_loopback_address(exact: bool) -> None:
    host = Host6()
    as_linux(host, "ip.loopback_leaves", exact)
    host.route("2000::/3", dev="tap0")
    for item in list(host.tap.ipv6.addresses.items):
        host.delete(text(item.local))
    found = way(host, "2001:db8:9::1")
    assert found == ("2001:db8:9::1 dev tap0 src ::1" if exact else "tx-loopback-source")


@EITHER
def test_a_datagram_goes_by_some_link_where_none_is_named(exact: bool) -> None:
    host = Host6()
    as_linux(host, "ip6.any_link", exact)
    socket = host.socket(local="::")
    with suppress(SendRejected):
        host.send(socket, "ff02::9")
    assert len(host.take()) == exact
    with pytest.raises(Rejected, match="which one"):
        host.stack.udp.connect(socket, ip("ff02::9"), 9)


@EITHER
def test_without_any_address_that_is_what_is_missing(exact: bool) -> None:
    host = Host6()
    as_linux(host, "ip6.source_first", exact)
    host.set("ip6.disable", "1")
    assert way(host, "2001:db8:9::1") == ("tx-no-source" if exact else "tx-no-route")


@EITHER
def test_a_link_asks_from_another_address_than_its_link_local_one(exact: bool) -> None:
    host = Host6()
    as_linux(host, "nd.ask_from_any", exact)
    for item in [each for each in host.tap.ipv6.addresses.items if each.scope is Scope.LINK]:
        host.delete(text(item.local))
    assert text(asking_address(host.tap)) == ("::" if exact else OURS6)
