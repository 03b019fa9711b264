"""Every fault has a test that provokes it, and its name is one that a user may see."""

import re
from pathlib import Path

from smolctl.wire.fault import Fault, Fault6, TcpFault

FAULTS = [*Fault, *Fault6, *TcpFault]


def test_names_are_the_values_in_upper_case() -> None:
    assert {fault.name for fault in FAULTS} == {
        fault.value.upper().replace("-", "_") for fault in FAULTS
    }


def test_every_fault_is_provoked_by_a_test_of_its_header() -> None:
    provoked = set[str]()
    for path in Path(__file__).parent.rglob("test_*.py"):
        provoked.update(re.findall(r"Fault6?\.([A-Z][A-Z0-9_]+)", path.read_text()))
    assert provoked == {fault.name for fault in FAULTS}
