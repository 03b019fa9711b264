"""Options of a program's TCP socket, as socket(7), tcp(7) and ip(7) have them."""

from collections.abc import Callable
from typing import Any

from smolctl.errors import InvalidArgument, NotConnected
from smolctl.ops.args import Args
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.stack import Stack
from smolctl.stack.transport.tcp.congestion import NAMES as CONTROLS
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State

_UNCONNECTED = (State.CLOSED, State.LISTEN)
_S = 1_000_000_000
_MS = 1_000_000
_BUFFER_MAX = 1 << 30
_UINT_MAX = (1 << 32) - 1
_FIN_TIMEOUT_MAX = 120
_FLAGS = ("reuse", "reuseport", "nodelay", "cork", "quickack", "oob_inline")
NAMES = (
    "cork congestion dev fin_timeout keepalive keepcnt keepidle keepintvl linger mark maxseg"
    " mtu_discover nodelay notsent_lowat oob_inline quickack rcvbuf reuse reuseport sndbuf"
    " syn_retries tos ttl user_timeout"
)
"""The options that can be set."""


def change(stack: Stack, socket: TcpSocket, args: Args, now: int) -> None:
    """Set options.

    Raises:
        InvalidArgument: no such value.
        NoSuchDevice: no such interface.
    """
    for name in _FLAGS:
        if name in args:
            setattr(socket, name, args.integer(name, 0, 1) == 1)
    if "quickack" in args:
        socket.pingpong = not socket.quickack  # Linux __tcp_sock_set_quickack
    if "dev" in args:
        if socket.bound or socket.state is not State.CLOSED:
            raise InvalidArgument("the socket is already bound: choose its device first")
        dev = args.text("dev")  # socket(7): "" for any again
        socket.dev = stack.interface(dev).name if dev else None
    _buffers(stack, socket, args)
    _times(socket, args)
    if "keepalive" in args:
        stack.tcp.set_keepalive(socket, now, on=args.integer("keepalive", 0, 1) == 1)
    if "congestion" in args:
        name = args.required("congestion")
        if name not in CONTROLS:
            raise InvalidArgument(
                f'there is no congestion control "{name}"', hint=f"one of {', '.join(CONTROLS)}"
            )
        socket.control = name
    if "mtu_discover" in args:
        socket.pmtudisc = Pmtudisc(args.integer("mtu_discover", 0, 3) or 0)
    if "tos" in args:
        tos = args.integer("tos", -1, 255) or 0
        socket.tos = max(tos, 0) & ~3  # ECN is the stack's own (Linux do_ip_setsockopt)
    if "ttl" in args:
        ttl = args.integer("ttl", -1, 255)
        if ttl == 0:
            raise InvalidArgument("a time to live of 0 goes nowhere")
        socket.ttl = None if ttl == -1 else ttl
    if "mark" in args:
        socket.mark = (args.integer("mark", -1 << 31, 0xFFFFFFFF) or 0) & 0xFFFFFFFF
    if "ttl" in args or "mtu_discover" in args or "mark" in args:
        stack.generation.touch()  # the fast path knows ways of this socket's segments
    if "maxseg" in args:
        socket.mss_max = args.integer("maxseg", 88, 32_767)  # tcp(7): TCP_MIN_MSS, MAX_TCP_WINDOW
    if "notsent_lowat" in args:
        socket.notsent_lowat = args.integer("notsent_lowat", 0, _UINT_MAX) or 0
    if "nodelay" in args or "cork" in args:
        stack.tcp.push(socket, now)


def _buffers(stack: Stack, socket: TcpSocket, args: Args) -> None:
    """Set sizes of buffers: twice what is said, as far as the stack allows (socket(7))."""
    if "rcvbuf" in args:
        size = args.integer("rcvbuf", 0, _BUFFER_MAX) or 0
        socket.rcvbuf = min(max(2 * size, 2304), stack.settings["tcp.rmem_max"])
        socket.rcvbuf_locked = True
    if "sndbuf" in args:
        size = args.integer("sndbuf", 0, _BUFFER_MAX) or 0
        socket.sndbuf = min(max(2 * size, 4608), stack.settings["tcp.wmem_max"])
        socket.sndbuf_locked = True


def _times(socket: TcpSocket, args: Args) -> None:
    """Set how long the peer may be silent, and how long it is waited for at the end."""
    if "keepidle" in args:
        socket.keepidle_ns = (args.integer("keepidle", 1, 32_767) or 1) * _S
    if "keepintvl" in args:
        socket.keepintvl_ns = (args.integer("keepintvl", 1, 32_767) or 1) * _S
    if "keepcnt" in args:
        socket.keepcnt = args.integer("keepcnt", 1, 127)
    if "user_timeout" in args:
        socket.user_timeout_ns = (args.integer("user_timeout", 0, 1 << 31) or 0) * _MS
    if "syn_retries" in args:
        socket.syn_retries = args.integer("syn_retries", 1, 127) or 0
    if "fin_timeout" in args:
        seconds = args.integer("fin_timeout", -(1 << 31), 1 << 31) or 0
        # Linux do_tcp_setsockopt: 0 is as usual, and less waits for nothing.
        own = min(seconds, _FIN_TIMEOUT_MAX) * _S
        socket.fin_timeout_ns = None if seconds == 0 else max(own, 0)
    if "linger" in args:
        seconds = args.integer("linger", -1, 1 << 31) or 0
        socket.linger_ns = None if seconds == -1 else seconds * _S


def value(stack: Stack, socket: TcpSocket, name: str) -> int | str:
    """Return an option as the program's call returns it.

    Raises:
        InvalidArgument: it is none.
    """
    if name in _VALUES:
        found: int | str = _VALUES[name](stack, socket)
        return found
    if name in _FLAGS or name == "keepalive":
        return int(getattr(socket, name))
    raise InvalidArgument(f'a socket has no option "{name}"')


def _mtu(socket: TcpSocket) -> int:
    if not socket.connected:
        raise NotConnected("the socket is not connected: there is no path to know of")
    return socket.pmtu


def _or_setting(ns: int | None, stack: Stack, key: str) -> int:
    return (stack.settings.ns(key) if ns is None else ns) // _S


_VALUES: dict[str, Callable[[Stack, TcpSocket], Any]] = {
    "rcvbuf": lambda _, socket: socket.rcvbuf,
    "sndbuf": lambda _, socket: socket.sndbuf,
    "dev": lambda _, socket: socket.dev or "",
    "tos": lambda _, socket: socket.tos,
    "mark": lambda _, socket: socket.mark - (socket.mark >> 31 << 32),  # a signed int
    "ttl": lambda stack, socket: socket.ttl or stack.settings["ip.default_ttl"],
    "mtu_discover": lambda _, socket: int(socket.pmtudisc),
    "congestion": lambda stack, socket: (
        socket.control or CONTROLS[stack.settings["tcp.congestion_control"]]
    ),
    "maxseg": lambda _, socket: (
        socket.mss_max if socket.mss_max and socket.state in _UNCONNECTED else socket.mss
    ),
    "quickack": lambda _, socket: int(socket.quickack or not socket.pingpong),
    "keepidle": lambda stack, socket: _or_setting(
        socket.keepidle_ns, stack, "tcp.keepalive_time_ms"
    ),
    "keepintvl": lambda stack, socket: _or_setting(
        socket.keepintvl_ns, stack, "tcp.keepalive_intvl_ms"
    ),
    "keepcnt": lambda stack, socket: socket.keepcnt or stack.settings["tcp.keepalive_probes"],
    "syn_retries": lambda stack, socket: socket.syn_retries or stack.settings["tcp.syn_retries"],
    "fin_timeout": lambda stack, socket: (
        -1
        if socket.fin_timeout_ns == 0
        else _or_setting(socket.fin_timeout_ns, stack, "tcp.fin_timeout_ms")
    ),
    "notsent_lowat": lambda _, socket: socket.notsent_lowat,
    "user_timeout": lambda _, socket: socket.user_timeout_ns // _MS,
    "linger": lambda _, socket: -1 if socket.linger_ns is None else socket.linger_ns // _S,
    "v6only": lambda _, socket: int(socket.v6only),
    "accepting": lambda _, socket: int(socket.state is State.LISTEN),
    "mtu": lambda _, socket: _mtu(socket),
    "unread": lambda _, socket: socket.rcv.ready,
    "unacked": lambda _, socket: socket.snd.held,
}
