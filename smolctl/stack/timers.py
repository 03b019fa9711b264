"""What the passing of time does: to neighbors, addresses, groups, fragments, on impaired links."""

from typing import TYPE_CHECKING

from smolctl.stack.ipv4 import acd, icmp_error, proxy_arp
from smolctl.stack.ipv4.fragment import discard
from smolctl.stack.ipv4.igmp import send_reports
from smolctl.stack.link.output import release
from smolctl.stack.neighbor.output import perform
from smolctl.stack.transport.udp import resend

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

HOUSEKEEPING_NS = 1_000_000_000
"""How often a cache without a due timer is looked at, to forget old entries."""


def expire(stack: "Stack", now: int) -> None:
    """Run every timer that is due and send what follows from it."""
    housekeeping = now >= stack.housekeeping_ns
    if housekeeping:
        stack.housekeeping_ns = now + HOUSEKEEPING_NS
    for name, cache in list(stack.neighbors.items()):
        due = cache.deadline()
        if housekeeping or (due is not None and due <= now):
            actions = cache.expire(now)
            perform(stack, stack.interfaces[name], actions, now)
            icmp_error.given_up(stack, stack.interfaces[name], actions, now)
    if stack.blocked:
        resend.expire(stack, now)
    for interface in stack.interfaces.values():
        release(stack, interface, now)
        if interface.claims.timers:
            acd.expire(stack, interface, now)
        if interface.proxies.queue:
            proxy_arp.expire(stack, interface, now)
        due = interface.igmp.due_ns
        if due is not None and due <= now:
            reports = interface.igmp.expire(interface.groups.filters, now)
            send_reports(stack, interface, reports, now)
    if stack.path_mtus.expire(now) | stack.exceptions.expire(now):
        stack.touch()
    for lost in stack.reassembly.expire(now):
        discard(stack, lost, now)


def deadline(stack: "Stack") -> int | None:
    """Return when ``expire`` is next due, None while nothing runs."""
    first = stack.reassembly.deadline()
    due = stack.path_mtus.deadline()
    if due is not None and (first is None or due < first):
        first = due
    if stack.blocked:
        due = resend.deadline(stack)
        first = due if first is None or (due is not None and due < first) else first
    due = stack.exceptions.deadline()
    if due is not None and (first is None or due < first):
        first = due
    for cache in stack.neighbors.values():
        due = cache.deadline()
        if due is not None and (first is None or due < first):
            first = due
    for interface in stack.interfaces.values():
        due = interface.igmp.due_ns
        if due is not None and (first is None or due < first):
            first = due
        if interface.impairment is not None:
            due = interface.impairment.deadline()
            if due is not None and (first is None or due < first):
                first = due
        if interface.claims.timers:
            due = interface.claims.deadline()
            if due is not None and (first is None or due < first):
                first = due
        if interface.proxies.queue:
            due = interface.proxies.deadline()
            if due is not None and (first is None or due < first):
                first = due
    return first
