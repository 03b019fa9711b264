"""Questions about hosts that are made by hand: verdicts, fixes in Linux's words, and limits."""

from typing import Any

import pytest

from smolctl.errors import SmolctlError
from smolctl.host.commands import Commands
from smolctl.host.filters import INET, IPV4, Chain
from smolctl.host.hooks import Hook
from smolctl.host.question import ask
from smolctl.host.reading import HostState
from smolctl.host.xfrm import Policy
from smolctl.stack.reason import REASONS
from smolctl.wire.address import parse_address
from tests.host.handmade import host

UPLINKS = (
    "link eth0", "link eth1", "addr 10.0.0.1/24 dev eth0", "addr 10.1.0.1/24 dev eth1",
    "route default via 10.0.0.254", "socket udp 0.0.0.0:53", "socket tcp 0.0.0.0:80",
    "neigh 10.0.0.254 lladdr 02:00:00:00:00:99 dev eth0",
)  # fmt: skip
ROUTER = (
    *UPLINKS, "sysctl ipv4/ip_forward=1",
    *(f"sysctl ipv4/conf/{name}/forwarding=1" for name in ("all", "default", "eth0", "eth1")),
)  # fmt: skip
SIX = (
    "link eth0", "addr 2001:db8::1/64 dev eth0", "route default via 2001:db8::fe",
    "neigh 2001:db8::fe lladdr 02:00:00:00:00:99 dev eth0 router",
)  # fmt: skip


def udp(state: HostState, dst: str, dport: int = 53, **words: Any) -> dict[str, Any]:
    return ask(state, {"proto": "udp", "dst": dst, "dport": dport, **words})


def limited(row: dict[str, Any]) -> str:
    return "; ".join(row.get("not_looked_at", ()))


# --- verdicts and fixes ---------------------------------------------------------------------------


def test_a_datagram_leaves_by_the_default_gateway() -> None:
    row = udp(host(*UPLINKS), "8.8.8.8")
    assert (row["ok"], row["verdict"]) == (True, "sent by eth0")
    assert row["host"] == {"release": "6.18", "settled": True}
    assert "not_looked_at" not in row
    assert "trace" not in row


@pytest.mark.parametrize("state", ["failed", "incomplete"])
def test_a_gateway_that_did_not_answer_is_said_to(state: str) -> None:
    lines = (*UPLINKS[:5], f"neigh 10.0.0.254 dev eth0 nud {state}")
    row = udp(host(*lines), "8.8.8.8")
    assert row["ok"] is True
    assert ("did not answer when it was last asked" in row["why"]) is (state == "failed")
    assert ("ip neigh show 10.0.0.254 dev eth0" in row.get("look", "")) is (state == "failed")
    words = {"proto": "icmp", "src": "10.9.9.9", "dst": "10.0.0.1", "iif": "eth0"}
    assert ("(FAILED)" in ask(host(*lines), words)["why"]) is (state == "failed")


def test_ipv6_leaves_by_its_gateway() -> None:
    row = udp(host(*SIX), "2001:db8:9::9")
    assert (row["ok"], row["verdict"]) == (True, "sent by eth0")
    assert "2001:db8::fe is at 02:00:00:00:00:99" in row["why"]


@pytest.mark.parametrize(
    ("lines", "words", "reason", "linux", "fix"),
    [
        (
            ("link eth0 down", "addr 10.0.0.1/24 dev eth0"),
            {"dst": "10.0.0.2"},
            "tx-iface-down", "ENETUNREACH", ["ip link set eth0 up"],
        ),
        (
            UPLINKS,
            {"dst": "8.8.8.8", "src": "10.1.0.5", "iif": "eth1"},
            "ip-dst-not-ours", "IP_INADDRERRORS", ["sysctl -w net.ipv4.ip_forward=1"],
        ),
        (
            (*UPLINKS, "route blackhole 9.9.0.0/16"),
            {"dst": "9.9.9.9"},
            "tx-route-blackhole", "EINVAL", ["ip route del blackhole 9.9.0.0/16"],
        ),
        (
            (*UPLINKS, "rule priority 9 to 9.9.0.0/16 prohibit"),
            {"dst": "9.9.9.9"},
            "tx-rule-prohibit", "EACCES",
            ["ip rule del priority 9 from all to 9.9.0.0/16 prohibit"],
        ),
        (
            (*UPLINKS, *(f"sysctl ipv4/conf/{name}/rp_filter=1" for name in ("eth0", "eth1"))),
            {"dst": "10.1.0.1", "src": "9.9.9.9", "iif": "eth1"},
            "ip-reverse-path", "IP_RPFILTER", ["sysctl -w net.ipv4.conf.eth1.rp_filter=2"],
        ),
        (
            (*SIX, "route unreachable 2001:db8:9::/48"),
            {"dst": "2001:db8:9::9"},
            "tx-route-unreachable", "EHOSTUNREACH",
            ["ip -6 route del unreachable 2001:db8:9::/48 metric 1024"],
        ),
        (
            (*SIX, "sysctl ipv6/conf/eth0/forwarding=0"),
            {"dst": "2001:db8:9::9", "src": "2001:db8::9", "iif": "eth0"},
            "ip6-dst-not-ours", "IP_INADDRERRORS", [],
        ),
    ],
)  # fmt: skip
def test_a_drop_has_a_name_of_linux_and_a_command_that_helps(
    lines: tuple[str, ...], words: dict[str, Any], reason: str, linux: str, fix: list[str]
) -> None:
    row = udp(host(*lines), **words)
    assert (row["ok"], row["reason"], row["linux"]) == (False, reason, linux)
    assert f"- {reason} ({linux})" in row["verdict"]
    assert row["fix"] == fix


def test_commands_for_a_namespace_enter_it() -> None:
    row = ask(
        host("link eth0 down", "addr 10.0.0.1/24 dev eth0"),
        {"proto": "icmp", "dst": "10.0.0.2"},
        "lab",
    )
    assert row["fix"] == ["ip -n lab link set eth0 up"]
    assert row["host"]["netns"] == "lab"
    six = (*SIX, "link eth1", "addr 2001:db8:1::1/64 dev eth1")
    words = {"proto": "icmp", "src": "2001:db8:77::7", "dst": "2001:db8:1::1", "iif": "eth1"}
    assert "? ip -n lab -6 rule add from 2001:db8:1::1 " in ask(host(*six), words, "lab")["look"]


@pytest.mark.parametrize(
    ("lines", "words", "look"),
    [
        # The only neighbor may be a router, and nothing says so.
        (
            ("link eth0", "addr 10.0.0.1/24 dev eth0",
             "neigh 10.0.0.254 lladdr 02:00:00:00:00:99 dev eth0"),
            {"dst": "8.8.8.8"},
            "who is the router? ip neigh show",
        ),
        (UPLINKS, {"dst": "10.0.0.1", "src": "10.0.0.9", "dport": 54}, "ss -lntup"),
    ],
)  # fmt: skip
def test_what_no_command_of_linux_may_do_is_for_people(
    lines: tuple[str, ...], words: dict[str, Any], look: str
) -> None:
    row = udp(host(*lines), **words)
    assert row["ok"] is False
    assert row["fix"] == []
    assert look in row["look"]
    assert "smolctl" not in row["look"]


def test_a_veth_gets_its_carrier_from_its_other_end() -> None:
    lines = (
        "link eth0 type veth nocarrier", "link far type veth peer eth0 down",
        "addr 10.0.0.1/24 dev eth0", "neigh 10.0.0.2 lladdr 02:00:00:00:00:99 dev eth0",
    )  # fmt: skip
    row = udp(host(*lines), "10.0.0.2")
    assert (row["reason"], row["fix"]) == ("tx-no-carrier", ["ip link set far up"])
    # Past a VPN that is down there is a way, which is not for what it hides.
    tun = udp(host(*UPLINKS, "link t0 type tun nocarrier", "addr 10.9.0.1/24 dev t0"), "10.9.0.2")
    assert tun["fix"] == []
    assert tun["look"].startswith("does a program have it open")


_COUNTS = tuple(
    f"sysctl {ip}/conf/{name}/ignore_routes_with_linkdown=0"
    for ip in ("ipv4", "ipv6") for name in ("all", "eth1")
)  # fmt: skip
_PAST = ["sysctl -w net.ipv4.conf.eth1.ignore_routes_with_linkdown=1"]
_CABLE = "is a cable plugged in? ethtool eth1"
UNPLUGGED = (*(line.replace("link eth1", "link eth1 nocarrier") for line in UPLINKS), *_COUNTS)


@pytest.mark.parametrize(
    ("more", "dst", "fix"),
    [
        ((), "10.1.0.5", []),  # on the link itself: no router leads there
        (("route 20.0.0.0/8 dev eth1 scope link",), "20.0.0.5", []),
        (("route 20.0.0.0/8 via 10.1.0.9",), "20.0.0.5", _PAST),  # by another router
        (("addr 10.1.0.3/24 dev eth0",), "10.1.0.5", _PAST),  # another link has its network, too
        (
            ("addr 2001:db8::1/64 dev eth0", "route default via 2001:db8::fe",
             "addr 2001:db8:1::1/64 dev eth1"), "2001:db8:1::5", [],
        ),
    ],
)  # fmt: skip
def test_past_a_link_without_carrier_no_router_leads_to_who_is_on_it(
    more: tuple[str, ...], dst: str, fix: list[str]
) -> None:
    row = udp(host(*UNPLUGGED, *more), dst)
    assert (row["reason"], row["fix"]) == ("tx-no-carrier", fix)
    assert row.get("look") == (None if fix else _CABLE)


@pytest.mark.parametrize(("port", "fix"), [("type veth", _PAST), ("", [])])
def test_past_a_bridge_for_containers_that_has_none_a_router_leads(
    port: str, fix: list[str]
) -> None:
    lines = [line.replace("eth1 nocarrier", "eth1 type bridge nocarrier") for line in UNPLUGGED]
    more = (f"link p0 {port} master eth1 nocarrier", "route 224.0.0.0/4 dev eth1 scope link")
    state = host(*lines, *more)
    row = udp(state, "10.1.0.5")
    assert (row["reason"], row["fix"]) == ("tx-no-carrier", fix)
    for all_of_it in ("10.1.0.255", "224.0.0.7"):  # which are on the bridge alone
        row = udp(state, all_of_it, broadcast=True)
        assert (row["reason"], row["fix"]) == ("tx-no-carrier", [])


def test_the_answer_to_who_was_on_a_link_without_carrier_is_led_nowhere_else() -> None:
    words = {"proto": "icmp", "src": "10.1.0.9", "dst": "10.0.0.1", "iif": "eth0"}
    row = ask(host(*UNPLUGGED), words)
    assert (row["reason"], row["fix"], row["look"]) == ("tx-no-carrier", [], _CABLE)


def test_no_gateway_is_proposed_to_who_is_on_a_link_whose_route_does_not_count() -> None:
    away = [line for line in UNPLUGGED if "default" not in line and "eth1/ignore" not in line]
    more = (
        "route 172.16.0.0/12 via 10.0.0.254",
        "sysctl ipv4/conf/eth1/ignore_routes_with_linkdown=1",
    )
    row = udp(host(*away, *more), "10.1.0.5")
    assert (row["reason"], row["fix"], row["look"]) == ("tx-no-route", [], _CABLE)
    assert udp(host(*away, *more), "8.8.8.8")["fix"] == ["ip route add default via 10.0.0.254"]


def test_no_advice_speaks_of_commands_for_stacks() -> None:
    commands, values = Commands(host(*UPLINKS)), dict.fromkeys(("dev", "out"), "eth0")
    for reason in REASONS.values():
        for text in (reason.advice_template, *reason.cause_advice.values()):
            said = commands.look(reason.name, text, values)
            assert "smolctl" not in said.replace(f"smolctl explain {reason.name}", ""), text


def test_no_fix_takes_the_address_of_another_host() -> None:
    row = ask(host(*UPLINKS), {"proto": "arp", "src": "10.0.0.9", "dst": "10.0.0.7", "iif": "eth0"})
    assert row["reason"] == "arp-target-not-ours"
    assert not [each for each in row["fix"] if "addr" in each]


# --- what comes in --------------------------------------------------------------------------------


def test_a_frame_to_another_mac_is_for_another_host() -> None:
    words: dict[str, Any] = {"src": "10.0.0.9", "iif": "eth0", "dmac": "02:00:00:00:00:77"}
    row = udp(host(*UPLINKS), "10.0.0.1", **words)
    assert (row["reason"], row["linux"]) == ("rx-not-our-mac", "OTHERHOST")
    ours = udp(host(*UPLINKS), "10.0.0.1", **words | {"dmac": "02:00:00:00:00:02"})
    assert ours["ok"] is True


def test_the_answer_to_a_connection_attempt_is_followed() -> None:
    words = {"proto": "tcp", "src": "9.9.9.9", "sport": 5, "dst": "10.1.0.1", "dport": 80}
    row = ask(host(*UPLINKS), words | {"iif": "eth1"})
    assert row["ok"] is True
    (answer,) = (step for step in row["steps"] if step["stage"] == "answer")
    assert (answer["dev"], answer["gateway"]) == ("eth0", "10.0.0.254")
    away = [line for line in UPLINKS if "default" not in line]
    row = ask(host(*away), words | {"iif": "eth1"})
    assert (row["ok"], row["reason"]) == (False, "tx-no-route")


@pytest.mark.parametrize(
    ("size", "mtu", "said"),
    [
        (1476, 1500, None),  # a tag of a VLAN longer
        (1477, 1500, "far, the other end of eth0, drops 1505 B, as its MTU is 1500"),
        (2977, 3000, "far, the other end of eth0, drops 3005 B, as its MTU is 3000"),
        (8972, 9000, None),
    ],
)
def test_the_other_end_of_a_veth_may_drop_what_is_too_long(
    size: int, mtu: int, said: str | None
) -> None:
    lines = (
        "link eth0 type veth mtu 9000", f"link far type veth peer eth0 mtu {mtu}",
        *(line for line in UPLINKS if line != "link eth0"),
    )  # fmt: skip
    row = udp(host(*lines), "8.8.8.8", size=size)
    assert row["ok"] is (True if said is None else None)
    assert limited(row) == (said or "")
    assert row.get("look") == (said and "ip link set far mtu 9000")
    alone = [line for line in lines if "far" not in line]
    unseen = f"the other end of eth0, in another namespace, takes {size + 28} B"
    assert (unseen in limited(udp(host(*alone), "8.8.8.8", size=size))) is (size > 1476)


def test_what_comes_in_by_the_port_of_a_bridge_is_the_bridges() -> None:
    lines = ("link br0 type bridge", "link v0 type veth master br0", "addr 10.0.0.1/24 dev br0",
             "socket udp 0.0.0.0:53")  # fmt: skip
    row = udp(host(*lines), "10.0.0.1", src="10.0.0.9", iif="v0")
    assert (row["ok"], row["dev"]) == (True, "br0")


@pytest.mark.parametrize("iif", ["v0", "br0"])
def test_nothing_comes_in_by_a_bridge_whose_only_port_is_down(iif: str) -> None:
    lines = ("link br0 type bridge", "link v0 type veth master br0 down",
             "addr 10.0.0.1/24 dev br0", "socket udp 0.0.0.0:53")  # fmt: skip
    row = udp(host(*lines), "10.0.0.1", src="10.0.0.9", iif=iif)
    assert (row["ok"], row["reason"], row["why"]) == (False, "rx-iface-down", "v0 is down")
    assert row["fix"] == ["ip link set v0 up"]
    assert "not_looked_at" not in row


@pytest.mark.parametrize(("size", "fits"), [(1376, True), (1377, False)])
def test_a_bridge_sends_nothing_by_a_port_whose_mtu_is_less(size: int, fits: bool) -> None:
    lines = ("link br0 type bridge", "link v0 type veth master br0 mtu 1400",
             "link v1 type veth master br0 mtu 1400 down", "addr 10.0.0.1/24 dev br0")  # fmt: skip
    row = udp(host(*lines), "10.0.0.9", size=size)
    assert row["ok"] is (True if fits else None)
    told = "br0 sends 1405 B by no port whose MTU is less: not by v0"
    assert (told in limited(row)) is not fits


def test_a_datagram_is_forwarded_if_its_ttl_lasts() -> None:
    words: dict[str, Any] = {"src": "10.1.0.5", "iif": "eth1"}
    assert udp(host(*ROUTER), "8.8.8.8", **words)["verdict"] == "forwarded by eth0"
    row = udp(host(*ROUTER), "8.8.8.8", **words, ttl=1)
    assert (row["ok"], row["reason"]) == (False, "fwd-ttl-exceeded")


# --- what is not looked at ------------------------------------------------------------------------


def with_chains(*chains: Chain, lines: tuple[str, ...] = ROUTER) -> HostState:
    state = host(*lines)
    hook = Hook("nftables", 1, "", chains=chains)
    return state._replace(hooks=(hook,))


def chain(hook: str, *, rules: int = 1, drops: bool = False, **more: Any) -> Chain:
    made = Chain("nftables", INET, "t", hook, hook, "filter", rules, drops)
    return made._replace(**more)


def test_a_link_of_an_unknown_kind_is_named() -> None:
    row = udp(host(*UPLINKS, "link x0 type foo", "addr 10.5.0.1/24 dev x0"), "10.5.0.9")
    assert limited(row) == "what x0 (foo) makes of it"
    assert limited(udp(host(*UPLINKS), "10.0.0.9")) == ""


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_a_closed_port_here_may_be_elsewhere_by_rules_that_nobody_may_read(proto: str) -> None:
    state = host(*UPLINKS)._replace(hooks=(Hook("nftables", None, "rules may exist"),))
    row = ask(state, {"proto": proto, "dst": "127.0.0.1", "dport": 9})
    assert (row["ok"], limited(row)) == (
        False, "rules of nftables may exist, and only root may read them"
    )  # fmt: skip
    redirecting = ask(with_chains(chain("output", kind="nat"), lines=UPLINKS),
                      {"proto": proto, "dst": "127.0.0.1", "dport": 9})  # fmt: skip
    assert redirecting["ok"] is None


def test_chains_that_a_packet_passes_are_named_and_others_are_not() -> None:
    state = with_chains(
        chain("output"), chain("input"), chain("forward"), chain("postrouting", rules=0)
    )
    out = udp(state, "8.8.8.8")
    assert out["ok"] is True
    assert limited(out) == ("1 chain of nftables (1 rule) could drop or change this: t output")
    assert "hook output priority -400; ip daddr 8.8.8.8 udp dport 53 meta" in out["trace"]
    through = udp(state, "8.8.8.8", src="10.1.0.5", iif="eth1")
    assert limited(through).endswith(": t forward")
    assert 'hook prerouting priority -400; iifname "eth1"' in through["trace"]
    here = udp(state, "10.0.0.1", src="10.0.0.9")
    assert limited(here).endswith(": t input")


def test_a_chain_that_drops_the_rest_decides() -> None:
    state = with_chains(chain("input", drops=True))
    row = udp(state, "10.0.0.1", src="10.0.0.9")
    assert (row["ok"], row["verdict"], row["fix"]) == (None, "cannot say", [])
    assert "without that: delivered to 0.0.0.0:53" in row["why"]
    # What fails without it fails with it, and what does not pass it is not concerned.
    assert udp(state, "8.8.8.8")["ok"] is True
    closed = udp(state, "10.0.0.1", 54, src="10.0.0.9")
    assert closed["ok"] is False


def test_nat_may_send_elsewhere_what_nobody_here_takes() -> None:
    state = with_chains(chain("prerouting", kind="nat", tool="iptables", family=IPV4))
    closed = udp(state, "10.0.0.1", 54, src="10.0.0.9")
    assert closed["ok"] is None
    assert "without that: refused - udp-port-closed" in closed["why"]
    assert closed["trace"].startswith(
        "iptables -t raw -I PREROUTING -i eth0 -s 10.0.0.9 -d 10.0.0.1 -p udp --dport 54 -j TRACE;"
    )
    # What is delivered may be sent elsewhere, too, and what has a wrong source is dropped anyway.
    assert udp(state, "10.0.0.1", src="10.0.0.9")["ok"] is True
    strict = (*ROUTER, "sysctl ipv4/conf/eth1/rp_filter=1")
    state = with_chains(chain("prerouting", kind="nat"), lines=strict)
    row = udp(state, "10.1.0.1", src="9.9.9.9", iif="eth1")
    assert (row["ok"], row["reason"]) == (False, "ip-reverse-path")


def test_chains_of_another_family_or_link_are_no_concern() -> None:
    state = with_chains(
        chain("output", family=10, drops=True), chain("ingress", family=5, devices=("eth9",))
    )
    assert "not_looked_at" not in udp(state, "8.8.8.8")
    assert "not_looked_at" not in udp(state, "10.0.0.1", src="10.0.0.9")
    four = with_chains(chain("output", family=IPV4, drops=True))
    assert udp(four, "8.8.8.8")["ok"] is None


def test_what_has_no_route_meets_no_chain() -> None:
    state = with_chains(
        chain("output", drops=True), lines=("link eth0", "addr 10.0.0.1/24 dev eth0")
    )
    row = udp(state, "8.8.8.8")
    assert (row["ok"], row["reason"]) == (False, "tx-no-route")
    assert "not_looked_at" not in row


def test_what_only_root_may_read_is_said_in_one_line() -> None:
    names = ("nftables", "iptables", "ip6tables", "arptables", "ipvs", "xfrm", "mroute")
    hooks = tuple(Hook(name, None, "may exist") for name in names)
    row = udp(host(*UPLINKS)._replace(hooks=hooks), "8.8.8.8")
    assert row["ok"] is True
    assert row["not_looked_at"] == [
        "rules of nftables, rules of iptables, services of IPVS and policies of IPsec may exist,"
        " and only root may read them"
    ]
    assert "trace" in row


POLICY = Policy(
    "out", 2, parse_address("8.8.0.0"), 16, 0, 0, (53, 0xFFFF), (0, 0), 17, 0, False, True
)


@pytest.mark.parametrize(
    ("policy", "dst", "dport", "ok"),
    [
        (POLICY, "8.8.8.8", 53, None),
        (POLICY, "8.8.8.8", 54, True),
        (POLICY, "8.9.8.8", 53, True),
        (POLICY._replace(direction="fwd"), "8.8.8.8", 53, True),
        (POLICY._replace(src=parse_address("10.9.0.0"), src_plen=16), "8.8.8.8", 53, True),
        (POLICY._replace(transforms=False), "8.8.8.8", 53, True),
        (POLICY._replace(transforms=False, blocks=True), "8.8.8.8", 53, None),
    ],
)
def test_policies_of_ipsec_count_for_what_they_select(
    policy: Policy, dst: str, dport: int, ok: bool | None
) -> None:
    state = host(*UPLINKS)._replace(hooks=(Hook("xfrm", 1, "", policies=(policy,)),))
    assert udp(state, dst, dport)["ok"] is ok


def test_a_program_in_front_of_the_stack_decides_about_what_comes_in() -> None:
    state = host(*UPLINKS)._replace(hooks=(Hook("xdp", 1, "a program", "eth0"),))
    assert udp(state, "10.0.0.1", src="10.0.0.9")["ok"] is None
    assert udp(state, "10.1.0.1", src="10.1.0.9")["ok"] is True


def test_a_vrf_decides() -> None:
    lines = ("link red type vrf", "link eth0 master red", "addr 10.0.0.1/24 dev eth0")
    row = udp(host(*lines), "10.0.0.2")
    assert row["ok"] is None
    assert "belongs to the VRF red" in limited(row)


def test_one_of_several_next_hops_is_the_kernels_choice() -> None:
    both = [line for line in UPLINKS if "default" not in line]
    ways = "nexthop via 10.0.0.254 nexthop via 10.1.0.254"
    row = udp(host(*both, f"route default {ways}"), "8.8.8.8")
    assert row["one_of"] == ["via 10.0.0.254 dev eth0", "via 10.1.0.254 dev eth1"]
    assert row["ok"] is True
    down = [line.replace("link eth1", "link eth1 mtu 576") for line in both]
    row = udp(host(*down, f"route default {ways}"), "8.8.8.8", size=1000, pmtudisc="do")
    assert row["ok"] is None
    assert row["why"].startswith("the kernel's own hash picks the next hop: one of {")


def test_a_tunnel_without_an_end_that_is_told_cannot_be_followed() -> None:
    row = udp(host(*UPLINKS, "link wg0 type wireguard", "addr 10.5.0.1/24 dev wg0"), "10.5.0.2")
    assert (row["ok"], row["look"]) == (None, "wg show wg0")
    assert "the underlay is a question of its own" in limited(row)


@pytest.mark.parametrize("blocked", [False, True])
def test_the_underlay_of_a_tunnel_is_asked_next(blocked: bool) -> None:
    rest = ["route blackhole 9.9.9.0/24"] if blocked else []
    state = host(*UPLINKS, "link vx0 type vxlan", "addr 10.6.0.1/24 dev vx0", *rest)
    links = [
        link._replace(data={2: bytes([9, 9, 9, 9])}) if link.name == "vx0" else link
        for link in state.links
    ]
    row = udp(state._replace(links=tuple(links)), "10.6.0.2")
    below = row["underlay"]
    assert below["packet"]["dport"] == 8472
    assert below["packet"]["dst"] == "9.9.9.9"
    assert (row["ok"], below["ok"]) == (not blocked, not blocked)
    if blocked:
        assert row["fix"] == ["ip route del blackhole 9.9.9.0/24"]
        assert "what vx0 makes of it fails" in row["verdict"]


def test_a_rule_that_no_twin_has_decides_where_it_could_match() -> None:
    lines = (*UPLINKS, "rule priority 9 to 8.8.0.0/16 lookup 7")
    state = host(*lines)
    unknown = tuple(
        rule._replace(unknown=(99,)) if rule.priority == 9 else rule for rule in state.rules
    )
    state = state._replace(rules=unknown)
    assert udp(state, "8.8.8.8")["ok"] is None
    assert udp(state, "9.9.9.9")["ok"] is True
    assert "not_looked_at" not in udp(state, "9.9.9.9")


def test_a_host_that_changed_meanwhile_is_said_to() -> None:
    assert "changed while it was read" in limited(
        udp(host(*UPLINKS)._replace(settled=False), "8.8.8.8")
    )


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ({"dst": "8.8.8.8", "iif": "eth0"}, "needs a source", "name SRC and DST"),
        ({"dst": "8.8.8.8", "dev": "eth9"}, 'no interface "eth9"', 'mean "eth'),
        ({"dst": "8.8"}, "8.8", ""),
        ({"dst": "8.8.8.8", "src": "::1"}, "of two families", ""),
        ({"dst": "8.8.8.8", "dmac": "02:00:00:00:00:01"}, "dmac is about a frame", "iif DEV"),
        ({"dst": "8.8.8.8", "dport": None}, "port is missing", "why --host udp 8.8.8.8:PORT"),
    ],
)
def test_a_mistake_is_one_line(words: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(SmolctlError) as caught:
        udp(host(*UPLINKS), **{"dst": "8.8.8.8", **words})
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("lines", [(), ("rule priority 9 from 10.9.0.0/16 lookup 100",)])
def test_a_broadcast_address_is_a_source_where_linux_does_not_look(lines: tuple[str, ...]) -> None:
    row = ask(host(*UPLINKS, *lines), {"proto": "arp", "src": "10.0.0.255", "dst": "10.0.0.1",
                                       "iif": "eth0"})  # fmt: skip
    assert (row["ok"], limited(row)) == (not lines, "")
    assert row.get("reason") == ("arp-sender-invalid" if lines else None)


@pytest.mark.parametrize(
    ("lines", "asked", "src", "dst"),
    [
        (UPLINKS, "0.0.0.0", "127.0.0.1", "127.0.0.1"),
        (("link eth0", "route default dev eth0 scope link"), "8.8.8.8", "0.0.0.0", "8.8.8.8"),
    ],
)
def test_where_stacks_differ_from_linux_on_purpose_the_twin_does_not(
    lines: tuple[str, ...], asked: str, src: str, dst: str
) -> None:
    row = udp(host(*lines), asked)
    assert row["ok"] is True
    assert (row["packet"]["src"], row["packet"]["dst"]) == (src, dst)
    assert "not_looked_at" not in row


def test_who_names_no_link_is_told_by_which_one_linux_sends() -> None:
    row = udp(host(*SIX), "fe80::9")
    assert (row["ok"], row["dev"], limited(row)) == (True, "eth0", "")


def test_a_connection_to_an_address_of_one_link_is_refused_by_linux_as_well() -> None:
    row = ask(host(*SIX), {"proto": "tcp", "dst": "fe80::9", "dport": 80})
    assert (row["ok"], row["reason"], limited(row)) == (False, "tx-no-scope", "")


@pytest.mark.parametrize(
    ("state", "lost"), [("failed", True), ("incomplete", True), ("stale", False)]
)
def test_on_a_link_with_two_ends_one_neighbor_that_is_not_resolved_keeps_all(
    state: str, lost: bool
) -> None:
    lladdr = "" if lost else " lladdr 02:00:00:00:00:98"
    lines = ("link tun0 hw 65534 flags 90", "addr 10.8.0.1/24 dev tun0",
             f"neigh 0.0.0.0 dev tun0 nud {state}{lladdr}")  # fmt: skip
    row = udp(host(*lines), "10.8.0.7")
    assert ("tun0 has no ARP, and asks nobody" in row["why"]) is lost
    assert row["verdict"].startswith("waiting" if lost else "sent by tun0")
    assert row.get("look") == ("ip neigh show nud all dev tun0" if lost else None)


@pytest.mark.parametrize(("dst", "asked"), [("10.0.1.255", False), ("10.0.1.254", True)])
def test_nobody_is_asked_for_the_broadcast_address_of_another_link(dst: str, asked: bool) -> None:
    lines = ("link eth0", "addr 10.0.0.1/16 dev eth0", "link eth1", "addr 10.0.1.1/24 dev eth1")
    row = udp(host(*lines), dst, dev="eth0")
    assert (row["verdict"] == "sent by eth0") is not asked
    assert limited(row) == ""
