"""IPv6 addresses that are tested, and groups that are reported, beside the kernel."""

import socket
import struct
import time

import pytest

from smolctl.wire import icmpv6
from smolctl.wire.address import IPV6_MARK
from smolctl.wire.icmpv6 import Icmpv6Message
from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Lab, Row
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns()

WANTED = "2001:db8::77"
GROUP, FENCE = "ff05::1234", "ff05::4321"
_V2_ROUTERS = bytes.fromhex("ff02" + "00" * 13 + "16")


@pytest.fixture
def tap(lab: Lab) -> Lab:
    lab.plug(theirs=("2001:db8::2/64",))
    lab.sysctl(nd__dad_transmits=1, nd__optimistic_dad=0)
    return lab


def ours(tap: Lab) -> Row:
    """Return smolctl's row of the wanted address."""
    (row,) = tap.call("addr.show", dev=tap.dev, to=f"{WANTED}/128")
    (info,) = row["addr_info"]
    found: Row = info
    return found


def theirs(tap: Lab) -> Row:
    """Return the kernel's row of the wanted address."""
    (row,) = tap.peer.rows("addr", "show", "dev", tap.dev, flag="-6")
    (info,) = [each for each in row["addr_info"] if each.get("local") == WANTED]
    found: Row = info
    return found


def settled(read: object, tap: Lab) -> Row:
    """Wait until a test is over, and return the row of its address."""
    assert callable(read)
    wait_until(
        lambda: not read(tap).get("tentative") or read(tap).get("dadfailed"),
        lambda: f"the end of the test of {read(tap)}",
    )
    found: Row = read(tap)
    return found


def test_an_address_that_nobody_has_is_used_after_one_to_two_seconds(tap: Lab) -> None:
    begun = time.monotonic()
    tap.smolctl("addr", "add", f"{WANTED}/64", "dev", tap.dev, check=True)
    assert ours(tap)["tentative"]
    row = settled(ours, tap)
    assert not row.get("dadfailed")
    assert 0.9 < time.monotonic() - begun < 4


def test_an_address_of_the_kernel_is_not_used(tap: Lab) -> None:
    tap.peer.ip("addr", "add", f"{WANTED}/64", "dev", tap.dev, "nodad")
    tap.smolctl("addr", "add", f"{WANTED}/64", "dev", tap.dev, check=True)
    row = settled(ours, tap)
    assert (row["tentative"], row["dadfailed"], row["conflict"]) == (True, True, THEIRS_MAC)
    assert tap.drops()["nd-dad-failed"] == 1


def test_the_kernel_does_not_use_an_address_of_ours(tap: Lab) -> None:
    tap.smolctl("addr", "add", f"{WANTED}/64", "dev", tap.dev, "nodad", check=True)
    tap.peer.sysctl({
        f"net.ipv6.conf.{tap.dev}.dad_transmits": 1, f"net.ipv6.conf.{tap.dev}.accept_dad": 1,
    })  # fmt: skip
    tap.peer.ip("addr", "add", f"{WANTED}/64", "dev", tap.dev)
    row = settled(theirs, tap)
    assert (row["tentative"], row["dadfailed"]) == (True, True)


def test_two_who_test_one_address_at_the_same_time_do_not_both_use_it(tap: Lab) -> None:
    tap.peer.sysctl({
        f"net.ipv6.conf.{tap.dev}.dad_transmits": 5, f"net.ipv6.conf.{tap.dev}.accept_dad": 1,
    })  # fmt: skip
    tap.sysctl(nd__dad_transmits=5)
    tap.peer.ip("addr", "add", f"{WANTED}/64", "dev", tap.dev)
    tap.smolctl("addr", "add", f"{WANTED}/64", "dev", tap.dev, check=True)
    failed = [settled(read, tap).get("dadfailed", False) for read in (ours, theirs)]
    assert any(failed)  # whoever hears the other's question first; it asks no more then


def is_settled(rows: list[Row]) -> bool:
    """Tell whether a link has an address of IPv6, and none that is tested."""
    found = [info for row in rows for info in row["addr_info"] if info["family"] == "inet6"]
    return bool(found) and not any(info.get("tentative") for info in found)


def reports(wire: socket.socket, group: str) -> tuple[list[bytes], list[bytes]]:
    """Return the packets that report a group and waited: those of smolctl, and of the kernel."""
    found: dict[str, list[bytes]] = {OURS_MAC: [], THEIRS_MAC: []}
    wire.setblocking(False)
    while True:
        try:
            frame = wire.recv(2000)
        except BlockingIOError:
            return found[OURS_MAC], found[THEIRS_MAC]
        about = socket.inet_pton(socket.AF_INET6, group) in frame[62:]
        if frame[12:14] == b"\x86\xdd" and frame[38:54] == _V2_ROUTERS and about:
            found[frame[6:12].hex(":")].append(frame[14:])


def said(packet: bytes) -> tuple[bytes, ...]:
    """Return all bytes of a report but its source and its checksum, which has to be right."""
    src, dst = (IPV6_MARK | int.from_bytes(packet[at : at + 16]) for at in (8, 24))
    assert isinstance(icmpv6.parse(packet[48:], src, dst), Icmpv6Message)
    return packet[:8], packet[24:50], packet[52:]


def test_the_same_joins_and_leaves_are_reported_as_by_the_kernel(tap: Lab) -> None:
    tap.sysctl(mld__v2_unsolicited_report_interval_ms=1)
    show = ("addr", "show", "dev", tap.dev)
    wait_until(lambda: is_settled(tap.call("addr.show", dev=tap.dev)), "smolctl's address")
    wait_until(lambda: is_settled(tap.peer.rows(*show, flag="-6")), "the kernel's address")
    kernel = tap.peer.open(socket.AF_INET6, socket.SOCK_DGRAM)
    wire = tap.peer.wire(tap.dev)
    (link,) = tap.peer.rows("link", "show", tap.dev, flag="-0")

    def change(group: str, option: int, verb: str) -> tuple[list[bytes], list[bytes]]:
        """Have both join or leave; return the two reports of each."""
        membership = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", link["ifindex"])
        kernel.setsockopt(socket.IPPROTO_IPV6, option, membership)
        tap.smolctl("maddr", verb, group, "dev", tap.dev, check=True)
        found: tuple[list[bytes], list[bytes]] = ([], [])

        def two() -> bool:
            for all_of, new in zip(found, reports(wire, group), strict=True):
                all_of.extend(new)
            return min(map(len, found)) >= 2

        wait_until(two, lambda: f"two reports of each: {found}")
        return found

    # What both report when a link comes up may go along with their first reports, not with more.
    change(FENCE, socket.IPV6_JOIN_GROUP, "add")
    for option, verb in ((socket.IPV6_JOIN_GROUP, "add"), (socket.IPV6_LEAVE_GROUP, "del")):
        mine, his = change(GROUP, option, verb)
        assert list(map(said, mine)) == list(map(said, his))
