"""A TAP that a program made in a network namespace of its own, and passed to us.

Nothing but the descriptor ties us to the namespace: a socket in it would keep it alive. So its side
is set up by whoever made it, and the descriptor tells when the namespace is gone, which deletes the
TAP (``netns`` moves it there from another namespace for that reason).
"""

import os
from collections.abc import Sequence
from typing import Any, NoReturn

from smolctl.device import DeviceGone, random_mac
from smolctl.device.tap_queue import TapQueue
from smolctl.device.tun import is_tap
from smolctl.errors import DeviceError


class PassedTap(TapQueue):
    """A TAP's descriptor from somebody else; see ``smolctl.device.Device`` for its methods.

    Args:
        name: of the stack's interface.
        fds: the descriptor, and others that tell their other ends when this one is closed, by being
            closed then; they are ours once the first is known to be a TAP's.
        mtu: of the program's side, bytes.
        program: the name of the program.
        pid: its process.

    Raises:
        DeviceError: it is no TAP's; all are left open.
    """

    kind = "exec"

    def __init__(self, name: str, fds: Sequence[int], *, mtu: int, program: str, pid: int) -> None:
        super().__init__(name, random_mac(), mtu)
        fd, *self._others = fds
        if not is_tap(fd):
            raise DeviceError(f"{name}: the descriptor that was passed is not a TAP's")
        self._program, self._pid = program, pid
        os.set_blocking(fd, False)
        self._fd = fd
        self._set_offload(wanted=True)

    def watch_fileno(self) -> int | None:
        """Return that nothing tells of the other side; its end is an error of the descriptor."""
        return None

    def carrier(self) -> bool | None:
        """Return that this cannot be asked: root may set its side down.

        Raises:
            DeviceGone: the program has ended.
        """
        self._kernel_name()
        return None

    def set_mtu(self, mtu: int) -> None:
        """Change our MTU; that of the program's side stays."""
        self.mtu = mtu

    def check_mac(self, mac: bytes) -> None:
        """Find every MAC right: the other side's cannot be asked."""

    def details(self) -> dict[str, Any]:
        """Return what the link belongs to, and the keys of a TAP; see ``Device``."""
        return {
            "program": self._program,
            "pid": self._pid,
            "vnet_hdr": bool(self.headroom),
            "offload": list(self._offload),
        }

    def _raise_gone(self, error: OSError) -> NoReturn:
        raise DeviceGone(f"{self.name}: {self._program} (pid {self._pid}) has ended") from None

    def close(self, *, delete: bool = False) -> None:
        """Close the descriptor, which deletes the TAP."""
        if self._fd >= 0:
            for fd in (self._fd, *self._others):
                os.close(fd)
            self._fd = -1
