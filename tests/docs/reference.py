"""docs/reference/: commands, settings, reasons, scenario files: the tables that the code uses."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from smolctl.cli.exit import MEANINGS as STATUSES
from smolctl.cli.main import NOUNS, ROOT
from smolctl.cli.words.command import Noun, Verb
from smolctl.stack.reason import MEANINGS, REASONS
from smolctl.stack.sysctl.deviations import DEVIATIONS
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.settings import SYSCTLS
from tests.docs import scenario_page

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
_WRITTEN = "`make docs` writes this page from the tables that the code itself uses.\n"


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    return {
        "commands.md": "".join(_commands()),
        "sysctl.md": "".join(_settings()),
        "deviations.md": "".join(_deviations()),
        "reasons.md": "".join(_reasons()),
        "scenario.md": scenario_page.page(),
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, cells))} |\n" for cells in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# --- commands -------------------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    yield "# Commands\n\nWhat `smolctl NOUN VERB --help` prints, and `man smolctl-NOUN` tells at"
    yield f" length. {_WRITTEN}\n"
    nouns = {name: text for name, text in NOUNS.items() if name != "help"}
    yield _table(("noun", ""), [(f"[{name}](#{name})", text) for name, text in nouns.items()])
    yield "The exit status is the same everywhere:\n\n"
    yield _table(("status", ""), [(f"**{code}**", text) for code, text in STATUSES.items()])
    yield f"## smolctl\n\n```text\n{_help(ROOT)}```\n\n"
    for name, summary in nouns.items():
        yield f"## {name}\n\n{summary[:1].upper()}{summary[1:]}.\n\n"
        for verb in _verbs(name):
            if verb.path != name:
                yield f"### {verb.path}\n\n"
            yield f"```text\n{_own(_help(verb))}```\n\n"


def _verbs(name: str) -> list[Verb]:
    command = ROOT.get_command(click.Context(ROOT, info_name="smolctl"), name)
    members = command.commands.values() if isinstance(command, Noun) else [command]
    return [member for member in members if isinstance(member, Verb)]


def _help(command: click.Command) -> str:
    return command.get_help(click.Context(command)) + "\n"


def _own(text: str) -> str:
    """Return a help text without its last line, which is the same in all."""
    return text.rstrip().rpartition("\n")[0].rstrip() + "\n"


# --- settings -------------------------------------------------------------------------------------


def _settings() -> Iterator[str]:
    yield "# Settings\n\n`smolctl sysctl KEY=VALUE` changes one while the stack runs, `SMOLCTL_KEY`"
    yield " in the environment (dots become `_`) or\n`smolctl stack start --sysctl KEY=VALUE` sets"
    yield " it from the beginning. Defaults are Linux's; sets of values are\n"
    yield f"[profiles](../profiles.md). {_WRITTEN}\n"
    yield "What a link has of its own, `LINK.KEY`, goes together with the value of all links as the"
    yield " column *on a link* says,\nwhich is Linux's rule (smolctl-sysctl(8))."
    yield " `-` is for the whole stack alone.\n\n"
    groups = dict.fromkeys(key.partition(".")[0] for key in SYSCTLS)
    for group in groups:
        sysctls = [sysctl for key, sysctl in SYSCTLS.items() if key.partition(".")[0] == group]
        yield f"## {group}\n\n"
        yield _table(
            ("key", "default", "values", "what it is", "on a link", "Linux", "smoltcp", "source"),
            [
                (f"`{item.key}`", str(item.show(item.default)), _values(item), item.description,
                 _on_link(item), item.linux, item.smoltcp, item.source)
                for item in sysctls
            ],
        )  # fmt: skip


def _deviations() -> Iterator[str]:
    yield "# Deliberate differences from Linux\n\nA stack does as Linux does, but for these. Those"
    yield " of the first table are sysctls; the profile `linux-exact`\n(`smolctl stack start"
    yield f" --profile linux-exact`) has what Linux does. {_WRITTEN}\n\n"
    yield _table(
        ("what", "Linux", "here, and why", "as Linux"),
        [
            (each.what, each.linux, each.here, f"`{each.sysctl}={each.exact}`")
            for each in DEVIATIONS if each.sysctl
        ],
    )  # fmt: skip
    yield "\nThese only refuse what somebody says, or are about when something happens:\n\n"
    yield _table(
        ("what", "Linux", "here, and why"),
        [(each.what, each.linux, each.here) for each in DEVIATIONS if not each.sysctl],
    )


def _on_link(sysctl: Sysctl) -> str:
    if sysctl.link is None:
        return "-"
    return sysctl.link.value.format(all="all", own="own", forward="ip.forward")


def _values(sysctl: Sysctl) -> str:
    if sysctl.words:
        return ", ".join(sysctl.words)
    return f"{sysctl.low}..{sysctl.high} {sysctl.unit}".replace("0..1 flag", "0, 1")


# --- reasons --------------------------------------------------------------------------------------


def _reasons() -> Iterator[str]:
    yield "# Reasons\n\nEvery packet that is dropped, refused or delayed has one of these.\n"
    yield "`smolctl stats drops` counts them, `smolctl explain NAME` prints the page of one, and"
    yield " `man smolctl-reasons` has all\npages. [linux-reasons.md](../linux-reasons.md) compares"
    yield f" them with Linux's own. {_WRITTEN}\n"
    yield _table(("class", ""), [(kind.value, text) for kind, text in MEANINGS.items()])
    for layer in dict.fromkeys(reason.layer for reason in REASONS.values()):
        yield f"## {layer}\n\n"
        yield _table(
            ("reason", "class", "what", "asked for by", "Linux"),
            [
                (f"`{reason.name}`", reason.kind.value, reason.summary, reason.source, reason.linux)
                for reason in REASONS.values()
                if reason.layer == layer
            ],
        )
