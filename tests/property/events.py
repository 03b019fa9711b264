"""Random things that happen to a random stack, and all that can be seen of it afterwards."""

from contextlib import suppress
from dataclasses import astuple
from typing import Any, NamedTuple

from hypothesis import strategies as st

from smolctl.errors import StackError
from smolctl.stack.config.addr import delete_addresses
from smolctl.stack.config.link import delete_interface, set_mac, set_mtu
from smolctl.stack.fastpath import udp as fast_udp
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import ANYBODY
from smolctl.stack.ip.network import Network
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.link.outbox import frames_of
from smolctl.stack.reason import shown
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import IPV4, IPV6, family_of, format_address
from smolctl.wire.ethernet import EtherType
from smolctl.wire.fault import WireFault
from smolctl.wire.offload import virtio
from smolctl.wire.vlan import VlanTag, tagged, tags, untagged
from tests.kit.groups import GROUP, but, only
from tests.kit.host import OUR_MAC, PEER_MAC, Host, ip, reply, see
from tests.kit.host6 import advertise, see6
from tests.property.frames import (
    GROUP6,
    arrivals,
    devs,
    dsts,
    dsts6,
    ips,
    ips6,
    payloads,
    plain_udps,
    plain_udps6,
    ports,
)
from tests.property.world import ADDRESSES, LINK_SCOPES, ROUTES, SYSCTLS, Config, World, at_link

SECOND_NS = 1_000_000_000


class Send(NamedTuple):
    """A datagram is sent by one of the sockets, ``times`` times."""

    socket: int
    dst: str
    port: int
    payload: bytes
    src: str | None
    times: int


class Receive(NamedTuple):
    """Frames come in, in one batch."""

    dev: str
    frames: list[bytes]


class Offloaded(NamedTuple):
    """Frames come in behind virtio headers; one by one where a device has none."""

    dev: str
    data: list[bytes]


class Do(NamedTuple):
    """Anything else: what, where, and a number that says more."""

    what: str
    dev: str
    number: int


Event = Send | Receive | Offloaded | Do

sends = st.builds(
    Send, st.integers(0, 9),
    st.sampled_from(["10.0.0.2", "127.0.0.1", "10.0.0.1", "2001:db8::2", "::1", "2001:db8::1"])
    | dsts | ips | dsts6 | ips6,
    st.sampled_from([7, 8]) | ports, payloads, st.none() | dsts | dsts6, st.integers(1, 3),
)  # fmt: skip
padded = plain_udps.map(lambda frame: frame + b"pad")
in_vlan = st.sampled_from([0, 3]).flatmap(
    lambda pcp: plain_udps.map(lambda frame: tagged(frame, VlanTag(0x8100, pcp, False, 5)))
)
plain = plain_udps | plain_udps6 | padded | in_vlan
batches = st.builds(Receive, st.just("tap0"), st.lists(plain, max_size=4))
receives = arrivals.map(lambda arrival: Receive(arrival[0], [arrival[1]]))
quiet = st.builds(
    Do, st.sampled_from(["wait", "take", "answer", "fetch"]), devs, st.integers(0, 99)
)
changes = st.builds(
    Do,
    st.sampled_from(
        ["refuse", "up", "carrier", "address", "route", "sysctl", "flush", "mtu", "mac", "rebind",
         "delete", "pmtudisc", "join", "join"]
    ),
    devs,
    st.integers(0, 99),
)  # fmt: skip


def histories(*, sizes: tuple[int, int] = (0, 25)) -> st.SearchStrategy[list[Event]]:
    event = st.one_of(sends, sends, batches, receives, quiet, quiet, changes)
    return st.lists(event, min_size=sizes[0], max_size=sizes[1])


class Player:
    """Lets things happen to a world.

    Args:
        layered: never use what the fast path remembers.
        followed: give every datagram a trace, which ``traces`` collects.
        headroom: of the devices.
    """

    def __init__(
        self,
        config: Config,
        *,
        layered: bool = False,
        followed: bool = False,
        headroom: int = 0,
    ) -> None:
        self.world = World(config)
        for interface in self.world.stack.interfaces.values():
            device = interface.medium is Medium.ETHERNET and interface.vlan is None
            interface.headroom = headroom if device else 0
        self.host, self.stack = self.world.host, self.world.stack
        self._layered, self._followed = layered, followed
        self.traces: list[Trace] = []

    def play(self, event: Event) -> None:
        """Let one thing happen, and the stack do what is due."""
        match event:
            case Send():
                self._send(event)
            case Receive(dev, frames) if dev in self.stack.interfaces:
                self._receive(dev, frames)
            case Offloaded(dev, data) if dev in self.stack.interfaces:
                self._offloaded(dev, data)
            case Do(what, dev, number) if dev in self.stack.interfaces:
                with suppress(StackError):
                    getattr(self, f"_{what}")(dev, number)
        due = self.stack.timers.deadline()
        assert due is None or self.stack.timers.alarm.at_ns <= due, "a timer that nobody looks at"
        self.stack.poll(self.host.now)

    def _forget(self) -> None:
        if self._layered:
            self.stack.generation.touch()

    def _send(self, event: Send) -> None:
        sockets = self.world.sockets
        socket = sockets[event.socket % len(sockets)]
        src, dst = None if event.src is None else ip(event.src), ip(event.dst)
        payloads = [event.payload] * event.times
        if event.times > 2:
            payloads.append(event.payload[1:])
            if not (self._layered or self._followed):
                number = fast_udp.udp_send_many(
                    self.stack.generation.number,
                    socket,
                    payloads,
                    fast_udp.Destination(dst, event.port, src),
                    self.host.now,
                )
                del payloads[:number]
        for payload in payloads:
            self._forget()
            trace = self.make_trace() if self._followed else None
            with suppress(StackError):
                item = OutgoingDatagram(payload, dst, event.port, src, trace)
                self.stack.udp.send_from(socket, item, self.host.now)

    def make_trace(self) -> Trace:
        self.traces.append(Trace())
        return self.traces[-1]

    def _receive(self, dev: str, frames: list[bytes]) -> None:
        if self.host.dev(dev).headroom:
            frames = [virtio.PLAIN + frame for frame in frames]
        self._take_in(dev, frames)

    def _offloaded(self, dev: str, data: list[bytes]) -> None:
        if self.host.dev(dev).headroom:
            self._take_in(dev, data)
            return
        for each in data:
            frames = virtio.frames(each)
            if not isinstance(frames, WireFault):
                self._take_in(dev, frames)

    def _take_in(self, dev: str, data: list[bytes]) -> None:
        interface = self.host.dev(dev)
        if not self._layered:
            self.stack.receive_batch(interface, data, self.host.now)
            return
        for each in data:
            self._forget()
            self.stack.receive(interface, each, self.host.now)

    # --- quiet events -----------------------------------------------------------------------------

    def _wait(self, _dev: str, number: int) -> None:
        self.host.wait(number * number * 1_000_000)

    def _take(self, dev: str, _number: int) -> None:
        self.host.take(dev)

    def _answer(self, dev: str, number: int) -> None:
        """Let one of those that are being asked answer."""
        entries = [*self.host.cache(dev), *self.stack.ipv6.neighbors[dev]]
        if entries:
            address = entries[number % len(entries)].ip
            mac = PEER_MAC if number < 90 else OUR_MAC
            answer = advertise if family_of(address) is IPV6 else reply
            frame = answer(format_address(address), mac=mac)
            self._receive(dev, [self.host.dev(dev).mac + frame[6:]])

    def _fetch(self, _dev: str, number: int) -> None:
        """Let an application read."""
        socket = self.world.sockets[number % len(self.world.sockets)]
        socket.receive()
        socket.errors.clear()

    # --- changes ----------------------------------------------------------------------------------

    def _refuse(self, dev: str, number: int) -> None:
        """Let the device refuse what waits for it."""
        interface = self.host.dev(dev)
        items = interface.outbox[:]
        interface.outbox.clear()
        reason = ("tx-queue-full", "tx-no-carrier")[number & 1]
        for item in items:
            self.stack.transmit_failed(interface, item, reason, self.host.now)

    def _up(self, dev: str, number: int) -> None:
        self.world.up(dev, number % 3 > 0)

    def _carrier(self, dev: str, number: int) -> None:
        self.world.carrier(dev, number % 3 > 0)

    def _address(self, _dev: str, number: int) -> None:
        address, dev = ADDRESSES[number % len(ADDRESSES)]
        local = ip(address.partition("/")[0])
        net, interface = self.stack.networks.for_address(local), self.host.dev(dev)
        known = net.of(interface).addresses.find(local, None)
        if known is None:
            self.host.add(address, dev)
        elif number >= 50:
            delete_addresses(net, interface, (known,), self.host.now)

    def _route(self, _dev: str, number: int) -> None:
        self.host.route(**ROUTES[number % len(ROUTES)])

    def _sysctl(self, _dev: str, number: int) -> None:
        key, values = SYSCTLS[number % len(SYSCTLS)]
        scope = ("", *LINK_SCOPES)[number // 3 % (1 + len(LINK_SCOPES))]
        self.host.set(at_link(key, scope), values[number // 10 % len(values)])

    def _flush(self, dev: str, number: int) -> None:
        net = (self.stack.ipv4, self.stack.ipv6)[number // 2 % 2]
        actions = net.neighbors[dev].flush(keep_permanent=number % 2 > 0)
        net.neighbors.perform(self.host.dev(dev), actions, self.host.now)

    def _mtu(self, dev: str, number: int) -> None:
        interface = self.host.dev("lo" if number % 5 == 0 else dev)
        set_mtu(self.stack.shared, interface, 68 + number * 20)

    def _pmtudisc(self, _dev: str, number: int) -> None:
        sockets = self.world.sockets
        sockets[number % len(sockets)].pmtudisc = Pmtudisc(number % 4)
        self.stack.generation.touch()

    def _mac(self, dev: str, number: int) -> None:
        mac = b"\2\0\0\0\1" + bytes([number % 2])
        set_mac(self.stack.shared, self.host.dev(dev), mac, self.host.now)

    def _rebind(self, dev: str, number: int) -> None:
        """Close a socket and open another in its place."""
        sockets = self.world.sockets
        index = number % len(sockets)
        self.stack.udp.close(sockets[index])
        sockets[index] = self.stack.udp.open("", (IPV4, IPV6)[number % 3 == 0])
        sockets[index].reuse = number % 2 > 0
        self.stack.udp.bind(sockets[index], None, 7 + number % 3, dev if number > 50 else None)

    def _join(self, dev: str, number: int) -> None:
        """Have a socket join a group, want something else of it, or leave it."""
        sockets, interface = self.world.sockets, self.host.dev(dev)
        socket = sockets[number % len(sockets)]
        group = ip(GROUP if socket.family is IPV4 else GROUP6)
        net = self.stack.networks[socket.family]
        socket.multicast_loop = number % 5 > 0
        peer = "10.0.0.2" if socket.family is IPV4 else "2001:db8::2"
        wanted = (ANYBODY, ANYBODY, only(peer), but(peer))[number // 10 % 4]
        if number < 80:
            membership.join(net, socket, interface, group, wanted)
        else:
            membership.leave(net, socket, interface, group)

    def _delete(self, dev: str, number: int) -> None:
        if number >= 90:
            delete_interface(self.stack.shared, self.host.dev(dev), self.host.now)


def leaving(host: Host, dev: str) -> list[bytes]:
    """Let the device take all that waits; all of it is well-formed."""
    frames = host.take(dev)
    for frame in frames:
        plain = untagged(frame, len(tags(frame)))
        ipv6 = plain[12:14] == EtherType.IPV6.to_bytes(2)
        assert see6(plain) if ipv6 else see(plain)
    return frames


# --- what can be seen -----------------------------------------------------------------------------


def snapshot(world: World) -> dict[str, Any]:
    """Return all that can be seen of a stack from outside, in comparable form."""
    stack = world.stack
    return {
        "links": {
            name: (link.up, link.carrier, link.mtu, link.mac, astuple(link.counters))
            for name, link in stack.interfaces.items()
        },
        "outboxes": {
            name: [frame for item in link.outbox for frame in frames_of(item)]
            for name, link in stack.interfaces.items()
        },
        "sockets": [socket_state(socket) for socket in world.sockets],
        "clients": (list(world.client.replies), list(world.arping.answers)),
        "reasons": {
            (reason.name, dev): (tally.count, tally.last_ns, shown(tally.detail))
            for (reason, dev), tally in stack.ledger.reasons.items()
        },
        "events": dict(stack.ledger.events),
        "neighbors": {
            (name, net.family): neighbors(net, name)
            for net in stack.networks.values()
            for name in net.neighbors
        },
        "claims": {name: claims(link) for name, link in stack.interfaces.items()},
        "paths": [path for net in stack.networks.values() for path in net.fib.path_mtus],
        "groups": {
            (name, net.family): (
                net.of(link).groups.filters,
                net.of(link).reports.due_ns,
                net.of(link).reports.version(world.host.now),
            )
            for net in stack.networks.values()
            for name, link in stack.interfaces.items()
        },
        "deadline": stack.deadline(),
    }


def socket_state(socket: UdpSocket) -> tuple[object, ...]:
    errors = [(error.reason.name, error.dst, error.dport, error.at_ns) for error in socket.errors]
    queue = [tuple(datagram) for datagram in socket.queue]
    counts = (socket.queue_bytes, socket.drops, socket.rx_datagrams, socket.tx_datagrams)
    held = socket.send_queue and [(item.payload, item.dst) for item in socket.send_queue.items]
    return socket.local, socket.port, socket.ready, counts, queue, errors, held


def claims(link: Interface) -> list[tuple[object, ...]]:
    """Return the addresses of a link, and what is remembered of their tests and conflicts."""
    shown: list[tuple[object, ...]] = [
        (
            claim.address.local,
            claim.phase,
            claim.due_ns,
            claim.sent,
            claim.other_mac,
            claim.defended_ns,
        )
        for claim in link.ipv4.dad
    ]
    return shown + [
        (item.local, item.tentative, item.other_mac) for item in link.ipv4.addresses.items
    ]


def neighbors(net: Network, dev: str) -> list[tuple[object, ...]]:
    return [
        (
            entry.ip,
            entry.state,
            entry.lladdr,
            entry.probes,
            entry.timer_ns,
            (entry.created_ns, entry.updated_ns, entry.used_ns, entry.confirmed_ns),
            [queued.data for queued in entry.queue],
        )
        for entry in net.neighbors[dev]
    ]
