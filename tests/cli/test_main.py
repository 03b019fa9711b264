"""Endings: every way a command line can end is a status and at most one line."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smolctl.cli import main
from smolctl.cli.main import FIRST_SCREEN, NOUNS, ROOT, run
from smolctl.cli.words.options import BY_FLAG
from tests.cli.kit import all_verbs, words_of

WORDS = sorted(
    {
        *NOUNS,
        *BY_FLAG,
        *(part for verb in all_verbs() for part in verb.path.split()),
        *(word for verb in all_verbs() for key in words_of(verb) for word in key.words),
        *(f"--{key.words[0]}=x" for verb in all_verbs() for key in words_of(verb)),
        *("10.0.0.1/24", "tap0", "-", "--", "-1", "-c", "-s", "1.2.3.4:5", "", "-jx", "-é"),
    }
    - {"start", "log"}  # that would start a daemon, or read a file
)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No daemon runs, none is started, and standard input is empty."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("SMOLCTL_STACK", raising=False)
    monkeypatch.delenv("SMOLCTL_DEBUG", raising=False)


def test_no_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--no-start", "addr"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        'smolctl: stack "default" is not running; try: smolctl --stack default stack start\n'
    )


@pytest.mark.parametrize("line", ["stack stop", "stack status"])
def test_stop_and_status_start_nothing(
    line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(line.split()) == 3
    assert 'stack "default" is not running' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_stack_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SMOLCTL_STACK", "lab")
    assert run(["--no-start", "addr"]) == 3
    assert 'stack "lab" is not running' in capsys.readouterr().err
    assert run(["--no-start", "addr", "-n", "other"]) == 3
    assert 'stack "other" is not running' in capsys.readouterr().err


def test_a_bad_stack_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--stack", "../x", "addr"]) == 2
    assert capsys.readouterr().err.startswith('smolctl: "../x" is not a stack name')


@pytest.mark.parametrize("line", ["-j adr", "addr shwo -j", "addr add --json", "-j --no-start a"])
def test_errors_are_json_when_json_is_asked_for(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) in (2, 3)
    captured = capsys.readouterr()
    assert captured.out == ""
    error = json.loads(captured.err)["error"]
    assert {"code", "message"} <= error.keys() <= {"code", "message", "hint", "errno"}


def test_list_without_stacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stack", "list"]) == 0
    assert capsys.readouterr().out == "STACK  STATE  PID  UP\n"
    assert run(["-j", "stack", "list"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_log_of_a_stack_that_never_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stack", "log"]) == 3
    assert "is not running" in capsys.readouterr().err


def test_a_bug_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(ROOT, "resolve_command", broken)
    assert run(["addr"]) == 2
    assert capsys.readouterr().err == (
        "smolctl: internal error: KeyError: 'x'; this is a bug; please report the traceback that"
        " SMOLCTL_DEBUG=1 shows\n"
    )
    monkeypatch.setenv("SMOLCTL_DEBUG", "1")
    with pytest.raises(KeyError):
        run(["addr"])


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 141)]
)
def test_signals_are_silent(
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ended(*_: object) -> None:
        raise error

    monkeypatch.setattr(ROOT, "resolve_command", ended)
    monkeypatch.setattr(main, "_abandon_output", lambda: None)
    assert run(["addr"]) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_no_standard_output_at_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert run(["--help"]) == 2
    assert capsys.readouterr().err == "smolctl: there is no standard output to write to\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=7))
def test_no_words_break_it(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    status = run(["--no-start", *words])
    captured = capsys.readouterr()
    assert status in (0, 2, 3)
    assert "internal error" not in captured.err
    if status:
        assert captured.out == ""
        assert captured.err.startswith(("smolctl: ", '{"error":', FIRST_SCREEN))
