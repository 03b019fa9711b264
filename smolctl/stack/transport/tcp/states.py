"""The states of a connection, and the one table of their transitions (RFC 9293 3.3.2, figure 5)."""

from enum import StrEnum


class State(StrEnum):
    """A state of RFC 9293 3.3.2; the values are the words of ``ss``."""

    CLOSED = "closed"
    LISTEN = "listen"
    SYN_SENT = "syn-sent"
    SYN_RECEIVED = "syn-recv"
    ESTABLISHED = "established"
    FIN_WAIT_1 = "fin-wait-1"
    FIN_WAIT_2 = "fin-wait-2"
    CLOSE_WAIT = "close-wait"
    CLOSING = "closing"
    LAST_ACK = "last-ack"
    TIME_WAIT = "time-wait"

    @property
    def acknowledges(self) -> bool:
        """Whether segments have an acknowledgment: all but the first of an active open."""
        return self is not State.SYN_SENT


class TcpEvent(StrEnum):
    """An event that a state answers to: a call, what a segment brings, or the time."""

    LISTEN = "listen"
    CONNECT = "connect"
    CLOSE = "close"
    SYN = "syn"
    SYN_ACK = "syn-ack"
    ACK_OF_SYN = "ack-of-syn"
    ACK_OF_FIN = "ack-of-fin"
    FIN = "fin"
    RST = "rst"
    ABORT = "abort"
    TIMEOUT = "timeout"


_S, _E = State, TcpEvent

TRANSITIONS: dict[tuple[State, TcpEvent], State] = {
    (_S.CLOSED, _E.LISTEN): _S.LISTEN,
    (_S.CLOSED, _E.CONNECT): _S.SYN_SENT,
    (_S.CLOSED, _E.CLOSE): _S.CLOSED,
    (_S.CLOSED, _E.ABORT): _S.CLOSED,
    (_S.LISTEN, _E.CONNECT): _S.SYN_SENT,
    (_S.LISTEN, _E.SYN): _S.SYN_RECEIVED,
    (_S.LISTEN, _E.CLOSE): _S.CLOSED,
    (_S.LISTEN, _E.ABORT): _S.CLOSED,
    # Both ends opened at once (RFC 9293 3.5, figure 7).
    (_S.SYN_SENT, _E.SYN): _S.SYN_RECEIVED,
    (_S.SYN_SENT, _E.SYN_ACK): _S.ESTABLISHED,
    (_S.SYN_SENT, _E.CLOSE): _S.CLOSED,
    (_S.SYN_SENT, _E.RST): _S.CLOSED,
    (_S.SYN_SENT, _E.ABORT): _S.CLOSED,
    (_S.SYN_SENT, _E.TIMEOUT): _S.CLOSED,
    (_S.SYN_RECEIVED, _E.ACK_OF_SYN): _S.ESTABLISHED,
    (_S.SYN_RECEIVED, _E.CLOSE): _S.FIN_WAIT_1,
    (_S.SYN_RECEIVED, _E.RST): _S.CLOSED,
    (_S.SYN_RECEIVED, _E.ABORT): _S.CLOSED,
    (_S.SYN_RECEIVED, _E.TIMEOUT): _S.CLOSED,
    (_S.ESTABLISHED, _E.CLOSE): _S.FIN_WAIT_1,
    (_S.ESTABLISHED, _E.FIN): _S.CLOSE_WAIT,
    (_S.ESTABLISHED, _E.RST): _S.CLOSED,
    (_S.ESTABLISHED, _E.ABORT): _S.CLOSED,
    (_S.ESTABLISHED, _E.TIMEOUT): _S.CLOSED,
    (_S.FIN_WAIT_1, _E.ACK_OF_FIN): _S.FIN_WAIT_2,
    # Both ends closed at once (RFC 9293 3.6, figure 13).
    (_S.FIN_WAIT_1, _E.FIN): _S.CLOSING,
    (_S.FIN_WAIT_1, _E.RST): _S.CLOSED,
    (_S.FIN_WAIT_1, _E.ABORT): _S.CLOSED,
    (_S.FIN_WAIT_1, _E.TIMEOUT): _S.CLOSED,
    (_S.FIN_WAIT_2, _E.FIN): _S.TIME_WAIT,
    (_S.FIN_WAIT_2, _E.RST): _S.CLOSED,
    (_S.FIN_WAIT_2, _E.ABORT): _S.CLOSED,
    (_S.FIN_WAIT_2, _E.TIMEOUT): _S.CLOSED,
    (_S.CLOSE_WAIT, _E.CLOSE): _S.LAST_ACK,
    (_S.CLOSE_WAIT, _E.RST): _S.CLOSED,
    (_S.CLOSE_WAIT, _E.ABORT): _S.CLOSED,
    (_S.CLOSE_WAIT, _E.TIMEOUT): _S.CLOSED,
    (_S.CLOSING, _E.ACK_OF_FIN): _S.TIME_WAIT,
    (_S.CLOSING, _E.RST): _S.CLOSED,
    (_S.CLOSING, _E.ABORT): _S.CLOSED,
    (_S.CLOSING, _E.TIMEOUT): _S.CLOSED,
    (_S.LAST_ACK, _E.ACK_OF_FIN): _S.CLOSED,
    (_S.LAST_ACK, _E.RST): _S.CLOSED,
    (_S.LAST_ACK, _E.ABORT): _S.CLOSED,
    (_S.LAST_ACK, _E.TIMEOUT): _S.CLOSED,
    (_S.TIME_WAIT, _E.RST): _S.CLOSED,
    (_S.TIME_WAIT, _E.ABORT): _S.CLOSED,
    (_S.TIME_WAIT, _E.TIMEOUT): _S.CLOSED,
}
"""Every transition there is; an event that a state does not answer to has no row."""

SYNCHRONIZED = frozenset(State) - {_S.CLOSED, _S.LISTEN, _S.SYN_SENT, _S.SYN_RECEIVED}
"""States in which both ends know each other's sequence numbers (RFC 9293 3.5.2)."""
MAY_SEND = frozenset({_S.ESTABLISHED, _S.CLOSE_WAIT})
"""States in which a program's data leaves."""
HAS_FIN = frozenset({_S.FIN_WAIT_1, _S.CLOSING, _S.LAST_ACK})
"""States in which our FIN is queued or sent, and not acknowledged."""
MAY_RECEIVE = frozenset({_S.ESTABLISHED, _S.FIN_WAIT_1, _S.FIN_WAIT_2})
"""States in which the peer's data is taken."""


def after(state: State, event: TcpEvent) -> State:
    """Return the state that follows; the same one for an event that has no row."""
    return TRANSITIONS.get((state, event), state)
