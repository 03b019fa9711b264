"""A program that answers from the address it was asked at, as name servers do, and the kernel."""

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from os import environ
from threading import Thread
from unittest import mock

import pytest

from smolctl.client import DatagramSocket
from smolctl.client.options import IP_PKTINFO
from tests.e2e.kit import Lab
from tests.kit.process import PATIENCE_SECONDS

pytestmark = pytest.mark.netns
V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def tap(lab: Lab) -> Iterator[Lab]:
    """Give the stack two addresses of each family, and this process its sockets."""
    ours = ("10.0.0.1/24", "10.0.0.3/24", "fd00::1/64", "fd00::3/64")
    lab.plug(*ours, theirs=("10.0.0.2/24", "fd00::2/64"))
    with mock.patch.dict(environ, {"XDG_RUNTIME_DIR": str(lab.smolctl.directory)}):
        yield lab


def serve(server: DatagramSocket, number: int) -> None:
    """Answer questions with where they were sent to, from there."""
    for _ in range(number):
        data, told, _, peer = server.recvmsg(100, 200)
        (beside,) = told
        server.sendmsg([data.upper()], [beside], 0, peer)


def test_the_kernel_is_answered_from_the_address_that_it_asked(tap: Lab) -> None:
    for family, hosts in ((V4, ("10.0.0.3", "10.0.0.1")), (V6, ("fd00::3", "fd00::1"))):
        with ExitStack() as opened:
            server = opened.enter_context(DatagramSocket("default", start=False, family=family))
            server.settimeout(PATIENCE_SECONDS)
            if family == V4:
                server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            else:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            server.bind(("", 53))
            thread = Thread(target=serve, args=(server, 4))
            thread.start()
            for host in hosts * 2:
                kernel = tap.peer.open(family, socket.SOCK_DGRAM)
                kernel.connect((host, 53))  # it takes answers from there alone
                kernel.send(b"who?")
                assert kernel.recv(100) == b"WHO?"
            thread.join()
            if family == V4:
                asked_by_all(tap, server)


def asked_by_all(tap: Lab, server: DatagramSocket) -> None:
    """See that what was sent to all tells the address of the link, for an answer."""
    group = "239.1.2.3"
    server.join_group(group, "tap0")
    kernel = tap.peer.udp("10.0.0.2")
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    kernel.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.0.0.2"))
    (row,) = tap.call("link.show", dev="tap0")
    for host in (group, "10.0.0.255"):
        kernel.sendto(b"all", (host, 53))
        _, ((_, _, data),), _, _ = server.recvmsg(100, 200)
        expected = row["ifindex"], socket.inet_aton("10.0.0.1"), socket.inet_aton(host)
        assert struct.unpack("=i4s4s", data) == expected
