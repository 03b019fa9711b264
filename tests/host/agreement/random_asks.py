"""Random questions about a random host."""

from ipaddress import IPv4Address, IPv6Address
from random import Random

from tests.host.agreement.questions import Ask
from tests.host.agreement.random_host import Address, World
from tests.host.agreement.wires import LinkSpec

_ANYWHERE: list[list[Address]] = [
    [IPv4Address(each) for each in (
        "8.8.8.8", "198.51.100.7", "10.0.1.9", "192.168.1.200", "172.17.0.5", "169.254.169.254",
        "127.0.0.1", "127.5.5.5", "255.255.255.255", "224.0.0.5", "239.1.2.3", "0.0.0.0",
        "240.0.0.1", "10.0.0.255", "10.99.0.1",
    )],
    [IPv6Address(each) for each in (
        "2001:4860::8888", "2001:db8:9::5", "fd00::8", "fd00:1::9", "::1", "ff02::1", "ff05::7",
        "fe80::9", "fd99::1", "2001:db8:1::77", "::",
    )],
]  # fmt: skip
_PORTS = (7000, 7000, 9, 80)


class Questioner:
    """The making of questions about one host."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world, self.rng = world, rng
        self._senders = 0

    def ask(self) -> Ask:
        """Return a question."""
        families = {socket.local for socket in self.world.host.sockets}
        version = self.rng.choice([6 if ":" in each else 4 for each in sorted(families)])
        kinds = ["send", "receive", "arp", "forward"]
        kind = self.rng.choices(kinds, [10, 6, 3, 6])[0]
        if kind == "send":
            return self._send(version)
        if kind == "arp":
            return self._arp(version)
        return self._receive(version, kind)

    def _one(self, items: list[Address]) -> Address:
        return self.rng.choice(items)

    def _own(self, version: int) -> list[Address]:
        return [each for _, each, _ in self.world.own if each.version == version]

    def _target(self, version: int) -> Address:
        """Return an address that somebody may send to."""
        world, rng = self.world, self.rng
        near = [each for _, each in world.near if each.version == version]
        there = [each for each in world.targets if each.version == version]
        anywhere = _ANYWHERE[version == 6]
        pools = [self._own(version), near, there, anywhere]
        weights = [3, 4, 4, 4]
        pool = rng.choices(pools, weights)[0] or anywhere
        return self._one(pool)

    def _beyond(self, version: int) -> Address:
        """Return an address for which the host is a router."""
        there = [each for each in self.world.targets if each.version == version]
        near = [each for _, each in self.world.near if each.version == version]
        return self._one(self.rng.choice([there, near]) or _ANYWHERE[version == 6])

    def _links(self) -> list[LinkSpec]:
        links = self.world.host.links
        ports = {port for spec in links for port in spec.ports}
        return [each for each in links if each.name not in ports]

    def _link(self) -> str:
        return self.rng.choice(self._links()).name

    def _entrances(self, *, linked: bool) -> list[str]:
        """Return the links by which a frame can come in: where there is a signal."""
        dead = {spec.name for spec in self.world.host.links if not spec.carrier}
        return [
            each.name
            for each in self._links()
            if each.name not in dead
            and not dead.intersection(each.ports)
            and not (linked and each.kind == "tun")
        ]

    def _send(self, version: int) -> Ask:
        rng = self.rng
        dst = self._target(version)
        own = self._own(version)
        src = ""
        if own and rng.random() < 0.25:
            src = str(self._one(own))
        elif rng.random() < 0.03:
            near = [each for _, each in self.world.near if each.version == version]
            src = str(self._one(near)) if near else ""
        dev = self._link() if rng.random() < 0.2 or _needs_zone(dst) else ""
        proto = rng.choices(["udp", "tcp", "icmp"], [6, 2, 2])[0]
        if dst.is_multicast and proto == "tcp":
            proto = "udp"
        return Ask(
            "send", proto, src, str(dst),
            dport=0 if proto == "icmp" else rng.choice(_PORTS),
            dev=dev,
            mark=rng.choice(self.world.marks),
            ttl=rng.choice([0, 0, 0, 0, 1, 9]),
            tos=0x10 if rng.random() < 0.04 else 0,
            size=rng.choice([4, 4, 4, 4, 1300, 1472, 2000]) if proto != "tcp" else 4,
            broadcast=proto == "udp" and rng.random() < 0.3,
            uid=1500 if rng.random() < 0.05 else 0,
            topic=f"send {proto}",
        )  # fmt: skip

    def _arp(self, version: int) -> Ask:
        rng = self.rng
        own = self._own(version)
        dst = self._one(own) if own and rng.random() < 0.6 else self._target(version)
        proto = "nd" if version == 6 else "arp"
        names = self._entrances(linked=True)
        if not names or dst.is_multicast:
            return self._send(version)
        iif = rng.choice(names)
        src = self._sender(version, iif)
        if rng.random() < 0.05:
            src = "::" if version == 6 else "0.0.0.0"
        return Ask("receive", proto, src, str(dst), iif=iif, topic=proto)

    def _sender(self, version: int, iif: str) -> str:
        """Return the address of somebody else, most often of a neighbor by that link."""
        rng = self.rng
        near = [each for each in self.world.near if each[1].version == version]
        there = [each for name, each in near if name == iif]
        if there and rng.random() < 0.7:
            near = [(iif, each) for each in there]
        self._senders += 1
        if near and rng.random() < 0.8:
            base = rng.choice(near)[1]
            return str(base + self._senders % 40 if rng.random() < 0.5 else base)
        return str(self._one(_ANYWHERE[version == 6][:6]))

    def _receive(self, version: int, kind: str) -> Ask:
        rng = self.rng
        own = self._own(version)
        dst = self._target(version)
        if kind == "receive" and own and rng.random() < 0.7:
            dst = self._one(own)
        if kind == "forward" and rng.random() < 0.7:
            dst = self._beyond(version)
        proto = rng.choices(["udp", "tcp", "icmp"], [6, 2, 3])[0]
        entrances = self._entrances(linked=False)
        if not entrances:
            return self._send(version)
        iif = rng.choice(entrances)
        src = self._sender(version, iif)
        if rng.random() < 0.06:
            src = str(self._beyond(version))
        if dst.is_unspecified:
            dst = self._beyond(version)
        # Nobody sends what the link does not carry.
        sizes = [4, 4, 4, 1000, 1450] if self.world.mtus.get(iif, 1500) >= 1500 else [4]
        return Ask(
            "receive", proto, src, str(dst),
            dport=0 if proto == "icmp" else rng.choice(_PORTS),
            iif=iif,
            ttl=rng.choice([0, 0, 0, 0, 1, 2]),
            tos=0x10 if rng.random() < 0.03 else 0,
            size=rng.choice(sizes) if proto != "tcp" else 4,
            dmac=rng.choices(["", "all", "other"], [20, 1, 1])[0],
            topic=f"{kind} {proto}",
        )  # fmt: skip


def _needs_zone(address: Address) -> bool:
    return address.version == 6 and (address.is_link_local or address.is_multicast)
