"""The network of five hosts in the kernel: namespaces, veth pairs and a bridge as the hub."""

import errno
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from smolctl.host.namespace import inside
from tests.e2e.kit import Peer
from tests.kit.netns import Namespace
from tests.path import network
from tests.path.network import DEVS, MACS, TCP_PORT, UDP_PORT, WIRES

WAIT_S = 0.35
"""Time for which an answer is waited for: a neighbor is given up sooner, see ``_SYSCTLS``."""
_SYSCTLS = {
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/ping_group_range": "0 0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv6/icmp/ratelimit": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
}
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_ORIGIN_LOCAL, _REDIRECT = 1, 5


class Observed(NamedTuple):
    """The end of a question at the host that asked.

    Attributes:
        what: "answer", "error" (ICMP), "refused" (by the own host, or RST), or "nothing".
        src: who sent the ICMP error; type, code: of it.
        errno: name of the error that the own host gave.
    """

    what: str
    src: str = ""
    type: int = -1
    code: int = -1
    errno: str = ""


def _flush() -> None:
    """Forget what routers said: redirects and path MTUs."""
    for family in ("ipv4", "ipv6"):
        Path("/proc/sys/net", family, "route/flush").write_text("1")


class Kernel:
    """The network in namespaces.

    Args:
        make: makes a namespace, which is removed by who gave it.
    """

    def __init__(self, make: Callable[[], Namespace]) -> None:
        self.hub = Peer(make())
        self.peers = {name: Peer(make()) for name in DEVS}
        for name in self.peers:
            self.sysctl(name, _SYSCTLS)
        self._wire()
        for name, peer in self.peers.items():
            self.sysctl(
                name,
                {
                    f"net/{family}/neigh/{dev}/{key}": value
                    for family in ("ipv4", "ipv6")
                    for dev in DEVS[name]
                    for key, value in (("retrans_time_ms", "30"), ("proxy_delay", "0"))
                },
            )
            peer.batch(*self._links(name), *network.words(name))
        for name in ("r1", "r2"):
            self.sysctl(name, {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"})
        self._touched: dict[tuple[str, str], str] = {}
        self._programs = Programs([self.peers["b"], self.peers["c"]])

    def close(self) -> None:
        """Stop the programs, and close the sockets."""
        self._programs.close()
        for peer in self.peers.values():
            peer.close()

    def _wire(self) -> None:
        lines, plug = ["link add hub0 type bridge mcast_snooping 0", "link set hub0 up"], []
        for ends in WIRES.values():
            places = [(end.split(":")[0], end.split(":")[1], MACS[end]) for end in ends]
            if len(places) == 2:
                (one, dev, mac), (other, dev2, mac2) = places
                plug.append(
                    f"link add {dev} address {mac} netns {self._name(one)} type veth"
                    f" peer name {dev2} address {mac2} netns {self._name(other)}"
                )
                continue
            for name, dev, mac in places:
                plug.append(
                    f"link add {dev} address {mac} netns {self._name(name)} type veth"
                    f" peer name p-{name} netns {self.hub.namespace.name}"
                )
                lines += [f"link set p-{name} master hub0", f"link set p-{name} up"]
        self.hub.batch(*plug)
        self.hub.batch(*lines)

    def _name(self, node: str) -> str:
        return self.peers[node].namespace.name

    def _links(self, node: str) -> list[str]:
        return [f"link set {dev} up" for dev in DEVS[node]]

    # --- changes ----------------------------------------------------------------------------------

    def sysctl(self, node: str, values: dict[str, str]) -> dict[str, str]:
        """Set sysctls of a node; return what they were."""
        before = {}

        def work() -> None:
            for key, value in values.items():
                path = Path("/proc/sys", key)
                before[key] = path.read_text().strip()
                path.write_text(value)

        inside(self._name(node), work)
        return before

    def change(self, node: str, text: str) -> None:
        """Run a command on a node."""
        verb, _, rest = text.partition(" ")
        if verb == "sysctl":
            key, _, value = rest.partition("=")
            path = key.replace(".", "/")
            before = self.sysctl(node, {path: value})
            self._touched.setdefault((node, path), before[path])
            return
        self.peers[node].ip(*text.split())

    def reset(self, nodes: Iterable[str], proxies: Iterable[tuple[str, str]] = ()) -> None:
        """Bring nodes back to where they began."""
        for (node, path), value in self._touched.items():
            self.sysctl(node, {path: value})
        self._touched.clear()
        for node, text in proxies:
            self.peers[node].ip(*text.split())
        for node in dict.fromkeys(nodes):
            self.peers[node].ip("-6", "route", "flush", "proto", "boot")
            self.peers[node].batch(
                *(f"neigh flush dev {dev} nud permanent" for dev in DEVS[node]),
                *(f"addr flush dev {dev} scope global" for dev in DEVS[node]),
                *(f"link set {dev} up mtu 1500" for dev in DEVS[node]),
                "route flush proto boot",
                *network.words(node),
            )

    def forget(self) -> None:
        """Have all nodes forget what they learned."""
        for peer in self.peers.values():
            peer.namespace.within(_flush)
            peer.ip("neigh", "flush", "all")

    # --- questions --------------------------------------------------------------------------------

    def ask(
        self, node: str, proto: str, dst: str, port: int = 0, size: int = 0, ttl: int = 0
    ) -> Observed:
        """Really send a packet from a node, and wait for what comes back."""
        six = ":" in dst
        family = socket.AF_INET6 if six else socket.AF_INET
        peer = self.peers[node]
        if proto == "tcp":
            return _connect(peer.open(family, socket.SOCK_STREAM), dst, port)
        protocol = 0
        data = bytes(size)
        if proto == "icmp":
            protocol = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
            data = bytes([128 if six else 8, 0, 0, 0, 0, 1, 0, 1]) + data
        sock = peer.open(family, socket.SOCK_DGRAM, protocol)
        level, option = _RECVERR[family]
        sock.setsockopt(level, option, 1)
        if ttl:
            sock.setsockopt(level, socket.IPV6_UNICAST_HOPS if six else socket.IP_TTL, ttl)
        try:
            sock.sendto(data, (dst, port))
        except OSError as error:
            return Observed("refused", errno=errno.errorcode[error.errno or 0])
        found = _hear(sock)
        sock.close()
        return found


def _hear(sock: socket.socket) -> Observed:
    """Wait for an answer, or an error."""
    sock.setblocking(False)
    until = time.monotonic() + WAIT_S
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0:
            if not selector.select(left):
                break
            with suppress(BlockingIOError):
                return _error(sock)
            with suppress(OSError):
                sock.recv(65536)
                return Observed("answer")
    return Observed("nothing")


def _error(sock: socket.socket) -> Observed:
    """Return what the error queue of a socket says.

    Raises:
        BlockingIOError: nothing.
    """
    _, ancillary, _, _ = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
    for level, _, data in ancillary:
        if level not in (socket.IPPROTO_IP, socket.IPPROTO_IPV6) or len(data) < 16:
            continue
        number, origin, kind, code = struct.unpack_from("=IBBB", data)
        if origin == _ORIGIN_LOCAL:
            return Observed("refused", errno=errno.errorcode[number])
        if (level, kind) == (socket.IPPROTO_IP, _REDIRECT):
            continue
        family = struct.unpack_from("=H", data, 16)[0]
        packed = data[20:24] if family == socket.AF_INET else data[24:40]
        return Observed("error", socket.inet_ntop(family, packed), kind, code)
    raise BlockingIOError


def _connect(sock: socket.socket, dst: str, port: int) -> Observed:
    """Open a connection."""
    level, option = _RECVERR[sock.family]
    sock.setsockopt(level, option, 1)
    sock.settimeout(WAIT_S)
    with sock:
        try:
            sock.connect((dst, port))
        except TimeoutError:
            return Observed("nothing")
        except OSError as error:
            return Observed("refused", errno=errno.errorcode[error.errno or 0])
    return Observed("answer")


class Programs:
    """Programs on hosts: UDP is sent back, and connections are taken; one thread for all."""

    def __init__(self, peers: Iterable[Peer]) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake, wakes = socket.socketpair()
        self._selector.register(wakes, selectors.EVENT_READ)
        self._sockets = [self._wake, wakes]
        for peer in peers:
            for kind, port in ((socket.SOCK_DGRAM, UDP_PORT), (socket.SOCK_STREAM, TCP_PORT)):
                sock = peer.open(socket.AF_INET6, kind)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                sock.bind(("::", port))
                if kind == socket.SOCK_STREAM:
                    sock.listen()
                sock.setblocking(False)
                self._selector.register(sock, selectors.EVENT_READ, kind)
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if key.data is None:
                    return
                with suppress(OSError):
                    if key.data == socket.SOCK_STREAM:
                        sock.accept()[0].close()
                    else:
                        data, peer = sock.recvfrom(65536)
                        sock.sendto(data, peer)

    def close(self) -> None:
        """End the thread."""
        self._wake.send(b"x")
        self._thread.join()
        self._selector.close()
        for each in self._sockets:
            each.close()
