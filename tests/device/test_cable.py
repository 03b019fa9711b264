"""A cable between devices of this process, without a stack."""

import errno
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from smolctl.device.cable import RETRY_MOST_NS, CableDevice
from smolctl.device.connection import QUEUE_FRAMES
from smolctl.errors import DeviceError
from tests.device.kit import Driver, frame, readable

pytestmark = pytest.mark.usefixtures("descriptors")

Plug = Callable[..., Driver]


@pytest.fixture
def plug(directory: Path) -> Iterator[Plug]:
    """Plug in any number of ends; all are unplugged."""
    with ExitStack() as stack:

        def make(cable: str = "c1", **options: Any) -> Driver:
            device = CableDevice("eth0", cable=cable, directory=str(directory / cable), **options)
            return Driver(stack.enter_context(closing(device)))

        yield make


def settle(*drivers: Driver) -> None:
    for _ in range(3):
        for driver in drivers:
            driver.settle()


def ends(driver: Driver) -> int:
    count: int = driver.device.details()["ends"]
    return count


def test_two_ends_exchange_frames(plug: Plug) -> None:
    a = plug()
    assert not a.up()
    b = plug()
    settle(a, b)
    assert a.up()
    assert b.up()
    a.device.transmit(frame(1))
    assert b.device.transmit_batch([frame(2), frame(3, 1514)]) == 2
    settle(a, b)
    assert (a.frames, b.frames) == ([frame(2), frame(3, 1514)], [frame(1)])


def test_three_ends_are_a_hub(plug: Plug) -> None:
    drivers = [plug() for _ in range(3)]
    settle(*drivers)
    assert [ends(driver) for driver in drivers] == [3, 3, 3]
    for number, driver in enumerate(drivers):
        assert driver.device.transmit_batch([frame(number)] * 2) == 2
    settle(*drivers)
    for number, driver in enumerate(drivers):
        others = [other for other in range(3) if other != number]
        assert sorted(driver.frames) == sorted([frame(other) for other in others] * 2)


def test_cables_of_different_names_are_apart(plug: Plug) -> None:
    a, b = plug("c1"), plug("c2")
    settle(a, b)
    assert not a.up()
    assert not b.up()
    with pytest.raises(OSError, match="nobody") as caught:
        a.device.transmit(frame(1))
    assert caught.value.errno == errno.EIO
    assert a.device.transmit_batch([frame(1)]) == 0


def test_the_carrier_goes_with_the_last_other_end(plug: Plug) -> None:
    a, b, c = plug(), plug(), plug()
    settle(a, b, c)
    b.device.close()
    settle(a, c)
    assert a.up()
    c.device.close()
    settle(a)
    assert not a.up()
    assert ends(a) == 1
    d = plug()
    settle(a, d)
    assert a.up()
    assert a.reports == [f"cable c1 has {count} ends" for count in (2, 3, 2, 1, 2)]


def test_the_directory_goes_with_the_last_end(plug: Plug, directory: Path) -> None:
    a, b = plug(), plug()
    a.device.close()
    assert len(list((directory / "c1").iterdir())) == 1
    b.device.close()
    assert list(directory.iterdir()) == []


def test_an_end_that_was_killed_is_unplugged_and_leaves_no_ghost(
    plug: Plug, directory: Path
) -> None:
    a = plug()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        CableDevice("eth0", cable="c1", directory=str(directory / "c1"))
        os.write(writer, b"x")
        signal.pause()
        os._exit(0)
    assert os.read(reader, 1) == b"x"
    os.close(reader)
    os.close(writer)
    settle(a)
    assert a.up()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    settle(a)
    assert not a.up()
    assert len(list((directory / "c1").iterdir())) == 2
    b = plug()
    settle(a, b)
    assert (ends(a), ends(b)) == (2, 2)
    assert len(list((directory / "c1").iterdir())) == 2


def test_an_end_that_does_not_read_stops_nobody_else(plug: Plug) -> None:
    a, slow, quick = plug(), plug(), plug()
    settle(a, slow, quick)
    batch = [frame(number, 1514) for number in range(100)]
    for _ in range(40):
        assert a.device.transmit_batch(batch) == 100
        settle(a, quick)
    assert len(quick.frames) == 4000
    details = a.device.details()
    assert details["missed"] > 0
    assert 1000 * 1518 <= details["queued"] <= QUEUE_FRAMES * 1518
    while a.device.details()["queued"]:
        settle(a, slow)
    settle(slow)
    assert len(slow.frames) + details["missed"] == 4000
    assert slow.frames == (batch * 40)[: len(slow.frames)]


def test_the_only_other_end_does_not_read(plug: Plug) -> None:
    a, b = plug(), plug()
    settle(a, b)
    while a.device.transmit_batch([frame(1, 1514)]):
        pass
    with pytest.raises(BlockingIOError):
        a.device.transmit(frame(1))
    assert a.up()
    assert a.device.details()["missed"] == 0


def test_ends_that_come_at_the_same_time_come_one_after_the_other(
    plug: Plug, directory: Path
) -> None:
    (directory / "c1").mkdir()
    other = os.open(directory / "c1", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    a = plug()
    a.wait(10 * RETRY_MOST_NS)
    assert list((directory / "c1").iterdir()) == []
    os.close(other)
    a.wait(RETRY_MOST_NS)
    b = plug()
    settle(a, b)
    assert (ends(a), ends(b)) == (2, 2)


def test_a_directory_that_is_not_ours_any_more_is_tried_again(plug: Plug, directory: Path) -> None:
    (directory / "c1").mkdir()
    other = os.open(directory / "c1", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    a = plug()
    os.close(other)
    (directory / "c1").rmdir()
    (directory / "c1").write_text("")
    a.wait(RETRY_MOST_NS)
    assert "Not a directory" in a.reports[-1]
    (directory / "c1").unlink()
    a.wait(2 * RETRY_MOST_NS)
    b = plug()
    settle(a, b)
    assert a.up()


def test_an_end_whose_backlog_is_full_is_awaited(plug: Plug, directory: Path) -> None:
    (directory / "c1").mkdir()
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as filler:
        busy.bind(str(directory / "c1" / "busy"))
        busy.listen(0)
        filler.connect(str(directory / "c1" / "busy"))
        a = plug()
        a.wait(RETRY_MOST_NS)
        assert not a.up()
        busy.accept()[0].close()
        a.wait(RETRY_MOST_NS)
        assert a.up()
        busy.accept()[0].close()
        settle(a)
    assert not a.up()
    assert not readable(a.device.fileno())


def test_garbage_unplugs_the_end_that_sent_it(plug: Plug, directory: Path) -> None:
    a = plug()
    (path,) = (directory / "c1").iterdir()
    with socket.socket(socket.AF_UNIX) as hostile:
        hostile.connect(str(path))
        settle(a)
        assert a.up()
        hostile.sendall(b"\xff" * 4)
        settle(a)
        assert not a.up()
    assert "a frame of 4294967295 bytes" in a.reports[-1]


def test_a_directory_that_will_not_do_is_refused(directory: Path) -> None:
    (directory / "file").write_text("")
    for place, says in ((directory / "file", "Not a directory"), (directory / "a/b", "No such")):
        with pytest.raises(DeviceError, match=says) as caught:
            CableDevice("eth0", cable="c1", directory=str(place))
        assert caught.value.hint
    with pytest.raises(DeviceError, match="at most 107"):
        CableDevice("eth0", cable="c1", directory="/tmp/" + "x" * 100)
