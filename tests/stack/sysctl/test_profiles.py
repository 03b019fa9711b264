"""Profiles: each says only what it means, in values that its sysctls take."""

import pytest

from smolctl.errors import InvalidArgument, NoBuffers
from smolctl.stack.sysctl.profiles import PROFILES, Profile, profile
from smolctl.stack.sysctl.settings import SYSCTLS, Settings, sysctl
from smolctl.wire import icmpv4
from tests.kit.clock import SECOND_NS
from tests.kit.groups import GROUP, OTHER_GROUP, join, member, only, words
from tests.kit.host import PEER, Host, icmp_frame

EVERY = pytest.mark.parametrize("item", PROFILES.values(), ids=lambda item: item.name)


@EVERY
def test_a_profile_sets_sysctls_that_exist_to_values_that_they_take(item: Profile) -> None:
    settings = Settings.begun(item.assignments(), item.name)
    for key, text in item.values.items():
        assert settings[key] == sysctl(key).parse(text) == item.value(sysctl(key))
        assert settings.origin(key) == f"profile {item.name}"
    for key in SYSCTLS.keys() - item.values.keys():
        assert settings[key] == SYSCTLS[key].default == item.value(SYSCTLS[key])
        assert settings.origin(key) == "default"


@EVERY
def test_a_profile_says_only_what_is_no_default(item: Profile) -> None:
    assert item.what
    assert item.source
    assert all(item.value(SYSCTLS[key]) != SYSCTLS[key].default for key in item.values)


def test_linux_is_what_the_defaults_are() -> None:
    assert next(iter(PROFILES)) == "linux"
    assert not PROFILES["linux"].values


def test_smoltcp_is_what_the_sysctls_say_of_it() -> None:
    """The profile has the same plain value for smoltcp as each sysctl."""
    old = PROFILES["smoltcp-0.9"]
    for item in SYSCTLS.values():
        if item.smoltcp and (item.smoltcp.isdigit() or item.smoltcp in item.words):
            assert old.value(item) == item.parse(item.smoltcp), item.key
        elif not item.smoltcp:
            assert item.key not in old.values, f"{item.key}: say what smoltcp has"


def test_smoltcp_0_12_differs_from_0_9_where_its_releases_say_so() -> None:
    old, new = PROFILES["smoltcp-0.9"], PROFILES["smoltcp-0.12"]
    differs = {item.key for item in SYSCTLS.values() if old.value(item) != new.value(item)}
    assert differs == {"iface.neighbor_cache_count", "ip.first_source", "ip.subnet_broadcast"}


def test_smoltcp_0_13_differs_from_0_12_in_nothing_that_a_sysctl_says() -> None:
    assert PROFILES["smoltcp-0.13"].values == PROFILES["smoltcp-0.12"].values


def test_an_unknown_profile_is_told_which_there_are() -> None:
    with pytest.raises(
        InvalidArgument,
        match=r"linux, linux-exact, rfc1122, smoltcp-0\.9, smoltcp-0\.12, smoltcp-0\.13",
    ):
        profile("smoltcp")


def like(name: str) -> Host:
    """Return a host whose sysctls are those of a profile."""
    host = Host()
    for key, value in PROFILES[name].values.items():
        host.set(key, value)
    return host


@pytest.mark.parametrize("name", ["smoltcp-0.9", "smoltcp-0.12", "smoltcp-0.13"])
def test_smoltcp_joins_with_one_report_of_version_2(name: str) -> None:
    host = like(name)
    socket = member(host)
    assert words(host) == [(f"v2 {GROUP}",)]
    host.wait(30 * SECOND_NS)
    assert words(host) == []
    with pytest.raises(NoBuffers):
        join(host, socket, OTHER_GROUP, only("10.0.0.2"))
    for last in range(3):
        join(host, socket, f"239.0.0.{last}")
    with pytest.raises(NoBuffers):
        join(host, socket, OTHER_GROUP)


@pytest.mark.parametrize(("name", "believed"), [("linux", 552), ("rfc1122", 100)])
def test_rfc1191_3_a_path_mtu_of_68_and_more_is_believed(name: str, believed: int) -> None:
    host = like(name)
    host.know()
    host.route("9.0.0.0/8", via=PEER)
    host.send(host.socket(), "9.9.9.9", payload=bytes(1000))
    (sent,) = host.take()
    code = icmpv4.Unreachable.FRAG_NEEDED
    host.receive(icmp_frame(icmpv4.Type.DEST_UNREACHABLE, code, 100, sent[14:42]))
    ((_, learned),) = host.stack.ipv4.fib.path_mtus
    assert learned.mtu == believed
