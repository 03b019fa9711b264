"""Commands and texts of smolctl in Linux's words."""

import pytest

from smolctl.host.commands import Commands
from smolctl.host.drop_names import LINUX
from tests.host.handmade import host

STATE = host(
    "link eth0",
    "link eth0.5",
    "addr 10.0.0.1/24 dev eth0",
    "addr 2001:db8::1/64 dev eth0",
    "route default via 10.0.0.254",
    "neigh fe80::1 lladdr 02:00:00:00:00:09 dev eth0 router",
    "sysctl ipv4/conf/all/rp_filter=1",
)
HERE = Commands(STATE)


@pytest.mark.parametrize(
    ("ours", "linux"),
    [
        ("link set eth0 up", "ip link set eth0 up"),
        ("link set eth0 mtu 1500", "ip link set eth0 mtu 1500"),
        ("-6 route del blackhole 2001:db8:9::/48", "ip -6 route del blackhole 2001:db8:9::/48"),
        ("route add default via 10.0.0.254", "ip route add default via 10.0.0.254"),
        ("-6 route add default via fe80::1 dev v", "ip -6 route add default via fe80::1 dev v"),
        ("rule del priority 9 from all prohibit", "ip rule del priority 9 from all prohibit"),
        ("maddr add 239.1.1.1 dev eth0", "ip addr add 239.1.1.1/32 dev eth0 autojoin"),
        ("maddr add ff05::1 dev eth0", "ip addr add ff05::1/128 dev eth0 autojoin"),
        ("sysctl icmp.echo_ignore_all=0", "sysctl -w net.ipv4.icmp_echo_ignore_all=0"),
        ("sysctl icmp6.echo_ignore_all=0", "sysctl -w net.ipv6.icmp.echo_ignore_all=0"),
        ("sysctl ip.forward=1", "sysctl -w net.ipv4.ip_forward=1"),
        ("sysctl ip6.forward=1", "sysctl -w net.ipv6.conf.all.forwarding=1"),
        # The larger of both counts: 1 of all links is not undone by a link's own 0.
        ("sysctl ip.rp_filter=2", "sysctl -w net.ipv4.conf.eth0.rp_filter=2"),
        ("sysctl ip.rp_filter=0", "sysctl -w net.ipv4.conf.all.rp_filter=0"),
        ("sysctl eth0.5.arp.ignore=0", "sysctl -w net/ipv4/conf/eth0.5/arp_ignore=0"),
    ],
)  # fmt: skip
def test_a_fix_is_the_same_command_of_linux(ours: str, linux: str) -> None:
    assert HERE.fix(f"smolctl {ours}", "eth0") == linux


@pytest.mark.parametrize(
    "ours",
    [
        "addr add 10.0.0.2/24 dev eth0",  # the destination's: whoever has it is not to lose it
        "route add default via 10.0.0.9",  # nothing says that it is a router
        "-6 route add default via fe80::9 dev eth0",
        "route add 10.9.0.0/16 dev eth0",
        "udp recv 10.0.0.1:53",
        "tcp listen 10.0.0.1:80",
        "sysctl ip.strong_host=0",  # Linux has none
        "sysctl neigh.proxy_delay_ms=0",  # Linux counts in other units
    ],
)
def test_what_has_no_such_command_is_no_fix(ours: str) -> None:
    assert HERE.fix(f"smolctl {ours}", "eth0") is None


def test_both_are_set_where_both_count() -> None:
    both = Commands(
        host("link eth0", *(f"sysctl ipv4/conf/{name}/rp_filter=1" for name in ("all", "eth0")))
    )
    assert both.fix("smolctl sysctl ip.rp_filter=0", "eth0") == (
        "sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0"
    )


def test_a_forwarding_link_of_a_router_is_set_alone() -> None:
    # The kernel passes ip_forward on only when it changes.
    router = Commands(host("link eth0", "sysctl ipv4/ip_forward=1"))
    assert router.fix("smolctl sysctl ip.forward=1", "eth0") == (
        "sysctl -w net.ipv4.conf.eth0.forwarding=1"
    )


def test_commands_for_another_namespace() -> None:
    there = Commands(STATE, "lab")
    assert there.fix("smolctl link set eth0 up") == "ip -n lab link set eth0 up"
    assert there.fix("smolctl sysctl ip.forward=1") == (
        "ip netns exec lab sysctl -w net.ipv4.ip_forward=1"
    )
    by_path = Commands(STATE, "/proc/7/ns/net")
    assert by_path.fix("smolctl link set eth0 up") == (
        "nsenter --net=/proc/7/ns/net ip link set eth0 up"
    )


@pytest.mark.parametrize(
    ("ours", "linux"),
    [
        ("meant? smolctl route show match 10.9.9.9", "meant? ip route show match 10.9.9.9"),
        ("smolctl -6 rule show", "ip -6 rule show"),
        ("the bytes: smolctl capture eth0 -v", "the bytes: tcpdump -env -i eth0"),
        ("what listens: smolctl socket show", "what listens: ss -lntup"),
        ("with ip.bc_forwarding=0 it is not", "with bc_forwarding=0 it is not"),
        ("eth0.arp.ignore is 1", "net.ipv4.conf.eth0.arp_ignore is 1"),
        (
            "both: smolctl sysctl ip6.forward=1, and smolctl sysctl nd.proxy=1",
            "both: sysctl -w net.ipv6.conf.all.forwarding=1, and"
            " sysctl -w net.ipv6.conf.eth0.proxy_ndp=1",
        ),
        ("smolctl explain tx-no-route", "smolctl explain tx-no-route"),
        ("an address of this stack", "an address of this host"),
    ],
)  # fmt: skip
def test_a_text_speaks_of_the_host(ours: str, linux: str) -> None:
    assert HERE.said(ours, "eth0") == linux


def test_names_of_linux() -> None:
    assert LINUX["ip-reverse-path"] == "IP_RPFILTER"
    assert LINUX["tx-no-route"] == "ENETUNREACH"
    assert "ip-dst-other-iface" not in LINUX  # Linux drops nothing for that
