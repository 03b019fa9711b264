"""``smolctl config``: a stack's configuration as commands."""

import shlex
from typing import Any

import click

from smolctl.cli import exit as exits
from smolctl.cli.command import Noun, Verb
from smolctl.cli.grammar import Args, Table
from smolctl.cli.session import Session
from smolctl.cli.unparse import unparse


class Wording:
    """Turns requests back into the commands that make them, by the grammar of each."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}

    def command(self, op: str, args: dict[str, Any]) -> str:
        """Return the command, quoted for a shell."""
        if op == "sysctl.set":
            return shlex.join(["sysctl", f"{args['key']}={args['value']}"])
        table = self._tables.get(op)
        if table is None:
            table = self._tables[op] = _table(op)
        return shlex.join([*table.path.split(), *unparse(table, args)])


def _table(op: str) -> Table:
    from smolctl.cli.main import ROOT

    noun, _, verb = op.partition(".")
    command = ROOT.get_command(click.Context(ROOT, info_name="smolctl"), noun)
    assert isinstance(command, Noun)
    found = command.commands[verb]
    assert isinstance(found, Verb)
    return found.table


def _save(session: Session, args: Args) -> int:
    wording = Wording()
    commands = []
    status = exits.DONE
    for row in session.call("config.save"):
        command = wording.command(row["op"], row["args"])
        if "error" in row:
            status = exits.NO
            session.out.complaint(f"smolctl: left out: {command}: {row['error']}")
        else:
            commands.append(command)
    if session.options.json:
        session.out.document([{"command": command} for command in commands])
    else:
        session.out.lines(commands)
    return status


COMMAND = Noun(
    "config",
    "Print the commands that make a stack again",
    (
        Verb(
            Table(
                "config save",
                "print the commands that make this stack from a fresh one",
                (
                    "smolctl config save",
                    "smolctl config save > lab.conf",
                ),
                notes="They are what smolctl batch runs: smolctl config save | smolctl --stack"
                " copy batch - makes a copy. The same configuration gives the same text.",
            ),
            _save,
        ),
    ),
    default="save",
    aliases={"show": "save", "s": "save", "sh": "save", "list": "save", "ls": "save"},
)
