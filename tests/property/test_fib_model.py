"""The FIB against a naive model: one list for all tables, searched from end to end."""

from collections.abc import Callable, Iterable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import AlreadyExists, NotFound, StackError
from smolctl.stack.explain import candidates
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.route import DEVICELESS, InsertMode, Route, RouteType, Scope, TableName

# Prefixes that meet often, at every boundary that a table may have inside.
LENGTHS = (0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32)
BASES = (0x0A010203, 0x0A0102FC, 0x0A01FF03, 0x0AFF0203, 0x0B010203, 0xFFFFFFFF, 0)
SMALL_BITS = 6  # an address space in which every address can be tried


class Model:
    """The same FIB as a list of routes in the order of preference among equal prefixes."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.routes: list[Route] = []

    def chain(self, table: int, prefix: int, plen: int) -> list[Route]:
        here = (table, prefix, plen)
        return [r for r in self.routes if (r.table, r.prefix, r.plen) == here]

    def insert(self, new: Route, mode: InsertMode) -> None:
        chain = self.chain(new.table, new.prefix, new.plen)
        equals = [r for r in chain if r.metric == new.metric]
        if not equals:
            if mode is InsertMode.CHANGE:
                raise NotFound("model")
            self._put(new, [r for r in chain if r.metric < new.metric])
            return
        clones = [r for r in equals if r.identity() == new.identity()]
        if mode is InsertMode.ADD or (mode is InsertMode.APPEND and clones):
            raise AlreadyExists("model")
        if mode is InsertMode.APPEND:
            self._put(new, [r for r in chain if r.metric <= new.metric])
        elif not clones:
            self.routes[self.routes.index(equals[0])] = new
        elif clones[0] is not equals[0]:
            raise AlreadyExists("model")

    def _put(self, new: Route, before: list[Route]) -> None:
        at = self.routes.index(before[-1]) + 1 if before else 0
        self.routes.insert(at, new)

    def holds(self, route: Route, address: int) -> bool:
        shift = self.bits - route.plen
        return address >> shift == route.prefix >> shift

    def lookup(self, address: int, dev: str | None, scope: Scope) -> Route | None:
        found = self.best(address, dev, scope, (TableName.LOCAL, TableName.MAIN))
        if found is None:
            found = self.best(address, dev, scope, (TableName.DEFAULT,))
        return found

    def best(
        self, address: int, dev: str | None, scope: Scope, order: tuple[TableName, ...]
    ) -> Route | None:
        mine = [r for r in self.routes if r.table in order]
        near = [r for r in mine if r.scope >= scope and self.holds(r, address)]
        # sorted() is stable, so the order among equal prefixes and metrics stays.
        for hit in sorted(near, key=lambda r: (-r.plen, order.index(TableName(r.table)), r.metric)):
            if hit.type is RouteType.THROW:
                return None
            if dev is None or hit.type in DEVICELESS or hit.dev == dev:
                return hit
        return None


@st.composite
def routes(draw: st.DrawFn, bits: int) -> Route:
    if bits == SMALL_BITS:
        plen, address = draw(st.integers(0, bits)), draw(st.integers(0, (1 << bits) - 1))
    else:
        plen, address = draw(st.sampled_from(LENGTHS)), draw(st.sampled_from(BASES))
    kind = draw(st.sampled_from([RouteType.UNICAST] * 4 + list(RouteType)))
    prefix = address >> (bits - plen) << (bits - plen)
    dev = None if kind in DEVICELESS else draw(st.sampled_from("ab"))
    table = draw(st.sampled_from(TableName))
    metric = draw(st.integers(0, 2))
    scope = draw(st.sampled_from([Scope.GLOBAL, Scope.LINK, Scope.HOST]))
    return Route(prefix, plen, kind, table, dev, metric=metric, scope=scope)


Step = tuple[Route, InsertMode] | int


def scripts(bits: int) -> st.SearchStrategy[list[Step]]:
    """Return lists of routes to put in, and of numbers that choose one to take out."""
    insert = st.tuples(routes(bits), st.sampled_from(InsertMode))
    return st.lists(st.one_of(insert, insert, st.integers(0, 1000)), max_size=40)


def refused(call: Callable[[], object]) -> type[StackError] | None:
    try:
        call()
    except StackError as error:
        return type(error)
    return None


def play(script: list[Step], bits: int) -> tuple[Fib, Model]:
    """Do the same to a FIB and to the model, which must refuse the same."""
    fib, model = Fib(bits), Model(bits)
    for step in script:
        if isinstance(step, int):
            if model.routes:
                gone = model.routes.pop(step % len(model.routes))
                fib.remove(gone)
            continue
        route, mode = step
        by_fib = refused(partial(fib.insert, route, mode))
        assert by_fib is refused(partial(model.insert, route, mode))
    return fib, model


@given(scripts(SMALL_BITS))
def test_fib_is_a_list_searched_from_end_to_end(script: list[Step]) -> None:
    fib, model = play(script, SMALL_BITS)
    compare_routes(fib, model)
    compare_lookups(fib, model, range(1 << SMALL_BITS))


@given(scripts(32))
def test_fib_is_a_list_at_every_prefix_length(script: list[Step]) -> None:
    fib, model = play(script, 32)
    compare_routes(fib, model)
    edges = {address for route in model.routes for address in edges_of(route)}
    compare_lookups(fib, model, edges | set(BASES))


def edges_of(route: Route) -> set[int]:
    """Return the first and the last address of a prefix, and those beside them."""
    last = route.prefix | (1 << (32 - route.plen)) - 1
    found = {route.prefix - 1, route.prefix, last, last + 1}
    return {address for address in found if 0 <= address < 1 << 32}


def compare_routes(fib: Fib, model: Model) -> None:
    assert len(list(fib)) == len(model.routes)
    for name, table in fib.tables.items():
        mine = [r for r in model.routes if r.table == name]
        assert list(table) == sorted(mine, key=lambda r: (r.prefix, -r.plen, r.metric))
        assert len(table) == len(mine)
    for route in model.routes:
        chain = fib.tables[route.table].chain(route.prefix, route.plen)
        wanted = model.chain(route.table, route.prefix, route.plen)
        assert chain == sorted(wanted, key=lambda r: r.metric)


def compare_lookups(fib: Fib, model: Model, addresses: Iterable[int]) -> None:
    for address in addresses:
        found = fib.lookup(address)
        assert found is model.lookup(address, None, Scope.GLOBAL)
        for dev in (None, "a", "c"):
            for scope in (Scope.GLOBAL, Scope.LINK, Scope.HOST):
                within = fib.lookup_within(address, dev=dev, scope=scope)
                assert within is model.lookup(address, dev, scope)
        assert fib.is_local(address) == (found is not None and found.type is RouteType.LOCAL)
        found_candidates = candidates.plain(fib, address)
        winner = [route for route, cause in found_candidates if cause == ""]
        assert winner == ([] if found is None else [found])
        assert len(found_candidates) == len(model.routes)
