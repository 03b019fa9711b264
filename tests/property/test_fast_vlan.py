"""The fast path is invisible where datagrams leave with VLAN tags, one or two of them, too."""

from dataclasses import astuple
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import StackError
from smolctl.stack.config.link import set_carrier, set_mac, set_mtu, set_up
from smolctl.stack.config.netem import set_impairment
from smolctl.stack.config.vlan import add_vlan
from smolctl.stack.fastpath.udp import EthernetFlow, VlanFlow
from smolctl.stack.interface import Vlan
from smolctl.stack.link.impairment import Netem
from smolctl.stack.link.outbox import frames_of
from smolctl.stack.neighbor.states import State
from smolctl.wire.address import IPV6
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import MAX_SEGMENTS, Run, coalesce
from smolctl.wire.vlan import Tpid, VlanTag, tags
from tests.kit.amount import examples
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER_MAC, Host, ip
from tests.property.events import socket_state

PEERS = {
    "10.5.0.2": "tap0.5", "2001:db8:5::2": "tap0.5", "10.7.0.2": "s.7", "2001:db8:7::2": "s.7",
    "10.0.0.2": "tap0",
}  # fmt: skip
"""Neighbors, and the links that they are on."""
PAYLOADS = (b"ping", b"pong", b"odd", b"", bytes(1401))
Happening = tuple[Any, ...]

sends = st.tuples(
    st.just("send"), st.sampled_from(list(PEERS)), st.sampled_from(PAYLOADS), st.integers(1, 3)
)
OTHERS: tuple[Happening, ...] = (
    ("carrier", False), ("carrier", True), ("take",), ("take",),
    *(("netem", dev, how) for dev in ("tap0", "s", "s.7", "tap0.5") for how in (1, 1, 0)),
    *(("up", dev, on) for dev in ("tap0", "s", "tap0.5") for on in (False, True)),
    *(("mtu", dev, mtu) for dev in ("tap0.5", "s.7") for mtu in (1300, 1500)),
    *(("mac", peer, OTHER_MAC) for peer in PEERS),
    *(("stale", peer) for peer in PEERS),
    ("our mac", "tap0", OTHER_MAC), ("our mac", "tap0.5", OUR_MAC),
)  # fmt: skip
others = st.sampled_from(OTHERS)
calm = st.lists(sends, min_size=1, max_size=4)
# Calm traffic, and now and then something that may change everything, behind which it goes on.
histories = st.lists(st.tuples(calm, others, calm), min_size=1, max_size=4).map(
    lambda parts: [each for before, one, behind in parts for each in (*before, one, *behind)]
)


class World:
    """A stack with tap0, its VLAN 5, which has a MAC of its own, and VLAN 7 in its service VLAN.

    Args:
        layered: never use what the fast path remembers.
    """

    def __init__(self, *, layered: bool) -> None:
        host = self.host = Host(ipv6=True)
        shared = host.stack.shared
        for lower, name, tpid, vid, mac in (
            ("tap0", "tap0.5", Tpid.CUSTOMER, 5, OTHER_MAC),
            ("tap0", "s", Tpid.SERVICE, 100, None), ("s", "s.7", Tpid.CUSTOMER, 7, None),
        ):  # fmt: skip
            add_vlan(shared, name, Vlan(host.dev(lower), tpid, vid), None, mac, host.now)
        for net, dev in (("5", "tap0.5"), ("7", "s.7")):
            host.add(f"10.{net}.0.1/24", dev)
            host.add(f"2001:db8:{net}::1/64", dev)
        for peer, dev in PEERS.items():
            host.know(peer, state=State.PERMANENT, dev=dev)
        self.socket = host.stack.udp.open("test", IPV6)
        host.stack.udp.bind(self.socket, None, 9)
        self.refused: list[str] = []
        self.layered = layered

    def play(self, happening: Happening) -> None:
        """Let one thing happen, as often as it says."""
        kind, *args = happening
        for _ in range(args[2] if kind == "send" else 1):
            if self.layered:
                self.host.stack.generation.touch()
            try:
                self._happen(kind, *args)
            except StackError as error:
                self.refused.append(str(error))
        self.host.poll()

    def _happen(self, kind: str, *args: Any) -> None:
        host = self.host
        shared, links = host.stack.shared, host.stack.interfaces
        if kind == "send":
            host.stack.udp.send(self.socket, args[1], ip(args[0]), 7, host.now)
        elif kind == "mac":
            host.know(args[0], args[1], State.PERMANENT, PEERS[args[0]])
        elif kind == "stale":
            host.know(args[0], PEER_MAC, State.STALE, PEERS[args[0]])
        elif kind == "our mac":
            set_mac(shared, links[args[0]], args[1], host.now)
        elif kind == "up":
            set_up(shared, links[args[0]], args[1], host.now)
        elif kind == "carrier":
            set_carrier(shared, host.tap, args[0], host.now)
        elif kind == "netem":
            set_impairment(shared, links[args[0]], Netem(loss=args[1]))
        elif kind == "mtu":
            set_mtu(shared, links[args[0]], args[1])
        else:
            host.take()

    def snapshot(self) -> dict[str, object]:
        """Return all that can be seen of the stack from outside."""
        stack = self.host.stack
        return {
            "links": {name: astuple(link.counters) for name, link in stack.interfaces.items()},
            "outboxes": {
                name: [frame for item in link.outbox for frame in frames_of(item)]
                for name, link in stack.interfaces.items()
            },
            "socket": socket_state(self.socket),
            "refused": self.refused,
            "reasons": self.host.reasons(),
            "neighbors": [
                (net.family, name, entry.ip, entry.state, entry.lladdr, entry.used_ns)
                for net in stack.networks.values()
                for name, cache in net.neighbors.items()
                for entry in cache
            ],
        }


@examples(40)
@given(histories)
def test_fast_path_equals_layered_path(history: list[Happening]) -> None:
    quick, layered = World(layered=False), World(layered=True)
    for happening in history:
        quick.play(happening)
        layered.play(happening)
        mine, theirs = quick.snapshot(), layered.snapshot()
        assert mine == theirs


def test_the_fast_path_is_taken() -> None:
    world = World(layered=False)
    for peer in PEERS:
        for payload in (b"one", b"two"):
            world.play(("send", peer, payload, 2))
    kinds = {peer: type(world.socket.flows[ip(peer), 7, None]) for peer in PEERS}
    assert kinds == {peer: EthernetFlow if peer == "10.0.0.2" else VlanFlow for peer in PEERS}
    pending = [item[0].frame(item[1]) for item in world.host.tap.outbox if isinstance(item, tuple)]
    assert len(pending) == 3 * len(PEERS)
    marks = {tuple((tag.tpid, tag.vid) for tag in tags(frame)) for frame in pending}
    assert marks == {(), ((Tpid.CUSTOMER, 5),), ((Tpid.SERVICE, 100), (Tpid.CUSTOMER, 7))}
    assert VlanTag(Tpid.CUSTOMER, 0, False, 5) == tags(pending[0])[0]


def without_ident(frame: bytes) -> bytes:
    """Return a frame without what is another one in each segment: IPv4's ident, so its checksum."""
    at = 14 + 4 * len(tags(frame))
    six = frame[at] >> 4 == 6
    return frame if six else frame[: at + 4] + frame[at + 6 : at + 10] + frame[at + 12 :]


def test_what_the_kernel_is_to_cut_and_sum_is_what_would_leave_as_frames() -> None:
    world = World(layered=False)
    for peer in PEERS:
        world.play(("send", peer, b"odd", 5))
        world.play(("send", peer, bytes(range(200)), 3))
    runs = [item for item in coalesce(world.host.tap.outbox, MAX_SEGMENTS) if type(item) is Run]
    assert {len(run.payloads) for run in runs} == {3, 4}
    for run in runs:
        cut = virtio.frames(run.to_bytes())
        assert isinstance(cut, list)
        assert list(map(without_ident, cut)) == list(map(without_ident, run.frames()))
        assert len(run) == sum(map(len, run.frames()))
