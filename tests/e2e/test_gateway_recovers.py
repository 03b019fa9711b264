"""A gateway that was dead and is heard again gets its flows back, as of Linux.

Both send datagrams of one unconnected socket through the same two gateways, each of which is a
kernel of its own. Nothing asks a gateway that failed as long as another one serves (RFC 1122
3.3.1.4); as soon as it is heard, here by a question of its own, its flows go by it again.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from unittest import mock

import pytest

from smolctl.client import DatagramSocket
from tests.e2e.kit import Lab, Peer
from tests.kit.process import wait_until

pytestmark = pytest.mark.netns("ping")
FIRST, SECOND, OURS, THEIRS = "10.0.0.2", "10.0.0.3", "10.0.0.1", "10.0.0.4"
FAR = [f"192.168.0.{last}" for last in range(1, 17)]
Send = Callable[[str], None]


class Gateways:
    """A bridge in the lab's namespace: the kernel on it, smolctl's TAP, and two gateways."""

    def __init__(self, lab: Lab, make: Callable[[], Peer]) -> None:
        lab.plug(f"{OURS}/24", theirs=())
        self.lab, self.peers = lab, (make(), make())
        lab.peer.batch(
            "link add br0 type bridge",
            "link set br0 up",
            "link set tap0 master br0 up",
            f"addr add {THEIRS}/24 dev br0",
            *(
                f"link add v{number} type veth peer name e0 netns {gateway.namespace.name}"
                for number, gateway in enumerate(self.peers)
            ),
            *(f"link set v{number} master br0 up" for number in range(2)),
        )
        self.wires = []
        for gateway, address in zip(self.peers, (FIRST, SECOND), strict=True):
            gateway.batch(f"addr add {address}/24 dev e0", "link set e0 up")
            self.wires.append(gateway.wire("e0"))
        sysctls = {"retrans_time_ms": 100, "base_reachable_time_ms": 600_000}
        lab.peer.sysctl({f"net.ipv4.neigh.br0.{key}": value for key, value in sysctls.items()})
        lab.peer.sysctl({"net.ipv4.fib_multipath_use_neigh": 1})
        lab.sysctl(**{f"neigh__{key}": value for key, value in sysctls.items()})

    def first(self, state: str) -> None:
        """Make the first gateway silent, "del", or let it answer again, "add"."""
        self.peers[0].ip("addr", state, f"{FIRST}/24", "dev", "e0")

    def failed(self) -> tuple[bool, bool]:
        """Tell whether the first gateway failed for the kernel and for smolctl."""
        theirs = self.lab.peer.rows("neigh", "show", "dev", "br0")
        kernel = any(row["dst"] == FIRST and "FAILED" in row["state"] for row in theirs)
        return kernel, self.lab.neighbors().get(FIRST, ("", ""))[1] == "FAILED"

    def used(self, send: Send, src: str) -> list[int]:
        """Send to each destination twice; return by which gateway each of them went."""
        seen: dict[str, set[int]] = {}
        for wire in self.wires:
            wire.setblocking(False)
            while self._frame(wire) is not None:
                pass
        for _ in range(2):
            for dst in FAR:
                send(dst)

        def all_came() -> bool:
            for number, wire in enumerate(self.wires):
                while (frame := self._frame(wire)) is not None:
                    if frame[12:14] == b"\x08\0" and frame[26:30] == socket.inet_aton(src):
                        seen.setdefault(socket.inet_ntoa(frame[30:34]), set()).add(number)
            return len(seen) == len(FAR)

        wait_until(all_came, lambda: f"a datagram to each, there are: {seen}")
        result = [seen[dst] for dst in FAR]
        assert all(len(gateways) == 1 for gateways in result)
        return [gateway for gateways in result for gateway in gateways]

    @staticmethod
    def _frame(wire: socket.socket) -> bytes | None:
        try:
            return wire.recv(65535)
        except BlockingIOError:
            return None


@pytest.fixture
def gateways(lab: Lab, peer_factory: Callable[[], Peer]) -> Gateways:
    return Gateways(lab, peer_factory)


@pytest.fixture
def senders(gateways: Gateways) -> Iterator[dict[str, Send]]:
    """Return how the kernel and smolctl send, by their source addresses."""
    lab = gateways.lab
    kernel = lab.peer.udp()
    environ = {"XDG_RUNTIME_DIR": str(lab.smolctl.directory)}
    with ExitStack() as stack, mock.patch.dict("os.environ", environ):
        ours = stack.enter_context(DatagramSocket("default", start=False))
        yield {
            THEIRS: lambda dst: void(kernel.sendto(b"x", (dst, 9))),
            OURS: lambda dst: void(ours.sendto(b"x", (dst, 9))),
        }


def void(_: object) -> None:
    """Take no notice of a result."""


@pytest.mark.parametrize("kind", ["nexthop", "append"])
def test_flows_are_back_when_their_gateway_is_heard(
    gateways: Gateways, senders: dict[str, Send], kind: str
) -> None:
    lab = gateways.lab
    commands = [f"route append default via {gateway}" for gateway in (FIRST, SECOND)]
    if kind == "nexthop":
        commands = [f"route add 192.168.0.0/16 nexthop via {FIRST} nexthop via {SECOND}"]
    for command in commands:
        lab.peer.ip(*command.split())
        lab.smolctl(*command.split(), check=True)
    before = {src: gateways.used(send, src) for src, send in senders.items()}
    assert all(set(used) == ({0, 1} if kind == "nexthop" else {0}) for used in before.values())

    gateways.first("del")
    lab.peer.ip("neigh", "flush", "to", FIRST)
    lab.call("neigh.flush", to=FIRST)

    def both_failed() -> bool:
        for send in senders.values():
            for dst in FAR:
                send(dst)
        return gateways.failed() == (True, True)

    wait_until(both_failed, "the first gateway to fail for both")
    away = {src: gateways.used(send, src) for src, send in senders.items()}
    assert {number for used in away.values() for number in used} == {1}

    gateways.first("add")
    assert gateways.failed() == (True, True)  # nobody asks it
    for address in (OURS, THEIRS):
        gateways.peers[0].namespace.run("ping", "-c", "1", "-W", "2", address, check=True)
    after = {src: gateways.used(send, src) for src, send in senders.items()}
    if kind == "append":
        # Deviation: Linux takes both by turns until it has proof of the first (fib_detect_death).
        assert 0 in after.pop(THEIRS)
        del before[THEIRS]
    assert after == before
