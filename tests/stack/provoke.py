"""One real frame or call for each reason: the smallest thing that makes it strike once.

Each function gets a fresh host that knows the MAC of ``PEER`` for good. ``BESIDE`` lists what else
has to be counted for a reason to strike, such as the waiting before a failure.
"""

from collections.abc import Callable
from contextlib import suppress

from smolctl.errors import SendRejected
from smolctl.stack import configure, impair, notify
from smolctl.stack.fate import Trace
from smolctl.stack.impairment import LIMIT_FRAMES, Netem
from smolctl.stack.neighbor_state import State
from smolctl.stack.predict import Question, arp_out
from smolctl.stack.reason import ARP_NO_REPLY, ICMP_NO_REPLY, UDP_NO_REPLY, Reason
from smolctl.stack.route import RouteType
from smolctl.stack.udp_socket import UdpSocket
from smolctl.wire import addr, arp, ethernet, icmp, virtio
from tests.kit.clock import SECOND_NS
from tests.stack.kit import (
    DEAD,
    OTHER_MAC,
    OUR_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    arp_frame,
    echo_request,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    reply,
    request,
    udp_frame,
    udp_packet,
    unreachable,
)

Provoker = Callable[[Host], object]
REQUEST, REPLY = arp.Op.REQUEST, arp.Op.REPLY


def fresh() -> Host:
    host = Host()
    host.know(PEER, PEER_MAC, State.PERMANENT)
    return host


def arp_to_ourselves(host: Host) -> None:
    question = Question("arp", None, ip("127.0.0.2"))
    arp_out(host.stack, question, host.now, Trace())


def silence(reason: Reason, **detail: object) -> Provoker:
    """Return a provoker that sends a datagram by hand, and calls it unanswered."""

    def provoke(host: Host) -> None:
        trace = host.send(host.socket(), PEER)
        host.sent()
        notify.unanswered(host.stack, trace, reason, host.now, **detail)

    return provoke


def receives(*frames: bytes) -> Provoker:
    """Return a provoker that lets frames come in."""
    return lambda host: host.receive(*frames)


def sends(dst: str = PEER, port: int = 9, payload: bytes = b"x", **how: str) -> Provoker:
    """Return a provoker that sends one datagram, which is refused.

    Args:
        how: ``local``, what the socket is bound to; ``src``, of this datagram alone.
    """

    def provoke(host: Host) -> None:
        refused(host, host.socket(local=how.get("local", "0.0.0.0")), dst, port, payload, **how)

    return provoke


def refused(
    host: Host, socket: UdpSocket, dst: str = PEER, port: int = 9, payload: bytes = b"x", **how: str
) -> None:
    with suppress(SendRejected):
        host.send(socket, dst, port, payload, src=how.get("src"))
        raise AssertionError("the datagram was not refused")


def with_knob(key: str, value: int, provoke: Provoker) -> Provoker:
    def provoke_with(host: Host) -> None:
        host.set(key, value)
        provoke(host)

    return provoke_with


def by_route(kind: RouteType) -> Provoker:
    def provoke(host: Host) -> None:
        host.route("8.8.8.0/24", kind=kind)
        sends("8.8.8.8")(host)

    return provoke


def error_for_a_socket(kind: int, code: int) -> Provoker:
    """Return a provoker that lets an ICMP error come in that quotes a socket's datagram."""

    def provoke(host: Host) -> None:
        host.socket(5000)
        host.receive(icmp_frame(kind, code, 0, udp_packet(5000, 9, src=OURS, dst=PEER)))

    return provoke


def flipped(frame: bytes, at: int) -> bytes:
    """Return a frame with one byte changed."""
    return frame[:at] + bytes([frame[at] ^ 0xFF]) + frame[at + 1 :]


def bound_elsewhere(host: Host) -> None:
    host.socket(7, "127.0.0.1")
    host.receive(udp_frame())


def peer_mismatch(host: Host) -> None:
    host.stack.udp_connect(host.socket(7), ip("10.0.0.3"), 9)
    host.receive(udp_frame())


def rcvbuf_full(host: Host) -> None:
    host.set("udp.rmem_default", 256)
    host.socket(7)
    host.receive(udp_frame(payload=bytes(100)), udp_frame(payload=bytes(100)))


def rate_limited(host: Host) -> None:
    host.receive(*[udp_frame()] * 7)


def offload_invalid(host: Host) -> None:
    host.tap.headroom = virtio.HEADER_LEN
    host.receive(virtio.VirtioHeader(gso_type=9).to_bytes() + udp_frame())


def iface_down(host: Host) -> None:
    configure.set_up(host.stack, host.tap, False, host.now)


def rx_iface_down(host: Host) -> None:
    iface_down(host)
    host.receive(udp_frame())


def tx_iface_down(host: Host) -> None:
    socket = host.socket(dev="tap0")
    iface_down(host)
    refused(host, socket)


def no_carrier(host: Host) -> None:
    configure.set_carrier(host.stack, host.tap, False, host.now)
    host.send(host.socket())


def queue_full(host: Host) -> None:
    host.send(host.socket())
    host.stack.transmit_failed(host.tap, host.tap.outbox.pop(), "tx-queue-full", host.now)


def stopped(host: Host) -> None:
    host.send(host.socket())
    configure.delete_interface(host.stack, host.tap, host.now)


def ttl_zero(host: Host) -> None:
    socket = host.socket()
    socket.ttl = 0
    refused(host, socket)


def no_device(host: Host) -> None:
    host.link("tap1")
    socket = host.socket(dev="tap1")
    configure.delete_interface(host.stack, host.dev("tap1"), host.now)
    refused(host, socket)


def no_port(host: Host) -> None:
    host.set("ip.local_port_first", 40000)
    host.set("ip.local_port_last", 40000)
    host.socket()
    refused(host, host.stack.udp_open())


def no_source(host: Host) -> None:
    host.link("tap1")
    host.delete(OURS)
    refused(host, host.socket(dev="tap1"), "10.7.0.1")


def locktime(host: Host) -> None:
    host.know(DEAD)
    host.receive(reply(DEAD, mac=OTHER_MAC))


def failed(host: Host) -> None:
    host.send(host.socket(), DEAD)
    host.wait(3 * SECOND_NS)


def neigh_queue_full_of(packets: int) -> Provoker:
    def provoke(host: Host) -> None:
        for _ in range(packets):
            host.send(host.socket(), DEAD)

    return provoke


def queue_purged(host: Host) -> None:
    host.send(host.socket(), DEAD)
    iface_down(host)


def evicted(host: Host) -> None:
    host.set("iface.neighbor_cache_count", 2)
    host.know("10.0.0.3")
    host.receive(request("10.0.0.4"))


def evicted_while_it_waits(host: Host) -> None:
    host.set("iface.neighbor_cache_count", 2)
    host.send(host.socket(), DEAD)
    host.receive(request("10.0.0.4"))


def cache_thrash(host: Host) -> None:
    evicted(host)
    host.send(host.socket(), "10.0.0.3")


def table_full(host: Host) -> None:
    host.set("iface.neighbor_cache_count", 1)
    refused(host, host.socket(), DEAD)


def on_a_bad_link(netem: Netem, datagrams: int = 1) -> Provoker:
    def provoke(host: Host) -> None:
        impair.set_impairment(host.stack, host.tap, netem)
        socket = host.socket()
        for _ in range(datagrams):
            host.send(socket)

    return provoke


UDP, HEADER = udp_frame(), ethernet.HEADER_LEN
SOURCE_ROUTED = packet_of(17, udp_packet()[20:], options=bytes([131, 3, 4]))

PROVOKERS: dict[str, Provoker] = {
    "rx-frame-short": receives(bytes(13)),
    "rx-offload-invalid": offload_invalid,
    "rx-ethertype-unknown": receives(frame_of(b"", ethernet.EtherType.IPV6)),
    "rx-not-our-mac": receives(udp_frame(to=OTHER_MAC)),
    "rx-src-mac-invalid": receives(udp_frame(by=addr.BROADCAST_MAC)),
    "rx-own-frame": receives(udp_frame(by=OUR_MAC)),
    "rx-iface-down": rx_iface_down,
    "arp-truncated": receives(reply()[: HEADER + 27]),
    "arp-bad-format": receives(flipped(reply(), HEADER)),
    "arp-bad-op": receives(arp_frame(3)),
    "arp-target-not-ours": receives(request("10.0.0.3", "10.0.0.4")),
    "arp-sender-invalid": receives(request("10.0.0.255")),
    "arp-unsolicited": receives(reply("10.0.0.3")),
    "arp-address-conflict": receives(request(OURS, OURS)),
    "arp-no-reply": silence(ARP_NO_REPLY, probes=3, next_hop=DEAD),
    "arp-not-needed": arp_to_ourselves,
    "arp-locked-entry": receives(reply()),
    "arp-locktime": locktime,
    "neigh-pending": lambda host: host.send(host.socket(), DEAD),
    "neigh-cache-thrash": cache_thrash,
    "neigh-failed": failed,
    "neigh-queue-full": with_knob("neigh.unres_qlen", 1, neigh_queue_full_of(2)),
    "neigh-queue-purged": queue_purged,
    "neigh-evicted": evicted,
    "neigh-table-full": table_full,
    "ip-header-short": receives(UDP[: HEADER + 19]),
    "ip-bad-version": receives(flipped(UDP, HEADER)),
    "ip-bad-ihl": receives(UDP[:HEADER] + b"\x44" + UDP[HEADER + 1 :]),
    "ip-bad-checksum": receives(flipped(UDP, HEADER + 10)),
    "ip-length-mismatch": receives(UDP[:-1]),
    "ip-src-invalid": receives(udp_frame(src="10.0.0.255")),
    "ip-src-is-ours": receives(udp_frame(src=OURS)),
    "ip-loopback-on-wire": receives(udp_frame(dst="127.0.0.1")),
    "ip-dst-invalid": receives(udp_frame(dst="0.0.0.0")),
    "ip-dst-not-ours": receives(udp_frame(dst="10.0.0.77")),
    "ip-unicast-in-broadcast": with_knob(
        "ip.drop_unicast_in_l2_multicast", 1, receives(udp_frame(to=addr.BROADCAST_MAC))
    ),
    "ip-multicast-not-joined": receives(udp_frame(dst="224.0.0.1", to=addr.multicast_mac(1))),
    "ip-source-route": receives(frame_of(SOURCE_ROUTED)),
    "ip-proto-unknown": receives(frame_of(packet_of(132, b""))),
    "frag-unsupported": receives(frame_of(packet_of(17, bytes(16), mf=True))),
    "icmp-truncated": receives(frame_of(packet_of(1, bytes(7)))),
    "icmp-bad-checksum": receives(flipped(echo_request(), HEADER + 22)),
    "icmp-echo-broadcast": receives(echo_request(dst="10.0.0.255", to=addr.BROADCAST_MAC)),
    "icmp-echo-ignored": with_knob("icmp.echo_ignore_all", 1, receives(echo_request())),
    "icmp-echo-unmatched": receives(icmp_frame(icmp.Type.ECHO_REPLY)),
    "icmp-type-unknown": receives(icmp_frame(icmp.Type.TIMESTAMP)),
    "icmp-error-unmatched": receives(unreachable(3, udp_packet(src=OURS, dst=PEER))),
    "icmp-reply-suppressed": receives(udp_frame(to=addr.BROADCAST_MAC)),
    "icmp-rate-limited": rate_limited,
    "icmp-net-unreachable": error_for_a_socket(3, 0),
    "icmp-host-unreachable": error_for_a_socket(3, 1),
    "icmp-protocol-unreachable": error_for_a_socket(3, 2),
    "icmp-port-unreachable": error_for_a_socket(3, 3),
    "icmp-fragmentation-needed": error_for_a_socket(3, 4),
    "icmp-prohibited": error_for_a_socket(3, 13),
    "icmp-time-exceeded": error_for_a_socket(11, 0),
    "icmp-parameter-problem": error_for_a_socket(12, 0),
    "icmp-no-reply": silence(ICMP_NO_REPLY, n=3, ip=DEAD),
    "udp-header-short": receives(frame_of(packet_of(17, bytes(7)))),
    "udp-bad-length": receives(frame_of(packet_of(17, b"\0\7\0\7\0\x09\0\0"))),
    "udp-bad-checksum": receives(flipped(UDP, HEADER + 20 + 8)),
    "udp-port-closed": receives(UDP),
    "udp-bound-elsewhere": bound_elsewhere,
    "udp-peer-mismatch": peer_mismatch,
    "udp-rcvbuf-full": rcvbuf_full,
    "udp-no-reply": silence(UDP_NO_REPLY, ip=DEAD, port=9, seconds=1.0),
    "tx-payload-too-long": sends(payload=bytes(65508)),
    "tx-src-not-ours": sends(src="10.0.0.77"),
    "tx-no-source": no_source,
    "tx-loopback-source": sends(local="127.0.0.1"),
    "tx-dst-invalid": sends("0.0.0.0"),
    "tx-no-route": sends("8.8.8.8"),
    "tx-route-blackhole": by_route(RouteType.BLACKHOLE),
    "tx-route-unreachable": by_route(RouteType.UNREACHABLE),
    "tx-route-prohibit": by_route(RouteType.PROHIBIT),
    "tx-broadcast-denied": sends("10.0.0.255"),
    "tx-no-device": no_device,
    "tx-no-port": no_port,
    "tx-iface-down": tx_iface_down,
    "tx-no-carrier": no_carrier,
    "tx-too-big": sends(payload=bytes(1473)),
    "tx-queue-full": queue_full,
    "tx-ttl-zero": ttl_zero,
    "lab-loss": on_a_bad_link(Netem(loss=1)),
    "lab-queue-full": on_a_bad_link(Netem(delay_ns=SECOND_NS), LIMIT_FRAMES + 1),
    "lab-delay": on_a_bad_link(Netem(delay_ns=SECOND_NS)),
    "lab-corrupt": on_a_bad_link(Netem(corrupt=1)),
    "lab-duplicate": on_a_bad_link(Netem(duplicate=1)),
    "lab-reorder": on_a_bad_link(Netem(delay_ns=SECOND_NS, reorder=1)),
    "stack-stopped": stopped,
}


def limited_by(burst: int, rate: int) -> Provoker:
    """Return a provoker of icmp-rate-limited by the limits for all hosts together."""

    def provoke(host: Host) -> None:
        host.set("icmp.msgs_burst", burst)
        host.set("icmp.msgs_per_sec", rate)
        host.receive(udp_frame(), udp_frame())

    return provoke


def by_a_route_of_small_mtu(host: Host) -> None:
    host.route("8.8.8.0/24", dev="tap0", via=PEER, src=OURS, metric=7, mtu=500)
    sends("8.8.8.8", payload=bytes(1000))(host)


def with_its_link_down(host: Host) -> None:
    iface_down(host)
    sends(PEER)(host)


def without_a_wire(host: Host) -> None:
    host.delete(OURS)
    sends("8.8.8.8")(host)


def no_port_but_below(host: Host) -> None:
    host.set("ip.local_port_last", 65535)
    host.set("ip.local_port_first", 65535)
    host.socket()
    refused(host, host.stack.udp_open())


VARIANTS: dict[str, tuple[Provoker, ...]] = {
    "rx-not-our-mac": (receives(udp_frame(to=OTHER_MAC, dst=PEER)),),
    "icmp-rate-limited": (limited_by(0, 0), limited_by(1, 1)),
    "neigh-queue-purged": (evicted_while_it_waits,),
    "neigh-queue-full": (with_knob("neigh.unres_qlen_bytes", 50, neigh_queue_full_of(2)),),
    "tx-no-route": (with_its_link_down, without_a_wire),
    "tx-no-port": (no_port_but_below,),
    "tx-too-big": (by_a_route_of_small_mtu,),
}
"""More ways to provoke a reason: those that show its other texts."""

BESIDE: dict[str, dict[str, int]] = {
    "neigh-cache-thrash": {"neigh-evicted": 2},
    "neigh-failed": {"neigh-pending": 1},
    "neigh-queue-full": {"neigh-pending": 2},
    "neigh-queue-purged": {"neigh-pending": 1},
    "lab-queue-full": {"lab-delay": LIMIT_FRAMES},
    "icmp-reply-suppressed": {"udp-port-closed": 1},
    "icmp-rate-limited": {"udp-port-closed": 7},
}
