"""Tests of addresses in their course: what is due, and what follows from a result."""

from collections.abc import Callable

from smolctl.stack.alarm import earliest
from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.dad import DadAction
from smolctl.stack.ip.derived_routes import derived_from, follow
from smolctl.stack.ip.network import Network

Perform = Callable[[Network, Interface, DadAction, int], None]


def settle(
    net: Network,
    interface: Interface,
    address: Address,
    *,
    tentative: bool,
    other_mac: bytes | None = None,
) -> None:
    """Begin or cease to use an address, with the routes that follow from it.

    Args:
        other_mac: of the host that has it.
    """
    company = [address, *net.of(interface).addresses.company((address,))]
    before = derived_from(net, interface, company)
    address.tentative = tentative
    address.dadfailed = other_mac is not None
    address.other_mac = other_mac
    net.events.addr(ChangeType.CHANGED, interface, address)
    follow(net, interface, company, before)


def deadline(net: Network) -> int | None:
    """Return when the next test, announcement or defence goes on."""
    tests = (net.of(interface).dad for interface in net.interfaces.values())
    return earliest(dad.deadline() for dad in tests if dad.timers)


def expire(net: Network, perform: Perform, now: int) -> None:
    """Do what is due by now for the addresses of all links."""
    for interface in net.interfaces.values():
        dad = net.of(interface).dad
        if dad.timers:
            for action in dad.expire(now):
                # One result may take the addresses of its link away.
                if action.address in net.of(interface).addresses.items:
                    perform(net, interface, action, now)
