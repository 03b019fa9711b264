"""Provokers of the reasons of tested addresses, of conflicts and of proxy ARP."""

from smolctl.stack.config.neigh import add_proxy
from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.fib.route import TableName
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.neighbor.proxy import ProxyEntry
from tests.kit.clock import SECOND_NS
from tests.kit.host import OTHER_MAC, OURS, PEER, Host, ip, reply, request
from tests.stack.reason.provokers import (
    HEADER,
    Provoker,
    flipped,
    iface_down,
    receives,
    sends,
    with_sysctl,
)


def with_a_tested_address(provoke: Provoker) -> Provoker:
    """Return a provoker on a host that has a new address, which is being tested."""

    def provoke_with(host: Host) -> None:
        host.add(f"{TESTED}/24", dad=True)
        provoke(host)

    return provoke_with


TESTED = "10.0.0.66"


def dad_failed(host: Host) -> None:
    with_a_tested_address(receives(reply(TESTED, "0.0.0.0")))(host)
    host.poll()


def from_a_failed_address(host: Host) -> None:
    host.set("arp.defend", "yield")
    host.receive(request(OURS, OURS))
    host.poll()
    sends(src=OURS)(host)


def dad_rate_limited(host: Host) -> None:
    host.set("arp.max_conflicts", 0)
    dad_failed(host)
    host.add("10.0.0.67/24", dad=True)


def dad_unheard(host: Host) -> None:
    """Let the owner of a tested address speak ARP that is no ARP of Ethernet."""
    host.add(f"{TESTED}/24", dad=True)
    host.wait(SECOND_NS)
    host.receive(flipped(reply(TESTED, "0.0.0.0"), HEADER + 1))
    while "arp-dad-unheard" not in host.reasons():
        host.clock.advance_to(host.stack.deadline() or host.now)
        host.poll()


def proxy(provoke: Provoker, *, forward: int = 1, **sysctls: int) -> Provoker:
    """Return a provoker on a router that answers on tap0 for a host behind tap1."""

    def provoke_with(host: Host) -> None:
        host.set("ip.forward", forward)
        host.link("tap1", OTHER_MAC)
        host.add("10.7.0.1/24", "tap1")
        for name, value in sysctls.items():
            host.set(f"neigh.{name}", value)
        add_proxy(host.stack.ipv4, host.tap, ProxyEntry(ip(BEHIND)))
        provoke(host)

    return provoke_with


BEHIND = "10.7.0.9"
for_the_one_behind = receives(request(target=BEHIND))


def proxy_purged(host: Host) -> None:
    for_the_one_behind(host)
    iface_down(host)


def by_another_link(host: Host) -> None:
    host.link("tap1", OTHER_MAC)
    host.receive(request(OURS, PEER, mac=OTHER_MAC))


def conflict(policy: str, times: int = 1) -> Provoker:
    return with_sysctl("arp.defend", policy, receives(*[request(OURS, OURS)] * times))


def arp_refused_by_rule(host: Host) -> None:
    """Have somebody ask whom a rule in front of the table local refuses."""
    add_rule(host.stack.ipv4, Rule(priority=100, table=TableName.LOCAL))
    delete_rule(host.stack.ipv4, next(iter(host.stack.ipv4.fib.rules)))
    refusing = Rule(priority=7, src=ip(PEER), src_len=32, action=RuleAction.BLACKHOLE)
    add_rule(host.stack.ipv4, refusing)
    host.receive(request())
