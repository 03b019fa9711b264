"""Sysctls of the Linux host's network, from /proc/sys/net, and what counts on one link.

Source: Linux include/linux/inetdevice.h (IN_DEV_ANDCONF, IN_DEV_ORCONF, IN_DEV_MAXCONF) and
Documentation/networking/ip-sysctl.rst; for IPv6, where net/ipv6/ reads ``devconf_all``.
"""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from smolctl.host.proc import read_bytes
from smolctl.stack.sysctl.link_rule import ALL, SCOPES, LinkRule

ROOT = "/proc/sys/net"
_WHOLE = ("core", "ipv4", "ipv4/route", "ipv6", "ipv6/icmp", "ipv6/route", "bridge", "netfilter")
"""Folders whose files are of the whole namespace."""
_BY_LINK = ("ipv4/conf", "ipv4/neigh", "ipv6/conf", "ipv6/neigh")
"""Folders with a folder for each link."""

_EITHER, _BOTH, _LARGER = LinkRule.EITHER, LinkRule.BOTH, LinkRule.LARGER
RULES4: dict[str, LinkRule] = {
    "accept_local": _EITHER,
    "accept_redirects": LinkRule.REDIRECTS,
    "accept_source_route": _BOTH,
    "arp_accept": _LARGER,
    "arp_announce": _LARGER,
    "arp_evict_nocarrier": _BOTH,
    "arp_filter": _EITHER,
    "arp_ignore": _LARGER,
    "arp_notify": _LARGER,
    "bc_forwarding": _BOTH,
    "bootp_relay": _BOTH,
    "disable_policy": _EITHER,
    "disable_xfrm": _EITHER,
    "drop_gratuitous_arp": _EITHER,
    "drop_unicast_in_l2_multicast": _EITHER,
    "force_igmp_version": LinkRule.LOWEST,
    "ignore_routes_with_linkdown": _EITHER,
    "log_martians": _EITHER,
    "mc_forwarding": _BOTH,
    "promote_secondaries": _EITHER,
    "proxy_arp": _EITHER,
    "proxy_arp_pvlan": _EITHER,
    "route_localnet": _EITHER,
    "rp_filter": _LARGER,
    "secure_redirects": _EITHER,
    "send_redirects": _EITHER,
    "shared_media": _EITHER,
    "src_valid_mark": _EITHER,
}
"""IPv4's that do not count on a link by themselves: name, and how both values go together."""
RULES6: dict[str, LinkRule] = {
    "accept_dad": _LARGER,
    "accept_source_route": _BOTH,
    "ndisc_notify": _EITHER,
    "optimistic_dad": _EITHER,
    "proxy_ndp": _EITHER,
    "rpl_seg_enabled": _BOTH,
    "seg6_enabled": _BOTH,
    "use_oif_addrs_only": _EITHER,
    "use_optimistic": _EITHER,
}
"""The same of IPv6, of which most count by themselves."""

DECIDING = frozenset(
    {"bc_forwarding", "mc_forwarding", "drop_unicast_in_l2_multicast",
     "drop_gratuitous_arp",
     "fib_multipath_use_neigh", "icmp_echo_ignore_all", "disable_policy", "disable_xfrm",
     "use_oif_addrs_only", "drop_unsolicited_na", "seg6_enabled",
     "accept_untracked_na", "force_forwarding"}
)  # fmt: skip
"""Sysctls that decide about packets as soon as they are not at 0, which they usually are."""
DECIDING_BUT_LO = frozenset({"disable_policy", "disable_xfrm"})
"""Those that ``lo`` always has on."""


class Sysctls(NamedTuple):
    """All values, as the kernel writes them.

    Attributes:
        values: by path below ``ROOT``: "ipv4/conf/eth0/rp_filter".
        unread: paths that must not be read, or that are only written.
    """

    values: Mapping[str, str]
    unread: tuple[str, ...]

    def number(self, path: str, otherwise: int = 0) -> int:
        """Return a value that is one number; ``otherwise`` if this kernel has none."""
        try:
            return int(self.values[path])
        except (KeyError, ValueError):
            return otherwise

    def on_link(self, family: str, link: str, name: str, otherwise: int = 0) -> int:
        """Return the value that counts on a link.

        Args:
            family: "ipv4" or "ipv6".
            link: name of the link.
            name: such as "rp_filter".
            otherwise: if this kernel has no such sysctl.
        """
        folder = f"{family}/conf"
        own = self.number(f"{folder}/{link}/{name}", otherwise)
        rule = (RULES4 if family == "ipv4" else RULES6).get(name, LinkRule.OWN)
        whole = self.number(f"{folder}/{ALL}/{name}", own)
        forward = self.number(f"{folder}/{link}/forwarding")
        return rule.combine(whole, own, forward)


def read(links: Iterable[str]) -> Sysctls:
    """Return the sysctls of the namespace in which the thread is.

    Args:
        links: names of the links whose values are read; "all" and "default" are read, too.
    """
    values: dict[str, str] = {}
    unread: list[str] = []
    names = (*SCOPES, *links)
    folders = [*_WHOLE, *(f"{folder}/{name}" for folder in _BY_LINK for name in names)]
    for folder in folders:
        for path in _files(folder):
            try:
                data = read_bytes(f"{ROOT}/{path}")
            except OSError:
                unread.append(path)
            else:
                values[path] = data.decode(errors="backslashreplace").strip()
    return Sysctls(values, tuple(unread))


def _files(folder: str) -> list[str]:
    try:
        with os.scandir(f"{ROOT}/{folder}") as found:
            return sorted(f"{folder}/{each.name}" for each in found if not each.is_dir())
    except OSError:
        return []
