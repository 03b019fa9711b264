"""Sockets with a name in the file system, through the device that makes them."""

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from smolctl.errors import DeviceError
from tests.device.kit import LOCAL_TCP, Listener, Opener, dial, free_port

pytestmark = pytest.mark.usefixtures("descriptors")


def test_the_socket_is_its_owners_alone_and_goes_with_the_device(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
    driver.device.close()
    driver.device.close()
    assert not os.path.exists(path)


def test_a_dead_processs_socket_is_taken_over(path: str, opener: Opener) -> None:
    Listener(path).socket.close()
    assert os.path.exists(path)
    opener(listen=path)
    dial(path).close()


def test_a_live_socket_is_never_taken_over(path: str, opener: Opener) -> None:
    with Listener(path):
        with pytest.raises(DeviceError, match="another process has this socket open") as caught:
            opener(listen=path)
        assert caught.value.errno_name == "EADDRINUSE"
        dial(path).close()


def test_another_file_that_took_our_place_is_left_alone(path: str, opener: Opener) -> None:
    driver = opener(listen=path)
    os.unlink(path)
    with Listener(path):
        driver.device.close()
        dial(path).close()


def bad_places(directory: Path) -> dict[str, tuple[dict[str, Any], str]]:
    (directory / "file").write_text("")
    (directory / "open").mkdir()
    (directory / "open").chmod(0o777)
    busy = Listener(LOCAL_TCP)
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.bind(str(directory / "dgram"))
    held.extend((busy.socket, datagrams))
    return {
        "long": ({"listen": f"/tmp/{'x' * 103}"}, "has 108 bytes"),
        "long client": ({"connect": f"/tmp/{'x' * 103}"}, "has 108 bytes"),
        "no directory": ({"listen": f"{directory}/no/x"}, "there is no directory"),
        "in a file": ({"listen": f"{directory}/file/x"}, "is not a directory"),
        "no socket": ({"listen": f"{directory}/file"}, "is not a socket"),
        "to no socket": ({"connect": f"{directory}/file"}, "cannot connect"),
        "others write": ({"listen": f"{directory}/open/x"}, "others may write"),
        "port": ({"listen": busy.address}, "another process listens there"),
        "datagrams": ({"connect": f"{directory}/dgram"}, "not a stream socket"),
        "on datagrams": ({"listen": f"{directory}/dgram"}, "another process"),
    }


held: list[socket.socket] = []
PLACES = ("long", "long client", "no directory", "in a file", "no socket", "others write", "port",
          "datagrams", "on datagrams")  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_will_never_do_is_refused(place: str, directory: Path, opener: Opener) -> None:
    options, says = bad_places(directory)[place]
    try:
        with pytest.raises(DeviceError) as caught:
            opener(**options)
    finally:
        while held:
            held.pop().close()
    assert says in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.hint


def test_mac_and_mtu(path: str, opener: Opener) -> None:
    device = opener(connect=path, mac=b"\2\0\0\0\0\1", mtu=9000).device
    assert (device.mac, device.mtu) == (b"\2\0\0\0\0\1", 9000)
    device.set_mtu(1400)
    device.check_mac(b"\2\0\0\0\0\2")
    assert device.mtu == 1400
    other = opener(connect=path).device
    assert other.mtu == 1500
    assert other.mac[0] & 3 == 2
    assert other.details()["connect"] == path
    assert opener(listen=("127.0.0.1", free_port())).device.details()["listen"].startswith("tcp:")
