"""A packet socket (AF_PACKET): a second host on an interface of this machine.

We have a MAC address of our own beside the kernel's, as a macvlan has, so the two do not meet: what
the kernel sends by the interface is not for us, and the other way round.

Linux takes the VLAN tag off a frame before we see it, and says it beside the frame. To ask for that
costs more than to receive the frame, so frames with a tag have a socket of their own.
Source: packet(7); linux/if_packet.h.
"""

import ctypes
import errno
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from fcntl import ioctl
from typing import Any, NoReturn

from smolctl.device import DeviceGone, Framed, random_mac
from smolctl.errors import DeviceError
from smolctl.wire.offload import virtio
from smolctl.wire.offload.run import MAX_SEGMENTS, Run
from smolctl.wire.offload.tcp_run import Segment
from smolctl.wire.vlan import VlanTag, tagged

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_DROP_MEMBERSHIP = 2
_PACKET_STATISTICS = 6
_PACKET_AUXDATA = 8
_PACKET_VNET_HDR = 15
_PACKET_IGNORE_OUTGOING = 23
_MR_PROMISC = 1
_MR_UNICAST = 3
_MREQ = struct.Struct("iHH8s")
_STATISTICS = struct.Struct("II")
_AUXDATA = struct.Struct("12xHHHH")
"""struct tpacket_auxdata from ``tp_mac`` on: where the headers are, tag, and its tpid."""
_SO_RCVBUFFORCE = 33
_SO_ATTACH_FILTER = 26
# linux/sockios.h, linux/if.h
_SIOCGIFNAME = 0x8910
_SIOCGIFFLAGS = 0x8913
_SIOCGIFMTU = 0x8921
_SIOCGIFHWADDR = 0x8927
_SIOCGIFINDEX = 0x8933
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_ARPHRD_ETHER = 1
_RTMGRP_LINK = 1

_IFREQ_INT = struct.Struct("16si20x")
_IFREQ_FLAGS = struct.Struct("16sH22x")
_IFREQ_HWADDR = struct.Struct("16sH6s16x")

_AUXDATA_SPACE = socket.CMSG_SPACE(_AUXDATA.size)
_READ_SIZE = virtio.HEADER_LEN + 65535 + 4 + 14
# The queue toward us, of which the kernel takes twice as much: room for more than 1,000 small
# frames, each of which counts 768 bytes. Whoever comes behind a flood waits for all that is in it.
_RECEIVE_BUFFER = 640 << 10


class PacketDevice:
    """A link on an interface of the kernel's; see ``smolctl.device.Device``.

    Args:
        name: our interface's.
        mac: our address, 6 bytes, not the kernel's; None for a random one.
        mtu: None for the kernel's interface's.
        link: the kernel's interface.
        promisc: take every frame that the interface sees, not only what is for us or for all.

    Raises:
        DeviceError: with a one-line reason and what to do; nothing is left behind.
    """

    kind = "packet"

    def __init__(
        self,
        name: str,
        *,
        mac: bytes | None = None,
        mtu: int | None = None,
        link: str,
        promisc: bool = False,
    ) -> None:
        self.name = name
        self.mac = mac or random_mac()
        self.headroom = 0
        self.segments = 0
        self._link = link
        self._promisc = promisc
        self._missed = 0
        self._closed = False
        try:
            with ExitStack() as undo:
                self._control = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                # Nothing comes in before we are bound and have a filter: protocol 0.
                self._socket, self._tagged = (
                    undo.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
                    for _ in range(2)
                )
                self._watch = undo.enter_context(
                    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
                )
                self._watch.bind((0, _RTMGRP_LINK))
                self._open()
                self.mtu = self._kernel_mtu()
                if mtu is not None:
                    self.set_mtu(mtu)
                undo.pop_all()
        except OSError as error:
            raise _explain(error, name, link) from None

    def fileno(self) -> int:
        """Return the packet socket's descriptor."""
        return self._socket.fileno()

    def receive(self, limit: int) -> list[bytes]:
        """Return waiting frames, each behind its virtio header; see ``Device``."""
        frames: list[bytes] = []
        append, recv = frames.append, self._socket.recv
        try:
            for _ in range(limit):
                append(recv(_READ_SIZE))
        except BlockingIOError:
            pass
        except OSError:
            # ENETDOWN, once: it went down, or it was deleted.
            if not frames:
                self._name_now()
        return frames

    def tagged_fileno(self) -> int:
        """Return the descriptor of the socket for frames with a VLAN tag; see ``TaggedDevice``."""
        return self._tagged.fileno()

    def receive_tagged(self, limit: int) -> list[bytes]:
        """Return waiting frames with their VLAN tags; see ``TaggedDevice``."""
        frames: list[bytes] = []
        with suppress(OSError):  # what is wrong with the interface, the other socket tells, too
            for _ in range(limit):
                data, (auxiliary, *_), _, _ = self._tagged.recvmsg(_READ_SIZE, _AUXDATA_SPACE)
                _, _, tci, tpid = _AUXDATA.unpack(auxiliary[2])
                tag = VlanTag(tpid, tci >> 13, bool(tci >> 12 & 1), tci & 0xFFF)
                frames.append(virtio.tagged(data, tag) if self.headroom else tagged(data, tag))
        return frames

    def transmit(self, item: bytes | Framed | Run | Segment) -> None:
        """Send one frame or run; see ``Device``."""
        try:
            self._socket.send(self._bytes_of(item))
        except OSError as error:
            if error.errno == errno.ENOBUFS:  # the interface's queue is full
                raise BlockingIOError(errno.EAGAIN, error.strerror) from None
            if error.errno in (errno.ENETDOWN, errno.ENXIO, errno.ENODEV):
                self._name_now()
                raise OSError(errno.EIO, error.strerror) from None
            raise

    def transmit_batch(self, items: Sequence[bytes | Framed | Run | Segment]) -> int:
        """Send frames and runs; see ``Device``."""
        send, bytes_of, taken = self._socket.send, self._bytes_of, 0
        try:
            for item in items:
                send(bytes_of(item))
                taken += 1
        except OSError:
            pass
        return taken

    def watch_fileno(self) -> int | None:
        """Return a netlink socket that hears of every change of a link."""
        return self._watch.fileno()

    def carrier(self) -> bool | None:
        """Return whether the kernel's interface is up and has carrier; see ``Device``."""
        try:
            while self._watch.recv(65536, socket.MSG_DONTWAIT | socket.MSG_TRUNC):
                pass
        except OSError:
            pass
        request = _IFREQ_FLAGS.pack(self._name_now(), 0)
        try:
            flags = _IFREQ_FLAGS.unpack(ioctl(self._control, _SIOCGIFFLAGS, request))[1]
        except OSError:
            return None  # it was renamed just now; the next message comes
        return bool(flags & _IFF_UP and flags & _IFF_RUNNING)

    def set_mtu(self, mtu: int) -> None:
        """Change our MTU, which is at most that of the kernel's interface; see ``Device``."""
        most = self._kernel_mtu()
        if mtu > most:
            raise DeviceError(
                f"mtu {mtu} does not fit {self._link}, whose mtu is {most}",
                hint=f"sudo ip link set {self._link} mtu {mtu}",
            )
        self.mtu = mtu

    def check_mac(self, mac: bytes) -> None:
        """See that the kernel has another MAC address; see ``Device``."""
        request = _IFREQ_HWADDR.pack(self._name_now(), 0, b"")
        _, _, kernel_mac = _IFREQ_HWADDR.unpack(ioctl(self._control, _SIOCGIFHWADDR, request))
        if kernel_mac == mac:
            raise DeviceError(
                f"{mac.hex(':')} is the kernel's own address on {self._link};"
                " two hosts on a link need one each",
                hint="use another one, or leave it out to get a random one",
            )

    def set_mac(self, mac: bytes) -> None:
        """Let frames for another address come in; see ``AddressedDevice``."""
        old, self.mac = self.mac, mac
        self._member(_PACKET_ADD_MEMBERSHIP, _MR_UNICAST, mac)
        self._filter()
        with suppress(OSError):
            self._member(_PACKET_DROP_MEMBERSHIP, _MR_UNICAST, old)

    def details(self) -> dict[str, Any]:
        """Return the kernel's interface, and what came too fast for us; see ``Device``."""
        with suppress(OSError):
            # Reading resets it.
            for each in (self._socket, self._tagged):
                data = each.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size)
                self._missed += _STATISTICS.unpack(data)[1]
        return {
            "link": self._link, "promisc": self._promisc, "vnet_hdr": bool(self.headroom),
            "missed": self._missed,
        }  # fmt: skip

    def close(self, *, delete: bool = False) -> None:
        """Close the sockets, which takes our address off the interface; see ``Device``."""
        if not self._closed:
            self._closed = True
            for opened in (self._socket, self._tagged, self._control, self._watch):
                opened.close()

    def _open(self) -> None:
        name = self._link.encode()
        request = _IFREQ_INT.pack(name, 0)
        self._index: int = _IFREQ_INT.unpack(ioctl(self._control, _SIOCGIFINDEX, request))[1]
        family = _IFREQ_HWADDR.unpack(
            ioctl(self._control, _SIOCGIFHWADDR, _IFREQ_HWADDR.pack(name, 0, b""))
        )[1]
        if family != _ARPHRD_ETHER:
            raise DeviceError(
                f"{self._link} is not an Ethernet interface",
                hint="take another one: ip -br link",
            )
        self.check_mac(self.mac)
        for each in (self._socket, self._tagged):
            each.setblocking(False)
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
            each.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._tagged.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        with suppress(OSError):
            # Neighbors on a veth leave their checksums to be completed, and cut nothing up.
            for each in (self._socket, self._tagged):
                each.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
            self.headroom, self.segments = virtio.HEADER_LEN, MAX_SEGMENTS
        self._filter()
        self._socket.bind((self._link, _ETH_P_ALL))
        self._tagged.bind((self._link, _ETH_P_ALL))
        if self._promisc:
            self._member(_PACKET_ADD_MEMBERSHIP, _MR_PROMISC, b"")
        else:
            self._member(_PACKET_ADD_MEMBERSHIP, _MR_UNICAST, self.mac)

    def _member(self, what: int, kind: int, mac: bytes) -> None:
        """Tell the interface what it has to let in besides what is for the kernel."""
        request = _MREQ.pack(self._index, kind, len(mac), mac)
        try:
            self._socket.setsockopt(_SOL_PACKET, what, request)
        except OSError as error:
            raise DeviceError(
                f"{self._link} does not accept frames for {mac.hex(':')}: {error.strerror}",
                hint=f"smolctl link add {self.name} type packet link {self._link} promisc",
            ) from None

    def _filter(self) -> None:
        """Let the kernel throw away what is not for us; frames with a VLAN tag go their own way."""
        for each, has_tag in ((self._socket, 0), (self._tagged, 1)):
            self._attach_filter(each, has_tag)

    def _attach_filter(self, receiver: socket.socket, has_tag: int) -> None:
        head, tail = struct.unpack("!IH", self.mac)
        # struct sock_filter: code, jump if true, jump if false, operand.
        program = [(0x30, 0, 0, 0xFFFFF030), (0x15, 0, 1 if self._promisc else 7, has_tag)]
        if not self._promisc:
            program += [
                (0x30, 0, 0, 0), (0x45, 4, 0, 1),
                (0x20, 0, 0, 0), (0x15, 0, 3, head),
                (0x28, 0, 0, 4), (0x15, 0, 1, tail),
            ]  # fmt: skip
        program += [(0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)]
        code = ctypes.create_string_buffer(
            b"".join(struct.pack("=HBBI", *step) for step in program)
        )
        receiver.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER,
            struct.pack("HP", len(program), ctypes.addressof(code)),
        )  # fmt: skip

    def _bytes_of(self, item: bytes | Framed | Run | Segment) -> bytes:
        if isinstance(item, Run | Segment):
            return item.to_bytes()
        frame = item if isinstance(item, bytes) else item.frame
        return virtio.PLAIN + frame if self.headroom else frame

    def _kernel_mtu(self) -> int:
        request = _IFREQ_INT.pack(self._name_now(), 0)
        mtu: int = _IFREQ_INT.unpack(ioctl(self._control, _SIOCGIFMTU, request))[1]
        return min(mtu, 65535)

    def _name_now(self) -> bytes:
        """Return what the kernel calls the interface now.

        Raises:
            DeviceGone: there is none of its index any more.
        """
        try:
            request = ioctl(self._control, _SIOCGIFNAME, _IFREQ_INT.pack(b"", self._index))
        except OSError as error:
            self._raise_gone(error)
        name: bytes = _IFREQ_INT.unpack(request)[0]
        return name

    def _raise_gone(self, error: OSError) -> NoReturn:
        raise DeviceGone(
            f"{self.name}: the kernel's interface {self._link} was deleted ({error.strerror})",
            hint=f"smolctl link del {self.name}, then link add it again",
        ) from None


def _explain(error: OSError, name: str, link: str) -> DeviceError:
    problem, hint = error.strerror or str(error), None
    if error.errno in (errno.EPERM, errno.EACCES):
        problem = "no permission: that needs root, or CAP_NET_RAW"
        hint = f"sudo smolctl --stack root link add {name} type packet link {link}"
    elif error.errno in (errno.ENODEV, errno.ENXIO):
        known = ", ".join(found for _, found in socket.if_nameindex())
        problem = f"this machine has no such interface (there are: {known})"
        hint = "ip -br link"
    elif error.errno == errno.ENETDOWN:
        problem, hint = "it is down", f"sudo ip link set {link} up"
    result = DeviceError(f"cannot open a packet socket on {link}: {problem}", hint=hint)
    result.errno_name = errno.errorcode.get(error.errno or 0)
    return result
