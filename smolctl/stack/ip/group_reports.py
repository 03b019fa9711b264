"""Reports of groups: when to report which, in the version that the link's routers speak.

For IGMP and for multicast listener discovery (MLD), which is IGMP for IPv6: version 1 of it does
what version 2 of IGMP does, and version 2 what version 3 of IGMP does.

One table per interface. It sends nothing: ``expire`` returns what is due as actions. A change is
due at once; so joining and leaving need not know what time it is.

Source: RFC 3376 5 and 7.2; RFC 2236 3 and 6 (versions 1 and 2); RFC 3810 6 and 8.2; Linux
net/ipv4/igmp.c, net/ipv6/mcast.c.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple

from smolctl.stack.alarm import Alarm
from smolctl.stack.ip.groups import NOBODY, SourceFilter
from smolctl.stack.sysctl.link_settings import NS_PER_MS, Values
from smolctl.wire import igmp, mld
from smolctl.wire.igmp import Change

_NS_PER_S = 1_000_000_000
QUERY_INTERVAL_NS = 125 * _NS_PER_S
"""Between two general queries, unless the querier says otherwise (RFC 3376 8.2)."""
RESPONSE_INTERVAL_NS = 10 * _NS_PER_S
"""Within which a general query is answered, likewise (RFC 3376 8.3)."""
_WHOLE = (Change.IS_EXCLUDE, Change.TO_EXCLUDE)
"""Records that must not be split: two of them would mean more than one."""
SOURCES_MAX = 1024
"""Sources that are remembered of queries for one group; with more, all of it is reported."""


Query = igmp.Query | mld.Query


class Record(NamedTuple):
    """The record about one group in a report of the latest version; ``change`` is a ``Change``."""

    change: int
    group: int
    sources: tuple[int, ...] = ()


class SendRecords(NamedTuple):
    """Report these by the latest version, in as many messages as they need."""

    records: list[Record]


class SendMessage(NamedTuple):
    """Send a message of an older version.

    Attributes:
        type: of the message, as its protocol numbers it.
        leaves: it says that the group is left.
    """

    type: int
    group: int
    dst: int
    leaves: bool = False


ReportAction = SendRecords | SendMessage


@dataclass(frozen=True, slots=True)
class ReportRules:
    """The differences between IGMP and MLD.

    Attributes:
        latest: the version whose reports have records.
        plain: the version that knows neither response times, nor queries for one group, nor leave
            messages; 0 where there is none.
        all_groups: the group that a general query asks for.
        all_routers: leave messages go there.
        report_types: of each older version.
        leave_type: of a leave message.
        force_version, qrv: sysctls.
        old_interval, interval: the sysctls of the time within which a change is repeated, in older
            versions and in the latest one.
        robustness_min: less than this a querier cannot ask for, unless ``qrv`` does.
        strict: to force the latest version has older routers ignored.
        reported: tells whether a group is reported at all.
    """

    latest: int
    plain: int
    all_groups: int
    all_routers: int
    report_types: Mapping[int, int]
    leave_type: int
    force_version: str
    qrv: str
    old_interval: str
    interval: str
    robustness_min: int
    strict: bool
    reported: Callable[[Values, int], bool]


@dataclass(slots=True)
class _News:
    """News about one group that routers have not been told often enough yet.

    Attributes:
        at_ns: when to tell it again; 0 is at once, for what has not been told at all.
        mode: reports that are still to have a filter-mode-change record.
        sources: in how many reports each source is still to be.
        joins: reports of an older version that are still to be sent.
        left: a leave message of an older version is to be sent.
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
        until_ns: how long a router of each older version counts as present.
    """

    def __init__(
        self, rules: ReportRules, settings: Values, random: Callable[[], float], alarm: Alarm
    ) -> None:
        self.rules = rules
        self._settings, self._random, self._alarm = settings, random, alarm
        self.due_ns: int | None = None
        self.until_ns = dict.fromkeys(rules.report_types, 0)
        self._robustness = 0  # what the querier says, 0 when it has said nothing
        self._interval_ns, self._response_ns = QUERY_INTERVAL_NS, RESPONSE_INTERVAL_NS
        self._version = rules.latest
        self._news: dict[int, _News] = {}
        self._general_ns: int | None = None
        self._answers: dict[int, _Answer] = {}
        self._reporter: set[int] = set()  # groups that we were the last to report (RFC 2236 6)

    def clone(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> "GroupReports":
        """Return a copy that packets can change."""
        result = GroupReports(self.rules, settings, random, alarm)
        result.due_ns, result.until_ns = self.due_ns, dict(self.until_ns)
        result._robustness, result._version = self._robustness, self._version
        result._interval_ns, result._response_ns = self._interval_ns, self._response_ns
        if self._news or self._answers:
            result._news, result._answers = deepcopy(self._news), deepcopy(self._answers)
        result._general_ns, result._reporter = self._general_ns, set(self._reporter)
        return result

    def version(self, now: int) -> int:
        """Return the version that is spoken: that of the oldest router.

        The version that is forced is the latest one at most. Source: RFC 3376 7.2.1, RFC 3810
        8.2.1; Linux ``IGMP_V1_SEEN``, ``mld_in_v1_mode``.
        """
        forced, latest = self._settings[self.rules.force_version], self.rules.latest
        if not self.follows_older:
            return latest
        present = [version for version, until in self.until_ns.items() if now < until]
        return min([*present, forced or latest])

    @property
    def follows_older(self) -> bool:
        """Whether an older router has this host speak its version."""
        rules = self.rules
        return not (rules.strict and self._settings[rules.force_version] == rules.latest)

    @property
    def robustness(self) -> int:
        """The number of reports of a change: the querier's, else the sysctl's (RFC 3376 8.1)."""
        said, own = self._robustness, self._settings[self.rules.qrv]
        return max(said, min(self.rules.robustness_min, own)) if said else own

    def reported(self, group: int) -> bool:
        """Tell whether a group is reported at all."""
        return self.rules.reported(self._settings, group)

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
        self.due_ns = 0  # among many news to look for the first one takes long
        self._alarm.set(0)

    def restart(self, filters: Mapping[int, SourceFilter]) -> None:
        """Report all groups as newly joined: the link is up again (Linux ip_mc_up)."""
        self.stop()
        self.repeat(filters)

    def repeat(self, filters: Mapping[int, SourceFilter]) -> None:
        """Report all groups as newly joined: what was said of them may not have counted."""
        for group, wanted in filters.items():
            self.changed(group, NOBODY, wanted)

    def stop(self) -> None:
        """Forget what was to be sent, and the routers: the link is down."""
        self._news.clear()
        self._answers.clear()
        self._reporter.clear()
        self._general_ns = None
        self.until_ns, self._robustness = dict.fromkeys(self.until_ns, 0), 0
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
        rules = self.rules
        if self._version == rules.plain:
            wait_ns = RESPONSE_INTERVAL_NS
        # RFC 1112, appendix I: a query of the plain version asks for all of them.
        general = query.group == rules.all_groups or query.version == rules.plain
        if general:
            groups = list(filters)
        else:
            groups = [query.group] if query.group in filters else []
        groups = [group for group in groups if self.reported(group)]
        if self._version < rules.latest:
            for group in groups:
                self._plan_report(group, wait_ns, now)
        elif groups:
            at_ns = now + int(self._random() * wait_ns)
            self._plan_records(None if general else query.group, query.sources, at_ns)
        self._schedule()
        return len(groups)

    def _note_querier(self, query: Query, now: int) -> None:
        """Remember the querier's version and variables (RFC 3376 4.1.6, 4.1.7, 7.2.1)."""
        rules = self.rules
        if query.version == rules.latest:
            self._robustness = query.robustness
            self._interval_ns = query.interval_s * _NS_PER_S or QUERY_INTERVAL_NS
        if query.version != rules.plain and query.group == rules.all_groups:
            self._response_ns = query.max_response_ms * NS_PER_MS
        # RFC 3376 8.12, the older version querier present timeout.
        until = now + self.robustness * self._interval_ns + self._response_ns
        if query.version in self.until_ns:
            self.until_ns[query.version] = until

    def _plan_report(self, group: int, wait_ns: int, now: int) -> None:
        """Plan a report of an older version (RFC 2236 3)."""
        planned = self._answers.get(group)
        if planned is None or wait_ns < planned.at_ns - now:
            self._answers[group] = _Answer(now + int(self._random() * wait_ns))

    def _plan_records(self, group: int | None, asked: tuple[int, ...], at_ns: int) -> None:
        """Plan a report with records; the numbers are those of the rules in RFC 3376 5.2.

        Args:
            group: None for all groups.
            asked: the sources that are asked for; () for all of them.
        """
        general = self._general_ns
        if general is not None and general < at_ns:
            return  # 1: that one comes sooner, and says it all
        if group is None:
            self._general_ns = at_ns  # 2
            return
        sources = frozenset(asked)
        planned = self._answers.get(group)
        if planned is None:
            self._answers[group] = _Answer(at_ns, sources)  # 3
            return
        both = planned.sources | sources
        whole = not (sources and planned.sources) or len(both) > SOURCES_MAX
        planned.sources = frozenset() if whole else both  # 4, 5
        planned.at_ns = min(planned.at_ns, at_ns)

    def heard(self, group: int, now: int) -> None:
        """Take note that another member reported a group.

        In older versions that makes our report superfluous (RFC 3376 7.2.2, RFC 2236 3). In the
        latest it does not, as it is silent on sources.
        """
        self._follow(now)
        if self._version == self.rules.latest:
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
        old = self._version < self.rules.latest
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
            states += [
                _state(group, wanted) for group, wanted in filters.items() if self.reported(group)
            ]
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
            news.at_ns = self._later(now, self.rules.interval)
        else:
            del self._news[group]
        return records

    def _old_due(self, filters: Mapping[int, SourceFilter], now: int) -> list[ReportAction]:
        """Return messages of an older version (RFC 2236 3, 6; RFC 2710 4, 5)."""
        rules = self.rules
        kind = rules.report_types[self._version]
        actions: list[ReportAction] = []
        for group in self._due(now):
            news = self._news[group]
            if news.joins and group in filters:
                actions.append(SendMessage(kind, group, group))
                self._reporter.add(group)
                news.joins -= 1
                news.at_ns = self._later(now, self.rules.old_interval)
            elif news.left and self._version != rules.plain and group in self._reporter:
                # RFC 2236 3: who was not the last to report need not say that it leaves.
                actions.append(SendMessage(rules.leave_type, group, rules.all_routers, True))
            if not news.joins:
                del self._news[group]
            if group not in filters:
                self._reporter.discard(group)
        for group in self._answers_due(now):
            del self._answers[group]
            if group in filters:
                actions.append(SendMessage(kind, group, group))
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


# --- messages -------------------------------------------------------------------------------------


def packed(
    records: list[Record], room: int, record_len: int, source_len: int
) -> Iterator[list[Record]]:
    """Yield the records of as few reports as hold them, at most ``room`` bytes for each report.

    A record that is too long alone is split by its sources; where that would change what it says,
    the sources that do not fit are left out, which has routers forward more (RFC 3376 4.2.16).

    Args:
        record_len: bytes of a record without its sources.
        source_len: bytes of a source.
    """
    waiting: list[Record] = []
    taken, most = 0, (room - record_len) // source_len
    for part in (part for record in records for part in _parts(record, most)):
        size = record_len + source_len * len(part.sources)
        if waiting and taken + size > room:
            yield waiting
            waiting, taken = [], 0
        waiting.append(part)
        taken += size
    if waiting:
        yield waiting


def _parts(record: Record, most: int) -> list[Record]:
    """Return a record in parts of at most ``most`` sources each."""
    sources = record.sources
    if record.change in _WHOLE or len(sources) <= most:
        return [record._replace(sources=sources[:most])]
    return [record._replace(sources=sources[at : at + most]) for at in range(0, len(sources), most)]
