"""``smolctl tcp``: the words that say where to."""

from typing import Any

import pytest

from smolctl.cli.nouns.tcp_words import target
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import read


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("tcp connect 10.0.0.2:9", {"dst": "10.0.0.2"}),
        ("tcp connect 10.0.0.2 9", {"dst": "10.0.0.2"}),
        ("tcp connect ::1 9", {"dst": "::1"}),
        ("tcp connect [fe80::2%eth0]:9", {"dst": "fe80::2%eth0"}),
        ("tcp connect [::1]:9 -s [::1]:5", {"dst": "::1", "src": "::1", "sport": "5"}),
        ("tcp send 10.0.0.2:9 Hello", {"dst": "10.0.0.2", "data": "Hello"}),
        ("tcp send ::1 9 Hello", {"dst": "::1", "data": "Hello"}),
    ],
)
def test_where_to(line: str, args: dict[str, Any]) -> None:
    verb = " ".join(line.split()[:2])
    assert target(verb, read(line).args) == {"port": "9", **args}


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("tcp connect 10.0.0.2", "10.0.0.2:PORT"),
        ("tcp connect ::1", "[::1]:PORT"),
        ("tcp connect 2001:db8::1:80", "[2001:db8::1]:80"),
        ("tcp send 10.0.0.2 Hello", "10.0.0.2:PORT DATA"),
        ("tcp send ::1:9 Hello", "[::1]:9 DATA"),
    ],
)
def test_a_port_is_needed(line: str, written: str) -> None:
    verb = " ".join(line.split()[:2])
    with pytest.raises(UsageFault, match="has no port") as caught:
        target(verb, read(line).args)
    assert caught.value.hint == f"smolctl {verb} {written}"


def test_one_word_too_many() -> None:
    with pytest.raises(UsageFault, match='"9" is one word too many'):
        target("tcp connect", read("tcp connect 10.0.0.2:9 9").args)
