"""``smolctl help``: the help text of any command."""

import click

from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, Place


def _run(session: Session, args: Args) -> None:
    context = click.get_current_context().find_root()
    command = context.command
    for word in (args[key] for key in ("noun", "verb") if key in args):
        if not isinstance(command, click.Group):
            break
        name, found, _ = command.resolve_command(context, [word])
        assert found is not None  # resolve_command raises for a word that it does not know
        context = click.Context(found, info_name=name, parent=context, obj=session)
        command = found
    session.out.line(command.get_help(context).rstrip("\n"))


COMMAND = Verb(
    "help",
    "show help for a command",
    _run,
    (
        Place("noun", "NOUN", "the noun", False, complete="noun"),
        Place("verb", "VERB", "the verb", False, complete="verb"),
    ),
    examples=("smolctl help", "smolctl help route", "smolctl help route add"),
)
