"""The state in which a packet met its reason, where that is gone by the time that somebody asks.

A queue that was full is empty a moment later, and a link that loses half of its frames lets the
next one through. Each function brings a clone to where the packet found the stack.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from smolctl.stack import reason
from smolctl.stack.ip.icmp_rate_limit import BURST, IcmpLimiter
from smolctl.stack.link.impairment import LIMIT_FRAMES, Impairment
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.states import State
from smolctl.stack.packet import Packet
from smolctl.stack.reason import Reason
from smolctl.stack.sysctl.link_settings import Values as SettingValues
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.tcp.tcp import Tcp
from smolctl.stack.transport.udp.udp import Udp
from smolctl.wire.address import IPV4, IPV6, IPV6_MARK, family_of

_SECOND_NS = 1_000_000_000
_OTHERS = {IPV4: 0xF0000000, IPV6: IPV6_MARK | 0xFF00 << 112}
"""Addresses of neighbors that stand for those that were there: nobody can have them."""
Values = Mapping[str, Any]


def arrange(udp: Udp, why: Reason, values: Values, before: SettingValues, now: int) -> None:
    """Bring a clone to the state that a reason strikes in.

    Args:
        udp: of the clone; it knows the networks.
        values: what was recorded.
        before: the sysctls of its interface at which it struck; those of the clone may have been
            changed.
    """
    scene = _SCENES.get(why)
    if scene is not None:
        scene(udp, values, before, now)


def arrange_tcp(tcp: Tcp, why: Reason, values: Values) -> None:
    """Let as many handshakes be in progress as there were, where they were too many."""
    if why is reason.TCP_SYN_QUEUE_FULL:
        for socket in tcp.at_port(values["port"]):
            if socket.backlog is not None:
                socket.backlog.requests = values["queued"]


def _cache(udp: Udp, values: Values, wanted: int) -> NeighborCache:
    """Return the neighbor cache that an address would be in."""
    neighbors = udp.networks.for_address(wanted).neighbors
    return neighbors[udp.interfaces.named(values["dev"]).name]


def _full_cache(udp: Udp, values: Values, before: SettingValues, now: int) -> None:
    """Fill the neighbor cache; who is wanted is not in it."""
    wanted = values.get("next_hop", values.get("new"))
    cache = _cache(udp, values, wanted)
    if cache.lookup(wanted) is not None:
        cache.delete(wanted)
    missing = before["iface.neighbor_cache_count"] - len(cache.entries)
    # Nobody is evicted for a stranger who was used lately.
    idle = now - before.ns("neigh.delay_first_probe_time_ms") - 1
    for number in range(missing):
        cache.set(
            _OTHERS[family_of(wanted)] + number, State.REACHABLE, bytes((2, 0, 0, 0, 0, 1)), idle
        )


def _full_queue(udp: Udp, values: Values, before: SettingValues, now: int) -> None:
    """Let as many packets wait for the next hop as may."""
    interface, queued = udp.interfaces.named(values["dev"]), values["queued"]
    by_count = queued >= before["neigh.unres_qlen"]
    size = 1 if by_count else -(-before["neigh.unres_qlen_bytes"] // queued)
    _unknown_neighbor(udp, values, before, now)
    cache = _cache(udp, values, values["next_hop"])
    for _ in range(queued):
        packet = Packet(bytes(size), interface, now, Trace(), udp.shared.recorder)
        cache.use(values["next_hop"], packet, now)


def _unknown_neighbor(udp: Udp, values: Values, before: SettingValues, now: int) -> None:
    """Forget the next hop, which has answered meanwhile."""
    cache = _cache(udp, values, values["next_hop"])
    if cache.lookup(values["next_hop"]) is not None:
        cache.delete(values["next_hop"])


def _spent_limit(udp: Udp, values: Values, before: SettingValues, now: int) -> None:
    """Use up what errors to a host, or to all, may be sent."""
    net = udp.networks.for_address(values["ip"])
    limiter = IcmpLimiter(udp.settings, udp.shared.random, net.icmp_limit_sysctl)
    if values["knob"] == net.icmp_limit_sysctl:
        for _ in range(BURST):
            limiter.allow(values["ip"], now)
    else:
        # So long ago that the rate of then has not given one back.
        ago = now - _SECOND_NS // 2 // max(before["icmp.msgs_per_sec"], 1)
        for number in range(max(before["icmp.msgs_burst"], 1)):
            limiter.allow(_OTHERS[net.family] + number, ago)
    net.icmp_limiter = limiter


def _bad_luck(effect: str) -> Callable[[Udp, Values, SettingValues, int], None]:
    """Return what has a link do to the next frame what it does to some, and nothing else."""

    def arranged(udp: Udp, values: Values, _before: SettingValues, _now: int) -> None:
        link = udp.interfaces.named(values["dev"])
        if link.impairment is None:
            return
        old = link.impairment.netem
        good = replace(old, loss=0.0, corrupt=0.0, duplicate=0.0, reorder=0.0)
        certain: dict[str, Any] = {effect: float(getattr(old, effect) > 0)}
        netem = replace(good, **certain)
        link.impairment = Impairment(netem, udp.shared.random, udp.shared.timers.alarm)

    return arranged


def _full_link(udp: Udp, values: Values, _before: SettingValues, now: int) -> None:
    """Have a link hold back as many frames as it can."""
    impairment = udp.interfaces.named(values["dev"]).impairment
    if impairment is not None and impairment.netem.delays:
        impairment.netem = replace(impairment.netem, loss=0.0)
        for _ in range(LIMIT_FRAMES):
            impairment.offer(b"", Trace(), now)


def _free_sockets(udp: Udp, values: Values, before: SettingValues, now: int) -> None:
    """Let no datagram wait in its socket: the one that is sent again may be the one that does."""
    for socket in udp:
        socket.send_queue = None
    udp.blocked.clear()


_SCENES: dict[Reason, Callable[[Udp, Values, SettingValues, int], None]] = {
    reason.NEIGH_EVICTED: _full_cache,
    reason.NEIGH_CACHE_THRASH: _full_cache,
    reason.NEIGH_QUEUE_FULL: _full_queue,
    reason.NEIGH_NOT_QUEUED: _unknown_neighbor,
    reason.ICMP_RATE_LIMITED: _spent_limit,
    reason.UDP_WAITS_FOR_ROUTE: _free_sockets,
    reason.LAB_LOSS: _bad_luck("loss"),
    reason.LAB_CORRUPT: _bad_luck("corrupt"),
    reason.LAB_DUPLICATE: _bad_luck("duplicate"),
    reason.LAB_REORDER: _bad_luck("reorder"),
    reason.LAB_QUEUE_FULL: _full_link,
}
