"""The reaction of smolctl to odd frames and odd sends: its reason, errno and answers."""

import json
from contextlib import suppress

from smolctl.client import Client
from tests.e2e.kit import Lab, connect
from tests.e2e.odd.linux_says import answer_text
from tests.e2e.odd.odd import ELSEWHERE, LISTENING, STATIC, THEIRS, Send
from tests.kit.process import wait_until

_OUTGOING = 4
"""What the kernel sends by a device, to a packet socket (PACKET_OUTGOING of linux/if_packet.h)."""


class Smolctl:
    """A real daemon with 10.0.0.1/24 on tap0; the kernel's end of it only carries frames."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        lab.plug(theirs=())
        lab.sysctl(icmp__ratelimit_ms=0, neigh__retrans_time_ms=100)
        self._know_neighbors()
        for where in (str(LISTENING), f"127.0.0.1:{ELSEWHERE}"):
            lab.smolctl.popen("-q", "udp", "recv", where)
        wait_until(lambda: len(lab.call("socket.show")) == 2, "two sockets")
        self._wire = lab.peer.wire(lab.dev)
        self._wire.setblocking(False)
        self._client: Client = connect(lab.smolctl)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _know_neighbors(self) -> None:
        for address, mac in ((THEIRS, "02:00:00:00:00:02"), (STATIC, "02:00:00:00:00:09")):
            self._lab.call("neigh.replace", dst=address, lladdr=mac, dev="tap0")

    def receive(self, frame: bytes) -> tuple[str, str]:
        """Let a frame come in; return the reason, and the answer."""
        before, taken = self._counted(), self._taken()
        self._wire.send(frame)
        wait_until(lambda: self._taken() > taken, "the frame")
        after = self._counted()
        reasons = [name for name, n in after.items() if n > before.get(name, 0)]
        return ", ".join(reasons), ", ".join(self._answers())

    def _answers(self) -> list[str]:
        # The daemon hands frames to the device before it answers the request that came after them.
        found = []
        with suppress(BlockingIOError):
            while True:
                frame, address = self._wire.recvfrom(65536)
                if address[2] != _OUTGOING:
                    found.append(answer_text(frame))
        return [text for text in found if text]

    def _taken(self) -> int:
        (row,) = self._client.call("link.show", dev="tap0", stats=True)
        return int(row["stats64"]["rx"]["packets"])

    def _counted(self) -> dict[str, int]:
        rows = self._client.call("stats.drops")
        return {row["reason"]: row["count"] for row in rows if row["class"] in ("drop", "reject")}

    # --- sends ------------------------------------------------------------------------------------

    def do(self, line: str) -> None:
        """Carry out a command of a case."""
        if line.startswith("carrier "):
            up = line == "carrier on"
            self._lab.peer.ip("link", "set", "tap0", "up" if up else "down")
            show = ("link.show",)
            wait_until(
                lambda: self._lab.call(*show, dev="tap0")[0]["operstate"] == ("UP", "DOWN")[not up],
                line,
            )
        else:
            self._lab.smolctl(*line.split(), check=True)
        if line in ("carrier on", "link set tap0 up"):
            self._know_neighbors()

    def send(self, case: Send) -> tuple[str, str]:
        """Send a datagram; return the reason and the errno, "sent" and "" when it was sent."""
        words = ["-j", "udp", "send", "--size", str(case.size), "-w", "5" if case.late else "0"]
        words += ["-s", case.source] if case.source else []
        words += ["--dev", case.dev] if case.dev else []
        words += ["--df"] if case.df else []
        result = self._lab.smolctl(*words, f"{case.dst}:{case.port}")
        rows = [json.loads(line) for line in (result.stdout + result.stderr).splitlines()]
        for row in rows:
            if "error" in row:
                error = row["error"]
                return f"({error['code']})", error.get("errno", "")
            if row["event"] == "failed":
                return row["reason"], row.get("errno", "")
        return "sent", ""
