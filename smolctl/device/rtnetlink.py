"""The few words of rtnetlink(7) that the kernel's side of a TAP needs.

Each request is acknowledged or refused. A library for all of rtnetlink takes 0.1 s to import,
during which a stack that adds a TAP would stand still. ``request`` serves other protocols of
netlink(7), too; ``netlink.py`` reads tables.
"""

import ctypes
import errno
import os
import socket
import struct

# linux/netlink.h, linux/rtnetlink.h
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_EXCL, _NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400
_RTM_NEWLINK, _RTM_NEWADDR, _RTM_NEWROUTE = 16, 20, 24
_NLMSG_ERROR = 2
# linux/if_link.h, linux/if_addr.h, linux/if.h
_IFLA_MTU, _IFLA_TXQLEN, _IFLA_NET_NS_FD = 4, 13, 28
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_IFA_F_NODAD = 0x02
_RTA_OIF, _RTA_GATEWAY = 4, 5
_RT_TABLE_MAIN, _RTPROT_BOOT, _RTN_UNICAST = 254, 3, 1
_IFF_UP = 1
# linux/sched.h
_CLONE_NEWNET = 0x40000000

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, which of the flags change
_ADDRESS = struct.Struct("=BBBBi")  # family, prefix length, flags, scope, index
# Family, lengths of destination and source, tos, table, protocol, scope, type, flags.
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_ERROR = struct.Struct("=i")
_TIMEOUT_S = 5.0


def add_address(index: int, address: str, plen: int, *, tested: bool = False) -> None:
    """Give an interface an address, as ``ip address add`` does.

    Args:
        index: of the interface.
        address: in the text form of its family.
        plen: length of its prefix in bits.
        tested: nobody else can have it; an IPv6 address is used at once.

    Raises:
        OSError: as the kernel refuses it: EEXIST, EPERM, ...
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    body = _ADDRESS.pack(family, plen, _IFA_F_NODAD if tested else 0, 0, index)
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    request(_RTM_NEWADDR, _NLM_F_CREATE | _NLM_F_EXCL, body)


def add_default_route(index: int, gateway: str) -> None:
    """Add a route to everywhere, as ``ip route add default via GATEWAY`` does.

    Args:
        index: of the interface.
        gateway: in the text form of its family.

    Raises:
        OSError: as the kernel refuses it.
    """
    family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
    body = _ROUTE.pack(family, 0, 0, 0, _RT_TABLE_MAIN, _RTPROT_BOOT, 0, _RTN_UNICAST, 0)
    body += _attribute(_RTA_GATEWAY, socket.inet_pton(family, gateway))
    body += _attribute(_RTA_OIF, struct.pack("=I", index))
    request(_RTM_NEWROUTE, _NLM_F_CREATE | _NLM_F_EXCL, body)


def set_up(index: int) -> None:
    """Set an interface up.

    Raises:
        OSError: as the kernel refuses it.
    """
    request(_RTM_NEWLINK, 0, _LINK.pack(socket.AF_UNSPEC, 0, index, _IFF_UP, _IFF_UP))


def set_sizes(index: int, mtu: int, queue: int) -> None:
    """Set the MTU of an interface, in bytes, and the length of its queue, in frames.

    Raises:
        OSError: as the kernel refuses it. A user namespace's root may do so, unlike by ioctl(2).
    """
    body = _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    body += _attribute(_IFLA_MTU, struct.pack("=I", mtu))
    request(_RTM_NEWLINK, 0, body + _attribute(_IFLA_TXQLEN, struct.pack("=I", queue)))


def move(index: int, netns: int) -> None:
    """Move an interface to the network namespace that a descriptor stands for.

    Raises:
        OSError: as the kernel refuses it.
    """
    body = _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    request(_RTM_NEWLINK, 0, body + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", netns)))


def enter(netns: int) -> None:
    """Let the calling thread enter a network namespace (setns(2)).

    Raises:
        OSError: as the kernel refuses it.
    """
    # Python has os.setns since 3.12.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(netns, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def request(kind: int, flags: int, body: bytes, protocol: int = socket.NETLINK_ROUTE) -> None:
    """Send a request and wait until it is acknowledged.

    Args:
        kind, flags: of its header. body: what follows that.
        protocol: of netlink(7).

    Raises:
        OSError: as the kernel refuses it.
    """
    flags |= _NLM_F_REQUEST | _NLM_F_ACK
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as kernel:
        kernel.settimeout(_TIMEOUT_S)
        kernel.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        answer = kernel.recv(65536)
    if len(answer) < _HEADER.size + _ERROR.size or _HEADER.unpack_from(answer)[1] != _NLMSG_ERROR:
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
    number = -_ERROR.unpack_from(answer, _HEADER.size)[0]
    if number:
        raise OSError(number, os.strerror(number))
