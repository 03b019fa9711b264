"""Every reason strikes exactly once when it is provoked, and explains itself."""

from string import Formatter

import pytest

from smolctl.stack.reason import REASONS, Reason
from tests.stack.kit import Host
from tests.stack.provoke import BESIDE, PROVOKERS, fresh

EVERY = pytest.mark.parametrize("name", PROVOKERS)


def provoked(name: str) -> Host:
    host = fresh()
    PROVOKERS[name](host)
    return host


def placeholders(reason: Reason) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(reason.hint) if field}


@EVERY
def test_a_provoked_reason_is_counted_once_and_no_other(name: str) -> None:
    assert provoked(name).reasons() == {name: 1, **BESIDE.get(name, {})}


@EVERY
def test_a_provoked_reason_knows_all_that_its_hint_shows(name: str) -> None:
    host, reason = provoked(name), REASONS[name]
    (detail,) = (t.detail for (r, _), t in host.stack.ledger.reasons.items() if r is reason)
    assert placeholders(reason) <= detail.keys()
    assert not [key for key in placeholders(reason) if detail[key] in ("?", None)]
    line = reason.explain(detail)
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


def test_an_unknown_placeholder_is_shown_as_a_question_mark() -> None:
    assert REASONS["rx-frame-short"].explain({}).startswith("frame is ? B")
