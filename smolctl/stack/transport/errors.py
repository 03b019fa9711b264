"""Silence: nobody answered a packet that was sent by hand."""

from smolctl.stack.reason import Reason
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Trace


def unanswered(
    recorder: Recorder, trace: Trace, reason: Reason, now: int, **values: object
) -> None:
    """Note that nobody answered a packet."""
    detail = recorder.record(reason, trace.dev or "", now, None, **values)
    trace.complain(reason, detail, now)
