"""The poller: descriptors that are ready, and their handlers; epoll(7) with little around it.

``selectors`` builds a key per descriptor and turn, which costs a lone packet as much again as the
system call.
"""

import select
from collections.abc import Callable
from typing import Protocol

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
Callback = Callable[[int, int], None]
"""Gets what it is ready for, ``READ``, ``WRITE`` or both, and ``now`` in ns."""


Ready = tuple[int, Callback, int]
"""A descriptor, who takes care of it, and what it is ready for."""


class HasFileno(Protocol):
    """A socket, a device, ..."""

    def fileno(self) -> int:
        """Return its descriptor."""


class Poller:
    """The descriptors of one event loop."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[Callback, int]] = {}

    def register(self, file: int | HasFileno, mask: int, callback: Callback) -> None:
        """Watch a descriptor for ``READ``, ``WRITE`` or both; errors and hangups count as either.

        Raises:
            OSError: it is watched already, or cannot be.
        """
        fd = file if isinstance(file, int) else file.fileno()
        self._epoll.register(fd, mask)
        self._watched[fd] = callback, mask

    def modify(self, file: int | HasFileno, mask: int) -> None:
        """Watch a descriptor for something else."""
        fd = file if isinstance(file, int) else file.fileno()
        self._epoll.modify(fd, mask)
        self._watched[fd] = self._watched[fd][0], mask

    def unregister(self, file: int | HasFileno) -> None:
        """Watch a descriptor no longer. It must be open still: closed ones leave by themselves."""
        fd = file if isinstance(file, int) else file.fileno()
        del self._watched[fd]
        self._epoll.unregister(fd)

    def fileno(self) -> int:
        """Return the descriptor of epoll itself."""
        return self._epoll.fileno()

    def wait(self, timeout: float | None) -> list[Ready]:
        """Return the descriptors that are ready, who takes care of each, and for what it is ready.

        Whoever takes care of one may close another: see ``watches``.

        Args:
            timeout: seconds, rounded up to a millisecond; None waits until something is ready.
        """
        watched = self._watched
        ready = []
        for fd, event in self._epoll.poll(timeout, len(watched) + 1):
            callback, mask = watched[fd]
            # EPOLLERR and EPOLLHUP come unasked: whoever reads or writes next learns why.
            ready.append((fd, callback, event & mask or mask))
        return ready

    def watches(self, fd: int, callback: Callback) -> bool:
        """Tell whether a descriptor is still watched for whom it was ready.

        Its number may be another one's by now.
        """
        watched = self._watched.get(fd)
        return watched is not None and watched[0] is callback

    def __len__(self) -> int:
        return len(self._watched)

    def close(self) -> None:
        """Watch nothing any more."""
        self._watched.clear()
        self._epoll.close()
