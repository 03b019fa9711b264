"""Profiles: each says only what it means, in values that its knobs take."""

import pytest

from smolctl.errors import InvalidArgument
from smolctl.stack.profile import PROFILES, Profile, profile
from smolctl.stack.settings import KNOBS, Settings, knob

EVERY = pytest.mark.parametrize("item", PROFILES.values(), ids=lambda item: item.name)


@EVERY
def test_a_profile_sets_knobs_that_exist_to_values_that_they_take(item: Profile) -> None:
    settings = Settings.begun(item.assignments(), item.name)
    for key, text in item.values.items():
        assert settings[key] == knob(key).parse(text) == item.value(knob(key))
        assert settings.origin(key) == f"profile {item.name}"
    for key in KNOBS.keys() - item.values.keys():
        assert settings[key] == KNOBS[key].default == item.value(KNOBS[key])
        assert settings.origin(key) == "default"


@EVERY
def test_a_profile_says_only_what_is_no_default(item: Profile) -> None:
    assert item.what
    assert item.source
    assert all(item.value(KNOBS[key]) != KNOBS[key].default for key in item.values)


def test_linux_is_what_the_defaults_are() -> None:
    assert next(iter(PROFILES)) == "linux"
    assert not PROFILES["linux"].values


def test_smoltcp_is_what_the_knobs_say_of_it() -> None:
    """Where a knob has a plain value for smoltcp, the profile has the same."""
    old = PROFILES["smoltcp-0.9"]
    for item in KNOBS.values():
        if item.smoltcp and (item.smoltcp.isdigit() or item.smoltcp in item.words):
            assert old.value(item) == item.parse(item.smoltcp), item.key
        elif not item.smoltcp:
            assert item.key not in old.values, f"{item.key}: say what smoltcp has"


def test_smoltcp_0_12_differs_from_0_9_where_its_releases_say_so() -> None:
    old, new = PROFILES["smoltcp-0.9"], PROFILES["smoltcp-0.12"]
    differs = {item.key for item in KNOBS.values() if old.value(item) != new.value(item)}
    assert differs == {"iface.neighbor_cache_count", "ip.first_source", "ip.subnet_broadcast"}


def test_an_unknown_profile_is_told_which_there_are() -> None:
    with pytest.raises(InvalidArgument, match=r"linux, rfc1122, smoltcp-0\.9, smoltcp-0\.12"):
        profile("smoltcp")
