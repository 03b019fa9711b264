"""Sinks of captured packets: lines for people, JSON, or a pcapng file."""

from contextlib import suppress
from typing import IO, NamedTuple, Protocol

from smolctl.capture import Interface, Record
from smolctl.capture.pcapng import Writer
from smolctl.capture.summary import summary
from smolctl.cli.nouns import packets
from smolctl.cli.output import Output, OutputError
from smolctl.client.control import command_for
from smolctl.counted import counted

_NS_PER_S = 1_000_000_000
NOTE = "note: "
"""Begins the comment of a packet that says what was noted of it."""


class Shown(NamedTuple):
    """A packet, and what became of it.

    Attributes:
        reason: why it was dropped or refused, else None.
        kind: "drop" or "reject".
        why: the reason in one line, "" when it is not known.
        id: what ``smolctl why`` knows it by, 0 when it is from a file.
    """

    record: Record
    reason: str | None = None
    kind: str = ""
    why: str = ""
    id: int = 0


class Sink(Protocol):
    """The receiver of captured packets."""

    def start(self, links: packets.Links) -> None:
        """Begin; these are the interfaces, none when a file is read."""

    def packet(self, shown: Shown) -> None:
        """Take a packet."""

    def lost(self, count: int) -> None:
        """Take note of packets that are missing here."""

    def end(self, captured: int, lost: int) -> None:
        """End; this many there were."""

    def close(self) -> None:
        """Let go of what is still open: there is no end to be told."""


class TextSink:
    """Lines for people.

    Args:
        out: writes them.
        live: each at once.
    """

    def __init__(self, out: Output, *, live: bool) -> None:
        self._out = out
        self._live = live
        stack = out.options.stack
        # Which stack a plain "smolctl" reaches depends on who types it, and where.
        self._why = f"{command_for(stack)} why"

    def start(self, links: packets.Links) -> None:
        """Say what is listened to, now that all is there that shows packets."""
        if links:
            from smolctl.cli.nouns import dissect  # noqa: F401  scapy takes most of a second

        packets.say_listening(self._out, links)

    def packet(self, shown: Shown) -> None:
        """Write the line of a packet, and its fields if asked to say more."""
        record, out = shown.record, self._out
        place, fate = _place(record, out), _fate(shown, self._why, out)
        out.line(f"{_stamp(record.time_ns, out)}{place} {summary(record)}{fate}")
        if out.options.verbose:
            from smolctl.cli.nouns import dissect

            if shown.why:
                self._out.line(f"  why: {shown.why}")
            self._out.lines("  " + line for line in dissect.dissection(record).splitlines())
        if self._live:
            self._out.flush()

    def lost(self, count: int) -> None:
        """Say so in its place."""
        self._out.line(packets.missing(count))

    def end(self, captured: int, lost: int) -> None:
        """Hand everything to the reader."""
        self._out.flush()

    def close(self) -> None:
        """Do nothing: nothing is open."""


class JsonSink:
    """One JSON object a line."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def start(self, links: packets.Links) -> None:
        """Tell that packets are captured from now on."""
        if links:
            from smolctl.cli.nouns import dissect  # noqa: F401  scapy takes most of a second

            self._out.event({"event": "start", "links": links})

    def packet(self, shown: Shown) -> None:
        """Write a packet."""
        record = shown.record
        row = {
            "event": "packet",
            "time": record.time_ns / _NS_PER_S if record.time_ns else None,
            "dev": record.dev or None,
            "dir": record.direction or None,
            "len": record.length,
            "summary": summary(record),
            "reason": shown.reason,
            "why": shown.why or None,
            "notes": _notes(record) or None,
            "id": shown.id or None,
        }
        self._out.event({key: value for key, value in row.items() if value is not None})

    def lost(self, count: int) -> None:
        """Tell that some are missing."""
        self._out.event({"event": "lost", "count": count})

    def end(self, captured: int, lost: int) -> None:
        """Write the last line."""
        self._out.event({"event": "summary", "captured": captured, "lost": lost})

    def close(self) -> None:
        """Do nothing: nothing is open."""


class FileSink:
    """A pcapng file, or standard output; complete after each packet while it is live.

    Args:
        path: "-" is standard output.
        out: of the command.
        live: hand each packet to the file's readers at once.
        one: only one interface is captured on.
    """

    def __init__(self, path: str, out: Output, *, live: bool, one: bool = False) -> None:
        self._path = path
        self._out = out
        self._live = live
        self._one = one
        self._writer = Writer()
        self._missing = 0
        self._file: IO[bytes] | None = None

    def start(self, links: packets.Links) -> None:
        """Make the file, now that nothing is wrong with the command's words."""
        if self._path != "-":
            try:
                self._file = open(self._path, "wb")  # noqa: SIM115  closed by end
            except OSError as error:
                raise self._error(error) from None
        self._writer = Writer(raw=self._one and links[0]["loopback"])
        interfaces = tuple(Interface(link["ifname"], link["loopback"]) for link in links)
        self._write(self._writer.header(interfaces), at_once=True)
        packets.say_listening(self._out, links)

    def packet(self, shown: Shown) -> None:
        """Write a packet, with what became of it as a comment."""
        record = shown.record
        if self._missing:
            said = f"lost: {counted(self._missing, 'packet')} before this one"
            record = record._replace(comments=(*record.comments, said))
            self._missing = 0
        self._write(self._writer.packet(record), at_once=self._live)

    def lost(self, count: int) -> None:
        """Say so with the next packet."""
        self._missing += count

    def end(self, captured: int, lost: int) -> None:
        """Close the file; with JSON on standard output, say how many packets are in it."""
        self._write(self._writer.end(), at_once=True)
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                raise self._error(error) from None
        if self._out.options.json and self._path != "-":
            self._out.event({"event": "summary", "captured": captured, "lost": lost})

    def close(self) -> None:
        """Close the file if it is still open."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _write(self, data: bytes, *, at_once: bool) -> None:
        if self._file is None:
            self._out.raw(data)
            return
        try:
            self._file.write(data)
            if at_once:
                self._file.flush()
        except OSError as error:
            # What is left in the buffer would fail again when the file is closed.
            with suppress(OSError):
                self._file.close()
            raise self._error(error) from None

    def _error(self, error: OSError) -> Exception:
        if isinstance(error, BrokenPipeError):
            return error
        return OutputError(f"cannot write {self._path}: {error.strerror or error}")


# --- what is said about a packet ------------------------------------------------------------------


def _stamp(time_ns: int, out: Output) -> str:
    """Return the local time of day, as tcpdump has it, after the date unless it is today's."""
    if not time_ns:  # a file may not say
        return "-" * 15
    seconds, rest = divmod(time_ns, _NS_PER_S)
    at = out.clock.local(seconds)
    return f"{out.clock.day(at)}{at:%H:%M:%S}.{rest // 1000:06d}"


def _place(record: Record, out: Output) -> str:
    dev = out.paint("ifname", record.dev)
    words = [word for word in (dev, record.direction.ljust(3)) if word.strip()]
    return "".join(f" {word}" for word in words)


def _notes(record: Record) -> list[str]:
    """Return the reasons that were noted of a packet, by their names: why it was sent again..."""
    told = (text.removeprefix(NOTE) for text in record.comments if text.startswith(NOTE))
    return [text.partition(" ")[0] for text in told]


def _fate(shown: Shown, command: str, out: Output) -> str:
    if shown.reason is None:
        notes = _notes(shown.record)
        return f"  note {', '.join(notes)}" if notes else ""
    more = f" ({command} {shown.id})" if shown.id else ""
    return f"  {shown.kind} {out.paint('bad', shown.reason)}{more}"
