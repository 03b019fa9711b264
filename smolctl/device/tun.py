"""The TUN driver: TAPs opened, and errors of that for people."""

import errno
import os
import socket
import struct
from contextlib import ExitStack
from fcntl import ioctl

from smolctl.errors import DeviceError

# linux/if_tun.h
_TUNGETFEATURES = 0x800454CF
_TUNSETIFF = 0x400454CA
TUNGETIFF = 0x800454D2
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
# linux/rtnetlink.h
_RTMGRP_LINK = 1
IFREQ_FLAGS = struct.Struct("16sH22x")
_CLONE_DEVICE = "/dev/net/tun"


def exists(name: str) -> bool:
    """Return whether the caller's network namespace has an interface ``name``."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def open_queue(name: str, *, offload: bool) -> int:
    """Open the TAP ``name`` in the caller's network namespace; make it unless it exists.

    Args:
        name: its interface.
        offload: with virtio headers, if the kernel has them.

    Returns: its descriptor, which does not block.

    Raises:
        OSError: as the kernel gives it; ``explain`` turns it into a line for people.
    """
    fd = os.open(_CLONE_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        flags = _IFF_TAP | _IFF_NO_PI
        if offload:
            (features,) = struct.unpack("I", ioctl(fd, _TUNGETFEATURES, bytes(4)))
            flags |= features & _IFF_VNET_HDR
        ioctl(fd, _TUNSETIFF, IFREQ_FLAGS.pack(name.encode(), flags))
    except BaseException:
        os.close(fd)
        raise
    return fd


def is_tap(fd: int) -> bool:
    """Return whether a descriptor is a TAP's whose frames have nothing else in front of them."""
    try:
        request = ioctl(fd, TUNGETIFF, bytes(IFREQ_FLAGS.size))
    except OSError:
        return False
    wanted = _IFF_TAP | _IFF_NO_PI
    return int(IFREQ_FLAGS.unpack(request)[1]) & wanted == wanted


def has_virtio(fd: int) -> bool:
    """Return whether what crosses a TAP's descriptor has virtio headers."""
    flags: int = IFREQ_FLAGS.unpack(ioctl(fd, TUNGETIFF, bytes(IFREQ_FLAGS.size)))[1]
    return bool(flags & _IFF_VNET_HDR)


def open_sockets() -> tuple[socket.socket, socket.socket]:
    """Return a socket for ioctls on interfaces of the caller's network namespace, and a watch.

    The watch is a netlink socket that is readable after any of those interfaces has changed.
    """
    with ExitStack() as undo:
        control = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        watch = undo.enter_context(
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        )
        watch.bind((0, _RTMGRP_LINK))
        undo.pop_all()
    return control, watch


def explain(error: OSError, name: str) -> DeviceError:
    """Return the error for people of a TAP ``name`` that could not be opened."""
    hint: str | None = None
    if error.errno in (errno.EPERM, errno.EACCES):
        problem = "no permission: only root may create or open it"
        hint = f"sudo ip tuntap add dev {name} mode tap user $USER && sudo ip link set {name} up"
    elif error.errno == errno.EBUSY:
        problem = "another process has it open"
        hint = f"take another name, or end the process: grep -l {name} /proc/[0-9]*/fdinfo/*"
    elif error.errno == errno.EINVAL:
        problem = f"interface {name} exists and is not a TAP, or has several queues"
        hint = "take another name"
    elif error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        problem = f"this system has no {_CLONE_DEVICE}"
        hint = "sudo modprobe tun || smolctl doctor tun"
    else:
        problem = error.strerror or str(error)
    result = DeviceError(f"cannot open TAP {name}: {problem}", hint=hint)
    result.errno_name = errno.errorcode.get(error.errno or 0)
    return result
