"""Work in another network namespace of this machine."""

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from smolctl.device.host import namespace_path
from smolctl.device.rtnetlink import enter as enter_netns
from smolctl.errors import DeviceError

_T = TypeVar("_T")
OWN = "/proc/thread-self/net"
"""The tables of the namespace in which a thread is; /proc/self has those of the main thread's."""


def inside(netns: str | None, work: Callable[[], _T]) -> _T:
    """Return the result of a function that is called inside a namespace.

    Entering one is for a thread alone (setns(2)). One of its own does it and ends: there is no way
    back that could fail.

    Args:
        netns: a name as ``ip netns`` lists them, or a path; None stays here.
        work: the function; it must not start threads.

    Raises:
        DeviceError: there is no such namespace, or it must not be entered.
        Exception: whatever ``work`` raises.
    """
    if netns is None:
        return work()
    path = file_of(netns)
    results: list[_T] = []
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            _enter(path)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter, name="netns")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def file_of(netns: str) -> str:
    """Return the file of a namespace that is to be read, and not made.

    Args:
        netns: as for ``inside``.

    Raises:
        DeviceError: there is none; of a process's number it says which file that has.
    """
    try:
        return namespace_path(netns)
    except DeviceError as error:
        process = f"/proc/{netns}/ns/net"
        error.hint = process if netns.isdecimal() and os.path.exists(process) else "ip netns list"
        raise


def _enter(path: str) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter_netns(fd)
        finally:
            os.close(fd)
    except PermissionError:
        raise DeviceError(
            f"only root may enter the network namespace {path}",
            hint="run it as root, or inside the namespace without --netns",
        ) from None
    except OSError as error:
        raise DeviceError(
            f"cannot enter the network namespace {path}: {error.strerror}",
            hint="ip netns list",
        ) from None
