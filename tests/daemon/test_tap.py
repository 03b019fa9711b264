"""A daemon on a TAP, with the kernel as the peer."""

import json
from typing import Any

import pytest

from smolctl.client import Client, RemoteError, stop_daemon
from tests.kit.home import Home
from tests.kit.netns import Namespace
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns("ping")


@pytest.fixture
def client(home: Home, netns: Namespace) -> Client:
    client = home.connect()
    client.call("link.add", name="tap0", type="tap", netns=netns.name, host="10.9.0.2/24")
    client.call("addr.add", local="10.9.0.1/24", dev="tap0")
    return client


def row(client: Client, **args: Any) -> dict[str, Any]:
    return client.call("link.show", dev="tap0", **args)[0]


def test_the_kernel_can_ping_the_stack(client: Client, netns: Namespace) -> None:
    ran = netns.run("ping", "-c", "20", "-i", "0.002", "-W", "2", "10.9.0.1")
    assert " 0% packet loss" in ran.stdout
    stats = row(client, stats=True)["stats64"]
    assert stats["rx"]["packets"] >= 20
    assert stats["tx"]["packets"] >= 20


def test_the_row_of_a_tap(client: Client, netns: Namespace) -> None:
    shown = row(client)
    assert shown["flags"] == ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]
    assert shown["operstate"] == "UP"
    assert shown["link_type"] == "ether"
    assert shown["broadcast"] == "ff:ff:ff:ff:ff:ff"
    assert shown["linkinfo"]["info_kind"] == "tap"
    assert shown["linkinfo"]["info_data"]["netns"] == netns.name
    # The same keys as the kernel's own tool, for those that we have.
    theirs = json.loads(netns.run("ip", "-d", "-j", "-s", "link", "show", "tap0").stdout)[0]
    ours = row(client, stats=True)
    assert set(ours) <= set(theirs)
    assert {way: set(stats) for way, stats in ours["stats64"].items()} == {
        way: set(stats) for way, stats in theirs["stats64"].items()
    }


@pytest.mark.parametrize(
    ("offload", "shown"), [("on", (True, ["csum", "tso", "uso"])), ("off", (False, []))]
)
def test_offloads_are_agreed_on_or_not_wanted(
    client: Client, netns: Namespace, offload: str, shown: tuple[bool, list[str]]
) -> None:
    client.call("link.add", name="tap1", type="tap", netns=netns.name, offload=offload)
    info = client.call("link.show", dev="tap1")[0]["linkinfo"]["info_data"]
    assert (info["vnet_hdr"], info["offload"]) == shown


def test_offload_is_on_or_off(client: Client) -> None:
    with pytest.raises(RemoteError, match="offload"):
        client.call("link.add", name="tap1", type="tap", offload="some")
    with pytest.raises(RemoteError, match='type loopback has no "offload"'):
        client.call("link.add", name="lo1", type="loopback", offload="off")


def test_carrier_follows_the_kernels_side(client: Client, netns: Namespace) -> None:
    netns.run("ip", "link", "set", "tap0", "down", check=True)
    wait_until(lambda: row(client)["operstate"] == "DOWN", "the loss of the carrier")
    assert row(client)["flags"] == ["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"]
    netns.run("ip", "link", "set", "tap0", "up", check=True)
    wait_until(lambda: row(client)["operstate"] == "UP", "the carrier")
    assert " 0% packet loss" in netns.run("ping", "-c", "1", "-W", "2", "10.9.0.1").stdout


def test_a_link_deleted_under_the_daemon_does_not_make_it_spin(
    client: Client, netns: Namespace
) -> None:
    from tests.daemon.test_server import cpu_ticks, state

    netns.run("ip", "link", "del", "tap0", check=True)
    assert row(client)["operstate"] == "NOTPRESENT"
    ticks = cpu_ticks(client.pid)
    wait_until(lambda: state(client.pid) == "S", "the daemon to sleep")
    assert cpu_ticks(client.pid) - ticks <= 1
    client.call("link.del", dev="tap0")
    client.call("link.add", name="tap0", type="tap", netns=netns.name, host="10.9.0.2/24")
    assert row(client)["operstate"] == "UP"


def test_stop_takes_the_tap_along_unless_it_persists(
    client: Client, netns: Namespace, home: Home
) -> None:
    client.call("link.add", name="tap1", type="tap", netns=netns.name, persist=True)
    stop_daemon()
    assert netns.run("ip", "link", "show", "tap0").returncode != 0
    assert netns.run("ip", "link", "show", "tap1").returncode == 0
    again = home.connect()
    again.call("link.add", name="tap1", type="tap", netns=netns.name)
    assert again.call("link.show", dev="tap1")[0]["operstate"] == "UP"


def test_a_busy_tap_changes_nothing(client: Client, netns: Namespace, home: Home) -> None:
    other = home.connect("other")
    before = other.call("link.show")
    with pytest.raises(RemoteError) as caught:
        other.call("link.add", name="tap0", type="tap", netns=netns.name)
    assert caught.value.errno_name == "EBUSY"
    assert other.call("link.show") == before
    assert row(client)["operstate"] == "UP"


def test_the_two_ends_need_two_addresses(client: Client, netns: Namespace) -> None:
    theirs = json.loads(netns.run("ip", "-j", "link", "show", "tap0").stdout)[0]["address"]
    before = row(client)
    with pytest.raises(RemoteError, match="the kernel's side of tap0"):
        client.call("link.set", dev="tap0", address=theirs, mtu=1400)
    with pytest.raises(RemoteError, match="65535"):
        client.call("link.set", dev="tap0", address="02:00:00:00:00:0b", mtu=65535)
    assert row(client) == before
    client.call("link.set", dev="tap0", address="02:00:00:00:00:0b", mtu=1400)
    assert (row(client)["address"], row(client)["mtu"]) == ("02:00:00:00:00:0b", 1400)
