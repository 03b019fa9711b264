"""IGMP, the host's side: when to report which groups, in the version that the link's routers speak.

One table per interface. It sends nothing: ``expire`` returns what is due as actions. A change is
due at once; so joining and leaving need not know what time it is.

Source: RFC 3376 5 and 7.2; RFC 2236 3 and 6 (versions 1 and 2); Linux net/ipv4/igmp.c.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

from smolctl.stack.alarm import Alarm
from smolctl.stack.ip.groups import NOBODY, SourceFilter
from smolctl.stack.sysctl.link_settings import NS_PER_MS, Values
from smolctl.wire import igmp
from smolctl.wire.igmp import Change, Membership, Query, Record, Type

_NS_PER_S = 1_000_000_000
QUERY_INTERVAL_NS = 125 * _NS_PER_S
"""Between two general queries, unless the querier says otherwise (RFC 3376 8.2)."""
RESPONSE_INTERVAL_NS = 10 * _NS_PER_S
"""Within which a general query is answered, likewise (RFC 3376 8.3)."""
SOURCES_MAX = 1024
"""Sources that are remembered of queries for one group; with more, all of it is reported."""


class SendRecords(NamedTuple):
    """Report these by version 3, in as many messages as they need."""

    records: list[Record]


class SendMessage(NamedTuple):
    """Send a message of version 1 or 2."""

    message: Membership
    dst: int


ReportAction = SendRecords | SendMessage


@dataclass(slots=True)
class _News:
    """News about one group that routers have not been told often enough yet.

    Attributes:
        at_ns: when to tell it again; 0 is at once, for what has not been told at all.
        mode: reports that are still to have a filter-mode-change record.
        sources: in how many reports each source is still to be.
        joins: reports of version 1 or 2 that are still to be sent.
        left: a leave message of version 2 is to be sent.
    """

    at_ns: int = 0
    mode: int = 0
    sources: dict[int, int] = field(default_factory=dict)
    joins: int = 0
    left: bool = False


@dataclass(slots=True)
class _Answer:
    """A query for one group that is to be answered; ``sources`` is empty when all are asked for."""

    at_ns: int
    sources: frozenset[int] = frozenset()


class GroupReports:
    """The reports that one interface has to make, and when.

    Args:
        random: returns a float in [0, 1).

    Attributes:
        due_ns: when ``expire`` has something to do; 0 for at once, None for never.
        v1_until_ns, v2_until_ns: how long a router of that version counts as present.
    """

    def __init__(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> None:
        self._settings, self._random, self._alarm = settings, random, alarm
        self.due_ns: int | None = None
        self.v1_until_ns = self.v2_until_ns = 0
        self._robustness = 0  # what the querier says, 0 when it has said nothing
        self._interval_ns, self._response_ns = QUERY_INTERVAL_NS, RESPONSE_INTERVAL_NS
        self._version = 3
        self._news: dict[int, _News] = {}
        self._general_ns: int | None = None
        self._answers: dict[int, _Answer] = {}
        self._reporter: set[int] = set()  # groups that we were the last to report (RFC 2236 6)

    def clone(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> "GroupReports":
        """Return a copy that packets can change."""
        result = GroupReports(settings, random, alarm)
        result.due_ns = self.due_ns
        result.v1_until_ns, result.v2_until_ns = self.v1_until_ns, self.v2_until_ns
        result._robustness, result._version = self._robustness, self._version
        result._interval_ns, result._response_ns = self._interval_ns, self._response_ns
        result._news, result._answers = deepcopy(self._news), deepcopy(self._answers)
        result._general_ns, result._reporter = self._general_ns, set(self._reporter)
        return result

    def version(self, now: int) -> int:
        """Return the version that is spoken: that of the oldest router (RFC 3376 7.2.1).

        igmp.force_version is the latest one at most (Linux ``IGMP_V1_SEEN``, ``IGMP_V2_SEEN``).
        """
        latest = self._settings["igmp.force_version"] or 3
        if now < self.v1_until_ns:
            return 1
        return min(latest, 2 if now < self.v2_until_ns else 3)

    @property
    def robustness(self) -> int:
        """The number of reports of a change: the querier's, else igmp.qrv (RFC 3376 8.1)."""
        return self._robustness or self._settings["igmp.qrv"]

    def reported(self, group: int) -> bool:
        """Tell whether a group is reported at all.

        That of all hosts never is (RFC 3376 5). Those that no router forwards need not be, but
        switches that listen to IGMP may want to know (RFC 4541 2.1.2).
        """
        if group == igmp.ALL_HOSTS:
            return False
        return group >> 8 != 0xE00000 or self._settings["igmp.link_local_reports"] != 0

    # --- what changes -----------------------------------------------------------------------------

    def changed(self, group: int, before: SourceFilter, after: SourceFilter) -> None:
        """Take note that the interface wants something else of a group; reported at once.

        What had not been repeated often enough is merged into it (RFC 3376 5.1).
        """
        if before == after or not self.reported(group):
            return
        news = self._news.setdefault(group, _News())
        news.at_ns = 0
        if before.exclude != after.exclude:
            news.mode = self.robustness
        else:
            for source in before.sources ^ after.sources:
                news.sources[source] = self.robustness
        if (before == NOBODY) != (after == NOBODY):
            joined = before == NOBODY
            news.joins, news.left = self.robustness if joined else 0, not joined
        self._schedule()

    def restart(self, filters: Mapping[int, SourceFilter]) -> None:
        """Report all groups as newly joined: the link is up again (Linux ip_mc_up)."""
        self.stop()
        for group, wanted in filters.items():
            self.changed(group, NOBODY, wanted)

    def stop(self) -> None:
        """Forget what was to be sent, and the routers: the link is down."""
        self._news.clear()
        self._answers.clear()
        self._reporter.clear()
        self._general_ns = None
        self.v1_until_ns = self.v2_until_ns = self._robustness = 0
        self._interval_ns, self._response_ns = QUERY_INTERVAL_NS, RESPONSE_INTERVAL_NS
        self._schedule()

    # --- what routers and other hosts say ---------------------------------------------------------

    def asked(self, query: Query, filters: Mapping[int, SourceFilter], now: int) -> int:
        """Plan the answers to a query, each after a random part of its maximum response time.

        Returns: for how many groups there will be an answer because of it.
        """
        self._note_querier(query, now)
        self._follow(now)
        wait_ns = max(query.max_response_ms, 1) * NS_PER_MS
        if self._version == 1:
            wait_ns = RESPONSE_INTERVAL_NS
        if query.version == 1:
            query = query._replace(group=0)  # RFC 1112, appendix I: it asks for all of them
        if query.group:
            groups = [query.group] if query.group in filters else []
        else:
            groups = list(filters)
        groups = [group for group in groups if self.reported(group)]
        if self._version < 3:
            for group in groups:
                self._plan_report(group, wait_ns, now)
        elif groups:
            self._plan_records(query, now + int(self._random() * wait_ns))
        self._schedule()
        return len(groups)

    def _note_querier(self, query: Query, now: int) -> None:
        """Remember the querier's version and variables (RFC 3376 4.1.6, 4.1.7, 7.2.1)."""
        if query.version == 3:
            self._robustness = query.robustness
            self._interval_ns = query.interval_s * _NS_PER_S or QUERY_INTERVAL_NS
        if query.version > 1 and not query.group:
            self._response_ns = query.max_response_ms * NS_PER_MS
        # RFC 3376 8.12, the older version querier present timeout.
        until = now + self.robustness * self._interval_ns + self._response_ns
        if query.version == 1:
            self.v1_until_ns = until
        elif query.version == 2:
            self.v2_until_ns = until

    def _plan_report(self, group: int, wait_ns: int, now: int) -> None:
        """Plan a report of version 1 or 2 (RFC 2236 3)."""
        planned = self._answers.get(group)
        if planned is None or wait_ns < planned.at_ns - now:
            self._answers[group] = _Answer(now + int(self._random() * wait_ns))

    def _plan_records(self, query: Query, at_ns: int) -> None:
        """Plan a report of version 3; the numbers are those of the rules in RFC 3376 5.2."""
        general = self._general_ns
        if general is not None and general < at_ns:
            return  # 1: that one comes sooner, and says it all
        if not query.group:
            self._general_ns = at_ns  # 2
            return
        sources = frozenset(query.sources)
        planned = self._answers.get(query.group)
        if planned is None:
            self._answers[query.group] = _Answer(at_ns, sources)  # 3
            return
        both = planned.sources | sources
        whole = not (sources and planned.sources) or len(both) > SOURCES_MAX
        planned.sources = frozenset() if whole else both  # 4, 5
        planned.at_ns = min(planned.at_ns, at_ns)

    def heard(self, group: int, now: int) -> None:
        """Take note that another member reported a group.

        In versions 1 and 2 that makes our report superfluous (RFC 3376 7.2.2, RFC 2236 3). In
        version 3 it does not, as it is silent on sources.
        """
        self._follow(now)
        if self._version == 3:
            return
        self._answers.pop(group, None)
        self._reporter.discard(group)
        news = self._news.get(group)
        if news is not None and news.at_ns:
            del self._news[group]
        self._schedule()

    def _follow(self, now: int) -> None:
        """Speak another version when it is time to: what was planned in the old one is cancelled.

        What has not been told at all yet is still told (RFC 3376 7.2.1).
        """
        version = self.version(now)
        if version == self._version:
            return
        self._version = version
        self._general_ns = None
        self._answers.clear()
        self._news = {group: news for group, news in self._news.items() if not news.at_ns}

    # --- what is due ------------------------------------------------------------------------------

    def expire(self, filters: Mapping[int, SourceFilter], now: int) -> list[ReportAction]:
        """Return what is to be sent now."""
        self._follow(now)
        old = self._version < 3
        actions = (self._old_due if old else self._records_due)(filters, now)
        self._schedule()
        return actions

    def _records_due(self, filters: Mapping[int, SourceFilter], now: int) -> list[ReportAction]:
        changes: list[Record] = []
        for group in self._due(now):
            changes += self._changes(group, filters.get(group, NOBODY), now)
        states: list[Record] = []
        if self._general_ns is not None and self._general_ns <= now:
            self._general_ns = None
            states += [_state(group, filters[group]) for group in filters if self.reported(group)]
        for group in self._answers_due(now):
            answer = self._answers.pop(group)
            states += _asked_for(group, filters.get(group, NOBODY), answer.sources)
        return [SendRecords(records) for records in (changes, states) if records]

    def _changes(self, group: int, current: SourceFilter, now: int) -> list[Record]:
        """Return the records of a state-change report, and plan the next one (RFC 3376 5.1)."""
        news = self._news[group]
        if news.mode:
            kind = Change.TO_EXCLUDE if current.exclude else Change.TO_INCLUDE
            records = [Record(kind, group, tuple(sorted(current.sources)))]
            news.mode -= 1
        else:
            allowed = tuple(sorted(source for source in news.sources if current.allows(source)))
            blocked = tuple(sorted(news.sources.keys() - set(allowed)))
            each = ((Change.ALLOW, allowed), (Change.BLOCK, blocked))
            records = [Record(kind, group, sources) for kind, sources in each if sources]
        news.sources = {source: left - 1 for source, left in news.sources.items() if left > 1}
        news.joins, news.left = max(news.joins - 1, 0), False
        if news.mode or news.sources:
            news.at_ns = self._later(now, "igmp.v3_unsolicited_report_interval_ms")
        else:
            del self._news[group]
        return records

    def _old_due(self, filters: Mapping[int, SourceFilter], now: int) -> list[ReportAction]:
        """Return messages of version 1 or 2 (RFC 2236 3, 6)."""
        kind = Type.REPORT_V1 if self._version == 1 else Type.REPORT_V2
        actions: list[ReportAction] = []
        for group in self._due(now):
            news = self._news[group]
            if news.joins and group in filters:
                actions.append(SendMessage(Membership(kind, group), group))
                self._reporter.add(group)
                news.joins -= 1
                news.at_ns = self._later(now, "igmp.v2_unsolicited_report_interval_ms")
            elif news.left and self._version == 2 and group in self._reporter:
                # RFC 2236 3: who was not the last to report need not say that it leaves.
                leave = Membership(Type.LEAVE, group)
                actions.append(SendMessage(leave, igmp.ALL_ROUTERS))
            if not news.joins:
                del self._news[group]
            if group not in filters:
                self._reporter.discard(group)
        for group in self._answers_due(now):
            del self._answers[group]
            if group in filters:
                actions.append(SendMessage(Membership(kind, group), group))
                self._reporter.add(group)
        return actions

    def _due(self, now: int) -> list[int]:
        return [group for group, news in self._news.items() if news.at_ns <= now]

    def _answers_due(self, now: int) -> list[int]:
        return [group for group, answer in self._answers.items() if answer.at_ns <= now]

    def _later(self, now: int, sysctl: str) -> int:
        """Return when a change is repeated: at random within the unsolicited report interval."""
        return now + 1 + int(self._random() * self._settings.ns(sysctl))

    def _schedule(self) -> None:
        dues = [news.at_ns for news in self._news.values()]
        dues += [answer.at_ns for answer in self._answers.values()]
        if self._general_ns is not None:
            dues.append(self._general_ns)
        self.due_ns = min(dues, default=None)
        if self.due_ns is not None:
            self._alarm.set(self.due_ns)


def _state(group: int, wanted: SourceFilter) -> Record:
    """Return the current-state record of a group (RFC 3376 4.2.12)."""
    kind = Change.IS_EXCLUDE if wanted.exclude else Change.IS_INCLUDE
    return Record(kind, group, tuple(sorted(wanted.sources)))


def _asked_for(group: int, wanted: SourceFilter, sources: Iterable[int]) -> list[Record]:
    """Return the answer to a query for a group, or for some sources of it (RFC 3376 5.2)."""
    if wanted == NOBODY:
        return []  # it was left in the meantime
    sources = frozenset(sources)
    if not sources:
        return [_state(group, wanted)]
    allowed = tuple(sorted(source for source in sources if wanted.allows(source)))
    return [Record(Change.IS_INCLUDE, group, allowed)] if allowed else []
