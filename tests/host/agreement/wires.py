"""Links of a place whose other end the test holds: it sees what leaves, and lets frames come in."""

import os
import socket
import struct
from contextlib import suppress
from fcntl import ioctl
from typing import NamedTuple

from tests.host.agreement.place import Place

# linux/if_tun.h
_TUNSETIFF, _TUNSETCARRIER = 0x400454CA, 0x400454E2
_TUN, _TAP, _NO_PI = 0x1, 0x2, 0x1000
_IFREQ = struct.Struct("16sH22x")
_MOST = 70_000
_FAR_MTU = 65535
"""The other end of a veth drops what is too long for it, which is no question to the host."""
# linux/if_packet.h
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_ALL = 3


class LinkSpec(NamedTuple):
    """One link of a host.

    Attributes:
        name: of the link.
        kind: "tap", "tun", "veth" or "bridge".
        mac: its link address; "" of a TUN.
        carrier: there is a signal.
        ports: of a bridge, the names of links that are there before it.
    """

    name: str
    kind: str
    mac: str = ""
    carrier: bool = True
    ports: tuple[str, ...] = ()

    def commands(self) -> list[str]:
        """Return the lines of ``ip`` that make one like it, and none of them holds a TAP."""
        if self.kind == "bridge":
            made = [f"link add {self.name} type bridge"]
        elif self.kind == "tun":
            # Without the program that holds it, a TUN has no carrier.
            made = [f"tuntap add dev {self.name} mode tun"]
        else:
            made = [f"link add {self.name} type veth peer name {self.name}.far"]
            made += [f"link set {self.name}.far mtu {_FAR_MTU}"]
            made += [f"link set {self.name}.far up"] if self.carrier else []
        made += [f"link set {self.name} address {self.mac}"] if self.mac else []
        return made + [f"link set {port} master {self.name}" for port in self.ports]


class Wire:
    """The other end of a link.

    Attributes:
        name: of the link.
        linked: its frames have Ethernet headers.
        mac: the link's own address; b"" of a TUN.
    """

    def __init__(self, spec: LinkSpec, place: Place, far: Place) -> None:
        self.name, self.linked = spec.name, spec.kind != "tun"
        self.mac = bytes.fromhex(spec.mac.replace(":", ""))
        self._packets: socket.socket | None = None
        self._fd = -1
        if spec.kind == "veth":
            self._packets = _far_end(spec, place, far)
        else:
            self._fd = place.inside(lambda: _opened(spec))

    def frames(self) -> list[bytes]:
        """Return what has left by the link since the last time."""
        found = []
        with suppress(OSError):  # EAGAIN; or the link is down
            while True:
                read = os.read(self._fd, _MOST) if self._packets is None else self._received()
                found.append(read)
        return found

    def _received(self) -> bytes:
        assert self._packets is not None
        return self._packets.recv(_MOST)

    def inject(self, frame: bytes) -> None:
        """Let a frame come in by the link; one that is down, or without carrier, takes none."""
        with suppress(OSError):
            if self._packets is None:
                os.write(self._fd, frame)
            else:
                self._packets.send(frame)

    def close(self) -> None:
        """Let go of it; of a TAP, the link goes too."""
        if self._packets is not None:
            self._packets.close()
        elif self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _opened(spec: LinkSpec) -> int:
    """Make a TAP or TUN in the place of the calling thread."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    flags = (_TUN if spec.kind == "tun" else _TAP) | _NO_PI
    ioctl(fd, _TUNSETIFF, _IFREQ.pack(spec.name.encode(), flags))
    ioctl(fd, _TUNSETCARRIER, struct.pack("i", spec.carrier))
    return fd


def _far_end(spec: LinkSpec, place: Place, far: Place) -> socket.socket:
    """Make a veth whose other end is far away, and a socket on that."""
    end = f"{spec.name}.far"
    refused = place.ip([f"link add {spec.name} type veth peer name {end}"])
    assert not refused, refused
    far.move_here(place.index(end), place)
    number = far.index(end)
    # Each end has its own name in its own place; of several hosts, numbers differ.
    named = f"far{number}"
    assert not far.ip([f"link set {end} name {named}"])
    assert not far.ip([f"link set {named} mtu {_FAR_MTU}"])
    assert not far.ip([f"link set {named} {'up' if spec.carrier else 'down'}"])
    return far.inside(lambda: _packet_socket(named))


def _packet_socket(name: str) -> socket.socket:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    packets.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    packets.bind((name, _ALL))
    packets.setblocking(False)
    return packets
