"""docs/terminal.svg: a terminal as README shows it, drawn from a real run.

The text of the picture is what the commands print; ``make docs`` runs them again. No font is
embedded: each line is set to the width that its characters have in the grid, whatever the reader's
monospace font is.
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
}
"""What each kind of text is drawn in; all are legible on the background (a test has the ratio)."""

_WIDTH, _HEIGHT, _SIZE, _MARGIN = 8.4, 19, 14, 18  # pixels: a column, a line, the font, the border
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_LINE = re.compile(r"<text [^>]*>(.*?)</text>")
_STEP = re.compile(r"^(\s+(?:\d+ \w+ +)?)(ok|pick|skip|wait|drop|reject)\b(.*)$")
_RESULTS = {"ok": "good", "pick": "good", "skip": "quiet"}


def shown(svg: str) -> list[Command]:
    """Return the commands of a picture and what is below each."""
    text = "".join(f"{unescape(re.sub('<[^>]*>', '', line))}\n" for line in _LINE.findall(svg))
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    return [Command(*part.split("\n", 1)) for part in parts]


def taken(env: SmolctlEnv, before: list[Command]) -> list[Command]:
    """Run the commands; what differs in volatile parts only stays as it was."""
    for line in BEFORE:
        assert run(env, line) == ""
    old = {command.line: command.shown for command in before}
    result = []
    for line in COMMANDS:
        output = run(env, line)
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
    return (
        f'<text x="{x}" y="{y}" xml:space="preserve" style="white-space:pre"'
        f' textLength="{len(text) * _WIDTH:.1f}" lengthAdjust="spacingAndGlyphs">{spans}</text>'
    )


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kinds of text in a line."""
    if text.startswith("$ "):
        yield from (("prompt", "$ "), ("command", text[2:]))
    elif found := _STEP.match(text):
        kind = _RESULTS.get(found[2], "bad")
        yield from (("output", found[1]), (kind, found[2]))
        yield ("quiet" if kind == "quiet" else "bad" if kind == "bad" else "output", found[3])
    elif found := re.match(r"(verdict: |why:     |fix:     )(.*)$", text):
        kinds = {"verdict": "bad" if " not " in f" {found[2]} " else "good", "fix": "good"}
        yield from (("label", found[1]), (kinds.get(found[1].split(":")[0], "output"), found[2]))
    else:
        yield ("output", text)


def write() -> None:
    """Run the commands, and draw the picture again."""
    env = SmolctlEnv()
    try:
        PICTURE.write_text(
            drawn(taken(env, shown(PICTURE.read_text() if PICTURE.exists() else "")))
        )
    finally:
        env.close()
