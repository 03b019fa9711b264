"""docs/reference/scenario.md, written from the table of keys that the reader of scenarios uses."""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from smolctl.lab.format.keys import SECTIONS
from smolctl.lab.format.section import Key, Section

TEMPLATE = Path(__file__).parents[2] / "smolctl" / "lab" / "templates" / "two-hosts.toml"

_INTRO = f"""\
# Scenario files

A scenario file describes a network, what happens in it, and what has to be true of that.
`smolctl lab run FILE` runs it in virtual time, in one process and without root; `smolctl lab new`
writes one to begin with. `make docs` writes this page from the tables that the code itself uses.

The file is [TOML](https://toml.io). What has a name is a table with that name: `[nodes.a]`. What
has an order is a list of tables: `[[steps]]`. Times count from the beginning of the run. An error
names the file, the line and the key.

```toml
{TEMPLATE.read_text()}```

"""
_RULES = """\
Some rules that no single key shows:

- An end of a link, `a:eth0`, is the interface `eth0` of the node `a`; `a` alone is short for that.
  No other link has it.
- A node is made by commands, in this order: sysctls of the whole stack, links, sysctls of single
  links, addresses, routes, `commands`. Each has to succeed.
- A frame that a link loses is lost for all receivers of a hub. The rate is that of each end alone.
- The step behind one that runs a command waits until that has ended, also past its own time, unless
  it runs in the background.
- A frame that is put on a link arrives at all ends; with an end, `on = "a:eth0"`, at all others.
- Nodes and programs have different names, so that `received = "NAME"` means one of them.
- A row of a table fits when it has all keys with their values; it may have more. Of a list in it,
  the items that are written have to be there, in any order, and there may be more.
- Nothing in a file may be later than `until`, and what begins has to be before it.
- `lab compare` runs one file under several profiles; a node with a `profile` of its own keeps it.

"""


def page() -> str:
    """Return the text of the page."""
    return "".join(_page())


def _page() -> Iterator[str]:
    yield _INTRO
    yield "| table | its header | |\n| --- | --- | --- |\n"
    for section in SECTIONS:
        what = section.what.partition(".")[0]
        yield f"| [{_title(section)}](#{_anchor(section)}) | `{section.header}` | {what} |\n"
    yield "\n" + _RULES
    yield "## Values\n\n| value | as it is written |\n| --- | --- |\n"
    kinds = {key.kind.name: key.kind.what for key in _all_keys() if not _is_inline(key)}
    yield from (f"| {name} | {_cell(what)} |\n" for name, what in sorted(kinds.items()))
    for section in SECTIONS:
        yield f"\n## {_title(section)}\n\n{textwrap.fill(section.what, 120)}\n\n"
        if section.example:
            yield f"```toml\n{section.example}```\n\n"
        yield _rows(section.keys)
        if section.choices:
            yield "\nIt has exactly one of these keys, and may have those below it:\n"
        for choice in section.choices:
            yield f"\n### {_title(section)}: {choice.key.name}\n\n"
            yield _rows((choice.key, *choice.keys), choice.key.name)


def _title(section: Section) -> str:
    return section.header.strip("[]{} .=")


def _anchor(section: Section) -> str:
    kept = (letter for letter in _title(section).lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")


def _all_keys() -> list[Key]:
    found: list[Key] = []
    for section in SECTIONS:
        found += section.keys
        for choice in section.choices:
            found += (choice.key, *choice.keys)
    return found


def _is_inline(key: Key) -> bool:
    """Tell whether the values of a key are told in its own row: no other key has the same ones."""
    return key.kind.name in ("number", "word")


def _rows(keys: Iterable[Key], deciding: str = "") -> str:
    """Return the table of some keys; ``deciding`` is the one that makes the choice."""
    lines = ["| key | value | what it says | without it | example |", "| --- " * 5 + "|"]
    for key in keys:
        value = key.kind.what if _is_inline(key) else key.kind.name
        lines.append(
            f"| `{key.name}` | {_cell(value)} | {_cell(key.what)}"
            f" | {_cell(_without(key, deciding))} | `{_cell(key.example)}` |"
        )
    return "\n".join(lines) + "\n"


def _without(key: Key, deciding: str) -> str:
    if key.required:
        return "an error"
    if key.name == deciding:
        return ""
    if key.otherwise:
        return key.otherwise
    return f"`{key.default}`" if key.default not in ('""', None) else "nothing"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
