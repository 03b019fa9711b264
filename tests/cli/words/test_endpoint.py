"""Addresses with ports: split and put together."""

import pytest

from smolctl.cli.words.endpoint import endpoint, has_port, joined, of_listener
from smolctl.cli.words.grammar import UsageFault


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("10.0.0.2:9", ("10.0.0.2", "9")),
        ("9", ("", "9")),
        (":9", ("", "9")),
        ("10.0.0.2:", ("10.0.0.2", "")),
        ("[::1]:9", ("::1", "9")),
        ("[::]:9", ("::", "9")),
        ("[::1]", ("::1", "")),
        ("::1", ("::1", "")),
        ("::1:9", ("::1:9", "")),
        ("fe80::1%tap0", ("fe80::1%tap0", "")),
        ("[fe80::1%tap0]:9", ("fe80::1%tap0", "9")),
    ],
)
def test_an_address_with_a_port(text: str, ends: tuple[str, str]) -> None:
    assert endpoint(text) == ends
    if all(ends):
        assert joined(*ends) == text


@pytest.mark.parametrize("text", ["[::1", "[::1]9", "[::1]]:9", "["])
def test_brackets_that_hold_no_address(text: str) -> None:
    with pytest.raises(UsageFault, match="is not an address and a port"):
        endpoint(text)


def test_a_word_that_may_have_a_port() -> None:
    assert [has_port(text) for text in ("10.0.0.2:9", "[::1]", "[::1]:9")] == [True] * 3
    assert [has_port(text) for text in ("10.0.0.2", "::1", "fe80::1%e", "")] == [False] * 4


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("127.0.0.1", "127.0.0.1:PORT"),
        ("127.0.0.1:", "127.0.0.1:PORT"),
        ("::1", "[::1]:PORT"),
        ("fe80::1%eth0", "[fe80::1%eth0]:PORT"),
        ("2001:db8::1:80", "[2001:db8::1]:80"),
        ("fe80::1%eth0:80", "[fe80::1%eth0]:80"),
        (":", "PORT"),
    ],
)
def test_a_listener_without_a_port_is_told_how_to_write_it(text: str, written: str) -> None:
    with pytest.raises(UsageFault, match="has no port") as caught:
        of_listener("tcp listen", {"local": text})
    assert caught.value.hint == f"smolctl tcp listen {written}"
