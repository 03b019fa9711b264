from pathlib import Path

import pytest

import smolctl
from smolctl.cli.inside.commands import LabCommands
from smolctl.lab.reading import read
from smolctl.lab.run import Setting, run
from smolctl.lab.writing import write

LAB = Path(smolctl.__file__).parent / "lab"
FILES = sorted(LAB.glob("*/*.toml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_file_that_comes_with_smolctl_says_what_it_shows_and_expects(path: Path) -> None:
    scenario = read(path.read_bytes(), path.name)
    assert scenario.about
    assert scenario.expects
    assert read(write(scenario), path.name) == scenario


TEMPLATES = [path for path in FILES if path.parent.name == "templates"]


@pytest.mark.parametrize("path", TEMPLATES, ids=[path.stem for path in TEMPLATES])
def test_a_template_runs_and_all_that_it_expects_is_true(path: Path) -> None:
    outcome = run(read(path.read_bytes(), path.name), Setting(LabCommands()))
    assert [(judged.text, judged.seen) for judged in outcome.judged if not judged.met] == []
    assert outcome.ok


def test_there_are_templates() -> None:
    assert [path.stem for path in TEMPLATES] == ["hub", "router", "two-hosts"]
