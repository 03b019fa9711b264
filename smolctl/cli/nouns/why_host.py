"""``smolctl why ... --host``: the Linux host's own packets, predicted, named and fixed."""

import os
from collections.abc import Iterator
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import why_text
from smolctl.cli.output import Output
from smolctl.cli.session import Patience, Session
from smolctl.cli.words.grammar import Args, UsageFault, Word, option

Row = dict[str, Any]

HOST = option("host", "ask about the Linux host's own network; no stack is asked or started")
CHECK = option(
    "check",
    "with --host: ask the kernel, too, and show where it answers otherwise; as root, also by a real"
    " packet in a throw-away copy of the namespace",
)
NETNS = Word(
    ("netns",),
    "with --host: of this network namespace, by its name or path; that needs root",
    "NETNS",
    complete="netns",
)
OPTIONS: tuple[Word, ...] = (HOST, NETNS, CHECK)
NOTES = (
    " With --host it is about the Linux kernel's packets: its configuration is read, which needs no"
    " root and changes nothing, and a stack that is made like it is asked. Fixes are commands of ip"
    " and sysctl. What was not looked at and could change the answer is named, such as a packet"
    " filter; where it decides, nobody can say, and the exit status is 4. --check asks the kernel"
    " for the packet's route, too, and as root has a real packet sent in a throw-away copy of the"
    " namespace."
)
"""Part of the help of a command."""


def wanted(args: Args) -> bool:
    """Tell whether a question is about the Linux host.

    Raises:
        UsageFault: words that are about it alone stand without --host.
    """
    if args.get("host"):
        return True
    for word in (NETNS, CHECK):
        if args.get(word.name):
            raise UsageFault(f"{word.names[-1]} is about the Linux host", hint="say so: --host")
    return False


def show(session: Session, request: Row) -> int:
    """Answer a question about the host.

    Args:
        request: as ``why.ask`` has it, with the words of ``OPTIONS``.
    """
    from smolctl.host import question, reading  # 0.1 s that no other command need spend

    request = {key: value for key, value in request.items() if key != "host"}
    netns, check = request.pop("netns", None), request.pop("check", False)
    if session.options.named:
        raise UsageFault(
            "--host asks no stack", hint=f"leave out --host, or --stack {session.options.stack}"
        )
    words = session.options.asked(request)
    with Patience(session.out, "the kernel"):
        host = question.Host(reading.read(netns), netns)
        asked = host.question({"uid": os.getuid(), **words})
        row = host.answer(asked, check=bool(check))
    if session.options.json:
        session.out.document(row)
    else:
        session.out.lines(render(row, session.out))
    return exits.UNKNOWN if row["ok"] is None else exits.DONE if row["ok"] else exits.NO


def render(row: Row, out: Output) -> Iterator[str]:
    """Yield what ``why`` says, and what it was not looked at for."""
    yield from why_text.render(row, out)
    if "underlay" in row:
        below = row["underlay"]
        yield f"the underlay: {below['summary']}"
        yield from why_text.tell(below, out, short=True)
    if "check" in row:
        yield from _check(row["check"], out)
    for number, text in enumerate(row.get("not_looked_at", ())):
        head = out.paint("label", "not looked at:") + " "
        yield from out.folded(head if not number else " " * 15, 15, text, "wait")
    if "trace" in row:
        yield from out.labelled("trace", row["trace"])


def _check(check: Row, out: Output) -> Iterator[str]:
    for each in check["asked"]:
        kind = "good" if each["same"] else "bad"
        here = "" if each["same"] else f", and here {each['twin']}"
        text = f"{each['kernel']}{here} ({each['command']})"
        yield from out.labelled("kernel", text, kind)
    if not check["asked"]:
        yield from out.labelled("kernel", check["why"])
    copy = check.get("copy")
    if copy is None:
        return
    if "why" in copy:
        yield from out.labelled("packet", f"none was sent in a copy: {copy['why']}")
    else:
        here = "" if copy["same"] else f", and here: {copy['twin']}"
        text = f"{copy['kernel']}{here} (a real one, in a throw-away copy)"
        yield from out.labelled("packet", text, "good" if copy["same"] else "bad")
