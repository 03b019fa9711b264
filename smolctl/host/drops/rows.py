"""Drops as rows: the same keys in JSON and in text."""

from collections import Counter
from typing import Any

from smolctl.host.drop_names import BY_LINUX, UNSPECIFIED
from smolctl.host.drops import hints
from smolctl.host.drops.dropped import Dropped
from smolctl.host.drops.facts import ICMPV6, IGMP, Facts, facts, summary
from smolctl.host.drops.listeners import Listeners
from smolctl.host.drops.live_twin import LiveTwin
from smolctl.host.drops.naming import is_known, names
from smolctl.stack.reason import REASONS

Row = dict[str, Any]
_FREED = {
    **dict.fromkeys(
        ("udp_destruct_common", "inet_sock_destruct", "sk_stream_kill_queues"),
        "its socket was closed, and nobody had read it",
    ),
    "tun_queue_purge": "the program that has the TUN or TAP closed it, and had not read it",
    "ip6_finish_output2": "a packet to a group of this host alone is not sent by any link",
}
"""Meanings of what functions free that are not in the way of a packet."""
_GROUPS = (("ip-multicast-not-joined",), ("ip6-multicast-not-joined",))
_Kind = tuple[str, str, tuple[str, ...]]


class Room:
    """One network namespace in which packets are dropped.

    Args:
        netns: as for ``inside``; commands are told to be run there.
        known: there is a way into it. Without one, the packet alone tells what it can.
    """

    def __init__(self, netns: str | None, *, known: bool = True) -> None:
        self.netns = netns
        self._listeners = Listeners(netns) if known else None
        self.twin = LiveTwin(netns) if known else None

    def names(self, dropped: Dropped, known: Facts) -> tuple[str, ...]:
        """Return smolctl's reasons that a drop can have, with what its namespace tells."""
        found = names(dropped, known)
        return self._listeners.narrowed(found, known) if self._listeners is not None else found


def row(dropped: Dropped, room: Room, *, whole: bool) -> Row:
    """Return a drop as a row.

    Args:
        dropped: the packet.
        room: where it was dropped.
        whole: what helps is found out, too, and not only where it decides about the name.
    """
    known = facts(dropped)
    found = room.names(dropped, known)
    said = None
    if room.twin is not None and is_known(dropped) and (whole or len(found) != 1):
        said = room.twin.ask(dropped, known)
    if said is not None and not found and said.exact and dropped.linux == UNSPECIFIED:
        found = (said.reason,)
    if said is not None and said.reason not in found:
        said = None  # Linux knows better
    found = (said.reason,) if said is not None else found
    change, look = hints.commands(dropped, known, found[0] if found else None, room.netns)
    fix = said.fix if said is not None else ()
    if room.twin is None or _is_for_others(found, known):
        fix = change = look = ()  # there is no way in, or nothing to mend
    elif fix:
        change = look = ()
    elif said is not None and said.look and not change and not look:
        look = (said.look,)
    made: Row = {"event": "drop", "time": dropped.time_ns / 1e9}
    made |= {"dev": dropped.dev} if dropped.dev else {}
    made |= {"dir": "in" if dropped.iif else "out"} if dropped.iif is not None else {}
    made["linux"] = dropped.linux
    made |= {"place": dropped.place} if dropped.place else {}
    made |= {"reason": found[0], "class": str(REASONS[found[0]].kind)} if found else {}
    made |= {"others": list(found[1:])} if len(found) > 1 else {}
    made["meaning"] = meaning(dropped, found)
    told = summary(dropped)
    made |= {"summary": told} if told else {}
    made |= {"protocol": dropped.protocol} if dropped.protocol else {}
    made |= {"mark": dropped.mark} if dropped.mark else {}
    made |= {"why": said.why} if said is not None else {}
    made |= {"fix": list(fix), "try": list(change), "look": list(look)}
    asked = None
    if room.twin is not None and is_known(dropped):
        asked = hints.question(dropped, known, room.twin.entrance(dropped), room.netns)
    return made | ({"ask": asked} if asked else {})


def _is_for_others(found: tuple[str, ...], known: Facts) -> bool:
    """Return whether routers and neighbors talk in a group that is not ours."""
    return found[:1] in _GROUPS and known.protocol in (IGMP, ICMPV6)


def meaning(dropped: Dropped, found: tuple[str, ...]) -> str:
    """Return what happened, in one sentence without full stop."""
    row = BY_LINUX.get(dropped.linux)
    if len(found) == 1:
        return REASONS[found[0]].summary.replace("this stack", "this host")
    if dropped.function in _FREED and dropped.linux in (UNSPECIFIED, "QUEUE_PURGE"):
        return _FREED[dropped.function]
    return row.meaning if row is not None else "a reason that is not known here"


class Counts:
    """The drops that were told, by their reasons."""

    def __init__(self) -> None:
        self._counts: Counter[_Kind] = Counter()
        self._places: set[tuple[str, str]] = set()
        self._meanings: dict[_Kind, str] = {}

    def has(self, dropped: Dropped) -> bool:
        """Return whether one of the same reason and place was counted before."""
        return (dropped.linux, dropped.function) in self._places

    def add(self, dropped: Dropped, row: Row) -> bool:
        """Count a drop; return whether it is the first of its kind."""
        self._places.add((dropped.linux, dropped.function))
        where = row.get("place", "") if "reason" not in row else ""
        name = (row["reason"], *row.get("others", ())) if "reason" in row else ()
        kind = row["linux"], where.partition("+")[0], name
        self._counts[kind] += 1
        self._meanings.setdefault(kind, row["meaning"])
        return self._counts[kind] == 1

    def __len__(self) -> int:
        return self._counts.total()

    def rows(self) -> list[Row]:
        """Return a row for each reason, the most frequent first."""
        made = []
        for kind, count in self._counts.most_common():
            linux, place, names = kind
            row: Row = {"count": count, "linux": linux}
            row |= {"place": place} if place else {}
            row |= {"reason": names[0]} if names else {}
            row |= {"others": list(names[1:])} if len(names) > 1 else {}
            made.append({**row, "meaning": self._meanings[kind]})
        return made
