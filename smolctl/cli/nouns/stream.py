"""Streams of events: the loop that writes them, and the lines at their end."""

from collections.abc import Callable
from typing import Any

from smolctl.cli.session import Event, Session
from smolctl.client.control import command_for
from smolctl.counted import counted

Handler = Callable[[Event], None]
Handlers = dict[str, Handler]


def run(
    session: Session,
    op: str,
    args: dict[str, Any],
    handlers: Handlers,
    watch: Handler | None = None,
    more: Callable[[Event], Event] | None = None,
) -> Event:
    """Run a request that sends events, write them, and return its result.

    With ``--json`` each event is one line, and the result is the last one with "event": "summary".
    An event that has "times" stands for as many that are alike; its handler writes all of them.

    Args:
        session: the command's.
        op: name of the request.
        args: its arguments.
        handlers: writer of the text of each kind of event; an event that has none is not shown.
        watch: sees every event before it is written, in whatever form.
        more: returns what JSON's summary has beside the result.
    """
    out = session.out

    def handle(event: Event) -> None:
        if watch is not None:
            watch(event)
        if session.options.json:
            times = event.pop("times", 1)
            if not session.options.quiet or event["event"] == "start":
                out.event(event, times)
            return
        if "lost" in event:
            out.complaint(f"smolctl: {lost_events(event['lost'])}")
        if event["event"] == "waiting":
            out.waiting(event["text"])
        elif (handler := handlers.get(event["event"])) is not None:
            handler(event)
            out.flush()

    done = session.stream(op, args, handle, has_status="status" in handlers)
    if session.options.json:
        out.event({"event": "summary", **done, **(more(done) if more else {})})
    return done


def lost_events(count: int) -> str:
    """Return what is said where events are missing."""
    lost = counted(count, "event was", "events were")
    return f"{lost} lost: the output is read too slowly"


def explain(session: Session, done: Event) -> None:
    """Say why a probe failed and how to ask for more, when text is wanted."""
    if "reason" in done and not session.options.json:
        session.out.failure(done["message"], done.get("hint"))
        ask_why(session, done["reason"], done.get("id"))


def ask_why(session: Session, reason: str, packet: int | None) -> None:
    """End a failed probe with the reason's name and the command that tells all about it."""
    command = command_for(session.options.stack)
    asked = f"why {packet}" if packet else f"explain {reason}"
    out = session.out
    label, name, ask = (
        out.paint(kind, text, error=True)
        for kind, text in (("label", "reason:"), ("bad", reason), ("good", f"{command} {asked}"))
    )
    out.complaint(f"{label} {name} ({ask})")


def milliseconds(nanoseconds: int) -> str:
    """Return a time in milliseconds to the microsecond, cut off as iputils does."""
    whole, fraction = divmod(nanoseconds // 1000, 1000)
    return f"{whole}.{fraction:03d}"


def rtt_line(rtt_ns: dict[str, int]) -> str:
    """Return ping's line with the round-trip times."""
    values = "/".join(milliseconds(rtt_ns[key]) for key in ("min", "avg", "max", "mdev"))
    return f"rtt min/avg/max/mdev = {values} ms"
