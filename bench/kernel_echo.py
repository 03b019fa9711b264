"""The anchor: UDP echo in Python on a kernel socket. Run as ``python -m bench.kernel_echo``."""

import os
import socket
import sys


def main(address: str, port: int, cpu: int | None) -> None:
    """Send every datagram back to where it came from, for ever."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind((address, port))
        print("ready", flush=True)
        receive, send = server.recvfrom, server.sendto
        while True:
            data, peer = receive(2048)
            send(data, peer)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
