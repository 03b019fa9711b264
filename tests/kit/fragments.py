"""A datagram to us that comes in pieces."""

from itertools import pairwise

from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire import udp
from tests.kit.host import OURS, PEER, frame_of, ip, packet_of

PAYLOAD = bytes(range(256)) * 12
SEGMENT = udp.to_bytes(9, 7, PAYLOAD, ip(PEER), ip(OURS))


def piece(
    start: int, end: int, *, ident: int = 1, data: bytes = SEGMENT, last: bool | None = None,
    protocol: int = 17, src: str = PEER, to: bytes | None = None, options: bytes = b"",
) -> bytes:  # fmt: skip
    """Return a frame with the bytes ``start`` to ``end`` of a datagram's data."""
    mf = end < len(data) if last is None else not last
    packet = packet_of(
        protocol, data[start:end], src, mf=mf, offset=start, ident=ident, options=options
    )
    return frame_of(packet) if to is None else frame_of(packet, to=to)


def pieces(*ends: int, ident: int = 1) -> list[bytes]:
    """Return frames that cut the datagram at these places."""
    cuts = [0, *ends, len(SEGMENT)]
    return [piece(a, b, ident=ident) for a, b in pairwise(cuts)]


def payload_of(socket: UdpSocket) -> bytes | None:
    datagram = socket.receive()
    return None if datagram is None else datagram.payload
