"""Each row of the table of states, driven through a real connection by segments, calls and time."""

import pytest

from smolctl.stack.transport.tcp.states import TRANSITIONS, State, TcpEvent, after
from tests.kit.host import Host
from tests.kit.tcp_script import Script
from tests.stack.reason.provokers import fresh

S, E = State, TcpEvent

OPEN = "+0 established\n+0 ignore"
# How each state is reached; "" for a socket that is closed.
REACH: dict[State, str] = {
    S.CLOSED: "+0 open",
    S.LISTEN: "+0 listen",
    S.SYN_SENT: "+0 connect\n+0 ignore",
    S.SYN_RECEIVED: "+0 connect\n+0 < S 0:0 mss 1460\n+0 ignore",
    S.ESTABLISHED: OPEN,
    S.FIN_WAIT_1: f"{OPEN}\n+0 close",
    S.FIN_WAIT_2: f"{OPEN}\n+0 close\n+0 < . 1:1 ack 2",
    S.CLOSE_WAIT: f"{OPEN}\n+0 < F. 1:1 ack 1",
    S.CLOSING: f"{OPEN}\n+0 close\n+0 < F. 1:1 ack 1",
    S.LAST_ACK: f"{OPEN}\n+0 < F. 1:1 ack 1\n+0 close",
    S.TIME_WAIT: f"{OPEN}\n+0 close\n+0 < F. 1:1 ack 2",
}
CLOSE, ABORT, RST = "+0 close", "+0 abort", "+0 < R 1:1"
AFTER_FIN = "+0 < R 2:2"  # the peer's FIN took a number
# What brings about each event, where that depends on the state.
BRING: dict[tuple[State, TcpEvent], str] = {
    (S.CLOSED, E.LISTEN): "+0 listen 81",
    (S.CLOSED, E.CONNECT): "+0 connect",
    (S.SYN_SENT, E.SYN): "+0 < S 0:0 mss 1460",
    (S.SYN_SENT, E.SYN_ACK): "+0 < S. 0:0 ack 1 mss 1460",
    (S.SYN_SENT, E.RST): "+0 < R. 0:0 ack 1",
    (S.SYN_SENT, E.TIMEOUT): "+130 nothing_matters",
    (S.SYN_RECEIVED, E.ACK_OF_SYN): "+0 < . 1:1 ack 1",
    (S.SYN_RECEIVED, E.CLOSE): "+0 shutdown",
    (S.SYN_RECEIVED, E.TIMEOUT): "+130 nothing_matters",
    (S.ESTABLISHED, E.CLOSE): CLOSE,
    (S.ESTABLISHED, E.FIN): "+0 < F. 1:1 ack 1",
    (S.ESTABLISHED, E.TIMEOUT): "+0 write 10\n+1500 nothing_matters",
    (S.FIN_WAIT_1, E.ACK_OF_FIN): "+0 < . 1:1 ack 2",
    (S.FIN_WAIT_1, E.FIN): "+0 < F. 1:1 ack 1",
    (S.FIN_WAIT_1, E.TIMEOUT): "+1500 nothing_matters",
    (S.FIN_WAIT_2, E.FIN): "+0 < F. 1:1 ack 2",
    (S.FIN_WAIT_2, E.TIMEOUT): "+61 nothing_matters",
    (S.CLOSE_WAIT, E.CLOSE): CLOSE,
    (S.CLOSE_WAIT, E.RST): AFTER_FIN,
    (S.CLOSE_WAIT, E.TIMEOUT): "+0 write 10\n+1500 nothing_matters",
    (S.CLOSING, E.ACK_OF_FIN): "+0 < . 2:2 ack 2",
    (S.CLOSING, E.RST): AFTER_FIN,
    (S.CLOSING, E.TIMEOUT): "+1500 nothing_matters",
    (S.LAST_ACK, E.ACK_OF_FIN): "+0 < . 2:2 ack 2",
    (S.LAST_ACK, E.RST): AFTER_FIN,
    (S.LAST_ACK, E.TIMEOUT): "+1500 nothing_matters",
    (S.TIME_WAIT, E.RST): AFTER_FIN,
    (S.TIME_WAIT, E.TIMEOUT): "+61 nothing_matters",
}
ALWAYS = {E.CLOSE: CLOSE, E.ABORT: ABORT, E.RST: RST}
# Rows that no socket of ours goes through, and why.
ELSEWHERE = {
    (S.LISTEN, E.CONNECT): "Linux refuses to connect a socket that listens, as this stack does",
    (S.LISTEN, E.SYN): "the listening socket goes on listening: a request is what receives SYN",
    (S.LISTEN, E.CLOSE): "test_a_listening_socket_closes",
    (S.LISTEN, E.ABORT): "test_a_listening_socket_closes",
    (S.TIME_WAIT, E.ABORT): "what is in TIME-WAIT is no program's any more",
}


class StateScript(Script):
    """A script that only waits, or looks at what is left of a connection."""

    def do_nothing_matters(self) -> None:
        self.out.clear()

    @property
    def state(self) -> State:
        """The state of the connection, which in TIME-WAIT is no socket's."""
        assert self.socket is not None
        left = self.tcp.connections.get(self.socket.ends)
        if left is not None and left is not self.socket:
            return S.TIME_WAIT
        return self.socket.state


def reached(state: State, event: TcpEvent = E.SYN) -> StateScript:
    """Return a script in a state; a program that aborts has not closed its socket before."""
    script, way = StateScript(fresh()), REACH[state]
    script.run((way.replace("close", "shutdown") if event is E.ABORT else way) + "\n+0 ignore")
    return script


@pytest.mark.parametrize(("state", "event"), [row for row in TRANSITIONS if row not in ELSEWHERE])
def test_a_row_of_the_table(state: State, event: TcpEvent) -> None:
    script = reached(state, event)
    assert script.state is state
    script.run(BRING.get((state, event)) or ALWAYS[event])
    found = script.listener if event is E.LISTEN else None
    after_it = found.state if found is not None else script.state
    assert after_it is TRANSITIONS[state, event]


@pytest.mark.parametrize("close", ["close", "abort"])
def test_a_listening_socket_closes(close: str) -> None:
    script = StateScript(fresh()).run("+0 listen")
    assert script.listener is not None
    getattr(script.tcp, close)(script.listener, script.host.now)
    assert script.listener.state is S.CLOSED
    assert not list(script.tcp)


@pytest.mark.parametrize("state", [S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSE_WAIT])
def test_an_event_without_a_row_changes_nothing(state: State) -> None:
    assert after(state, E.SYN) is state
    script = reached(state)
    script.run("+0 < S 1:1\n+0 ignore")
    assert script.state is state


def test_every_state_has_a_row_and_is_reached() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State) == REACH.keys()
    assert set(TRANSITIONS.values()) == set(State)
    assert ELSEWHERE.keys() <= TRANSITIONS.keys()


def test_a_script_runs_on_any_host() -> None:
    assert isinstance(fresh(), Host)
