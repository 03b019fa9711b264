"""A Linux TAP: Ethernet frames to and from the kernel's own stack.

Our end is the file descriptor, the kernel's end is the network interface of the same name. They are
the two ends of one cable, so each needs a MAC address of its own.
"""

import os
import socket
import struct
from contextlib import ExitStack, suppress
from fcntl import ioctl
from typing import Any

from smolctl.device import random_mac
from smolctl.device.tap_queue import QUEUE_FRAMES, TapQueue
from smolctl.device.tun import IFREQ_FLAGS, exists, explain, open_queue, open_sockets
from smolctl.errors import DeviceError

_TUNSETPERSIST = 0x400454CB
_IFF_PERSIST = 0x0800
# linux/sockios.h, linux/if.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCGIFMTU, _SIOCSIFMTU = 0x8921, 0x8922
_SIOCGIFHWADDR = 0x8927
_SIOCSIFTXQLEN = 0x8943
_IFF_UP = 0x1
_IFREQ_INT = struct.Struct("16si20x")
_IFREQ_HWADDR = struct.Struct("16sH6s16x")
_DEFAULT_MTU = 1500


class TapDevice(TapQueue):
    """An open TAP; see ``smolctl.device.Device`` for what its methods promise.

    Args:
        name: the kernel's interface, 1..15 bytes; made when it does not exist.
        mac: our address on the link, 6 bytes; None for a random one.
        mtu: None for the kernel's side's.
        persist: leave the kernel's side there when the device is closed.
        netns: named network namespace (or path of one) that shall hold the kernel's side.
        host: address and prefix length for the kernel's side, which is then also set up.
        offload: have checksums and the cutting of super-packets left to whoever needs them, as far
            as the kernel can; without, every frame crosses by itself with its checksums done.

    Raises:
        DeviceError: with a one-line reason and what to do; nothing is left behind.
    """

    kind = "tap"

    def __init__(
        self,
        name: str,
        *,
        mac: bytes | None = None,
        mtu: int | None = None,
        persist: bool = False,
        netns: str | None = None,
        host: tuple[str, int] | None = None,
        offload: bool = True,
    ) -> None:
        super().__init__(name, mac or random_mac(), mtu or _DEFAULT_MTU)
        self._persist = persist
        self._netns = netns
        self._host = host
        self._fd, self._control, self._watch, self._made = _open(name, netns, host, offload)
        try:
            self._set_offload(wanted=offload)
            self._configure(mtu)
        except BaseException:
            self.close(delete=True)
            raise

    def watch_fileno(self) -> int | None:
        """Return a netlink socket that hears of every change of a link in the kernel's side."""
        return self._watch.fileno()

    def carrier(self) -> bool | None:
        """Return whether the kernel's side is up; see ``Device``."""
        try:
            # What the messages say is looked up below: one may have been lost (ENOBUFS).
            while self._watch.recv(65536, socket.MSG_DONTWAIT | socket.MSG_TRUNC):
                pass
        except OSError:
            pass
        name, _ = self._kernel_name()
        try:
            return bool(self._flags(name) & _IFF_UP)
        except OSError:
            return None  # it was moved to another namespace, where our socket cannot look

    def set_mtu(self, mtu: int) -> None:
        """Change our MTU, and the kernel's when the TAP was made by us; see ``Device``."""
        if self._made:
            name, _ = self._kernel_name()
            try:
                ioctl(self._control, _SIOCSIFMTU, _IFREQ_INT.pack(name, mtu))
            except OSError as error:
                raise DeviceError(
                    f"the kernel's side of {self.name} does not accept mtu {mtu}: {error.strerror}",
                    hint="a TAP takes 68 to 65521",
                ) from None
        self.mtu = mtu

    def check_mac(self, mac: bytes) -> None:
        """See that the kernel's side has another MAC address; see ``Device``."""
        request = _IFREQ_HWADDR.pack(self._kernel_name()[0], 0, b"")
        try:
            _, _, kernel_mac = _IFREQ_HWADDR.unpack(ioctl(self._control, _SIOCGIFHWADDR, request))
        except OSError:
            return  # it was moved to where it cannot be asked
        if kernel_mac == mac:
            raise DeviceError(
                f"{mac.hex(':')} is the address of the kernel's side of {self.name};"
                " the two ends of a cable need one each",
                hint="use another one, or leave it out to get a random one",
            )

    def details(self) -> dict[str, Any]:
        """Return the keys of ``ip -d -j link`` for a TAP, and ours; see ``Device``."""
        result: dict[str, Any] = {
            "type": "tap",
            "pi": False,
            "vnet_hdr": bool(self.headroom),
            "persist": self._persist,
            "offload": list(self._offload),
        }
        if self._netns is not None:
            result["netns"] = self._netns
        if self._host is not None:
            result["host"] = "{}/{}".format(*self._host)
        return result

    def close(self, *, delete: bool = False) -> None:
        """Close the TAP; see ``Device``. One that was not made by us always stays."""
        if self._fd < 0:
            return
        if delete and self._made:
            with suppress(OSError):
                ioctl(self._fd, _TUNSETPERSIST, 0)
        os.close(self._fd)
        self._fd = -1
        self._control.close()
        self._watch.close()

    def _configure(self, mtu: int | None) -> None:
        name = self.name.encode()
        self.check_mac(self.mac)
        if mtu is not None:
            self.set_mtu(mtu)
        elif not self._made:
            request = _IFREQ_INT.pack(name, 0)
            _, self.mtu = _IFREQ_INT.unpack(ioctl(self._control, _SIOCGIFMTU, request))
        if self._persist:
            ioctl(self._fd, _TUNSETPERSIST, 1)
        else:
            self._persist = bool(self._kernel_name()[1] & _IFF_PERSIST)
        with suppress(OSError):  # only root may; without it a burst is lost sooner
            ioctl(self._control, _SIOCSIFTXQLEN, _IFREQ_INT.pack(name, QUEUE_FRAMES))
        if self._host is None and self._made:
            # Nobody else knows of it, so nobody else will set it up.
            with suppress(OSError):
                request = IFREQ_FLAGS.pack(name, self._flags(name) | _IFF_UP)
                ioctl(self._control, _SIOCSIFFLAGS, request)

    def _flags(self, name: bytes) -> int:
        request = IFREQ_FLAGS.pack(name, 0)
        flags: int = IFREQ_FLAGS.unpack(ioctl(self._control, _SIOCGIFFLAGS, request))[1]
        return flags


def _open(
    name: str, netns: str | None, address: tuple[str, int] | None, offload: bool
) -> tuple[int, socket.socket, socket.socket, bool]:
    """Open the TAP where it is or shall be; the last of the result tells whether we made it."""
    here = exists(name)
    try:
        if netns is not None:
            from smolctl.device import host

            return host.open_tap(name, netns, address, move=here, offload=offload)
        with ExitStack() as undo:
            control, watch = map(undo.enter_context, open_sockets())
            fd = open_queue(name, offload=offload)
            undo.callback(os.close, fd)
            if address is not None:
                from smolctl.device import host

                host.add_address(name, address)
            undo.pop_all()
        return fd, control, watch, not here
    except OSError as error:
        raise explain(error, name) from None
