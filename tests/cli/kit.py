"""The kit of the command line's tests."""

import shlex
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click

from smolctl.cli.main import NOUNS, ROOT
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, Place, Word
from smolctl.cli.words.options import Options

Row = dict[str, Any]
Render = Callable[[list[Row], Args, Output], Iterator[str]]


class Read(NamedTuple):
    """The meaning of a command line."""

    path: str
    args: Args
    options: Options


def read(line: str) -> Read:
    """Read a command line without running it."""
    session = Session(Options())
    context = ROOT.make_context("smolctl", shlex.split(line), obj=session)
    while isinstance(context.command, click.Group):
        words = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, words)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    assert isinstance(context.command, Verb)
    return Read(context.command.path, context.params, session.options)


def output(**options: Any) -> Output:
    """Return an Output without colours, with these options."""
    chosen = Options()
    for name, value in {"color": "never", **options}.items():
        setattr(chosen, name, value)
    return Output(chosen)


def draw(render: Render, rows: list[Row], args: Args | None = None, **options: Any) -> str:
    """Render rows to text, as if to a file."""
    lines = list(render(rows, args or {}, output(**options)))
    return "\n".join(lines) + "\n" if lines else ""


def words_of(verb: Verb) -> list[Word]:
    """Return what a command knows that needs no place."""
    return [param for param in verb.params if isinstance(param, Word) and not param.hidden]


def places_of(verb: Verb) -> list[Place]:
    """Return the places of a command."""
    return [param for param in verb.params if isinstance(param, Place)]


def all_verbs() -> list[Verb]:
    """Return every command that has a table."""
    context = click.Context(ROOT, info_name="smolctl")
    found: list[Verb] = []
    for name in NOUNS:
        command = ROOT.get_command(context, name)
        members = command.commands.values() if isinstance(command, click.Group) else [command]
        found += [member for member in members if isinstance(member, Verb)]
    return found
