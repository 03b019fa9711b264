"""Offloads of a TAP: work that the kernel and the TAP's user leave to each other."""

import struct
from fcntl import ioctl

from smolctl.wire.offload import virtio

# linux/if_tun.h
_TUNSETOFFLOAD = 0x400454D0
_TUNSETVNETHDRSZ = 0x400454D8
# What the kernel may leave to us: TUN_F_CSUM 1, TSO4 2, USO4 0x20, USO6 0x40. It takes USO4 and
# USO6 together or not at all, since Linux 6.2; what it does not know is EINVAL and changes nothing.
_OFFLOADS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (0x63, ("csum", "tso", "uso")),
    (0x03, ("csum", "tso")),
    (0x01, ("csum",)),
)


def agree(fd: int) -> tuple[str, ...]:
    """Ask for as much as the kernel can; return the names of what it takes.

    Args:
        fd: a TAP's, with virtio headers.
    """
    ioctl(fd, _TUNSETVNETHDRSZ, struct.pack("i", virtio.HEADER_LEN))
    for bits, names in _OFFLOADS:
        try:
            ioctl(fd, _TUNSETOFFLOAD, bits)
        except OSError:
            continue
        return names
    return ()


def none(fd: int) -> None:
    """Take back what the last user of a TAP that persists agreed on."""
    ioctl(fd, _TUNSETOFFLOAD, 0)
