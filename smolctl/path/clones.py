"""Clones of the stacks of a network, which many questions use one after the other."""

from smolctl.path.net import Net
from smolctl.stack.clone.stack_clone import clone_for_changes, take_back
from smolctl.stack.stack import Stack


class Clones:
    """Clones that are there to be used again.

    An echo request leaves little behind in the stacks on its way, and to take that back costs much
    less than to clone them anew.

    Args:
        net: the stacks, which must not change in the meantime.
    """

    def __init__(self, net: Net) -> None:
        self._net = net
        self.free: dict[str, Stack] = {}

    def take(self, name: str) -> Stack:
        """Return a clone of a stack, as ``clone_for_changes`` makes it."""
        return self.free.pop(name, None) or clone_for_changes(self._net.stacks[name])

    def give_back(self, name: str, clone: Stack) -> None:
        """Take a clone that was used for an echo request alone."""
        if take_back(clone, self._net.stacks[name]):
            self.free[name] = clone
