"""Differences between stacks, one small experiment each, and its result."""

from collections.abc import Callable
from typing import NamedTuple

from smolctl.wire import icmpv4, ipv4
from tests.e2e.profiles.subjects import Subject
from tests.kit.host import (
    DEAD,
    OTHER_MAC,
    OURS,
    PEER,
    arp_frame,
    echo_request,
    reply,
    request,
    udp_frame,
)

AFAR, THERE = "8.8.8.8", "10.7.0.1"
BROADCAST = "10.0.0.255"
UDP_PORT = 9


def own_prefix(host: Subject) -> str:
    opened, sender = host.socket(UDP_PORT), host.socket()
    said = host.send(sender, "127.0.0.2")
    return "delivered" if host.received(opened) else f"{said}, and dropped"


def own_address(host: Subject) -> str:
    opened, sender = host.socket(UDP_PORT), host.socket()
    host.send(sender, OURS)
    if host.received(opened):
        return "delivered, nothing is sent"
    return "sends ARP requests for itself" if host.asked() == [OURS] else "?"


def no_route(host: Subject) -> str:
    said = host.send(host.socket(), AFAR)
    assert not host.asked()
    return f"{said}, and nothing is sent"


def dead_neighbor(host: Subject) -> str:
    opened = host.socket()
    errors: list[str] = []

    def told() -> bool:
        errors.append(host.late_error(opened))
        return bool(errors[-1])

    host.send(opened, DEAD)
    host.pump(told)
    number = len(host.asked())
    if errors[-1]:
        return f"{number} requests, then {errors[-1]}"
    return "sends requests for ever, no error" if number > 9 else f"{number} requests"


def same_socket(host: Subject) -> str:
    host.meet()
    opened = host.socket()
    host.send(opened, DEAD)
    host.send(opened, PEER)
    return "is sent at once" if host.sent_to(PEER) else "waits behind it"


def other_socket(host: Subject) -> str:
    host.alive.add(PEER)
    host.send(host.socket(), DEAD)
    host.send(host.socket(), PEER)
    host.pump(lambda: bool(host.sent_to(PEER)))
    if host.sent_to(PEER):
        return "causes ARP, and is sent"
    return "never causes ARP" if PEER not in host.asked() else "?"


def first_echo(host: Subject) -> str:
    host.alive.add(PEER)
    replies = []
    for sequence in (1, 2):
        host.inject(echo_request(sequence=sequence, src=PEER))
        host.collect()
        host.collect()
        replies.append(len(host.packets(ipv4.Protocol.ICMP)))
    return {(1, 2): "answered after ARP", (0, 1): "lost; the second is answered"}.get(
        (replies[0], replies[1]), f"{replies}"
    )


def source(host: Subject) -> str:
    host.address("10.5.0.1/24")
    host.alive.add("10.5.0.2")
    host.send(host.socket(), "10.5.0.2")
    host.pump(lambda: bool(host.sent_to("10.5.0.2")))
    found = {seen.ip.src for seen in host.sent_to("10.5.0.2") if seen.ip is not None}
    names = {0x0A050001: "10.5.0.1, of that network", 0x0A000001: "10.0.0.1, the first"}
    return ", ".join(names.get(src, "?") for src in found)


def subnet_broadcast(host: Subject) -> str:
    said = host.send(host.socket(), BROADCAST)
    return "sends ARP requests for it" if host.asked() else said


def probe(host: Subject) -> str:
    host.inject(request("0.0.0.0"))
    return _answered(host)


def host_route(host: Subject) -> str:
    host.route(f"{DEAD}/32", PEER)
    host.send(host.socket(), DEAD)
    return {PEER: "goes to the gateway", DEAD: "goes to the host"}[host.asked()[0]]


def many_peers(host: Subject) -> str:
    peers = [f"10.0.0.{last}" for last in range(20, 26)]
    host.alive.update(peers)
    opened = host.socket()
    for times in (1, 2):
        for peer in peers:
            host.send(opened, peer)
            host.pump(lambda peer=peer, times=times: len(host.sent_to(peer)) == times)  # type: ignore[misc]
    return f"{len(host.asked())} ARP requests"


def third_address(host: Subject) -> str:
    return _accepted([host.address(f"10.{number}.0.1/24") for number in (5, 6)])


def third_route(host: Subject) -> str:
    return _accepted([host.route(f"10.{number}.0.0/16", PEER) for number in (21, 22, 23)])


def arp_for_another_interface(host: Subject) -> str:
    host.address(f"{THERE}/24", "tap1")
    host.inject(request(target=THERE))
    return _answered(host)


def datagram_for_another_interface(host: Subject) -> str:
    host.address(f"{THERE}/24", "tap1")
    opened = host.socket(UDP_PORT)
    host.inject(udp_frame(7, UDP_PORT, dst=THERE))
    return "delivered" if host.received(opened) else "dropped"


def sender_of_another_network(host: Subject) -> str:
    host.inject(request("99.9.9.9"))
    return _answered(host)


def unsolicited(host: Subject) -> str:
    host.inject(reply())
    return _learned(host)


def gratuitous(host: Subject) -> str:
    host.inject(arp_frame(1, PEER, PEER))
    return _learned(host)


def burst(host: Subject) -> str:
    opened = host.socket()
    host.send(opened, PEER, b"1")
    for number in range(2, 401):
        host.send(opened, PEER, b"%d" % number)
    host.alive.add(PEER)
    host.pump(lambda: bool(host.sent_to(PEER)))
    numbers = [int(seen.udp[2]) for seen in host.sent_to(PEER)]
    if numbers == list(range(1, 401)):
        return "all 400"
    return f"the last {len(numbers)}" if numbers == list(range(401 - len(numbers), 401)) else "?"


def old_entry(host: Subject) -> str:
    host.short_lives()
    host.meet()
    host.age()
    host.alive.clear()
    host.log.clear()
    host.send(host.socket(), PEER)
    return "is used, and checked later" if host.sent_to(PEER) else "is gone, and needs ARP again"


def moved(host: Subject) -> str:
    host.inject(request())
    host.inject(arp_frame(1, PEER, PEER, mac=OTHER_MAC))
    host.collect()
    host.log.clear()
    host.send(host.socket(), PEER)
    (seen,) = host.sent_to(PEER)
    return "learned" if seen.dst == OTHER_MAC else "not learned"


def broadcast_ping(host: Subject) -> str:
    host.inject(request())
    host.inject(echo_request(dst="255.255.255.255", to=b"\xff" * 6))
    host.collect()
    return "answered" if host.packets(ipv4.Protocol.ICMP) else "ignored"


def closed_port(host: Subject) -> str:
    host.inject(request())
    for _ in range(10):
        host.inject(udp_frame(7, 4444))
    host.collect()
    errors = [s for s in host.packets(ipv4.Protocol.ICMP)
              if s.icmp.type == icmpv4.Type.DEST_UNREACHABLE]  # fmt: skip
    return f"{len(errors)} ICMP errors"


def _answered(host: Subject) -> str:
    return "answered" if host.answered() else "ignored"


def _learned(host: Subject) -> str:
    return "learned" if host.knows(PEER) else "not learned"


def _accepted(accepted: list[bool]) -> str:
    assert all(accepted[:-1])
    return "accepted" if accepted[-1] else "refused"


class Behaviour(NamedTuple):
    """One thing that stacks do differently, or not.

    Attributes:
        what: the experiment in words.
        linux, smoltcp: what comes of it.
        sysctls: those that make the difference, all by themselves.
    """

    what: str
    try_: Callable[[Subject], str]
    linux: str
    smoltcp: str
    sysctls: tuple[str, ...] = ()


BEHAVIOURS = (
    Behaviour("a datagram to 127.0.0.2, lo has 127.0.0.1/8", own_prefix,
              "delivered", "OK, and dropped", ("ip.local_prefix",)),
    Behaviour("a datagram to an Ethernet interface's own address", own_address,
              "delivered, nothing is sent", "sends ARP requests for itself", ("ip.loopback_own",)),
    Behaviour("a datagram without a route", no_route, "ENETUNREACH, and nothing is sent",
              "OK, and nothing is sent", ("ip.no_route",)),
    Behaviour("a datagram to a neighbor that does not answer", dead_neighbor,
              "3 requests, then EHOSTUNREACH", "sends requests for ever, no error",
              ("neigh.mcast_solicit",)),
    Behaviour("meanwhile, the same socket's datagram to a known host", same_socket,
              "is sent at once", "waits behind it", ("neigh.unres_qlen",)),
    Behaviour("meanwhile, another socket's datagram to a new host", other_socket,
              "causes ARP, and is sent", "never causes ARP",
              ("neigh.rate_limit_scope", "neigh.mcast_solicit")),
    Behaviour("400 datagrams to a host that answers after the last", burst,
              "the last 256", "all 400", ("neigh.unres_qlen",)),
    Behaviour("the first echo request from an unknown host", first_echo,
              "answered after ARP", "lost; the second is answered", ("neigh.queue_answers",)),
    Behaviour("source address for the second network of an interface", source,
              "10.5.0.1, of that network", "10.0.0.1, the first", ("ip.first_source",)),
    Behaviour("a datagram to the network's broadcast address", subnet_broadcast,
              "EACCES", "sends ARP requests for it", ("ip.subnet_broadcast",)),
    Behaviour("a /32 route inside a connected network", host_route,
              "goes to the gateway", "goes to the host", ("ip.onlink_first",)),
    Behaviour("6 peers in turn, twice", many_peers,
              "6 ARP requests", "12 ARP requests", ("iface.neighbor_cache_count",)),
    Behaviour("an entry that was not used for a minute", old_entry,
              "is used, and checked later", "is gone, and needs ARP again",
              ("neigh.lifetime_ms",)),
    Behaviour("a third address of an interface", third_address,
              "accepted", "refused", ("iface.max_addr_count",)),
    Behaviour("a third route through an interface", third_route,
              "accepted", "refused", ("iface.max_route_count",)),
    Behaviour("an ARP probe (sender 0.0.0.0) for our address", probe,
              "answered", "ignored", ("arp.answer_probes",)),
    Behaviour("an ARP request for an address of another interface", arp_for_another_interface,
              "answered", "ignored", ("arp.ignore",)),
    Behaviour("a datagram for an address of another interface", datagram_for_another_interface,
              "delivered", "dropped", ("ip.strong_host",)),
    Behaviour("an ARP request from a sender in another network", sender_of_another_network,
              "answered", "ignored", ("arp.accept_from",)),
    Behaviour("an ARP reply that nobody asked for", unsolicited,
              "not learned", "learned", ("arp.accept",)),
    Behaviour("a gratuitous ARP request from an unknown host", gratuitous,
              "not learned", "not learned"),
    Behaviour("a gratuitous ARP request that names another MAC of a known host", moved,
              "learned", "not learned", ("arp.accept_target",)),
    Behaviour("an echo request to 255.255.255.255", broadcast_ping,
              "ignored", "answered", ("icmp.echo_ignore_broadcasts",)),
    Behaviour("10 datagrams at once to a closed port", closed_port,
              "6 ICMP errors", "10 ICMP errors", ("icmp.ratelimit_ms",)),
)  # fmt: skip
