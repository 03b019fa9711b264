"""Hosts under test for ``behaviours``: a stack with some sysctls in virtual time, and the kernel.

Both have lo up with 127.0.0.1/8, and two Ethernet interfaces, tap0 with 10.0.0.1/24 and tap1,
whose other ends are in the test's hand.
"""

import errno
import os
import select
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from fcntl import ioctl
from time import monotonic
from typing import Any

from smolctl.errors import StackError
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import arp, ipv4
from tests.e2e.kit import Peer
from tests.kit.clock import SECOND_NS as NS_PER_S
from tests.kit.host import OTHER_MAC, OUR_MAC, OURS, PEER, Host, Seen, ip, reply, see, text
from tests.kit.netns import Namespace

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI, _IP_RECVERR = 0x400454CA, 0x0002, 0x1000, 11
_SO_SNDBUFFORCE = 32
DEVS = ("tap0", "tap1")
PATIENCE_S = 5.0
TICKS = 10
"""Time that a stack is given, seconds of its own."""


class Subject(ABC):
    """A host.

    Attributes:
        alive: who answers ARP on tap0.
        log: the frames that it sent, with their interface.
    """

    def __init__(self) -> None:
        self.alive: set[str] = set()
        self.log: list[tuple[str, Seen]] = []

    # --- what one does to it ----------------------------------------------------------------------

    @abstractmethod
    def address(self, prefix: str, dev: str = "tap0") -> bool:
        """Add an address; tell whether it was accepted."""

    @abstractmethod
    def route(self, prefix: str, via: str) -> bool:
        """Add a route by tap0; tell whether it was accepted."""

    @abstractmethod
    def socket(self, port: int = 0) -> Any:
        """Return a new socket, bound to any address."""

    @abstractmethod
    def send(self, opened: Any, dst: str, payload: bytes = b"x") -> str:
        """Send a datagram to port 9; return OK or the errno."""

    @abstractmethod
    def received(self, opened: Any) -> int:
        """Return how many datagrams wait in a socket, and take them."""

    @abstractmethod
    def late_error(self, opened: Any) -> str:
        """Return the errno that a socket was told later, or ""."""

    @abstractmethod
    def knows(self, address: str) -> bool:
        """Tell whether tap0 has a MAC for an address."""

    @abstractmethod
    def short_lives(self) -> None:
        """Let neighbor entries be fresh for a short time, where the clock is real."""

    @abstractmethod
    def age(self) -> None:
        """Let neighbor entries grow old that were fresh."""

    @abstractmethod
    def inject(self, frame: bytes, dev: str = "tap0") -> None:
        """Let a frame come in."""

    @abstractmethod
    def pump(self, done: Callable[[], bool]) -> None:
        """Answer ARP until a fact holds; a stack is given ``TICKS`` seconds, if it never does."""

    @abstractmethod
    def _frames(self) -> list[tuple[str, bytes]]:
        """Return the frames that it sent since the last call."""

    # --- what is seen of it -----------------------------------------------------------------------

    def collect(self) -> None:
        """Take what it sent, and answer ARP for those that are alive."""
        for dev, frame in self._frames():
            seen = see(frame)
            self.log.append((dev, seen))
            asks = seen.arp is not None and seen.arp.op == arp.Op.REQUEST
            if seen.arp is not None and asks and text(seen.arp.target_ip) in self.alive:
                self.inject(reply(text(seen.arp.target_ip)), dev)

    def asked(self) -> list[str]:
        """Return whom it asked for by ARP."""
        self.collect()
        return [
            text(seen.arp.target_ip)
            for _, seen in self.log
            if seen.arp is not None and seen.arp.op == arp.Op.REQUEST
        ]

    def answered(self) -> bool:
        """Tell whether it answered by ARP."""
        self.collect()
        return any(seen.arp is not None and seen.arp.op == arp.Op.REPLY for _, seen in self.log)

    def packets(self, protocol: int = ipv4.Protocol.UDP) -> list[Seen]:
        """Return the packets that it sent."""
        self.collect()
        return [s for _, s in self.log if s.ip is not None and s.ip.protocol == protocol]

    def sent_to(self, dst: str) -> list[Seen]:
        """Return the datagrams that it sent to an address."""
        return [seen for seen in self.packets() if seen.ip is not None and seen.ip.dst == ip(dst)]

    def meet(self, address: str = PEER) -> None:
        """Let it learn the MAC of a host, which is alive from now on."""
        self.alive.add(address)
        opened = self.socket()
        self.send(opened, address, b"hello")
        self.pump(lambda: bool(self.sent_to(address)))
        self.log.clear()


class Stack(Subject):
    """A stack of smolctl in virtual time.

    Args:
        values: text of a value by sysctl.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__()
        self.host = Host(bare=True)
        for key, value in values.items():
            self.host.set(key, value)
        self.host.link("tap1", OTHER_MAC)
        self.address(f"{OURS}/24")

    def address(self, prefix: str, dev: str = "tap0") -> bool:
        with suppress(StackError):
            self.host.add(prefix, dev)
            return True
        return False

    def route(self, prefix: str, via: str) -> bool:
        with suppress(StackError):
            self.host.route(prefix, "tap0", via)
            return True
        return False

    def socket(self, port: int = 0) -> UdpSocket:
        return self.host.socket(port)

    def send(self, opened: Any, dst: str, payload: bytes = b"x") -> str:
        try:
            self.host.stack.udp.send(opened, payload, ip(dst), 9, self.host.now)
        except StackError as error:
            return error.errno_name or error.code
        self.host.poll()
        return "OK"

    def received(self, opened: Any) -> int:
        self.host.poll()
        return len(opened.receive_all())

    def late_error(self, opened: Any) -> str:
        return opened.errors.popleft().errno_name if opened.errors else ""

    def knows(self, address: str) -> bool:
        entry = self.host.neighbor(address)
        return entry is not None and entry.lladdr is not None

    def short_lives(self) -> None:
        """Its clock is not real."""

    def age(self) -> None:
        self.host.wait(61 * NS_PER_S)

    def inject(self, frame: bytes, dev: str = "tap0") -> None:
        self.host.receive(frame, dev=dev)
        self.host.poll()

    def pump(self, done: Callable[[], bool]) -> None:
        for _ in range(TICKS):
            for _ in range(3):  # it asks, is answered, and sends
                self.collect()
            if done():
                return
            self.host.wait(NS_PER_S)
        self.collect()

    def _frames(self) -> list[tuple[str, bytes]]:
        self.host.poll()
        return [(dev, frame) for dev in DEVS for frame in self.host.take(dev)]


class Kernel(Subject):
    """The kernel in a namespace of its own; its ARP requests are 100 ms apart.

    A frame that is written to a TAP is dealt with before the write returns, by the same thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._namespace = Namespace()
        self._peer = Peer(self._namespace)
        self._taps: dict[str, int] = {}
        self._namespace.within(self._open)
        self._peer.sysctl({f"net.ipv4.neigh.{dev}.retrans_time_ms": 100 for dev in DEVS})
        self._peer.batch(
            "link set lo up",
            f"link set tap0 address {OUR_MAC.hex(':')}",
            f"link set tap1 address {OTHER_MAC.hex(':')}",
            "link set tap0 up",
            "link set tap1 up",
        )
        assert self.address(f"{OURS}/24")

    def _open(self) -> None:
        for dev in DEVS:
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            ioctl(fd, _TUNSETIFF, struct.pack("16sH14x", dev.encode(), _IFF_TAP | _IFF_NO_PI))
            self._taps[dev] = fd

    def close(self) -> None:
        """Remove it."""
        for fd in self._taps.values():
            os.close(fd)
        self._peer.close()
        self._namespace.close()

    def address(self, prefix: str, dev: str = "tap0") -> bool:
        return self._namespace.run("ip", "addr", "add", prefix, "dev", dev).returncode == 0

    def route(self, prefix: str, via: str) -> bool:
        return self._namespace.run("ip", "route", "add", prefix, "via", via).returncode == 0

    def socket(self, port: int = 0) -> socket.socket:
        opened = self._peer.udp(port=port)
        opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        # Its own send buffer must not be what bounds a burst: 256 datagrams fill that, too.
        opened.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, 8_000_000)
        opened.setblocking(False)
        return opened

    def send(self, opened: Any, dst: str, payload: bytes = b"x") -> str:
        try:
            opened.sendto(payload, (dst, 9))
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return "OK"

    def received(self, opened: Any) -> int:
        number = 0
        with suppress(BlockingIOError):
            while opened.recv(65535):
                number += 1
        return number

    def late_error(self, opened: Any) -> str:
        number = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode[number] if number else ""

    def knows(self, address: str) -> bool:
        rows = self._peer.rows("neigh", "show", "to", address, "dev", "tap0")
        return any("lladdr" in row for row in rows)

    def short_lives(self) -> None:
        self._peer.sysctl({"net.ipv4.neigh.tap0.base_reachable_time_ms": 100})

    def age(self) -> None:
        def state() -> list[str]:
            rows = self._peer.rows("neigh", "show", "to", PEER, "dev", "tap0")
            return [word for row in rows for word in row["state"]]

        self.pump(lambda: state() == ["STALE"])

    def inject(self, frame: bytes, dev: str = "tap0") -> None:
        os.write(self._taps[dev], frame)

    def pump(self, done: Callable[[], bool]) -> None:
        end = monotonic() + PATIENCE_S
        self.collect()
        while not done() and monotonic() < end:
            select.select(list(self._taps.values()), [], [], 0.02)
            self.collect()

    def _frames(self) -> list[tuple[str, bytes]]:
        found = []
        for dev, fd in self._taps.items():
            with suppress(BlockingIOError):
                while True:
                    found.append((dev, os.read(fd, 65536)))
        return found
