"""Names of sysctls in Linux: net.ipv4.conf.all.rp_filter, net/ipv4/ip_forward, net.ipv6..."""

import re
from collections.abc import Mapping

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.sysctl.link_rule import DEFAULT
from smolctl.stack.sysctl.model import Sysctl

_OF_LINK = re.compile(r"(?:net\.ipv4\.)?(?:conf|neigh)\.(.+)\.(\w+)")
_OF_STACK = re.compile(r"(?:net\.(?:ipv4|core)\.)?(?:route\.)?(\w+)")
_OF_IPV6 = re.compile(r"net\.ipv6\.(?:(?:conf|neigh)\.(.+)\.|icmp\.|route\.)?(\w+)")
_IPV6_LAYERS = ("ip6.", "icmp6.", "neigh.")
_SAID6 = re.compile(r"\bLinux (?:ipv6 )?(?:icmp )?([a-z]\w+)$")
_SWAPPED = str.maketrans("/.", "./")
_SAID = re.compile(r"\bLinux (?:route/)?([a-z]\w+)$")
"""Where the source of a sysctl names Linux's."""
_MORE = {"forwarding": "ip.forward"}
_OTHER_UNITS = frozenset(
    {"ipfrag_time", "mtu_expires", "gc_timeout", "delay_first_probe_time", "gc_stale_time",
     "ip6frag_time", "locktime", "proxy_delay", "tcp_fin_timeout", "tcp_keepalive_intvl",
     "tcp_keepalive_time"}
)  # fmt: skip
"""Those that count seconds or hundredths of one: a value of theirs would mean another time here."""


def found(key: str, sysctls: Mapping[str, Sysctl]) -> tuple[str, Sysctl] | None:
    """Return the scope and the sysctl that Linux calls ``key``, or None.

    As for sysctl(8), the first of "/" and "." separates, and the other one stands for "." in the
    name of an interface: net.ipv4.conf.eth0/5.rp_filter, net/ipv4/conf/eth0.5/rp_filter.

    Raises:
        InvalidArgument: a value would not mean the same here.
        NotFound: it is one of IPv6 that is not here.
    """
    slash, dot = key.find("/"), key.find(".")
    dotted = key.translate(_SWAPPED) if slash >= 0 and (dot < 0 or slash < dot) else key
    if dotted.startswith("net.ipv6."):
        return _of_ipv6(key, dotted, sysctls)
    scope = ""
    match = _OF_LINK.fullmatch(dotted)
    if match is not None:
        scope, name = match[1].replace("/", "."), match[2]
    else:
        match = _OF_STACK.fullmatch(dotted)
        if match is None:
            return None
        name = match[1]
    ours = [_MORE[name]] if name in _MORE else _named(name, sysctls)
    if not ours:
        return None
    if name.startswith("gc_thresh") and scope == DEFAULT:
        scope = ""  # of the whole table, which has it among the defaults of links
    first = f"{scope}.{ours[0]}" if scope else ours[0]
    if len(ours) > 1 or name in _OTHER_UNITS:
        unit = f", in {sysctls[ours[0]].unit}" if name in _OTHER_UNITS else ""
        raise InvalidArgument(
            f"{key} is {' and '.join(ours)} here{unit}", hint=f"smolctl sysctl {first}"
        )
    return scope, sysctls[ours[0]]


def _of_ipv6(key: str, dotted: str, sysctls: Mapping[str, Sysctl]) -> tuple[str, Sysctl]:
    """Return the scope and the sysctl that Linux calls net.ipv6...: a family has its own, or both.

    Raises:
        InvalidArgument: a value would not mean the same here.
        NotFound: there is none.
    """
    match = _OF_IPV6.fullmatch(dotted)
    ours = [] if match is None else _named(match[2], sysctls, _SAID6)
    if match is None or not ours:
        raise NotFound(f"not supported: {key}", hint="all keys of IPv6: smolctl sysctl ip6")
    scope, name, item = (match[1] or "").replace("/", "."), match[2], sysctls[ours[0]]
    if name in _OTHER_UNITS:
        first = f"{scope}.{item.key}" if scope and item.link is not None else item.key
        raise InvalidArgument(
            f"{key} is {item.key} here, in {item.unit}", hint=f"smolctl sysctl {first}"
        )
    return scope if item.link is not None else "", item


def _named(
    name: str, sysctls: Mapping[str, Sysctl], pattern: re.Pattern[str] | None = None
) -> list[str]:
    """Return the keys of the sysctls that come from Linux's of this name."""
    said = {each.key: (pattern or _SAID).search(each.source) for each in sysctls.values()}
    if pattern is not None:
        # What both families have, as the times of neighbors, comes after what IPv6 has alone.
        said = {key: match for key, match in said.items() if key.startswith(_IPV6_LAYERS)}
    return [key for key, match in said.items() if match is not None and match[1] == name]
