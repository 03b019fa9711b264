"""The recorder of a stack: what is counted, and what is remembered."""

from collections.abc import Callable

from smolctl.stack.trace.journal import Journal
from smolctl.stack.trace.ledger import Ledger

NoteCandidates = Callable[..., None]
"""Notes which rules and routes were considered for a packet; see ``explain.candidates.note``."""


class Recorder:
    """The ledger and the journal of one stack, for those who need both.

    Attributes:
        record, count: the ledger's.
        begin, follow: the journal's.
        considered: notes on a trace the rules and routes that a lookup considered.
    """

    __slots__ = ("begin", "count", "follow", "journal", "ledger", "note_candidates", "record")

    def __init__(self) -> None:
        self.ledger, self.journal = Ledger(), Journal()
        self.record, self.count = self.ledger.record, self.ledger.count
        self.begin, self.follow = self.journal.begin, self.journal.follow
        self.note_candidates: NoteCandidates = _note_nothing

    def forget(self) -> None:
        """Forget all packets, and who listens; what was counted stays."""
        self.journal.forget()
        self.begin = self.journal.begin


def _note_nothing(*_: object) -> None:
    """Note nothing: nobody tells of lookups."""
