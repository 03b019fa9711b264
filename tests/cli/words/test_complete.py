"""Completion through click's own machinery, without a daemon."""

from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from smolctl.cli.main import ROOT
from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.complete import FILES, answer
from smolctl.cli.words.grammar import Place, Word
from smolctl.cli.words.live import LIVE
from smolctl.cli.words.options import GLOBAL_OPTIONS, Options
from tests.cli.kit import all_verbs, places_of, words_of


def offer(*words: str) -> list[str]:
    """Return what is offered for the last word."""
    shell = BashComplete(ROOT, {"obj": Session(Options())}, "smolctl", "_SMOLCTL_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


KINDS = ("tap", "stream", "dgram", "cable", "packet", "pcap", "vlan", "mirror", "loopback")
SET = ("arp", "group", "addrgenmode", "carrier", "master", "nomaster")
NETEM = ("delay", "jitter", "loss", "corrupt", "duplicate", "reorder", "rate")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("",), ["stack", "map", "link", "addr", "route", "nexthop", "rule", "neigh", "maddr",
                 "addrlabel", "sysctl", "socket", "stats", "monitor", "explain", "why", "reach",
                 "trace", "udp", "tcp", "exec", "capture", "ping", "traceroute", "arping", "ndisc",
                 "lab", "batch", "config", "host", "doctor", "help"]),
        (("doctor", "t"), ["tun", "tap", "terminal", "tools"]),
        (("doctor", "tun", "name"), ["namespaces"]),
        (("s",), ["stack", "sysctl", "socket", "stats"]),
        (("addr", ""), ["show", "add", "del", "replace", "change", "flush"]),
        (("-j", "route", "a"), ["add", "append"]),
        (("why", "--h"), ["--help", "--host"]),
        (("why", "--host", "i"), ["icmp"]),
        (("why", "--host", "arp", "10.0.0.1", "--c"), ["--check", "--color"]),
        (("r", "a", "p"), ["prohibit", "protocol"]),
        (("addr", "add", "10.0.0.1/24", ""), ["dev", "peer", "broadcast", "label", "scope", "dad",
                                           "nodad", "autojoin", "noprefixroute", "metric",
                                           "optimistic", "valid_lft", "preferred_lft"]),
        (("addr", "add", "10.0.0.1/24", "scope", ""), ["global", "link", "host"]),
        (("addr", "add", "10.0.0.1/24", "--scope", "l"), ["link"]),
        (("addr", "add", "10.0.0.1/24", "--scope=l"), ["link"]),
        (("addr", "add", "dev", "tap0", "10.0.0.1/24", ""),
         ["peer", "broadcast", "label", "scope", "dad", "nodad", "autojoin", "noprefixroute",
          "metric", "optimistic", "valid_lft", "preferred_lft"]),
        (("link", "set", "tap0", ""),
         ["up", "down", "mtu", "address", *SET, *NETEM]),
        (("link", "set", "tap0", "up", ""), ["mtu", "address", *SET, *NETEM]),
        (("link", "add", "tap0", "type", ""), [*KINDS]),
        (("link", "add", "eth0", "type", "cable", "n"), ["name", "netns"]),
        (("link", "add", "eth0", "type", "tap", "n"), ["netns"]),
        (("neigh", "show", "nud", "p"), ["permanent", "probe"]),
        (("rule", ""), ["show", "add", "del", "flush"]),
        (("rule", "add", "from", "a"), ["all"]),
        (("rule", "add", "p"), ["priority", "protocol", "prohibit"]),
        (("route", "add", "default", "nexthop", ""), ["via", "dev", "weight", "onlink",
         "unicast", "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw",
         "anycast", "multicast", "src",
         "metric", "scope", "mtu", "protocol", "table", "nhid", "nexthop"]),
        (("route", "add", "default", "nexthop", "via", "10.0.0.2", "w"), ["weight"]),
        (("route", "show", "table", ""), ["main", "local", "default", "all", "cache"]),
        (("--color=a",), ["auto", "always"]),
        (("addr", "--n"), ["--no-start"]),
        (("ping", "--ti"), ["--timeout", "--timestamps", "--timestamp"]),
        (("monitor", "dr"), ["drops"]),
        (("monitor", "link", ""), ["addr", "route", "rule", "neigh", "maddr", "socket", "drops",
                                   "all", "dev", "label"]),
        (("help", "st"), ["stack", "stats"]),
        (("explain", "tx-no-"), ["tx-no-source", "tx-no-route", "tx-no-device", "tx-no-port",
                                 "tx-no-carrier", "tx-no-scope"]),
        (("explain", "tx-no-route", "rx-own"), ["rx-own-frame"]),
        (("explain", "--l"), ["--list"]),
        (("exec", "true-fal"), []),
        (("exec", "unshar"), ["unshare"]),
        (("exec", "-4", "/bin/tr"), ["/bin/tr"]),
        (("exec", "sh", "--ad"), ["--ad"]),
        (("capture", "s"), ["src", "sport"]),
        (("capture", "tap0", "udp", "dst", "po"), ["port"]),
        (("trace", "tap0", "udp", "dst", "po"), ["port"]),
        (("trace", "--w"), ["--wait"]),
        (("capture", "--w"), ["--write", "--wait"]),
        (("stack", "start", "--profile", ""),
         ["linux", "linux-exact", "rfc1122", "smoltcp-0.9", "smoltcp-0.12", "smoltcp-0.13"]),
        (("sysctl", "--diff=s"), ["smoltcp-0.9", "smoltcp-0.12", "smoltcp-0.13"]),
        (("sysctl", "ip.default"), ["ip.default_ttl"]),
        (("sysctl", "arp.accept_from=s"), ["arp.accept_from=subnet", "arp.accept_from=solicited"]),
        (("stack", "start", "--sysctl", "arp.accept="), ["arp.accept=0", "arp.accept=1"]),
        # Names that only a daemon knows: none runs, so there are none, and no error.
        (("addr", "show", "dev", ""), []),
        (("addr", "show", "--dev="), []),
        (("addr", "show", "--dev", ""), []),
        (("route", "add", "--to=d"), ["default"]),
        (("route", "get", "8.8.8.8", "from", ""), []),
        (("--stack", ""), []),
    ],
)  # fmt: skip
def test_offers(words: tuple[str, ...], offered: list[str]) -> None:
    assert offer(*words) == offered


def usual(verb: Verb) -> tuple[str, ...]:
    """Return a word for each place, after which only keywords and options may come."""
    return tuple("1" for place in places_of(verb) if not place.many)


@pytest.mark.parametrize("verb", all_verbs(), ids=lambda verb: verb.path)
def test_every_word_of_the_grammar_is_offered(verb: Verb) -> None:
    before = (*verb.path.split(), *usual(verb))
    noun, _, name = verb.path.partition(" ")
    assert noun in offer("")
    assert not name or name in offer(noun, "")
    bare, options = offer(*before, ""), offer(*before, "-")
    for keyword in words_of(verb):
        spellings = keyword.words if keyword.choice else keyword.words[:1]
        if any(keyword.words[0] == place.name for place in places_of(verb)):
            continue  # the place has said it
        assert {f"--{word}" for word in spellings} <= set(options)
        assert not keyword.short or f"-{keyword.short}" in options
        if keyword.bare and keyword.within is None:
            assert set(spellings) <= set(bare)
        if keyword.values and keyword.metavar and keyword.within is None:
            following = (*before, f"--{keyword.words[0]}", "")
            assert set(keyword.values) <= set(offer(*following))
        for inner in keyword.group:
            assert inner.words[0] in offer(*before, keyword.words[0], "")
    for option in [option for option in GLOBAL_OPTIONS if not option.hidden]:
        assert any(flag in options for flag in option.opts)
        assert any(flag in offer("-") for flag in option.opts)
        assert any(flag in offer(noun, "-") for flag in option.opts)


@pytest.mark.parametrize("verb", all_verbs(), ids=lambda verb: verb.path)
def test_every_value_that_is_a_name_is_completed(verb: Verb) -> None:
    kinds = {"DEVICE": "link", "STACK": "stack", "PROFILE": "profile", "NETNS": "netns"}
    owners: list[Word | Place] = [*words_of(verb), *places_of(verb)]
    for owner in owners:
        if owner.metavar in kinds:
            assert owner.complete == kinds[owner.metavar], owner
        elif owner.complete:
            assert owner.complete in {*LIVE, "noun", "verb"}
        elif owner.metavar in ("FILE", "PATH"):
            assert answers(f"smolctl {verb.path} --{owner.words[0]} " if isinstance(owner, Word)
                           else f"smolctl {verb.path} ")[-1:] == [FILES]  # fmt: skip


def answers(line: str, word: str = "") -> list[str]:
    """Return the lines that a script in completions/ gets."""
    return list(answer(ROOT, Session(Options()), line, word))


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("smolctl ", "nei", ["neigh\tshow, add, change and delete neighbor entries"]),
        ("smolctl addr show ", "--scope=li", ["--scope=link"]),
        ("smolctl ", "--color=al", ["--color=always"]),
        ("smolctl sysctl ", "arp.accept_from=so", ["arp.accept_from=solicited"]),
        ("smolctl udp send 10.0.0.2:7 'a b' ", "--expect",
         ["--expect-reply\twait for an answer, and fail without one"]),
        ("smolctl route add default mtu ", "", ["lock"]),
        ("smolctl why udp ", "a", ["any"]),
        ("smolctl help route ", "fl", ["flush\tdelete all routes that match"]),
        ("smolctl help ping ", "", []),
        ("smolctl batch ", "la", [FILES]),
        ("smolctl route add help ", "v", ["via\tgateway"]),
        ("smolctl xyzzy ", "", []),
        ("smolctl addr xyzzy ", "", []),
    ],
)  # fmt: skip
def test_what_a_script_gets(line: str, word: str, expected: list[str]) -> None:
    assert answers(line, word) == expected


def test_no_daemon_is_started(tmp_path: Path) -> None:
    offer("addr", "show", "dev", "")
    assert list(tmp_path.iterdir()) == []


def test_offers_have_descriptions() -> None:
    shell = BashComplete(ROOT, {"obj": Session(Options())}, "smolctl", "_SMOLCTL_COMPLETE")
    for words in (["addr"], ["explain"]):
        items = shell.get_completions(words, "")
        assert items
        assert all(item.help for item in items)
