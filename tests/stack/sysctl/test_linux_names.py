"""Sysctls by Linux's names, which the kernel that runs here tells."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.sysctl.settings import SYSCTLS, named, sysctl

PROC = Path("/proc/sys")
OTHER_UNITS = {
    "ipfrag_time",
    "mtu_expires",
    "gc_timeout",
    "delay_first_probe_time",
    "gc_stale_time",
    "locktime",
    "proxy_delay",
    "tcp_fin_timeout",
    "tcp_keepalive_intvl",
    "tcp_keepalive_time",
    "ip6frag_time",
}
SEVERAL = {"ip_local_port_range", "tcp_rmem", "tcp_wmem"}
"""Those of which more than one sysctl comes from here."""


def of_linux() -> dict[str, list[str]]:
    """Return the names of the kernel's sysctls, each with its places for all interfaces."""
    found = defaultdict(list)
    for part in ("net/ipv4", "net/ipv6", "net/core"):
        for path in (PROC / part).rglob("*"):
            place = str(path.relative_to(PROC)).replace("/", ".")
            if not re.search(r"\.(?:conf|neigh)\.(?!all\b|default\b)", place):
                found[path.name].append(place)
    return dict(found)


KERNEL = of_linux()


def test_every_setting_of_linux_is_found_by_its_name_wherever_the_kernel_has_it() -> None:
    found = 0
    for each in SYSCTLS.values():
        name = each.source.rpartition("Linux ")[2].rpartition(" ")[2].removeprefix("route/")
        of6 = each.of_ipv6
        for place in KERNEL.get(name, ()) if "Linux" in each.source else ():
            both = place.startswith("net.ipv6.neigh")
            if place.startswith("net.ipv6.") is not of6 and not both:
                continue
            if name in OTHER_UNITS | SEVERAL or both:
                with pytest.raises(InvalidArgument, match=re.escape(each.key)):
                    sysctl(place)
            else:
                assert sysctl(place) is sysctl(place.replace(".", "/")) is each
                assert of6 or sysctl(name) is each
            found += 1
    assert found > 65 or not KERNEL


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("net.ipv4.conf.eth0.ip_default_ttl", "of the whole stack, not of", "ip.default_ttl"),
        ("net.ipv4.neigh.eth0.locktime", "is neigh.locktime_ms here", "eth0.neigh.locktime_ms"),
        ("net.ipv4.ipfrag_time", "is ip.frag_time_ms here, in ms", "ip.frag_time_ms"),
        ("net.ipv4.ip_local_port_range", "ip.local_port_first and ip.local_port_last here",
         "ip.local_port_first"),
    ],
)  # fmt: skip
def test_what_would_mean_something_else_here_is_refused(key: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidArgument, match=message) as caught:
        sysctl(key)
    assert caught.value.hint == f"smolctl sysctl {hint}"


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("net.ipv6.conf.all.forwarding", "all.ip6.forward"),
        ("net/ipv6/conf/eth0.5/forwarding", "eth0.5.ip6.forward"),
        ("net.ipv6.conf.eth0.disable_ipv6", "eth0.ip6.disable"),
        ("net.ipv6.conf.default.hop_limit", "default.ip6.hop_limit"),
        ("net.ipv6.conf.eth0.accept_redirects", "eth0.ip6.accept_redirects"),
        ("net.ipv4.conf.eth0.accept_redirects", "eth0.ip.accept_redirects"),
        ("conf.eth0.disable_ipv6", "eth0.ip6.disable"),
        ("net.ipv6.icmp.ratelimit", "icmp6.ratelimit_ms"),
        ("net.ipv6.bindv6only", "ip6.bindv6only"),
        ("bindv6only", "ip6.bindv6only"),
    ],
)
def test_each_family_has_its_names(key: str, ours: str) -> None:
    assert named(key).key == ours


def test_the_neighbors_of_both_families_have_the_same_sysctls() -> None:
    with pytest.raises(InvalidArgument, match=r"here, for both families") as caught:
        sysctl("net.ipv6.neigh.eth0.mcast_solicit")
    assert caught.value.hint == "smolctl sysctl eth0.neigh.mcast_solicit"


@pytest.mark.parametrize("key", ["net.ipv6.ip_forward", "net.ipv4.disable_ipv6",
                                 "net.ipv6.conf.all.arp_ignore"])  # fmt: skip
def test_a_name_of_the_other_family_is_not_found(key: str) -> None:
    with pytest.raises(NotFound, match="no setting"):
        sysctl(key)


@pytest.mark.parametrize("key", ["net.ipv4.tcp_mem", "net.ipv4.conf.all", "a b", "net.ipv4."])
def test_what_no_setting_comes_from_is_not_found(key: str) -> None:
    with pytest.raises(NotFound, match="no setting"):
        sysctl(key)


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("net.ipv4.conf.eth0.rp_filter", "eth0.ip.rp_filter"),
        ("net/ipv4/conf/eth0/rp_filter", "eth0.ip.rp_filter"),
        ("net.ipv4.conf.eth0/5.arp_ignore", "eth0.5.arp.ignore"),
        ("net/ipv4/conf/eth0.5/arp_ignore", "eth0.5.arp.ignore"),
        ("net.ipv4.conf.eth0.5.arp_ignore", "eth0.5.arp.ignore"),
        ("net.ipv4.conf.all.rp_filter", "all.ip.rp_filter"),
        ("net.ipv4.conf.default.forwarding", "default.ip.forward"),
        ("net.ipv4.neigh.eth0.mcast_solicit", "eth0.neigh.mcast_solicit"),
        ("net.ipv4.neigh.default.mcast_solicit", "default.neigh.mcast_solicit"),
        ("net.ipv4.neigh.default.gc_thresh3", "iface.neighbor_cache_count"),
        ("conf.eth0.rp_filter", "eth0.ip.rp_filter"),
    ],
)
def test_a_name_for_one_interface_is_that_of_a_link(key: str, ours: str) -> None:
    assert named(key).key == ours


def test_forwarding_of_all_interfaces_is_ip_forward() -> None:
    assert sysctl("net.ipv4.conf.all.forwarding").key == "ip.forward"
