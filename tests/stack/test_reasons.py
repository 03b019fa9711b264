"""Every reason strikes exactly once when it is provoked, and explains itself."""

import pytest

from smolctl.stack.reason import REASONS, placeholders
from tests.stack.kit import Host
from tests.stack.provoke import BESIDE, PROVOKERS, fresh

EVERY = pytest.mark.parametrize("name", PROVOKERS)


def provoked(name: str) -> Host:
    host = fresh()
    PROVOKERS[name](host)
    return host


@EVERY
def test_a_provoked_reason_is_counted_once_and_no_other(name: str) -> None:
    assert provoked(name).reasons() == {name: 1, **BESIDE.get(name, {})}


@EVERY
def test_a_provoked_reason_knows_all_that_its_texts_show(name: str) -> None:
    host, reason = provoked(name), REASONS[name]
    (detail,) = (t.detail for (r, _), t in host.stack.ledger.reasons.items() if r is reason)
    shown = placeholders(reason.why_template[0])
    assert shown <= detail.keys()
    assert not [key for key in shown if detail[key] in ("?", "", None)]
    for line in (reason.explain(detail), *reason.fixes(detail)):
        assert line.isprintable()
        assert "{" not in line


@EVERY
def test_a_provoked_reason_names_the_interface_when_one_was_chosen(name: str) -> None:
    host = provoked(name)
    (dev,) = {dev for r, dev in host.stack.ledger.reasons if r.name == name}
    undecided = {
        "tx-payload-too-long", "tx-src-not-ours", "tx-dst-invalid", "tx-no-route", "tx-no-port",
        "tx-route-blackhole", "tx-route-unreachable", "tx-route-prohibit",
    }  # fmt: skip
    assert (dev == "") == (name in undecided)


@EVERY
def test_a_provoked_reason_struck_now(name: str) -> None:
    host = provoked(name)
    times = {t.last_ns for (r, _), t in host.stack.ledger.reasons.items() if r.name == name}
    assert times == {host.now}


def test_an_unknown_detail_of_the_why_line_is_shown_as_a_question_mark() -> None:
    assert REASONS["rx-frame-short"].explain({}).startswith("frame is ? B")
    # Whatever format it was to have, and in the parts that are always shown only.
    assert REASONS["ip-bad-checksum"].why({"want": 7}) == "header checksum ?, want 0x0007"
    assert REASONS["tx-no-route"].why({"ip": "8.8.8.8", "connected": ""}) == "no route to 8.8.8.8"


@pytest.mark.parametrize("unknown", [{}, {"gateway": None}, {"gateway": ""}, {"gateway": "?"}])
def test_a_fix_that_lacks_a_detail_is_left_out(unknown: dict[str, object]) -> None:
    reason = REASONS["tx-no-route"]
    detail = {"ip": "8.8.8.8", "own": "8.8.8.8", **unknown}
    assert reason.fixes({**detail, "gateway": "10.0.0.2"}) == [
        "smolctl route add default via 10.0.0.2",
        "smolctl addr add 8.8.8.8/32 dev lo",
    ]
    assert reason.fixes(detail) == ["smolctl addr add 8.8.8.8/32 dev lo"]
    assert reason.hint(detail) == "smolctl addr add 8.8.8.8/32 dev lo"


def test_without_a_fix_the_hint_is_the_advice_and_without_that_there_is_none() -> None:
    failed, pending = REASONS["neigh-failed"], REASONS["neigh-pending"]
    detail = {"next_hop": "10.0.0.9", "dev": "tap0", "probes": 3, "queued": 1}
    assert failed.fixes(detail) == []
    assert failed.hint(detail) == failed.advice(detail) == "smolctl arping -I tap0 10.0.0.9"
    assert failed.advice({}) is None
    assert pending.hint(detail) is None
    assert pending.explain(detail) == pending.why(detail)
