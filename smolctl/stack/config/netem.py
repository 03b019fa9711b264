"""Changes of how bad a link is; ``link.output`` lets it happen to the frames."""

from smolctl.errors import InvalidArgument
from smolctl.stack import reason
from smolctl.stack.events import ChangeType
from smolctl.stack.interface import Interface
from smolctl.stack.link.impairment import Impairment, Netem
from smolctl.stack.shared import Shared
from smolctl.stack.trace.recorder import Recorder


def set_impairment(shared: Shared, interface: Interface, netem: Netem) -> None:
    """Make a link bad, or good again; frames that are held back leave as they were to.

    Raises:
        InvalidArgument: it is a loopback, whose packets no device carries.
    """
    if interface.loopback:
        raise InvalidArgument(f"{interface.name} is a loopback: no device carries its packets")
    if interface.impairment is not None:
        interface.impairment.netem = netem
    elif netem:
        interface.impairment = Impairment(netem, shared.random, shared.timers.alarm)
    shared.events.link(ChangeType.CHANGED, interface)
    # What the fast path knows goes past the impairment.
    shared.generation.touch()


def drop_delayed(recorder: Recorder, interface: Interface, now: int) -> None:
    """Drop what the link holds back: it is deleted."""
    if interface.impairment is not None:
        delayed = interface.impairment.flush()
        for _, trace in delayed:
            recorder.record(reason.STACK_STOPPED, interface.name, now, trace, frames=len(delayed))
