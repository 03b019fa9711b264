"""IPv6 groups of programs' sockets: the kernel as sender, as member, and as the judge of errors."""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from unittest import mock

import pytest

from smolctl.client import DatagramSocket
from tests.e2e.kit import OURS_MAC, Lab
from tests.kit.process import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.netns()
GROUP, PORT = "ff05::1234", 5000
OURS, THEIRS, THIRD = "2001:db8::1", "2001:db8::2", "2001:db8::3"
INDEX = 2
"""The number of tap0, on both sides."""
JOIN, LEAVE = socket.IPV6_JOIN_GROUP, socket.IPV6_LEAVE_GROUP
Make = Callable[[], DatagramSocket]
_V2_ROUTERS = socket.inet_pton(socket.AF_INET6, "ff02::16")


@pytest.fixture
def tap(lab: Lab) -> Lab:
    lab.plug(f"{OURS}/64", theirs=(f"{THEIRS}/64", f"{THIRD}/64"))
    lab.sysctl(mld__v2_unsolicited_report_interval_ms=1)
    (row,) = lab.peer.rows("link", "show", "dev", "tap0", flag="-0")
    assert row["ifindex"] == INDEX
    return lab


@pytest.fixture
def make(tap: Lab) -> Iterator[Make]:
    """Open sockets of this process on the stack."""
    environ = {"XDG_RUNTIME_DIR": str(tap.smolctl.directory)}
    with ExitStack() as stack, mock.patch.dict(os.environ, environ):

        def one() -> DatagramSocket:
            made = DatagramSocket("default", start=False, family=socket.AF_INET6)
            stack.enter_context(made).settimeout(PATIENCE_SECONDS)
            return made

        yield one


def mreq(group: str = GROUP, index: int = INDEX) -> bytes:
    """Return a ``struct ipv6_mreq``."""
    return socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)


def kernel_socket(tap: Lab, address: str = THEIRS, port: int = 0) -> socket.socket:
    """Return a socket of the kernel's that sends to groups by tap0."""
    made = tap.peer.udp(address, port)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, INDEX)
    return made


def groups(tap: Lab) -> list[str]:
    (row,) = tap.call("maddr.show", dev="tap0", family="inet6")
    return [entry["address"] for entry in row["maddr"]]


def reported(wire: socket.socket) -> tuple[int, str]:
    """Return the type of the next record about the group that smolctl reports (RFC 3810 5.2.5)."""
    while True:
        frame = wire.recv(2000)
        ours = frame[6:12].hex(":") == OURS_MAC and frame[38:54] == _V2_ROUTERS
        if ours and (group := socket.inet_ntop(socket.AF_INET6, frame[74:90])) == GROUP:
            return frame[70], group


def test_the_kernel_sends_to_members(tap: Lab, make: Make) -> None:
    wire, members = tap.peer.wire("tap0"), [make(), make()]
    wire.settimeout(PATIENCE_SECONDS)
    for member in members:
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        member.bind(("::", PORT))
    members[0].setsockopt(socket.IPPROTO_IPV6, JOIN, mreq())
    assert reported(wire) == (4, GROUP)  # CHANGE_TO_EXCLUDE_MODE: of anybody
    members[1].join_group(GROUP, "tap0")
    kernel_socket(tap).sendto(b"to all", (GROUP, PORT))
    for member in members:
        data, source = member.recvfrom(100)
        assert (data, source[0]) == (b"to all", THEIRS)
    members[0].setsockopt(socket.IPPROTO_IPV6, LEAVE, mreq())
    assert GROUP in groups(tap)
    members[1].close()
    wait_until(lambda: GROUP not in groups(tap), "the group to be left")
    while reported(wire) != (3, GROUP):  # CHANGE_TO_INCLUDE_MODE: of nobody
        pass


def test_a_group_of_one_link_is_heard_with_its_zone(tap: Lab, make: Make) -> None:
    member = make()
    member.bind(("::", PORT))
    member.setsockopt(socket.IPPROTO_IPV6, JOIN, mreq("ff02::1234"))
    (row,) = tap.peer.rows("addr", "show", "dev", "tap0", flag="-6")
    near = [info["local"] for info in row["addr_info"] if info["scope"] == "link"]
    if not near:
        tap.peer.ip("addr", "add", "fe80::99/64", "dev", "tap0", "nodad")
        near = ["fe80::99"]
    sender = tap.peer.open(socket.AF_INET6, socket.SOCK_DGRAM)
    sender.bind((near[0], 0, 0, INDEX))
    sender.sendto(b"near", ("ff02::1234", PORT, 0, INDEX))
    data, source = member.recvfrom(100)
    assert (data, source) == (b"near", (near[0], sender.getsockname()[1], 0, INDEX))


def test_one_sender_is_wanted(tap: Lab, make: Make) -> None:
    member = make()
    member.bind(("::", PORT))
    member.join_group(GROUP, "tap0", THIRD)
    for address in (THEIRS, THIRD):
        kernel_socket(tap, address).sendto(address.encode(), (GROUP, PORT))
    assert member.recv(100) == THIRD.encode()
    assert tap.drops()["ip6-multicast-filtered"] == 1


def test_the_kernel_is_a_member(tap: Lab, make: Make) -> None:
    kernel, sender, wire = tap.peer.udp("::", PORT), make(), tap.peer.wire("tap0")
    kernel.settimeout(PATIENCE_SECONDS)
    kernel.setsockopt(socket.IPPROTO_IPV6, JOIN, mreq())
    sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, INDEX)
    for hops in (-1, 7):
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
        sender.sendto(b"%d" % hops, (GROUP, PORT))
    assert [kernel.recvfrom(100)[0] for _ in range(2)] == [b"-1", b"7"]
    limits: list[int] = []
    while len(limits) < 2:
        frame = wire.recv(65535)
        limits += [frame[21]] * (frame[12:14] == b"\x86\xdd" and frame[20] == 17)
    assert limits == [1, 7]  # RFC 3493 5.2: 1 unless asked for


SCRIPTS: dict[str, list[tuple[int, int | bytes]]] = {
    "twice": [(JOIN, mreq()), (JOIN, mreq()), (LEAVE, mreq()), (LEAVE, mreq())],
    "without an interface": [(JOIN, mreq("ff05::9", 0)), (LEAVE, mreq("ff05::9", 0))],
    "by another interface": [(JOIN, mreq()), (LEAVE, mreq(index=1)), (LEAVE, mreq(index=0))],
    "no such interface": [(JOIN, mreq(index=99)), (LEAVE, mreq(index=99))],
    "no group": [(JOIN, mreq("2001:db8::7")), (JOIN, mreq("::")), (LEAVE, mreq("2001:db8::7"))],
    "too short": [(JOIN, mreq()[:19]), (JOIN, b""), (JOIN, 5)],
    "all nodes": [(JOIN, mreq("ff02::1")), (LEAVE, mreq("ff02::1"))],
    "sending": [
        (socket.IPV6_MULTICAST_IF, INDEX), (socket.IPV6_MULTICAST_IF, 99),
        (socket.IPV6_MULTICAST_IF, 0), (socket.IPV6_MULTICAST_HOPS, 256),
        (socket.IPV6_MULTICAST_HOPS, -2), (socket.IPV6_MULTICAST_HOPS, 0),
        (socket.IPV6_MULTICAST_LOOP, 1), (socket.IPV6_MULTICAST_LOOP, 0),
    ],
}  # fmt: skip


def outcome(one: socket.socket | DatagramSocket, option: int, value: int | bytes) -> str:
    try:
        one.setsockopt(socket.IPPROTO_IPV6, option, value)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


@pytest.mark.parametrize("name", SCRIPTS)
def test_errors_are_those_of_the_kernel(tap: Lab, make: Make, name: str) -> None:
    kernel, mine = tap.peer.udp("::"), make()
    theirs = [outcome(kernel, *step) for step in SCRIPTS[name]]
    assert [outcome(mine, *step) for step in SCRIPTS[name]] == theirs
