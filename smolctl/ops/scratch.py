"""A stack to try a configuration on: it has no devices, and nobody hears of it."""

from typing import Any

from smolctl.device import random_mac
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.operations import OPS
from smolctl.stack.config.addr import bring_up_loopback
from smolctl.stack.interface import ETHERNET_MTU
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.settings import Settings


class Dummy:
    """A device that carries nothing; see ``smolctl.device.Device``."""

    def __init__(self, mac: bytes, mtu: int) -> None:
        self.mac = mac
        self.mtu = mtu

    def check_mac(self, mac: bytes) -> None:
        """Find every MAC right."""

    def set_mtu(self, mtu: int) -> None:
        """Change ``mtu``."""
        self.mtu = mtu

    def close(self, *, delete: bool = False) -> None:
        """Let go of nothing."""


class NoDevices:
    """In the place of ``daemon.links.Links``: each link is plugged into nothing.

    Args:
        kinds: those that can be opened.
        model: the stack from which a link without MAC or MTU has those of its namesake.
    """

    def __init__(self, kinds: list[str], model: Stack | None = None) -> None:
        self.kinds = kinds
        self._model = model
        self._devices: dict[str, Dummy] = {}

    def open(self, name: str, kind: str, options: Row) -> Dummy:
        """Return a device of the MAC and MTU that the options ask for."""
        namesake = self._model.interfaces.get(name) if self._model is not None else None
        if namesake is not None and namesake.kind != kind:
            namesake = None
        mac, mtu = options["mac"], options["mtu"]
        return Dummy(
            mac or (namesake.mac if namesake else random_mac()),
            mtu or (namesake.mtu if namesake else ETHERNET_MTU),
        )

    def attach(self, interface: Any, device: Dummy, now: int) -> None:
        """Let a device be the interface's."""
        self._devices[interface.name] = device

    def get(self, name: str) -> Dummy | None:
        """Return the interface's device."""
        return self._devices.get(name)

    def present(self, name: str) -> bool:
        """Tell that nothing is missing."""
        return True

    def details(self, name: str) -> Row:
        """Return that nothing is known."""
        return {}

    def delete(self, name: str) -> None:
        """Forget the interface's device."""
        self._devices.pop(name, None)


class Scratch:
    """A fresh stack as that of a daemon that was just started.

    Args:
        ctx: of the request that needs it.
        model: as for ``NoDevices``.
    """

    def __init__(self, ctx: Context, model: Stack | None = None) -> None:
        stack = Stack(_middle, Settings())
        for net in stack.networks.values():
            bring_up_loopback(net)
        used = {interface.kind for interface in ctx.stack.interfaces.values()}
        links = NoDevices(sorted(used.union(ctx.links.kinds) - {LOOPBACK}), model)
        self.context = Context(stack, links, ctx.daemon, ctx.now)

    def apply(self, op: str, args: Row) -> list[Row]:
        """Run a request that changes something.

        Raises:
            SmolctlError: it is refused.
        """
        operation = OPS[op]
        answer = operation.handler(self.context, Args(op, args, operation.names))
        return list(answer)  # type: ignore[arg-type]


LOOPBACK = "loopback"


def _middle() -> float:
    return 0.5
