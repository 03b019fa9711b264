"""The oldest Python that README promises: nothing is used that came later.

Ruff and mypy know what came with 3.12, 3.13 and so on, when they are told the oldest version. They
do not know what a patch release of 3.11 brought; the table below does, from Python's documentation
("Changed in version 3.11.4"). Debian 12 has 3.11.2.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = "3.11"
FILES = [
    path
    for folder in ("smolctl", "tests", "bench", "man", "docs", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py"))
]

# A name; or a function's name and a keyword argument of it: the release that it came with.
NEWER: dict[str, str] = {
    "extract(filter=)": "3.11.4",
    "extractall(filter=)": "3.11.4",
    "unpack_archive(filter=)": "3.11.4",
    "extraction_filter": "3.11.4",
    "data_filter": "3.11.4",
    "tar_filter": "3.11.4",
    "fully_trusted_filter": "3.11.4",
    "FilterError": "3.11.4",
    "SetReparseDeferralEnabled": "3.11.9",
    "GetReparseDeferralEnabled": "3.11.9",
    "getaddresses(strict=)": "3.11.10",
    "parseaddr(strict=)": "3.11.10",
    "verify_generated_headers": "3.11.10",
    "ALLOW_MISSING": "3.11.13",
    "LinkFallbackError": "3.11.13",
}

NAMES = re.compile("|".join({entry.partition("(")[0] for entry in NEWER}))


def used(source: str) -> Iterator[str]:
    """Yield the entries of NEWER that a source uses, each as often as it does."""
    if not NAMES.search(source):
        return
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else ""
            name = function.id if isinstance(function, ast.Name) else name
            names = [f"{name}({keyword.arg}=)" for keyword in node.keywords]
        yield from (name for name in names if name in NEWER)


def test_nothing_is_used_that_a_patch_release_brought() -> None:
    found = {str(path.relative_to(ROOT)): list(used(path.read_text())) for path in FILES}
    assert len(found) > 500
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("entry", NEWER)
def test_each_of_them_would_be_found(entry: str) -> None:
    name, bracket, keyword = entry.partition("(")
    sources = [f"module.{name}", f"from module import {name}"]
    if bracket:
        sources = [f"archive.{name}(x, {keyword[:-2]}='data')", f"{name}({keyword[:-2]}=1)"]
    for source in sources:
        assert list(used(source)) == [entry], source


def test_ruff_and_mypy_are_told_the_oldest_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == f">={OLDEST}"
    assert project["tool"]["mypy"]["python_version"] == OLDEST
    assert project["tool"]["ruff"]["target-version"] == f"py{OLDEST.replace('.', '')}"
    assert f"Python {OLDEST} or newer" in (ROOT / "README.md").read_text()
