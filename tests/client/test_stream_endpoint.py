"""The stack's TCP sockets in asyncio."""

import asyncio
import socket

import pytest

from smolctl.client import StreamSocket, open_connection, start_server
from tests.kit.home import Home

HERE = ("127.0.0.1", 8080)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_streams_with_flow_control(running: Home) -> None:
    data = bytes(range(256)) * 20_000

    async def main() -> None:
        server = await start_server(echo, *HERE)
        reader, writer = await open_connection(*HERE, local_addr=("127.0.0.1", 5000))
        assert writer.get_extra_info("peername") == HERE
        assert writer.get_extra_info("sockname") == ("127.0.0.1", 5000)

        async def write() -> None:
            writer.write(data)
            await writer.drain()
            writer.write_eof()

        _, got = await asyncio.gather(write(), reader.read())
        assert got == data
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_errors_come_where_asyncio_has_them(running: Home) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await open_connection("127.0.0.1", 9)
        server = await start_server(lambda *_: None, *HERE)
        with pytest.raises(OSError, match="listens at port 8080"):
            await start_server(lambda *_: None, *HERE)
        server.close()
        for shared in [await start_server(echo, *HERE, reuse_port=True) for _ in range(2)]:
            shared.close()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_reset_ends_a_reader(running: Home) -> None:
    async def main() -> None:
        with StreamSocket() as listener:
            listener.setblocking(False)
            listener.bind(HERE)
            listener.listen()
            loop = asyncio.get_running_loop()
            reader, writer = await open_connection(*HERE)
            server, peer = await loop.sock_accept(listener)
            assert peer == writer.get_extra_info("sockname")
            writer.write(b"never read")
            await asyncio.sleep(0.1)
            server.close()
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_loop_connects_and_serves_with_sockets(home: Home) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with StreamSocket() as listener, StreamSocket() as client:
            for each in (listener, client):
                each.setblocking(False)
            listener.bind(HERE)
            over = loop.create_future()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await echo(reader, writer)
                over.set_result(None)

            server = await asyncio.start_server(serve, sock=listener)
            await loop.sock_connect(client, HERE)
            assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
            await loop.sock_sendall(client, b"hello")
            assert await loop.sock_recv(client, 100) == b"hello"
            client.close()
            await over
            server.close()

    asyncio.run(asyncio.wait_for(main(), 30))
