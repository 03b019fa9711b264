"""``smolctl lab compare``: a scenario under several profiles, side by side."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from shlex import quote
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import lab_files
from smolctl.cli.nouns.lab_run import outcome_of, said, wish
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.grammar import Args, UsageFault
from smolctl.lab.report import document

Row = dict[str, Any]
_USUAL = ("linux", "smoltcp-0.9")
_DIFFERS = "<>"
"""Between two values that are not the same."""


def command(session: Session, args: Args) -> int:
    """Run a scenario under each profile, and show what differs."""
    source = lab_files.find(args["file"])
    profiles = args.get("profile") or _profiles(source)
    if len(set(profiles)) != len(profiles) or len(profiles) < 2:
        raise UsageFault(
            "lab compare needs two profiles or more, each once",
            hint=f"smolctl lab compare {quote(source.name)} --profile linux --profile smoltcp-0.9",
        )
    base = wish({key: value for key, value in args.items() if key != "profile"})
    runs = []
    for profile in profiles:
        wanted = base._replace(profile=wish({"profile": profile}).profile, every=True)
        runs.append(document(outcome_of(source, wanted), said(source.name, wanted)))
    rows = list(compared(runs))
    if session.options.json:
        session.out.document({
            "schema": 1, "name": source.name, "title": runs[0]["title"], "profiles": profiles,
            "ok": all(run["ok"] for run in runs), "rows": rows,
            "again": [run["again"] for run in runs],
        })  # fmt: skip
    else:
        session.out.lines(_lines(runs, rows, session.out))
    return exits.DONE if all(run["ok"] for run in runs) else exits.NO


def _profiles(source: lab_files.Source) -> list[str]:
    from smolctl.lab.reading import read

    return list(read(source.text, source.file).compare or _USUAL)


def compared(runs: Sequence[Row]) -> Iterator[Row]:
    """Yield what is compared: each step, expectation and counter, with its value in each run.

    Keys: ``kind``, ``what``, ``values`` in the order of the profiles, ``same``.
    """
    for steps in zip(*(run["steps"] for run in runs), strict=False):
        first = steps[0]
        node = f"{first['node']}: " if "node" in first else ""
        yield _row("step", f"{node}{first['text']}", _endings(steps))
    for rows in zip(*(run["expect"] for run in runs), strict=True):
        what = f"line {rows[0]['line']}: {rows[0]['text']}"
        yield _row("expect", what, [_met(row) for row in rows])
    counted = [
        {(row["node"], row["counter"]): row["value"] for row in run["counters"]} for run in runs
    ]
    for node, name in sorted({key for counters in counted for key in counters}):
        values = [str(counters.get((node, name), 0)) for counters in counted]
        yield _row("counter", f"{node}: {name}", values)


def _row(kind: str, what: str, values: list[str]) -> Row:
    return {"kind": kind, "what": what, "values": values, "same": len(set(values)) == 1}


def _endings(steps: Sequence[Row]) -> list[str]:
    """Return how a step ended in each run; what alone differs is the first line that does."""
    ends = [_ended(step) for step in steps]
    if len(set(ends)) > 1:
        return ends
    texts = [step.get("stdout", "").splitlines() for step in steps]
    for lines in zip_longest(*texts, fillvalue="(nothing more)"):
        if len({" ".join(line.split()) for line in lines}) > 1:
            return [f"{end}: {line.strip()}" for end, line in zip(ends, lines, strict=True)]
    return ends


def _ended(step: Row) -> str:
    if "missed" in step:
        return "not done"
    if "ended" not in step:
        return "goes on"
    if "status" not in step:
        return "done"
    status = f"exit status {step['status']}"
    return f"{step['reason']}, {status}" if "reason" in step else status


def _met(row: Row) -> str:
    if "ok" not in row:
        return f"not asked: {row['seen']}"
    return f"{'ok' if row['ok'] else 'FAILED'}: {row['seen']}"


def _lines(runs: Sequence[Row], rows: Sequence[Row], out: Output) -> Iterator[str]:
    yield f"{runs[0]['name']}: {runs[0]['title']}"
    width = max(len(run["profile"]) for run in runs)
    for kind in ("step", "expect"):
        of_kind = [row for row in rows if row["kind"] == kind]
        if of_kind:
            yield ""
        for row in of_kind:
            yield from _block(row, runs, width, out)
    yield from _counters([row for row in rows if row["kind"] == "counter"], runs, out)
    yield ""
    differ = sum(not row["same"] for row in rows)
    yield f"{differ} of {len(rows)} values differ; those are marked with {_DIFFERS}"
    yield from (f"again: {run['again']}" for run in runs)


def _counters(rows: Sequence[Row], runs: Sequence[Row], out: Output) -> Iterator[str]:
    """Yield a table of the counters that differ: those that are the same say nothing."""
    shown = [row for row in rows if not row["same"]]
    if not shown:
        return
    yield ""
    heads = [run["profile"] for run in runs]
    first = max(len(row["what"]) for row in shown)
    widths = [
        max(len(head), *(len(row["values"][number]) for row in shown))
        for number, head in enumerate(heads)
    ]
    yield f"   {'counter':{first}}" + _cells(heads, widths)
    for row in shown:
        mark = out.paint("wait", _DIFFERS)
        yield f"{mark} {row['what']:{first}}" + _cells(row["values"], widths)


def _cells(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"  {text:>{width}}" for text, width in zip(texts, widths, strict=True))


def _block(row: Row, runs: Sequence[Row], width: int, out: Output) -> Iterator[str]:
    mark = "  " if row["same"] else _DIFFERS
    yield from out.folded(out.paint("wait", mark) + " ", 3, row["what"])
    if row["same"]:
        yield from out.folded(
            " " * 6, 6, f"{'both' if len(runs) == 2 else 'all'}: {row['values'][0]}"
        )
        return
    for run, text in zip(runs, row["values"], strict=True):
        head = f"{'':6}{run['profile']:{width}}  "
        kind = "bad" if text.startswith("FAILED") else ""
        yield from out.folded(head, len(head), text, kind)
