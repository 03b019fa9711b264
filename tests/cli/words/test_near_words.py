"""A word that is nearly right: at every level of the command line the right one is named."""

import json
import shlex
from pathlib import Path

import click
import pytest

from smolctl.cli.main import NOUNS, ROOT, run
from smolctl.cli.words.command import Noun, Verb
from smolctl.cli.words.grammar import UsageFault
from smolctl.cli.words.options import GLOBAL_OPTIONS
from smolctl.control import paths
from smolctl.errors import SmolctlError
from smolctl.near import near
from smolctl.stack.reason import REASONS
from smolctl.stack.sysctl.profiles import PROFILES
from smolctl.stack.sysctl.settings import SYSCTLS, sysctl
from tests.cli.kit import all_verbs, places_of, read, words_of
from tests.ops.kit import Api

VERBS = all_verbs()


def typo(word: str) -> str:
    """Return a word as fingers that are too quick type it."""
    at = len(word) // 2
    swapped = word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    return swapped if len(word) > 3 and swapped != word else word + word[-1]


def guess(error: SmolctlError) -> str:
    """Return the word that an error suggests."""
    hint = error.hint or ""
    return hint.removeprefix("did you mean ").rstrip("?").strip('"')


@pytest.fixture
def api() -> Api:
    return Api()


# --- the command line's own words -----------------------------------------------------------------


@pytest.mark.parametrize("noun", NOUNS)
def test_nouns(noun: str) -> None:
    with pytest.raises(UsageFault) as caught:
        read(typo(noun))
    assert guess(caught.value) == noun


NOUNS_WITH_VERBS = {
    noun: command
    for noun in NOUNS
    if isinstance(command := ROOT.get_command(None, noun), Noun)  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("noun", "command"), NOUNS_WITH_VERBS.items(), ids=NOUNS_WITH_VERBS)
def test_verbs(noun: str, command: Noun) -> None:
    for verb in command.commands:
        with pytest.raises(UsageFault) as caught:
            read(f"{noun} {typo(verb)}")
        assert guess(caught.value) == verb


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.path)
def test_keywords_and_options_of_a_verb(verb: Verb) -> None:
    takes_all = any(place.many for place in places_of(verb))
    # Enough words for every place, so that the next one can only be a keyword.
    places = " ".join("1" for place in places_of(verb) if not place.rest)
    for keyword in words_of(verb):
        for word in keyword.words:
            if keyword.within is None:
                with pytest.raises(UsageFault) as caught:
                    read(f"{verb.path} {places} --{typo(word)}")
                assert guess(caught.value) == f"--{word}"
            if keyword.bare and not keyword.within and not takes_all and len(word) > 2:
                with pytest.raises(UsageFault) as caught:
                    read(f"{verb.path} {places} {typo(word)} x")
                assert guess(caught.value) == word
        for inner in keyword.group:
            with pytest.raises(UsageFault) as caught:
                read(f"{verb.path} {places} {keyword.words[0]} {typo(inner.words[0])}")
            assert guess(caught.value) == inner.words[0]


@pytest.mark.parametrize(
    "option",
    [option for option in GLOBAL_OPTIONS if not option.hidden],
    ids=lambda option: option.name,
)
def test_options_of_all_commands(option: object) -> None:
    for flag in option.opts:  # type: ignore[attr-defined]
        if flag.startswith("--"):
            for line in (f"--{typo(flag[2:])} addr", f"addr --{typo(flag[2:])}"):
                with pytest.raises(UsageFault) as caught:
                    read(line)
                assert guess(caught.value) == flag


def test_a_keyword_that_was_taken_for_a_name() -> None:
    with pytest.raises(UsageFault) as caught:
        read("addr show dve tap0")
    assert guess(caught.value) == "dev"


# --- names ----------------------------------------------------------------------------------------


def test_settings() -> None:
    for key in SYSCTLS:
        head, _, tail = key.partition(".")
        with pytest.raises(SmolctlError) as caught:
            sysctl(f"{head}.{typo(tail)}")
        assert f'"{key}"' in str(caught.value.hint), key


def test_values_of_settings(api: Api) -> None:
    for key, each in SYSCTLS.items():
        for word in each.words:
            with pytest.raises(SmolctlError) as caught:
                api("sysctl.set", key=key, value=typo(word))
            assert caught.value.hint == f"smolctl sysctl {key}={near(typo(word), each.words)}"


@pytest.mark.parametrize("name", REASONS)
def test_reasons(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", typo(name)]) == 2
    assert f"; try: smolctl explain {name}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("op", "args", "right"),
    [
        ("addr.show", {"dev": "tpa0"}, "tap0"),
        ("addr.add", {"local": "10.5.0.1/24", "dev": "tap00"}, "tap0"),
        ("addr.add", {"local": "10.5.0.1/24", "dev": "tap0", "scope": "glboal"}, "global"),
        ("route.add", {"dst": "10.5.0.0/24", "dev": "tpa0"}, "tap0"),
        ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "type": "unreachble"}, "unreachable"),
        ("route.add", {"dst": "10.5.0.0/24", "dev": "tap0", "protocol": "statci"}, "static"),
        ("route.show", {"table": "lcoal"}, "local"),
        ("route.show", {"type": "blackhoel"}, "blackhole"),
        ("route.get", {"dst": "10.0.0.2", "dev": "tpa0"}, "tap0"),
        ("neigh.show", {"nud": "satle"}, "stale"),
        ("neigh.add", {"dst": "10.0.0.7", "dev": "tap0", "nud": "permanetn"}, "permanent"),
        ("rule.add", {"type": "prohibt"}, "prohibit"),
        ("rule.add", {"table": "mian"}, "main"),
        ("rule.add", {"protocol": "kernle"}, "kernel"),
        ("link.add", {"name": "x", "type": "tset"}, "test"),
        ("link.set", {"dev": "tpa0", "state": "up"}, "tap0"),
        ("ping.run", {"dst": "10.0.0.2", "dev": "tpa0"}, "tap0"),
        ("arping.run", {"dst": "10.0.0.2", "dev": "tpa0"}, "tap0"),
        ("udp.recv", {"port": "9", "dev": "tpa0"}, "tap0"),
        ("udp.send", {"dst": "10.0.0.2", "port": "9", "dev": "tpa0"}, "tap0"),
        ("monitor.run", {"dev": "tpa0"}, "tap0"),
        ("capture.run", {"dev": "tpa0"}, "tap0"),
        ("capture.run", {"filter": "upd"}, "udp"),
        ("capture.run", {"filter": "reason tx-no-rotue"}, "tx-no-route"),
        ("sysctl.show", {"diff": "smoltcp-0.8"}, "smoltcp-0.9"),
        ("maddr.add", {"address": "239.1.2.3", "dev": "tpa0"}, "tap0"),
        ("why.ask", {"proto": "upd", "dst": "10.0.0.2"}, "udp"),
    ],
)
def test_names_of_a_stack(api: Api, op: str, args: dict[str, str], right: str) -> None:
    with pytest.raises(SmolctlError) as caught:
        api(op, **args)
    assert guess(caught.value) == right
    assert "\n" not in caught.value.message


def test_profiles_when_a_stack_starts() -> None:
    from smolctl.stack.sysctl.profiles import profile

    for name in PROFILES:
        with pytest.raises(SmolctlError) as caught:
            profile(typo(name))
        assert guess(caught.value) == name


def test_stacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    directory = Path(paths.stack_paths("router").directory)
    directory.mkdir(mode=0o700)
    (directory / "router.sock").touch()
    for line in ("-n ruoter --no-start addr", "-n ruoter stack status", "-n ruoter stack stop"):
        assert run(shlex.split(line)) == 3
        assert capsys.readouterr().err == (
            'smolctl: stack "ruoter" is not running; did you mean "router"?\n'
        )
        assert run([*shlex.split(line), "-j"]) == 3
        assert json.loads(capsys.readouterr().err)["error"]["hint"] == 'did you mean "router"?'


def test_a_word_that_is_near_nothing_is_not_guessed() -> None:
    for line in ("xyzzy", "addr xyzzy99", "route add 10.0.0.0/8 dev x --xyzzy99"):
        with pytest.raises(UsageFault) as caught:
            read(line)
        assert "did you mean" not in str(caught.value.hint)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("rm addr 10.0.0.1/24 dev eth0", "smolctl addr del 10.0.0.1/24 dev eth0"),
        ("route rm default", "smolctl route del default"),
        ("neigh remove 10.0.0.2 dev eth0", "smolctl neigh del 10.0.0.2 dev eth0"),
        ("route create 10.1.0.0/16 dev eth0", "smolctl route add 10.1.0.0/16 dev eth0"),
        ("route set default via 10.0.0.2", "smolctl route replace default via 10.0.0.2"),
        ("route print", "smolctl route show"),
        ("listen 9", "smolctl tcp listen 9"),
        ("udp listen 9", "smolctl udp recv 9"),
        ("tracepath 10.0.0.2", "smolctl traceroute 10.0.0.2"),
        ("interfaces", "smolctl link"),
        ("show addr", "smolctl addr show"),
        ("show interfaces", "smolctl link show"),
        ("del route default", "smolctl route del default"),
        ("route add default 10.0.0.2", "smolctl route add default via 10.0.0.2"),
        ("addr add 10.0.0.5/24 eth0", "smolctl addr add 10.0.0.5/24 dev eth0"),
        ("neigh del 10.0.0.5 eth0", "smolctl neigh del 10.0.0.5 dev eth0"),
        ("addr add eth0 10.0.0.5/24", "smolctl addr add 10.0.0.5/24 dev eth0"),
        ("addr del eth0 10.0.0.5/24", "smolctl addr del 10.0.0.5/24 dev eth0"),
        ("addr add eth0 10.0.0.5/24 dad", "smolctl addr add 10.0.0.5/24 dev eth0 dad"),
        ("neigh del eth0 10.0.0.5", "smolctl neigh del 10.0.0.5 dev eth0"),
        ("maddr add eth0 239.1.2.3", "smolctl maddr add 239.1.2.3 dev eth0"),
        ("route add eth0 10.0.0.0/8", "smolctl route add 10.0.0.0/8 dev eth0"),
        ("sysctl ip.ttl 65", "smolctl sysctl ip.ttl=65"),
        ("sysctl show eth0", "smolctl sysctl eth0"),
        ("sysctl set eth0.arp.ignore=1", "smolctl sysctl eth0.arp.ignore=1"),
        ("sysctl -w ip.ttl 65", "smolctl sysctl ip.ttl=65"),
        ("sysctl ip.ttl = 65", "smolctl sysctl ip.ttl=65"),
        ("sysctl ip.ttl =65", "smolctl sysctl ip.ttl=65"),
        ("sysctl ip.ttl= 65", "smolctl sysctl ip.ttl=65"),
        ("sysctl ip.ttl=65 arp.dad=1", "smolctl sysctl --help"),
        ("link add v0 type veth peer name v1", "type cable makes the two ends of one"),
    ],
)
def test_a_habit_gets_the_command_that_is_meant(line: str, hint: str) -> None:
    with pytest.raises(SmolctlError) as caught:
        read(line)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("route add 10.1.0.0/16 via dev eth0", '"via" needs a value: via ADDR'),
        ("route add 10.1.0.0/16 dev eth0 metric proto static", '"metric" needs a value'),
        ("neigh add 10.0.0.9 lladdr dev eth0", '"lladdr" needs a value: lladdr MAC'),
        ("link set mtu up eth0", '"mtu" needs a value: mtu BYTES'),
        ("rule add priority from 10.0.0.1", '"priority" needs a value'),
        ("addr add eth0 10.0.0.1/24", 'addr add: expected ADDR/LEN, not "eth0"'),
    ],
)
def test_the_word_is_named_that_lacks_its_value(line: str, wrong: str) -> None:
    with pytest.raises(SmolctlError) as caught:
        read(line)
    assert wrong in caught.value.message


def test_a_word_of_the_command_may_be_a_name() -> None:
    assert read("addr add 10.0.0.1/24 dev label").args["dev"] == "label"
    assert read("route show dev via").args["dev"] == "via"


@pytest.mark.parametrize("noun", NOUNS)
def test_a_near_word_is_a_verb_of_that_noun(noun: str) -> None:
    command = ROOT.get_command(click.Context(ROOT), noun)
    if not isinstance(command, Noun):
        return
    for other in {str(verb.name) for verb in VERBS} - set(command.commands):
        with pytest.raises(SmolctlError) as caught:
            read(f"{noun} {other}x")
        found = guess(caught.value)
        if " " not in found:
            assert command.commands.get(command.aliases.get(found, found)) is not None, found
