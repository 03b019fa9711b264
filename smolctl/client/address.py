"""Addresses as programs say them: (host, port), and for IPv6 (host, port, 0, zone)."""

import socket
from typing import Any

from smolctl.client.names import look_up

MAX_PORT = 65_535


def split(family: int, address: Any) -> tuple[str, int, int | str]:
    """Return host, port and zone of an address; the zone is a number, or an interface's name.

    Args:
        family: AF_INET or AF_INET6.
        address: the host "" is any address, and "<broadcast>" 255.255.255.255.

    Raises:
        OSError: socket.gaierror, the host is a name that is not in /etc/hosts.
        OverflowError: no such port, as ``socket`` has it.
        TypeError: it is no address.
    """
    if not isinstance(address, tuple):
        raise TypeError(f"an address is a tuple of host and port, not {type(address).__name__}")
    host, port, *more = address
    if not 0 <= port <= MAX_PORT:
        raise OverflowError("port must be 0-65535")
    if family == socket.AF_INET:
        return _host4(host), port, 0
    text, percent, name = _host6(host).partition("%")
    if percent:
        return text, port, int(name) if name.isdecimal() else name
    return text, port, int(more[1] if len(more) > 1 else 0)


def _host4(host: Any) -> str:
    if host in ("", "<broadcast>"):
        return "255.255.255.255" if host else "0.0.0.0"
    return look_up(host, socket.AF_INET)[0][1]


def _host6(host: Any) -> str:
    return look_up(host, socket.AF_INET6)[0][1] if host else "::"
