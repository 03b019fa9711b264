"""The stack's sockets in asyncio."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from smolctl.client.datagram import DatagramSocket
from smolctl.client.inbox import Address

P = TypeVar("P", bound=asyncio.DatagramProtocol)


async def open_datagram_endpoint(
    protocol_factory: Callable[[], P],
    local_addr: Address | None = None,
    remote_addr: Address | None = None,
    *,
    stack: str | None = None,
    start: bool = True,
    allow_broadcast: bool = False,
    family: int = 0,
) -> tuple[asyncio.DatagramTransport, P]:
    """Open a socket of a stack as ``loop.create_datagram_endpoint`` opens one of the kernel.

    Args:
        protocol_factory: called without arguments; returns the protocol.
        local_addr: what the socket is bound to.
        remote_addr: whom it is connected to.
        stack, start: as for ``DatagramSocket``.
        allow_broadcast: it may send to broadcast addresses.
        family: AF_INET or AF_INET6; by default that of the addresses.

    Raises:
        OSError, SmolctlError: as ``DatagramSocket``, its ``bind`` and its ``connect``.
    """
    hosts = [address[0] for address in (local_addr, remote_addr) if address is not None]
    six = any(":" in host for host in hosts)
    chosen = family or (socket.AF_INET6 if six else socket.AF_INET)

    def make() -> DatagramSocket:
        made = DatagramSocket(stack, start=start, family=chosen)
        try:
            if allow_broadcast:
                made.allow_broadcast()
            if local_addr is not None:
                made.bind(local_addr)
            if remote_addr is not None:
                made.connect(remote_addr)
        except BaseException:
            made.close()
            raise
        return made

    # Starting a daemon takes a while, in which the loop has others to serve.
    made: Any = await asyncio.to_thread(make)
    try:
        loop = asyncio.get_running_loop()
        return await loop.create_datagram_endpoint(protocol_factory, sock=made)
    except BaseException:
        made.close()
        raise
