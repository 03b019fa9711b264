"""Silence: nobody answered a packet that was sent by hand."""

from smolctl.stack.reason import Reason
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Trace


def unanswered(
    recorder: Recorder, trace: Trace, reason: Reason, awaited: Awaited, **values: object
) -> None:
    """Note that nobody answered a packet, or that its answer was dropped."""
    now = awaited.until_ns
    detail = recorder.record(
        reason, trace.dev or "", now, None, _awaited=awaited, _gateway=trace.gateway, **values
    )
    trace.complain(reason, detail, now)
