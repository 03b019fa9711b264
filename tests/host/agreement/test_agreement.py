"""Twins beside the kernel: hosts made by hand, and random ones."""

from collections import Counter

import pytest

from tests.host.agreement.compare import PER_HOST, Compared, compared, random_compared
from tests.host.agreement.kinds import KINDS, Kind
from tests.host.agreement.observer import Far
from tests.kit.amount import amount

pytestmark = [pytest.mark.netns, pytest.mark.proof]
HOSTS_SHARE = 6
EACH_SHARE = 9
AGREE_MIN, AGREE_KIND_MIN = 0.998, 0.99
SILENT_MAX = 0.001
"""Shares of questions; what make host-agreement measured is in docs/host.md."""


def check(found: list[Compared], least: float) -> None:
    """Fail with the hosts and questions in which both differ, if these are too many."""
    assert found
    wrong = [each for each in found if not each.agrees]
    silent = [each.report() for each in wrong if not each.warned]
    assert len(silent) <= SILENT_MAX * len(found), "\n\n".join(silent)
    reports = "\n\n".join(each.report() for each in wrong)
    assert len(wrong) <= (1 - least) * len(found), reports


@pytest.mark.proof
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_twins_of_hosts_that_people_have(far: Far, kind: Kind) -> None:
    asks = kind.questions()
    some = asks[:: amount(1, EACH_SHARE)]
    found = list(compared(kind.name, kind.host(), some, far))
    assert not any(each.refused for each in found)
    check(found, AGREE_KIND_MIN)
    ends = Counter(sorted(each.seen)[0].split()[0] if each.seen else "" for each in found)
    assert len(ends) > 1, "they would be worth little if they all ended alike"


@pytest.mark.proof
def test_twins_of_random_hosts(far: Far) -> None:
    found: list[Compared] = []
    for seed in range(amount(200, HOSTS_SHARE)):
        found += random_compared(seed, PER_HOST, far)
    check(found, AGREE_MIN)


def test_hosts_made_by_hand_are_asked_often_enough() -> None:
    counts = Counter[str]()
    for kind in KINDS:
        counts[kind.kind] += len(kind.questions())
    assert counts.total() >= 400
    assert len(counts) >= 6
    assert min(counts.values()) >= 60
