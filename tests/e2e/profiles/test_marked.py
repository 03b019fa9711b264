"""Marks, ports and types of service of packets that come in: rules see what the kernel's see."""

from collections.abc import Callable, Iterator

import pytest

from smolctl.wire import icmpv4, ipv4, tcp, udp
from tests.e2e.profiles.marked import Kernel, Marked, Said, Stack
from tests.kit.host import PEER, echo_request, frame_of, ip, packet_of, udp_frame

pytestmark = pytest.mark.netns

FAR = "192.0.2.9"


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Marked, Marked]]:
    kernel, stack = Kernel(), Stack()
    for host in (stack, kernel):
        host.sysctl("ip_forward", 1)
        host.do("route add", dst="default", via="10.7.0.254")
        host.do("route add", dst="default", via="10.7.0.253", table="100")
    yield stack, kernel
    kernel.close()


def syn(dst: str, dport: int = 80, src: str = PEER, *, mf: bool = False, tos: int = 0) -> bytes:
    header = tcp.TcpHeader(4000, dport, 1, 0, 0, tcp.SYN, 64_240, 0)
    segment = header.to_bytes(b"", ip(src), ip(dst))
    return frame_of(packet_of(ipv4.Protocol.TCP, segment, src, dst, mf=mf, tos=tos))


Experiment = Callable[[Marked], list[list[Said]]]


def forwarded_by_mark(host: Marked) -> list[list[Said]]:
    host.do("rule add", fwmark="0x10/0xf0", table="100", priority="100")
    host.do("rule add", fwmark="3", type="prohibit", priority="101")
    return [host.says(udp_frame(dst=FAR), mark=mark) for mark in (0, 0x1F, 3, 0x110, 0x10)]


def strictly_checked_by_mark(host: Marked) -> list[list[Said]]:
    """A source to which only marked packets have a way back by tap0."""
    host.do("route add", dst="198.51.100.0/24", via=PEER, table="100")
    host.do("rule add", fwmark="7", table="100", priority="102")
    host.sysctl("conf.tap0.rp_filter", 1)
    found = []
    for whole, own in ((0, 0), (1, 0), (0, 1), (1, 1)):
        host.sysctl("conf.all.src_valid_mark", whole)
        host.sysctl("conf.tap0.src_valid_mark", own)
        found += [host.says(udp_frame(dst=FAR, src="198.51.100.9"), mark=mark) for mark in (0, 7)]
    host.sysctl("conf.tap0.rp_filter", 0)
    return found


def answers(host: Marked) -> list[list[Said]]:
    """Answers to marked packets: to echo requests, and at closed and open ports."""
    host.listen(8080)
    host.do("rule add", to=PEER, fwmark="9", type="prohibit", priority="103")
    found = []
    for value in (0, 1):
        host.sysctl("fwmark_reflect", value)
        host.sysctl("tcp_fwmark_accept", value)
        for mark in (0, 9):
            frames = echo_request(), udp_frame(dport=99), syn("10.0.0.1", 81)
            found += [host.says(frame, mark=mark) for frame in frames]
            asker = f"10.0.0.{40 + mark + value}"
            found.append(host.says(syn("10.0.0.1", 8080, src=asker), mark=mark))
    return found


def by_ports(host: Marked) -> list[list[Said]]:
    """Rules that look at ports and protocols see those of TCP, but not of fragments."""
    host.do("rule add", dport="5000-5009", ipproto="tcp", table="100", priority="104")
    host.do("rule add", sport="6000", table="100", priority="105")
    host.do("rule add", ipproto="icmp", to="192.0.2.128/25", table="100", priority="106")
    whole = udp.to_bytes(6000, 9, b"x" * 16, ip(PEER), ip("192.0.2.77"))
    piece = packet_of(17, whole, PEER, "192.0.2.77", mf=True)
    return [
        host.says(syn("192.0.2.70", 5000)),
        host.says(syn("192.0.2.71", 5010)),
        host.says(syn("192.0.2.72", 5001, mf=True)),
        host.says(udp_frame(dst="192.0.2.73", dport=5000)),
        host.says(udp_frame(dst="192.0.2.74", sport=6000)),
        host.says(frame_of(piece)),
        host.says(echo_request(dst="192.0.2.200")),
        host.says(echo_request(dst="192.0.2.100")),
    ]


def by_tos(host: Marked) -> list[list[Said]]:
    host.do("rule add", tos="0x10", to="192.0.2.0/24", table="100", priority="107")
    host.do("rule add", dscp="37", table="100", priority="108")
    host.do("rule add", dscp="40/0x38", table="100", priority="109")
    segment = icmpv4.IcmpMessage(8, 0, 1, b"").to_bytes()
    values = 0, 0x10, 0x11, 0x30, 0x14, 0xF0, 0x95, 0x94, 0x98, 0xA4, 0xBF, 0xC0
    return [
        host.says(frame_of(packet_of(1, segment, PEER, f"192.0.2.{90 + n}", tos=tos)))
        for n, tos in enumerate(values)
    ]


@pytest.mark.parametrize(
    "experiment",
    [forwarded_by_mark, strictly_checked_by_mark, answers, by_ports, by_tos],
    ids=lambda each: each.__name__,
)
def test_what_comes_in_meets_the_rules_as_in_the_kernel(
    experiment: Experiment, hosts: tuple[Marked, Marked]
) -> None:
    ours, theirs = (experiment(host) for host in hosts)
    assert ours == theirs
    assert len(set(map(str, theirs))) > 1, "it makes no difference"
