"""``smolctl traceroute``: the hops on the way to a host, with the text of traceroute."""

from smolctl.cli import exit as exits
from smolctl.cli.nouns import stream
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.endpoint import zoned
from smolctl.cli.words.grammar import Args, Place, Word, option


def heading(event: Event) -> str:
    """Return the first line, without its end (traceroute print_header)."""
    return (
        f"traceroute to {event['dst']} ({event['dst']}), {event['max_hops']} hops max,"
        f" {event['bytes']} byte packets"
    )


class Lines:
    """Writes the words of one probe after the other (traceroute print_probe).

    Args:
        numeric: say an address once; names are never looked up, so that it is its own name.
        extensions: say what routers add to their answers.
    """

    def __init__(self, numeric: bool, extensions: bool = False) -> None:
        self._numeric, self._extensions = numeric, extensions
        self._last: tuple[str, str] | None = None

    def words(self, event: Event) -> str:
        """Return what is written for a probe; a hop's first begins its line."""
        text = ""
        if event["probe"] == 1:
            self._last = None
            text = f"\n{event['hop']:2} "
        who = zoned(event, "from") if "from" in event else None
        extensions = event.get("extensions", ()) if self._extensions else ()
        added = "/".join(each["text"] for each in extensions)
        if who is None:
            text += " *"
        elif (who, added) != self._last:
            text += f" {who}" if self._numeric else f" {who} ({who})"
            text += f" <{added}>" if added else ""
            self._last = who, added
        if "rtt_ns" in event:
            text += f"  {event['rtt_ns'] / 1e6:.3f} ms"
        return text + (f" {event['mark']}" if "mark" in event else "")


def _run(session: Session, args: Args) -> int:
    lines = Lines(args.pop("numeric", False), args.pop("extensions", False))
    if args.pop("icmp", False):
        args["method"] = "icmp"
    if args.pop("udp", False):
        args["method"] = "fixed"
    if args.pop("tcp", False):
        args["method"] = "tcp"
    return trace(session, args, lines)


def trace(session: Session, args: Args, lines: Lines, where: str = "") -> int:
    """Run a traceroute, write its lines, and return the exit status.

    Args:
        args: of the request.
        where: the port that SYNs ask, to say at the end what it is; "" to say nothing.
    """
    out = session.out
    handlers: stream.Handlers = {
        "start": lambda event: out.part(heading(event)),
        "probe": lambda event: out.part(lines.words(event)),
    }
    try:
        done = stream.run(session, "traceroute.run", args, handlers)
    finally:
        out.end_line()
    if where and "state" in done and not session.options.json:
        flags = "SYN-ACK" if done["state"] == "open" else "RST"
        out.line(f"{where} is {done['state']} ({flags})")
    if done["ok"]:
        return exits.DONE
    out.flush()
    stream.explain(session, done)
    return exits.NO


PACE = (
    option("first", "start at this hop (1)", "HOP", short="f"),
    option("max-hops", "stop at this hop (30)", "HOPS", key="max_hops", short="m"),
    option("queries", "probes for each hop (3)", "N", short="q"),
    option(
        "at-once",
        "probes that may wait for an answer at a time (16)",
        "N",
        key="at_once",
        short="N",
    ),
    option(
        "wait",
        "wait this many seconds for an answer (5), but no longer than HERE times (3) the time of"
        " an answer from the same hop, or NEAR times (10) that of a later hop",
        "MAX[,HERE[,NEAR]]",
        short="w",
    ),
    option("gap", "time between two probes (0)", "SECONDS", short="z"),
)
"""Options about how many probes there are, and when."""
SOURCE = (
    option("src", "source address", "ADDR", short="s", complete="addr"),
    Word(("dev",), "interface", "DEVICE", short="i", bare=False, complete="link"),
    option("fwmark", "mark of the probes, as rules select it", "MARK", key="mark"),
)
"""Options about where probes leave."""
_OPTIONS = (
    option("icmp", "send ICMP echo requests", short="I"),
    option("udp", "send datagrams to one port, that of -p (53)", short="U"),
    option("tcp", "send SYNs to one port, that of -p (80); they open nothing", short="T"),
    option(
        "dont-fragment",
        "let nobody fragment the probes; !F-MTU shows where they are too long",
        key="dont_fragment",
        short="F",
    ),
    option(
        "extensions", "show what routers add to their answers: MPLS labels (RFC 4884)", short="e"
    ),
    option("numeric", "print addresses once; names are never looked up", short="n"),
    *PACE,
    option(
        "port",
        "first port (33434), the port of -U or -T, or the first sequence number of -I",
        "PORT",
        short="p",
    ),
    option("tos", "type of service: 0..255, or 0x and two digits", "TOS", short="t"),
    option(
        "gateways",
        "go through these hosts, separated by commas (loose source route)",
        "ADDR,...",
        short="g",
    ),
    *SOURCE,
)

COMMAND = Verb(
    "traceroute",
    "show the hops on the way to a host, and where it ends",
    _run,
    (
        Place("dst", "DST", "address of the host", complete="host"),
        Place("size", "BYTES", "length of each packet (60, of IPv6 80)", False),
        *_OPTIONS,
    ),
    examples=(
        "smolctl traceroute 192.0.2.7",
        "smolctl traceroute 2001:db8::7",
        "smolctl traceroute -I -n 192.0.2.7",
        "smolctl traceroute -T -p 443 192.0.2.7",
        "smolctl traceroute -F 192.0.2.7 1400",
        "smolctl traceroute -e 192.0.2.7",
        "smolctl traceroute -q 1 -w 1 -m 5 192.0.2.7",
        "smolctl -j traceroute 192.0.2.7",
    ),
    notes="The output is that of traceroute for Linux: !H, !N, !P, !X, !F-MTU and others show how"
    " a hop refused. The exit status is 0 if the host was reached; otherwise the last line"
    " names the reason. SIGINT stops it.",
    kind="probe",
)
