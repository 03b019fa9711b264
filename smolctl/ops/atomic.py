"""Many changes, all or none: tried on a copy of the stack first, then made.

Only devices are opened and changed while it is tried, since nobody knows before whether they can
be; what that did is undone when a change fails.
"""

from collections.abc import Callable, Mapping
from typing import Any

from smolctl.device import AddressedDevice, Device
from smolctl.errors import InvalidArgument
from smolctl.ops.context import Context, Row
from smolctl.stack.clone.stack_clone import clone_for_changes

Attempt = Callable[[Context, str, Row], Row]


def run(ctx: Context, commands: list[tuple[str, Row]], attempt: Attempt) -> list[Row]:
    """Make all changes, or none.

    Args:
        commands: operations that change the configuration, with their arguments.
        attempt: makes one and returns its row; "error" in it says that it was refused.

    Returns: the rows as of ``batch.run``; an "error" in the last one says that nothing was done.
    """
    links = TrialLinks(ctx.links)
    trial = Context(clone_for_changes(ctx.stack), links, ctx.daemon, ctx.now)
    rows = []
    for op, args in commands:
        rows.append(attempt(trial, op, args))
        if "error" in rows[-1]:
            links.undo()
            return rows
    prepared = Context(ctx.stack, PreparedLinks(ctx.links, links.opened), ctx.daemon, ctx.now)
    rows = []
    for op, args in commands:
        rows.append(attempt(prepared, op, args))
        if "error" in rows[-1]:  # a bug: what worked on the copy has to work
            ctx.daemon.blame(f"making {op} {args}", RuntimeError(rows[-1]["error"]))
    return rows


class TrialLinks:
    """In the place of ``daemon.links.Links`` while changes are tried.

    Args:
        links: the daemon's.

    Attributes:
        opened: the devices that were opened, in their order, each with its interface's name.
    """

    def __init__(self, links: Any) -> None:
        self.kinds = links.kinds
        self.opened: list[tuple[str, Device]] = []
        self._links = links
        self._mine: dict[str, Device] = {}
        self._gone: set[str] = set()
        self._undo: list[Callable[[], None]] = []

    def open(self, name: str, kind: str, options: Mapping[str, Any]) -> Device:
        """Open a device; see ``Links.open``."""
        if name in self._gone:
            raise InvalidArgument(
                f"{name} is deleted in the same batch, and its device exists until the batch ends",
                hint="use another name, or two batches",
            )
        device: Device = self._links.open(name, kind, options)
        self.opened.append((name, device))
        return device

    def attach(self, interface: Any, device: Device, now: int) -> None:
        """Let a device be the interface's."""
        self._mine[interface.name] = device

    def get(self, name: str) -> "TriedDevice | None":
        """Return the interface's device, which notes what is done to it."""
        if name in self._gone and name not in self._mine:
            return None
        device = self._mine.get(name) or self._links.get(name)
        if device is None:
            return None
        kind = TriedAddressedDevice if isinstance(device, AddressedDevice) else TriedDevice
        return kind(device, self._undo)

    def present(self, name: str) -> bool:
        """Return whether the interface has its device."""
        return name in self._mine or bool(self._links.present(name))

    def details(self, name: str) -> Row:
        """Return what is known of the interface's device."""
        device = self._mine.get(name)
        return device.details() if device is not None else dict(self._links.details(name))

    def delete(self, name: str) -> None:
        """Note that the interface's device is to be closed in the end."""
        self._mine.pop(name, None)
        self._gone.add(name)

    def undo(self) -> None:
        """Put all devices back to what they were."""
        for undo in reversed(self._undo):
            undo()
        for _, device in reversed(self.opened):
            device.close(delete=True)


class TriedDevice:
    """A device, and how to undo what is done to it; see ``smolctl.device.Device``."""

    def __init__(self, device: Any, undo: list[Callable[[], None]]) -> None:
        self._device = device
        self._undo = undo

    def check_mac(self, mac: bytes) -> None:
        """See whether ``mac`` can be our address."""
        self._device.check_mac(mac)

    def set_mtu(self, mtu: int) -> None:
        """Change the MTU."""
        old = self._device.mtu
        self._device.set_mtu(mtu)
        self._undo.append(lambda: self._device.set_mtu(old))


class TriedAddressedDevice(TriedDevice):
    """The same for one that lets in what is for its address only."""

    def set_mac(self, mac: bytes) -> None:
        """Change the address."""
        old = self._device.mac
        self._device.set_mac(mac)
        self._undo.append(lambda: self._device.set_mac(old))


class PreparedLinks:
    """The daemon's links, with devices that were opened before.

    Args:
        links: the daemon's.
        opened: as ``TrialLinks`` has them.
    """

    def __init__(self, links: Any, opened: list[tuple[str, Device]]) -> None:
        self.kinds = links.kinds
        self._links = links
        self._opened = list(opened)

    def open(self, name: str, kind: str, options: Mapping[str, Any]) -> Device:
        """Return the next device that was opened for that name."""
        at = next(at for at, (owner, _) in enumerate(self._opened) if owner == name)
        return self._opened.pop(at)[1]

    def __getattr__(self, name: str) -> Any:
        """Leave all else to the daemon's links."""
        return getattr(self._links, name)
