"""Answers of ``why tcp`` about connections with the kernel: each cause is made, and then told."""

import socket
from contextlib import suppress
from typing import Any

import pytest

from smolctl.stack.config.route import add_route
from smolctl.stack.fib.route import InsertMode, Route
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.wire import tcp
from smolctl.wire.address import IPV4, IPV6, parse_address
from tests.e2e.tcp_kit import KernelLink, Linker
from tests.golden.connections import header_of, told

pytestmark = pytest.mark.netns
TCP_REPAIR = 19
FAR = {IPV4: ("192.0.2.9", "192.0.2.0", 24), IPV6: ("2001:db8:7::9", "2001:db8:7::", 64)}
"""A host behind the kernel, and its network."""


@pytest.fixture
def linker(linker: Linker) -> Linker:
    """Make links over which a timeout is short."""

    def link(**options: Any) -> KernelLink:
        made = linker(**options)
        made.stack.settings.set("tcp.rto_min_ms", "20")
        return made

    return link


def why(link: KernelLink, ours: TcpSocket) -> str:
    return "\n".join(told(link, ours.ends))


def shown(link: KernelLink) -> str:
    """Return the kernel's end of connections as ``why`` shows it."""
    return f"{link.kernel}:7" if link.family is IPV4 else f"[{link.kernel}]:7"


def after(link: KernelLink, seconds: float) -> None:
    """Let some time pass."""
    end = link.now + round(seconds * 1e9)
    link.pump(lambda: link.now >= end, seconds + 10)


def test_refused_by_the_kernel(linker: Linker) -> None:
    link = linker()
    ours = link.connects(9)
    assert link.pump(lambda: ours.state is State.CLOSED, 10)
    assert f"TTL 64: {link.kernel} itself, which is on the link" in why(link, ours)
    link.opened()
    ours = link.connects(9)
    assert link.pump(lambda: ours.state is State.CLOSED, 10)
    assert f"{link.kernel} itself, whose segments have that TTL" in why(link, ours)


def test_unreachable_by_the_kernel(linker: Linker) -> None:
    link = linker()
    link.stack.settings.set("tcp.icmp_aborts_connect", "0")
    far, network, plen = FAR[link.family]
    link.peer.ip("route", "add", "unreachable", f"{network}/{plen}")
    forwards = "net.ipv4.ip_forward" if link.family is IPV4 else "net.ipv6.conf.all.forwarding"
    link.peer.sysctl({forwards: 1})
    via = parse_address(link.kernel)
    add_route(link.net, Route(parse_address(network), plen, via=via, on_link=False), InsertMode.ADD)
    ours = link.opens()
    link.tcp.connect(ours, parse_address(far), 7, link.now)
    assert link.pump(lambda: ours.soft is not None, 10)
    text = why(link, ours)
    # The kernel says so of an unreachable route in its own way in each family.
    name, words = {
        IPV4: ("icmp-host-unreachable", f"it cannot reach {far}"),
        IPV6: ("icmp-net-unreachable", f"it has no route to {far}"),
    }[link.family]
    assert f"verdict: not open yet - {name}" in text
    assert f"{link.kernel} says that {words}; SYN is sent again all the same" in text


def test_filtered_before_the_kernel(linker: Linker) -> None:
    link = linker(lose=lambda end, frame: is_syn(end, frame))
    ours = link.connects(7)
    after(link, 1.2)
    text = why(link, ours)
    assert "tcp  wait   2 SYNs in 1." in text
    assert "the host is there, since it answers ARP or ND, and drops them silently" in text


def is_syn(end: int, frame: bytes) -> bool:
    header = header_of(frame)
    return end == 0 and header is not None and bool(header.flags & tcp.SYN)


def test_a_black_hole_before_the_kernel(linker: Linker) -> None:
    link = linker(lose=lambda end, frame: end == 0 and len(frame) > 1304)
    ours, theirs = link.opened()
    data = bytes(20_000)
    assert link.send(ours, theirs, data, 30) == data
    size = 1064 if link.family is IPV4 else 1280  # which every link takes (RFC 8200 5)
    assert f"why:     packets of 1500 B are lost, those of {size} B arrive" in why(link, ours)


def test_the_backlog_of_the_kernel_is_full(linker: Linker) -> None:
    link = linker()
    with link.kernel_socket() as full:
        full.bind((link.kernel, 7))
        full.listen(2)
        first: list[TcpSocket] = []
        for _ in range(2):
            first.append(link.connects(7))
            assert link.pump(lambda: first[-1].connected, 10)
        # Both are answered, since there is room for one; then there is none for the other.
        ours = [link.connects(7) for _ in range(2)]
        assert link.pump(lambda: all(each.connected for each in ours), 10)
        assert link.pump(lambda: any(each.syn_acks for each in ours), 10)
        text = why(link, next(each for each in ours if each.syn_acks))
        assert "SYN-ACK came again 1 time after it was acknowledged" in text
        assert "verdict: open here, and not accepted there" in text
        assert f"{shown(link)} repeats SYN-ACK: its backlog is full" in text


def test_a_program_of_the_kernel_that_does_not_read(linker: Linker) -> None:
    link = linker()
    ours, theirs = link.opened()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def full() -> bool:
        link.tcp.send(ours, bytes(65_536), link.now)
        return ours.zero_since_ns > 0

    assert link.pump(full, 10)
    text = why(link, ours)
    assert "verdict: open, and waits - tcp-zero-window" in text
    assert "the peer's program does not read: its window has been zero for" in text


def test_segments_to_the_kernel_are_lost(linker: Linker) -> None:
    lost: list[int] = []

    def lose(end: int, frame: bytes) -> bool:
        header = header_of(frame)
        if end or header is None or len(frame) < 1000 or lost:
            return False
        lost.append(header.seq)
        return True

    link = linker(lose=lose)
    ours, theirs = link.opened()
    assert link.send(ours, theirs, bytes(20_000), 10) == bytes(20_000)
    after(link, 0.3)
    text = why(link, ours)
    assert "1 segment sent again: " in text
    assert "none came twice (DSACK): they were lost on the way there" in text


def test_acknowledgments_of_the_kernel_are_lost(linker: Linker) -> None:
    armed: list[bool] = []
    lost: list[bytes] = []

    def lose(end: int, frame: bytes) -> bool:
        if not end or not armed or lost or header_of(frame) is None:
            return False
        lost.append(frame)
        return True

    link = linker(lose=lose)
    link.stack.settings.set("tcp.rto_min_ms", "200")
    ours, theirs = link.opened()
    assert link.send(ours, theirs, bytes(1000), 10) == bytes(1000)
    after(link, 0.1)
    armed.append(True)
    assert link.send(ours, theirs, bytes(1000), 10) == bytes(1000)
    assert link.pump(lambda: ours.stats.dsacks > 0, 10)
    text = why(link, ours)
    assert "all had arrived (DSACK): not they, but acknowledgments were lost or late" in text


def test_time_wait_makes_room(linker: Linker) -> None:
    link = linker()
    link.stack.settings.set("tcp.tw_reuse", "1")
    listener = link.kernel_listens()
    ours = link.opens()
    ours.reuse = True
    link.tcp.connect(ours, parse_address(link.kernel), 7, link.now)
    theirs = link.accepted_by(listener)
    ends = ours.ends
    link.tcp.close(ours, link.now)
    after(link, 0.1)
    theirs.close()
    after(link, 0.1)
    assert "verdict: closed, in TIME-WAIT" in "\n".join(told(link, ends))
    after(link, 1.1)  # the timestamp has to be newer
    again = link.opens()
    again.reuse = True
    link.tcp.bind(again, None, ends.port)
    link.tcp.connect(again, parse_address(link.kernel), 7, link.now)
    assert link.pump(lambda: again.connected, 10)
    assert "the one before was in TIME-WAIT, and has made room for it" in why(link, again)


def test_opened_from_both_sides_with_the_kernel(linker: Linker) -> None:
    link = linker()
    link.opened()  # so that both know each other's MAC address
    ours, theirs = link.opens(), link.kernel_socket()
    theirs.bind((link.kernel, 6000))
    link.tcp.bind(ours, None, 5000)
    with suppress(BlockingIOError):
        theirs.connect((link.ours, 5000))
    link.tcp.connect(ours, parse_address(link.kernel), 6000, link.now)
    assert link.pump(lambda: ours.connected, 10)
    assert "both ends sent SYN at once: opened from both sides" in why(link, ours)
    assert link.send(ours, theirs, b"hello", 10) == b"hello"
    theirs.close()


def test_the_kernel_has_forgotten_the_connection(linker: Linker) -> None:
    """As after a restart: a socket that is closed while it is repaired tells nobody."""
    link = linker()
    ours, theirs = link.opened()
    theirs.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    theirs.close()
    link.tcp.send(ours, b"hello", link.now)
    assert link.pump(lambda: ours.state is State.CLOSED, 10)
    assert f"RST from {shown(link)}" in why(link, ours)
    assert "it knows of no such connection any more" in why(link, ours)


def test_the_kernel_remembers_a_connection_that_we_have_forgotten(linker: Linker) -> None:
    link = linker()
    listener = link.kernel_listens()
    ours = link.connects(7)
    link.accepted_by(listener)
    link.tcp.unregister(ours.ends, ours)
    link.tcp.inbound.clear()
    again = link.opens()
    link.tcp.bind(again, None, ours.port)
    link.tcp.connect(again, parse_address(link.kernel), 7, link.now)
    assert link.pump(lambda: again.connected, 10)
    text = why(link, again)
    assert "the peer still had an old connection with this port: RST has ended it" in text


def test_a_program_of_the_kernel_that_gives_up(linker: Linker) -> None:
    link = linker()
    ours, theirs = link.opened()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    assert link.pump(lambda: ours.state is State.CLOSED, 10)
    assert "its program gave the connection up, or ended without reading" in why(link, ours)
