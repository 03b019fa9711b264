"""``smolctl stack``: the daemons, one for each stack."""

import json
from collections.abc import Iterator
from typing import Any

from smolctl.cli.nouns.tables import aligned
from smolctl.cli.output import Output, OutputError
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Rows, Verb, show
from smolctl.cli.words.grammar import Args, UsageFault, Word, option
from smolctl.errors import SmolctlError


def render_status(rows: Rows, _args: Args, _out: Output) -> Iterator[str]:
    """Yield what is known about one stack."""
    for row in rows:
        process = f"pid {row['pid']}, " if "pid" in row else ""  # a node of a lab has none
        yield f"stack {row['name']} is running: {process}up {uptime(row['uptime_ms'])}"
        known = [key for key in _STATUS_KEYS if key in row]
        yield from ("  " + line for line in aligned([[key, row[key]] for key in known]))


_STATUS_KEYS = (
    "version",
    "profile",
    "links",
    "sockets",
    "clients",
    "rss_kib",
    "started",
    "socket",
    "log",
)


def uptime(milliseconds: int) -> str:
    """Return a duration for people: its two largest units."""
    seconds = milliseconds // 1000
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def render_list(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield a table of stacks."""
    cells = [
        [
            row["name"],
            row["state"],
            row.get("pid", ""),
            uptime(row["uptime_ms"]) if "uptime_ms" in row else "",
        ]
        for row in rows
    ]
    yield from aligned(cells, ("STACK", "STATE", "PID", "UP"), right=(2,), width=out.width)


def _start(session: Session, args: Args) -> None:
    from smolctl import launch

    stack = session.options.stack
    if args.get("foreground") and session.files:
        raise UsageFault(
            "stack start --foreground cannot run in a batch, because it would end the batch"
        )
    setup = _setup(session, args.pop("config", None))
    options = [word for key, value in args.items() for word in _daemon_option(key, value)]
    running = _status(stack)
    if running is None and args.get("foreground"):
        if setup is not None:
            options += ["--setup-fd", str(launch.setup_file(setup))]
        _become_daemon(launch.daemon_command(stack, options), launch.daemon_environment())
    if running is None:
        launch.start_daemon(stack, options=options, setup=setup)
        running = _status(stack)
        session.out.notice(f'started stack "{stack}" (pid {(running or {}).get("pid", "?")})')
    elif options or setup is not None:
        raise SmolctlError(
            f'stack "{stack}" is already running (pid {running["pid"]})',
            hint=f"smolctl --stack {stack} stack stop",
            code="already-running",
        )
    else:
        session.out.notice(f'stack "{stack}" is already running (pid {running["pid"]})')
    show(session, [running] if running else [], args, None)


def _setup(session: Session, name: str | None) -> bytes | None:
    """Return what the daemon has to know of a config file."""
    if name is None:
        return None
    from smolctl.cli.nouns import stackfile
    from smolctl.control.codec import encode_json

    return encode_json(stackfile.read(session, name))


def _daemon_option(key: str, value: object) -> list[str]:
    if value is True:
        return [f"--{key}"]
    values = value if isinstance(value, list) else [value]
    return [f"--{key}={each}" for each in values]


def _become_daemon(command: list[str], environment: dict[str, str]) -> None:
    import os

    os.execve(command[0], command, environment)


def _status(stack: str) -> dict[str, Any] | None:
    """Return the status of a stack; None when it is not running."""
    from smolctl.client import Client

    try:
        with Client.connect(stack, start=False) as client:
            return client.call("stack.status")[0]
    except SmolctlError as error:
        if error.code != "not-running":
            raise
        return None


def _stop(session: Session, args: Args) -> None:
    session.around.stop(session.options.stack)
    session.out.notice(f'stopped stack "{session.options.stack}"')
    show(session, [], args, None)


def _show_status(session: Session, args: Args) -> None:
    session.options.no_start = True
    show(session, session.call("stack.status"), args, render_status)


def _snapshot(session: Session, args: Args) -> None:
    session.options.no_start = True
    rows = session.rows("stack.snapshot")
    if session.options.json:
        session.out.document(rows)
    else:
        session.out.lines(json.dumps(row, ensure_ascii=False) for row in rows)


def _list(session: Session, args: Args) -> None:
    rows: Rows = []
    for name in session.around.stacks():
        try:
            (row,) = session.around.look(name, "stack.status")
            rows.append({**row, "state": "running"})
        except SmolctlError as error:
            # A daemon that was killed leaves its socket behind; the next start takes it over.
            state = "dead" if error.code == "not-running" else error.code
            rows.append({"name": name, "state": state})
    show(session, rows, args, render_list)


def _log(session: Session, args: Args) -> None:
    from smolctl.control import paths

    path = paths.stack_paths(session.options.stack).log
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as log:
            lines = log.read().splitlines()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and session.options.stack not in paths.stacks():
            from smolctl.client.control import not_running

            raise not_running(session.options.stack) from None
        raise OutputError(f"cannot read the log {path}: {error.strerror}", code="no-log") from None
    wanted = args.get("lines", "0")
    if not (wanted.isascii() and wanted.isdigit()):
        raise UsageFault(f'stack log: --lines "{wanted}" is not a whole number')
    lines = lines[-int(wanted) :] if "lines" in args else lines
    if session.options.json:
        session.out.document([{"line": line} for line in lines])
    else:
        session.out.lines(lines)


COMMAND = Noun(
    "stack",
    "Start, stop and inspect stacks",
    (
        Verb(
            "stack start",
            "start a stack",
            _start,
            (
                option("foreground", "stay in the foreground"),
                Word(
                    ("profile",),
                    "settings to start with",
                    "PROFILE",
                    bare=False,
                    complete="profile",
                ),
                option("config", "file with commands and settings to start with", "FILE"),
                option(
                    "sysctl",
                    "one setting; may be repeated",
                    "KEY=VALUE",
                    complete="sysctl",
                    many=True,
                ),
            ),
            examples=(
                "smolctl stack start",
                "smolctl --stack lab stack start --profile smoltcp-0.9",
                "smolctl stack start --sysctl neigh.unres_qlen=1",
                "smolctl --stack lab stack start --config lab.conf",
                "smolctl stack start --foreground",
            ),
            notes="A stack starts with lo, 127.0.0.1/8. Other commands start a stack when they"
            " need one. A profile is a set of settings that makes it behave like a real"
            " stack; the default is linux. --sysctl overrides SMOLCTL_KEY in the"
            " environment, which overrides the profile; smolctl sysctl shows where each"
            " value came from.",
        ),
        Verb(
            "stack stop",
            "stop a stack, with its links, addresses and routes",
            _stop,
            examples=("smolctl stack stop", "smolctl --stack lab stack stop"),
        ),
        Verb(
            "stack status",
            "show whether a stack runs, and what it has",
            _show_status,
            examples=("smolctl stack status", "smolctl -j stack status"),
        ),
        Verb(
            "stack snapshot",
            "print all of a stack that decides about its next packet, as JSON",
            _snapshot,
            examples=("smolctl stack snapshot > lab.snapshot", "smolctl -j stack snapshot"),
            notes="Each line is a JSON object, with -j an element of one array. It is for a"
            " report of a bug, and for other commands to read: configuration, neighbors, sockets,"
            " connections and what was learned, at one instant. It has your addresses, but"
            " neither payload nor secrets. The first line tells what is left out.",
        ),
        Verb("stack list", "list your stacks", _list, examples=("smolctl stack list",)),
        Verb(
            "stack log",
            "print the log of a stack, even if it does not run",
            _log,
            (option("lines", "only this many of the last lines", "N"),),
            examples=("smolctl stack log", "smolctl stack log --lines 20"),
        ),
    ),
    default="status",
    aliases={"show": "status", "s": "status", "sh": "status", "list": "list", "ls": "list"},
)
