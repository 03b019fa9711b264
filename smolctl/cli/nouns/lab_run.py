"""``smolctl lab run``: scenarios are run in virtual time; no stack is started."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from shlex import quote
from time import monotonic, process_time
from typing import Any, NamedTuple

from smolctl.cli import exit as exits
from smolctl.cli.inside import LabCommands
from smolctl.cli.nouns import lab_files, lab_text
from smolctl.cli.nouns.progress import Progress
from smolctl.cli.output import Output, OutputError
from smolctl.cli.session import Session
from smolctl.cli.words.grammar import Args, UsageFault
from smolctl.counted import counted
from smolctl.errors import COMMANDS, SmolctlError
from smolctl.lab.outcome import Outcome
from smolctl.lab.packets import pcapng
from smolctl.lab.report import Again, Case, document, junit, summary
from smolctl.lab.run import Setting, Told, at_end
from smolctl.lab.run import run as run_scenario
from smolctl.lab.scenario import Scenario
from smolctl.lab.words import duration
from smolctl.lab.world import World
from smolctl.near import did_you_mean
from smolctl.path.reaches import reach
from smolctl.stack.sysctl.profiles import PROFILES

_DRAWN = ("ladder", "plot", "svg", "plot_svg")
_OF_PACKETS = ("ladder", "svg", "pcap")
_OF_ONE = (*_DRAWN, "pcap")
"""Options that are about one scenario."""
_PROGRESS_S = 0.1
"""Seconds after which a run is long, and between two looks at how far it is."""
_WRONG = frozenset({"scenario", "usage", "not-found"})


class Wish(NamedTuple):
    """The words of a command line about all scenarios that it names.

    Attributes:
        until: the text of the time, or None.
        watched: keep a timeline.
        every: tell what was seen of expectations about other profiles, too.
    """

    seed: int | None = None
    profile: str | None = None
    until: str | None = None
    watched: bool = True
    every: bool = False

    @property
    def until_ns(self) -> int | None:
        """The time at which the runs end, ns."""
        return None if self.until is None else time_of(self.until)


def wish(args: Args) -> Wish:
    """Return what arguments say.

    Raises:
        UsageFault: a value is wrong.
    """
    seed, profile, until = args.get("seed"), args.get("profile"), args.get("until")
    if seed is not None and not _is_number(seed, (1 << 63) - 1):
        raise UsageFault(
            f'lab run: seed "{seed}" is not a whole number from 0 to 2^63-1', hint="--seed 7"
        )
    if profile is not None and profile not in PROFILES:
        hint = did_you_mean(profile, PROFILES, f"profiles: {', '.join(PROFILES)}")
        raise UsageFault(f'there is no profile "{profile}"', hint=hint)
    if until is not None:
        time_of(until)
    watched = "no_timeline" not in args
    return Wish(None if seed is None else int(seed), profile, until, watched)


def _is_number(text: str, most: int) -> bool:
    """Tell whether a text is a whole number from 0 to another one; it may be very long."""
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most


def time_of(text: str) -> int:
    """Return a time of the command line, ns.

    Raises:
        UsageFault: it is none.
    """
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :]
    factor = {"": 1e9, "s": 1e9, "ms": 1e6, "us": 1e3, "min": 6e10, "h": 3.6e12}.get(unit)
    try:
        ns = round(float(number) * (factor or 0))
    except (ValueError, OverflowError):
        ns = 0
    if not 0 < ns < 1 << 62 or factor is None:
        raise UsageFault(f'lab run: "{text}" is not a time', hint="--until 5s")
    return ns


def outcome_of(source: lab_files.Source, wanted: Wish, told: Told | None = None) -> Outcome:
    """Run a scenario.

    Args:
        told: as of ``Setting``.

    Raises:
        SmolctlError: it is wrong.
    """
    scenario, setting = _loaded(source, wanted)
    return run_scenario(scenario, replace(setting, told=told))


def world_of(name: str) -> World:
    """Return the world of a scenario at its end.

    Raises:
        SmolctlError: there is none of that name, or it is wrong.
    """
    return at_end(*_loaded(lab_files.find(name), Wish()))


def _loaded(source: lab_files.Source, wanted: Wish) -> tuple[Scenario, Setting]:
    commands = LabCommands()
    scenario = lab_files.load(source, commands)
    frames = lab_files.replays(scenario, source.folder)
    return scenario, Setting(
        commands, reach, frames, wanted.seed, wanted.profile, wanted.until_ns, wanted.watched,
        wanted.every,
    )  # fmt: skip


def said(name: str, wanted: Wish) -> Again:
    """Return what makes the run again."""
    return Again(name, wanted.seed, wanted.profile, wanted.until, wanted.watched)


# --- the command ----------------------------------------------------------------------------------


def command(session: Session, args: Args) -> int:
    """Run one scenario, or many."""
    names, wanted = list(dict.fromkeys(args["file"])), wish(args)
    jobs = _jobs(args.get("jobs"), len(names))
    for option in _OF_PACKETS:
        if option in args and not wanted.watched:
            raise UsageFault(f"lab run: --{option} needs the timeline", hint="drop --no-timeline")
    if len(names) == 1:
        return _one(session, names[0], wanted, args)
    for option in _OF_ONE:
        if option in args:
            raise UsageFault(
                f"lab run: --{option.replace('_', '-')} is about one scenario, and here are"
                f" {len(names)}",
                hint=f"name one: smolctl lab run {quote(names[0])}",
            )
    return _many(session, [Task(name, wanted) for name in names], jobs, args)


def _one(session: Session, name: str, wanted: Wish, args: Args) -> int:
    source, began = lab_files.find(name), process_time()
    progress = Progress(session)
    try:
        outcome = outcome_of(source, wanted, _far(progress) if progress.active else None)
    finally:
        progress.clear()
    if session.options.verbose:
        # What a machine needs for it is no part of what happened.
        took = process_time() - began
        rate = f"{outcome.frames / took:,.0f} frames a second" if took else "at once"
        session.out.notice(f"{counted(outcome.frames, 'frame')} in {took:.2f} s: {rate}")
    run = document(outcome, said(source.name, wanted), whole=session.options.json)
    if "pcap" in args:
        _write(args["pcap"], b"".join(pcapng(outcome.travels, outcome.marks)))
    if "junit" in args:
        _write(args["junit"], junit([Case(source.name, run)]).encode())
    drawn = list(_drawn(outcome, args, session.out))
    if session.options.json:
        session.out.document(run)
    else:
        session.out.lines(lab_text.report(run, drawn, session.out))
    return exits.DONE if outcome.ok else exits.NO


def _far(progress: Progress) -> Told:
    """Return what shows how far a run is, if it takes long."""
    shown_s = monotonic()

    def told(now_ns: int, end_ns: int) -> None:
        nonlocal shown_s
        if monotonic() - shown_s >= _PROGRESS_S:
            shown_s = monotonic()
            progress.show(f"{now_ns // 10**9} s of {duration(end_ns)} of virtual time")

    return told


def _drawn(outcome: Outcome, args: Args, out: Output) -> Iterator[str]:
    """Write the pictures that are asked for, and yield the lines of drawings.

    Raises:
        UsageFault: plots are asked for, and the file has none.
    """
    if not any(option in args for option in _DRAWN):
        return
    from smolctl.cli.nouns import lab_draw  # it costs as much as a run

    if ("plot" in args or "plot_svg" in args) and not outcome.plots:
        raise UsageFault(
            f"{outcome.scenario.file} asks for no plots", hint="add [[plots]] to the file"
        )
    if "svg" in args:
        _write(args["svg"], lab_draw.ladder_picture(outcome).encode())
    if "plot_svg" in args:
        first, *others = lab_draw.plot_pictures(outcome)
        _write(args["plot_svg"], first.encode())
        stem, dot, suffix = args["plot_svg"].rpartition(".")
        for number, picture in enumerate(others, 2):
            path = f"{stem}-{number}.{suffix}" if dot else f"{args['plot_svg']}-{number}"
            _write(path, picture.encode())
    if "ladder" in args:
        yield from (*lab_draw.ladder_lines(outcome, out), "")
    if "plot" in args:
        yield from (*lab_draw.plot_lines(outcome, out), "")


def _write(path: str, data: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


# --- many -----------------------------------------------------------------------------------------


class Task(NamedTuple):
    """One of many scenarios."""

    name: str
    wanted: Wish


class Result(NamedTuple):
    """The end of it; ``wrong``: the file is."""

    case: Case
    wrong: bool = False


def work(task: Task) -> Result:
    """Run one of many scenarios, in a process of its own."""
    name, wanted = task
    try:
        outcome = outcome_of(lab_files.find(name), wanted)
    except SmolctlError as error:
        command = error.hint is not None and error.hint.startswith(COMMANDS)
        hint = f"; {'try: ' if command else ''}{error.hint}" if error.hint else ""
        return Result(Case(name, None, f"{error.message}{hint}"), error.code in _WRONG)
    except Exception as error:  # a bug of ours in one of them is no reason to lose the others
        text = f"{name}: internal error: {type(error).__name__}: {error}"
        return Result(Case(name, None, text))
    run = document(outcome, said(name, wanted), whole=False)
    del run["marks"]
    return Result(Case(name, run))


def _many(session: Session, tasks: list[Task], jobs: int, args: Args) -> int:
    names = [task.name for task in tasks]
    out, width, progress = session.out, max(map(len, names)), Progress(session)
    results: list[Result] = []
    try:
        with closing(_worked(tasks, jobs)) as worked:
            for number, name in enumerate(names):
                progress.show(f"{number} of {len(names)} scenarios, and {name} runs")
                results.append(next(worked))
                progress.clear()
                if not session.options.json:
                    out.lines(lab_text.brief(results[-1].case, width, out))
                    out.flush()
    except KeyboardInterrupt:
        stopped = True
    else:
        stopped = False
    finally:
        progress.clear()
    cases = [result.case for result in results]
    if "junit" in args:
        _write(args["junit"], junit(cases).encode())
    if session.options.json:
        out.document([_told(case) for case in cases])
    else:
        out.lines(summary(cases))
    if stopped:
        out.notice(f"interrupted: {counted(len(names) - len(cases), 'scenario')} did not end")
        return exits.INTERRUPTED
    if any(result.wrong for result in results):
        return exits.FIX
    return exits.DONE if all(case.document and case.document["ok"] for case in cases) else exits.NO


def _told(case: Case) -> dict[str, Any]:
    return case.document or {"name": case.name, "ok": False, "error": case.error}


def _jobs(text: str | None, tasks: int) -> int:
    if text is None:
        return min(len(os.sched_getaffinity(0)), tasks)
    if not _is_number(text, 1024) or int(text) == 0:
        raise UsageFault(f'lab run: jobs "{text}" is not a number of processes', hint="-J 4")
    return min(int(text), tasks)


def _worked(tasks: Sequence[Task], jobs: int) -> Generator[Result, None, None]:
    """Yield the result of each scenario, in their order, as soon as it is there."""
    if jobs == 1:
        yield from map(work, tasks)
        return
    from smolctl.cli.nouns.lab_processes import in_processes

    for task, found in zip(tasks, in_processes(work, tasks, jobs), strict=True):
        if isinstance(found, str):
            yield Result(Case(task.name, None, f"{task.name}: {found}"))
        else:
            yield found
