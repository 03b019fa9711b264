"""Questions about a stack that is named and does not run: they start none, and say a near name."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolctl.cli import main
from smolctl.cli.session import Session
from smolctl.cli.words import complete
from smolctl.cli.words.options import Options
from smolctl.control.changes import PROBES, asks
from smolctl.ops.operations import OPS
from tests.cli.kit import all_verbs
from tests.kit.stack_env import SmolctlEnv

WITHOUT_STACK = {"stack start", "stack stop", "stack list", "explain", "doctor", "help"}
WITHOUT_STACK |= {f"lab {verb}" for verb in ("run", "list", "show", "new", "compare", "up", "down")}
WITHOUT_STACK |= {"host show", "host save", "host drops"}
"""Commands that ask no stack; to start or stop one is no question."""
STARTING = {"add", "append", "change", "del", "flush", "replace", "set"}
STARTING_PATHS = {
    "udp send",
    "udp recv",
    "udp echo",
    "tcp connect",
    "tcp listen",
    "tcp send",
    "tcp echo",
    "tcp ping",
    "tcp scan",
    "tcp traceroute",
    "tcp http",
    "tcp bench",
    "ping",
    "traceroute",
    "arping",
    "ndisc",
    "batch",
    "exec",
}
"""Verbs, and commands, that configure or probe, and so start the stack that they name."""
QUESTIONS = {
    verb.path: example.split(" > ")[0]
    for verb in all_verbs()
    for example in verb.examples[:1]
    if verb.path not in WITHOUT_STACK | STARTING_PATHS and verb.name not in STARTING
}
MORE = {
    "another stack": "smolctl config diff --to labb",
    "behind the verb": "smolctl route show -n labb",
    "written as one word": "smolctl route get 10.0.0.1 --stack=labb",
    "states that no entry has": "smolctl -n labb neigh show nud noarp",
    "a batch of questions": "smolctl -n labb batch questions",
    "a question that names its own": "smolctl batch own",
}


@pytest.fixture(scope="module")
def env() -> Iterator[SmolctlEnv]:
    """Run a stack of a name that is near the one that is asked for."""
    env = SmolctlEnv()
    try:
        env("-q", "-n", "lab", "stack", "start", check=True)
        (env.directory / "questions").write_text("# which\nroute show\n")
        (env.directory / "own").write_text("neigh show -n labb\n")
        (env.directory / "lab.conf").write_text("")
        yield env
    finally:
        env.close()


@pytest.fixture(autouse=True)
def _inside(env: SmolctlEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SMOLCTL"):
            monkeypatch.delenv(name)
    for name, value in env.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(env.directory)


def files(env: SmolctlEnv) -> set[str]:
    """Return the names in the runtime directory, without their endings."""
    return {path.name.partition(".")[0] for path in Path(env.directory, "smolctl").iterdir()}


@pytest.mark.parametrize("line", [*QUESTIONS.values(), *MORE.values()], ids=[*QUESTIONS, *MORE])
def test_a_question_starts_no_stack_that_was_named(
    env: SmolctlEnv, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line.removeprefix("smolctl "))
    if "labb" not in line and not line.endswith(" own"):
        words = ["-n", "labb", *words]
    assert main.run(words) == 3
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert 'stack "labb" is not running; did you mean "lab"?' in said.err
    assert "labb" not in files(env)


@pytest.mark.parametrize("op", sorted(OPS))
def test_each_operation_is_a_question_a_change_or_a_probe(op: str) -> None:
    verb = op.partition(".")[2]
    assert asks(op) is (op not in PROBES and verb not in STARTING and op != "batch.run")


def test_a_change_starts_the_stack_that_it_names(smolctl: SmolctlEnv) -> None:
    assert smolctl("-n", "new", "addr", "add", "10.0.0.1/24", "dev", "lo").returncode == 0
    assert smolctl("-n", "new", "route", "show").returncode == 0


@pytest.mark.parametrize("named_by", ["nobody", "the environment"])
def test_a_first_question_without_a_name_starts_the_default_stack(
    smolctl: SmolctlEnv, named_by: str
) -> None:
    if named_by == "the environment":
        smolctl.environ["SMOLCTL_STACK"] = "mine"
    shown = smolctl("route", "show", "table", "local")
    assert shown.returncode == 0
    assert "started stack" in shown.stderr
    assert "127.0.0.0/8" in shown.stdout


def test_completion_starts_no_stack(env: SmolctlEnv) -> None:
    session = Session(Options())
    said = list(complete.answer(main.ROOT, session, "smolctl -n labb route del ", ""))
    assert said
    assert "labb" not in files(env)
