"""Options of a stack's sockets: those of socket(7) and ip(7) that there are, and their values."""

import errno
import os
import socket
import struct
import sys
from typing import Any

IP_PKTINFO, IP_RECVTTL = 8, 12
"""Of ip(7): have recvmsg tell where a datagram was sent to, and its TTL; Python has no names."""
IP_MTU, IPV6_MTU = 14, 24
"""Of ip(7) and ipv6(7): the path MTU that is known, of a connected socket."""
IP_MTU_DISCOVER = 10
"""Of ip(7): whether datagrams may be fragmented, IP_PMTUDISC_DONT, WANT, DO or PROBE, 0 to 3."""
IP_RECVERR = 11
"""Of ip(7): tell of all errors, to sockets without a peer too; Python has no name for it."""
IP_UNBLOCK_SOURCE, IP_BLOCK_SOURCE = 37, 38
"""Of ip(7): hear a sender to a group that was joined again, or no more."""
IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP = 39, 40
"""Of ip(7): join a group for one sender, or for one sender less."""
IPV6_MTU_DISCOVER, IPV6_RECVERR, IPV6_MULTICAST_ALL = 23, 25, 29
"""Of ipv6(7): the same for IPv6."""
IP_MULTICAST_ALL = 49
"""Of ip(7): hear what is sent to groups that others have joined; 1 in the beginning."""

NAMES = {
    (socket.SOL_SOCKET, socket.SO_BROADCAST): "broadcast",
    (socket.SOL_SOCKET, socket.SO_REUSEADDR): "reuse",
    (socket.SOL_SOCKET, socket.SO_REUSEPORT): "reuseport",
    (socket.SOL_SOCKET, socket.SO_RCVBUF): "rcvbuf",
    (socket.SOL_SOCKET, socket.SO_BINDTODEVICE): "dev",
    (socket.SOL_SOCKET, socket.SO_MARK): "mark",
    (socket.IPPROTO_IP, socket.IP_TOS): "tos",
    (socket.IPPROTO_IP, socket.IP_TTL): "ttl",
    (socket.IPPROTO_IP, IP_MTU_DISCOVER): "mtu_discover",
    (socket.IPPROTO_IP, IP_RECVERR): "recverr",
    (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL): "multicast_ttl",
    (socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP): "multicast_loop",
    (socket.IPPROTO_IP, IP_MULTICAST_ALL): "multicast_all",
    (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY): "v6only",
    (socket.IPPROTO_IPV6, socket.IPV6_TCLASS): "tos",
    (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS): "ttl",
    (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER): "mtu_discover",
    (socket.IPPROTO_IPV6, IPV6_RECVERR): "recverr",
    (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS): "multicast_ttl",
    (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP): "multicast_loop",
    (socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL): "multicast_all",
}
"""Options whose value is a number, or a name: what the stack calls each."""
READ = {
    (socket.SOL_SOCKET, socket.SO_SNDLOWAT): "sndlowat",
    (socket.SOL_SOCKET, socket.SO_ACCEPTCONN): "accepting",
    (socket.IPPROTO_IP, IP_MTU): "mtu",
    (socket.IPPROTO_IPV6, IPV6_MTU): "mtu",
    (socket.IPPROTO_IP, socket.IP_MULTICAST_IF): "multicast_src",
    (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF): "multicast_if",
}
"""Options that are asked for by other means than they are set, if they can be set."""
OWN = frozenset({socket.SO_TYPE, socket.SO_ERROR, socket.SO_DOMAIN, socket.SO_PROTOCOL})
"""Options of SOL_SOCKET that the stack is not asked about."""
_KEPT = frozenset({socket.SO_RCVTIMEO, socket.SO_SNDTIMEO, socket.SO_RCVLOWAT, socket.SO_PRIORITY})
_ELSEWHERE = frozenset({socket.SO_KEEPALIVE, socket.SO_LINGER, socket.SO_OOBINLINE})
KEPT = frozenset((socket.SOL_SOCKET, option) for option in _KEPT | _ELSEWHERE)
"""Options that the kernel keeps, of the descriptor that the program has. They say how long calls
wait, or do nothing to a UDP socket, as on Linux without a queueing discipline."""
KEPT_BY_STREAMS = frozenset((socket.SOL_SOCKET, option) for option in _KEPT | {socket.SO_BROADCAST})
"""The same of TCP sockets."""
SNDLOWAT = socket.SOL_SOCKET, socket.SO_SNDLOWAT
"""An option that is 1 and cannot be set (socket(7))."""
_FLAGS = frozenset({"broadcast", "reuse", "reuseport", "recverr", "multicast_loop", "v6only"})
"""Any number but 0 is 1."""
_MEMBERSHIPS = {
    socket.IP_ADD_MEMBERSHIP: "join",
    socket.IP_DROP_MEMBERSHIP: "leave",
    IP_ADD_SOURCE_MEMBERSHIP: "join_source",
    IP_DROP_SOURCE_MEMBERSHIP: "leave_source",
    IP_BLOCK_SOURCE: "block",
    IP_UNBLOCK_SOURCE: "unblock",
}

_RCVBUF_MIN, _RCVBUF_MAX = 2304, 1_000_000_000
_IFNAMSIZ = 16
Value = int | bytes | str


def unknown(level: int, option: int) -> OSError:
    """Return the error of an option that there is not."""
    return _no_option(errno.ENOPROTOOPT, level, option)


def not_read(family: int, protocol: int, level: int, option: int) -> OSError:
    """Return the error of ``getsockopt`` for an option that there is not.

    Source: Linux ``ip_getsockopt``, which differs from ``ip_setsockopt`` and from IPv6.
    """
    known = level in (socket.SOL_SOCKET, socket.IPPROTO_IP, protocol)
    number = errno.ENOPROTOOPT if known or family != socket.AF_INET else errno.EOPNOTSUPP
    return _no_option(number, level, option)


def _no_option(number: int, level: int, option: int) -> OSError:
    """Return an error that says which one is meant, by its name where Python has one."""
    level_name, prefixes = _LEVELS.get(level, (str(level), ()))
    names = [name for name in dir(socket) if name.startswith(prefixes)] if prefixes else []
    found = [name for name in names if getattr(socket, name) == option]
    shown = f"{level_name}, {found[0] if found else option}"
    error = OSError(number, f"{os.strerror(number)}: a stack's socket has no option ({shown})")
    error.add_note("docs/programs.md lists those that there are")
    return error


_LEVELS: dict[int, tuple[str, tuple[str, ...]]] = {
    socket.SOL_SOCKET: ("SOL_SOCKET", ("SO_",)),
    socket.IPPROTO_IP: ("IPPROTO_IP", ("IP_",)),
    socket.IPPROTO_IPV6: ("IPPROTO_IPV6", ("IPV6_",)),
    socket.IPPROTO_TCP: ("IPPROTO_TCP", ("TCP_",)),
}
"""Names of levels, and how those of their options begin."""


def seconds_of(timeval: bytes) -> float:
    """Return the seconds that a ``struct timeval`` says (socket(7), SO_RCVTIMEO)."""
    seconds, microseconds = struct.unpack("ll", timeval)
    return float(seconds + microseconds / 1e6)


def signed(number: int) -> int:
    """Return an unsigned number of 32 bits as ``getsockopt`` does, which knows only ``int``."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def word(name: str, value: Value) -> Any:
    """Return the value of an option in ``NAMES`` as the stack takes it.

    Args:
        value: bytes are a number in the machine's order, of one byte or four, or a device's name.
    """
    if name == "dev":
        return value.rstrip(b"\0").decode() if isinstance(value, bytes) else value
    number = _number(value) if isinstance(value, bytes) else int(value)
    if name == "rcvbuf":  # socket(7): the kernel doubles it, for what a datagram costs beside
        return min(max(2 * number, _RCVBUF_MIN), _RCVBUF_MAX)
    return int(bool(number)) if name in _FLAGS else number


def device(name: str, size: int) -> bytes | int:
    """Return the value of SO_BINDTODEVICE, as ``getsockopt`` does.

    Raises:
        OSError: EINVAL, there is no room for a name.
    """
    if not name:
        return b"" if size else 0
    if size < _IFNAMSIZ:
        raise OSError(errno.EINVAL, f"SO_BINDTODEVICE needs {_IFNAMSIZ} bytes for a name")
    return name.encode() + b"\0"


def _number(value: bytes) -> int:
    """Return the ``int``, or the ``unsigned char``, that ip(7) takes."""
    whole = len(value) >= 4
    return int.from_bytes(value[: 4 if whole else 1], sys.byteorder, signed=whole)


def command(level: int, option: int, value: Value) -> tuple[str, dict[str, Any]] | None:
    """Return what else an option tells the stack to do; None when it is none of these.

    Raises:
        ValueError: the value is not of that option's form.
    """
    if level == socket.IPPROTO_IPV6:
        return _command6(option, value)
    if level != socket.IPPROTO_IP:
        return None
    if option == socket.IP_MULTICAST_IF:
        return "interface", _sending(value)
    what = _MEMBERSHIPS.get(option)
    if what is None:
        return None
    if not isinstance(value, bytes) or len(value) < 8:
        raise ValueError(value)
    args = {"what": what, "group": socket.inet_ntoa(value[:4])}
    if what in ("join", "leave"):
        return "membership", {**args, **_request(value[4:])}
    if len(value) != 12:  # struct ip_mreq_source: group, interface, sender
        raise ValueError(value)
    source = socket.inet_ntoa(value[8:])
    return "membership", {**args, **_request(value[4:8]), "source": source}


_MEMBERSHIPS6 = {socket.IPV6_JOIN_GROUP: "join", socket.IPV6_LEAVE_GROUP: "leave"}


def _command6(option: int, value: Value) -> tuple[str, dict[str, Any]] | None:
    """Return what an option of ipv6(7) tells the stack to do; interfaces are numbers there."""
    if option == socket.IPV6_MULTICAST_IF:
        if isinstance(value, str):
            return "interface", {"dev": value}
        return "interface", {"index": value if isinstance(value, int) else _number(value)}
    what = _MEMBERSHIPS6.get(option)
    if what is None:
        return None
    if not isinstance(value, bytes) or len(value) < 20:  # struct ipv6_mreq: group, interface
        raise ValueError(value)
    args: dict[str, Any] = {"what": what, "group": socket.inet_ntop(socket.AF_INET6, value[:16])}
    if any(value[16:20]):
        args["index"] = int.from_bytes(value[16:20], sys.byteorder)
    return "membership", args


def _sending(value: Value) -> dict[str, Any]:
    """Return the interface in a value of IP_MULTICAST_IF; its name may stand there, too."""
    if isinstance(value, str):
        return {"dev": value}
    raw = value if isinstance(value, bytes) else value.to_bytes(4, sys.byteorder)
    if len(raw) < 4:
        raise ValueError(value)
    return _request(raw if len(raw) < 8 else raw[4:])


def _request(raw: bytes) -> dict[str, Any]:
    """Return the interface in the end of a ``struct ip_mreqn``, or of a ``struct ip_mreq``."""
    result: dict[str, Any] = {}
    if any(raw[:4]):
        result["addr"] = socket.inet_ntoa(raw[:4])
    if len(raw) >= 8 and any(raw[4:8]):
        result["index"] = int.from_bytes(raw[4:8], sys.byteorder)
    return result
