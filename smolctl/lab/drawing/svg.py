"""SVG files that are readable on light and on dark pages, with colour and without.

No font and nothing else comes from elsewhere. Each text is set to the width that its characters
have in a grid, whatever the reader's monospace font is, so that nothing overlaps.
"""

from collections.abc import Sequence
from enum import StrEnum
from html import escape
from math import ceil

from smolctl.lab.drawing.ladder_words import clean

CHAR = 7.8
"""Pixels from one character to the next."""
LINE = 17
"""Pixels from one line of words to the next."""
_SIZE = 13
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Style(StrEnum):
    """The classes of texts and lines."""

    TITLE = "title"
    NAME = "name"
    TIME = "time"
    WORDS = "words"
    QUIET = "quiet"
    BAD = "bad"
    WAIT = "wait"
    STEP = "step"
    DATA = "data"
    ASKS = "asks"
    RULE = "rule"
    LIFE = "life"
    PAUSE = "pause"


# Name: its colour on a light page, and on a dark one.
COLOURS: dict[str, tuple[str, str]] = {
    "page": ("#ffffff", "#0d1117"),
    "text": ("#1f2328", "#e6edf3"),
    "quiet": ("#505963", "#9ba3ad"),
    "line": ("#818b98", "#6e7681"),
    "data": ("#0a4a9e", "#79c0ff"),
    "asks": ("#6632a8", "#d2a8ff"),
    "bad": ("#a40e26", "#ff8f88"),
    "wait": ("#6b4400", "#e3b341"),
    "step": ("#0b5a22", "#7ee787"),
}
"""Texts are legible on the page, lines are seen (a test has the contrast)."""

_RULES = f"""\
svg {{ font-family: {_FONTS}; font-size: {_SIZE}px; }}
text {{ white-space: pre; fill: var(--text); stroke: none; }}
path, line {{ fill: none; }}
.page {{ fill: var(--page); stroke: var(--line); }}
.title, .name {{ font-weight: bold; }}
.time, .quiet {{ fill: var(--quiet); }}
.bad {{ fill: var(--bad); }}
.wait {{ fill: var(--wait); }}
.step {{ fill: var(--step); }}
.box {{ fill: var(--page); stroke: var(--text); }}
.outside {{ stroke-dasharray: 3 3; }}
.life {{ stroke: var(--line); }}
.pause {{ stroke: var(--line); stroke-dasharray: 1 4; stroke-width: 2; }}
.rule {{ stroke: var(--line); stroke-dasharray: 6 4; }}
line.data, path.data {{ stroke: var(--data); stroke-width: 1.5; }}
line.asks, path.asks {{ stroke: var(--asks); stroke-width: 1.5; stroke-dasharray: 2 3; }}
path.head {{ stroke-width: 1.5; stroke-dasharray: none; }}
path.head.data {{ fill: var(--data); }}
path.head.asks {{ fill: var(--asks); }}
path.head.ignored {{ fill: none; stroke-width: 2; }}
path.lost {{ stroke: var(--bad); stroke-width: 2.5; }}
.sender {{ fill: var(--text); }}
.plate {{ fill: var(--page); }}
.tag {{ font-size: 11px; }}
.tag.data {{ fill: var(--data); }}
.tag.asks {{ fill: var(--asks); }}
circle.badge {{ fill: var(--page); stroke: var(--text); stroke-width: 1.5; }}
circle.bad {{ stroke: var(--bad); stroke-width: 2.5; }}
circle.wait {{ stroke: var(--wait); }}
circle.step {{ stroke: var(--step); }}
text.letter {{ font-size: 11px; font-weight: bold; }}
"""


def document(width: int, height: int, title: str, parts: Sequence[str], rules: str = "") -> str:
    """Return a whole file.

    Args:
        width, height: pixels.
        title: one line for those who do not see the picture.
        parts: what it consists of.
        rules: more rules of CSS.
    """
    light, dark = (
        " ".join(f"--{name}: {colours[at]};" for name, colours in COLOURS.items()) for at in (0, 1)
    )
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(clean(title), quote=False)}</title>",
        f"<style>\nsvg {{ {light} }}",
        f"@media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}",
        f"{_RULES}{rules}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
        *parts,
        "</svg>",
        "",
    ))  # fmt: skip


def text_width(words: str, size: int = _SIZE) -> int:
    """Return the pixels that a text takes."""
    return ceil(len(words) * CHAR * size / _SIZE)


def text(x: int, y: int, words: str, style: str, anchor: str = "start", size: int = _SIZE) -> str:
    """Return a text; y is its base line, x where it begins, has its middle or ends.

    Args:
        anchor: "start", "middle" or "end".
        size: pixels of the letters, which the style must have, too.
    """
    if not words:
        return ""
    width = len(words) * CHAR * size / _SIZE
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text class="{style}" x="{x}" y="{y}"{place} xml:space="preserve"'
        f' textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(clean(words), quote=False)}</text>"
    )


def line(begin: tuple[float, float], end: tuple[float, float], style: str) -> str:
    """Return a straight line."""
    (x1, y1), (x2, y2) = begin, end
    return f'<line class="{style}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'
