"""Expectations of a scenario, judged: one function for each kind, which says what was seen."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import partial
from typing import Any, NamedTuple, Protocol

from smolctl.counted import counted
from smolctl.lab.endings import (
    BYSTANDERS,
    Strike,
    Timeline,
    instead,
    is_about,
    strikes,
    taken,
    trouble,
    within,
)
from smolctl.lab.expectation import (
    Count,
    CounterIs,
    Expected,
    ExpectSpec,
    ProgramReceived,
    Reaches,
    ReasonStruck,
    Received,
    Row,
    StepEnds,
    TableHolds,
    Window,
)
from smolctl.lab.outcome import Judged, Seen, StepDone
from smolctl.lab.timeline import Mark
from smolctl.lab.words import amount, duration, how_often, times, value, when
from smolctl.stack.explain import filter as filters
from smolctl.stack.explain.summary import summarize


class Table(NamedTuple):
    """A table, as the command printed it that shows it.

    Attributes:
        rows: its rows.
        error: why there are none, or "".
    """

    rows: Sequence[Any]
    error: str = ""


class Answer(NamedTuple):
    """Whether a node reaches another one, there and back.

    Attributes:
        text: what became of the packet, or of its answer, in one line.
        node: where it ended. reason: why. fixes: commands that help, each with its stack.
    """

    reached: bool
    text: str
    node: str | None = None
    reason: str | None = None
    fixes: tuple[str, ...] = ()


class Reader(Protocol):
    """A program of the scenario, and what it has read."""

    @property
    def state(self) -> str:
        """Return what it does, in words."""

    @property
    def port_words(self) -> str:
        """Return the filter of what is meant for it."""

    @property
    def node(self) -> str:
        """Return where it runs."""

    @property
    def stream(self) -> bool:
        """Whether what it read has no bounds."""

    @property
    def reads(self) -> Sequence[tuple[int, bytes]]:
        """The things that it read, and when: of the run's time."""


@dataclass
class Evidence:
    """All that a run showed.

    Attributes:
        timeline: frames, and what happened to packets.
        steps: what was done.
        programs: by name.
        taken: what was looked at for an expectation at its time, by the number of the expectation:
            a ``Table``, an ``Answer``, or the value of a counter.
        ends: node and interface of the ends of each link.
        until_ns: when the run ended, from its beginning.
        watched: there is a timeline; without one nothing is known of single packets.
        every: say what was seen of expectations about other profiles, too.
    """

    timeline: Timeline
    steps: Sequence[StepDone]
    programs: Mapping[str, Reader]
    ends: Mapping[str, Collection[tuple[str, str]]]
    until_ns: int
    watched: bool = True
    every: bool = False
    taken: dict[int, Any] = field(default_factory=dict)


Verdict = tuple[bool | None, Seen]


def judge(specs: Sequence[ExpectSpec], profile: str, evidence: Evidence) -> list[Judged]:
    """Return each expectation, and whether it is met."""
    return [_judge(number, spec, profile, evidence) for number, spec in enumerate(specs)]


def _judge(number: int, spec: ExpectSpec, profile: str, evidence: Evidence) -> Judged:
    text = words(spec.expected)
    counts = spec.counts_under(profile)
    if not counts and not evidence.every:
        profiles = " and ".join(spec.profiles)
        return Judged(spec, text, None, Seen(f"it is about profile {profiles}"))
    due = due_ns(spec.expected)
    if due is not None and due > evidence.until_ns:
        return Judged(spec, text, None, Seen(f"the run ends before {duration(due)}"))
    if isinstance(spec.expected, (Received, ReasonStruck)) and not evidence.watched:
        return Judged(spec, text, None, Seen("no timeline is kept that would tell"))
    met, seen = _JUDGES[type(spec.expected)](spec.expected, evidence, number)
    return Judged(spec, text, met if counts else None, seen)


def due_ns(expected: Expected) -> int | None:
    """Return when an expectation can be judged, from the beginning; None for the end of the run."""
    if isinstance(expected, (TableHolds, CounterIs, Reaches)):
        return expected.at_ns
    if isinstance(expected, StepEnds):
        return None
    return expected.window.by_ns


def unmet(judged: Sequence[Judged], evidence: Evidence) -> Iterator[Mark]:
    """Yield a mark for each expectation that is not met, at its node, when that was certain."""
    for each in judged:
        if each.met is False:
            due = due_ns(each.spec.expected)
            at_ns = evidence.until_ns if due is None else due
            text = f"expected {each.text}; {each.seen.text}"
            yield Mark(at_ns, _place(each.spec.expected, evidence), "expect", text)


def _place(expected: Expected, evidence: Evidence) -> str:
    """Return the node that an expectation is about; "" for none."""
    if isinstance(expected, ProgramReceived):
        return evidence.programs[expected.program].node
    if isinstance(expected, StepEnds):
        return next((step.node for step in evidence.steps if step.name == expected.step), "")
    return expected.src if isinstance(expected, Reaches) else expected.node or ""


def words(expected: Expected) -> str:
    """Return an expectation in one line, as a sentence without its end."""
    return _WORDS[type(expected)](expected)


# --- packets that arrive --------------------------------------------------------------------------


def _received_words(expected: Received) -> str:
    what = f'"{expected.filter}"' if expected.filter else "packets"
    often = how_often(expected.count)
    return f"{expected.node} to receive {what} {often}{when(expected.window)}"


def _received(expected: Received, evidence: Evidence, _: int) -> Verdict:
    wanted = filters.parse(expected.filter)
    travels = taken(evidence.timeline, expected.node, wanted, expected.window)
    number = len(travels)
    if expected.count.holds(number):
        return True, Seen(times(number))
    if number < expected.count.min:
        seen = instead(evidence.timeline, expected.node, wanted, expected.window)
        before = f"{times(number)}; " if number else ""
        return False, seen._replace(text=before + seen.text)
    last = travels[expected.count.max or 0]
    at = duration(last.arrived_ns or 0)
    text = f"{times(number)}; at {at} {summarize(last.frame, True)} came from {last.src}"
    return False, Seen(text, expected.node)


# --- programs -------------------------------------------------------------------------------------


def _program_words(expected: ProgramReceived) -> str:
    what = amount(expected.count, expected.of[:-1])
    data = f' with "{_shown(expected.data)}"' if expected.data else ""
    return f"program {expected.program} to read {what}{data}{when(expected.window)}"


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _program(expected: ProgramReceived, evidence: Evidence, _: int) -> Verdict:
    program = evidence.programs[expected.program]
    reads = [data for at_ns, data in program.reads if within(expected.window, at_ns)]
    read = len(reads)
    if expected.data and program.stream:
        reads = reads if expected.data in b"".join(reads) else []
    elif expected.data:
        reads = [data for data in reads if expected.data in data]
    number = len(reads) if expected.of == "datagrams" else sum(map(len, reads))
    said = counted(number, expected.of[:-1])
    if expected.count.holds(number):
        return True, Seen(said)
    if number >= expected.count.min or not evidence.watched:
        return False, Seen(said, program.node)
    wanted = filters.parse(program.port_words)
    there = taken(evidence.timeline, program.node, wanted, expected.window)
    if there:
        text = said
        if program.stream or len(there) > read:
            arrived = counted(len(there), "packet")
            but = ";" if number else ", although"
            text += f"{but} {arrived} for it arrived at {program.node}; {program.state}"
        lost = trouble(evidence.timeline, program.node, wanted, expected.window)
        if lost is None:
            return False, Seen(text, program.node)
        return False, lost._replace(text=f"{text}; {lost.text}")
    seen = instead(evidence.timeline, program.node, wanted, expected.window)
    return False, seen._replace(text=f"{said}; {seen.text}")


# --- reasons --------------------------------------------------------------------------------------


def _reason_words(expected: ReasonStruck) -> str:
    where = f" at {expected.node}" if expected.node else ""
    where += f" on {expected.link}" if expected.link else ""
    about = f' of "{expected.filter}"' if expected.filter else ""
    often = how_often(expected.count)
    return f"{expected.reason}{where}{about} {often}{when(expected.window)}"


def _reason(expected: ReasonStruck, evidence: Evidence, _: int) -> Verdict:
    wanted = filters.parse(expected.filter)
    there = [
        strike
        for strike in strikes(evidence.timeline)
        if expected.node in (None, strike.node)
        and (expected.link is None or (strike.node, strike.dev) in evidence.ends[expected.link])
        and within(expected.window, strike.at_ns)
    ]
    alike = [strike for strike in there if strike.reason == expected.reason]
    struck = alike
    if expected.filter:
        struck = [each for each in alike if each.trace and is_about(wanted, each.trace)]
    number = len(struck)
    if expected.count.holds(number):
        return True, Seen(times(number))
    if number > expected.count.min:
        last = struck[expected.count.max or 0]
        text = f"{times(number)}; at {duration(last.at_ns)} at {last.node}: {last.text}"
        return False, Seen(text, last.node, last.reason)
    if len(alike) > number:
        return False, Seen(f"{times(number)}, but of other packets {times(len(alike))}")
    return False, Seen(f"{times(number)}; {_others(there)}")


def _others(strikes: Sequence[Strike]) -> str:
    """Return which reasons struck, the most frequent first."""
    aimed = (strike for strike in strikes if strike.reason not in BYSTANDERS)
    found = Counter((strike.reason, strike.node) for strike in aimed).most_common(_SHOWN)
    if not found:
        return "no other reason struck there"
    return "there were " + ", ".join(
        f"{reason} at {node} {times(number)}" for (reason, node), number in found
    )


_SHOWN = 4
"""Reasons that are named in the place of one that did not strike."""


# --- tables ---------------------------------------------------------------------------------------


def fits(wanted: Row, row: Any) -> bool:
    """Tell whether a row has all that is wanted of it; of objects within it, too."""
    return not misfits(wanted, row)


def misfits(wanted: Any, row: Any) -> list[str]:
    """Return the keys of a row that are missing, or have another value than is wanted."""
    if not isinstance(row, Mapping):
        return list(wanted)
    return [key for key, item in wanted.items() if key not in row or not _same(item, row[key])]


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and not misfits(wanted, found)
    if isinstance(wanted, (list, tuple)):
        # Each of them is there; a list may have more, as the flags of a link do.
        return isinstance(found, list) and all(any(_same(w, f) for f in found) for w in wanted)
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    return bool(wanted == found)


def _at(at_ns: int | None) -> str:
    return "" if at_ns is None else f" at {duration(at_ns)}"


def _table_words(expected: TableHolds) -> str:
    said = [f"a row with {value(row)}" for row in expected.contains]
    said += [f"no row with {value(row)}" for row in expected.lacks]
    if expected.rows is not None:
        said.append(amount(expected.rows, "row"))
    what = " and ".join(said)
    return f'{expected.node}\'s "{expected.command.text}" to have {what}{_at(expected.at_ns)}'


def _table(expected: TableHolds, evidence: Evidence, number: int) -> Verdict:
    table: Table = evidence.taken[number]
    node = expected.node
    if table.error:
        return False, Seen(table.error, node)
    for wanted in expected.contains:
        if not any(fits(wanted, row) for row in table.rows):
            return False, Seen(_nearest(wanted, table.rows), node)
    for unwanted in expected.lacks:
        row = next((row for row in table.rows if fits(unwanted, row)), None)
        if row is not None:
            return False, Seen(f"there is {value(row)}", node)
    if expected.rows is not None and not expected.rows.holds(len(table.rows)):
        listed = "".join(f"; {value(row)}" for row in table.rows[:3])
        return False, Seen(counted(len(table.rows), "row") + listed, node)
    return True, Seen(counted(len(table.rows), "row"))


def _nearest(wanted: Row, rows: Sequence[Any]) -> str:
    if not rows:
        return "the table is empty"
    best = min(rows, key=lambda row: len(misfits(wanted, row)))
    wrong = misfits(wanted, best)
    if not isinstance(best, Mapping) or len(wrong) == len(wanted):
        return f"no row is like that, the first has {value(_pruned(wanted, rows[0]))}"
    pruned = _pruned(wanted, best)
    same = ", ".join(f"{key} {value(best[key])}" for key in wanted if key not in wrong)
    other = ", ".join(
        f"{key} {value(pruned[key])}" if key in best else f"no {key}" for key in wrong
    )  # fmt: skip
    return f"the row with {same} has {other}"


def _pruned(wanted: Any, found: Any) -> Any:
    """Return what was found, without the keys of which nothing is wanted."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        kept = {key: _pruned(wanted[key], found[key]) for key in wanted if key in found}
        return kept or found
    if isinstance(wanted, (list, tuple)) and isinstance(found, list) and len(wanted) == 1:
        return [_pruned(wanted[0], item) for item in found]
    return found


# --- steps ----------------------------------------------------------------------------------------


def _step_words(expected: StepEnds) -> str:
    said = [] if expected.status is None else [f"end with exit status {expected.status}"]
    said += [f'say "{text}"' for text in expected.output]
    said += [f'not say "{text}"' for text in expected.lacks]
    if expected.within_ns is not None:
        said.append(f"end within {duration(expected.within_ns)}")
    return f"step {expected.step} to {' and '.join(said) or 'end'}"


def _step(expected: StepEnds, evidence: Evidence, _: int) -> Verdict:
    done = [step for step in evidence.steps if step.name == expected.step]
    if not done:
        return False, Seen("it was not done before the run ended")
    for step in done:
        if step.missed:
            return False, Seen(f"it was not done: {step.missed}", step.node or None)
        fault = _step_fault(expected, step)
        if fault:
            return False, _step_seen(step, f"{fault}{_last_words(expected.output, step)}", evidence)
    return True, Seen(_ending_words(done[-1]))


def _step_fault(expected: StepEnds, step: StepDone) -> str:
    if step.ended_ns is None and (expected.status is not None or expected.within_ns is not None):
        return f"it began at {duration(step.at_ns)} and had not ended when the run did"
    if expected.status not in (None, step.status):
        return _ending_words(step)
    text = step.out + step.err
    for part in expected.output:
        if part not in text:
            return f'it did not say "{part}"'
    for part in expected.lacks:
        if part in text:
            return f'it said "{part}"'
    took = (step.ended_ns or 0) - step.at_ns
    if expected.within_ns is not None and took > expected.within_ns:
        return f"it took {duration(took)}"
    return ""


def _ending_words(step: StepDone) -> str:
    if step.ended_ns is None:
        return "it goes on"
    took = duration(step.ended_ns - step.at_ns)
    return f"it ended with exit status {step.status} after {took}"


def _last_words(wanted: Sequence[str], step: StepDone) -> str:
    """Return why a step says that it failed; else what it said most like what was expected."""
    said = (step.out + step.err).strip().splitlines()
    causes = [line for line in said if line.startswith(_CAUSE)]
    if not said:
        return "; it said nothing"
    if causes:
        return f'; it said "{causes[-1].strip()}"'
    if wanted:
        return f'; the nearest line: "{max(said, key=partial(_likeness, wanted)).strip()}"'
    return f'; its last line: "{said[-1].strip()}"'


def _likeness(wanted: Sequence[str], line: str) -> float:
    return max(SequenceMatcher(None, text, line).ratio() for text in wanted)


_CAUSE = "smolctl: "
"""In front of the cause in what a command writes: the name of its reason follows."""


def _step_seen(step: StepDone, text: str, evidence: Evidence) -> Seen:
    """Return what became of a step, and of the packets of its time: of others, and elsewhere."""
    window = Window(step.at_ns, step.ended_ns)
    lost = trouble(evidence.timeline, "", filters.parse(""), window)
    if lost is None or (lost.node, lost.reason) == (step.node, step.reason):
        seen = Seen(text, step.node or None, step.reason)
        return seen if lost is None else seen._replace(fixes=lost.fixes, look=lost.look)
    return lost._replace(text=f"{text}; meanwhile {lost.text}")


# --- counters -------------------------------------------------------------------------------------


def _counter_words(expected: CounterIs) -> str:
    bounds = _bounds(expected.count)
    return f"{expected.counter} of {expected.node} to be {bounds}{_at(expected.at_ns)}"


def _bounds(count: Count) -> str:
    if count.max is None:
        return f"at least {count.min}"
    if count.min == count.max:
        return f"{count.min}"
    return f"{count.min} to {count.max}" if count.min else f"at most {count.max}"


def _counter(expected: CounterIs, evidence: Evidence, number: int) -> Verdict:
    found: int | str = evidence.taken[number]
    met = isinstance(found, int) and expected.count.holds(found)
    text = f"it is {found}" if isinstance(found, int) else found
    return met, Seen(text, None if met else expected.node)


# --- reachability ---------------------------------------------------------------------------------


def _reach_words(expected: Reaches) -> str:
    what = expected.protocol + (f" port {expected.port}" if expected.port is not None else "")
    if expected.reached:
        return f"{expected.src} to reach {expected.dst} by {what}{_at(expected.at_ns)}"
    why = f", for {expected.reason}" if expected.reason else ""
    why += f" at {expected.breaks_at}" if expected.breaks_at else ""
    return f"{expected.src} not to reach {expected.dst} by {what}{why}{_at(expected.at_ns)}"


def _reach(expected: Reaches, evidence: Evidence, number: int) -> Verdict:
    answer: Answer = evidence.taken[number]
    met = (
        answer.reached is expected.reached
        and expected.reason in (None, answer.reason)
        and expected.breaks_at in (None, answer.node)
    )
    return met, Seen(answer.text, answer.node, answer.reason, answer.fixes)


_WORDS: Mapping[type, Callable[[Any], str]] = {
    Received: _received_words,
    ProgramReceived: _program_words,
    ReasonStruck: _reason_words,
    TableHolds: _table_words,
    StepEnds: _step_words,
    CounterIs: _counter_words,
    Reaches: _reach_words,
}
_JUDGES: Mapping[type, Callable[[Any, Evidence, int], Verdict]] = {
    Received: _received,
    ProgramReceived: _program,
    ReasonStruck: _reason,
    TableHolds: _table,
    StepEnds: _step,
    CounterIs: _counter,
    Reaches: _reach,
}
