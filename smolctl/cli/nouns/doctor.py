"""``smolctl doctor``: what will work on this machine, and what to do; no daemon is asked."""

from collections.abc import Iterator, Sequence
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, Place
from smolctl.counted import counted
from smolctl.doctor import CHECKS, Machine, Row, examine
from smolctl.errors import SmolctlError
from smolctl.near import near

_KINDS = {"ok": "up", "note": "ifname", "warn": "mac", "fail": "down"}
"""Colours of the statuses."""
_WIDTH = max(map(len, CHECKS))
_INDENT = " " * 6


def _run(session: Session, args: Args) -> int:
    names = [_known(name) for name in dict.fromkeys(args.get("name", []))]
    rows: list[Row] = []
    for row in examine(Machine(session.options.stack), names or CHECKS):
        rows.append(row)
        if not session.options.json:
            session.out.lines(lines(row, session.out))
    if session.options.json:
        session.out.document(rows)
    else:
        session.out.line(summary(rows))
    return exits.NO if any(row["status"] == "fail" for row in rows) else exits.DONE


def _known(name: str) -> str:
    if name not in CHECKS:
        guess = near(name, CHECKS)
        hint = f"smolctl doctor {guess}" if guess else "smolctl doctor"
        raise SmolctlError(f'there is no check "{name}"', hint=hint, code="not-found")
    return name


def lines(row: Row, out: Output) -> Iterator[str]:
    """Yield the lines of one check: what was found, what to do, and with -v what was looked at."""
    status = out.paint(_KINDS[row["status"]], row["status"]) + " " * (4 - len(row["status"]))
    yield f"{status}  {row['check']:{_WIDTH}}  {row['detail']}"
    if "fix" in row:
        yield f"{_INDENT}fix: {row['fix']}"
    if out.options.verbose:
        yield from (f"{_INDENT}looked: {text}" for text in row["looked"])


def summary(rows: Sequence[dict[str, Any]]) -> str:
    """Return the last line: whether a stack runs here."""
    count = {status: sum(row["status"] == status for row in rows) for status in _KINDS}
    said = [f"{count['ok']} ok"]
    for status, word in (("note", "note"), ("warn", "warning"), ("fail", "failure")):
        if count[status]:
            said.append(counted(count[status], word))
    if count["fail"]:
        verdict = "no stack can run until the failures are fixed"
    elif count["warn"]:
        verdict = "stacks run here; the warnings show what does not work"
    else:
        verdict = "all is well"
    return f"{verdict} ({', '.join(said)})"


COMMAND = Verb(
    "doctor",
    "check what works on this machine, and say what to do",
    _run,
    (Place("name", "CHECK", "run only this check", False, complete="check", many=True),),
    examples=(
        "smolctl doctor",
        "smolctl doctor tun tap offload",
        "smolctl -v doctor runtime-directory",
        "smolctl -j doctor > doctor.json",
    ),
    notes="doctor changes nothing, starts no stack, and asks stacks only for their version. A"
    " note is something that could be better, a warning is something that does not work,"
    " and a failure keeps every stack from running. The exit status is 1 after a failure,"
    " otherwise 0. -v shows what was checked.",
)
