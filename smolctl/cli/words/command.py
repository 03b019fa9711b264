"""The commands: click's, whose words are those of ``ip``."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.aliases import UNSUPPORTED, VERB_ALIASES, VERB_HABITS, meant
from smolctl.cli.words.grammar import Args, NotSupported, Place, UsageFault, Word, completer, knows
from smolctl.cli.words.options import GLOBAL_OPTIONS, Options, beside, show_text
from smolctl.cli.words.parser import Parser, missing
from smolctl.cli.words.types import named
from smolctl.near import near

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Rows = list[dict[str, Any]]
Render = Callable[[Any, Args, Output], Iterable[str]]
Run = Callable[[Session, Args], int | None]


_WIDTH = 80


class _Formatter(click.HelpFormatter):
    """click's, which leaves a narrow terminal more room for what a word means."""

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write words, and beside them what they mean."""
        super().write_dl(rows, min(col_max, self.width * 3 // 8), col_spacing)


class Helpful(click.Command):
    """The base of all commands: a help text of 80 columns at most, examples first."""

    def get_help(self, ctx: click.Context) -> str:
        """Return the help text, as the pages in docs/ have it unless the terminal is narrower."""
        session: Session | None = ctx.find_root().obj
        width = session.out.width if session is not None else None
        formatter = _Formatter(width=min(width or _WIDTH, _WIDTH))
        self.format_help(ctx, formatter)
        return formatter.getvalue().rstrip("\n")


def sentence(text: str) -> str:
    """Return one line of help as a sentence."""
    return text[:1].upper() + text[1:] + "."


def write_examples(formatter: click.HelpFormatter, examples: Iterable[str]) -> None:
    """Write command lines, which are not wrapped: they are there to be copied."""
    with formatter.section("Examples"):
        for example in examples:
            formatter.write(f"  {example}\n")


def write_list(
    formatter: click.HelpFormatter,
    title: str,
    ctx: click.Context,
    params: Iterable[click.Parameter],
) -> None:
    """Write what parameters mean."""
    rows = [record for param in params if (record := param.get_help_record(ctx))]
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)


class Verb(Helpful):
    """One command: its parameters, and what runs with the arguments that they yield.

    Args:
        path: the words that lead to it: "addr add".
        summary: one line, an imperative without full stop.
        run: is called with the session and the arguments; what it returns is the exit status,
            None meaning 0.
        params: places in their order, and words in the order of the help text.
        examples: command lines that show it, the most usual first.
        notes: a paragraph for help and man page, or "".
        traits: ``kind``: "get" or "probe" when the exit table has exceptions for it, see ``exit``.
    """

    kind = ""

    def __init__(
        self,
        path: str,
        summary: str,
        run: Run,
        params: Sequence[click.Parameter] = (),
        examples: Sequence[str] = (),
        notes: str = "",
        **traits: str,
    ) -> None:
        name = path.rpartition(" ")[2]
        super().__init__(name, params=list(params), help=summary, add_help_option=False)
        self.options_metavar = ""
        self.path = path
        self.run = run
        self.summary = summary
        self.examples = tuple(examples)
        self.notes = notes
        self.kind = traits.get("kind", "")
        self._required = [param for param in self.params if param.required]
        self._parser: Parser | None = None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return its own parameters, and the options of all commands.

        For completion each ``--word`` of a place is an option, too: click takes ``--dev=X`` apart.
        """
        params = [*self.params, *beside(self.params)]
        if ctx.resilient_parsing:
            places = [param for param in self.params if isinstance(param, Place) and param.words]
            params += [place.option() for place in places]
        return params

    def make_parser(self, ctx: click.Context) -> Parser:
        """Return click's parser for it; ``read`` makes it once, for it costs more than to parse."""
        params = [*self.params, *beside(self.params)]
        if ctx.resilient_parsing:
            return Parser(self.path, params, resilient=True)
        self._parser = Parser(self.path, params)
        return self._parser

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words, and keep only what was said: what was not has no default here."""
        ctx.params = self.read(ctx, args)
        ctx.args = []
        return ctx.args

    def read(self, ctx: click.Context, words: list[str]) -> Args:
        """Return the arguments that the words after the verb are.

        Raises:
            UsageFault: they do not follow the grammar.
            click.exceptions.Exit: the help text was asked for, and is shown.
        """
        ctx.obj.kind = self.kind
        if words == ["help"] and not ctx.resilient_parsing and not self._reads_files():
            show_text(ctx, self.get_help(ctx))  # ip route add help
        once = None if ctx.resilient_parsing else self._parser
        parser = once or self.make_parser(ctx)
        args, _ = parser.read(ctx, words)
        if ctx.resilient_parsing:
            ctx.meta[_PARSER] = parser
            return args
        name = missing(self._required, args)
        if name is not None:
            raise UsageFault(f"{self.path}: {name} is missing", hint=self.examples[0])
        return args

    def _reads_files(self) -> bool:
        """Return whether its first word names a file, which may have any name."""
        return bool(self.params) and self.params[0].metavar == "FILE"

    def invoke(self, ctx: click.Context) -> int:
        """Run the command and return its exit status."""
        ctx.obj.admit(self.path, ctx.params)
        return self.run(ctx.obj, ctx.params) or 0

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line; click wraps at blanks, and what belongs together has none."""
        pieces = " ".join(self.collect_usage_pieces(ctx)).replace("-", "\u2011")
        inner = click.HelpFormatter(width=formatter.width)
        inner.write_usage(f"smolctl {self.path}", pieces)
        formatter.write(inner.getvalue().replace("\xa0", " ").replace("\u2011", "-"))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text: examples first."""
        write_examples(formatter, self.examples)
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(f"{sentence(self.summary)} {self.notes}".strip())
        self.format_options(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(
            'Options of every command, such as --json and --stack: "smolctl --help".'
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of its words, or of its options where none of them counts bare."""
        bare = any(isinstance(param, Word) and param.bare for param in self.params)
        write_list(formatter, "Words" if bare else "Options", ctx, self.params)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return what may come next."""
        return completer(ctx).words(self.get_params(ctx), ctx.meta[_PARSER], ctx, incomplete)


class Noun(Helpful, click.Group):
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
        super().__init__(name, help=summary, commands=list(verbs), add_help_option=False)
        self.summary = summary
        self.default = default
        self.aliases = {**VERB_ALIASES, **(aliases or {})}

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options of all commands, which may stand before the verb."""
        return list(GLOBAL_OPTIONS)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the verb."""
        rest = self.read(ctx, args)
        where = "_protected_args" if hasattr(ctx, "_protected_args") else "protected_args"
        setattr(ctx, where, rest[:1])  # click 8.1 has no underscore there
        ctx.args = rest[1:]
        ctx.meta[_REST] = rest
        ctx._opt_prefixes.update(("-", "--"))
        return ctx.args

    def read(self, ctx: click.Context, words: list[str]) -> list[str]:
        """Read the options before the verb; return the verb and all that follows.

        Raises: as ``Verb.read``.
        """
        if words and words[0][:1] != "-":
            return words
        if self._belongs_to_default(words):
            return [str(self.default), *words]
        parser = Parser("", self.get_params(ctx), resilient=ctx.resilient_parsing)
        _, rest = parser.read(ctx, words)
        return rest if rest or ctx.resilient_parsing else self.without_verb(ctx)

    def _belongs_to_default(self, words: list[str]) -> bool:
        """Return whether the words begin with an option of the verb that the noun alone means."""
        verb = self.commands.get(self.default or "")
        if not words or verb is None or any(word in self.commands for word in words):
            return False
        return any(words[0] in param.opts for param in verb.params)

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
            show_text(ctx, self.get_help(ctx))
        raise self.unknown(ctx, args)

    def unknown(self, ctx: click.Context, args: list[str]) -> UsageFault:
        """Return the error for a word that is no verb."""
        if args[0] in UNSUPPORTED.get(str(self.name), "").split():
            return NotSupported(f"{self.name} {args[0]}")
        hint = f"{ctx.command_path} --help"
        shown = self.commands.get(self.default or "")
        # Only what is a verb of this noun; short forms are like anything.
        names = [name for name in self.aliases if len(name) > 2 and self.get_command(ctx, name)]
        guess = near(args[0], [*self.commands, *names])
        # As in ip, a device or a prefix needs its verb; a word of the grammar is no typo of one.
        if shown is not None and (
            knows(shown.params, args[0])
            or (guess is None and any(isinstance(param, Place) for param in shown.params))
        ):
            hint = " ".join((ctx.command_path, shown.name or "", *args))
        elif guess is not None:
            hint = f'did you mean "{guess}"?'
        if VERB_HABITS.get(args[0]) in self.commands:
            hint = " ".join((ctx.command_path, VERB_HABITS[args[0]], *args[1:]))
        if habit := meant(self.name, args):
            hint = f"{ctx.command_path} {habit}"
        return UsageFault(f'{self.name} has no verb "{args[0]}"', hint=hint)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text: examples first."""
        verbs = [verb for verb in self.commands.values() if isinstance(verb, Verb)]
        write_examples(formatter, [verb.examples[0] for verb in verbs])
        formatter.write_paragraph()
        verb = "VERB" if self.default is None else "[VERB]"
        formatter.write_usage(f"smolctl {self.name}", f"{verb} [WORDS]")
        formatter.write_paragraph()
        formatter.write_text(sentence(self.summary))
        with formatter.section("Verbs"):
            formatter.write_dl(
                [
                    (f"{verb.name} (or no verb)" if verb.name == self.default else str(verb.name),
                     verb.summary)
                    for verb in verbs
                ]
            )  # fmt: skip
        formatter.write_paragraph()
        formatter.write_text(f'Words and options of a verb: "smolctl {self.name} VERB --help".')

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the verbs and options that may come next."""
        # A word that is none of the names may stand before.
        return completer(ctx).names({} if ctx.meta[_REST] else self.entries(ctx), incomplete)

    def entries(self, ctx: click.Context) -> Mapping[str, str]:
        """Return the names that may come next, and what each is."""
        return {name: str(command.help) for name, command in self.commands.items()}


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

    def asked(self, args: Args, options: Options) -> Plan:
        """Return the request as the options want it: without rows that nobody would see."""
        plan = self.plan(args)
        if plan.op in _MAY_BE_QUIET and not (options.json or options.stats or options.verbose):
            plan.args["quiet"] = True
        return plan._replace(args=options.asked(plan.args))

    def __call__(self, session: Session, args: Args) -> None:
        """Run it."""
        op, sent, render = self.asked(args, session.options)
        show(session, session.call(op, **sent), args, render)


_MAY_BE_QUIET = frozenset({"route.flush"})
"""Changes whose rows, which may be very many, are shown only when asked for."""


def request(op: str, render: Render | None = None) -> Request:
    """Return the run function of a command whose arguments are those of one request."""
    return Request(lambda args: Plan(op, args, render))


def show(
    session: Session, rows: Rows | Iterator[dict[str, Any]], args: Args, render: Render | None
) -> None:
    """Write rows in the form that the options ask for; those of an iterator as they come."""
    rows = [*map(named, rows)] if isinstance(rows, list) else map(named, rows)
    if session.options.json:
        session.out.document(rows)
    elif render is not None:
        session.out.lines(render(rows, args, session.out))


_PARSER = "smolctl.parser"
"""Key under which a context keeps its parser for completion."""
_REST = "smolctl.rest"
"""Key under which a context keeps the words from a noun or verb on."""

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
