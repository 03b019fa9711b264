"""docs/terminal.svg shows what the commands print, and is legible wherever it is shown."""

import re
from xml.etree import ElementTree

from tests.docs import picture
from tests.docs.picture import BACKGROUND, BORDER, COLOURS, COLUMNS, COMMANDS, PICTURE
from tests.docs.transcript import stable
from tests.kit.stack_env import SmolctlEnv

SVG = PICTURE.read_text()


def test_it_shows_what_the_commands_print(smolctl_env: SmolctlEnv) -> None:
    seen = picture.shown(SVG)
    assert [command.line for command in seen] == list(COMMANDS)
    printed = picture.taken(smolctl_env, [])
    assert [stable(command.shown) for command in printed] == [
        stable(command.shown) for command in seen
    ], "run: make docs"


def test_it_is_drawn_by_the_code_that_is_here() -> None:
    assert picture.drawn(picture.shown(SVG)) == SVG, "run: make docs"


def test_it_tells_the_story_that_readme_needs() -> None:
    text = "".join(picture.plain(command.shown) for command in picture.shown(SVG))
    assert "verdict: not sent - tx-no-route" in text
    assert "fix:     smolctl route add default via 10.0.0.2\n" in text
    assert re.search(r"^sent 5 bytes to 8\.8\.8\.8:53 dev eth0 via 10\.0\.0\.2 ", text, re.M)


def test_it_is_plain_svg_that_needs_nothing_from_elsewhere() -> None:
    root = ElementTree.fromstring(SVG)
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds == {"svg", "title", "rect", "g", "text", "tspan"}
    assert SVG.count("http") == 1  # the name space
    assert not re.search(r"\b(on\w+|href|src)=|url\(|@import", SVG)


def test_lines_fit() -> None:
    assert (
        max(
            len(picture.plain(line))
            for command in picture.shown(SVG)
            for line in command.shown.splitlines()
        )
        <= COLUMNS
    )


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.1)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.1)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_it_is_legible_on_light_and_on_dark_pages() -> None:
    assert contrast("#ffffff", "#000000") == 21.0
    # 7 is WCAG's AAA for text, 3 what the outline of a thing needs: it is seen on any page.
    for name, colour in COLOURS.items():
        assert contrast(colour, BACKGROUND) >= 7, name
        assert colour == "#ffffff" or colour in SVG, f"{name} is not used"
    for page in ("#ffffff", "#0d1117"):
        assert contrast(BORDER, page) >= 3
