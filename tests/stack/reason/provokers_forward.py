"""Provokers of the reasons of forwarding: packets of the peer for another host."""

from smolctl.stack.config.link import set_carrier, set_up
from smolctl.stack.fib.route import RouteType
from smolctl.stack.neighbor.states import State
from smolctl.wire import udp
from tests.kit.host import OURS, PEER, PEER_MAC, Host, frame_of, ip, packet_of
from tests.stack.reason.provokers import Provoker, receives, with_sysctl


def as_router(provoke: Provoker, **sysctls: int) -> Provoker:
    """Return a provoker on a host that forwards, with a second network and a neighbor there."""

    def provoke_with(host: Host) -> None:
        host.link("tap1")
        host.add("10.7.0.1/24", "tap1")
        host.know("10.7.0.2", PEER_MAC, State.PERMANENT, "tap1")
        for key, value in {"ip.forward": 1, **sysctls}.items():
            host.set(key, value)
        provoke(host)

    return provoke_with


def passing(dst: str = "10.7.0.2", *, ttl: int = 64, df: bool = False, size: int = 5) -> Provoker:
    """Return a provoker that lets a datagram of the peer for another host come in."""
    segment = udp.to_bytes(9, 7, bytes(size), ip(PEER), ip(dst))
    return receives(frame_of(packet_of(17, segment, PEER, dst, ttl=ttl, df=df)))


def forwarded_by_route(kind: RouteType) -> Provoker:
    def provoke(host: Host) -> None:
        host.route("8.8.8.0/24", kind=kind)
        passing("8.8.8.8")(host)

    return as_router(provoke)


def forwarded_into_a_link_that_is_down(host: Host) -> None:
    set_up(host.stack.shared, host.dev("tap1"), False, host.now)
    passing()(host)


def forwarded_by_a_route_that_is_ignored(host: Host) -> None:
    host.set("ip.ignore_routes_with_linkdown", 1)
    set_carrier(host.stack.shared, host.dev("tap1"), False, host.now)
    passing()(host)


def forwarded_after_the_default_route_went(host: Host) -> None:
    host.route("0.0.0.0/0", via="10.7.0.2")
    set_up(host.stack.shared, host.dev("tap1"), False, host.now)
    passing("8.8.8.8")(host)


def forwarded_by_a_route_of_small_mtu(host: Host) -> None:
    host.route("8.8.8.0/24", dev="tap1", via="10.7.0.2", src=OURS, metric=7, mtu=500)
    passing("8.8.8.8", df=True, size=1000)(host)


def with_no_other_link(provoke: Provoker) -> Provoker:
    return with_sysctl("ip.forward", 1, provoke)
