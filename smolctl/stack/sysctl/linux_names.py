"""Linux's names of sysctls: net.ipv4.conf.all.rp_filter, net/ipv4/ip_forward, gc_thresh3."""

import re
from collections.abc import Mapping

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.sysctl.link_rule import DEFAULT
from smolctl.stack.sysctl.model import Sysctl

_OF_LINK = re.compile(r"(?:net\.ipv4\.)?(?:conf|neigh)\.(.+)\.(\w+)")
_OF_STACK = re.compile(r"(?:net\.(?:ipv4|core)\.)?(?:route\.)?(\w+)")
_SWAPPED = str.maketrans("/.", "./")
_SAID = re.compile(r"\bLinux (?:route/)?([a-z]\w+)$")
"""Where the source of a sysctl names Linux's."""
_MORE = {"forwarding": "ip.forward"}
_OTHER_UNITS = frozenset(
    {"ipfrag_time", "mtu_expires", "gc_timeout", "delay_first_probe_time", "gc_stale_time",
     "locktime", "proxy_delay", "tcp_fin_timeout", "tcp_keepalive_intvl", "tcp_keepalive_time"}
)  # fmt: skip
"""Those that count seconds or hundredths of one: a value of theirs would mean another time here."""


def found(key: str, sysctls: Mapping[str, Sysctl]) -> tuple[str, Sysctl] | None:
    """Return the scope and the sysctl that Linux calls ``key``, or None.

    As for sysctl(8), the first of "/" and "." separates, and the other one stands for "." in the
    name of an interface: net.ipv4.conf.eth0/5.rp_filter, net/ipv4/conf/eth0.5/rp_filter.

    Raises:
        InvalidArgument: a value would not mean the same here.
        NotFound: it belongs to IPv6.
    """
    slash, dot = key.find("/"), key.find(".")
    dotted = key.translate(_SWAPPED) if slash >= 0 and (dot < 0 or slash < dot) else key
    if dotted.startswith("net.ipv6."):
        raise NotFound(f"not supported: {key}; IPv4 is the only family")
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


def _named(name: str, sysctls: Mapping[str, Sysctl]) -> list[str]:
    """Return the keys of the sysctls that come from Linux's of this name."""
    said = {each.key: _SAID.search(each.source) for each in sysctls.values()}
    return [key for key, match in said.items() if match is not None and match[1] == name]
