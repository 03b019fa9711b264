"""The matrix of who reaches whom as a row: each different answer once, and places in groups."""

from collections.abc import Iterable
from typing import Any

from smolctl.path.reach import Answer, Matrix, Place, alike
from smolctl.wire.address import family_of, format_address, format_endpoint

Row = dict[str, Any]
SCHEMA = 1
"""Version of the row; within one, keys are only added."""


def tell(matrix: Matrix, selection: Iterable[str] = ()) -> Row:
    """Return the row of a matrix; keys that have nothing to say are absent.

    Args:
        selection: the words with which the stacks were chosen: those of the commands that it names.
    """
    known: dict[Answer, int] = {}
    answers: list[Row] = []
    for src, dst, answer in matrix.pairs():
        number = known.setdefault(answer, len(known))
        if number == len(answers):
            answers.append(_answer(matrix, src, dst, answer, selection))
        answers[number]["count"] += 1
    row: Row = {"schema": SCHEMA, "kind": "reach", "proto": matrix.asked.proto}
    if matrix.asked.port:
        row["port"] = matrix.asked.port
    pairs, good = sum(each["count"] for each in answers), _count(answers, ok=True)
    row.update(
        family=family_of(matrix.places[0].address).name,
        ok=good == pairs, pairs=pairs, reached=good, unknown=_count(answers, outcome="outside"),
        places=[
            {"stack": place.stack, "address": format_address(place.address)}
            for place in matrix.places
        ],
        answers=answers,
        matrix=[
            [None if each is None else known[each] for each in line] for line in matrix.rows
        ],
        groups=alike(matrix),
    )  # fmt: skip
    return row


def _count(answers: list[Row], **like: object) -> int:
    return sum(
        each["count"]
        for each in answers
        if all(each.get(key) == value for key, value in like.items())
    )


def _answer(
    matrix: Matrix, src: Place, dst: Place, answer: Answer, selection: Iterable[str]
) -> Row:
    row: Row = {"outcome": str(answer.outcome), "ok": answer.ok, "count": 0}
    told = {"reason": answer.reason, "at": answer.at, "leg": answer.leg, "by": answer.by}
    row.update({key: value for key, value in told.items() if value})
    proto, port = matrix.asked
    here = f"{src.stack}@{format_address(src.address)}" if src.only else src.stack
    there = format_endpoint(dst.address, port) if port else format_address(dst.address)
    ask = " ".join(["smolctl why", proto, here, there, *selection, "--path"])
    return {**row, "from": src.stack, "to": dst.stack, "ask": ask}
