"""Comments of captures about dropped packets, and the choice of packets by a filter."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from smolctl.capture import Record
from smolctl.stack.explain.filter import parse
from smolctl.stack.explain.filter_match import FilteredPacket
from smolctl.stack.reason import REASONS, Kind

_COMMENT = re.compile(r"reason: ([a-z0-9]+(?:-[a-z0-9]+)+)(?: - (.*))?", re.DOTALL)


class Verdict(NamedTuple):
    """The reason for which a packet was dropped or refused.

    Attributes:
        reason: its name.
        kind: "drop" or "reject".
        why: one line, "" when it is not known.
    """

    reason: str
    kind: str = Kind.DROP.value
    why: str = ""

    def comment(self) -> str:
        """Return it as the comment of a packet in a capture file."""
        return f"reason: {self.reason}" + (f" - {self.why}" if self.why else "")


def verdict_of(record: Record) -> Verdict | None:
    """Return what the comments of a packet say, when smolctl wrote them; else None."""
    for comment in record.comments:
        if found := _COMMENT.fullmatch(comment):
            name = found[1]
            kind = REASONS[name].kind if name in REASONS else Kind.DROP
            return Verdict(name, kind.value, found[2] or "")
    return None


def select(records: Iterable[Record], text: str) -> Iterator[tuple[Record, Verdict | None]]:
    """Yield the packets that a filter chooses, with what became of them.

    Raises:
        InvalidArgument: ``text`` is no filter; at once, before anything is read.
    """
    wanted = parse(text)

    def chosen() -> Iterator[tuple[Record, Verdict | None]]:
        for record in records:
            verdict = verdict_of(record)
            reason = verdict.reason if verdict else None
            packet = FilteredPacket(
                record.frame, record.ethernet, record.direction, record.dev, reason
            )
            if wanted.matches(packet):
                yield record, verdict

    return chosen()
