"""The fast path is invisible for IPv6, too: with it and without it a stack does the same."""

from dataclasses import astuple
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.link.outbox import frames_of
from smolctl.stack.neighbor.states import State
from smolctl.wire import udp
from smolctl.wire.address import IPV6
from smolctl.wire.ipv6 import NextHeader
from smolctl.wire.ipv6_ext import options_header
from smolctl.wire.offload import virtio
from tests.kit.host import OTHER_MAC, PEER_MAC, ip
from tests.kit.host6 import (
    OUR_LINK_LOCAL,
    OURS6,
    PEER6,
    PEER_LINK_LOCAL,
    Host6,
    frame6_of,
    packet6_of,
)
from tests.property.events import socket_state

PAYLOADS = (b"ping", b"pong", b"odd", b"", b"\xff\xff\xff\xff")
SPOILS = (
    *["nothing"] * 12, "no checksum", "padding", "cut", "flip", "hops", "tail", "label", "class",
    "options",
)  # fmt: skip
ENDS = ((PEER6, OURS6), (PEER_LINK_LOCAL, OUR_LINK_LOCAL), ("2001:db8::3", OURS6))


def steady(ends: int, dport: int, payload: bytes, spoil: str, at: int) -> bytes:
    """Return a datagram of one of a few flows, perhaps with something wrong or unusual.

    Args:
        at: which byte is changed by the spoil "flip".
    """
    src, dst = ENDS[ends]
    segment = udp.to_bytes(9, dport, payload, ip(src), ip(dst))
    if spoil == "no checksum":
        segment = segment[:6] + b"\0\0" + segment[8:]
    elif spoil == "tail":
        segment += b"tail"  # IPv6 carries more than UDP says
    elif spoil == "options":
        segment = options_header(NextHeader.UDP, []) + segment
    frame = frame6_of(
        packet6_of(
            NextHeader.DESTINATION if spoil == "options" else NextHeader.UDP, segment, src, dst,
            hops=3 if spoil == "hops" else 64, flow=5 if spoil == "label" else 0,
            traffic_class=4 if spoil == "class" else 0,
        )
    )  # fmt: skip
    if spoil == "padding":
        return frame + bytes(14)
    if spoil == "cut":
        return frame[:-1]
    if spoil == "flip":
        at %= len(frame)
        return frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]
    return frame


def offloaded(frame: bytes, how: str, seed: bytes, size: int) -> bytes:
    """Return a frame behind a virtio header: verified, partial, or as a super-packet."""
    if how == "super":
        return virtio.VirtioHeader(1, virtio.Gso.UDP_L4, 62, size, 54, 6).to_bytes() + frame
    if how == "partial":
        return virtio.UDP6_CSUM + frame[:60] + seed + frame[62:]
    return (virtio.VERIFIED if how == "verified" else virtio.PLAIN) + frame


frames = st.builds(
    steady, st.integers(0, 2), st.sampled_from([7, 8]), st.sampled_from(PAYLOADS),
    st.sampled_from(SPOILS), st.integers(0, 99),
)  # fmt: skip
many = st.builds(
    steady, st.integers(0, 2), st.sampled_from([7, 8]),
    st.sampled_from([b"ping" * 9, b"ping" * 2, b"odd" * 5 + b"o"]), st.sampled_from(SPOILS),
    st.integers(0, 99),
)  # fmt: skip
seeds = st.sampled_from([b"\0\0", b"\xff\xff", b"\x12\x34"])
datas = st.one_of(
    st.builds(offloaded, frames, st.sampled_from(["plain", "verified", "partial"]), seeds,
              st.just(0)),
    st.builds(offloaded, many, st.just("super"), seeds, st.sampled_from([3, 4, 1, 100, 0])),
)  # fmt: skip
receives = st.tuples(st.just("receive"), st.lists(frames, min_size=1, max_size=6))
offloads = st.tuples(st.just("receive"), st.lists(datas, min_size=1, max_size=6))
sends = st.tuples(
    st.just("send"), st.integers(0, 2),
    st.sampled_from([PEER6, PEER6, OURS6, "::1", "2001:db8::9", PEER_LINK_LOCAL, "10.0.0.2"]),
    st.sampled_from([7, 8, 9]), st.sampled_from([*PAYLOADS, bytes(1453)]),
)  # fmt: skip
others = st.sampled_from([
    ("wait", 1), ("wait", 40), ("mac", PEER6), ("set", "ip6.auto_flowlabels", 0),
    ("set", "ip6.auto_flowlabels", 1), ("set", "ip6.hop_limit", 9), ("read", 0), ("small", 0),
    ("address", "2001:db8::5/64"), ("set", "ip6.disable", 0), ("advertise", PEER6),
])  # fmt: skip
calm = st.lists(st.one_of(receives, receives, sends, sends, others), min_size=1, max_size=12)
busy = st.lists(st.one_of(offloads, offloads, receives, sends, others), min_size=1, max_size=12)


class World:
    """A stack that plays a history.

    Args:
        layered: never use what the fast path remembers.
        headroom: of tap0's device.
    """

    def __init__(self, *, layered: bool, headroom: int) -> None:
        host = self.host = Host6()
        host.add("10.0.0.1/24")
        host.tap.headroom = headroom
        for peer in (PEER6, PEER_LINK_LOCAL, "2001:db8::3", "10.0.0.2"):
            host.know(peer, state=State.PERMANENT)
        self.sockets = [host.socket(7, "::"), host.socket(8, OURS6)]
        self.sockets.append(host.stack.udp.open("both", IPV6))
        host.stack.udp.bind(self.sockets[2], None, 9, "tap0")
        self.sockets[0].rcvbuf = 700
        self.errors: list[object] = []
        self.layered = layered

    def play(self, event: tuple[Any, ...]) -> None:
        """Let one event happen."""
        host, (kind, *args) = self.host, event
        if self.layered:
            host.stack.generation.touch()
        if kind == "receive":
            front = virtio.PLAIN if host.tap.headroom else b""
            for data in args[0]:
                if self.layered:
                    host.stack.generation.touch()
                bare = data[12:14] == b"\x86\xdd" or not host.tap.headroom
                host.stack.receive(host.tap, front + data if bare else data, host.now)
        elif kind == "send":
            number, dst, port, payload = args
            try:
                host.stack.udp.send(self.sockets[number], payload, ip(dst), port, host.now)
            except Exception as error:  # whatever it is, it is compared
                self.errors.append((type(error).__name__, str(error)))
            host.poll()
        elif kind == "wait":
            host.wait(args[0] * 1_000_000_000)
        elif kind == "mac":
            host.know(args[0], OTHER_MAC, State.REACHABLE)
        elif kind == "advertise":
            host.know(args[0], PEER_MAC, State.STALE)
        elif kind == "set":
            host.set(args[0], args[1])
        elif kind == "read":
            for socket in self.sockets:
                socket.receive_all()
        elif kind == "small":
            host.tap.mtu = 1300
            host.stack.generation.touch()
        elif host.tap.ipv6.addresses.find(ip("2001:db8::5"), None) is None:
            host.add(args[0])

    def snapshot(self) -> dict[str, object]:
        """Return all that can be seen of the stack from outside."""
        stack = self.host.stack
        return {
            "links": {name: astuple(link.counters) for name, link in stack.interfaces.items()},
            "outbox": [frame for item in self.host.tap.outbox for frame in frames_of(item)],
            "sockets": [socket_state(socket) for socket in self.sockets],
            "errors": self.errors,
            "reasons": self.host.reasons(),
            "events": dict(stack.ledger.events),
            "neighbors": {
                entry.ip: (entry.state, entry.lladdr, entry.used_ns)
                for entry in stack.ipv6.neighbors["tap0"]
            },
        }


def compare(history: list[tuple[Any, ...]], headroom: int) -> None:
    """Play the same with and without the fast path; nothing that can be seen may differ."""
    quick = World(layered=False, headroom=headroom)
    layered = World(layered=True, headroom=headroom)
    for event in history:
        quick.play(event)
        layered.play(event)
        mine, theirs = quick.snapshot(), layered.snapshot()
        assert mine == theirs


@given(calm)
def test_fast_path_equals_layered_path(history: list[tuple[Any, ...]]) -> None:
    compare(history, 0)


@given(busy)
def test_offloads_do_not_differ_either(history: list[tuple[Any, ...]]) -> None:
    compare(history, virtio.HEADER_LEN)


def test_the_fast_path_is_taken() -> None:
    host = Host6()
    host.know(PEER6, state=State.PERMANENT)
    socket = host.socket(7, "::")
    for _ in range(3):
        host.receive(steady(0, 7, b"ping", "nothing", 0))
        host.send(socket, PEER6, 9, b"pong")
        host.stack.udp.send(socket, b"pong", ip(PEER6), 9, host.now)
    assert len(host.tap.flows) == 1
    (flow,) = host.tap.flows.values()
    assert flow.head == steady(0, 7, b"ping", "nothing", 0)[:22]
    assert list(socket.flows) == [(ip(PEER6), 9, None)]
    assert len({frame for frame in host.take() if frame[12:14] == b"\x86\xdd"}) == 1
