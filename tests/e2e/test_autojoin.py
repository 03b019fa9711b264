"""``addr add ... autojoin``: the same commands for ``ip`` and smolctl."""

import pytest

from tests.e2e.kit import Row
from tests.e2e.oracle.oracle import Oracle, addresses

pytestmark = pytest.mark.netns

COMMANDS = (
    ("addr add 10.0.0.1/24 dev tap0", True),
    ("addr add 239.1.2.3/32 dev tap0 autojoin", True),
    ("addr add 239.1.2.3/32 dev tap0 autojoin", False),
    ("addr add 239.1.2.3/24 dev tap0 autojoin", False),  # joined already: EADDRINUSE
    ("addr add 239.1.2.4/24 dev tap0 autojoin", True),
    ("addr add 239.1.2.5/24 dev tap0 autojoin", True),
    ("addr add 239.1.2.3/32 dev tap1 autojoin", True),
    ("addr add 10.0.0.9/24 dev tap0 autojoin", False),  # no group: EINVAL
    ("addr replace 239.1.2.3/32 dev tap0 autojoin", True),
    ("addr del 239.1.2.3/32 dev tap0", True),
    ("addr del 239.1.2.3/32 dev tap0", False),
    ("addr add 239.1.2.3/32 dev tap0 autojoin", True),
    ("addr flush dev tap1", True),
)


def groups(rows: list[Row]) -> list[tuple[str, str]]:
    return sorted(
        (row["ifname"], entry["address"])
        for row in rows
        for entry in row["maddr"]
        if entry.get("family") == "inet"
    )


def test_groups_as_addresses_are_those_of_the_kernel(oracle: Oracle) -> None:
    for command, accepted in COMMANDS:
        verdicts = oracle.run(command)
        assert verdicts.accepted == (accepted, accepted), f"{command}: {verdicts}"
        theirs, ours = oracle.kernel.rows("addr"), oracle.smolctl.json("-4", "addr")
        assert addresses(ours) == addresses(theirs), command
        theirs, ours = oracle.kernel.rows("maddr"), oracle.smolctl.json("maddr")
        assert groups(ours) == groups(theirs), command
    shown = oracle.run("addr show tap0")
    lines = [[line for line in said.stdout.splitlines() if "inet" in line] for said in shown]
    assert lines[0] == lines[1]
    assert "    inet 239.1.2.3/32 scope global autojoin tap0" in lines[1]


def test_every_address_is_selected_alike(oracle: Oracle) -> None:
    oracle.do("addr add 10.0.0.1/24 dev tap0", "addr add 239.1.2.3/32 dev tap0 autojoin")
    theirs, ours = oracle.run("-br addr show dev tap0 autojoin")
    assert "239.1.2.3/32" in theirs.stdout
    assert ours.stdout.split()[2:] == theirs.stdout.split()[2:] == ["239.1.2.3/32"]
