"""A stack to try changes of the configuration on: a twin whose configuration is its own, too.

What a change does to packets that wait is not tried: none waits here, so that none has two fates.
"""

from copy import copy
from typing import TYPE_CHECKING

from smolctl.stack.clone.packet_clone import twin_of
from smolctl.stack.events import Events
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.route import InsertMode, Route
from smolctl.stack.fib.table import COARSE_BITS, RouteTable
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import AddressList

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def trial_of(stack: "Stack") -> "Stack":
    """Return a copy that no change reaches the stack from; it costs a copy of each route."""
    trial = twin_of(stack)
    trial.settings = stack.settings.twin()
    trial.rules = stack.rules.twin()
    trial.fib = _fib(stack.fib)
    trial.events = Events(trial.fib)
    trial.neighbors = {
        name: cache.twin(trial.random, trial.settings) for name, cache in trial.neighbors.items()
    }
    for interface in trial.interfaces.values():
        _own(interface)
    return trial


def _fib(fib: Fib) -> Fib:
    """Return copies of all routes, in the same order."""
    result = Fib(fib.bits)
    result.merged = fib.merged
    for number, table in fib.tables.items():
        for route in table:
            result.insert(_route(route), InsertMode.APPEND)
        # One whose routes are all gone is still there.
        result.tables.setdefault(number, RouteTable(fib.bits, COARSE_BITS))
    return result


def _route(route: Route) -> Route:
    result = copy(route)
    if isinstance(result, Multipath):
        result.hops = tuple(copy(hop) for hop in result.hops)
        for hop in result.hops:
            hop.whole = result
    return result


def _own(interface: Interface) -> None:
    """Give a twin's interface what its namesake still shares with it."""
    copies = {address: copy(address) for address in interface.addresses.items}
    addresses = AddressList(interface.addresses.bits)
    addresses.items = list(copies.values())
    interface.addresses = addresses
    interface.claims.move(copies)
    interface.outbox = []
    if interface.impairment is not None:
        interface.impairment = interface.impairment.twin()
