"""Ten questions that people ask: each answer is the one kept, and what the kernel does."""

import pytest

from tests.host.agreement.golden import FOLDER, GOLDEN, answered
from tests.host.agreement.observer import Far

pytestmark = pytest.mark.netns


@pytest.mark.parametrize("name", GOLDEN)
def test_an_answer_is_as_it_was_and_true(far: Far, name: str) -> None:
    kept = (FOLDER / f"{name}.txt").read_text()
    assert answered(GOLDEN[name], far) == kept, "python -m tests.host.agreement.golden writes them"


def test_every_answer_has_a_question() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(GOLDEN)
    assert len(GOLDEN) >= 10
