"""Steps as rows: their own fields, and those of what they tell."""

import pytest

from smolctl.stack.explain.steps import step_row
from smolctl.stack.reason import REASONS, Detail
from smolctl.stack.trace.trace import Step, Struck

OWN = ("n", "stage", "result", "text")


@pytest.mark.parametrize("field", OWN)
def test_a_detail_overwrites_no_field_of_its_step(field: str) -> None:
    why = REASONS["icmp-no-reply"]
    detail = Detail(why, {"requests": 2, "ip": 1, "dev": "tap0", field: "of the detail"}, None)
    row = step_row(7, Step("icmp", "note", 0, Struck(why, detail)))
    assert (row["n"], row["stage"], row["result"]) == (7, "icmp", "note")
    assert row["text"] == f"{why.name}: {why.why(detail)}"
    assert row["requests"] == 2


def test_no_reason_shows_a_detail_that_is_called_like_a_field_of_a_step() -> None:
    texts = {
        reason.name: (*reason.why_template, *reason.fix_templates, reason.advice_template)
        for reason in REASONS.values()
    }
    assert [
        (name, field)
        for name, shown in texts.items()
        for field in OWN
        for text in shown
        if f"{{{field}}}" in text
    ] == []
