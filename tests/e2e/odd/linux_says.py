"""Linux's reaction to odd frames and odd sends: errno, drop reason, counters and answers."""

import errno
import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from threading import Thread
from typing import Any

from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether

from tests.e2e.kit import OURS_MAC, THEIRS_MAC, Peer, enter
from tests.e2e.odd.odd import ELSEWHERE, LISTENING, OURS, STATIC, THEIRS, Send
from tests.e2e.tracer import Tracer
from tests.kit.process import wait_until

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO, _IP_RECVERR = 10, 2, 11
LATE_SECONDS = 10.0
"""How long a late error is waited for."""

_ORDINARY = (
    "InReceives", "InDelivers", "InMsgs", "OutMsgs", "OutRequests", "OutTransmits", "InOctets",
    "OutOctets", "InNoECTPkts", "OutDestUnreachs", "OutEchoReps", "OutTimestampReps",
    "InDatagrams", "OutDatagrams", "InBcastPkts", "InBcastOctets", "InMcastPkts", "InMcastOctets",
    "OutRateLimitGlobal", "OutRateLimitHost",
)  # fmt: skip
"""Counters that say nothing about a mistake."""


class Linux:
    """The kernel as a host with 10.0.0.1/24 on tap0, whose other end is this process.

    A frame that is written there is dealt with before the write returns, by the same thread.
    """

    def __init__(self, peer: Peer, tracer: Tracer | None) -> None:
        self._peer, self._tracer = peer, tracer
        made: list[int] = []

        def work() -> None:
            enter(peer.namespace.name)
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            ioctl(fd, _TUNSETIFF, struct.pack("16sH14x", b"tap0", _IFF_TAP | _IFF_NO_PI))
            made.append(fd)

        thread = Thread(target=work)
        thread.start()
        thread.join()
        (self._tap,) = made
        peer.sysctl(
            {
                "net.ipv4.icmp_ratelimit": 0,
                "net.ipv4.neigh.tap0.retrans_time_ms": 100,
                "net.ipv4.conf.tap0.rp_filter": 0,
            }
        )
        peer.batch(
            f"link set tap0 address {OURS_MAC}",
            "link set tap0 up",
            f"addr add {OURS}/24 dev tap0",
            f"neigh add {THEIRS} lladdr {THEIRS_MAC} dev tap0",
            f"neigh add {STATIC} lladdr 02:00:00:00:00:09 dev tap0",
        )
        self._listening = [peer.udp(port=LISTENING), peer.udp("127.0.0.1", ELSEWHERE)]

    def close(self) -> None:
        """Take the link away."""
        os.close(self._tap)

    # --- frames -----------------------------------------------------------------------------------

    def receive(self, frame: bytes) -> tuple[str, str, str]:
        """Let a frame come in; return the drop reason, the counters, and the answer."""
        before = self._counters()
        self._answers()
        if self._tracer is not None:
            self._tracer.received()
        os.write(self._tap, frame)
        reasons = self._tracer.received() if self._tracer is not None else []
        counted = [name for name, n in self._counters().items() if n > before.get(name, 0)]
        return ", ".join(reasons), ", ".join(counted), ", ".join(self._answers())

    def _answers(self) -> list[str]:
        """Return what the kernel answered since the last call."""
        return [text for text in self._frames(answer_text) if text]

    def _frames(self, text: Callable[[bytes], str]) -> list[str]:
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(text(os.read(self._tap, 65536)))
        return found

    def _counters(self) -> dict[str, int]:
        text = self._peer.namespace.run(
            "cat", "/proc/net/snmp", "/proc/net/netstat", check=True
        ).stdout
        lines = text.splitlines()
        found: dict[str, int] = {}
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            layer, *keys = names.split()
            for key, value in zip(keys, values.split()[1:], strict=True):
                if key not in _ORDINARY and layer not in ("IcmpMsg:", "MPTcpExt:"):
                    found[layer.removesuffix("Ext:").removesuffix(":") + key] = int(value)
        return found

    # --- sends ------------------------------------------------------------------------------------

    def do(self, line: str) -> None:
        """Carry out a command of a case."""
        if line.startswith("carrier "):
            line = f"link set tap0 {line}"
        self._peer.ip(*line.split())
        if line.startswith("link set tap0 carrier"):
            state = "UP" if line.endswith("on") else "DOWN"
            show = ("link", "show", "dev", "tap0")
            wait_until(lambda: self._peer.rows(*show)[0]["operstate"] == state, line)
        if not line.endswith(("down", "off")):
            # A link that was down has forgotten its neighbors.
            self._peer.ip("neigh", "replace", THEIRS, "lladdr", THEIRS_MAC, "dev", "tap0")

    def send(self, case: Send) -> tuple[str, str]:
        """Send a datagram; return the errno or what else became of it, and the drop reason."""
        opened = self._peer.open(socket.AF_INET, socket.SOCK_DGRAM)
        self._answers()
        if self._tracer is not None:
            self._tracer.sent()
        said = self._try(opened, case)
        reasons = self._tracer.sent() if self._tracer is not None else []
        if said == "OK" and case.late:
            said = f"OK, then {self._late(opened)}"
        elif said == "OK":
            said = ", ".join(self._frames(sent_text)) or "OK, nothing leaves tap0"
        return said, ", ".join(reasons)

    @staticmethod
    def _try(opened: socket.socket, case: Send) -> str:
        options: list[tuple[int, int, Any]] = [(socket.IPPROTO_IP, _IP_RECVERR, 1)]
        if case.df:
            options.append((socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO))
        if case.dev:
            options.append((socket.SOL_SOCKET, socket.SO_BINDTODEVICE, case.dev.encode()))
        try:
            for option in options:
                opened.setsockopt(*option)
            if case.source:
                opened.bind((case.source, 0))
            opened.sendto(bytes(case.size), (case.dst, case.port))
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return "OK"

    @staticmethod
    def _late(opened: socket.socket) -> str:
        poll = select.poll()
        poll.register(opened, 0)  # an error is always reported
        assert poll.poll(LATE_SECONDS * 1000), "no error came"
        return errno.errorcode[opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]


def answer_text(frame: bytes) -> str:
    """Return what a frame is that a host sent because of another, "" for what it sends anyway."""
    packet = Ether(frame)
    if ARP in packet:
        return "ARP reply" if packet[ARP].op == 2 else ""
    if ICMP in packet:
        kind, code = packet[ICMP].type, packet[ICMP].code
        return f"ICMP {kind}/{code}" if kind in (3, 11, 12) else _ICMP_NAMES.get(kind, "ICMP")
    return "a packet" if IP in packet else ""


def sent_text(frame: bytes) -> str:
    """Return what a frame is that a host sends for a datagram."""
    packet = Ether(frame)
    if ARP in packet:
        return f"asks by ARP for {packet[ARP].pdst}"
    return f"sent from {packet[IP].src}"


_ICMP_NAMES = {0: "echo reply", 14: "timestamp reply"}
