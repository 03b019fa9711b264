"""Random configurations with next-hop objects, and routes of them: saved, compared, restored."""

import pytest

from smolctl.wire.address import IPV4, IPV6
from tests.kit.amount import amount
from tests.ops.configurations import Changes
from tests.ops.kit import Api
from tests.ops.test_config import bare, copied
from tests.ops.test_config_diff import assert_leads_there
from tests.ops.test_snapshot import assert_restored_shows_the_same


def random_one(seed: int, *, ipv6: bool = True) -> Api:
    api = bare()
    Changes(seed, ipv6=ipv6, next_hops=True).some(api, 20 + seed % 50)
    return api


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(200, 40)))
def test_a_copy_is_the_same(seed: int) -> None:
    copied(random_one(seed))


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(200, 40)))
def test_a_difference_leads_there(seed: int) -> None:
    ipv6 = seed % 2 == 1
    assert_leads_there(random_one(seed, ipv6=ipv6), random_one(seed + 500, ipv6=ipv6))


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(amount(200, 40)))
def test_what_is_restored_shows_the_same(seed: int) -> None:
    assert_restored_shows_the_same(random_one(seed))


def test_the_configurations_have_objects_of_each_kind_and_routes_of_them() -> None:
    found = [random_one(seed) for seed in range(30)]
    objects = [each for api in found for each in api.stack.next_hops]
    assert {"group", "blackhole", IPV4, IPV6} == {
        "group" if each.members else "blackhole" if each.is_blackhole else each.family
        for each in objects
    }
    routes = [r for api in found for net in api.stack.networks.values() for r in net.fib if r.nhid]
    assert len(routes) >= 10
