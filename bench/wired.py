"""A stack with wires in process: frames in, frames out, and nothing else that takes time."""

import random
from collections.abc import Callable
from time import perf_counter

from bench.datagram import PAYLOAD
from smolctl.stack.config.addr import add_address, bring_up_loopback
from smolctl.stack.config.link import add_interface
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.neighbor.states import State
from smolctl.stack.stack import Stack
from smolctl.wire import ethernet, ipv4, ipv6, udp
from smolctl.wire.address import IPV4, IPV6, IPV6_MARK, Family, parse_address

PORT = 7
OURS, PEER = parse_address("10.0.0.1"), parse_address("10.0.0.2")
_ENDS = {
    IPV4: ("10.0.0.1", "10.0.0.2", 8, "11.0.0.1", "11.0.0.2"),
    IPV6: ("2001:db8::1", "2001:db8::2", 64, "2001:db8:1::1", "2001:db8:1::2"),
}
"""Our address and the neighbor's, their prefix length, and the same at the other wire."""
_MAC, _PEER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
_FAR_MAC = bytes.fromhex("020000000003")
_NOW = 1
Timer = Callable[[], float]


class Wired:
    """A stack with an Ethernet interface, one socket and one known neighbor.

    Args:
        timer: the clock by which is measured, in seconds.

    Attributes:
        frame: a datagram of the neighbor to the socket.
    """

    def __init__(self, family: Family = IPV4, timer: Timer = perf_counter) -> None:
        self.stack, self._timer = Stack(random.Random(1).random), timer
        self.stack.settings.set("nd.accept_dad", "0")
        self._net = self.stack.networks[family]
        bring_up_loopback(self._net)
        ours, peer, plen, _, _ = _ENDS[family]
        self._family, self._ours, self._peer = family, parse_address(ours), parse_address(peer)
        self.wire = self._add_wire("eth0", self._ours, plen)
        self.add_neighbor(self._peer)
        self.socket = self.stack.udp.open(family=family)
        self.stack.udp.bind(self.socket, port=PORT)
        self.frame = frame(self._peer, self._ours)

    def _add_wire(self, name: str, address: int, plen: int) -> Interface:
        wire = add_interface(self.stack.shared, name, "test", Medium.ETHERNET, 1500, _MAC)
        add_address(self._net, wire, self._net.new_address(address, plen, wire))
        wire.outbox.clear()
        return wire

    def add_neighbor(self, address: int, dev: str = "eth0", mac: bytes = _PEER_MAC) -> None:
        """Make a neighbor known for good."""
        self._net.neighbors[dev].set(address, State.PERMANENT, mac, _NOW)

    def receive(self, count: int) -> float:
        """Take ``count`` frames from the wire to the socket; return ns each."""
        receive, wire, data, take = self.stack.receive, self.wire, self.frame, self.socket.receive
        start = self._timer()
        for _ in range(count):
            receive(wire, data, _NOW)
            if take() is None:
                raise RuntimeError("a frame was lost")
        return (self._timer() - start) / count * 1e9

    def send(self, count: int) -> float:
        """Put ``count`` datagrams onto the wire; return ns each."""
        send, socket, outbox, peer = self.stack.udp.send, self.socket, self.wire.outbox, self._peer
        start = self._timer()
        for _ in range(count):
            send(socket, PAYLOAD, peer, PORT, _NOW)
            outbox.pop()
        return (self._timer() - start) / count * 1e9


class Forwarding(Wired):
    """One that forwards to a neighbor at a second wire."""

    def __init__(self, family: Family, timer: Timer = perf_counter) -> None:
        super().__init__(family, timer)
        *_, plen, ours, far = _ENDS[family]
        self._out = self._add_wire("eth1", parse_address(ours), plen)
        self.add_neighbor(parse_address(far), "eth1", _FAR_MAC)
        self.stack.settings.set(self._net.forward_sysctl, "1")
        self.stack.poll(_NOW)
        self._passing = frame(self._peer, parse_address(far))

    def forward(self, count: int) -> float:
        """Take ``count`` frames from one wire to the other; return ns each."""
        receive, wire, data, outbox = self.stack.receive, self.wire, self._passing, self._out.outbox
        outbox.clear()
        start = self._timer()
        for _ in range(count):
            receive(wire, data, _NOW)
            outbox.pop()
        return (self._timer() - start) / count * 1e9


def frame(src: int, dst: int) -> bytes:
    """Return a datagram of the neighbor in a frame for us."""
    segment = udp.to_bytes(PORT, PORT, PAYLOAD, src, dst)
    if src >= IPV6_MARK:
        ethertype = ethernet.EtherType.IPV6
        header = ipv6.Ipv6Header(0, 0, len(segment), ipv6.NextHeader.UDP, 64, src, dst).to_bytes()
    else:
        ethertype = ethernet.EtherType.IPV4
        total, protocol = ipv4.MIN_HEADER_LEN + len(segment), ipv4.Protocol.UDP
        header = ipv4.Ipv4Header(5, 0, total, 0, True, False, 0, 64, protocol, src, dst).to_bytes()
    return ethernet.EthernetHeader(_MAC, _PEER_MAC, ethertype).to_bytes() + header + segment
