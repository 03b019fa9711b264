"""The table of keys: what the page shows as an example or a default is what the reader takes."""

import tomllib
from decimal import Decimal
from typing import Any

from smolctl.lab.format.fields import default
from smolctl.lab.format.keys import LISTS, SECTIONS, TABLES, TOP
from smolctl.lab.format.section import Key
from smolctl.lab.format.toml_lines import TomlLines
from smolctl.lab.format.value import Value
from smolctl.lab.reading import read
from smolctl.lab.writing import write

KEYS = [
    (f"{section.header} {choice.key.name if choice else ''} {key.name}", key)
    for section in SECTIONS
    for choice in (None, *section.choices)
    for key in ((choice.key, *choice.keys) if choice else section.keys)
]


def value(key: Key, text: str) -> Any:
    document = f"{key.name} = {text}"
    found = tomllib.loads(document, parse_float=Decimal)
    return key.kind.read(Value(found, "lab.toml", TomlLines(document)).at(key.name))


def test_its_example_is_right_and_is_not_its_default() -> None:
    assert [name for name, key in KEYS if value(key, key.example) == default(key)] == []


def test_the_page_says_what_it_is_without_it() -> None:
    def is_said_once(key: Key) -> bool:
        said = [key.required, key.default is not None, bool(key.otherwise)]
        deciding = any(key is choice.key for section in SECTIONS for choice in section.choices)
        return said.count(True) == (0 if deciding else 1)

    assert {name for name, key in KEYS if not is_said_once(key) and key.name != "rate"} == set()


def test_all_examples_of_the_page_are_one_file() -> None:
    examples = [section.example for section in SECTIONS if section.example]
    assert len(examples) == len(TABLES) + len(LISTS)
    glue = "[nodes.a]\n[nodes.b]\n[links.wan]\nends = ['r']\n"
    scenario = read('title = "t"\n' + glue + "".join(examples), "lab.toml")
    assert read(write(scenario), "lab.toml") == scenario


def test_no_key_of_a_table_is_there_twice() -> None:
    for section in SECTIONS:
        for choice in (None, *section.choices):
            keys = (*section.keys, *((choice.key, *choice.keys) if choice else ()))
            assert len({key.name for key in keys}) == len(keys)
    assert not {key.name for key in TOP.keys} & {*TABLES, *LISTS}
