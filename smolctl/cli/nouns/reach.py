"""``smolctl reach``: who reaches whom among several stacks, and the reason where not."""

from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import path_stacks
from smolctl.cli.nouns.progress import Progress
from smolctl.cli.nouns.reach_text import render
from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, UsageFault, Word, option
from smolctl.counted import counted

Row = dict[str, Any]


def _run(session: Session, args: Args) -> int:
    from smolctl.path.reach import places, reach  # 60 ms that no other command need spend
    from smolctl.path.reach_tell import tell
    from smolctl.wire.address import IPV4, IPV6

    asked = _asked(args)
    chosen = path_stacks.chosen(args)
    net = path_stacks.network(session, chosen)
    family = IPV6 if session.options.family == IPV6.name else IPV4
    there = places(net, family, every=bool(args.get("addresses")))
    progress = Progress(session)

    def told(rows: int) -> None:
        progress.show(f"{rows} of {counted(len(there), 'row')}, {len(there) - 1} questions each")

    try:
        matrix = reach(net, asked, there, told)
    finally:
        progress.clear()
    row = tell(matrix, path_stacks.words(chosen))
    if session.options.json:
        session.out.document(row)
    else:
        session.out.lines(render(row, session.out))
    if row["reached"] + row["unknown"] < row["pairs"]:
        return exits.NO
    return exits.UNKNOWN if row["unknown"] else exits.DONE


def _asked(args: Args) -> Any:
    """Return what each stack sends to each other one.

    Raises:
        UsageFault: a port is none, or both protocols are named.
    """
    from smolctl.path.reach import Asked

    named = [proto for proto in ("icmp", "udp", "tcp") if proto in args]
    if len(named) > 1:
        raise UsageFault(f"reach asks one question: {' and '.join(named)} cannot be used together")
    if named in ([], ["icmp"]):
        return Asked("icmp")
    text = args[named[0]]
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise UsageFault(
            f'reach {named[0]}: "{text}" is not a port (1 to 65535)',
            hint=f"smolctl reach {named[0]} 53",
        )
    return Asked(named[0], int(text))


COMMAND = Verb(
    "reach",
    "show who reaches whom among several stacks, and why not",
    _run,
    (
        Word(("icmp",), "send an echo request: what is asked unless you say something else"),
        Word(("udp",), "send a datagram to this port, not an echo request", "PORT"),
        Word(("tcp",), "open a connection to this port, not an echo request", "PORT"),
        option("addresses", "compare all addresses of each stack, not the first one"),
        *path_stacks.OPTIONS,
    ),
    examples=(
        "smolctl reach udp 53",
        "smolctl reach --stacks default,peer",
        "smolctl reach tcp 80 --stacks default,peer",
        "smolctl -6 reach --addresses --stacks default,peer",
        "smolctl reach --lab asymmetric-routes",
        "smolctl -j reach --stacks default,peer",
    ),
    notes="Without words it is about all stacks that run, and about echo requests. Nothing is sent:"
    " each pair is a question of smolctl why --path, asked of copies of the stacks as they are now."
    " A stack is asked for its first address that others can use. Stacks that nothing tells apart"
    " share a row and a column. + works, and a letter is a reason, listed below with a command that"
    " tells all about one such pair. Of UDP, a program that sends back what it gets would answer."
    " 100 stacks are 9,900 questions, and take half a minute. The exit status is 0 if all reach"
    " all, 1 if not, and 4 if it cannot be said of some pairs, since packets leave your stacks.",
)
