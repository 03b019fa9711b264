"""``smolctl stats``: counters per layer, and per reason."""

from collections.abc import Iterable

from smolctl.ops.args import Args
from smolctl.ops.aside import MANY, aside
from smolctl.ops.context import Context, Row
from smolctl.stack.reason import Kind, Reason
from smolctl.stack.stack import Stack
from smolctl.stack.trace.ledger import Tally

EVENTS = (
    "arp.packets_received",
    "arp.requests_sent",
    "arp.replies_sent",
    "arp.proxy_replies_sent",
    "arp.probes_sent",
    "arp.announcements_sent",
    "arp.learned",
    "arp.taken_by_clients",
    "icmp.messages_received",
    "icmp.messages_sent",
    "icmp.echo_replies_sent",
    "icmp.timestamp_replies_sent",
    "icmp.errors_sent",
    "icmp.redirects_sent",
    "icmp6.messages_received",
    "icmp6.messages_sent",
    "icmp6.echo_replies_sent",
    "icmp6.errors_sent",
    "igmp.leaves_sent",
    "igmp.queries_received",
    "igmp.reports_received",
    "igmp.reports_sent",
    "ip.datagrams_forwarded",
    "ip.datagrams_fragmented",
    "ip.fragments_created",
    "ip.datagrams_reassembled",
    "ip6.datagrams_forwarded",
    "ip6.datagrams_fragmented",
    "ip6.fragments_created",
    "nd.messages_received",
    "nd.solicitations_sent",
    "nd.solicitations_without_source",
    "nd.advertisements_sent",
    "nd.proxy_advertisements_sent",
    "nd.redirects_sent",
    "nd.learned",
    "nd.taken_by_clients",
    "udp.copies_delivered",
)
"""Events that ``--all`` shows even when none of them happened."""


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return what was counted, by layer; with ``all`` what never happened too."""
    return aside(len(ctx.stack.udp), lambda: _counters(ctx.stack, every=args.flag("all")))


def _counters(stack: Stack, *, every: bool) -> Iterable[Row]:
    values = dict.fromkeys(EVENTS, 0) | stack.ledger.events
    values.update(_totals(stack))
    for (reason, _), tally in stack.ledger.reasons.items():
        name = f"{reason.layer}.{reason.name}"
        values[name] = values.get(name, 0) + tally.count
    return [
        {"layer": name.partition(".")[0], "name": name.partition(".")[2], "value": value}
        for name, value in sorted(values.items())
        if value or every
    ]


def _totals(stack: Stack) -> dict[str, int]:
    sent, delivered = stack.udp.totals()
    totals = {
        "udp.datagrams_sent": sent,
        "udp.datagrams_delivered": delivered,
        "udp.flows_known": _flows_known(stack),
    }
    for name in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes"):
        totals[f"link.{name}"] = sum(
            interface.counters.total(name) for interface in stack.interfaces.values()
        )
    return totals


def _flows_known(stack: Stack) -> int:
    """Return how many flows take the fast path; none while somebody listens to every packet."""
    now = stack.generation.number
    ways = (flow for socket in stack.udp for flow in socket.flows.values())
    return sum(flow.generation == now for flow in ways) + sum(
        len(interface.flows)
        for interface in stack.interfaces.values()
        if interface.flows_generation == now
    )


def drops(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the reasons that struck, by class, the most frequent first.

    ``time`` and ``last_ms`` are when the last one did; ``hint`` and ``fix`` are about that one.
    """
    order = list(Kind)
    found = sorted(
        ctx.stack.ledger.reasons.items(),
        key=lambda item: (order.index(item[0][0].kind), -item[1].count, item[0][0].name),
    )
    costly = sum(bool(reason.fix_templates) for (reason, _), _ in found)
    return aside(
        costly * MANY // _PROVEN_MAX,
        lambda: [_drop_row(ctx, reason, dev, tally) for (reason, dev), tally in found],
    )


_PROVEN_MAX = 4
"""Reasons of which it is found out at once what helps: each takes a millisecond."""


def _drop_row(ctx: Context, reason: Reason, dev: str, tally: Tally) -> Row:
    row: Row = {"reason": reason.name, "class": reason.kind.value, "layer": reason.layer}
    if dev:
        row["dev"] = dev
    row["count"] = tally.count
    row["time"] = round(ctx.daemon.wall_time(tally.last_ns), 6)
    row["last_ms"] = (ctx.now - tally.last_ns) // 1_000_000
    row["summary"] = reason.summary
    row["fix"] = reason.fixes(tally.detail)
    row["hint"] = reason.explain(tally.detail)
    row["source"] = reason.source
    return row
