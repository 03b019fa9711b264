"""Questions to a twin, in the words of ``why``."""

from typing import Any

from smolctl.host.twin import Twin
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.operations import OPS
from smolctl.ops.restore import scratch_of_all_kinds

Row = dict[str, Any]


def run(twin: Twin, op: str, **words: str) -> list[Row]:
    """Return the rows of a request to a twin's stack."""
    context = scratch_of_all_kinds(0).context
    context = Context(twin.stack, context.links, context.daemon, 0)
    operation = OPS[op]
    rows = operation.handler(context, Args(op, dict(words), operation.names))
    return list(rows)  # type: ignore[arg-type]  # no job is started here


def why(twin: Twin, question: str) -> Row:
    """Return what would happen to a packet: "udp any 10.0.0.2:53 iif eth0"."""
    proto, src, dst, *more = question.split()
    words = {"proto": proto}
    if src != "any":
        words["src"], _, sport = src.partition("#")
        words |= {"sport": sport} if sport else {}
    words["dst"], _, dport = dst.partition("#")
    words |= {"dport": dport} if dport else {}
    words |= dict(zip(more[::2], more[1::2], strict=True))
    (row,) = run(twin, "why.ask", **words)
    return row


def way(twin: Twin, dst: str, **words: str) -> Row:
    """Return the row of ``route get``."""
    (row,) = run(twin, "route.get", dst=dst, **words)
    return row
