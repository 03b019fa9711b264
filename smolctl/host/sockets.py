"""Sockets of the Linux host: sock_diag(7), and /proc/net where there is none."""

import struct
import sys
from collections.abc import Iterable
from typing import NamedTuple

from smolctl.device.netlink import SOCK_DIAG, Netlink, NetlinkError, attributes
from smolctl.host.namespace import OWN
from smolctl.host.proc import lines
from smolctl.host.values import AF_INET, AF_INET6, address, check_length, optional
from smolctl.wire.address import IPV6_MARK

# linux/sock_diag.h, linux/inet_diag.h
_BY_FAMILY = 20
_ASKED = struct.Struct("=BBBBI48x")  # family, protocol, extensions, protocol of raw sockets, states
_ALL_STATES = 0xFFFFFFFF
_EXTENSIONS = 1 << 4 | 1 << 5  # TOS and traffic class
_HEADER = struct.Struct("=BBBB")  # family, state, timer, retransmits
_ID = struct.Struct("!HH16s16s")  # ports and addresses
_IFINDEX = struct.Struct("=I")
_TAIL = struct.Struct("=IIIII")  # expires, what waits in and out, user, inode
_ID_AT, _IFINDEX_AT, _TAIL_AT = _HEADER.size, _HEADER.size + 36, _HEADER.size + 48
_SIZE = _TAIL_AT + _TAIL.size
_TOS, _CLASS, _V6ONLY, _MARK, _SOCKOPT = 5, 6, 11, 15, 22

ICMP, TCP, UDP, ICMPV6, UDPLITE = 1, 6, 17, 58, 136
RAW = 255
"""Stands for raw sockets, whose protocol is told as their port."""
ESTABLISHED, CLOSE, LISTEN = 1, 7, 10
"""States (linux/tcp_states.h): of UDP, connected and not."""
STATES = {
    1: "ESTABLISHED", 2: "SYN-SENT", 3: "SYN-RECEIVED", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2",
    6: "TIME-WAIT", 7: "CLOSED", 8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING",
    12: "SYN-RECEIVED",
}  # fmt: skip
"""Names of a state, as in RFC 9293."""
FREEBIND, HDRINCL, TRANSPARENT = 1 << 2, 1 << 3, 1 << 5
"""Bits of ``Socket.options`` (struct inet_diag_sockopt)."""
_DIAG = (TCP, UDP, UDPLITE, RAW)
_FILES = {TCP: "tcp", UDP: "udp", UDPLITE: "udplite", RAW: "raw", ICMP: "icmp"}


class Socket(NamedTuple):
    """One socket of an Internet protocol.

    Attributes:
        family: Linux's number.
        protocol: ``UDP`` and its neighbors.
        state: ``ESTABLISHED`` and its neighbors.
        local, lport: address and port; of a raw socket, the port is its protocol.
        remote, rport: the same of the other end, 0 for none.
        oif: index of the link that it is bound to, 0 for none; None if that is not told.
        v6only: takes no IPv4; None if that is not told.
        tos: type of service or traffic class; None if that is not told.
        mark: of what it sends; None if that is not told (it is for root alone).
        options: bits such as ``FREEBIND``; None if they are not told.
        waiting_in, waiting_out: bytes.
        uid: of its owner.
        inode: of its file, 0 for none.
    """

    family: int
    protocol: int
    state: int
    local: int
    lport: int
    remote: int
    rport: int
    oif: int | None
    v6only: bool | None
    tos: int | None
    mark: int | None
    options: int | None
    waiting_in: int
    waiting_out: int
    uid: int
    inode: int


def read() -> tuple[Socket, ...]:
    """Return the sockets of the namespace in which the thread is, of all users.

    Raises:
        OSError: a file of /proc must not be read.
    """
    found: list[Socket] = []
    for family in (AF_INET, AF_INET6):
        for protocol in _FILES:
            told = _ask(family, protocol) if protocol in _DIAG else None
            if told is None:
                six = "6" if family == AF_INET6 else ""
                rows = lines(f"{OWN}/{_FILES[protocol]}{six}", skip=1)
                told = parse_proc(rows, family, protocol)
            found += told
    return tuple(found)


def _ask(family: int, protocol: int) -> list[Socket] | None:
    """Return the sockets that sock_diag tells of; None where the kernel cannot."""
    try:
        with Netlink(SOCK_DIAG) as kernel:
            body = _ASKED.pack(family, protocol, _EXTENSIONS, 0, _ALL_STATES)
            return [parse(each, protocol) for each in kernel.dump(_BY_FAMILY, body)]
    except NetlinkError:
        return None


def parse(data: bytes, protocol: int) -> Socket:
    """Return the socket that a message tells of.

    Raises:
        NetlinkError: it is too short.
    """
    check_length(data, _SIZE, "a socket")
    family, state, _, _ = _HEADER.unpack_from(data)
    lport, rport, local, remote = _ID.unpack_from(data, _ID_AT)
    _, waiting_in, waiting_out, uid, inode = _TAIL.unpack_from(data, _TAIL_AT)
    found = attributes(data, _SIZE)
    size = 16 if family == AF_INET6 else 4
    v6only = optional(found, _V6ONLY)
    return Socket(
        family=family,
        protocol=protocol,
        state=state,
        local=address(local[:size]) or 0,
        lport=lport,
        remote=address(remote[:size]) or 0,
        rport=rport,
        oif=_IFINDEX.unpack_from(data, _IFINDEX_AT)[0],
        v6only=None if v6only is None else bool(v6only),
        tos=optional(found, _CLASS if family == AF_INET6 else _TOS),
        mark=optional(found, _MARK),
        options=optional(found, _SOCKOPT),
        waiting_in=waiting_in,
        waiting_out=waiting_out,
        uid=uid,
        inode=inode,
    )


def parse_proc(told: Iterable[str], family: int, protocol: int) -> list[Socket]:
    """Return the sockets in a file of /proc/net, without its title; what is none is left out."""
    found = []
    for words in map(str.split, told):
        try:
            local, lport = _endpoint(words[1], family)
            remote, rport = _endpoint(words[2], family)
            out, _, into = words[4].partition(":")
            found.append(
                Socket(
                    family=family,
                    protocol=protocol,
                    state=int(words[3], 16),
                    local=local,
                    lport=lport,
                    remote=remote,
                    rport=rport,
                    oif=None,
                    v6only=None,
                    tos=None,
                    mark=None,
                    options=None,
                    waiting_in=int(into, 16),
                    waiting_out=int(out, 16),
                    uid=int(words[7]),
                    inode=int(words[9]),
                )
            )
        except (ValueError, IndexError, OverflowError):
            continue
    return found


def _endpoint(text: str, family: int) -> tuple[int, int]:
    """Return address and port of ``0100007F:0035``: words in the machine's byte order."""
    digits, _, port = text.partition(":")
    data = b"".join(
        int(digits[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(digits), 8)
    )
    if len(data) != (16 if family == AF_INET6 else 4):
        raise ValueError(text)
    return (IPV6_MARK if family == AF_INET6 else 0) | int.from_bytes(data), int(port, 16)
