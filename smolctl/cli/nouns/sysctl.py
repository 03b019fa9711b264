"""``smolctl sysctl``: settings."""

from collections.abc import Iterator
from typing import Any

from smolctl.cli.nouns.tables import aligned, grouped
from smolctl.cli.output import Output
from smolctl.cli.words.command import Plan, Render, Request, Rows, Verb
from smolctl.cli.words.grammar import Args, Place, UsageFault, option

_DETAILS = (
    ("what", "description"),
    ("default", "default"),
    ("unit", "unit"),
    ("min", "min"),
    ("max", "max"),
    ("words", "words"),
    ("from", "origin"),
    ("where", "place"),
    ("source", "source"),
    ("linux", "linux"),
    ("smoltcp", "smoltcp"),
    ("set by", "environment"),
)


def render(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield a table of settings; with -d, what each is and what other stacks have there."""
    if out.options.verbose:
        yield from _compared(rows, out)
        return
    heads = ("KEY", "VALUE", "DEFAULT", "UNIT", "FROM", "SOURCE")
    keys = ("key", "value", "default", "unit", "origin", "source")
    cells = [[_text(row.get(key, "")) for key in keys] for row in rows]
    yield from aligned(cells, heads, right=(1, 2), width=out.width)


def _compared(rows: Rows, out: Output) -> Iterator[str]:
    """Yield each setting with what it is in each profile, and what is known of the real stacks."""
    names = [each["profile"] for each in rows[0]["profiles"]] if rows else []
    heads = ("KEY", "VALUE", *(name.upper() for name in names), "UNIT", "FROM", "SOURCE")
    cells = [
        [row["key"], _text(row["value"]), *_profiles(row).values(),
         row["unit"], row["origin"], row["source"]]
        for row in rows
    ]  # fmt: skip
    head, *lines = grouped(cells, heads, range(1, 2 + len(names)), out.width)
    yield from head
    for row, group in zip(rows, lines, strict=True):
        yield from group
        yield f"    {row['description']}"
        real = [f"{name} {row[key]}" for name, key in _REAL if row.get(key)]
        if real:
            yield f"    {'; '.join(real)}"


_REAL = (("Linux:", "linux"), ("smoltcp:", "smoltcp"))


def render_diff(rows: Rows, args: Args, out: Output) -> Iterator[str]:
    """Yield the settings that differ from a profile."""
    name = args["diff"]
    cells = [[row["key"], _text(row["value"]), _profiles(row)[name], row["unit"],
              row["origin"], row["description"]] for row in rows]  # fmt: skip
    heads = ("KEY", "VALUE", name.upper(), "UNIT", "FROM", "WHAT")
    yield from aligned(cells, heads, right=(1, 2), width=out.width)


def render_scope(rows: Rows, out: Output) -> Iterator[str]:
    """Yield a table of the settings of a link, with what counts there."""
    heads = ["KEY", "VALUE", "COUNTS", "UNIT", "FROM", "SOURCE"]
    keys = ["key", "value", "counts", "unit", "origin", "source"]
    if "counts" not in rows[0]:
        del heads[2], keys[2]
    cells = [[_text(row[key]) for key in keys] for row in rows]
    yield from aligned(cells, heads, right=(1, 2), width=out.width)


def render_one(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield all that is known about one setting, its value first; of a link's settings a table."""
    if len(rows) > 1:
        yield from render_scope(rows, out)
        return
    for row in rows:
        yield f"{row['key']} = {_text(row['value'])}"
        known = [(name, row[key]) for name, key in _DETAILS if row.get(key) not in (None, "")]
        known[1:1] = _of_links(row)
        if "profiles" in row:
            each = [f"{value} ({name})" for name, value in _profiles(row).items()]
            known.append(("profile", ", ".join(each)))
        yield from (f"  {name:<8} {_text(value)}" for name, value in known)


def _of_links(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what counts on a link, and where another value was given."""
    if "rule" not in row:
        return []
    counts = f"{_text(row['counts'])}: " if "counts" in row else ""
    others = [f"{each['scope']} {_text(each['value'])}" for each in row.get("scopes", ())]
    said = [("counts" if counts else "links", counts + row["rule"])]
    return said + [("other", ", ".join(others))] * bool(others)


def render_set(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    """Yield the new value."""
    for row in rows:
        yield f"{row['key']} = {_text(row['value'])}"


def _profiles(row: dict[str, Any]) -> dict[str, str]:
    """Return what a setting is in each profile."""
    return {each["profile"]: _text(each["value"]) for each in row["profiles"]}


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)


def _plan(args: Args) -> Plan:
    key, equals, value = args.get("key", "").partition("=")
    if equals and "diff" in args:
        raise UsageFault("sysctl: --diff compares and changes nothing", hint=_EXAMPLE_DIFF)
    bare = [word for word in ("values", "names") if word in args]
    if bare:
        what = {"key": key.strip(), "value": value.strip()} if equals else {"key": key or None}
        return Plan("sysctl.set" if equals else "sysctl.show", what, _BARE[bare[0]])
    if "diff" in args:
        return Plan("sysctl.show", {"key": key or None, "diff": args["diff"]}, render_diff)
    if equals:
        return Plan("sysctl.set", {"key": key.strip(), "value": value.strip()}, render_set)
    if key:
        return Plan("sysctl.show", {"key": key}, render_one)
    return Plan("sysctl.show", {}, render)


_BARE: dict[str, Render] = {
    "values": lambda rows, _args, _out: (_text(row["value"]) for row in rows),
    "names": lambda rows, _args, _out: (row["key"] for row in rows),
}
"""Columns that -n and -N print, as sysctl(8) does."""
_EXAMPLE_DIFF = "smolctl sysctl --diff smoltcp-0.9"
COMMAND = Verb(
    "sysctl",
    "show and change settings",
    Request(_plan),
    (
        Place(
            "key",
            "[LINK.]KEY[=VALUE]",
            "one setting, and its new value; or a LINK",
            False,
            complete="sysctl of link",
        ),
        option("values", "print only values", short="n"),
        option("names", "print only names", short="N"),
        option("all", "accepted: without KEY, all settings are shown", short="a"),
        option("write", "accepted: KEY=VALUE says so", short="w"),
        option(
            "diff", "only settings that differ from this profile", "PROFILE", complete="profile"
        ),
    ),
    examples=(
        "smolctl sysctl",
        "smolctl -d sysctl",
        "smolctl sysctl neigh.mcast_solicit",
        "smolctl sysctl -n neigh.mcast_solicit",
        "smolctl sysctl iface.neighbor_cache_count=8",
        "smolctl sysctl lo.arp.ignore=1",
        "smolctl sysctl lo",
        _EXAMPLE_DIFF,
    ),
    notes="Without KEY, all settings are shown: value, default and unit, where the value came"
    " from, and the source of the default. -d adds the values in each profile, in Linux and"
    " in smoltcp. LINK.KEY is the value of one link, all.KEY that of all links, and default.KEY"
    " that of links to come; they are combined as in Linux. KEY alone sets all of these."
    " LINK alone shows what counts on a link.",
)
