"""The FIB against a naive model: one list for all tables, searched from end to end."""

from collections.abc import Callable, Iterable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import AlreadyExists, NotFound, StackError
from smolctl.stack.explain import candidates
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.fib6 import Fib6
from smolctl.stack.fib.route import DEVICELESS, InsertMode, Route, RouteType, Scope, TableName
from smolctl.stack.fib.sweep import SweptTable, begin, clean
from smolctl.stack.fib.table import RouteTable6
from smolctl.wire.address import IPV6, parse_address

# Prefixes that meet often, at every boundary that a table may have inside.
LENGTHS = (0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32)
BASES = (0x0A010203, 0x0A0102FC, 0x0A01FF03, 0x0AFF0203, 0x0B010203, 0xFFFFFFFF, 0)
LENGTHS6 = (0, 1, 8, 28, 29, 31, 32, 33, 48, 63, 64, 65, 127, 128)
BASES6 = tuple(
    map(
        parse_address,
        (
            "::", "::1", "2001:db8::1", "2001:db8:0:1::1", "2001:db8:1::1", "2001:db9::1",
            "fe80::1", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ),
    )
)  # fmt: skip
SMALL_BITS = 6  # an address space in which every address can be tried


Order = tuple[TableName, ...]
IN_TURN: tuple[Order, ...] = ((TableName.LOCAL, TableName.MAIN), (TableName.DEFAULT,))
IN_TURN6: tuple[Order, ...] = ((TableName.LOCAL,), (TableName.MAIN,))
"""The tables that are asked together, and those after them."""


class Model:
    """The same FIB as a list of routes in the order of preference among equal prefixes."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.in_turn = IN_TURN6 if bits == IPV6.bits else IN_TURN
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
        answers = (self.best(address, dev, scope, order) for order in self.in_turn)
        return next((route for route in answers if route is not None), None)

    def best(self, address: int, dev: str | None, scope: Scope, order: Order) -> Route | None:
        mine = [r for r in self.routes if r.table in order]
        near = [r for r in mine if r.scope >= scope and self.holds(r, address)]
        # sorted() is stable, so the order among equal prefixes and metrics stays.
        for hit in sorted(near, key=lambda r: (-r.plen, order.index(TableName(r.table)), r.metric)):
            by_any = hit.type in DEVICELESS and self.bits != IPV6.bits
            if dev is None or by_any or hit.dev == dev:
                return None if hit.type is RouteType.THROW else hit
        return None


@st.composite
def routes(draw: st.DrawFn, bits: int) -> Route:
    if bits == SMALL_BITS:
        plen, address = draw(st.integers(0, bits)), draw(st.integers(0, (1 << bits) - 1))
    elif bits == IPV6.bits:
        plen, address = draw(st.sampled_from(LENGTHS6)), draw(st.sampled_from(BASES6))
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
    fib, model = Fib6() if bits == IPV6.bits else Fib(bits), Model(bits)
    go_on(script, fib, model)
    return fib, model


def go_on(script: list[Step], fib: Fib, model: Model) -> None:
    for step in script:
        ready(fib)
        if isinstance(step, int):
            if model.routes:
                gone = model.routes.pop(step % len(model.routes))
                fib.remove(gone)
            continue
        route, mode = step
        by_fib = refused(partial(fib.insert, route, mode))
        assert by_fib is refused(partial(model.insert, route, mode))


@given(scripts(SMALL_BITS))
def test_fib_is_a_list_searched_from_end_to_end(script: list[Step]) -> None:
    fib, model = play(script, SMALL_BITS)
    compare_routes(fib, model)
    compare_lookups(fib, model, range(1 << SMALL_BITS))


@given(scripts(32))
def test_fib_is_a_list_at_every_prefix_length(script: list[Step]) -> None:
    fib, model = play(script, 32)
    compare_routes(fib, model)
    compare_lookups(fib, model, edges_of(model) | set(BASES))


@given(scripts(IPV6.bits))
def test_fib_of_ipv6_is_a_list_at_every_prefix_length(script: list[Step]) -> None:
    fib, model = play(script, IPV6.bits)
    compare_routes(fib, model)
    compare_lookups(fib, model, edges_of(model) | set(BASES6))


@given(scripts(IPV6.bits), scripts(IPV6.bits))
def test_a_clone_of_ipv6_is_a_list_of_its_own(before: list[Step], then: list[Step]) -> None:
    fib, model = play(before, IPV6.bits)
    clone, theirs = fib.clone_for_changes(), Model(IPV6.bits)
    theirs.routes = list(model.routes)
    for changed, known in ((clone, theirs), (fib, model)):
        compare_routes(changed, known)
    go_on(then, clone, theirs)
    for changed, known in ((clone, theirs), (fib, model)):
        compare_routes(changed, known)
        compare_lookups(changed, known, edges_of(known) | set(BASES6))


@given(scripts(IPV6.bits), scripts(IPV6.bits))
def test_what_is_swept_of_ipv6_is_gone_at_once(before: list[Step], then: list[Step]) -> None:
    fib, model = play(before, IPV6.bits)
    for table in fib.tables.values():
        begin(table, lambda route: route.dev == "a")
    model.routes = [route for route in model.routes if route.dev != "a"]
    compare_routes(fib, model, counted=False)
    compare_lookups(fib, model, edges_of(model) | set(BASES6))
    for table in fib.tables.values():
        while isinstance(table, SweptTable):
            list(clean(table))
        assert type(table) is RouteTable6
    go_on(then, fib, model)
    compare_routes(fib, model)
    compare_lookups(fib, model, edges_of(model) | set(BASES6))


def edges_of(model: Model) -> set[int]:
    """Return the first and the last address of each prefix, and those beside them."""
    mark = 1 << model.bits if model.bits == IPV6.bits else 0
    found: set[int] = set()
    for route in model.routes:
        last = route.prefix | (1 << (model.bits - route.plen)) - 1
        found |= {route.prefix - 1, route.prefix, last, last + 1}
    return {address for address in found if mark <= address < mark + (1 << model.bits)}


def compare_routes(fib: Fib, model: Model, *, counted: bool = True) -> None:
    assert len(list(fib)) == len(model.routes)
    for name, table in fib.tables.items():
        mine = [r for r in model.routes if r.table == name]
        assert list(table) == sorted(mine, key=partial(shown_at, fib))
        assert len(table) == len(mine) or not counted
    for route in model.routes:
        chain = fib.tables[route.table].chain(route.prefix, route.plen)
        wanted = model.chain(route.table, route.prefix, route.plen)
        assert chain == sorted(wanted, key=lambda r: r.metric)


def shown_at(fib: Fib, route: Route) -> tuple[int, int, int]:
    """Return where a route is shown: by prefix; of IPv6, what is inside of a prefix before it."""
    last = route.prefix | (1 << fib.bits - route.plen) - 1
    return last if fib.bits == IPV6.bits else route.prefix, -route.plen, route.metric


def ready(fib: Fib) -> None:
    """Look up so often that the FIB has answers to all addresses (answers.py)."""
    for _ in range(32 + len(fib)):
        fib.lookup(fib.everywhere)


def compare_lookups(fib: Fib, model: Model, addresses: Iterable[int]) -> None:
    addresses = list(addresses)
    compare_each(fib, model, addresses)
    ready(fib)
    for address in addresses:
        assert fib.lookup(address) is model.lookup(address, None, Scope.GLOBAL)


def compare_each(fib: Fib, model: Model, addresses: Iterable[int]) -> None:
    for address in addresses:
        found = fib.lookup(address)
        assert found is model.lookup(address, None, Scope.GLOBAL)
        for dev in (None, "a", "c"):
            for scope in (Scope.GLOBAL, Scope.LINK, Scope.HOST):
                within = fib.lookup_within(address, dev=dev, scope=scope)
                assert within is model.lookup(address, dev, scope)
        owned = found is not None and found.type is RouteType.LOCAL
        owned = owned and found is not None and found.table != TableName.DEFAULT
        if not fib.merged:
            order = (TableName.LOCAL,)
            own = model.best(address, None, Scope.GLOBAL, order)
            owned = own is not None and own.type is RouteType.LOCAL
        assert fib.is_local(address) == owned
        if not fib.merged:
            continue
        found_candidates = candidates.plain(fib, address)
        winner = [route for route, cause in found_candidates if cause == ""]
        assert winner == ([] if found is None else [found])
        assert len(found_candidates) == len(model.routes)
