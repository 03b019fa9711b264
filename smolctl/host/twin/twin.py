"""The twin of a network namespace."""

from typing import NamedTuple

from smolctl.host.reading import HostState
from smolctl.host.twin import addresses, learned, links, neighbors, routes, rules, sockets, sysctls
from smolctl.host.twin.notes import Note, Notes
from smolctl.ops.restore import middle
from smolctl.stack.proof.prover import Prover
from smolctl.stack.stack import Stack


class Twin(NamedTuple):
    """A stack that predicts a host's packets, and what it cannot express."""

    stack: Stack
    notes: tuple[Note, ...]


def twin(state: HostState, now_ns: int = 0) -> Twin:
    """Return the twin of a namespace; it never raises, whatever was read.

    Args:
        state: what was read.
        now_ns: the time at which the twin stands.
    """
    notes = Notes()
    stack = Stack(middle, sysctls.settings(state, notes))
    stack.events.now_ns = now_ns
    links.add(stack.interfaces, state, notes)
    sysctls.assign_links(stack.settings, state, notes)
    for net in stack.networks.values():
        net.note_carriers()
        for link in stack.interfaces.values():
            net.neighbors.note_arp(link)
    addresses.add(stack.networks, stack.interfaces, state, notes)
    rules.add(stack.networks, state, notes)
    routes.add(stack.networks, stack.interfaces, state, notes)
    neighbors.add(stack.networks, stack.interfaces, state, notes, now_ns)
    learned.add(stack.networks, stack.interfaces, state, now_ns)
    sockets.add(stack, state)
    stack.ledger.prove = Prover(stack)
    stack.generation.touch()
    return Twin(stack, notes.taken)
