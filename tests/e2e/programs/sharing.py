"""Sockets of the kernel at one port: which may have it after others, and which hear what comes.

Run as a program, as root, it prints the outcome of each case in order, and who heard what in each
crowd, as JSON.
"""

import errno
import itertools
import json
import os
import random
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import NamedTuple

DGRAM, STREAM = socket.SOCK_DGRAM, socket.SOCK_STREAM
LO = "127.0.0.1"
HOSTS = ("0.0.0.0", LO, "::", "::", "::1", f"::ffff:{LO}")
V6ONLY, LO6 = 3, 4
"""Places of hosts: all, for a socket that hears IPv6 alone; and the only one that is IPv6."""
BOUND, LISTENING, CONNECTED, TIME_WAIT = range(4)
USERS = (0, 1000)
FIRST_PORT, FLOW_PORT = 2000, 20_000


class End(NamedTuple):
    """A socket: the place of its host, its options, its user and what was done after bind."""

    host: int
    reuse: bool
    reuseport: bool
    user: int = 0
    state: int = BOUND
    dev: bool = False

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return socket.AF_INET if self.host < 2 else socket.AF_INET6


class Case(NamedTuple):
    """Two sockets that want the same port, the second after the first."""

    kind: int
    first: End
    second: End


def cases() -> Iterator[Case]:
    """Yield all cases."""
    for kind, late in ((STREAM, LISTENING), (DGRAM, BOUND)):
        plain = list(itertools.product(range(6), (False, True), (False, True)))
        seconds = [End(*each, 0, state) for each in plain for state in range(late + 1)]
        firsts = [
            End(*each, user, state)
            for each in plain
            for user in range(1 + each[2])
            for state in ((BOUND, LISTENING, CONNECTED, TIME_WAIT) if late else (BOUND, CONNECTED))
            if state < CONNECTED or each[0] in (0, 1, 2)
        ]
        yield from (Case(kind, *pair) for pair in itertools.product(firsts, seconds))


class Member(NamedTuple):
    """A socket of a crowd, and the flow that it is connected to, -1 for none."""

    end: End
    flow: int


FLOWS = 40
"""So many that each socket of a group gets one: of 3, one would miss out once in 10 million."""
ASKED = (LO, "127.0.0.2", "::1")
"""Addresses that the flows of each crowd go to."""
KINDS: dict[int, int] = {DGRAM: 30, STREAM: 6}
"""The number of crowds of each."""


def crowds(kind: int) -> Iterator[list[Member]]:
    """Yield sockets that share a port; those of UDP may be connected."""
    chosen, udp = random.Random(7), kind == DGRAM
    for _ in range(KINDS[kind]):
        hosts = chosen.choices(range(6), k=2)
        yield [
            Member(
                End(
                    chosen.choice(hosts), True,
                    not udp or chosen.random() < 0.8, dev=chosen.random() < 0.2,
                ),
                chosen.choice((-1, -1, -1, 0, 1)) if udp else -1,
            )
            for _ in range(chosen.randint(2, 6))
        ]  # fmt: skip


Heard = list[list[list[int]]]
"""Of each address: which sockets heard flow 0, which flow 1, and which any of the others."""


def heard(of_flows: list[list[int]]) -> list[list[int]]:
    """Return who heard what was sent to one address; for one of a group, all of it."""
    others = sorted(set(itertools.chain(*of_flows[2:])))
    return [*(others if set(each) <= set(others) else each for each in of_flows[:2]), others]


# --- the kernel -----------------------------------------------------------------------------------


def _make(kind: int, end: End, port: int) -> socket.socket:
    os.seteuid(USERS[end.user])
    made = socket.socket(end.family, kind)
    os.seteuid(0)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, end.reuse)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, end.reuseport)
    if end.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, end.host == V6ONLY)
    if end.dev:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    try:
        made.bind((HOSTS[end.host], port))
    except OSError:
        made.close()
        raise
    return made


def _connect(made: socket.socket, host: str, port: int) -> None:
    mapped = made.family == socket.AF_INET6 and ":" not in host
    made.connect((f"::ffff:{host}" if mapped else host, port))


def _outcome(case: Case, port: int, server: socket.socket) -> str:
    """Return which call of the second socket is refused, "" for none."""
    with ExitStack() as opened:
        first = opened.enter_context(_make(case.kind, case.first, port))
        if case.first.state == LISTENING:
            first.listen()
        elif case.first.state in (CONNECTED, TIME_WAIT):
            _connect(first, LO, 1)
            if case.kind == STREAM:
                taken = opened.enter_context(server.accept()[0])
            if case.first.state == TIME_WAIT:
                first.close()
                taken.close()
        doing = "bind"
        try:
            second = opened.enter_context(_make(case.kind, case.second, port))
            doing = "listen"
            if case.second.state == LISTENING:
                second.listen()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return doing
        return ""


def _heard(kind: int, crowd: list[Member], port: int) -> Heard:
    with ExitStack() as opened:
        members = [opened.enter_context(_make(kind, member.end, port)) for member in crowd]
        for made, (end, flow) in zip(members, crowd, strict=True):
            made.setblocking(False)
            if kind == STREAM:
                made.listen()
            elif flow >= 0:
                _connect(made, "::1" if end.host in (V6ONLY, LO6) else LO, FLOW_PORT + flow)
        return [
            heard([_takers(kind, (host, port), FLOW_PORT + flow, members) for flow in range(FLOWS)])
            for host in ASKED
        ]


def _takers(kind: int, to: tuple[str, int], port: int, members: list[socket.socket]) -> list[int]:
    """Send something from a port; return who got it."""
    six = ":" in to[0]
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind == STREAM:  # it leaves nothing behind
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.bind(("::1" if six else LO, port))
        with suppress(ConnectionRefusedError):
            sender.connect(to)
            if kind == DGRAM:
                sender.send(b"x")
        return [number for number, each in enumerate(members) if _took(kind, each)]


def _took(kind: int, member: socket.socket) -> bool:
    try:
        if kind == DGRAM:
            return bool(member.recv(9))
        member.accept()[0].close()
    except (BlockingIOError, ConnectionRefusedError):
        return False
    return True


def main() -> None:
    """Try all cases, each at a port of its own."""
    ports = itertools.count(FIRST_PORT)
    with socket.create_server((LO, 1)) as server, socket.socket(type=DGRAM) as other:
        other.bind((LO, 1))
        outcomes = [_outcome(case, next(ports), server) for case in cases()]
    crowded = {kind: [_heard(kind, each, next(ports)) for each in crowds(kind)] for kind in KINDS}
    json.dump({"outcomes": outcomes, "heard": [*crowded.values()]}, sys.stdout)


if __name__ == "__main__":
    main()
