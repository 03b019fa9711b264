"""Random hosts: network namespaces with some of everything that a kernel has, by a seed."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from random import Random
from typing import NamedTuple, TypeVar

from tests.host.agreement.host import Host, SocketSpec
from tests.host.agreement.random_sysctls import random_sysctls
from tests.host.agreement.wires import LinkSpec

_T = TypeVar("_T")
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_SUBNETS = [
    [ip_network(each) for each in (
        "10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/16", "10.1.0.0/30", "192.168.1.0/24",
        "192.168.1.128/25", "172.16.0.0/12", "10.2.0.0/31", "169.254.0.0/16", "100.64.0.0/10",
        "10.0.3.7/32", "203.0.113.0/28",
    )],
    [ip_network(each) for each in (
        "fd00:0::/64", "fd00:1::/64", "fd00::/48", "2001:db8:1::/64", "2001:db8:2::/127",
        "fd00:5::5/128", "2001:db8::/32", "fec0:1::/64",
    )],
]  # fmt: skip
_FAR = [
    [ip_network(each) for each in (
        "0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "8.8.8.0/24", "8.8.8.8/32",
        "198.51.100.0/24", "10.0.0.0/8", "10.0.0.0/25", "10.0.1.9/32", "192.168.0.0/16",
        "172.17.0.0/16", "169.254.169.254/32",
    )],
    [ip_network(each) for each in (
        "::/0", "::/0", "2000::/3", "2001:db8::/32", "2001:db8:9::/48", "fd00::/8",
        "fd00::8/128", "2001:4860::8888/128", "2001:db8:1::/65",
    )],
]  # fmt: skip
_TABLES = (100, 200, 253)
_MACS = "02:00:00:00:bb:"


class World(NamedTuple):
    """A random host, and what is there to ask about."""

    host: Host
    own: Sequence[tuple[str, Address, int]]
    near: Sequence[tuple[str, Address]]
    targets: Sequence[Address]
    marks: Sequence[int]
    mtus: Mapping[str, int]


class Maker:
    """The making of one host."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.links: list[LinkSpec] = []
        self.commands: list[str] = []
        self.late: list[str] = []
        self.sockets: list[SocketSpec] = []
        self.own: list[tuple[str, Address, int]] = []
        self.near: list[tuple[str, Address]] = []
        self.targets: list[Address] = []
        self.mtus: dict[str, int] = {}
        self.marks = [0, 0, 0, 1, 2, 0x10]
        self.families = rng.choices([[0], [1], [0, 1]], [5, 3, 3])[0]

    def one(self, items: Sequence[_T]) -> _T:
        """Return one of them."""
        return self.rng.choice(items)

    def may(self, chance: float) -> bool:
        """Tell whether something that is there in some hosts is in this one."""
        return self.rng.random() < chance

    def names(self) -> list[str]:
        """The links that may have addresses."""
        ports = {port for spec in self.links for port in spec.ports}
        return [spec.name for spec in self.links if spec.name not in ports]

    def make(self) -> World:
        """Return the host."""
        self._links()
        self._addresses()
        for number in self.families:
            self._routes(number)
            self._rules(number)
            self._neighbors(number)
        self._changes()
        self._sockets()
        sysctls = random_sysctls(self.rng, self.names(), self.families)
        host = Host(
            tuple(self.links), tuple(self.commands), sysctls, tuple(self.sockets), tuple(self.late)
        )
        return World(host, self.own, self.near, self.targets, self.marks, self.mtus)

    # --- links ------------------------------------------------------------------------------------

    def _links(self) -> None:
        kinds = self.rng.choices(
            ["tap", "veth", "tun", "bridge"], [8, 3, 2, 1], k=self.rng.choice([1, 2, 2, 3, 3, 4])
        )
        for number, kind in enumerate(kinds):
            mac = f"02:00:00:00:00:{16 + number:02x}"
            carrier = not self.may(0.1)
            name = f"{kind[0] if kind != 'tun' else 'u'}{number}"
            if kind == "bridge":
                port = f"p{number}"
                self.links.append(
                    LinkSpec(port, "tap", f"02:00:00:00:01:{16 + number:02x}", carrier)
                )
                self.links.append(LinkSpec(name, kind, mac, True, (port,)))
            else:
                self.links.append(LinkSpec(name, kind, "" if kind == "tun" else mac, carrier))
        for spec in self.links:
            if self.may(0.93):
                self.commands.append(f"link set {spec.name} up")
            if self.may(0.08):
                mtu = self.mtus[spec.name] = self.one([1280, 1400, 600, 9000])
                self.commands.append(f"link set {spec.name} mtu {mtu}")
            if self.may(0.04) and spec.kind in ("tap", "veth"):
                self.commands.append(f"link set {spec.name} arp off")
        if self.may(0.02):
            self.commands.append("link set lo down")

    # --- addresses --------------------------------------------------------------------------------

    def _addresses(self) -> None:
        for name in self.names():
            for number in self.families:
                for _ in range(self.rng.choice([0, 1, 1, 1, 2, 3])):
                    self._address(name, number, self.one(_SUBNETS[number]))
        for number in self.families:
            if self.may(0.25):
                text = ("10.99.0.1/32", "fd99::1/128")[number]
                self.commands.append(f"addr add {text} dev lo")
                self.own.append(("lo", ip_network(text).network_address, 32))

    def _address(self, name: str, number: int, net: Network) -> None:
        host = self.rng.choice([1, 1, 2, 5, 77])
        # A broadcast address is nobody's own, nor is one of IPv6 the host's twice.
        local = net[min(host, max(net.num_addresses - (1 if number else 2), 0))]
        if number == 1 and any(each[1] == local for each in self.own):
            return
        text = f"{local}/{net.prefixlen}"
        words = f"addr add {text} dev {name}"
        if number == 0 and self.may(0.08):
            peer = net[min(host + 1, net.num_addresses - 1)]
            words = f"addr add {local} peer {peer}/{self.one([32, 32, 24])} dev {name}"
            self.near.append((name, peer))
        elif number == 0 and self.may(0.8):
            words += " brd +"
        if self.may(0.06):
            words += " noprefixroute"
        if self.may(0.06):
            words += f" metric {self.one([50, 300])}"
        if self.may(0.08):
            words += f" scope {self.one(['link', 'host', 'global'])}"
        if number == 1:
            words += " nodad"
        if self.may(0.07):
            words += " valid_lft 4000 preferred_lft 0"
        self.commands.append(words)
        self.own.append((name, local, net.prefixlen))
        for offset in (3, 9, 50):
            if offset < net.num_addresses:
                self.near.append((name, net[offset]))
        # That of all routers of a network is asked for by nobody (RFC 4291 2.6.1).
        self.targets += [net[-1]] if number else [net[0], net[-1]]

    # --- routes -----------------------------------------------------------------------------------

    def _gateway(self, number: int) -> tuple[str, str]:
        """Return a next hop of a family and a link for it, most often one that goes."""
        near = [each for each in self.near if each[1].version == (4, 6)[number]]
        if near and self.may(0.9):
            name, address = self.one(near)
            return str(address), name
        if number == 1 and self.may(0.6):
            return "fe80::9", self.one(self.names())
        return str(self.one(_FAR[number]).network_address), self.one(self.names())

    def _hop(self, number: int) -> str:
        gateway, name = self._gateway(number)
        words = f"via {gateway}" if self.may(0.8) else f"dev {name}"
        if words.startswith("via") and (self.may(0.5) or gateway.startswith("fe80")):
            words += f" dev {name}" + (" onlink" if self.may(0.15) else "")
        return words

    def _routes(self, number: int) -> None:
        for _ in range(self.rng.choice([0, 1, 2, 2, 3, 4, 6])):
            net = self.one(_FAR[number] if self.may(0.8) else _SUBNETS[number])
            words = self._route(number, net)
            self.commands.append(f"-{(4, 6)[number]} route add {words}")
            self.targets += [_inside(net)]
        if self.may(0.08):
            self._objects(number)

    def _route(self, number: int, net: Network) -> str:
        words = f"{net}"
        kind = self.rng.choices(
            ["unicast", "blackhole", "unreachable", "prohibit", "throw", "local", "multipath"],
            [24, 1, 1, 1, 1, 1, 2],
        )[0]
        if kind == "multipath":
            words += "".join(f" nexthop {self._hop(number)}" for _ in range(2))
        elif kind == "unicast":
            words += f" {self._hop(number)}"
        else:
            words = f"{kind} {words}" + (" dev lo" if kind == "local" else "")
        if self.may(0.2):
            words += f" metric {self.one([10, 20, 100, 1024])}"
        if self.may(0.25):
            words += f" table {self.one(_TABLES)}"
        own = [each[1] for each in self.own if each[1].version == (4, 6)[number]]
        if own and self.may(0.15) and kind in ("unicast", "multipath"):
            words += f" src {self.one(own)}"
        if self.may(0.06) and kind == "unicast":
            words += f" mtu {self.one(['1300', 'lock 1300', '700'])}"
        if self.may(0.03) and number == 0:
            words += " tos 0x10"
        return words

    def _objects(self, number: int) -> None:
        """Add next-hop objects and a route by them."""
        for ident in (1, 2):
            gateway, name = self._gateway(number)
            self.commands.append(f"nexthop add id {ident} via {gateway} dev {name}")
        self.commands.append("nexthop add id 3 group 1/2")
        net, ident = self.one(_FAR[number]), self.one([1, 2, 3])
        self.commands.append(f"-{(4, 6)[number]} route add {net} metric 7 nhid {ident}")
        self.targets.append(_inside(net))

    # --- rules ------------------------------------------------------------------------------------

    def _rules(self, number: int) -> None:
        if self.may(0.55):
            return
        for priority in range(10, 10 + self.rng.choice([1, 2, 2, 3, 4])):
            words = [f"priority {priority}"]
            for chance, text in (
                (0.4, f"from {self._prefix(number)}"), (0.25, f"to {self._prefix(number)}"),
                (0.25, f"fwmark {self.one(['1', '2', '0x10/0x10', '0/1'])}"),
                (0.12, f"iif {self.one([*self.names(), 'lo'])}"),
                (0.12, f"oif {self.one(self.names())}"),
                (0.05, "uidrange 1000-2000"), (0.06, "ipproto udp"), (0.05, "dport 7000-7001"),
                (0.04, "sport 5000-6000"), (0.04, "tos 0x10"),
            ):  # fmt: skip
                words += [text] if self.may(chance) else []
            if self.may(0.08) and len(words) > 1:
                words.insert(0, "not")
            words.append(self._action())
            family = (4, 6)[number]
            self.commands.append(f"-{family} rule add {' '.join(words)}")
        for table in (100, 200):
            if self.may(0.6):
                net = self.one(_FAR[number])
                line = f"{net} {self._hop(number)} table {table}"
                self.commands.append(f"-{(4, 6)[number]} route add {line}")

    def _action(self) -> str:
        return self.rng.choices(
            [
                f"lookup {self.one([100, 200, 253, 254])}", "prohibit", "unreachable",
                "blackhole", "lookup main suppress_prefixlength 0", "goto 32766", "nop",
            ],
            [16, 1, 1, 1, 1.5, 1, 0.3],
        )[0]  # fmt: skip

    def _prefix(self, number: int) -> str:
        own = [each for each in self.own if each[1].version == (4, 6)[number]]
        if own and self.may(0.6):
            _, address, plen = self.one(own)
            return f"{address}" if self.may(0.6) else f"{ip_network((address, plen), False)}"
        return str(self.one(_FAR[number] + _SUBNETS[number]))

    # --- neighbors, changes, sockets --------------------------------------------------------------

    def _neighbors(self, number: int) -> None:
        near = [each for each in self.near if each[1].version == (4, 6)[number]]
        for count, (name, address) in enumerate(self.rng.sample(near, min(len(near), 5))):
            if self.may(0.5):
                state = self.rng.choices(
                    ["permanent", "reachable", "stale", "noarp", "failed", "incomplete"],
                    [5, 4, 4, 1, 1, 1],
                )[0]
                lladdr = "" if state in ("failed", "incomplete") else f" lladdr {_MACS}{count:02x}"
                self.commands.append(f"neigh add {address}{lladdr} dev {name} nud {state}")
            elif self.may(0.1):
                self.commands.append(f"neigh add proxy {address} dev {name}")

    def _changes(self) -> None:
        """Add changes of what is there: routes and addresses see them happen."""
        name = self.one(self.names())
        if self.may(0.05):
            self.late.append(f"link set {name} down")
        if self.may(0.03):
            self.late += [f"link set {name} down", f"link set {name} up"]
        if self.own and self.may(0.05):
            dev, address, plen = self.one(self.own)
            self.late.append(f"addr del {address}/{plen} dev {dev}")

    def _sockets(self) -> None:
        for number in self.families:
            for proto, port in (("udp", 7000), ("tcp", 80)):
                self.sockets.append(SocketSpec(proto, ("0.0.0.0", "::")[number], port))


def _inside(net: Network) -> Address:
    """Return an address of a network that some host might have."""
    if net.prefixlen > 1:
        return net[min(5, net.num_addresses - 1)]
    return ip_address("2001:db8:77::5" if net.version == 6 else "9.9.9.9")
