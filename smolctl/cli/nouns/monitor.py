"""``smolctl monitor``: what happens on the stack, as it happens."""

from collections.abc import Iterator

from smolctl.cli import exit as exits
from smolctl.cli.nouns import addr, link, neigh, route, rule, socket
from smolctl.cli.nouns.stats import COLORS
from smolctl.cli.nouns.stream import lost_events
from smolctl.cli.output import Output
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, Word, option
from smolctl.cli.words.types import named

KINDS = {
    "link": (("link",), "links: new, changed, up, down, carrier, gone"),
    "addr": (("addr", "address"), "addresses"),
    "route": (("route",), "routes, of every table"),
    "rule": (("rule",), "rules"),
    "neigh": (("neigh", "neighbor", "neighbour"), "neighbor entries: each state, each new MAC"),
    "maddr": (("maddr", "maddress", "mcaddr"), "groups that an interface joins or leaves"),
    "socket": (("socket",), "sockets: bound, connected, closed"),
    "drops": (("drops",), "packets that are dropped, refused or delayed, and why"),
}
"""Objects to watch: their spellings, and a description."""


def lines(event: Event, out: Output) -> list[str]:
    """Return the text of one event, as the noun's ``show`` has it."""
    kind = event["event"]
    if kind == "link":
        made = [link.heading(event, out), link.hardware(event, out)]
        if "stats64" in event:
            made += link.counters(event["stats64"], out)
        return made
    if kind == "addr":
        (info,) = event["addr_info"]
        first, second = addr.lines(event, info, out)
        return [f"{event['ifindex']}: {out.paint('ifname', event['ifname'])}    {first}", second]
    if kind == "maddr":
        return [_group(event, out)]
    if kind == "drop":
        return [_drop(event, out)]
    if kind == "route":
        return route.lines(event, {}, out)
    line = {"rule": rule.line, "neigh": neigh.line, "socket": socket.line}[kind]
    return [line(event, {}, out)]


def _group(event: Event, out: Output) -> str:
    """Return the line about a group, as ``ip monitor maddress`` of iproute2 6.13 has it."""
    (group,) = event["maddr"]
    name, address = out.paint("ifname", event["ifname"]), out.paint("inet", group["address"])
    return f"{event['ifindex']}: {name}    {group['family']} mcast {address} scope global"


def _drop(event: Event, out: Output) -> str:
    words = [
        out.paint("ifname", event["dev"]) if "dev" in event else "-",
        event["dir"],
        event["class"],
        out.paint(COLORS.get(event["class"], "wait"), event["reason"]),
        event["summary"],
    ]
    return " ".join(words) + f"  id {event['id']}"


def render(event: Event, out: Output, *, labels: bool) -> Iterator[str]:
    """Yield the lines of one event: ``ip monitor``'s time, label and "Deleted " before it.

    A packet without ``-t`` or ``-ts`` has the time of day: its like come in numbers, and when is
    half of the question.
    """
    options = out.options
    first, *more = lines(event, out)
    kind = event["event"]
    label = f"[{kind.upper()}]" if labels else ""
    deleted = "Deleted " if event.get("deleted") else ""
    at = out.clock.local(event["time"])
    if options.tshort:
        stamp = f"[{at:%Y-%m-%dT%H:%M:%S.%f}] "
    elif options.timestamp:
        yield f"Timestamp: {at:%a %b} {at.day:2} {at:%H:%M:%S %Y} {at:%f} usec"
        stamp = ""
    else:
        stamp = f"[{at:%H:%M:%S.%f}] " if kind == "drop" else ""
    yield from link.joined([f"{stamp}{label}{deleted}{first}", *more], out)


def _run(session: Session, args: Args) -> int:
    out, options = session.out, session.options
    wanted = [kind for kind in KINDS if args.get(kind)]
    labels = args.pop("label", False) or len(wanted) != 1
    if args.pop("all", False):
        labels = True
        for kind in wanted:
            del args[kind]
    if options.stats:
        args["stats"] = True
    stream = session.client("monitor.run").stream("monitor.run", **options.asked(args))
    for event in map(named, stream):
        if event["event"] == "watching":
            out.notice(f"watching {', '.join(event['kinds'])}")
        elif options.json:
            out.event(event)
        elif event["event"] == "lost":
            out.complaint(f"smolctl: {lost_events(event['count'])}")
        else:
            out.lines(render(event, out, labels=labels))
            out.flush()
    return exits.DONE if stream.result["ok"] else exits.NO


COMMAND = Verb(
    "monitor",
    "watch what happens: links, addresses, routes, neighbors, groups, sockets, drops",
    _run,
    (
        *(Word(words, text) for words, text in KINDS.values()),
        Word(("all",), "everything (the default)"),
        Word(("dev",), "only events of this interface", "DEVICE", complete="link"),
        Word(("label",), "show the kind of each event, as for several kinds"),
        option("count", "stop after this many events", "N", short="c"),
        option(
            "wait", "stop after this time; exit with 1 if fewer than -c came", "SECONDS", short="w"
        ),
    ),
    examples=(
        "smolctl monitor",
        "smolctl monitor drops",
        "smolctl -ts monitor route neigh dev tap0",
        "smolctl -j monitor neigh -c 1 -w 5",
    ),
    notes="A reader that is too slow loses the oldest events and is told how many; the stack"
    " never waits for it.",
)
