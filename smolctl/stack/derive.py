"""The FIB follows from the addresses: routes are added and withdrawn as these change.

No state is here. What an address brings is decided in ``policy.derived``.
"""

from typing import TYPE_CHECKING

from smolctl.errors import AlreadyExists
from smolctl.stack import policy
from smolctl.stack.addr import KERNEL, Derived
from smolctl.stack.interface import Interface
from smolctl.stack.route import InsertMode, Route

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def sync(stack: "Stack", interface: Interface, before: Derived) -> None:
    """Bring the FIB from the routes derived before a change to those derived after it."""
    after = policy.derived(stack, interface)
    for key, route in before.items():
        if key not in after:
            withdraw(stack, route)
    for key, route in after.items():
        if key not in before:
            ensure(stack, route)
    stack.touch()


def withdraw(stack: "Stack", route: Route) -> None:
    """Take a derived route out of the FIB, if it is still there."""
    for present in stack.fib.tables[route.table].chain(route.prefix, route.plen):
        if present.identity() == route.identity():
            stack.fib.remove(present)
            return


def ensure(stack: "Stack", route: Route) -> None:
    """Put a derived route into the FIB, unless it is there."""
    try:
        stack.fib.insert(route, InsertMode.APPEND)
    except AlreadyExists:
        return


def drop_routes_preferring(stack: "Stack", sources: set[int]) -> None:
    """Drop the routes that prefer a source which is no longer ours (Linux fib_sync_down_addr)."""
    missing = {source for source in sources if not stack.fib.is_local(source)}
    if missing:
        stack.fib.remove_where(lambda route: route.prefsrc in missing and route.protocol != KERNEL)
        stack.touch()
