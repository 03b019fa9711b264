"""Servers that share a port by SO_REUSEPORT: of asyncio, socketserver, and two processes."""

import asyncio
import socket
import socketserver
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest

from smolctl.client import Client
from tests.client.test_dropin import patched
from tests.kit.home import Home
from tests.kit.process import Background

__all__ = ["patched"]

FLOWS = 24
OTHER = """
import socket
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("127.0.0.1", 8080))
server.listen()
print("ready", flush=True)
while True:
    server.accept()[0].sendall(b"other")
"""


async def ask(host: str) -> str:
    reader, writer = await asyncio.open_connection(host, 8080)
    try:
        return (await reader.read()).decode()
    finally:
        writer.close()


class Endpoint(asyncio.DatagramProtocol):
    """An end that notes whom it heard."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.heard.append(data)


@pytest.mark.usefixtures("patched")
def test_asyncio_servers_and_endpoints_share_a_port() -> None:
    async def main() -> None:
        def saying(name: str) -> Callable[..., Awaitable[None]]:
            async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(name.encode())
                writer.close()

            return serve

        names = ("one", "two")
        servers = [
            await asyncio.start_server(saying(name), "::1", 8080, reuse_port=True) for name in names
        ]
        assert {await ask("::1") for _ in range(FLOWS)} == {*names}
        servers[0].close()
        assert {await ask("::1") for _ in range(FLOWS)} == {"two"}
        servers[1].close()
        loop, at = asyncio.get_running_loop(), ("127.0.0.1", 5000)
        ends = [await loop.create_datagram_endpoint(Endpoint, at, reuse_port=True) for _ in names]
        for number in range(FLOWS):
            with socket.socket(type=socket.SOCK_DGRAM) as sender:
                sender.sendto(b"%d" % number, at)
        heard = [end.heard for _, end in ends]
        while sum(map(len, heard)) < FLOWS:
            await asyncio.sleep(0.001)
        assert all(heard)
        for transport, _ in ends:
            transport.close()

    asyncio.run(asyncio.wait_for(main(), 20))


class Sharing(socketserver.ThreadingTCPServer):
    allow_reuse_port = True
    daemon_threads = True


class Say(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"this")


@pytest.mark.usefixtures("patched")
def test_a_socketserver_and_another_process_share_a_port(running: Home) -> None:
    argv = [sys.executable, "-m", "smolctl.run", "-c", OTHER]
    with closing(Background(argv, env=running.env.environ)) as other:
        other.wait_for("ready")
        with Sharing(("127.0.0.1", 8080), Say) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,)).start()
            try:
                answers = set()
                for _ in range(FLOWS):
                    with socket.create_connection(("127.0.0.1", 8080)) as made:
                        answers.add(made.recv(10))
                assert answers == {b"this", b"other"}
                with Client.connect() as client:
                    rows = client.call("socket.show", listening=True)
                assert [row["reuseport"] for row in rows if row["local_port"] == 8080] == [True] * 2
            finally:
                server.shutdown()
