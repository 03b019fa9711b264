"""Provokers of the reasons of IP options and of ICMP."""

from contextlib import suppress

from smolctl.errors import SendRejected
from smolctl.stack.ip.protocol import PLAIN
from smolctl.stack.ipv4.output import icmp_output
from smolctl.wire import icmpv4
from tests.kit.host import OURS, PEER, Host, frame_of, icmp_frame, ip, packet_of, udp_packet
from tests.stack.reason.provokers import Provoker

FAR = "192.0.2.7"


def with_options(options: bytes) -> bytes:
    """Return a frame with a datagram to us that has IP options."""
    return frame_of(packet_of(17, udp_packet()[20:], options=options))


def redirected(gateway: str, by: str = PEER, code: int = 1) -> Provoker:
    """Return a provoker of a redirect about a socket's datagram to ``FAR``, by ``PEER``'s route."""

    def provoke(host: Host) -> None:
        host.route("0.0.0.0/0", via=PEER)
        host.socket(5000)
        host.receive(redirect(gateway, by, code=code))

    return provoke


def redirect(gateway: str, by: str = PEER, dst: str = FAR, *, code: int = 1) -> bytes:
    """Return a redirect about a datagram from port 5000."""
    return icmp_frame(5, code, ip(gateway), udp_packet(5000, 9, src=OURS, dst=dst), by)


def pings(dst: str, src: str | None = None) -> Provoker:
    """Return a provoker of an echo request that does not say that it may go to all of a link."""

    def provoke(host: Host) -> None:
        message = icmpv4.IcmpMessage(icmpv4.Type.ECHO_REQUEST, 0, 1, b"")
        how = PLAIN._replace(src=None if src is None else ip(src))
        with suppress(SendRejected):
            icmp_output(host.stack.ipv4, message, ip(dst), host.now, how)

    return provoke
