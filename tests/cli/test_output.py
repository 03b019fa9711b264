"""Colours, hints and JSON."""

import json

import pytest

from smolctl.cli.output import wants_color
from smolctl.errors import SmolctlError
from tests.cli.kit import output


@pytest.mark.parametrize(
    ("when", "environ", "terminal", "colored"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("never", {}, True, False),
        ("always", {}, False, True),
        ("always", {"NO_COLOR": "1"}, False, True),
    ],
)
def test_color(when: str, environ: dict[str, str], terminal: bool, colored: bool) -> None:
    assert wants_color(when, environ, terminal) is colored


@pytest.mark.parametrize(
    ("hint", "line"),
    [
        (None, "no route"),
        ("smolctl route show", "no route; try: smolctl route show"),
        ("sudo ip tuntap add dev tap0", "no route; try: sudo ip tuntap add dev tap0"),
        ("add the address first", "no route; add the address first"),
        ('did you mean "addr"?', 'no route; did you mean "addr"?'),
    ],
)
def test_hint(hint: str | None, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    output().failure("no route", hint)
    assert capsys.readouterr().err == f"smolctl: {line}\n"


def test_error_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    output().error(SmolctlError("no route to 8.8.8.8", hint="smolctl route", code="tx-no-route"))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "",
        "smolctl: no route to 8.8.8.8; try: smolctl route\n",
    )


def test_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    output(json=True).error(SmolctlError("no route", code="tx-no-route"))
    assert json.loads(capsys.readouterr().err) == {
        "error": {"code": "tx-no-route", "message": "no route"}
    }


def test_json_is_compact_as_in_ip(capsys: pytest.CaptureFixture[str]) -> None:
    output(json=True).document([{"ifname": "t\u00e4p", "up": True}])
    assert capsys.readouterr().out == '[{"ifname":"t\u00e4p","up":true}]\n'


def test_pretty_json(capsys: pytest.CaptureFixture[str]) -> None:
    output(json=True, pretty=True).document([{"mtu": 1500}])
    assert capsys.readouterr().out == '[\n    {\n        "mtu": 1500\n    }\n]\n'


def test_events_are_lines_even_when_pretty(capsys: pytest.CaptureFixture[str]) -> None:
    output(json=True, pretty=True).event({"event": "bound", "port": 9})
    assert capsys.readouterr().out == '{"event":"bound","port":9}\n'


def test_quiet_drops_notices_but_no_errors(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = output(quiet=True)
    quiet.notice("started")
    quiet.waiting("waiting for ARP of 10.0.0.2")
    quiet.error(SmolctlError("no route"))
    assert capsys.readouterr().err == "smolctl: no route\n"


def test_waiting_is_told_to_a_person_or_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    output().waiting("waiting for ARP of 10.0.0.2")
    assert capsys.readouterr().err == ""  # standard error is no terminal here
    output(verbose=True).waiting("waiting for ARP of 10.0.0.2")
    assert capsys.readouterr().err == "waiting: ARP of 10.0.0.2\n"


def test_an_error_is_coloured_where_standard_error_is_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output(color="always").failure("no route", "smolctl route show")
    output(color="always").failure("no such word", "see the manual")
    assert capsys.readouterr().err == (
        "smolctl: \x1b[31mno route\x1b[0m; try: \x1b[32msmolctl route show\x1b[0m\n"
        "smolctl: \x1b[31mno such word\x1b[0m; see the manual\n"
    )
