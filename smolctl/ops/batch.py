"""``smolctl batch``: many changes in one request, in their order."""

from collections.abc import Iterable

from smolctl.control.changes import MAX_TOGETHER
from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.atomic import Atomic
from smolctl.ops.changes import attempt, check
from smolctl.ops.context import Context, Row
from smolctl.ops.job import Job


def run(ctx: Context, args: Args) -> Iterable[Row] | Job:
    """Make changes until one fails, or with ``force`` all that can be made.

    Returns: a row for each change that was tried, in their order: its own rows as "rows", or why
        it was refused as "error", after which nothing was tried but for ``force``. With ``atomic``
        a job that makes all or none.

    Raises:
        InvalidArgument: there is something that is no change, or there are too many; nothing is
            done then.
    """
    force = args.flag("force")
    if args.flag("atomic"):
        if force:
            raise InvalidArgument(
                "force and atomic cannot be used together: one goes on after an"
                " error, the other undoes all changes"
            )
        return Atomic(ctx, args)
    commands = args.commands("commands")
    if len(commands) > MAX_TOGETHER:
        raise InvalidArgument(
            f"{len(commands)} changes are too many for one request, which has"
            f" at most {MAX_TOGETHER}"
        )
    for op, _ in commands:
        check(op)
    rows = []
    for op, arguments in commands:
        rows.append(attempt(ctx, op, arguments))
        if "error" in rows[-1] and not force:
            break
    return rows
