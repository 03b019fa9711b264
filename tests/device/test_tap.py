"""A TAP by itself, without a stack; the kernel is the other end.

Each test has a network namespace of its own, which the device is put into by name.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smolctl.device import DeviceGone, random_mac
from smolctl.device.tap import TapDevice
from smolctl.errors import DeviceError
from tests.kit.netns import Namespace, unique_device
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns

MAC = bytes.fromhex("02000000000a")
Opener = Callable[..., TapDevice]


@pytest.fixture
def opener(netns: Namespace) -> Iterator[Opener]:
    opened: list[TapDevice] = []

    def open_it(name: str = "tap0", **options: Any) -> TapDevice:
        opened.append(TapDevice(name, netns=netns.name, **options))
        return opened[-1]

    yield open_it
    for device in opened:
        device.close(delete=True)


def link(netns: Namespace, name: str = "tap0") -> dict[str, Any] | None:
    shown = netns.run("ip", "-d", "-j", "addr", "show", "dev", name)
    if shown.returncode:
        return None
    row: dict[str, Any] = json.loads(shown.stdout)[0]
    return row


def frames(device: TapDevice, ethertype: int) -> list[bytes]:
    wanted = ethertype.to_bytes(2, "big")
    received = [data[device.headroom :] for data in device.receive(64)]
    return [frame for frame in received if frame[12:14] == wanted]


def wait_for_frame(device: TapDevice, ethertype: int) -> bytes:
    found: list[bytes] = []

    def look() -> bool:
        found.extend(frames(device, ethertype))
        return bool(found)

    wait_until(look, f"a frame of type 0x{ethertype:04x}")
    return found[0]


def test_a_new_tap_is_there_up_and_goes_with_its_device(netns: Namespace, opener: Opener) -> None:
    device = opener()
    row = link(netns)
    assert row is not None
    assert "UP" in row["flags"]
    assert row["txqlen"] == 1024
    assert device.carrier() is True
    assert device.mtu == 1500
    assert device.mac != bytes.fromhex(row["address"].replace(":", ""))
    device.close()
    device.close()
    assert link(netns) is None


def test_the_kernels_side_gets_its_address(netns: Namespace, opener: Opener) -> None:
    device = opener(host=("10.9.0.2", 24))
    row = link(netns)
    assert row is not None
    assert [(a["local"], a["prefixlen"]) for a in row["addr_info"] if a["family"] == "inet"] == [
        ("10.9.0.2", 24)
    ]
    details = device.details()
    assert (details["type"], details["pi"], details["persist"]) == ("tap", False, False)
    assert (details["netns"], details["host"]) == (netns.name, "10.9.0.2/24")


def test_frames_cross_both_ways(netns: Namespace, opener: Opener) -> None:
    device = opener(host=("10.9.0.2", 24), mac=MAC)
    ping = netns.popen("ping", "-c", "1", "-W", "5", "10.9.0.1")
    request = wait_for_frame(device, 0x0806)
    assert request[:6] == b"\xff" * 6
    assert request[38:42] == bytes([10, 9, 0, 1])
    kernel = request[6:12]
    reply = kernel + MAC + request[12:20] + b"\0\2" + MAC + request[38:42] + request[22:32]
    device.transmit(reply)
    wait_for_frame(device, 0x0800)
    neighbor = netns.run("ip", "neigh", "show", "10.9.0.1").stdout
    assert "02:00:00:00:00:0a" in neighbor
    ping.close()


def test_a_batch_is_taken_whole(netns: Namespace, opener: Opener) -> None:
    device = opener()
    frame = b"\xff" * 6 + MAC + b"\x88\xb5" + bytes(46)
    assert device.transmit_batch([frame] * 100) == 100
    row = json.loads(netns.run("ip", "-s", "-j", "link", "show", "tap0").stdout)[0]
    assert row["stats64"]["rx"]["packets"] >= 100


def test_receive_takes_no_more_than_asked(netns: Namespace, opener: Opener) -> None:
    device = opener(host=("10.9.0.2", 24))
    netns.run("ip", "neigh", "add", "10.9.0.1", "lladdr", MAC.hex(":"), "dev", "tap0", check=True)
    netns.run("ping", "-c", "5", "-i", "0.002", "-W", "0.01", "10.9.0.1")
    assert len(device.receive(3)) == 3
    assert len(device.receive(64)) >= 2
    assert device.receive(64) == []


def test_the_kernels_side_down_and_up(netns: Namespace, opener: Opener) -> None:
    device = opener()
    watch = device.watch_fileno()
    assert watch is not None
    device.carrier()
    netns.run("ip", "link", "set", "tap0", "down", check=True)
    assert readable(watch)
    assert device.carrier() is False
    assert not readable(watch)
    frame = b"\xff" * 6 + MAC + b"\x88\xb5" + bytes(46)
    assert device.transmit_batch([frame]) == 0
    with pytest.raises(OSError, match="Input/output error"):
        device.transmit(frame)
    device.receive(64)  # what the kernel sent while it was up
    assert device.receive(64) == []
    assert not readable(device.fileno())  # nothing to spin on
    netns.run("ip", "link", "set", "tap0", "up", check=True)
    assert readable(watch)
    assert device.carrier() is True
    device.transmit(frame)


def readable(fd: int) -> bool:
    import select

    return bool(select.select([fd], [], [], 0)[0])


def test_deleted_under_us(netns: Namespace, opener: Opener) -> None:
    device = opener()
    netns.run("ip", "link", "del", "tap0", check=True)
    with pytest.raises(DeviceGone):
        device.receive(64)
    with pytest.raises(DeviceGone):
        device.carrier()
    with pytest.raises(DeviceGone):
        device.transmit(bytes(60))
    assert device.transmit_batch([bytes(60)]) == 0


def test_renamed_and_moved_under_us(netns: Namespace, opener: Opener) -> None:
    device = opener()
    netns.run("ip", "link", "set", "tap0", "down", check=True)
    netns.run("ip", "link", "set", "tap0", "name", "other", check=True)
    assert device.carrier() is False
    netns.run("ip", "link", "set", "other", "up", check=True)
    assert device.carrier() is True
    netns.run("ip", "link", "set", "other", "netns", "1", check=True)
    assert device.carrier() is None
    device.close()


def test_a_tap_of_somebody_else_stays(netns: Namespace, opener: Opener) -> None:
    netns.run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap", check=True)
    netns.run("ip", "link", "set", "tap0", "mtu", "9000", check=True)
    device = opener()
    assert device.mtu == 9000
    assert device.carrier() is False  # its owner sets it up
    assert device.details()["persist"] is True
    device.set_mtu(1400)
    device.close(delete=True)
    row = link(netns)
    assert row is not None
    assert row["mtu"] == 9000


def test_persist_outlives_the_device_but_not_its_deletion(netns: Namespace, opener: Opener) -> None:
    opener(persist=True).close()
    assert link(netns) is not None
    netns.run("ip", "link", "del", "tap0", check=True)
    opener(persist=True).close(delete=True)
    assert link(netns) is None


def test_our_tap_has_one_mtu_on_both_sides(netns: Namespace, opener: Opener) -> None:
    device = opener(mtu=9000)
    device.set_mtu(1280)
    row = link(netns)
    assert row is not None
    assert row["mtu"] == device.mtu == 1280
    with pytest.raises(DeviceError, match="does not accept mtu 65535"):
        device.set_mtu(65535)
    assert device.mtu == 1280


def test_one_that_exists_here_is_moved_there(netns: Namespace, opener: Opener) -> None:
    name = unique_device()
    subprocess.run(["ip", "tuntap", "add", "dev", name, "mode", "tap"], check=True)
    try:
        device = opener(name, host=("10.9.0.2", 24))
        row = link(netns, name)
        assert row is not None
        assert "UP" in row["flags"]
        assert device.carrier() is True
    finally:
        netns.run("ip", "link", "del", name)
        subprocess.run(["ip", "link", "del", name], check=False, stderr=subprocess.DEVNULL)


def test_busy(netns: Namespace, opener: Opener) -> None:
    opener()
    refused(opener, "another process has it open", "EBUSY")


def test_no_tap(netns: Namespace, opener: Opener) -> None:
    netns.run("ip", "link", "add", "tap0", "type", "bridge", check=True)
    refused(opener, "is not a TAP", "EINVAL")


def test_the_kernels_mac_is_taken(netns: Namespace, opener: Opener) -> None:
    netns.run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap", check=True)
    netns.run("ip", "link", "set", "tap0", "address", MAC.hex(":"), check=True)
    refused(opener, "is the address of the kernel's side", None, mac=MAC)
    opener(mac=bytes([*MAC[:5], MAC[5] + 1]))  # and it was closed


def test_what_fails_half_way_leaves_nothing(netns: Namespace, opener: Opener) -> None:
    refused(opener, "does not accept mtu 65535", None, mtu=65535, persist=True)
    assert link(netns) is None
    refused(opener, "cannot give the kernel's side", None, host=("10.9.0.2", 99))
    assert link(netns) is None


def refused(opener: Opener, says: str, errno_name: str | None, **options: Any) -> None:
    with pytest.raises(DeviceError) as caught:
        opener(**options)
    assert says in caught.value.message
    assert caught.value.errno_name == errno_name
    assert "\n" not in caught.value.message
    assert caught.value.hint is not None


def test_no_such_namespace_lists_those_that_are(netns: Namespace) -> None:
    with pytest.raises(DeviceError) as caught:
        TapDevice("tap0", netns="no-such")
    assert '"no-such"' in caught.value.message
    assert netns.name in caught.value.message


def test_no_permission_tells_the_commands() -> None:
    code = (
        "import os\n"
        "from smolctl.device.tap import TapDevice\n"
        "from smolctl.errors import DeviceError\n"
        "os.setgroups([]); os.setgid(12345); os.setuid(12345)\n"
        "try: TapDevice('noperm0')\n"
        "except DeviceError as error: print(error.errno_name, error.hint)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # EACCES where /dev/net/tun itself is closed to others.
    assert ran.stdout.split(" ", 1)[0] in ("EPERM", "EACCES")
    assert "sudo ip tuntap add dev noperm0 mode tap user $USER" in ran.stdout


def test_nothing_is_left_open(netns: Namespace) -> None:
    before = sorted(os.listdir("/proc/self/fd")), children()
    for _ in range(3):
        TapDevice("tap0", netns=netns.name, host=("10.9.0.2", 24)).close()
        with pytest.raises(DeviceError):
            TapDevice("tap0", netns=netns.name, mtu=65535)
    assert (sorted(os.listdir("/proc/self/fd")), children()) == before


def children() -> str:
    """Return the processes that were started here and have not been waited for."""
    return Path(f"/proc/self/task/{threading.main_thread().native_id}/children").read_text()


def test_we_stay_in_our_namespace(netns: Namespace, opener: Opener) -> None:
    before = os.stat("/proc/self/ns/net").st_ino
    opener(host=("10.9.0.2", 24))
    assert os.stat("/proc/self/ns/net").st_ino == before
    assert "tap0" not in [name for _, name in socket.if_nameindex()]


def test_random_addresses_are_local_and_unicast() -> None:
    for _ in range(100):
        mac = random_mac()
        assert len(mac) == 6
        assert mac[0] & 3 == 2
