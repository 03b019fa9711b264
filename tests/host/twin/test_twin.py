"""Twins of hosts built by hand."""

from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.host import addresses, links, routes, sockets
from smolctl.host.sysctls import Sysctls
from smolctl.host.twin import twin
from smolctl.stack.interface import Interface
from smolctl.wire.address import parse_address
from tests.host.twin.asking import way, why
from tests.host.twin.hosts import (
    ETH0,
    ETH1,
    LO,
    USUAL_RULES,
    address,
    connected,
    hop,
    host,
    link,
    local,
    loopback,
    neighbor,
    route,
    rule,
    socket,
)


def test_a_plain_host_needs_no_note() -> None:
    made = twin(host())
    assert made.notes == ()
    assert way(made, "8.8.8.8")["gateway"] == "10.0.0.254"
    assert way(made, "10.0.0.7")["prefsrc"] == "10.0.0.1"
    assert way(made, "127.1.2.3")["dev"] == "lo"
    assert way(made, "2001:db8::7")["dev"] == "eth0"
    assert way(made, "2001:db8:9::7")["gateway"] == "fe80::fe"
    assert made.stack.ipv4.fib.usual_rules


def test_links_are_as_they_are() -> None:
    five = {1: (5).to_bytes(2, "little")}
    there = (
        loopback(),
        link(7, "eth0", mtu=1400, carrier=False),
        link(3, "vlan5", kind="vlan", lower=7, data=five, flags=0),
    )
    state = host(links=there)
    made = twin(state._replace(addresses=(), routes=()))
    eth0, vlan = made.stack.interface("eth0"), made.stack.interface("vlan5")
    assert (eth0.index, eth0.mtu, eth0.up, eth0.carrier) == (7, 1400, True, False)
    assert isinstance(vlan, Interface)
    assert vlan.vlan is not None
    assert (vlan.vlan.lower, vlan.vlan.vid, vlan.up) == (eth0, 5, False)
    assert made.stack.interfaces.last_index == 7


def test_routes_are_never_derived() -> None:
    """An address without its routes is nobody's: verbatim is what the kernel has."""
    made = twin(host(routes=(route("10.0.0.0/24", hop(ETH0), protocol=2, scope=253),)))
    with pytest.raises(SmolctlError):
        way(made, "8.8.8.8")
    assert [route.plen for route in made.stack.ipv4.fib] == [24]


def test_next_hops_share_and_die() -> None:
    several = route(
        "10.9.0.0/16", hop(ETH0, "10.0.0.2", weight=3), hop(ETH1, "10.1.0.2", flags=routes.DEAD)
    )
    state = host()
    made = twin(state._replace(
        links=(*state.links, link(ETH1, "eth1")), routes=(*state.routes, several),
    ))  # fmt: skip
    assert way(made, "10.9.0.1")["gateway"] == "10.0.0.2"
    (whole,) = made.stack.ipv4.fib.multipaths
    assert [(hop.weight, hop.dead) for hop in whole.hops] == [(3, False), (1, True)]


def test_rules_decide_in_their_order() -> None:
    state = host(
        rules=(
            rule(0, 255), rule(10, 100, mark=7, mask=0xFF), rule(20, action=8, table=0, iif="eth0"),
            *USUAL_RULES[1:],
        )
    )  # fmt: skip
    made = twin(
        state._replace(routes=(*state.routes, route("0.0.0.0/0", hop(ETH0, "10.0.0.7"), table=100)))
    )
    rules = list(made.stack.ipv4.fib.rules)
    assert [each.priority for each in rules] == [0, 10, 20, 32766, 32767]
    assert (rules[1].mark, rules[1].mark_mask) == (7, 0xFF)
    assert not made.stack.ipv4.fib.usual_rules
    assert made.stack.ipv6.fib.usual_rules
    assert made.notes == ()


def test_time_stands_still_for_neighbors() -> None:
    there = (
        neighbor(ETH0, "10.0.0.2", 2), neighbor(ETH0, "10.0.0.3", 4),
        neighbor(ETH0, "10.0.0.4", 32, ""), neighbor(ETH0, "2001:db8::2", 2),
    )  # fmt: skip
    made = twin(host(neighbors=there), 5_000_000_000)
    assert why(made, "udp any 10.0.0.2#53")["fate"] == "sent"
    assert why(made, "udp any 10.0.0.3#53")["fate"] == "sent"
    assert why(made, "udp any 10.0.0.4#53")["reason"] == "neigh-pending"
    assert why(made, "udp any 2001:db8::2#53")["fate"] == "sent"


def test_sockets_get_what_is_for_them() -> None:
    there = (
        socket(sockets.UDP, "0.0.0.0", 53), socket(sockets.TCP, "10.0.0.1", 80),
        socket(sockets.UDP, "::", 123, v6only=True),
    )  # fmt: skip
    made = twin(host(sockets=there))
    assert why(made, "udp 10.0.0.9#1000 10.0.0.1#53 iif eth0")["ok"]
    assert why(made, "udp 10.0.0.9#1000 10.0.0.1#54 iif eth0")["reason"] == "udp-port-closed"
    assert why(made, "udp 10.0.0.9#1000 10.0.0.1#123 iif eth0")["reason"] == "udp-bound-elsewhere"
    assert why(made, "udp 2001:db8::9#1000 2001:db8::1#123 iif eth0")["ok"]
    assert why(made, "tcp 10.0.0.9#1000 10.0.0.1#80 iif eth0")["ok"]
    assert why(made, "tcp 10.0.0.9#1000 10.0.0.1#81 iif eth0")["reason"] == "tcp-no-listener"


def test_sysctls_count_as_in_linux() -> None:
    values = {
        "ipv4/conf/all/rp_filter": "0", "ipv4/conf/eth0/rp_filter": "1", "ipv4/ip_forward": "0",
        "ipv4/conf/all/accept_redirects": "1", "ipv4/conf/lo/rp_filter": "2",
        "ipv4/ip_local_port_range": "40000\t40010", "ipv4/conf/eth0/accept_local": "1",
    }  # fmt: skip
    made = twin(host(sysctls=Sysctls(values, ())))
    settings = made.stack.settings
    assert settings.links["eth0"]["ip.rp_filter"] == 1
    assert settings.links["lo"]["ip.rp_filter"] == 2
    assert settings["ip.local_port_first"] == 40000
    refused = why(made, "udp 172.16.0.1#1 10.0.0.1#2 iif eth0")
    assert refused["reason"] != "ip-reverse-path"  # by the default route


def test_what_is_not_expressed_is_noted() -> None:
    state = host()
    made = twin(state._replace(
        routes=(
            *state.routes, route("10.5.0.0/16", hop(ETH0, "10.0.0.2"), tos=16),
            route("10.6.0.0/16", hop(9)), route("10.7.0.0/16", hop(ETH0, "fe80::1")),
            route("2001:db8:5::/48", hop(ETH0), src_plen=64),
        ),
        rules=(rule(1, tun_id=5), *USUAL_RULES),
    ))  # fmt: skip
    assert [(note.topic, note.route or note.rule) for note in made.notes] == [
        ("rule", 1),
        ("route", (254, parse_address("10.5.0.0"), 16)),
        ("route", (254, parse_address("10.6.0.0"), 16)),
        ("route", (254, parse_address("10.7.0.0"), 16)),
        ("route", (254, parse_address("2001:db8:5::"), 48)),
    ]


# --- links ----------------------------------------------------------------------------------------


def test_what_comes_in_by_a_port_is_the_bridge_s() -> None:
    state = host()
    there = (
        *state.links, link(ETH1, "br0", kind="bridge"), link(4, "p0", kind="veth", master=ETH1,
        port_kind="bridge", lower=9, lower_netns=0),
    )  # fmt: skip
    made = twin(state._replace(links=there))
    assert made.stack.interface("p0").receiver is made.stack.interface("br0")
    row = why(made, "udp 10.0.0.9#1000 10.0.0.1#53 iif p0")
    assert (row["reason"], row["dev"]) == ("udp-port-closed", "br0")
    assert made.notes == ()


def test_a_tunnel_asks_nobody() -> None:
    state = host()
    flags = links.UP | links.POINTOPOINT | links.NOARP | links.LOWER_UP
    wg0 = link(ETH1, "wg0", kind="wireguard", type=links.NONE_TYPE, flags=flags, mac=b"")
    made = twin(
        state._replace(
            links=(*state.links, wg0),
            routes=(*state.routes, route("10.8.0.0/24", hop(ETH1), scope=253)),
        )
    )
    row = why(made, "udp any 10.8.0.9#53")
    assert (row["verdict"], row["dev"]) == ("sent by wg0", "wg0")
    assert made.notes == ()


def test_a_link_without_arp_asks_nobody() -> None:
    made = twin(host(links=(loopback(), link(ETH0, "eth0", flags=links.UP | links.NOARP))))
    row = why(made, "udp any 10.0.0.9#53")
    assert row["verdict"] == "sent by eth0"
    assert made.notes == ()


def test_links_in_a_circle_are_not_tied() -> None:
    state = host()
    five = {1: (5).to_bytes(2, "little")}
    there = (
        loopback(), link(2, "a", master=3, port_kind="bridge", kind="bridge"),
        link(3, "b", master=2, port_kind="bridge", kind="bridge"),
        link(4, "c", kind="vlan", lower=5, data=five),
        link(5, "d", kind="vlan", lower=4, data=five),
        link(6, "e", lower=6, master=6, port_kind="bond"),
    )  # fmt: skip
    made = twin(state._replace(links=there, addresses=(), routes=()))
    for name in "abcde":
        interface = made.stack.interface(name)
        assert interface.receiver is not None
        assert interface.passed


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"kind": "vrf"}, "in the VRF eth1"),
        ({"port_kind": "openvswitch", "master": ETH0}, "is a port of eth0 (openvswitch)"),
        ({"port_kind": "bridge", "master": ETH0, "port_data": {1: b"\4"}}, "spanning tree"),
        ({"type": 32, "mac": bytes(20)}, "the last 6 are looked at"),
        ({"kind": "vlan", "lower": 9, "lower_netns": 1}, "in another namespace"),
        ({"unknown": (99,)}, "attributes 99"),
        ({"proto_down": True}, "held down"),
        ({"kind": "bridge", "data": {7: b"\1"}}, "VLAN tags"),
    ],
)
def test_a_link_tells_what_its_twin_lacks(more: dict[str, Any], text: str) -> None:
    state = host()
    made = twin(state._replace(links=(*state.links, link(ETH1, "eth1", **more))))
    assert any(text in note.text and note.link == "eth1" for note in made.notes)


def test_a_route_whose_link_has_no_carrier_counts_unless_told() -> None:
    state = host()
    there = (*state.links, link(ETH1, "eth1", carrier=False))
    wanted = (*state.routes, route("10.0.0.0/25", hop(ETH1, flags=routes.LINKDOWN)))
    made = twin(state._replace(links=there, routes=wanted))
    assert way(made, "10.0.0.7")["dev"] == "eth1"
    values = {"ipv4/conf/eth1/ignore_routes_with_linkdown": "1"}
    made = twin(state._replace(links=there, routes=wanted, sysctls=Sysctls(values, ())))
    assert way(made, "10.0.0.7")["dev"] == "eth0"


# --- addresses ------------------------------------------------------------------------------------


def test_a_link_without_ipv6_is_told() -> None:
    state = host()
    values = {"ipv6/conf/eth1/disable_ipv6": "1", "ipv6/conf/eth0/disable_ipv6": "0"}
    kept = tuple(each for each in state.routes if each.family == 2)
    made = twin(state._replace(
        links=(*state.links, link(ETH1, "eth1")), routes=kept, sysctls=Sysctls(values, ())
    ))  # fmt: skip
    row = why(made, "udp any 2001:db8:77::9#53")
    assert row["reason"] == "tx-no-route"
    assert "eth1.ip6.disable=0" in str(row)


@pytest.mark.parametrize("flags", [addresses.TENTATIVE, addresses.TENTATIVE | addresses.DADFAILED])
def test_a_tentative_address_is_nobody_s(flags: int) -> None:
    state = host()
    there = tuple(
        each._replace(flags=flags) if each.local == parse_address("2001:db8::1") else each
        for each in state.addresses
    )
    kept = tuple(each for each in state.routes if each.dst != parse_address("2001:db8::1"))
    made = twin(state._replace(addresses=there, routes=kept))
    assert why(made, "udp 2001:db8::1 2001:db8::9#53")["reason"] == "tx-src-tentative"
    row = why(made, "nd 2001:db8::9 2001:db8::1 iif eth0")
    assert not row["ok"]


def test_a_deprecated_address_comes_last() -> None:
    state = host()
    old = address(ETH0, "2001:db8::2/64", flags=addresses.DEPRECATED, valid=100, preferred=0)
    made = twin(state._replace(
        addresses=(*state.addresses[:3], old, *state.addresses[3:]),
        routes=(*state.routes, local(ETH0, "2001:db8::2")),
    ))  # fmt: skip
    assert way(made, "2001:db8:9::7")["prefsrc"] == "2001:db8::1"


def test_a_peer_is_at_the_other_end() -> None:
    state = host()
    peer = parse_address("10.9.0.2")
    made = twin(state._replace(
        addresses=(*state.addresses, address(ETH0, "10.9.0.1/32", peer=peer)),
        routes=(
            *state.routes, local(ETH0, "10.9.0.1"), connected(ETH0, "10.9.0.2/32", "10.9.0.1")
        ),
    ))  # fmt: skip
    assert way(made, "10.9.0.2")["prefsrc"] == "10.9.0.1"
    (found,) = [each for each in made.stack.interface("eth0").ipv4.addresses.items if each.peer]
    assert found.network(32) == peer


def test_a_link_that_is_down_says_so() -> None:
    state = host(links=(loopback(), link(ETH0, "eth0", flags=0, carrier=False)))
    made = twin(state)  # its routes are gone on a real host, but for the local ones
    assert why(made, "udp any 10.0.0.9#53")["reason"] == "tx-iface-down"
    assert "smolctl link set eth0 up" in why(made, "udp any 10.0.0.9#53")["fix"]


def test_a_router_without_a_way_is_told_a_gateway_of_another_link() -> None:
    state = host()
    values = {"ipv6/conf/all/forwarding": "1", "ipv6/conf/eth1/forwarding": "1"}
    kept = [each for each in state.routes if each.plen or each.family == 2]
    known = route("2001:db8:20::/48", hop(ETH0, "fe80::fe"))
    made = twin(state._replace(
        links=(*state.links, link(ETH1, "eth1")), routes=(*kept, known),
        neighbors=(neighbor(ETH0, "fe80::fe", 2),), sysctls=Sysctls(values, ()),
    ))  # fmt: skip
    row = why(made, "udp 2001:db8:1::9#7 2001:db8:77::9#53 iif eth1")
    assert row["reason"] == "fwd-no-route"
    assert row["fix"] == ["smolctl -6 route add default via fe80::fe dev eth0"]


# --- sockets, and what was learned ----------------------------------------------------------------


def test_the_most_specific_socket_gets_it() -> None:
    state = host()
    there = (
        socket(sockets.UDP, "0.0.0.0", 53, oif=ETH1, uid=7), socket(sockets.UDP, "::", 53, uid=8),
        socket(sockets.UDP, "10.0.0.1", 99, remote=parse_address("10.0.0.9"), rport=9, state=1),
        socket(sockets.UDP, "::ffff:10.0.0.1", 98, mark=5, uid=9),
        socket(sockets.UDP, "0.0.0.0", 97, oif=77),
    )  # fmt: skip
    made = twin(state._replace(links=(*state.links, link(ETH1, "eth1")), sockets=there))
    row = why(made, "udp 10.0.0.9#9 10.0.0.1#53 iif eth0")
    assert "a program of user 8" in str(row["steps"])
    assert why(made, "udp 10.0.0.9#9 10.0.0.1#99 iif eth0")["ok"]
    assert not why(made, "udp 10.0.0.8#9 10.0.0.1#99 iif eth0")["ok"]
    assert why(made, "udp 10.0.0.9#9 10.0.0.1#98 iif eth0")["ok"]
    assert not why(made, "udp 10.0.0.9#9 10.0.0.1#97 iif eth0")["ok"]  # its link is gone
    assert [(each.mark, each.uid) for each in made.stack.udp.at_port(98)] == [(5, 9)]


def test_a_full_backlog_and_connections_are_known() -> None:
    far = parse_address("10.0.0.9")
    there = (
        socket(sockets.TCP, "0.0.0.0", 80, waiting_in=3, waiting_out=2),
        socket(sockets.TCP, "0.0.0.0", 22, waiting_in=0, waiting_out=2),
        socket(sockets.TCP, "10.0.0.1", 22, remote=far, rport=5000, state=1),
        socket(sockets.TCP, "10.0.0.1", 22, remote=far, rport=5001, state=6),
    )  # fmt: skip
    made = twin(host(sockets=there))
    assert why(made, "tcp 10.0.0.9#7 10.0.0.1#80 iif eth0")["reason"] == "tcp-backlog-full"
    assert why(made, "tcp 10.0.0.9#7 10.0.0.1#22 iif eth0")["ok"]
    assert len(made.stack.tcp.connections) == 2


@pytest.mark.parametrize(
    ("dst", "gateway", "other", "plen"),
    [("8.8.8.8", "10.0.0.254", "10.0.0.253", 32), ("2001:db8:9::8", "fe80::fe", "fe80::fd", 128)],
)
def test_learned_ways_are_taken(dst: str, gateway: str, other: str, plen: int) -> None:
    mtu = route(f"{dst}/{plen}", hop(ETH0, gateway), metrics=((2, 1300),), flags=0x200, metric=0)
    made = twin(host(learned=(mtu,)))
    (known,) = [known for _, known in made.stack.networks.for_address(mtu.dst).fib.path_mtus]
    assert known.mtu == 1300
    assert 1300 in (way(made, dst).get("metrics") or [{}])[0].values()
    redirected = mtu._replace(hops=(hop(ETH0, other),), metrics=(), expires=30_000)
    made = twin(host(learned=(redirected,)), 5)
    assert way(made, dst)["gateway"] == other
    assert way(made, dst)["expires"] == 300


def test_proxies_answer_for_others() -> None:
    state = host(proxies=(neighbor(ETH0, "10.0.0.99", 0, ""), neighbor(0, "10.0.0.98", 0, "")))
    made = twin(
        state._replace(
            links=(*state.links, link(ETH1, "eth1")),
            routes=(*state.routes, route("10.0.0.99/32", hop(ETH1), scope=253)),
            sysctls=Sysctls({"ipv4/conf/eth0/forwarding": "1"}, ()),
        )
    )
    entries = {
        name: sorted(made.stack.interface(name).ipv4.proxies.entries) for name in ("eth0", "eth1")
    }
    both, one = parse_address("10.0.0.98"), parse_address("10.0.0.99")
    assert entries == {"eth0": [both, one], "eth1": [both]}
    assert why(made, "arp 10.0.0.9 10.0.0.99 iif eth0")["reason"] == "arp-proxy-delayed"


def test_whether_rules_were_ever_changed_is_not_told() -> None:
    """Local and main are one table until somebody touches the rules, even if he puts them back."""
    state = host()
    wide = route("10.5.0.0/16", hop(LO), table=255, scope=254, type=2)
    narrow = route("10.5.5.0/24", hop(ETH0, "10.0.0.2"))
    made = twin(state._replace(routes=(*state.routes, wide, narrow)))
    assert [(note.topic, note.route) for note in made.notes] == [("route", (254, narrow.dst, 24))]
    more = (rule(5, 100), *USUAL_RULES)
    assert twin(state._replace(routes=(*state.routes, wide, narrow), rules=more)).notes == ()


def test_what_came_in_goes_on_by_its_link_where_two_are_as_good() -> None:
    """Two links to one IPv6 network; IPv4 takes the first one."""
    state = host()
    values = {
        "ipv6/conf/all/forwarding": "1", "ipv4/ip_forward": "1",
        "ipv4/conf/eth0/forwarding": "1", "ipv4/conf/eth1/forwarding": "1",
    }  # fmt: skip
    made = twin(state._replace(
        links=(*state.links, link(ETH1, "eth1")), sysctls=Sysctls(values, ()),
        addresses=(*state.addresses, address(ETH1, "2001:db8::2/64")),
        routes=(
            *state.routes, local(ETH1, "2001:db8::2"),
            route("2001:db8::/64", hop(ETH1), protocol=2, metric=256),
            route("10.0.0.0/24", hop(ETH1), scope=253),
        ),
    ))  # fmt: skip
    assert why(made, "udp 2001:db8:7::9#5 2001:db8::77#7 iif eth1")["dev"] == "eth1"
    assert why(made, "udp 2001:db8:7::9#5 2001:db8::77#7 iif eth0")["dev"] == "eth0"
    assert why(made, "udp 10.7.0.9#5 10.0.0.77#7 iif eth1")["dev"] == "eth0"
    assert way(made, "2001:db8::77")["dev"] == "eth0"
