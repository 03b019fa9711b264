"""``smolctl arping``: ARP requests, with the text of iputils and the options of both arpings."""

from functools import partial
from typing import NamedTuple

from smolctl.cli import exit as exits
from smolctl.cli.nouns import stream
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, Place, UsageFault, Word, option

_NO_END = "1000000000"
_MODES = {"dad": "dad", "announce": "announce-request", "answer": "announce-reply"}


class Probe(NamedTuple):
    """A command that asks on a link who has an address.

    Attributes:
        name: of the command, which is that of the operation.
        casts: key and word of the probes to everybody.
        nobody: source address of a test.
        modes: what the options that choose a mode stand for.
    """

    name: str
    casts: str
    cast: str
    nobody: str
    modes: dict[str, str]


_ARPING = Probe(
    "arping",
    "broadcasts",
    "broadcast",
    "0.0.0.0",
    {"dad": "dad", "announce": "announce-request", "answer": "announce-reply"},
)


def reply(event: Event, cast: str = "broadcast") -> str:
    """Return the line about one reply (iputils recv_pack)."""
    how = "Unicast" if event["unicast"] else cast.capitalize()
    time = stream.milliseconds(event["rtt_ns"])
    router = " router" if event.get("router") else ""
    return f"{how} reply from {event['from']} [{event['lladdr'].upper()}]{router}  {time}ms"


def summary(done: Event, probe: Probe = _ARPING) -> list[str]:
    """Return the last lines: iputils' two, and ping's third."""
    lines = [
        f"Sent {done['sent']} probes ({done[probe.casts]} {probe.cast}(s))",
        f"Received {done['received']} response(s)",
    ]
    if "rtt_ns" in done:
        lines.append(stream.rtt_line(done["rtt_ns"]))
    return lines


def request(args: Args, probe: Probe = _ARPING) -> Args:
    """Turn the options into the arguments of the request.

    Raises:
        UsageFault: two of -D, -U and -A.
    """
    modes = [word for word in probe.modes if args.pop(word, False)]
    if len(modes) > 1:
        raise UsageFault(f"{probe.name}: --{modes[0]} and --{modes[1]} cannot be used together")
    if args.get("src") == probe.nobody and modes in ([], ["dad"]):
        # The sender address of a probe (RFC 5227 2.1.1, RFC 4862 5.4.2) is what a test has.
        del args["src"]
        if not modes:
            args |= {"replies": args.get("replies", _NO_END), "count": args.get("count", _NO_END)}
            modes = ["dad"]
    if modes:
        args["mode"] = probe.modes[modes[0]]
    return args


def run(probe: Probe, session: Session, args: Args) -> int:
    """Ask, and print what comes."""
    quiet = args.pop("quiet", False) or session.options.quiet
    only_mac, only_address = args.pop("raw", False), args.pop("raw_address", False)
    asked = "dad" not in args
    args = request(args, probe)
    out = session.out
    terse = quiet or only_mac or only_address

    def start(event: Event) -> None:
        if not terse:
            out.line(f"{probe.name.upper()} {event['dst']} from {event['src']} {event['dev']}")

    def answered(event: Event) -> None:
        if only_mac or only_address:
            out.line(event["lladdr"] if only_mac else event["from"])
        elif not quiet:
            out.line(reply(event, probe.cast))

    handlers: stream.Handlers = {"start": start, "reply": answered}
    done = stream.run(session, f"{probe.name}.run", args, handlers)
    if not session.options.json and not terse:
        out.lines(summary(done, probe))
        out.flush()
    owners = done.get("owners", ())
    if owners and not session.options.json and not quiet:
        found = ", ".join(owners)
        out.failure(f"{len(owners)} stations say that they have {args['dst']}: {found}")
    if asked and args.get("mode") == "dad":
        return exits.DONE if done["received"] else exits.NO
    status = exit_status(done, args.get("mode", "request"))
    if status != exits.DONE and not quiet:
        stream.explain(session, done)
    return status


def exit_status(done: Event, mode: str) -> int:
    """Return the exit status; an address that nobody was asked about is not free."""
    if mode == "dad" and not done["sent"]:
        return exits.FIX
    return exits.DONE if done["ok"] else exits.NO


LIMITS = (
    option("count", "stop after this many requests", "N", short="c"),
    option("replies", "stop after this many replies", "N", short="C"),
    option("deadline", "stop after this time", "SECONDS", short="w"),
    option("wait", "wait this long for each reply", "SECONDS", short="W"),
    option("interval", "time between requests (1)", "SECONDS", short="i"),
    Word(("dev",), "interface", "DEVICE", short="I", complete="link"),
    option("src", "source address, one of the stack's", "ADDR", short="s", complete="addr"),
    option("first", "stop at the first reply", short="f"),
    option(
        "dad", "test whether DST is taken; exit with 0: free, 1: taken, 2: could not ask", short="D"
    ),
)
PRINTS = (
    option("quiet", "write nothing", short="q"),
    option("raw", "print only the link address of each reply", short="r"),
    option("raw-address", "print only the address of each reply", short="R"),
)
_OPTIONS = (
    *LIMITS,
    option("announce", "announce DST with a request (gratuitous ARP)", short="U"),
    option("answer", "announce DST with a reply", short="A"),
    option("broadcast", "always broadcast, not only until the first reply", short="b"),
    *PRINTS,
)

COMMAND = Verb(
    "arping",
    "ask a neighbor for its link address (ARP)",
    partial(run, _ARPING),
    (Place("dst", "DST", "address of the neighbor", complete="neigh"), *_OPTIONS),
    examples=(
        "smolctl arping -c 3 10.0.0.2",
        "smolctl arping -D -c 2 -I tap0 10.0.0.1",
        "smolctl arping -r -f 10.0.0.2",
        "smolctl -j arping -c 1 10.0.0.2",
    ),
    notes="The output is that of arping from iputils, plus ping's line of round-trip times."
    " SIGINT stops it and prints the summary.",
    kind="probe",
)
