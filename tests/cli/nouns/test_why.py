"""The text of ``smolctl why``."""

from typing import Any

from smolctl.cli.nouns.why_text import render
from tests.cli.kit import output

Row = dict[str, Any]


def skip(number: int, text: str, cause: str = "prefix", **route: str) -> Row:
    return {"n": number, "stage": "route", "result": "skip", "text": text, "cause": cause, **route}


def row(*steps: Row, **fields: Any) -> Row:
    told = {"kind": "observed", "summary": "a packet", "verdict": "sent", "why": "so", "fix": []}
    return {**told, "ok": True, "steps": list(steps), **fields}


PICK = {"n": 99, "stage": "route", "result": "pick", "text": "10.0.0.0/24 dev tap0"}
LOCAL = [skip(n, f"local {n}", type="local") for n in (1, 2)]


def lines(told: Row, verbose: bool = False) -> list[str]:
    return [
        line.split(maxsplit=1)[-1].strip()
        for line in list(render(told, output(verbose=verbose)))[1:-3]
    ]


def test_routes_that_do_not_hold_the_address_are_one_line_but_for_a_few() -> None:
    others = [skip(n, f"route {n}") for n in range(10, 16)]
    told = row(skip(0, "loser", "metric"), *LOCAL, *others, PICK)
    assert list(render(told, output()))[1:8] == [
        "  1 route    skip   loser",
        "             skip   route 10",
        "             skip   route 11",
        "             skip   route 12",
        "             skip   route 13",
        "             skip   4 others do not hold the address (-v shows them)",
        "             pick   10.0.0.0/24 dev tap0",
    ]
    assert [step["text"] for step in told["steps"]][1:3] == ["local 1", "local 2"]


def test_verbose_shows_them_all() -> None:
    assert len(lines(row(*LOCAL, PICK), verbose=True)) == 3
    assert len(lines(row(*LOCAL, PICK))) == 2


def test_a_single_one_is_shown() -> None:
    assert "local 1" in lines(row(LOCAL[0], PICK))[0]


def test_what_the_last_lines_say_is_not_said_twice() -> None:
    told = "tx-no-route: no route to 8.8.8.8"
    step = {"n": 1, "stage": "route", "result": "reject", "text": told, "reason": "tx-no-route"}
    shown = list(
        render(row(step, reason="tx-no-route", why="no route to 8.8.8.8", ok=False), output())
    )
    assert shown[1] == "  1 route    reject tx-no-route"
    assert shown[-2] == "why:     no route to 8.8.8.8"
    other = list(render(row(step, reason="neigh-failed"), output()))
    assert other[1] == f"  1 route    reject {told}"


def test_the_colours_of_an_explanation() -> None:
    told = "tx-no-route: no route to 8.8.8.8"
    reject = {"n": 2, "stage": "route", "result": "reject", "text": told, "reason": "tx-no-route"}
    refused = row(PICK, skip(1, "loser", "metric"), reject, reason="tx-no-route", ok=False)
    refused.update(verdict="not sent", fix=["smolctl one", "smolctl two"])
    assert list(render(refused, output(color="always")))[1:] == [
        "  1 route    \x1b[32mpick\x1b[0m   10.0.0.0/24 dev tap0",
        "             \x1b[2mskip\x1b[0m   \x1b[2mloser\x1b[0m",
        "             \x1b[31mreject\x1b[0m \x1b[31mtx-no-route\x1b[0m",
        "\x1b[36mverdict:\x1b[0m \x1b[31mnot sent\x1b[0m",
        "\x1b[36mwhy:\x1b[0m     so",
        "\x1b[36mfix:\x1b[0m     \x1b[32msmolctl one\x1b[0m",
        "\x1b[36mor:\x1b[0m      \x1b[32msmolctl two\x1b[0m",
    ]
    waiting = row(reason="neigh-pending", verdict="waiting")
    assert "\x1b[33mwaiting\x1b[0m" in list(render(waiting, output(color="always")))[1]
    assert "\x1b[32msent\x1b[0m" in list(render(row(), output(color="always")))[1]
