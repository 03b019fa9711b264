"""The best source of drops that this kernel and this user have."""

import os
from collections.abc import Mapping

from smolctl.device.host import namespace_path
from smolctl.errors import DeviceError
from smolctl.host.drops import btf, tracefs
from smolctl.host.drops.dropped import Source
from smolctl.host.drops.probe import Probe
from smolctl.host.drops.tracefs import Tracefs
from smolctl.ops.args import Args

HERE = "/proc/thread-self/ns/net"
"""File of the namespace in which the thread is."""


def inode(netns: str | None) -> int:
    """Return the number by which the kernel knows a network namespace.

    Args:
        netns: as for ``inside``.

    Raises:
        DeviceError: there is none of that name, or its file cannot be looked at.
    """
    path = HERE if netns is None else namespace_path(netns)
    try:
        return os.stat(path).st_ino
    except OSError as error:
        raise DeviceError(f"cannot look at {path}: {error.strerror}") from None


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
    except (OSError, btf.Unknown) as error:
        why = str(error)
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
