"""A network namespace for a program, whose only wire is a TAP; no root is needed.

The process itself enters it and becomes the program, so nothing stands between them. The TAP is
made in another namespace and moved in: its descriptor keeps the one in which it was opened alive,
and would keep the program's, of which nobody else knows when it is empty. As it is, the kernel
deletes the TAP with the namespace, when its last process and its last packet are gone, and the
descriptor says so.
"""

import ctypes
import errno
import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from smolctl.device import rtnetlink, sock_diag, tun
from smolctl.device.tap_queue import QUEUE_FRAMES
from smolctl.errors import DeviceError

# linux/sched.h
_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000
_OWN_NETNS = "/proc/self/ns/net"
WIRE = "eth0"
"""The name of the wire inside."""


_CONF = "net/ipv6/conf"
IPV6_OFF = {
    # As in the stack: nobody else is on the wire who could have the same address, and no router is
    # but the one that is told.
    f"{_CONF}/{WIRE}/accept_dad": "0",
    f"{_CONF}/{WIRE}/accept_ra": "0",
    f"{_CONF}/{WIRE}/disable_ipv6": "1",
}
"""Sysctls of a wire of which it is not known yet whether the stack has IPv6."""
IPV6_ON = {f"{_CONF}/{WIRE}/disable_ipv6": "0"}
IPV6_NOWHERE = {f"{_CONF}/{link}/disable_ipv6": "1" for link in ("all", "default")}
ALONE = {
    "net/ipv4/ip_unprivileged_port_start": "0",
    # A group of the caller's is 0 while it is root here.
    "net/ipv4/ping_group_range": "0 0",
}
"""Sysctls where nobody else is: any port may be bound, and ping may ask (ip(7), icmp(7))."""


class NamespaceRefused(DeviceError):
    """The machine refuses a namespace, or what is set up in it."""

    code = "namespace-refused"


class Namespace(NamedTuple):
    """The namespace in which the process now is.

    Attributes:
        tap: the descriptor of the wire's other end, which is to be passed on and closed.
        outer: a descriptor of another namespace, which the TAP keeps alive in any case.
        uid, gid: of the caller, where a user namespace was needed; None for root.
    """

    tap: int
    outer: int
    uid: int | None
    gid: int | None


def enter(mtu: int) -> Namespace:
    """Enter a network namespace of its own, with a wire that has no addresses yet.

    Args:
        mtu: of the wire, bytes.

    Raises:
        NamespaceRefused: it says what does, and what helps. The process is of no more use.
    """
    uid, gid = os.geteuid(), os.getegid()
    mapped = not _may_unshare()
    if mapped:
        _map_to_root(uid, gid)
    try:
        tap = tun.open_queue(WIRE, offload=True)
    except OSError as error:
        raise _no_tap(error) from None
    try:
        index = socket.if_nametoindex(WIRE)
        outer = os.open(_OWN_NETNS, os.O_RDONLY | os.O_CLOEXEC)
        _unshare(_CLONE_NEWNET)
        inner = os.open(_OWN_NETNS, os.O_RDONLY | os.O_CLOEXEC)
        rtnetlink.enter(outer)
        rtnetlink.move(index, inner)
        rtnetlink.enter(inner)
        os.close(inner)
        rtnetlink.set_sizes(index, mtu, QUEUE_FRAMES)
        # Before the descriptor is passed: the stack sends as soon as it has it.
        _settle(IPV6_OFF)
        rtnetlink.set_up(socket.if_nametoindex("lo"))
        rtnetlink.set_up(index)
    except OSError as error:
        raise _failed("make the wire", error) from None
    return Namespace(tap, outer, uid if mapped else None, gid if mapped else None)


def _may_unshare() -> bool:
    """Enter a network namespace as root may; return False for who may not."""
    try:
        _unshare(_CLONE_NEWNET)
    except PermissionError:
        return False
    except OSError as error:
        raise _failed("make a network namespace", error) from None
    return True


def _map_to_root(uid: int, gid: int) -> None:
    """Enter a user namespace, too, in which the caller is root and may set up a network."""
    try:
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        # user_namespaces(7): a group map needs setgroups denied first.
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
    except OSError as error:
        raise NamespaceRefused(
            f"this machine lets user {uid} make no user namespace: {error.strerror}",
            hint="smolctl doctor namespaces",
        ) from None


# --- when the wire goes ---------------------------------------------------------------------------


def guard(namespace: Namespace) -> int:
    """Leave a process behind that ends the program's connections when the stack drops the wire.

    Linux tells no connection that its link is gone, so a program that waits for data would wait for
    ever. The process is nobody's child, holds nothing of the namespace, and ends with the wire.

    Returns: the descriptor that it waits for, to be passed on with the TAP's, and closed.
    """
    waits, held = os.pipe()  # PEP 446: the program has neither
    child = os.fork()
    if child:
        os.close(waits)
        os.waitpid(child, 0)
        return held
    try:
        if not os.fork():
            _watch(namespace, waits)
    finally:
        os._exit(0)


def _watch(namespace: Namespace, waits: int) -> None:
    """Wait until the wire is gone, and end what went by it."""
    home = _identity(_OWN_NETNS)
    with suppress(OSError):
        _write("/proc/self/comm", "smolctl-guard")
    os.setsid()  # the terminal is the program's
    os.chdir("/")
    rtnetlink.enter(namespace.outer)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    waits = os.dup2(waits, 3)
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if int(number) > waits:
                os.close(int(number))
    os.read(waits, 1)
    someone = _inhabitant(home)
    if someone is None:
        return
    rtnetlink.enter(someone)
    end = time.monotonic() + _PATIENCE_S
    while tun.exists(WIRE):
        if time.monotonic() > end:
            return  # a later namespace, which has got the number of ours
        time.sleep(0.01)
    # New ones fail from now on, as no route is left.
    sock_diag.end_connections()


_PATIENCE_S = 10.0
"""Time that the kernel may take to delete a wire, seconds."""


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _inhabitant(home: tuple[int, int]) -> int | None:
    """Return a descriptor of a namespace, by some process that is in it; None when none is."""
    for number in filter(str.isdecimal, os.listdir("/proc")):
        path = f"/proc/{number}/ns/net"
        with suppress(OSError):  # it has ended, or is somebody else's
            if _identity(path) == home:
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None


# --- the program ----------------------------------------------------------------------------------


def configure(addresses: Sequence[Mapping[str, Any]]) -> None:
    """Set the wire up with addresses, and a default route of each family.

    Args:
        addresses: of each family at most one: ``local``, ``prefixlen``, ``gateway``, as text.

    Raises:
        NamespaceRefused: the kernel refuses.
    """
    six = any(":" in str(each["local"]) for each in addresses)
    _settle(IPV6_ON if six else IPV6_NOWHERE)
    _settle(ALONE)
    try:
        index = socket.if_nametoindex(WIRE)
        for each in addresses:
            if ":" in each["local"] and not os.path.exists("/proc/sys/net/ipv6"):
                continue  # the kernel was told to do without (ipv6.disable=1)
            rtnetlink.add_address(index, each["local"], each["prefixlen"], tested=True)
            rtnetlink.add_default_route(index, each["gateway"])
    except OSError as error:
        raise _failed("give the program's wire its addresses", error) from None


def become(namespace: Namespace, words: list[str]) -> NoReturn:
    """Run a program in the place of this one, as the caller, with no more rights than that.

    Args:
        words: the program and its arguments; it is looked for in PATH.

    Raises:
        OSError: it cannot be run: ENOENT when there is none.
        NamespaceRefused: the caller's user cannot be had back.
    """
    if namespace.uid is not None:
        # A second user namespace, in which nothing of the network may be changed any more.
        try:
            _unshare(_CLONE_NEWUSER)
            _write("/proc/self/uid_map", f"{namespace.uid} 0 1")
            _write("/proc/self/gid_map", f"{namespace.gid} 0 1")
        except OSError as error:
            raise _failed(f"become user {namespace.uid} again", error) from None
    try:
        os.execvp(words[0], words)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # execvp(3): what is no binary and names no interpreter is for the shell.
        path = words[0] if "/" in words[0] else _found(words[0])
        os.execv("/bin/sh", ["sh", path, *words[1:]])


def _found(name: str) -> str:
    paths = (os.path.join(folder, name) for folder in os.get_exec_path())
    return next((path for path in paths if os.access(path, os.X_OK)), name)


def _no_tap(error: OSError) -> NamespaceRefused:
    """Return why the wire could not be made, and what helps."""
    device = "/dev/net/tun"
    if error.errno == errno.EACCES:
        # udev has it so (50-udev-default.rules): what counts are the rights in the namespace.
        hint = f"sudo chmod 0666 {device}"
        return NamespaceRefused(f"{device} may be opened by root alone here", hint=hint)
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return NamespaceRefused(f"this machine has no {device}", hint="sudo modprobe tun")
    if error.errno == errno.EPERM:
        return NamespaceRefused(
            "user namespaces give no rights over the network here", hint="smolctl doctor namespaces"
        )
    return _failed("make a TAP", error)


def _failed(what: str, error: OSError) -> NamespaceRefused:
    return NamespaceRefused(f"cannot {what}: {error.strerror}", hint="smolctl doctor exec")


def _settle(sysctls: Mapping[str, str]) -> None:
    """Set sysctls, as far as there are any: a kernel may have no IPv6, /proc may be read-only."""
    for key, text in sysctls.items():
        with suppress(OSError):
            _write(f"/proc/sys/{key}", text)


def _write(file: str, text: str) -> None:
    with open(file, "w") as stream:
        stream.write(text)


def _unshare(flags: int) -> None:
    # os.unshare is there since Python 3.12 only.
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        number = ctypes.get_errno() or errno.EPERM
        raise OSError(number, os.strerror(number))
