"""Linux's reaction to odd frames and odd sends: errno, drop reason, counters and answers."""

import errno
import json
import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from typing import Any

from tests.e2e.kit import Peer
from tests.e2e.odd.changes import Known, changes, neighbor, way
from tests.e2e.odd.frame_text import answer_text, sent_text
from tests.e2e.odd.ipv6_frames import ALL_NODES, THEIRS, na
from tests.e2e.odd.odd import MACS, Arrival, Send, World
from tests.e2e.tracer import Tracer
from tests.kit.process import wait_until

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO, _IP_RECVERR = 10, 2, 11
_IPV6_MTU_DISCOVER, _IPV6_RECVERR = 23, 25
LATE_SECONDS = 4.0
"""Time for a late error or a late answer."""

_ORDINARY = (
    "InReceives", "InDelivers", "InMsgs", "OutMsgs", "OutRequests", "OutTransmits", "InOctets",
    "OutOctets", "InNoECTPkts", "OutDestUnreachs", "OutEchoReps", "OutTimestampReps",
    "InDatagrams", "OutDatagrams", "InBcastPkts", "InBcastOctets", "InMcastPkts", "InMcastOctets",
    "OutRateLimitGlobal", "OutRateLimitHost",
    # Of IPv6: what it hears of its own reports, for one.
    "InGroupMembResponses", "InMLDv2Reports",
    "OutMcastPkts", "OutMcastOctets", "OutForwDatagrams", "InECT1Pkts", "InECT0Pkts", "InCEPkts",
)  # fmt: skip
"""Counters that say nothing about a mistake."""
_ANSWERED = ("Icmp6Out", "Icmp6InType")
"""Counters that only repeat what the answers show."""


class Linux:
    """The kernel as a host whose links all end in this process.

    A frame that is written there is dealt with before the write returns, by the same thread.
    """

    def __init__(self, peer: Peer, tracer: Tracer | None, world: World) -> None:
        self._peer, self._tracer, self._world = peer, tracer, world
        made: dict[str, int] = {}

        def work() -> None:
            for dev in world.addresses:
                fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
                name = dev.encode()
                ioctl(fd, _TUNSETIFF, struct.pack("16sH14x", name, _IFF_TAP | _IFF_NO_PI))
                made[dev] = fd

        peer.namespace.within(work)
        self._taps = made
        if world.name == "IPv6":
            peer.enable_ipv6()
        peer.sysctl({f"net.ipv4.conf.{dev}.rp_filter": 0 for dev in made})
        peer.sysctl(dict(world.linux_sysctls))
        for dev, addresses in world.addresses.items():
            peer.batch(
                f"link set {dev} address {MACS[dev]}",
                f"link set {dev} up",
                *(f"addr add {address} dev {dev}" for address in addresses),
            )
        self._know()
        self._listening = [
            peer.udp(address or ("::" if world.name == "IPv6" else "0.0.0.0"), port)
            for address, port in world.listening
        ]

    def _know(self) -> None:
        """Make neighbors and routes known, which a link that was down has forgotten."""
        self._peer.batch(
            *(
                f"neigh replace {address} lladdr {mac} dev {dev}"
                for address, (mac, dev) in self._world.neighbors.items()
            ),
            *(f"route replace {route}" for route in self._world.routes),
        )

    def close(self) -> None:
        """Take the links away."""
        for tap in self._taps.values():
            os.close(tap)

    # --- frames -----------------------------------------------------------------------------------

    def receive(self, case: Arrival) -> tuple[str, str, str]:
        """Let frames come in; return the drop reasons, the counters, and the answers."""
        before, knew = self._counters(), self._known()
        self._answers()
        if self._tracer is not None:
            self._tracer.received()
        for frame in case.frames:
            os.write(self._taps["tap0"], frame)
        reasons = self._tracer.received() if self._tracer is not None else []
        answers = self._late_answers(case.late) if case.late else self._answers()
        counted = [name for name, n in self._counters().items() if n > before.get(name, 0)]
        knows = self._known()
        learned = changes(knew, knows)
        if knows.neighbors.keys() - self._world.neighbors.keys():
            self._peer.ip(self._world.option, "neigh", "flush", "all")
        return ", ".join(reasons), ", ".join(counted), ", ".join([*answers, *learned])

    def _late_answers(self, kind: str) -> list[str]:
        found: list[str] = []

        def came() -> bool:
            found.extend(self._answers(kind == "report"))
            return not all(text.startswith("asks") for text in found)

        with suppress(AssertionError):
            wait_until(came, "an answer", LATE_SECONDS)
        return list(dict.fromkeys(found))

    def _answers(self, reports: bool = False) -> list[str]:
        """Return what the kernel answered since the last call."""
        return [text for text in self._frames(lambda frame: answer_text(frame, reports)) if text]

    def _frames(self, text: Callable[[bytes], str]) -> list[str]:
        found = []
        for tap in self._taps.values():
            with suppress(BlockingIOError):
                while True:
                    found.append(text(os.read(tap, 65536)))
        return found

    def _counters(self) -> dict[str, int]:
        found: dict[str, int] = {}
        lines = iter(self._peer.proc_net("snmp", "netstat", "snmp6").splitlines())
        for line in lines:
            names = line.split()
            if not names[0].endswith(":"):
                if self._world.name == "IPv6" and not names[0].startswith(_ANSWERED):
                    found[names[0]] = int(names[1])
                continue
            layer, *keys = names
            for key, value in zip(keys, next(lines).split()[1:], strict=True):
                if layer not in ("IcmpMsg:", "MPTcpExt:"):
                    found[layer.removesuffix("Ext:").removesuffix(":") + key] = int(value)
        return {key: value for key, value in found.items() if not key.endswith(_ORDINARY)}

    def _known(self) -> Known:
        """Return what the kernel has learned of neighbors and of ways."""
        questions = ["neigh show", *(f"route get {where}" for where in self._world.watched)]
        said = self._peer.ip("-j", self._world.option, "-batch", "-", input="\n".join(questions))
        rows, *ways = said.splitlines()
        neighbors = {row["dst"]: neighbor(row) for row in json.loads(rows) if row}
        hops = [way(json.loads(each)[0]) for each in ways]
        return Known(neighbors, dict(zip(self._world.watched, hops, strict=True)))

    # --- commands ---------------------------------------------------------------------------------

    def do(self, line: str) -> None:
        """Carry out a command of a case."""
        verb, _, rest = line.partition(" ")
        if verb in _COMMANDS:
            _COMMANDS[verb](self, rest)
        else:
            self._peer.ip(*line.split())
        if not line.endswith(("down", "off")):
            self._know()

    def _carrier(self, state: str) -> None:
        self._peer.ip("link", "set", "tap0", "carrier", state)
        operstate = "UP" if state == "on" else "DOWN"
        show = ("link", "show", "dev", "tap0")
        wait_until(lambda: self._peer.rows(*show)[0]["operstate"] == operstate, f"carrier {state}")

    def _forward(self, state: str) -> None:
        self._peer.sysctl({"net.ipv6.conf.all.forwarding": int(state == "on")})

    def _fragments(self, seconds: str) -> None:
        self._peer.sysctl({"net.ipv6.ip6frag_time": int(seconds)})

    def _forget(self, _: str) -> None:
        self._peer.ip(self._world.option, "route", "flush", "cache")

    def _tentative(self, address: str) -> None:
        """Add an address whose detection of duplicates takes longer than any test."""
        dad = {"net.ipv6.conf.tap0.accept_dad": 1, "net.ipv6.conf.tap0.dad_transmits": 1000}
        self._peer.sysctl(dad)
        self._peer.ip("addr", "add", f"{address}/64", "dev", "tap0")

    def _untested(self, address: str) -> None:
        """Delete a tentative address; further ones are usable at once."""
        self._peer.ip("addr", "del", f"{address}/64", "dev", "tap0")
        # Not earlier: the detection looks at it only when it begins.
        self._peer.sysctl({"net.ipv6.conf.tap0.accept_dad": 0})

    def _failed(self, address: str) -> None:
        """Add an address that another host defends."""
        self._tentative(address)
        show = ("-j", "addr", "show", "dev", "tap0", "dadfailed")

        def failed() -> bool:
            # Before its detection begins, the kernel does not hear it.
            os.write(self._taps["tap0"], na(address, 0x20, src=THEIRS, dst=ALL_NODES))
            return address in self._peer.ip(*show)

        wait_until(failed, f"the failure of {address}")

    # --- sends ------------------------------------------------------------------------------------

    def send(self, case: Send) -> tuple[str, str]:
        """Send a datagram; return the errno or what else became of it, and the drop reason."""
        six = self._world.name == "IPv6"
        opened = self._peer.open(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        self._answers()
        if self._tracer is not None:
            self._tracer.sent()
        said = self._try(opened, case, six)
        reasons = self._tracer.sent() if self._tracer is not None else []
        if said == "OK" and case.late:
            said = f"OK, then {self._late(opened)}"
        elif said == "OK":
            said = ", ".join(filter(None, self._frames(sent_text))) or "OK, nothing leaves tap0"
        return said, ", ".join(reasons)

    def _try(self, opened: socket.socket, case: Send, six: bool) -> str:
        level = socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP
        options: list[tuple[int, int, Any]] = [(level, _IPV6_RECVERR if six else _IP_RECVERR, 1)]
        if case.df:
            name = _IPV6_MTU_DISCOVER if six else _IP_MTU_DISCOVER
            options.append((level, name, _IP_PMTUDISC_DO))
        if case.dev:
            options.append((socket.SOL_SOCKET, socket.SO_BINDTODEVICE, case.dev.encode()))
        try:
            for option in options:
                opened.setsockopt(*option)
            if case.source:
                opened.bind(self._place(case.source, 0))
            opened.sendto(bytes(case.size), self._place(case.dst, case.port))
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return "OK"

    def _place(self, address: str, port: int) -> tuple[Any, ...]:
        """Return a socket address; its scope is an interface of the namespace."""
        host, _, dev = address.partition("%")
        if ":" not in host:
            return host, port
        index = self._peer.rows("link", "show", "dev", dev)[0]["ifindex"] if dev else 0
        return host, port, 0, index

    @staticmethod
    def _late(opened: socket.socket) -> str:
        poll = select.poll()
        poll.register(opened, 0)  # an error is always reported
        assert poll.poll(LATE_SECONDS * 1000), "no error came"
        return errno.errorcode[opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]


_COMMANDS: dict[str, Callable[[Linux, str], None]] = {
    "carrier": Linux._carrier,
    "forward": Linux._forward,
    "fragments": Linux._fragments,
    "forget": Linux._forget,
    "tentative": Linux._tentative,
    "failed": Linux._failed,
    "untested": Linux._untested,
}
"""Commands of cases that are no words of ``ip``."""
