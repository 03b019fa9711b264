"""Random changes of a stack, most of which are right, from a small world in which they meet."""

from contextlib import suppress
from random import Random
from typing import Any

from smolctl.errors import SmolctlError
from smolctl.stack.settings import KNOBS
from tests.api.kit import Api, Row

LINKS = ("lo", "t1", "t2", "lo1")
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
SOME_KNOBS = ("ip.local_port_first", "ip.local_port_last", "ip.subnet_broadcast",
              "ip.local_prefix", "ip.loopback_own", "iface.max_addr_count",
              "iface.max_route_count", "iface.neighbor_cache_count", "arp.accept_from",
              "arp.accept")  # fmt: skip


class Changes:
    """Makes changes by a random generator of its own."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def some(self, api: Api, count: int) -> None:
        """Make so many changes; one that is refused has changed nothing."""
        for _ in range(count):
            op, args = self.any()
            with suppress(SmolctlError):
                api(op, **args)

    def any(self) -> tuple[str, Row]:
        """Return a change."""
        kinds = (self._link, self._addr, self._addr, self._route, self._route, self._route,
                 self._neigh, self._sysctl)  # fmt: skip
        return self._random.choice(kinds)()

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
            kind = "loopback" if name.startswith("lo") else "test"
            extra = self._maybe(0.3, mtu=("1400", "9000"), down=(True,))
            if kind == "test":
                extra |= netem | self._maybe(0.3, address=MACS)
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
        return f"addr.{verb}", {"dev": dev, "local": local, **extra}

    def _route(self) -> tuple[str, Row]:
        pick = self._random.choice
        verb = pick(("add", "add", "append", "append", "replace", "change", "del"))
        args: Row = {"dst": pick(PREFIXES)}
        args |= self._maybe(0.2, type=TYPES, metric=("5", "7"), mtu=("576",), protocol=(
            "static", "kernel", "77"), scope=SCOPES, table=("main", "local"))  # fmt: skip
        args |= self._maybe(0.5, via=GATEWAYS, dev=LINKS)
        args |= self._maybe(0.15, src=[text.partition("/")[0] for text in ADDRESSES],  # type: ignore[arg-type]
                            onlink=(True,))  # fmt: skip
        if "onlink" in args:
            args["via"] = "203.0.113.1"  # one that never becomes our own
        return f"route.{verb}", args

    def _neigh(self) -> tuple[str, Row]:
        pick = self._random.choice
        args = {"dst": pick(GATEWAYS), "dev": pick(LINKS)}
        if self._random.random() < 0.2:
            return "neigh.del", args
        verb = pick(("add", "replace"))
        return f"neigh.{verb}", {**args, "lladdr": pick(MACS), **self._maybe(0.2, nud=("stale",))}

    def _sysctl(self) -> tuple[str, Row]:
        key = self._random.choice(SOME_KNOBS)
        knob = KNOBS[key]
        value = self._random.choice((knob.low, knob.default, min(knob.high, knob.low + 1)))
        return "sysctl.set", {"key": key, "value": str(knob.show(value))}
