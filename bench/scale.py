"""The cost of a datagram in a large stack, as a multiple of that in a small one."""

from collections.abc import Callable
from functools import partial

from bench.datagram import fast_path_off, forget
from bench.fib import fill, prefixes
from bench.measure import Limit, Plan, Row, by_turns, middle, ratio
from bench.wired import OURS, PEER, Wired
from smolctl.stack.fib.route import Scope
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.derived_routes import derived

MANY = 10_000
ROUTES = 1_000_000
_LIMIT = Limit(1.2, 1.05, at_least=False)


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
        items.append(Address(OURS + 256 + number, 8, Scope.GLOBAL, "eth0", secondary=True))
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
        wired.add_neighbor(PEER + 256 + number)
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
