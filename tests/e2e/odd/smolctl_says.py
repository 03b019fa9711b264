"""The reaction of smolctl to odd frames and odd sends: its reason, errno and answers."""

import json
from collections.abc import Callable
from contextlib import suppress

from smolctl.client import Client
from smolctl.stack.reason import Kind
from tests.e2e.kit import Lab, connect, struck
from tests.e2e.odd.changes import Known, changes, neighbor, way
from tests.e2e.odd.frame_text import answer_text
from tests.e2e.odd.ipv6_frames import ALL_NODES, THEIRS, na
from tests.e2e.odd.odd import MACS, Arrival, Send, World
from tests.kit.process import wait_until

_OUTGOING = 4
"""Type of packets that the kernel sends by a device (PACKET_OUTGOING of linux/if_packet.h)."""
LATE_SECONDS = 4.0
"""Time for a late answer."""


class Smolctl:
    """A real daemon with the world's addresses; the kernel's ends of its links carry frames."""

    def __init__(self, lab: Lab, world: World) -> None:
        self._lab, self._world = lab, world
        lab.plug(*world.addresses["tap0"], theirs=())
        for key, value in world.smolctl_sysctls.items():
            lab.call("sysctl.set", key=key, value=str(value))
        for dev, addresses in world.addresses.items():
            if dev != lab.dev:
                words = ("link", "add", dev, "type", "tap", "address", MACS[dev])
                lab.smolctl(*words, check=True)
                for address in addresses:
                    lab.call("addr.add", local=address, dev=dev)
        self._know()
        for address, port in world.listening:
            where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            lab.smolctl.popen("-q", "udp", "recv", where.removeprefix(":"))
        wait_until(
            lambda: len(lab.call("socket.show")) == len(world.listening), "the sockets"
        )  # fmt: skip
        self._wires = {dev: lab.peer.wire(dev) for dev in world.addresses}
        for wire in self._wires.values():
            wire.setblocking(False)
        self._client: Client = connect(lab.smolctl)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _know(self) -> None:
        """Make neighbors and routes known, which a link that was down has forgotten."""
        for address, (mac, dev) in self._world.neighbors.items():
            self._lab.call("neigh.replace", dst=address, lladdr=mac, dev=dev)
        for route in self._world.routes:
            self._lab.smolctl("route", "replace", *route.split(), check=True)

    # --- frames -----------------------------------------------------------------------------------

    def receive(self, case: Arrival) -> tuple[str, str]:
        """Let frames come in; return the reasons, and the answers."""
        before, taken, knew = self._counted(), self._taken(), self._known()
        self._answers()
        for frame in case.frames:
            self._wires["tap0"].send(frame)
        wait_until(lambda: self._taken() >= taken + len(case.frames), "the frames")
        answers = self._late_answers(case.late) if case.late else self._answers()
        after = self._counted()
        reasons = [name for name, n in after.items() if n > before.get(name, 0)]
        knows = self._known()
        learned = changes(knew, knows)
        if knows.neighbors.keys() - self._world.neighbors.keys():
            self._lab.smolctl(self._world.option, "neigh", "flush", "all", check=True)
        return ", ".join(reasons), ", ".join([*answers, *learned])

    def _late_answers(self, kind: str) -> list[str]:
        found: list[str] = []

        def came() -> bool:
            found.extend(self._answers(kind == "report"))
            return not all(text.startswith("asks") for text in found)

        with suppress(AssertionError):
            wait_until(came, "an answer", LATE_SECONDS)
        return list(dict.fromkeys(found))

    def _answers(self, reports: bool = False) -> list[str]:
        # The daemon hands frames to the device before it answers the request that came after them.
        found = []
        for wire in self._wires.values():
            with suppress(BlockingIOError):
                while True:
                    frame, address = wire.recvfrom(65536)
                    if address[2] != _OUTGOING:
                        found.append(answer_text(frame, reports))
        return [text for text in found if text]

    def _taken(self) -> int:
        (row,) = self._client.call("link.show", dev="tap0", stats=True)
        return int(row["stats64"]["rx"]["packets"])

    def _counted(self) -> dict[str, int]:
        return struck(self._client, Kind.DROP, Kind.REJECT)

    def _known(self) -> Known:
        """Return what smolctl has learned of neighbors and of ways."""
        rows = self._client.call("neigh.show")
        ways = {dst: way(self._client.call("route.get", dst=dst)[0]) for dst in self._world.watched}
        return Known({row["dst"]: neighbor(row) for row in rows}, ways)

    # --- commands ---------------------------------------------------------------------------------

    def do(self, line: str) -> None:
        """Carry out a command of a case."""
        verb, _, rest = line.partition(" ")
        if verb in _COMMANDS:
            _COMMANDS[verb](self, rest)
        else:
            self._lab.smolctl(*line.split(), check=True)
        if line.endswith((" up", "carrier on")):
            self._know()

    def _carrier(self, state: str) -> None:
        up = state == "on"
        self._lab.peer.ip("link", "set", "tap0", "up" if up else "down")
        wait_until(
            lambda: self._lab.call("link.show", dev="tap0")[0]["operstate"] == ("DOWN", "UP")[up],
            f"carrier {state}",
        )

    def _forward(self, state: str) -> None:
        self._lab.call("sysctl.set", key="ip6.forward", value=str(int(state == "on")))

    def _fragments(self, seconds: str) -> None:
        self._lab.call("sysctl.set", key="ip6.frag_time_ms", value=f"{seconds}000")

    def _forget(self, _: str) -> None:
        self._lab.smolctl(self._world.option, "route", "flush", "cache", check=True)

    def _tentative(self, address: str) -> None:
        """Add an address whose test takes longer than any test here."""
        self._lab.call("sysctl.set", key="nd.dad_transmits", value="100")
        self._lab.call("addr.add", local=f"{address}/64", dev="tap0")

    def _untested(self, address: str) -> None:
        """Delete a tentative address; further ones are usable at once."""
        self._lab.call("addr.del", local=f"{address}/64", dev="tap0")
        self._lab.call("sysctl.set", key="nd.dad_transmits", value="0")

    def _failed(self, address: str) -> None:
        """Add an address that another host defends."""
        self._tentative(address)
        self._wires["tap0"].send(na(address, 0x20, src=THEIRS, dst=ALL_NODES))
        show = {"dev": "tap0", "dadfailed": True}
        wait_until(lambda: self._client.call("addr.show", **show), f"the failure of {address}")

    # --- sends ------------------------------------------------------------------------------------

    def send(self, case: Send) -> tuple[str, str]:
        """Send a datagram; return the reason and the errno, or what it was sent from."""
        words = ["-j", "udp", "send", "--size", str(case.size), "-w", "5" if case.late else "0"]
        words += ["-s", case.source] if case.source else []
        words += ["--dev", case.dev] if case.dev else []
        words += ["--df"] if case.df else []
        host = f"[{case.dst}]" if ":" in case.dst else case.dst
        result = self._lab.smolctl(*words, f"{host}:{case.port}")
        rows = [json.loads(line) for line in (result.stdout + result.stderr).splitlines()]
        for row in rows:
            if "error" in row:
                error = row["error"]
                return f"({error['code']})", error.get("errno", "")
            if row["event"] == "failed":
                return row["reason"], row.get("errno", "")
        return f"sent from {rows[0]['src']}", ""


_COMMANDS: dict[str, Callable[[Smolctl, str], None]] = {
    "carrier": Smolctl._carrier,
    "forget": Smolctl._forget,
    "failed": Smolctl._failed,
    "forward": Smolctl._forward,
    "fragments": Smolctl._fragments,
    "tentative": Smolctl._tentative,
    "untested": Smolctl._untested,
}
"""Commands of cases that are no words of ``smolctl``."""
