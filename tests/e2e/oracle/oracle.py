"""Linux as the oracle: the same commands for ``ip`` and ``smolctl``, and their tables compared."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.e2e.kit import Peer, Row, connect
from tests.kit.process import wait_until
from tests.kit.stack_env import SmolctlEnv

DEVICES = ("tap0", "tap1")

_ERRNO = {
    "Network is unreachable": "ENETUNREACH",
    "No route to host": "EHOSTUNREACH",
    "Permission denied": "EACCES",
    "Invalid argument": "EINVAL",
    "Network is down": "ENETDOWN",
    "Invalid cross-device link": "EXDEV",
}
"""Texts of iproute2 for the kernel's errors."""

_ANSWER = ("type", "dev", "gateway", "prefsrc", "from", "table", "iif")
"""Keys of a ``route get`` that are compared; the rest is flags of the kernel's implementation."""


Compared = tuple[Mapping[str, str], Callable[[list[Row]], list[Row]]]
"""Arguments of ``show``, and what makes of its rows what is compared."""


def addresses(rows: list[Row]) -> list[Row]:
    """Return the addresses of all interfaces."""
    return [{"dev": row["ifname"], **info} for row in rows for info in row["addr_info"]]


def by_address(rows: list[Row]) -> list[Row]:
    """Return neighbors in a fixed order; the kernel's is that of a hash table."""
    return sorted(rows, key=lambda row: (row["dev"], row["dst"]))


class Verdicts(NamedTuple):
    """The verdicts of both on one command."""

    kernel: subprocess.CompletedProcess[str]
    smolctl: subprocess.CompletedProcess[str]

    @property
    def accepted(self) -> tuple[bool, bool]:
        """Whether the kernel and smolctl did it."""
        return self.kernel.returncode == 0, self.smolctl.returncode == 0

    def __str__(self) -> str:
        said = ((r.stdout + r.stderr).strip() or "(silent)" for r in self)
        return "ip: {}; smolctl: {}".format(*said)


class Oracle:
    """Two stacks with devices of the same names: the kernel's in a namespace, and smolctl's.

    The kernel's devices are veths with their other ends in ``far`` as p0 and p1; smolctl's are TAPs
    with theirs in ``host`` under their own names. All are up and have carrier.

    Attributes:
        family: that of all commands and tables; ``flag`` is how it is said, "" for no family.
        compared: the nouns whose tables are compared.
    """

    family, flag = "inet", "-4"
    compared: Mapping[str, Compared] = {
        "route": ({"table": "all"}, list),
        "rule": ({}, list),
        "addr": ({}, addresses),
        "neigh": ({}, by_address),
    }

    def __init__(self, kernel: Peer, far: Peer, host: Peer, smolctl: SmolctlEnv) -> None:
        self.kernel, self.far, self.host, self.smolctl = kernel, far, host, smolctl
        smolctl.enter(host.namespace)
        for dev in DEVICES:
            smolctl("link", "add", dev, "type", "tap", check=True)
            other = ("type", "veth", "peer", "name", self.far_end(dev))
            kernel.ip("link", "add", dev, *other, "netns", far.namespace.name)
            mac = smolctl.json("link", "show", "dev", dev)[0]["address"]
            kernel.ip("link", "set", dev, "address", mac)
            far.ip("link", "set", self.far_end(dev), "up")
            kernel.ip("link", "set", dev, "up")
        self._stop_neighbor_timers()
        self._client = connect(smolctl)

    def close(self) -> None:
        """Close the connection to smolctl."""
        self._client.close()

    def _stop_neighbor_timers(self) -> None:
        """Let no neighbor change by itself while the two are compared, however long that takes."""
        for key in ("retrans_time_ms", "base_reachable_time_ms"):
            self.smolctl("sysctl", f"neigh.{key}=600000", check=True)
            for ip in ("ipv4", "ipv6"):
                self.kernel.sysctl({f"net.{ip}.neigh.{dev}.{key}": 600_000 for dev in DEVICES})

    @staticmethod
    def far_end(dev: str) -> str:
        """Return the name of the other end of the kernel's device."""
        return dev.replace("tap", "p")

    def run(self, command: str) -> Verdicts:
        """Give both the same command."""
        words = (*self.flag.split(), *shlex.split(command))
        return Verdicts(self.kernel.namespace.run("ip", *words), self.smolctl(*words))

    def do(self, *commands: str) -> None:
        """Give both commands that both must accept; each gets them in one process."""
        self.kernel.ip(*self.flag.split(), "-batch", "-", input="\n".join(commands))
        lines = (f"{self.flag} {command}" for command in commands)
        self.smolctl("batch", "-", input="\n".join(lines), check=True)

    def step(self, command: str) -> list[str]:
        """Give both a command and return what differs then: the verdicts, and rows of tables.

        ``carrier tap0 down`` sets the other end of both devices, ``sysctl KEY=VALUE`` a sysctl by
        Linux's name. The answers to ``route get`` are compared.
        """
        words = command.split()
        if words[:2] == ["route", "get"]:
            answers = self.ask(" ".join(words[2:]))
            return (
                []
                if answers[0] == answers[1]
                else ["{}: ip: {}, smolctl: {}".format(command, *answers)]
            )
        if words[0] == "sysctl":
            key, _, value = words[1].partition("=")
            self.kernel.sysctl({key: int(value)})
            self.smolctl("sysctl", words[1], check=True)
            return [f"{command}: {line}" for line in self.differences()]
        if words[0] == "carrier":
            self.set_carrier(*words[1:])
            return [f"{command}: {line}" for line in self.differences()]
        verdicts = self.run(command)
        theirs, ours = verdicts.accepted
        found = self.differences()
        if theirs is not ours:
            found.insert(0, str(verdicts))
        if not ours and verdicts.smolctl.returncode != 2:
            found.insert(0, f"smolctl exits {verdicts.smolctl.returncode}")
        return [f"{command}: {line}" for line in found]

    def set_carrier(self, dev: str, state: str) -> None:
        """Set the other end of both devices up or down, and wait until both have noticed."""
        self.far.ip("link", "set", self.far_end(dev), state)
        self.host.ip("link", "set", dev, state)

        def seen() -> set[str]:
            show = ("link", "show", "dev", dev)
            both = (self.kernel.rows(*show), self.smolctl.json(*show))
            return {rows[0]["operstate"] for rows in both}

        wait_until(lambda: seen() == {state.upper()}, f"{dev} {state}")

    # --- tables -----------------------------------------------------------------------------------

    def differences(self) -> list[str]:
        """Return a line for each row of a table that only one of the two has, or has elsewhere."""
        result = []
        for name, theirs, ours in self.tables():
            result += [f"{name}: only ip has {row}" for row in theirs if row not in ours]
            result += [f"{name}: only smolctl has {row}" for row in ours if row not in theirs]
            common = [row for row in theirs if row in ours]
            if [row for row in ours if row in theirs] != common:
                result.append(f"{name}: smolctl has another order than {common}")
        return result

    def tables(self) -> list[tuple[str, list[Row], list[Row]]]:
        """Return each table that is compared: its name, the kernel's rows, and smolctl's."""
        return self.shown(self.family, self.flag, self.compared)

    def shown(
        self, family: str | None, flag: str, compared: Mapping[str, Compared]
    ) -> list[tuple[str, list[Row], list[Row]]]:
        """Return some tables of a family, or of both, as ``tables`` does."""
        questions = [
            " ".join([noun, "show", *(word for pair in args.items() for word in pair)])
            for noun, (args, _) in compared.items()
        ]
        theirs = self.kernel.answers(*questions, flag=flag)
        of = {"family": family} if family else {}
        return [
            (noun, made(rows), made(self._client.call(f"{noun}.show", **of, **args)))
            for (noun, (args, made)), rows in zip(compared.items(), theirs, strict=True)
        ]

    # --- route get --------------------------------------------------------------------------------

    def ask(self, question: str) -> tuple[Row, Row]:
        """Return what both answer to ``route get``: the row's keys, or the errno."""
        words = (*self.flag.split(), "-j", "route", "get", *question.split())
        theirs = self.kernel.namespace.run("ip", *words)
        ours = self.smolctl(*words)
        return _kernel_answer(theirs), _our_answer(ours)


def _kernel_answer(result: subprocess.CompletedProcess[str]) -> Row:
    if result.returncode == 0:
        return _shown(json.loads(result.stdout)[0])
    text = re.sub(r"RTNETLINK answers: ", "", result.stderr.strip())
    return {"errno": _ERRNO.get(text, text)}


def _our_answer(result: subprocess.CompletedProcess[str]) -> Row:
    if result.returncode == 0:
        return _shown(json.loads(result.stdout)[0])
    return {"errno": json.loads(result.stderr.splitlines()[-1])["error"].get("errno")}


def _shown(row: Row) -> Row:
    return {key: row[key] for key in _ANSWER if key in row}
