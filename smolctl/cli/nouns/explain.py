"""``smolctl explain``: the page of a reason, from the table itself; no daemon is asked."""

from collections.abc import Iterator
from textwrap import fill, wrap
from typing import Any

from smolctl.cli.nouns.stats import COLORS
from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, Place, UsageFault, option
from smolctl.errors import SmolctlError
from smolctl.near import near
from smolctl.stack.reason import MEANINGS, REASONS, Reason, generic

_WIDTH = 80


def _run(session: Session, args: Args) -> None:
    names = args.get("name", [])
    if args.get("list") and names:
        raise UsageFault("explain: --list takes no names", hint="smolctl explain --list")
    chosen = [_find(name) for name in dict.fromkeys(names)]
    out = session.out
    if session.options.json:
        rows = [row(reason) for reason in chosen or REASONS.values()]
        out.document(rows[0] if len(chosen) == 1 else rows)
    elif chosen:
        for number, reason in enumerate(chosen):
            out.lines([""] * (number > 0))
            out.lines(page(reason, out))
    else:
        cells = [[r.name, r.kind.value, r.layer, r.summary] for r in REASONS.values()]
        out.lines(aligned(cells, ("REASON", "CLASS", "LAYER", "MEANING"), width=out.width))


def _find(name: str) -> Reason:
    reason = REASONS.get(name.lower())
    if reason is None:
        guess = near(name, REASONS)
        hint = f"smolctl explain {guess}" if guess else "smolctl explain --list"
        raise SmolctlError(f'there is no reason "{name}"', hint=hint, code="not-found")
    return reason


def row(reason: Reason) -> dict[str, Any]:
    """Return what ``--json`` shows of a reason; words in capitals stand for what a packet had."""
    shown: dict[str, Any] = {
        "name": reason.name,
        "class": reason.kind.value,
        "layer": reason.layer,
        "source": reason.source,
        "linux": reason.linux,
        "summary": reason.summary,
        "explanation": reason.explanation,
        "why": generic(_whole(reason)),
        "fix": [generic(fix) for fix in reason.fix_templates],
        "look": generic(reason.advice_template),
    }
    if reason.causes:
        shown["causes"] = [
            {"cause": cause, "text": generic(text).strip(" ,;:")}
            for cause, text in reason.causes.items()
        ]
    return {key: value for key, value in shown.items() if value not in ("", "-")}


def _whole(reason: Reason) -> str:
    """Return the why line; what is said only when it is known stands in brackets."""
    first, *more = reason.why_template
    return first + "".join(f"[{part}]" for part in more)


def page(reason: Reason, out: Output) -> Iterator[str]:
    """Yield the lines of a reason's page."""
    shown = row(reason)
    width = min(_WIDTH, out.width or _WIDTH)
    yield f"{out.paint(COLORS.get(reason.kind.value, 'wait'), reason.name)} - {reason.summary}"
    yield ""
    yield f"  class:   {reason.kind.value} ({MEANINGS[reason.kind]})"
    for key in ("layer", "source", "linux"):
        if key in shown:
            yield f"  {key + ':':8} {shown[key]}"
    yield ""
    yield from fill(reason.explanation, width).splitlines()
    yield ""
    yield from _labelled("why", shown["why"], width, out)
    for number, each in enumerate(shown.get("causes", ())):
        label = "or" if number else "cause"
        yield from _labelled(label, f"{each['cause']}: {each['text']}", width, out)
    for number, fix in enumerate(shown["fix"]):
        # Not wrapped: it is there to be copied.
        yield from out.labelled("or" if number else "fix", fix, "good")
    if "look" in shown:
        yield from _labelled("look", shown["look"], width, out)


def _labelled(label: str, text: str, width: int, out: Output) -> Iterator[str]:
    indent = " " * 9
    first, *more = wrap(
        text, width, initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    yield from out.labelled(label, first.lstrip())
    yield from more


COMMAND = Verb(
    "explain",
    "explain what a reason means, and what helps",
    _run,
    (
        Place("name", "NAME", "the reason", False, complete="reason", many=True),
        option("list", "list all reasons (the default without a name)"),
    ),
    examples=(
        "smolctl explain tx-no-route",
        "smolctl explain neigh-failed arp-target-not-ours",
        "smolctl explain --list",
        "smolctl -j explain --list",
    ),
    notes="Words in capitals stand for values of a packet; smolctl why shows the real ones. No"
    " stack is needed or started. For trouble with the machine instead of a packet, use"
    " smolctl doctor.",
)
