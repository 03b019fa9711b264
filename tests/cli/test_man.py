"""The man pages are what the tables say, in order, and clean."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from smolctl.cli.exit import meanings
from smolctl.cli.main import NOUNS, TAUGHT
from smolctl.cli.words.command import Verb
from smolctl.stack.reason import REASONS
from tests.cli.kit import all_verbs, places_of, words_of
from tests.kit.netns import require_root_and

MAN = Path(__file__).parents[2] / "man"
PAGES = sorted(path.name for path in MAN.glob("*.8"))
REASONS_PAGE = "smolctl-reasons.7"
TUTORIAL_PAGE = "smolctl-tutorial.7"
SECTIONS = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "EXIT STATUS",
    "ENVIRONMENT",
    "FILES",
    "EXAMPLES",
    "SEE ALSO",
]
VERBS = [verb for verb in all_verbs() if verb.path != "help"]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", MAN / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(page: str, title: str) -> str:
    """Return one section of a page, without roff's escapes and fonts."""
    text = (MAN / page).read_text().split(f".SH {title}\n", 1)[1].split("\n.SH ", 1)[0]
    return re.sub(r"\\f[BIR]", "", text).replace("\\-", "-").replace("\\e", "\\")


def test_pages_are_up_to_date(generator: ModuleType) -> None:
    written = {path.name: path.read_text() for path in MAN.glob("*.[78]")}
    assert generator.pages() == written, "run: python man/generate.py"


def test_each_noun_has_a_page() -> None:
    expected = ["smolctl.8", *(f"smolctl-{noun}.8" for noun in NOUNS if noun != "help")]
    assert sorted(expected) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_sections(page: str) -> None:
    assert re.findall(r"^\.SH (.*)$", (MAN / page).read_text(), re.M) == SECTIONS


@pytest.mark.parametrize("page", PAGES)
def test_exit_status_is_the_table(page: str) -> None:
    text = " ".join(section(page, "EXIT STATUS").split())
    noun = page.removesuffix(".8").removeprefix("smolctl").removeprefix("-")
    for status, meaning in meanings(noun).items():
        assert f".TP {status} {meaning}" in text


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.path)
def test_every_word_of_the_grammar_is_there(verb: Verb) -> None:
    page = f"smolctl-{verb.path.split()[0]}.8"
    options = section(page, "OPTIONS")
    if f".SS {verb.path}\n" in options:
        options = options.split(f".SS {verb.path}\n", 1)[1].split("\n.SS ", 1)[0]
    items = [names for names in re.findall(r"^\.TP\n(.*)$", options, re.M)]
    spellings = {
        word.split(" ")[0].lstrip("-") for names in items for word in re.split(", |\\|", names)
    }
    keywords = words_of(verb)
    for keyword in keywords:
        assert {*keyword.words} <= spellings
        assert not keyword.short or keyword.short in spellings
    inner = sum(len(keyword.group) for keyword in keywords)
    assert len(items) == len(keywords) + inner + len(places_of(verb))


def test_every_global_option_is_there() -> None:
    items = re.findall(r"^\.TP\n(.*)$", section("smolctl.8", "OPTIONS"), re.M)
    flags = [[part.split(" ")[0] for part in names.split(", ")] for names in items]
    assert flags == [option.opts for option in TAUGHT if not option.hidden]


def test_every_reason_is_on_its_page_under_its_layer() -> None:
    text = (MAN / REASONS_PAGE).read_text()
    named = re.findall(r"^\.SS (.*)$", text, re.M)
    assert sorted(name.replace("\\-", "-") for name in named) == sorted(REASONS)
    sections = re.findall(r"^\.SH (.*)$", text, re.M)
    layers = {reason.layer for reason in REASONS.values()}
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert len(sections[3:-2]) == len(layers)
    assert sections[-2:] == ["EXAMPLES", "SEE ALSO"]


def test_the_tutorial_shows_every_command_of_its_source() -> None:
    text = re.sub(r"\\&|\\f[BIR]", "", (MAN / TUTORIAL_PAGE).read_text())
    shown = re.findall(r"^\$ (.*)$", text.replace("\\-", "-").replace("\\e", "\\"), re.M)
    source = (MAN.parent / "docs" / "tutorial.md").read_text()
    assert shown == re.findall(r"^\$ (.*)$", source, re.M)
    headings = re.findall(r"^\.SH (.*)$", text, re.M)
    assert headings[:2] == ["NAME", "DESCRIPTION"]
    wanted = [title.upper() for title in re.findall(r"^## (.*)$", source, re.M)]
    assert headings[2:] == [*wanted, "SEE ALSO"]


@pytest.mark.parametrize("page", [*PAGES, REASONS_PAGE, TUTORIAL_PAGE])
def test_groff_has_nothing_to_say(page: str) -> None:
    if shutil.which("groff") is None:
        require_root_and("groff")
    argv = ["groff", "-man", "-Tutf8", "-ww", "-z", str(MAN / page)]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("page", [*PAGES, REASONS_PAGE, TUTORIAL_PAGE])
def test_lint(page: str) -> None:
    if shutil.which("mandoc") is None:
        require_root_and("mandoc")
    result = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "style", str(MAN / page)],
        capture_output=True,
        text=True,
        check=False,
    )
    # What it refers to is not installed here.
    problems = [line for line in result.stdout.splitlines() if "referenced manual" not in line]
    assert problems == []
