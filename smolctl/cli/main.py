"""The entry point: finds the command, runs it, and turns every ending into an exit status."""

import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from smolctl.cli import exit as exits
from smolctl.cli.output import prepare
from smolctl.cli.session import Session
from smolctl.cli.words.aliases import (
    HABITS,
    NOUN_ALIASES,
    UNSUPPORTED,
    VERB_ALIASES,
    VERB_HABITS,
    meant,
)
from smolctl.cli.words.command import Noun, Verb, write_examples, write_list
from smolctl.cli.words.grammar import Completer, NotSupported, UsageFault
from smolctl.cli.words.options import (
    DEFAULT_STACK,
    GLOBAL_OPTIONS,
    HUMAN,
    IEC,
    GlobalOption,
    Options,
    show_text,
)
from smolctl.errors import SmolctlError
from smolctl.near import near

NOUNS = {
    "stack": "start, stop and inspect stacks",
    "map": "draw the stacks, and the cables and other wires between them",
    "link": "show, add, change and delete interfaces",
    "addr": "show, add, change and delete addresses",
    "route": "show, add, change, delete and look up routes",
    "nexthop": "show, add and delete the next hops that routes share",
    "rule": "show, add and delete the rules that choose a routing table",
    "neigh": "show, add, change and delete neighbor entries",
    "maddr": "show, join and leave multicast groups",
    "addrlabel": "show and change the labels of IPv6 addresses",
    "sysctl": "show and change settings",
    "socket": "show sockets and their queues, end connections",
    "stats": "show counters, and which packets were dropped and why",
    "monitor": "watch changes and dropped packets as they happen",
    "explain": "explain what a reason means, and what helps",
    "why": "explain what would happen to a packet, or what happened",
    "reach": "show who reaches whom among several stacks, and why not",
    "trace": "show what happens to each packet, step by step, as it happens",
    "udp": "send, receive and echo datagrams",
    "tcp": "connect, listen, send and echo",
    "exec": "run a program on the stack, instead of the kernel's network",
    "capture": "show packets, write them to a file, or read them from one",
    "ping": "send ICMP echo requests to a host",
    "traceroute": "show the hops on the way to a host",
    "arping": "ask a neighbor for its link address",
    "ndisc": "ask an IPv6 neighbor for its link address",
    "lab": "run networks of stacks from a file, in virtual time",
    "batch": "run the commands of a file over one connection",
    "config": "print the commands that make a stack again, or like another",
    "host": "show the Linux host's own network, and save it as a stack's",
    "doctor": "check what works on this machine, and say what to do",
    "help": "show help for a command",
}
"""Each noun is the attribute COMMAND of the module of its name, imported only when used."""


class Root(Noun):
    """``smolctl`` itself: the nouns, each loaded when it is used."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> Any:
        """Run a command line as this process would: click's CliRunner asks for that."""
        status = run(sys.argv[1:] if args is None else args)
        if extra.get("standalone_mode", True):
            sys.exit(status)
        return status

    def __init__(self) -> None:
        super().__init__("smolctl", "A stack of IPv4 and IPv6 that is driven like ip", ())
        self.aliases = NOUN_ALIASES

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options of all commands, and those that count before a noun alone."""
        return ROOT_OPTIONS

    def without_verb(self, ctx: click.Context) -> list[str]:
        """Without a noun there is nothing to do, but for ``-batch FILE``: the help text says what.

        Raises:
            click.exceptions.Exit: the help text was asked for by ``-h``.
        """
        file = ctx.meta.pop(_BATCH, None)
        if file is not None:
            return ["batch", *(["--force"] if ctx.meta.pop(_FORCE, None) else []), file]
        if ctx.obj.options.human:
            show_text(ctx, self.get_help(ctx))
        raise _NoNoun

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the nouns in the order of the help text."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the noun of that name or short form."""
        name = NOUN_ALIASES.get(cmd_name, cmd_name)
        if name not in NOUNS:
            return None
        module = __import__(f"smolctl.cli.nouns.{name}", fromlist=["COMMAND"])
        command: click.Command = module.COMMAND
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the noun."""
        command = self.get_command(ctx, args[0])
        if command is None and not ctx.resilient_parsing:
            if args[0] in UNSUPPORTED["smolctl"].split():
                raise NotSupported(args[0])
            guess = near(args[0], [*NOUNS, *(name for name in NOUN_ALIASES if len(name) > 2)])
            hint = f'did you mean "{guess}"?' if guess else "smolctl --help"
            if turned := _turned(args):
                hint = f"smolctl {turned}"
            if habit := meant("smolctl", args):
                hint = f"smolctl {habit}"
            raise UsageFault(f'"{args[0]}" is not a command', hint=hint)
        return (command.name if command else None), command, args[1:]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text: examples first."""
        write_examples(formatter, _EXAMPLES)
        formatter.write_paragraph()
        formatter.write_usage("smolctl", "[OPTIONS] NOUN [VERB] [WORDS]")
        formatter.write_paragraph()
        formatter.write_text(
            "A user-space stack of IPv4 and IPv6 that is driven like ip, and that can tell you why."
            " A stack is started when it is first needed; it needs no privileges."
        )
        with formatter.section("Nouns"):
            formatter.write_dl(list(NOUNS.items()))
        title = "Options of every command, before or after its noun and verb"
        write_list(formatter, title, ctx, TAUGHT)
        formatter.write_paragraph()
        formatter.write_text(
            'Help for a command: "smolctl NOUN --help" or "smolctl help NOUN VERB".'
        )

    @property
    def completer(self) -> Completer:
        """The completion of words; imported when a shell asks for it."""
        from smolctl.cli.words import complete

        return complete

    def entries(self, ctx: click.Context) -> Mapping[str, str]:
        """Return the nouns, without loading any."""
        return NOUNS


def _turned(words: list[str]) -> str | None:
    """Return what has the verb before the noun, "show addr", in the order of ``ip``; or None."""
    verb = VERB_ALIASES.get(words[0], VERB_HABITS.get(words[0], words[0]))
    said = words[1] if len(words) > 1 else ""
    noun = HABITS["smolctl"].get(said, NOUN_ALIASES.get(said, said))
    if noun not in NOUNS or verb not in VERB_ALIASES.values():
        return None
    return " ".join((noun, verb, *words[2:]))


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    ctx.meta[f"smolctl.{param.name}"] = value


_BATCH, _FORCE = "smolctl.batch", "smolctl.force"
ROOT_OPTIONS: list[click.Parameter] = [
    *(option.without({"-h"}) for option in GLOBAL_OPTIONS),
    HUMAN,
    IEC,
    GlobalOption("-batch -b --batch", "as smolctl batch FILE", "FILE", _keep, hidden=True),
    GlobalOption("-force --force", "go on after a failed command", None, _keep, hidden=True),
]
TAUGHT = [*GLOBAL_OPTIONS, HUMAN.without({"-h"})]
"""Options of all commands as help and the man page have them."""
_EXAMPLES = (
    "smolctl link add tap0 type tap",
    "smolctl addr add 10.0.0.1/24 dev tap0",
    "smolctl route add default via 10.0.0.2",
    "smolctl udp send 10.0.0.2:9 hello",
    "smolctl -j neigh show",
)


FIRST_SCREEN = """\
smolctl is a network stack in user space, driven like ip. It can tell you why.

Try it now; it needs no privileges:
  smolctl ping -c 1 127.0.0.2           ping an address of the loopback
  smolctl udp send 127.0.0.1:9 hello    send to a port where nobody listens
  smolctl why last                      ask why it failed, and what helps
  smolctl stats drops                   see what was dropped, and why

Plug it into the Linux kernel (as root):
  smolctl link add tap0 type tap
  smolctl addr add 10.0.0.1/24 dev tap0
  smolctl why udp 10.0.0.2:9            predict a packet before you send it

Learn more:
  smolctl --help                        all commands and options
  smolctl help addr add                 one command, with examples
  smolctl doctor                        what works on this machine
  man smolctl-tutorial                  the first ten minutes"""
"""The answer to a command line without words: for those who do not know what to do."""


class _NoNoun(Exception):
    """The command line names no noun."""


ROOT = Root()


def run(argv: Sequence[str], session: Session | None = None) -> int:
    """Run one command line and return its exit status; nothing is raised, whatever happens.

    Args:
        argv: the words after ``smolctl``.
        session: with the options that count before them; this process's unless said otherwise.
    """
    session = session or Session(Options(os.environ.get("SMOLCTL_STACK") or DEFAULT_STACK))
    try:
        try:
            status = dispatch(session, argv)
        finally:
            session.close()
        session.out.flush()
    except SmolctlError as error:
        _ask_for_json(session, error, argv)
        session.out.error(error)
        if error.packet is not None and not session.options.json:
            from smolctl.cli.nouns.stream import ask_why

            ask_why(session, error.code, error.packet)
        return _ending(session, exits.status(error.code, session.kind))
    except KeyboardInterrupt:
        return _ending(session, exits.INTERRUPTED)
    except BrokenPipeError:
        _abandon_output()
        return exits.PIPE_CLOSED
    except Exception as error:  # a bug of ours: the user gets one line, not a traceback
        if os.environ.get("SMOLCTL_DEBUG"):
            raise
        session.out.error(_bug(error))
        return _ending(session, exits.FIX)
    return status


def entry() -> None:
    """Run the command line of this process."""
    # Everything that start-up made lives until the end: looking for garbage in it costs 2 ms.
    gc.freeze()
    gc.enable()
    if os.environ.get("_SMOLCTL_COMPLETE") == "words":
        sys.exit(_complete())
    prepare()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by __main__ for the imports
        signal.signal(signal.SIGINT, signal.default_int_handler)
    status = run(sys.argv[1:])
    if status == exits.INTERRUPTED:
        # Ended by the signal, not by a status that looks like it: only then does a shell end the
        # loop or the script that the command is part of.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(status)


def _complete() -> int:
    """Answer a completion script; silent whatever happens."""
    from smolctl.cli.words import complete

    session = Session(Options(os.environ.get("SMOLCTL_STACK") or DEFAULT_STACK))
    line, word = (os.environ.get(f"_SMOLCTL_{name}", "") for name in ("LINE", "WORD"))
    with suppress(Exception):
        session.out.lines(complete.answer(ROOT, session, line, word))
        session.out.flush()
    return exits.DONE


def dispatch(session: Session, argv: Sequence[str]) -> int:
    """Run one command line and return its exit status.

    Raises:
        SmolctlError: it is wrong, or has failed.
        KeyboardInterrupt: SIGINT came, and nothing was left to say.
    """
    try:
        context = ROOT.make_context("smolctl", list(argv), obj=session)
        with context:
            status = ROOT.invoke(context)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as error:
        raise UsageFault(error.format_message()) from None
    except _NoNoun:
        session.out.complaint(FIRST_SCREEN)
        return exits.FIX
    return int(status or 0)


def _ending(session: Session, status: int) -> int:
    """Return ``status`` after what was written before an error has reached the reader."""
    try:
        session.out.flush()
    except BrokenPipeError:
        _abandon_output()
    except SmolctlError:
        _abandon_output()
    return status


def _abandon_output() -> None:
    """Nobody reads what is left: keep the interpreter from complaining about it at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError):  # a standard output without a file has no such trouble
        os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _ask_for_json(session: Session, error: SmolctlError, argv: Sequence[str]) -> None:
    """An error in the middle of the words came before a -j at their end was read."""
    if isinstance(error, UsageFault) and any(word in ("-j", "--json", "-json") for word in argv):
        session.options.json = True


def _bug(error: Exception) -> SmolctlError:
    return SmolctlError(
        f"internal error: {type(error).__name__}: {' '.join(str(error).split())}",
        hint="this is a bug; please report the traceback that SMOLCTL_DEBUG=1 shows",
        code="internal",
    )


__all__ = ["NOUNS", "ROOT", "Root", "Verb", "dispatch", "entry", "run"]
