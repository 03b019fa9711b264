"""SIGINT and SIGHUP at their defaults in all that tests start, also where the tests ignore them.

A shell without job control ignores SIGINT in what it runs in the background (``make test &`` in a
script), and nohup ignores SIGHUP. What is executed inherits that, so a test that interrupts a
program would wait in vain.
"""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Stand in for SIG_IGN; unlike that, a handler ends at execve(2)."""


@pytest.fixture(scope="session", autouse=True)
def _children_are_interrupted() -> Iterator[None]:
    """Handle an ignored signal by doing nothing, which is the same for this process.

    A fixture, because it runs in each process that runs tests, before they start anything.
    """
    ignored = [
        number
        for number in (signal.SIGINT, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, _nothing)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
