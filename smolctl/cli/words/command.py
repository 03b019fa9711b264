"""The click commands that the grammar tables become."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.aliases import VERB_ALIASES, meant
from smolctl.cli.words.grammar import Args, EarlyExit, Index, Parser, Table, UsageFault
from smolctl.cli.words.options import Options
from smolctl.near import near

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Rows = list[dict[str, Any]]
Render = Callable[[Rows, Args, Output], Iterable[str]]
Run = Callable[[Session, Args], int | None]


class Verb(click.Command):
    """One command: a table, and what runs with the arguments that it yields.

    Args:
        table: its grammar.
        run: is called with the session and the arguments; what it returns is the exit status,
            None meaning 0.
        kind: "get" or "probe" when the exit table has exceptions for it, see ``exit``.
    """

    def __init__(self, table: Table, run: Run, *, kind: str = "") -> None:
        super().__init__(table.path.rpartition(" ")[2], help=table.summary, add_help_option=False)
        self.table = table
        self.run = run
        self.kind = kind
        self._index: Index | None = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words by the table, not by click's parser, which knows no keywords."""
        parser = Parser(self.table, ctx.obj.options, resilient=ctx.resilient_parsing)
        ctx.params = self.read(ctx, args, parser)
        ctx.args = []
        if ctx.resilient_parsing:
            from smolctl.cli.words import complete

            ctx.meta[_PARSER] = parser
            self.params = complete.parameters(self.table)
        return ctx.args

    def read(self, ctx: click.Context, words: list[str], parser: Parser | None = None) -> Args:
        """Return the arguments that the words after the verb are.

        Raises:
            UsageFault: they do not follow the grammar.
            click.exceptions.Exit: the help text was asked for, and is shown.
        """
        ctx.obj.kind = self.kind
        if words == ["help"] and not ctx.resilient_parsing and not self._reads_files():
            raise _shown(ctx, self.get_help(ctx))  # ip route add help
        if parser is None:
            self._index = self._index or Index(self.table)
            parser = Parser(self.table, ctx.obj.options, index=self._index)
        return _parse(ctx, parser, words)

    def _reads_files(self) -> bool:
        """Return whether its first word names a file, which may have any name."""
        return any(place.metavar == "FILE" for place in self.table.positionals[:1])

    def knows(self, word: str) -> bool:
        """Return whether a word is one of the grammar's own."""
        words = [owner.words for owner in self.table.keywords]
        words += [owner.words for owner in self.table.positionals]
        return any(word in spellings for spellings in words)

    def invoke(self, ctx: click.Context) -> int:
        """Run the command and return its exit status."""
        return self.run(ctx.obj, ctx.params) or 0

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text: examples first."""
        from smolctl.cli.words import helptext

        formatter.write(helptext.verb(self.table))

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the summary, whole: click would cut it off."""
        return self.table.summary

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return what may come next."""
        from smolctl.cli.words import complete

        return complete.words(ctx.meta[_PARSER], self.table, ctx.obj.options, incomplete)


class Noun(click.Group):
    """A group of verbs.

    Args:
        name: its name.
        summary: one line, an imperative without full stop.
        verbs: in the order of the help text.
        default: the verb that the noun alone means; None when it needs one.
        aliases: spellings of verbs on top of ``VERB_ALIASES``.
    """

    def __init__(
        self,
        name: str,
        summary: str,
        verbs: Iterable[Verb],
        *,
        default: str | None = "show",
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            name,
            help=summary,
            commands=list(verbs),
            add_help_option=False,
            invoke_without_command=True,
        )
        self.summary = summary
        self.default = default
        self.aliases = {**VERB_ALIASES, **(aliases or {})}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the verb."""
        if not ctx.resilient_parsing:
            return super().parse_args(ctx, self.read(ctx, args))
        from smolctl.cli.words import complete

        parser = Parser(None, ctx.obj.options, resilient=True)
        _parse(ctx, parser, args)
        ctx.meta[_PARSER] = parser
        self.params = complete.parameters(None)
        return super().parse_args(ctx, parser.rest)

    def read(self, ctx: click.Context, words: list[str]) -> list[str]:
        """Read the options before the verb; return the verb and all that follows.

        Raises: as ``Verb.read``.
        """
        parser = Parser(None, ctx.obj.options)
        _parse(ctx, parser, words)
        return parser.rest or self.without_verb(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the help text, which click would sort."""
        return list(self.commands)

    def without_verb(self, ctx: click.Context) -> list[str]:
        """Return the words that the noun alone stands for."""
        if self.default is None:
            verbs = ", ".join(self.commands)
            raise UsageFault(
                f"{self.name} needs a verb: {verbs}", hint=f"{ctx.command_path} --help"
            )
        return [self.default]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the verb of that name or short form."""
        command = self.commands.get(cmd_name)
        return command or self.commands.get(self.aliases.get(cmd_name, ""))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; a word that is none is a usage error that names the near one."""
        command = self.get_command(ctx, args[0])
        if command is not None:
            return command.name, command, args[1:]
        if ctx.resilient_parsing:
            return None, None, args[1:]
        if args[0] == "help":
            raise _shown(ctx, self.get_help(ctx))
        raise self.unknown(ctx, args)

    def unknown(self, ctx: click.Context, args: list[str]) -> UsageFault:
        """Return the error for a word that is no verb."""
        hint = f"{ctx.command_path} --help"
        shown = self.commands.get(self.default or "")
        guess = near(args[0], [*self.commands, *self.aliases])
        # As in ip, a device or a prefix needs its verb; a word of the grammar is no typo of one.
        if isinstance(shown, Verb) and (
            shown.knows(args[0]) or (guess is None and shown.table.positionals)
        ):
            hint = " ".join((ctx.command_path, shown.name or "", *args))
        elif guess is not None:
            hint = f'did you mean "{guess}"?'
        if habit := meant(self.name, args):
            hint = f"{ctx.command_path} {habit}"
        return UsageFault(f'{self.name} has no verb "{args[0]}"', hint=hint)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text: examples first."""
        from smolctl.cli.words import helptext

        tables = [verb.table for verb in self.commands.values() if isinstance(verb, Verb)]
        formatter.write(helptext.noun(str(self.name), self.summary, tables, self.default))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the verbs and options that may come next."""
        from smolctl.cli.words import complete

        entries = {
            name: str(command.help)
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None
        }
        return complete.group(ctx.meta[_PARSER], entries, ctx.obj.options, incomplete)


class Plan(NamedTuple):
    """One request, and how its rows are shown.

    Attributes:
        op: the request.
        args: its arguments.
        render: yields the lines of text for the rows. Without it the command is silent, as ``ip``
            is when it changed something.
    """

    op: str
    args: Args
    render: Render | None = None


class Request:
    """The run function of a command that is one request; ``batch`` sends many of them at once.

    Args:
        plan: turns the command's arguments into the request; it asks nobody for that.
    """

    def __init__(self, plan: Callable[[Args], Plan]) -> None:
        self.plan = plan

    def __call__(self, session: Session, args: Args) -> None:
        """Run it."""
        op, sent, render = self.plan(args)
        show(session, session.call(op, **sent), args, render)


def request(op: str, render: Render | None = None) -> Request:
    """Return the run function of a command whose arguments are those of one request."""
    return Request(lambda args: Plan(op, args, render))


def show(session: Session, rows: Rows, args: Args, render: Render | None) -> None:
    """Write rows in the form that the options ask for."""
    if session.options.json:
        session.out.document(rows)
    elif render is not None:
        session.out.lines(render(rows, args, session.out))


def _parse(ctx: click.Context, parser: Parser, args: list[str]) -> Args:
    try:
        return parser.parse(args)
    except EarlyExit as what:
        if what.what == "help":
            raise _shown(ctx, ctx.command.get_help(ctx)) from None
        from smolctl import __version__

        raise _shown(ctx, f"smolctl {__version__}") from None


def _shown(ctx: click.Context, text: str) -> click.exceptions.Exit:
    session: Session = ctx.obj
    session.out.line(text.rstrip("\n"))
    return click.exceptions.Exit(0)


_PARSER = "smolctl.parser"
"""Where a context keeps its parser for completion."""

__all__ = [
    "Args",
    "Noun",
    "Options",
    "Plan",
    "Render",
    "Request",
    "Rows",
    "Run",
    "Verb",
    "request",
    "show",
]
