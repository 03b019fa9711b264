"""``smolctl exec``: any program, on the stack instead of the kernel's network."""

import errno
import os
import re
import signal
import sys
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.session import Session
from smolctl.cli.words.command import Verb
from smolctl.cli.words.grammar import Args, Place, UsageFault, option
from smolctl.errors import InvalidArgument, SmolctlError

_DEFAULT_MTU = 1500
_OWN_LOOPBACK = re.compile(r"(?<![\w.])(127\.\d+\.\d+\.\d+|localhost)(?![\w.])|\[::1\]|^::1$")


def _run(session: Session, args: Args) -> int:
    """Become the program; return only if that cannot be."""
    if session.files:
        raise UsageFault(
            "exec becomes the program, so nothing would read the rest of the batch",
            hint="smolctl exec CMD, on a line of its own in a shell",
        )
    words = list(args["command"])
    missing = _missing(words[0])
    if missing is not None:
        return _not_run(session, words[0], missing)
    from smolctl import netns

    mtu = _mtu(args)
    client = session.client("exec.open")
    namespace = netns.enter(mtu)
    asked: dict[str, Any] = {
        "mtu": mtu,
        "program": os.path.basename(words[0]) or words[0],
        "pid": os.getpid(),
        **{key: args[key] for key in ("link",) if key in args},
        **{key: ",".join(args[key]) for key in ("addr", "via") if key in args},
    }
    passed = namespace.tap, netns.guard(namespace)
    (row,) = client.call_passing(passed, "exec.open", **session.options.asked(asked))
    for descriptor in passed:
        os.close(descriptor)
    netns.configure(row["addresses"])
    _tell(session, row, words)
    session.out.flush()
    _as_a_shell_would()
    try:
        netns.become(namespace, words)
    except OSError as error:
        return _not_run(session, words[0], error.errno or errno.EINVAL)


def _mtu(args: Args) -> int:
    text = args.get("mtu", str(_DEFAULT_MTU))
    if not (text.isascii() and text.isdecimal() and 68 <= int(text[:6]) <= 65521):
        raise InvalidArgument(f"mtu {text} is not a whole number of 68..65521")
    return int(text)


def _missing(name: str) -> int | None:
    """Return the error of a program that is not there: then nothing needs to be set up for it."""
    if not name:
        return errno.ENOENT
    if "/" in name:
        return None if os.path.lexists(name) else errno.ENOENT
    there = (os.path.join(folder, name) for folder in os.get_exec_path())
    return None if any(os.path.lexists(path) for path in there) else errno.ENOENT


def _not_run(session: Session, name: str, number: int) -> int:
    """Say why a program cannot be run; return the exit status, as env(1) and shells do."""
    hint = None
    if number == errno.ENOENT and "/" not in name:
        hint = "is it installed, and in a directory of PATH?"
    problem = SmolctlError(f'cannot run "{name}": {os.strerror(number)}', hint=hint, code="not-run")
    session.out.error(problem)
    return exits.NOT_FOUND if number == errno.ENOENT else exits.NOT_RUN


def _tell(session: Session, row: dict[str, Any], words: list[str]) -> None:
    """Say what the program has, when that is asked for, or when it may look for the stack."""
    out, addresses = session.out, row["addresses"]
    if session.options.verbose:
        each = (f"{one['local']}/{one['prefixlen']} via {one['gateway']}" for one in addresses)
        out.notice(f"{row['ifname']} of this stack is eth0 of {words[0]}: {', '.join(each)}")
    meant = next((found[0] for word in words[1:] if (found := _OWN_LOOPBACK.search(word))), None)
    if meant is not None and addresses:
        stack = addresses[0]["gateway"]
        out.notice(f"{meant} is the program's own loopback here; the stack is at {stack}")


def _as_a_shell_would() -> None:
    """Give the program the signals that it would have from a shell: Python ignores some."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


COMMAND = Verb(
    "exec",
    "run a program on the stack, instead of the kernel's network",
    _run,
    (
        option("addr", "address of the program (a free one of 198.18.0.0/15, and of"
               " fd00:198:18::/48); one of each family may be given", "ADDR/LEN", many=True),
        option("via", "address of the stack beside it (the first one of its network)", "ADDR",
               many=True),
        option("link", "name of the link to it in the stack (exec0, exec1, ...)", "NAME"),
        option("mtu", "largest packet on that link, in bytes (1500)", "BYTES"),
        Place("command", "CMD", "the program and its arguments: all words from here on are its own",
              many=True, rest=True, complete="command"),
    ),
    examples=(
        "smolctl exec ping -c 1 10.0.0.2",
        "smolctl exec curl http://10.8.0.2:8000/",
        "smolctl exec sh",
        "smolctl -v exec --addr 10.9.0.2/24 --via 10.9.0.1 ip route",
        "smolctl --stack lab exec --link web python3 -u -m http.server 80",
    ),
    notes="The program needs no changes and no root. It has a network namespace of its own, with"
    " one wire: to the stack, which is its router. So it reaches what the stack owns, forwards or"
    " reaches; other hosts need a route back to its address. 127.0.0.0/8 inside is its own; the"
    " stack is at its gateway (-v shows the addresses). The link goes with the program and those"
    " that it started. The exit status is the program's; 126 if it cannot be run, and 127 if it is"
    " not there.",
)  # fmt: skip
