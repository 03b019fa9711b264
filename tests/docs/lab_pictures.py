"""docs/lab/: ladders and plots of scenarios that come with smolctl, for the course in docs/lab.md.

A run depends on nothing but its file, seed and profile, and so do its pictures.
"""

from pathlib import Path
from typing import NamedTuple

from smolctl.cli.nouns.lab_draw import ladder_picture
from smolctl.cli.nouns.lab_files import find
from smolctl.cli.nouns.lab_run import Wish, outcome_of
from smolctl.lab.drawing import plot_svg
from smolctl.lab.drawing.plot_layout import Series, lay_out
from smolctl.lab.outcome import Outcome

FOLDER = Path(__file__).parents[2] / "docs" / "lab"


class Picture(NamedTuple):
    """A picture of a run.

    Attributes:
        plot: which of the scenario's plots; None for the ladder.
    """

    scenario: str
    profile: str = "linux"
    plot: int | None = None

    @property
    def file(self) -> str:
        """Its name in docs/lab/."""
        parts = [self.scenario] + ([self.profile] if self.profile != "linux" else [])
        return "-".join(parts) + ".svg"


PICTURES = (
    Picture("arp-first-datagram"),
    Picture("wrong-mask"),
    Picture("no-route-back"),
    Picture("first-datagram-off-link"),
    Picture("vlan-mistake"),
    Picture("duplicate-address"),
    Picture("poisoned-cache"),
    Picture("cache-of-four", plot=1),
    Picture("cache-of-four", "smoltcp-0.9", plot=1),
    Picture("limit-at-run-time", "smoltcp-0.9", plot=0),
    Picture("dying-router", plot=0),
    Picture("tcp-lost-segments", plot=0),
)


def drawn(picture: Picture) -> str:
    """Return the text of a picture's file."""
    outcome = outcome_of(find(picture.scenario), Wish(profile=picture.profile))
    return ladder_picture(outcome) if picture.plot is None else _plot(outcome, picture.plot)


def _plot(outcome: Outcome, number: int) -> str:
    plotted = outcome.plots[number]
    lines = [Series(line.label, plotted.unit, line.points) for line in plotted.lines]
    title = f"{plotted.spec.title} ({outcome.profile})"
    return plot_svg.draw(lay_out(lines, title, outcome.until_ns))


def write() -> None:
    """Draw all pictures again."""
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        (FOLDER / picture.file).write_text(drawn(picture))
