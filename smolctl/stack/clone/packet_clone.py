"""A twin of a stack: the same configuration, and copies of everything that a packet changes.

``why`` lets a packet happen to the twin, by the data path's own functions; the stack itself does
not notice. The FIB, the addresses and the knobs are shared, since no packet changes them.
"""

from collections import deque
from copy import copy
from typing import TYPE_CHECKING

from smolctl.stack.events import Events
from smolctl.stack.interface import Interface
from smolctl.stack.ip.rivals import Rivals
from smolctl.stack.trace.journal import Journal
from smolctl.stack.trace.ledger import Ledger
from smolctl.stack.transport.ping import EchoTable
from smolctl.stack.transport.udp.socket import UdpSocket

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def twin_of(stack: "Stack") -> "Stack":
    """Return a twin; it costs a copy of each socket and neighbor entry."""
    twin = copy(stack)
    twin.interfaces = {name: _interface(link) for name, link in stack.interfaces.items()}
    twin.loopback = twin.interfaces[stack.loopback.name]
    twin.neighbors = {name: cache.twin(_middle) for name, cache in stack.neighbors.items()}
    twin.udp = stack.udp.twin(_socket)
    twin.blocked = {socket: None for socket in twin.udp if socket.held is not None}
    twin.echoes = EchoTable((ident, copy(client)) for ident, client in stack.echoes.items())
    twin.arp_clients = [copy(client) for client in stack.arp_clients]
    for echo in twin.echoes.values():
        echo.replies, echo.errors, echo.ready = copy(echo.replies), copy(echo.errors), False
    for asker in twin.arp_clients:
        asker.answers, asker.ready = copy(asker.answers), False
    twin.reassembly = stack.reassembly.twin()
    twin.idents, twin.path_mtus = stack.idents.twin(), stack.path_mtus.twin()
    twin.icmp_limiter = stack.icmp_limiter.twin(_middle)
    twin.redirects, twin.exceptions = stack.redirects.twin(), stack.exceptions.twin()
    twin.ledger, twin.journal, twin.events = Ledger(), Journal(), Events(stack.fib)
    twin.loop, twin.rivals = deque(), Rivals()
    twin.random = _middle
    twin.woken = []
    return twin


def _middle() -> float:
    """Stand in for randomness, so that the stack's own is not used up."""
    return 0.5


def _interface(interface: Interface) -> Interface:
    result = copy(interface)
    result.outbox = list(interface.outbox)
    result.counters = copy(interface.counters)
    result.claims = interface.claims.twin(_middle)
    result.proxies = interface.proxies.twin(_middle)
    result.flows, result.flows_generation = {}, -1
    result.forward_flows, result.forward_generation = {}, -1
    result.groups, result.igmp = interface.groups.twin(), interface.igmp.twin(_middle)
    return result


def _socket(socket: UdpSocket) -> UdpSocket:
    result = copy(socket)
    result.queue, result.errors = copy(socket.queue), copy(socket.errors)
    result.flows, result.handler, result.ready = {}, None, False
    result.held = None if socket.held is None else socket.held.twin()
    return result
