"""Provokers of reasons that have to do with ICMP errors and the sizes of packets."""

from tests.kit.host import OURS, PEER, Host, icmp_frame, udp_packet
from tests.stack.reason.provokers import Provoker, sends


def error_for_a_socket(kind: int, code: int, rest: int = 0) -> Provoker:
    """Return a provoker that lets an ICMP error come in that quotes a socket's datagram."""

    def provoke(host: Host) -> None:
        host.socket(5000)
        host.receive(icmp_frame(kind, code, rest, udp_packet(5000, 9, src=OURS, dst=PEER)))

    return provoke


def by_a_route_of_small_mtu(host: Host) -> None:
    host.route("8.8.8.0/24", dev="tap0", via=PEER, src=OURS, metric=7, mtu=500)
    sends("8.8.8.8", payload=bytes(1000), df=True)(host)


def by_a_way_that_was_learned(host: Host) -> None:
    error_for_a_socket(3, 4, rest=600)(host)
    sends(payload=bytes(1000), df=True)(host)
