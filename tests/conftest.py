"""The base of all tests: the kit's fixtures, how much they do, and what makes them quick."""

import gc
import os
import sys
from collections.abc import Generator

import pytest

from tests.kit import amount

pytest_plugins = [
    "tests.kit.netns",
    "tests.kit.scapy_offline",
    "tests.kit.signals",
    "tests.kit.stack_env",
]

amount.load_profile()
# Also where the environment says otherwise: pytest rewrites each assertion, which takes 7 s when it
# finds no byte code of an earlier run, and each process that a test starts would compile smolctl.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away while tests are collected, and from them afterwards.

    Little of what is made is garbage: that is a quarter of the collection's time, and a twentieth
    of that of the tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
