"""Probes of the kernel's rights: a child opens a device for a moment and takes it with it."""

import ctypes
import errno
import os
import socket
from contextlib import suppress
from typing import Any

from smolctl.device import tap_offload, tun
from smolctl.device.host import in_child

# linux/sched.h
_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000


def tap_offloads(*, own_user: bool) -> tuple[str, ...] | None:
    """Return what the kernel and a TAP's user may leave to each other; None without virtio headers.

    The TAP is in a network namespace of its own where that is allowed, is never up, and has a name
    that the kernel chose.

    Args:
        own_user: in a user namespace of its own, too, in which nobody needs to be root.

    Raises:
        OSError: none could be opened.
        DeviceError: the child died, or took too long.
    """

    def work() -> tuple[Any, list[int]]:
        if own_user:
            _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        else:
            with suppress(OSError):  # CAP_NET_ADMIN is enough for a TAP, but not for this
                _unshare(_CLONE_NEWNET)
        fd = tun.open_queue("probe%d", offload=True)
        return (tap_offload.agree(fd) if tun.has_virtio(fd) else None), []

    result, _ = in_child(work)
    return None if result is None else tuple(result)


def user_namespace() -> None:
    """See that ``unshare -Urn`` would work.

    Raises:
        OSError: it would not.
        DeviceError: the child died, or took too long.
    """
    uid, gid = os.geteuid(), os.getegid()

    def work() -> tuple[Any, list[int]]:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        # user_namespaces(7): a group map needs setgroups denied first.
        for file, text in (
            ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1"),
        ):  # fmt: skip
            with open(f"/proc/self/{file}", "w") as map_of:
                map_of.write(text)
        return None, []

    in_child(work)


def packet_socket() -> None:
    """See that a packet socket can be opened.

    Raises:
        OSError: it cannot.
    """
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


def _unshare(flags: int) -> None:
    # os.unshare is there since Python 3.12 only.
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, os.strerror(number))
