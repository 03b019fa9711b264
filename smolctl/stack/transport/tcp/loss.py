"""The state of a connection's loss recovery."""

from enum import StrEnum

from smolctl.stack.trace.trace import Struck


class Phase(StrEnum):
    """The phases of congestion control, as ``ss`` calls them (Linux tcp_ca_state)."""

    OPEN = "open"
    CWR = "cwr"
    """The window is reduced because of a congestion mark (RFC 3168 6.1.2)."""
    RECOVERY = "recovery"
    LOSS = "loss"


class LossState:
    """The state of one connection.

    Attributes:
        phase: see ``Phase``. high: the end of what was in flight when it began: it ends with that.
        dupacks: duplicate acknowledgments in a row, of a peer without SACK.
        undo: sequence number from which a reduction can be taken back, None for none.
        undo_left: retransmissions that no duplicate was reported for yet; the reduction is taken
            back when all were needless (RFC 3708). prior_cwnd, prior_ssthresh: what it goes back
            to. retransmitted: timestamp of the first retransmission in the phase (RFC 3522).
        prr_delivered, prr_out, prr_base: of proportional rate reduction (RFC 6937).
        rack_ns, rack_again, rack_end, rack_rtt_ns: of the latest segment that is known to have
            arrived (RFC 8985 6.2 step 2); again: it was sent more than once.
        forward: the highest sequence number that is known to have arrived.
        reordered: segments were seen to arrive out of order; reorder_steps: the reordering window
            in quarters of the smallest round trip; reorder_keep: recoveries for which it is kept;
            dsack_round: what was sent when it last grew.
        tlp_end: end of a tail loss probe that is in flight, None for none; tlp_again: it was a
            retransmission.
        frto: 1 while a timeout may turn out to be spurious, 2 while new data is to tell (RFC 5682
            2.1), else 0. round_end: end of this round trip.
        delivered: bytes that the peer has, in all; delivered_ns: when that last grew;
            first_sent_ns: when what was delivered last was sent. rate: bytes a second.
        reordering: the largest reordering seen, in segments.
        ce_end: the window is not reduced for marks before this one is acknowledged.
        why: the note of what segments are sent again for, None for nothing that has one; note: the
            note that is on the trace of what is sent now.
    """

    __slots__ = (
        "ce_end", "delivered", "delivered_ns", "dsack_round", "dupacks", "forward", "frto", "high",
        "note", "phase", "prior_cwnd", "prior_ssthresh", "prr_base", "prr_delivered", "prr_out",
        "rack_again", "rack_end", "rack_ns", "rack_rtt_ns", "rate", "reorder_keep",
        "reorder_steps", "reordered", "reordering", "retransmitted", "round_end", "tlp_again",
        "tlp_end", "undo", "undo_left", "why",
    )  # fmt: skip

    def __init__(self, iss: int = 0) -> None:
        self.phase = Phase.OPEN
        self.high = self.forward = self.rack_end = self.round_end = self.ce_end = iss
        self.dsack_round: int | None = None
        self.dupacks = self.undo_left = self.prior_cwnd = self.prior_ssthresh = 0
        self.undo: int | None = None
        self.retransmitted: int | None = None
        self.prr_delivered = self.prr_out = self.prr_base = 0
        self.rack_ns = self.rack_rtt_ns = self.delivered = self.delivered_ns = self.rate = 0
        self.reordered = self.tlp_again = self.rack_again = False
        self.frto = 0
        self.reorder_steps, self.reorder_keep, self.reordering = 1, 0, 3
        self.tlp_end: int | None = None
        self.why: Struck | None = None
        self.note: Struck | None = None

    @property
    def recovering(self) -> bool:
        """Whether the window is that of a recovery, and does not grow as usual."""
        return self.phase is not _OPEN


_OPEN = Phase.OPEN
