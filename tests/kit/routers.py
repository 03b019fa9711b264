"""A stack that forwards between two links, in virtual time, and the frames that it is given."""

from smolctl.stack.neighbor.states import State
from smolctl.wire import ipv4, udp
from smolctl.wire.address import parse_mac
from tests.kit.host import OTHER_MAC, PEER, PEER_MAC, Host, Seen, frame_of, ip, packet_of
from tests.kit.host6 import PEER6, PEER_LINK_LOCAL, Host6

NEAR, FAR = PEER, "10.7.0.2"
"""Hosts on the links tap0 and tap1, both known."""
FAR6 = "2001:db8:1::9"
FAR_MAC = parse_mac("02:00:00:00:00:0f")
ROUTER, BEYOND = "10.7.0.9", "192.168.9.9"
"""Another router on tap1, and a host behind it."""


class Router(Host):
    """Forwards between 10.0.0.1/24 on tap0 and 10.7.0.1/24 on tap1."""

    def __init__(self) -> None:
        super().__init__()
        self.link("tap1", OTHER_MAC)
        self.add("10.7.0.1/24", "tap1")
        self.set("ip.forward", 1)
        self.know(NEAR, PEER_MAC, State.PERMANENT)
        self.know(FAR, FAR_MAC, State.PERMANENT, "tap1")
        self.know(ROUTER, FAR_MAC, State.PERMANENT, "tap1")

    def passed(self, frame: bytes) -> list[Seen]:
        """Let a frame come in by tap0, and return what leaves by tap1."""
        self.receive(frame)
        return self.sent("tap1")


class Router6(Host6):
    """Forwards between 2001:db8::1/64 on tap0 and 2001:db8:1::1/64 on tap1."""

    def __init__(self) -> None:
        super().__init__()
        self.link("tap1", OTHER_MAC)
        self.add("2001:db8:1::1/64", "tap1")
        self.set("ip6.forward", 1)
        self.know(PEER6)
        self.know(PEER_LINK_LOCAL)
        self.know(FAR6, FAR_MAC, dev="tap1")
        self.poll()  # it reports that it is in the groups of routers
        for dev in ("tap0", "tap1"):
            self.take(dev)


def datagram(
    dst: str = FAR,
    payload: bytes = b"hello",
    *,
    src: str = NEAR,
    ttl: int = 64,
    df: bool = False,
    mf: bool = False,
    offset: int = 0,
    options: bytes = b"",
    ident: int = 1,
) -> bytes:
    """Return a UDP datagram, or with an offset a fragment with these bytes of one."""
    segment = payload if offset else udp.to_bytes(9, 7, payload, ip(src), ip(dst))
    return packet_of(
        ipv4.Protocol.UDP, segment, src, dst, ttl=ttl, df=df, mf=mf, offset=offset,
        options=options, ident=ident,
    )  # fmt: skip


def frame(dst: str = FAR, payload: bytes = b"hello", **how: object) -> bytes:
    """Return a datagram of the near host in a frame for the router."""
    return frame_of(datagram(dst, payload, **how))  # type: ignore[arg-type]  # as datagram has them


def header_of(seen: Seen) -> ipv4.Ipv4Header:
    """Return the IPv4 header of a frame that carries such a packet."""
    assert seen.ip is not None
    return seen.ip


def told(host: Host, dev: str = "tap0") -> list[tuple[int, int]]:
    """Return type and code of the ICMP messages that leave."""
    return [(seen.icmp.type, seen.icmp.code) for seen in host.sent(dev)]
