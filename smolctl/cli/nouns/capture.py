"""``smolctl capture``: show packets, write them to a file, or read them from one."""

import sys
from base64 import b64decode
from collections.abc import Iterator
from typing import IO

from smolctl.capture import CaptureFileError, Record
from smolctl.cli import exit as exits
from smolctl.cli.nouns import packets
from smolctl.cli.nouns.capture_sinks import NOTE, FileSink, JsonSink, Shown, Sink, TextSink
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, UsageFault, option
from smolctl.errors import SmolctlError

# --- from the stack -------------------------------------------------------------------------------


def _live(session: Session, args: Args, sink: Sink) -> int:
    captured = lost = 0

    def handle(event: Event) -> None:
        nonlocal captured, lost
        if event["event"] == "start":
            sink.start(event["links"])
        elif event["event"] == "lost":
            lost += event["count"]
            sink.lost(event["count"])
        elif event["event"] == "packet":
            captured += 1
            sink.packet(_from_event(event))

    try:
        done = session.stream("capture.run", args, handle)
        lost = done["lost"]
        sink.end(captured, lost)
    except SmolctlError:
        if captured:
            packets.tell(session.out, captured, "captured", lost)
        raise
    finally:
        sink.close()
    packets.tell(session.out, captured, "captured", lost)
    return exits.DONE if done["ok"] else exits.NO


def _from_event(event: Event) -> Shown:
    frame = b64decode(event["data"])
    reason, why = event.get("reason"), event.get("why", "")
    comments = [f"reason: {reason} - {why}"] if reason else []
    comments += [f"{NOTE}{note['reason']} - {note['why']}" for note in event.get("notes", ())]
    record = Record(
        event["time_ns"],
        frame,
        event["linked"],
        event["dev"],
        event["dir"],
        len(frame),
        tuple(comments),
    )
    return Shown(record, reason, event.get("kind", ""), why, event["id"])


# --- from a file ----------------------------------------------------------------------------------


def _offline(session: Session, path: str, text: str, count: int | None, sink: Sink) -> None:
    from smolctl.capture.selection import select

    captured = 0
    with _opened(path) as file:
        found = select(_named(path, file), text)
        sink.start([])
        try:
            for record, verdict in found:
                sink.packet(Shown(record, *verdict) if verdict else Shown(record))
                captured += 1
                if captured == count:
                    break
        finally:
            # What came before damage has been shown, and must not get lost in a buffer.
            sink.end(captured, 0)


def _named(path: str, file: IO[bytes]) -> Iterator[Record]:
    from smolctl.capture.reader import read

    try:
        yield from read(file)
    except CaptureFileError as error:
        raise CaptureFileError(f"{path}: {error.message}") from None
    except OSError as error:
        raise CaptureFileError(f"cannot read {path}: {error.strerror or error}") from None


def _opened(path: str) -> IO[bytes]:
    if path == "-":
        if sys.stdin is None:
            raise CaptureFileError("there is no standard input to read from")
        return sys.stdin.buffer
    try:
        return open(path, "rb")
    except OSError as error:
        raise CaptureFileError(f"cannot read {path}: {error.strerror or error}") from None


# --- the command ----------------------------------------------------------------------------------


def _run(session: Session, args: Args) -> int:
    dev, words = packets.split(args)
    path, live = args.get("write"), "read" not in args
    if path is not None and path.isdecimal():
        raise UsageFault(
            f'capture: -w names a file, and "{path}" looks like seconds',
            hint=f"--wait {path}, or -w ./{path} for a file of that name",
        )
    if path == "-" and session.options.json:
        raise UsageFault("capture: --json and -w - both want standard output")
    sink: Sink
    if path is not None:
        sink = FileSink(path, session.out, live=live, one=live and dev is not None)
    elif session.options.json:
        sink = JsonSink(session.out)
    else:
        sink = TextSink(session.out, live=live)
    if live:
        return _live(session, packets.request(args), sink)
    text = " ".join(words)
    if dev is not None:
        text = f"dev {dev}" + (f" and ({text})" if text else "")
    _offline(session, args["read"], text, _count(args.get("count")), sink)
    return exits.DONE


def _count(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text)):
        raise UsageFault(f'capture: "{text}" is not a number of packets')
    return int(text)


COMMAND = Verb(
    "capture",
    "show packets, or write them to a file",
    _run,
    (
        *packets.PLACES,
        packets.INTERFACE,
        option("write", "write pcapng; - is standard output", "FILE", short="w"),
        option(
            "read",
            "read pcap or pcapng instead of the stack; - is standard input",
            "FILE",
            short="r",
        ),
        option("numeric", "accepted: names are never looked up", short="n"),
        *packets.ENDS,
    ),
    examples=(
        "smolctl capture",
        "smolctl capture tap0 udp port 53 or arp",
        "smolctl capture -w all.pcapng reason any",
        "smolctl capture -w - > all.pcapng",
        "smolctl capture -v -r all.pcapng -c 1 'host 10.0.0.2 and not (udp port 7)'",
        "smolctl -j capture lo -c 10",
    ),
    notes=packets.FILTER_TEXT,
)
