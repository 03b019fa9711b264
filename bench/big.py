"""A large stack, and a command line for each command of the command tree to run on it."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from smolctl.client import Client
from smolctl.control import messages

_TOGETHER = 64
_JOBS = 60
"""Sockets that one connection holds."""

COMMANDS = """
stack status
stack list
stack log
stack snapshot
map
stack start
link show
link set c0 mtu 1400
link add lo7 type loopback
link del lo7
addr show
addr add 10.9.0.1/24 dev c0
addr replace 10.9.0.1/24 dev c0
addr change 10.9.0.1/24 dev c0
addr del 10.9.0.1/24 dev c0
route show
-j route show
route show root 20.0.0.0/16
route get 20.0.0.1
route add 99.0.0.0/24 via 10.0.0.2
route append 99.0.0.0/24 via 10.0.0.3
route replace 99.0.0.0/24 via 10.0.0.4
route change 99.0.0.0/24 via 10.0.0.4
route del 99.0.0.0/24
rule show
rule add to 1.2.3.0/24 lookup main priority 77
rule del priority 77
addrlabel show
addrlabel add prefix 2001:db8::/32 label 99
addrlabel del prefix 2001:db8::/32
neigh show
neigh get 10.0.9.9 dev c0
neigh add 10.0.250.250 lladdr 02:00:00:00:00:05 dev c0
neigh replace 10.0.250.250 lladdr 02:00:00:00:00:05 dev c0
neigh change 10.0.250.250 lladdr 02:00:00:00:00:06 dev c0
neigh del 10.0.250.250 dev c0
maddr add 239.1.1.1 dev c0
maddr show
maddr del 239.1.1.1 dev c0
sysctl
sysctl neigh.unres_qlen=12
socket show
stats show
stats drops
explain --list
help route
doctor python
why udp 20.0.0.1:9
why icmp 127.0.0.1
why arp 10.0.9.9
why show 1
why last
why list
udp send 127.0.0.1:10000 x
udp recv 9 -w 0.05
udp echo 9 -w 0.05
ping -c 1 -w 1 127.0.0.1
traceroute 127.0.0.1
arping -c 1 -w 0.05 10.0.9.9
ndisc -c 1 -w 0.05 -I c0 fe80::99
monitor -c 1 -w 0.05
trace -c 1 --wait 0.05
capture -c 1 --wait 0.05
config save
config diff /dev/null
batch --atomic /dev/null
batch --atomic many.conf
batch /dev/null
rule flush priority 77
addrlabel flush
route flush root 20.1.0.0/16
link set c0 down
link set c0 up
neigh flush dev c0
addr flush dev c0
link del c0
stack stop
""".strip().splitlines()
"""In this order: what takes much away comes last. ``words`` makes arguments of one."""
MANY = "many.conf"
"""A file of ``BATCH`` changes."""
BATCH = 20_000


def write_many(directory: Path, count: int = BATCH) -> None:
    """Write the file ``MANY``."""
    lines = (f"route add 60.{n >> 8}.{n & 255}.0/24 via 10.0.0.2\n" for n in range(count))
    (directory / MANY).write_text("".join(lines))


def words(command: str, directory: Path) -> list[str]:
    """Return the arguments of one of ``COMMANDS``; ``directory`` has the file ``MANY``."""
    return [str(directory / word) if word == MANY else word for word in command.split()]


class Big:
    """A stack with many routes, neighbors and sockets; its link ``c0`` is a cable without a peer.

    Args:
        client: of the stack, which is empty.
        path: of its control socket.
        routes, neighbors, sockets: how many.
    """

    def __init__(
        self, client: Client, path: Path, routes: int, neighbors: int, sockets: int
    ) -> None:
        self._connections: list[socket.socket] = []
        _make(client, _links(neighbors))
        _make(client, _routes(routes))
        _make(client, _neighbors(neighbors))
        for first in range(0, sockets, _JOBS):
            connection = socket.socket(socket.AF_UNIX)
            self._connections.append(connection)
            connection.connect(str(path))
            connection.sendall(messages.hello("bench"))
            for number in range(first, min(first + _JOBS, sockets)):
                request = messages.request(number, "udp.recv", {"port": str(10_000 + number)})
                connection.sendall(request)
        while len(client.call("socket.show")) < sockets:
            pass

    def close(self) -> None:
        """Let the sockets go."""
        for connection in self._connections:
            with suppress(OSError):
                connection.close()


Change = list[object]


def _make(client: Client, commands: Iterator[Change]) -> None:
    waiting: list[Change] = []
    for command in commands:
        waiting.append(command)
        if len(waiting) == _TOGETHER:
            client.call("batch.run", commands=waiting)
            waiting = []
    rows = client.call("batch.run", commands=waiting) if waiting else []
    if any("error" in row for row in rows):
        raise RuntimeError(f"the large stack cannot be made: {rows}")


def _links(neighbors: int) -> Iterator[Change]:
    count = str(2 * neighbors + 1024)
    yield ["sysctl.set", {"key": "iface.neighbor_cache_count", "value": count}]
    yield ["link.add", {"name": "c0", "type": "cable", "cable": "big"}]
    yield ["addr.add", {"local": "10.0.0.1/16", "dev": "c0"}]


def _routes(count: int) -> Iterator[Change]:
    for number in range(count):
        dst = f"{20 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.0/24"
        yield ["route.add", {"dst": dst, "via": "10.0.0.2"}]


def _neighbors(count: int) -> Iterator[Change]:
    for number in range(1000, 1000 + count):
        dst = f"10.0.{number >> 8}.{number & 255}"
        yield ["neigh.add", {"dst": dst, "lladdr": "02:00:00:00:00:02", "dev": "c0"}]
