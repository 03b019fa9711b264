"""Costs of a proof: they do not grow with the routes."""

from collections.abc import Callable
from time import process_time

import pytest

from bench.fib import fill, prefixes
from smolctl.ops.aside import Aside
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.fib.route import RouteType
from tests.kit.amount import amount
from tests.kit.host import PEER, Host, ip, udp_frame
from tests.ops.kit import Api, Exchange
from tests.stack.proof.situations import SITUATIONS

HELD_MS = 10
"""As long as a question may hold up the stack's packets."""


def least_ms(act: Callable[[], object]) -> float:
    """Return the least processor time of a few tries: what others do is not counted."""
    times = []
    for _ in range(7):
        begun = process_time()
        act()
        times.append((process_time() - begun) * 1e3)
    return min(times)


@pytest.mark.proof
def test_a_fix_is_proven_in_milliseconds_whatever_the_number_of_routes() -> None:
    host = Host()
    fill(host.stack.ipv4.fib, prefixes(amount(300_000, 30_000)))
    host.know(PEER)
    host.route("192.0.2.0/24", kind=RouteType.UNREACHABLE)
    host.route("192.0.2.0/25", via=PEER, mtu=500)
    host.receive(udp_frame())
    question = Question("udp", None, ip("192.0.2.200"), 0, 9)
    (dropped,) = host.stack.ledger.reasons.items()

    def predicted() -> None:
        host.stack.generation.touch()  # nothing is known from before
        row = verdict.tell(predict(host.stack, question, host.now))
        assert row["reason"] == "tx-route-unreachable"

    def counted() -> None:
        host.stack.generation.touch()
        assert dropped[0][0].fixes(dropped[1].detail) == ["smolctl udp recv 10.0.0.1:7"]

    assert least_ms(lambda: clone_for_changes(host.stack)) < HELD_MS
    assert least_ms(predicted) < HELD_MS
    assert least_ms(counted) < HELD_MS


def test_the_fixes_of_many_reasons_are_proven_aside() -> None:
    api = Api()

    def answer() -> object:
        return api.engine.request("stats.drops", {}, Exchange(), api.clock.now)

    assert not isinstance(answer(), Aside)
    wanted = {"arp-target-not-ours", "arp-unsolicited", "ip-reverse-path", "udp-port-closed",
              "icmp-echo-ignored"}  # fmt: skip
    for situation in SITUATIONS:
        if situation.reason in wanted:
            situation.provoke(api.host)
    assert isinstance(answer(), Aside)
