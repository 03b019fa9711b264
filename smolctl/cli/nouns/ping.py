"""``smolctl ping``: ICMP echo, with the text of iputils."""

from collections.abc import Callable
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import pmtudisc, stream
from smolctl.cli.output import Output
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.endpoint import zoned
from smolctl.cli.words.grammar import (
    Args,
    NotSupported,
    Place,
    Word,
    option,
    refused_letters,
    without,
)

_OPTIONS_LEN = 40
"""Bytes that IP options take, as ping says."""
_FLOOD_S = "0.01"
"""Interval of ping -f, seconds."""
_QUICK_S, _QUICKEST_S = "0.2", "0.01"
"""Shortest interval of ping -A, for users and for root."""
_SAID = ("numeric", "user_latency", "connect", "no_loopback", "sticky")
"""Options of iputils' ping that say what is the case anyway."""
_HEADERS = 28
"""IPv4 and ICMP header without options, bytes: what the first line's second size adds."""


def heading(event: Event, chosen: bool, options: int = 0) -> str:
    """Return the first line; where the packets leave is told when the user chose it.

    Args:
        options: bytes of IP options in each request.
    """
    source = ""
    if chosen:
        source = f" from {event['src']} {event.get('dev', '')}:"
    size = event["size"]
    if ":" in event["dst"]:
        name = zoned(event, "dst")
        return f"PING {name}({name}){source} {size} data bytes"
    whole = size + _HEADERS + options
    return f"PING {event['dst']} ({event['dst']}){source} {size}({whole}) bytes of data."


def reply(event: Event) -> str:
    """Return the line about one reply (iputils gather_statistics)."""
    text = (
        f"{event['bytes']} bytes from {zoned(event, 'from')}:"
        f" icmp_seq={event['seq']} ttl={event['ttl']}"
    )
    if "rtt_ns" in event:
        text += f" time={shown_time(event['rtt_ns'])} ms"
    return text + (" (DUP!)" if event.get("dup") else "")


def redirect(event: Event) -> str:
    """Return the line about a redirect, which has a colon where errors have none (iputils)."""
    return f"From {zoned(event, 'from')}: icmp_seq={event['seq']} {event['message']}"


def route(event: Event, last: list[str] | None) -> str:
    """Return what stands behind a reply about the way it took (iputils pr_options).

    Args:
        last: the one before.
    """
    hops: list[str] | None = event.get("record_route")
    if not hops:
        return ""
    if hops == last:
        return "\t(same route)"
    return "\nRR: \t" + "\n\t".join(hops) + "\n"


def stamps(event: Event) -> str:
    """Return what stands behind a reply about who had it when (iputils pr_options).

    The first time is told as it is, each other one by how much it is later.
    """
    text, before = "", dict[bool, int]()
    for stamp in event.get("timestamps", ()):
        standard = not stamp.get("nonstandard")
        address = f"\t{stamp['address']}" if "address" in stamp else ""
        since = before.get(standard, 0)  # as in iputils, a time of 0 is as none
        words = [str(stamp["ms"] - since), *(() if since else ("absolute",))]
        words += () if standard else ("not-standard",)
        text += f"{address}\t{' '.join(words)}\n"
        before[standard] = stamp["ms"]
    if not text:
        return ""
    unrecorded = event.get("unrecorded")
    return f"\nTS: {text}" + (f"Unrecorded hops: {unrecorded}\n" if unrecorded else "")


def shown_time(rtt_ns: int) -> str:
    """Return a time in ms with three significant digits or more, rounded as iputils rounds."""
    microseconds = rtt_ns // 1000
    if microseconds >= 100_000 - 50:
        return str((microseconds + 500) // 1000)
    if microseconds >= 10_000 - 5:
        tenths = (microseconds + 50) // 100
        return f"{tenths // 10}.{tenths % 10}"
    if microseconds >= 1000:
        hundredths = (microseconds + 5) // 10
        return f"{hundredths // 100}.{hundredths % 100:02d}"
    return stream.milliseconds(rtt_ns)


def statistics(dst: str, done: Event) -> Event:
    """Return what the summary of iputils' ping -j has that ours calls by another name."""
    transmitted, received = done["transmitted"], done["received"]
    row: Event = {"host": dst, "corrupted": 0, "time": round(done["time_ms"])}
    if transmitted:
        row["loss"] = (transmitted - received) * 100 // transmitted
    if "rtt_ns" in done:
        row["rtt"] = {key: stream.milliseconds(value) for key, value in done["rtt_ns"].items()}
    return row


def summary(dst: str, done: Event, command: str = "ping") -> list[str]:
    """Return the last lines (iputils finish)."""
    transmitted, received = done["transmitted"], done["received"]
    line = f"{transmitted} packets transmitted, {received} received"
    for key, word in (("duplicates", "duplicates"), ("errors", "errors")):
        if done.get(key):
            line += f", +{done[key]} {word}"
    if transmitted:
        lost = (transmitted - received) * 100.0 / transmitted
        line += f", {lost:g}% packet loss, time {round(done['time_ms'])}ms"
    ends = [stream.rtt_line(done["rtt_ns"])] if received and "rtt_ns" in done else []
    if done.get("pipe", 0) > 1:
        ends.append(f"pipe {done['pipe']}")
    return ["", f"--- {dst} {command} statistics ---", line, ", ".join(ends)]


def status(event: Event) -> str:
    """Return the line about a ping that goes on (iputils status)."""
    transmitted, received = event["transmitted"], event["received"]
    loss = (transmitted - received) * 100 // transmitted if transmitted else 0
    line = f"\r{received}/{transmitted} packets, {loss}% loss"
    if "rtt_ns" not in event:
        return line
    keys = ("min", "avg", "ewma", "max")
    times = "/".join(stream.milliseconds(event["rtt_ns"][key]) for key in keys)
    return f"{line}, {'/'.join(keys)} = {times} ms"


class _Dots:
    """The dots of a flood, as iputils has them: one for each request that has no answer.

    Args:
        out: of the command.
    """

    def __init__(self, out: Output) -> None:
        self._out = out
        self._last = 0

    def handlers(self) -> stream.Handlers:
        """Return the writer of each kind of event."""
        return {
            "sent": self._sent,
            "reply": lambda _event: self._out.part("\b \b"),
            "error": self._failed,
        }

    def _sent(self, event: Event) -> None:
        self._last = event["seq"]
        self._out.part(".")

    def _failed(self, event: Event) -> None:
        """Put an E in the place of the dot; what could not be sent, has none."""
        if 0 < event["seq"] - self._last & 0xFFFF < 0x8000:  # numbers have 16 bits
            self._last = event["seq"]
            self._out.part("E")
        else:
            self._out.part("\bE")


class _Lines:
    """The text of a ping, as its events come.

    Args:
        out: of the command.
        request: what was asked for.
        quiet: only the first line.
        before: returns what stands before each line.
    """

    def __init__(
        self, out: Output, request: Args, before: Callable[[], str], *, quiet: bool
    ) -> None:
        self._out = out
        self._request = request
        self._before = before
        self._quiet = quiet
        self._route: list[str] | None = None

    def handlers(self) -> stream.Handlers:
        """Return the writer of each kind of event."""
        return {
            "start": self._started,
            "reply": self._replied,
            "error": self._failed,
            "status": lambda event: self._out.complaint(status(event)),
            "redirect": lambda event: self._say(redirect(event)),
            "outstanding": lambda event: self._say(f"no answer yet for icmp_seq={event['seq']}"),
        }

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._out.line(self._before() + text)

    def _started(self, event: Event) -> None:
        request = self._request
        if "pattern" in request:
            self._out.line(f"PATTERN: 0x{_padded(request['pattern'])}")
        if event.get("broadcast"):
            self._out.complaint("WARNING: pinging broadcast address")
        options = _OPTIONS_LEN if "record" in request or "stamp" in request else 0
        self._out.line(heading(event, "src" in request or "dev" in request, options))

    def _replied(self, event: Event) -> None:
        self._say(reply(event) + route(event, self._route) + stamps(event))
        self._route = event.get("record_route")

    def _failed(self, event: Event) -> None:
        if event["reason"] == "tx-too-big":
            self._out.complaint(f"ping: local error: {event['message']}")
        else:
            who = zoned(event, "from")
            self._say(f"From {who} icmp_seq={event['seq']} {event['message']}")


def _run(session: Session, args: Args) -> int:
    quiet = args.pop("quiet", False) or session.options.quiet
    stamped = args.pop("timestamps", False)
    flood, bell = args.pop("flood", False), "\a" if args.pop("audible", False) else ""
    dots = flood and not (quiet or session.options.json)
    if flood:
        quiet = True
        args.setdefault("interval", _FLOOD_S)
    if dots:
        args["tell_sent"] = True
    if args.pop("adaptive", False):
        args["adaptive"] = _QUICKEST_S if session.around.root else _QUICK_S
    request = _chosen(pmtudisc.chosen(_meant(args)))
    if session.options.json:
        session.options.quiet = quiet
    out = session.out

    def before() -> str:
        return bell + (f"[{out.clock.time():.6f}] " if stamped else "")

    lines = _Lines(out, request, before, quiet=quiet)
    done = stream.run(
        session,
        "ping.run",
        request,
        {**lines.handlers(), **(_Dots(out).handlers() if dots else {})},
        more=lambda done: statistics(request["dst"], done),
    )
    if not session.options.json:
        out.lines(summary(request["dst"], done))
        out.flush()
    if not done["ok"] or "reason" in done:  # also when some were lost, and it is known why
        stream.explain(session, done)
    return exits.DONE if done["ok"] else exits.NO


def _meant(args: Args) -> Args:
    """Return the arguments without the options that say what is the case anyway.

    Raises:
        NotSupported: one of them would say something else here.
    """
    if "sticky" in args and not _is_address(args.get("interface", "")):
        raise NotSupported("ping -B without -I ADDR", "smolctl ping -B -I ADDR DST")
    if "no_loopback" in args and args["dst"].split(".")[0] in map(str, range(224, 240)):
        raise NotSupported("ping -L to a group")
    return without(args, *_SAID)


def _padded(pattern: str) -> str:
    """Return hex digits as iputils shows them: two for each byte, in small letters."""
    return "".join(f"{pattern[at : at + 2]:0>2}" for at in range(0, len(pattern), 2)).lower()


def _is_address(word: str) -> bool:
    """Return whether -I has an address: no interface is called 10.0.0.1."""
    return ":" in word or (bool(word) and all(digit in "0123456789." for digit in word))


def _chosen(args: Args) -> dict[str, Any]:
    """Split -I, which takes an address or an interface, and what stands in front of the host."""
    hosts = [args["dst"], *args.pop("more", ())] if "more" in args else []
    if hosts:
        args["dst"] = hosts.pop()
        args["hosts"] = ",".join(hosts)
    interface = args.pop("interface", None)
    if interface is not None:
        args["src" if _is_address(interface) else "dev"] = interface
    return args


_OPTIONS = (
    option("count", "stop after this many requests", "N", short="c"),
    option("interval", "time between requests (1)", "SECONDS", short="i"),
    option("timeout", "wait this long for each reply", "SECONDS", short="W"),
    option("deadline", "stop after this time", "SECONDS", short="w"),
    option("size", "bytes of data in each request (56)", "BYTES", short="s"),
    option("ttl", "time to live", "HOPS", short="t"),
    option("tos", "type of service: 0..255, or 0x and two digits", "TOS", short="Q"),
    option("mark", "mark of the requests, as rules select it with fwmark", "MARK", short="m"),
    option("record", "record the route there and back", short="R"),
    option(
        "stamp", "record timestamps of routers, or of the hosts before DST", "KIND", short="T"
    ).but(values=("tsonly", "tsandaddr", "tsprespec")),
    option("interface", "source address, or interface", "ADDR|DEVICE", short="I", complete="link"),
    Word(("dev",), "interface", "DEVICE", complete="link"),
    *pmtudisc.OPTIONS,
    option("quiet", "print only the first line and the summary", short="q"),
    option("timestamps", "the time before each line", short="D"),
    option(
        "flood", "100 requests a second; a dot for each, and a backspace for each reply", short="f"
    ),
    option("audible", "ring the bell for each reply", short="a"),
    option("numeric", "accepted: names are never looked up", short="n"),
    option("user-latency", "accepted: times always are from sending to receiving", short="U"),
    option("connect", "accepted: a ping asks one host", short="C"),
    option("no-loopback", "accepted for hosts: a group's loopback cannot be turned off", short="L"),
    option("sticky", "accepted with -I ADDR: the source address stays", short="B"),
    option("preload", "send so many requests without waiting for an answer", "N", short="l"),
    option("pattern", "fill the data with these bytes, up to 16", "HEX", short="p"),
    option("outstanding", "tell of each request that has no answer in time", short="O"),
    option("adaptive", "let the interval follow the round-trip time", short="A"),
    option("broadcast", "allow a broadcast address", short="b"),
    *refused_letters("r", "eFSN"),
)

COMMAND = Verb(
    "ping",
    "send ICMP echo requests to a host",
    _run,
    (
        Place("dst", "DST", "address of the host", complete="host"),
        Place(
            "more",
            "DST",
            "the host, after the hosts of -T tsprespec",
            False,
            complete="host",
            many=True,
        ),
        *_OPTIONS,
    ),
    examples=(
        "smolctl ping 10.0.0.2",
        "smolctl ping -c 1 fe80::2%tap0",
        "smolctl ping -c 3 -i 0.2 10.0.0.2",
        "smolctl ping -I 10.0.0.1 -c 1 -W 1 8.8.8.8",
        "smolctl ping -c 1 -Q 0xb8 10.0.0.2",
        "smolctl ping -c 1 -R 10.0.0.2",
        "smolctl ping -c 1 -T tsandaddr 10.0.0.2",
        "smolctl ping -c 1 -T tsprespec 10.0.0.1 10.0.0.2 10.0.0.2",
        "smolctl ping -c 1 -s 1472 -M do 10.0.0.2",
        "smolctl -j ping -c 1 10.0.0.2",
    ),
    notes="The output is that of ping from iputils. SIGINT stops it and prints the summary; SIGQUIT"
    " prints what is known so far to standard error, and it goes on.",
    kind="probe",
)
