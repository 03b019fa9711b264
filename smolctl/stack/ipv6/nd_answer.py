"""Answers to neighbor solicitations (RFC 4861 7.2.3, 7.2.4)."""

from smolctl.errors import NoBuffers, SendRejected
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.nd_output import advertisement_output
from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.proxy import NeighborRequest
from smolctl.stack.trace.facts import Learned, NotLearned
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire.address import ALL_NODES, UNSPECIFIED6
from smolctl.wire.ndp import NeighborAdvertisement, NeighborSolicitation, Options


def answer(
    net: Network,
    out: Interface,
    request: NeighborRequest,
    now: int,
    *,
    multicast: bool,
    override: bool,
    router: bool | None = None,
) -> None:
    """Learn where the asker is, and advertise the address: to all nodes if he has none himself.

    Whoever asks by unicast knows our MAC, which need not be told again (RFC 4861 7.2.4).

    Args:
        override: it may replace what others know: not of an anycast address, which several nodes
            have, nor of another node's (RFC 4861 7.2.7, 7.2.8), nor of one that is still tested
            (RFC 4429 3.3).
        router: the address is a router's; None if it is ours.
    """
    message, src, target, trace = request
    assert isinstance(message, NeighborSolicitation)
    tested = src == UNSPECIFIED6
    if not tested and message.options.source is not None:
        _learn_asker(net, out, src, message.options.source, trace, now)
    trace.settle(Fate.ANSWERED, now)
    own = Options(target=out.mac) if multicast or tested else Options()
    override = override and (multicast or tested)
    router = net.is_router(out) if router is None else router
    said = NeighborAdvertisement(router, not tested, override, target, own)
    sent = net.recorder.begin(Direction.OUT, now, trace, out.name)
    try:
        advertisement_output(net, out, said, ALL_NODES if tested else src, sent, now)
    except (SendRejected, NoBuffers):
        return  # counted by Neighbors.output under its own reason


def _learn_asker(
    net: Network, interface: Interface, src: int, mac: bytes, trace: Trace, now: int
) -> None:
    """Make an entry of who asks us: he is about to talk to us (RFC 4861 7.2.3)."""
    cache = net.neighbors[interface.name]
    _, actions = cache.heard(src, mac, now, create=True, override=True)
    net.neighbors.perform(interface, actions, now)
    if (known := learned(cache, src)) is not None:
        trace.step("neigh", "ok", now, known)
    elif cache.lookup(src) is None:
        trace.step("neigh", "skip", now, NotLearned(src, interface.name, cache.taken))


def learned(cache: NeighborCache, ip: int) -> Learned | None:
    """Return what is known of a neighbor; None if it has no MAC yet."""
    entry = cache.lookup(ip)
    if entry is None or entry.lladdr is None:
        return None
    return Learned(ip, entry.state.value, entry.lladdr)
