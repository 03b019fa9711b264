"""``smolctl trace``: what happens to each packet, step by step, as it happens."""

from collections.abc import Iterator

from smolctl.cli import exit as exits
from smolctl.cli.nouns import link, packets, why_text
from smolctl.cli.output import Output
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args
from smolctl.errors import SmolctlError


def render(event: Event, out: Output) -> Iterator[str]:
    """Yield the headline of a packet, its steps and its verdict; one line if it still waits."""
    at = out.clock.local(event["time"])
    dev = out.paint("ifname", event.get("dev", "-"))
    head = f"{at:%H:%M:%S.%f} {dev} {event['dir']:<3} {event['summary']}"
    options = out.options
    if event["event"] == "wait" or options.brief:
        kind = "wait" if event["event"] == "wait" else "good" if event["ok"] else "bad"
        yield f"{head}  {out.paint(kind, event['verdict'])}  id {event['id']}"
        return
    told = why_text.tell(event, out, short=not options.verbose)
    yield from link.joined([f"{head}  id {event['id']}", *told], out)


class _Writer:
    """Writes packets as they come.

    Attributes:
        traced: how many have their fate.
        lost: how many are missing.
    """

    def __init__(self, out: Output) -> None:
        self._out = out
        self._height = 0
        self.traced = self.lost = 0

    def handle(self, event: Event) -> None:
        """Write an event."""
        kind, out = event["event"], self._out
        if kind == "packet":
            self.traced += 1
        elif kind == "lost":
            self.lost += event["count"]
        if out.options.json:
            out.event(event)
        elif kind == "start":
            packets.say_listening(out, event["links"])
        else:
            self._text(event)
            out.flush()

    def _text(self, event: Event) -> None:
        if event["event"] == "lost":
            lines = [packets.missing(event["count"])]
        else:
            lines = list(render(event, self._out))
        if self._height and max(self._height, len(lines)) > 1:
            self._out.line()  # around a packet that takes several
        self._out.lines(lines)
        self._height = len(lines)


def _run(session: Session, args: Args) -> int:
    writer = _Writer(session.out)
    try:
        done = session.stream("trace.run", packets.request(args), writer.handle)
    except SmolctlError:
        if writer.traced:
            packets.tell(session.out, writer.traced, "traced", writer.lost)
        raise
    if session.options.json:
        row = {"event": "summary", "traced": writer.traced, "lost": done["lost"]}
        session.out.event(row)
    packets.tell(session.out, writer.traced, "traced", done["lost"])
    return exits.DONE if done["ok"] else exits.NO


COMMAND = Verb(
    "trace",
    "show what happens to each packet, step by step, as it happens",
    _run,
    (*packets.PLACES, packets.INTERFACE, *packets.ENDS),
    examples=(
        "smolctl trace",
        "smolctl trace tap0 udp port 53 or arp",
        "smolctl -br trace not arp",
        "smolctl trace -c 1 reason any",
        "smolctl -j trace lo --wait 10",
    ),
    notes=packets.FILTER_TEXT,
)
