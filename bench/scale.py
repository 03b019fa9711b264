"""The cost of a datagram in a large stack, as a multiple of that in a small one."""

import random
from collections.abc import Callable
from functools import partial
from time import perf_counter

from bench.datagram import PAYLOAD, fast_path_off, forget
from bench.fib import fill, prefixes
from bench.measure import Limit, Plan, Row, by_turns, middle, ratio
from smolctl.stack.config.addr import add_address, bring_up_loopback
from smolctl.stack.config.link import add_interface
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Medium
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import derived
from smolctl.stack.neighbor.states import State
from smolctl.stack.stack import Stack
from smolctl.wire import ethernet, ipv4, udp
from smolctl.wire.address import parse_address

MANY = 10_000
ROUTES = 1_000_000
_LIMIT = Limit(1.2, 1.05, at_least=False)
_MAC, _PEER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
_OURS, _PEER = parse_address("10.0.0.1"), parse_address("10.0.0.2")
_PORT = 7
_NOW = 1


class Wired:
    """A stack with an Ethernet interface, one socket, one known neighbor and one default route."""

    def __init__(self) -> None:
        self.stack = Stack(random.Random(1).random)
        bring_up_loopback(self.stack.ipv4)
        self.wire = add_interface(self.stack.shared, "eth0", "test", Medium.ETHERNET, 1500, _MAC)
        add_address(self.stack.ipv4, self.wire, Address(_OURS, 8, Scope.GLOBAL, "eth0"))
        self.add_neighbor(_PEER)
        self.socket = self.stack.udp.open()
        self.stack.udp.bind(self.socket, port=_PORT)
        self.frame = _frame(_PEER, _OURS, _PORT)

    def add_neighbor(self, address: int) -> None:
        """Make a neighbor known for good."""
        self.stack.ipv4.neighbors["eth0"].set(address, State.PERMANENT, _PEER_MAC, _NOW)

    def receive(self, count: int) -> float:
        """Take ``count`` frames from the wire to the socket; return ns each."""
        receive, wire, frame, take = self.stack.receive, self.wire, self.frame, self.socket.receive
        start = perf_counter()
        for _ in range(count):
            receive(wire, frame, _NOW)
            if take() is None:
                raise RuntimeError("a frame was lost")
        return (perf_counter() - start) / count * 1e9

    def send(self, count: int) -> float:
        """Put ``count`` datagrams onto the wire; return ns each."""
        send, socket, outbox = self.stack.udp.send, self.socket, self.wire.outbox
        start = perf_counter()
        for _ in range(count):
            send(socket, PAYLOAD, _PEER, _PORT, _NOW)
            outbox.pop()
        return (perf_counter() - start) / count * 1e9


def _frame(src: int, dst: int, port: int) -> bytes:
    segment = udp.to_bytes(_PORT, port, PAYLOAD, src, dst)
    header = ipv4.Ipv4Header(
        5, 0, 20 + len(segment), 0, True, False, 0, 64, ipv4.Protocol.UDP, src, dst
    )
    link = ethernet.EthernetHeader(_MAC, _PEER_MAC, ethernet.EtherType.IPV4)
    return link.to_bytes() + header.to_bytes() + segment


def _many_sockets() -> Wired:
    wired = Wired()
    for port in range(MANY):
        wired.stack.udp.bind(wired.stack.udp.open(), port=20_000 + port)
    return wired


def _many_addresses() -> Wired:
    """Give the wire ``MANY`` addresses of one network.

    One by one ``configure.add_address`` would take the square of their number; that is not what is
    measured here.
    """
    wired = Wired()
    items = wired.wire.ipv4.addresses.items
    for number in range(1, MANY):
        items.append(Address(_OURS + 256 + number, 8, Scope.GLOBAL, "eth0", secondary=True))
    known = set(wired.stack.ipv4.fib)
    have = {(route.prefix, route.plen, route.type) for route in known}
    for route in derived(wired.stack.ipv4, wired.wire).values():
        if (route.prefix, route.plen, route.type) not in have:
            wired.stack.ipv4.fib.insert(route)
    wired.stack.generation.touch()
    return wired


def _many_neighbors() -> Wired:
    wired = Wired()
    wired.stack.settings.set("iface.neighbor_cache_count", str(2 * MANY))
    for number in range(MANY):
        wired.add_neighbor(_PEER + 256 + number)
    return wired


def _many_routes(count: int) -> Wired:
    wired = Wired()
    fill(wired.stack.ipv4.fib, prefixes(count))
    wired.stack.generation.touch()
    return wired


def run(plan: Plan) -> list[Row]:
    """Measure both ways through the stack, by the fast path and by the layered one."""
    routes = ROUTES // 10 if plan.quick else ROUTES
    large: dict[str, Callable[[], Wired]] = {
        f"{MANY:,} sockets": _many_sockets,
        f"{MANY:,} addresses": _many_addresses,
        f"{MANY:,} neighbors": _many_neighbors,
        f"{routes:,} routes": lambda: _many_routes(routes),
    }
    rows = []
    for name, make in large.items():
        rows += _compare(plan, name, Wired(), make())
    return rows


def _compare(plan: Plan, name: str, small: Wired, big: Wired) -> list[Row]:
    runs: dict[str, Callable[[], float]] = {}
    count = plan.size(10_000)
    for size, wired in (("one", small), ("many", big)):
        runs[f"in, {size}"] = partial(wired.receive, count)
        runs[f"out, {size}"] = partial(wired.send, count)
        runs[f"layered in, {size}"] = _layered(wired, wired.receive, count // 4)
        runs[f"layered out, {size}"] = _layered(wired, wired.send, count // 4)
    figures = by_turns(plan.rounds(9), runs)
    rows = []
    for way in ("in", "out", "layered in", "layered out"):
        limit = None if way.startswith("layered") else _LIMIT
        one, many = figures[f"{way}, one"], figures[f"{way}, many"]
        rows.append(
            Row(
                f"datagram {way} with {name}", "the same with one", ratio(many, one),
                f"{middle(many):.0f} ns : {middle(one):.0f} ns", limit,
                "fast path off, for information: what the first datagram of a flow costs"
                if limit is None
                else "a known flow, wire to socket and socket to wire",
                figures={"one": one, "many": many},
            )
        )  # fmt: skip
    return rows


def _layered(wired: Wired, way: Callable[[int], float], count: int) -> Callable[[], float]:
    def measured() -> float:
        with fast_path_off(wired.stack):
            forget(wired.stack, wired.socket)
            return way(count)

    return measured
