"""Fields of one table of a scenario file, read as its section of ``keys`` says."""

import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from smolctl.lab.format.keys import TOP
from smolctl.lab.format.section import Choice, Key, Section
from smolctl.lab.format.toml_lines import TomlLines
from smolctl.lab.format.value import Value, quoted
from smolctl.lab.source import ScenarioError
from smolctl.near import did_you_mean

_LISTED_MAX = 12
AT_THE_TOP = tuple(key.name for key in TOP.keys)
Names = Mapping[str, Iterable[str]]
"""Names of things that can be referred to, by "node", "link", "program" and "step"."""


class Fields:
    """The fields of one table.

    A key that is not there has its default, or None.

    Args:
        section: its keys.
        source: the table.
        names: those that it may refer to.

    Attributes:
        choice: the key that decides what the table is; None where none does.

    Raises:
        ScenarioError: a key is unknown, missing or of another choice, or a value is wrong.
    """

    def __init__(self, section: Section, source: Value, names: Names) -> None:
        self.source = source
        table = source.table(section.header)
        chosen = _chosen(section, source) if section.choices else None
        self.choice = chosen.key.name if chosen is not None else None
        keys = [*section.keys, *((chosen.key, *chosen.keys) if chosen is not None else ())]
        known = {key.name: key for key in keys}
        for name in table:
            if name not in known:
                raise _misplaced(section, chosen, source.at(name), known)
        self._values: dict[str, Any] = {}
        for key in keys:
            if key.name in table:
                self._values[key.name] = _read(key, source.at(key.name), names)
            elif key.required:
                where = "" if source.path else " above the first header"
                hint = f"write {key.name} = {key.example}{where}"
                raise source.fault(f"{key.name} is missing", hint)
            else:
                self._values[key.name] = default(key)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self.source

    def get(self, name: str, otherwise: Any) -> Any:
        """Return the value of a key that is there, even when that is None."""
        return self._values[name] if name in self else otherwise

    def at(self, name: str) -> Value:
        """Return a value as it came, for whoever looks at it more closely."""
        return self.source.at(name)


@cache
def default(key: Key) -> Any:
    """Return the value of a key that is not there; None when it has none."""
    if key.default is None:
        return None
    text = f"{key.name} = {key.default}"
    document = tomllib.loads(text, parse_float=Decimal)
    return key.kind.read(Value(document, "keys", TomlLines(text)).at(key.name))


def unknown(source: Value, key: str, names: Iterable[str], where: str) -> ScenarioError:
    """Return the error about a key that a table does not have."""
    names = list(names)
    hint = did_you_mean(key, names, f"there are {', '.join(names)}")
    if key in AT_THE_TOP:
        hint = "write it above the first header"
    return source.fault(f"{where} has no such key", hint)


def missing(source: Value, what: str, name: str, names: Iterable[str]) -> ScenarioError:
    """Return the error about a name that nothing has; those that there are stand in it.

    Args:
        what: a word for it, such as "node".
    """
    names = list(names)
    listed = ", ".join(names[:_LISTED_MAX]) + (", ..." if len(names) > _LISTED_MAX else "")
    there = f"there {'is only' if len(names) == 1 else 'are'} {listed}"
    return source.fault(
        f"there is no {what} {quoted(name)} ({there if names else 'there is none at all'})",
        did_you_mean(name, names, "write one of them" if names else f"add a {what}"),
    )


def _chosen(section: Section, source: Value) -> Choice:
    found = [choice for choice in section.choices if choice.key.name in source]
    names = [choice.key.name for choice in section.choices]
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(choice.key.name for choice in found)
        raise source.fault(f"it has {both}", f"write a table for each: {section.header}")
    known = {key.name for key in _all_keys(section)}
    for name in source.value:
        if name not in known:
            guess = did_you_mean(name, known, f"it needs one of {', '.join(names)}")
            raise source.at(name).fault(f"{section.header} has no such key", guess)
    raise source.fault(f"it has none of {', '.join(names)}", "write one of them")


def _all_keys(section: Section) -> list[Key]:
    found = list(section.keys)
    for choice in section.choices:
        found += (choice.key, *choice.keys)
    return found


def _misplaced(
    section: Section, chosen: Choice | None, source: Value, known: Iterable[str]
) -> ScenarioError:
    name = source.key
    others = [
        choice.key.name for choice in section.choices if name in (key.name for key in choice.keys)
    ]
    if chosen is not None and others:
        goes = " or ".join(others)
        hint = f"with {chosen.key.name} there are {', '.join(known)}"
        return source.fault(f"it goes with {goes}; here is {chosen.key.name}", hint)
    return unknown(source, name, known, section.header)


def _read(key: Key, source: Value, names: Names) -> Any:
    value = key.kind.read(source)
    if key.kind.of and not any(value in names[what] for what in key.kind.of):
        there = [name for what in key.kind.of for name in names[what]]
        raise missing(source, " or ".join(key.kind.of), value, there)
    return value
