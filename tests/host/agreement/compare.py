"""The kernel beside the twin: the same host, the same questions, and what differs."""

import re
from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from tests.host.agreement.host import Host
from tests.host.agreement.observer import Far, Observer
from tests.host.agreement.predicted import Oracle, Prediction, Row
from tests.host.agreement.questions import Ask
from tests.host.agreement.random_asks import Questioner
from tests.host.agreement.random_host import Maker

_NOT_COMPARED = ("by which ports ", "the kernel's own hash picks the next hop: one of ")
"""Beginnings of warnings that excuse no difference."""
PER_HOST = 10
"""Questions about each random host."""


class Compared(NamedTuple):
    """One question with both answers.

    Attributes:
        seed: of the random host; a name of one made by hand.
        host, ask: the question.
        refused: commands that the kernel did not take.
        seen: the kernel's events.
        predicted: those of the twin.
        row: what ``why --host`` says; None unless both differ.
    """

    seed: str
    host: Host
    ask: Ask
    refused: tuple[str, ...]
    seen: frozenset[str]
    predicted: Prediction
    row: Row | None

    @property
    def agrees(self) -> bool:
        """Whether both say the same; where a hash picks a next hop, the twin says one of several.

        Nobody here knows the kernel's hash, and ``why --host`` does not claim to: its answer is
        "one of {...}". It is right if the kernel did all that belongs to one of these.
        """
        return self.predicted.allows(self.seen)

    @property
    def warned(self) -> bool:
        """Whether ``why --host`` said that it may be wrong.

        By which port a bridge sends is nothing that is compared, and all of several next hops are.
        """
        told = () if self.row is None else self.row.get("not_looked_at", ())
        return any(not text.startswith(_NOT_COMPARED) for text in told)

    def report(self) -> str:
        """Return it for people, with commands that make the host."""
        refused = set(self.refused)
        script = "\n".join(
            line for line in self.host.script().splitlines()
            if line.removeprefix("ip -n t ") not in refused
        )  # fmt: skip
        return "\n".join((
            f"# seed {self.seed}", script, f"# why --host {self.ask.words()}",
            f"#   the kernel: {', '.join(sorted(self.seen)) or 'nothing'}",
            f"#   the twin:   {', '.join(sorted(self.predicted.events)) or 'nothing'}"
            f" ({self.predicted.verdict})",
            *(f"#   it warned:  {text}" for text in (self.row or {}).get("not_looked_at", ())),
        ))  # fmt: skip


def compared(seed: str, host: Host, asks: Iterable[Ask], far: Far) -> Iterator[Compared]:
    """Yield questions about a host with both answers.

    The host is read again before each of them: what came before has changed it.
    """
    headless = frozenset(spec.name for spec in host.links if spec.kind == "tun")
    observer = Observer(host, far)
    told: set[str] = set()
    try:
        for ask in asks:
            if ask.src in told:
                # The kernel sends a host only so many errors, and forgets with its namespace.
                observer.close()
                observer, told = Observer(host, far), set()
            oracle = Oracle(observer.read(), headless)
            predicted = oracle.ask(ask)
            seen = observer.ask(ask)
            told.update(_told(ask, seen))
            row = None if predicted.allows(seen) else oracle.row(ask)
            yield Compared(seed, host, ask, tuple(observer.refused), seen, predicted, row)
    finally:
        observer.close()


def _told(ask: Ask, seen: frozenset[str]) -> Iterator[str]:
    """Yield the hosts that were sent an error or a redirect, or that one waits for."""
    for event in seen:
        if f"who-has {ask.src} " in event:
            yield ask.src
        elif found := re.search(r" icmp6? \d+/\d+ .*> (\S+) ttl", event):
            yield found[1]


def random_compared(seed: int, count: int, far: Far) -> Iterator[Compared]:
    """Yield random questions about a random host."""
    rng = Random(seed)
    world = Maker(rng).make()
    questioner = Questioner(world, rng)
    asks = [questioner.ask() for _ in range(count)]
    yield from compared(str(seed), world.host, asks, far)
