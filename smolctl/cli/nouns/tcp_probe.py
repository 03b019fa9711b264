"""Probes of ``smolctl tcp``: SYNs that open nothing, and what answers them."""

from smolctl.cli import exit as exits
from smolctl.cli.nouns import marks, ping, stream, traceroute
from smolctl.cli.nouns.tcp_words import target
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.endpoint import joined, zoned
from smolctl.cli.words.grammar import Args, Place, option

SENDING = (
    option("ttl", "time to live", "HOPS", short="t"),
    option("tos", "type of service: 0..255, or 0x and two digits", "TOS", short="Q"),
    option("src", "source address", "ADDR", short="s", complete="addr"),
    option("dev", "only by this interface", "DEVICE", short="I", complete="link"),
    marks.OPTION,
)
"""Options about the SYNs of a probe."""
HOST_PORT = (
    Place("target", "HOST:PORT", "whom to ask; HOST PORT means the same", complete="host"),
    Place("port", "PORT", "the port, if HOST has none", False),
)

# --- ping -----------------------------------------------------------------------------------------


def reply(event: Event) -> str:
    """Return the line about one answer, like that of ping."""
    text = (
        f"{event['flags']} from {joined(zoned(event, 'from'), event['port'])}:"
        f" seq={event['seq']} ttl={event['ttl']} time={ping.shown_time(event['rtt_ns'])} ms"
    )
    if event["state"] == "closed":
        text += " (port closed)"
    return text + (" (DUP!)" if event.get("dup") else "")


def failure(event: Event) -> str:
    """Return the line about a SYN that went wrong; who says so stands in front."""
    who = f"From {zoned(event, 'from')} " if "from" in event else ""
    return f"{who}seq={event['seq']} {event['message']}"


def _ping(session: Session, args: Args) -> int:
    args = target("tcp ping", args)
    quiet = args.pop("quiet", False) or session.options.quiet
    stamped = args.pop("timestamps", False)
    out = session.out
    where = joined(args["dst"], args["port"])
    if session.options.json:
        session.options.quiet = quiet

    def say(text: str) -> None:
        if not quiet:
            out.line(f"[{out.clock.time():.6f}] {text}" if stamped else text)

    def started(event: Event) -> None:
        source = f" from {event['src']} {event['dev']}" if "src" in event else ""
        out.line(f"PING {where}{source}: TCP SYN")

    handlers: stream.Handlers = {
        "start": started,
        "reply": lambda event: say(reply(event)),
        "error": lambda event: say(failure(event)),
        "status": lambda event: out.complaint(ping.status(event)),
    }
    done = stream.run(session, "tcp.ping", args, handlers)
    if not session.options.json:
        out.lines(ping.summary(where, done, "tcp ping"))
        out.flush()
    if not done["ok"] or "reason" in done:
        stream.explain(session, done)
    return exits.DONE if done["ok"] else exits.NO


PING = Verb(
    "tcp ping",
    "ask a port with SYNs whether it is open, and how soon it answers",
    _ping,
    (
        *HOST_PORT,
        option("count", "stop after this many SYNs", "N", short="c"),
        option("interval", "time between SYNs (1)", "SECONDS", short="i"),
        option("timeout", "wait this long for each answer", "SECONDS", short="W"),
        option("deadline", "stop after this time", "SECONDS", short="w"),
        *SENDING,
        option("quiet", "print only the first line and the summary", short="q"),
        option("timestamps", "the time before each line", short="D"),
    ),
    (
        "smolctl tcp ping -c 3 -i 0.2 10.0.0.2:7",
        "smolctl tcp ping -c 1 [fe80::2%tap0]:7",
        "smolctl tcp ping -c 1 -W 1 8.8.8.8 443",
        "smolctl -j tcp ping -c 1 10.0.0.2:7",
    ),
    "SYN-ACK says that a program listens, RST that none does. Either is an answer, and the exit"
    " status is 0 if any came. SYN-ACK is answered with RST at once, so the peer keeps no half-open"
    " connection, and its program hears nothing. SIGINT stops it and prints the summary.",
    kind="probe",
)


# --- traceroute -----------------------------------------------------------------------------------


def _traceroute(session: Session, args: Args) -> int:
    args = target("tcp traceroute", args)
    lines = traceroute.Lines(args.pop("numeric", False), args.pop("extensions", False))
    where = joined(args["dst"], args["port"])
    return traceroute.trace(session, {**args, "method": "tcp"}, lines, where)


TRACEROUTE = Verb(
    "tcp traceroute",
    "show the hops on the way to a port, and whether it is open",
    _traceroute,
    (
        *HOST_PORT,
        option("numeric", "print addresses once; names are never looked up", short="n"),
        option(
            "extensions",
            "show what routers add to their answers: MPLS labels (RFC 4884)",
            short="e",
        ),
        *traceroute.PACE,
        option("tos", "type of service: 0..255, or 0x and two digits", "TOS", short="t"),
        *traceroute.SOURCE,
    ),
    (
        "smolctl tcp traceroute 192.0.2.7:443",
        "smolctl tcp traceroute -n -q 1 2001:db8::7 443",
        "smolctl -j tcp traceroute 192.0.2.7:443",
    ),
    "SYNs with a rising time to live go where a connection would: a filter that drops other probes"
    " lets them pass. The lines are those of smolctl traceroute; the last one says whether the port"
    " is open (SYN-ACK) or closed (RST). The exit status is 0 if either came. SIGINT stops it.",
    kind="probe",
)
