"""``smolctl why ... --path``: a packet's way through several stacks, and its answer's way back."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import path_stacks
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.grammar import Args, UsageFault, Word, option

Row = dict[str, Any]

OPTIONS: tuple[Word, ...] = (
    option(
        "path",
        "follow it through all stacks that its cables lead to, and the answer back;"
        " SRC may be the name of a stack, or NAME@ADDRESS",
    ),
    *path_stacks.OPTIONS,
)
NOTES = (
    " With --path the packet is followed through your stacks as they are now, in a copy of each: to"
    " the host that has DST, and its answer back. Of UDP the answer is the datagram that a program"
    " would send that sends back what it gets. The verdict names the stack where it breaks, and a"
    " fix the stack that it is for: it is made on a copy of that stack, and all is asked again;"
    ' what breaks behind it is told as "then". The exit status is 0 if the answer comes back, 1 if'
    " not, and 4 if it cannot be said, since the packet leaves your stacks: for the Linux kernel by"
    " a TAP, for example. A stack of --config is named like its file."
)
"""Part of the help of a command."""
_ROUNDS_SHOWN = 2
"""Rounds of a loop that are shown."""
_RESULTS = {"ok": "good", "drop": "bad", "reject": "bad"}


def wanted(args: Args) -> bool:
    """Tell whether a question is about a path."""
    return any(args.get(word.name) for word in OPTIONS)


def show(session: Session, request: Row) -> int:
    """Answer a question about a path.

    Args:
        request: as ``why.ask`` has it, with the words of ``OPTIONS``.
    """
    from smolctl.path.ask import ask  # 60 ms that no other command need spend

    request.pop("path", None)
    chosen = path_stacks.chosen(request)
    if "iif" in request:
        raise UsageFault(
            "iif and --path cannot be used together", hint="name the stack that sends it as SRC"
        )
    stack = session.options.stack if session.options.named or chosen.live else ""
    net = path_stacks.network(session, chosen)
    row = ask(net, session.options.asked(request), stack)
    if session.options.json:
        session.out.document(row)
    else:
        session.out.lines(render(row, session.out))
    return exits.UNKNOWN if row["outcome"] == "outside" else exits.DONE if row["ok"] else exits.NO


# --- the answer -----------------------------------------------------------------------------------


def render(row: Row, out: Output) -> Iterator[str]:
    """Yield the story, one line a node, and verdict, why and fix.

    With ``-v`` the questions for MAC addresses, and each step at a node, are shown, too.
    """
    yield f"{row['summary']}   {' > '.join(row['path'].get('packet', []))}  predicted"
    yield from _story(row, out)
    kind = "wait" if row["outcome"] == "outside" else "good" if row["ok"] else "bad"
    yield from out.labelled("verdict", row["verdict"], kind)
    yield from out.labelled("why", row["why"])
    yield from _help(row, out, bool(row.get("then")))
    for then in row.get("then", ()):
        yield from out.labelled("then", f"{then['verdict']}: {then['why']}", "wait")
        yield from _help(then, out, True)


def _help(row: Row, out: Output, more: bool) -> Iterator[str]:
    for number, command in enumerate(row["fix"]):
        yield from out.labelled("or" if number else "fix", command, "good")
    if not row["fix"] and "look" in row:
        yield from out.labelled("look", row["look"])
    elif not row["fix"] and not more:
        yield from out.labelled("fix", "nothing to fix")


def _story(row: Row, out: Output) -> Iterator[str]:
    width = max(len(each["node"]) for each in row["story"])
    rounds: Counter[tuple[str, str]] = Counter()
    leg, hidden = "packet", 0
    for number, each in enumerate(row["story"], 1):
        if each["leg"] == "aside" and not out.options.verbose:
            continue
        key = each["node"], each["text"]
        rounds[key] += 1
        if rounds[key] > _ROUNDS_SHOWN:
            hidden += 1
            continue
        if hidden:
            yield f"      ... and so on, {hidden} more times"
            hidden = 0
        if each["leg"] != leg:
            leg = each["leg"]
            yield "beside it:" if leg == "aside" else f"{leg}: {each['summary']}"
        kind = _RESULTS.get(each["result"], "wait")
        result = out.paint(kind, each["result"]) + " " * (6 - len(each["result"]))
        times = f" ({each['count']} times)" if "count" in each else ""
        head = f"{number:>3} {each['node']:<{width}} {result} "
        yield from out.folded(head, width + 12, f"{each['text']}{times}{_late(each)}", "")
        if out.options.verbose:
            for step in each["steps"]:
                said = f"{step['stage']:<8} {step['result']:<6} {step['text']}"
                yield from out.folded(" " * (width + 12), width + 28, said, "quiet")


def _late(row: Row) -> str:
    """Return when it happened, if that was long after the beginning."""
    return f", after {row['ms'] / 1000:.1f} s" if row["ms"] >= 100 else ""
