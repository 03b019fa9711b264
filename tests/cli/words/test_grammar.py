"""Words to arguments: the parser, and every verb's parameters."""

import shlex

import click
import pytest

from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Place, UsageFault, Word
from smolctl.cli.words.options import Options
from smolctl.cli.words.unparse import unparse
from tests.cli.kit import all_verbs, read

SHOW = Verb(
    "thing show",
    "show things",
    lambda _session, _args: None,
    (
        Place("dev", "DEVICE", "interface", False, ("dev",)),
        Word(("scope",), "scope", "SCOPE"),
        Word(("broadcast", "brd"), "broadcast", "ADDR"),
        Word(("up", "down"), "state", key="state", choice=True),
        Word(("all",), "everything"),
        Word(("count",), "count", "N", short="c", bare=False),
        Word(("size",), "size", "N", short="s", bare=False),
        Word(("beep",), "beep", short="b", bare=False),
        Word(("raw",), "raw", short="r", bare=False),
    ),
    examples=("smolctl thing show x",),
)


def parse(*tokens: str) -> dict[str, object]:
    context = click.Context(SHOW, info_name="show", obj=Session(Options()))
    return SHOW.read(context, list(tokens))


@pytest.mark.parametrize(
    ("tokens", "args"),
    [
        ((), {}),
        (("tap0",), {"dev": "tap0"}),
        (("dev", "tap0"), {"dev": "tap0"}),
        (("--dev", "tap0"), {"dev": "tap0"}),
        (("--dev=tap0",), {"dev": "tap0"}),
        (("dev", "up", "up"), {"dev": "up", "state": "up"}),
        (("--down", "tap0"), {"dev": "tap0", "state": "down"}),
        (("scope", "link", "dev", "tap0"), {"scope": "link", "dev": "tap0"}),
        (("tap0", "scope", "link"), {"scope": "link", "dev": "tap0"}),
        (("brd", "-"), {"broadcast": "-"}),
        (("broadcast", "+"), {"broadcast": "+"}),
        (("all", "all"), {"all": True}),
        (("-c", "3"), {"count": "3"}),
        (("-c3",), {"count": "3"}),
        (("--count=3",), {"count": "3"}),
        (("-c", "-1"), {"count": "-1"}),
        (("-s", "0.5"), {"size": "0.5"}),
        (("-br",), {"beep": True, "raw": True}),
        (("-bc", "4"), {"beep": True, "count": "4"}),
        (("-bc4",), {"beep": True, "count": "4"}),
        (("--", "dev"), {"dev": "dev"}),
        (("--", "-x"), {"dev": "-x"}),
        # Without its letters, --count is an option only: data may be any word.
        (("count",), {"dev": "count"}),
    ],
)
def test_words_to_args(tokens: tuple[str, ...], args: dict[str, object]) -> None:
    assert parse(*tokens) == args


@pytest.mark.parametrize(
    ("tokens", "message", "hint"),
    [
        (("dev",), 'thing show: "dev" needs a value: dev DEVICE', None),
        (("dev", "--all"), 'thing show: "dev" needs a value: dev DEVICE', None),
        (("dev", "-x"), 'thing show: "dev" needs a value: dev DEVICE', None),
        (("a", "dev", "b"), 'thing show: "dev b" is a second value, after "a"', None),
        (("up", "down"), 'thing show: "down" is a second value, after "up"', None),
        (("--all=1",), 'thing show: "all" takes no value', None),
        (("a", "b"), 'thing show: "b" is one word too many', "smolctl thing show --help"),
        (("a", "scpoe"), 'thing show: "scpoe" is not known here', 'did you mean "scope"?'),
        (("scpoe", "link"), 'thing show: "scpoe" is not known here', 'did you mean "scope"?'),
        (("--scpoe", "x"), 'thing show: option "--scpoe" is not known', 'did you mean "--scope"?'),
        (("--jsno",), 'thing show: option "--jsno" is not known', 'did you mean "--json"?'),
        (("-x",), 'thing show: option "-x" is not known', "smolctl thing show --help"),
        (("-jx",), 'thing show: option "-x (in -jx)" is not known', "smolctl thing show --help"),
        (("--color=red",), '--color "red" is none of: auto, always, never', None),
    ],
)
def test_usage_faults(tokens: tuple[str, ...], message: str, hint: str | None) -> None:
    with pytest.raises(UsageFault) as caught:
        parse(*tokens)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    "line",
    [
        "-j addr show tap0",
        "addr -j show tap0",
        "addr show -j tap0",
        "addr show tap0 -j",
        "addr show tap0 --json",
        "-json addr show tap0",
    ],
)
def test_global_options_stand_anywhere(line: str) -> None:
    path, args, options = read(line)
    assert (path, args, options.json) == ("addr show", {"dev": "tap0"}, True)


def test_letters_of_global_options_can_be_joined() -> None:
    _, _, options = read("addr -jps -n lab")
    assert (options.json, options.pretty, options.stats, options.stack) == (True, True, True, "lab")


def test_brief_is_one_option() -> None:
    _, _, options = read("-br addr")
    assert (options.brief, options.quiet) == (True, False)


@pytest.mark.parametrize(
    ("line", "color"),
    [
        ("addr", "auto"),
        ("--color addr", "always"),
        ("--color never addr", "never"),
        ("--color=never addr", "never"),
        ("addr --color", "always"),
    ],
)
def test_color(line: str, color: str) -> None:
    assert read(line).options.color == color


def test_own_letters_win_over_global_ones() -> None:
    _, args, options = read("-s ping -s 100 -n -q 10.0.0.1")
    assert args == {"dst": "10.0.0.1", "size": "100", "numeric": True, "quiet": True}
    assert (options.stats, options.stack, options.quiet) == (True, "default", False)
    _, args, options = read("arping -br 10.0.0.1")
    assert args == {"dst": "10.0.0.1", "broadcast": True, "raw": True}
    assert not options.brief


# --- what ip has besides --------------------------------------------------------------------------

EXEC = Verb(
    "exec",
    "run a program",
    lambda _session, _args: None,
    (
        Word(("count",), "how often", "N", short="c", bare=False),
        Place("command", "COMMAND", "the program and its words", many=True, rest=True),
    ),
    examples=("smolctl exec ls",),
)


@pytest.mark.parametrize(
    ("tokens", "args"),
    [
        ("ls", {"command": ["ls"]}),
        ("-c 3 ls -l -c 4 --json", {"count": "3", "command": ["ls", "-l", "-c", "4", "--json"]}),
        ("sh -c 'ip -n x' -- -n", {"command": ["sh", "-c", "ip -n x", "--", "-n"]}),
        ("-n lab ping -n -h", {"command": ["ping", "-n", "-h"]}),
    ],
)
def test_words_behind_a_command_are_its_own(tokens: str, args: dict[str, object]) -> None:
    session = Session(Options())
    context = click.Context(EXEC, info_name="exec", obj=session)
    assert EXEC.read(context, shlex.split(tokens)) == args
    assert session.options.stack == ("lab" if tokens.startswith("-n") else "default")
    assert not session.options.json


@pytest.mark.parametrize(
    ("line", "path", "stack", "args"),
    [
        ("-n lab ping -n 10.0.0.1", "ping", "lab", {"dst": "10.0.0.1", "numeric": True}),
        ("sysctl -n arp.dad", "sysctl", "default", {"key": "arp.dad", "values": True}),
        ("-n lab sysctl -n arp.dad", "sysctl", "lab", {"key": "arp.dad", "values": True}),
        ("sysctl -N", "sysctl", "default", {"names": True}),
        ("capture -n lo", "capture", "default", {"dev": "lo", "numeric": True}),
        ("capture -nn -i lo", "capture", "default", {"interface": "lo", "numeric": True}),
        ("socket -n", "socket show", "default", {"numeric": True}),
        ("socket show -n", "socket show", "default", {"numeric": True}),
        ("traceroute -n 10.0.0.1", "traceroute", "default", {"dst": "10.0.0.1", "numeric": True}),
        ("route -n lab", "route show", "lab", {}),
        ("route show -n lab", "route show", "lab", {}),
        ("sysctl --stack lab", "sysctl", "lab", {}),
    ],
)
def test_n_is_the_stack_unless_the_verb_has_its_own(
    line: str, path: str, stack: str, args: dict[str, object]
) -> None:
    found = read(line)
    assert (found.path, found.options.stack, found.args) == (path, stack, args)


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("route show match 0/0", {"match": "0.0.0.0/0"}),
        ("route add 172.16/12 via 10.0.0.1", {"dst": "172.16.0.0/12", "via": "10.0.0.1"}),
        ("route show to 10.1.2/255.255.255.0", {"exact": "10.1.2.0/24"}),
        ("route show 10.1", {"exact": "10.1"}),
        ("addr add 10.0.0.1/255.255.0.0 dev x", {"local": "10.0.0.1/16", "dev": "x"}),
        ("addr add 10.1/16 dev x", {"local": "10.1/16", "dev": "x"}),
        ("link set x address 2:0:0:0:a:1", {"dev": "x", "address": "02:00:00:00:0a:01"}),
        ("link set x address 2:0:0", {"dev": "x", "address": "2:0:0"}),
        ("route add 10.0.0.0/8 via inet 10.0.0.1", {"dst": "10.0.0.0/8", "via": "10.0.0.1"}),
        ("route add 10.0.0.0/8 nexthop via inet 10.0.0.1",
         {"dst": "10.0.0.0/8", "nexthop": [{"via": "10.0.0.1"}]}),
        ("route add 10.0.0.0/8 dev x proto bgp",
         {"dst": "10.0.0.0/8", "dev": "x", "protocol": "186"}),
        ("route add 10.0.0.0/8 dev x met 5", {"dst": "10.0.0.0/8", "dev": "x", "metric": "5"}),
        ("rule add prio 5 proh", {"priority": "5", "type": "prohibit"}),
    ],
)  # fmt: skip
def test_values_and_words_in_other_spellings(line: str, args: dict[str, object]) -> None:
    assert read(line).args == args


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("route add 10.0.0.0/8 via mpls 5", "route add: not supported: via mpls"),
        ("route add ::/0 via inet6 10.0.0.2", 'route add: "10.0.0.2" is not an IPv6 address'),
        ("route add 10.0.0.0/8 via inet ::1", 'route add: "::1" is not an IPv4 address'),
        ("route add 10.0.0.0/8 dev x advmss 5", "route add: not supported: advmss"),
        ("addr add 10.0.0.1/24 dev x mngtmpaddr", "addr add: not supported: mngtmpaddr"),
        ("addr add 10.0.0.1/255.0.255.0 dev x",
         'addr add: "10.0.0.1/255.0.255.0" is not a prefix: 255.0.255.0 is not a netmask'),
        ("link add x type bridge stp_state 1", "link add: not supported: type bridge"),
        ("link add x type birdge stp_state 1", 'link add: "birdge" is not a type of link:'
         " cable, dgram, loopback, mirror, packet, pcap, stream, tap, vlan"),
        ("-f mpls route", "not supported: -family mpls"),
        ("-0 route", "not supported: -0"),
        ("udp send -l 5 10.0.0.1:5", "udp send: not supported: -l"),
        ("-resolve route", "not supported: -resolve"),
        ("tunnel add", "not supported: tunnel"),
        ("route save", "not supported: route save"),
        # More than one word begins like this.
        ("rule add pro 5", 'rule add: "pro" is not known here'),
        ("route add 10.0.0.0/8 un", 'route add: "un" is one word too many'),
        ("why udp any 10.0.0.1:5 size 9", 'why udp: "size" is an option here'),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_named(line: str, message: str) -> None:
    with pytest.raises(UsageFault) as caught:
        read(line)
    assert caught.value.message == message


def test_a_name_with_a_value_is_not_taken_for_a_device() -> None:
    with pytest.raises(UsageFault) as caught:
        read("why udp any 10.0.0.1:5 foo 1")
    assert caught.value.hint == "smolctl why udp --help"


# --- and back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "addr add 10.0.0.1/24 dev tap0 broadcast + label tap0:x scope link",
        "link add up type cable name c1 down mtu 1400 loss 1%",
        "link add dev name type tap persist offload off",
        "link set dev down up mtu 1400",
        "link add --name=-x type loopback",
        "route add blackhole default metric 5",
        "route append 10.0.0.0/8 via 10.0.0.1 onlink dev dev table local",
        "neigh add 10.0.0.2 dev tap0 lladdr 02:00:00:00:00:0b",
        "udp send 10.0.0.1:9 hi -c 3 --broadcast",
    ],
)
def test_arguments_become_words_that_say_the_same(line: str) -> None:
    path, args, _ = read(line)
    verb = next(verb for verb in all_verbs() if verb.path == path)
    words = [*path.split(), *unparse(verb.params, args)]
    assert read(shlex.join(words)).args == args
