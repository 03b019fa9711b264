from pathlib import Path

import pytest

import smolctl
from smolctl.lab.reading import read
from smolctl.lab.writing import write

LAB = Path(smolctl.__file__).parent / "lab"
FILES = sorted(LAB.glob("*/*.toml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_file_that_comes_with_smolctl_says_what_it_shows_and_expects(path: Path) -> None:
    scenario = read(path.read_bytes(), path.name)
    assert scenario.about
    assert scenario.expects
    assert read(write(scenario), path.name) == scenario


def test_there_are_templates() -> None:
    assert [path.stem for path in FILES if path.parent.name == "templates"] == [
        "hub",
        "router",
        "two-hosts",
    ]
