"""The time that a stack takes from nothing to the first answer."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio
from bench.processes import PASS, cpu_ms, of_modules, smolctl, timed, wall_ms
from bench.world import cpu_ns
from smolctl.client import Client, stop_daemon
from smolctl.errors import ClientError


def run(plan: Plan) -> list[Row]:
    """Measure ``stack start`` followed by a question, and the implicit start by the question."""
    with tempfile.TemporaryDirectory(prefix="smolctl-bench-") as name:
        command = smolctl(Path(name))
        start, ask = [*command, "stack", "start"], [*command, "addr", "show"]

        def fresh(*commands: list[str]) -> Callable[[], float]:
            def measured() -> float:
                with suppress(ClientError):
                    stop_daemon("default")
                return sum(wall_ms(argv) for argv in commands)

            return measured

        def cpu(disabled: str) -> Callable[[], float]:
            environment = {**os.environ, "SMOLCTL_IP6_DISABLE": disabled}

            def measured() -> float:
                with suppress(ClientError):
                    stop_daemon("default")
                used = sum(cpu_ms(argv, environment) for argv in (start, ask))
                with Client.connect("default", start=False) as client:
                    return used + cpu_ns(client.pid) / 1e6

            return measured

        try:
            fresh(start, ask)()
            figures = by_turns(
                plan.rounds(18),
                {
                    "start and ask": fresh(start, ask),
                    "ask": fresh(ask),
                    "python": timed(PASS),
                },
            )
            costs = by_turns(
                plan.rounds(18),
                {"on": cpu("0"), "off": cpu("1"), "modules": lambda: of_modules("time")},
            )
        finally:
            with suppress(ClientError):
                stop_daemon("default")
    return [*_rows(figures), _ipv6(costs)]


def _rows(figures: dict[str, list[float]]) -> list[Row]:
    limit = Limit(20, 10, at_least=False)
    return [
        Row(
            what, "python -c pass", ratio(figures[key], figures["python"]),
            f"{middle(figures[key]):.0f} ms : {middle(figures['python']):.1f} ms", limit, note,
            figures={key: figures[key], "python": figures["python"]},
        )
        for what, key, note in (
            ("stack start to first answer", "start and ask", "two commands: start, addr show"),
            ("first answer, stack started by it", "ask", "one: addr show, nothing runs"),
        )
    ]  # fmt: skip


def _ipv6(costs: dict[str, list[float]]) -> Row:
    """Hold a start with IPv6 against one without, whose modules are there either way."""
    without = [a - b for a, b in zip(costs["off"], costs["modules"], strict=True)]
    raw = f"{middle(costs['on']):.0f} ms : {middle(without):.0f} ms of the cpu"
    return Row(
        "stack start to first answer with IPv6", "the same without", ratio(costs["on"], without),
        raw, Limit(1.03, 1.0, at_least=False),
        "cpu time of both commands and of the daemon; without: ip6.disable=1, less the time that"
        " the modules of IPv6 take to import", figures=costs,
    )  # fmt: skip
