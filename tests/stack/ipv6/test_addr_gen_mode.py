"""Link-local addresses: of the MAC, none, or a random one."""

import pytest

from smolctl.stack.config.link import set_up
from smolctl.wire.address import interface_id, link_local
from tests.kit.host6 import Host6


@pytest.fixture
def host() -> Host6:
    return Host6(bare=True)


def own(host: Host6, dev: str = "tap0") -> list[tuple[int, bool]]:
    """Return the addresses of a link, and whether each hides the MAC."""
    return [(each.local, each.stable_privacy) for each in host.dev(dev).ipv6.addresses.items]  # type: ignore[attr-defined]


def of_mac(host: Host6, dev: str = "tap0") -> int:
    return link_local(interface_id(host.dev(dev).mac))


def again(host: Host6) -> None:
    for up in (False, True):
        set_up(host.stack.shared, host.tap, up, host.now)


def set_mode(host: Host6, key: str, mode: str) -> None:
    host.stack.settings.set(key, mode)
    host.stack.ipv6.sysctl_changed(key)


def test_a_link_has_the_address_of_its_mac(host: Host6) -> None:
    assert own(host) == [(of_mac(host), False)]


def test_without_it_has_none_from_the_next_time_on(host: Host6) -> None:
    set_mode(host, "tap0.ip6.addr_gen_mode", "none")
    assert own(host) == [(of_mac(host), False)]  # as in Linux
    again(host)
    assert own(host) == []
    set_mode(host, "tap0.ip6.addr_gen_mode", "eui64")
    assert own(host) == [(of_mac(host), False)]


def test_a_random_one_stays_the_same_while_the_link_is_there(host: Host6) -> None:
    set_mode(host, "tap0.ip6.addr_gen_mode", "random")
    ((random, _),) = [each for each in own(host) if each[1]]
    assert random != of_mac(host)
    again(host)
    assert own(host) == [(random, True)]
    assert random >> 64 == link_local(0) >> 64


def test_a_loopback_has_its_address_in_any_mode(host: Host6) -> None:
    set_mode(host, "ip6.addr_gen_mode", "none")
    assert len(own(host, "lo")) == 1
    new = host.link("tap1")
    assert new.ipv6.addresses.items == []
