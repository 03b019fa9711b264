"""Experiments with sysctls of single links: what comes of their values, on any host.

Each experiment can be made again on the same host: ``n`` chooses addresses that it has not used.
"""

import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

from smolctl.stack.config.link import set_up
from smolctl.stack.config.maddr import join_static
from smolctl.wire import icmpv4, ipv4
from smolctl.wire.address import BROADCAST_MAC
from tests.e2e.profiles.subjects import Kernel, Stack, Subject
from tests.kit.host import (
    OURS,
    PEER,
    echo_request,
    frame_of,
    icmp_frame,
    ip,
    packet_of,
    reply,
    request,
    text,
    udp_frame,
    udp_packet,
)

THERE = "10.7.0.1"
"""The address of tap1."""


def sysctl(host: Subject, name: str, value: int) -> None:
    """Set a sysctl by its name in Linux: "conf.tap0.arp_ignore"."""
    if isinstance(host, Kernel):
        host._peer.sysctl({f"net.ipv4.{name}": value})
    else:
        assert isinstance(host, Stack)
        host.host.set(f"net.ipv4.{name}", value)


def on_both(host: Subject, name: str, value: int) -> None:
    """Set a sysctl for all and for tap0, so that it is out of question whatever the rule."""
    for scope in ("all", "tap0"):
        sysctl(host, f"conf.{scope}.{name}", value)


def asked_as(host: Subject, target: str) -> list[str]:
    """Return the senders of ARP requests for a host."""
    host.collect()
    return [
        text(seen.arp.sender_ip)
        for _, seen in host.log
        if seen.arp is not None and text(seen.arp.target_ip) == target
    ]


# --- ARP ------------------------------------------------------------------------------------------


def arp_ignore(host: Subject, n: int) -> list[bool]:
    found = []
    for frame in (request(target=THERE), request(f"99.9.9.{n}")):
        host.log.clear()
        host.inject(frame)
        found.append(host.answered())
    return found


def arp_accept(host: Subject, n: int) -> bool:
    host.inject(reply(f"10.0.0.{20 + n}"))
    return host.knows(f"10.0.0.{20 + n}")


def arp_announce(host: Subject, n: int) -> list[list[str]]:
    found = []
    for number, dst in enumerate((THERE, "10.0.0.100")):
        host.log.clear()
        peer = f"10.0.0.{20 + 2 * n + number}"
        host.inject(echo_request(src=peer, dst=dst))
        found.append(asked_as(host, peer)[:1])
    return found


def arp_filter(host: Subject, n: int) -> bool:
    host.inject(request(f"10.7.0.{20 + n}"))
    return host.answered()


def arp_notify(host: Subject, n: int) -> bool:
    for up in (False, True):
        if isinstance(host, Kernel):
            host._peer.ip("link", "set", "tap0", "up" if up else "down")
        else:
            assert isinstance(host, Stack)
            set_up(host.host.stack.shared, host.host.tap, up, host.host.now)
        host.log.clear()
    return OURS in host.asked()


def proxy_arp(host: Subject, n: int, network: str = "10.7.0") -> bool:
    sysctl(host, "conf.tap0.forwarding", 1)
    host.inject(request(target=f"{network}.{20 + n}"))
    host.pump(host.answered) if isinstance(host, Stack) else _wait(host)
    return host.answered()


def proxy_arp_pvlan(host: Subject, n: int) -> bool:
    return proxy_arp(host, n, "10.0.0")


def _wait(host: Subject) -> None:
    """Give the kernel as long as the longest wait of a proxy, which a test has made short."""
    assert isinstance(host, Kernel)
    end = [0]

    def over() -> bool:
        end[0] += 1
        return host.answered() or end[0] > 8

    host.pump(over)


# --- redirects ------------------------------------------------------------------------------------


def _redirected(host: Subject, n: int, gateway: str, forward: int = 0) -> bool:
    """Tell whether a redirect to a gateway is believed for a destination."""
    dst = f"8.8.8.{20 + n}"
    host.meet()
    opened = host.socket(5000 + n)
    host.send(opened, dst)
    (seen,) = host.sent_to(dst)
    assert seen.ip is not None
    sysctl(host, "conf.tap0.forwarding", forward)
    quoted = seen.ip.to_bytes() + seen.payload[:8]
    host.inject(icmp_frame(icmpv4.Type.REDIRECT, 1, ip(gateway), quoted))
    host.log.clear()
    host.send(opened, dst)
    return gateway in host.asked()


def accept_redirects(host: Subject, n: int) -> bool:
    return _redirected(host, n, f"10.0.0.{100 + n}")


def accept_redirects_of_a_router(host: Subject, n: int) -> bool:
    found = _redirected(host, n, f"10.0.0.{100 + n}", 1)
    sysctl(host, "conf.tap0.forwarding", 0)
    return found


def secure_redirects(host: Subject, n: int) -> bool:
    on_both(host, "shared_media", 0)
    return _redirected(host, n, f"10.0.0.{100 + n}")


def shared_media(host: Subject, n: int) -> bool:
    on_both(host, "secure_redirects", 0)
    return _redirected(host, n, f"10.9.9.{100 + n}")


def send_redirects(host: Subject, n: int) -> bool:
    sysctl(host, "conf.tap0.forwarding", 1)
    on_both(host, "shared_media", 0)
    sender = f"10.0.0.{20 + n}"
    host.alive |= {sender, PEER}
    host.inject(udp_frame(src=sender, dst="8.8.8.8"))
    host.pump(lambda: bool(host.sent_to("8.8.8.8")))
    for _ in range(4):  # it asks for who is to be told, is answered, and tells
        host.collect()
    return any(s.icmp.type == icmpv4.Type.REDIRECT for s in host.packets(ipv4.Protocol.ICMP))


# --- packets in -----------------------------------------------------------------------------------


def _is_heard(host: Subject, frame: bytes) -> bool:
    opened = host.socket(9)
    host.inject(frame)
    heard = host.received(opened) > 0
    opened.close() if isinstance(host, Kernel) else host.host.stack.udp.close(opened)  # type: ignore[attr-defined]
    return heard


def accept_source_route(host: Subject, n: int) -> bool:
    # A loose source route that ends here: its pointer is behind its one address.
    options = bytes((131, 7, 8)) + socket.inet_aton("10.0.0.77") + b"\0"
    packet = udp_packet(7, 9)
    data = packet_of(ipv4.Protocol.UDP, packet[20:], options=options)
    return _is_heard(host, frame_of(data))


def drop_unicast_in_l2_multicast(host: Subject, n: int) -> bool:
    return _is_heard(host, udp_frame(7, 9, to=BROADCAST_MAC))


def rp_filter(host: Subject, n: int) -> list[bool]:
    sources = (f"10.7.0.{20 + n}", f"99.9.9.{20 + n}", PEER)
    return [_is_heard(host, udp_frame(7, 9, src=src)) for src in sources]


def forwarding(host: Subject, n: int) -> bool:
    dst = f"10.7.0.{20 + n}"
    host.inject(udp_frame(dst=dst))
    return dst in host.asked()


def bc_forwarding(host: Subject, n: int) -> bool:
    sysctl(host, "conf.tap0.forwarding", 1)
    host.inject(udp_frame(1000 + n, 9, dst="10.7.0.255"))
    host.collect()
    return any(dev == "tap1" and seen.dst == BROADCAST_MAC and seen.ip for dev, seen in host.log)


# --- groups ---------------------------------------------------------------------------------------


def force_igmp_version(host: Subject, n: int) -> set[int]:
    group = f"239.1.1.{n}"
    if isinstance(host, Kernel):
        opened = host._peer.udp()
        wanted = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), _index(host, "tap0"))
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wanted)
    else:
        assert isinstance(host, Stack)
        join_static(host.host.stack.ipv4, host.host.tap, ip(group))
    reports: set[int] = set()

    def reported() -> bool:
        host.collect()
        # Those of groups before are repeated.
        reports.update(
            seen.payload[0]
            for _, seen in host.log
            if seen.ip is not None and seen.ip.protocol == 2
            if socket.inet_aton(group) in seen.payload
        )
        return bool(reports)

    host.pump(reported)
    return reports


def _index(host: Kernel, dev: str) -> int:
    return int(host._peer.rows("link", "show", "dev", dev)[0]["ifindex"])


# --- whose addresses they are ---------------------------------------------------------------------


def accept_local(host: Subject, n: int) -> list[object]:
    """Packets and ARP from an address of tap1 that come in by tap0, at each level of rp_filter."""
    opened, found = host.socket(6000 + n), list[object]()
    for level in (0, 1, 2):
        on_both(host, "rp_filter", level)
        for src in (THERE, OURS):
            host.log.clear()
            host.inject(udp_frame(9, 6000 + n, src=src))
            host.inject(request(src))
            found += [host.received(opened), host.answered()]
    on_both(host, "rp_filter", 0)
    return found


def route_localnet(host: Subject, n: int) -> list[object]:
    """Packets and ARP to 127/8, the answer, and what comes from there."""
    host.meet()
    opened, found = host.socket(6000 + n), list[object]()
    for dst, src in (("127.0.0.1", PEER), ("127.7.7.7", PEER), (OURS, "127.0.0.1")):
        host.log.clear()
        host.inject(udp_frame(9, 6000 + n, src=src, dst=dst))
        host.inject(request(src, dst))
        host.inject(echo_request(src=src, dst=dst))
        answers = [seen.ip.src for seen in host.packets(ipv4.Protocol.ICMP) if seen.ip is not None]
        found += [host.received(opened), host.answered(), list(map(text, answers))]
    return found


# --- all of them ----------------------------------------------------------------------------------


class Case(NamedTuple):
    """A sysctl of links.

    Attributes:
        name: in Linux.
        key: here.
        try_: shows what its value makes of a host.
        highest: of its values that are tried, from 0.
        prepare: begins a host.
    """

    name: str
    key: str
    try_: Callable[[Subject, int], object]
    highest: int = 1
    prepare: Callable[[Subject], None] = lambda _host: None


def _two_networks(host: Subject) -> None:
    host.address(f"{THERE}/24", "tap1")


def _second_address(host: Subject) -> None:
    _two_networks(host)
    host.address("10.0.0.100/24")


def _gateway(host: Subject) -> None:
    host.route("8.8.8.0/24", PEER)


def _quick_proxy(host: Subject) -> None:
    _two_networks(host)
    if isinstance(host, Kernel):
        sysctl(host, "neigh.tap0.proxy_delay", 0)
    else:
        assert isinstance(host, Stack)
        host.host.set("neigh.proxy_delay_ms", 0)


CASES = (
    Case("arp_ignore", "arp.ignore", arp_ignore, 2, _two_networks),
    Case("arp_accept", "arp.accept", arp_accept),
    Case("arp_announce", "arp.announce", arp_announce, 2, _second_address),
    Case("arp_filter", "arp.filter", arp_filter, 1, _two_networks),
    Case("arp_notify", "arp.notify", arp_notify),
    Case("proxy_arp", "arp.proxy", proxy_arp, 1, _quick_proxy),
    Case("proxy_arp_pvlan", "arp.proxy_pvlan", proxy_arp_pvlan, 1, _quick_proxy),
    Case("accept_redirects", "ip.accept_redirects", accept_redirects, 1, _gateway),
    Case("accept_redirects", "ip.accept_redirects", accept_redirects_of_a_router, 1, _gateway),
    Case("secure_redirects", "ip.secure_redirects", secure_redirects, 1, _gateway),
    Case("shared_media", "ip.shared_media", shared_media, 1, _gateway),
    Case("send_redirects", "ip.send_redirects", send_redirects, 1, _gateway),
    Case("accept_source_route", "ip.accept_source_route", accept_source_route),
    Case("drop_unicast_in_l2_multicast", "ip.drop_unicast_in_l2_multicast",
         drop_unicast_in_l2_multicast),
    Case("accept_local", "ip.accept_local", accept_local, 1, _two_networks),
    Case("route_localnet", "ip.route_localnet", route_localnet),
    Case("rp_filter", "ip.rp_filter", rp_filter, 2, _two_networks),
    Case("forwarding", "ip.forward", forwarding, 1, _two_networks),
    Case("bc_forwarding", "ip.bc_forwarding", bc_forwarding, 1, _two_networks),
    Case("force_igmp_version", "igmp.force_version", force_igmp_version, 3),
)  # fmt: skip
