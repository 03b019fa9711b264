"""Profiles are what they are called: the same experiments on the kernel and on stacks with them.

docs/profiles.md has the table (``make docs``).
"""

from collections.abc import Iterator

import pytest

from smolctl.stack.sysctl.profiles import PROFILES
from tests.e2e.profiles import profiles_page
from tests.e2e.profiles.behaviours import BEHAVIOURS, Behaviour
from tests.e2e.profiles.subjects import Kernel, Stack

EVERY = pytest.mark.parametrize("case", BEHAVIOURS, ids=lambda case: case.what)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    found = Kernel()
    yield found
    found.close()


@pytest.mark.netns
@EVERY
def test_the_profile_linux_does_what_the_kernel_does(case: Behaviour, kernel: Kernel) -> None:
    theirs, ours = case.try_(kernel), case.try_(Stack({}))
    assert (ours, theirs) == (case.linux, case.linux)


@EVERY
def test_the_profile_smoltcp_does_what_smoltcp_was_seen_to_do(case: Behaviour) -> None:
    assert case.try_(Stack(PROFILES["smoltcp-0.9"].values)) == case.smoltcp


@EVERY
def test_the_sysctls_that_are_named_make_the_difference_alone(case: Behaviour) -> None:
    values = PROFILES["smoltcp-0.9"].values
    assert case.try_(Stack({key: values[key] for key in case.sysctls})) == case.smoltcp
    assert bool(case.sysctls) == (case.linux != case.smoltcp)
    others = {key: value for key, value in values.items() if key not in case.sysctls}
    if len(case.sysctls) == 1 and case.what not in CONFOUNDED:
        assert case.try_(Stack(others)) != case.smoltcp, "another sysctl would do it as well"


CONFOUNDED = {
    "the first echo request from an unknown host": "with neigh.unres_qlen=0 no packet has a queue",
}
"""Experiments in which other sysctls of the profile lead to the same end, and why."""


def test_the_page_is_up_to_date() -> None:
    assert profiles_page.PAGE.read_text() == profiles_page.page()
