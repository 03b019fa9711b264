from hypothesis import given

from smolctl.lab.reading import read
from smolctl.lab.scenario import Scenario
from smolctl.lab.writing import write
from tests.lab.scenarios import scenarios


@given(scenarios())
def test_what_is_written_reads_back(scenario: Scenario) -> None:
    assert read(write(scenario), "scenario.toml") == scenario
