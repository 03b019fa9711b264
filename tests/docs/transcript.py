"""Pages whose console blocks are run: what is shown below a command is what it prints.

In a block, a line that begins with ``$ `` is a command for a shell; all that follows up to the next
one is its output, errors included, and ``(exit N)`` when it failed. ``cmd &`` goes on beside the
others. All commands of a page share one environment and directory, in their order.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

_THERE = "mkdir -p ~/work; cd ~/work;"
"""Files that commands write are kept from the project, and from the runtime directory."""
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)

PAGES = (
    "docs/tutorial.md",
    "docs/why.md",
    "docs/cables.md",
    "docs/lab.md",
    "docs/router.md",
    "docs/config.md",
)
"""Every page with such blocks."""

VOLATILE = {
    "ephemeral port": (
        re.compile(r"(?:(?<=\d:)|(?<=port ))(?:32[7-9]|(?:3[3-9]|4\d|5\d|60)\d)\d\d\b"),
        "PORT",
    ),
    "duration": (re.compile(r"\b\d+(?:\.\d+)? (?:ms\b|s(?= ago))"), "TIME ms"),
    "packet id": (re.compile(r"\b(id|why) \d+\b(?!:)"), r"\1 ID"),
    "time of day": (re.compile(r"\b\d\d:\d\d:\d\d\.\d{6}\b"), "NOW"),
    "process": (re.compile(r"\(pid \d+\)"), "(pid PID)"),
}
"""Texts that differ from one run to the next, and their replacements in comparisons."""


class Command(NamedTuple):
    """A command of a page, and what is shown below it."""

    line: str
    shown: str


def stable(text: str) -> str:
    """Return a text without what differs from one run to the next."""
    for pattern, word in VOLATILE.values():
        text = pattern.sub(word, text)
    return text


def blocks(page: str) -> list[list[Command]]:
    """Return the commands of each block of a page."""
    return [list(_commands(found[0])) for found in _BLOCK.finditer(page)]


def _commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield Command(line, shown)


def run(env: SmolctlEnv, line: str) -> str:
    """Run a command of a page as a user would type it; return what it prints."""
    if line.endswith(" &"):
        before = _listeners(env)
        env.shell(f"{_THERE} exec {line[:-2]}")
        wait_until(lambda: _listeners(env) > before, line)
        return ""
    ended = env.shell(f"exec 2>&1; {_THERE} {line}").wait(60)
    failed = f"(exit {ended.returncode})\n" if ended.returncode else ""
    return ended.stdout + failed


def _listeners(env: SmolctlEnv) -> int:
    names = [row["name"] for row in env.json("stack", "list")]
    return sum(len(env.json("-n", name, "socket", "show")) for name in names)


def written(env: SmolctlEnv, page: str) -> str:
    """Return a page with the output of its commands as it is now.

    What differs in volatile parts only stays as it is.
    """

    def write(found: re.Match[str]) -> str:
        result = ""
        for command in _commands(found[0]):
            output = run(env, command.line)
            if stable(output) == stable(command.shown):
                output = command.shown
            result += f"$ {command.line}\n{output}"
        return result

    return _BLOCK.sub(write, page)
