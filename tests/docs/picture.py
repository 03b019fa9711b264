"""docs/terminal.svg: a terminal as README shows it, drawn from a real run.

The text of the picture and its colours are what the commands print with ``--color=always``, as on a
terminal; ``make docs`` runs them again. No font is embedded: each line is set to the width that its
characters have in the grid, whatever the reader's monospace font is.
"""

import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path

from tests.docs.transcript import Command, run, stable
from tests.kit.stack_env import SmolctlEnv

PICTURE = Path(__file__).parents[2] / "docs" / "terminal.svg"

BEFORE = (
    "smolctl -q -n peer link add eth0 type cable name c1 address 02:00:00:00:00:02",
    "smolctl -n peer addr add 10.0.0.2/24 dev eth0",
    "smolctl -q stack start",
)
"""Run first, and not shown: the other end of the cable."""
COMMANDS = (
    "smolctl link add eth0 type cable name c1",
    "smolctl addr add 10.0.0.1/24 dev eth0",
    "smolctl ping -q -c 1 10.0.0.2 | grep loss",
    "smolctl why udp any 8.8.8.8:53",
    "smolctl route add default via 10.0.0.2",
    "smolctl udp send 8.8.8.8:53 hello",
    "smolctl neigh show",
)
COLUMNS = 78
BACKGROUND, BORDER = "#0d1117", "#6e7681"
COLOURS = {
    "prompt": "#7ee787",
    "command": "#ffffff",
    "output": "#c9d1d9",
    "good": "#56d364",
    "bad": "#ff7b72",
    "quiet": "#9ba3ad",
    "label": "#79c0ff",
    "wait": "#e3b341",
    "address": "#d2a8ff",
}
"""Colours of the kinds of text; all are legible on the background (a test has the ratio)."""

_WIDTH, _HEIGHT, _SIZE, _MARGIN = 8.4, 19, 14, 18  # pixels: a column, a line, the font, the border
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_LINE = re.compile(r"<text [^>]*>(.*?)</text>")
_SPAN = re.compile(r'<tspan fill="(.*?)">(.*?)</tspan>')
_CODE = re.compile(r"\x1b\[(\d+)m(.*?)\x1b\[0m")
_KINDS = {"32": "good", "31": "bad", "33": "wait", "2": "quiet", "36": "label", "35": "address"}
"""Kinds of text by the program's codes of colours."""
_CODES = {COLOURS[kind]: code for code, kind in _KINDS.items()}


def plain(text: str) -> str:
    """Return a text without codes of colours."""
    return _CODE.sub(r"\2", text)


def shown(svg: str) -> list[Command]:
    """Return the commands of a picture and what is below each, with its colours."""

    def coloured(span: re.Match[str]) -> str:
        code = _CODES.get(span[1])
        return f"\x1b[{code}m{span[2]}\x1b[0m" if code else span[2]

    text = "".join(f"{unescape(_SPAN.sub(coloured, line))}\n" for line in _LINE.findall(svg))
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [Command(*part.split("\n", 1)) for part in parts]


def taken(env: SmolctlEnv, before: list[Command]) -> list[Command]:
    """Run the commands; what differs in volatile parts only stays as it was."""
    for line in BEFORE:
        assert run(env, line) == ""
    old = {command.line: command.shown for command in before}
    result = []
    for line in COMMANDS:
        output = run(env, line.replace("smolctl ", "smolctl --color=always ", 1))
        same = line in old and stable(output) == stable(old[line])
        result.append(Command(line, old[line] if same else output))
    return result


def drawn(commands: list[Command]) -> str:
    """Return the picture of a terminal that shows the commands and their output."""
    lines = [f"$ {line}\n{output}" for line, output in commands]
    rows = "".join(lines).splitlines()
    width = round(2 * _MARGIN + COLUMNS * _WIDTH)
    height = 2 * _MARGIN + len(rows) * _HEIGHT
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img">',
            "<title>smolctl asked why a datagram would not be sent, and what it answered</title>",
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"'
            f' fill="{BACKGROUND}" stroke="{BORDER}"/>',
            f'<g font-family="{_FONTS}" font-size="{_SIZE}">',
            *(_row(number, text) for number, text in enumerate(rows)),
            "</g>",
            "</svg>",
            "",
        )
    )


def _row(number: int, text: str) -> str:
    x, y = _MARGIN, _MARGIN + _HEIGHT * number + _SIZE
    spans = "".join(
        f'<tspan fill="{COLOURS[kind]}">{escape(part, quote=False)}</tspan>'
        for kind, part in _parts(text)
        if part
    )
    width = len(plain(text)) * _WIDTH
    return (
        f'<text x="{x}" y="{y}" xml:space="preserve" style="white-space:pre"'
        f' textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs">{spans}</text>'
    )


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kinds of text in a line."""
    if text.startswith("$ "):
        yield from (("prompt", "$ "), ("command", text[2:]))
        return
    end = 0
    for found in _CODE.finditer(text):
        yield ("output", text[end : found.start()])
        yield (_KINDS[found[1]], found[2])
        end = found.end()
    yield ("output", text[end:])


def write() -> None:
    """Run the commands, and draw the picture again."""
    env = SmolctlEnv()
    try:
        PICTURE.write_text(
            drawn(taken(env, shown(PICTURE.read_text() if PICTURE.exists() else "")))
        )
    finally:
        env.close()
