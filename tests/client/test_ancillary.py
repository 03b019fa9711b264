"""Ancillary data of UDP sockets: the stack's and the kernel's, in the same dialogs."""

import errno
import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from smolctl.client import DatagramSocket
from smolctl.client.options import IP_PKTINFO, IP_RECVTTL
from tests.kit.home import Home
from tests.kit.process import PATIENCE_SECONDS

V4, V6 = socket.AF_INET, socket.AF_INET6
IP, IP6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
ASKED: dict[int, list[tuple[int, int]]] = {
    V4: [(IP, IP_PKTINFO), (IP, IP_RECVTTL), (IP, socket.IP_RECVTOS)],
    V6: [
        (IP6, socket.IPV6_RECVPKTINFO), (IP6, socket.IPV6_RECVHOPLIMIT),
        (IP6, socket.IPV6_RECVTCLASS), (IP, IP_PKTINFO), (IP, IP_RECVTTL), (IP, socket.IP_RECVTOS),
    ],
}  # fmt: skip
SOURCES: dict[int, list[str]] = {
    V4: ["127.0.0.7", "9.9.9.9", "0.0.0.0"],
    V6: ["::1", "2001:db8::9", "::", "::ffff:127.0.0.7", "::ffff:9.9.9.9"],
}
WRONG: list[tuple[int, int, bytes]] = [
    (IP, IP_PKTINFO, b"x"), (IP, 99, b"xxxx"), (socket.IPPROTO_UDP, 1, b"xx"),
]  # fmt: skip
HEADERS = [
    (IP, socket.IP_TTL, socket.IP_TOS), (IP6, socket.IPV6_UNICAST_HOPS, socket.IPV6_TCLASS),
]  # fmt: skip
Make = Callable[[int], socket.socket]


def beside(family: int, src: str, ifindex: int) -> tuple[int, int, bytes]:
    """Return what sendmsg takes for a source and an interface."""
    if family == V4:
        return IP, IP_PKTINFO, struct.pack("=i4s4s", ifindex, socket.inet_aton(src), bytes(4))
    return IP6, socket.IPV6_PKTINFO, socket.inet_pton(V6, src) + struct.pack("i", ifindex)


def dialog(make: Make, family: int, host: str, at: str) -> list[Any]:
    """Return what comes of questions, and of answers from all kinds of sources."""
    with ExitStack() as opened:
        server, client = (opened.enter_context(make(family)) for _ in range(2))
        for each in (server, client):
            each.settimeout(PATIENCE_SECONDS)
        server.bind((at, 5353))
        for option in ASKED[family]:
            server.setsockopt(*option, 1)
        for level, ttl, tos in HEADERS[: 1 + (family == V6)]:
            client.setsockopt(level, ttl, 9)
            client.setsockopt(level, tos, 0x12)
        client.sendto(b"question", (host, 5353))
        found: list[Any] = []
        for room in (300, 100, 40, 20, 15, 0):
            data, told, flags, sender = server.recvmsg(5, room, socket.MSG_PEEK)
            found.append((room, data, told, flags, sender[0]))
        buffers = [bytearray(3), bytearray(9)]
        size, *more, peer = server.recvmsg_into(buffers, 300)
        found.append((size, buffers, more))

        def answer(data: tuple[int, int, bytes]) -> None:
            try:
                server.sendmsg([b"an", b"swer"], [data], 0, peer)
            except OSError as error:
                found.append(errno.errorcode[error.errno or 0])
            else:
                found.append(client.recvfrom(100))

        for source in SOURCES[family]:
            for ifindex in (0, 1, 77):
                for _ in range(2):  # the second is not asked about
                    answer(beside(family, source, ifindex))
        for wrong in WRONG:
            answer(wrong)
        for option in ASKED[family][1:]:
            found.append(server.getsockopt(*option))
            server.setsockopt(*option, 0)
        client.sendto(b"again", (host, 5353))
        found.append(server.recvmsg(100, 300)[1])
        return found


DIALOGS = [
    (V4, "127.0.0.1", ""), (V6, "::1", "::"), (V6, "::ffff:127.0.0.2", "::"), (V6, "::1", "::1"),
]  # fmt: skip


def test_recvmsg_and_sendmsg_are_those_of_the_kernel(running: Home) -> None:
    for family, host, at in DIALOGS:
        kernels = dialog(lambda each: socket.socket(each, socket.SOCK_DGRAM), family, host, at)
        ours = dialog(lambda each: DatagramSocket(family=each), family, host, at)
        assert ours == kernels, (family, host, at)
