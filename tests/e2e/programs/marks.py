"""Sockets with marks (SO_MARK): which way their packets, and the answers, take; printed as JSON.

The addresses and rules are those of ``test_marks.py``.
"""

import errno
import json
import select
import socket

PATIENCE_S = 0.15
FAR: dict[int, str] = {socket.AF_INET: "203.0.113.9", socket.AF_INET6: "2001:db8:113::9"}
NOBODY: dict[int, str] = {socket.AF_INET: "203.0.113.77", socket.AF_INET6: "2001:db8:113::77"}
OWN: dict[int, str] = {socket.AF_INET: "10.0.0.1", socket.AF_INET6: "2001:db8::1"}
OTHER: dict[int, str] = {socket.AF_INET: "10.2.0.1", socket.AF_INET6: "2001:db8:2::1"}


def name(error: int | None) -> str:
    return errno.errorcode[error] if error else ""


def marked(family: int, kind: int, mark: int) -> socket.socket:
    one = socket.socket(family, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    assert one.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) == mark
    one.setblocking(False)
    return one


def source(family: int, kind: int, mark: int) -> str:
    """Return from which address a socket would send, or why it would not."""
    with marked(family, kind, mark) as one:
        error = one.connect_ex((FAR[family], 9))
        return name(error) if error not in (0, errno.EINPROGRESS) else str(one.getsockname()[0])


def changed(family: int) -> list[str]:
    """Return what becomes of a connected socket's datagrams when its mark is another one."""
    said = []
    with marked(family, socket.SOCK_DGRAM, 0) as one:
        one.connect((FAR[family], 9))
        for mark in (0, 6, 0, 5):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            try:
                one.send(b"x")
            except OSError as error:
                said.append(name(error.errno))
            else:
                said.append("sent")
    return said


def accepted(family: int, mark: int, listening: int) -> str:
    """Return the mark of a connection that a marked SYN opened."""
    with marked(family, socket.SOCK_STREAM, listening) as server:
        server.bind((OTHER[family], 0))
        server.listen()
        with marked(family, socket.SOCK_STREAM, mark) as one:
            one.connect_ex(server.getsockname())
            if not select.select([server], [], [], PATIENCE_S)[0]:
                return "nothing"
            with server.accept()[0] as connection:
                return str(connection.getsockopt(socket.SOL_SOCKET, socket.SO_MARK))


def answered(family: int, kind: int, mark: int) -> str:
    """Return what a socket hears of a port that is closed."""
    with marked(family, kind, mark) as one:
        one.bind((OWN[family], 0))
        one.connect_ex((OTHER[family], 81))
        if kind == socket.SOCK_DGRAM:
            one.send(b"x")
        poll = select.poll()
        poll.register(one, select.POLLOUT if kind == socket.SOCK_STREAM else select.POLLIN)
        heard = poll.poll(PATIENCE_S * 1000)
        return name(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) if heard else "nothing"


def elsewhere(family: int, kind: int) -> list[str]:
    """Return what comes of a socket at an address that the host does not have."""
    said = []
    with marked(family, kind, 0) as one:
        for call in (one.bind, one.connect):
            try:
                call((NOBODY[family] if call == one.bind else FAR[family], 9))
            except OSError as error:
                said.append(name(error.errno))
            else:
                said.append("done")
        said.append(str(one.getsockname()[0]))
    return said


said: dict[str, object] = {}
for family in (socket.AF_INET, socket.AF_INET6):
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        for mark in (0, 5, 0x105, 6, 7):
            said[f"source {family:d} {kind:d} {mark}"] = source(family, kind, mark)
        for mark in (0, 8):
            said[f"answered {family:d} {kind:d} {mark}"] = answered(family, kind, mark)
        said[f"elsewhere {family:d} {kind:d}"] = elsewhere(family, kind)
    said[f"changed {family:d}"] = changed(family)
    for mark, listening in ((0, 0), (3, 0), (3, 9)):
        said[f"accepted {family:d} {mark} {listening}"] = accepted(family, mark, listening)
print(json.dumps(said))
