"""``smolctl config``: a stack's configuration as commands."""

import shlex
from collections.abc import Iterator
from typing import Any

import click

from smolctl.cli import exit as exits
from smolctl.cli.nouns.batch import opened, refusal
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Verb
from smolctl.cli.words.finder import Refused, changes_of
from smolctl.cli.words.grammar import Args, Place, UsageFault, option
from smolctl.cli.words.unparse import unparse
from smolctl.errors import SmolctlError


class Wording:
    """Turns requests back into the commands that make them, by the grammar of each."""

    def __init__(self) -> None:
        self._verbs: dict[str, Verb] = {}

    def command(self, op: str, args: dict[str, Any]) -> str:
        """Return the command, quoted for a shell."""
        if op == "sysctl.set":
            return shlex.join(["sysctl", f"{args['key']}={args['value']}"])
        verb = self._verbs.get(op)
        if verb is None:
            verb = self._verbs[op] = _verb(op)
        family = ["-6"] if args.get("family") == "inet6" else []
        return shlex.join([*family, *verb.path.split(), *unparse(verb.params, args)])


def _verb(op: str) -> Verb:
    from smolctl.cli.main import ROOT

    noun, _, name = op.partition(".")
    command = ROOT.get_command(click.Context(ROOT, info_name="smolctl"), noun)
    assert isinstance(command, Noun)
    found = command.commands[name]
    assert isinstance(found, Verb)
    return found


def _save(session: Session, args: Args) -> int:
    wording = Wording()
    status = exits.DONE

    def commands() -> Iterator[str]:
        nonlocal status
        for row in session.rows("config.save"):
            command = wording.command(row["op"], row["args"])
            if "error" in row:
                status = exits.NO
                session.out.complaint(f"smolctl: left out: {command}: {row['error']}")
            else:
                yield command

    _write(session, commands())
    return status


def _write(session: Session, commands: Iterator[str]) -> None:
    if session.options.json:
        session.out.document({"command": command} for command in commands)
    else:
        session.out.lines(commands)


def _target(session: Session, args: Args) -> tuple[list[list[Any]], list[str]]:
    """Return the changes that make the other stack, and where each of them stands."""
    if ("file" in args) is ("to" in args):
        raise UsageFault("config diff needs FILE, or --to STACK", hint="smolctl config diff FILE")
    if "to" in args:
        other = Session(session.options.copy(), session)
        other.options.stack, other.options.named = args["to"], True
        rows = [row for row in other.rows("config.save") if "error" not in row]
        return [[row["op"], row["args"]] for row in rows], [args["to"] for _ in rows]
    name = args["file"]
    commands, places = [], []
    try:
        with opened(session, name) as lines:
            for change in changes_of(session, lines, "config diff compares nothing else"):
                commands.append([change.plan.op, change.plan.args])
                places.append(f"{name}:{change.line.number}")
    except Refused as refused:
        where, error = f"{name}:{refused.line.number}", refused.error
        raise SmolctlError(f"{where}: {error.message}", hint=error.hint, code=error.code) from None
    return commands, places


def _diff(session: Session, args: Args) -> int:
    commands, places = _target(session, args)
    rows = session.rows("config.diff", commands=commands)
    wording, status = Wording(), exits.DONE

    def found() -> Iterator[str]:
        nonlocal status
        for row in rows:
            if "failed" in row:
                error = refusal(session, row["error"])
                where = places[row["failed"]]
                raise SmolctlError(f"{where}: {error.message}", hint=error.hint, code=error.code)
            status = exits.NO
            yield wording.command(row["op"], row["args"])

    _write(session, found())
    return status


COMMAND = Noun(
    "config",
    "Print the commands that make a stack again",
    (
        Verb(
            "config save",
            "print the commands that turn a fresh stack into this one",
            _save,
            examples=("smolctl config save", "smolctl config save > lab.conf"),
            notes="smolctl batch runs them: smolctl config save | smolctl --stack copy batch -"
            " makes a copy. The same configuration always gives the same text.",
        ),
        Verb(
            "config diff",
            "print the commands that make this stack like another one",
            _diff,
            (
                Place(
                    "file",
                    "FILE",
                    'file with the commands of the other stack; "-" is standard input',
                    False,
                ),
                option("to", "compare with this running stack", "STACK", complete="stack"),
            ),
            examples=(
                "smolctl config diff lab.conf",
                "smolctl config diff --to other",
                "smolctl -j config diff -",
            ),
            notes="Nothing is changed; smolctl config diff FILE | smolctl batch - makes the"
            " changes. The exit status is 0 if there is no difference, and 1 if there is"
            " one. If single changes are not enough, the commands delete everything, links"
            " included, and make it again.",
        ),
    ),
    default="save",
    aliases={"show": "save", "s": "save", "sh": "save", "list": "save", "ls": "save"},
)
