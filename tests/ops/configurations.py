"""Random changes of a stack, most of which are right, from a small world in which they meet."""

from contextlib import suppress
from random import Random
from typing import Any

from smolctl.errors import SmolctlError
from smolctl.stack.sysctl.settings import SYSCTLS
from tests.ops.kit import Api, Row

LINKS = ("lo", "t1", "t2", "lo1", "v1", "v2")
ADDRESSES = ("10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/16", "10.1.0.1/24", "10.1.0.1/32",
             "192.0.2.1/31", "127.0.0.1/8", "127.0.0.5/8", "172.16.0.9/12")  # fmt: skip
GATEWAYS = ("10.0.0.9", "10.0.0.1", "10.1.0.9", "192.0.2.0", "203.0.113.1", "172.16.0.1")
PREFIXES = ("default", "10.0.0.0/24", "10.0.0.0/16", "10.0.0.9", "203.0.113.0/24", "10.1.0.0/24",
            "127.0.0.0/8", "10.0.0.1")  # fmt: skip
TYPES = ("blackhole", "unreachable", "prohibit", "throw", "local", "broadcast", "unicast")
MACS = ("02:00:00:00:00:31", "02:00:00:00:00:32", "02:00:00:00:00:33")
SCOPES = ("global", "link", "host", "site")
NETEM = {
    "delay": ("0", "1ms", "1.5us", "2s", "0.001us"),
    "jitter": ("0", "0.3ms"),
    "loss": ("0", "7%", "0.1%", "33.333333333%"),
    "corrupt": ("0", "1%"),
    "duplicate": ("0", "2.5%"),
    "reorder": ("0", "29%"),
    "rate": ("0", "10mbit", "1", "33kbps"),
}
TABLES = ("main", "local", "7", "300")
SELECTORS: dict[str, tuple[Any, ...]] = {
    "from": ("10.0.0.0/8", "10.0.0.1", "all"),
    "to": ("203.0.113.0/24", "default"),
    "iif": (*LINKS, "nowhere"),
    "oif": LINKS,
    "tos": ("0x10", "0x04"),
    "ipproto": ("udp", "icmp", "77"),
    "dport": ("53", "1000-2000"),
    "not": (True,),
}
GROUPS = ("239.1.2.3", "239.1.2.4", "224.0.0.251")
SOME_SYSCTLS = ("ip.local_port_first", "ip.local_port_last", "ip.subnet_broadcast",
              "ip.local_prefix", "ip.loopback_own", "iface.max_addr_count",
              "iface.max_route_count", "iface.neighbor_cache_count", "arp.accept_from",
              "arp.accept", "arp.dad", "ip.forward", "ip.accept_redirects", "arp.probe_min_ms",
              "arp.probe_max_ms", "ip.accept_source_route", "neigh.mcast_solicit")  # fmt: skip


ADDRESSES6 = ("2001:db8::1/64", "2001:db8::2/64", "2001:db8:1::1/48", "2001:db8:1::1/128",
              "fe80::5/64", "::1/128", "fd00::1/8")  # fmt: skip
GATEWAYS6 = ("fe80::9", "2001:db8::9", "2001:db8:1::9", "fe80::a", "2a00::1")
PREFIXES6 = ("default", "2001:db8::/64", "2001:db8:1::/48", "2001:db8:2::/48", "2001:db8::9",
             "fe80::/64", "fd00::/8")  # fmt: skip
OBJECTS = ("1", "2", "3", "10", "11", "4294967295")
"""Numbers of next-hop objects."""
LABELS = ("2001:db8::/32", "2002::/16", "::/0", "fd00::/8")


class Changes:
    """Makes changes by a random generator of its own.

    Args:
        ipv6: half of them are of IPv6.
        next_hops: most of them are about next-hop objects, and routes.
    """

    def __init__(self, seed: int, *, ipv6: bool = False, next_hops: bool = False) -> None:
        self._random = Random(seed)
        self._ipv6, self._next_hops = ipv6, next_hops

    def some(self, api: Api, count: int) -> None:
        """Make so many changes; one that is refused has changed nothing."""
        begin = [("link.add", {"name": name, "type": "test"}) for name in LINKS[1:3]]
        begin += [("addr.add", {"dev": "t1", "local": ADDRESSES[0]}),
                  ("addr.add", {"dev": "t2", "local": ADDRESSES[8]})]  # fmt: skip
        likely = [change for change in begin if self._random.random() < 0.7]
        for op, args in (*likely, *(self.any() for _ in range(count))):
            with suppress(SmolctlError):
                api(op, **args)

    def any(self) -> tuple[str, Row]:
        """Return a change."""
        kinds: tuple[Any, ...] = (
                 self._link, self._addr, self._addr, self._route, self._route, self._route,
                 self._neigh, self._sysctl, self._rule, self._group)  # fmt: skip
        if self._ipv6:
            kinds = (self._link, self._link, self._addr, self._addr6, self._addr6, self._addr6,
                     self._route6, self._route6, self._route6, self._neigh6, self._rule6,
                     self._label)  # fmt: skip
        if self._next_hops:
            kinds = (self._link, self._addr, self._route, self._next_hop, self._next_hop)
            if self._ipv6:
                kinds += (self._addr6, self._route6, self._next_hop6)
        change: tuple[str, Row] = self._random.choice(kinds)()
        return change

    def _maybe(self, chance: float, **options: tuple[Any, ...]) -> Row:
        return {
            name: self._random.choice(values)
            for name, values in options.items()
            if self._random.random() < chance
        }

    def _link(self) -> tuple[str, Row]:
        pick = self._random.choice
        netem = self._maybe(0.1, **NETEM)
        what = self._random.random()
        if what < 0.4:
            name = pick(LINKS[1:])
            kind = {"l": "loopback", "t": "test", "v": "vlan"}[name[0]]
            extra = self._maybe(0.3, mtu=("1400", "9000"), down=(True,))
            if kind == "test":
                extra |= netem | self._maybe(0.3, address=MACS)
            if kind == "vlan":
                extra |= self._maybe(0.3, address=MACS, protocol=("802.1ad",), mtu=("1000",))
                extra |= {"link": pick(("t1", "t2", "v1")), "id": pick(("0", "5"))}
            return "link.add", {"name": name, "type": kind, **extra}
        if what < 0.95:
            extra = self._maybe(0.3, mtu=("1000", "1500", "65536"), state=("up", "up", "down"))
            return "link.set", {"dev": pick(LINKS), **extra, **netem,
                                **self._maybe(0.1, address=MACS)}  # fmt: skip
        return "link.del", {"dev": pick(LINKS)}

    def _addr(self) -> tuple[str, Row]:
        pick = self._random.choice
        dev, local = pick(LINKS), pick(ADDRESSES)
        verb = pick(("add", "add", "add", "replace", "change", "del"))
        if verb == "del":
            return "addr.del", {"dev": dev, "local": local}
        extra = self._maybe(0.2, broadcast=("+", "10.0.0.255", "-"), scope=SCOPES,
                            label=(dev, f"{dev}:x"))  # fmt: skip
        extra |= self._maybe(0.05, nodad=(True,))
        extra |= self._maybe(0.1, metric=("50",), noprefixroute=(True,))
        extra |= self._maybe(0.15, peer=("10.9.0.1/24", "10.9.0.9/32", "10.0.0.9"))
        return f"addr.{verb}", {"dev": dev, "local": local, **extra}

    def _route(self) -> tuple[str, Row]:
        pick = self._random.choice
        verb = pick(("add", "add", "append", "append", "replace", "change", "del"))
        args: Row = {"dst": pick(PREFIXES)}
        if self._next_hops and self._random.random() < 0.6:
            return f"route.{verb}", args | self._by_object()
        if self._random.random() < 0.15:
            args |= self._maybe(0.3, metric=("5", "7"), table=TABLES, mtu=("576",))
            args["nexthop"] = [self._hop() for _ in range(pick((1, 2, 2, 3)))]
            return f"route.{verb}", args
        args |= self._maybe(0.2, type=TYPES, metric=("5", "7"), mtu=("576",), protocol=(
            "static", "kernel", "77"), scope=SCOPES, table=TABLES)  # fmt: skip
        args |= self._maybe(0.5, via=GATEWAYS, dev=LINKS)
        args |= self._maybe(0.15, src=[text.partition("/")[0] for text in ADDRESSES],  # type: ignore[arg-type]
                            onlink=(True,))  # fmt: skip
        if "onlink" in args:
            args["via"] = "203.0.113.1"  # one that never becomes our own
        return f"route.{verb}", args

    def _hop(self) -> Row:
        pick = self._random.choice
        weight = self._maybe(0.3, weight=("1", "3", "256"))
        if self._random.random() < 0.3:
            return {"via": "203.0.113.1", "dev": pick(LINKS), "onlink": True, **weight}
        return {**pick(({"via": pick(GATEWAYS[::5])}, {"dev": pick(LINKS)})), **weight}

    def _by_object(self) -> Row:
        extra = self._maybe(0.2, metric=("5", "7"), mtu=("1400",), table=("main", "7"))
        return {"nhid": self._random.choice(OBJECTS), **extra, **self._maybe(0.1, type=TYPES[:1])}

    def _next_hop(
        self, family: str = "inet", gateways: tuple[str, ...] = GATEWAYS
    ) -> tuple[str, Row]:
        pick = self._random.choice
        args: Row = {"id": pick(OBJECTS)}
        what = self._random.random()
        if what < 0.1:
            return pick((("nexthop.del", args), ("nexthop.flush", {"dev": pick(LINKS)})))
        verb = f"nexthop.{pick(('add', 'add', 'replace'))}"
        if what < 0.35:
            members = self._random.sample(OBJECTS, pick((1, 2, 2, 3)))
            return verb, {**args, "group": "/".join(
                f"{each}{pick(('', '', ',3', ',256'))}" for each in members)}  # fmt: skip
        if what < 0.45:
            return verb, {**args, "blackhole": True, "family": family}
        if what < 0.6:
            return verb, {**args, "dev": pick(LINKS), "family": family}
        args |= {"via": pick(gateways), "dev": pick(LINKS)}
        if what < 0.75:
            args["onlink"] = True
        if "onlink" in args or args["via"] == "10.0.0.1":
            args["via"] = gateways[4]  # one that never becomes our own
        return verb, args

    def _next_hop6(self) -> tuple[str, Row]:
        return self._next_hop("inet6", GATEWAYS6)

    def _rule(self) -> tuple[str, Row]:
        pick = self._random.choice
        if self._random.random() < 0.25:
            return "rule.del", {"priority": pick(("0", "100", "32765", "32766", "32767"))}
        args = self._maybe(0.25, **SELECTORS)
        args |= self._maybe(0.4, priority=("0", "100", "200", "40000"))
        args |= pick(({"table": pick(TABLES)}, {"table": "7", "suppress_prefixlength": "0"},
                      {"type": pick(("blackhole", "unreachable", "prohibit", "nop"))},
                      {"goto": pick(("200", "32766", "50000"))}))  # fmt: skip
        return "rule.add", args

    def _group(self) -> tuple[str, Row]:
        pick = self._random.choice
        return pick(("maddr.add", "maddr.add", "maddr.del")), {
            "address": pick(GROUPS), "dev": pick(LINKS)
        }  # fmt: skip

    def _neigh(self) -> tuple[str, Row]:
        pick = self._random.choice
        args = {"dst": pick(GATEWAYS), "dev": pick(LINKS)}
        if self._random.random() < 0.15:
            proxy = {"proxy": args["dst"], "dev": args["dev"]}
            return pick(("neigh.add", "neigh.add", "neigh.del")), proxy
        if self._random.random() < 0.2:
            return "neigh.del", args
        verb = pick(("add", "replace"))
        return f"neigh.{verb}", {**args, "lladdr": pick(MACS), **self._maybe(0.2, nud=("stale",))}

    def _addr6(self) -> tuple[str, Row]:
        pick = self._random.choice
        args: Row = {"dev": pick(LINKS), "local": pick(ADDRESSES6)}
        verb = pick(("add", "add", "add", "replace", "del"))
        if verb == "del":
            return "addr.del", args
        extra = self._maybe(0.2, nodad=(True,), metric=("50",), noprefixroute=(True,))
        extra |= self._maybe(0.15, peer=("2001:db8:77::1", "2001:db8:77::2/64"))
        return f"addr.{verb}", {**args, **extra}

    def _route6(self) -> tuple[str, Row]:
        pick = self._random.choice
        verb = pick(("add", "add", "append", "append", "replace", "change", "del"))
        args: Row = {"dst": pick(PREFIXES6), "family": "inet6"}
        if self._next_hops and self._random.random() < 0.6:
            return f"route.{verb}", args | self._by_object()
        args |= self._maybe(0.2, metric=("5", "7"), mtu=("1400",), table=("main", "7"),
                            protocol=("static", "77"))  # fmt: skip
        if self._random.random() < 0.2:
            args["nexthop"] = [
                {"via": pick(GATEWAYS6), "dev": pick(LINKS), **self._maybe(0.3, weight=("3",))}
                for _ in range(pick((1, 2, 3)))
            ]
            return f"route.{verb}", args
        if self._random.random() < 0.2:
            args["type"] = pick(("blackhole", "unreachable", "prohibit", "throw"))
            return f"route.{verb}", args
        return f"route.{verb}", {**args, **self._maybe(0.6, via=GATEWAYS6, dev=LINKS)}

    def _neigh6(self) -> tuple[str, Row]:
        pick = self._random.choice
        args = {"dst": pick(GATEWAYS6), "dev": pick(LINKS)}
        if self._random.random() < 0.2:
            return "neigh.del", args
        extra = self._maybe(0.3, router=(True,), nud=("stale",))
        return "neigh.replace", {**args, "lladdr": pick(MACS), **extra}

    def _rule6(self) -> tuple[str, Row]:
        pick = self._random.choice
        if self._random.random() < 0.25:
            return "rule.del", {"priority": pick(("0", "100", "32766")), "family": "inet6"}
        args = self._maybe(0.4, to=("2001:db8::/32", "2001:db8::1"), priority=("0", "100"))
        return "rule.add", {"family": "inet6", "from": pick(("2001:db8::/32", "all")), **args,
                            "table": pick(TABLES)}  # fmt: skip

    def _label(self) -> tuple[str, Row]:
        pick = self._random.choice
        args = {"prefix": pick(LABELS), "label": pick(("2", "99")), **self._maybe(0.2, dev=LINKS)}
        return pick(("addrlabel.add", "addrlabel.del")), args

    def _sysctl(self) -> tuple[str, Row]:
        key = self._random.choice(SOME_SYSCTLS)
        sysctl = SYSCTLS[key]
        value = self._random.choice((sysctl.low, sysctl.default, min(sysctl.high, sysctl.low + 1)))
        if sysctl.link is not None and self._random.random() < 0.6:
            key = f"{self._random.choice(('all', 'default', 't1', *LINKS))}.{key}"
        return "sysctl.set", {"key": key, "value": str(sysctl.show(value))}
