"""Twins of hosts built by hand."""

import pytest

from smolctl.errors import SmolctlError
from smolctl.host import routes, sockets
from smolctl.host.sysctls import Sysctls
from smolctl.host.twin import twin
from smolctl.stack.interface import Interface
from smolctl.wire.address import parse_address
from tests.host.twin.asking import way, why
from tests.host.twin.hosts import (
    ETH0,
    ETH1,
    USUAL_RULES,
    hop,
    host,
    link,
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
        rules=(rule(1, uids=(5, 9)), *USUAL_RULES),
        settled=False,
    ))  # fmt: skip
    assert [(note.topic, note.route or note.rule) for note in made.notes] == [
        ("route", (254, parse_address("10.5.0.0"), 16)),
        ("route", (254, parse_address("10.6.0.0"), 16)),
        ("route", (254, parse_address("10.7.0.0"), 16)),
        ("route", (254, parse_address("2001:db8:5::"), 48)),
        ("rule", 1),
        ("host", None),
    ]
