"""Costly things, made by one of the workers of a test run, and read by all."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> Any:
    """Return what ``make`` returned, whichever worker came first.

    Args:
        factory: of the calling worker.
        name: of what is made, in this test run.
        make: gets an empty directory that stays until the run ends; returns what JSON carries.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / name, base / f"{name}.json"
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            done.write_text(json.dumps(make(folder)))
    return json.loads(done.read_text())
