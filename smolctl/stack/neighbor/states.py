"""The state machine of a neighbor entry, as one literal table.

The states are RFC 4861's (7.3.2) as Linux applies them to ARP. What an event is, the cache decides
(``neighbor.py``); what follows from it stands here and nowhere else.
"""

from enum import Enum, StrEnum


class State(StrEnum):
    """Neighbor unreachability detection states (RFC 4861 7.3.2, Linux NUD_*)."""

    NONE = "NONE"
    INCOMPLETE = "INCOMPLETE"
    """Being resolved; packets wait."""
    REACHABLE = "REACHABLE"
    """Confirmed less than the reachable time ago."""
    STALE = "STALE"
    """Was true once; used as it is, and the next use starts a check."""
    DELAY = "DELAY"
    """Used while stale: wait a little for a confirmation before asking."""
    PROBE = "PROBE"
    """Being asked by unicast; still used meanwhile."""
    FAILED = "FAILED"
    """Did not answer; the next use asks again."""
    PERMANENT = "PERMANENT"
    """Set by the user; never checked, never learned over."""
    NOARP = "NOARP"
    """Needs no question, as on a link without ARP; forgotten when nobody uses it (Linux)."""


KEPT = frozenset({State.PERMANENT, State.NOARP})
"""States whose MAC nothing that comes in changes (Linux ``__neigh_update``)."""

VALID = KEPT | {State.REACHABLE, State.STALE, State.DELAY, State.PROBE}
"""States whose MAC is used (Linux NUD_VALID)."""

SENDABLE = VALID - {State.STALE}
"""States whose MAC is used, and that a use does not change."""

ASKING = frozenset({State.INCOMPLETE, State.PROBE})
"""States in which requests were sent that nobody answered yet."""


class NudEvent(Enum):
    """An event in the life of an entry."""

    USED = "a packet wants to go there"
    REPLIED = "a reply to us, by unicast, with a MAC that may replace the old one"
    HEARD_SAME = "ARP that proves no reachability, with the MAC we have"
    HEARD_OTHER = "ARP that proves no reachability, with a new MAC"
    CONTRADICTED = "an advertisement with a new MAC that may not replace the old one"
    CONFIRMED = "an upper layer saw an answer come back"
    REACHABLE_EXPIRED = "reachable time over, not used lately"
    REACHABLE_EXPIRED_IN_USE = "reachable time over, used within the delay time"
    DELAY_EXPIRED = "delay time over without a confirmation"
    RETRANSMIT = "retransmission time over, probes left"
    PROBES_EXHAUSTED = "time to ask, and no probe is left"


RENEWING = frozenset({NudEvent.CONFIRMED, NudEvent.REPLIED, NudEvent.HEARD_OTHER})
"""Events that make a state begin anew, or bring a new MAC, even when the state stays the same."""


class Do(Enum):
    """The action that a transition asks for beside the new state."""

    NOTHING = 0
    QUEUE = 1
    SEND = 2
    PROBE = 3
    QUEUE_AND_PROBE = 4
    FLUSH = 5
    FAIL = 6


S, E = State, NudEvent
TRANSITIONS: dict[tuple[State, NudEvent], tuple[State, Do]] = {
    # A packet to send (RFC 4861 7.2.2, 7.3.3; Linux __neigh_event_send).
    (S.NONE, E.USED): (S.INCOMPLETE, Do.QUEUE_AND_PROBE),
    (S.FAILED, E.USED): (S.INCOMPLETE, Do.QUEUE_AND_PROBE),
    (S.INCOMPLETE, E.USED): (S.INCOMPLETE, Do.QUEUE),
    (S.REACHABLE, E.USED): (S.REACHABLE, Do.SEND),
    (S.STALE, E.USED): (S.DELAY, Do.SEND),
    (S.DELAY, E.USED): (S.DELAY, Do.SEND),
    (S.PROBE, E.USED): (S.PROBE, Do.SEND),
    (S.PERMANENT, E.USED): (S.PERMANENT, Do.SEND),
    (S.NOARP, E.USED): (S.NOARP, Do.SEND),
    # A solicited answer (RFC 4861 7.2.5; Linux arp_process, NUD_REACHABLE).
    (S.NONE, E.REPLIED): (S.REACHABLE, Do.FLUSH),
    (S.FAILED, E.REPLIED): (S.REACHABLE, Do.FLUSH),
    (S.INCOMPLETE, E.REPLIED): (S.REACHABLE, Do.FLUSH),
    (S.REACHABLE, E.REPLIED): (S.REACHABLE, Do.NOTHING),
    (S.STALE, E.REPLIED): (S.REACHABLE, Do.NOTHING),
    (S.DELAY, E.REPLIED): (S.REACHABLE, Do.NOTHING),
    (S.PROBE, E.REPLIED): (S.REACHABLE, Do.NOTHING),
    # A request or a broadcast: it tells the MAC but not that we can reach it (RFC 4861 7.2.3;
    # Linux arp_process, NUD_STALE). An entry in use is not made worse by hearing its own MAC.
    (S.NONE, E.HEARD_OTHER): (S.STALE, Do.FLUSH),
    (S.FAILED, E.HEARD_SAME): (S.STALE, Do.FLUSH),
    (S.FAILED, E.HEARD_OTHER): (S.STALE, Do.FLUSH),
    (S.INCOMPLETE, E.HEARD_OTHER): (S.STALE, Do.FLUSH),
    (S.INCOMPLETE, E.HEARD_SAME): (S.STALE, Do.FLUSH),
    (S.REACHABLE, E.HEARD_SAME): (S.REACHABLE, Do.NOTHING),
    (S.STALE, E.HEARD_SAME): (S.STALE, Do.NOTHING),
    (S.DELAY, E.HEARD_SAME): (S.DELAY, Do.NOTHING),
    (S.PROBE, E.HEARD_SAME): (S.PROBE, Do.NOTHING),
    (S.REACHABLE, E.HEARD_OTHER): (S.STALE, Do.NOTHING),
    (S.STALE, E.HEARD_OTHER): (S.STALE, Do.NOTHING),
    (S.DELAY, E.HEARD_OTHER): (S.STALE, Do.NOTHING),
    (S.PROBE, E.HEARD_OTHER): (S.STALE, Do.NOTHING),
    # Another MAC without the O flag: it is not learned, but what was sure is so no more (RFC 4861
    # 7.2.5; Linux NEIGH_UPDATE_F_WEAK_OVERRIDE).
    (S.REACHABLE, E.CONTRADICTED): (S.STALE, Do.NOTHING),
    # An upper layer's proof (RFC 4861 7.3.1 and appendix C; RFC 1122 2.3.2.1 (4)).
    (S.REACHABLE, E.CONFIRMED): (S.REACHABLE, Do.NOTHING),
    (S.STALE, E.CONFIRMED): (S.REACHABLE, Do.NOTHING),
    (S.DELAY, E.CONFIRMED): (S.REACHABLE, Do.NOTHING),
    (S.PROBE, E.CONFIRMED): (S.REACHABLE, Do.NOTHING),
    # Timers (RFC 4861 7.3.3; Linux neigh_timer_handler).
    (S.REACHABLE, E.REACHABLE_EXPIRED): (S.STALE, Do.NOTHING),
    (S.REACHABLE, E.REACHABLE_EXPIRED_IN_USE): (S.DELAY, Do.NOTHING),
    (S.DELAY, E.DELAY_EXPIRED): (S.PROBE, Do.PROBE),
    (S.DELAY, E.PROBES_EXHAUSTED): (S.FAILED, Do.FAIL),
    (S.PROBE, E.RETRANSMIT): (S.PROBE, Do.PROBE),
    (S.PROBE, E.PROBES_EXHAUSTED): (S.FAILED, Do.FAIL),
    (S.INCOMPLETE, E.RETRANSMIT): (S.INCOMPLETE, Do.PROBE),
    (S.INCOMPLETE, E.PROBES_EXHAUSTED): (S.FAILED, Do.FAIL),
}
"""(state, event) -> (new state, what to do). A pair that is not here changes nothing."""
