"""Daemons and clients of this very process, in a runtime directory of their own."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smolctl.client import Client
from smolctl.control.codec import MAX_REPLY, Decoder
from smolctl.control.paths import StackPaths, stack_paths
from tests.kit.process import PATIENCE_SECONDS, Background
from tests.kit.stack_env import SmolctlEnv


class Home:
    """A runtime directory that this process uses too; see ``SmolctlEnv`` for what it cleans up."""

    def __init__(self, env: SmolctlEnv) -> None:
        self.env = env
        self._background: list[Background] = []
        self._clients: list[Client] = []

    def paths(self, name: str = "default") -> StackPaths:
        """Return where a stack's files are."""
        return stack_paths(name)

    def daemon(self, *options: str, under: tuple[str, ...] = ()) -> Background:
        """Start a daemon in the foreground and wait until it serves, or has ended.

        Args:
            under: a command that runs a command, and sets limits for it.
        """
        argv = [*under, sys.executable, "-m", "smolctl.daemon", *options]
        background = Background(argv, env=self.env.environ)
        self._background.append(background)
        background.wait_for("\n")
        return background

    def connect(self, name: str = "default", **options: Any) -> Client:
        """Return a client; closed after the test."""
        client = Client.connect(name, **options)
        self._clients.append(client)
        return client

    def log(self, name: str = "default") -> str:
        """Return a stack's log."""
        return Path(self.paths(name).log).read_text()

    def close(self) -> None:
        """Close clients, then kill what ``daemon`` started."""
        for client in self._clients:
            client.close()
        for background in self._background:
            background.close()


@pytest.fixture
def home(smolctl_env: SmolctlEnv, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Give this process the runtime directory of ``smolctl_env``."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(smolctl_env.directory))
    for name in [name for name in os.environ if name.startswith("SMOLCTL_")]:
        monkeypatch.delenv(name)
    result = Home(smolctl_env)
    yield result
    result.close()


@pytest.fixture
def running(home: Home) -> Home:
    """Start the stack, forked: where its start is not the point, it costs a tenth (``warm.py``)."""
    home.env("stack", "start", check=True)
    return home


class Raw:
    """A connection to a daemon without a client: bytes and decoded messages."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(path)
        self._decoder = Decoder(MAX_REPLY)

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, None at the end of the stream."""
        while (message := self._decoder.next()) is None:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:  # it hung up on what we sent
                data = b""
            if not data:
                return None
            self._decoder.feed(data)
        return message

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
