"""The base of all tests: the kit's fixtures, how much they do, and what makes them quick."""

import gc
import sys

from tests.kit import amount

pytest_plugins = [
    "tests.kit.netns",
    "tests.kit.scapy_offline",
    "tests.kit.signals",
    "tests.kit.stack_env",
]

amount.load_profile()
# Also where the environment says otherwise: pytest rewrites each assertion, which takes every
# worker 7 s when it finds no byte code of an earlier run.
sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from all collected tests: a twentieth of the time."""
    gc.collect()
    gc.freeze()
