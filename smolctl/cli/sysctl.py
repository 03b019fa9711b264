"""``smolctl sysctl``: settings."""

from collections.abc import Iterator

from smolctl.cli.command import Rows, Verb, show
from smolctl.cli.grammar import Args, Positional, Table
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.tables import aligned

_DETAILS = (
    ("what", "description"),
    ("default", "default"),
    ("unit", "unit"),
    ("least", "min"),
    ("most", "max"),
    ("words", "words"),
    ("from", "origin"),
    ("source", "source"),
    ("linux", "linux"),
    ("smoltcp", "smoltcp"),
    ("set by", "environment"),
)


def render(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield a table of settings; with -d, what each is and what other stacks have there."""
    if out.options.verbose:
        yield from _compared(rows)
        return
    heads = ("KEY", "VALUE", "DEFAULT", "UNIT", "FROM", "SOURCE")
    keys = ("key", "value", "default", "unit", "origin", "source")
    cells = [[_text(row.get(key, "")) for key in keys] for row in rows]
    yield from aligned(cells, heads, right=(1, 2))


def _compared(rows: Rows) -> Iterator[str]:
    heads = ("KEY", "VALUE", "LINUX", "SMOLTCP", "UNIT", "FROM", "SOURCE")
    keys = ("key", "value", "linux", "smoltcp", "unit", "origin", "source")
    cells = [[_text(row.get(key, "")) or "-" for key in keys] for row in rows]
    head, *lines = aligned(cells, heads, right=(1, 2))
    yield head
    for row, line in zip(rows, lines, strict=True):
        yield line
        yield f"    {row['description']}"


def render_one(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    """Yield all that is known about one setting, its value first."""
    for row in rows:
        yield f"{row['key']} = {_text(row['value'])}"
        known = [(name, row[key]) for name, key in _DETAILS if row.get(key) not in (None, "")]
        yield from (f"  {name:<8} {_text(value)}" for name, value in known)


def render_set(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    """Yield the new value."""
    for row in rows:
        yield f"{row['key']} = {_text(row['value'])}"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)


def _run(session: Session, args: Args) -> None:
    key, equals, value = args.get("key", "").partition("=")
    if equals:
        rows = session.call("sysctl.set", key=key.strip(), value=value.strip())
        show(session, rows, args, render_set)
    elif key:
        show(session, session.call("sysctl.show", key=key), args, render_one)
    else:
        show(session, session.call("sysctl.show"), args, render)


COMMAND = Verb(
    Table(
        "sysctl",
        "show and change settings",
        (
            "smolctl sysctl",
            "smolctl -d sysctl",
            "smolctl sysctl neigh.mcast_solicit",
            "smolctl sysctl iface.neighbor_cache_count=8",
        ),
        (
            Positional(
                "key", "KEY[=VALUE]", "one setting, and its new value", False, complete="sysctl"
            ),
        ),
        notes="Without KEY, every setting: its value, default and unit, where the value came from,"
        " and the source of the default.",
    ),
    _run,
)
