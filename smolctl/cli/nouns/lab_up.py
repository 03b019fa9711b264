"""``smolctl lab up`` and ``lab down``: the network of a scenario as real daemons on real cables."""

from collections.abc import Iterable
from contextlib import suppress
from shlex import quote
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.inside import LabCommands
from smolctl.cli.nouns import lab_files
from smolctl.cli.session import Session
from smolctl.cli.words.grammar import Args, UsageFault
from smolctl.errors import SmolctlError
from smolctl.lab.commands import BadLine, Commands
from smolctl.lab.scenario import NodeSpec, Scenario
from smolctl.stack.sysctl.profiles import profile as profile_named

Row = dict[str, Any]


def up(session: Session, args: Args) -> int:
    """Start a daemon for each node; all of them, or none."""
    scenario, commands = _scenario(args["file"])
    profile = args.get("profile", scenario.profile)
    profile_named(profile)
    setups = [(node, _setup(scenario, node, commands)) for node in scenario.nodes]
    _check_room(session, scenario, args["file"])
    started: list[str] = []
    rows = []
    try:
        for node, setup in setups:
            started.append(node.name)
            _start(node, node.profile or profile, setup)
            rows.append(session.around.look(node.name, "stack.status")[0])
    except BaseException:
        _stop(session, started)
        raise
    if session.options.json:
        session.out.document(rows)
    else:
        for row in rows:
            session.out.line(f'started stack "{row["name"]}" (pid {row["pid"]})')
        what = "steps, programs and expectations are for lab run"
        session.out.notice(f"{what}; smolctl lab down {quote(args['file'])} stops them")
    return exits.DONE


def down(session: Session, args: Args) -> int:
    """Stop the daemons of all nodes."""
    scenario, _ = _scenario(args["file"])
    running = set(session.around.stacks())
    names = [node.name for node in scenario.nodes if node.name in running]
    stopped = _stop(session, names)
    if session.options.json:
        session.out.document([{"name": name} for name in stopped])
    else:
        session.out.lines(f'stopped stack "{name}"' for name in stopped)
        if not stopped:
            session.out.notice(f"no node of {args['file']} is up")
    return exits.DONE if stopped else exits.UNREACHABLE


def _scenario(name: str) -> tuple[Scenario, Commands]:
    commands = LabCommands()
    return lab_files.load(lab_files.find(name), commands), commands


def _setup(scenario: Scenario, node: NodeSpec, commands: Commands) -> list[list[Any]]:
    """Return what a daemon begins with, as ``daemon.setup`` has it.

    Raises:
        SmolctlError: a line of the node is wrong.
    """
    lines = [(command.line, command.text) for command in scenario.setup(node)]
    try:
        changes = commands.changes(lines)
    except BadLine as error:
        place = f"{scenario.file}:{error.line}"
        raise SmolctlError(f"{place}: {error.message}", hint=error.hint, code=error.code) from None
    return [[op, words, f"{scenario.file}:{line}"] for line, op, words in changes]


def _start(node: NodeSpec, profile: str, setup: list[list[Any]]) -> None:
    from smolctl import launch
    from smolctl.control.codec import encode_json

    data = encode_json({"commands": setup})
    launch.start_daemon(node.name, options=[f"--profile={profile}"], setup=data)


def _check_room(session: Session, scenario: Scenario, file: str) -> None:
    """Find no stack that has the name of a node, and none on a cable of the scenario.

    Raises:
        SmolctlError: there is one.
    """
    names = {node.name for node in scenario.nodes}
    cables = {link.name for link in scenario.links}
    for stack in session.around.stacks():
        try:
            links = session.around.look(stack, "link.show")
        except SmolctlError:
            continue  # it was killed, or hangs
        if stack in names:
            raise SmolctlError(
                f'stack "{stack}" is already running, and {file} has a node of that name',
                hint=f"smolctl lab down {quote(file)}",
                code="already-running",
            )
        for link in links:
            info = link.get("linkinfo", {})
            cable = info.get("info_data", {}).get("name")
            if info.get("info_kind") == "cable" and cable in cables:
                raise UsageFault(
                    f'a link of {file} is called "{cable}", and stack "{stack}" is on a cable of'
                    " that name",
                    hint=f"smolctl -n {stack} link del {link['ifname']}",
                )


def _stop(session: Session, names: Iterable[str]) -> list[str]:
    """Stop stacks, and return the names of those that ran."""
    stopped = []
    for name in names:
        with suppress(SmolctlError):
            session.around.stop(name)
            stopped.append(name)
    return stopped
