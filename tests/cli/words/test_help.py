"""Help texts, aliases and typos."""

import shlex

import pytest

from smolctl.cli.main import NOUNS, run
from smolctl.cli.words.aliases import NOUN_ALIASES, VERB_ALIASES
from smolctl.cli.words.command import Verb
from tests.cli.kit import all_verbs, places_of, read

VERBS = {verb.path: verb for verb in all_verbs()}


@pytest.mark.parametrize("path", VERBS)
@pytest.mark.parametrize("way", ["{} --help", "{} -h", "help {}"])
def test_help_begins_with_examples(path: str, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(way.format(path).split()) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith("Examples:\n  ")
    assert f"Usage: smolctl {path}" in captured.out
    assert max(map(len, captured.out.splitlines())) <= 80


@pytest.mark.parametrize("path", VERBS)
def test_help_as_a_word_after_the_verb(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    places = places_of(VERBS[path])
    if places and places[0].metavar == "FILE":
        return  # a file may be called "help"
    assert run([*path.split(), "help"]) == 0
    text = capsys.readouterr().out
    assert run(["help", *path.split()]) == 0
    assert text == capsys.readouterr().out


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("way", ["{} -h", "{} --help", "{} -help", "{} help", "-j {} -h"])
def test_each_way_to_the_help_of_a_noun(
    noun: str, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if noun == "batch" and way == "{} help":
        return
    assert run(way.format(noun).split()) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Examples:\n  ")
    assert captured.err == ""


@pytest.mark.parametrize("noun", NOUNS)
def test_help_of_a_noun(noun: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([noun, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Examples:\n  ")
    for path in VERBS:
        if path.startswith(noun + " "):
            assert f"\n  {path.split()[1]} " in out


def test_help_of_a_noun_as_in_ip(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["addr", "help"]) == 0
    text = capsys.readouterr().out
    assert run(["help", "addr"]) == 0
    assert capsys.readouterr().out == text


def test_help_names_every_noun(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Examples:\n  ")
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"\n  {noun} " in text for noun in NOUNS)


def test_without_words_a_screen_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 80
    commands = [line.split("  ")[1] for line in lines if line.startswith("  smolctl ")]
    assert len(commands) >= 8
    for command in commands:
        words = command.removeprefix("smolctl ")
        assert words == "--help" or read(words).path


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from smolctl import __version__

    for line in ("-V", "--version", "addr show -V"):
        assert run(line.split()) == 0
        assert capsys.readouterr().out == f"smolctl {__version__}\n"


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_examples_follow_the_grammar(verb: Verb) -> None:
    for example in verb.examples:
        parts = example.partition(" > ")[0].split(" | ")
        command = next((part for part in parts if part.startswith("smolctl")), parts[-1])
        words = shlex.split(command)
        assert words[0] == "smolctl"
        assert read(shlex.join(words[1:])).path == verb.path


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_the_first_example_is_runnable_as_it_stands(verb: Verb) -> None:
    assert "..." not in verb.examples[0]


@pytest.mark.parametrize(("alias", "noun"), NOUN_ALIASES.items())
def test_noun_aliases(alias: str, noun: str) -> None:
    assert read(alias).path == f"{noun} show"


@pytest.mark.parametrize(("alias", "verb"), VERB_ALIASES.items())
def test_verb_aliases(alias: str, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "route", alias]) == 0
    assert f"Usage: smolctl route {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("adr", 'smolctl: "adr" is not a command; did you mean "addr"?'),
        ("ruote show", 'smolctl: "ruote" is not a command; did you mean "route"?'),
        ("xyzzy", 'smolctl: "xyzzy" is not a command; try: smolctl --help'),
        ("ip addr show", 'smolctl: "ip" is not a command; try: smolctl addr show'),
        ("ip", 'smolctl: "ip" is not a command; try: smolctl --help'),
        ("ifconfig -a", 'smolctl: "ifconfig" is not a command; try: smolctl addr'),
        ("tcpdump port 53", 'smolctl: "tcpdump" is not a command; try: smolctl capture port 53'),
        ("link up eth0", 'smolctl: link has no verb "up"; try: smolctl link set eth0 up'),
        ("why ping 10.0.0.2", 'smolctl: why has no verb "ping"; try: smolctl why icmp 10.0.0.2'),
        ("why host udp any 10.0.0.2:5",
         'smolctl: why has no verb "host"; try: smolctl why --host udp any 10.0.0.2:5'),
        ("route add default gw 10.0.0.2", 'smolctl: route add: "gw" is not known here;'
         ' did you mean "via"?'),
        ("addr shwo", 'smolctl: addr has no verb "shwo"; did you mean "show"?'),
        ("addr tap0", 'smolctl: addr has no verb "tap0"; try: smolctl addr show tap0'),
        ("addr dev tap0", 'smolctl: addr has no verb "dev"; try: smolctl addr show dev tap0'),
        ("route 10.0.0.0/8", 'smolctl: route has no verb "10.0.0.0/8";'
         ' try: smolctl route show 10.0.0.0/8'),
        ("stack frob", 'smolctl: stack has no verb "frob"; try: smolctl stack --help'),
        ("udp", "smolctl: udp needs a verb: send, recv, echo; try: smolctl udp --help"),
        ("udp sned", 'smolctl: udp has no verb "sned"; did you mean "send"?'),
        ("stats dorps", 'smolctl: stats has no verb "dorps"; did you mean "drops"?'),
        ("addr add 10.0.0.1/24 dve tap0", 'smolctl: addr add: "dve" is not known here;'
         ' did you mean "dev"?'),
        ("--jsn addr", 'smolctl: option "--jsn" is not known; did you mean "--json"?'),
        ("help adr", 'smolctl: "adr" is not a command; did you mean "addr"?'),
        ("help addr ad", 'smolctl: addr has no verb "ad"; did you mean "add"?'),
    ],
)  # fmt: skip
def test_typos(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line.split()) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", message + "\n")


def test_prefixes_are_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rou"]) == 2
    assert "did you mean" in capsys.readouterr().err
