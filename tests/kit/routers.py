"""A stack that forwards between two links, in virtual time, and the frames that it is given."""

from smolctl.stack.link.input import frame_input
from smolctl.stack.neighbor.states import State
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.wire import ipv4, udp
from smolctl.wire.address import parse_mac
from tests.kit.host import OTHER_MAC, PEER, PEER_MAC, Host, Seen, frame_of, ip, packet_of

NEAR, FAR = PEER, "10.7.0.2"
"""Hosts on the links tap0 and tap1, both known."""
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

    def follow(self, frame: bytes, dev: str = "tap0") -> Trace:
        """Let a frame come in, and return what becomes of it."""
        trace = Trace(direction=Direction.IN, began_ns=self.now)
        trace.dev = dev
        self.stack.journal.follow(trace, self.now)
        frame_input(self.stack.protocols, self.dev(dev), frame, self.now, trace)
        return trace

    def passed(self, frame: bytes) -> list[Seen]:
        """Let a frame come in by tap0, and return what leaves by tap1."""
        self.receive(frame)
        return self.sent("tap1")


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
