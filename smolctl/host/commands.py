"""Commands and texts of smolctl in Linux's words: ``ip ...``, ``sysctl -w ...``, names of sysctls.

A fix is proven on the twin as a command of smolctl. What it is on the host must mean the same, and
neither make up a gateway nor take the address of somebody else; else there is no such command.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping

from smolctl.errors import SmolctlError
from smolctl.host import neighbors
from smolctl.host.reading import HostState
from smolctl.stack.sysctl import linux_names
from smolctl.stack.sysctl.link_rule import ALL, LinkRule
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.names import Name, named
from smolctl.stack.sysctl.settings import SYSCTLS
from smolctl.wire.address import IPV6_MARK, parse_zoned

_SMOLCTL = "smolctl "
_CHANGES = {
    "link set", "route del", "route change", "rule add", "rule del", "neigh replace",
}  # fmt: skip
"""Commands that ``ip`` knows by the same words, and that claim nothing."""
_FORWARD = {"ip.forward": "net.ipv4.ip_forward", "ip6.forward": "net.ipv6.conf.all.forwarding"}


class Commands:
    """Commands for one namespace.

    Args:
        state: of the host.
        netns: name or path of its namespace; None for the one in which they are run.
    """

    def __init__(self, state: HostState, netns: str | None = None) -> None:
        self._state = state
        self._ip, self._inside = prefixes(netns)

    # --- fixes ------------------------------------------------------------------------------------

    def fix(self, command: str, dev: str = "") -> str | None:
        """Return the command that does the same on the host; None if there is none.

        Args:
            command: of smolctl: "smolctl link set eth0 up".
            dev: the link at which the packet was in trouble.
        """
        words = command.removeprefix(_SMOLCTL).split()
        family = ["-6"] if words[0] == "-6" else []
        noun, verb, *rest = words[len(family) :]
        if noun == "sysctl":
            return self._sysctl(verb, dev)
        if f"{noun} {verb}" == "route add" and not self._is_router(rest):
            return None
        if f"{noun} {verb}" == "maddr add":
            return self._join(rest)
        if f"{noun} {verb}" not in (*_CHANGES, "route add"):
            return None
        return " ".join([self._ip, *family, noun, verb, *rest])

    def _is_router(self, words: list[str]) -> bool:
        """Tell whether a gateway is one that the host has, or that says that it is one."""
        if "via" not in words:
            return False
        gateway, _ = parse_zoned(words[words.index("via") + 1])
        state = self._state
        known = {hop.gateway for route in state.routes for hop in route.hops}
        known.update(each.gateway for each in state.nexthops)
        said = {each.dst for each in state.neighbors if each.flags & neighbors.ROUTER}
        return gateway in known or (gateway >= IPV6_MARK and gateway in said)

    def _join(self, words: list[str]) -> str:
        """Return what lets the host take what is for a group: ``ip maddr`` is about MACs alone."""
        group, _, dev = words
        bits = 128 if ":" in group else 32
        return f"{self._ip} addr add {group}/{bits} dev {dev} autojoin"

    def look(self, name: str, text: str, detail: Mapping[str, object]) -> str:
        """Return what to look at, where ``why`` has no command that helps.

        Args:
            name: of the reason.
            text: what it says to a stack's user.
            detail: what the reason shows of the packet.
        """
        dev = str(detail.get("dev") or "")
        told = _LOOKS.get(name)
        if told is not None:
            text = told.format_map(_Known(detail))
        said = self.said(text, dev)
        return f"smolctl explain {name}" if _OF_STACKS.search(said) else said

    def instead(self, name: str, command: str, detail: Mapping[str, object]) -> str:
        """Return what to look at in the place of a command that has no counterpart on the host."""
        words = command.removeprefix(_SMOLCTL).removeprefix("-6 ").split()
        told = _INSTEAD.get(" ".join(words[:2]))
        text = f"smolctl explain {name}" if told is None else told.format_map(_Known(detail))
        return self.look(name, text, detail)

    # --- sysctls ----------------------------------------------------------------------------------

    def _sysctl(self, word: str, dev: str) -> str | None:
        key, equals, text = word.partition("=")
        try:
            name = named(key, SYSCTLS)
            value = str(name.item.parse(text)) if equals else ""
        except SmolctlError:
            return None
        keys = list(self._keys(name, value, dev))
        if not keys:
            return None
        if not equals:
            return " ".join([f"{self._inside}sysctl", *keys])
        return " ".join([f"{self._inside}sysctl -w", *(f"{each}={value}" for each in keys)])

    def _keys(self, name: Name, value: str, dev: str) -> Iterator[str]:
        """Yield the names that Linux has for a sysctl, all of which are to be set."""
        item = name.item
        whole = _FORWARD.get(item.key)
        if whole is not None and (item.of_ipv6 or self._value(whole) != value):
            # IPv4's is passed on to all links when it changes; IPv6 asks for that of all links.
            yield whole
        elif item.link is None or name.scope:
            yield from self._key(name)
        elif dev:
            for scope in self._scopes(item, int(value or 0), dev):
                yield from self._key(Name(scope, item))

    def _scopes(self, item: Sysctl, wanted: int, dev: str) -> tuple[str, ...]:
        """Return where a value is to be set to count on a link: there, for all links, or both."""
        rule = item.link
        if rule is None or rule is LinkRule.OWN:
            return (dev,)
        whole, own = (self._number(Name(scope, item)) for scope in (ALL, dev))
        forward = self._number(Name(dev, SYSCTLS["ip.forward"]))
        if rule.combine(whole, wanted, forward) == wanted:
            return (dev,)
        return (ALL,) if rule.combine(wanted, own, forward) == wanted else (ALL, dev)

    def _number(self, name: Name) -> int:
        """Return the value of a sysctl as the host has it; 0 where it has none."""
        text = self._value(next(self._key(name), ""))
        return int(text) if text and text.isdigit() else 0

    def _value(self, key: str) -> str | None:
        path = key if "/" in key else key.replace(".", "/")
        return self._state.sysctls.values.get(path.removeprefix("net/"))

    def _key(self, name: Name) -> Iterator[str]:
        """Yield Linux's name of a sysctl, if the host has it in the same unit."""
        for path in self._state.sysctls.values:
            words = path.split("/")
            scope = words[2] if len(words) == 4 and words[1] in ("conf", "neigh") else ""
            if scope != name.scope or not _may_be(words[-1], name):
                continue
            try:
                found = linux_names.found(f"net/{path}", SYSCTLS)
            except SmolctlError:
                continue  # it counts in another unit
            if found == (name.scope, name.item):
                yield _spelled(f"net/{path}")
                return

    # --- texts ------------------------------------------------------------------------------------

    def said(self, text: str, dev: str = "") -> str:
        """Return a text with the host's commands and names for those of a stack."""

        def command(match: re.Match[str]) -> str:
            noun = match["noun"]
            if noun == "sysctl":
                return self._sysctl(match["rest"].strip(), dev) or match[0]
            return _PROGRAMS[noun](self, match)

        text = _COMMAND.sub(command, text)
        text = _KEY.sub(self._named, text)
        return _STACK.sub(lambda match: _HOST[match[0]], text)

    def _named(self, match: re.Match[str]) -> str:
        """Return Linux's name for a key of ours in the middle of a text."""
        try:
            name = named(match[0], SYSCTLS)
        except SmolctlError:
            return match[0]
        if not name.scope and name.item.link is not None:
            name = Name("default", name.item)
            short = next(self._key(name), "").replace("/", ".").rpartition(".")[2]
            return short or match[0]
        return next(self._key(name), match[0])

    def _ip_command(self, match: re.Match[str]) -> str:
        family = "-6 " if match["family"] else ""
        return f"{self._ip} {family}{match['noun']}{match['rest']}"

    def _program(self, match: re.Match[str]) -> str:
        return f"{self._inside}{match['noun']}{match['rest']}"

    def _capture(self, match: re.Match[str]) -> str:
        dev, *rest = match["rest"].split()
        expression = "".join(f" {word}" for word in rest if word != "-v")
        return f"{self._inside}tcpdump -env -i {dev}{expression}"

    def _sockets(self, _match: re.Match[str]) -> str:
        return f"{self._inside}ss -lntup"

    def _ndisc(self, match: re.Match[str]) -> str:
        *_, dev, address = match["rest"].split()
        return f"{self._inside}ndisc6 {address} {dev}"


def prefixes(netns: str | None) -> tuple[str, str]:
    """Return how ``ip`` begins, and what stands in front of other commands."""
    if netns is None:
        return "ip", ""
    if netns.startswith("/"):
        inside = f"nsenter --net={shlex.quote(netns)} "
        return f"{inside}ip", inside
    return f"ip -n {shlex.quote(netns)}", f"ip netns exec {shlex.quote(netns)} "


_LISTENING = "which program is to listen there? what listens: smolctl socket show"
_WHOSE = "is it to be ours? then nobody else may have it: smolctl arping -D -I {dev} {ip}"
_WHOSE6 = "is it to be ours? then nobody else may have it: smolctl ndisc -I {dev} {ip}"
_INSTEAD = {
    "udp recv": _LISTENING,
    "tcp listen": _LISTENING,
    "addr add": "who has it? the sender took this host for its owner, or for a router to it",
    "addr replace": "wait a second, until it is known that nobody else has it",
    "route add": "who is the router? smolctl neigh show",
    "link set": "send at most {mtu} B, headers included: the way below may carry no more",
}
"""Advice in the place of commands that are for stacks alone, or would claim what is others'."""
_LOOKS = {
    "arp-target-not-ours": _WHOSE,
    "nd-target-not-ours": _WHOSE6,
    "arp-proxy-delayed": "at once: sysctl -w net.ipv4.neigh.{dev}.proxy_delay=0",
    "nd-answer-delayed": "at once: sysctl -w net.ipv6.neigh.{dev}.proxy_delay=0",
    "neigh-cache-thrash": "have more entries than active peers: sysctl net.ipv4.neigh.default",
    "tx-broadcast-denied": "the sender has to allow it for its socket (SO_BROADCAST); ping has -b",
    "udp-rcvbuf-full": "its reader is slow; for its next socket: sysctl net.core.rmem_default",
}
"""Advice in the place of that of ``why``, by reason."""
_OF_STACKS = re.compile(r"\bsmolctl (?!explain\b|host\b|why --host\b)")


class _Known(dict[str, object]):
    """Values of a packet; what is not known is a word in capitals."""

    def __missing__(self, key: str) -> str:
        return key.upper()


_PROGRAMS: dict[str, Callable[[Commands, re.Match[str]], str]] = {
    **dict.fromkeys(("route", "rule", "neigh", "addr", "link", "maddr"), Commands._ip_command),
    **dict.fromkeys(("ping", "traceroute", "arping"), Commands._program),
    "capture": Commands._capture,
    "socket": Commands._sockets,
    "ndisc": Commands._ndisc,
}
_COMMAND = re.compile(
    rf"\bsmolctl (?P<family>-6 )?(?P<noun>sysctl|{'|'.join(_PROGRAMS)})\b(?P<rest>[^;,]*)"
)
_KEY = re.compile(
    rf"\b(?:[\w-]+\.)?(?:{'|'.join(map(re.escape, sorted(SYSCTLS, key=len, reverse=True)))})\b"
)
_HOST = {
    "this stack": "this host", "the stack": "the host", "This stack": "This host",
    "stack's": "host's",
}  # fmt: skip
_STACK = re.compile("|".join(map(re.escape, _HOST)))


def _may_be(file: str, name: Name) -> bool:
    """Tell whether a file's name is in what is said of a sysctl's source; the rest is found out."""
    return file in name.item.source or (file == "forwarding" and name.item.key in _FORWARD)


def _spelled(path: str) -> str:
    """Return a path as sysctl(8) takes it: with dots, unless a link's name has one."""
    return path if "." in path else path.replace("/", ".")
