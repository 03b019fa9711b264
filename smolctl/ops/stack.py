"""``smolctl stack``: the daemon itself."""

from collections.abc import Iterable

from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row


def status(ctx: Context, args: Args) -> Iterable[Row]:
    """Return what is known about this stack and its process."""
    return [ctx.daemon.status(ctx.now)]


def stop(ctx: Context, args: Args) -> Iterable[Row]:
    """End the daemon. The answer is sent when its name is free again."""
    ctx.daemon.request_stop("stack stop")
    return []
