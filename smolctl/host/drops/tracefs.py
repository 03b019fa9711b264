"""Drops as the kernel's own tracing has them: an instance of ours in tracefs.

For kernels that take no program of ours. The event skb:kfree_skb has the reason, the protocol and
the place, and no more. Events of devices have the packet's address and device, but an address is
used again for the next packet, and not all events that free one can be seen: they would lie.
"""

import os
import re
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from smolctl.errors import DeviceError
from smolctl.host.drops.dropped import Dropped

ROOTS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
MOUNT = "mount -t tracefs nodev /sys/kernel/tracing"
_PREFIX = "smolctl-drops-"
_DROP = "skb/kfree_skb"
_SYMBOL = re.compile(r'\{ *(-?(?:0x)?[0-9a-fA-F]+), *"(\w+)" *\}')
_LINE = re.compile(r"^.* +(\d+)\.(\d+): (\w+): (.*)$")
_LOST = re.compile(r"\[LOST (\d+) EVENTS\]")
_NOT_DROPS = ("NOT_DROPPED_YET", "CONSUMED")


def refused() -> DeviceError:
    """Return the error of who may not look."""
    if os.geteuid():
        return DeviceError("only root may see the kernel's drops", hint="run it with sudo")
    return DeviceError(
        "the kernel lets nobody trace it here: this is a container, or it is locked down",
        hint="on the machine itself: smolctl host drops --all",
    )


def find(roots: Sequence[str] = ROOTS) -> str:
    """Return where tracefs is mounted, of the places where it may be.

    Raises:
        DeviceError: nowhere.
    """
    for root in roots:
        if os.access(f"{root}/events", os.F_OK):
            return root
    if not os.access(os.path.dirname(roots[0]), os.X_OK):
        raise refused()
    raise DeviceError("tracefs is not mounted, in which the kernel tells of drops", hint=MOUNT)


def reasons(text: str) -> dict[int, str]:
    """Return the names of the reasons, by number, of a ``format`` file; empty where it has none.

    They differ from kernel to kernel, and those before 5.17 have none.
    """
    _, _, behind = text.partition("__print_symbolic(REC->reason,")
    return {int(number, 0): name for number, name in _SYMBOL.findall(behind)}


def owner(name: str) -> tuple[int, int] | None:
    """Return the process of an instance, and the moment of its start; None if it is not ours."""
    found = re.fullmatch(rf"{_PREFIX}(\d{{1,9}})-(\d{{1,20}})", name)
    return (int(found[1]), int(found[2])) if found else None


def _started(pid: int) -> int:
    """Return when a process was started, in ticks since boot; 0 where there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[19])  # proc_pid_stat(5): field 22
    except OSError:
        return 0


class Tracefs:
    """A source of drops that knows reason, protocol and place.

    Args:
        root: where tracefs is mounted.

    Raises:
        DeviceError: it must not be used, or the kernel gives no reasons.
    """

    unknown = "packet, device and network namespace: this kernel takes no program that reads them"

    def __init__(self, root: str) -> None:
        pid = os.getpid()
        self._root = root
        self._place = f"{root}/instances/{_PREFIX}{pid}-{_started(pid)}"
        self._pipe = -1
        self._rest = b""
        self._lost = 0
        self._made = False
        try:
            self._check()
            self._sweep()
            os.mkdir(self._place)
            self._made = True
            self._write("trace_clock", "mono")
            with suppress(OSError):  # since 4.20; without it, half a page must fill
                self._write("buffer_percent", "0")
            self._write(f"events/{_DROP}/enable", "1")
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            self._pipe = os.open(f"{self._place}/trace_pipe", flags)
        except OSError as error:
            self.close()
            if error.errno in (1, 13):
                raise refused() from None
            raise DeviceError(
                f"the kernel's tracing refuses: {error.filename or root}: {error.strerror}"
            ) from None
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)

    def _check(self) -> None:
        with open(f"{self._root}/events/{_DROP}/format") as file:
            if not reasons(file.read()):
                raise DeviceError(
                    "this kernel gives no reasons for drops; Linux 5.17 and later ones do",
                    hint="nstat -az shows its counters",
                )

    def _sweep(self) -> None:
        """Remove what runs that were killed have left. The kernel keeps one that is being read."""
        for name in os.listdir(f"{self._root}/instances"):
            made_by = owner(name)
            if made_by is not None and _started(made_by[0]) != made_by[1]:
                with suppress(OSError):
                    os.rmdir(f"{self._root}/instances/{name}")

    def _write(self, name: str, text: str) -> None:
        with open(f"{self._place}/{name}", "w") as file:
            file.write(text)

    def wait(self, timeout_s: float | None) -> None:
        """Wait until there may be some, or a time is over; None is no limit."""
        self._poll.poll(None if timeout_s is None else max(0, int(timeout_s * 1000) + 1))

    def take(self) -> Iterator[Dropped]:
        """Yield those that came since the last call."""
        behind = time.time_ns() - time.monotonic_ns()
        while True:
            try:
                part = os.read(self._pipe, 65536)
            except BlockingIOError:
                return
            if not part:
                return
            *lines, self._rest = (self._rest + part).split(b"\n")
            for line in lines:
                found = self._told(line.decode(errors="replace"), behind)
                if found is not None:
                    yield found

    def _told(self, line: str, behind: int) -> Dropped | None:
        found = _LINE.match(line)
        if found is None or found[3] != "kfree_skb":
            missed = _LOST.search(line)
            self._lost += int(missed[1]) if missed else 0
            return None
        words = dict(each.split("=", 1) for each in found[4].split() if "=" in each)
        reason = found[4].rpartition("reason: ")[2].strip()
        if reason in _NOT_DROPS:
            return None
        fraction = found[2].ljust(9, "0")[:9]
        return Dropped(
            int(found[1]) * 10**9 + int(fraction) + behind,
            reason,
            words.get("location", "").partition("/")[0],
            int(words.get("protocol", "0")),
        )

    def lost(self) -> int:
        """Return how many events were lost, because they came too fast."""
        return self._lost

    def close(self) -> None:
        """Stop, and remove the instance."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        if self._made:
            self._made = False
            with suppress(OSError):
                os.rmdir(self._place)
