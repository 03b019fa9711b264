"""The engine: what a turn does, and that time always goes on."""

from typing import Any

import pytest

from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.ops.job import Job
from smolctl.ops.operations import OPS, Operation
from tests.kit.clock import SECOND_NS
from tests.kit.host import PEER, udp_frame
from tests.ops.kit import Api, Exchange


class Failing(Api):
    """Keeps the bugs that are reported, where a plain Api raises them."""

    def __init__(self) -> None:
        super().__init__()
        self.bugs: list[Exception] = []

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        self.bugs.append(error)
        return SmolctlError(f"smolctl failed at {doing}", code="internal")


def test_what_is_sent_to_ourselves_is_taken_up_in_the_next_turn() -> None:
    api = Api()
    receiver = api.host.socket(7)
    exchange = Exchange()
    api.engine.request("udp.send", {"dst": "127.0.0.1", "port": "7"}, exchange, api.clock.now)
    api.engine.turn(api.clock.now)
    assert len(receiver.queue) == 0
    assert api.engine.deadline() == 0
    api.engine.turn(api.clock.now)
    assert len(receiver.queue) == 1


def test_a_clock_that_stands_still_while_something_is_due_does_not_hang() -> None:
    api = Api()
    _, echo = api.start("udp.echo", port="7")
    exchange, _ = api.start("udp.send", dst="127.0.0.1", port="7", expect_reply=True)
    turns = 0
    while api.engine.deadline() == 0 or not exchange.ended:
        api.engine.turn(api.clock.now)
        turns += 1
        assert turns < 20
    assert exchange.done_with["ok"]
    echo.close(api.clock.now)


def test_a_client_that_asks_in_every_turn_does_not_stop_time() -> None:
    api = Api()
    exchange, _ = api.start("udp.send", dst="10.0.0.9", port="7")
    for _ in range(8):
        api.clock.advance(SECOND_NS)
        _, job = api.start("udp.recv", port="8")
        job.close(api.clock.now)
        api.engine.turn(api.clock.now)
    assert exchange.of("failed")[0]["reason"] == "neigh-failed"


def test_jobs_have_their_turn_in_the_order_in_which_they_began() -> None:
    api = Api()
    order: list[int] = []

    class Noting(Exchange):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def done(self, result: dict[str, Any]) -> None:
            order.append(self.number)

    for number in range(20):
        values = {"port": str(1000 + number), "wait": "1"}
        api.engine.request("udp.recv", values, Noting(number), api.clock.now)
    api.wait(2 * SECOND_NS)
    assert order == list(range(20))


def test_the_deadline_is_the_nearest_of_stack_and_jobs() -> None:
    api = Api()
    assert api.engine.deadline() is None
    api.start("udp.recv", port="7", wait="5")
    assert api.engine.deadline() == api.clock.now + 5 * SECOND_NS
    api.host.send(api.host.socket(), "10.0.0.9")
    assert api.engine.deadline() == api.clock.now + SECOND_NS
    api.host.receive(udp_frame())
    assert api.engine.deadline() == 0


class Broken(Job):
    """A job whose timer raises."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def start(self, now: int) -> None:
        self.deadline = now

    def on_timer(self, now: int) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "code", "message", "bugs"),
    [
        (ZeroDivisionError("a bug"), "internal", "smolctl failed at running Broken", 1),
        (InvalidArgument("refused"), "invalid-argument", "refused", 0),
    ],
)
def test_a_job_that_fails_ends_alone_and_tells_its_client(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, message: str, bugs: int
) -> None:
    operation = Operation("nothing.run")
    operation.handler = lambda _ctx, _args: Broken(error)
    monkeypatch.setitem(OPS, "test.run", operation)
    api = Failing()
    first, job = api.start("test.run")
    second, _ = api.start("udp.recv", port="8", wait="0")
    api.wait(0)
    assert first.error is not None
    assert (first.error.code, first.error.message) == (code, message)
    assert job.ended
    assert second.ended
    assert len(api.bugs) == bugs


@pytest.mark.parametrize("op", OPS)
def test_every_operation_is_there(op: str) -> None:
    assert callable(OPS[op].handler)
    assert all(name.isidentifier() for name in OPS[op].names)


def test_closing_ends_all_jobs() -> None:
    api = Api()
    jobs = [api.start("udp.recv", port=str(port))[1] for port in (7, 8)]
    jobs.append(api.start("ping.run", dst=PEER)[1])
    api.engine.close(api.clock.now)
    assert all(job.ended for job in jobs)
    assert (len(api.stack.udp), len(api.stack.ping)) == (0, 0)
    assert api.engine.deadline() is None or api.stack.deadline() is not None


def test_traffic_without_a_timer_does_not_stop_housekeeping() -> None:
    api = Api()
    housekeeping = api.host.stack.timers.housekeeping_ns
    for _ in range(3):
        api.engine.deadline()
        api.clock.advance(SECOND_NS)
        api.host.receive(udp_frame())
        api.engine.turn(api.clock.now)
        assert api.host.stack.timers.housekeeping_ns > housekeeping
        housekeeping = api.host.stack.timers.housekeeping_ns


def test_what_a_request_makes_due_at_once_is_done_in_the_same_turn() -> None:
    api = Api()
    api.engine.deadline()
    exchange, _ = api.start("udp.recv", port="7", wait="0")
    api.engine.turn(api.clock.now)
    assert exchange.ended


def test_an_operation_is_ready_once_its_module_is_imported() -> None:
    operation = Operation("link.show")
    assert not operation.ready
    assert operation.handler is OPS["link.show"].handler
    assert operation.ready


class Sleeping(Job):
    """A job that waits for something else than time.

    Attributes:
        asked: how often it was asked when it is due.
    """

    asked = 0

    def due_ns(self) -> int:
        self.asked += 1
        return super().due_ns()


def test_a_turn_asks_no_job_that_waits_for_something_else_than_time() -> None:
    api, job = Api(), Sleeping()
    api.engine.begin(job, Exchange(), api.clock.now)
    for _ in range(3):
        api.engine.deadline()
        api.engine.turn(api.clock.now)
    assert job.asked == 0


def test_a_job_goes_off_again_unless_it_says_otherwise() -> None:
    class Counting(Job):
        times = 0

        def on_timer(self, now: int) -> None:
            self.times += 1

    api, job = Api(), Counting()
    api.engine.begin(job, Exchange(), api.clock.now)
    job.deadline = api.clock.now
    assert api.engine.deadline() == api.clock.now
    for _ in range(3):
        api.engine.turn(api.clock.now)
    assert job.times == 3
    job.deadline = api.clock.now + 1
    api.engine.turn(api.clock.now)
    assert job.times == 3
    job.deadline = None
    assert api.engine.deadline() != api.clock.now + 1
