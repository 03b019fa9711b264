"""Commands as click's own tools see them: runner, description, completion."""

import json
from typing import Any

import click
import pytest
from click.testing import CliRunner

from smolctl.cli.main import NOUNS, ROOT
from smolctl.cli.words.command import Noun, Verb
from tests.cli.kit import all_verbs


def described(path: str) -> dict[str, Any]:
    """Return what click tells a documentation tool about a command."""
    verb = next(verb for verb in all_verbs() if verb.path == path)
    return verb.to_info_dict(click.Context(verb))


def test_a_tool_sees_the_parameters_of_a_command() -> None:
    params = {param["name"]: param for param in described("route add")["params"]}
    assert len(params) >= 12
    assert params["via"]["opts"] == ["--via"]
    assert params["dev"]["opts"] == ["--dev", "--oif"]
    assert params["dst"]["param_type_name"] == "argument"
    assert params["dst"]["required"]
    assert params["nexthop"]["multiple"]
    assert params["onlink"]["is_flag"]
    assert params["json"]["opts"] == ["-j", "--json", "-json"]


@pytest.mark.parametrize("verb", all_verbs(), ids=lambda verb: verb.path)
def test_each_command_can_be_described(verb: Verb) -> None:
    told = verb.to_info_dict(click.Context(verb))
    assert json.dumps(told["params"])
    assert all(param["help"] for param in told["params"])


def test_a_tool_walks_from_the_root_to_each_command() -> None:
    told = ROOT.to_info_dict(click.Context(ROOT, info_name="smolctl"))
    assert list(told["commands"]) == list(NOUNS)
    assert list(told["commands"]["neigh"]["commands"])[:2] == ["show", "get"]


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("--version", 0, "smolctl "),
        ("route add --help", 0, "Examples:\n  smolctl route add default via 10.0.0.2\n"),
        ("explain --list", 0, "REASON"),
        ("route add 10.0.0.0/8 via 1 via 2", 2, ""),
        ("--no-start route", 3, ""),
    ],
)
def test_clicks_runner_runs_a_command(
    line: str, status: int, text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    result = CliRunner().invoke(ROOT, line.split())
    assert result.exit_code == status
    assert result.stdout.startswith(text)
    assert bool(result.stderr) is bool(status)


def test_all_is_clicks_own() -> None:
    for verb in all_verbs():
        assert isinstance(verb, click.Command)
        assert all(isinstance(param, click.Option | click.Argument) for param in verb.params)
    assert isinstance(ROOT, click.Group)
    assert isinstance(ROOT.get_command(click.Context(ROOT), "addr"), Noun)
