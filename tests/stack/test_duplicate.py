"""Shallow copies of objects."""

from copy import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from smolctl.stack.duplicate import duplicate
from tests.kit.host import Host


class Plain:
    def __init__(self) -> None:
        self.numbers = [1]


class Slotted:
    __slots__ = ("empty", "numbers")

    def __init__(self) -> None:
        self.numbers = [1]


class Both(Slotted):
    def __init__(self) -> None:
        super().__init__()
        self.more = {"a": 1}


@dataclass(frozen=True, slots=True)
class Frozen:
    numbers: list[int] = field(default_factory=lambda: [1])


def seen(thing: Any) -> dict[str, int]:
    """Return the attributes of a thing, each as the object that it is."""
    names = [name for name in dir(thing) if not name.startswith("__") and hasattr(thing, name)]
    return {name: id(value) for name in names if not callable(value := getattr(thing, name))}


@pytest.mark.parametrize("kind", [Plain, Slotted, Both, Frozen])
def test_a_duplicate_is_what_a_copy_is(kind: type) -> None:
    thing = kind()
    for other in (duplicate(thing), copy(thing)):
        assert other is not thing
        assert type(other) is kind
        assert seen(other) == seen(thing) != {}


def test_a_duplicate_changes_on_its_own() -> None:
    thing = Both()
    other = duplicate(thing)
    other.more, other.numbers = {}, []
    other.empty = 5  # type: ignore[attr-defined]
    assert (thing.more, thing.numbers, hasattr(thing, "empty")) == ({"a": 1}, [1], False)


def test_the_parts_of_a_stack_are_such_objects() -> None:
    host = Host()
    for thing in (host.stack, host.stack.ipv4.fib, host.stack.interfaces["lo"]):
        assert seen(duplicate(thing)).keys() == seen(thing).keys()
