"""The packet by which a probe failed, named in its result."""

from typing import Any

from smolctl.stack.explain import verdict
from smolctl.stack.trace.trace import Trace


def blame_fields(trace: Trace) -> dict[str, Any]:
    """Return reason, message, hint and the packet's id, for ``smolctl why``; {} without trouble."""
    why, detail = verdict.blame(trace)
    if why is None:
        return {}
    result = {"reason": why.name, "message": why.why(detail), "id": trace.id}
    hint = why.hint(detail)
    return result if hint is None else {**result, "hint": hint}
