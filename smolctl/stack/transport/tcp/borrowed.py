"""Connections of a clone of the stack: each is copied when a packet touches it, and not before.

A prediction costs what it touches, however many connections there are.
"""

from collections import deque
from copy import copy
from typing import Any

from smolctl.stack.alarm import NEVER
from smolctl.stack.interface import Interfaces
from smolctl.stack.ready import ReadyQueue
from smolctl.stack.transport.tcp.probe import Probe, SynClient
from smolctl.stack.transport.tcp.request import Request
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import Backlog, TcpSocket
from smolctl.stack.transport.tcp.table import Connection, TcpTable


class Borrowed(dict[Ends, Connection]):
    """The connections of a clone; what is not in here yet is copied from another table."""

    def __init__(self, clone: TcpTable, lender: TcpTable, ready: ReadyQueue) -> None:
        super().__init__()
        self._clone, self._lender, self._ready = clone, lender, ready
        self._gone: set[Ends] = set()
        self._listeners: dict[int, TcpSocket] = {}
        clone.copy_from(lender, self._listener)
        clone.secrets = lender.secrets

    def _listener(self, socket: TcpSocket) -> TcpSocket:
        result = self._listeners[id(socket)] = copy_socket(socket, self._clone, self._ready)
        return result

    def get(self, ends: Ends, default: Any = None) -> Any:
        """Return a connection, which is the clone's own from now on."""
        found = dict.get(self, ends)
        if found is not None or ends in self._gone:
            return default if found is None else found
        lent = self._lender.connections.get(ends)
        if lent is None:
            return default
        self._gone.add(ends)
        result = self._copied(lent)
        if isinstance(result, Request):
            self[ends] = result
        else:
            self._clone.register(ends, result)
        return result

    def _copied(self, lent: Connection) -> Connection:
        if isinstance(lent, TcpSocket):
            known = self._listeners.get(id(lent))
            return known if known is not None else copy_socket(lent, self._clone, self._ready)
        result = copy(lent)
        if isinstance(result, Request):
            result.heap_ns = NEVER
            result.listener = self._listeners.get(id(result.listener), result.listener)
        if isinstance(result, Probe):  # nobody hears of what the clone's answer is
            result.client = SynClient(result.client.owner, result.client.dst, self._ready)
        return result


def copy_socket(socket: TcpSocket, clone: TcpTable, ready: ReadyQueue) -> TcpSocket:
    """Return a copy of a socket for a clone, of which nobody hears, and whose timers do not run."""
    result = copy(socket)
    result.ready_queue, result.ready, result.handler = ready, False, None
    result.snd, result.rcv = socket.snd.clone(), socket.rcv.clone()
    result.window, result.loss, result.rtt = (
        copy(socket.window),
        copy(socket.loss),
        copy(socket.rtt),
    )
    result.controller, result.stats = copy(socket.controller), copy(socket.stats)
    result.heap_ns, result.flow, result.handover = NEVER, None, None
    result.out = None if socket.out is None else _namesake(clone.interfaces, socket)
    result.on_error = clone.take_error_of
    backlog = socket.backlog
    if backlog is not None:
        result.backlog = Backlog(
            backlog.limit, deque(backlog.queue), backlog.requests, backlog.cookie_until_ns,
            backlog.overflows,
        )  # fmt: skip
    return result


def _namesake(interfaces: Interfaces, socket: TcpSocket) -> Any:
    return None if socket.out is None else interfaces.get(socket.out.name)
