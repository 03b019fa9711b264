"""Names of hosts: those that this machine's /etc/hosts has, and "localhost".

A stack has no resolver, and what the machine's resolver asks goes by the kernel. So no other name
is known. The functions are those of ``socket`` with the same names.
"""

import os
import socket
from typing import Any

Found = tuple[int, str]
"""AF_INET or AF_INET6, and an address as text; an IPv6 one may end in a zone, as in %eth0."""
Info = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
"""The answer of ``getaddrinfo`` for one address."""

# The machine's own, for addresses: they look nothing up then, and know services and kinds.
_info_of, _info_name = socket.getaddrinfo, socket.getnameinfo
_LOOPBACK: list[Found] = [(socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1")]
_ANY: list[Found] = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]


class Hosts:
    """The names in a file as hosts(5) has it, which is read again when it has changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None
        self._addresses: dict[str, list[Found]] = {}
        self._names: dict[str, list[str]] = {}

    def addresses(self, name: str) -> list[Found]:
        """Return the addresses of a name in their order; none when it is not there."""
        self._look()
        return self._addresses.get(name.lower(), [])

    def names(self, address: str) -> list[str]:
        """Return the names of an address, the canonical one first."""
        self._look()
        return self._names.get(address, [])

    def _look(self) -> None:
        try:
            status = os.stat(self._path)
            read = status.st_mtime_ns, status.st_size
            if read == self._read:
                return
            with open(self._path, encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            read, lines = (0, 0), []
        self._read = read
        self._addresses, self._names = {}, {}
        for line in lines:
            text, *names = line.partition("#")[0].split() or [""]
            found = literal(text)
            if found is None:
                continue
            self._names.setdefault(found[1], []).extend(names)
            for name in names:
                self._addresses.setdefault(name.lower(), []).append(found)


HOSTS = Hosts("/etc/hosts")
"""The names of this machine."""


def literal(text: str) -> Found | None:
    """Return family and usual form of an address, None for what is none."""
    host, percent, zone = text.partition("%")
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            usual = socket.inet_ntop(family, socket.inet_pton(family, host))
        except (OSError, ValueError):
            continue
        if not percent or (family == socket.AF_INET6 and zone):
            return family, f"{usual}%{zone}" if percent else usual
    return None


def look_up(host: str | bytes | bytearray, family: int = 0, hosts: Hosts = HOSTS) -> list[Found]:
    """Return the addresses of a host, at least one.

    Args:
        host: an address or a name.
        family: AF_INET or AF_INET6; 0 for both.
        hosts: the names that are known, besides "localhost" and what ends so (RFC 6761 6.3).

    Raises:
        OSError: socket.gaierror, the name is not known, or has no address of the family.
    """
    name = host if isinstance(host, str) else bytes(host).decode("ascii", "replace")
    found = literal(name)
    bare = name.lower().removesuffix(".")
    if found is not None:
        all_of_it = [found]
    elif bare == "localhost" or bare.endswith(".localhost"):
        all_of_it = _LOOPBACK
    else:
        all_of_it = hosts.addresses(bare)
    fitting = [each for each in all_of_it if family in (0, each[0])]
    if fitting:
        return fitting
    kind = {0: "", int(socket.AF_INET): "IPv4 "}.get(family, "IPv6 ")
    if all_of_it:
        has = "is not an" if found else "has no"
        raise socket.gaierror(socket.EAI_ADDRFAMILY, f'"{name}" {has} {kind}address')
    raise socket.gaierror(
        socket.EAI_NONAME,
        f'"{name}" is not an {kind}address and not in /etc/hosts: a stack does not look up names',
    )


def getaddrinfo(
    host: str | bytes | None,
    port: str | bytes | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[Info]:
    """Return what a host and a service are, for ``socket.socket`` and its ``connect``.

    AI_ADDRCONFIG changes nothing: it is about the kernel's addresses.

    Raises:
        OSError: socket.gaierror, as ``look_up``; or no such service, or an impossible wish.
    """
    mapped = family == socket.AF_INET6 and flags & socket.AI_V4MAPPED
    if host is None:
        found = _ANY if flags & socket.AI_PASSIVE else _LOOPBACK
        found = [each for each in found if family in (0, each[0])]
    elif mapped and flags & socket.AI_ALL:
        found = look_up(host)
    else:
        try:
            found = look_up(host, family)
        except socket.gaierror:
            if not mapped:
                raise
            found = look_up(host, socket.AF_INET)
    if host is not None and flags & socket.AI_NUMERICHOST and literal(_text(host)) is None:
        raise socket.gaierror(socket.EAI_NONAME, f'"{_text(host)}" is not an address')
    name = _text(host) if host is not None and flags & socket.AI_CANONNAME else ""
    flags &= ~(socket.AI_ADDRCONFIG | socket.AI_CANONNAME)
    infos: list[Info] = []
    for own, text in found:
        address, percent, zone = text.partition("%")
        wanted = family if mapped else own
        numeric = flags | socket.AI_NUMERICHOST
        for info in _info_of(address, port, wanted, type, proto, numeric):
            where: Any = info[4]
            if percent:
                where = _zoned(address, where[1], zone)
            infos.append((info[0], info[1], info[2], name, where))
            name = ""
    return infos


def _text(host: str | bytes) -> str:
    return host if isinstance(host, str) else bytes(host).decode("ascii", "replace")


def _zoned(address: str, port: int, zone: str) -> tuple[str, int, int, int]:
    """Return an address with its zone: the number of an interface of the stack, or its name."""
    if zone.isdecimal():
        return address, port, 0, int(zone)
    return f"{address}%{zone}", port, 0, 0


def gethostbyname(name: str) -> str:
    """Return the first IPv4 address of a host; errors as of ``look_up``."""
    return gethostbyname_ex(name)[2][0]


def gethostbyname_ex(name: str) -> tuple[str, list[str], list[str]]:
    """Return a host's name, no other names, and its IPv4 addresses; errors as of ``look_up``."""
    if not name:
        return name, [], ["0.0.0.0"]
    return name, [], [text for _, text in look_up(name, socket.AF_INET)]


def gethostbyaddr(host: str) -> tuple[str, list[str], list[str]]:
    """Return the name of an address, or of a host, its other names, and the address.

    Raises:
        OSError: socket.herror, it has no name here; socket.gaierror, as ``look_up``.
    """
    address = look_up(host)[0][1]
    names = _names_of(address)
    if not names:
        raise socket.herror(1, f"{address} is not in /etc/hosts, and a stack does not look it up")
    return names[0], names[1:], [address]


def getnameinfo(address: Any, flags: int) -> tuple[str, str]:
    """Return the names of an address's host and service, or their numbers as text.

    Raises:
        OSError: socket.gaierror, the host is no address; or NI_NAMEREQD and it has no name.
    """
    host, port, *more = address
    found = literal(host)
    if found is None:
        raise socket.gaierror(socket.EAI_NONAME, f'"{host}" is not an address')
    numeric = flags & ~socket.NI_NAMEREQD | socket.NI_NUMERICHOST
    _, service = _info_name(("127.0.0.1", port), numeric)
    names = [] if flags & socket.NI_NUMERICHOST else _names_of(found[1])
    if names:
        return names[0], service
    if flags & socket.NI_NAMEREQD:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} has no name in /etc/hosts")
    zone = f"%{more[1]}" if len(more) > 1 and more[1] and "%" not in host else ""
    return f"{found[1]}{zone}", service


def _names_of(address: str) -> list[str]:
    if any(address == text for _, text in _LOOPBACK):
        return ["localhost"]
    return HOSTS.names(address)
