"""The options that every command takes, before and after its noun and verb."""

from typing import TYPE_CHECKING, Any, Self

import click

from smolctl.cli.words.grammar import NotSupported, UsageFault, completer

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

DEFAULT_STACK = "default"
COLOR_WHEN = ("auto", "always", "never")


class Options:
    """The options that all commands have, as one command line sets them.

    Args:
        stack: name of the stack when no option names one.

    Attributes:
        named: the command line names the stack.
        family: inet or inet6 where -4 or -6 says so.
    """

    json = pretty = brief = oneline = stats = timestamp = tshort = False
    quiet = verbose = no_start = human = iec = named = False
    color = "auto"
    family: str | None = None

    def __init__(self, stack: str = DEFAULT_STACK) -> None:
        self.stack = stack

    def asked(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a request, with the family that it is about."""
        return args if self.family is None else {"family": self.family, **args}

    def copy(self) -> "Options":
        """Return the same options, to be changed on their own."""
        result = Options()
        result.__dict__.update(self.__dict__)
        return result


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    setattr(ctx.obj.options, str(param.name), value)


def _set_stack(ctx: click.Context, _param: click.Parameter, value: str) -> None:
    ctx.obj.options.stack, ctx.obj.options.named = value, True


def _set_iec(ctx: click.Context, _param: click.Parameter, _value: Any) -> None:
    ctx.obj.options.human = ctx.obj.options.iec = True


def _set_inet(ctx: click.Context, _param: click.Parameter, _value: Any) -> None:
    ctx.obj.options.family = "inet"


def _set_inet6(ctx: click.Context, _param: click.Parameter, _value: Any) -> None:
    ctx.obj.options.family = "inet6"


def _set_family(ctx: click.Context, param: click.Parameter, value: str) -> None:
    if value not in ("inet", "inet6"):
        raise NotSupported(f"{param.opts[0]} {value}", "the families are inet and inet6")
    ctx.obj.options.family = value


def _set_color(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value not in (None, *COLOR_WHEN):
        raise UsageFault(f'--color "{value}" is none of: {", ".join(COLOR_WHEN)}')
    ctx.obj.options.color = value or "always"


def show_text(ctx: click.Context, text: str) -> None:
    """Write a text, and end the command.

    Raises:
        click.exceptions.Exit: always.
    """
    ctx.obj.out.line(text.rstrip("\n"))
    ctx.exit()


def _show_help(ctx: click.Context, _param: click.Parameter, _value: Any) -> None:
    if not ctx.resilient_parsing:
        show_text(ctx, ctx.command.get_help(ctx))


def _show_version(ctx: click.Context, _param: click.Parameter, _value: Any) -> None:
    if not ctx.resilient_parsing:
        from smolctl import __version__

        show_text(ctx, f"smolctl {__version__}")


class GlobalOption(click.Option):
    """An option of all commands.

    Args:
        flags: its spellings, the short one first.
        help: one line.
        metavar: name of its value; None for a switch.
        callback: what it does; by default it sets the attribute of ``Options`` of its name. None
            is for what Linux's tools know and this stack cannot mean.
        more: ``optional``, the words that are taken for its value; without one of them it has
            none; and ``hidden``, what Linux's tools know.
    """

    prefix = ""
    family = False
    bare = False
    before = ()

    def __init__(
        self, flags: str, help: str, metavar: str | None = None, callback: Any = _set, **more: Any
    ) -> None:
        super().__init__(
            flags.split(),
            metavar=metavar,
            is_flag=metavar is None,
            expose_value=False,
            callback=callback,
            hidden=more.get("hidden", False),
            type=click.UNPROCESSED,
        )
        self.help = help
        self.optional: tuple[str, ...] = more.get("optional", ())

    def without(self, flags: set[str]) -> Self:
        """Return the same option without some of its spellings."""
        result = object.__new__(type(self))
        opts = [flag for flag in self.opts if flag not in flags]
        result.__dict__.update(self.__dict__, opts=opts)
        return result

    @property
    def taught(self) -> list[str]:
        """Return its spellings but ip's -json and the like, which are understood, not taught."""
        return [flag for flag in self.opts if flag.startswith("--") or len(flag) <= 3]

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return its spellings, and its help."""
        if self.hidden:
            return None
        names = ", ".join(self.taught)
        return f"{names} {self.metavar}" if self.metavar else names, str(self.help)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the values that may follow it."""
        return completer(ctx).values(self, ctx, incomplete)


GLOBAL_OPTIONS = (
    GlobalOption("-n --stack", "stack to talk to (or SMOLCTL_STACK)", "NAME", _set_stack),
    GlobalOption("-j --json -json", "JSON on standard output, errors as JSON too"),
    GlobalOption("-p --pretty -pretty", "indent JSON"),
    GlobalOption("-br --brief -brief", "one short line for each object"),
    GlobalOption("-o --oneline -oneline", 'one line for each object, "\\" for newline'),
    GlobalOption("-s --stats -stats -statistics", "also counters and times"),
    GlobalOption("-t --timestamp -timestamp", "the time before each event"),
    GlobalOption("-ts --tshort -tshort", "the same in short form"),
    GlobalOption("-4 ipv4", "only IPv4", callback=_set_inet),
    GlobalOption("-6 ipv6", "only IPv6", callback=_set_inet6),
    GlobalOption("-q --quiet", "no notices on standard error"),
    GlobalOption("verbose -v --verbose -d --details -details", "say more"),
    GlobalOption("-c --color -color", "auto (default), always or never", "WHEN", _set_color,
                 optional=COLOR_WHEN),
    GlobalOption("--no-start", "do not start a stack that is not running"),
    GlobalOption("-h --help -help", "this text", callback=_show_help),
    GlobalOption("-V --version -Version", "version of smolctl", callback=_show_version),
    GlobalOption("-family -f --family", "inet or inet6", "FAMILY", _set_family, hidden=True),
    *(GlobalOption(flags, "not supported", None, None, hidden=True)
      for flags in ("-0 packet", "-B bridge", "-M mpls", "-resolve -r", "-all -a",
                    "-Numeric -N")),
    *(GlobalOption(flags, "not supported", "NUMBER", None, hidden=True)
      for flags in ("-loops -l", "-rcvbuf -rc")),
)  # fmt: skip
HUMAN = GlobalOption(
    "-h -human --human -human-readable", "large numbers with units, like -h before a noun"
)
IEC = GlobalOption("-iec --iec", "units of 1024, with -h", callback=_set_iec, hidden=True)
"""Options that count before a noun alone, as in ip: behind one, -h asks for help."""
BY_FLAG = {flag: option for option in GLOBAL_OPTIONS for flag in option.opts}


def beside(params: list[click.Parameter]) -> list[click.Parameter]:
    """Return the options of all commands that a command with these parameters knows.

    Its own ones win: -s is the size in ping, and -br is broadcast and raw in arping, brief
    everywhere else.
    """
    own = {flag for param in params for flag in param.opts if flag.startswith("-")}
    own |= {f"--{word}" for param in params for word in getattr(param, "words", ())}
    taken = {
        flag for flag in BY_FLAG if flag in own or (not flag.startswith("--") and flag[:2] in own)
    }
    if not taken:
        return list(GLOBAL_OPTIONS)
    left = [
        option.without(taken) if taken & {*option.opts} else option for option in GLOBAL_OPTIONS
    ]
    return [option for option in left if option.opts]
