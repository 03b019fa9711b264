"""docs/: the pages made of the code's tables are up to date, and the index finds every page."""

import re
from pathlib import Path

import pytest

from smolctl.stack.reason import REASONS
from smolctl.stack.sysctl.settings import SYSCTLS
from tests.cli.kit import all_verbs
from tests.docs import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MARKDOWN = sorted(path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")))


def test_pages_are_up_to_date() -> None:
    written = {path.name: path.read_text() for path in reference.FOLDER.iterdir()}
    assert reference.pages() == written, "run: make docs"


def test_nothing_is_missing() -> None:
    pages = reference.pages()
    for verb in all_verbs():
        if verb.path != "help":
            assert f"Usage: smolctl {verb.path}" in pages["commands.md"]
    assert [key for key in SYSCTLS if f"| `{key}` |" not in pages["sysctl.md"]] == []
    assert [name for name in REASONS if f"| `{name}` |" not in pages["reasons.md"]] == []


def anchors(text: str) -> set[str]:
    """Return what GitHub calls the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", MARKDOWN, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.S)
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    for target in (one or other for one, other in links):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (ROOT / page).parent / file if file else ROOT / page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found.read_text()), target


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#\s]+)", (DOCS / "README.md").read_text()))
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    pages |= {str(path.relative_to(DOCS)) for path in (DOCS / "examples").iterdir()}
    assert pages - linked == {"README.md"}
