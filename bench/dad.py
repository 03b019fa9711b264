"""The time until an address can be used: one that is tested first, and a new link's own."""

import os
from collections.abc import Callable
from time import perf_counter, sleep

from bench.measure import Limit, Plan, Row, Spread, by_turns, middle
from bench.world import daemon
from smolctl.client import Client

_TESTED = Limit(2.0, 1.0, at_least=False, text="{:g} s")
"""RFC 4862 5.4.2: a random delay of up to 1 s, and 1 s for the answer."""
_AT_ONCE = Limit(1.0, 0.1, at_least=False, text="{:g} s")
_PATIENCE_S, _STEP_S = 10.0, 0.005
_ADDRESS = "2001:db8::1"


def run(plan: Plan) -> list[Row]:
    """Measure both on a cable between two stacks."""
    cable = f"b{os.getpid()}"
    with daemon("dad") as near, daemon("dad-peer") as far:
        far.call("link.add", name="eth0", type="cable", cable=cable)
        (link,) = far.ask("addr.show", dev="eth0")
        peer = next(item["local"] for item in link["addr_info"] if item["scope"] == "link")

        def tested() -> float:
            near.call("link.add", name="eth0", type="cable", cable=cable)
            _wait(near, lambda: _up(near))
            start = perf_counter()
            near.call("addr.add", local=f"{_ADDRESS}/64", dev="eth0")
            _wait(near, lambda: not _flag(near, "tentative"))
            elapsed = perf_counter() - start
            near.call("link.del", dev="eth0")
            return elapsed

        def at_once() -> float:
            start = perf_counter()
            near.call("link.add", name="eth0", type="cable", cable=cable)
            _wait(near, lambda: _answers(near, peer))
            elapsed = perf_counter() - start
            near.call("link.del", dev="eth0")
            return elapsed

        figures = by_turns(plan.rounds(9), {"tested": tested, "at once": at_once})
    tested_s, at_once_s = figures["tested"], figures["at once"]
    return [
        Row(
            "IPv6: address added to address usable", "-", Spread.of(tested_s),
            f"{middle(tested_s):.2f} s", _TESTED, "one solicitation, and nobody has it", " s",
            {"tested": tested_s},
        ),
        Row(
            "IPv6: link added to first answer from fe80::...", "-", Spread.of(at_once_s),
            f"{middle(at_once_s) * 1000:.0f} ms", _AT_ONCE,
"the address of the link is used while it is tested (RFC 4429)", " s",
            {"at once": at_once_s},
        ),
    ]  # fmt: skip


def _wait(client: Client, there: Callable[[], bool]) -> None:
    end = perf_counter() + _PATIENCE_S
    while not there():
        if perf_counter() > end:
            raise RuntimeError(f"nothing has come of it in {_PATIENCE_S:g} s (pid {client.pid})")
        sleep(_STEP_S)


def _up(client: Client) -> bool:
    (link,) = client.ask("addr.show", dev="eth0")
    return "LOWER_UP" in link["flags"]


def _flag(client: Client, name: str) -> bool:
    (link,) = client.ask("addr.show", dev="eth0")
    return any(name in item for item in link["addr_info"] if item["local"] == _ADDRESS)


def _answers(client: Client, peer: str) -> bool:
    """Tell whether a ping of one request is answered soon."""
    events = client.stream("ping.run", dst=f"{peer}%eth0", count="1", timeout="0.3")
    return any(event["event"] == "reply" for event in events)
