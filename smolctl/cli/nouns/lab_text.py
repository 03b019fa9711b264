"""Runs of scenarios as text: what happened, step by step, and what was expected."""

from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Any

from smolctl.cli.output import Output
from smolctl.counted import counted
from smolctl.lab.endings import BYSTANDERS
from smolctl.lab.report import Case, tally
from smolctl.lab.words import duration, instant

Row = dict[str, Any]
_NS_PER_S = 1_000_000_000
_TROUBLE = {"drop": "dropped", "reject": "refused"}
_RESULT = ("line", "text", "stdout", "stderr", "status", "missed")
_LINES = 40
"""Lines that are shown of what a command wrote, unless more is asked for."""
_GAP = " " * 8
"""In front of what belongs to an expectation."""


def report(run: Row, drawn: Sequence[str], out: Output) -> Iterator[str]:
    """Yield the lines about a whole run.

    Args:
        run: its document.
        drawn: the lines of its drawings, each with an empty one behind it.
        out: of the command; with ``--quiet`` only the expectations are shown.
    """
    if not out.options.quiet:
        yield from heading(run)
        yield ""
        told = list(story(run, out))
        if told:
            yield from (*told, "")
    yield from drawn
    yield from expectations(run["expect"], out)
    yield from faults(run, out)
    yield from ending(run, out)


def heading(run: Row) -> Iterator[str]:
    """Yield what runs."""
    yield f"{run['name']}: {run['title']}"
    until = duration(round(run["until"] * _NS_PER_S))
    frames = counted(run["frames"], "frame")
    yield f"profile {run['profile']}, seed {run['seed']}, {until} of virtual time, {frames}"


# --- what happened --------------------------------------------------------------------------------


def story(run: Row, out: Output) -> Iterator[str]:
    """Yield the steps, and what went wrong, in the order of time."""
    width = max((len(row.get("node", "")) for row in (*run["steps"], *run["marks"])), default=0)
    told: list[tuple[Row, str, bool]] = [
        (step, out.paint("label", step["text"]) + _repeats(count), True)
        for step, count in _steps(run["steps"])
    ]
    told += [
        (mark, f"{_trouble_words(mark, out)}{_repeats(count)}", False)
        for mark, count in _trouble(run["marks"])
    ]
    told.sort(key=lambda each: float(each[0]["at"]))
    times = [instant(round(row["at"] * _NS_PER_S)) for row, _, _ in told]
    column = max(map(len, times), default=0)
    for time, (row, text, is_step) in zip(times, told, strict=True):
        head = f"{time:>{column}}  {row.get('node', ''):{width}}  "
        if is_step:
            yield head + text
            yield from _said(row, " " * len(head), out)
        else:
            yield from out.folded(head, len(head), text)


def _steps(steps: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Yield each step, and how often it was done with the same result: then the first one."""
    counts: dict[tuple[object, ...], int] = {}
    first: dict[tuple[object, ...], Row] = {}
    for step in steps:
        key = tuple(step.get(name) for name in _RESULT)
        counts[key] = counts.get(key, 0) + 1
        first.setdefault(key, step)
    yield from ((step, counts[key]) for key, step in first.items())


def _trouble(marks: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """Yield the first packet of each node and reason that was in trouble, and how many were."""
    counts: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], Row] = {}
    for mark in marks:
        if mark["kind"] in _TROUBLE and mark.get("reason") not in BYSTANDERS:
            key = mark["node"], mark["reason"]
            counts[key] = counts.get(key, 0) + 1
            first.setdefault(key, mark)
    yield from ((mark, counts[key]) for key, mark in first.items())


def _trouble_words(mark: Row, out: Output) -> str:
    reason = out.paint("bad", mark["reason"])
    return f"{_TROUBLE[mark['kind']]}: {reason} - {mark['text']}"


def _repeats(count: int) -> str:
    return f" ({count} times in all)" if count > 1 else ""


def _said(step: Row, indent: str, out: Output) -> Iterator[str]:
    """Yield what a command wrote, and how it ended."""
    if "missed" in step:
        yield indent + out.paint("bad", f"not done: {step['missed']}")
        return
    lines = (step.get("stdout", "") + step.get("stderr", "")).splitlines()
    shown = lines if out.options.verbose or len(lines) <= _LINES else lines[:_LINES]
    yield from (f"{indent}| {line}".rstrip() for line in shown)
    if len(shown) < len(lines):
        yield f"{indent}| ... {counted(len(lines) - len(shown), 'line')} more; -v shows all"
    if "ended" not in step:
        yield f"{indent}goes on at the end"
    elif step.get("status"):
        took = duration(round((step["ended"] - step["at"]) * _NS_PER_S))
        why = f": {step['reason']}" if "reason" in step else ""
        yield indent + out.paint("bad", f"exit status {step['status']} after {took}{why}")


# --- what was expected ----------------------------------------------------------------------------


def expectations(rows: Sequence[Row], out: Output) -> Iterator[str]:
    """Yield whether each expectation is met; of one that is not, what was seen, and whose fix."""
    for row in rows:
        met = row.get("ok")
        text = f"line {row['line']}: expected {row['text']}"
        if met:
            head = out.paint("good", "ok") + " " * 6
            yield from out.folded(head, 8, f"{text}: {row['seen']}")
        elif met is None and out.options.quiet:
            continue
        elif met is None:
            yield from out.folded("-" + " " * 7, 8, f"{text}: not asked, {row['seen']}")
        else:
            head = out.paint("bad", "FAILED") + "  "
            yield from out.folded(head, 8, text)
            yield from failure(row, out)


def failure(row: Row, out: Output) -> Iterator[str]:
    """Yield what was seen in the place of what was expected, and what helps."""
    yield from _labelled("seen", row["seen"], out)
    for fix in row.get("fix", ()):
        yield from _labelled("fix", fix, out, "good")
    if "look" in row:
        yield from _labelled("look", row["look"], out)
    for line in row.get("why", "").strip().splitlines():
        yield from _labelled("why", line.strip(), out)


def _labelled(label: str, text: str, out: Output, kind: str = "") -> list[str]:
    head = _GAP + out.paint("label", f"{label}:") + " " * (5 - len(label))
    return out.folded(head, len(_GAP) + 6, text, kind)


def faults(run: Row, out: Output) -> Iterator[str]:
    """Yield why the run ended before its time, and the errors of smolctl itself."""
    if "cut" in run:
        at = duration(round(run["until"] * _NS_PER_S))
        yield from out.folded(out.paint("bad", "CUT") + " " * 5, 8, f"at {at}: {run['cut']}")
    for fault in run["faults"]:
        yield out.paint("bad", f"BUG     an error of smolctl itself: {fault}")


def ending(run: Row, out: Output) -> Iterator[str]:
    """Yield the last lines: whether all is well, and how to do it once more."""
    text = tally(run["expect"])
    yield out.paint("good", f"ok: {text}") if run["ok"] else out.paint("bad", f"FAILED: {text}")
    if any({"fix", "look"} & row.keys() for row in run["expect"] if row.get("ok") is False):
        yield (
            "help: a command above goes into the file, or to stacks that smolctl lab up"
            f" {quote(run['name'])} starts"
        )
    yield f"again: {run['again']}"


# --- many scenarios -------------------------------------------------------------------------------


def brief(case: Case, width: int, out: Output) -> Iterator[str]:
    """Yield the lines about one of many scenarios: one line where all is well."""
    name = f"{case.name:{width}}"
    if case.document is None:
        yield from out.folded(out.paint("bad", "ERROR") + "   ", 8, case.error)
        return
    run = case.document
    if run["ok"]:
        yield f"{out.paint('good', 'ok')}      {name}  {tally(run['expect'])}"
        return
    yield f"{out.paint('bad', 'FAILED')}  {name}  {tally(run['expect'])}"
    for row in run["expect"]:
        if row.get("ok") is False:
            yield from out.folded(_GAP, 8, f"line {row['line']}: expected {row['text']}")
            yield from failure(row, out)
    yield from faults(run, out)
    yield f"{_GAP}again: {run['again']}"
