"""A stack of this process and the kernel at the two ends of a TAP, for the tests of TCP."""

import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from smolctl.device.tap import TapDevice
from smolctl.stack.config.addr import add_address, bring_up_loopback
from smolctl.stack.config.link import add_interface
from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.addresses import Address
from smolctl.stack.link.outbox import frames_of
from smolctl.stack.stack import Stack
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.tcp import Tcp
from smolctl.wire.address import IPV4, IPV6, Family, parse_address
from smolctl.wire.fault import WireFault
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import coalesce
from tests.e2e.kit import Peer
from tests.kit.netns import Namespace

ENDS = {IPV4: ("10.9.0.1", "10.9.0.2", 24), IPV6: ("2001:db8:9::1", "2001:db8:9::2", 64)}
"""The stack's address, the kernel's, and the length of their prefix."""
MAC = bytes.fromhex("02000000000a")
TCP_CONGESTION = 13
Linker = Callable[..., "KernelLink"]
"""Makes a link with the arguments of ``KernelLink`` behind the family."""
Lose = Callable[[int, bytes], bool]
"""Takes the end that sends (0 for the stack) and a frame; returns whether the wire loses it."""


class KernelLink:
    """A stack, a TAP, and the kernel's end in a namespace.

    Args:
        family: of the addresses of both.
        offload: whether super-packets cross in one piece.
        mtu: of the link.
        lose: see ``Lose``; segments are looked at one by one, also those that cross in one piece.
    """

    def __init__(
        self,
        netns: Namespace,
        family: Family = IPV4,
        *,
        offload: bool = True,
        mtu: int = 1500,
        lose: Lose | None = None,
    ) -> None:
        self.family = family
        self.ours, self.kernel, plen = ENDS[family]
        self.peer = Peer(netns)
        self.stack = Stack(lambda: 0.5)
        self.stack.settings.set("nd.accept_dad", "0")
        self.net = self.stack.ipv4 if family is IPV4 else self.stack.ipv6
        bring_up_loopback(self.net)
        self.device = TapDevice(
            "tap0", netns=netns.name, mac=MAC, mtu=mtu, host=(ENDS[IPV4][1], 24), offload=offload
        )
        if family is IPV6:
            self.peer.enable_ipv6()
            self.peer.ip("addr", "add", f"{self.kernel}/{plen}", "dev", "tap0", "nodad")
        self.interface: Interface = add_interface(
            self.stack.shared, "tap0", "tap", Medium.ETHERNET, mtu, MAC
        )
        self.interface.headroom = self.device.headroom
        address = Address(parse_address(self.ours), plen, Scope.GLOBAL, "tap0", None)
        add_address(self.net, self.interface, address, self.now)
        self.lose = lose
        self.lost = 0
        self._accepted_ones: list[socket.socket] = []

    @property
    def now(self) -> int:
        return time.monotonic_ns()

    @property
    def tcp(self) -> Tcp:
        return self.stack.tcp

    def close(self) -> None:
        self.device.close(delete=True)
        for opened in self._accepted_ones:
            opened.close()
        self.peer.close()

    # --- the loop ---------------------------------------------------------------------------------

    def pump(self, done: Callable[[], bool], seconds: float = 30, *sockets: socket.socket) -> bool:
        """Run stack and TAP until something is true; return whether it came true in time."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            due = self.stack.deadline()
            wait = 0.05 if due is None else min(max((due - self.now) / 1e9, 0), 0.05)
            select.select([self.device.fileno(), *(s.fileno() for s in sockets)], [], [], wait)
            self.turn()
        return True

    def turn(self) -> None:
        """Take frames, let the stack do what is due, hand frames over."""
        frames, now = self.device.receive(64), self.now
        if self.lose is not None:
            headroom = bytes(self.interface.headroom)
            frames = [
                headroom + frame
                for data in frames
                for frame in (self._cut(data) if headroom else [data])
                if not self._loses(1, frame)
            ]
        if frames:
            self.stack.receive_batch(self.interface, frames, now)
        self.stack.poll(now)
        outbox = self.interface.outbox
        if not outbox:
            return
        items = (
            coalesce(outbox, self.device.segments)
            if self.device.segments and self.lose is None
            else [frame for item in outbox for frame in frames_of(item)]
        )
        outbox.clear()
        for item in items:
            if self.lose is None or not self._loses(0, frames_of(item)[0]):
                with suppress(BlockingIOError):
                    self.device.transmit(item if not hasattr(item, "frame") else item.frame)
        self.stack.transmitted(self.interface, items, now)

    @staticmethod
    def _cut(data: bytes) -> list[bytes]:
        """Return the frames that the kernel handed over in one piece."""
        frames = virtio.frames(data)
        assert not isinstance(frames, WireFault), frames
        return frames

    def _loses(self, end: int, frame: bytes) -> bool:
        gone = self.lose is not None and self.lose(end, frame)
        self.lost += gone
        return gone

    # --- sockets ----------------------------------------------------------------------------------

    def kernel_socket(self) -> socket.socket:
        """Return a stream socket of the kernel's, which uses CUBIC and never waits."""
        number = socket.AF_INET if self.family is IPV4 else socket.AF_INET6
        made = self.peer.open(number, socket.SOCK_STREAM)
        made.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, b"cubic")
        made.setblocking(False)
        return made

    def kernel_listens(self, port: int = 7) -> socket.socket:
        made = self.kernel_socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((self.kernel, port))
        made.listen(64)
        return made

    def opens(self) -> TcpSocket:
        """Return a socket of the stack."""
        return self.stack.tcp.open("test", self.family)

    def listens(self, port: int = 7, backlog: int = 64) -> TcpSocket:
        made = self.opens()
        self.stack.tcp.bind(made, None, port)
        self.stack.tcp.listen(made, backlog)
        return made

    def connects(self, port: int = 7) -> TcpSocket:
        made = self.opens()
        self.stack.tcp.connect(made, parse_address(self.kernel), port, self.now)
        return made

    def opened(self) -> tuple[TcpSocket, socket.socket]:
        """Return both ends of a connection that the stack opened."""
        listener = self.kernel_listens()
        ours = self.connects()
        assert self.pump(lambda: ours.connected, 10)
        theirs = self.accepted_by(listener)
        listener.close()
        return ours, theirs

    def accepted_by(self, listener: socket.socket) -> socket.socket:
        """Return the next connection that a listening socket of the kernel's takes."""
        found: list[socket.socket] = []

        def accepts() -> bool:
            with suppress(BlockingIOError):
                found.append(listener.accept()[0])
            return bool(found)

        assert self.pump(accepts, 10, listener)
        found[0].setblocking(False)
        self._accepted_ones.append(found[0])
        return found[0]

    def accepted(self) -> tuple[TcpSocket, socket.socket]:
        """Return both ends of a connection that the kernel opened."""
        listener = self.listens()
        theirs = self.kernel_socket()
        with suppress(BlockingIOError):
            theirs.connect((self.ours, 7))
        assert self.pump(lambda: listener.readable, 10)
        ours = self.stack.tcp.accept(listener)
        assert ours is not None
        self.stack.tcp.close(listener, self.now)
        return ours, theirs

    def send(self, ours: TcpSocket, theirs: socket.socket, data: bytes, seconds: float) -> bytes:
        """Send all of some data to the kernel, and return what arrived."""
        got, view, sent = bytearray(), memoryview(data), 0

        def done() -> bool:
            nonlocal sent
            while sent < len(data):
                piece = bytes(view[sent : sent + (1 << 18)])
                taken = self.stack.tcp.send(ours, piece, self.now)
                if not taken:
                    break
                sent += taken
            with suppress(BlockingIOError):
                while chunk := theirs.recv(1 << 20):
                    got.extend(chunk)
            return len(got) >= len(data)

        self.pump(done, seconds, theirs)
        return bytes(got)

    def receive(self, ours: TcpSocket, theirs: socket.socket, data: bytes, seconds: float) -> bytes:
        """Have the kernel send all of some data, and return what arrived."""
        got, view, sent = bytearray(), memoryview(data), 0

        def done() -> bool:
            nonlocal sent
            with suppress(BlockingIOError):
                while sent < len(data):
                    sent += theirs.send(view[sent : sent + (1 << 20)])
            while chunk := self.stack.tcp.receive(ours, 1 << 20, self.now):
                got.extend(chunk)
            return len(got) >= len(data)

        self.pump(done, seconds)
        return bytes(got)
