"""Hosts to which packets come in with marks: a stack, and the kernel.

Both have lo up, tap0 with 10.0.0.1/24 and tap1 with 10.7.0.1/24. The kernel's are veths whose other
ends, w0 and w1, are in the same namespace: there a packet keeps the mark that a packet socket gives
it, as one does that a packet filter has marked.
"""

import socket
import struct
from abc import ABC, abstractmethod
from typing import NamedTuple

from smolctl.stack.link.input import frame_input
from smolctl.wire import arp, ipv4, tcp
from tests.e2e.kit import Peer
from tests.kit.host import OTHER_MAC, OUR_MAC, PEER, Seen, request, see, text
from tests.kit.netns import Namespace
from tests.ops.kit import Api

FENCE = "10.0.0.250"
"""The last one that asks by ARP: when it is answered, all that came before has been dealt with."""
_IPV6 = b"\x86\xdd"
ROUTERS = {PEER: "tap0", "10.7.0.254": "tap1", "10.7.0.253": "tap1"}
"""Hosts that are known, with their link."""
_MACS = {"tap0": OUR_MAC, "tap1": OTHER_MAC}


def _mac(address: str) -> bytes:
    return bytes((2, 0, *map(int, address.split("."))))


class Said(NamedTuple):
    """A frame that a host sent: by which link, to which station, what, and to whom."""

    dev: str
    mac: bytes
    what: str
    to: str


class Marked(ABC):
    """A host."""

    @abstractmethod
    def do(self, op: str, **words: str) -> None:
        """Do what a command of ``ip`` does: "rule add" with its words."""

    @abstractmethod
    def sysctl(self, name: str, value: int) -> None:
        """Set a sysctl of net.ipv4."""

    @abstractmethod
    def listen(self, port: int) -> None:
        """Open a TCP socket that listens."""

    @abstractmethod
    def _inject(self, frame: bytes, mark: int) -> None:
        """Let a frame come in by tap0, whose packet has a mark."""

    @abstractmethod
    def _sent(self) -> list[tuple[str, Seen]]:
        """Return what it sent since the last call."""

    def says(self, *frames: bytes, mark: int = 0) -> list[Said]:
        """Return what follows frames; nobody answers ARP, and ``ROUTERS`` are known."""
        for frame in frames:
            self._inject(frame, mark)
        self._inject(request(FENCE), 0)
        found: list[Said] = []
        while not any(each.to == FENCE for each in found):
            found += [said(dev, seen) for dev, seen in self._sent()]
        return [each for each in found if each.to != FENCE]


def said(dev: str, seen: Seen) -> Said:
    """Return a frame in words."""
    if seen.arp is not None:
        reply = seen.arp.op == arp.Op.REPLY
        return Said(dev, seen.dst, "arp reply" if reply else "asks", text(seen.arp.target_ip))
    assert seen.ip is not None
    what = str(seen.ip.protocol)
    if seen.ip.protocol == ipv4.Protocol.ICMP:
        what = f"icmp {seen.icmp.type} {seen.icmp.code}"
    elif seen.ip.protocol == ipv4.Protocol.TCP:
        what = "rst" if seen.payload[13] & tcp.RST else "tcp"
    return Said(dev, seen.dst, what, text(seen.ip.dst))


class Stack(Marked):
    """A stack of smolctl."""

    def __init__(self) -> None:
        self.api = Api()
        self.host = self.api.host
        self.host.link("tap1", OTHER_MAC)
        self.host.add("10.7.0.1/24", "tap1")
        for address, dev in ROUTERS.items():
            self.host.know(address, _mac(address), dev=dev)

    def do(self, op: str, **words: str) -> None:
        self.api(op.replace(" ", "."), **words)

    def sysctl(self, name: str, value: int) -> None:
        self.host.set(f"net.ipv4.{name}", value)

    def listen(self, port: int) -> None:
        tcp_ = self.host.stack.tcp
        one = tcp_.open("test")
        tcp_.bind(one, None, port)
        tcp_.listen(one)

    def _inject(self, frame: bytes, mark: int) -> None:
        stack = self.host.stack
        frame_input(stack.protocols, self.host.tap, frame, self.host.now, None, mark)
        stack.tcp.flush(self.host.now)
        self.host.poll()

    def _sent(self) -> list[tuple[str, Seen]]:
        taken = [(dev, frame) for dev in _MACS for frame in self.host.take(dev)]
        return [(dev, see(frame)) for dev, frame in taken if frame[12:14] != _IPV6]


class Kernel(Marked):
    """The kernel in a namespace of its own."""

    def __init__(self) -> None:
        self._namespace = Namespace()
        self._peer = Peer(self._namespace)
        ends = {"tap0": "w0", "tap1": "w1"}
        self._peer.batch(
            "link set lo up",
            *(f"link add {dev} address {_MACS[dev].hex(':')} type veth peer name {end}"
              for dev, end in ends.items()),
            *(f"link set {dev} up" for dev in (*ends, *ends.values())),
            "addr add 10.0.0.1/24 dev tap0",
            "addr add 10.7.0.1/24 dev tap1",
            *(f"neigh add {address} lladdr {_mac(address).hex(':')} dev {dev} nud permanent"
              for address, dev in ROUTERS.items()),
        )  # fmt: skip
        self._wires = {dev: self._peer.wire(end) for dev, end in ends.items()}
        self._mark = 0
        self._open: list[socket.socket] = []

    def close(self) -> None:
        """Remove it."""
        for one in self._open:
            one.close()
        self._peer.close()
        self._namespace.close()

    def do(self, op: str, **words: str) -> None:
        if "dscp" in words:
            self._add_rule_of_dscp(words)
            return
        said = {key: value for key, value in words.items() if key not in ("dst", "type")}
        first = [words[key] for key in ("type", "dst") if key in words]
        self._peer.ip(*op.split(), *first, *(word for pair in said.items() for word in pair))

    def _add_rule_of_dscp(self, words: dict[str, str]) -> None:
        """Add a rule that this ``ip`` has no words for (linux/fib_rules.h: FRA_DSCP, _MASK)."""
        dscp, _, mask = words["dscp"].partition("/")
        body = struct.pack("BBBBBBBBI", socket.AF_INET, 0, 0, 0, 0, 0, 0, 1, 0)  # FR_ACT_TO_TBL
        for kind, number in ((6, int(words["priority"])), (15, int(words["table"]))):
            body += struct.pack("HHI", 8, kind, number)
        for kind, number in ((25, int(dscp)), (30, int(mask or "0x3f", 16))):
            body += struct.pack("HHBxxx", 5, kind, number)
        route = self._peer.open(socket.AF_NETLINK, socket.SOCK_RAW)
        route.send(struct.pack("IHHII", 16 + len(body), 32, 0x405, 1, 0) + body)
        assert struct.unpack_from("i", route.recv(4096), 16) == (0,)

    def sysctl(self, name: str, value: int) -> None:
        self._peer.sysctl({f"net.ipv4.{name}": value})

    def listen(self, port: int) -> None:
        one = self._peer.open(socket.AF_INET, socket.SOCK_STREAM)
        one.bind(("", port))
        one.listen()

    def _inject(self, frame: bytes, mark: int) -> None:
        wire = self._wires["tap0"]
        if mark != self._mark:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            self._mark = mark
        wire.send(frame)

    def _sent(self) -> list[tuple[str, Seen]]:
        found = []
        for dev, wire in self._wires.items():
            wire.setblocking(False)
            while True:
                try:
                    data, address = wire.recvfrom(65536)
                except BlockingIOError:
                    break
                if address[2] != socket.PACKET_OUTGOING and data[12:14] != _IPV6:
                    found.append((dev, see(data)))
        return found
