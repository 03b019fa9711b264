"""The device of a mirror: a link that is like one of another system, and carries nothing."""

import os
from collections.abc import Sequence
from typing import Any

from smolctl.device import Framed, random_mac

_DEFAULT_MTU = 1500


class MirrorDevice:
    """A link that goes nowhere; see ``smolctl.device.Device`` for what its methods promise.

    What is sent is thrown away, nothing comes in, and the carrier is what somebody says.

    Args:
        name: the interface's.
        mac, mtu: None for a random one, and for 1500 bytes.
    """

    kind = "mirror"

    def __init__(self, name: str, *, mac: bytes | None = None, mtu: int | None = None) -> None:
        self.name = name
        self.mac = mac or random_mac()
        self.mtu = mtu or _DEFAULT_MTU
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closed = False

    def fileno(self) -> int:
        """Return a descriptor that is never readable."""
        return self._event

    def receive(self, limit: int) -> list[bytes]:
        """Return nothing."""
        return []

    def transmit(self, frame: bytes) -> None:
        """Throw a frame away."""

    def transmit_batch(self, items: Sequence[bytes | Framed]) -> int:
        """Throw frames away; see ``Device``."""
        return len(items)

    def watch_fileno(self) -> int | None:
        """Return None: nobody but the user says what the carrier is."""
        return None

    def carrier(self) -> bool | None:
        """Return None; see ``watch_fileno``."""
        return None

    def set_mtu(self, mtu: int) -> None:
        """Change the MTU."""
        self.mtu = mtu

    def check_mac(self, mac: bytes) -> None:
        """Find every MAC right: nobody else is there."""

    def details(self) -> dict[str, Any]:
        """Return that nothing more is known."""
        return {}

    def close(self, *, delete: bool = False) -> None:
        """Let go of the descriptor."""
        if not self._closed:
            self._closed = True
            os.close(self._event)
