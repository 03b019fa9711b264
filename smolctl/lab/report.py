"""Reports of runs: one JSON document, JUnit XML, and the lines that people read."""

from collections.abc import Iterable, Iterator, Sequence
from shlex import quote
from typing import Any, NamedTuple

from smolctl.counted import counted
from smolctl.lab.outcome import Judged, Outcome, Plotted, StepDone
from smolctl.lab.timeline import Mark, Travel
from smolctl.stack.explain.summary import summarize

SCHEMA = 1
"""Version of the document; within one, keys are only added."""
_NS_PER_S = 1_000_000_000
Row = dict[str, Any]


class Again(NamedTuple):
    """The words of a command line that makes a run again.

    Attributes:
        name: of the scenario, or its file.
        seed, profile: None where the scenario's own counted.
        until: the text of the time, or None.
        watched: False for ``--no-timeline``.
    """

    name: str
    seed: int | None = None
    profile: str | None = None
    until: str | None = None
    watched: bool = True


def again(outcome: Outcome, said: Again) -> str:
    """Return the command that makes a run once more, whatever its defaults will be by then."""
    until = f" --until {said.until}" if said.until is not None else ""
    profile = f" --profile {outcome.profile}" if said.profile is not None else ""
    unwatched = "" if said.watched else " --no-timeline"
    return f"smolctl lab run {quote(said.name)} --seed {outcome.seed}{profile}{until}{unwatched}"


# --- one document ---------------------------------------------------------------------------------


def document(outcome: Outcome, said: Again, *, whole: bool = True) -> Row:
    """Return a run as JSON has it; keys that have nothing to say are absent.

    Args:
        whole: with all frames, which may be very many.
    """
    scenario = outcome.scenario
    return {
        "schema": SCHEMA,
        "name": said.name,
        "title": scenario.title,
        "seed": outcome.seed,
        "profile": outcome.profile,
        "until": _seconds(outcome.until_ns),
        "ok": outcome.ok,
        "frames": outcome.frames,
        "steps": [_step(step) for step in outcome.steps],
        "expect": [_expectation(judged) for judged in outcome.judged],
        "programs": [program._asdict() for program in outcome.programs],
        "counters": [
            {"node": node, "counter": counter, "value": value}
            for node, values in outcome.counters.items()
            for counter, value in values.items()
        ],
        **({"travels": [_travel(travel) for travel in outcome.travels]} if whole else {}),
        "marks": [_mark(mark) for mark in outcome.marks],
        "plots": [_plot(plot) for plot in outcome.plots],
        "faults": list(outcome.faults),
        **({"cut": outcome.cut} if outcome.cut else {}),
        "again": again(outcome, said),
    }


def _seconds(ns: int) -> float:
    return ns / _NS_PER_S


def _known(row: Row) -> Row:
    return {key: value for key, value in row.items() if value not in (None, "", ())}


def _step(step: StepDone) -> Row:
    ended = None if step.ended_ns is None else _seconds(step.ended_ns)
    return _known({
        "at": _seconds(step.at_ns), "ended": ended, "line": step.line, "name": step.name,
        "node": step.node, "text": step.text, "status": step.status, "stdout": step.out,
        "stderr": step.err, "reason": step.reason, "missed": step.missed,
    })  # fmt: skip


def _expectation(judged: Judged) -> Row:
    seen = judged.seen
    return _known({
        "line": judged.spec.line, "text": judged.text, "ok": judged.met, "seen": seen.text,
        "node": seen.node, "reason": seen.reason, "fix": list(seen.fixes) or None,
        "look": seen.look,
        "why": judged.spec.why if judged.met is False else None,
    })  # fmt: skip


def _travel(travel: Travel) -> Row:
    arrived = None if travel.arrived_ns is None else _seconds(travel.arrived_ns)
    received = travel.received
    fate = None if received is None or received.fate is None else str(received.fate)
    reason = None if received is None or received.reason is None else received.reason.name
    return _known({
        "sent": _seconds(travel.sent_ns), "arrived": arrived, "link": travel.wire,
        "src": travel.src, "src_dev": travel.src_dev, "dst": travel.dst,
        "dst_dev": travel.dst_dev, "len": len(travel.frame),
        "summary": summarize(travel.frame, True), "fate": fate, "reason": travel.lost or reason,
    })  # fmt: skip


def _mark(mark: Mark) -> Row:
    return _known({
        "at": _seconds(mark.at_ns), "node": mark.node, "kind": mark.kind, "text": mark.text,
        "reason": mark.reason,
    })  # fmt: skip


def _plot(plot: Plotted) -> Row:
    lines = [
        {"label": line.label, "points": [[_seconds(at_ns), value] for at_ns, value in line.points]}
        for line in plot.lines
    ]
    return {"title": plot.spec.title, "unit": plot.unit, "lines": lines}


# --- JUnit ----------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A scenario as JUnit has it: a suite, whose cases are its expectations.

    Attributes:
        name: of the scenario, or its file.
        document: of the run; None for one that could not run.
        error: why it could not.
    """

    name: str
    document: Row | None
    error: str = ""


def junit(cases: Iterable[Case]) -> str:
    """Return a file as CI systems read it: a suite for each scenario, a case for each expectation.

    Times are those of the scenario, so that the same run writes the same file.
    """
    suites = [_suite(case) for case in cases]
    return "\n".join(
        ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *suites, "</testsuites>", ""]
    )


def _suite(case: Case) -> str:
    name = _quoted(case.name)
    if case.document is None:
        return (
            f'<testsuite name={name} tests="1" failures="0" errors="1" skipped="0">'
            f'<testcase classname={name} name="the scenario runs"><error message='
            f"{_quoted(case.error)}/></testcase></testsuite>"
        )
    run = case.document
    tests = [*map(_expectation_case, run["expect"]), *map(_fault_case, run["faults"])]
    if "cut" in run:
        tests.append(Tested("it runs to its end", f"<failure message={_quoted(run['cut'])}/>"))
    if not tests:
        tests = [Tested("the scenario runs", "")]
    counts = {kind: sum(f"<{kind}" in test.xml for test in tests) for kind in _OUTCOMES}
    head = (
        f'<testsuite name={name} tests="{len(tests)}" failures="{counts["failure"]}"'
        f' errors="{counts["error"]}" skipped="{counts["skipped"]}" time="{run["until"]:g}">'
    )
    body = [
        f"<testcase classname={name} name={_quoted(test.name)}>{test.xml}</testcase>"
        for test in tests
    ]
    output = f"<system-out>{_escaped(run['again'])}</system-out>"
    return "\n".join([head, *body, output, "</testsuite>"])


_OUTCOMES = ("failure", "error", "skipped")


class Tested(NamedTuple):
    """A case: its name, and the element that says that it is not met, or ""."""

    name: str
    xml: str


def _expectation_case(row: Row) -> Tested:
    name = f"line {row['line']}: expected {row['text']}"
    if row.get("ok"):
        return Tested(name, "")
    if "ok" not in row:
        return Tested(name, f"<skipped message={_quoted(row['seen'])}/>")
    more = [f"fix: {fix}" for fix in row.get("fix", ())]
    more += [f"look: {row['look']}"] if "look" in row else []
    more.append(row.get("why", ""))
    text = _escaped("\n".join([row["seen"], *filter(None, more)]))
    return Tested(name, f"<failure message={_quoted(row['seen'])}>{text}</failure>")


def _fault_case(text: str) -> Tested:
    return Tested("smolctl makes no error", f"<error message={_quoted(text)}/>")


def _escaped(text: str) -> str:
    """Return a text as XML may have it: control characters have no place there (XML 1.0 2.2)."""
    known = "".join(char if char >= " " or char in "\t\n" else "\ufffd" for char in text)
    return known.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> str:
    return '"' + _escaped(text).replace('"', "&quot;").replace("\n", "&#10;") + '"'


# --- summaries ------------------------------------------------------------------------------------


def tally(judged: Sequence[Row]) -> str:
    """Return how many expectations are met, in words.

    Args:
        judged: those of a document.
    """
    asked = [row for row in judged if "ok" in row]
    failed = sum(not row["ok"] for row in asked)
    if not asked:
        number = counted(len(judged), "expectation")
        return f"none of {number} was asked" if judged else "nothing was expected"
    if failed:
        return f"{failed} of {counted(len(asked), 'expectation')} not met"
    return f"{counted(len(asked), 'expectation')} met"


def summary(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the last lines about many scenarios: those that failed, and how many there were."""
    failed = [case for case in cases if case.document is None or not case.document["ok"]]
    good = len(cases) - len(failed)
    yield f"{good} of {counted(len(cases), 'scenario')} ok" + (
        f", FAILED: {', '.join(case.name for case in failed)}" if failed else ""
    )
