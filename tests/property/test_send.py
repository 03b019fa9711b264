"""Every datagram that somebody follows has its one fate in the end, whatever happens meanwhile."""

from collections.abc import Mapping

from hypothesis import given

from smolctl.stack.config.sysctl import set_sysctl
from smolctl.stack.reason import Kind, Reason
from smolctl.stack.trace.trace import Fate, Trace
from tests.property.events import Event, Player, histories, leaving
from tests.property.frames import DEVS
from tests.property.world import Config, configs

QUIET_NS = 60_000_000_000
"""Longer than any neighbor may be asked for."""


class Counting(Trace):
    """A trace that counts how often the stack called it settled, where a trace keeps the first."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[Fate] = []
        self.waits: list[Reason | None] = []

    def settle(
        self,
        fate: Fate,
        now: int,
        reason: Reason | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        if fate is Fate.WAITING:
            assert not self.ends, "it waits although it has ended"
            self.waits.append(reason)
        else:
            self.ends.append(fate)
        super().settle(fate, now, reason, detail)


class Follower(Player):
    """Gives datagrams traces that count."""

    def make_trace(self) -> Trace:
        self.traces.append(Counting())
        return self.traces[-1]


@given(configs, histories())
def test_every_datagram_settles_exactly_once(config: Config, history: list[Event]) -> None:
    player = Follower(config, followed=True)
    for event in history:
        player.play(event)
        waiting = [trace for trace in player.stack.journal if not trace.settled]
        followed = sum(trace.parts or 1 for trace in waiting if trace.dev in DEVS)
        assert sum(link.traced for link in player.stack.interfaces.values()) <= followed
    player.host.wait(QUIET_NS)
    # Where datagrams wait for a route they do so for ever.
    set_sysctl(player.stack.udp, "ip.no_route", "refuse", origin="command line")
    player.host.wait(QUIET_NS)
    for dev in DEVS:
        if dev in player.stack.interfaces:
            leaving(player.host, dev)
            assert player.host.dev(dev).traced == 0
    for trace in player.traces:
        assert isinstance(trace, Counting)
        assert len(trace.ends) == 1, (trace.ends, trace.reason)
        # Behind another datagram of its socket, where that is the policy; then for a neighbor.
        assert len(trace.waits) == len({why and why.name for why in trace.waits}) <= 2
        check(trace)


def check(trace: Trace) -> None:
    """It was refused for a reason, or it went where it was to go."""
    check_reason(trace)
    if trace.reason is None:
        assert trace.fate in (Fate.SENT, Fate.DELIVERED, Fate.ANSWERED)
        assert trace.dev is not None
        assert trace.src is not None


def check_reason(trace: Trace) -> None:
    """A fate and its reason fit together, and the reason can be explained."""
    if trace.fate in (Fate.DROPPED, Fate.REJECTED):
        assert trace.reason is not None
        kind = Kind.DROP if trace.fate is Fate.DROPPED else Kind.REJECT
        assert trace.reason.kind is kind
        assert trace.reason.explain(trace.detail).isprintable()
    else:
        assert trace.reason is None
