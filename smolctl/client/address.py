"""Addresses as programs say them: (host, port), and for IPv6 (host, port, 0, zone)."""

import socket
from typing import Any

MAX_PORT = 65_535


def split(family: int, address: Any) -> tuple[str, int, int | str]:
    """Return host, port and zone of an address; the zone is a number, or an interface's name.

    Args:
        family: AF_INET or AF_INET6.
        address: the host "" is any address, and "<broadcast>" 255.255.255.255.

    Raises:
        OSError: socket.gaierror, the host is a name: a stack has no resolver.
        OverflowError: no such port, as ``socket`` has it.
    """
    host, port, *more = address
    if not 0 <= port <= MAX_PORT:
        raise OverflowError("port must be 0-65535")
    if family == socket.AF_INET:
        return _host4(host), port, 0
    host, percent, name = host.partition("%")
    text = _host6(host)
    if percent:
        return text, port, int(name) if name.isdecimal() else name
    return text, port, int(more[1] if len(more) > 1 else 0)


def _host4(host: str) -> str:
    if host in ("", "<broadcast>"):
        return "255.255.255.255" if host else "0.0.0.0"
    return _host(host, socket.AF_INET, "IPv4")


def _host6(host: str) -> str:
    return _host(host, socket.AF_INET6, "IPv6") if host else "::"


def _host(host: str, family: int, name: str) -> str:
    """Return an address as it is written usually.

    Raises:
        OSError: socket.gaierror, it is none.
    """
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, host))
    except OSError:
        raise socket.gaierror(
            socket.EAI_NONAME,
            f"{host!r} is not an {name} address, and a stack does not look up names",
        ) from None
