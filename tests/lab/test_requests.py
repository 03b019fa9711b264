"""Requests to nodes: how they end, and what waits for others."""

import pytest

from smolctl.lab.request import Request
from smolctl.lab.world import World
from tests.lab.test_world import S, two


@pytest.mark.parametrize(
    ("act", "message"),
    [("restart", 'node "b" was restarted'), ("stop", 'stack "b" was stopped')],
)
def test_a_node_that_goes_leaves_nobody_waiting(act: str, message: str) -> None:
    world = World()
    _, b = two(world)
    echo = b.start("udp.echo", {"port": "7"})
    told: list[int] = []
    echo.on_end = lambda: told.append(world.now)
    world.run(world.now + S)
    if act == "restart":
        b.restart()
    else:
        b.call("stack.stop")
    world.run(world.now + S)
    assert echo.error is not None
    assert (echo.error.code, echo.error.message) == ("daemon-gone", message)
    assert told == [echo.ended_ns]


def test_a_request_that_is_abandoned_tells_no_more_and_gives_back_its_socket() -> None:
    world = World()
    a, b = two(world)
    echo = b.start("udp.echo", {"port": "7"})
    echo.on_end = lambda: pytest.fail("nobody is there to be told")
    told = len(echo.events)
    echo.abandon()
    echo.abandon()
    a.start("udp.send", {"dst": "10.0.0.2", "port": "7", "data": "", "src": "10.0.0.1"})
    world.run(world.now + S)
    assert echo.ended
    assert (echo.error, echo.result, len(echo.events)) == (None, None, told)
    assert b.call("socket.show") == []


def test_a_change_waits_for_a_batch_whose_changes_belong_together() -> None:
    world = World()
    a, _ = two(world)
    commands = [
        ["addr.del", {"local": "10.0.0.1/24", "dev": "eth0"}],
        ["addr.add", {"local": "10.0.1.1/24", "dev": "eth0"}],
    ]
    batch = a.start("batch.run", {"commands": commands, "atomic": True})
    asked: list[Request] = []

    def meanwhile() -> None:
        """Ask for something when the batch has been tried, and is not made yet."""
        for host in (8, 9):
            asked.append(a.start("addr.add", {"local": f"10.0.0.{host}/24", "dev": "eth0"}))
        asked[0].abandon()
        assert a.start("addr.show", {}).ended, "a question never waits"
        assert not batch.ended
        assert not asked[1].ended

    a.call_soon(meanwhile)
    world.run(world.now + S)
    assert batch.ended
    assert asked[1].ended
    assert asked[1].error is None
    (row,) = a.call("addr.show", family="inet", dev="eth0")
    assert [each["local"] for each in row["addr_info"]] == ["10.0.1.1", "10.0.0.9"]
