"""The long tests: `make fuzz` and `make proof` find them, and each does more there."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

from tests.kit import amount

ROOT = Path(__file__).parents[2]


def planned(target: str) -> str:
    """Return the command of a target."""
    environ = {"PATH": os.environ["PATH"]}
    lines = subprocess.run(
        ["make", "-n", target], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    (line,) = (line for line in lines if " -m pytest " in line)
    return line


def test_the_targets_choose_by_mark_and_say_how_much() -> None:
    assert f"TEST_EXAMPLES=${{TEST_EXAMPLES:-{amount.MAKE_FUZZ}}} " in planned("fuzz")
    assert " -m hypothesis " in planned("fuzz")
    assert "TEST_PROOF=1 " in planned("proof")
    assert " -m proof " in planned("proof")


@pytest.mark.skipif(amount.ASKED > 0, reason="make fuzz does more")
def test_examples_are_few_and_the_same_in_each_run() -> None:
    profile = settings()
    assert (profile.max_examples, profile.derandomize) == (amount.EXAMPLES, True)
    assert amount.examples(7, times=3).max_examples == 7
    assert amount.examples(7).derandomize


def test_a_share_is_less_than_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amount, "WHOLE", False)
    assert amount.amount(50, 10) == 10
    monkeypatch.setattr(amount, "WHOLE", True)
    assert amount.amount(50, 10) == 50


def test_more_examples_are_those_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amount, "ASKED", 300)
    assert amount.examples(7, times=2).max_examples == 600
    assert amount.examples(7, times=0.001).max_examples == 1


def test_whoever_has_an_amount_is_a_proof() -> None:
    """Otherwise `make proof` would not run it."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text()
        if "import amount\n" in text and path != Path(__file__):
            assert "@pytest.mark.proof\n" in text, path.name


def test_byte_code_is_kept_whatever_the_environment_says() -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    argv = ["make", "-s", "--eval", "shown:; @env", "shown"]
    shown = subprocess.run(
        argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    ).stdout
    assert "PATH=" in shown
    assert "PYTHONDONTWRITEBYTECODE" not in shown
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
