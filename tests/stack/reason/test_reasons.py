"""Every reason strikes exactly once when it is provoked, and explains itself."""

import re
from collections.abc import Mapping
from string import Formatter

import pytest

from smolctl.stack.reason import REASONS, Kind, Reason, generic, placeholders, shown
from tests.stack.reason.provoke import BESIDE, PROVOKERS, VARIANTS
from tests.stack.reason.provoke_causes import ARP, IP, Row
from tests.stack.reason.provoke_causes_icmp import ICMP
from tests.stack.reason.provoke_silence import SILENCE
from tests.stack.reason.provokers import fresh
from tests.stack.reason.provokers_ipv6 import CAUSES6
from tests.stack.reason.provokers_tcp import TCP_CAUSES

CAUSES: dict[tuple[str, str], Row] = {
    **ARP,
    **IP,
    **ICMP,
    **SILENCE,
    **CAUSES6,
    **TCP_CAUSES,
}
EVERY = pytest.mark.parametrize("name", PROVOKERS)


UNDECIDED = {
    "tx-payload-too-long", "tx-src-not-ours", "tx-dst-invalid", "tx-no-route", "tx-no-port",
    "tx-route-blackhole", "tx-route-unreachable", "tx-route-prohibit", "udp-waits-for-route",
    "tx-rule-blackhole", "tx-rule-unreachable", "tx-rule-prohibit", "tx-no-scope",
    "tx-wrong-family", "tx-src-invalid",
}  # fmt: skip
"""Reasons that strike before an interface is chosen."""


@EVERY
def test_a_provoked_reason_is_counted_once_now_and_at_its_interface(name: str) -> None:
    host = fresh()
    PROVOKERS[name](host)
    assert host.reasons() == {name: 1, **BESIDE.get(name, {})}
    reasons = host.stack.ledger.reasons
    ((dev, tally),) = ((dev, tally) for (r, dev), tally in reasons.items() if r.name == name)
    assert tally.last_ns == host.now
    assert (dev == "") == (name in UNDECIDED)


def details(name: str) -> list[Mapping[str, object]]:
    """Return what was recorded, for each way to provoke a reason."""
    found = []
    causes = [row[0] for (reason, _), row in CAUSES.items() if reason == name]
    for provoke in (PROVOKERS[name], *VARIANTS.get(name, ()), *causes):
        host = fresh()
        provoke(host)
        found += [
            shown(t.detail) for (r, _), t in host.stack.ledger.reasons.items() if r.name == name
        ]
    return found


def given(template: str, detail: Mapping[str, object]) -> bool:
    return all(detail.get(key) not in ("?", "", None) for key in placeholders(template))


@EVERY
def test_a_provoked_reason_knows_all_that_its_texts_show_and_shows_each(name: str) -> None:
    reason, found = REASONS[name], details(name)
    for detail in found:
        assert given(reason.why_template[0], detail)
        for line in (reason.explain(detail), *reason.fixes(detail)):
            assert line.isprintable()
            assert "{" not in line
        assert not reason.fix_templates or reason.hint(detail), "a fix, or what else to do"
    templates = (*reason.why_template, *reason.fix_templates, reason.advice_template)
    assert [t for t in templates if not any(given(t, detail) for detail in found)] == []


@pytest.mark.parametrize(("name", "cause"), CAUSES)
def test_a_reason_with_several_causes_is_recorded_with_the_one_and_says_it(
    name: str, cause: str
) -> None:
    host, (provoke, line) = fresh(), CAUSES[name, cause]
    provoke(host)
    (detail,) = (t.detail for (r, _), t in host.stack.ledger.reasons.items() if r.name == name)
    assert REASONS[name].why(detail) == line
    assert detail["cause"] == cause


def test_every_cause_is_provoked() -> None:
    declared = {(r.name, cause) for r in REASONS.values() for cause in r.causes}
    assert declared == CAUSES.keys()
    assert not {r.name for r in REASONS.values() if r.cause_advice.keys() - r.causes.keys()}


def test_each_reason_has_all_its_texts() -> None:
    for reason in REASONS.values():
        sentences = reason.explanation.count(". ") + 1
        assert 2 <= sentences <= 6, f"{reason.name}: {sentences}"
        assert reason.explanation.endswith((".", '."'))
        assert len(f"{reason.name} - {reason.summary}") <= 80
        assert not reason.summary.endswith(".")
        assert reason.why_template[0]
        for text in (reason.explanation, reason.summary, *reason.why_template):
            assert text.isprintable()
        assert all(fix.startswith("smolctl ") for fix in reason.fix_templates)


def test_only_what_is_no_trouble_has_neither_a_fix_nor_advice() -> None:
    silent = {r.name for r in REASONS.values() if not (r.fix_templates or r.advice_template)}
    assert silent == {
        "neigh-pending", "icmp-reply-suppressed", "stack-stopped", "arp-not-needed",
        "nd-not-needed",
    }  # fmt: skip


_COMMAND = re.compile(r"smolctl [^;]*")
_NAMES_LINK = re.compile(r" dev | -I \{dev\}| --dev |route show match|--broadcast")
"""Commands that name an interface, those for which none counts, and those of IPv4 alone."""
_OF_ONE_LINK = {"ip", "next_hop", "source", "dst", "src", "gateway", "offender"}


def names_its_link(command: str) -> bool:
    """A link-local address alone is of no link: its zone stands behind it, or ``dev``."""
    bare = {name for _, name, _, how in Formatter().parse(command) if how not in ("z", "b")}
    return bool(_NAMES_LINK.search(command)) or not bare & _OF_ONE_LINK


def test_a_command_about_an_address_names_its_link() -> None:
    found = []
    for reason in REASONS.values():
        advice = (reason.advice_template, *reason.cause_advice.values())
        for command in _COMMAND.findall(";".join((*advice, *reason.fix_templates))):
            found += [(reason.name, command)] if not names_its_link(command) else []
    assert found == []


def test_an_unknown_detail_of_the_why_line_is_shown_as_a_question_mark() -> None:
    assert REASONS["rx-frame-short"].explain({}).startswith("frame is ? B")
    # Whatever format it was to have, and in the parts that are always shown only.
    assert REASONS["ip-bad-checksum"].why({"want": 7}) == "header checksum ?, want 0x0007"
    assert REASONS["tx-no-route"].why({"ip": "8.8.8.8", "connected": ""}) == "no route to 8.8.8.8"


@pytest.mark.parametrize("unknown", [{}, {"gateway": None}, {"gateway": ""}, {"gateway": "?"}])
def test_a_fix_that_lacks_a_detail_is_left_out(unknown: dict[str, object]) -> None:
    reason = REASONS["tx-no-route"]
    detail = {"ip": "8.8.8.8", "down": "tap0", **unknown}
    assert reason.candidates({**detail, "gateway": "10.0.0.2"}) == [
        "smolctl link set tap0 up",
        "smolctl route add default via 10.0.0.2",
    ]
    assert reason.candidates(detail) == ["smolctl link set tap0 up"]


def test_without_a_proven_fix_the_hint_says_where_to_look() -> None:
    failed, pending = REASONS["neigh-failed"], REASONS["neigh-pending"]
    detail = {"asking": "ARP", "next_hop": "10.0.0.9", "dev": "tap0", "queued": 1}
    detail["command"] = "smolctl arping -I tap0 10.0.0.9"
    assert failed.fixes(detail) == []
    assert failed.hint(detail) == failed.look(detail) == "smolctl arping -I tap0 10.0.0.9"
    assert failed.look({}) == "smolctl explain neigh-failed"
    assert pending.hint(detail) is None
    assert pending.explain(detail) == pending.why(detail)


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ({"n": 1, "sum": 10}, "1 packet waits, 0x000a"),
        ({"n": 2, "sum": 10}, "2 packets wait, 0x000a"),
        ({"n": 0, "sum": 10}, "0 packets wait, 0x000a"),
        ({}, "? packets wait, ?"),
    ],
)
def test_a_number_has_its_noun(detail: dict[str, object], text: str) -> None:
    template = "{n:packet waits|packets wait}, {sum:#06x}"
    reason = Reason("ip-test", Kind.DROP, "-", "-", "a test", "", (template,))
    assert reason.why(detail) == text
    assert generic(template) == "N packets wait, SUM"
    assert generic("{n:ARP request}") == "N ARP requests"
