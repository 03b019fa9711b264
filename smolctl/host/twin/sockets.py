"""Sockets of a twin: who gets what comes in, and which ports are taken."""

from collections import deque
from collections.abc import Mapping

from smolctl.host import sockets
from smolctl.host.reading import HostState
from smolctl.host.values import AF_INET6
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Bound
from smolctl.stack.transport.socket_base import SocketBase
from smolctl.stack.transport.tcp.sequence import Ends
from smolctl.stack.transport.tcp.socket import Backlog
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.tcp.time_wait import TimeWait
from smolctl.wire.address import IPV4, IPV6, Family, is_mapped, is_multicast, unmapped

_STATES = {
    1: State.ESTABLISHED, 2: State.SYN_SENT, 4: State.FIN_WAIT_1, 5: State.FIN_WAIT_2,
    8: State.CLOSE_WAIT, 9: State.LAST_ACK, 11: State.CLOSING,
}  # fmt: skip
_TIME_WAIT = 6
_MULTICAST_ALL = 1 << 6
_BACKLOG_SHOWN = 4096


def add(stack: Stack, state: HostState) -> None:
    """Add UDP and TCP sockets, and connections."""
    names = {link.index: link.name for link in stack.interfaces.values()}
    for each in state.sockets:
        if each.oif and each.oif not in names:
            continue  # its link is gone: it hears nothing any more
        if each.protocol == sockets.UDP and each.lport:
            _udp(stack, each, names)
        elif each.protocol == sockets.TCP and each.lport:
            _tcp(stack, each, names)


def _common(socket: SocketBase, each: sockets.Socket, names: Mapping[int, str]) -> None:
    """Give a socket what those of all protocols have."""
    local = _address(each.local)
    socket.port, socket.dev = each.lport, names.get(each.oif or 0)
    socket.v6only = bool(each.v6only)
    socket.mark, socket.uid = each.mark or 0, each.uid
    if not _is_any(each, each.local):
        socket.local = local
        socket.source = None if is_multicast(local) else local
    if each.rport:
        socket.peer, socket.peer_port = _address(each.remote), each.rport


def _udp(stack: Stack, each: sockets.Socket, names: Mapping[int, str]) -> None:
    socket = stack.udp.open(_owner(each), _family(each))
    _common(socket, each, names)
    socket.tos = each.tos or 0
    if each.options is not None and each.family != AF_INET6:
        socket.multicast_all = bool(each.options & _MULTICAST_ALL)
    stack.udp.put(socket)
    socket.bound = Bound(socket.shown_local, socket.port, socket.dev, socket.owner)


def _tcp(stack: Stack, each: sockets.Socket, names: Mapping[int, str]) -> None:
    tcp = stack.tcp
    local, remote = _address(each.local), _address(each.remote)
    ends = Ends(local, each.lport, remote, each.rport)
    if each.state == _TIME_WAIT:
        rest = TimeWait(ends, 0, 0, 0)
        tcp.register(ends, rest)
        return
    socket = tcp.open(_owner(each), _family(each))
    _common(socket, each, names)
    socket.tos = each.tos or 0
    if each.state == sockets.LISTEN:
        # Of a listener, sock_diag tells how many connections wait, and how many may.
        limit = each.waiting_out if each.oif is not None else stack.settings["tcp.somaxconn"]
        waiting = min(each.waiting_in, _BACKLOG_SHOWN)
        socket.backlog = Backlog(limit, deque(tcp.open() for _ in range(waiting)))
        socket.state, socket.bound = State.LISTEN, True
        tcp.put(socket)
    elif each.state in _STATES:
        socket.state, socket.ends = _STATES[each.state], ends
        tcp.register(ends, socket)
    elif each.state == sockets.CLOSE:
        socket.bound = True
        tcp.put(socket)


def _family(each: sockets.Socket) -> Family:
    return IPV6 if each.family == AF_INET6 else IPV4


def _address(address: int) -> int:
    """Return an address; of an IPv4-mapped one, the IPv4 address that it stands for."""
    return unmapped(address) if is_mapped(address) else address


def _is_any(each: sockets.Socket, address: int) -> bool:
    return address in (0, _family(each).mark)


def _owner(each: sockets.Socket) -> str:
    return f"a program of user {each.uid}"
