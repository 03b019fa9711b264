"""A default route that went with its link is told of when it is missed."""

from collections.abc import Callable

import pytest

from smolctl.errors import SendRejected
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.config.link import delete_interface, set_up
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.explain.verdict import because
from smolctl.stack.fib.route import Route
from tests.kit.clock import SECOND_NS
from tests.kit.host import Host, ip

GONE = "the default route via 10.0.0.2 went with tap0 12 s ago"


def down(host: Host) -> None:
    set_up(host.stack.shared, host.tap, False, host.now)


def deleted(host: Host) -> None:
    delete_interface(host.stack.shared, host.tap, host.now)


@pytest.fixture
def host() -> Host:
    host = Host()
    host.link("tap1")
    host.add("10.7.0.1/24", "tap1")
    host.route("0.0.0.0/0", via="10.0.0.2")
    return host


def why(host: Host) -> str:
    with pytest.raises(SendRejected) as refused:
        host.send(host.socket(), "8.8.8.8")
    return refused.value.message


@pytest.mark.parametrize("goes", [down, deleted])
def test_a_default_route_that_went_with_its_link_is_named(
    host: Host, goes: Callable[[Host], None]
) -> None:
    goes(host)
    host.wait(12 * SECOND_NS)
    assert why(host).endswith(f"; {GONE}")


def test_it_is_still_missed_when_the_link_is_up_again(host: Host) -> None:
    down(host)
    host.wait(12 * SECOND_NS)
    set_up(host.stack.shared, host.tap, True, host.now)
    assert why(host).endswith(f"; {GONE}")


def test_minutes_are_minutes(host: Host) -> None:
    down(host)
    host.wait(125 * SECOND_NS)
    assert why(host).endswith("went with tap0 2 min ago")


def test_a_packet_of_another_host_is_told_of_it_too(host: Host) -> None:
    host.set("ip.forward", 1)
    down(host)
    host.wait(12 * SECOND_NS)
    trace = predict(
        host.stack, Question("udp", ip("10.7.0.2"), ip("8.8.8.8"), 9, 9, iif="tap1"), host.now
    )
    assert because(trace) == f"no route leads on to 8.8.8.8; {GONE}"


def test_a_prediction_on_a_changed_clone_knows_it(host: Host) -> None:
    down(host)
    host.wait(12 * SECOND_NS)
    clone = clone_for_changes(host.stack)
    assert because(
        predict(clone, Question("udp", None, ip("8.8.8.8"), dport=9), host.now)
    ).endswith(GONE)


def test_another_default_route_makes_it_forgotten(host: Host) -> None:
    down(host)
    route: Route = host.route("0.0.0.0/0", via="10.7.0.2")
    host.stack.ipv4.fib.remove(route)
    assert "went with" not in why(host)


def test_a_route_that_somebody_deleted_did_not_go_with_its_link(host: Host) -> None:
    fib = host.stack.ipv4.fib
    fib.remove(fib.tables[254].chain(0, 0)[0])
    down(host)
    assert "went with" not in why(host)
