"""Scenario files: those that come with smolctl, those of the user, and new ones."""

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from smolctl.cli.nouns.lab_names import SUFFIX, names, text_of
from smolctl.cli.words.grammar import UsageFault
from smolctl.errors import SmolctlError
from smolctl.lab.commands import Commands
from smolctl.lab.expectation import TableHolds
from smolctl.lab.reading import read
from smolctl.lab.run import Frames
from smolctl.lab.scenario import Replay, Run, Scenario
from smolctl.lab.source import Command, ScenarioError
from smolctl.near import did_you_mean

LARGEST = 16 << 20
"""Bytes of a scenario file, or of a capture file that one names."""
_STDIN = "-"


class Source(NamedTuple):
    """The text of a scenario, and where it is from.

    Attributes:
        name: as the user says it.
        file: for errors.
        folder: that of the files that it names.
    """

    name: str
    file: str
    folder: str
    text: bytes


# --- what a user names ----------------------------------------------------------------------------


def find(name: str) -> Source:
    """Return the scenario of a name, or of a file.

    A word with "/" or with ".toml" at its end is a file; any other is one that comes with smolctl,
    or else a file, too, perhaps without its ".toml".

    Raises:
        SmolctlError: there is none, or it cannot be read.
    """
    if name == _STDIN:
        return Source(name, "standard input", ".", _standard_input())
    if "/" not in name and not name.endswith(SUFFIX):
        if name in names("shipped"):
            return Source(name, f"{name}{SUFFIX}", ".", text_of("shipped", name))
        if not os.path.isfile(name):
            path = f"{name}{SUFFIX}"  # as lab new has called it
            if not os.path.isfile(path):
                raise _unknown(name)
            return Source(path, path, ".", _read(path))
    return Source(name, name, os.path.dirname(name) or ".", _read(name))


def _unknown(name: str) -> SmolctlError:
    hint = did_you_mean(name, names("shipped"), "smolctl lab list")
    return SmolctlError(
        f'there is no scenario "{name}", and no such file', hint=hint, code="not-found"
    )


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageFault(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) > LARGEST:
        raise UsageFault(f"{path} has more than {LARGEST >> 20} MiB")
    return data


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise UsageFault("there is no standard input to read from")
    return sys.stdin.buffer.read(LARGEST)


def load(source: Source, commands: Commands) -> Scenario:
    """Return the scenario of a file, whose commands are right as far as that can be told.

    Raises:
        ScenarioError: something in it is wrong.
    """
    scenario = read(source.text, source.file)
    for key, command in _commands(scenario):
        try:
            commands.check(command.text)
        except SmolctlError as error:
            what = f"{command.text}: {error.message}"
            raise ScenarioError(
                scenario.file, command.line, key, what, hint=error.hint
            ) from None  # fmt: skip
    return scenario


def _commands(scenario: Scenario) -> Iterator[tuple[str, Command]]:
    """Yield the commands that run while time passes, with their keys."""
    for number, step in enumerate(scenario.steps, 1):
        if isinstance(step.action, Run):
            yield f"steps.{number}.run", step.action.command
    for number, spec in enumerate(scenario.expects, 1):
        if isinstance(spec.expected, TableHolds):
            yield f"expect.{number}.table", spec.expected.command


def replays(scenario: Scenario, folder: str) -> dict[str, Frames]:
    """Return the frames of the capture files that steps name, by path.

    Raises:
        ScenarioError: one of them cannot be read.
    """
    found: dict[str, Frames] = {}
    for number, step in enumerate(scenario.steps, 1):
        action = step.action
        if isinstance(action, Replay) and action.path not in found:
            try:
                found[action.path] = _frames(os.path.join(folder, action.path))
            except (OSError, SmolctlError) as error:
                why = getattr(error, "strerror", None) or str(error)
                key = f"steps.{number}.replay"
                raise ScenarioError(
                    scenario.file, step.line, key, f"cannot read {action.path}: {why}"
                ) from None
    return found


def _frames(path: str) -> Frames:
    from smolctl.capture.reader import read as records

    with open(path, "rb") as file:
        found = [(record.time_ns, record.frame) for record in records(file) if record.ethernet]
    began = found[0][0] if found else 0
    return [(max(time_ns - began, 0), frame) for time_ns, frame in found]


# --- new ones -------------------------------------------------------------------------------------


def write_new(name: str, template: str) -> str:
    """Write a scenario to begin with, and return the name of the file.

    Raises:
        UsageFault: the file is there already, or cannot be written; there is no such template.
    """
    known = names("templates")
    if template in known:
        text = text_of("templates", template)
    elif template in names("shipped"):
        text = text_of("shipped", template)
    else:
        listed = f"templates: {', '.join(known)}"
        hint = did_you_mean(template, [*known, *names("shipped")], listed)
        raise UsageFault(f'there is no template "{template}"', hint=hint)
    path = name if name.endswith(SUFFIX) else f"{name}{SUFFIX}"
    if os.path.basename(path) == SUFFIX:
        raise UsageFault(f'lab new: "{name}" does not name a file', hint="smolctl lab new mine")
    try:
        with open(path, "xb") as file:
            file.write(text)
    except FileExistsError:
        raise UsageFault(f"{path} is there already", hint="choose another name") from None
    except OSError as error:
        raise UsageFault(f"cannot write {path}: {error.strerror or error}") from None
    return path
