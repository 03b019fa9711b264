"""What the shell's completion offers; the scripts in completions/ ask for it.

A script sets ``_SMOLCTL_COMPLETE=words``, ``_SMOLCTL_LINE`` to the line before the word that is
being typed, and ``_SMOLCTL_WORD`` to what is typed of it. It gets a line for each word, with a tab
and a description behind it where there is one; ``FILES`` stands for the names of files, which the
shell knows itself.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from smolctl.cli.words.grammar import Args, Keyword, Parser, Positional, Table
from smolctl.cli.words.live import LIVE, Names, live
from smolctl.cli.words.options import COLOR_WHEN, GLOBAL_OPTIONS, GlobalOption, Options

FILES = "<files>"
"""Stands among the words for the names of files: no word of ours looks like that."""

_OF_FILES = ("FILE", "PATH")
"""Values that are names of files, by the names that they have in help."""

Owner = Keyword | Positional | GlobalOption


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


def words(parser: Parser, table: Table, options: Options, incomplete: str) -> list[CompletionItem]:
    """Return what may come next in the words of a command.

    Args:
        parser: has read the words before.
        table: the command's grammar.
        options: what the words before said.
        incomplete: the beginning of the word to complete.
    """
    args = parser.args
    if parser.pending is not None:
        return _offered(parser.pending, options, args, incomplete)
    if incomplete.startswith("-"):
        mine = list(_options(table, args))
        taken = {flag for flag, _ in _options(table, {})}
        rest = (item for item in _global_options() if item[0] not in taken)
        return _matching([*mine, *rest], incomplete)
    if parser.group:
        inner = {word: keyword.help for word, keyword in parser.group.items()}
        inner.update(item for item in _bare(table, args) if item[0] not in inner)
        return _matching(inner.items(), incomplete)
    place = parser.free_positional()
    values = _offered(place, options, args, incomplete) if place else []
    return values + _matching(_bare(table, args), incomplete)


def group(
    parser: Parser, entries: Mapping[str, str], options: Options, incomplete: str
) -> list[CompletionItem]:
    """Return the names in a group, or global options, that may come next."""
    if parser.pending is not None:
        return _offered(parser.pending, options, {}, incomplete)
    if incomplete.startswith("-"):
        return _matching(_global_options(), incomplete)
    if parser.rest:  # a word that is none of the names stands before
        return []
    return _matching(entries.items(), incomplete)


def parameters(table: Table | None) -> list[click.Parameter]:
    """Return the options with a value as click knows them, which completes ``--dev=X`` by them.

    Args:
        table: grammar of the command; None where only global options are known.
    """
    owners: list[tuple[list[str], Owner]] = [
        (list(option.flags), option) for option in GLOBAL_OPTIONS if option.metavar
    ]
    if table is not None:
        # click knows an option by its name alone, so not those that mean something else there.
        keywords = [keyword for keyword in table.keywords if keyword.within is None]
        words: tuple[Keyword | Positional, ...] = (*keywords, *table.positionals)
        owners += [
            ([f"--{word}" for word in owner.words], owner)
            for owner in words
            if owner.words and owner.metavar
        ]
    return [
        click.Option(flags, expose_value=False, shell_complete=_completer(owner))
        for flags, owner in owners
    ]


def _completer(
    owner: Owner,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    return lambda ctx, _, start: _offered(owner, ctx.obj.options, ctx.params, start)


def _matching(entries: Iterable[tuple[str, str]], start: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=text) for name, text in entries if name.startswith(start)]


def _bare(table: Table, used: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for keyword in table.keywords:
        if not keyword.bare or not keyword.applies(used):
            continue
        if keyword.group or (keyword.key or keyword.words[0]) not in used:
            for word in keyword.words if keyword.choice else keyword.words[:1]:
                yield word, keyword.help
    for place in table.positionals:
        if place.key not in used:
            yield from ((word, place.help) for word in place.words)


def _options(table: Table, used: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for keyword in table.keywords:
        if (keyword.key or keyword.words[0]) in used and not (keyword.many or keyword.group):
            continue
        for word in keyword.words if keyword.choice else keyword.words[:1]:
            yield f"--{word}", keyword.help
        if keyword.short:
            yield f"-{keyword.short}", keyword.help


def _global_options() -> Iterator[tuple[str, str]]:
    for option in GLOBAL_OPTIONS:
        # Not ip's -json and the like, which are understood but not taught.
        taught = (flag for flag in option.flags if flag.startswith("--") or len(flag) <= 3)
        yield from ((flag, option.help) for flag in taught)


def _offered(owner: Owner, options: Options, args: Args, start: str) -> list[CompletionItem]:
    """Return the values of a word that begin like this."""
    found = _matching(_values(owner, options, args, start), start)
    if owner.metavar in _OF_FILES:
        found.append(CompletionItem(start, type="file"))
    return found


def _values(owner: Owner, options: Options, args: Args, start: str) -> Names:
    if isinstance(owner, GlobalOption):
        if owner.name == "color":
            return [(value, "") for value in COLOR_WHEN]
        return live("stack", options, args) if owner.name == "stack" else []
    fixed = [(value, "") for value in owner.values]
    prefix = owner.prefix if isinstance(owner, Keyword) else ""
    if prefix and f"{owner.words[0]}_{prefix}" not in args:
        fixed.append((prefix, ""))
    kind = f"{owner.complete}=" if f"{owner.complete}=" in LIVE and "=" in start else owner.complete
    return fixed + (live(kind, options, args) if kind else [])
