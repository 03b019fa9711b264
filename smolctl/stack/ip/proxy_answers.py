"""Answers that wait a random time: those for other hosts, and of addresses that several nodes have.

The node itself, or another one, may then answer first (RFC 1027, RFC 4861 7.2.7, 7.2.8). The queue
is in ``IpInterface``.
"""

from collections.abc import Callable

from smolctl.stack.alarm import earliest
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.proxy import NeighborRequest
from smolctl.stack.reason import Reason

Answer = Callable[[Network, Interface, NeighborRequest, int], None]
"""Answer a request that is due, unless things have changed."""
Refusal = tuple[Reason, dict[str, object]]


def delay(
    net: Network,
    interface: Interface,
    asked: NeighborRequest,
    now: int,
    waits: Reason,
    full: Reason,
) -> Refusal:
    """Let a request wait; return that it ``waits``, or that the queue is ``full``."""
    wait_ns = net.of(interface).proxies.delay(asked, now)
    shown: dict[str, object] = {"ip": asked.target}
    if wait_ns is None:
        limit = interface.settings["neigh.proxy_qlen"]
        return full, {**shown, "limit": limit, "value": max(2 * limit, 8)}
    return waits, {**shown, "ms": wait_ns // 1_000_000}


def deadline(net: Network) -> int | None:
    """Return when the next request is to be answered."""
    return earliest(net.of(interface).proxies.deadline() for interface in net.interfaces.values())


def expire(net: Network, answer: Answer, now: int) -> None:
    """Answer the requests whose time has come."""
    for interface in net.interfaces.values():
        for asked in net.of(interface).proxies.due(now):
            answer(net, interface, asked, now)


def purge(net: Network, interface: Interface, why: Reason, now: int) -> None:
    """Drop the requests that wait on a link that goes down (Linux ``pneigh_queue_purge``)."""
    for asked in net.of(interface).proxies.purge():
        net.recorder.record(why, interface.name, now, asked.trace, ip=asked.target)
