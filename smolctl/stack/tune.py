"""What a user changes: the knobs, and what follows from that at once."""

from smolctl.stack import derive, hold, policy
from smolctl.stack.settings import knob
from smolctl.stack.stack import Stack


def set_knob(stack: Stack, key: str, text: str, *, origin: str) -> None:
    """Set one knob from its text; what it decides is decided anew from now on.

    Raises:
        NotFound, InvalidArgument: as ``Settings.set``.
    """
    key = knob(key).key
    deriving = key in policy.DERIVING
    links = stack.interfaces.values() if deriving else ()
    before = {link.name: policy.derived(stack, link) for link in links}
    stack.settings.set(key, text, origin=origin)
    for link in links:
        derive.sync(stack, link, before[link.name])
    hold.look_again(stack)
    stack.touch()
