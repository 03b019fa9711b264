"""States of a Linux host, made by hand in the words of ``ip``: no kernel is asked."""

from collections.abc import Iterable

from smolctl.host.addresses import Address
from smolctl.host.groups import Groups
from smolctl.host.hooks import Hook
from smolctl.host.links import BROADCAST, LOOPBACK, LOWER_UP, MULTICAST, RUNNING, UP, Link
from smolctl.host.neighbors import STATES, Neighbor
from smolctl.host.reading import HostState
from smolctl.host.routes import TYPES, Hop, Route
from smolctl.host.rules import ACTIONS, Rule
from smolctl.host.sockets import CLOSE, LISTEN, Socket
from smolctl.host.sysctls import Sysctls
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.wire.address import IPV6_MARK, family_of, parse_address, parse_mac

_EMPTY = HostState(
    (6, 18), True, (), (), (), (), (), (), (), (), Groups((), (), ()), Sysctls({}, ()), (), ()
)
_CONF4 = (
    "accept_local", "accept_redirects", "arp_accept", "arp_announce", "arp_filter", "arp_ignore",
    "bc_forwarding", "drop_unicast_in_l2_multicast", "forwarding", "proxy_arp", "rp_filter",
    "shared_media",
)  # fmt: skip
_CONF6 = ("accept_redirects", "disable_ipv6", "forwarding", "proxy_ndp")
_ON = ("accept_redirects", "shared_media")
_WHOLE = {
    "ipv4/ip_forward": "0", "ipv4/icmp_echo_ignore_all": "0", "ipv4/icmp_echo_ignore_broadcasts":
    "1", "ipv6/icmp/echo_ignore_all": "0",
}  # fmt: skip
_TABLES = {"local": 255, "main": 254, "default": 253}


class Host:
    """A host to which things are added.

    Args:
        lines: as ``ip`` has them, without ``add``: "link eth0", "addr 10.0.0.1/24 dev eth0",
            "route default via 10.0.0.254 dev eth0", "rule priority 9 from 10.0.0.1 lookup 7",
            "neigh 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0", "socket udp 0.0.0.0:53",
            "sysctl ipv4/ip_forward=1".
    """

    def __init__(self, *lines: str) -> None:
        self.links: list[Link] = []
        self.addresses: list[Address] = []
        self.routes: list[Route] = []
        self.rules: list[Rule] = []
        self.neighbors: list[Neighbor] = []
        self.sockets: list[Socket] = []
        self.hooks: list[Hook] = []
        self.sysctls = dict(_WHOLE)
        for name in ("all", "default"):
            self._conf(name)
        self._link("lo", "type", "loopback", "mtu", "65536")
        self._addr("127.0.0.1/8", "dev", "lo")
        self._addr("::1/128", "dev", "lo")
        for family, priority, table in ((4, 0, 255), (4, 32766, 254), (4, 32767, 253)):
            self._rule("-4", "priority", str(priority), "lookup", str(table), family=family)
        for priority, table in ((0, 255), (32766, 254)):
            self._rule("-6", "priority", str(priority), "lookup", str(table))
        for line in lines:
            noun, *words = line.split()
            getattr(self, f"_{noun}")(*words)

    def state(self) -> HostState:
        """Return it as it would have been read."""
        return _EMPTY._replace(
            links=tuple(self.links),
            addresses=tuple(self.addresses),
            routes=tuple(self.routes),
            rules=tuple(sorted(self.rules, key=lambda rule: (rule.family, rule.priority))),
            neighbors=tuple(self.neighbors),
            sockets=tuple(self.sockets),
            hooks=tuple(self.hooks),
            sysctls=Sysctls(self.sysctls, ()),
        )

    def _conf(self, name: str) -> None:
        for family, keys in (("ipv4", _CONF4), ("ipv6", _CONF6)):
            for key in keys:
                self.sysctls[f"{family}/conf/{name}/{key}"] = str(int(key in _ON))

    def _index(self, name: str) -> int:
        return next(link.ifindex for link in self.links if link.name == name)

    def _link(self, name: str, *words: str) -> None:
        said = _pairs(words, "down", "nocarrier")
        index, loop = len(self.links) + 1, said.get("type") == "loopback"
        flags = LOOPBACK if loop else BROADCAST | MULTICAST
        flags |= 0 if "down" in said else UP
        carrier = "nocarrier" not in said
        flags |= RUNNING | LOWER_UP if carrier and "down" not in said else 0
        mac = bytes(6) if loop else parse_mac(said.get("address", f"02:00:00:00:00:{index:02x}"))
        master = self._index(said["master"]) if "master" in said else 0
        self.links.append(
            Link(
                ifindex=index, name=name, altnames=(), alias="",
                type=int(said.get("hw", "772" if loop else "1")),
                flags=flags | int(said.get("flags", "0"), 16), carrier=carrier, operstate=6,
                mtu=int(said.get("mtu", "1500")), mac=mac, broadcast=b"\xff" * 6, lower=0,
                lower_netns=None, master=master, kind="" if loop else said.get("type", ""),
                data={}, port_kind=self.links[master - 1].kind if master else "", port_data={},
                qdisc="noqueue", txqlen=1000, group=0, promiscuity=0,
                xdp=int(said.get("xdp", "0")), proto_down=False, unknown=(),
            )
        )  # fmt: skip
        if "peer" in said:
            self._join(index, self._index(said["peer"]))
        self._conf(name)

    def _join(self, one: int, other: int) -> None:
        """Make two links the ends of a veth."""
        for mine, its in ((one, other), (other, one)):
            self.links[mine - 1] = self.links[mine - 1]._replace(lower=its)

    def _addr(self, prefix: str, *words: str) -> None:
        """Add an address, and the routes that the kernel derives from it."""
        said = _pairs(words)
        text, _, length = prefix.partition("/")
        local, plen, dev = parse_address(text), int(length), said["dev"]
        index, six = self._index(dev), ":" in text
        bits = 128 if six else 32
        network = local >> bits - plen << bits - plen
        last = network | (1 << bits - plen) - 1
        scope = 254 if dev == "lo" else 0
        self.addresses.append(
            Address(
                ifindex=index, family=AF_INET6 if six else AF_INET, local=local, plen=plen,
                peer=None, broadcast=None if six or plen > 30 or scope else last, anycast=None,
                scope=scope, flags=0x80, label="" if six else dev, valid=None, preferred=None,
                metric=0, proto=0, unknown=(),
            )
        )  # fmt: skip
        src = None if six else local
        self._put(local, bits, "local", 255, index, src, 0 if six else 254)
        if not six and dev == "lo":
            self._put(network, plen, "local", 255, index, local, 254)
        elif not six and plen < 31:
            self._put(last, 32, "broadcast", 255, index, local, 253)
        if dev != "lo" and plen < bits:
            self._put(network, plen, "unicast", 254, index, src, 0 if six else 253, 256 * six)

    def _put(
        self, dst: int, plen: int, kind: str, table: int, index: int, src: int | None, scope: int,
        metric: int = 0,
    ) -> None:  # fmt: skip
        self.routes.append(_route(dst, plen, kind, table, (Hop(index, None),), src, scope, metric))

    def _route(self, *words: str) -> None:
        kind = words[0] if words[0] in TYPES else "unicast"
        where, *rest = words[kind != "unicast" :]
        hops: list[Hop] = []
        if "nexthop" in rest:
            at = rest.index("nexthop")
            for each in " ".join(rest[at + 1 :]).split("nexthop"):
                hops.append(self._hop(_pairs(each.split())))
            rest = rest[:at]
        said = _pairs(rest)
        if "dev" in said or "via" in said:
            hops.append(self._hop(said))
        six = ":" in where or any(hop.gateway and hop.gateway >= IPV6_MARK for hop in hops)
        text, _, length = where.partition("/")
        bits = 128 if six else 32
        if where == "default":
            dst, plen = (IPV6_MARK if six else 0), 0
        else:
            dst, plen = parse_address(text), int(length or bits)
        name = said.get("table", "main")
        table = _TABLES[name] if name in _TABLES else int(name)
        src = parse_address(said["src"]) if "src" in said else None
        metric = int(said.get("metric", "1024" if six else "0"))
        made = _route(dst, plen, kind, table, tuple(hops), src, 0 if six or "via" in said else 253,
                      metric)  # fmt: skip
        metrics = ((2, int(said["mtu"])),) if "mtu" in said else ()
        self.routes.append(made._replace(protocol=3, metrics=metrics))

    def _hop(self, said: dict[str, str]) -> Hop:
        gateway = parse_address(said["via"]) if "via" in said else None
        if "dev" not in said:
            assert gateway is not None
            bits = family_of(gateway).bits
            near = next(
                each for each in self.addresses
                if family_of(each.local) is family_of(gateway)
                and gateway >> bits - each.plen == each.local >> bits - each.plen
            )  # fmt: skip
            return Hop(near.ifindex, gateway, int(said.get("weight", "1")))
        return Hop(self._index(said["dev"]), gateway, int(said.get("weight", "1")))

    def _rule(self, *words: str, family: int = 0) -> None:
        six = words[0] == "-6"
        said = _pairs([word for word in words if not word.startswith("-")], *_REFUSALS)
        action = next((n for n, name in ACTIONS.items() if name in said), 1)
        name = said.get("lookup", "0")
        src, src_plen = _prefix(said.get("from", ""), six)
        dst, dst_plen = _prefix(said.get("to", ""), six)
        self.rules.append(
            Rule(
                family=AF_INET6 if six else AF_INET, priority=int(said["priority"]), action=action,
                table=_TABLES[name] if name in _TABLES else int(name), goto=None, flags=0, src=src,
                src_plen=src_plen, dst=dst, dst_plen=dst_plen, tos=0, dscp=None, dscp_mask=None,
                iif=said.get("iif", ""), oif=said.get("oif", ""),
                mark=int(said.get("fwmark", "0"), 0), mask=0xFFFFFFFF if "fwmark" in said else 0,
                uids=None, sports=None, dports=None, sport_mask=None, dport_mask=None, label=None,
                label_mask=None, ip_proto=None, tun_id=int(said.get("tun_id", "0")), l3mdev=False,
                suppress_plen=None, suppress_group=None, realm=0, protocol=2, unknown=(),
            )
        )  # fmt: skip

    def _neigh(self, text: str, *words: str) -> None:
        said, address = _pairs(words, "router"), parse_address(text)
        state = next(n for n, name in STATES.items() if name == said.get("nud", "reachable"))
        mac = parse_mac(said["lladdr"]) if "lladdr" in said else b""
        self.neighbors.append(
            Neighbor(
                ifindex=self._index(said["dev"]), family=AF_INET6 if ":" in text else AF_INET,
                dst=address, lladdr=mac, state=state, flags=0x80 * ("router" in said), confirmed=0,
                used=0, updated=0, probes=0, protocol=0, unknown=(),
            )
        )  # fmt: skip

    def _socket(self, proto: str, where: str) -> None:
        text, _, port = where.rpartition(":")
        local = parse_address(text.strip("[]"))
        self.sockets.append(
            Socket(
                family=AF_INET6 if ":" in text else AF_INET, protocol=17 if proto == "udp" else 6,
                state=CLOSE if proto == "udp" else LISTEN, local=local, lport=int(port), remote=0,
                rport=0, oif=0, v6only=False, tos=0, mark=0, options=0, waiting_in=0,
                waiting_out=0, uid=0, inode=1,
            )
        )  # fmt: skip

    def _sysctl(self, word: str) -> None:
        path, _, value = word.partition("=")
        self.sysctls[path] = value


_REFUSALS = ("blackhole", "unreachable", "prohibit")


def _pairs(words: Iterable[str], *alone: str) -> dict[str, str]:
    """Return words with their values; those that stand alone have ""."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        found[word] = "" if word in alone else next(rest)
    return found


def _prefix(text: str, six: bool) -> tuple[int, int]:
    if not text:
        return (IPV6_MARK if six else 0), 0
    address, _, length = text.partition("/")
    return parse_address(address), int(length or (128 if six else 32))


def _route(
    dst: int, plen: int, kind: str, table: int, hops: tuple[Hop, ...], src: int | None,
    scope: int, metric: int,
) -> Route:  # fmt: skip
    six = dst >= IPV6_MARK
    return Route(
        dst=dst, plen=plen, family=AF_INET6 if six else AF_INET, src=IPV6_MARK if six else 0,
        src_plen=0, tos=0, table=table, protocol=2, scope=scope, type=TYPES.index(kind), flags=0,
        metric=metric, prefsrc=src, hops=hops, metrics=(), congestion="", nhid=0, pref=0,
        expires=None, error=0, unknown=(),
    )  # fmt: skip


def host(*lines: str) -> HostState:
    """Return a state; see ``Host``."""
    return Host(*lines).state()
