"""``smolctl tcp bench``: how many bytes a second a connection carries, and what TCP says of it.

It is plain TCP: whoever reads is a sink, whoever writes is a source, such as nc(1). Bytes are
zeros, but that one who wants to be sent to says so by a first byte, ``REVERSE``: a source does not
look at it, and our own server becomes one by it.
"""

import select
from contextlib import ExitStack
from time import monotonic
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import stream
from smolctl.cli.nouns.tcp_socket import (
    PATIENCE_S,
    Interrupt,
    connected,
    emit,
    name_of,
    number,
    port_of,
    shown_errors,
)
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.endpoint import joined
from smolctl.cli.words.grammar import Args
from smolctl.client.errors import said_of
from smolctl.client.stream import StreamSocket
from smolctl.errors import InvalidArgument

OWNER = "tcp bench"
"""The owner of its sockets, at either end."""
REVERSE = b"R"
CHUNK = 1 << 18
ZEROS = memoryview(bytes(CHUNK))
_STREAMS_MAX = 128
_DRAIN_S = 10.0
"""Time that what was sent has to be acknowledged, once no more is."""
_LOOK_S = 0.02
_SECONDS, _INTERVAL = 10.0, 1.0
Row = dict[str, Any]


def run(session: Session, args: Args) -> int:
    """Measure, and print intervals and totals."""
    peer = args["dst"], port_of(args["port"])
    seconds = _time(args, "time", _SECONDS)
    interval = _time(args, "interval", _INTERVAL)
    streams = int(number(args, "parallel", 1) or 1)
    if streams > _STREAMS_MAX:
        raise InvalidArgument(f"parallel {streams} is more than {_STREAMS_MAX}")
    wait = number(args, "wait", 0)
    bench = _Bench(session, peer, seconds, interval, reverse=bool(args.get("reverse")))
    with shown_errors(), ExitStack() as connections:
        for _ in range(streams):
            bench.add(connections.enter_context(connected(session, OWNER, args, peer, wait)))
        with Interrupt() as interrupt:  # from here on, there are totals to show
            return bench.measure(interrupt)


def _time(args: Args, name: str, default: float) -> float:
    text = args.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = -1.0
    if not 0.01 <= value <= 1e6:
        raise InvalidArgument(f'{name} "{text}" is not a number of seconds, 0.01 or more')
    return value


class _Stream:
    """One connection.

    Attributes:
        number: from 1 on. size: bytes sent, or received. told: of these, in earlier intervals.
        info: what ``socket show`` said last. retrans: in earlier intervals.
    """

    def __init__(self, number: int, one: StreamSocket) -> None:
        self.number, self.one = number, one
        self.size = self.told = self.retrans = 0
        self.info: Row = {}
        self.ended = False


class _Bench:
    """A measurement.

    Args:
        peer: host and port.
        seconds: how long. interval: between lines.
        reverse: the peer sends.
    """

    def __init__(
        self, session: Session, peer: tuple[str, int], seconds: float, interval: float, *,
        reverse: bool,
    ) -> None:  # fmt: skip
        self._session, self._peer, self._reverse = session, peer, reverse
        self._seconds, self._interval = seconds, interval
        self._streams: list[_Stream] = []
        self._buffer = bytearray(CHUNK)
        self._lines = _Lines(session.out, session, reverse=reverse)
        self._began = self._line_s = 0.0
        self._wrong: Row = {}

    def add(self, one: StreamSocket) -> None:
        """Take a connection, and have the peer send, if it is to."""
        one.settimeout(None)
        if self._reverse:
            one.send(REVERSE)
        one.setblocking(False)
        each = _Stream(len(self._streams) + 1, one)
        self._streams.append(each)
        (src, sport), (host, port) = name_of(one.getsockname()), self._peer
        emit(self._session, "connected", id=each.number, src=src, sport=sport, dst=host, dport=port)
        self._lines.say(f"[{each.number:3}] {joined(src, sport)} connected to {joined(host, port)}")

    # --- measuring --------------------------------------------------------------------------------

    def measure(self, interrupt: Interrupt) -> int:
        """Move bytes for as long as was asked for; return the exit status."""
        self._began = self._line_s = monotonic()
        self._lines.head()
        end = self._began + self._seconds
        line = min(self._began + self._interval, end)
        poll = select.poll()
        poll.register(interrupt.fileno(), select.POLLIN)
        streams = {each.one.fileno(): each for each in self._streams}
        for fd in streams:
            poll.register(fd, select.POLLIN if self._reverse else select.POLLOUT)
        while streams and not interrupt.came and not self._wrong:
            now = monotonic()
            if now >= min(end, line):
                self._tell(now)
                line = self._next_line(now, end)
                if now >= end:
                    break
                continue
            for fd, _ in poll.poll((min(end, line) - now) * 1000):
                if fd in streams and not self._move(streams[fd]):
                    poll.unregister(fd)
                    del streams[fd]
        if interrupt.came or self._wrong or not streams:
            self._tell(monotonic())
        seconds = self._line_s - self._began
        acked_s = seconds
        if not (self._reverse or self._wrong):
            acked_s = self._drain(interrupt)
        return self._finish(seconds, acked_s)

    def _next_line(self, now: float, end: float) -> float:
        """Return when an interval ends next; a rest that is much shorter belongs to the last."""
        number_ = int((now - self._began) / self._interval + 0.5) + 1
        due = self._began + number_ * self._interval
        return end if end - due < self._interval / 10 else due

    def _move(self, each: _Stream) -> bool:
        """Send or receive once; False at the end of a stream."""
        try:
            if not self._reverse:
                each.size += each.one.send(ZEROS)
                return True
            size = each.one.recv_into(self._buffer)
            each.size += size
            if not size:
                each.ended = True
                if not each.size:
                    where = joined(*self._peer)
                    self._wrong = {
                        "message": f"{where} closed the connection, and had sent nothing"
                    }
            return size > 0
        except BlockingIOError:
            return True
        except OSError as error:
            said = said_of(error)
            if said is None:
                raise
            each.ended = True
            self._wrong = {"reason": said.get("code"), "message": said.get("message")}
            self._wrong |= {key: said[key] for key in ("hint", "id") if key in said}
            return False

    def _look(self) -> None:
        """Ask the stack how the connections are."""
        rows: dict[tuple[int, str, int], Row] = {}
        for row in self._session.call("socket.show", netid="tcp"):
            if "bytes_acked" in row:
                rows[row["local_port"], row["peer"], row["peer_port"]] = row
        for each in self._streams:
            try:
                sport = name_of(each.one.getsockname())[1]
            except OSError:
                continue
            known = rows.get((sport, self._peer[0].partition("%")[0], self._peer[1]))
            if known is not None:
                each.info = known

    def _tell(self, now: float) -> None:
        """Report an interval."""
        self._look()
        first, last = self._line_s - self._began, now - self._began
        self._line_s = now
        rows = []
        for each in self._streams:
            retrans = each.info.get("retrans", 0)
            row = {"id": each.number, **_rate(each.size - each.told, last - first)}
            if not self._reverse:
                row["retrans"] = retrans - each.retrans
                row |= _of_window(each.info)
            each.told, each.retrans = each.size, retrans
            rows.append(row)
        total = _rate(sum(row["bytes"] for row in rows), last - first)
        if not self._reverse:
            total["retrans"] = sum(row["retrans"] for row in rows)
        span = {"start": round(first, 3), "end": round(last, 3)}
        emit(self._session, "interval", **span, **total, streams=rows)
        self._lines.interval(span, rows, total)

    def _drain(self, interrupt: Interrupt) -> float:
        """Wait until what was sent is acknowledged; return when that was, in seconds."""
        end, told = monotonic() + _DRAIN_S, False
        poll = select.poll()
        poll.register(interrupt.fileno(), select.POLLIN)
        while True:
            self._look()
            now = monotonic()
            missing = sum(
                max(each.size - each.info.get("bytes_acked", 0), 0) for each in self._streams
            )
            if not missing:
                return now - self._began
            if now > end or interrupt.came:
                where = joined(*self._peer)
                self._wrong = {
                    "message": f"{where} has not acknowledged {missing} B",
                    "hint": "does its program read?",
                }
                return now - self._began
            if not told and now > end - _DRAIN_S + PATIENCE_S:
                told = True
                self._session.out.waiting(f"{joined(*self._peer)} to acknowledge {missing} B")
            poll.poll(_LOOK_S * 1000)

    def _finish(self, seconds: float, acked_s: float) -> int:
        rows, sent, acked, retrans = [], 0, 0, 0
        for each in self._streams:
            row = {"id": each.number, **_rate(each.size, seconds)}
            if not self._reverse:
                got = min(each.info.get("bytes_acked", 0), each.size)
                row |= {"retrans": each.info.get("retrans", 0), "acked": got}
                row |= _of_window(each.info)
                acked, retrans = acked + got, retrans + row["retrans"]
            sent += each.size
            rows.append(row)
        good = not self._wrong and sent > 0
        total: Row = _rate(sent, seconds)
        if not self._reverse:
            total |= {"retrans": retrans, "acked": acked, "acked_seconds": round(acked_s, 3)}
        emit(
            self._session, "summary", ok=good, reverse=self._reverse, seconds=round(seconds, 3),
            **total, streams=rows, **self._wrong,
        )  # fmt: skip
        self._lines.totals(round(seconds, 3), rows, total)
        if self._wrong and not self._session.options.json:
            self._session.out.failure(self._wrong["message"], self._wrong.get("hint"))
            if self._wrong.get("reason"):
                stream.ask_why(self._session, self._wrong["reason"], self._wrong.get("id"))
        return exits.DONE if good else exits.NO


def _rate(size: int, seconds: float) -> Row:
    return {"bytes": size, "bits_per_second": round(size * 8 / max(seconds, 1e-9))}


def _of_window(info: Row) -> Row:
    """Return congestion window in bytes and round trip in ms, as far as they are known."""
    row: Row = {}
    if "cwnd" in info:
        row["cwnd"] = info["cwnd"] * info["mss"]
    if "rtt" in info:
        row["rtt_ms"] = info["rtt"]
    return row


_BRIEF = ("bytes", "bits_per_second", "retrans")


class _Lines:
    """The text, in the manner of iperf3."""

    def __init__(self, out: Output, session: Session, *, reverse: bool) -> None:
        self._out, self._reverse = out, reverse
        options = session.options
        self._json, self._quiet = options.json, options.json or options.quiet

    def say(self, text: str) -> None:
        """Write a line, unless quiet."""
        if not self._quiet:
            self._out.line(text)
            self._out.flush()

    def head(self) -> None:
        """Write the names of the columns."""
        more = "" if self._reverse else f"  Retr  {'Cwnd':>10}  RTT"
        self.say(f"[ ID]   {'Interval':<13}  {'Transfer':>10}  {'Bitrate':>12}{more}")

    def interval(self, span: Row, rows: list[Row], total: Row) -> None:
        """Write the lines of an interval."""
        for row in rows:
            self.say(_line(f"{row['id']:3}", span["start"], span["end"], row))
        if len(rows) > 1:
            self.say(_line("SUM", span["start"], span["end"], total))

    def totals(self, seconds: float, rows: list[Row], total: Row) -> None:
        """Write the lines at the end: what was sent, and what has arrived."""
        if self._json:
            return
        self.say("- " * 20)
        shown = [(f"{row['id']:3}", row) for row in rows]
        if len(rows) > 1:
            shown.append(("SUM", total))
        for name, row in shown:
            side = "receiver" if self._reverse else "sender"
            brief: Row = {key: row[key] for key in _BRIEF if key in row}
            self._out.line(f"{_line(name, 0, seconds, brief)}  {side}")
            if "acked" in row:
                until = total["acked_seconds"]
                got = _rate(row["acked"], until)
                self._out.line(f"{_line(name, 0, until, got)}        receiver (acknowledged)")
        self._out.flush()


def _line(name: str, first: float, last: float, row: Row) -> str:
    text = (
        f"[{name}] {first:6.2f}-{last:<6.2f} s  {_scaled(row['bytes'], 1024, 'B'):>10}"
        f"  {_scaled(row['bits_per_second'], 1000, 'bit/s'):>12}"
    )
    if "retrans" in row:
        text += f"  {row['retrans']:4}"
    if "cwnd" in row:
        text += f"  {_scaled(row['cwnd'], 1024, 'B'):>10}"
    if "rtt_ms" in row:
        text += f"  {row['rtt_ms']:.2f} ms"
    return text


def _scaled(value: float, base: int, unit: str) -> str:
    """Return a number with a prefix of its unit: of bytes those of 1024, of bits those of 1000."""
    prefixes = ("", "Ki", "Mi", "Gi", "Ti") if base == 1024 else ("", "k", "M", "G", "T")
    power = 0
    while value >= base and power < len(prefixes) - 1:
        value, power = value / base, power + 1
    return f"{value:.2f} {prefixes[power]}{unit}" if power else f"{value:.0f} {unit}"


def rate_text(size: int, seconds: float) -> str:
    """Return how much was moved and how fast, in words for a line of the server."""
    bits = _rate(size, seconds)["bits_per_second"]
    return f"{_scaled(size, 1024, 'B')} in {seconds:.2f} s, {_scaled(bits, 1000, 'bit/s')}"
