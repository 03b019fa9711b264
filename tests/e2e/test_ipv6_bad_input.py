"""Odd IPv6 words on the command line: each gets one line that says what is wrong, and exit 2."""

import pytest

from tests.kit.stack_env import SmolctlEnv


@pytest.fixture
def host(smolctl_env: SmolctlEnv) -> SmolctlEnv:
    """Make a stack with two cables and a global address."""
    for dev in ("eth0", "eth1"):
        smolctl_env("link", "add", dev, "type", "cable", "name", dev, check=True)
    smolctl_env("addr", "add", "2001:db8::1/64", "dev", "eth0", "nodad", check=True)
    return smolctl_env


REFUSED = {
    "a zone that is no interface": "ping -c 1 fe80::1%nope",
    "an empty zone": "udp send [fe80::1%]:9 x",
    "two zones": "udp send [fe80::1%eth0%eth1]:9 x",
    "a zone and another interface": "udp send [fe80::1%eth0]:9 x --dev eth1",
    "a link-local destination without a zone": "udp send [fe80::1]:9 x",
    "a link-local source without a zone": "udp recv [fe80::1]:9 -w 0",
    "a zone in a prefix": "route add 2001:db8:1::%eth0/64 dev eth0",
    "a prefix over 128": "addr add 2001:db8::2/129 dev eth0",
    "a negative prefix": "addr add 2001:db8::2/-1 dev eth0",
    "a prefix of a route over 128": "route add 2001:db8:1::/200 dev eth0",
    "a group as an address": "addr add ff02::5/64 dev eth0",
    "the unspecified address": "addr add ::/64 dev eth0",
    "a mapped address": "addr add ::ffff:10.0.0.1/96 dev eth0",
    "a link-local gateway without dev": "route add 2001:db8:1::/64 via fe80::1",
    "a group as a gateway": "route add 2001:db8:1::/64 via ff02::1 dev eth0",
    "a gateway of the other family": "route add 10.1.0.0/16 via 2001:db8::2 dev eth0",
    "an IPv4 word behind -6": "-6 addr add 10.0.0.1/24 dev eth0",
    "an IPv6 word behind -4": "-4 addr add 2001:db8::3/64 dev eth0",
    "nine groups of digits": "ping -c 1 1:2:3:4:5:6:7:8:9",
    "two double colons": "ping -c 1 2001::db8::1",
    "a group of five digits": "ping -c 1 2001:db8::12345",
    "a port without brackets": "udp send 2001:db8::1:70000 x",
    "a bracket that stays open": "udp send [2001:db8::1:9 x",
    "the MAC of a group for a neighbor": "neigh add ff02::1 lladdr 02:00:00:00:00:09 dev eth0",
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_line(host: SmolctlEnv, name: str) -> None:
    said = host(*REFUSED[name].split())
    assert (said.returncode, said.stdout) == (2, ""), said
    first, *rest = said.stderr.splitlines()
    assert first.startswith("smolctl: "), said
    assert len(rest) <= 2, said
    assert "internal" not in said.stderr


def test_host_bits_of_a_route_are_masked_as_linux_does(host: SmolctlEnv) -> None:
    host("route", "add", "2001:db8:1::1/64", "dev", "eth0", check=True)
    assert "2001:db8:1::/64" in [row["dst"] for row in host.json("-6", "route", "show")]


def test_an_address_is_written_as_rfc_5952_wants_it(host: SmolctlEnv) -> None:
    host("addr", "add", "2001:0DB8:0:0:1:0:0:1/64", "dev", "eth1", "nodad", check=True)
    (row,) = host.json("-6", "addr", "show", "dev", "eth1", "scope", "global")
    assert [item["local"] for item in row["addr_info"]] == ["2001:db8::1:0:0:1"]
