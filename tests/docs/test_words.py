"""Commands that a page only mentions are right: they follow the grammar of the command line."""

import re
import shlex
from pathlib import Path

import pytest

from smolctl.errors import SmolctlError
from tests.cli.kit import read

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if "reference" not in path.parts and path.name != "CHANGELOG.md"
)
OPEN = re.compile(r"\b[A-Z][A-Z]+\b|\.\.\.|[|<>&;$…]|\[")
"""A placeholder, or what only a shell understands."""


def mentioned(text: str) -> list[str]:
    """Return the commands of a page that are not in blocks whose output is shown."""
    text = re.sub(r"```console\n.*?```", "", text, flags=re.DOTALL)
    lines = re.findall(r"^    (smolctl .*)$", text, re.M)
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        lines += re.findall(r"^(smolctl .*)$", block, re.M)
    lines += [" ".join(found.split()) for found in re.findall(r"(?<!`)`(smolctl [^`]*)`", text)]
    return [line.partition(" #")[0].rstrip() for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_a_page_mentions_follows_the_grammar(page: Path) -> None:
    wrong = {}
    for line in mentioned((ROOT / page).read_text()):
        words = shlex.split(line)[1:]
        if not words or OPEN.search(line) or "--help" in words:
            continue
        try:
            read(shlex.join(words))
        except SmolctlError as error:
            # A noun or a verb alone, as in "what smolctl ping says", is no command to be typed.
            if not (len(words) <= 2 and str(error).endswith("is missing")):
                wrong[line] = str(error)
    assert wrong == {}


def test_there_are_such_commands_and_a_wrong_one_is_found() -> None:
    known = [line for page in PAGES for line in mentioned((ROOT / page).read_text())]
    assert len(known) > 50
    assert "smolctl why last" in known
    with pytest.raises(SmolctlError):
        read("link set eth0 lsos 10%")
