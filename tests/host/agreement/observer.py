"""An observer of the kernel: what it does with a packet, by what leaves it and who receives it.

What the kernel does follows at once in most places: a frame that a TAP takes in has been forwarded,
answered or delivered before write(2) returns. Only what crosses ``lo`` or a veth waits in a queue
of the processor. So the observer stays on one, and sends a datagram of its own through the same
queue: when that is there, what came before it has happened, too. Nothing is waited for by time.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from smolctl.device.netlink import Netlink
from smolctl.host import addresses, links
from smolctl.host.reading import HostState, read
from tests.host.agreement.frames import frame_event, packet_event
from tests.host.agreement.host import Host, SocketSpec
from tests.host.agreement.injected import injected
from tests.host.agreement.kernel_sender import Sent, forget_unanswered, send
from tests.host.agreement.place import Place
from tests.host.agreement.questions import Ask
from tests.host.agreement.wires import Wire

_PATIENCE_S = 10.0
# Timers that would let a host speak by itself while it is watched.
QUIET = {
    "ipv4/tcp_synack_retries": "0",
    "ipv4/ping_group_range": "0 2147483647",
    # No error is counted: whoever waits for a neighbor that is forgotten is sent one, too
    # (arp_error_report). A limit of 0 would be none for errors alone, and leave no redirect.
    "ipv4/icmp_ratemask": "0",
    "ipv6/icmp/ratemask": "255",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/router_solicitations": "0",
    "ipv6/conf/all/accept_dad": "0",
}
QUIET_LINK = {
    "retrans_time_ms": "3600000",
    "delay_first_probe_time": "3600",
    "proxy_delay": "0",
}
"""Sysctls of each host: nobody is asked twice, and nobody is limited by what was asked before."""


@contextmanager
def one_processor() -> Iterator[None]:
    """Stay on one processor, whose queue has one order."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


class Observer:
    """One host in the kernel, with the other ends of its links in the observer's hands."""

    def __init__(self, host: Host, far: "Far") -> None:
        self.host, self._far = host, far
        self.place = Place()
        self._wires: list[Wire] = []
        self._master: dict[str, str] = {}
        self._sockets: list[tuple[SocketSpec, socket.socket]] = []
        self.refused: list[str] = []
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        host, place = self.host, self.place
        place.sysctl(QUIET)
        early = {key: value for key, value in host.sysctls if not _of_link(key)}
        place.sysctl(early)
        self.refused += place.ip(["link set lo up"])
        for spec in host.links:
            if spec.kind == "bridge":
                made = spec.commands()
                self.refused += place.ip(made)
                self._master.update(dict.fromkeys(spec.ports, spec.name))
                self._quiet(spec.name)
                continue
            self._wires.append(Wire(spec, place, self._far.place))
            if spec.mac:
                self.refused += place.ip([f"link set {spec.name} address {spec.mac}"])
            self._quiet(spec.name)
        place.sysctl({key: value for key, value in host.sysctls if _of_link(key)})
        with Watch(place) as watch:
            self.refused += place.ip(host.commands)
            watch.settle()
            if host.late:
                self.refused += place.ip(host.late)
                watch.settle()
        self._sockets = [(spec, place.inside(_opener(spec))) for spec in host.sockets]

    def _quiet(self, name: str) -> None:
        self.place.sysctl(
            {
                f"{family}/neigh/{name}/{key}": value
                for family in ("ipv4", "ipv6")
                for key, value in QUIET_LINK.items()
            }
        )

    def read(self) -> HostState:
        """Return the host as smolctl reads it."""
        return read(self.place.path)

    def ask(self, ask: Ask) -> frozenset[str]:
        """Let a packet happen, and return all that came of it."""
        self._drain()
        sent = Sent()
        if ask.kind == "send":
            sent = self.place.inside(lambda: send(ask))
        else:
            self._inject(ask)
        self._far.settle()
        events = [*sent.events(), *self._left(), *self._delivered()]
        sent.close()
        self.place.inside(forget_unanswered)
        return frozenset(events)

    def _inject(self, ask: Ask) -> None:
        ports = [each for each in self._wires if self._master.get(each.name) == ask.iif]
        wire = next((each for each in self._wires if each.name == ask.iif), None)
        wire = wire or ports[0]
        mac = self.place.inside(lambda: _mac_of(ask.iif)) if wire.linked else b""
        wire.inject(injected(ask, mac, self._is_for_all(ask)))

    def _is_for_all(self, ask: Ask) -> bool:
        if ask.six or ask.proto == "arp":
            return False
        if ask.dst == "255.255.255.255":
            return True
        found = self.place.inside(lambda: _broadcasts(ask.iif))
        return ask.dst in found

    def _drain(self) -> None:
        self._far.settle()
        self._left()
        self._delivered()

    def _left(self) -> list[str]:
        """Return what has left by each link; by a port of a bridge, it left by the bridge."""
        events = []
        for wire in self._wires:
            name = self._master.get(wire.name, wire.name)
            for frame in wire.frames():
                told = frame_event(name, frame) if wire.linked else packet_event(name, frame)
                events += [told] if told is not None else []
        return events

    def _delivered(self) -> list[str]:
        found = []
        for spec, each in self._sockets:
            with suppress(BlockingIOError):
                while True:
                    _received(spec, each)
                    found.append(f"to {spec.name}")
        return found

    def close(self) -> None:
        """Remove the host."""
        for _, each in self._sockets:
            each.close()
        for wire in self._wires:
            wire.close()
        self.place.close()


class Far:
    """The place of the other ends of veths, and of the datagrams that end a question."""

    def __init__(self) -> None:
        self.place = Place()
        # Nobody there answers anything.
        self.place.sysctl({"ipv6/conf/default/disable_ipv6": "1"})
        assert not self.place.ip(["link set lo up"])
        self._marker = self.place.inside(_udp_marker)

    def settle(self) -> None:
        """Wait until all that was in the processor's queue before has happened."""
        self._marker.sendto(b"x", self._marker.getsockname())
        self._marker.recv(1)

    def close(self) -> None:
        """Remove the place."""
        self._marker.close()
        self.place.close()


def _udp_marker() -> socket.socket:
    marker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    marker.settimeout(_PATIENCE_S)
    marker.bind(("127.0.0.1", 0))
    return marker


class Watch:
    """The kernel's own news about a place, for which whoever waits does so."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._news = place.inside(_news)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._news.close()

    def settle(self) -> None:
        """Wait until carriers are told of, and no address is being tested.

        Raises:
            TimeoutError: that does not happen.
        """
        while not self._place.inside(_is_settled):
            self._news.recv(65536)


def _news() -> socket.socket:
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    news.settimeout(_PATIENCE_S)
    # linux/rtnetlink.h: RTMGRP_LINK | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_IFINFO
    news.bind((0, 0x1 | 0x100 | 0x800))
    return news


def _is_settled() -> bool:
    with Netlink() as kernel:
        for link in links.read(kernel):
            up = link.flags & links.UP
            if up and bool(link.flags & links.RUNNING) != link.carrier:
                return False
        return not any(
            each.flags & addresses.TENTATIVE and not each.flags & addresses.DADFAILED
            for each in addresses.read(kernel)
            if each.family == socket.AF_INET6 and _is_up(kernel, each.ifindex)
        )


def _is_up(kernel: Netlink, ifindex: int) -> bool:
    """Tell whether a link is up and has a signal: on others addresses wait for ever."""
    return any(
        link.carrier and link.flags & links.UP
        for link in links.read(kernel)
        if link.ifindex == ifindex
    )


def _of_link(key: str) -> bool:
    words = key.split("/")
    return len(words) > 3 and words[2] not in ("all", "default", "lo")


def _mac_of(name: str) -> bytes:
    with Netlink() as kernel:
        return next(link.mac for link in links.read(kernel) if link.name == name)


def _broadcasts(name: str) -> set[str]:
    """Return the addresses of all hosts of a link."""
    number = socket.if_nametoindex(name)
    with Netlink() as kernel:
        return {
            socket.inet_ntoa(each.broadcast.to_bytes(4))
            for each in addresses.read(kernel)
            if each.ifindex == number and each.broadcast is not None
        }


def _opener(spec: SocketSpec) -> Callable[[], socket.socket]:
    return lambda: _opened(spec)


def _opened(spec: SocketSpec) -> socket.socket:
    family = socket.AF_INET6 if ":" in spec.local else socket.AF_INET
    kind = socket.SOCK_DGRAM if spec.proto == "udp" else socket.SOCK_STREAM
    opened = socket.socket(family, kind)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if spec.dev:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, spec.dev.encode())
    number = socket.if_nametoindex(spec.dev) if spec.local.startswith("fe80:") else 0
    opened.bind((spec.local, spec.port, 0, number) if number else (spec.local, spec.port))
    if spec.proto == "tcp":
        opened.listen(16)
    opened.setblocking(False)
    return opened


def _received(spec: SocketSpec, opened: socket.socket) -> None:
    if spec.proto == "udp":
        opened.recv(65536)
    else:
        opened.accept()[0].close()
