"""Locale and terminal, as a process of its own sees them."""

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from smolctl.doctor import CHECKS

PROGRAM = """
import json, sys
from smolctl.doctor import Machine, examine
rows = list(examine(Machine("default", *sys.argv[1:]), ("locale", "terminal")))
print(json.dumps(rows))
"""


def rows(environ: dict[str, str], *, tty: bool = False, columns: int = 80) -> dict[str, Any]:
    """Return both rows by name, in an environment of these variables alone."""
    argv = [sys.executable, "-c", PROGRAM]
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path)}
    if not tty:
        text = subprocess.run(argv, env=kept | environ, capture_output=True, check=True).stdout
    else:
        ours, theirs = pty.openpty()
        import fcntl
        import struct
        import termios

        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        subprocess.run(argv, env=kept | environ, stdout=theirs, check=True)
        os.close(theirs)
        text = b""
        while True:
            try:
                text += os.read(ours, 65536)
            except OSError:  # EIO: the end
                break
        os.close(ours)
    return {row["check"]: row for row in json.loads(text)}


@pytest.mark.parametrize(
    ("environ", "status", "fix"),
    [
        ({"LANG": "C.UTF-8"}, "ok", None),
        ({"LANG": "C"}, "note", "export LANG=C.UTF-8"),
        ({"LANG": "POSIX"}, "note", "export LANG=C.UTF-8"),
        ({}, "note", "export LANG=C.UTF-8"),
        ({"LANG": "C", "LC_ALL": "C.utf8"}, "ok", None),
        ({"LANG": "C.UTF-8", "LC_CTYPE": "C"}, "note", "export LC_CTYPE=C.UTF-8"),
        ({"LANG": "C.UTF-8", "LC_ALL": "C"}, "note", "export LC_ALL=C.UTF-8"),
        ({"LANG": "en_XX.ISO-8859-1"}, "note", "export LANG=C.UTF-8"),
        ({"LANG": "xx_XX.UTF-8"}, "note", "export LANG=C.UTF-8"),
    ],
)
def test_locale(environ: dict[str, str], status: str, fix: str | None) -> None:
    row = rows(environ)["locale"]
    assert (row["status"], row.get("fix")) == (status, fix)
    if fix is not None and environ:
        variable = fix.split()[1].split("=")[0]
        assert f"{variable}={environ[variable]}" in row["detail"]


def test_a_pipe_is_no_terminal() -> None:
    row = rows({"TERM": "xterm"})["terminal"]
    assert (row["status"], "no terminal" in row["detail"]) == ("ok", True)


@pytest.mark.parametrize(
    ("environ", "columns", "status", "detail"),
    [
        ({"TERM": "xterm-256color"}, 120, "ok", "TERM=xterm-256color, 120 columns, colours"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, 80, "ok",
         "TERM=xterm, 80 columns, no colours (NO_COLOR)"),
        ({"TERM": "dumb"}, 80, "ok", "TERM=dumb, 80 columns, no colours (TERM=dumb)"),
        ({}, 80, "note", "TERM=not set, 80 columns, colours"),
        ({"TERM": "xterm"}, 40, "ok", "TERM=xterm, 40 columns, colours"),
        ({"TERM": "xterm"}, 0, "ok", "TERM=xterm, unknown columns, colours"),
    ],
)  # fmt: skip
def test_terminal(environ: dict[str, str], columns: int, status: str, detail: str) -> None:
    row = rows(environ, tty=True, columns=columns)["terminal"]
    assert (row["status"], row["detail"]) == (status, detail)


def test_every_check_is_named_as_words() -> None:
    assert all(name.replace("-", "").isalpha() and what for name, (_, what) in CHECKS.items())
