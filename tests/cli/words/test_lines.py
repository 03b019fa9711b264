"""The words of a command file's lines, and the lines as they come."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import F_DUPFD, fcntl
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.cli.words.grammar import UsageFault
from smolctl.cli.words.lines import LONGEST, Line, Lines, Unfinished, split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("addr add 10.0.0.1/24 dev tap0", ["addr", "add", "10.0.0.1/24", "dev", "tap0"]),
        ("  a\t b \r", ["a", "b"]),
        ("", []),
        ("# all of it", []),
        ("a # b", ["a"]),
        ("a#b", ["a#b"]),
        ("'a'#b", ["a#b"]),
        ("a '#' b", ["a", "#", "b"]),
        ("udp send 'Hello, loopback!'", ["udp", "send", "Hello, loopback!"]),
        ("a'b c'd", ["ab cd"]),
        ("'' \"\"", ["", ""]),
        (r"'a\b'", [r"a\b"]),
        (r'"a\"b\\c\$d\`e\f"', [r'a"b\c$d`e\f']),
        (r"a\ b \# \'", ["a b", "#", "'"]),
        ("a\xa0b", ["a\xa0b"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split(text) == words


@pytest.mark.parametrize("text", ["'a", '"a', "a 'b\\", "a'\"'\""])
def test_a_quote_that_is_not_closed(text: str) -> None:
    with pytest.raises(UsageFault, match="is not closed"):
        split(text)


@pytest.mark.parametrize("text", ["a \\", "\\", '"a\\'])
def test_a_backslash_at_the_end_asks_for_more(text: str) -> None:
    with pytest.raises(Unfinished):
        split(text)


SHELL_TEXT = st.text(st.sampled_from("ab #'\"\\\t$é"), max_size=12)


@given(SHELL_TEXT)
def test_words_are_those_of_shlex(text: str) -> None:
    """Shlex takes # within a word for a comment too, which no shell does: it is kept out here."""
    text = text.replace("#", "")
    # Within double quotes shlex lets a backslash quote only itself and the quote.
    while "\\$" in text:
        text = text.replace("\\$", "$")
    try:
        mine: list[str] | None = split(text)
    except (UsageFault, Unfinished):
        mine = None
    try:
        theirs: list[str] | None = shlex.split(text)
    except ValueError:
        theirs = None
    assert mine == theirs


WORDS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=8))


@given(WORDS)
def test_what_shlex_quotes_is_read_back(words: list[str]) -> None:
    assert split(shlex.join(words)) == words


def test_words_are_those_of_sh() -> None:
    texts = [
        r"""a#b 'c #' "d\e" "\"f\$" \g\# '' x"y"'z' # w""",
        r"""  "a\\b" 'c\\d' e\\f \
        g """,
    ]
    for text in texts:
        shown = subprocess.run(
            ["sh", "-c", f"printf '%s\\0' {text}"], capture_output=True, text=True, check=True
        ).stdout
        assert split(text.replace("\\\n", "")) == shown.split("\0")[:-1]


# --- lines ----------------------------------------------------------------------------------------


@contextmanager
def reading(data: bytes, path: Path) -> Iterator[Lines]:
    file = path / "commands"
    file.write_bytes(data)
    fd = os.open(file, os.O_RDONLY)
    try:
        yield Lines(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a b\n\n# c\n  d\n", [(1, ["a", "b"]), (4, ["d"])]),
        (b"a\nb", [(1, ["a"]), (2, ["b"])]),
        (b"a \\\n  b \\\nc\nd\n", [(1, ["a", "b", "c"]), (4, ["d"])]),
        (b"a # b \\\nc\n", [(1, ["a"]), (2, ["c"])]),
        (b"'a \\'\nb\n", [(1, ["a \\"]), (2, ["b"])]),
        (b'"a \\\nb"\n', [(1, ["a b"])]),
        (b"\xef\xbb\xbfa\r\nb\r\n", [(1, ["a"]), (2, ["b"])]),
        (b"\xff\n", [(1, ["\udcff"])]),
    ],
)
def test_lines(data: bytes, lines: list[tuple[int, list[str]]], tmp_path: Path) -> None:
    with reading(data, tmp_path) as source:
        assert list(source) == [Line(number, words) for number, words in lines]


@pytest.mark.parametrize(("data", "number"), [(b"a\n'b\nc\n", 2), (b"a\nb \\\n", 2)])
def test_a_line_that_is_wrong_is_told_by_its_number(
    data: bytes, number: int, tmp_path: Path
) -> None:
    with reading(data, tmp_path) as source:
        faulty = [line for line in source if line is not None and line.fault is not None]
    assert [line.number for line in faulty] == [number]


def test_before_it_waits_it_says_so() -> None:
    reader, writer = os.pipe()
    try:
        lines = iter(Lines(reader))
        assert next(lines) is None
        os.write(writer, b"a\nb\nc")
        assert [next(lines), next(lines), next(lines)] == [Line(1, ["a"]), Line(2, ["b"]), None]
        os.write(writer, b"d\n")
        os.close(writer)
        assert list(lines) == [Line(3, ["cd"])]
    finally:
        os.close(reader)


@pytest.mark.parametrize("endless", [b"\0", b"x \\\n"], ids=["zeros", "lines that go on"])
def test_a_file_that_never_ends_is_no_file_of_commands(endless: bytes, tmp_path: Path) -> None:
    data = b"link show\n" + endless * (2 * LONGEST // len(endless))
    with reading(data, tmp_path) as lines:
        *good, bad = lines
    assert [line.words for line in good if line] == [["link", "show"]]
    assert bad is not None
    assert (bad.number, bad.words) == (2, [])
    assert bad.fault is not None
    assert "too long" in bad.fault.message


def test_a_descriptor_above_1023(tmp_path: Path) -> None:
    soft, hard = getrlimit(RLIMIT_NOFILE)
    (tmp_path / "commands").write_text("link\nroute\n")
    setrlimit(RLIMIT_NOFILE, (max(soft, 2048), hard))
    try:
        with (tmp_path / "commands").open() as file:
            fd = fcntl(file, F_DUPFD, 1024)
        try:
            lines = [line.words for line in Lines(fd) if line is not None]
        finally:
            os.close(fd)
    finally:
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    assert lines == [["link"], ["route"]]
