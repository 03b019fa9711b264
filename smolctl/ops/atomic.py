"""Many changes, all or none: tried on a copy of the stack first, then made.

The trial costs the daemon no time: it runs in a copy of the process. What it proved is then made in
slices, between which packets pass; no other change is made meanwhile. If one was made during the
trial, the trial is repeated, and this time others wait.

What happens by itself while the changes are made, such as an address that is given up because
another host has it, counts as what came after all of them: a change that this makes impossible is
one that would be lost by now, and is reported as such.
"""

import marshal
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.args import Args
from smolctl.ops.aside import Copied, Outside
from smolctl.ops.atomic_links import AskedLinks, PreparedLinks, TriedDevices
from smolctl.ops.changes import attempt, check
from smolctl.ops.context import Context, Row
from smolctl.ops.job import NS_PER_S, Job
from smolctl.stack.clone.stack_clone import clone_for_changes

SLICE_NS = 2_000_000
"""Time of the processor after which the other changes wait for the next turn of the loop."""
SLICE = 256
"""Most changes in one turn."""
SIGN_OF_LIFE_NS = NS_PER_S
"""Time between the signs of life to the client."""
_REFUSED = "refused"
Command = tuple[str, Row]


class Atomic(Job):
    """Changes of which all are made, or none.

    It answers with rows: ``{"at": number, "rows": [...]}`` for each change that has any,
    ``{"at": number, "error": {...}}`` for one that was refused, so that none was made, and
    ``{"at": number, "lost": {...}}`` for one that was lost again while the others were made.

    Args:
        ctx: of the request.
        args: "commands" has operations with their arguments.
    """

    def __init__(self, ctx: Context, args: Args) -> None:
        super().__init__()
        self._ctx = ctx
        self._args = args
        self._devices = TriedDevices(ctx.links)
        self._copy: Copied | None = None
        self._results: deque[bytes] = deque()
        self._seen = 0
        self._alone = False
        self._making: Context | None = None
        self._made = 0
        self._told_ns = ctx.now

    def start(self, now: int) -> None:
        """Begin the trial.

        Raises:
            ControlError: no copy can be made.
        """
        self._results.clear()
        self._seen = self._ctx.gate.changes
        self._ctx = replace(self._ctx, now=now)
        self._copy = self._ctx.daemon.copy(partial(trial, self._ctx, self._args), self)
        self.deadline = now + SIGN_OF_LIFE_NS

    # --- the trial, seen from here ----------------------------------------------------------------

    def took(self, result: bytes) -> None:
        """Keep some changes that were tried."""
        self._results.append(result)

    def asked(self, question: bytes) -> bytes:
        """Do to a device what the trial cannot do."""
        return self._devices.answer(question, self._ctx.daemon)

    def copy_ended(self, problem: SmolctlError | None, now: int) -> None:
        """Take the end of the trial."""
        self._copy = None
        try:
            self._conclude(problem, now)
        except Exception as error:  # a bug: it must not keep the gate closed
            self.fail(self._ctx.daemon.blame("making a batch", error), now)

    def _conclude(self, problem: SmolctlError | None, now: int) -> None:
        last = marshal.loads(self._results[-1]) if self._results else []
        if problem is not None:
            self.fail(problem, now)
        elif last and last[0] == _REFUSED:
            self._tell([{"at": last[1], "error": last[2]}], now)
            self.finish(now)
        elif self._alone:
            self._begin(now)
        else:
            self._ctx.gate.take(self, now, self._entered)

    def _entered(self, now: int) -> None:
        """Begin if the trial still counts; else try once more, while nobody changes anything."""
        self._alone = True
        if self._ctx.gate.changes == self._seen:
            self._begin(now)
            return
        self._devices.undo()
        try:
            self.start(now)
        except SmolctlError as error:
            self.fail(error, now)

    # --- the changes ------------------------------------------------------------------------------

    def _begin(self, now: int) -> None:
        self._making = replace(
            self._ctx, links=PreparedLinks(self._ctx.links, self._devices.take()), now=now
        )
        self.deadline = now

    def on_timer(self, now: int) -> None:
        """Make the next slice of the changes, or give a sign of life."""
        if self._making is not None:
            self._make(self._making, now)
        else:
            self._tell([], now)
        if self.deadline is not None and self.deadline <= now:
            self.deadline = now + (0 if self._making else SIGN_OF_LIFE_NS)

    def _make(self, ctx: Context, now: int) -> None:
        ctx.now = now
        rows: list[Row] = []
        for op, arguments in marshal.loads(self._results.popleft()) if self._results else ():
            row = attempt(ctx, op, arguments)
            if "error" in row:
                rows.append({"at": self._made, "lost": row["error"]})
            elif row["rows"]:
                rows.append({"at": self._made, "rows": row["rows"]})
            self._made += 1
        self._tell(rows, now)
        if not self._results:
            self.finish(now)

    def _tell(self, rows: list[Row], now: int) -> None:
        due = now - self._told_ns >= SIGN_OF_LIFE_NS and self.exchange.has_room
        if rows or due:
            self._told_ns = now
            self.exchange.rows(rows)

    def cancel(self, now: int) -> None:
        """End the trial; what has begun to be made is made."""
        if self._making is None:
            self.fail(
                ControlError("cancelled before anything was changed", code="interrupted"), now
            )

    def close(self, now: int) -> None:
        """Let the client go; what has begun to be made is made all the same."""
        if not (self._making and self._results):
            super().close(now)

    def release(self, now: int) -> None:
        """Leave no copy, no device that is not needed, and the gate open."""
        if self._copy is not None:
            self._copy.close()
        self._devices.undo()
        self._ctx.gate.leave(self, now)


def trial(ctx: Context, args: Args, outside: Outside) -> Iterator[bytes]:
    """Make changes on a copy of the stack; yield those that work, in slices.

    The time that they take here tells how long they will take. The last slice is a refusal, its
    number and its error, where there is one.

    Raises:
        InvalidArgument, ControlError: there is something that is no change.
    """
    commands = args.commands("commands")
    for op, _ in commands:
        check(op)
    links = AskedLinks(ctx.links, outside.ask)
    tried = Context(clone_for_changes(ctx.stack), links, ctx.daemon, ctx.now)
    slice_: list[Command] = []
    began = before = outside.spent_ns()
    for number, (op, arguments) in enumerate(commands):
        row = attempt(tried, op, arguments)
        if "error" in row:
            yield marshal.dumps((_REFUSED, number, row["error"]))
            return
        now = outside.spent_ns()
        if slice_ and (now - began > SLICE_NS or len(slice_) == SLICE):
            yield marshal.dumps(slice_)
            slice_, began = [], before
        slice_.append((op, arguments))
        before = now
    if slice_:
        yield marshal.dumps(slice_)
