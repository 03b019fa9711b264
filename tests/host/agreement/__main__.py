"""The agreement of twins with the kernel, measured: ``make host-agreement N=2000``."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.host.agreement.compare import PER_HOST, Compared, compared, random_compared
from tests.host.agreement.kinds import KINDS
from tests.host.agreement.observer import Far, one_processor

PAGE = Path(__file__).parents[3] / "docs" / "host.md"
BEGIN, END = "<!-- agreement: make host-agreement -->", "<!-- end of agreement -->"


class Tally:
    """Counts of questions by topic, and those in which twin and kernel differ."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.silent: Counter[str] = Counter()

    def take(self, topic: str, each: Compared) -> None:
        """Count a question."""
        self.asked[topic] += 1
        self.wrong[topic] += not each.agrees
        self.silent[topic] += not each.agrees and not each.warned

    def rows(self) -> Iterator[tuple[str, int, int, int, int]]:
        """Yield topic, questions, those that agree, those that differ with a warning and without.

        The last row is the sum.
        """
        for topic in self.asked:
            asked, wrong, silent = self.asked[topic], self.wrong[topic], self.silent[topic]
            yield topic, asked, asked - wrong, wrong - silent, silent
        asked, wrong, silent = self.asked.total(), self.wrong.total(), self.silent.total()
        yield "all", asked, asked - wrong, wrong - silent, silent


def shown(tally: Tally) -> Iterator[str]:
    """Yield a table for the terminal."""
    yield f"{'':24} {'asked':>7} {'agree':>7} {'%':>7} {'warned':>7} {'silent':>7}"
    for topic, asked, agree, warned, silent in tally.rows():
        share = 100 * agree / asked if asked else 100
        yield f"{topic:24} {asked:7} {agree:7} {share:7.2f} {warned:7} {silent:7}"


def page(kinds: Tally, random: Tally, seeds: range) -> Iterator[str]:
    """Yield the section of docs/host.md."""
    named = f"random hosts {seeds[0]} to {seeds[-1]}"
    yield "| host | questions | agree | differ, with a warning | differ, without |"
    yield "|---|---|---|---|---|"
    for name, tally in (("", kinds), (named, random)):
        for topic, asked, agree, warned, silent in tally.rows():
            if name and topic != "all":
                continue
            label = name or ("all of these" if topic == "all" else topic)
            share = 100 * agree / asked
            yield f"| {label} | {asked} | {agree} ({share:.1f} %) | {warned} | {silent} |"


def run(found: Iterable[Compared], tally: Tally, topic: str = "") -> None:
    """Count questions, and print those in which both differ."""
    for each in found:
        tally.take(topic or each.ask.topic, each)
        if not each.agrees:
            print(each.report(), end="\n\n", flush=True)


def main() -> int:
    """Compare, print, and write the page if that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m tests.host.agreement", description=__doc__)
    parser.add_argument("number", type=int, nargs="?", default=2000, help="of random questions")
    parser.add_argument("--seed", type=int, default=0, help="of the first random host")
    parser.add_argument("--page", action="store_true", help="write the table into docs/host.md")
    said = parser.parse_args()
    kinds, random = Tally(), Tally()
    seeds = range(said.seed, said.seed + -(-said.number // PER_HOST))
    with one_processor():
        far = Far()
        for kind in KINDS:
            run(compared(kind.name, kind.host(), kind.questions(), far), kinds, kind.kind)
        for seed in seeds:
            run(random_compared(seed, PER_HOST, far), random)
        far.close()
    print("hosts made by hand", *shown(kinds), "", "random hosts", *shown(random), sep="\n")
    if said.page:
        text = PAGE.read_text()
        head, _, rest = text.partition(BEGIN)
        _, _, tail = rest.partition(END)
        table = "\n".join(page(kinds, random, seeds))
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}")
    return int(bool(kinds.silent.total() or random.silent.total()))


if __name__ == "__main__":
    sys.exit(main())
