"""The base of all tests: the kit's fixtures, how much they do, and what makes them quick."""

import gc
import os
import sys

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


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from all collected tests: a twentieth of the time."""
    gc.collect()
    gc.freeze()
