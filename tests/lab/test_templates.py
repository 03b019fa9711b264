from pathlib import Path

import pytest

import smolctl
from smolctl.lab.reading import read
from smolctl.lab.writing import write

TEMPLATES = sorted((Path(smolctl.__file__).parent / "lab" / "templates").glob("*.toml"))


@pytest.mark.parametrize("path", TEMPLATES, ids=[path.stem for path in TEMPLATES])
def test_a_template_is_a_scenario_with_expectations(path: Path) -> None:
    scenario = read(path.read_bytes(), path.name)
    assert scenario.about
    assert scenario.expects
    assert read(write(scenario), path.name) == scenario


def test_there_are_templates() -> None:
    assert [path.stem for path in TEMPLATES] == ["hub", "router", "two-hosts"]
