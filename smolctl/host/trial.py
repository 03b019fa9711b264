"""A stack to try on what a copy of the host is made of."""

from typing import Any

from smolctl.ops.restore import scratch_of_all_kinds
from smolctl.stack.sysctl.names import Name


class Trial:
    """A fresh stack, in which each change of a copy is made before it is passed on."""

    def __init__(self) -> None:
        self._scratch = scratch_of_all_kinds(0)

    def apply(self, op: str, args: dict[str, Any]) -> None:
        """Make a change.

        Raises:
            SmolctlError: it is refused.
        """
        self._scratch.apply(op, args)

    def value(self, name: Name) -> int | None:
        """Return what a sysctl is set to; None if its link is not there."""
        settings = self._scratch.context.stack.settings
        if name.scope not in ("", "all", "default", *settings.links):
            return None
        return settings.value(name)
