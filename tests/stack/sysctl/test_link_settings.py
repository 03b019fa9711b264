"""Sysctls of single links: what counts there, and what follows what."""

import pytest

from smolctl.errors import InvalidArgument, NoSuchDevice, NotFound
from smolctl.stack.sysctl.link_rule import LinkRule
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.precedence import Assignment, Level
from smolctl.stack.sysctl.settings import PER_LINK, SYSCTLS, Settings, named
from tests.kit.host import Host

FLAGS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def with_link(name: str = "eth0") -> Settings:
    settings = Settings()
    settings.add_link(name)
    return settings


@pytest.mark.parametrize(
    ("rule", "forward", "counts"),
    [
        (LinkRule.OWN, 0, [0, 1, 0, 1]),
        (LinkRule.EITHER, 0, [0, 1, 1, 1]),
        (LinkRule.BOTH, 0, [0, 0, 0, 1]),
        (LinkRule.LARGER, 0, [0, 1, 1, 1]),
        (LinkRule.REDIRECTS, 0, [0, 1, 1, 1]),
        (LinkRule.REDIRECTS, 1, [0, 0, 0, 1]),
    ],
)
def test_what_counts_of_all_and_own(rule: LinkRule, forward: int, counts: list[int]) -> None:
    assert [rule.combine(whole, own, forward) for whole, own in FLAGS] == counts


def test_the_lowest_version_that_is_named_counts() -> None:
    combine = LinkRule.LOWEST.combine
    assert [combine(whole, own, 0) for whole, own in [(0, 0), (2, 0), (0, 3), (3, 1), (2, 3)]] == [
        *(0, 2, 3, 1, 2)
    ]


def test_linux_has_the_same_rules() -> None:
    # include/linux/inetdevice.h, net/ipv4/igmp.c, net/ipv6/addrconf.c, ndisc.c, mcast.c
    assert {item.key: item.link for item in PER_LINK if item.link is not LinkRule.OWN} == {
        "arp.accept": LinkRule.LARGER,
        "arp.announce": LinkRule.LARGER,
        "arp.filter": LinkRule.EITHER,
        "arp.ignore": LinkRule.LARGER,
        "arp.notify": LinkRule.LARGER,
        "arp.proxy": LinkRule.EITHER,
        "arp.proxy_pvlan": LinkRule.EITHER,
        "igmp.force_version": LinkRule.LOWEST,
        "ip.accept_redirects": LinkRule.REDIRECTS,
        "ip.accept_source_route": LinkRule.BOTH,
        "ip.bc_forwarding": LinkRule.BOTH,
        "ip.drop_unicast_in_l2_multicast": LinkRule.EITHER,
        "ip.accept_local": LinkRule.EITHER,
        "ip.ignore_routes_with_linkdown": LinkRule.EITHER,
        "ip.route_localnet": LinkRule.EITHER,
        "ip.src_valid_mark": LinkRule.EITHER,
        "ip.rp_filter": LinkRule.LARGER,
        "ip.secure_redirects": LinkRule.EITHER,
        "ip.send_redirects": LinkRule.EITHER,
        "ip.shared_media": LinkRule.EITHER,
        "mld.force_version": LinkRule.LOWEST,
        "nd.accept_dad": LinkRule.LARGER,
        "nd.enhanced_dad": LinkRule.EITHER,
        "nd.notify": LinkRule.EITHER,
        "nd.optimistic_dad": LinkRule.EITHER,
        "nd.proxy": LinkRule.EITHER,
    }


def test_without_a_scope_it_is_set_for_all_links_and_those_to_come() -> None:
    settings = with_link()
    settings.set("eth0.arp.ignore", "2")
    settings.set("default.arp.ignore", "1")
    settings.set("arp.ignore", "0")
    settings.add_link("eth1")
    assert [settings.links[name]["arp.ignore"] for name in ("eth0", "eth1")] == [0, 0]
    assert settings.differing(SYSCTLS["arp.ignore"]) == {}


@pytest.mark.parametrize("item", PER_LINK, ids=lambda item: item.key)
def test_a_value_for_the_whole_stack_is_what_counts_on_each_link(item: Sysctl) -> None:
    settings = with_link()
    value = item.low if item.default != item.low else item.high
    if item.key.startswith("arp.probe_m"):
        value = 1500  # one of them may not be above the other
    settings.set(item.key, str(item.show(value)))
    settings.add_link("eth1")
    assert {settings[item.key], *(link[item.key] for link in settings.links.values())} == {value}


def test_a_link_of_its_own_way_is_no_other() -> None:
    settings = with_link()
    settings.add_link("eth1")
    settings.set("eth0.arp.ignore", "1")
    assert [settings.links[name]["arp.ignore"] for name in ("eth0", "eth1")] == [1, 0]
    assert settings["arp.ignore"] == 0


def test_a_value_of_the_stack_alone_counts_on_links_too() -> None:
    settings = with_link()
    settings.set("igmp.qrv", "3")
    settings.add_link("eth1")
    assert [link["igmp.qrv"] for link in settings.links.values()] == [3, 3]
    assert settings.links["eth0"].ns("neigh.retrans_time_ms") == 1_000_000_000


# --- default (Linux devinet_copy_dflt_conf, neigh_copy_dflt_parms) --------------------------------


def test_a_new_link_begins_with_default() -> None:
    settings = with_link()
    settings.settle("eth0")
    settings.set("default.arp.ignore", "2")
    settings.add_link("eth1")
    assert [link["arp.ignore"] for link in settings.links.values()] == [0, 2]


def test_a_link_without_an_address_follows_default_unless_it_was_set() -> None:
    settings = with_link()
    settings.set("eth0.arp.accept", "0")
    settings.set("default.arp.ignore", "1")
    settings.set("default.arp.accept", "1")
    assert (settings.links["eth0"]["arp.ignore"], settings.links["eth0"]["arp.accept"]) == (1, 0)
    settings.settle("eth0")
    settings.set("default.arp.ignore", "2")
    assert settings.links["eth0"]["arp.ignore"] == 1


def test_what_was_set_in_default_is_no_more_followed_by_later_links() -> None:
    # Linux: the bits of what was set are copied with the values.
    settings = Settings()
    settings.set("default.arp.ignore", "1")
    settings.add_link("eth0")
    settings.set("default.arp.ignore", "2")
    assert settings.links["eth0"]["arp.ignore"] == 1


def test_an_address_settles_a_link() -> None:
    host = Host(bare=True)
    host.set("default.neigh.mcast_solicit", 5)
    host.add("10.0.0.1/24")
    host.set("default.neigh.mcast_solicit", 7)
    assert host.tap.settings["neigh.mcast_solicit"] == 5


# --- forwarding (Linux inet_forward_change) -------------------------------------------------------


def test_forwarding_for_all_sets_each_link_and_takes_redirects_from_all() -> None:
    settings = with_link()
    settings.set("net.ipv4.ip_forward", "1")
    settings.add_link("eth1")
    assert [link["ip.forward"] for link in settings.links.values()] == [1, 1]
    assert [link["ip.accept_redirects"] for link in settings.links.values()] == [0, 0]
    settings.set("all.ip.accept_redirects", "1")
    assert settings.links["eth0"]["ip.accept_redirects"] == 1
    settings.set("net.ipv4.conf.all.forwarding", "0")
    assert settings["ip.accept_redirects"] == 1
    assert settings.links["eth1"]["ip.forward"] == 0


def test_a_link_that_forwards_alone_believes_redirects_only_if_both_do() -> None:
    settings = with_link()
    settings.set("eth0.ip.forward", "1")
    assert settings.links["eth0"]["ip.accept_redirects"] == 1
    settings.set("all.ip.accept_redirects", "0")
    assert settings.links["eth0"]["ip.accept_redirects"] == 0
    settings.set("eth0.ip.forward", "0")
    assert settings.links["eth0"]["ip.accept_redirects"] == 1


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "scope", "ours"),
    [
        ("arp.ignore", "", "arp.ignore"),
        ("eth0.arp.ignore", "eth0", "arp.ignore"),
        ("eth0.5.arp.ignore", "eth0.5", "arp.ignore"),
        ("all.arp.ignore", "all", "arp.ignore"),
        # A link may be called as a group of sysctls is, or as one of them.
        ("arp.arp.ignore", "arp", "arp.ignore"),
        ("arp.ignore.arp.ignore", "arp.ignore", "arp.ignore"),
        ("net.ip.forward", "net", "ip.forward"),
    ],
)
def test_a_name_says_a_link_and_a_sysctl(key: str, scope: str, ours: str) -> None:
    assert (named(key).scope, named(key).item.key, named(key).key) == (scope, ours, key)


def test_what_the_whole_stack_has_is_not_for_a_link() -> None:
    with pytest.raises(InvalidArgument, match="of the whole stack") as caught:
        named("eth0.ip.default_ttl")
    assert caught.value.hint == "smolctl sysctl ip.default_ttl"
    with pytest.raises(NotFound, match="no setting"):
        named("eth0.arp.ignored")


def test_a_link_that_is_not_there_is_named() -> None:
    settings = with_link()
    with pytest.raises(NoSuchDevice, match=r'no interface "eth1" \(there are: all, default, eth0'):
        settings.set("eth1.arp.ignore", "1")


def test_a_deleted_link_takes_its_sysctls_with_it() -> None:
    settings = with_link()
    settings.set("eth0.arp.ignore", "1")
    settings.drop_link("eth0")
    settings.add_link("eth0")
    assert settings.links["eth0"]["arp.ignore"] == 0
    assert settings.place("eth0.arp.ignore") == ""


def test_a_clone_is_changed_on_its_own() -> None:
    settings = with_link()
    settings.set("eth0.arp.accept", "1")
    clone = settings.clone()
    clone.set("eth0.arp.ignore", "1")
    clone.set("default.arp.accept", "1")
    assert settings.links["eth0"]["arp.ignore"] == 0
    assert clone.links["eth0"]["arp.accept"] == 1
    settings.add_link("eth1")
    assert settings.links["eth1"]["arp.accept"] == 0


# --- values that go together ----------------------------------------------------------------------


def test_two_that_contradict_each_other_are_seen_on_each_link() -> None:
    settings = with_link()
    settings.set("eth0.arp.probe_min_ms", "1900")
    with pytest.raises(InvalidArgument, match="1900-1500 would be empty") as caught:
        settings.set("eth0.arp.probe_max_ms", "1500")
    assert caught.value.hint == "smolctl sysctl eth0.arp.probe_min_ms"
    with pytest.raises(InvalidArgument, match=r"sysctl eth0\.arp\.probe_min_ms=1900"):
        settings.set("arp.probe_max_ms", "1500")
    assert settings["arp.probe_max_ms"] == 2000


def begun(*said: tuple[Level, str, str]) -> Settings:
    return Settings.begun(
        Assignment(level, key, text, f"{key}={text}") for level, key, text in said
    )


def test_a_stack_may_begin_with_values_for_all_links_and_those_to_come() -> None:
    settings = begun(
        (Level.CONFIG, "default.arp.ignore", "2"), (Level.CONFIG, "arp.accept", "1"),
        (Level.COMMAND, "net.ipv4.conf.all.arp_accept", "0"),
    )  # fmt: skip
    link = settings.add_link("eth0")
    assert (link["arp.ignore"], link["arp.accept"]) == (2, 1)
    assert settings["arp.accept"] == 0


def test_a_stronger_value_for_the_stack_covers_a_weaker_one_for_links() -> None:
    settings = begun((Level.CONFIG, "all.arp.ignore", "2"), (Level.COMMAND, "arp.ignore", "1"))
    assert settings.add_link("eth0")["arp.ignore"] == 1


def test_a_stack_begins_without_the_links_that_a_value_may_be_for() -> None:
    with pytest.raises(NoSuchDevice, match=r'eth0\.arp\.ignore=2: .*no interface "eth0"') as caught:
        begun((Level.CONFIG, "eth0.arp.ignore", "2"))
    assert caught.value.hint == "behind the command that adds it: sysctl eth0.arp.ignore=2"


def test_two_names_of_one_sysctl_are_two_values_for_it() -> None:
    with pytest.raises(InvalidArgument, match="two values"):
        begun((Level.CONFIG, "ip.forward", "1"), (Level.CONFIG, "net.ipv4.ip_forward", "0"))


# --- what decides ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "knob"),
    [
        ([], "arp.ignore"),
        (["arp.ignore=1"], "arp.ignore"),
        (["eth0.arp.ignore=1"], "eth0.arp.ignore"),
        (["all.arp.ignore=1"], "all.arp.ignore"),
        (["all.arp.ignore=1", "eth0.arp.ignore=1", "eth1.arp.ignore=1"], "arp.ignore"),
        (["eth1.arp.ignore=1"], "eth0.arp.ignore"),
    ],
)
def test_the_knob_that_decides(said: list[str], knob: str) -> None:
    settings = with_link()
    settings.add_link("eth1")
    for word in said:
        settings.set(*word.split("="))
    assert settings.knob("eth0", "arp.ignore", 0) == knob
    settings.set(knob, "0")
    assert settings.links["eth0"]["arp.ignore"] == 0
