"""The stack's sockets in asyncio."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from smolctl.client.datagram import DatagramSocket
from smolctl.client.inbox import Address
from smolctl.client.stream import StreamSocket

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


async def open_connection(
    host: str, port: int, *, stack: str | None = None, start: bool = True, **more: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect by a stack, as ``asyncio.open_connection`` does by the kernel.

    Args:
        host, port: of the peer; IPv6 when the host has a colon.
        stack, start: as for ``StreamSocket``.
        more: ``local_addr``, an address to be bound to before; ``limit``, ``ssl`` and what else
            ``asyncio.open_connection`` takes.

    Raises:
        OSError, SmolctlError: as ``StreamSocket``, its ``bind`` and its ``connect``.
    """
    local = more.pop("local_addr", None)
    made = await asyncio.to_thread(_stream, stack, start, host)
    try:
        if local is not None:
            made.bind(local)
        await asyncio.get_running_loop().sock_connect(made, (host, port))
        return await asyncio.open_connection(sock=made, **more)
    except BaseException:
        made.close()
        raise


async def start_server(
    client_connected_cb: Callable[
        [asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None
    ],
    host: str = "",
    port: int = 0,
    *,
    stack: str | None = None,
    start: bool = True,
    backlog: int = 100,
    **more: Any,
) -> asyncio.Server:
    """Listen on a stack, as ``asyncio.start_server`` does on the kernel.

    Args:
        client_connected_cb: called with reader and writer of each connection.
        host, port: to listen on; "" for every IPv4 address of the stack.
        stack, start: as for ``StreamSocket``.
        more: ``reuse_port``, to share it with others (SO_REUSEPORT); ``limit``, ``ssl`` and what
            else ``asyncio.start_server`` takes.

    Raises:
        OSError, SmolctlError: as ``StreamSocket``, its ``bind`` and its ``listen``.
    """
    made = await asyncio.to_thread(_stream, stack, start, host)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if more.pop("reuse_port", False):  # asyncio passes it over where it gets a socket
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((host, port))
        return await asyncio.start_server(client_connected_cb, sock=made, backlog=backlog, **more)
    except BaseException:
        made.close()
        raise


def _stream(stack: str | None, start: bool, host: str) -> StreamSocket:
    """Return a socket that does not block, for hosts of the family of ``host``.

    Starting a daemon takes a while, in which the loop has others to serve: this is for a thread.
    """
    made = StreamSocket(
        stack, start=start, family=socket.AF_INET6 if ":" in host else socket.AF_INET
    )
    made.setblocking(False)
    return made
