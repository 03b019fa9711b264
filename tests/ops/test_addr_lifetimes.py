"""Lifetimes of addresses: what is said, shown, told and saved of them, and what follows."""

import pytest

from smolctl.errors import InvalidArgument
from smolctl.stack.clone.stack_clone import clone_for_packet
from tests.kit.clock import SECOND_NS
from tests.kit.host import text
from tests.ops.kit import Api, Row

FOUR, SIX = "10.7.0.1/24", "2001:db8:7::1/64"
BOTH = pytest.mark.parametrize("local", [FOUR, SIX])
FOREVER = 0xFFFFFFFF


def shown(api: Api, local: str) -> Row | None:
    """Return the row of an address; None if it is not there."""
    rows = api("addr.show", dev="tap0", to=local.split("/")[0])
    return rows[0]["addr_info"][0] if rows else None


def lives(api: Api, local: str) -> tuple[int, int, bool]:
    """Return how long an address is valid and preferred, and whether it is deprecated."""
    row = shown(api, local)
    assert row is not None
    left = (row["valid_life_time"], row["preferred_life_time"])
    assert row.get("dynamic", False) is (left[0] != FOREVER)
    return (*left, row.get("deprecated", False))


def add(api: Api, local: str, valid: object, preferred: object, verb: str = "add") -> None:
    args = {"valid_lft": str(valid), "preferred_lft": str(preferred)}
    api(f"addr.{verb}", local=local, dev="tap0", nodad=True, **args)


@BOTH
def test_an_address_is_deprecated_and_then_removed_with_its_routes(local: str) -> None:
    api = Api()
    before = api("route.show", table="all")
    add(api, local, 10, 4)
    assert lives(api, local) == (10, 4, False)
    api.wait(SECOND_NS // 2)
    assert lives(api, local) == (10, 4, False)
    api.wait(3 * SECOND_NS)
    assert lives(api, local) == (7, 1, False)
    api.wait(SECOND_NS // 2)
    assert lives(api, local) == (6, 0, True)
    api.wait(6 * SECOND_NS - 1)
    assert lives(api, local) == (1, 0, True)
    api.wait(1)
    assert shown(api, local) is None
    assert api("route.show", table="all") == before


@BOTH
@pytest.mark.parametrize("verb", ["replace", "change"])
def test_a_change_begins_anew(local: str, verb: str) -> None:
    api = Api()
    add(api, local, 10, 4)
    api.wait(5 * SECOND_NS)
    add(api, local, 20, 6, verb)
    assert lives(api, local) == (20, 6, False)
    add(api, local, 20, 0, verb)
    assert lives(api, local) == (20, 0, True)
    api(f"addr.{verb}", local=local, dev="tap0")
    assert lives(api, local) == (FOREVER, FOREVER, False)
    api.wait(30 * SECOND_NS)
    assert shown(api, local) is not None


@BOTH
def test_one_that_is_valid_for_ever_may_be_deprecated(local: str) -> None:
    api = Api()
    add(api, local, "forever", 3)
    api.wait(3 * SECOND_NS)
    assert lives(api, local) == (FOREVER, 0, True)
    api.wait(100 * SECOND_NS)
    assert lives(api, local) == (FOREVER, 0, True)


@BOTH
@pytest.mark.parametrize(
    ("valid", "preferred", "message"),
    [
        (0, 0, "valid_lft is 0"),
        (5, 10, "preferred_lft 10 is longer than valid_lft 5"),
        (5, "forever", "preferred_lft forever is longer than valid_lft 5"),
        ("x", 5, 'valid_lft "x" is not a whole number of 0..4294967295 seconds'),
        (-1, 5, 'valid_lft "-1" is not a whole number'),
        (1 << 32, 5, "is not a whole number of 0..4294967295 seconds"),
    ],
)
def test_bad_lifetimes_change_nothing(
    local: str, valid: object, preferred: object, message: str
) -> None:
    api = Api()
    with pytest.raises(InvalidArgument) as refused:
        add(api, local, valid, preferred)
    assert message in str(refused.value)
    assert ("forever" in str(refused.value.hint)) is ("whole number" in message)
    assert shown(api, local) is None


def test_valid_alone_needs_preferred_too_as_in_linux() -> None:
    api = Api()
    with pytest.raises(InvalidArgument, match="preferred_lft forever is longer") as refused:
        api("addr.add", local=FOUR, dev="tap0", valid_lft="5")
    hint = f"smolctl addr replace {FOUR} dev tap0 valid_lft 5 preferred_lft 5"
    assert refused.value.hint == hint


def test_the_secondaries_go_with_the_first_address_of_their_network() -> None:
    # Linux check_lifetime, inet_del_ifa: unless they are promoted.
    api = Api()
    add(api, FOUR, 5, 5)
    add(api, "10.7.0.2/24", 5, 5)
    add(api, "10.7.0.3/24", "forever", "forever")
    api.wait(5 * SECOND_NS)
    assert shown(api, "10.7.0.0/24") is None


def test_new_packets_leave_from_an_address_that_is_preferred() -> None:
    api = Api()
    api("addr.add", local="2001:db8:7::2/64", dev="tap0", nodad=True)
    add(api, SIX, 100, 4)

    def source() -> str:
        (row,) = api("route.get", dst="2001:db8:7::9")
        return str(row["prefsrc"])

    assert source() == "2001:db8:7::1"
    api.wait(4 * SECOND_NS)
    assert source() == "2001:db8:7::2"
    api("addr.del", local="2001:db8:7::2/64", dev="tap0")
    assert source() == "2001:db8:7::1"  # deprecated, and still better than none of this network


def test_of_ipv4_nothing_follows_as_in_linux() -> None:
    api = Api()
    add(api, "10.7.0.2/16", 100, 0)
    add(api, "10.7.0.3/24", 100, 100)
    (row,) = api("route.get", dst="10.7.9.9")
    assert row["prefsrc"] == "10.7.0.2"


@BOTH
def test_each_end_is_an_event(local: str) -> None:
    api = Api()
    exchange, _ = api.start("monitor.run", addr=True)
    add(api, local, 10, 4)
    api.wait(10 * SECOND_NS)
    told = [
        (info["valid_life_time"], info["preferred_life_time"], info.get("deprecated", False),
         event.get("deleted", False))
        for event in exchange.of("addr") for info in event["addr_info"]
    ]  # fmt: skip
    assert told == [(10, 4, False, False), (6, 0, True, False), (0, 0, True, True)]


def test_lifetimes_are_saved_as_they_were_given() -> None:
    # They begin anew with the address; what is left of them is no configuration.
    api = Api()
    add(api, SIX, 100, 4)
    saved = api("config.save")
    api.wait(5 * SECOND_NS)
    assert api("config.save") == saved
    (args,) = [row["args"] for row in saved if row["args"].get("local") == SIX]
    assert args == {
        "local": SIX, "dev": "tap0", "nodad": True, "valid_lft": "100", "preferred_lft": "4",
    }  # fmt: skip


def test_a_prediction_ends_no_address() -> None:
    api = Api()
    add(api, SIX, 5, 5)
    clone = clone_for_packet(api.stack)
    clone.poll(api.clock.now + 9 * SECOND_NS)
    kept = [text(each.local) for each in api.host.tap.ipv6.addresses.items]
    assert SIX.split("/")[0] in kept


@BOTH
def test_a_link_that_goes_takes_its_timers_along(local: str) -> None:
    api = Api()
    add(api, local, 5, 4)
    api("link.del", dev="tap0")
    api.wait(10 * SECOND_NS)
    assert all(net.of(api.stack.interfaces["lo"]).lifetimes.due_ns is None
               for net in api.stack.networks.values())  # fmt: skip


def test_change_of_ipv6_takes_all_its_words() -> None:
    api = Api()
    api("addr.add", local=SIX, dev="tap0", nodad=True)
    api("addr.change", local=SIX, dev="tap0", metric="77")
    row = shown(api, SIX)
    assert row is not None
    assert row["metric"] == 77
    api("addr.change", local=SIX, dev="tap0", noprefixroute=True)
    routes = [each["dst"] for each in api("route.show", family="inet6")]
    assert "2001:db8:7::/64" not in routes
