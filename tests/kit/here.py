"""Commands of smolctl run in this process: those that only ask a daemon that runs.

They do nothing that a process is needed for, and take a tenth of the time of a forked one
(``warm.py``): no page of the interpreter is copied. What starts a daemon, listens until it is
interrupted, reads standard input or becomes a program is none of them.
"""

import os
import sys
import threading
from collections.abc import Mapping
from io import BytesIO, TextIOWrapper
from unittest import mock

from smolctl import launch
from smolctl.cli import main

_NOUNS = {
    "addr", "addrlabel", "arping", "explain", "link", "maddr", "ndisc", "neigh", "nexthop", "ping",
    "route", "rule", "socket", "stats", "sysctl", "traceroute", "udp send", "why",
}  # fmt: skip
"""Nouns, of ``udp`` with its verb, that only ask the daemon and end."""
_OF_A_PROCESS = ("--host", "--netns", "--path")
"""Options of ``why`` with which it asks for the namespace of its process, or several daemons."""
_WITH_VALUE = {"-n", "--stack"}
"""Options in front of a noun that take a word."""


class _NobodyRuns(BaseException):
    """The command would start a daemon: nothing was done yet."""


def run(args: tuple[str, ...], environ: Mapping[str, str]) -> tuple[int, bytes, bytes] | None:
    """Run ``smolctl ARGS``; return its status and what it wrote, None where it needs a process.

    Args:
        args: the words after ``smolctl``.
        environ: its whole environment, which ``warm.fits``.
    """
    if not _only_asks(args) or "SMOLCTL_DEBUG" in environ:
        return None
    if threading.current_thread() is not threading.main_thread():
        return None  # the streams and the environment are those of all threads
    out, err = _stream(), _stream()
    try:
        with (
            mock.patch.dict(os.environ, environ, clear=True),
            mock.patch.multiple(sys, stdin=_stream(), stdout=out, stderr=err),
            mock.patch.object(launch, "_spawn", _nobody_runs),
        ):
            status = main.run(args)
    except _NobodyRuns:
        return None
    return status, _written(out), _written(err)


def _only_asks(args: tuple[str, ...]) -> bool:
    """Return whether a command line is one of those that run here."""
    if any(word.startswith(_OF_A_PROCESS) for word in args):
        return False
    words = iter(args)
    for word in words:
        if word in _WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return (f"{word} {next(words, '')}" if word == "udp" else word) in _NOUNS
    return False


def _stream() -> TextIOWrapper:
    """Return a standard stream as ``output.prepare`` leaves it."""
    return TextIOWrapper(BytesIO(), "utf-8", "backslashreplace", newline="\n")


def _written(stream: TextIOWrapper) -> bytes:
    stream.flush()
    assert isinstance(stream.buffer, BytesIO)
    return stream.buffer.getvalue()


def _nobody_runs(*_: object) -> int:
    raise _NobodyRuns
