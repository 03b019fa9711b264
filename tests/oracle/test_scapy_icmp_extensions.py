"""scapy as an independent oracle for the extensions of ICMP errors: it builds, and we parse."""

from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.mpls import MPLS, ICMPExtension_MPLS
from scapy.layers.inet import (
    ICMP,
    IP,
    UDP,
    ICMPExtension_Header,
    ICMPExtension_InterfaceInformation,
)

from smolctl.wire import icmp_extensions, icmpv4
from smolctl.wire.icmp_extensions import Extension, Label

octets = st.integers(0, 255)
stacks = st.lists(st.tuples(st.integers(0, 2**20 - 1), st.integers(0, 7), octets), min_size=1)
QUOTED = bytes(IP(src="10.0.0.1", dst="192.0.2.7") / UDP(sport=5000, dport=33434) / b"x")


def message(kind: int, added: ICMPExtension_Header, length: int | None) -> icmpv4.IcmpMessage:
    """Return the error that scapy builds, with the length of the quote or, as of old, without."""
    padded = QUOTED + bytes(128 - len(QUOTED))
    rest = 0 if length is None else length << 16
    head = bytes([kind, 0, 0, 0]) + rest.to_bytes(4)
    raw = bytearray(head + padded + bytes(added))
    raw[2:4] = icmpv4.IcmpMessage(kind, 0, rest, bytes(raw[8:])).to_bytes()[2:4]
    assert ICMP(bytes(raw)).chksum == int.from_bytes(raw[2:4])
    found = icmpv4.parse(bytes(raw))
    assert isinstance(found, icmpv4.IcmpMessage)
    return found


def mpls(stack: list[tuple[int, int, int]]) -> ICMPExtension_Header:
    last = len(stack) - 1
    labels = [
        MPLS(label=label, cos=cos, s=int(at == last), ttl=ttl)
        for at, (label, cos, ttl) in enumerate(stack)
    ]
    return ICMPExtension_Header() / ICMPExtension_MPLS(stack=labels, len=4 + 4 * len(labels))


@given(st.sampled_from([3, 11, 12]), stacks, st.sampled_from([32, None]))
def test_label_stacks(kind: int, stack: list[tuple[int, int, int]], length: int | None) -> None:
    (found,) = icmp_extensions.parse(message(kind, mpls(stack), length))
    last = len(stack) - 1
    assert icmp_extensions.labels(found) == tuple(
        Label(label, cos, at == last, ttl) for at, (label, cos, ttl) in enumerate(stack)
    )


@given(st.integers(0, 2**32 - 1))
def test_several_objects(index: int) -> None:
    added = mpls([(16, 0, 1)])
    about = ICMPExtension_InterfaceInformation(has_ifindex=1, ifindex=index)
    raw = ICMPExtension_Header(bytes(ICMPExtension_Header())[:2] + b"\0\0")
    both = bytes(raw)[:4] + bytes(added.payload) + bytes(about)
    found = icmp_extensions.parse(message(11, both, 32))
    assert [(each.class_num, each.c_type) for each in found] == [(1, 1), (2, 8)]
    assert found[1].data == index.to_bytes(4)
    assert icmp_extensions.text(found) == f"MPLS:L=16,E=0,S=1,T=1/2/8:{index:08x}"


def test_a_wrong_checksum_or_version_makes_no_extension() -> None:
    good = bytes(mpls([(16, 0, 1)]))
    assert icmp_extensions.parse(message(11, good, 32))
    for at in (0, 2, 6):
        bad = bytearray(good)
        bad[at] ^= 0x40
        assert icmp_extensions.parse(message(11, bytes(bad), 32)) == ()


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1), octets)
def test_no_bytes_raise(body: bytes, rest: int, kind: int) -> None:
    found = icmp_extensions.parse(icmpv4.IcmpMessage(kind, 0, rest, body))
    assert all(isinstance(each, Extension) for each in found)
    icmp_extensions.text(found)
