"""``smolctl sysctl``: words to arguments, rows to text, and completion."""

from typing import Any

import pytest

from smolctl.cli.main import ROOT
from smolctl.cli.nouns import sysctl
from smolctl.cli.session import Session
from smolctl.cli.words.complete import answer
from smolctl.cli.words.options import Options
from tests.cli.kit import draw, read
from tests.kit.home import Home
from tests.ops.kit import Api


@pytest.mark.parametrize(
    ("line", "op", "args"),
    [
        ("sysctl eth0.arp.ignore=1", "sysctl.set", {"key": "eth0.arp.ignore", "value": "1"}),
        ("sysctl eth0.arp.ignore", "sysctl.show", {"key": "eth0.arp.ignore"}),
        ("sysctl eth0", "sysctl.show", {"key": "eth0"}),
        ("sysctl -w net.ipv4.conf.eth0/5.rp_filter=1", "sysctl.set",
         {"key": "net.ipv4.conf.eth0/5.rp_filter", "value": "1"}),
    ],
)  # fmt: skip
def test_words(line: str, op: str, args: dict[str, Any]) -> None:
    plan = sysctl._plan(read(line)[1])
    assert (plan.op, plan.args) == (op, args)


def drawn(api: Api, key: str) -> list[str]:
    return draw(sysctl.render_one, api("sysctl.show", key=key)).splitlines()


def test_one_of_a_link_says_what_counts_and_why() -> None:
    api = Api()
    api("sysctl.set", key="all.arp.ignore", value="2")
    api("sysctl.set", key="tap0.arp.ignore", value="1")
    lines = drawn(api, "tap0.arp.ignore")
    assert lines[0] == "tap0.arp.ignore = 1"
    assert "  counts   2: the larger of all.arp.ignore and tap0.arp.ignore" in lines
    assert "  where    smolctl sysctl tap0.arp.ignore=1" in lines


def test_one_of_all_links_says_where_it_is_another() -> None:
    api = Api()
    api("sysctl.set", key="tap0.arp.accept_from", value="subnet")
    lines = drawn(api, "arp.accept_from")
    assert lines[0] == "arp.accept_from = any"
    assert "  links    LINK.arp.accept_from alone counts" in lines
    assert "  other    tap0 subnet" in lines
    assert not [line for line in drawn(api, "ip.default_ttl") if "links " in line]


def test_a_link_is_a_table() -> None:
    api = Api()
    api("sysctl.set", key="all.arp.ignore", value="2")
    head, *lines = drawn(api, "tap0")
    assert head.split() == ["KEY", "VALUE", "COUNTS", "UNIT", "FROM", "SOURCE"]
    (line,) = [line for line in lines if line.startswith("tap0.arp.ignore ")]
    assert line.split()[1:4] == ["0", "2", "level"]
    head, *lines = drawn(api, "default")
    assert head.split() == ["KEY", "VALUE", "UNIT", "FROM", "SOURCE"]
    assert lines[0].split()[:3] == ["default.arp.accept", "0", "flag"]


@pytest.fixture
def links(home: Home) -> None:
    client = home.connect()
    for name in ("arp", "v.5"):
        client.call("link.add", name=name, type="loopback")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("lo", ["lo"]),
        ("lo.arp.ig", ["lo.arp.ignore"]),
        ("v.5.arp.ig", ["v.5.arp.ignore"]),
        ("all.ip.rp", ["all.ip.rp_filter"]),
        ("arp.ig", ["arp.ignore"]),
        ("lo.arp.accept_from=so", ["lo.arp.accept_from=solicited"]),
        ("lo.ip.default", []),
        ("nobody.arp.ig", []),
    ],
)
def test_completion(links: None, word: str, expected: list[str]) -> None:
    found = answer(ROOT, Session(Options()), "smolctl sysctl ", word)
    assert [line.partition("\t")[0] for line in found] == expected
