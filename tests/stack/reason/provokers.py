"""Provokers of reasons: frames, calls and the states that they need."""

from collections.abc import Callable
from contextlib import suppress

from smolctl.errors import SendRejected
from smolctl.stack.config.link import delete_interface, set_arp, set_carrier, set_up
from smolctl.stack.config.netem import set_impairment
from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.explain.predict import Question, arp_out
from smolctl.stack.fib.route import RouteType, TableName
from smolctl.stack.fib.rule import Rule, RuleAction
from smolctl.stack.ip.protocol import Pmtudisc
from smolctl.stack.link.impairment import Netem
from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Trace
from smolctl.stack.transport.errors import unanswered
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import arp, ethernet
from smolctl.wire.offload import virtio
from tests.kit.clock import SECOND_NS
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OURS,
    PEER,
    PEER_MAC,
    Host,
    frame_of,
    ip,
    packet_of,
    reply,
    request,
    udp_frame,
)

Provoker = Callable[[Host], object]
REQUEST, REPLY = arp.Op.REQUEST, arp.Op.REPLY


def fresh() -> Host:
    host = Host()
    host.know(PEER, PEER_MAC, State.PERMANENT)
    return host


def arp_to_ourselves(host: Host) -> None:
    question = Question("arp", None, ip("127.0.0.2"))
    net = host.stack.ipv4
    arp_out(net, question, host.now, Trace())


def too_long(host: Host) -> None:
    host.tap.mtu_in = True
    host.receive(udp_frame(payload=bytes(1500)))


def silence(
    reason: Reason,
    proto: str = "arp",
    *frames: bytes,
    dst: str = PEER,
    drops: int = 0,
    **detail: object,
) -> Provoker:
    """Return a provoker that asks by hand in vain, while frames come in and are dropped.

    Args:
        proto: how it asks.
        drops: so many other frames are dropped as well.
    """

    def provoke(host: Host) -> None:
        trace = host.send(host.socket(5000), dst)
        host.sent()
        began = host.now
        host.wait(SECOND_NS)
        host.receive(*frames, *[bytes(13)] * drops)
        awaited = Awaited(proto, ip(dst), began, host.now, 5000)
        unanswered(host.stack.shared.recorder, trace, reason, awaited, **detail)

    return provoke


def receives(*frames: bytes) -> Provoker:
    """Return a provoker that lets frames come in."""
    return lambda host: host.receive(*frames)


def sends(
    dst: str = PEER, port: int = 9, payload: bytes = b"x", *, df: bool = False, **how: str
) -> Provoker:
    """Return a provoker that sends one datagram, which is refused.

    Args:
        df: nobody may fragment it.
        how: ``local``, what the socket is bound to; ``src``, of this datagram alone.
    """

    def provoke(host: Host) -> None:
        socket = host.socket(local=how.get("local", "0.0.0.0"))
        socket.pmtudisc = Pmtudisc.DO if df else socket.pmtudisc
        refused(host, socket, dst, port, payload, **how)

    return provoke


def refused(
    host: Host, socket: UdpSocket, dst: str = PEER, port: int = 9, payload: bytes = b"x", **how: str
) -> None:
    with suppress(SendRejected):
        host.send(socket, dst, port, payload, src=how.get("src"))
        raise AssertionError("the datagram was not refused")


def with_sysctl(key: str, value: int | str, provoke: Provoker) -> Provoker:
    def provoke_with(host: Host) -> None:
        host.set(key, value)
        provoke(host)

    return provoke_with


ON_LO = "10.9.9.9"


def with_a_host_address(provoke: Provoker) -> Provoker:
    """Return a provoker on a host that has an address of its own, on no wire."""

    def provoke_with(host: Host) -> None:
        host.add(f"{ON_LO}/32", "lo")
        provoke(host)

    return provoke_with


def with_a_second_link(provoke: Provoker) -> Provoker:
    """Return a provoker on a host with a strict reverse path test, and another network."""

    def provoke_with(host: Host) -> None:
        host.link("tap1")
        host.add("10.7.0.1/24", "tap1")
        host.set("ip.rp_filter", 1)
        provoke(host)

    return provoke_with


def known_before(provoke: Provoker) -> Provoker:
    """Return a provoker on a host that knows the MAC of ``DEAD``."""

    def provoke_with(host: Host) -> None:
        host.know(DEAD)
        provoke(host)

    return provoke_with


def by_route(kind: RouteType) -> Provoker:
    def provoke(host: Host) -> None:
        host.route("8.8.8.0/24", kind=kind)
        sends("8.8.8.8")(host)

    return provoke


def by_rule(action: RuleAction) -> Provoker:
    def provoke(host: Host) -> None:
        add_rule(host.stack.ipv4, Rule(5, action, dst=ip("8.8.8.0"), dst_len=24))
        sends("8.8.8.8")(host)

    return provoke


def refused_by_rule(host: Host) -> None:
    """A rule in front of the table local refuses what comes from the peer."""
    first = next(iter(host.stack.ipv4.fib.rules))
    delete_rule(host.stack.ipv4, first)
    add_rule(host.stack.ipv4, Rule(100, table=TableName.LOCAL))
    action = RuleAction.BLACKHOLE
    add_rule(host.stack.ipv4, Rule(50, action, src=ip(PEER), src_len=32))
    host.receive(udp_frame())


def flipped(frame: bytes, at: int) -> bytes:
    """Return a frame with one byte changed."""
    return frame[:at] + bytes([frame[at] ^ 0xFF]) + frame[at + 1 :]


def bound_elsewhere(host: Host) -> None:
    host.socket(7, "127.0.0.1")
    host.receive(udp_frame())


def peer_mismatch(host: Host) -> None:
    host.stack.udp.connect(host.socket(7), ip("10.0.0.3"), 9)
    host.receive(udp_frame())


def rcvbuf_full(host: Host) -> None:
    host.set("udp.rmem_default", 256)
    host.socket(7)
    host.receive(udp_frame(payload=bytes(100)), udp_frame(payload=bytes(100)))


def fragment(start: int, size: int, *, mf: bool = True, fill: bytes = b"\0", tos: int = 0) -> bytes:
    """Return a frame with a fragment of a datagram to us."""
    return frame_of(packet_of(17, fill * size, mf=mf, offset=start, tos=tos))


def fragment_timeout(host: Host) -> None:
    host.receive(fragment(0, 16))
    host.wait(30 * SECOND_NS)


def fragments_timeout(host: Host) -> None:
    host.receive(fragment(16, 8), fragment(32, 4, mf=False))
    host.wait(30 * SECOND_NS)


def rate_limited(host: Host) -> None:
    host.receive(*[udp_frame()] * 7)


def offload_invalid(host: Host) -> None:
    host.tap.headroom = virtio.HEADER_LEN
    host.receive(virtio.VirtioHeader(gso_type=9).to_bytes() + udp_frame())


def iface_down(host: Host) -> None:
    set_up(host.stack.shared, host.tap, False, host.now)


def rx_iface_down(host: Host) -> None:
    iface_down(host)
    host.receive(udp_frame())


def tx_iface_down(host: Host) -> None:
    socket = host.socket(dev="tap0")
    iface_down(host)
    refused(host, socket)


def tx_link_down(host: Host) -> None:
    set_up(host.stack.shared, host.stack.interfaces.loopback, False, host.now)
    host.socket(9)
    host.send(host.socket(), OURS)


def no_carrier(host: Host) -> None:
    set_carrier(host.stack.shared, host.tap, False, host.now)
    host.send(host.socket())


def queue_full(host: Host) -> None:
    host.send(host.socket())
    host.stack.transmit_failed(host.tap, host.tap.outbox.pop(), "tx-queue-full", host.now)


def stopped(host: Host) -> None:
    host.send(host.socket())
    delete_interface(host.stack.shared, host.tap, host.now)


def ttl_zero(host: Host) -> None:
    socket = host.socket()
    socket.ttl = 0
    refused(host, socket)


def no_device(host: Host) -> None:
    host.link("tap1")
    socket = host.socket(dev="tap1")
    delete_interface(host.stack.shared, host.dev("tap1"), host.now)
    refused(host, socket)


def no_port(host: Host) -> None:
    host.set("ip.local_port_first", 40000)
    host.set("ip.local_port_last", 40000)
    host.socket()
    refused(host, host.stack.udp.open())


def no_source(host: Host) -> None:
    host.link("tap1")
    host.delete(OURS)
    refused(host, host.socket(dev="tap1"), "10.7.0.1")


def locktime(host: Host) -> None:
    host.know(DEAD)
    host.receive(reply(DEAD, mac=OTHER_MAC))


def flapping(host: Host) -> None:
    for mac in (PEER_MAC, OTHER_MAC, PEER_MAC):
        host.receive(request(DEAD, mac=mac))


def failed_for(dst: str) -> Provoker:
    def provoke(host: Host) -> None:
        host.send(host.socket(), dst)
        host.wait(3 * SECOND_NS)

    return provoke


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
    host.receive(request("10.0.0.3"))
    host.receive(request("10.0.0.4"))


def evicted_while_it_waits(host: Host) -> None:
    host.set("iface.neighbor_cache_count", 2)
    host.send(host.socket(), DEAD)
    host.send(host.socket(), "10.0.0.4")


def cache_thrash(host: Host) -> None:
    evicted(host)
    host.send(host.socket(), "10.0.0.3")


def table_full(host: Host) -> None:
    host.set("iface.neighbor_cache_count", 1)
    refused(host, host.socket(), DEAD)


def on_a_bad_link(netem: Netem, datagrams: int = 1) -> Provoker:
    def provoke(host: Host) -> None:
        set_impairment(host.stack.shared, host.tap, netem)
        socket = host.socket()
        for _ in range(datagrams):
            host.send(socket)

    return provoke


UDP, HEADER = udp_frame(), ethernet.HEADER_LEN


def limited_by(burst: int, rate: int) -> Provoker:
    """Return a provoker of icmp-rate-limited by the limits for all hosts together."""

    def provoke(host: Host) -> None:
        host.set("icmp.msgs_burst", burst)
        host.set("icmp.msgs_per_sec", rate)
        host.receive(udp_frame(), udp_frame())

    return provoke


def without_its_default_route(host: Host) -> None:
    host.route("0.0.0.0/0", via="10.0.0.2")
    set_up(host.stack.shared, host.tap, False, host.now)
    host.wait(12 * SECOND_NS)
    refused(host, host.socket(), "8.8.8.8")


def without_a_default_route_waiting(host: Host) -> None:
    host.set("ip.no_route", "wait")
    host.route("0.0.0.0/0", via="10.0.0.2")
    set_up(host.stack.shared, host.tap, False, host.now)
    host.send(host.socket(), "8.8.8.8")


def with_its_link_down(host: Host) -> None:
    iface_down(host)
    sends(PEER)(host)


def without_arp(host: Host) -> None:
    set_arp(host.stack.shared, host.tap, False, host.now)
    receives(request())(host)


def with_its_route_ignored(host: Host) -> None:
    host.set("ip.ignore_routes_with_linkdown", 1)
    set_carrier(host.stack.shared, host.tap, False, host.now)
    sends(PEER)(host)


def without_a_wire(host: Host) -> None:
    host.delete(OURS)
    sends("8.8.8.8")(host)


def without_ipv6(host: Host) -> None:
    host.set("ip6.disable", 1)
    refused(host, host.socket(local="::"), "::1")


def no_port_but_below(host: Host) -> None:
    host.set("ip.local_port_last", 65535)
    host.set("ip.local_port_first", 65535)
    host.socket()
    refused(host, host.stack.udp.open())
