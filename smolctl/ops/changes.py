"""Single changes among many: whether an operation is one, and what became of it."""

from smolctl.control.changes import changes
from smolctl.errors import ControlError, InvalidArgument, SmolctlError
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.operations import OPS


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
