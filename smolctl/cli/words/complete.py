"""Completion for the shell; the scripts in completions/ ask for it.

A script sets ``_SMOLCTL_COMPLETE=words``, ``_SMOLCTL_LINE`` to the line before the word that is
being typed, and ``_SMOLCTL_WORD`` to what is typed of it. It gets a line for each word, with a tab
and a description behind it where there is one; ``FILES`` stands for the names of files, which the
shell knows itself. click finds the command, and the option whose value is being typed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from smolctl.cli.words.command import Noun
from smolctl.cli.words.grammar import Args, Place, Word
from smolctl.cli.words.live import LIVE, OF_LINKS, at_link, live
from smolctl.cli.words.options import GLOBAL_OPTIONS, GlobalOption
from smolctl.cli.words.parser import Parser

FILES = "<files>"
"""Stands among the words for the names of files: no word of ours looks like that."""

_OF_FILES = ("FILE", "FILES", "PATH")
"""Values that are names of files, by the names that they have in help."""


def answer(root: click.Command, session: Any, line: str, word: str) -> Iterator[str]:
    """Yield the lines that a script gets.

    Args:
        root: the command ``smolctl``.
        session: what its commands need to run.
        line: what stands before the word, with the quotes of a shell.
        word: what was typed of it.
    """
    start = "".join(split_arg_string(word)[:1])
    # click takes --scope=l apart and answers "link"; a shell replaces the whole word.
    prefix = start[: start.index("=") + 1] if start.startswith("--") and "=" in start else ""
    shell = ShellComplete(root, {"obj": session}, "smolctl", "")
    for item in shell.get_completions(split_arg_string(line)[1:], start):
        if item.type == "file":
            yield FILES
        else:
            text = " ".join(item.help.split()) if item.help else ""
            yield f"{prefix}{item.value}\t{text}" if text else f"{prefix}{item.value}"


def words(
    params: list[click.Parameter], parser: Parser, ctx: click.Context, start: str
) -> list[CompletionItem]:
    """Return what may come next in the words of a command.

    Args:
        params: the command's.
        parser: has read the words before.
        ctx: what they said.
        start: the beginning of the word to complete.
    """
    args = ctx.params
    if parser.pending is not None:
        return values(parser.pending, ctx, start)
    whole = next((each for each in params if isinstance(each, Place) and each.rest), None)
    if whole is not None and whole.name in args:
        return values(whole, ctx, start)
    own = [param for param in params if isinstance(param, Word) and not param.hidden]
    if start.startswith("-"):
        rest = [param for param in params if isinstance(param, GlobalOption)]
        return _matching([*_options(own, args), *_taught(rest)], start)
    places = [param for param in params if isinstance(param, Place)]
    bare = dict(_bare(own, places, args))
    if parser.group:
        inner = dict(_bare(parser.inner, [], parser.into))
        return _matching({**inner, **bare, **inner}.items(), start)
    place = next((place for place in places if place.many or place.name not in args), None)
    return (values(place, ctx, start) if place else []) + _matching(bare.items(), start)


def names(entries: Mapping[str, str], start: str) -> list[CompletionItem]:
    """Return the names, or the options of all commands, that may come next."""
    if start.startswith("-"):
        return _matching(_taught(GLOBAL_OPTIONS), start)
    return _matching(entries.items(), start)


def values(owner: Any, ctx: click.Context, start: str) -> list[CompletionItem]:
    """Return the values of a parameter that begin like this."""
    options, args = ctx.obj.options, ctx.params
    if isinstance(owner, GlobalOption):
        found = [(word, "") for word in owner.optional]
        found += live("stack", options, args) if owner.name == "stack" else []
    else:
        found = [(value, "") for value in owner.values]
        if owner.prefix and f"{owner.name}_{owner.prefix}" not in args:
            found.append((owner.prefix, ""))
        kind = owner.complete
        kind = f"{kind}=" if f"{kind}=" in LIVE and "=" in start else kind
        if kind in ("noun", "verb"):
            found += _commands(ctx.find_root(), args if kind == "verb" else {})
        elif kind:
            names = live(kind, options, args)
            found += at_link(options, args, names, start) if kind in OF_LINKS else names
    items = _matching(found, start)
    # What follows a program may be anything, of which a shell knows the files.
    given = owner.name in args or "/" in start
    of_program = given and getattr(owner, "complete", "") == "command"
    if owner.metavar in _OF_FILES or of_program:
        items.append(CompletionItem(start, type="file"))
    return items


def _commands(root: click.Context, args: Args) -> list[tuple[str, str]]:
    """Return the verbs of the noun that was named; the nouns where none was."""
    command = root.command
    if "noun" in args and isinstance(command, Noun):
        found = command.get_command(root, args["noun"])
        verbs = found.commands.values() if isinstance(found, click.Group) else ()
        return [(str(verb.name), str(verb.help)) for verb in verbs]
    return list(command.entries(root).items()) if isinstance(command, Noun) else []


def _matching(entries: Iterable[tuple[str, str]], start: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=text) for name, text in entries if name.startswith(start)]


def _spellings(word: Word) -> tuple[str, ...]:
    return word.words if word.choice else word.words[:1]


def _bare(own: Iterable[Word], places: list[Place], used: Args) -> Iterator[tuple[str, str]]:
    for word in own:
        if word.bare and word.applies(used) and (word.group or word.name not in used):
            yield from ((spelling, str(word.help)) for spelling in _spellings(word))
    for place in places:
        if place.name not in used:
            yield from ((spelling, str(place.help)) for spelling in place.words)


def _options(own: list[Word], used: Args) -> Iterator[tuple[str, str]]:
    for word in own:
        if word.name not in used or word.multiple:
            yield from ((f"--{spelling}", str(word.help)) for spelling in _spellings(word))
            if word.short:
                yield f"-{word.short}", str(word.help)


def _taught(options: Iterable[GlobalOption]) -> Iterator[tuple[str, str]]:
    for option in options:
        if option.hidden:
            continue
        yield from ((flag, str(option.help)) for flag in option.taught)
