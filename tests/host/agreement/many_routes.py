"""Very many routes, put into a host by rtnetlink itself: ``ip -batch`` takes a minute for them."""

import socket
import struct

_NEW_ROUTE, _REQUEST_CREATE, _ACK = 24, 0x1 | 0x400, 0x4
_TABLE_MAIN, _BOOT, _UNICAST = 254, 3, 1
_DST, _OIF, _GATEWAY = 1, 4, 5
_AT_ONCE = 500


def add_routes(dev: str, number: int) -> None:
    """Add routes of /24, from 20.0.0.0 on, by gateways in 10.0.0.0/16.

    Args:
        dev: the link of the gateways.
        number: of routes.

    Raises:
        OSError: the kernel refuses.
    """
    index = socket.if_nametoindex(dev)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(20)
        for first in range(0, number, _AT_ONCE):
            some = range(first, min(number, first + _AT_ONCE))
            # The last of them is acknowledged, and so all are done.
            flags = [_REQUEST_CREATE] * (len(some) - 1) + [_REQUEST_CREATE | _ACK]
            kernel.send(
                b"".join(
                    _message(each, index, flag) for each, flag in zip(some, flags, strict=True)
                )
            )
            (refused,) = struct.unpack_from("=i", kernel.recv(65536), 16)
            if refused:
                raise OSError(-refused, "the kernel refuses a route")


def prefix(number: int) -> str:
    """Return the network of a route, without its length."""
    return socket.inet_ntoa(struct.pack("!I", (20 << 24) + (number << 8)))


def _message(number: int, index: int, flags: int) -> bytes:
    # As on a router: few gateways, which routes share in the kernel.
    gateway = socket.inet_aton(f"10.0.0.{2 + number % 64}")
    body = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, _TABLE_MAIN, _BOOT, 0, _UNICAST, 0)
    body += struct.pack("=HH4s", 8, _DST, socket.inet_aton(prefix(number)))
    body += struct.pack("=HH4s", 8, _GATEWAY, gateway)
    body += struct.pack("=HHI", 8, _OIF, index)
    return struct.pack("=IHHII", 16 + len(body), _NEW_ROUTE, flags, number + 1, 0) + body
