"""Descriptors and memory of the daemon: what is kept back, and what is said when none is left.

Whoever takes some of them for long, a program's socket or a link, is refused while the reserve is
not whole. A command line may take of it what it needs for a moment, so it gets in, and ends others.
"""

import errno
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from smolctl.daemon.log import Log
from smolctl.daemon.poller import HasFileno
from smolctl.errors import OUT_OF_MEMORY, ControlError, SmolctlError

DESCRIPTORS = 16
"""Descriptors in reserve; if there are few, a quarter of them."""
FEWEST = 4
"""So many stay back when the reserve lets clients in: their requests need some, too."""
_MOST = 8192
"""As far as the soft limit is raised: all clients and sockets of programs fit."""
_MEMORY = 4 << 20
"""Bytes kept back, where memory is limited; they are never touched, so nobody else misses them."""
_HEADROOM = 8 << 20
"""So much must be free before a request begins that may need memory: one that is refused half way
would leave half of its work."""
_QUIET_NS = 1_000_000_000
_THRIFTY = ("show", "get", "del", "flush", "stop", "status", "list")
"""Last words of operations that keep nothing."""


class Resources:
    """The reserve of one daemon, and its errors.

    Args:
        stack: the stack's name.
        log: gets bugs, and what was refused for want of something.
        spare: an open file whose descriptor is duplicated to keep some back.

    Attributes:
        short: whether something ran out lately, or the reserve is not whole.
        holders: returns how many sockets and connections each process has; set by the server.
    """

    def __init__(self, stack: str, log: Log, spare: HasFileno) -> None:
        self._smolctl = f"smolctl --stack {stack}"
        self.log = log
        self.short = False
        self.holders: Callable[[], Mapping[int, int]] = dict
        self._spare = spare
        self._limit = _raise_limit()
        self._number = min(DESCRIPTORS, self._limit // 4)
        self._memory_limit = _memory_limit()
        self._kept: list[int] = []
        self._memory: bytes | None = None
        self._noted = False
        self._quiet_ns = 0
        self.fill()

    @property
    def kept(self) -> int:
        """The number of descriptors that are kept back now."""
        return len(self._kept)

    def fill(self) -> bool:
        """Take back what is missing of the reserve; return whether it is whole."""
        try:
            while len(self._kept) < self._number:
                self._kept.append(os.dup(self._spare.fileno()))
            if self._memory_limit and self._memory is None:
                self._memory = bytes(_MEMORY)
        except (OSError, MemoryError):
            self.short = True
            return False
        return True

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let what is done within have the reserve, when something is short."""
        if self.short:
            self._memory = None
            while self._kept:
                os.close(self._kept.pop())
        try:
            yield
        finally:
            self.fill()

    def settle(self, now: int) -> None:
        """See at the end of a turn whether enough is there again, and has been for a second."""
        if not self.fill() or self._noted:
            self._noted, self._quiet_ns = False, now + _QUIET_NS
        elif now >= self._quiet_ns:
            self.short = False

    def close(self) -> None:
        """Give the reserve back for good."""
        self._number = self._memory_limit = 0
        self._memory = None
        while self._kept:
            os.close(self._kept.pop())

    # --- refusals ---------------------------------------------------------------------------------

    def require(self) -> None:
        """See that the reserve is whole, before something is opened that stays.

        Raises:
            ControlError: it is not.
        """
        if self.short and not self.fill():
            if len(self._kept) < self._number:
                raise self._no_descriptors()
            raise self._no_memory()

    def admit(self, op: str) -> None:
        """See that there is memory for an operation, where memory is limited.

        Raises:
            ControlError: there is not.
        """
        if self._memory_limit and op.rpartition(".")[2] not in _THRIFTY:
            try:
                bytes(_HEADROOM)
            except MemoryError:
                self._note("memory", op)
                raise self._no_memory() from None

    def lack(self, error: BaseException, doing: str) -> ControlError | None:
        """Return what to say of an error when it comes from something that ran out, else None."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, OUT_OF_MEMORY) or _number(cause) == errno.ENOMEM:
                self._note("memory", doing)
                return self._no_memory()
            if _number(cause) in (errno.EMFILE, errno.ENFILE):
                self._note("descriptor", doing)
                return self._no_descriptors()
            cause = cause.__context__  # what a device's own words stand for
        return None

    def _note(self, what: str, doing: str) -> None:
        self.short = self._noted = True
        self.log.note(f"no {what} left: {doing} was refused", warning=True)

    def blame(self, doing: str, error: BaseException) -> SmolctlError:
        """Log an error, and return it as whoever asked is told. Raises nothing."""
        try:
            if isinstance(error, SmolctlError):
                return error
            lack = self.lack(error, doing)
            if lack is not None:
                return lack
            self.log.exception(doing, error)
            return SmolctlError(
                f"smolctl failed at {doing}: {type(error).__name__}: {error}",
                hint=f"{self._smolctl} stack log",
                code="internal",
            )
        except Exception:
            self.short = True
            return _LAST_WORD

    def greediest(self) -> tuple[str, str | None]:
        """Return whom to end, in words and as a command: the process with most sockets."""
        holders = self.holders()
        pid = max(holders, key=lambda pid: holders[pid], default=0)
        if not pid or holders[pid] < 2:
            return "", None
        name = f"process {pid}"
        with suppress(OSError), open(f"/proc/{pid}/comm") as comm:
            name = f"{comm.read().strip()} (process {pid})"
        return f": {name} has {holders[pid]} sockets and connections", f"kill {pid}"

    def _no_descriptors(self) -> ControlError:
        who, end = self.greediest()
        hint = end or f"{self._smolctl} stack stop, then start it with more: ulimit -n 4096"
        error = ControlError(
            f"no descriptor is left of the daemon's {self._limit}{who}",
            hint=hint,
            code="no-descriptors",
        )
        error.errno_name = "EMFILE"
        return error

    def _no_memory(self) -> ControlError:
        limit = f" of its {self._memory_limit >> 20} MiB" if self._memory_limit else ""
        error = ControlError(
            f"not enough memory is left to the daemon{limit}",
            hint=f"{self._smolctl} stack stop, then start it with more: ulimit -v unlimited",
            code="no-memory",
        )
        error.errno_name = "ENOMEM"
        return error


_LAST_WORD = ControlError("not enough memory is left to the daemon", code="no-memory")
"""Made while there was some."""


def _number(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def _raise_limit() -> int:
    """Raise the soft limit of descriptors as far as is of use; return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft


def _memory_limit() -> int:
    """Return how many bytes of memory the process may have; 0 for as many as there are."""
    limits = (resource.getrlimit(what)[0] for what in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    return min((limit for limit in limits if limit != resource.RLIM_INFINITY), default=0)
