"""One end of a bulk transfer by a stack in this process, over a TAP.

Run as ``python -m bench.tcp_stack ROLE ADDRESS PORT MS [CPU] [LOSS]``: ROLE is ``send`` or
``receive``, the peer a program of ``bench.tcp_program`` at the kernel's side of the TAP, whose
address is ADDRESS. LOSS is the share of segments that are lost on the way out. The turns are those
of the daemon. Reports as one JSON object.
"""

import json
import os
import random
import sys
from collections.abc import Sequence
from struct import Struct
from time import monotonic_ns, perf_counter, process_time
from typing import Any

from bench.tcp_program import CHUNK, COUNT
from smolctl.daemon.heap import keep_freed
from smolctl.daemon.links import DRAIN_ROUNDS, Links
from smolctl.daemon.log import Log
from smolctl.daemon.poller import Poller
from smolctl.daemon.resources import Resources
from smolctl.device.tap import TapDevice
from smolctl.stack.config.addr import add_address
from smolctl.stack.config.link import add_interface
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Medium
from smolctl.stack.ip.addresses import Address
from smolctl.stack.stack import Stack
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.wire.address import parse_address
from smolctl.wire.offload import virtio
from smolctl.wire.offload.tcp_run import Segment
from smolctl.wire.tcp import FIN, PSH

_NAME = "bulk0"


class _Lossy(TapDevice):
    """A TAP that loses a share of the segments that it is given."""

    def __init__(self, name: str, host: str, loss: float) -> None:
        super().__init__(name, host=(host, 24))
        self._loss, self._random = loss, random.Random(1)
        self.lost = 0

    def transmit_batch(self, items: Sequence[Any]) -> int:
        """Write what is not lost, in as large pieces as before."""
        for item in items:
            rest: list[Any] = [item]
            if isinstance(item, Segment) and item.size:
                kept = [self._random.random() >= self._loss for _ in range(item.count)]
                if not all(kept):
                    self.lost += kept.count(False)
                    rest = _pieces(item, kept)
            super().transmit_batch(rest)
        return len(items)


def _pieces(segment: Segment, kept: list[bool]) -> list[Segment]:
    """Return what is left of a segment that stands for many, some of which are lost."""
    pieces, start = [], 0
    for at in range(len(kept) + 1):
        if at == len(kept) or not kept[at]:
            if at > start:
                pieces.append(_part(segment, start, at))
            start = at + 1
    return pieces


def _part(segment: Segment, first: int, last: int) -> Segment:
    """Return some of the segments that one of IPv4 stands for: ``first`` to before ``last``."""
    room, whole = segment.room, segment.size
    begin, end = first * room, min(last * room, whole)
    size, header = end - begin, bytearray(segment.header)
    seq, ack, words, window, seed = _FIELDS.unpack_from(header, _TCP_AT + 4)
    flags = words if end == whole else words & ~(FIN | PSH)
    seed = (seed - whole + size) % 0xFFFF or 0xFFFF
    fields = (seq + begin) & 0xFFFFFFFF, ack, flags, window, seed
    _FIELDS.pack_into(header, _TCP_AT + 4, *fields)
    if size <= room:
        header[1:6] = bytes(5)  # nothing is to be cut
    ip_at = virtio.HEADER_LEN + 14
    total = int.from_bytes(header[ip_at + 2 : ip_at + 4]) - whole + size
    header[ip_at + 2 : ip_at + 4] = total.to_bytes(2)
    header[ip_at + 10 : ip_at + 12] = bytes(2)
    fresh = -int.from_bytes(header[ip_at : ip_at + 20]) % 0xFFFF
    header[ip_at + 10 : ip_at + 12] = fresh.to_bytes(2)
    payload = memoryview(b"".join(segment.payload))[begin:end]
    return Segment(bytes(header), (payload,), size, room)


_TCP_AT = virtio.HEADER_LEN + 34
_FIELDS = Struct("!IIHHH")
"""The fields of a TCP header from the sequence number to the checksum."""


class _End:
    """The stack, its TAP and one connection."""

    def __init__(self, address: str, loss: float) -> None:
        peer = parse_address(address)
        self.stack, self.poller = Stack(random.random), Poller()
        self.stack.eager = False
        self.links = Links(self.stack, self.poller, Resources("bulk", Log(os.devnull), self.poller))
        device = _Lossy(_NAME, address, loss) if loss else TapDevice(_NAME, host=(address, 24))
        wire = add_interface(
            self.stack.shared, _NAME, device.kind, Medium.ETHERNET, device.mtu, device.mac
        )
        self.links.attach(wire, device, monotonic_ns())
        add_address(self.stack.ipv4, wire, Address(peer + 1, 24, Scope.GLOBAL, _NAME))
        self.socket = self.stack.tcp.open()
        self.peer = peer

    def connect(self, port: int) -> None:
        """Open the connection."""
        self.stack.tcp.connect(self.socket, self.peer, port, monotonic_ns())
        while not self.socket.connected:
            self.turn()

    def turn(self) -> int:
        """Do what the daemon does in a turn; return its time."""
        due = self.stack.deadline()
        wait = None if due is None else max(due - monotonic_ns(), 0) / 1e9
        ready = self.poller.wait(wait)
        now = monotonic_ns()
        for _, callback, mask in ready:
            callback(mask, now)
        self.finish(now)
        for _ in range(DRAIN_ROUNDS):
            if not self.links.more:
                break
            now = monotonic_ns()
            self.links.read_on(now)
            self.finish(now)
        return now

    def finish(self, now: int) -> None:
        """Do what is due, let the program go on, and send."""
        self.stack.poll(now)
        for waiter in self.stack.take_ready():
            if waiter.handler is not None:
                waiter.handler(now)
        self.stack.flush(now)
        self.links.flush(now)


def _send(end: _End, ms: int) -> int:
    tcp, socket, chunk = end.stack.tcp, end.socket, bytes(CHUNK)
    size, told, until = 0, b"", monotonic_ns() + ms * 1_000_000

    def pour(now: int) -> None:
        nonlocal size
        while now < until:
            taken = tcp.send(socket, chunk, now)
            if not taken:
                return
            size += taken
        if not socket.snd.fin:
            tcp.shutdown(socket, now, send=True, receive=False)

    socket.handler = pour
    pour(monotonic_ns())
    end.links.flush(monotonic_ns())
    while len(told) < COUNT.size:
        now = end.turn()
        told += tcp.receive(socket, COUNT.size, now) or b""
    if COUNT.unpack(told)[0] != size:
        raise RuntimeError(f"{size} bytes were sent, and {COUNT.unpack(told)[0]} arrived")
    return size


def _receive(end: _End) -> int:
    tcp, socket, size, over = end.stack.tcp, end.socket, 0, False

    def drink(now: int) -> None:
        nonlocal size, over
        while data := tcp.take(socket, CHUNK, now):
            size += len(data)
        over = data is not None

    socket.handler = drink
    while not over:
        end.turn()
    return size


def main(role: str, address: str, port: int, ms: int, cpu: str, loss: float) -> None:
    """Play one role and report."""
    if cpu != "-":
        os.sched_setaffinity(0, {int(cpu)})
    keep_freed()
    end = _End(address, loss)
    end.connect(port)
    begin, cpu_s = perf_counter(), process_time()
    size = _send(end, ms) if role == "send" else _receive(end)
    cpu_s, seconds = process_time() - cpu_s, perf_counter() - begin
    print(json.dumps(_report(end.socket, size, seconds, cpu_s)))
    end.links.close()
    end.poller.close()


def _report(socket: TcpSocket, size: int, seconds: float, cpu_s: float) -> dict[str, Any]:
    stats = socket.stats
    return {
        "bytes": size, "seconds": seconds, "cpu_seconds": cpu_s, "retrans": stats.retrans,
        "timeouts": stats.timeouts, "probes": stats.probes, "spurious": stats.spurious,
    }  # fmt: skip


if __name__ == "__main__":
    _, role_, address_, port_, ms_, *more = sys.argv
    cpu_, loss_ = (*more, *("-", "0")[len(more) :])
    main(role_, address_, int(port_), int(ms_), cpu_, float(loss_))
