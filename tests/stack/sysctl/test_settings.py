"""The sysctls: their ranges, and that a refused value changes nothing."""

import pytest

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.sysctl.deviations import EXACT
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.settings import SYSCTLS, Settings, sysctl

EVERY = pytest.mark.parametrize("item", SYSCTLS.values(), ids=lambda item: item.key)


def dump(settings: Settings) -> list[tuple[str, int, str]]:
    return [(item.key, settings[item.key], settings.origin(item.key)) for item in settings]


@EVERY
def test_a_sysctl_takes_its_limits_and_nothing_beyond(item: Sysctl) -> None:
    assert item.low <= item.default <= item.high
    assert item.parse(str(item.low)) == item.low
    assert item.parse(str(item.high)) == item.high
    for value in (item.low - 1, item.high + 1):
        with pytest.raises(InvalidArgument, match=f'{item.key}: "{value}" is not'):
            item.parse(str(value))


@EVERY
def test_a_sysctl_says_what_it_is(item: Sysctl) -> None:
    assert item.description
    assert item.source
    assert item.unit
    assert item.environment == f"SMOLCTL_{item.key.upper().replace('.', '_')}"
    assert item.linux, "a sysctl is there because real stacks differ"
    layer, _, name = item.key.partition(".")
    assert layer in {
        "arp", "icmp", "icmp6", "iface", "igmp", "ip", "ip6", "mld", "nd", "neigh", "tcp", "udp",
    }  # fmt: skip
    assert name.isidentifier()
    assert (item.unit == "ms") == item.key.endswith("_ms")


def test_names_in_the_environment_are_unique() -> None:
    names = [item.environment for item in SYSCTLS.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "text",
    ["", " ", "one", "1.0", "1e3", "0x10", "1_0", "+1", "--1", "1 0", "٣", "²", "9" * 5000, "nan"],
)
def test_only_plain_whole_numbers_are_numbers(text: str) -> None:
    settings = Settings()
    before = dump(settings)
    with pytest.raises(InvalidArgument, match="not a whole number"):
        settings.set("neigh.unres_qlen", text, origin="command line")
    assert dump(settings) == before


@pytest.mark.parametrize(
    ("text", "value"), [("on", 1), ("Yes", 1), ("TRUE", 1), ("off", 0), ("no", 0), (" 1 ", 1)]
)
def test_flags_have_words(text: str, value: int) -> None:
    settings = Settings()
    settings.set("arp.accept", text, origin="command line")
    assert settings["arp.accept"] == value
    assert settings.origin("arp.accept") == "command line"


def test_the_port_range_stays_a_range() -> None:
    settings = Settings()
    before = dump(settings)
    for key, value in (("ip.local_port_first", "61000"), ("ip.local_port_last", "32767")):
        with pytest.raises(InvalidArgument, match="would be empty"):
            settings.set(key, value, origin="command line")
    assert dump(settings) == before
    settings.set("ip.local_port_last", "32768", origin="command line")
    assert settings["ip.local_port_last"] == 32768


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("neigh.unres_ql", 'did you mean "neigh.unres_qlen" or "neigh.unres_qlen_bytes"?'),
        ("unres_qle", 'did you mean "neigh.unres_qlen" or "neigh.unres_qlen_bytes"?'),
        ("ip.onlink", 'did you mean "ip.onlink_first"?'),
        ("what.ever", "all keys: smolctl sysctl"),
        ("", "all keys: smolctl sysctl"),
    ],
)
def test_an_unknown_key_is_told_what_is_near(key: str, hint: str) -> None:
    with pytest.raises(NotFound) as caught:
        Settings().set(key, "1", origin="command line")
    assert caught.value.hint == hint
    with pytest.raises(NotFound):
        sysctl(key)


def test_milliseconds_become_nanoseconds() -> None:
    assert Settings().ns("neigh.retrans_time_ms") == 1_000_000_000


def test_two_stacks_share_no_settings() -> None:
    first, second = Settings(), Settings()
    first.set("ip.default_ttl", "1", origin="command line")
    assert second["ip.default_ttl"] == 64


def test_shipped_defaults_are_linux_where_linux_has_a_number() -> None:
    known = [item for item in SYSCTLS.values() if item.linux != "none"]
    differs = {item.key for item in known if item.linux != str(item.show(item.default))}
    # Linux counts packets that wait for a neighbor in bytes since 3.3, fragments in bytes alone.
    counted = {"ip.frag_max_datagrams", "ip6.frag_max_datagrams", "neigh.unres_qlen"}
    assert differs == {*counted, *EXACT}
    assert {key: SYSCTLS[key].linux.partition(",")[0] for key in EXACT} == EXACT
