"""Options of a stack's TCP sockets, of socket(7), tcp(7), ip(7) and ipv6(7)."""

import socket
import struct
import sys
from typing import Any

from smolctl.client.options import IP_MTU, IP_MTU_DISCOVER, IPV6_MTU, IPV6_MTU_DISCOVER

NAMES = {
    (socket.SOL_SOCKET, socket.SO_REUSEADDR): "reuse",
    (socket.SOL_SOCKET, socket.SO_REUSEPORT): "reuseport",
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): "keepalive",
    (socket.SOL_SOCKET, socket.SO_LINGER): "linger",
    (socket.SOL_SOCKET, socket.SO_OOBINLINE): "oob_inline",
    (socket.SOL_SOCKET, socket.SO_RCVBUF): "rcvbuf",
    (socket.SOL_SOCKET, socket.SO_SNDBUF): "sndbuf",
    (socket.SOL_SOCKET, socket.SO_BINDTODEVICE): "dev",
    (socket.SOL_SOCKET, socket.SO_MARK): "mark",
    (socket.IPPROTO_TCP, socket.TCP_NODELAY): "nodelay",
    (socket.IPPROTO_TCP, socket.TCP_CORK): "cork",
    (socket.IPPROTO_TCP, socket.TCP_QUICKACK): "quickack",
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG): "maxseg",
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE): "keepidle",
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL): "keepintvl",
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT): "keepcnt",
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT): "user_timeout",
    (socket.IPPROTO_TCP, socket.TCP_CONGESTION): "congestion",
    (socket.IPPROTO_TCP, socket.TCP_SYNCNT): "syn_retries",
    (socket.IPPROTO_TCP, socket.TCP_LINGER2): "fin_timeout",
    (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT): "notsent_lowat",
    (socket.IPPROTO_IP, socket.IP_TOS): "tos",
    (socket.IPPROTO_IP, socket.IP_TTL): "ttl",
    (socket.IPPROTO_IP, IP_MTU_DISCOVER): "mtu_discover",
    (socket.IPPROTO_IPV6, socket.IPV6_TCLASS): "tos",
    (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS): "ttl",
    (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER): "mtu_discover",
    (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY): "v6only",
}
"""Options that can be set: what the stack calls each."""
READ = {
    (socket.SOL_SOCKET, socket.SO_ACCEPTCONN): "accepting",
    (socket.IPPROTO_TCP, socket.TCP_INFO): "info",
    (socket.IPPROTO_IP, IP_MTU): "mtu",
    (socket.IPPROTO_IPV6, IPV6_MTU): "mtu",
}
"""Options that can only be asked for."""
_FLAGS = frozenset(
    {"reuse", "reuseport", "keepalive", "oob_inline", "nodelay", "cork", "quickack", "v6only"}
)
"""Any number but 0 is 1."""


def word(name: str, value: Any) -> int | str:
    """Return the value of an option as the stack takes it.

    Args:
        value: a number, text, or bytes as C has it.

    Raises:
        ValueError, struct.error: it is not of that option's form.
    """
    if name in ("dev", "congestion"):
        return value.split(b"\0")[0].decode() if isinstance(value, bytes) else str(value)
    if name == "linger":
        on, seconds = struct.unpack("ii", value) if isinstance(value, bytes) else (value, 0)
        return int(seconds) if on else -1
    if isinstance(value, bytes):
        number = int.from_bytes(value[:4], sys.byteorder, signed=True)
    else:
        number = int(value)
    if name == "notsent_lowat":
        return number & 0xFFFFFFFF  # an unsigned number (Linux do_tcp_setsockopt)
    return int(bool(number)) if name in _FLAGS else number
