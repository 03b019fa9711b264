"""``smolctl host``: a namespace with some of everything, shown, saved and copied."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docs.test_schemas import faults
from tests.host.world import World
from tests.kit.netns import require_root_and
from tests.kit.stack_env import SmolctlEnv

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    require_root_and()
    made = World()
    yield made
    made.close()


@pytest.fixture(scope="module")
def env() -> Iterator[SmolctlEnv]:
    made = SmolctlEnv()
    yield made
    made.close()


@pytest.fixture(scope="module")
def saved(env: SmolctlEnv, world: World) -> list[str]:
    done = env("host", "save", "--netns", world.netns.name, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_show_is_one_document(env: SmolctlEnv, world: World) -> None:
    found: dict[str, Any] = env.json("host", "show", "netns", world.netns.name)
    assert len(found["sysctl"]) > 100
    few = found | {"sysctl": found["sysctl"][:5]}
    assert faults("host", few) == []
    assert found["settled"] is True
    lines = [each["ifname"] for each in found["link"]]
    assert lines == [each["ifname"] for each in world.ip("link")]


@pytest.mark.parametrize(
    ("noun", "line"),
    [
        ("route", "10.21.0.0/16 via 10.0.0.254 dev v0 proto static src 10.0.0.2 tos 0x10 realm"),
        ("route", "10.20.0.0/16 via 10.0.0.254 dev v0 mtu 1300 window 4000 advmss 1200 initcwnd 9"),
        ("ro", "\tnexthop via 10.0.0.252 dev v0 weight 1 onlink"),
        ("rule", "11:\tnot from all tos 0x08 fwmark 0x10/0xff lookup main suppress_prefixlength 0"),
        ("rule", "12:\tfrom all uidrange 5-10 ipproto udp sport 53 dport 1000-2000 prohibit"),
        ("rule", "14:\tfrom all goto 31000 [unresolved]"),
        ("addr", "    inet 10.9.0.1 peer 10.9.0.2/32 scope global v0"),
        ("link", "    veth altname uplink alias web promiscuity 1"),
        ("neigh", "10.0.0.18 dev v0 lladdr 02:00:00:00:00:07 PERMANENT extern_learn"),
        ("proxy", "10.0.0.99 dev v0 proxy"),
        ("sysctl", "net/ipv4/conf/v0/rp_filter = "),
    ],
)
def test_show_says_what_ip_says(env: SmolctlEnv, world: World, noun: str, line: str) -> None:
    shown = env("host", "show", noun, "netns", world.netns.name, check=True).stdout
    assert any(each.startswith(line) for each in shown.splitlines()), shown


def test_options_of_every_command(env: SmolctlEnv, world: World) -> None:
    def shown(*words: str) -> list[str]:
        return env(*words, "netns", world.netns.name, check=True).stdout.splitlines()

    four = shown("-4", "host", "show", "route")
    assert any(line.startswith("default via") for line in four)
    assert not any(line.startswith(("2001:", "fe80:")) for line in four)
    assert all("::" in line for line in shown("-6", "host", "show", "neigh"))
    links = len(world.ip("link"))
    assert len(shown("-br", "host", "show", "link")) == links
    assert len(shown("-o", "host", "show", "link")) == links


def test_save_makes_a_copy(env: SmolctlEnv, saved: list[str]) -> None:
    env("-n", "copy", "batch", "-", input="\n".join(saved) + "\n", check=True)
    routes = {each["dst"]: each for each in env.json("-n", "copy", "route", "show")}
    assert routes["10.20.0.0/16"]["metrics"] == [{"mtu": 1300}]
    assert routes["10.20.0.0/16"]["mtu_lock"] is True
    again = env("-n", "copy", "config", "save", check=True).stdout
    assert "route add 10.20.0.0/16 via 10.0.0.254 dev v0 mtu lock 1300\n" in again
    assert "route del" not in again
    assert [hop["weight"] for hop in routes["10.22.0.0/16"]["nexthops"]] == [3, 1]
    assert routes["10.36.0.0/16"]["scope"] == "link"
    rules = [each["priority"] for each in env.json("-n", "copy", "rule")]
    assert rules == [0, 10, 13, 14, 15, 16, 17, 32766, 32767] or 11 in rules
    addresses = {
        info["local"]
        for link in env.json("-n", "copy", "addr")
        for info in link["addr_info"]
        if link["ifname"] == "v0"
    }
    assert {"10.0.0.1", "10.0.0.2", "10.6.0.1", "2001:db8::1", "fe80::99"} <= addresses
    links = {each["ifname"]: each for each in env.json("-n", "copy", "link")}
    assert (links["v0"]["mtu"], links["v0"]["address"]) == (1400, "02:00:00:00:00:0a")
    # Both ends of a veth are on one cable.
    env("-n", "copy", "ping", "-c", "1", "10.0.0.1", check=True)
    assert "NO-CARRIER" not in links["v0"]["flags"]


def test_what_is_not_expressed_is_said(saved: list[str]) -> None:
    remark, *notes = [line for line in saved if line.startswith("#")]
    assert remark.startswith("# nobody is at the other end of host-")
    assert all(line.startswith("# not expressed: ") for line in notes)
    for wanted in (
        "link mv0: what happens behind it, as it is a macvlan",
        "route 10.20.0.0/16: window 4000, advmss 1200, initcwnd 9, congctl cubic",
        "route 10.23.0.0/16: ",
        "route 2001:db8:40::/48: ",
    ):
        assert any(line.startswith(f"# not expressed: {wanted}") for line in notes), notes


def test_everything_is_a_command_or_a_note(env: SmolctlEnv, world: World, saved: list[str]) -> None:
    """A route of a user and a rule of a user are named, one way or the other."""
    text = "\n".join(saved)
    for row in world.ip("-4", "route", "show", "table", "all"):
        if row.get("protocol") != "kernel":
            assert row["dst"] in text, row
    for row in world.ip("rule"):
        if 0 < row["priority"] < 32766:
            assert f"priority {row['priority']}" in text or f"rule {row['priority']}:" in text
    rows: list[dict[str, str]] = env.json("host", "save", "netns", world.netns.name)
    assert faults("host-save", rows) == []
    assert len(rows) == len(saved)


def test_bad_input(env: SmolctlEnv) -> None:
    done = env("host", "show", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('smolctl: host show has no "nowhere": link, addr, route')
    done = env("-j", "host", "save", "netns", "nowhere-at-all")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["message"].startswith('no network namespace "nowhere')
    assert env("host").stdout.startswith("link:\n1: lo: <")


def test_a_copy_of_mirrors_has_the_host_s_links(env: SmolctlEnv, world: World) -> None:
    saved = env("host", "save", "mirrors", "netns", world.netns.name, check=True).stdout
    env("-q", "-n", "mirrors", "batch", "-", input=saved, check=True)
    ours = {each["ifname"]: each for each in env.json("-n", "mirrors", "link")}
    its = {each["ifname"]: each for each in world.ip("link")}
    assert ours.keys() == its.keys()
    for name, link in its.items():
        mine = ours[name]
        for key in ("ifindex", "mtu", "master", "address"):
            assert mine.get(key) == link.get(key), (name, key)
        for flag in ("UP", "NO-CARRIER", "NOARP", "POINTOPOINT"):
            assert (flag in mine["flags"]) is (flag in link["flags"]), (name, flag)
    assert ours["mv0"]["link"] == "v0"
    said = env("-n", "mirrors", "route", "get", "10.0.0.10", check=True).stdout
    assert said.startswith("10.0.0.10 dev v0 src 10.0.0.1 ")
