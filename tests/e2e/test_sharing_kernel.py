"""Sockets that share a port, or may not, and which of them hear what: the stack and the kernel."""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from smolctl.errors import AddressInUse
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import IPV4, IPV6, family_of
from tests.e2e.programs import sharing
from tests.e2e.programs.sharing import FLOW_PORT, STREAM, Case, End, Heard, Member
from tests.kit.host import Host, ip
from tests.kit.netns import Namespace

LO, LO6 = ip(sharing.LO), ip("::1")
LOCALS = (None, LO, None, None, LO6, LO)


class Ours:
    """A stack, and somebody at port 1 whom sockets connect to."""

    def __init__(self) -> None:
        self.host = Host(ipv6=True)
        self.tcp, self.udp = self.host.stack.tcp, self.host.stack.udp
        self.server = self.tcp.open()
        self.tcp.bind(self.server, LO, 1)
        self.tcp.listen(self.server)

    def make(self, kind: int, end: End, port: int, made: ExitStack) -> TcpSocket | UdpSocket:
        """Return a socket that is bound; ``made`` closes it."""
        family, host = IPV4 if end.host < 2 else IPV6, self.host
        own: TcpSocket | UdpSocket
        if kind == STREAM:
            own = self.tcp.open(family=family)
            made.callback(lambda: self.tcp.abort(own, host.now))  # type: ignore[arg-type]
        else:
            own = self.udp.open(family=family)
            made.callback(self.udp.close, own)
        own.reuse, own.reuseport, own.uid = end.reuse, end.reuseport, sharing.USERS[end.user]
        own.v6only = end.host == sharing.V6ONLY
        bound = LOCALS[end.host], port, "lo" if end.dev else None
        if isinstance(own, TcpSocket):
            self.tcp.bind(own, *bound)
        else:
            self.udp.bind(own, *bound)
        return own

    def outcomes(self, first: End, port: int, cases: Iterable[Case]) -> Iterator[str]:
        """Yield which call of each second socket is refused, all of them after the same first."""
        with ExitStack() as made:
            for case in cases:
                if self.udp.at_port(port) or self.tcp._users.get(port) or self.tcp.at_port(port):
                    yield self._second(case, port)
                    continue
                self._first(case.kind, first, port, made)
                yield self._second(case, port)

    def _first(self, kind: int, first: End, port: int, made: ExitStack) -> None:
        own, host = self.make(kind, first, port, made), self.host
        if isinstance(own, UdpSocket):
            if first.state == sharing.CONNECTED:
                self.udp.connect(own, LO, 1)
        elif first.state == sharing.LISTENING:
            self.tcp.listen(own)
        elif first.state != sharing.BOUND:
            self.tcp.connect(own, LO, 1, host.now)
            host.poll()
            taken = self.tcp.accept(self.server)
            assert taken is not None
            if first.state == sharing.CONNECTED:
                made.callback(lambda: self.tcp.abort(taken, host.now))
                return
            for each in (own, taken):
                self.tcp.close(each, host.now)
                host.poll()
            assert len(self.tcp.waiting)

    def _second(self, case: Case, port: int) -> str:
        with ExitStack() as made:
            doing = "bind"
            try:
                second = self.make(case.kind, case.second, port, made)
                doing = "listen"
                if isinstance(second, TcpSocket) and case.second.state == sharing.LISTENING:
                    self.tcp.listen(second)
            except AddressInUse:
                return doing
            return ""

    def heard(self, kind: int, crowd: list[Member], port: int) -> Heard:
        """Return who hears what, as the kernel's side does."""
        with ExitStack() as made:
            members = [self.make(kind, member.end, port, made) for member in crowd]
            for own, (end, flow) in zip(members, crowd, strict=True):
                if isinstance(own, TcpSocket):
                    self.tcp.listen(own)
                elif flow >= 0:
                    six = end.host in (sharing.V6ONLY, sharing.LO6)
                    self.udp.connect(own, LO6 if six else LO, FLOW_PORT + flow)
            return [
                sharing.heard(
                    [
                        self._takers(kind, ip(host), (port, FLOW_PORT + flow), members)
                        for flow in range(sharing.FLOWS)
                    ]
                )
                for host in sharing.ASKED
            ]

    def _takers(
        self, kind: int, dst: int, ports: tuple[int, int], members: list[TcpSocket | UdpSocket]
    ) -> list[int]:
        port, sport = ports
        with ExitStack() as made:
            place = 1 if family_of(dst) is IPV4 else sharing.LO6
            sender = self.make(kind, End(place, True, False), sport, made)
            if isinstance(sender, TcpSocket):
                self.tcp.connect(sender, dst, port, self.host.now)
            else:
                self.udp.send(sender, b"x", dst, port, self.host.now)
            self.host.poll()
            return [number for number, each in enumerate(members) if self._took(each, made)]

    def _took(self, member: TcpSocket | UdpSocket, made: ExitStack) -> bool:
        if isinstance(member, UdpSocket):
            return member.receive() is not None
        taken = self.tcp.accept(member)
        if taken is not None:
            made.callback(lambda: self.tcp.abort(taken, self.host.now))
        return taken is not None


@pytest.mark.netns
def test_sockets_at_one_port_are_as_those_of_the_kernel(netns: Namespace) -> None:
    kernel = netns.popen(sys.executable, str(Path(sharing.__file__)))
    ours = Ours()
    groups = itertools.groupby(sharing.cases(), lambda case: (case.kind, case.first))
    outcomes = [
        found
        for port, ((_, first), cases) in enumerate(groups, sharing.FIRST_PORT)
        for found in ours.outcomes(first, port, cases)
    ]
    heard = [
        [ours.heard(kind, crowd, port) for port, crowd in enumerate(sharing.crowds(kind), 9000)]
        for kind in sharing.KINDS
    ]
    theirs = json.loads(kernel.wait().stdout)
    assert len(outcomes) > 6000
    asked = zip(sharing.cases(), outcomes, theirs["outcomes"], strict=True)
    differ = [each for each in asked if each[1] != each[2]]
    assert not differ, f"{len(differ)} differ: {differ[:3]}"
    for kind, own, kernels in zip(sharing.KINDS, heard, theirs["heard"], strict=True):
        crowds = zip(sharing.crowds(kind), own, kernels, strict=True)
        unlike = [each for each in crowds if each[1] != each[2]]
        assert not unlike, f"{len(unlike)} differ: {unlike[:2]}"
