"""IPv4 options as packets pass: they are filled in, and turned round for answers.

RFC 1122 3.2.1.8; what Linux does where the RFC leaves it open. ``wire/ipv4_options.py`` has the
bytes. No state is here.
"""

from smolctl.stack.ip.network import Network
from smolctl.wire import ipv4_options
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv4_options import Options, Outgoing

_DAY_MS = 86_400_000
_NONSTANDARD = 1 << 31


def midnight_ms(net: Network, now: int) -> int:
    """Return the time as ICMP and the timestamp option have it: ms since midnight UT.

    A stack that does not know the time of day says so by the first bit (RFC 791 3.1, RFC 792).
    """
    if net.shared.wall_time is None:
        return _NONSTANDARD | now // 1_000_000 % _DAY_MS
    return int(net.shared.wall_time(now) * 1000) % _DAY_MS


def arrived(net: Network, header: Ipv4Header, options: Options, own: int, now: int) -> Ipv4Header:
    """Return the header of a packet for us with our address and time in its options.

    Args:
        own: the address of ours that they get.
    """
    raw = ipv4_options.stamped(options, own, net.fib.is_local, midnight_ms(net, now), arriving=True)
    return header._replace(options=raw)


def passing(net: Network, options: Options, own: int, now: int) -> bytes:
    """Return the options of a packet that is forwarded, with our address and time in them.

    Args:
        own: our address on the link that leads on.

    Source: RFC 1812 5.3.13.5, 5.3.13.6; Linux ``ip_forward_options``.
    """
    ms = midnight_ms(net, now)
    return ipv4_options.stamped(options, own, net.fib.is_local, ms, arriving=True)


def departing(net: Network, raw: bytes, src: int, now: int) -> bytes:
    """Return the options of a packet that leaves from ``src``, filled in as a sender does.

    They were checked when they were given, or when the packet came that is answered.
    """
    options = ipv4_options.parse(raw, arriving=False)
    if not isinstance(options, Options):
        raise AssertionError("options that make no sense are not sent")
    ms = midnight_ms(net, now)
    return ipv4_options.stamped(options, src, net.fib.is_local, ms, arriving=False)


def answering(header: Ipv4Header) -> Outgoing:
    """Return the options of an answer to a packet; none when its own make no sense."""
    if header.options:
        options = ipv4_options.parse(header.options, arriving=False)
        if isinstance(options, Options):
            return ipv4_options.answering(options, header.src)
    return Outgoing(b"")
