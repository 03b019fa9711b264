"""What a user changes about how bad a link is; ``egress_link`` lets it happen to the frames."""

from typing import TYPE_CHECKING

from smolctl.errors import InvalidArgument
from smolctl.stack import reason
from smolctl.stack.events import Action
from smolctl.stack.interface import Interface
from smolctl.stack.link.impairment import Impairment, Netem

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


def set_impairment(stack: "Stack", interface: Interface, netem: Netem) -> None:
    """Make a link bad, or good again; frames that are held back leave as they were to.

    Raises:
        InvalidArgument: it is a loopback, whose packets no device carries.
    """
    if interface.loopback:
        raise InvalidArgument(f"{interface.name} is a loopback: no device carries its packets")
    if interface.impairment is not None:
        interface.impairment.netem = netem
    elif netem:
        interface.impairment = Impairment(netem, stack.random)
    stack.events.link(Action.CHANGED, interface)
    # What the fast path knows goes past the impairment.
    stack.touch()


def drop_held(stack: "Stack", interface: Interface, now: int) -> None:
    """Drop what the link holds back: it is deleted."""
    if interface.impairment is not None:
        held = interface.impairment.flush()
        for _, trace in held:
            stack.ledger.record(reason.STACK_STOPPED, interface.name, now, trace, n=len(held))
