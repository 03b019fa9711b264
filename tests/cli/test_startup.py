"""Imports of a command: each module that it does not need is time the user waits for."""

import subprocess
import sys
from pathlib import Path

NOT_NEEDED = {
    "asyncio",
    "click.shell_completion",
    "difflib",
    "importlib.metadata",
    "logging",
    "scapy",
    "selectors",
    "smolctl.cli.nouns.addr",
    "smolctl.cli.words.helptext",
    "smolctl.daemon",
    "socket",
    "subprocess",
    "tabulate",
    "textwrap",
}
PROGRAM = """
import sys
from smolctl.cli.main import run
status = run(["--no-start", "route", "show"])
print(status, *sys.modules)
"""


def test_route_show_imports_only_what_it_needs(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM],  # -S: what site imports is not ours
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    status, *modules = result.stdout.split()
    assert status == "3"
    assert NOT_NEEDED.isdisjoint(modules), NOT_NEEDED & set(modules)
