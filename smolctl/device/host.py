"""The kernel's side of a TAP: namespaces and addresses.

A thread that enters a network namespace may fail to come back, so all of it happens in a
short-lived child process, which passes descriptors back.
"""

import errno
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from smolctl.descriptors import receive_descriptors
from smolctl.device import rtnetlink, tun
from smolctl.errors import DeviceError

_NAMESPACES = "/run/netns"
_CHILD_TIMEOUT_S = 10.0
_MAX_FDS = 8

_Work = Callable[[], tuple[Any, list[int]]]


def namespace_path(netns: str) -> str:
    """Return the file of a network namespace: a name as ``ip netns`` lists them, or a path.

    Raises:
        DeviceError: there is none; the message lists those that are.
    """
    path = netns if netns.startswith("/") else f"{_NAMESPACES}/{netns}"
    if os.path.exists(path):
        return path
    try:
        known = ", ".join(sorted(os.listdir(_NAMESPACES)))
    except OSError:
        known = ""
    raise DeviceError(
        f'no network namespace "{netns}" (there is {known or "none"})',
        hint=f"sudo ip netns add {netns}",
    )


def open_tap(
    name: str, netns: str, address: tuple[str, int] | None, *, move: bool, offload: bool
) -> tuple[int, socket.socket, socket.socket, bool]:
    """Open the TAP ``name`` so that its kernel's side is in ``netns``.

    Args:
        name: its interface; made unless it exists there.
        netns: as for ``namespace_path``.
        address: for the kernel's side, as for ``add_address``; None leaves it alone.
        move: an interface of that name exists here: open that one and move it, unless ``netns``
            has one already.
        offload: as for ``tap.open_queue``.

    Returns: its descriptor, the sockets of ``tap.open_sockets``, and whether it was made.

    Raises:
        DeviceError: no such namespace, no permission to enter it, or the address is refused.
        OSError: the TAP cannot be opened.
    """
    path = namespace_path(netns)

    def in_namespace() -> tuple[Any, list[int]]:
        _enter(path)
        there = tun.exists(name)
        if move and not there:
            return "move", []
        fd = tun.open_queue(name, offload=offload)
        return "opened" if there else "made", [fd, *_settle(name, address)]

    what, fds = in_child(in_namespace)
    if what == "move":
        fd = tun.open_queue(name, offload=offload)
        try:
            in_child(lambda: _move(name, path))

            def moved() -> tuple[Any, list[int]]:
                _enter(path)
                return None, _settle(name, address)

            fds = [fd, *in_child(moved)[1]]
        except BaseException:
            os.close(fd)
            raise
    fd, control, watch = fds
    return fd, socket.socket(fileno=control), socket.socket(fileno=watch), what == "made"


def add_address(name: str, address: tuple[str, int]) -> None:
    """Give the kernel's side an address, unless it has it, and set it up.

    Args:
        name: its interface, in our namespace.
        address: in the text form of its family, and the prefix length in bits.

    Raises:
        DeviceError: the kernel refuses.
    """

    def work() -> tuple[Any, list[int]]:
        _add_address(name, address)
        return None, []

    in_child(work)


# What follows is only ever called in the child.


def _settle(name: str, address: tuple[str, int] | None) -> list[int]:
    if address is not None:
        _add_address(name, address)
    control, watch = tun.open_sockets()
    return [control.detach(), watch.detach()]


def _add_address(name: str, address: tuple[str, int]) -> None:
    text = "{}/{}".format(*address)
    index = socket.if_nametoindex(name)
    try:
        rtnetlink.add_address(index, *address)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise DeviceError(
                f"cannot give the kernel's side of {name} the address {text}: {error.strerror}",
                hint=f"sudo ip addr add {text} dev {name} && sudo ip link set {name} up",
            ) from None
    try:
        rtnetlink.set_up(index)
    except OSError as error:
        raise DeviceError(
            f"cannot set the kernel's side of {name} up: {error.strerror}",
            hint=f"sudo ip link set {name} up",
        ) from None


def _enter(path: str) -> None:
    """Enter a network namespace; only ever in the child."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        rtnetlink.enter(fd)
    except OSError as error:
        raise DeviceError(
            f"cannot enter the network namespace {path}: {error.strerror}", hint="that needs root"
        ) from None
    finally:
        os.close(fd)


def _move(name: str, path: str) -> tuple[Any, list[int]]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        rtnetlink.move(socket.if_nametoindex(name), fd)
    except OSError as error:
        raise DeviceError(
            f"cannot move {name} to the network namespace {path}: {error.strerror}",
            hint="that needs root",
        ) from None
    finally:
        os.close(fd)
    return None, []


def in_child(work: _Work) -> tuple[Any, list[int]]:
    """Run ``work`` in a child process; return its result and the descriptors it opened.

    Args:
        work: returns what JSON can carry, and descriptors.

    Raises:
        OSError, DeviceError: as ``work`` raised it.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        child = os.fork()
        if child == 0:
            _child(theirs, work)
        theirs.close()
        try:
            ours.settimeout(_CHILD_TIMEOUT_S)
            data, fds = receive_descriptors(ours, 65536, _MAX_FDS)
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            raise DeviceError(
                f"configuring the kernel's side took longer than {_CHILD_TIMEOUT_S:g} s"
            ) from None
        finally:
            os.waitpid(child, 0)
    if not data:
        raise DeviceError("the process that configures the kernel's side died")
    reply = json.loads(data)
    if "errno" in reply:
        raise OSError(reply["errno"], reply["strerror"])
    if "message" in reply:
        raise DeviceError(reply["message"], hint=reply["hint"])
    return reply["result"], fds


def _child(answer: socket.socket, work: _Work) -> None:
    """Run ``work`` and report; never returns."""
    status = 1
    try:
        # A signal for the parent's process group must not reach the parent's loop through us.
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        fds: list[int] = []
        reply: dict[str, Any]
        try:
            result, fds = work()
            reply = {"result": result}
        except OSError as error:
            reply = {"errno": error.errno, "strerror": error.strerror}
        except DeviceError as error:
            reply = {"message": error.message, "hint": error.hint}
        except Exception as error:
            reply = {"message": f"{type(error).__name__}: {error}", "hint": None}
        socket.send_fds(answer, [json.dumps(reply).encode()], fds)
        status = 0
    finally:
        os._exit(status)
