"""``smolctl config``: a stack's configuration as the commands that make it again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from smolctl.errors import SmolctlError
from smolctl.ops import addr, addrlabel, link, maddr, neigh, nexthop, route_save, rule, sysctl
from smolctl.ops.args import Args
from smolctl.ops.aside import Aside
from smolctl.ops.context import Context, Row
from smolctl.ops.saved import Saved
from smolctl.ops.scratch import Scratch
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.config.link import delete_interface
from smolctl.stack.ip.derived_routes import derived, sync
from smolctl.stack.ipv6.addresses import Address6, is_optimistic

Saver = Callable[[Context, Context], Iterator[Saved]]
"""Yields the parts of a noun; gets the context of the stack that is saved, and of a fresh one in
which all that the savers before it have yielded is made."""


def _settle(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Let the fresh stack's addresses be as far with their tests as those of the saved one."""
    for family, net in fresh.stack.networks.items():
        for name, interface in fresh.stack.interfaces.items():
            there = ctx.stack.networks[family].of(ctx.stack.interface(name)).addresses
            before = derived(net, interface)
            for address in net.of(interface).addresses.items:
                same = there.find(address.local, address.plen)
                address.tentative = same is not None and same.tentative
                if isinstance(address, Address6):
                    address.optimistic = same is not None and is_optimistic(same)
            sync(net, interface, before)
    yield from ()


SAVERS: tuple[tuple[str, Saver], ...] = (
    ("sysctl", sysctl.save_first),
    ("link", link.save),
    ("sysctl", sysctl.save_links),
    ("neigh", neigh.save),
    ("addr", addr.save),
    ("addr", _settle),
    ("nexthop", nexthop.save),
    ("route", route_save.save),
    ("addr", addr.save_down),
    ("neigh", neigh.save_down),
    ("rule", rule.save),
    ("maddr", maddr.save),
    ("addrlabel", addrlabel.save),
    ("sysctl", sysctl.save_last),
)
"""Each noun's own ``save``, in an order that works: what a part needs stands before it."""


def save(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the requests that make this stack from a fresh one, in their order.

    A request that is refused, because it was right only before what is there now, has an "error".
    """
    return Aside(
        lambda: (
            {"op": part.op, "args": part.args} | ({"error": error.message} if error else {})
            for part, error in tried(ctx)
        )
    )


def _without_programs(ctx: Context) -> Context:
    """Return a stack as it will be when all programs of ``exec`` have ended."""
    names = [name for name, link in ctx.stack.interfaces.items() if link.of_program]
    if not names:
        return ctx
    clone = clone_for_changes(ctx.stack)
    for name in names:
        delete_interface(clone.shared, clone.interface(name), ctx.now)
    return replace(ctx, stack=clone)


def tried(ctx: Context) -> Iterator[tuple[Saved, SmolctlError | None]]:
    """Yield all parts of a stack in the order in which they can be made; all but a few can.

    Each is made in a fresh stack first: nothing is passed off as a copy that is none.
    """
    fresh = Scratch(ctx)
    ctx = _without_programs(ctx)
    for _, saver in SAVERS:
        for part in saver(ctx, fresh.context):
            try:
                fresh.apply(part.op, part.args)
            except SmolctlError as error:
                yield part, error
            else:
                yield part, None
