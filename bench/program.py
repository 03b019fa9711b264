"""An echo as programs write it: ``python -m bench.program HOW ADDRESS PORT STACK [CPU]``.

HOW is "kernel" (a socket of the kernel's), "one" (a socket of the stack, one call a datagram) or
"many" (the same, ``recv_many`` and ``send_many``).
"""

import os
import socket
import sys

from smolctl.client import DatagramSocket


def main(how: str, address: str, port: int, stack: str, cpu: int | None) -> None:
    """Send every datagram back to where it came from, for ever."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if how == "kernel":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((address, port))
            _one(server)
    else:
        with DatagramSocket(stack, start=False) as made:
            made.bind((address, port))
            _many(made) if how == "many" else _one(made)


def _one(server: socket.socket | DatagramSocket) -> None:
    print("ready", flush=True)
    receive, send = server.recvfrom, server.sendto
    while True:
        data, peer = receive(2048)
        send(data, peer)


def _many(server: DatagramSocket) -> None:
    print("ready", flush=True)
    while True:
        datagrams = server.recv_many(64)
        # All of them are from one peer here.
        server.send_many([data for data, _ in datagrams], datagrams[0][1])


if __name__ == "__main__":
    _, how, address, port, stack, *cpu = sys.argv
    main(how, address, int(port), stack, int(cpu[0]) if cpu else None)
