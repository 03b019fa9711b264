"""A real packet in a copy of a namespace, and what the kernel does with it, beside a prediction."""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from smolctl.host.replica.build import Replica
from smolctl.stack.explain.predict import Question
from smolctl.stack.interface import Interface
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.ip.way import Way
from smolctl.stack.trace.facts import Asked
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.wire import ethernet
from smolctl.wire.address import IPV6, IPV6_MARK, family_of, format_address

_PATIENCE_S = 0.15
"""Time in which the kernel does all that follows from a packet; it needs a thousandth of that."""
_BIND_DEVICE, _MARK = 25, 36
_V4_OPTIONS = (socket.IPPROTO_IP, 10, 1, 2)
_V6_OPTIONS = (socket.IPPROTO_IPV6, 23, 67, 16)
"""Level, and options for MTU discovery, type of service and time to live."""
_ARP, _ECHO, _ECHO6 = b"\x08\x06", 8, 128
_SOLICIT, _ADVERTISE, _ICMPV6 = 135, 136, bytes([58])


class Event(NamedTuple):
    """One thing that happens to a packet, in words that both the kernel and the twin have.

    Attributes:
        what: "leaves", "asks" for a link address, "answers", "delivered", "error".
        where: the link; of an error, its name; of what is delivered, nothing.
    """

    what: str
    where: str = ""

    def __str__(self) -> str:
        if self.what in ("error", "delivered"):
            return f"{self.what} {self.where}".rstrip()
        what = "asks for a link address" if self.what == "asks" else self.what
        return f"{what} by {self.where}"


def told(events: frozenset[Event]) -> str:
    """Return events in words."""
    return ", ".join(sorted(map(str, events))) or "nothing"


# --- the kernel -----------------------------------------------------------------------------------


def happen(replica: Replica, question: Question, trace: Trace) -> frozenset[Event]:
    """Let the packet of a question happen to a copy; return what the kernel does.

    Args:
        trace: of the prediction, whose frame comes in.
    """
    _drain(replica)
    found: set[Event] = set()
    sender = None
    if question.iif is not None:
        frame = trace.arrival.frame if trace.arrival is not None else trace.frame
        wire = replica.wires[question.iif]
        wire.inject(frame if wire.linked else frame[ethernet.HEADER_LEN :])
    else:
        sent = replica.space.inside(lambda: _send(question))
        if isinstance(sent, str):
            return frozenset({Event("error", sent)})
        sender = sent
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        for wire in replica.wires.values():
            for frame in wire.frames():
                event = _event(question, wire.name, frame if wire.linked else bytes(14) + frame)
                found.update([event] if event is not None else [])
        found.update(_delivered(replica))
        time.sleep(0.005)
    if sender is not None:
        sender.close()
    return frozenset(found)


def _drain(replica: Replica) -> None:
    for wire in replica.wires.values():
        for _ in wire.frames():
            pass


def _delivered(replica: Replica) -> Iterator[Event]:
    ready, _, _ = select.select(replica.sockets, [], [], 0)
    for each in ready:
        with suppress(OSError):
            if each.type == socket.SOCK_STREAM:
                each.accept()[0].close()
            else:
                each.recv(1)
        yield Event("delivered")


def _event(question: Question, link: str, frame: bytes) -> Event | None:
    """Return what a frame that leaves means; None of one that has nothing to do with it."""
    body = frame[ethernet.HEADER_LEN :]
    if frame[12:14] == _ARP:
        return Event("asks" if body[6:8] == b"\0\1" else "answers", link)
    if body[:1] >= b"\x60":
        dst = IPV6_MARK | int.from_bytes(body[24:40])
        kind = body[40] if body[6:7] == _ICMPV6 and len(body) > 40 else 0
        if kind in (_SOLICIT, _ADVERTISE):
            return Event("asks" if kind == _SOLICIT else "answers", link)
    elif family_of(question.dst) is not IPV6 and len(body) >= 20:
        dst = int.from_bytes(body[16:20])
    else:
        return None
    if dst == question.dst:
        return Event("leaves", link)
    return Event("answers", link) if dst == question.src and question.src is not None else None


def _send(question: Question) -> socket.socket | str:
    """Send a packet as a program does; return its socket, or the name of the error."""
    six = family_of(question.dst) is IPV6
    kind = socket.SOCK_STREAM if question.proto == "tcp" else socket.SOCK_DGRAM
    protocol = 0
    if question.proto == "icmp":
        kind, protocol = socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    opened = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind, protocol)
    opened.setblocking(False)
    try:
        _prepare(opened, question, six)
        to = (format_address(question.dst), question.dport)
        if question.proto == "tcp":
            with suppress(BlockingIOError):
                opened.connect(to)
        else:
            opened.sendto(_payload(question, six), to if question.proto == "udp" else (to[0], 0))
    except OSError as error:
        opened.close()
        return errno.errorcode.get(error.errno or 0, os.strerror(error.errno or 0))
    return opened


def _prepare(opened: socket.socket, question: Question, six: bool) -> None:
    level, discover, service, hops = _V6_OPTIONS if six else _V4_OPTIONS
    if question.dev is not None:
        opened.setsockopt(socket.SOL_SOCKET, _BIND_DEVICE, question.dev.encode())
    if question.mark:
        opened.setsockopt(socket.SOL_SOCKET, _MARK, question.mark)
    if question.broadcast:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for option, value in ((service, question.tos), (hops, question.ttl)):
        if value is not None:
            opened.setsockopt(level, option, value)
    if question.pmtudisc is not None:
        names = list(Pmtudisc)
        opened.setsockopt(level, discover, _DISCOVER[names[names.index(question.pmtudisc)].name])
    if question.src is not None or question.sport:
        src = "" if question.src is None else format_address(question.src)
        opened.bind((src, question.sport))


_DISCOVER = {"DONT": 0, "WANT": 1, "DO": 2, "PROBE": 3}
"""Values of IP_MTU_DISCOVER (linux/in.h)."""


def _payload(question: Question, six: bool) -> bytes:
    if question.proto != "icmp":
        return bytes(question.size)
    head = struct.pack("!BBHHH", _ECHO6 if six else _ECHO, 0, 0, 1, 1)
    data = head + bytes(question.size)
    if six:
        return data  # the kernel fills in the checksum
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    total = (total >> 16) + (total & 0xFFFF)
    return data[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + data[4:]


# --- the twin -------------------------------------------------------------------------------------


def predicted(question: Question, trace: Trace) -> frozenset[Event] | None:
    """Return the same of a prediction; None where a copy would show nothing of it."""
    if question.proto in ("arp", "nd") and question.iif is None:
        return None
    if _is_inside(trace) and question.proto != "udp":
        return None  # what programs of their own tell each other is not seen
    found = [_of_packet(trace)]
    found += [_of_answer(each) for each in trace.answers if each.direction is not Direction.LOCAL]
    return frozenset(event for event in found if event is not None)


def _is_inside(trace: Trace) -> bool:
    way = _way(trace)
    return way is not None and way.loopback


def _of_packet(trace: Trace) -> Event | None:
    link = _way(trace)
    if trace.fate in (Fate.SENT, Fate.FORWARDED) and link is not None:
        return Event("leaves", link.name)
    if trace.fate is Fate.WAITING and link is not None:
        return Event("asks", link.name)
    if trace.fate is Fate.DELIVERED:
        return Event("delivered")
    if (
        trace.fate is Fate.REJECTED
        and trace.direction is Direction.OUT
        and trace.reason is not None
    ):
        return Event("error", trace.reason.errno_name or trace.reason.name)
    return None


def _of_answer(answer: Trace) -> Event | None:
    link = _way(answer)
    if answer.fate in (Fate.DROPPED, Fate.REJECTED):
        return None
    asks = answer.fate is Fate.WAITING or any(isinstance(s.facts, Asked) for s in answer.steps)
    name = link.name if link is not None else answer.dev
    return Event("asks" if asks else "answers", name) if name else None


def _way(trace: Trace) -> Interface | None:
    way = next((step.facts for step in trace.steps if isinstance(step.facts, Way)), None)
    return None if way is None else way.interface
