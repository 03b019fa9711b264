"""Clients of what ``servers.py`` serves: a program that knows of no stack.

It prints what came back, as JSON, for each host that it is given.
"""

import asyncio
import json
import socket
import ssl
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import requests

LARGE = bytes(range(256)) * 800


def url(host: str, port: int, path: str = "/hello", scheme: str = "http") -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{path}"


def web(host: str) -> str:
    with urllib.request.urlopen(url(host, 8000), timeout=10) as answer:
        return answer.read().decode()  # type: ignore[no-any-return]


def web_large(host: str) -> bool:
    with requests.Session() as session:
        answers = [session.post(url(host, port), LARGE, timeout=10) for port in (8000, 8005)]
    return all(answer.content == LARGE for answer in answers)


def web_async(host: str) -> str:
    return requests.get(url(host, 8005), timeout=10).text


def lines(host: str, port: int) -> str:
    with socket.create_connection((host, port), timeout=10) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with made.makefile("rwb", buffering=0) as file:
            file.write(b"hello\n")
            answer = file.readline()
        made.shutdown(socket.SHUT_WR)
        return (answer + made.recv(100)).decode()


def datagram(host: str, port: int) -> str:
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, proto) as made:
        made.settimeout(10)
        made.sendto(b"hello", address)
        data, sender = made.recvfrom(100)
        assert sender[:2] == address[:2], (sender, address)
        return data.decode()


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def web_tls(host: str) -> bool:
    where = url(host, 8008, scheme="https")
    with urllib.request.urlopen(where, LARGE, timeout=10, context=tls()) as answer:
        return bool(answer.read() == LARGE)


class Once(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        transport.sendto(b"hello")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.answer.set_result(data)


async def together(host: str) -> str:
    async def stream(port: int, context: ssl.SSLContext | None) -> bytes:
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        writer.write(b"hello\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer

    async def endpoint() -> bytes:
        loop = asyncio.get_running_loop()
        transport, once = await loop.create_datagram_endpoint(Once, remote_addr=(host, 8004))
        try:
            return await once.answer
        finally:
            transport.close()

    async def refused() -> bytes:
        try:
            await asyncio.open_connection(host, 9)
        except OSError as error:
            # A host of two addresses is refused at both, and asyncio tells it of each.
            return b"refused" if "refused" in f"{error!r}" or "111" in f"{error}" else b"?"
        return b"connected"

    found = await asyncio.gather(stream(8003, None), stream(8009, tls()), endpoint(), refused())
    return b" ".join(found).decode()


CLIENTS: dict[str, Callable[[str], Any]] = {
    "urllib": web,
    "requests": web_large,
    "asgi": web_async,
    "threads": lambda host: lines(host, 8001) + datagram(host, 8002),
    "forks": lambda host: lines(host, 8006) + datagram(host, 8007),
    "tls": web_tls,
    "asyncio": lambda host: asyncio.run(asyncio.wait_for(together(host), 20)),
}

if __name__ == "__main__":
    for host in sys.argv[1:]:
        print(json.dumps({name: client(host) for name, client in CLIENTS.items()}), flush=True)
