"""An hour of mixed traffic, of which tshark finds no more than the losses that were provoked."""

import random
import shutil
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.wire import tcp
from smolctl.wire.tcp import TcpHeader
from tests.golden.connections import header_of
from tests.kit.amount import amount
from tests.kit.clock import SECOND_NS
from tests.kit.tcp import Pair

SECONDS = amount(3600, 120)
LOST_IN = amount(200, 40)
"""One in so many segments with data is lost, once."""
RETRANSMITTED = (
    "This frame is a (suspected) retransmission",
    "This frame is a (suspected) fast retransmission,This frame is a (suspected) retransmission",
    "This frame is a (suspected) out-of-order segment",
)
"""Words of tshark about a segment that is sent again; the last one so soon that it may be late."""


class Traffic:
    """Connections that come and go: questions and answers, bulk, silence, half-closes."""

    def __init__(self, *, ipv6: bool) -> None:
        self.random = random.Random(7)
        self.lost: set[tuple[int, int, int]] = set()
        self.pair = Pair(treat=self._treat, ipv6=ipv6)
        self.pair.listen(7, backlog=64)

    def _treat(self, end: int, frame: bytes) -> list[tuple[int, bytes]]:
        header = header_of(frame)
        if header is None or not self._loses(end, header, frame):
            return [(0, frame)]
        return []

    def _loses(self, end: int, header: TcpHeader, frame: bytes) -> bool:
        """Lose a full segment, never what is sent again for it."""
        key = (header.sport, header.dport, header.seq)
        if len(frame) < 1500 or key in self.lost or header.flags & tcp.SYN:
            return False
        if self.random.randrange(LOST_IN):
            return False
        self.lost.add(key)
        return True

    def run(self, seconds: int) -> None:
        end = self.pair.now + seconds * SECOND_NS
        while self.pair.now < end:
            client, server = self.pair.connect()
            kind = self.random.choice(("talk", "bulk", "silent", "half"))
            getattr(self, f"_{kind}")(client, server)
            self._close(client, server)
            self.pair.run(self.random.randrange(1, 10) * SECOND_NS)

    def _talk(self, client: TcpSocket, server: TcpSocket) -> None:
        for _ in range(self.random.randrange(1, 20)):
            size = self.random.randrange(1, 3000)
            assert self.pair.transfer(client, server, bytes(size)) == bytes(size)
            assert self.pair.transfer(server, client, bytes(2 * size)) == bytes(2 * size)

    def _bulk(self, client: TcpSocket, server: TcpSocket) -> None:
        data = self.random.randbytes(self.random.randrange(50_000, 300_000))
        if self.random.random() < 0.5:
            client, server = server, client
        assert self.pair.transfer(client, server, data) == data

    def _silent(self, client: TcpSocket, server: TcpSocket) -> None:
        self._talk(client, server)
        self.pair.run(30 * SECOND_NS)
        self._talk(client, server)

    def _half(self, client: TcpSocket, server: TcpSocket) -> None:
        self.pair.write(client, b"question")
        self.pair.tcp(client).shutdown(client, self.pair.now, send=True, receive=False)
        self.pair.run(SECOND_NS)
        assert self.pair.read(server) == b"question"
        assert self.pair.transfer(server, client, bytes(20_000)) == bytes(20_000)

    def _close(self, client: TcpSocket, server: TcpSocket) -> None:
        for socket in self.random.sample((client, server), 2):
            self.pair.tcp(socket).close(socket, self.pair.now)
            if self.random.random() < 0.5:
                self.pair.run(SECOND_NS)
        self.pair.run(SECOND_NS)


def pcap(pair: Pair) -> bytes:
    """Return what was sent as a file, as somebody sees it between both ends and the losses."""
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 0x40000, 1)]
    for at, _, frame in pair.sent:
        seconds, rest = divmod(at, SECOND_NS)
        parts += [struct.pack("<IIII", seconds, rest, len(frame), len(frame)), frame]
    return b"".join(parts)


@pytest.mark.proof
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is missing: make deps")
@pytest.mark.parametrize("ipv6", [False, True])
def test_an_hour_of_traffic_has_but_the_losses_that_were_provoked(
    tmp_path: Path, ipv6: bool
) -> None:
    traffic = Traffic(ipv6=ipv6)
    traffic.run(SECONDS)
    file = tmp_path / "hour.pcap"
    file.write_bytes(pcap(traffic.pair))
    words = [
        "tshark", "-r", str(file), "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
        "-Y", "_ws.expert.severity >= note || _ws.malformed", "-T", "fields",
        "-e", "_ws.expert.message",
    ]  # fmt: skip
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    messages = Counter(
        line for line in found.splitlines() if not line.startswith("Connection finish (FIN)")
    )
    again = {message: messages.pop(message, 0) for message in RETRANSMITTED}
    acknowledged = {message for message in messages if message.startswith("Duplicate ACK (#")}
    assert messages.keys() - acknowledged == set()
    assert sum(again.values()) == len(traffic.lost)
    assert bool(acknowledged) <= bool(traffic.lost)
    assert len(traffic.pair.sent) > 2 * SECONDS
