"""Devices while changes are tried in a copy of the daemon, which has none.

The copy asks the daemon: devices are opened and changed there, since nobody knows before whether
they can be. What that did is undone when a change fails; else the devices are kept for the changes
themselves.
"""

import marshal
from collections.abc import Callable, Mapping
from typing import Any

from smolctl.device import AddressedDevice, Device
from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.ops.context import DaemonInfo, Row

Ask = Callable[[bytes], bytes]
Opened = tuple[str, Device]
"""A device that was opened, and its interface's name."""


# --- the copy -------------------------------------------------------------------------------------


class AskedLinks:
    """In the place of ``daemon.links.Links``, in the copy.

    Args:
        links: the daemon's, as they were; their descriptors are closed.
        ask: the daemon.
    """

    def __init__(self, links: Any, ask: Ask) -> None:
        self.kinds = links.kinds
        self._links = links
        self._ask = ask
        self._mine: dict[str, AskedDevice] = {}
        self._gone: set[str] = set()

    def open(self, name: str, kind: str, options: Mapping[str, Any]) -> "AskedDevice":
        """Have a device opened; see ``Links.open``."""
        if name in self._gone:
            raise InvalidArgument(
                f"{name} is deleted in the same batch, and its device exists until the batch ends",
                hint="use another name, or two batches",
            )
        mac, mtu, addressed = _asked(self._ask, "open", name, kind, dict(options))
        return _asked_device(self._ask, name, mac, mtu, addressed)

    def attach(self, interface: Any, device: "AskedDevice", now: int) -> None:
        """Let a device be the interface's."""
        self._mine[interface.name] = device

    def get(self, name: str) -> "AskedDevice | None":
        """Return the interface's device, to which things are done by the daemon."""
        if name in self._mine or name in self._gone:
            return self._mine.get(name)
        device = self._links.get(name)
        if device is None:
            return None
        addressed = isinstance(device, AddressedDevice)
        return _asked_device(self._ask, name, device.mac, device.mtu, addressed)

    def present(self, name: str) -> bool:
        """Return whether the interface has its device."""
        return name in self._mine or bool(self._links.present(name))

    def delete(self, name: str) -> None:
        """Note that the interface's device is to be closed in the end."""
        self._mine.pop(name, None)
        self._gone.add(name)


class AskedDevice:
    """A device that the daemon has; see ``smolctl.device.Device``."""

    def __init__(self, ask: Ask, name: str, mac: bytes, mtu: int) -> None:
        self.mac = mac
        self.mtu = mtu
        self._ask = ask
        self._name = name

    def check_mac(self, mac: bytes) -> None:
        """See whether ``mac`` can be our address."""
        _asked(self._ask, "check_mac", self._name, mac)

    def set_mtu(self, mtu: int) -> None:
        """Change the MTU."""
        _asked(self._ask, "set_mtu", self._name, mtu)
        self.mtu = mtu

    def close(self, *, delete: bool = False) -> None:
        """Let it be: the change that opened it fails, and so it is closed with the others."""


class AskedAddressedDevice(AskedDevice):
    """The same for one that lets in what is for its address only."""

    def set_mac(self, mac: bytes) -> None:
        """Change the address."""
        _asked(self._ask, "set_mac", self._name, mac)
        self.mac = mac


def _asked_device(ask: Ask, name: str, mac: bytes, mtu: int, addressed: bool) -> AskedDevice:
    return (AskedAddressedDevice if addressed else AskedDevice)(ask, name, mac, mtu)


def _asked(ask: Ask, *question: Any) -> Any:
    """Return what the daemon answers.

    Raises:
        SmolctlError: it refused.
    """
    error, answer = marshal.loads(ask(marshal.dumps(question)))
    if error is None:
        return answer
    raise SmolctlError.from_dict(error)


# --- the daemon -----------------------------------------------------------------------------------


class TriedDevices:
    """Devices that were opened and changed for a trial.

    Args:
        links: the daemon's.
    """

    def __init__(self, links: Any) -> None:
        self._links = links
        self._opened: list[Opened] = []
        self._undo: list[Callable[[], None]] = []

    def answer(self, question: bytes, daemon: DaemonInfo) -> bytes:
        """Do what the copy asks for, and return the answer to it."""
        what, name, *arguments = marshal.loads(question)
        try:
            answer = _ANSWERS[what](self, name, *arguments)
        except SmolctlError as error:
            return marshal.dumps((error.to_dict(), None))
        except Exception as error:  # a bug
            return marshal.dumps((daemon.blame(f"trying {what} {name}", error).to_dict(), None))
        return marshal.dumps((None, answer))

    def _open(self, name: str, kind: str, options: Row) -> tuple[bytes, int, bool]:
        device: Device = self._links.open(name, kind, options)
        self._opened.append((name, device))
        return device.mac, device.mtu, isinstance(device, AddressedDevice)

    def _device(self, name: str) -> Any:
        for owner, device in reversed(self._opened):
            if owner == name:
                return device
        return self._links.get(name)

    def _check_mac(self, name: str, mac: bytes) -> None:
        self._device(name).check_mac(mac)

    def _set_mtu(self, name: str, mtu: int) -> None:
        device = self._device(name)
        old = device.mtu
        device.set_mtu(mtu)
        self._undo.append(lambda: device.set_mtu(old))

    def _set_mac(self, name: str, mac: bytes) -> None:
        device = self._device(name)
        old = device.mac
        device.set_mac(mac)
        self._undo.append(lambda: device.set_mac(old))

    def undo(self) -> None:
        """Put all devices back to what they were."""
        undo, self._undo = self._undo, []
        for each in reversed(undo):
            each()
        for _, device in reversed(self.take()):
            device.close(delete=True)

    def take(self) -> list[Opened]:
        """Return the devices that were opened, in their order, and let all be as it is."""
        opened, self._opened, self._undo = self._opened, [], []
        return opened


_ANSWERS: dict[str, Callable[..., Any]] = {
    "open": TriedDevices._open,
    "check_mac": TriedDevices._check_mac,
    "set_mtu": TriedDevices._set_mtu,
    "set_mac": TriedDevices._set_mac,
}


class PreparedLinks:
    """The daemon's links, with devices that were opened before.

    Args:
        links: the daemon's.
        opened: the devices, in their order.
    """

    def __init__(self, links: Any, opened: list[Opened]) -> None:
        self.kinds = links.kinds
        self._links = links
        self._opened = opened

    def open(self, name: str, kind: str, options: Mapping[str, Any]) -> Device:
        """Return the next device that was opened for that name."""
        at = next(at for at, (owner, _) in enumerate(self._opened) if owner == name)
        return self._opened.pop(at)[1]

    def __getattr__(self, name: str) -> Any:
        """Leave all else to the daemon's links."""
        return getattr(self._links, name)
