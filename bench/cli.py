"""The cost of a command: ``smolctl route show``, daemon up, against a click hello-world."""

import tempfile
from pathlib import Path

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio
from bench.processes import PASS, hello, smolctl, timed
from bench.world import daemon


def run(plan: Plan) -> list[Row]:
    """Measure all three by turns."""
    with tempfile.TemporaryDirectory(prefix="smolctl-bench-") as name, daemon("default") as client:
        client.call("route.add", dst="10.0.0.0/8", type="blackhole")
        directory = Path(name)
        ours, theirs = [*smolctl(directory), "route", "show"], hello(directory)
        for command in (ours, theirs):
            timed(command)()  # compiled once, as installed programs are
        figures = by_turns(
            plan.rounds(45),
            {
                "smolctl": timed(ours),
                "click": timed(theirs),
                "python": timed(PASS),
            },
        )
    limit = Limit(1.25, 1.1, at_least=False)
    rows = []
    for name, label, bound in (
        ("click", "click hello-world", limit),
        ("python", "python -c pass", None),
    ):
        raw = f"{middle(figures['smolctl']):.1f} ms : {middle(figures[name]):.1f} ms"
        rows.append(
            Row(
                "smolctl route show, daemon up", label, ratio(figures["smolctl"], figures[name]),
                raw, bound, "both as console scripts of the same interpreter, wall time",
                figures={"smolctl": figures["smolctl"], name: figures[name]},
            )
        )  # fmt: skip
    return rows
