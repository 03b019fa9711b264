"""A prediction beside a real packet in a throw-away copy of the namespace."""

from typing import Any

from smolctl.errors import DeviceError
from smolctl.host.reading import HostState
from smolctl.host.replica.ask import happen, predicted, told
from smolctl.host.replica.build import build
from smolctl.stack.explain.predict import Question
from smolctl.stack.trace.trace import Trace

Row = dict[str, Any]
_ROUTES_MAX = 5000
"""Routes that are copied; more take the program ip longer than anybody waits."""


def really(state: HostState, question: Question, trace: Trace) -> Row:
    """Return what the kernel does with the packet in a copy, and whether it is what was foreseen.

    The copy has no packet filter, no IPsec and no other hooks. If it lacks anything else, or the
    question is none that it could show, only that is said.
    """
    foreseen = predicted(question, trace)
    if foreseen is None:
        return {"why": "a copy would show nothing of it"}
    if len(state.routes) > _ROUTES_MAX:
        return {"why": f"no copy of {len(state.routes)} routes is made"}
    if question.uid and any(rule.uids is not None for rule in state.rules):
        return {"why": "there are rules about users, and the copy sends as root"}
    try:
        replica = build(state)
    except (DeviceError, OSError) as error:
        return {"why": f"no copy can be made: {error}"}
    try:
        if replica.lacks:
            return {"why": f"the copy lacks {', '.join(replica.lacks)}"}
        seen = happen(replica, question, trace)
    finally:
        replica.close()
    return {"kernel": told(seen), "twin": told(foreseen), "same": seen == foreseen}
