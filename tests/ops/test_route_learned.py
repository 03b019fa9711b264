"""``route get`` and ``route show cache`` say what redirects led to."""

import pytest

from smolctl.errors import InvalidArgument
from tests.kit.clock import SECOND_NS
from tests.kit.host import PEER
from tests.ops.kit import Api
from tests.stack.reason.provokers_icmp import FAR, redirect

BETTER = "10.0.0.3"


@pytest.fixture
def api() -> Api:
    """Has been redirected to 10.0.0.3 for one destination."""
    api = Api()
    for neighbor in (PEER, BETTER):
        api.host.know(neighbor)
    api("route.add", dst="default", via=PEER)
    api.host.socket(5000)
    api.arrive(redirect(BETTER))
    return api


def test_route_get_says_that_the_hop_is_a_redirects(api: Api) -> None:
    api.wait(10 * SECOND_NS)
    row = api.one("route.get", dst=FAR)
    assert (row["gateway"], row["cache"], row["expires"]) == (BETTER, ["redirected"], 290)
    plain = api.one("route.get", dst="192.0.2.8")
    assert (plain["gateway"], plain["cache"], "expires" in plain) == (PEER, [], False)


def test_the_cache_is_shown_and_flushed(api: Api) -> None:
    shown = {
        "dst": FAR, "gateway": BETTER, "dev": "tap0", "flags": [], "cache": ["redirected"],
        "expires": 300,
    }  # fmt: skip
    assert api("route.show", cache=True) == [shown]
    assert api("route.flush", cache=True) == [shown]
    assert api("route.show", cache=True) == []
    assert api.one("route.get", dst=FAR)["gateway"] == PEER


@pytest.mark.parametrize(
    ("words", "there"),
    [
        ({"dev": "tap0"}, True),
        ({"dev": "lo"}, False),
        ({"via": BETTER}, True),
        ({"via": PEER}, False),
        ({"root": "192.0.2.0/24"}, True),
        ({"exact": "192.0.3.0/24"}, False),
    ],
)
def test_the_cache_can_be_asked_in_part(api: Api, words: dict[str, str], there: bool) -> None:
    assert bool(api("route.show", cache=True, **words)) is there


def test_what_is_learned_has_no_metric(api: Api) -> None:
    with pytest.raises(InvalidArgument, match="has no metric"):
        api("route.show", cache=True, metric="1")


def test_what_is_of_a_route_that_is_gone_is_not_shown(api: Api) -> None:
    api("route.replace", dst="default", via="10.0.0.4")
    assert api("route.show", cache=True) == []
