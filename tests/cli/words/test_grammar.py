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
        (("a", "dev", "b"), 'thing show: "dev b" is a second value beside "a"', None),
        (("up", "down"), 'thing show: "down" is a second value beside "up"', None),
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
