"""Requests, jobs and time on one stack, without I/O.

The server drives it with sockets and a clock; a lab can drive it in virtual time. A request is
answered with rows at once, or starts a job that reports events until it ends.
"""

from collections.abc import Callable, Iterable
from typing import Any

from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.args import Args
from smolctl.ops.context import Context, DaemonInfo, Row
from smolctl.ops.gate import Gate
from smolctl.ops.job import Exchange, Job
from smolctl.ops.operations import OPS
from smolctl.stack.alarm import Alarm
from smolctl.stack.proof.prover import Prover
from smolctl.stack.stack import Stack
from smolctl.stack.timer_heap import TimerHeap
from smolctl.stack.transport.tcp.kill import reset_all


class Engine:
    """Answers requests on a stack and runs its jobs.

    Args:
        stack: the stack.
        links: see ``Context``.
        daemon: the process around it.

    Attributes:
        gate: that of the stack's changes.
    """

    def __init__(self, stack: Stack, links: Any, daemon: DaemonInfo) -> None:
        self.stack = stack
        self.gate = Gate()
        self._links = links
        self._daemon = daemon
        stack.shared.wall_time = daemon.wall_time
        stack.ledger.prove = Prover(stack)
        stack.eager = False  # programs answer in the turn in which they are asked
        self._jobs: dict[Job, None] = {}  # a set whose order is that of their beginning
        self._timers = TimerHeap(Alarm())
        self._request_ns = -1
        self._held_back = False

    def prepare(self, op: str) -> bool:
        """Import what an operation needs; return whether that took time, so that ``now`` is old."""
        operation = OPS.get(op)
        if operation is None or operation.ready:
            return False
        return operation.handler is not None

    def must_wait(self, op: str) -> bool:
        """Tell whether ``request`` may not be called yet, since others' changes are being made."""
        return self.gate.must_wait(op)

    def request(
        self, op: str, args: dict[str, Any], exchange: Exchange, now: int
    ) -> Iterable[Row] | Job:
        """Begin ``op``: return its rows, or a job that reports through ``exchange``.

        Raises:
            SmolctlError: the request is refused, and nothing has changed.
        """
        operation = OPS.get(op)
        if operation is None:
            raise ControlError(f'there is no operation "{op}"', code="unknown-operation")
        parsed = Args(op, args, operation.names)
        self.stack.events.now_ns = now
        self.gate.passed(op)
        context = Context(self.stack, self._links, self._daemon, now, self.gate)
        answer = operation.handler(context, parsed)
        if not isinstance(answer, Job):
            return answer
        self._request_ns = now
        self.begin(answer, exchange, now)
        return answer

    def begin(self, job: Job, exchange: Exchange, now: int) -> None:
        """Begin a job.

        Raises:
            SmolctlError: it cannot begin, and is closed.
        """
        job.exchange, job.on_end, job.timers = exchange, self._jobs.pop, self._timers
        self._jobs[job] = None
        try:
            job.start(now)
        except BaseException:
            job.close(now)
            raise

    def turn(self, now: int, *, due: bool = True) -> None:
        """Let the stack do what is due, and the jobs what follows from it.

        What a request or a job sends to this stack itself is taken up in the next turn, with a new
        time: a round trip over the loopback takes the time it really takes.

        Args:
            due: False when ``deadline`` lies ahead: only what came in is looked at.
        """
        stack = self.stack
        stack.events.now_ns = now
        # Not twice in a row: in virtual time the next turn may come at the same instant.
        self._held_back = now == self._request_ns and not self._held_back
        if (due or stack.loopback.queue) and not self._held_back:
            stack.poll(now)
        if stack.ready.waiters:
            for waiter in stack.ready.take():
                if waiter.handler is not None and not waiter.closed:
                    self._call(waiter.handler, now)
        if due:
            for job in self._take_due(now):
                if not job.ended:
                    self._call(job.on_timer, now)
                    self._timers.set(job)  # it goes off again, unless the job has said otherwise
        stack.flush(now)

    def _take_due(self, now: int) -> list[Job]:
        """Return the jobs that are due now: what one of them makes due is so in the next turn."""
        dues = []
        while (job := self._timers.take(now)) is not None:
            assert isinstance(job, Job)
            dues.append(job)
        return dues

    def _call(self, method: Callable[[int], None], now: int) -> None:
        """Call a method of a job; an error ends that job and no other."""
        try:
            method(now)
        except Exception as error:
            job = getattr(method, "__self__", None)
            problem = error if isinstance(error, SmolctlError) else None
            problem = problem or self._daemon.blame(f"running {type(job).__name__}", error)
            if isinstance(job, Job):
                job.fail(problem, now)

    @property
    def busy(self) -> bool:
        """Whether what came in has woken somebody or leads to something else in this turn."""
        return self.stack.busy

    def deadline(self) -> int | None:
        """Return when ``turn`` has something to do though nothing comes in, or None."""
        if self.stack.has_ready:
            return 0
        due, job = self.stack.deadline(), self._timers.deadline()
        return due if job is None or (due is not None and due < job) else job

    def close(self, now: int) -> None:
        """End all jobs, and reset all connections: nobody serves them any more."""
        for job in list(self._jobs):
            job.close(now)
        reset_all(self.stack.tcp, now)
