"""``smolctl why``: why a packet goes the way it goes, or does not."""

from typing import TYPE_CHECKING, Any

import click

from smolctl.cli import exit as exits
from smolctl.cli.nouns import pmtudisc, why_host, why_path
from smolctl.cli.nouns.why_text import render, render_list
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Verb
from smolctl.cli.words.endpoint import endpoint, has_port
from smolctl.cli.words.grammar import Args, Place, UsageFault, Word, option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Row = dict[str, Any]
_ANY = ("any", "-")
"""Words for a source that the stack is to choose."""


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
        if why_host.wanted(request):
            if why_path.wanted(request):
                raise UsageFault("--host and --path cannot be used together", hint="one of them")
            return why_host.show(session, {**request, "dst": dst})
        if why_path.wanted(request):
            return why_path.show(session, {**request, "dst": dst})
        return _show(session, session.call("why.ask", dst=dst, **request)[0])

    return run


_LIKE = "smolctl why --host udp any 8.8.8.8:53"


def _of_stacks(args: Args) -> None:
    if args.pop("host", False):
        raise UsageFault(
            "why last, show and list are about packets of a stack, and the host tells of none",
            hint=_LIKE,
        )


def _past(session: Session, args: Args) -> int:
    _of_stacks(args)
    return _show(session, session.call("why.show", **args)[0])


def _list(session: Session, args: Args) -> None:
    _of_stacks(args)
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
_DMAC = Word(
    ("dmac",), "what comes in is in a frame to this MAC address; usually to the interface's", "MAC"
)
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
            _DMAC,
            *(
                ()
                if proto in _ASKING
                else (_TOS, _TTL, option("size", "bytes of payload (0)", "BYTES"))
            ),
            *(() if proto in _ASKING else pmtudisc.OPTIONS),
            *((option("broadcast", "allow a broadcast address"),) if proto not in _ASKING else ()),
            *(why_path.OPTIONS if proto not in _ASKING else ()),
            *why_host.OPTIONS,
        ),
        examples,
        "Nothing is sent and nothing changes. If DST is an address of this stack and SRC is not,"
        " the packet comes in through the interface with that address, unless iif names another."
        " The exit status is 0 if the packet, and the answer that it asks for, would be sent or"
        " delivered, or would wait, and 1 if one of them would be dropped or refused. A fix is"
        " tried on a copy of the stack before it is printed."
        + ("" if proto in _ASKING else why_path.NOTES)
        + why_host.NOTES,
    )


_NO_HOST = why_host.HOST.but(hidden=True)


class Why(Noun):
    """The noun; a number after it is the id of a packet, and --host may stand before the verb."""

    def read(self, ctx: click.Context, words: list[str]) -> list[str]:
        """Read the options before the verb; those about the host are the verb's, behind it."""
        return super().read(ctx, self._behind(words, ctx.resilient_parsing))

    def _behind(self, words: list[str], completing: bool) -> list[str]:
        """Return the words with those about the host behind the verb.

        Raises:
            UsageFault: there is no verb.
        """
        first, moved, at = list[str](), list[str](), 0
        while at < len(words) and words[at][:1] == "-":
            word = words[at]
            if word == "--netns":
                moved += words[at : at + 2]
                at += 2
            elif word in ("--host", "--check") or word.startswith("--netns="):
                moved.append(word)
                at += 1
            else:
                first.append(word)
                at += 1
        if not moved:
            return words
        if at >= len(words) and completing:
            return first
        if at >= len(words):
            raise UsageFault("why --host needs a question: udp, tcp, icmp, arp or nd", hint=_LIKE)
        return [*first, words[at], *moved, *words[at + 1 :]]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the verbs and options that may come next, those about the host among them."""
        from click.shell_completion import CompletionItem  # no command need load it

        found = super().shell_complete(ctx, incomplete)
        for word in why_host.OPTIONS if incomplete[:1] == "-" else ():
            name = f"--{word.words[0]}"
            if name.startswith(incomplete):
                found.append(CompletionItem(name, help=str(word.help)))
        return found

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
            "smolctl why --host udp any 8.8.8.8:53",
            "smolctl why --host --netns lab udp 10.1.2.5:9 10.2.2.5:53 iif v0",
        ),
        _asked(
            "tcp",
            "a connection attempt",
            ":PORT",
            "smolctl why tcp any 127.0.0.1:8080",
            "smolctl why tcp any 10.0.0.2:22",
            "smolctl why tcp 10.0.0.9:5000 10.0.0.1:7 iif tap0",
            "smolctl why tcp any 10.0.0.2:80 --path --stacks default,peer",
            "smolctl why --host tcp 10.0.0.9:5000 10.0.0.1:22 iif eth0",
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
            "smolctl why --host icmp any 10.0.0.2 --size 1473 --df",
        ),
        _asked(
            "arp",
            "an ARP request",
            "",
            "smolctl why arp 10.0.0.1 10.0.0.2",
            "smolctl why arp 99.9.9.9 10.0.0.1 iif tap0",
            "smolctl why --host arp 10.0.0.9 10.0.0.1 iif eth1",
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
            (_NO_HOST,),
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
                _NO_HOST,
            ),
            examples=("smolctl why 412", "smolctl why show 412"),
            notes="The stack remembers the last 1024 packets that were dropped, refused, delayed"
            " or sent by hand.",
        ),
        Verb(
            "why list",
            "list the remembered packets",
            _list,
            (_NO_HOST,),
            examples=("smolctl why list", "smolctl -j why list"),
        ),
    ),
    default="last",
    aliases={"list": "list", "ls": "list"},
)
