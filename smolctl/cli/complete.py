"""What the shell's completion offers; click carries it to bash, zsh and fish.

Silent whatever happens, never starts a daemon, and gives up on a slow one: a key press waits.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from smolctl.cli.grammar import Keyword, Parser, Positional, Table
from smolctl.cli.options import COLOR_WHEN, GLOBAL_OPTIONS, GlobalOption, Options
from smolctl.errors import SmolctlError

_PATIENCE_S = 0.05


def words(parser: Parser, table: Table, options: Options, incomplete: str) -> list[CompletionItem]:
    """Return what may come next in the words of a command.

    Args:
        parser: has read the words before.
        table: the command's grammar.
        options: what the words before said.
        incomplete: the beginning of the word to complete.
    """
    if parser.pending is not None:
        return _matching(_values(parser.pending, options, incomplete), incomplete)
    if incomplete.startswith("-"):
        return _matching([*_options(table), *_global_options()], incomplete)
    if parser.group:
        inner = {word: keyword.help for word, keyword in parser.group.items()}
        inner.update(item for item in _bare(table, parser.args) if item[0] not in inner)
        return _matching(inner.items(), incomplete)
    place = parser.free_positional()
    values = _values(place, options, incomplete) if place else []
    return _matching([*values, *_bare(table, parser.args)], incomplete)


def group(
    parser: Parser, entries: Mapping[str, str], options: Options, incomplete: str
) -> list[CompletionItem]:
    """Return the names in a group, or global options, that may come next."""
    if parser.pending is not None:
        return _matching(_values(parser.pending, options), incomplete)
    if incomplete.startswith("-"):
        return _matching(_global_options(), incomplete)
    return _matching(entries.items(), incomplete)


def parameters(table: Table | None) -> list[click.Parameter]:
    """Return the options with a value as click knows them, which completes ``--dev=X`` by them.

    Args:
        table: grammar of the command; None where only global options are known.
    """
    owners: list[tuple[list[str], Keyword | Positional | GlobalOption]] = [
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
    owner: Keyword | Positional | GlobalOption,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    return lambda ctx, _, start: _matching(_values(owner, ctx.obj.options, start), start)


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


def _options(table: Table) -> Iterator[tuple[str, str]]:
    for keyword in table.keywords:
        for word in keyword.words if keyword.choice else keyword.words[:1]:
            yield f"--{word}", keyword.help
        if keyword.short:
            yield f"-{keyword.short}", keyword.help


def _global_options() -> Iterator[tuple[str, str]]:
    for option in GLOBAL_OPTIONS:
        yield from ((flag, option.help) for flag in option.flags if flag.startswith("--"))


def _values(
    owner: Keyword | Positional | GlobalOption, options: Options, start: str = ""
) -> list[tuple[str, str]]:
    if isinstance(owner, GlobalOption):
        if owner.name == "color":
            return [(value, "") for value in COLOR_WHEN]
        return live("stack", options) if owner.name == "stack" else []
    fixed = [(value, "") for value in owner.values]
    kind = f"{owner.complete}=" if f"{owner.complete}=" in LIVE and "=" in start else owner.complete
    return fixed + (live(kind, options) if kind else [])


def live(kind: str, options: Options) -> list[tuple[str, str]]:
    """Return names from the daemon with a word about each; none when it does not run."""
    try:
        return LIVE[kind](options)
    except (SmolctlError, OSError, KeyError):
        return []


def _call(options: Options, op: str, **args: str) -> list[dict[str, Any]]:
    from smolctl.client import Client

    with Client.connect(options.stack, start=False, timeout=_PATIENCE_S) as client:
        return client.call(op, **args)


def _links(options: Options) -> list[tuple[str, str]]:
    return [(row["ifname"], row["operstate"]) for row in _call(options, "link.show")]


def _addresses(options: Options) -> list[tuple[str, str]]:
    return [
        (f"{info['local']}/{info['prefixlen']}", row["ifname"])
        for row in _call(options, "addr.show")
        for info in row["addr_info"]
    ]


def _own(options: Options) -> list[tuple[str, str]]:
    return [(address.partition("/")[0], device) for address, device in _addresses(options)]


def _tables(options: Options) -> list[tuple[str, str]]:
    rows = [*_call(options, "rule.show"), *_call(options, "route.show", table="all")]
    used = {row["table"] for row in rows if "table" in row}
    return [(table, "") for table in sorted(used - {"local", "main", "default"})]


def _rules(options: Options) -> list[tuple[str, str]]:
    rows = _call(options, "rule.show")
    return [(str(row["priority"]), f"from {row['src']}") for row in rows]


def _neighbors(options: Options) -> list[tuple[str, str]]:
    rows = _call(options, "neigh.show")
    return [(row["dst"], f"{row['dev']} {' '.join(row['state'])}") for row in rows]


def _hosts(options: Options) -> list[tuple[str, str]]:
    return _neighbors(options) + _own(options)


def _groups(options: Options) -> list[tuple[str, str]]:
    return [
        (entry["address"], row["ifname"])
        for row in _call(options, "maddr.show")
        for entry in row["maddr"]
        if "features" in entry
    ]


def _stacks(_options: Options) -> list[tuple[str, str]]:
    from smolctl.control import paths

    return [(name, "") for name in paths.stacks()]


def _settings(options: Options) -> list[tuple[str, str]]:
    try:
        return [(row["key"], str(row["value"])) for row in _call(options, "sysctl.show")]
    except (SmolctlError, OSError):  # no stack runs: the keys are the same in all
        from smolctl.stack.settings import KNOBS

        return [(knob.key, str(knob.show(knob.default))) for knob in KNOBS.values()]


def _assignments(_options: Options) -> list[tuple[str, str]]:
    from smolctl.stack.profile import PROFILES
    from smolctl.stack.settings import KNOBS

    values = {
        (key, word): "" for key, knob in KNOBS.items()
        for word in knob.words or (("0", "1") if knob.unit == "flag" else ())
    }  # fmt: skip
    for profile in PROFILES.values():
        values.update({item: profile.name for item in profile.values.items()})
    return [(f"{key}={word}", text) for (key, word), text in values.items()]


def _profiles(_options: Options) -> list[tuple[str, str]]:
    from smolctl.stack.profile import PROFILES

    return [(profile.name, profile.what) for profile in PROFILES.values()]


def _nouns(_options: Options) -> list[tuple[str, str]]:
    from smolctl.cli.main import NOUNS

    return list(NOUNS.items())


def _reasons(_options: Options) -> list[tuple[str, str]]:
    from smolctl.stack.reason import REASONS

    return [(reason.name, reason.summary) for reason in REASONS.values()]


def _checks(_options: Options) -> list[tuple[str, str]]:
    from smolctl.doctor import CHECKS

    return [(name, what) for name, (_, what) in CHECKS.items()]


LIVE: dict[str, Callable[[Options], list[tuple[str, str]]]] = {
    "link": _links,
    "addr": _own,
    "prefix": _addresses,
    "table": _tables,
    "rule": _rules,
    "neigh": _neighbors,
    "host": _hosts,
    "group": _groups,
    "stack": _stacks,
    "sysctl": _settings,
    "sysctl=": _assignments,
    "profile": _profiles,
    "noun": _nouns,
    "reason": _reasons,
    "check": _checks,
}
"""Kinds of names, as the tables' ``complete`` has them."""
