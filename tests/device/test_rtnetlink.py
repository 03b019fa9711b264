"""The kernel understands what is asked by rtnetlink, and says what it refuses."""

import errno
import json
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from smolctl.device import rtnetlink
from smolctl.device.host import in_child
from tests.kit.netns import Namespace

pytestmark = pytest.mark.netns


def inside(netns: Namespace, work: Callable[[int], None]) -> None:
    """Do something to the link ``d0`` of a namespace, as ``host.py`` does."""

    def entered() -> tuple[Any, list[int]]:
        fd = os.open(f"/run/netns/{netns.name}", os.O_RDONLY)
        rtnetlink.enter(fd)
        work(socket.if_nametoindex("d0"))
        return None, []

    in_child(entered)


@pytest.fixture
def link(netns: Namespace) -> Namespace:
    netns.run("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1", check=True)
    return netns


def shown(netns: Namespace) -> dict[str, Any]:
    (row,) = json.loads(netns.run("ip", "-j", "addr", "show", "d0", check=True).stdout)
    found: dict[str, Any] = row
    return found


def test_addresses_and_up(link: Namespace) -> None:
    assert "UP" not in shown(link)["flags"]
    inside(link, lambda index: rtnetlink.add_address(index, "10.9.0.1", 20))
    inside(link, lambda index: rtnetlink.add_address(index, "2001:db8::1", 64))
    inside(link, rtnetlink.set_up)
    row = shown(link)
    assert "UP" in row["flags"]
    infos = {(info["local"], info["prefixlen"]) for info in row["addr_info"]}
    assert {("10.9.0.1", 20), ("2001:db8::1", 64)} <= infos


@pytest.mark.parametrize(
    ("address", "plen", "number"),
    [("10.9.0.1", 20, errno.EEXIST), ("10.9.0.2", 33, errno.EINVAL)],
)
def test_what_the_kernel_refuses(link: Namespace, address: str, plen: int, number: int) -> None:
    inside(link, lambda index: rtnetlink.add_address(index, "10.9.0.1", 20))
    with pytest.raises(OSError, match=os.strerror(number)):
        inside(link, lambda index: rtnetlink.add_address(index, address, plen))
    with pytest.raises(OSError, match=os.strerror(errno.ENODEV)):
        inside(link, lambda _index: rtnetlink.set_up(9999))


def test_a_link_moves(link: Namespace, netns_factory: Callable[[], Namespace]) -> None:
    other = netns_factory()

    def move(index: int) -> None:
        fd = os.open(f"/run/netns/{other.name}", os.O_RDONLY)
        rtnetlink.move(index, fd)

    inside(link, move)
    assert shown(other)["ifname"] == "d0"
    assert link.run("ip", "link", "show", "d0").returncode == 1


def test_only_a_namespace_can_be_entered() -> None:
    refused = pytest.raises(OSError, match=os.strerror(errno.EINVAL))
    with open(os.devnull, "rb") as file, refused:
        rtnetlink.enter(file.fileno())
