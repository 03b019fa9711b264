"""Chains of the Linux host's packet filters: nftables by netlink, iptables by getsockopt(2).

Rules are counted, not evaluated. Only root may see them.
"""

import ctypes
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from smolctl.device.netlink import Netlink, attributes, each_attribute
from smolctl.host.values import text

NETFILTER = 12
"""Protocol of netlink."""
INET, IPV4, ARP, NETDEV, BRIDGE, IPV6 = 1, 2, 3, 5, 7, 10
"""Families of tables (NFPROTO_*)."""
_HOOKS = {
    **dict.fromkeys(
        (INET, IPV4, IPV6, BRIDGE),
        ("prerouting", "input", "forward", "output", "postrouting", "ingress"),
    ),
    ARP: ("input", "output", "forward"),
    NETDEV: ("ingress", "egress"),
}
# linux/netfilter/nfnetlink.h, nf_tables.h
_GET_CHAIN, _GET_RULE = 10 << 8 | 4, 10 << 8 | 7
_HEADER = struct.Struct("=BBH")
_TABLE, _NAME, _HOOK, _POLICY, _TYPE = 1, 3, 4, 5, 7
_HOOK_NUMBER, _HOOK_DEVICE, _HOOK_DEVICES = 1, 3, 4
_RULE_TABLE, _RULE_CHAIN = 1, 2
_DROP = 0


class Chain(NamedTuple):
    """One chain that is asked about packets.

    Attributes:
        tool: whose it is: "nftables", "iptables", "ip6tables".
        family: ``INET`` and its neighbors: of which packets.
        table, name: "filter", "INPUT".
        hook: where it is asked: prerouting, input, forward, output, postrouting, ingress, egress.
        kind: "filter", "nat" or "route".
        rules: how many it has itself.
        drops: what no rule accepts is dropped.
        devices: names of the links that it is about; none for all.
    """

    tool: str
    family: int
    table: str
    name: str
    hook: str
    kind: str
    rules: int
    drops: bool
    devices: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Whether it lets everything pass as it is."""
        return not (self.rules or self.drops)


def nftables() -> tuple[Chain, ...]:
    """Return the chains of nftables that are at a hook.

    Raises:
        NetlinkError: the kernel does not tell, or has none.
    """
    with Netlink(NETFILTER) as kernel:
        header = _HEADER.pack(0, 0, 0)
        chains = kernel.dump(_GET_CHAIN, header)
        rules = Counter(map(_place, kernel.dump(_GET_RULE, header)))
    return tuple(_chains(chains, rules))


_Place = tuple[int, str, str]
"""Family, table and chain."""


def _place(data: bytes) -> _Place:
    found = attributes(data, 4)
    return data[0], text(found.get(_RULE_TABLE)), text(found.get(_RULE_CHAIN))


def _chains(messages: list[bytes], rules: Counter[_Place]) -> Iterator[Chain]:
    for data in messages:
        found = attributes(data, 4)
        if _HOOK not in found:
            continue  # another chain jumps there
        family, table, name = data[0], text(found.get(_TABLE)), text(found.get(_NAME))
        hook = attributes(found[_HOOK], 0)
        names, number = _HOOKS.get(family, ()), int.from_bytes(hook.get(_HOOK_NUMBER, b""))
        yield Chain(
            "nftables", family, table, name,
            names[number] if number < len(names) else str(number),
            text(found.get(_TYPE)), rules[family, table, name],
            int.from_bytes(found.get(_POLICY, b"\1")) == _DROP, _devices(hook),
        )  # fmt: skip


def _devices(hook: dict[int, bytes]) -> tuple[str, ...]:
    if _HOOK_DEVICES in hook:
        return tuple(text(value) for _, value in each_attribute(hook[_HOOK_DEVICES]))
    return (text(hook[_HOOK_DEVICE]),) if _HOOK_DEVICE in hook else ()


# --- iptables -------------------------------------------------------------------------------------
# linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h, netfilter/x_tables.h

_GET_INFO, _GET_ENTRIES = 64, 65
_INFO = struct.Struct("=32sI5I5III")
"""Name, hooks that it has, where each begins, where its policy stands, entries, their size."""
_ENTRIES_HEAD = 40
_VERDICT = struct.Struct("=H30xi")
"""Size of a target, its name, and the verdict of the standard one."""
_OFFSETS = struct.Struct("=HH")
"""Of an entry: where its target is, and where the next entry."""
_XT_DROP = -1
_BUILT_IN = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")


class Xtables(NamedTuple):
    """One of the two tools.

    Attributes:
        tool: its name.
        file: in /proc/net, with the names of its tables.
        family: of its sockets. nfproto: of its chains.
        level: of its options of sockets.
        offsets_at: where in an entry its offsets stand.
    """

    tool: str
    file: str
    family: int
    nfproto: int
    level: int
    offsets_at: int


XTABLES = (
    Xtables("iptables", "ip_tables_names", socket.AF_INET, IPV4, 0, 88),
    Xtables("ip6tables", "ip6_tables_names", socket.AF_INET6, IPV6, 41, 140),
)


def iptables(which: Xtables, tables: list[str]) -> tuple[Chain, ...]:
    """Return the chains of some tables.

    Raises:
        OSError: the kernel does not tell.
    """
    with socket.socket(which.family, socket.SOCK_RAW, socket.IPPROTO_RAW) as asked:
        return tuple(chain for table in tables for chain in _table(asked, which, table))


def _table(asked: socket.socket, which: Xtables, table: str) -> Iterator[Chain]:
    name = table.encode()[:31]
    head = _option(asked, which.level, _GET_INFO, name.ljust(_INFO.size, b"\0"))
    _, valid, *rest = _INFO.unpack_from(head)
    begins, policies, size = rest[:5], rest[5:10], rest[11]
    question = name.ljust(32, b"\0") + struct.pack("=I", size)
    entries = _option(asked, which.level, _GET_ENTRIES, question.ljust(_ENTRIES_HEAD + size, b"\0"))
    entries = entries[_ENTRIES_HEAD:]
    for number, chain in enumerate(_BUILT_IN):
        if not valid & 1 << number:
            continue
        at, rules = begins[number], 0
        while at < policies[number]:
            _, length = _OFFSETS.unpack_from(entries, at + which.offsets_at)
            if not length:
                break
            at, rules = at + length, rules + 1
        target, _ = _OFFSETS.unpack_from(entries, policies[number] + which.offsets_at)
        _, verdict = _VERDICT.unpack_from(entries, policies[number] + target)
        kind = "nat" if table == "nat" else "filter"
        yield Chain(
            which.tool, which.nfproto, table, chain, chain.lower(), kind, rules,
            verdict == _XT_DROP,
        )  # fmt: skip


def _option(asked: socket.socket, level: int, option: int, question: bytes) -> bytes:
    """Return an option of a socket whose question is in the buffer: Python's own gives none."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(question, len(question))
    length = ctypes.c_uint32(len(question))
    if libc.getsockopt(asked.fileno(), level, option, buffer, ctypes.byref(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return buffer.raw


def told(chains: tuple[Chain, ...]) -> str:
    """Return chains in words: how many, with how many rules, and which drop by themselves."""
    what = f"chains at hooks: {len(chains)}, rules: {sum(chain.rules for chain in chains)}"
    dropping = [f"{chain.table} {chain.name}" for chain in chains if chain.drops]
    return what + (f", policy drop: {', '.join(dropping)}" if dropping else "")


def tables_told(chains: tuple[Chain, ...]) -> str:
    """Return the chains of iptables in words."""
    names = ", ".join(dict.fromkeys(sorted(chain.table for chain in chains)))
    return f"tables: {names}; {told(chains)}"
