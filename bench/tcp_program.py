"""Programs with TCP sockets, the kernel's or a stack's.

Run as ``python -m bench.tcp_program STACK ROLE ADDRESS PORT [MS] [CPU]``: STACK is the name of a
stack, or "kernel"; CPU may be "-". Servers, which say "ready" and serve for ever:

- ``sink`` takes what comes, and tells its sender how many bytes these were;
- ``source`` sends for so many milliseconds by each connection;
- ``answer`` sends back what comes by one connection after another;
- ``echo`` the same for many at a time.

``send`` and ``receive`` talk to a sink or a source once, and report as one JSON object.
"""

import json
import os
import select
import socket
import struct
import sys
from time import perf_counter, process_time

from smolctl.client import StreamSocket

CHUNK = 1 << 16
COUNT = struct.Struct("!Q")
"""A sink's answer."""
_DROP_RANDOM = (
    (0x20, 0, 0, 0xFFFFF038),  # ld rand
    (0x35, 0, 1, 0),  # jge #threshold, keep, drop
    (0x06, 0, 0, 0xFFFFFFFF),  # ret #-1
    (0x06, 0, 0, 0),  # ret #0
)
"""A filter of classic BPF that drops some of what a socket would get (SKF_AD_RANDOM)."""
_SO_ATTACH_FILTER = 26


def open_socket(stack: str) -> socket.socket:
    """Return a socket of a stack, or of the kernel with CUBIC."""
    if stack != "kernel":
        return StreamSocket(stack, start=False)
    made = socket.socket()
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    return made


def lose(sink: socket.socket, share: float) -> None:
    """Have the kernel drop a share of what comes for a socket, and for those that it accepts."""
    import ctypes

    code = b"".join(
        struct.pack("HBBI", op, yes, no, int(share * 2**32) if op == 0x35 else value)
        for op, yes, no, value in _DROP_RANDOM
    )
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(_DROP_RANDOM), ctypes.addressof(buffer))
    sink.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def main(stack: str, role: str, address: str, port: int, ms: int, cpu: str, loss: float) -> None:
    """Play one role."""
    if cpu != "-":
        os.sched_setaffinity(0, {int(cpu)})
    with open_socket(stack) as one:
        if role in ("send", "receive"):
            one.connect((address, port))
            begin, cpu_s = perf_counter(), process_time()
            size = _send(one, ms) if role == "send" else _receive(one)
            cpu_s = process_time() - cpu_s
            seconds = perf_counter() - begin
            print(json.dumps({"bytes": size, "seconds": seconds, "cpu_seconds": cpu_s}))
            return
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        if loss:
            lose(one, loss)
        one.listen(128)
        print("ready", flush=True)
        if role == "echo":
            _echo(one)
        while True:
            child, _ = one.accept()
            with child:
                _serve(child, role, ms)


def _serve(child: socket.socket, role: str, ms: int) -> None:
    if role == "sink":
        child.sendall(COUNT.pack(_receive(child)))
        return
    if role == "source":
        _pour(child, ms)
        return
    child.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := child.recv(CHUNK):
        child.sendall(data)


def _pour(one: socket.socket, ms: int) -> int:
    chunk, end, size = bytes(CHUNK), perf_counter() + ms / 1000, 0
    while perf_counter() < end:
        size += one.send(chunk)
    one.shutdown(socket.SHUT_WR)
    return size


def _send(one: socket.socket, ms: int) -> int:
    """Send for so long; return how many bytes arrived."""
    sent, told = _pour(one, ms), b""
    while len(told) < COUNT.size:
        told += one.recv(COUNT.size - len(told)) or b"\xff"
    (got,) = COUNT.unpack(told)
    if got != sent:
        raise RuntimeError(f"{sent} bytes were sent, and {got} arrived")
    return sent


def _receive(one: socket.socket) -> int:
    """Return how many bytes come before the end."""
    size = 0
    while data := one.recv(CHUNK):
        size += len(data)
    return size


def _echo(listener: socket.socket) -> None:
    """Send back what comes by each of many connections."""
    epoll, known = select.epoll(), dict[int, socket.socket]()
    listener.setblocking(False)
    epoll.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in epoll.poll():
            one = known.get(fd)
            if one is None:
                child, _ = listener.accept()
                child.setblocking(False)
                child.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                known[child.fileno()] = child
                epoll.register(child, select.EPOLLIN)
            elif data := one.recv(CHUNK):
                one.send(data)
            else:
                del known[fd]
                one.close()


if __name__ == "__main__":
    _, stack_, role_, address_, port_, *more = sys.argv
    ms_, cpu_, loss_ = (*more, *("0", "-", "0")[len(more) :])
    main(stack_, role_, address_, int(port_), int(ms_), cpu_, float(loss_))
