import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from smolctl.lab.format.toml_lines import Path, TomlLines
from tests.lab.toml_documents import Document, documents


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from paths(inner, (*path, key))


@given(documents())
def test_each_key_and_item_is_found_in_its_line(document: Document) -> None:
    found = TomlLines(document.text)
    read = tomllib.loads(document.text)
    assert sorted(found, key=str) == sorted(paths(read), key=str)
    assert {path: found.line(path) for path in found} == document.lines


@given(documents())
def test_each_line_of_a_text_is_found_in_its_line(document: Document) -> None:
    found = TomlLines(document.text)
    read = tomllib.loads(document.text)
    for path, lines in document.texts.items():
        value: Any = read
        for key in path:
            value = value[key]
        assert len(value.split("\n")) == len(lines)
        assert found.text_lines(path) == lines


def test_what_is_not_there_is_in_its_table() -> None:
    found = TomlLines("a = 1\n[b]\nc = { d = 1 }\n")
    assert found.line(("b", "x")) == 2
    assert found.line(("b", "c", "x", "y")) == 3
    assert found.line(("x",)) == found.line(()) == 1


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("[[a]]\n[[a]]\nb.c = 1", ("a", 1, "b", "c"), 3),
        ("[[a]]\n[a.b]\nc = 1\n[[a]]\n[a.b]\nc = 2", ("a", 1, "b", "c"), 6),
        ("[a.b]\n[a]\nc = 1", ("a",), 2),
        ('"a" = "a"\nb = """a\n\\"""\n"""\nc = 1', ("c",), 5),
        ("b = '''\n''''\n'''''\nc = 1", ("b",), 1),
        ("a = [\n  {\n  b = 1,\n  },\n]\nc = 1", ("c",), 6),  # TOML 1.1
    ],
)
def test_a_line_is_found(text: str, path: Path, line: int) -> None:
    assert TomlLines(text).line(path) == line
