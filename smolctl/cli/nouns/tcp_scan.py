"""``smolctl tcp scan``: a table of ports, and how many of the others are what."""

from collections import Counter
from socket import getservbyname, getservbyport

from smolctl.cli import exit as exits
from smolctl.cli.nouns import stream
from smolctl.cli.nouns.progress import Progress
from smolctl.cli.nouns.tables import aligned
from smolctl.cli.nouns.tcp_probe import SENDING
from smolctl.cli.output import Output
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.endpoint import endpoint, has_port, zoned
from smolctl.cli.words.grammar import Args, Place, UsageFault, option
from smolctl.counted import counted

_SHOWN = 20
"""So many ports of a state that is not "open" are still shown one by one."""
_STATES = ("open", "closed", "filtered", "unreachable")


def numbers(text: str) -> str:
    """Return a list of ports with numbers for the names of services (services(5)).

    Raises:
        UsageFault: no service of TCP has such a name.
    """
    return ",".join(map(_number, text.split(",")))


def _number(word: str) -> str:
    if not any(character.isalpha() for character in word):
        return word
    try:
        return str(getservbyname(word, "tcp"))
    except OSError:
        raise UsageFault(
            f'tcp scan: no TCP service is called "{word}"', hint="ports are 22,80,8000-8100 or ssh"
        ) from None


def service(port: int) -> str:
    """Return the name of a port's service, "" where it has none."""
    try:
        return getservbyport(port, "tcp")
    except OSError:
        return ""


class Table:
    """The ports that were told of, and the text about them.

    Args:
        whole: show every port.
    """

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._ports: dict[int, Event] = {}

    def add(self, event: Event) -> None:
        """Take the event about a port."""
        self._ports[event["port"]] = event

    def lines(self, out: Output) -> list[str]:
        """Return what is not shown, and a table of what is."""
        groups = Counter(map(_group, self._ports.values()))
        hidden = {
            group: number
            for group, number in groups.items()
            if group[0] != "open" and number > _SHOWN and not self._whole
        }
        told = ", ".join(
            f"{number} {state} ({why})" if state == "unreachable" else f"{number} {state}"
            for (state, why), number in sorted(hidden.items(), key=lambda item: -item[1])
        )
        lines = out.folded("Not shown: ", 11, told) if told else []
        rows = [
            (port, event["state"], event.get("service", ""), _why(event))
            for port, event in sorted(self._ports.items())
            if _group(event) not in hidden
        ]
        if not rows:
            return lines
        return [*lines, *aligned(rows, ("PORT", "STATE", "SERVICE", "WHY"), (0,), out.width)]


def _group(event: Event) -> tuple[str, str]:
    state = event["state"]
    return state, _why(event) if state == "unreachable" else ""


def _why(event: Event) -> str:
    """Return the evidence for a state."""
    match event["state"]:
        case "filtered":
            return f"no answer to {counted(event['tries'], 'SYN')}"
        case "unreachable":
            return f"{zoned(event, 'from')}: {event['message']}"
    return f"{event['flags']} ttl {event['ttl']}"


def summary(done: Event) -> str:
    """Return the last line."""
    counts = [f"{done[state]} {state}" for state in _STATES if done[state]]
    if done["unknown"]:
        counts.append(f"{done['unknown']} not known")
    ports, sent = counted(done["ports"], "port"), counted(done["sent"], "SYN")
    return f"{ports} in {done['seconds']:.2f} s, {sent}: {', '.join(counts)}"


def _progress(event: Event) -> str:
    seconds = max(event["seconds"], 1e-9)
    rate = event["sent"] / seconds
    share = 100 * event["known"] // event["ports"]
    return (
        f"{event['known']} of {event['ports']} ports ({share} %), {event['open']} open,"
        f" {rate:.0f} SYNs/s"
    )


def target(args: Args) -> Args:
    """Turn ``HOST PORTS`` or ``HOST:PORTS`` into the arguments of the request.

    Raises:
        UsageFault: there are no ports, a word too many, or a service that nobody knows.
    """
    host = args.pop("target")
    if has_port(host):
        args["dst"], ports = endpoint(host)
        if "ports" in args and ports:
            raise UsageFault(f'tcp scan: "{args["ports"]}" is one word too many')
        args["ports"] = ports or args.get("ports", "")
    else:
        args["dst"] = host
    if not args.get("ports"):
        raise UsageFault(
            "tcp scan: PORTS is missing", hint=f"smolctl tcp scan {args['dst']} 1-1024"
        )
    args["ports"] = numbers(args["ports"])
    return args


def _scan(session: Session, args: Args) -> int:
    args = target(args)
    out, table = session.out, Table(whole=session.options.verbose)
    progress = Progress(session)

    def started(event: Event) -> None:
        source = f" from {event['src']} {event['dev']}" if "src" in event else ""
        out.line(f"SCAN {args['dst']}{source}: {counted(event['ports'], 'port')}")

    def watch(event: Event) -> None:
        if event["event"] == "port" and (name := service(event["port"])):
            event["service"] = name
        if event["event"] == "waiting":
            progress.clear()

    handlers: stream.Handlers = {
        "start": started,
        "port": table.add,
        "progress": lambda event: progress.show(_progress(event)),
    }
    try:
        done = stream.run(session, "tcp.scan", args, handlers, watch)
    finally:
        progress.clear()
    if not session.options.json:
        out.lines(table.lines(out))
        out.line(summary(done))
        out.flush()
    if not done["ok"]:
        stream.explain(session, done)
    return exits.DONE if done["ok"] else exits.NO


SCAN = Verb(
    "tcp scan",
    "find the ports of a host that are open",
    _scan,
    (
        Place("target", "HOST", "whom to ask", complete="host"),
        Place("ports", "PORTS", "ports, ranges and services: 22,80,8000-8100,https", False),
        option("retries", "send a SYN again so often, at most (2)", "N", short="r"),
        option("interval", "time between SYNs (0)", "SECONDS", short="i"),
        option("timeout", "wait this long for each answer", "SECONDS", short="W"),
        option("deadline", "stop after this time", "SECONDS", short="w"),
        *SENDING,
    ),
    (
        "smolctl tcp scan 10.0.0.2 1-1024",
        "smolctl tcp scan 10.0.0.1 22,80,8000-8100,https",
        "smolctl -v tcp scan 10.0.0.2 20-60",
        "smolctl -j tcp scan -i 0.01 fe80::2%tap0 ssh,http",
    ),
    "A port is open if SYN-ACK comes, and closed if RST comes. It is filtered if nothing comes, and"
    " unreachable if an ICMP error comes, which is told with its sender. nmap calls both filtered."
    " SYN-ACK is answered with RST at once. As many SYNs are under way as answers show that the"
    " path takes; -i limits their rate. Of states that many ports have, only the number is shown,"
    " unless -v asks for all. The exit status is 0 if any port is open. SIGINT stops it and shows"
    " what is known.",
    kind="probe",
)
