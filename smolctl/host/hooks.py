"""Hooks in the Linux host's packet path that may change the answer, and are not evaluated here.

A packet filter, NAT, IPsec, traffic control and programs decide by rules of their own. They are
counted as far as the caller may see them; where not, it is said that there may be some.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from smolctl.device.netlink import Netlink, NetlinkError, attributes
from smolctl.host import filters, xfrm
from smolctl.host.filters import Chain
from smolctl.host.links import Link
from smolctl.host.namespace import OWN
from smolctl.host.proc import lines, read_bytes
from smolctl.host.values import text

# linux/rtnetlink.h
_GET_QDISC, _GET_FILTER = 38, 46
_TC_HEADER = struct.Struct("=BxxxiIII")  # family, interface, handle, parent, info
_CLSACT = (0xFFFFFFF2, 0xFFFFFFF3)
_TC_KIND = 1

PLAIN_QDISCS = frozenset(
    {"noqueue", "noop", "pfifo_fast", "pfifo", "bfifo", "fq", "fq_codel", "codel", "mq", "sfq",
     "cake", "mqprio"}
)  # fmt: skip
"""They queue packets, and drop some only when there are too many."""
PLAIN_KINDS = frozenset({"", "veth", "dummy", "tun", "bridge", "vlan", "ifb", "virtio_net"})
"""Links that need no decision of their own beyond Ethernet's; the others are stacked on something,
or do more than a link does."""


class Hook(NamedTuple):
    """Something that may change what happens to a packet.

    Attributes:
        name: "nftables", "iptables", "conntrack", "ipvs", "xfrm", "tc", "xdp", "vrf", "tunnel".
        number: rules, filters or the like; None if it must not be read.
        what: the same in words: "3 chains, 12 rules".
        link: name of the link at which it is; "" for all.
        drops: a policy is known that drops what no rule accepts.
        chains: of a packet filter: those that are asked.
        policies: of IPsec.
    """

    name: str
    number: int | None
    what: str
    link: str = ""
    drops: bool = False
    chains: tuple[Chain, ...] = ()
    policies: tuple[xfrm.Policy, ...] = ()


def read(kernel: Netlink, links: Iterable[Link]) -> tuple[Hook, ...]:
    """Return the hooks of the namespace in which the thread is; none that is known to be empty."""
    found: list[Hook] = []
    there = tuple(links)
    for reader in (_nftables, _iptables, _conntrack, _ipvs, _xfrm, _multicast_routing):
        found += reader()
    found += _tc(kernel, there)
    found += _links(there)
    return tuple(found)


def _unreadable(name: str, what: str, link: str = "") -> Hook:
    return Hook(name, None, f"{what} may exist and cannot be read", link)


# --- the packet filter ----------------------------------------------------------------------------


def _nftables() -> Iterator[Hook]:
    try:
        chains = filters.nftables()
    except NetlinkError as error:
        if error.errno_name in ("EPERM", "EACCES"):
            yield _unreadable("nftables", "rules")
        return
    if chains:
        yield _filter("nftables", chains, filters.told(chains))


def _filter(name: str, chains: tuple[Chain, ...], what: str) -> Hook:
    dropping = sum(chain.drops for chain in chains)
    number = sum(chain.rules for chain in chains) + dropping
    return Hook(name, number, what, drops=bool(dropping), chains=chains)


def _iptables() -> Iterator[Hook]:
    for each in filters.XTABLES:
        try:
            tables = sorted(lines(f"{OWN}/{each.file}"))
        except OSError:
            yield _unreadable(each.tool, "rules")
            continue
        if not tables:
            continue
        try:
            chains = filters.iptables(each, tables)
        except OSError:
            yield _unreadable(each.tool, "rules")
        else:
            if not all(chain.idle for chain in chains):
                yield _filter(each.tool, chains, filters.tables_told(chains))
    try:
        tables = lines(f"{OWN}/arp_tables_names")
    except OSError:
        yield _unreadable("arptables", "rules")
    else:
        if tables:
            yield Hook("arptables", len(tables), f"tables: {', '.join(sorted(tables))}")


def _conntrack() -> Iterator[Hook]:
    try:
        count = int(read_bytes("/proc/sys/net/netfilter/nf_conntrack_count"))
    except (OSError, ValueError):
        return
    # Without rules that ask for it, the kernel tracks nothing in a namespace.
    if count:
        yield Hook("conntrack", count, f"connections: {count}")


def _ipvs() -> Iterator[Hook]:
    try:
        services = [line for line in lines(f"{OWN}/ip_vs", skip=3) if not line.startswith("  ->")]
    except OSError:
        yield _unreadable("ipvs", "services")
        return
    if services:
        yield Hook("ipvs", len(services), f"services: {len(services)}")


def _xfrm() -> Iterator[Hook]:
    try:
        policies, states = xfrm.read()
    except NetlinkError as error:
        if error.errno_name in ("EPERM", "EACCES"):
            yield _unreadable("xfrm", "policies of IPsec")
        return
    if states or policies:
        what = f"policies: {len(policies)}, states: {states}"
        yield Hook("xfrm", len(policies) + states, what, policies=policies)


def _multicast_routing() -> Iterator[Hook]:
    for file in ("ip_mr_vif", "ip6_mr_vif"):
        try:
            count = len(lines(f"{OWN}/{file}", skip=1))
        except OSError:
            yield _unreadable("mroute", "multicast routes")
            return
        if count:
            yield Hook("mroute", count, f"interfaces of a multicast router: {count}")


# --- at links -------------------------------------------------------------------------------------


def _tc(kernel: Netlink, links: tuple[Link, ...]) -> Iterator[Hook]:
    names = {link.ifindex: link.name for link in links}
    try:
        qdiscs = kernel.dump(_GET_QDISC, _TC_HEADER.pack(0, 0, 0, 0, 0))
    except NetlinkError:
        return  # this kernel has no traffic control
    for data in qdiscs:
        if len(data) < _TC_HEADER.size:
            continue
        _, ifindex, handle, _, _ = _TC_HEADER.unpack_from(data)
        kind = text(attributes(data, _TC_HEADER.size).get(_TC_KIND))
        link = names.get(ifindex, f"if{ifindex}")
        if kind in ("clsact", "ingress"):
            parents: tuple[int, ...] = _CLSACT if kind == "clsact" else (handle,)
        else:
            parents = (handle,) if handle else ()
            if kind not in PLAIN_QDISCS:
                yield Hook("tc", 1, f"qdisc {kind}", link)
        count = sum(_filters(kernel, ifindex, each) for each in parents)
        if count:
            yield Hook("tc", count, f"filters of {kind}: {count}", link)


def _filters(kernel: Netlink, ifindex: int, parent: int) -> int:
    """Return how many filters hang there; of a qdisc that takes none, 0."""
    try:
        found = kernel.dump(_GET_FILTER, _TC_HEADER.pack(0, ifindex, 0, parent, 0))
    except NetlinkError:
        return 0
    return len(found)


def _links(links: tuple[Link, ...]) -> Iterator[Hook]:
    for link in links:
        if link.xdp:
            yield Hook("xdp", 1, "a program in front of the stack", link.name)
        if link.kind == "vrf":
            count = sum(port.master == link.ifindex for port in links)
            yield Hook("vrf", count, f"table {link.vrf_table}, ports: {count}", link.name)
        elif link.kind not in PLAIN_KINDS:
            yield Hook("link", 1, f"of the kind {link.kind}", link.name)
