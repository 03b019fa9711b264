"""``smolctl host drops``: what the kernel drops, as it happens."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import link
from smolctl.cli.nouns.stats import COLORS
from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, UsageFault, Word, option
from smolctl.counted import counted

if TYPE_CHECKING:
    from smolctl.host.drops.dropped import Dropped, Source
    from smolctl.host.drops.rows import Counts, Room, Row

_OTHERS_SHOWN = 3
"""Names that are shown of those that it could be, too."""
_AGAIN_S = 1.0
"""After this long it is looked again for the name of a namespace, seconds."""

_OTHERS = {"inet": (0x86DD,), "inet6": (0x0800, 0x0806)}
"""Ethertypes that are not of a family."""


def _run(session: Session, args: Args) -> int:
    from smolctl.host.drops import source
    from smolctl.host.drops.rows import Counts

    netns, everywhere = args.get("netns"), "all" in args
    if netns is not None and everywhere:
        raise UsageFault("host drops: --all and netns contradict")
    where = _Where(netns, everywhere)
    limit, wait_s = source.limits({key: args[key] for key in ("count", "wait") if key in args})
    made = source.best(0 if everywhere else where.wanted)
    counts = Counts()
    watch = _Watch(session.out, made, where, counts)
    try:
        watch.run(limit, wait_s)
    except KeyboardInterrupt:
        if session.out.width is not None:
            session.out.line()  # the terminal has shown ^C
    finally:
        made.close()
    ok = limit is None or len(counts) >= limit
    watch.summary(ok)
    return exits.DONE if ok else exits.NO


class _Where:
    """The namespaces that are watched, and their names.

    Args:
        netns: name or path of the only one; None is the one in which we are.
        everywhere: all of them.

    Raises:
        DeviceError: there is no such namespace.
    """

    def __init__(self, netns: str | None, everywhere: bool) -> None:
        from smolctl.host.drops import source
        from smolctl.host.drops.rows import Room

        self._everywhere = everywhere
        self.wanted = source.inode(netns)
        self._home = Room(netns)
        self._rooms: dict[int, tuple[Room, float]] = {}

    def has(self, dropped: "Dropped") -> bool:
        """Return whether a packet is to be told."""
        return self._everywhere or dropped.net == self.wanted

    def room(self, dropped: "Dropped") -> "Room":
        """Return the namespace of a packet."""
        from smolctl.host.drops import source
        from smolctl.host.drops.rows import Room

        net, now = dropped.net, time.monotonic()
        if net == self.wanted:
            return self._home
        # The number of a namespace that has ended is soon another one's.
        room, again = self._rooms.get(net, (None, 0.0))
        if room is None or not (source.has(room.netns, net) if room.netns else now < again):
            path = source.path_of(net)
            room = Room(path, known=path is not None)
            self._rooms[net] = room, now + _AGAIN_S
        return room

    def label(self, dropped: "Dropped") -> str:
        """Return what tells a packet's namespace from ours; "" where nothing need do so."""
        if not self._everywhere or dropped.net in (0, self.wanted):
            return ""
        return self.room(dropped).netns or f"net:[{dropped.net}]"


class _Watch:
    """The loop that tells drops as they come.

    Args:
        out: where to.
        source: what tells of them.
        where: which namespaces are wanted.
        counts: takes all that are told.
    """

    def __init__(self, out: Output, source: "Source", where: _Where, counts: "Counts") -> None:
        self._out, self._source, self._where, self._counts = out, source, where, counts
        self._homeless = self._lost = 0
        self._skipped = _OTHERS.get(out.options.family or "", ())

    def run(self, limit: int | None, wait_s: float | None) -> None:
        """Tell so many drops, or those of so many seconds; None is no limit."""
        if self._source.unknown:
            self._out.notice(f"not known: {self._source.unknown}")
        self._out.notice("watching what the kernel drops; Ctrl-C ends")
        end = None if wait_s is None else time.monotonic() + wait_s
        while limit is None or len(self._counts) < limit:
            for dropped in self._source.take():
                self._tell(dropped)
                if limit is not None and len(self._counts) >= limit:
                    return
            self._out.flush()
            self._say_lost()
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return
            self._source.wait(left)

    def _tell(self, dropped: "Dropped") -> None:
        from smolctl.host.drops.naming import is_known
        from smolctl.host.drops.rows import row

        if not dropped.is_packet or dropped.protocol in self._skipped:
            return
        if not self._where.has(dropped):
            self._homeless += not dropped.net and is_known(dropped)
            return
        out = self._out
        everything = out.options.verbose or out.options.oneline
        whole = everything or not self._counts.has(dropped)
        made = row(dropped, self._where.room(dropped), whole=whole)
        if label := self._where.label(dropped):
            made = {**made, "netns": label}
        first = self._counts.add(dropped, made)
        if out.options.json:
            out.event(made)
            return
        lines = [_headline(made, out), *(_details(made, out) if first or everything else ())]
        out.lines(link.joined(lines, out))

    def _say_lost(self) -> None:
        lost = self._source.lost()
        if lost > self._lost:
            text = counted(lost - self._lost, "drop", "drops")
            self._lost = lost
            if self._out.options.json:
                self._out.event({"event": "lost", "count": lost})
            else:
                self._out.complaint(f"smolctl: {text} not shown: they come too fast")

    def summary(self, ok: bool) -> None:
        """Tell how many there were of each reason."""
        out, rows = self._out, self._counts.rows()
        total = len(self._counts)
        if out.options.json:
            end: dict[str, Any] = {"event": "summary", "drops": total, "lost": self._lost}
            out.event({**end, "unknown": self._homeless, "reasons": rows, "ok": ok})
            return
        if out.options.quiet:
            return
        out.lines(_table(rows, out))
        out.line(counted(total, "packet was dropped", "packets were dropped"))
        if self._homeless:
            more = counted(self._homeless, "other one was", "others were")
            out.line(
                f"{more} dropped of which the namespace is not known: smolctl host drops --all"
            )


def _headline(row: "Row", out: Output) -> str:
    """Return when, where, both names of the reason, and the packet."""
    at = out.clock.local(row["time"])
    day = f"{at:%Y-%m-%dT}" if out.options.tshort or out.options.timestamp else ""
    dev = out.paint("ifname", row["dev"]) if "dev" in row else "-"
    dev += f"@{row['netns']}" if "netns" in row else ""
    words = [f"[{day}{at:%H:%M:%S.%f}]", dev, *([row["dir"]] if "dir" in row else ())]
    words += [row["linux"], _name(row, out)]
    return f"{' '.join(words)}: {row.get('summary') or _unread(row)}"


def _name(row: "Row", out: Output) -> str:
    if "reason" not in row:
        return "-"
    return out.paint(COLORS.get(row["class"], "wait"), row["reason"]) + (
        "?" if "others" in row else ""
    )


def _unread(row: "Row") -> str:
    """Return what stands for a packet whose bytes are not known."""
    protocol = f"ethertype {row['protocol']:#06x}" if "protocol" in row else "no protocol"
    return f"{protocol}, at {row['place']}" if "place" in row else protocol


def _details(row: "Row", out: Output) -> Iterator[str]:
    """Yield what it means, what may help, and what tells more."""
    others = row.get("others", [])
    more = ", ..." if len(others) > _OTHERS_SHOWN else ""
    others = f" (or {', '.join(others[:_OTHERS_SHOWN])}{more})" if others else ""
    place = row.get("place", "").partition("+")[0] if row["linux"] == "NOT_SPECIFIED" else ""
    where = f"; the kernel's code: {place}" if place else ""
    yield from _indented(out, "means", f"{row['meaning']}{others}{where}")
    if "why" in row:
        yield from _indented(out, "why", row["why"])
    for command in row["fix"]:
        yield from _indented(out, "fix", command, "good")
    for command in row["try"]:
        yield from _indented(out, "try", command, "good")
    for command in row["look"]:
        yield from _indented(out, "look", command)
    if "ask" in row:
        yield from _indented(out, "ask", row["ask"], "good")


def _indented(out: Output, label: str, text: str, kind: str = "") -> Iterator[str]:
    head = "    " + out.paint("label", f"{label}:") + " " * (6 - len(label))
    return iter(out.folded(head, 11, text, kind))


def _table(rows: "list[Row]", out: Output) -> Iterator[str]:
    cells = [
        [
            row["count"],
            f"{row['linux']} {row['place']}" if "place" in row else row["linux"],
            row.get("reason", "-") + ("?" if "others" in row else ""),
            row["meaning"],
        ]
        for row in rows
    ]
    head = ("COUNT", "LINUX", "SMOLCTL", "MEANING")
    yield from aligned(cells, head, right=(0,), width=out.width) if rows else ()


COMMAND = Verb(
    "host drops",
    "watch what the kernel drops, and why",
    _run,
    (
        Word(
            ("netns",),
            "of this network namespace, by its name or path",
            "NETNS",
            complete="netns",
        ),
        option("all", "of all network namespaces, and where it is not known"),
        option("count", "stop after this many drops", "N", short="c"),
        option(
            "wait", "stop after this time; exit with 1 if fewer than -c came", "SECONDS", short="w"
        ),
    ),
    examples=(
        "smolctl host drops",
        "smolctl host drops --netns lab -c 1 -w 5",
        "smolctl -j host drops --all",
    ),
    notes="That needs root. A line has the time, the device, Linux's reason, smolctl's name for it,"
    " and the packet; ? stands for one of several. The first of each kind is followed by what it"
    " means, commands that may help (try), commands that tell more (look), and the one that asks"
    " smolctl about it (ask); -v says so each time. Ctrl-C ends with the numbers of each.",
)
