"""``smolctl batch``: many changes in one request, in their order."""

from collections.abc import Iterable

from smolctl.control.changes import MAX_TOGETHER, changes
from smolctl.errors import ControlError, InvalidArgument, SmolctlError
from smolctl.ops import atomic
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.operations import OPS


def run(ctx: Context, args: Args) -> Iterable[Row]:
    """Make changes until one fails, or with ``force`` all that can be made.

    Returns: a row for each change that was tried, in their order: its own rows as "rows", or why
        it was refused as "error", after which nothing was tried but for ``force``.

    With ``atomic`` an error means that nothing was done: all are made, or none.

    Raises:
        InvalidArgument: there is something that is no change, or there are too many; nothing is
            done then.
    """
    commands, force, whole = args.commands("commands"), args.flag("force"), args.flag("atomic")
    if force and whole:
        raise InvalidArgument(
            "force and atomic cannot be used together: one goes on after an"
            " error, the other undoes all changes"
        )
    if len(commands) > MAX_TOGETHER and not whole:
        raise InvalidArgument(
            f"{len(commands)} changes are too many for one request, which has"
            f" at most {MAX_TOGETHER}"
        )
    for op, _ in commands:
        check(op)
    if whole:
        return atomic.run(ctx, commands, attempt)
    rows = []
    for op, arguments in commands:
        rows.append(attempt(ctx, op, arguments))
        if "error" in rows[-1] and not force:
            break
    return rows


def check(op: str) -> None:
    """See that an operation is one that changes the configuration.

    Raises:
        ControlError, InvalidArgument: it is none.
    """
    if op not in OPS:
        raise ControlError(f'there is no operation "{op}"', code="unknown-operation")
    if not changes(op):
        raise InvalidArgument(f"{op} does not change the configuration, and must be asked alone")


def attempt(ctx: Context, op: str, arguments: Row) -> Row:
    """Make one change; return its rows as "rows", or why it was refused as "error"."""
    operation = OPS[op]
    try:
        rows = list(operation.handler(ctx, Args(op, arguments, operation.names)))  # type: ignore[arg-type]
    except SmolctlError as error:
        return {"error": error.to_dict()}
    except Exception as error:  # a bug: it must not take the others' answers with it
        return {"error": ctx.daemon.blame(op, error).to_dict()}
    return {"rows": rows}
