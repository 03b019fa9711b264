"""The fast path is invisible: with it and without it a stack does the same."""

from hypothesis import given

from smolctl.stack import fast
from smolctl.stack.neighbor_state import State
from tests.property.events import Event, Player, histories, snapshot
from tests.property.world import Config, configs
from tests.stack.kit import OURS, PEER, PEER_MAC, Host, udp_frame


@given(configs, histories())
def test_fast_path_equals_layered_path(config: Config, history: list[Event]) -> None:
    quick, layered = Player(config), Player(config, layered=True)
    for event in history:
        quick.play(event)
        layered.play(event)
        assert snapshot(quick.world) == snapshot(layered.world)


# The property would hold as well if the fast path were never taken; these show that it is.


def test_known_flows_do_not_reach_the_layered_path() -> None:
    host = Host()
    host.know(state=State.PERMANENT)
    socket = host.socket(7)
    host.receive(udp_frame())
    (flow,) = host.tap.flows.values()
    assert flow.head == b""
    host.receive(udp_frame())
    assert flow.head == udp_frame()[:18]
    host.stack.udp_send(socket, b"x", host.stack.family.parse(PEER), 9, host.now)
    (way,) = socket.flows.values()
    assert isinstance(way, fast.EthernetFlow)
    assert way.prefix == b""
    host.stack.udp_send(socket, b"x", host.stack.family.parse(PEER), 9, host.now)
    assert way.prefix[:6] == PEER_MAC


def test_a_flow_to_ourselves_is_delivered_at_once() -> None:
    host = Host()
    sender, receiver = host.socket(), host.socket(7)
    for number in range(3):
        host.stack.udp_send(sender, b"x", host.stack.family.parse(OURS), 7, host.now)
        assert len(receiver.queue) == number
        host.poll()
        assert len(receiver.queue) == number + 1
        if number == 0:
            break
    host.stack.udp_send(sender, b"x", host.stack.family.parse(OURS), 7, host.now)
    assert len(receiver.queue) == 2
