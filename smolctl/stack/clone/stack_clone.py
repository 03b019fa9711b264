"""Clones of a stack: for one packet, and for changes of the configuration.

``why`` lets a packet happen to a clone, by the data path's own functions; the stack itself does not
notice. Routes, addresses and sysctls are shared with it, since no packet changes them. A clone for
changes copies addresses and sysctls, and those routes that are changed; no packet waits in it, so
that none has two fates.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace

from smolctl.stack.alarm import Alarm
from smolctl.stack.duplicate import duplicate
from smolctl.stack.fib.watched_gateways import WatchedGateways
from smolctl.stack.interface import Interface
from smolctl.stack.ip.network import Network
from smolctl.stack.packet import Packet
from smolctl.stack.shared import Shared
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.settings import Settings
from smolctl.stack.transport.tcp.borrowed import Borrowed
from smolctl.stack.transport.udp.socket import UdpSocket


def clone_for_packet(stack: Stack) -> Stack:
    """Return a clone; it costs a copy of each socket and neighbor entry."""
    return _clone(stack, stack.settings)


def _clone(stack: Stack, settings: Settings) -> Stack:
    """Return a clone that obeys these sysctls."""
    shared = Shared(settings, _middle, wall_time=stack.shared.wall_time, uid=stack.shared.uid)
    for name, link in stack.interfaces.items():
        shared.interfaces[name] = _interface(link, settings, shared.timers.alarm)
    for link in shared.interfaces.values():
        _stack_up(link, shared)
    shared.interfaces.last_index = stack.interfaces.last_index
    shared.interfaces.loopback = shared.interfaces[stack.interfaces.loopback.name]
    shared.generation.number = stack.generation.number
    clone = duplicate(stack)
    clone.assemble(shared)
    for family, net in stack.networks.items():
        _copy_network(net, clone.networks[family], shared)
    clone.ipv6.icmp_limiter.credit = clone.ipv4.icmp_limiter.credit
    clone.ipv6.labels = stack.ipv6.labels.clone()
    clone.next_hops.copy_from(stack.next_hops)
    _copy_sockets(stack, clone)
    return clone


def _copy_network(old: Network, new: Network, shared: Shared) -> None:
    """Give a clone's network copies of all that packets change."""
    settings, alarm, copy_of = shared.settings, shared.timers.alarm, _packet_copier(shared)
    new.fib = old.fib.clone_learned(settings, alarm)
    new.fib.group_of = shared.interfaces.group_of
    new.hash_seed = old.hash_seed
    for name, cache in old.neighbors.items():
        new.neighbors[name] = cache.clone(settings.links[name], _middle, copy_of, alarm)
    new.reassembly = old.reassembly.clone(settings, copy_of, alarm)
    new.idents = old.idents.clone()
    new.icmp_limiter = old.icmp_limiter.clone(settings, _middle)
    new.redirects = old.redirects.clone()
    for asker in old.probe_clients:
        client = duplicate(asker)
        client.answers, client.ready, client.ready_queue = copy(asker.answers), False, shared.ready
        new.probe_clients.append(client)


def _copy_sockets(stack: Stack, clone: Stack) -> None:
    """Give a clone copies of all sockets and clients, of which nobody hears."""

    def socket_copy(socket: UdpSocket) -> UdpSocket:
        result = duplicate(socket)
        result.queue, result.errors = copy(socket.queue), copy(socket.errors)
        result.flows, result.handler, result.ready = {}, None, False
        result.ready_queue = clone.ready
        result.send_queue = None if socket.send_queue is None else socket.send_queue.clone()
        return result

    clone.udp.copy_from(stack.udp, socket_copy)
    clone.tcp.connections = Borrowed(clone.tcp, stack.tcp, clone.ready)
    clone.udp.blocked = {socket: None for socket in clone.udp if socket.send_queue is not None}
    for ident, client in stack.ping.items():
        echo = clone.ping[ident] = duplicate(client)
        echo.replies, echo.errors = copy(client.replies), copy(client.errors)
        echo.ready, echo.ready_queue = False, clone.ready


def _packet_copier(shared: Shared) -> Callable[[Packet], Packet]:
    """Return what copies a packet that waits; one of an interface that is gone stays there."""

    def copy_of(packet: Packet) -> Packet:
        interface = shared.interfaces.get(packet.interface.name, packet.interface)
        return packet.clone(interface, shared.recorder)

    return copy_of


def _middle() -> float:
    """Stand in for randomness, so that the stack's own is not used up."""
    return 0.5


def _interface(interface: Interface, settings: Settings, alarm: Alarm) -> Interface:
    result = duplicate(interface)
    result.outbox = list(interface.outbox)
    result.counters = duplicate(interface.counters)
    result.settings = settings.links[interface.name]
    result.ipv4 = interface.ipv4.clone(result.settings, _middle, alarm)
    result.ipv6 = interface.ipv6.clone(result.settings, _middle, alarm)
    result.flows, result.flows_generation = {}, -1
    result.forward_flows, result.forward_generation = {}, -1
    if interface.impairment is not None:
        result.impairment = interface.impairment.clone(_middle, alarm)
    return result


def _stack_up(interface: Interface, shared: Shared) -> None:
    """Put a clone's interface on, and under, the clones of those that its namesake knows."""
    if interface.vlan is not None:
        lower = shared.interfaces[interface.vlan.lower.name]
        interface.vlan = replace(interface.vlan, lower=lower)
    interface.vlans = {key: shared.interfaces[v.name] for key, v in interface.vlans.items()}
    if (told := interface.mirror) is not None:
        interface.mirror = replace(
            told, master=_namesake(told.master, shared), lower=_namesake(told.lower, shared)
        )


def _namesake(interface: Interface | None, shared: Shared) -> Interface | None:
    return None if interface is None else shared.interfaces[interface.name]


# --- changes --------------------------------------------------------------------------------------


def clone_for_changes(stack: Stack) -> Stack:
    """Return a clone that no change reaches the stack from; it is good until the stack changes.

    It costs what one for a packet does, and a copy of each address: routes are shared, and changes
    laid over them.
    """
    clone = _clone(stack, stack.settings.clone())
    for net in clone.networks.values():
        net.fib = net.fib.clone_for_changes()
    clone.events.route_sources = [net.fib for net in clone.networks.values()]
    for interface in clone.interfaces.values():
        _own(interface)
    return clone


def _own(interface: Interface) -> None:
    """Give a clone's interface what its namesake still shares with it."""
    for state in (interface.ipv4, interface.ipv6):
        copies = {address: duplicate(address) for address in state.addresses.items}
        state.addresses = state.addresses.clone(copies)
        state.dad.move(copies)
    interface.outbox = []


# --- again ----------------------------------------------------------------------------------------


def take_back(clone: Stack, stack: Stack) -> bool:
    """Take out of a clone what an echo request, and all that followed from it, has left there.

    Afterwards it is as ``clone_for_changes`` made it, which costs several times as much.

    Args:
        stack: of which it is a clone.

    Returns: False if more has changed than that, or may have: then it is of no use any more.
    """
    if clone.loopback.queue or clone.ready.waiters:
        return False
    if not _is_quiet(stack) or not _is_quiet(clone):
        return False  # time has passed in the clone
    for ident in clone.ping.keys() - stack.ping.keys():
        del clone.ping[ident]
    shared = clone.shared
    settings, alarm, copy_of = shared.settings, shared.timers.alarm, _packet_copier(shared)
    for family, old in stack.networks.items():
        new = clone.networks[family]
        for name, cache in old.neighbors.items():
            used, memory = new.neighbors[name], cache.memory
            if not (cache.entries or used.entries or memory.evictions or used.memory.evictions):
                used.restore(memory, ())
            else:
                new.neighbors[name] = cache.clone(settings.links[name], _middle, copy_of, alarm)
        new.idents, new.redirects = old.idents.clone(), old.redirects.clone()
        new.icmp_limiter = old.icmp_limiter.clone(settings, _middle)
        new.watched_gateways = WatchedGateways()
    clone.ipv6.icmp_limiter.credit = clone.ipv4.icmp_limiter.credit
    for name, link in clone.interfaces.items():
        link.traced = stack.interfaces[name].traced
    shared.timers.begin_again()
    shared.recorder.forget()
    return True


def _is_quiet(stack: Stack) -> bool:
    """Tell whether nothing is tested, reported, delayed, put together or learned of ways."""
    for net in stack.networks.values():
        learned = len(net.fib.exceptions) + len(net.fib.path_mtus)
        if learned or len(net.reassembly) or net.probe_clients:
            return False
    return not any(
        link.outbox
        or link.impairment is not None
        or any(
            len(state.dad) or state.reports.due_ns is not None or state.proxies.queue
            for state in (link.ipv4, link.ipv6)
        )
        for link in stack.interfaces.values()
    )
