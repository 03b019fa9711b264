"""What makes reasons of IP options and of ICMP strike."""

from tests.stack.kit import frame_of, packet_of, udp_packet


def with_options(options: bytes) -> bytes:
    """Return a frame with a datagram to us that has IP options."""
    return frame_of(packet_of(17, udp_packet()[20:], options=options))
