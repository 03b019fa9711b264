"""Groups of programs' sockets: the kernel as sender, as member, and as the judge of errors."""

import asyncio
import errno
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from unittest import mock

import pytest

from smolctl.client import DatagramSocket
from smolctl.client.options import (
    IP_ADD_SOURCE_MEMBERSHIP,
    IP_BLOCK_SOURCE,
    IP_DROP_SOURCE_MEMBERSHIP,
    IP_MULTICAST_ALL,
    IP_UNBLOCK_SOURCE,
)
from tests.e2e.kit import OURS_MAC, Lab, receive
from tests.e2e.test_multicast import igmp_frames, kernel_member, kernel_sender
from tests.e2e.test_programs import Programs
from tests.kit.process import PATIENCE_SECONDS, wait_until
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns
GROUP, PORT = "239.1.2.3", 5000
OURS, THEIRS, THIRD = "10.0.0.1", "10.0.0.2", "10.0.0.3"
Make = Callable[[], DatagramSocket]
JOIN, LEAVE = socket.IP_ADD_MEMBERSHIP, socket.IP_DROP_MEMBERSHIP
MEMBER = f"""
import time
from smolctl.client import DatagramSocket
one = DatagramSocket()
one.join_group("{GROUP}", "tap0")
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def tap(lab: Lab) -> Lab:
    lab.plug(theirs=(f"{THEIRS}/24", f"{THIRD}/24"))
    return lab


@pytest.fixture
def make(tap: Lab) -> Iterator[Make]:
    """Open sockets of this process on the stack."""
    environ = {"XDG_RUNTIME_DIR": str(tap.smolctl.directory)}
    with ExitStack() as stack, mock.patch.dict(os.environ, environ):

        def one() -> DatagramSocket:
            made = stack.enter_context(DatagramSocket("default", start=False))
            made.settimeout(PATIENCE_SECONDS)
            return made

        yield one


def groups(tap: Lab) -> list[str]:
    (row,) = tap.call("maddr.show", dev="tap0")
    return [entry["address"] for entry in row["maddr"] if "address" in entry]


def test_the_kernel_sends_to_members(tap: Lab, make: Make) -> None:
    wire, members = tap.peer.wire("tap0"), [make(), make()]
    for member in members:
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        member.bind(("", PORT))
        member.join_group(GROUP, "tap0")
    (report,) = igmp_frames(wire, 1)
    assert report[30:34] == socket.inet_aton("224.0.0.22")
    kernel_sender(tap).sendto(b"to all", (GROUP, PORT))
    for member in members:
        assert member.recvfrom(100)[0] == b"to all"
    members[0].leave_group(GROUP, "tap0")
    assert GROUP in groups(tap)
    members[1].close()
    wait_until(lambda: GROUP not in groups(tap), "the group to be left")


def test_one_sender_is_wanted(tap: Lab, make: Make) -> None:
    member = make()
    member.bind(("", PORT))
    member.join_group(GROUP, "tap0", THIRD)
    for address in (THEIRS, THIRD):
        kernel_sender(tap, address).sendto(address.encode(), (GROUP, PORT))
    assert member.recv(100) == THIRD.encode()
    assert tap.drops()["ip-multicast-filtered"] == 1


def test_the_kernel_is_a_member(tap: Lab, make: Make) -> None:
    kernel, sender, wire = kernel_member(tap), make(), tap.peer.wire("tap0")
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(OURS))
    for ttl in (-1, 7):
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        for number in range(2):
            sender.sendto(b"%d %d" % (ttl, number), (GROUP, PORT))
    assert [receive(kernel)[0] for _ in range(4)] == ["-1 0", "-1 1", "7 0", "7 1"]
    ttls: list[int] = []
    while len(ttls) < 4:
        frame = wire.recv(65535)
        ttls += [frame[22]] * (frame[12:14] == b"\x08\0" and frame[23] == 17)
    assert ttls == [1, 1, 7, 7]  # RFC 1112 6.1: 1 unless asked for


def test_asyncio_has_groups(tap: Lab, make: Make) -> None:
    class Member(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.came = asyncio.get_running_loop().create_future()

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.came.set_result((data, addr[0]))

    async def main() -> tuple[bytes, str]:
        opened = make()
        opened.bind(("", PORT))
        opened.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, member = await loop.create_datagram_endpoint(Member, sock=opened)
        try:
            opened.join_group(GROUP, "tap0")
            kernel_sender(tap).sendto(b"x", (GROUP, PORT))
            return await asyncio.wait_for(member.came, 10)
        finally:
            transport.close()

    assert asyncio.run(main()) == (b"x", THEIRS)


def test_a_killed_program_has_left(tap: Lab, smolctl_env: SmolctlEnv) -> None:
    programs, wire = Programs(smolctl_env), tap.peer.wire("tap0")
    member = programs.start(MEMBER)
    assert GROUP in groups(tap)
    joined = igmp_frames(wire, 1)
    member.stop(signal.SIGKILL)
    frames = igmp_frames(wire, 2, OURS_MAC)
    assert joined[0][38:][8] == 4  # TO_EXCLUDE; the report may be repeated before it leaves
    assert 3 in {frame[38:][8] for frame in frames}  # TO_INCLUDE
    assert GROUP not in groups(tap)
    programs.close()


# --- errors ---------------------------------------------------------------------------------------


def mreq(group: str = GROUP, address: str = "0.0.0.0") -> bytes:
    return socket.inet_aton(group) + socket.inet_aton(address)


def mreqn(index: int, group: str = GROUP, address: str = "0.0.0.0") -> bytes:
    return mreq(group, address) + struct.pack("@i", index)


def sender(source: str, address: str, group: str = GROUP) -> bytes:
    return mreq(group, address) + socket.inet_aton(source)


def scripts(own: str) -> dict[str, list[tuple[int, int | bytes]]]:
    """Return what a socket is told, in order, when ``own`` is its stack's address."""
    one, two = (sender(source, own) for source in (THIRD, "10.0.0.4"))
    return {
        "join and leave": [
            (LEAVE, mreq(address=own)), (JOIN, mreq(address=own)), (JOIN, mreq(address=own)),
            (JOIN, mreqn(2)), (LEAVE, mreqn(1)), (LEAVE, mreqn(2)), (LEAVE, mreqn(2)),
            (JOIN, mreqn(2)), (LEAVE, mreqn(99)), (LEAVE, mreq(address="10.9.9.9")),
            (LEAVE, mreq(address=own)),
        ],
        "nowhere": [
            (JOIN, mreq()), (LEAVE, mreq()), (JOIN, mreqn(99)), (JOIN, mreq(address="10.9.9.9")),
            (JOIN, mreq("10.0.0.7", own)), (LEAVE, mreq("10.0.0.7", own)), (JOIN, 1),
            (JOIN, b"1234"), (LEAVE, b"1234"), (IP_ADD_SOURCE_MEMBERSHIP, mreq(address=own)),
            (IP_ADD_SOURCE_MEMBERSHIP, sender(THIRD, own, "10.0.0.7")),
            (IP_ADD_SOURCE_MEMBERSHIP, sender(THIRD, "10.9.9.9")), (IP_BLOCK_SOURCE, one),
            (IP_DROP_SOURCE_MEMBERSHIP, one), (IP_UNBLOCK_SOURCE, one),
        ],
        "some senders": [
            (IP_ADD_SOURCE_MEMBERSHIP, one), (IP_ADD_SOURCE_MEMBERSHIP, one),
            (IP_ADD_SOURCE_MEMBERSHIP, two), (JOIN, mreq(address=own)), (IP_BLOCK_SOURCE, two),
            (IP_DROP_SOURCE_MEMBERSHIP, one), (IP_DROP_SOURCE_MEMBERSHIP, one),
            (IP_DROP_SOURCE_MEMBERSHIP, two), (LEAVE, mreq(address=own)),
            (IP_ADD_SOURCE_MEMBERSHIP, one), (LEAVE, mreq(address=own)),
        ],
        "all but some": [
            (JOIN, mreq(address=own)), (IP_UNBLOCK_SOURCE, one), (IP_BLOCK_SOURCE, one),
            (IP_BLOCK_SOURCE, one), (IP_ADD_SOURCE_MEMBERSHIP, two), (IP_BLOCK_SOURCE, two),
            (IP_UNBLOCK_SOURCE, one), (IP_UNBLOCK_SOURCE, one), (LEAVE, mreq(address=own)),
        ],
        "a list without senders becomes the other one": [
            (JOIN, mreq(address=own)), (IP_ADD_SOURCE_MEMBERSHIP, one), (IP_BLOCK_SOURCE, two),
            (IP_DROP_SOURCE_MEMBERSHIP, one), (LEAVE, mreq(address=own)),
        ],
        "values": [
            (socket.IP_MULTICAST_TTL, 256), (socket.IP_MULTICAST_TTL, -2),
            (socket.IP_MULTICAST_TTL, 255), (socket.IP_MULTICAST_TTL, b"\7"),
            (socket.IP_MULTICAST_TTL, -1), (socket.IP_MULTICAST_LOOP, 2),
            (socket.IP_MULTICAST_LOOP, b"\0"), (IP_MULTICAST_ALL, 2), (IP_MULTICAST_ALL, 0),
            (socket.IP_MULTICAST_IF, socket.inet_aton(own)), (socket.IP_MULTICAST_IF, b"12"),
            (socket.IP_MULTICAST_IF, socket.inet_aton("10.9.9.9")),
            (socket.IP_MULTICAST_IF, mreq(address=own)), (socket.IP_MULTICAST_IF, mreqn(2)),
            (socket.IP_MULTICAST_IF, mreqn(99)), (socket.IP_MULTICAST_IF, 0),
        ],
    }  # fmt: skip


def outcome(one: socket.socket | DatagramSocket, option: int, value: int | bytes) -> str:
    try:
        one.setsockopt(socket.IPPROTO_IP, option, value)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


@pytest.mark.parametrize("name", scripts(OURS))
def test_errors_are_those_of_the_kernel(tap: Lab, make: Make, name: str) -> None:
    tap.peer.ip("link", "set", "tap0", "up")
    index = int(tap.peer.rows("link", "show", "dev", "tap0")[0]["ifindex"])
    assert index == 2  # as in smolctl
    kernel = tap.peer.udp()
    theirs = [outcome(kernel, *step) for step in scripts(THEIRS)[name]]
    ours = [outcome(made, *step) for made in [make()] for step in scripts(OURS)[name]]
    assert ours == theirs
    assert "" in theirs or name == "nowhere"
    for option in (socket.IP_MULTICAST_TTL, socket.IP_MULTICAST_LOOP, IP_MULTICAST_ALL):
        assert make().getsockopt(socket.IPPROTO_IP, option) == 1
        assert tap.peer.udp().getsockopt(socket.IPPROTO_IP, option) == 1
