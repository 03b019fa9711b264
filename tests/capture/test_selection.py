"""Comments about dropped packets: what smolctl writes it reads again."""

import pytest

from smolctl.capture import Record
from smolctl.capture.selection import Verdict, verdict_of
from smolctl.stack.reason import REASONS


@pytest.mark.parametrize("why", ["", "because of - that", "two\nlines"])
def test_the_comment_of_every_reason_is_read_again(why: str) -> None:
    for reason in REASONS.values():
        verdict = Verdict(reason.name, reason.kind.value, why)
        record = Record(0, b"", True, "eth0", "in", 0, ("something else", verdict.comment()))
        assert verdict_of(record) == verdict


def test_other_comments_are_no_verdicts() -> None:
    comments = ("reason", "reason: ", "reason: two words", "note: arp-flapping - x")
    assert verdict_of(Record(0, b"", True, "eth0", "in", 0, comments)) is None
