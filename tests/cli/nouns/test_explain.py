"""The page of a reason, and the list of all; no stack is asked or started."""

import json
from pathlib import Path

import pytest

from smolctl.cli.main import run
from smolctl.stack.reason import REASONS

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def shown(capsys: Capture, *words: str) -> str:
    assert run(["explain", *words]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_a_page_says_what_happened_why_and_what_helps(capsys: Capture) -> None:
    text = shown(capsys, "arp-target-not-ours")
    assert text.startswith(
        "arp-target-not-ours - ARP that asks for an address that is not ours\n"
        "\n"
        "  class:   drop (the packet is gone, and nobody is told)\n"
        "  layer:   arp\n"
        "  source:  RFC 826\n"
        "  linux:   silent\n"
        "\n"
        'Somebody asked "who has this address?"'
    )
    assert text.endswith(
        "\n"
        "why:     IP CAUSE\n"
        "cause:   absent: is not an address of this stack (DEV has NETWORKS)\n"
        "or:      group: is a multicast address, which belongs to no single host\n"
        "or:      loopback: is a loopback address, which no link is asked for\n"
        "fix:     smolctl addr add IP/PLEN dev DEV\n"
        "look:    usually harmless: others on the link ask for others\n"
    )


@pytest.mark.parametrize("name", REASONS)
def test_every_page_fits_a_terminal(name: str, capsys: Capture) -> None:
    text = shown(capsys, name)
    assert max(map(len, text.splitlines())) <= 80
    assert "{" not in text


def test_several_names_are_several_pages(capsys: Capture) -> None:
    text = shown(capsys, "tx-ttl-zero", "UDP-PORT-CLOSED", "tx-ttl-zero")
    assert text.startswith("tx-ttl-zero - ")
    assert "\n\nudp-port-closed - " in text
    assert text.count("tx-ttl-zero - ") == 1
    assert [row["name"] for row in json.loads(shown(capsys, "-j", "ip-bad-ihl", "ip-src-invalid"))]


@pytest.mark.parametrize("words", [(), ("--list",)])
def test_the_list_has_a_line_for_each_reason(words: tuple[str, ...], capsys: Capture) -> None:
    head, *lines = shown(capsys, *words).splitlines()
    assert head.split() == ["REASON", "CLASS", "LAYER", "MEANING"]
    assert [line.split()[0] for line in lines] == list(REASONS)
    for line, reason in zip(lines, REASONS.values(), strict=True):
        assert line.split(maxsplit=3)[1:] == [reason.kind.value, reason.layer, reason.summary]


def test_json_of_the_list_is_an_array_of_objects(capsys: Capture) -> None:
    rows = json.loads(shown(capsys, "--list", "-j"))
    assert [row["name"] for row in rows] == list(REASONS)
    for row in rows:
        needed = {"name", "class", "layer", "summary", "explanation", "why", "fix"}
        assert needed <= row.keys() <= needed | {"source", "linux", "look", "causes"}
        lists = ("fix", "causes")
        assert all(isinstance(value, list if key in lists else str) for key, value in row.items())


def test_json_of_one_name_is_one_object(capsys: Capture) -> None:
    row = json.loads(shown(capsys, "-j", "tx-route-blackhole"))
    del row["explanation"]
    assert row == {
        "name": "tx-route-blackhole",
        "class": "reject",
        "layer": "ip",
        "source": "RFC 1122 3.3.1",
        "linux": "EINVAL",
        "summary": "a route of type blackhole matched",
        "why": "IP matches the route blackhole ROUTE",
        "fix": ["smolctl route del blackhole ROUTE"],
        "look": "is this route meant? smolctl route show match IP",
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tx-no-rout",), 'there is no reason "tx-no-rout"; try: smolctl explain tx-no-route'),
        (("no-route",), 'there is no reason "no-route"; try: smolctl explain tx-no-route'),
        (("q",), 'there is no reason "q"; try: smolctl explain --list'),
        (("ip-bad-ihl", "q"), 'there is no reason "q"; try: smolctl explain --list'),
        (("ip-bad-ihl", "--list"), "explain: --list takes no names; try: smolctl explain --list"),
    ],
)
def test_a_wrong_word_is_an_error_with_the_near_one(
    words: tuple[str, ...], message: str, capsys: Capture
) -> None:
    assert run(["explain", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"smolctl: {message}\n"


def test_a_wrong_name_in_json_is_one_object(capsys: Capture) -> None:
    assert run(["-j", "explain", "tx-no-rout"]) == 2
    assert json.loads(capsys.readouterr().err)["error"] == {
        "code": "not-found",
        "message": 'there is no reason "tx-no-rout"',
        "hint": "smolctl explain tx-no-route",
    }


def test_no_stack_is_started(capsys: Capture, nowhere: Path) -> None:
    shown(capsys, "tx-no-route")
    assert list(nowhere.iterdir()) == []
