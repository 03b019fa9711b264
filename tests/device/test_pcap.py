"""A capture file as a link, without a stack."""

import io
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from smolctl.capture import Record, reader
from smolctl.capture.pcapng import Writer
from smolctl.device.pcap import PcapDevice
from smolctl.errors import DeviceError
from tests.device.kit import Driver, frame, readable
from tests.kit.clock import MILLISECOND_NS, SECOND_NS

pytestmark = pytest.mark.usefixtures("descriptors")

Play = Callable[..., Driver]
MAC = b"\2\0\0\0\0\x0a"
EPOCH_NS = 1_700_000_000 * SECOND_NS


@pytest.fixture
def play() -> Iterator[Play]:
    with ExitStack() as stack:
        yield lambda **options: Driver(
            stack.enter_context(closing(PcapDevice("p0", mac=MAC, **options)))
        )


def record(at_ns: int, data: bytes, **more: Any) -> Record:
    fields = {"ethernet": True, "dev": "x", "direction": "", "length": len(data), **more}
    return Record(EPOCH_NS + at_ns, data, **fields)


def written(path: Path, *records: Record, raw: bool = False) -> str:
    writer = Writer(raw=raw)
    blocks = [writer.header(), *(writer.packet(item) for item in records), writer.end()]
    path.write_bytes(b"".join(blocks))
    return str(path)


@pytest.mark.parametrize("speed", [1.0, 2.0, 0.5])
def test_packets_come_as_far_apart_as_they_did(tmp_path: Path, play: Play, speed: float) -> None:
    times = [0, 10, 10, 35]
    items = [record(at * MILLISECOND_NS, frame(n)) for n, at in enumerate(times)]
    driver = play(read=written(tmp_path / "x", *items), speed=speed)
    assert not readable(driver.device.fileno())  # not before it is told to begin
    began = driver.clock.now
    arrivals: list[int] = []
    driver.settle()
    while len(driver.frames) < 4:
        arrivals += [driver.clock.now - began] * (len(driver.frames) - len(arrivals))
        driver.clock.advance_to(driver.device.deadline() or 0)
        driver.settle()
    arrivals += [driver.clock.now - began] * (4 - len(arrivals))
    assert arrivals == [at * MILLISECOND_NS / speed for at in times]
    assert driver.frames == [frame(n) for n in range(4)]
    assert driver.device.deadline() is None
    assert driver.device.details()["done"]
    assert driver.reports == [f"played {tmp_path / 'x'} to its end"]
    assert not readable(driver.device.fileno())


def test_fast_is_as_fast_as_frames_are_taken(tmp_path: Path, play: Play) -> None:
    items = [record(n * SECOND_NS, frame(n)) for n in range(100)]
    driver = play(read=written(tmp_path / "x", *items), speed=None)
    assert driver.device.receive(10) == []
    driver.device.turn(driver.clock.now)
    assert driver.device.receive(10) == [frame(n) for n in range(10)]
    driver.settle()
    assert len(driver.frames) == 90
    assert not readable(driver.device.fileno())


def test_time_that_goes_back_in_the_file_stands_still(tmp_path: Path, play: Play) -> None:
    items = [record(at, frame(at)) for at in (50, 10, 60)]
    driver = play(read=written(tmp_path / "x", *items))
    driver.settle()
    assert driver.frames == [frame(50), frame(10)]
    driver.wait(10)
    assert driver.frames[2:] == [frame(60)]


def test_only_what_came_in_whole_is_played(tmp_path: Path, play: Play) -> None:
    items = [
        record(0, frame(0), direction="in"),
        record(0, frame(1), direction="out"),
        record(0, frame(3), length=2000),
        record(0, bytes(13)),
        record(0, frame(5)),
    ]
    driver = play(read=written(tmp_path / "x", *items))
    told: list[tuple[bytes, int]] = []
    assert isinstance(driver.device, PcapDevice)
    driver.device.on_snapped = lambda data, length: told.append((data, length))
    driver.settle()
    assert driver.frames == [frame(0), frame(5)]
    assert told == [(frame(3), 2000)]
    details = driver.device.details()
    assert (details["played"], details["skipped"]) == (2, 2)


def test_raw_ip_gets_link_addresses(tmp_path: Path, play: Play) -> None:
    four, six = b"\x45" + bytes(19), b"\x60" + bytes(39)
    items = [record(0, data, ethernet=False) for data in (four, six)]
    driver = play(read=written(tmp_path / "x", *items, raw=True))
    driver.settle()
    peer = b"\2\0\0\0\0\1"
    assert driver.frames == [MAC + peer + b"\x08\0" + four, MAC + peer + b"\x86\xdd" + six]


def test_what_is_sent_is_recorded(tmp_path: Path, play: Play) -> None:
    path = tmp_path / "out"
    driver = play(write=str(path))
    driver.device.transmit(frame(1))
    assert driver.device.transmit_batch([frame(2), frame(3)]) == 2
    assert driver.device.details() == {"write": str(path), "recorded": 3}
    assert driver.up()
    with pytest.raises(OSError, match="shorter"):
        driver.device.transmit(bytes(13))
    driver.device.close()
    records = list(reader.read(io.BytesIO(path.read_bytes())))
    assert [item.frame for item in records] == [frame(1), frame(2), frame(3)]
    assert {(item.dev, item.direction) for item in records} == {("p0", "out")}


def test_a_full_disk_ends_the_record_and_not_the_link(tmp_path: Path, play: Play) -> None:
    with pytest.raises(DeviceError, match="No space"):
        play(write="/dev/full")
    driver = play(write=str(tmp_path / "out"))
    full = os.open("/dev/full", os.O_WRONLY)
    opened = next(fd for fd in os.listdir("/proc/self/fd") if is_file(fd, tmp_path / "out"))
    os.dup2(full, int(opened))
    os.close(full)
    assert driver.device.transmit_batch([frame(1)]) == 1
    assert driver.device.transmit_batch([frame(2)]) == 1
    assert driver.device.details()["recorded"] == 0
    assert driver.reports == [f"no longer recorded in {tmp_path / 'out'}: No space left on device"]


def is_file(fd: str, path: Path) -> bool:
    with suppress(OSError):
        return os.readlink(f"/proc/self/fd/{fd}") == str(path)
    return False


def test_a_damaged_file_is_played_as_far_as_it_goes(tmp_path: Path, play: Play) -> None:
    path = tmp_path / "x"
    written(path, *(record(0, frame(n)) for n in range(3)))
    path.write_bytes(path.read_bytes()[:-70])
    driver = play(read=str(path))
    driver.settle()
    assert 1 <= len(driver.frames) < 3
    assert "stopped playing" in driver.reports[-1]


def test_an_empty_capture_plays_nothing(tmp_path: Path, play: Play) -> None:
    driver = play(read=written(tmp_path / "x"))
    driver.settle()
    assert driver.frames == []
    assert driver.device.details()["done"]
    assert driver.reports == [f"played {tmp_path / 'x'} to its end"]


def test_a_file_of_which_nothing_is_played_says_so_once(tmp_path: Path, play: Play) -> None:
    driver = play(read=written(tmp_path / "x", record(0, frame(1), direction="out")))
    driver.settle()
    driver.settle()
    assert driver.reports == [f"played {tmp_path / 'x'} to its end"]


def test_a_cooked_capture_gets_the_addresses_that_it_does_not_say(
    tmp_path: Path, play: Play
) -> None:
    peer, packet = bytes.fromhex("02000000000b"), b"\x45" + bytes(19)
    cooked = struct.pack("!HHH8sH", 0, 1, 6, peer + b"\0\0", 0x0800) + packet
    unsaid = struct.pack("!HHH8sH", 0, 772, 0, bytes(8), 0x0800) + packet
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 113)
    blocks = [struct.pack("<IIII", 1, 0, len(each), len(each)) + each for each in (cooked, unsaid)]
    (tmp_path / "x").write_bytes(head + b"".join(blocks))
    driver = play(read=str(tmp_path / "x"))
    driver.settle()
    other = b"\2\0\0\0\0\1"
    assert driver.frames == [MAC + each + b"\x08\0" + packet for each in (peer, other)]


@pytest.mark.parametrize("what", ["missing", "no capture", "empty", "directory", "unwritable"])
def test_a_file_that_will_not_do_is_refused(what: str, tmp_path: Path, play: Play) -> None:
    path = tmp_path / "x"
    if what == "no capture":
        path.write_text("hello")
    elif what == "empty":
        path.write_text("")
    elif what == "directory":
        path.mkdir()
    options = {"write": f"{path}/y"} if what == "unwritable" else {"read": str(path)}
    with pytest.raises(DeviceError) as caught:
        play(**options)
    assert str(path) in caught.value.message
    assert caught.value.message.isprintable()
