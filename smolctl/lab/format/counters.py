"""Counters by the names that ``smolctl stats`` prints: LAYER.NAME."""

from smolctl.ops.stats import EVENTS
from smolctl.stack.reason import REASONS

_OTHERS = (
    "link.rx_bytes",
    "link.rx_packets",
    "link.tx_bytes",
    "link.tx_packets",
    "mld.dones_sent",
    "mld.queries_received",
    "mld.reports_received",
    "mld.reports_sent",
    "nd.announcements_sent",
    "nd.links_disabled",
    "nd.probes_sent",
    "tcp.cookies_accepted",
    "tcp.cookies_sent",
    "tcp.delayed_acks",
    "tcp.handshakes_timed_out",
    "tcp.invalid_acks_limited",
    "tcp.keepalives_sent",
    "tcp.resets_sent",
    "tcp.segments_received",
    "tcp.segments_retransmitted",
    "tcp.segments_sent",
    "tcp.time_wait_overflows",
    "tcp.window_probes_sent",
    "udp.datagrams_delivered",
    "udp.datagrams_sent",
    "udp.flows_known",
)
COUNTERS = frozenset(
    (*EVENTS, *_OTHERS, *(f"{reason.layer}.{reason.name}" for reason in REASONS.values()))
)
"""Every counter that can ever be printed: one that is not there is 0."""
