"""Reading captures by others, damaged ones, and anything at all."""

import io
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2
from scapy.utils import RawPcapNgWriter, RawPcapWriter

from smolctl.capture import CaptureFileError, Interface, Record, reader
from tests.capture.kit import NOW_NS, datagram, frame, read, record, written

TIME = 1_700_000_000


def pcap(order: str, magic: int, part: int, data: bytes, linktype: int = 1) -> bytes:
    header = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, linktype)
    return header + struct.pack(order + "IIII", TIME, part, len(data), len(data) + 3) + data


def block(order: str, kind: int, body: bytes) -> bytes:
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str = "<", linktype: int = 1, options: bytes = b"", snaplen: int = 0) -> bytes:
    return block(order, 1, struct.pack(order + "HHI", linktype, 0, snaplen) + options)


def packet(ticks: int, data: bytes, order: str = "<", kind: int = 6, number: int = 0) -> bytes:
    where = struct.pack(
        order + ("I" if kind == 6 else "HH"), *([number] if kind == 6 else [number, 7])
    )
    fixed = struct.pack(order + "IIII", ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(order, kind, where + fixed + data + bytes(-len(data) % 4))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "part"), [(0xA1B2C3D4, 5), (0xA1B23C4D, 5000)])
def test_pcap_of_either_byte_order_and_resolution(order: str, magic: int, part: int) -> None:
    (back,) = read(pcap(order, magic, part, frame()))
    assert back == Record(TIME * 10**9 + 5000, frame(), True, "", "", len(frame()) + 3)


@pytest.mark.parametrize("linktype", [101, 12, 14, 228, 229])
def test_raw_ip(linktype: int) -> None:
    (back,) = read(pcap("<", 0xA1B2C3D4, 0, datagram(), linktype))
    assert (back.ethernet, back.frame) == (False, datagram())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [6, 2])
def test_pcapng_of_either_byte_order_and_the_obsolete_packet(order: str, kind: int) -> None:
    data = section(order) + interface(order) + packet(TIME * 10**6 + 5, frame(), order, kind)
    assert read(data) == [Record(TIME * 10**9 + 5000, frame(), True, "", "", len(frame()))]


@pytest.mark.parametrize(
    ("options", "ticks", "time_ns"),
    [
        (b"", 5, 5000),
        (option("<", 9, b"\3"), 5, 5_000_000),
        (option("<", 9, b"\x81"), 5, 2_500_000_000),
        (option("<", 9, b"\x0c"), 5000, 5),
        (option("<", 9, b"\0") + option("<", 14, struct.pack("<q", 100)), 5, 105_000_000_000),
        (option("<", 14, struct.pack("<q", -100)), 5, 0),
        (option("<", 14, struct.pack("<q", 2**62)), 5, 2**63 - 1),
    ],
)
def test_resolution_and_offset_of_times(options: bytes, ticks: int, time_ns: int) -> None:
    (back,) = read(section("<") + interface(options=options) + packet(ticks, b"x"))
    assert back.time_ns == time_ns


def test_simple_packets_have_no_time_and_are_cut_to_the_snapshot_length() -> None:
    simple = block("<", 3, struct.pack("<I", 9) + b"12345678")
    (back,) = read(section("<") + interface(snaplen=6) + simple)
    assert back == Record(0, b"123456", True, "", "", 9)


def test_a_new_section_has_new_interfaces_and_its_own_byte_order() -> None:
    first = section("<") + interface(options=option("<", 2, b"a")) + packet(0, b"1")
    second = section(">") + interface(">", options=option(">", 2, b"b")) + packet(0, b"2", ">")
    assert [(found.dev, found.frame) for found in read(first + second)] == [
        ("a", b"1"),
        ("b", b"2"),
    ]


def test_unknown_blocks_are_skipped() -> None:
    data = section("<") + block("<", 0xBAD, b"what") + interface() + packet(0, b"1")
    assert [found.frame for found in read(data)] == [b"1"]


def test_scapy_s_files() -> None:
    for maker in (RawPcapWriter, RawPcapNgWriter):
        data = scapy_file(maker)
        (back,) = read(data)
        assert (back.frame, back.time_ns) == (frame(), TIME * 10**9)


def scapy_file(maker: Any) -> bytes:
    class Kept(io.BytesIO):
        def close(self) -> None:
            pass

    file = Kept()
    if maker is RawPcapWriter:
        writer = maker(file, linktype=1)
    else:
        writer = maker("/dev/null")
        writer.f.close()
        writer.f, writer.linktype = file, 1
    writer.write_header(None)
    writer.write_packet(frame(), sec=TIME, usec=0)
    writer.flush()
    return file.getvalue()


FILE = written(record(7, comments=("x",)), record(8, dev="lo"), interfaces=(Interface("tap0"),))


UNKNOWN_LINK = pcap("<", 0xA1B2C3D4, 0, b"", 105)
CUT_PACKET = pcap("<", 0xA1B2C3D4, 0, frame())[:-2]
CUT_HEADER = pcap("<", 0xA1B2C3D4, 0, b"")[:-2]
HUGE = section("<") + interface() + struct.pack("<II", 6, 0xFFFFFFF0)
TWO_LENGTHS = section("<") + interface()[:-4] + bytes(4)
ODD_LENGTH = section("<") + struct.pack("<II", 6, 13)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "this is neither a pcap nor a pcapng file"),
        (
            UNKNOWN_LINK,
            "link type 105 (IEEE 802.11) cannot be read: only Ethernet, raw IP, BSD loopback and"
            " Linux cooked captures",
        ),
        (CUT_PACKET, "byte 85: it ends in the middle of a packet, 2 B are missing"),
        (CUT_HEADER, "byte 38: it ends in the middle of a packet's header"),
        (section("<") + packet(0, b"x"), "byte 64: a packet is of interface 0, not described"),
        (HUGE, "byte 56: 4294967268 B cannot be the size of anything"),
        (TWO_LENGTHS, "byte 48: a block's two lengths differ"),
        (ODD_LENGTH, "byte 36: a block cannot be 13 B long"),
        (b"\x0a\x0d\x0d\x0a" + bytes(24), "byte 12: a section does not say its byte order"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damage_is_said_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(CaptureFileError) as caught:
        read(data)
    assert caught.value.message.removeprefix("damaged at ") == message


@given(st.integers(0, len(FILE)))
def test_a_file_that_is_cut_off_gives_what_is_whole(end: int) -> None:
    found = []
    try:
        for packet in reader.read(io.BytesIO(FILE[:end])):
            found.append(packet)
    except CaptureFileError:
        pass
    assert found == read(FILE)[: len(found)]


def any_bytes(data: bytes) -> None:
    try:
        for packet in reader.read(io.BytesIO(data)):
            assert 0 <= packet.time_ns < 2**63
            assert packet.length >= len(packet.frame)
    except CaptureFileError as error:
        assert "\n" not in error.message  # noqa: PT017  either ending is right


@given(st.sampled_from([b"", FILE[:4], b"\xa1\xb2\xc3\xd4"]), st.binary(max_size=200))
def test_any_bytes(start: bytes, data: bytes) -> None:
    any_bytes(start + data)


@given(st.integers(0, len(FILE) - 1), st.binary(min_size=1, max_size=4))
def test_any_damage(at: int, data: bytes) -> None:
    any_bytes(FILE[:at] + data + FILE[at + len(data) :])


def test_time_is_that_of_the_packet() -> None:
    assert read(FILE)[0].time_ns == NOW_NS + 7


# --- link types that are not Ethernet -------------------------------------------------------------

ECHO = IP(src="10.0.0.2", dst="10.0.0.1") / ICMP()
WHO_HAS = ARP(psrc="10.0.0.2", pdst="10.0.0.1", hwsrc="02:00:00:00:00:0b")
MAC = bytes.fromhex("02000000000b")


def saved(packets: list[Any], linktype: int) -> list[Record]:
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, linktype)
    blocks = [
        struct.pack("<IIII", TIME, 0, len(data), len(data)) + data for data in map(bytes, packets)
    ]
    return read(head + b"".join(blocks))


COOKED = [
    (
        113,
        lambda kind, inner: CookedLinux(pkttype=kind, lladdrtype=1, lladdrlen=6, src=MAC) / inner,
    ),
    (
        276,
        lambda kind, inner: CookedLinuxV2(pkttype=kind, lladdrtype=1, lladdrlen=6, src=MAC) / inner,
    ),
]


@pytest.mark.parametrize(("linktype", "cooked"), COOKED)
@pytest.mark.parametrize(
    ("kind", "direction", "dst"),
    [(0, "in", bytes(6)), (1, "in", b"\xff" * 6), (2, "in", bytes(6)), (4, "out", bytes(6))],
)
def test_cooked_packets_become_frames(
    linktype: int, cooked: Any, kind: int, direction: str, dst: bytes
) -> None:
    for inner, ethertype in ((ECHO, b"\x08\0"), (WHO_HAS, b"\x08\x06")):
        (back,) = saved([cooked(kind, inner)], linktype)
        assert back.frame == dst + MAC + ethertype + bytes(inner)
        assert (back.ethernet, back.direction, back.length) == (True, direction, len(back.frame))


@pytest.mark.parametrize(("linktype", "cooked"), COOKED)
def test_a_cooked_packet_of_another_host_is_not_ours(linktype: int, cooked: Any) -> None:
    (back,) = saved([cooked(3, ECHO)], linktype)
    assert back.frame[:6] == bytes.fromhex("0200000000fe")


@pytest.mark.parametrize("linktype", [113, 276])
def test_a_cooked_header_that_is_cut_is_no_frame(linktype: int) -> None:
    (back,) = saved([bytes(15)], linktype)
    assert back.frame == b""


@pytest.mark.parametrize("family", [b"\2\0\0\0", b"\0\0\0\2", b"\x1e\0\0\0"])
@pytest.mark.parametrize("linktype", [0, 108])
def test_bsd_loopback_is_raw_ip(linktype: int, family: bytes) -> None:
    (back,) = saved([family + bytes(ECHO)], linktype)
    assert (back.ethernet, back.frame, back.length) == (False, bytes(ECHO), len(ECHO))


@pytest.mark.parametrize(
    ("linktype", "name"),
    [(105, "IEEE 802.11"), (127, "IEEE 802.11 behind a radiotap header"), (189, "USB"), (9, "PPP")],
)
def test_other_link_types_are_refused_by_name(linktype: int, name: str) -> None:
    with pytest.raises(CaptureFileError) as caught:
        saved([ECHO], linktype)
    assert caught.value.message == (
        f"link type {linktype} ({name}) cannot be read: only Ethernet, raw IP, BSD loopback and"
        " Linux cooked captures"
    )


@given(st.sampled_from([0, 1, 101, 108, 113, 276]), st.binary(max_size=60))
def test_no_packet_of_any_link_type_raises(linktype: int, data: bytes) -> None:
    (back,) = saved([data], linktype)
    assert back.length >= len(back.frame)
