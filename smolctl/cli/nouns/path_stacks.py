"""Stacks that a question is about: those that run, saved ones, or the nodes of a lab."""

import json
import os
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from smolctl.cli.nouns.stackfile import read
from smolctl.cli.session import Session
from smolctl.cli.words.grammar import Args, UsageFault, Word, option
from smolctl.errors import SmolctlError

if TYPE_CHECKING:
    from smolctl.path.net import Net

Row = dict[str, Any]

OPTIONS: tuple[Word, ...] = (
    option("stacks", "of these stacks only, not of all that run", "NAMES", complete="stack"),
    option(
        "config",
        "of the stacks that these files make: output of config save, or of stack snapshot",
        "FILES",
    ),
    option(
        "lab",
        "of the nodes of a scenario, as they are at its end: a name of lab list, or a file",
        "NAME",
        complete="scenario",
    ),
)
"""The words that choose the stacks, of each command that asks about several."""


class Chosen(NamedTuple):
    """The words by which stacks were chosen; at most one of them is not None."""

    stacks: str | None
    config: str | None
    lab: str | None

    @property
    def live(self) -> bool:
        """Whether they are stacks that run."""
        return self.config is None and self.lab is None


def chosen(args: Args) -> Chosen:
    """Take the words that choose stacks out of arguments.

    Raises:
        UsageFault: there are several.
    """
    found = Chosen(*(args.pop(name, None) for name in Chosen._fields))
    said = [f"--{name}" for name, value in found._asdict().items() if value is not None]
    if len(said) > 1:
        raise UsageFault(f"{' and '.join(said)} cannot be used together")
    return found


def words(chosen: Chosen) -> list[str]:
    """Return the words that choose the same stacks in another command."""
    return [
        word
        for name, value in chosen._asdict().items()
        if value is not None
        for word in (f"--{name}", shlex.quote(value))
    ]


def network(session: Session, chosen: Chosen) -> "Net":
    """Return the stacks, and the lines between them.

    Raises:
        SmolctlError: one of them cannot be asked, read or run.
    """
    from smolctl.path.gather import from_configurations, from_snapshots  # 60 ms, for few commands

    if chosen.lab is not None:
        return _lab(chosen.lab)
    if chosen.config is not None:
        changes, snapshots = _files(session, chosen.config.split(","))
        return from_snapshots(snapshots) if snapshots else from_configurations(changes)
    names = None if chosen.stacks is None else chosen.stacks.split(",")
    if names is None and session.options.named:
        session.call("stack.status")  # a stack that is named has to run
    return from_snapshots(_snapshots(session, names))


def _lab(name: str) -> "Net":
    """Return the nodes of a scenario that run at its end."""
    from smolctl.cli.nouns.lab_run import world_of
    from smolctl.path.net import net_of_world

    return net_of_world(world_of(name))


def _snapshots(session: Session, names: list[str] | None) -> dict[str, list[Row]]:
    """Return the snapshots of running stacks: of those that are named, or of all.

    Each is asked once, and none waits for another one.
    """
    found = {}
    for name in session.around.stacks() if names is None else names:
        other = Session(session.options.copy(), session)
        other.options.stack, other.options.named, other.options.family = name, True, None
        try:
            found[name] = list(other.rows("stack.snapshot"))
        except SmolctlError as error:
            if names is not None:
                raise
            # A daemon that was killed leaves its socket behind, and its neighbors no carrier.
            why = "its daemon is dead" if error.code == "not-running" else error.message
            session.out.notice(f'stack "{name}" is left out: {why}')
    if not found:
        raise SmolctlError("no stack is running", hint="smolctl stack start", code="not-running")
    return found


def _files(
    session: Session, names: list[str]
) -> tuple[dict[str, list[tuple[str, Row]]], dict[str, list[Row]]]:
    """Return the changes, or the snapshots, that files hold; each is named like its stack."""
    changes: dict[str, list[tuple[str, Row]]] = {}
    snapshots: dict[str, list[Row]] = {}
    for name in names:
        stack = os.path.splitext(os.path.basename(name))[0]
        if stack in changes or stack in snapshots:
            raise UsageFault(f'two files would be stack "{stack}"', hint="name them differently")
        rows = _snapshot(name)
        if rows is not None:
            snapshots[stack] = rows
        else:
            said = read(session, name)
            if "settings" in said:
                raise UsageFault(
                    f"{name}: --config takes commands, not TOML", hint="smolctl config save"
                )
            changes[stack] = [(op, args) for op, args, _ in said["commands"]]
    if changes and snapshots:
        raise UsageFault("some files are snapshots, and others are commands", hint="use one kind")
    return changes, snapshots


def _snapshot(name: str) -> list[Row] | None:
    """Return the rows of a snapshot, one on each line or all in an array; None for commands."""
    try:
        with open(name, encoding="utf-8") as file:
            text = file.read()
        if text[:1] == "[":
            rows: list[Row] = json.loads(text)
            return rows
        return [json.loads(line) for line in text.splitlines()] if text[:1] == "{" else None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageFault(f"cannot read {name}: {reason}") from None
