"""Packets and files for the tests of captures."""

import io
import shutil
import subprocess

from smolctl.capture import Interface, Record, reader
from smolctl.capture.pcapng import Writer
from smolctl.wire import ethernet, ipv4, udp
from smolctl.wire.address import parse_address
from tests.kit.netns import PATH

TCPDUMP = shutil.which("tcpdump", path=PATH)
NOW_NS = 1_700_000_000_123_456_789


def datagram(dport: int = 7, payload: bytes = b"hello") -> bytes:
    src, dst = parse_address("10.0.0.1"), parse_address("10.0.0.2")
    segment = udp.to_bytes(1000, dport, payload, src, dst)
    header = ipv4.Ipv4Header(5, 0, 20 + len(segment), 1, False, False, 0, 64, 17, src, dst)
    return header.to_bytes() + segment


def frame(dport: int = 7, payload: bytes = b"hello") -> bytes:
    header = ethernet.EthernetHeader(b"\2\0\0\0\0\2", b"\2\0\0\0\0\1", 0x0800)
    return header.to_bytes() + datagram(dport, payload)


def record(
    dport: int = 7, dev: str = "tap0", direction: str = "in", comments: tuple[str, ...] = ()
) -> Record:
    raw = dev == "lo"
    data = datagram(dport) if raw else frame(dport)
    return Record(
        NOW_NS + dport, data, not raw, dev, "local" if raw else direction, len(data), comments
    )


def written(*records: Record, interfaces: tuple[Interface, ...] = (), raw: bool = False) -> bytes:
    writer = Writer(raw=raw)
    return writer.header(interfaces) + b"".join(writer.packet(record) for record in records)


def read(data: bytes) -> list[Record]:
    return list(reader.read(io.BytesIO(data)))


def tcpdump(data: bytes, *options: str) -> list[str]:
    """Return what tcpdump says about a file; an empty one is one line less than nothing."""
    result = subprocess.run(
        [str(TCPDUMP), "-n", "-r", "-", *options], input=data, capture_output=True, timeout=30
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.decode().splitlines()
