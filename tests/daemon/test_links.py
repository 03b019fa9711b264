"""Frames between interfaces and devices: a small device over a socket pair, time is a number."""

import errno
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from smolctl.daemon import links as module
from smolctl.daemon.links import RETRY_NS, Links
from smolctl.daemon.log import Log
from smolctl.daemon.poller import Poller
from smolctl.daemon.resources import Resources
from smolctl.device import Device, DeviceGone, Framed
from smolctl.stack import stack as stack_module
from smolctl.stack.config.link import add_interface
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.link.input import LinkProtocols, frame_input
from smolctl.stack.link.outbox import TracedFrame
from smolctl.stack.reason import TX_NO_CARRIER
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire.offload.run import Headers, PendingDatagram, Run


class Pair:
    """A device whose other end is ``peer``; ``trouble`` is what its next writes meet."""

    kind = "pair"

    def __init__(self, name: str) -> None:
        self.name = name
        self.mtu = 1500
        self.mac = bytes.fromhex("02000000000a")
        self.headroom = 0
        self.segments = 0
        self.socket, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.watch_reader, self.watch_writer = os.pipe()
        self.socket.setblocking(False)
        self.peer.setblocking(False)
        self.trouble: list[Exception | None] = []
        self.carrier_is: bool | None = True
        self.gone = False
        self.closed: list[bool] = []
        self.refuses_runs = False
        self.runs: list[int] = []

    def fileno(self) -> int:
        return self.socket.fileno()

    def receive(self, limit: int) -> list[bytes]:
        if self.gone:
            raise DeviceGone("deleted")
        frames: list[bytes] = []
        try:
            while len(frames) < limit:
                frames.append(self.socket.recv(65536))
        except BlockingIOError:
            pass
        return frames

    def transmit(self, item: bytes | Framed | Run) -> None:
        trouble = self.trouble[0] if self.trouble else None
        if trouble is not None:
            raise trouble
        self.trouble[:1] = []
        if isinstance(item, Run):
            assert len(item.payloads) <= self.segments
            if self.refuses_runs and len(item.payloads) > 1:
                raise OSError(errno.EINVAL, "Invalid argument")
            self.runs.append(len(item.payloads))
            for frame in item.frames():
                self.socket.send(frame)
        else:
            self.socket.send(item if isinstance(item, bytes) else item.frame)

    def transmit_batch(self, items: Sequence[bytes | Framed | Run]) -> int:
        for taken, item in enumerate(items):
            try:
                self.transmit(item)
            except OSError:
                return taken
            except DeviceGone:
                return taken
        return len(items)

    def watch_fileno(self) -> int | None:
        return self.watch_reader

    def carrier(self) -> bool | None:
        if self.gone:
            raise DeviceGone("deleted")
        return self.carrier_is

    def set_mtu(self, mtu: int) -> None:
        self.mtu = mtu

    def check_mac(self, mac: bytes) -> None:
        pass

    def details(self) -> dict[str, Any]:
        return {"type": "pair"}

    def close(self, *, delete: bool = False) -> None:
        self.closed.append(delete)
        self.socket.close()
        os.close(self.watch_reader)

    def free(self) -> None:
        if not self.closed:
            self.close()
        self.peer.close()
        os.close(self.watch_writer)


class Bench:
    """A stack with one interface on a ``Pair``."""

    def __init__(self, log: Log) -> None:
        self.stack = Stack(lambda: 0.5)
        self.poller = Poller()
        self.resources = Resources("lab", log, self.poller)
        self.links = Links(self.stack, self.poller, self.resources)
        opened = self.links.open("p0", "pair", {})
        assert isinstance(opened, Pair)
        self.device = opened
        self.interface = add_interface(
            self.stack.shared, "p0", "pair", Medium.ETHERNET, 1500, self.device.mac
        )
        self.links.attach(self.interface, self.device, 0)

    def turn(self, now: int = 0) -> None:
        for _, callback, mask in self.poller.wait(0):
            callback(mask, now)
        self.links.turn(now)
        self.links.flush(now)

    def send(self, *items: bytes | TracedFrame | PendingDatagram) -> None:
        self.interface.outbox += items
        self.interface.traced += sum(isinstance(item, TracedFrame) for item in items)
        self.links.flush(0)

    def carrier(self) -> bool:
        return self.interface.carrier

    def sent(self) -> list[bytes]:
        found = []
        try:
            while True:
                found.append(self.device.peer.recv(65536))
        except BlockingIOError:
            return found

    def drops(self) -> dict[str, int]:
        return {reason.name: t.count for (reason, _), t in self.stack.ledger.reasons.items()}


def _open(name: str, _options: Mapping[str, Any]) -> Device:
    return Pair(name)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setitem(module.OPENERS, "pair", _open)
    log = Log(str(tmp_path / "log"))
    result = Bench(log)
    yield result
    result.links.close()
    result.device.free()
    result.resources.close()
    result.poller.close()
    log.close()


def frame(number: int) -> bytes:
    return bytes(12) + b"\x88\xb5" + bytes([number]) * 46


def test_frames_go_out_in_order_and_are_counted(bench: Bench) -> None:
    bench.send(*map(frame, range(10)))
    assert bench.sent() == [*map(frame, range(10))]
    assert bench.interface.counters.tx_packets == 10
    assert bench.interface.counters.tx_bytes == 600
    assert bench.interface.outbox == []


def test_a_traced_frame_is_sent_when_the_device_took_it(bench: Bench) -> None:
    trace = Trace()
    bench.send(TracedFrame(frame(1), trace))
    assert bench.sent() == [frame(1)]
    assert trace.fate is Fate.SENT


def test_received_frames_reach_the_stack_a_bounded_number_a_turn(bench: Bench) -> None:
    for number in range(100):
        bench.device.peer.send(frame(number))
    bench.turn()
    assert bench.interface.counters.rx_packets == module.DRAIN_LIMIT
    for _ in range(100 // module.DRAIN_LIMIT):
        bench.turn()
    assert bench.interface.counters.rx_packets == 100


def test_a_frame_that_hits_a_bug_is_logged_and_the_next_ones_live(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = frame_input

    def buggy(protocols: LinkProtocols, interface: Interface, data: bytes, now: int) -> None:
        if data == frame(1):
            raise IndexError("a bug")
        receive(protocols, interface, data, now)

    monkeypatch.setattr(stack_module, "frame_input", buggy)
    for number in range(3):
        bench.device.peer.send(frame(number))
    bench.turn()
    assert sum(bench.drops().values()) == 2
    log = (tmp_path / "log").read_text()
    assert "IndexError" in log
    assert frame(1).hex() in log


def test_a_full_queue_loses_the_rest_of_the_batch(bench: Bench) -> None:
    trace = Trace()
    bench.device.trouble = [None, None, BlockingIOError()]
    bench.send(frame(0), frame(1), TracedFrame(frame(2), trace), frame(3))
    assert bench.sent() == [frame(0), frame(1)]
    assert bench.drops() == {"tx-queue-full": 2}
    assert trace.reason is not None
    assert trace.reason.name == "tx-queue-full"
    assert bench.interface.counters.tx_packets == 2
    assert bench.interface.counters.tx_dropped == 2
    assert bench.carrier()


def test_one_frame_that_is_refused_does_not_take_the_others_along(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.device.trouble = [None, OSError(errno.EINVAL, "Invalid argument")]
    bench.interface.outbox += [frame(0), frame(1), frame(2)]
    # Refused as often as it is tried, then the device is well again.
    transmit = bench.device.transmit

    def once(data: bytes | Framed | Run) -> None:
        if data == frame(2):
            bench.device.trouble = []
        transmit(data)

    monkeypatch.setattr(bench.device, "transmit", once)
    bench.links.flush(0)
    assert bench.sent() == [frame(0), frame(2)]
    assert bench.drops() == {"tx-queue-full": 1}


def datagrams(number: int) -> list[PendingDatagram]:
    """Return datagrams of one flow and size that wait in an outbox."""
    macs = bytes.fromhex("02000000000b"), bytes.fromhex("02000000000a")
    headers = Headers(macs, 0x0A000001, 0x0A000002, 5, 7, 64, 4)
    return [(headers, each.to_bytes(4)) for each in range(number)]


def built(items: Sequence[PendingDatagram]) -> list[bytes]:
    return [headers.frame(payload) for headers, payload in items]


def test_a_device_that_takes_frames_gets_frames(bench: Bench) -> None:
    items = datagrams(3)
    bench.send(*items, frame(0))
    assert bench.sent() == [*built(items), frame(0)]
    assert bench.interface.counters.tx_packets == 4
    assert bench.interface.counters.tx_bytes == 3 * 46 + 60


@pytest.fixture
def coalescing(bench: Bench) -> Bench:
    """Let the device take four datagrams at once."""
    bench.links.delete("p0")
    bench.device.free()
    bench.device = Pair("p0")
    bench.device.segments = 4
    bench.links.attach(bench.interface, bench.device, 0)
    return bench


def test_runs_are_counted_as_their_datagrams(coalescing: Bench) -> None:
    items, trace = datagrams(6), Trace()
    coalescing.send(*items[:5], TracedFrame(frame(0), trace), items[5])
    assert coalescing.device.runs == [4, 1, 1]
    assert coalescing.sent() == [*built(items[:5]), frame(0), *built(items[5:])]
    assert coalescing.interface.counters.tx_packets == 7
    assert coalescing.interface.counters.tx_bytes == 6 * 46 + 60
    assert trace.fate is Fate.SENT


def test_a_lone_datagram_waits_for_no_other(coalescing: Bench) -> None:
    for number in (1, 2):
        coalescing.send(*datagrams(1))
        assert len(coalescing.sent()) == 1
        assert coalescing.device.runs == [1] * number


def test_a_batch_that_stops_in_the_middle_loses_each_datagram_behind(coalescing: Bench) -> None:
    coalescing.device.trouble = [None, BlockingIOError()]
    items = datagrams(10)
    coalescing.send(*items)
    assert coalescing.sent() == built(items[:4])
    assert coalescing.drops() == {"tx-queue-full": 6}
    assert coalescing.interface.counters.tx_packets == 4
    assert coalescing.interface.counters.tx_dropped == 6


def test_a_run_on_a_link_that_went_down(coalescing: Bench) -> None:
    coalescing.device.trouble = [OSError(errno.EIO, "Input/output error")]
    coalescing.device.carrier_is = False
    coalescing.send(*datagrams(6))
    assert coalescing.drops() == {"tx-no-carrier": 6}
    assert not coalescing.carrier()


def test_a_run_that_is_refused_goes_one_by_one_and_so_do_the_next(
    coalescing: Bench, tmp_path: Path
) -> None:
    coalescing.device.refuses_runs = True
    items = datagrams(6)
    coalescing.send(*items, frame(0))
    assert coalescing.sent() == [*built(items), frame(0)]
    assert coalescing.drops() == {}
    assert coalescing.interface.counters.tx_packets == 7
    coalescing.device.runs.clear()
    coalescing.send(*items)
    assert coalescing.device.runs == [1] * 6
    assert "a run was refused: Invalid argument" in (tmp_path / "log").read_text()


def test_the_other_side_down_takes_the_carrier(bench: Bench) -> None:
    bench.device.trouble = [OSError(errno.EIO, "Input/output error")]
    bench.device.carrier_is = False
    bench.send(frame(0), frame(1))
    assert not bench.carrier()
    assert bench.drops() == {"tx-no-carrier": 2}
    assert bench.links.deadline() is None  # the watch will tell
    bench.device.trouble = []
    bench.device.carrier_is = True
    os.write(bench.device.watch_writer, b"x")
    bench.turn()
    assert bench.carrier()


def test_a_device_that_cannot_tell_is_tried_again_in_a_second(bench: Bench) -> None:
    bench.device.trouble = [OSError(errno.EIO, "Input/output error")]
    bench.device.carrier_is = None
    bench.send(frame(0))
    assert not bench.carrier()
    assert bench.links.deadline() == RETRY_NS
    bench.turn(RETRY_NS - 1)
    assert not bench.carrier()
    bench.turn(RETRY_NS)
    assert bench.carrier()
    assert bench.links.deadline() is None


@pytest.mark.parametrize("found_by", ["reading", "writing", "watching"])
def test_a_device_deleted_under_us_leaves_an_interface_without_carrier(
    bench: Bench, found_by: str, tmp_path: Path
) -> None:
    bench.device.gone = True
    if found_by == "reading":
        bench.device.peer.send(frame(0))
        bench.turn()
    elif found_by == "watching":
        os.write(bench.device.watch_writer, b"x")
        bench.turn()
    else:
        bench.device.trouble = [DeviceGone("deleted")]
        bench.send(frame(0))
    assert not bench.carrier()
    assert not bench.links.present("p0")
    assert bench.links.get("p0") is None
    assert bench.device.closed == [False]
    assert bench.poller.wait(0) == []
    assert "deleted" in (tmp_path / "log").read_text()
    bench.send(frame(1))
    assert bench.drops()["tx-no-carrier"] >= 1
    tallies = bench.stack.ledger.reasons.items()
    (tally,) = [tally for (why, _), tally in tallies if why.name == "tx-no-carrier"]
    hint = TX_NO_CARRIER.hint(tally.detail)
    assert hint == (
        "bring the other end back: smolctl link del p0 && smolctl link add p0 type pair"
    )
    bench.links.delete("p0")
    assert bench.device.closed == [False]


def test_deleting_a_link_closes_its_device_for_good(bench: Bench) -> None:
    bench.links.delete("p0")
    assert bench.device.closed == [True]
    assert len(bench.poller) == 0


def test_stopping_closes_devices_and_leaves_what_persists(bench: Bench) -> None:
    bench.links.close()
    assert bench.device.closed == [False]
    assert len(bench.poller) == 0
