"""Changes of single addresses among many: the routes are those of all of them, and none waits."""

import random

import pytest

from smolctl.errors import AlreadyExists, InvalidArgument
from smolctl.stack.events import ChangeType, EventKind, StackEvent
from smolctl.stack.fib.route import KERNEL
from smolctl.stack.ip.address_changes import insert_address, remove_addresses
from smolctl.stack.ip.address_tests import settle
from smolctl.stack.ip.addresses import Lifetime
from smolctl.stack.ip.derived_routes import by_identity, derived
from smolctl.stack.ip.lifetimes import A_TURN
from smolctl.stack.ip.network import Derived, Network
from tests.kit.clock import SECOND_NS
from tests.kit.host import Host, ip, text

COUNT = 3 * A_TURN


def in_fib(net: Network, dev: str) -> Derived:
    """Return the kernel's routes by a link."""
    return by_identity(each for each in net.fib if each.dev == dev and each.protocol == KERNEL)


PLACES = {
    "10.0.0.0": (8, 16, 24, 25, 31, 32),
    "2001:db8::": (48, 64, 112, 127, 128),
}


@pytest.mark.parametrize("first", PLACES)
@pytest.mark.parametrize("seed", range(6))
def test_the_routes_are_those_that_all_addresses_bring(first: str, seed: int) -> None:
    chance = random.Random(seed)
    host = Host(bare=True, ipv6=True)
    host.set("ip6.forward", seed % 2)
    net, link = host.stack.networks.for_address(ip(first)), host.tap
    addresses, now = net.of(link).addresses, host.now
    for _ in range(60):
        known = chance.choice(addresses.items) if addresses.items else None
        match chance.choice(["add", "add", "add", "remove", "several", "test", "settle"]):
            case "several" if len(addresses.items) > 2:
                remove_addresses(net, link, chance.sample(addresses.items, 2), now)
            case "remove" if known is not None:
                remove_addresses(net, link, (known,), now)
            case "test" if known is not None:
                settle(net, link, known, tentative=True)
            case "settle" if known is not None:
                settle(net, link, known, tentative=False)
            case _:
                local, plen = ip(first) + chance.randrange(4), chance.choice(PLACES[first])
                new = net.new_address(local, plen, link)
                if chance.random() < 0.3 and net.family.bits == 32:
                    new.broadcast = ip("10.0.0.255")
                try:
                    insert_address(net, link, new, now)
                except (AlreadyExists, InvalidArgument):
                    continue
        assert in_fib(net, link.name).keys() == derived(net, link).keys()


class Ends:
    """Hears which addresses are deprecated and deleted."""

    def __init__(self, host: Host) -> None:
        self.heard: list[tuple[ChangeType, str]] = []
        host.stack.events.listen(self)

    def __call__(self, event: StackEvent) -> None:
        if event.kind is EventKind.ADDR:
            self.heard.append((event.action, text(event.subject.local)))


@pytest.mark.parametrize(("first", "plen"), [("10.0.0.1", 16), ("10.0.0.1", 32), ("fd00::1", 64)])
def test_many_that_end_together_go_in_portions(first: str, plen: int) -> None:
    host = Host(bare=True, ipv6=True)
    net, link = host.stack.networks.for_address(ip(first)), host.tap
    addresses = net.of(link).addresses
    kept = list(addresses.items)
    for number in range(COUNT):
        new = net.new_address(ip(first) + number, plen, link)
        new.lifetime = Lifetime(10, 5, host.now)
        insert_address(net, link, new, host.now)
    ends = Ends(host)
    host.clock.advance_to(host.now + 5 * SECOND_NS)
    host.stack.poll(host.now)
    assert sum(each.deprecated for each in addresses.items) == A_TURN
    assert (host.stack.deadline() or 0) <= host.now
    host.poll()
    assert sum(each.deprecated for each in addresses.items) == COUNT
    ends.heard.clear()
    host.clock.advance_to(host.now + 5 * SECOND_NS)
    host.stack.poll(host.now)
    assert COUNT - A_TURN <= len(addresses.items) - len(kept) < COUNT
    host.poll()
    assert addresses.items == kept
    assert len(ends.heard) == COUNT
    if plen == 16:  # the primary went last, or all would have gone with it
        assert ends.heard[-1] == (ChangeType.DELETED, first)
    assert net.of(link).lifetimes.due_ns is None


def test_a_lifetime_that_is_changed_counts_from_then_on() -> None:
    host = Host(bare=True)
    net, link = host.stack.ipv4, host.tap
    new = net.new_address(ip("10.0.0.1"), 24, link)
    new.lifetime = Lifetime(10, 5, host.now)
    insert_address(net, link, new, host.now)
    lifetimes = net.of(link).lifetimes
    assert lifetimes.due_ns == host.now + 5 * SECOND_NS
    for seconds in (3, 60):
        new.lifetime = Lifetime(seconds, seconds, host.now)
        lifetimes.watch(new, host.now)
        assert lifetimes.due_ns == host.now + seconds * SECOND_NS
    new.lifetime = Lifetime()
    lifetimes.watch(new, host.now)
    assert lifetimes.due_ns is None
