"""The names that completion offers: those of a running stack, of this machine, and of our tables.

Silent whatever happens, never starts a daemon, and gives up on a slow one: a key press waits.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Any

from smolctl.cli.words.endpoint import zoned
from smolctl.cli.words.grammar import Args
from smolctl.cli.words.options import Options
from smolctl.errors import SmolctlError

Names = list[tuple[str, str]]
"""Names, and a word about each."""

_PATIENCE_S = 0.05
_MANY = 500
"""So many rows are read of what there may be very many of; nobody looks through more."""


def live(kind: str, options: Options, args: Args) -> Names:
    """Return the names of a kind with a word about each; none when nobody can tell.

    Args:
        kind: of ``LIVE``.
        options: say which stack.
        args: what the words before said.
    """
    try:
        if args.get("host") is True:  # as why has it: no stack is asked
            return OF_THE_HOST[kind](options, args) if kind in OF_THE_HOST else []
        return LIVE[kind](options, args)
    except (SmolctlError, OSError, KeyError):
        return []


def _call(options: Options, op: str, **args: str) -> list[dict[str, Any]]:
    from smolctl.client import Client

    with Client.connect(options.stack, start=False, timeout=_PATIENCE_S) as client:
        return list(islice(client.rows(op, **options.asked(args)), _MANY))


# --- of a stack -----------------------------------------------------------------------------------


def _links(options: Options, _args: Args) -> Names:
    return [(row["ifname"], row["operstate"]) for row in _call(options, "link.show")]


def _prefixes(options: Options, _args: Args) -> Names:
    return [
        (f"{info['local']}/{info['prefixlen']}", row["ifname"])
        for row in _call(options, "addr.show")
        for info in row["addr_info"]
    ]


def _labels(options: Options, _args: Args) -> Names:
    return [
        (info["label"], f"{info['local']}/{info['prefixlen']}")
        for row in _call(options, "addr.show")
        for info in row["addr_info"]
        if "label" in info
    ]


def _own(options: Options, _args: Args) -> Names:
    return [
        (zoned({"local": info["local"], "dev": row["ifname"]}, "local"), row["ifname"])
        for row in _call(options, "addr.show")
        for info in row["addr_info"]
    ]


def _of_both(options: Options, op: str, **args: Any) -> list[dict[str, Any]]:
    """Return the rows of the family that is asked for, or of both where ip would show one."""
    families = ("inet", "inet6") if options.family is None else (options.family,)
    return [row for family in families for row in _call(options, op, **args, family=family)]


def _routes(options: Options, args: Args) -> Names:
    table = args.get("table", "main")
    rows = _of_both(options, "route.show", table="main" if table == "cache" else table)
    return list({row["dst"]: (row["dst"], _way(row)) for row in rows}.values())


def _way(row: dict[str, Any]) -> str:
    words = [row["type"]] if "type" in row else []
    words += ["via", row["gateway"]] if "gateway" in row else []
    words += ["dev", row["dev"]] if "dev" in row else []
    return " ".join(words) or f"{len(row.get('nexthops', ()))} next hops"


def _tables(options: Options, _args: Args) -> Names:
    rows = [*_of_both(options, "rule.show"), *_call(options, "route.show", table="all")]
    used = {row["table"] for row in rows if "table" in row}
    return [(table, "") for table in sorted(used - {"local", "main", "default"})]


def _rules(options: Options, _args: Args) -> Names:
    rows = _of_both(options, "rule.show")
    return [(str(row["priority"]), f"from {row['src']}") for row in rows]


def _next_hops(options: Options, _args: Args) -> Names:
    rows = _call(options, "nexthop.show")
    ways = (
        "group" if "group" in row else "blackhole" if "blackhole" in row else _way(row)
        for row in rows
    )
    return [(str(row["id"]), way) for row, way in zip(rows, ways, strict=True)]


def _neighbors(options: Options, _args: Args) -> Names:
    rows = _call(options, "neigh.show")
    return [(row["dst"], f"{row['dev']} {' '.join(row['state'])}") for row in rows]


def _hosts(options: Options, args: Args) -> Names:
    rows = _call(options, "neigh.show")
    neighbors = [(zoned(row, "dst"), f"{row['dev']} {' '.join(row['state'])}") for row in rows]
    return neighbors + _own(options, args)


def _groups(options: Options, _args: Args) -> Names:
    return [
        (entry["address"], row["ifname"])
        for row in _call(options, "maddr.show")
        for entry in row["maddr"]
        if "features" in entry
    ]


def _packets(options: Options, _args: Args) -> Names:
    rows = _call(options, "why.list")[::-1]  # the latest first
    return [(str(row["id"]), f"{row['summary']}: {row['verdict']}") for row in rows]


def _settings(options: Options, _args: Args) -> Names:
    try:
        return [(row["key"], str(row["value"])) for row in _call(options, "sysctl.show")]
    except (SmolctlError, OSError):  # no stack runs: the keys are the same in all
        from smolctl.stack.sysctl.settings import SYSCTLS

        return [(sysctl.key, str(sysctl.show(sysctl.default))) for sysctl in SYSCTLS.values()]


def at_link(options: Options, args: Args, names: Names, start: str) -> Names:
    """Return names of settings as ``start`` has them: behind that of a link, and a dot.

    Without a dot those of links are added, which stand for all settings that these have.
    """
    from smolctl.stack.sysctl.settings import SCOPES, SYSCTLS

    head, dot, _ = start.partition(".")
    if dot and any(key.startswith(f"{head}.") for key in SYSCTLS):
        return names
    try:
        links = [name for name, _ in _links(options, args)]
    except (SmolctlError, OSError):
        links = []
    if not dot:
        return names + [(name, "its settings") for name in links]
    scope = next((f"{name}." for name in (*SCOPES, *links) if start.startswith(f"{name}.")), "")
    return [
        (scope + name, text)
        for name, text in names
        if SYSCTLS[name.partition("=")[0]].link is not None
    ]


# --- of this machine ------------------------------------------------------------------------------


def _stacks(_options: Options, _args: Args) -> Names:
    from smolctl.control import paths

    return [(name, "") for name in paths.stacks()]


def _namespaces(_options: Options, _args: Args) -> Names:
    return _listed("/run/netns")


def _machine(_options: Options, _args: Args) -> Names:
    return _listed("/sys/class/net")


def _listed(directory: str) -> Names:
    import os

    return [(name, "") for name in sorted(os.listdir(directory))]


def _programs(_options: Options, args: Args) -> Names:
    import os

    if "command" in args:  # what follows is its own
        return []
    names: set[str] = set()
    for folder in os.get_exec_path():
        with suppress(OSError), os.scandir(folder) as entries:
            names |= {entry.name for entry in entries if os.access(entry.path, os.X_OK)}
    return [(name, "") for name in sorted(names)]


# --- of our tables --------------------------------------------------------------------------------


def _assignments(_options: Options, _args: Args) -> Names:
    from smolctl.stack.sysctl.profiles import PROFILES
    from smolctl.stack.sysctl.settings import SYSCTLS

    values = {
        (key, word): "" for key, sysctl in SYSCTLS.items()
        for word in sysctl.words or (("0", "1") if sysctl.unit == "flag" else ())
    }  # fmt: skip
    for profile in PROFILES.values():
        values.update({item: profile.name for item in profile.values.items()})
    return [(f"{key}={word}", text) for (key, word), text in values.items()]


def _scenarios(_options: Options, _args: Args) -> Names:
    from smolctl.cli.nouns.lab_names import names

    return [(name, "") for name in names("shipped")]


def _templates(_options: Options, _args: Args) -> Names:
    from smolctl.cli.nouns.lab_names import names

    return [(name, "") for name in names("templates")]


def _profiles(_options: Options, _args: Args) -> Names:
    from smolctl.stack.sysctl.profiles import PROFILES

    return [(profile.name, profile.what) for profile in PROFILES.values()]


def _reasons(_options: Options, _args: Args) -> Names:
    from smolctl.stack.reason import REASONS

    return [(reason.name, reason.summary) for reason in REASONS.values()]


def _checks(_options: Options, _args: Args) -> Names:
    from smolctl.doctor import CHECKS

    return [(name, what) for name, (_, what) in CHECKS.items()]


OF_THE_HOST: dict[str, Callable[[Options, Args], Names]] = {
    "link": _machine,
    "netns": _namespaces,
}
"""The names that a question about the Linux host may have."""
LIVE: dict[str, Callable[[Options, Args], Names]] = {
    "link": _links,
    "addr": _own,
    "prefix": _prefixes,
    "label": _labels,
    "route": _routes,
    "table": _tables,
    "rule": _rules,
    "nexthop": _next_hops,
    "neigh": _neighbors,
    "host": _hosts,
    "group": _groups,
    "packet": _packets,
    "command": _programs,
    "stack": _stacks,
    "netns": _namespaces,
    "machine": _machine,
    "below": lambda options, args: _links(options, args) + _machine(options, args),
    "sysctl": _settings,
    "sysctl=": _assignments,
    "sysctl of link": _settings,
    "sysctl of link=": _assignments,
    "profile": _profiles,
    "scenario": _scenarios,
    "template": _templates,
    "reason": _reasons,
    "check": _checks,
}
"""Kinds of names, as the tables' ``complete`` has them."""
OF_LINKS = frozenset({"sysctl of link", "sysctl of link="})
"""Those that ``at_link`` has more to say about."""
