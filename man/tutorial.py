"""smolctl-tutorial(7), made of docs/tutorial.md: the Markdown that it uses, as roff."""

import re
from collections.abc import Iterator
from textwrap import wrap

_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_BLOCK = re.compile(r"```\w*\n(.*?)```\n", re.DOTALL)
_WORD = re.compile(r"`([^`]*)`|\*\*([^*]*)\*\*")


def page(text: str, heading: str) -> str:
    """Return the page.

    Args:
        text: Markdown with headings, paragraphs, lists, fenced blocks, code and bold words, links.
        heading: the line .TH.
    """
    body = text.partition("\n")[2]
    lines = [
        heading,
        ".SH NAME",
        "smolctl\\-tutorial \\- a first hour with smolctl",
        ".SH DESCRIPTION",
    ]
    for number, part in enumerate(_BLOCK.split(body)):
        lines += _block(part) if number % 2 else _prose(part)
    lines += [".SH SEE ALSO", ".BR smolctl (8),", ".BR smolctl\\-reasons (7)"]
    # A paragraph break at the beginning or end of a section is one too many.
    made = re.sub(r"(^\.SH .*\n)\.PP\n", r"\1", "\n".join(lines) + "\n", flags=re.M)
    return re.sub(r"\.PP\n(?=\.SH )", "", made)


def _block(text: str) -> Iterator[str]:
    yield ".RS 4"
    yield ".EX"
    yield from (_escape(line) for line in text.splitlines())
    yield ".EE"
    yield ".RE"


def _prose(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\n+", text.strip()):
        if paragraph.startswith("## "):
            yield f".SH {_escape(paragraph[3:].upper())}"
        elif paragraph.startswith("- "):
            for item in re.split(r"^- ", paragraph, flags=re.M)[1:]:
                yield ".IP \\(bu 2"
                yield _words(item)
        elif paragraph:
            yield ".PP"
            yield _words(paragraph)


def _words(text: str) -> str:
    text = _LINK.sub(r"\1", " ".join(text.split()))
    fonts = _WORD.sub(lambda found: f"\0{found[1] or found[2]}\1", text)
    lines = [
        line
        for sentence in re.split(r"(?<=[.;:?]) ", fonts)
        for line in wrap(sentence, 72, break_long_words=False, break_on_hyphens=False)
    ]
    return "\n".join(_escape(line).replace("\0", "\\fB").replace("\1", "\\fR") for line in lines)


def _escape(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text
