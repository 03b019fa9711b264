"""The best source of drops that this kernel and this user have."""

import os
from collections.abc import Mapping
from contextlib import suppress

from smolctl.errors import DeviceError
from smolctl.host.drops import btf, tracefs
from smolctl.host.drops.dropped import Source
from smolctl.host.drops.probe import Probe
from smolctl.host.drops.tracefs import Tracefs
from smolctl.host.namespace import file_of
from smolctl.ops.args import Args

_NAMED = "/run/netns"
HERE = "/proc/thread-self/ns/net"
"""File of the namespace in which the thread is."""


def inode(netns: str | None) -> int:
    """Return the number by which the kernel knows a network namespace.

    Args:
        netns: as for ``inside``.

    Raises:
        DeviceError: there is none of that name, or its file cannot be looked at.
    """
    path = HERE if netns is None else file_of(netns)
    try:
        found, here = os.stat(path), os.stat(HERE)
    except OSError as error:
        raise DeviceError(f"cannot look at {path}: {error.strerror}") from None
    if found.st_dev != here.st_dev:
        raise DeviceError(f"{path} is no network namespace", hint="ip netns list")
    return found.st_ino


def path_of(net: int) -> str | None:
    """Return a name or path by which a network namespace can be entered; None if it has none.

    Args:
        net: its inode. One without a name, such as that of a container, is that of a process.
    """
    if not net:
        return None
    with suppress(OSError):
        for name in os.listdir(_NAMED):
            if has(name, net):
                return name
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if has(f"/proc/{pid}/ns/net", net):
            return f"/proc/{pid}/ns/net"
    return None


def has(netns: str, net: int) -> bool:
    """Return whether a name or path is still that of a network namespace."""
    path = netns if netns.startswith("/") else f"{_NAMED}/{netns}"
    try:
        return os.stat(path).st_ino == net
    except OSError:  # it is gone
        return False


def best(net: int) -> Source:
    """Return a source that tells of a namespace's drops; a program of ours where there can be one.

    Args:
        net: inode of the namespace; 0 for all.

    Raises:
        DeviceError: the user may not, the kernel cannot, or it cannot tell namespaces apart.
    """
    if os.geteuid():
        raise tracefs.refused()
    try:
        return Probe(net)
    except OSError as error:
        why = error.strerror or str(error)
    except btf.Unknown as unknown:
        why = f"it does not tell {unknown}"
    made = Tracefs(tracefs.find())
    if net:
        made.close()
        raise DeviceError(
            f"this kernel does not say to which network namespace a dropped packet belongs ({why})",
            hint="smolctl host drops --all",
        )
    return made


def limits(words: Mapping[str, str]) -> tuple[int | None, float | None]:
    """Return how many drops are wanted, and for how many seconds; None is no limit.

    Raises:
        InvalidArgument: they are no such numbers.
    """
    args = Args("host.drops", dict(words), frozenset({"count", "wait"}))
    count, wait_ns = args.integer("count", 1, 1_000_000_000), args.seconds("wait")
    return count, None if wait_ns is None else wait_ns / 1e9
