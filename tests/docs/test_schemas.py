"""docs/schema/ describes all JSON that smolctl prints: what commands print is valid."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from smolctl.ops.operations import OPS
from smolctl.stack.explain import verdict
from tests.docs.schemas import (
    ALONE,
    OF_OPERATION,
    OF_ROOT,
    SCHEMAS,
    STREAMS,
    UNPRINTED,
    Document,
    documents,
)
from tests.kit import drops
from tests.kit.netns import Namespace
from tests.kit.once import once
from tests.kit.stack_env import SmolctlEnv
from tests.stack.reason.provoke import PROVOKERS, VARIANTS
from tests.stack.reason.provokers import fresh
from tests.stack.reason.test_reasons import CAUSES

ALL = sorted({*OF_OPERATION.values(), *ALONE})


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return found


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name), format_checker=Draft202012Validator.FORMAT_CHECKER)


def faults(name: str, document: Any) -> list[str]:
    """Return what is wrong with a document, the innermost cause first."""
    found = []
    for error in validator(name).iter_errors(document):
        # Of several kinds of events, the one that the document says it is.
        inner = [e for e in error.context or () if "event" not in e.absolute_path]
        found += [f"{list(e.absolute_path)}: {e.message}"[:300] for e in (*inner, error)]
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """Return what many commands print on a pair of real stacks."""

    def make(_folder: Path) -> list[Document]:
        env = SmolctlEnv()
        try:
            return list(documents(env))
        finally:
            env.close()

    return [tuple(document) for document in once(tmp_path_factory, "printed", make)]


def skip_if_of_root(name: str) -> None:
    """Skip what nobody prints here, as the kernel tells it to root alone."""
    if name in dict(OF_ROOT) and (reason := drops.unmet()):
        pytest.skip(reason)


def test_every_operation_has_a_schema() -> None:
    assert OF_OPERATION.keys() | UNPRINTED.keys() == OPS.keys()
    assert not OF_OPERATION.keys() & UNPRINTED.keys()


def test_every_schema_is_used_and_there_is_no_other() -> None:
    assert sorted(path.stem for path in SCHEMAS.glob("*.json")) == ALL
    assert set(ALL) >= STREAMS


@pytest.mark.parametrize("name", ALL)
def test_what_is_printed_is_valid(printed: list[Document], name: str) -> None:
    skip_if_of_root(name)
    mine = [(line, document) for schema, line, document in printed if schema == name]
    assert mine
    wrong = {line: found for line, document in mine if (found := faults(name, document))}
    assert wrong == {}


@pytest.mark.netns
def test_links_to_the_machine_are_valid(smolctl_env: SmolctlEnv, netns: Namespace) -> None:
    tap = ("type", "tap", "netns", netns.name, "host", "10.0.0.2/24")
    smolctl_env("link", "add", "tap0", *tap, check=True)
    smolctl_env.enter(netns)
    shown = smolctl_env.json("link", "show", "-d", "-s")
    assert [row["ifname"] for row in shown] == ["lo", "tap0"]
    assert faults("link", shown) == []


@pytest.mark.parametrize("name", PROVOKERS)
def test_why_is_valid_for_every_reason(name: str) -> None:
    causes = [row[0] for (reason, _), row in CAUSES.items() if reason == name]
    found: dict[str, int] = {}  # of what differs in the packet's number alone, the last one
    for provoke in (PROVOKERS[name], *VARIANTS.get(name, ()), *causes):
        host = fresh()
        host.stack.watch(lambda _trace: None, everything=True)
        provoke(host)
        for trace in host.stack.journal:
            told = verdict.tell(trace, lambda _now: 0.0)
            number = told.pop("id")
            found[json.dumps(told)] = number
    for text, number in found.items():
        assert faults("why", {"id": number, **json.loads(text)}) == []


# --- the schemas themselves -----------------------------------------------------------------------


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of a schema that describes an object."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


@pytest.mark.parametrize("name", ALL)
def test_a_schema_is_one_and_a_new_key_must_be_documented(name: str) -> None:
    text = schema(name)
    Draft202012Validator.check_schema(text)
    assert text["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert text["$id"] == f"urn:smolctl:schema:{verdict.SCHEMA}:{name}"
    assert list(objects(text))
    for described in objects(text):
        assert described["additionalProperties"] is False
        assert set(described["required"]) <= described["properties"].keys()
        for key, value in described["properties"].items():
            assert value.get("description"), key


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_key_is_found(printed: list[Document], name: str) -> None:
    skip_if_of_root(name)
    document = next(document for schema, _, document in printed if schema == name and document)
    row = document[0] if isinstance(document, list) else document
    assert faults(name, document) == []
    row["new_key"] = 1
    assert faults(name, document)
    del row["new_key"]


def test_the_index_names_every_schema() -> None:
    index = (SCHEMAS / "README.md").read_text()
    assert [name for name in ALL if f"[{name}.json]({name}.json)" not in index] == []
    assert f"schema number is **{verdict.SCHEMA}**" in index
