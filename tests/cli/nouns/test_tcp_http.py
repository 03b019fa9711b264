"""The URL of ``tcp http``."""

import pytest

from smolctl.cli.nouns.tcp_http import parse_url
from smolctl.cli.words.grammar import UsageFault


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("10.0.0.2", ("10.0.0.2", "80", "/")),
        ("10.0.0.2:8000/a/b?c=d", ("10.0.0.2", "8000", "/a/b?c=d")),
        ("http://10.0.0.2/x", ("10.0.0.2", "80", "/x")),
        ("[fe80::2%tap0]:81/", ("fe80::2%tap0", "81", "/")),
        ("HTTP://[::1]", ("::1", "80", "/")),
        ("::1/x", ("::1", "80", "/x")),
        ("10.0.0.2:/x", ("10.0.0.2", "80", "/x")),
    ],
)
def test_its_parts(text: str, parts: tuple[str, str, str]) -> None:
    assert parse_url(text) == parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://10.0.0.2/", "is not http"),
        ("/index.html", "has no host"),
        ("10.0.0.2/a b", "has a space"),
        ("10.0.0.2/a\nb", "has a space"),
        ("[::1/x", "is not an address and a port"),
    ],
)
def test_what_is_none(text: str, said: str) -> None:
    with pytest.raises(UsageFault, match=said):
        parse_url(text)
