"""What a user changes: the knobs, and what follows from that at once."""

from smolctl.stack.ip.derived_routes import DERIVING, derived, sync
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.settings import knob
from smolctl.stack.transport.udp import blocked


def set_knob(stack: Stack, key: str, text: str, *, origin: str) -> None:
    """Set one knob from its text; what it decides is decided anew from now on.

    Raises:
        NotFound, InvalidArgument: as ``Settings.set``.
    """
    key = knob(key).key
    deriving = key in DERIVING
    links = stack.interfaces.values() if deriving else ()
    before = {link.name: derived(stack, link) for link in links}
    stack.settings.set(key, text, origin=origin)
    for link in links:
        sync(stack, link, before[link.name])
    blocked.look_again(stack)
    stack.touch()
