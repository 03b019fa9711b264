"""Ethernet over datagrams, without a stack: the other end is a socket, or another device."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from smolctl.device.dgram import PROBE_NS, QUEUE_FRAMES, DgramDevice
from smolctl.device.stream import RETRY_MOST_NS
from smolctl.errors import DeviceError
from tests.device.kit import Driver, frame, readable
from tests.kit.process import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("descriptors")

Plug = Callable[[str, str], Driver]


@pytest.fixture
def plug(directory: Path) -> Iterator[Plug]:
    """Make devices from the names of their sockets."""
    with ExitStack() as stack:

        def make(local: str, remote: str) -> Driver:
            device = DgramDevice(
                "eth0", local=str(directory / local), remote=str(directory / remote)
            )
            return Driver(stack.enter_context(closing(device)))

        yield make


@pytest.fixture
def qemu(directory: Path) -> Iterator[socket.socket]:
    """Bind a socket that sends without connecting, as QEMU's does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind(str(directory / "qemu"))
        opened.settimeout(PATIENCE_SECONDS)
        yield opened


def test_frames_cross_both_ways(plug: Plug, qemu: socket.socket, directory: Path) -> None:
    driver = plug("ours", "qemu")
    assert driver.up()
    qemu.sendto(frame(1, 1514), str(directory / "ours"))
    assert driver.until(1) == [frame(1, 1514)]
    driver.device.transmit(frame(2))
    assert driver.device.transmit_batch([frame(3), frame(4)]) == 2
    assert [qemu.recv(2000) for _ in range(3)] == [frame(2), frame(3), frame(4)]


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_two_devices_whichever_is_first(plug: Plug, order: str) -> None:
    first, second = (plug(end, "ba"["ab".index(end)]) for end in order)
    assert not first.up()
    first.wait(RETRY_MOST_NS)
    second.wait(RETRY_MOST_NS)
    assert first.up()
    assert second.up()
    first.device.transmit_batch([frame(number, 1514) for number in range(50)])
    second.device.transmit(frame(99))
    first.settle()
    second.settle()
    assert second.frames == [frame(number, 1514) for number in range(50)]
    assert first.frames == [frame(99)]


def test_whoever_speaks_is_there(plug: Plug, directory: Path) -> None:
    driver = plug("ours", "qemu")
    driver.settle()
    assert not driver.up()
    with pytest.raises(OSError, match="nobody") as caught:
        driver.device.transmit(frame(1))
    assert caught.value.errno == errno.EIO
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as late:
        late.bind(str(directory / "qemu"))
        late.sendto(frame(1), str(directory / "ours"))
        driver.settle()
        assert driver.up()
        assert driver.frames == [frame(1)]


def test_an_end_that_goes_away_is_missed_within_a_second_and_found_again(
    plug: Plug, directory: Path
) -> None:
    driver = plug("ours", "qemu")
    for number in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
            peer.bind(str(directory / "qemu"))
            driver.wait(RETRY_MOST_NS)
            assert driver.up()
            driver.device.transmit(frame(number))
            assert peer.recv(100) == frame(number)
        if number == 1:
            os.unlink(directory / "qemu")
        driver.wait(PROBE_NS)
        assert not driver.up()
        if number != 1:
            os.unlink(directory / "qemu")


def test_sending_to_an_end_that_is_gone_notices_at_once(plug: Plug, qemu: socket.socket) -> None:
    driver = plug("ours", "qemu")
    qemu.close()
    assert driver.device.transmit_batch([frame(1)]) == 0
    driver.settle()
    assert not driver.up()


def test_a_probe_finds_the_one_that_took_its_place(plug: Plug, directory: Path) -> None:
    driver = plug("a", "b")
    for _ in range(2):
        other = plug("b", "a")
        driver.wait(RETRY_MOST_NS)
        other.wait(RETRY_MOST_NS)
        assert driver.up()
        assert other.up()
        other.device.transmit(frame(1))
        driver.settle()
        assert driver.frames.pop() == frame(1)
        other.device.close()


def test_an_end_that_does_not_read_fills_a_bounded_queue(plug: Plug, qemu: socket.socket) -> None:
    driver = plug("ours", "qemu")
    taken = 0
    while driver.device.transmit_batch([frame(taken)]):
        taken += 1
    with pytest.raises(BlockingIOError):
        driver.device.transmit(frame(1))
    assert QUEUE_FRAMES <= taken < QUEUE_FRAMES + 1000
    assert driver.device.details()["queued"] == 60 * QUEUE_FRAMES
    for number in range(taken):
        assert qemu.recv(2000) == frame(number)
        driver.settle()
    assert driver.device.details()["queued"] == 0
    assert not readable(driver.device.fileno())


def test_a_big_frame_and_what_is_none(plug: Plug, qemu: socket.socket, directory: Path) -> None:
    driver = plug("ours", "qemu")
    big = frame(1, 65553)
    driver.device.transmit(big)
    assert qemu.recv(100_000) == big
    for data in (b"", bytes(13), big):
        qemu.sendto(data, str(directory / "ours"))
    assert driver.until(1) == [big]
    assert driver.device.details()["bad_frames"] == 2
    with pytest.raises(OSError, match="shorter") as caught:
        driver.device.transmit(bytes(13))
    assert caught.value.errno == errno.EINVAL


def test_the_socket_goes_with_the_device(plug: Plug, directory: Path) -> None:
    driver = plug("ours", "qemu")
    assert (directory / "ours").stat().st_mode & 0o777 == 0o600
    driver.device.close()
    assert list(directory.iterdir()) == []


def test_a_place_that_will_never_do_is_refused(
    plug: Plug, qemu: socket.socket, directory: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "stream"))
        listener.listen()
        with pytest.raises(DeviceError, match="not a datagram socket"):
            plug("ours", "stream")
    with pytest.raises(DeviceError, match="another process"):
        plug("qemu", "other")
    with pytest.raises(DeviceError, match="at most 107"):
        plug("ours", "x" * 100)
    assert not (directory / "ours").exists()
