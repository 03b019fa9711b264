"""Several stacks of one user, side by side: one command, told apart by their names."""

import json
import os
import signal
from typing import Any

from smolctl.client import Client
from tests.e2e.kit import Row, connect, struck, wait_for_end
from tests.kit.process import Background, wait_until
from tests.kit.stack_env import SmolctlEnv


class Stack:
    """One of several stacks, with the address 10.0.0.NUMBER/24 on its link eth0.

    Attributes:
        address: of eth0.
    """

    def __init__(self, env: SmolctlEnv, name: str, number: int) -> None:
        self.env = env
        self.name = name
        self.address = f"10.0.0.{number}"
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The connection."""
        assert self._client is not None, f"{self.name} was not started"
        return self._client

    def start(self, *link: str) -> "Stack":
        """Start it with a link: the words after ``link add eth0 type``."""
        self("link", "add", "eth0", "type", *link, check=True)
        self._client = connect(self.env, self.name)
        self.call("addr.add", local=f"{self.address}/24", dev="eth0")
        return self

    def __call__(self, *args: str, **how: Any) -> Any:
        """Run ``smolctl --stack NAME ARGS`` to its end."""
        return self.env("-n", self.name, *args, **how)

    def popen(self, *args: str) -> Background:
        """Start ``smolctl --stack NAME ARGS``."""
        return self.env.popen("-n", self.name, *args)

    def call(self, op: str, **args: Any) -> list[Row]:
        """Ask the daemon."""
        return self.client.call(op, **args)

    def row(self) -> Row:
        """Return what ``link show`` says about eth0."""
        return self.call("link.show", dev="eth0")[0]

    def data(self) -> Row:
        """Return what only a link of this kind has to say."""
        data: Row = self.row()["linkinfo"]["info_data"]
        return data

    def wait_for_link(self, up: bool = True) -> None:
        """Wait until eth0 has carrier, or has none."""
        wanted = "UP" if up else "DOWN"
        wait_until(
            lambda: self.row()["operstate"] == wanted,
            lambda: f"eth0 of {self.name} {wanted}: {self.row()}\n{self.env.log()}",
        )

    def drops(self) -> dict[str, int]:
        """Return how often each reason struck."""
        return struck(self.client)

    def kill(self) -> None:
        """End the daemon without a chance to clean up."""
        os.kill(self.client.pid, signal.SIGKILL)
        wait_for_end(self.client.pid)
        self.client.close()

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()


def ping(stack: Stack, peer: Stack, count: int = 3) -> None:
    """Send echo requests that must all be answered."""
    stack("ping", "-c", str(count), "-i", "0.01", "-W", "5", peer.address, check=True)


def arping(stack: Stack, peer: Stack) -> None:
    """Ask for the peer's MAC, which must be that of its link."""
    run = stack("arping", "-r", "-c", "1", "-w", "5", "-I", "eth0", peer.address, check=True)
    assert run.stdout.strip() == peer.row()["address"]


def exchange(stack: Stack, peer: Stack, port: int = 7000) -> None:
    """Send a datagram that the peer's echo must answer."""
    echo = peer.popen("udp", "echo", str(port), "-c", "1")
    wait_until(
        lambda: any(row.get("local_port") == port for row in peer.call("socket.show")), "the echo"
    )
    run = stack(
        "-j", "udp", "send", f"{peer.address}:{port}", "hello", "--expect-reply", "-w", "5",
        check=True,
    )  # fmt: skip
    assert any(json.loads(line).get("event") == "reply" for line in run.stdout.splitlines())
    assert echo.wait().returncode == 0
