"""requirements.toml is true: its tests exist, its page is up to date, and nothing done is lost."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conformance.requirements import (
    LEFT_OUT,
    LEVELS,
    PAGE,
    STATUSES,
    TITLES,
    Requirement,
    page,
    percent_done,
    read,
)

ROOT = Path(__file__).parents[2]
REQUIREMENTS, RECORDED = read()


@cache
def collected() -> frozenset[str]:
    """Return the ids of all tests in the files that are named, and in ours, without parameters."""
    named = {node.partition("::")[0] for item in REQUIREMENTS for node in item.tests}
    ours = {str(path.relative_to(ROOT)) for path in Path(__file__).parent.glob("test_rfc*.py")}
    files = sorted(named | ours)
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-2000:]
    return frozenset(line.partition("[")[0] for line in found.stdout.splitlines() if "::" in line)


def test_every_test_that_is_named_exists() -> None:
    named = {node: item.id for item in REQUIREMENTS for node in item.tests}
    assert {node: named[node] for node in named if node not in collected()} == {}


def test_every_conformance_test_is_named() -> None:
    named = {node for item in REQUIREMENTS for node in item.tests}
    ours = {node for node in collected() if node.startswith("tests/conformance/test_rfc")}
    assert ours - named == set()


def test_ids_are_unique_and_say_rfc_and_section() -> None:
    ids = [item.id for item in REQUIREMENTS]
    assert sorted(set(ids)) == sorted(ids)
    for item in REQUIREMENTS:
        section = re.sub(r"[^a-z0-9.]+", "-", item.section.lower()).strip("-")
        assert re.fullmatch(rf"rfc{item.rfc}-{re.escape(section)}-[a-z]", item.id), item.id
        assert item.rfc in TITLES


def test_an_rfc_is_left_out_or_has_a_section() -> None:
    assert not LEFT_OUT.keys() & TITLES.keys()
    assert {item.rfc for item in REQUIREMENTS} == TITLES.keys()
    assert all(LEFT_OUT.values())


def problem(item: Requirement) -> str:
    """Return what is wrong with an entry, or an empty string."""
    if item.level not in LEVELS:
        return f"level {item.level}"
    if item.status not in STATUSES:
        return f"status {item.status}"
    if item.status == "done":
        return "" if item.tests else "done, and no test shows it"
    if item.tests and item.status != "deviates":
        return f"{item.status}, and yet there are tests"
    return "" if item.why else f"{item.status}, and no word why"


def test_what_is_done_has_tests_and_the_rest_says_why() -> None:
    assert {item.id: problem(item) for item in REQUIREMENTS if problem(item)} == {}


def test_each_line_is_one_line_of_plain_text() -> None:
    for item in REQUIREMENTS:
        for text in (item.text, item.why):
            assert "\n" not in text, item.id
            assert "|" not in text, item.id
            assert not text.endswith("."), item.id


@pytest.mark.parametrize("strength", ["MUST", "SHOULD", "MAY"])
def test_as_much_is_done_as_was_recorded(strength: str) -> None:
    assert percent_done(REQUIREMENTS, strength) >= RECORDED[strength]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"
