"""Files that we write are read by us, by tcpdump and by scapy."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import RawPcapNgReader

from smolctl.capture import Interface, Record
from smolctl.capture.pcapng import Writer
from tests.capture.kit import NOW_NS, TCPDUMP, datagram, read, record, tcpdump, written

needs_tcpdump = pytest.mark.skipif(TCPDUMP is None, reason="needs tcpdump (as root: make deps)")

comments = st.lists(st.text(st.characters(categories=["L", "N", "P"]), min_size=1), max_size=3)
names = st.sampled_from(["tap0", "tap1", "eth0.1"])


def records(ethernet: bool, directions: list[str]) -> st.SearchStrategy[Record]:
    def make(
        time_ns: int, frame: bytes, dev: str, direction: str, more: int, said: list[str]
    ) -> Record:
        dev = dev if ethernet else "lo"
        return Record(time_ns, frame, ethernet, dev, direction, len(frame) + more, tuple(said))

    return st.builds(
        make, st.integers(0, 2**63 - 1), st.binary(max_size=200), names,
        st.sampled_from(directions), st.integers(0, 100), comments,
    )  # fmt: skip


@given(st.lists(st.one_of(records(True, ["in", "out", ""]), records(False, ["local"])), max_size=6))
def test_what_is_written_is_read_again(packets: list[Record]) -> None:
    assert read(written(*packets)) == packets


@given(st.lists(records(False, ["local"]), max_size=4))
def test_raw_ip_is_read_again(packets: list[Record]) -> None:
    assert read(written(*packets, interfaces=(Interface("lo", True),), raw=True)) == packets


def test_a_long_comment_is_cut() -> None:
    (back,) = read(written(record(comments=("x" * 70_000,))))
    assert back.comments == ("x" * 65535,)


@needs_tcpdump
def test_tcpdump_reads_it_with_nanoseconds_direction_and_all_interfaces() -> None:
    data = written(
        record(7, comments=("reason: udp-port-closed - nobody listens",)),
        record(8, direction="out"),
        record(9, dev="tap1"),
        record(10, dev="lo"),
        interfaces=(Interface("lo", True), Interface("tap0")),
    )
    lines = tcpdump(data, "-tt", "--nano", "-e")
    assert len(lines) == 4
    assert lines[0].startswith("1700000000.123456796 02:00:00:00:00:01 > 02:00:00:00:00:02")
    assert "00:00:00:00:00:00 > 00:00:00:00:00:00, ethertype IPv4" in lines[3]
    assert [line.partition("length 47: ")[2] for line in lines] == [
        "10.0.0.1.1000 > 10.0.0.2.7: UDP, length 5",
        "10.0.0.1.1000 > 10.0.0.2.8: UDP, length 5",
        "10.0.0.1.1000 > 10.0.0.2.9: UDP, length 5",
        "10.0.0.1.1000 > 10.0.0.2.10: UDP, length 5",
    ]


@needs_tcpdump
def test_tcpdump_reads_a_loopback_alone_as_raw_ip() -> None:
    data = written(record(9, dev="lo"), interfaces=(Interface("lo", True),), raw=True)
    assert tcpdump(data, "-t") == ["IP 10.0.0.1.1000 > 10.0.0.2.9: UDP, length 5"]


@needs_tcpdump
def test_tcpdump_reads_a_file_without_packets() -> None:
    assert tcpdump(written(interfaces=(Interface("tap0"),))) == []


def test_scapy_reads_interface_direction_comments_and_time() -> None:
    data = written(record(7, comments=("reason: a", "lost: 3")), record(8, "tap1", "out"))
    (first, one), (_second, two) = RawPcapNgReader(io.BytesIO(data))
    assert first == record(7).frame
    assert (one.ifname, one.direction, one.comments) == (b"tap0", 1, [b"reason: a", b"lost: 3"])
    assert (two.ifname, two.direction, two.comments) == (b"tap1", 2, None)
    assert (one.tsresol, one.tshigh << 32 | one.tslow) == (10**9, NOW_NS + 7)


def test_an_interface_is_described_once_and_before_its_first_packet() -> None:
    writer = Writer()
    assert writer.header((Interface("tap0"),)).count(b"tap0") == 1
    assert b"tap0" not in writer.packet(record(7))
    assert writer.packet(record(8, dev="tap1")).count(b"tap1") == 1
    assert b"tap1" not in writer.packet(record(8, dev="tap1"))


def test_ipv6_keeps_its_ethertype() -> None:
    (back,) = read(written(Record(0, b"\x60" + bytes(39), False, "tap0", "out", 40)))
    assert back.frame == bytes(12) + b"\x86\xdd\x60" + bytes(39)
    (back,) = read(written(Record(0, datagram(), False, "tap0", "out", 33)))
    assert back.frame == bytes(12) + b"\x08\x00" + datagram()
