"""Linux's names of sysctls: net.ipv4.conf.all.rp_filter, net/ipv4/ip_forward, gc_thresh3."""

import re
from collections.abc import Mapping

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.sysctl.model import Sysctl

_NAME = re.compile(r"(?:net\.(?:ipv4|core)\.)?(?:(?:conf|neigh)\.([^.]+)\.|route\.)?(\w+)")
_SAID = re.compile(r"\bLinux (?:route/)?([a-z]\w+)$")
"""Where the source of a sysctl names Linux's."""
_MORE = {"forwarding": "ip.forward"}
_OTHER_UNITS = frozenset(
    {"ipfrag_time", "mtu_expires", "gc_timeout", "delay_first_probe_time", "gc_stale_time",
     "locktime", "proxy_delay", "tcp_fin_timeout", "tcp_keepalive_intvl", "tcp_keepalive_time"}
)  # fmt: skip
"""Those that count seconds or hundredths of one: a value of theirs would mean another time here."""


def found(key: str, sysctls: Mapping[str, Sysctl]) -> Sysctl | None:
    """Return the sysctl that Linux calls ``key``, or None.

    Raises:
        InvalidArgument: it is for one interface of Linux, or a value would not mean the same.
        NotFound: it belongs to IPv6.
    """
    dotted = key.replace("/", ".")
    if dotted.startswith("net.ipv6."):
        raise NotFound(f"not supported: {key}; IPv4 is the only family")
    match = _NAME.fullmatch(dotted)
    if match is None:
        return None
    interface, name = match.groups()
    ours = [_MORE[name]] if name in _MORE else _named(name, sysctls)
    if not ours:
        return None
    if interface not in (None, "all", "default"):
        raise InvalidArgument(
            f"{key}: a setting is for the whole stack, not for one interface",
            hint=f"smolctl sysctl {ours[0]}",
        )
    if len(ours) > 1 or name in _OTHER_UNITS:
        unit = f", in {sysctls[ours[0]].unit}" if name in _OTHER_UNITS else ""
        raise InvalidArgument(
            f"{key} is {' and '.join(ours)} here{unit}", hint=f"smolctl sysctl {ours[0]}"
        )
    return sysctls[ours[0]]


def _named(name: str, sysctls: Mapping[str, Sysctl]) -> list[str]:
    """Return the keys of the sysctls that come from Linux's of this name."""
    said = {each.key: _SAID.search(each.source) for each in sysctls.values()}
    return [key for key, match in said.items() if match is not None and match[1] == name]
