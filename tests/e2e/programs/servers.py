"""Servers of all kinds that Python has, on IPv4 and IPv6: a program that knows of no stack."""

import asyncio
import http.server
import socket
import socketserver
import ssl
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

Serving = Callable[..., Awaitable[Any]]


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(f"{self.path} for {self.client_address[0]}".encode())

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Lines(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


class Datagrams(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


class WebServer(http.server.ThreadingHTTPServer):
    """As ``python -m http.server`` makes it: IPv4, too, as mapped addresses."""

    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class TcpServer(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True


class ForkingServer(socketserver.ForkingTCPServer):
    address_family = socket.AF_INET6


class UdpServer(socketserver.ThreadingUDPServer):
    address_family = socket.AF_INET6


class ForkingUdpServer(socketserver.ForkingUDPServer):
    address_family = socket.AF_INET6


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data.upper(), addr)


async def lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async for line in reader:
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def app(scope: dict[str, Any], receive: Serving, send: Serving) -> None:
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body or scope["path"].encode()})


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")  # without certificates
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


async def serve() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.start_server(lines, None, 8003)
    await loop.create_datagram_endpoint(Echo, local_addr=("::", 8004))
    await asyncio.start_server(lines, None, 8009, ssl=tls())
    web = socket.create_server(("", 8005), family=socket.AF_INET6, dualstack_ipv6=True)
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    print("ready", flush=True)
    await uvicorn.Server(config).serve([web])


def main() -> None:
    safe = WebServer(("", 8008), Web)
    safe.socket = tls().wrap_socket(safe.socket, server_side=True)
    for server in (
        WebServer(("", 8000), Web),
        TcpServer(("", 8001), Lines),
        UdpServer(("", 8002), Datagrams),
        ForkingServer(("", 8006), Lines),
        ForkingUdpServer(("", 8007), Datagrams),
        safe,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    asyncio.run(serve())


if __name__ == "__main__":
    main()
