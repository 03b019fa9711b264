"""The kernel and smolctl get the same frames from one host, and what they answer is compared."""

import socket
from collections.abc import Iterable
from typing import NamedTuple

from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether

from tests.e2e.oracle.oracle import DEVICES, Oracle

ASKER, HERE = "10.0.0.2", "10.0.0.1"
ASKER_MAC = "02:00:00:00:00:99"
_FENCE = 0xFE9C
"""Ident of the last question: when it is answered, all before it have been."""


class Answer(NamedTuple):
    """An answer without the fields that no two hosts have in common (ident, checksums)."""

    src: str
    dst: str
    tos: int
    ttl: int
    options: bytes
    kind: int
    code: int
    rest: bytes
    body: bytes


def prepare(hosts: Oracle) -> None:
    """Give both the same address and a neighbor that asks, and no limit for ICMP."""
    hosts.do(f"addr add {HERE}/24 dev tap0")
    for last, mac in ((2, ASKER_MAC), (3, "02:00:00:00:00:98")):
        hosts.do(f"neigh add 10.0.0.{last} lladdr {mac} dev tap0")
    sysctls = {f"net.ipv4.conf.{dev}.accept_source_route": 1 for dev in (*DEVICES, "all")}
    hosts.kernel.sysctl({"net.ipv4.icmp_ratelimit": 0, **sysctls})
    for sysctl in ("icmp.ratelimit_ms=0", "ip.accept_source_route=1"):
        hosts.smolctl("sysctl", sysctl, check=True)


def wires(hosts: Oracle) -> dict[str, tuple[socket.socket, str]]:
    """Return the wire of each one's tap0, and its MAC."""
    (ours,) = hosts.smolctl.json("link", "show", "dev", "tap0")
    return {
        "linux": (hosts.far.wire("p0"), hosts.kernel.mac("tap0")),
        "smolctl": (hosts.host.wire("tap0"), str(ours["address"])),
    }


def ask(wire: socket.socket, mac: str, packets: Iterable[bytes]) -> list[Answer]:
    """Send IPv4 packets to a host, and return its answers in order."""
    fence = bytes(IP(src=ASKER, dst=HERE) / ICMP(id=_FENCE, seq=1))
    for packet in (*packets, fence):
        wire.send(bytes(Ether(dst=mac, src=ASKER_MAC))[:12] + b"\x08\0" + packet)
    found: list[Answer] = []
    while True:
        frame = Ether(wire.recv(65535))
        if frame.src != mac or ARP in frame or IP not in frame or ICMP not in frame:
            continue
        raw = bytes(frame)[14:]
        answer = _answer(raw)
        if answer.kind == 0 and answer.rest[:2] == _FENCE.to_bytes(2):
            return found
        found.append(answer)


def _answer(raw: bytes) -> Answer:
    length = (raw[0] & 15) * 4
    message = raw[length : int.from_bytes(raw[2:4])]
    src, dst = (socket.inet_ntoa(raw[at : at + 4]) for at in (12, 16))
    return Answer(
        src, dst, raw[1], raw[8], raw[20:length], message[0], message[1], message[4:8], message[8:]
    )
