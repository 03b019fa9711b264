"""Linux's names of sysctls: net.ipv4.conf.all.rp_filter, net/ipv4/ip_forward, gc_thresh3."""

import re
from collections.abc import Mapping

from smolctl.errors import InvalidArgument
from smolctl.stack.sysctl.link_rule import DEFAULT
from smolctl.stack.sysctl.model import Sysctl

_OF_LINK = r"(?:net\.ipv([46])\.)?(conf|neigh)\.(.+)\.(\w+)"
_OF_STACK = r"(?:net\.(?:ipv([46])|core)\.)?(?:route\.|icmp\.)?(\w+)"
_SWAPPED = str.maketrans("/.", "./")
_SAID = r"\bLinux (?:route/)?([a-z]\w+)$"
_SAID6 = r"\bLinux (?:ipv6 )?(?:icmp )?([a-z]\w+)$"
"""Pattern of Linux's name in the source of a sysctl."""
_MORE = {"forwarding": "ip.forward"}
_OTHER_UNITS = frozenset(
    {"ipfrag_time", "mtu_expires", "gc_timeout", "delay_first_probe_time", "gc_stale_time",
     "locktime", "proxy_delay", "tcp_fin_timeout", "tcp_keepalive_intvl", "tcp_keepalive_time",
     "ip6frag_time"}
)  # fmt: skip
"""Those that count seconds or hundredths of one: a value of theirs would mean another time here."""


def found(key: str, sysctls: Mapping[str, Sysctl]) -> tuple[str, Sysctl] | None:
    """Return the scope and the sysctl that Linux calls ``key``, or None.

    As for sysctl(8), the first of "/" and "." separates, and the other one stands for "." in the
    name of an interface: net.ipv4.conf.eth0/5.rp_filter, net/ipv4/conf/eth0.5/rp_filter.

    Raises:
        InvalidArgument: a value would not mean the same here.
    """
    slash, dot = key.find("/"), key.find(".")
    dotted = key.translate(_SWAPPED) if slash >= 0 and (dot < 0 or slash < dot) else key
    scope, kind = "", ""
    match = re.fullmatch(_OF_LINK, dotted)
    if match is not None:
        family, kind, scope, name = match.groups()
        scope = scope.replace("/", ".")
    else:
        match = re.fullmatch(_OF_STACK, dotted)
        if match is None:
            return None
        family, name = match.groups()
    ours = _ours(name, sysctls, family, kind)
    if not ours:
        return None
    if name.startswith("gc_thresh") and scope == DEFAULT:
        scope = ""  # of the whole table, which has it among the defaults of links
    first = f"{scope}.{ours[0]}" if scope else ours[0]
    both = family == "6" and kind == "neigh"
    if len(ours) > 1 or name in _OTHER_UNITS or both:
        unit = f", in {sysctls[ours[0]].unit}" if name in _OTHER_UNITS else ""
        families = ", for both families" if both else ""
        said = f"{key} is {' and '.join(ours)} here{unit}{families}"
        raise InvalidArgument(said, hint=f"smolctl sysctl {first}")
    return scope, sysctls[ours[0]]


def _ours(name: str, sysctls: Mapping[str, Sysctl], family: str | None, kind: str) -> list[str]:
    """Return the keys of the sysctls that come from Linux's of this name.

    Args:
        family: of which it is; None where that is not said: IPv4 if it has one, then IPv6.
        kind: ``neigh`` or ``conf``, of an interface, or "".
    """
    if family != "6" or kind == "neigh":
        found = [_MORE[name]] if name in _MORE else _named(name, sysctls, _SAID, of6=False)
        if found or family is not None:
            return found
    return _named(name, sysctls, _SAID6, of6=True)


def _named(name: str, sysctls: Mapping[str, Sysctl], pattern: str, *, of6: bool) -> list[str]:
    mine = (each for each in sysctls.values() if each.of_ipv6 is of6)
    said = {each.key: re.search(pattern, each.source) for each in mine}
    return [key for key, match in said.items() if match is not None and match[1] == name]
