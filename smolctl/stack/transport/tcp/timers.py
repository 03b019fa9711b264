"""The timers of a connection."""

from enum import StrEnum


class TimerKind(StrEnum):
    """The use of the one retransmission timer of a connection (Linux icsk_pending)."""

    NONE = "none"
    RETRANSMIT = "retransmit"
    REORDER = "reorder"
    PROBE = "tail-loss-probe"
    PERSIST = "persist"
