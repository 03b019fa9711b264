"""The stack's sockets in asyncio."""

import asyncio

import pytest

from smolctl.client import open_datagram_endpoint
from tests.kit.home import Home

HERE = ("127.0.0.1", 7)


class Collector(asyncio.DatagramProtocol):
    """Answers each datagram, or keeps what came."""

    def __init__(self, echo: bool) -> None:
        self.echo = echo
        self.got: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if self.echo and self.transport is not None:
            self.transport.sendto(data, addr)
        else:
            self.got.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        self.got.put_nowait(exc)


def test_asyncio_endpoints(home: Home) -> None:
    async def main() -> None:
        server, _ = await open_datagram_endpoint(lambda: Collector(True), HERE)
        client, kept = await open_datagram_endpoint(lambda: Collector(False), None, HERE)
        assert server.get_extra_info("sockname") == HERE
        assert client.get_extra_info("peername") == HERE
        for number in range(500):
            client.sendto(b"%d" % number)
        got = [await asyncio.wait_for(kept.got.get(), 10) for _ in range(500)]
        assert got == [b"%d" % number for number in range(500)]
        server.close()
        await asyncio.sleep(0)
        client.sendto(b"x")
        refused = await asyncio.wait_for(kept.got.get(), 10)
        assert isinstance(refused, ConnectionRefusedError)
        client.close()

    asyncio.run(main())


def test_asyncio_endpoint_that_cannot_be_had(home: Home) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="is not on this stack"):
            await open_datagram_endpoint(lambda: Collector(False), ("10.0.0.1", 7))
        made = open_datagram_endpoint(lambda: Collector(False), HERE, allow_broadcast=True)
        transport, _ = await made
        transport.sendto(b"x", ("127.255.255.255", 7))
        transport.close()

    asyncio.run(main())
