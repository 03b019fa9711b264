"""Fixtures of the tests of devices."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from smolctl.device.stream import StreamDevice
from tests.device.kit import Driver, Opener
from tests.kit.home import home

__all__ = ["home"]


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not tmp_path: a Unix socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="sm", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def path(directory: Path) -> str:
    return str(directory / "x.sock")


@pytest.fixture
def opener() -> Iterator[Opener]:
    """Open any number of devices of type stream; all are closed."""
    with ExitStack() as stack:
        yield lambda **options: Driver(
            stack.enter_context(closing(StreamDevice("eth0", **options)))
        )


@pytest.fixture
def descriptors() -> Iterator[None]:
    """See that the test leaves no descriptor open."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    left = set(os.listdir("/proc/self/fd")) - before
    assert not [fd for fd in left if os.path.exists(f"/proc/self/fd/{fd}")]
