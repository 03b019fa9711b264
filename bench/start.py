"""The time that a stack takes from nothing to the first answer."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio
from bench.processes import PASS, smolctl, timed, wall_ms
from smolctl.client import stop_daemon
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
        finally:
            with suppress(ClientError):
                stop_daemon("default")
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
