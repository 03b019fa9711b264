"""Work that is done in processes of its own, several at a time."""

import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from select import POLLIN, poll
from typing import Any, NamedTuple, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
_READ = 1 << 16


class _Child(NamedTuple):
    """A process that works: the number of its task, its pid, and what it has said so far."""

    number: int
    pid: int
    said: bytearray


def in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[Result | str]:
    """Yield the result of each task, in their order, as soon as it is there.

    Args:
        work: never raises; what it returns can be pickled.
        jobs: so many processes at most.

    Yields:
        A result; a text that says how the process ended, if it has none.

    Raises:
        KeyboardInterrupt: SIGINT ended one; the terminal sends it to all of them.
    """
    children: dict[int, _Child] = {}
    results: dict[int, Result | str] = {}
    watched, begun = poll(), 0
    try:
        for number in range(len(tasks)):
            while number not in results:
                while begun < len(tasks) and len(children) < jobs:
                    end, pid = _begin(work, tasks[begun])
                    children[end] = _Child(begun, pid, bytearray())
                    watched.register(end, POLLIN)
                    begun += 1
                for end, _ in watched.poll():
                    data = os.read(end, _READ)
                    children[end].said.extend(data)
                    if not data:
                        watched.unregister(end)
                        os.close(end)
                        child = children.pop(end)
                        results[child.number] = _result(child)
            yield results.pop(number)
    finally:
        for child in children.values():
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _begin(work: Callable[[Task], Result], task: Task) -> tuple[int, int]:
    """Begin a task; return the end of a pipe from which its result comes, and its pid."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return ours, pid
    try:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.close(ours)
        with open(theirs, "wb") as file:
            pickle.dump(work(task), file)
    finally:
        os._exit(0)


def _result(child: _Child) -> Any:
    """Return what a process said, or how it ended."""
    _, status = os.waitpid(child.pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT:
        raise KeyboardInterrupt
    if os.WIFSIGNALED(status):
        return f"its process was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return pickle.loads(child.said) if child.said else "its process said nothing"
