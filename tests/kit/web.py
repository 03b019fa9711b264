"""A web server on a stack: ``python -m tests.kit.web STACK PORT...``; it answers with ``{}``."""

import select
import socket
import sys

from smolctl.client import StreamSocket

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{}\n"


def serve(stack: str, *ports: str) -> None:
    """Listen at ports, for both families, and answer until somebody ends this."""
    poll, listeners = select.poll(), {}
    for port in map(int, ports):
        listener = StreamSocket(stack, start=False, family=socket.AF_INET6)
        listener.bind(("::", port))
        listener.listen()
        listeners[listener.fileno()] = listener
        poll.register(listener, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            one, _ = listeners[fd].accept()
            with one:
                one.recv(4096)
                one.sendall(ANSWER)


if __name__ == "__main__":
    serve(*sys.argv[1:])
