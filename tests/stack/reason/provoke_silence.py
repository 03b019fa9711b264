"""Each cause of the reasons of silence: what makes it strike; see ``provoke_causes``."""

from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import (
    ARP_NO_REPLY,
    ICMP_HOPS_SILENT,
    ICMP_NO_REPLY,
    TCP_NO_ANSWER,
    UDP_NO_REPLY,
)
from smolctl.stack.trace.journal import CAPACITY
from smolctl.wire import ndp, tcp
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    DEAD,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    reply,
    udp_frame,
)
from tests.kit.host6 import DEAD6, nd_frame
from tests.stack.reason.provoke_causes import Row
from tests.stack.reason.provokers import HEADER, Provoker, flipped, silence
from tests.stack.reason.provokers_ipv6 import no_advertisement

FAR = "192.0.2.7"
_BAD_ARP = flipped(reply(DEAD), HEADER + 1)
_BAD_ECHO = flipped(icmp_frame(0, 0, 5000 << 16 | 1), HEADER + 22)
_BAD_UDP = flipped(udp_frame(9, 5000), HEADER + 28)
_SYN_ACK = tcp.TcpHeader(5000, 40000, 1, 2, 0, tcp.SYN | tcp.ACK, 1000)
_BAD_SYN_ACK = frame_of(
    packet_of(6, _SYN_ACK.to_bytes(b"", ip(PEER), ip(OURS))[:16] + b"\x0b\xad\0\0")
)
_ARP_DROPPED = "arp-bad-format: hardware type 254 is unknown here, not Ethernet (1)"


def asked(*frames: bytes, drops: int = 0) -> Provoker:
    """Return a provoker of a neighbor that does not answer, while frames come in."""

    def provoke(host: Host) -> None:
        host.send(host.socket(), DEAD)
        host.wait(SECOND_NS)
        host.receive(*frames, *[bytes(13)] * drops)
        host.wait(3 * SECOND_NS)

    return provoke


def failed_by_hand(host: Host) -> None:
    host.send(host.socket(), DEAD)
    neighbors = host.stack.ipv4.neighbors
    neighbors.perform(host.tap, neighbors["tap0"].set(ip(DEAD), State.FAILED, None, host.now), 0)


def _unknown_mac(provoke: Provoker) -> Provoker:
    """Return a provoker on a host that has forgotten its neighbor when it asks why."""

    def provoke_with(host: Host) -> None:
        provoke(host)
        host.cache().delete(ip(PEER))

    return provoke_with


def _by_gateway(provoke: Provoker) -> Provoker:
    def provoke_with(host: Host) -> None:
        host.route("0.0.0.0/0", via=PEER)
        provoke(host)

    return provoke_with


def ping(*frames: bytes, dst: str = PEER, drops: int = 0) -> Provoker:
    return silence(ICMP_NO_REPLY, "icmp", *frames, dst=dst, drops=drops, requests=2, ip=ip(dst))


def datagram(*frames: bytes, dst: str = PEER, drops: int = 0) -> Provoker:
    how = {"ip": ip(dst), "port": 9, "seconds": 1.0}
    return silence(UDP_NO_REPLY, "udp", *frames, dst=dst, drops=drops, **how)


def syns(*frames: bytes, dst: str = PEER, drops: int = 0) -> Provoker:
    how = {"requests": 3, "ip": ip(dst), "port": 5000}
    return silence(TCP_NO_ANSWER, "tcp", *frames, dst=dst, drops=drops, **how)


def hops(*frames: bytes, drops: int = 0) -> Provoker:
    return silence(ICMP_HOPS_SILENT, "udp", *frames, drops=drops, ip=ip(PEER), hops=3)


def nobody(*frames: bytes, drops: int = 0) -> Provoker:
    dead = ip(DEAD)
    return silence(ARP_NO_REPLY, "arp", *frames, dst=DEAD, drops=drops, probes=3, next_hop=dead)


_FROM_AFAR = nd_frame(
    ndp.NeighborAdvertisement(False, True, True, ip(DEAD6), ndp.Options(target=PEER_MAC)),
    DEAD6,
    hops=64,
)
_ND = "3 solicitations for 2001:db8::9 on tap0"
_ARP = "3 ARP requests for 10.0.0.9 on tap0"
_PING = "2 echo requests left for 10.0.0.2 by tap0"
_UDP = "no answer from 10.0.0.2:9 within 1.0 s"
_SYNS = "3 SYNs left for 10.0.0.2:5000 by tap0"
_HOPS = "no answer on the way to 10.0.0.2 up to hop 3"
_BAD_SUM = "icmp-bad-checksum: checksum 0x1376, want 0xec76"

SILENCE: dict[tuple[str, str], Row] = {
    ("neigh-failed", "silent"): (asked(), f"{_ARP}, and nothing came back"),
    ("neigh-failed", "dropped"): (
        asked(_BAD_ARP), f"{_ARP}; an answer came and was dropped: {_ARP_DROPPED}",
    ),
    ("neigh-failed", "forgotten"): (
        asked(drops=CAPACITY + 1),
        f"{_ARP}, no answer that was taken; so much was dropped meanwhile that it is not known"
        " whether one came",
    ),
    ("neigh-failed", "by-hand"): (
        failed_by_hand, "the neighbor entry of 10.0.0.9 on tap0 was set to FAILED by hand",
    ),
    ("arp-no-reply", "silent"): (nobody(), f"{_ARP}, and nothing came back"),
    ("arp-no-reply", "dropped"): (
        nobody(_BAD_ARP), f"{_ARP}; an answer came and was dropped: {_ARP_DROPPED}",
    ),
    ("arp-no-reply", "forgotten"): (
        nobody(drops=CAPACITY + 1),
        f"{_ARP}, no answer that was taken; so much was dropped meanwhile that it is not known"
        " whether one came",
    ),
    ("nd-no-reply", "silent"): (no_advertisement(), f"{_ND}, and nothing came back"),
    ("nd-no-reply", "dropped"): (
        no_advertisement(_FROM_AFAR),
        f"{_ND}; an answer came and was dropped: nd-bad-hop-limit: hop limit 64, not 255: it is"
        " from beyond a router",
    ),
    ("nd-no-reply", "forgotten"): (
        no_advertisement(drops=CAPACITY + 1),
        f"{_ND}, no answer that was taken; so much was dropped meanwhile that it is not known"
        " whether one came",
    ),
    ("icmp-no-reply", "silent"): (_unknown_mac(ping()), f"{_PING}, and nothing came back"),
    ("icmp-no-reply", "near"): (
        ping(), f"{_PING}, and nothing came back, though 10.0.0.2 answers ARP",
    ),
    ("icmp-no-reply", "far"): (
        _by_gateway(ping(dst=FAR)),
        "2 echo requests left for 192.0.2.7 by tap0, and nothing came back; the gateway 10.0.0.2"
        " answers ARP",
    ),
    ("icmp-no-reply", "dropped"): (
        ping(_BAD_ECHO), f"{_PING}; a reply came and was dropped: {_BAD_SUM}",
    ),
    ("icmp-no-reply", "forgotten"): (
        ping(drops=CAPACITY + 1),
        f"{_PING}; so much was dropped meanwhile that it is not known whether a reply came",
    ),
    ("udp-no-reply", "silent"): (_unknown_mac(datagram()), f"{_UDP}, and no ICMP error"),
    ("udp-no-reply", "near"): (
        datagram(), f"{_UDP}, and no ICMP error, though 10.0.0.2 answers ARP",
    ),
    ("udp-no-reply", "far"): (
        _by_gateway(datagram(dst=FAR)),
        "no answer from 192.0.2.7:9 within 1.0 s, and no ICMP error; the gateway 10.0.0.2 answers"
        " ARP",
    ),
    ("udp-no-reply", "dropped"): (
        datagram(udp_frame(9, 5001)),
        f"{_UDP}: one came and was dropped: udp-port-closed: nothing is bound to 10.0.0.1:5001",
    ),
    ("udp-no-reply", "forgotten"): (
        datagram(drops=CAPACITY + 1),
        f"{_UDP}; so much was dropped meanwhile that it is not known whether one came",
    ),
    ("tcp-no-answer", "silent"): (_unknown_mac(syns()), f"{_SYNS}, and nothing came back"),
    ("tcp-no-answer", "near"): (
        syns(), f"{_SYNS}, and nothing came back, though 10.0.0.2 answers ARP",
    ),
    ("tcp-no-answer", "far"): (
        _by_gateway(syns(dst=FAR)),
        "3 SYNs left for 192.0.2.7:5000 by tap0, and nothing came back; the gateway 10.0.0.2"
        " answers ARP",
    ),
    ("tcp-no-answer", "dropped"): (
        syns(_BAD_SYN_ACK),
        f"{_SYNS}; an answer came and was dropped: tcp-bad-checksum: checksum 0x0bad, want 0xe81c",
    ),
    ("tcp-no-answer", "forgotten"): (
        syns(drops=CAPACITY + 1),
        f"{_SYNS}; so much was dropped meanwhile that it is not known whether an answer came",
    ),
    ("icmp-hops-silent", "silent"): (hops(), f"{_HOPS}; nothing came back"),
    ("icmp-hops-silent", "dropped"): (
        hops(frame_of(packet_of(17, bytes(7), PEER, OURS))),
        f"{_HOPS}; an answer came and was dropped: udp-header-short: UDP header needs 8 B, got 7",
    ),
    ("icmp-hops-silent", "forgotten"): (
        hops(drops=CAPACITY + 1),
        f"{_HOPS}; so much was dropped meanwhile that it is not known whether an answer came",
    ),
}  # fmt: skip
