"""``smolctl why``: why a packet goes the way it goes, or does not."""

from collections.abc import Iterator
from typing import Any

import click

from smolctl.cli import exit as exits
from smolctl.cli.nouns import pmtudisc, why_path
from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Verb
from smolctl.cli.words.endpoint import endpoint, has_port
from smolctl.cli.words.grammar import Args, Place, Word, option

Row = dict[str, Any]
_ANY = ("any", "-")
"""Words for a source that the stack is to choose."""


_OTHERS_SHOWN = 4
"""Routes of the table main that do not hold the destination, of which so many are shown."""


_STEP = 20
"""Columns in front of what is said about a step."""
_RESULTS = {"ok": "good", "pick": "good", "skip": "quiet", "drop": "bad", "reject": "bad"}
"""Colours of what came of a step; the rest had to wait, or is only noted."""


def render(row: Row, out: Output) -> Iterator[str]:
    """Yield a headline, one line a step, and verdict, why and fix.

    With ``-v`` every route is shown that does not hold the destination.
    """
    tags = [f"id {row['id']}"] if "id" in row else []
    tags += [_places(row)] if "dev" in row else []
    tags += [row["kind"]] if row["kind"] == "predicted" else []
    yield f"{row['summary']}   {'  '.join(tags)}".rstrip()
    yield from tell(row, out)


def _places(row: Row) -> str:
    """Return the interface; of a packet that goes on to another one, both."""
    came, dev = row.get("iif", row["dev"]), str(row["dev"])
    return dev if came == dev else f"{came} > {dev}"


def tell(row: Row, out: Output, *, short: bool = False) -> Iterator[str]:
    """Yield what comes below the headline.

    Args:
        short: why and fix only when there is a reason, or where to look.
    """
    if "cause" in row:
        number = f" (id {row['cause']['id']})" if "id" in row["cause"] else ""
        yield f"because of: {row['cause']['summary']}{number}"
    steps = row["steps"] if out.options.verbose else _without_others(row["steps"])
    yield from _steps(steps, row.get("reason"), out)
    kind = "wait" if "reason" in row else "good"
    yield from out.labelled("verdict", row["verdict"], kind if row["ok"] else "bad")
    if not short or "reason" in row or "look" in row:
        yield from out.labelled("why", row["why"])
        yield from what_helps(row, out)


def what_helps(row: Row, out: Output) -> Iterator[str]:
    """Yield the commands that are proven to help, a line each, or where to look."""
    for number, command in enumerate(row["fix"]):
        yield from out.labelled("or" if number else "fix", command, "good")
    if not row["fix"] and "look" in row:
        yield from out.labelled("look", row["look"])
    elif not row["fix"]:
        yield from out.labelled("fix", "nothing to fix")


def _without_others(steps: list[Row]) -> list[Row]:
    """Return the steps, with most of the routes that do not hold the address made one line."""
    others = [step for step in steps if step.get("cause") == "prefix"]
    shown = [step["n"] for step in others if "type" not in step][:_OTHERS_SHOWN]
    hidden = [step["n"] for step in others if step["n"] not in shown]
    if len(hidden) < 2:
        return steps
    text = f"{len(hidden)} others do not hold the address (-v shows them)"
    last = others[-1]["n"]
    before = [step for step in steps if step["n"] <= last and step["n"] not in hidden]
    after = [step for step in steps if step["n"] > last]
    return [*before, {**others[-1], "text": text}, *after]


def _steps(steps: list[Row], blamed: str | None, out: Output) -> Iterator[str]:
    """Yield one line a step; what the "why" line below says is not said twice."""
    number, last = 0, ""
    for step in steps:
        stage = step["stage"]
        head = " " * 13
        if stage != last:
            number, last = number + 1, stage
            head = f"{number:>3} {stage:<8} "
        text = blamed if blamed is not None and step.get("reason") == blamed else step["text"]
        kind = _RESULTS.get(step["result"], "wait")
        result = out.paint(kind, step["result"]) + " " * (6 - len(step["result"]))
        plain = kind == "good" or ("reason" not in step and kind != "quiet")
        lines = out.folded(f"{head}{result} ", _STEP, text, "" if plain else kind)
        yield from (line.rstrip() for line in lines)


def render_list(rows: list[Row], out: Output) -> Iterator[str]:
    """Yield a table of packets."""
    cells = [
        [row["id"], row["dir"], row.get("dev", ""), row["summary"], row["verdict"]] for row in rows
    ]
    yield from aligned(
        cells, ("ID", "DIR", "DEV", "PACKET", "VERDICT"), right=(0,), width=out.width
    )


def _show(session: Session, row: Row) -> int:
    if session.options.json:
        session.out.document(row)
    else:
        session.out.lines(render(row, session.out))
    return exits.DONE if row["ok"] else exits.NO


def _predict(proto: str) -> Any:
    def run(session: Session, args: Args) -> int:
        request: dict[str, Any] = {"proto": proto, **pmtudisc.chosen(args)}
        src, dst = request.pop("from", None), request.pop("to", None)
        if dst is None:
            src, dst = None, src
        if proto in ("udp", "tcp"):
            if src is not None and has_port(src):
                src, request["sport"] = endpoint(src)
            address, port = endpoint(dst)
            dst, request["dport"] = (address, port or None) if address else (dst, None)
        if src not in (None, *_ANY):
            request["src"] = src
        request = {key: value for key, value in request.items() if value is not None}
        if why_path.wanted(request):
            return why_path.show(session, {**request, "dst": dst})
        return _show(session, session.call("why.ask", dst=dst, **request)[0])

    return run


def _past(session: Session, args: Args) -> int:
    return _show(session, session.call("why.show", **args)[0])


def _list(session: Session, _args: Args) -> None:
    rows = session.call("why.list")
    if session.options.json:
        session.out.document(rows)
    else:
        session.out.lines(render_list(rows, session.out))


_ASKING = ("arp", "nd")
"""Questions for a MAC address, which have no payload and go to all."""


_TOS = Word(("tos", "dsfield"), "type of service, hexadecimal, as rules select it", "TOS")


_MARK = Word(("mark",), "mark of the packet, as rules select it with fwmark", "MARK")
_UID = Word(("uid",), "the user who sends it, as rules select it with uidrange", "NUMBER")
_TTL = Word(("ttl",), "time to live, as ping -t has it", "HOPS")


def _asked(proto: str, what: str, port: str, *examples: str) -> Verb:
    return Verb(
        f"why {proto}",
        f"predict what would happen to {what}",
        _predict(proto),
        (
            Place(
                "from",
                f"SRC{port and '[:PORT]'}",
                'the sender; "any" (the default) is the address that the stack would choose',
                complete="addr",
                values=("any",),
            ),
            Place("to", f"DST{port}", "the destination", False, complete="host"),
            Word(("dev",), "the interface through which it must leave", "DEVICE", complete="link"),
            Word(("iif",), "it comes in through this interface", "DEVICE", complete="link"),
            _MARK,
            _UID,
            *(
                ()
                if proto in _ASKING
                else (_TOS, _TTL, option("size", "bytes of payload (0)", "BYTES"))
            ),
            *(() if proto in _ASKING else pmtudisc.OPTIONS),
            *((option("broadcast", "allow a broadcast address"),) if proto not in _ASKING else ()),
            *(why_path.OPTIONS if proto not in _ASKING else ()),
        ),
        examples,
        "Nothing is sent and nothing changes. If DST is an address of this stack and SRC is not,"
        " the packet comes in through the interface with that address, unless iif names another."
        " The exit status is 0 if the packet, and the answer that it asks for, would be sent or"
        " delivered, or would wait, and 1 if one of them would be dropped or refused. A fix is"
        " tried on a copy of the stack before it is printed."
        + ("" if proto in _ASKING else why_path.NOTES),
    )


class Why(Noun):
    """The noun; a number after it is the id of a packet."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take ``why 412`` for ``why show 412``."""
        if args[0].isdecimal():
            args = ["show", *args]
        return super().resolve_command(ctx, args)


COMMAND = Why(
    "why",
    "Explain what would happen to a packet, or what happened",
    (
        _asked(
            "udp",
            "a datagram",
            ":PORT",
            "smolctl why udp 127.0.0.1:34254 127.0.0.2:34254",
            "smolctl why udp any 8.8.8.8:53",
            "smolctl why udp [fe80::2%tap0]:53",
            "smolctl why udp 10.0.0.2:5000 10.0.0.1:7 iif tap0",
            "smolctl why udp any 8.8.8.8:53 tos 0x10",
            "smolctl why udp default 10.0.0.2:53 --path",
        ),
        _asked(
            "tcp",
            "a connection attempt",
            ":PORT",
            "smolctl why tcp any 127.0.0.1:8080",
            "smolctl why tcp any 10.0.0.2:22",
            "smolctl why tcp 10.0.0.9:5000 10.0.0.1:7 iif tap0",
            "smolctl why tcp any 10.0.0.2:80 --path --stacks default,peer",
        ),
        _asked(
            "icmp",
            "an echo request (ping)",
            "",
            "smolctl why icmp 10.0.0.1 8.8.8.8",
            "smolctl why icmp 8.8.8.8 --size 1473 --df",
            "smolctl why icmp fe80::2%tap0",
            "smolctl why icmp 10.0.0.1 8.8.8.8 --path",
            "smolctl why icmp any 10.3.0.1 --config lab.conf",
        ),
        _asked(
            "arp",
            "an ARP request",
            "",
            "smolctl why arp 10.0.0.1 10.0.0.2",
            "smolctl why arp 99.9.9.9 10.0.0.1 iif tap0",
        ),
        _asked(
            "nd",
            "a neighbor solicitation of IPv6",
            "",
            "smolctl why nd fe80::2%tap0",
        ),
        Verb(
            "why last",
            "show what happened to the last packet sent by hand",
            _past,
            examples=("smolctl why last", "smolctl -j why last"),
            notes="Packets of udp send, ping and arping count as sent by hand. If there was none,"
            " it is the last packet that was dropped, refused or delayed.",
        ),
        Verb(
            "why show",
            "show what happened to a packet",
            _past,
            (
                Place(
                    "id",
                    "ID",
                    "its number, as shown by monitor, trace and udp send",
                    complete="packet",
                ),
            ),
            examples=("smolctl why 412", "smolctl why show 412"),
            notes="The stack remembers the last 1024 packets that were dropped, refused, delayed"
            " or sent by hand.",
        ),
        Verb(
            "why list",
            "list the remembered packets",
            _list,
            examples=("smolctl why list", "smolctl -j why list"),
        ),
    ),
    default="last",
    aliases={"list": "list", "ls": "list"},
)
