"""One client's connection: requests in, replies out, and never more memory than its share.

Limits keep a client that does not read from costing anybody else anything. Answers are pulled from
their iterators, events from their feeds, and requests are taken up, only while less than
``HIGH_WATER`` bytes wait to be written. Events that no feed holds back wait here, ``EVENT_LIMIT``
bytes at most; beyond that the oldest are discarded, and the next one says how many.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from smolctl import __version__
from smolctl.control import messages
from smolctl.control.codec import MAX_REQUEST, Decoder
from smolctl.control.messages import Cancel, Part, Request, Status
from smolctl.daemon.copies import Copies, Copy
from smolctl.daemon.doors import Doors
from smolctl.daemon.exchange import HIGH_WATER, Exchange, Running, Service
from smolctl.daemon.resources import Resources
from smolctl.descriptors import receive_descriptors
from smolctl.errors import ControlError, SmolctlError
from smolctl.ops.aside import Aside
from smolctl.ops.feed import Feed, Feeds
from smolctl.ops.job import Channel, ChannelUser

EVENT_LIMIT = 1 << 20
MAX_RUNNING = 64
"""Most streaming requests of one client at a time."""
MAX_A_TURN = 32
"""Most requests of one client in one turn of the loop; a flood must not hold up the frames."""
MAX_PARTS = 1 << 28
"""Most characters that may wait for the request that they are parts of."""
MAX_PASSING = 8
"""Most descriptors that wait for a client to read."""
_PASSED_MAX = 2
"""Most descriptors that a client passes with a request."""
CHUNK_ROWS = 50
"""Rows in one frame of an answer; the loop does nothing else while it makes one."""
HELLO_PATIENCE_NS = 10_000_000_000
"""Time that a client may take to say hello, and to take the error that ends its connection."""
SIGN_OF_LIFE_NS = 1_000_000_000
"""Time between the signs of life to a client that waits for a long answer."""
GUEST_NS = 10_000_000_000
"""Time that a client may stay that was let in although all places were taken."""
_RECEIVE_SIZE = 1 << 16


class Means(NamedTuple):
    """The means that the connections of one daemon share.

    Attributes:
        doors: makes the sockets of programs.
        copies: makes the answers that take long.
    """

    doors: Doors
    copies: Copies


class Connection:
    """One client. Its owner calls it when its socket is ready, and ``flush`` at the end of a turn.

    Args:
        connection: connected; made non-blocking here.
        service: who answers.
        resources: for errors, and for clients that misbehave.
        stack: name of the stack, for the hello.
        dirty: the connection puts itself here when ``flush`` has something to do.
        on_close: called once, just before the socket is closed.
        now: monotonic time, nanoseconds.
        means: None where all is answered at once, and programs get no sockets.
        pid: the client's process.
        guest: whether it has a place of the reserve: it may stay for ``GUEST_NS``, and open no
            sockets.
    """

    def __init__(
        self,
        connection: socket.socket,
        service: Service,
        resources: Resources,
        stack: str,
        dirty: "set[Connection]",
        on_close: "Callable[[Connection], None]",
        now: int,
        means: Means | None = None,
        *,
        pid: int = 0,
        guest: bool = False,
    ) -> None:
        connection.setblocking(False)
        self.pid, self.guest = pid, guest
        self._leave_ns = now + GUEST_NS if guest else None
        self.socket = connection
        self.closed = False
        self.deadline_ns: int | None = now + HELLO_PATIENCE_NS
        """Time at which to close it unless it moves on; None while all is well."""
        self._service = service
        self._resources = resources
        self._stack = stack
        self._dirty = dirty
        self._on_close = on_close
        self._means = means
        # Descriptors that go with the next bytes; closed here once they are on their way.
        self._passing: list[socket.socket] = []
        # Descriptors that the client passed for a request that takes some.
        self._passed: list[int] = []
        self._decoder = Decoder(MAX_REQUEST)
        self._greeted = False
        self._finishing = False
        self._running: dict[int, Exchange] = {}
        self._rows: tuple[Exchange, Iterator[dict[str, Any]]] | None = None
        self._copy: tuple[Exchange, Copy] | None = None
        self._held: Request | None = None
        self._blocked = False
        self._parts: list[Part] = []
        self._parts_size = 0
        self._more = False
        self._out = bytearray()
        # (exchange, body) is an event, (None, frame) must not be lost.
        self._waiting: deque[tuple[Exchange | None, bytes]] = deque()
        self._waiting_bytes = 0
        self._feeds = Feeds(partial(dirty.add, self))

    @property
    def wants_read(self) -> bool:
        """Whether more of what the client sends can be taken up."""
        return not (self._finishing or self._more or self._held or self._rows or self._copy)

    @property
    def wants_write(self) -> bool:
        """Whether there is work to do as soon as the client takes bytes."""
        # Nothing more is taken up before a copy or others have done their work.
        next_one = (self._more or self._held) and not (self._copy or self._blocked)
        return bool(self._out or self._waiting or next_one or self._rows or self._feeds)

    @property
    def has_room(self) -> bool:
        """Whether an event would be sent at once, not wait and perhaps be lost."""
        return not self._waiting and len(self._out) < HIGH_WATER

    def readable(self, now: int) -> None:
        """Take up what the client sent."""
        if self.closed or self._finishing:
            return
        try:
            data = self._read()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._decoder.feed(data)
            self.proceed(now)
        else:
            # Whoever hangs up wants nothing any more, except what can be written at once.
            self.flush(now)
            self.close(now)

    def _read(self) -> bytes:
        """Read what the client sent, and keep what descriptors it passed with it (unix(7))."""
        data, passed = receive_descriptors(self.socket, _RECEIVE_SIZE, _PASSED_MAX)
        if passed:
            self._drop_passed()
            self._passed = passed
        return data

    def take_descriptors(self) -> list[int]:
        """Return the descriptors that the client passed, which are the caller's now."""
        passed, self._passed = self._passed, []
        return passed

    def _drop_passed(self) -> None:
        for number in self.take_descriptors():
            os.close(number)

    def proceed(self, now: int) -> None:
        """Take up requests in their order, as long as the client keeps up with the answers."""
        if self.closed:
            return
        self._dirty.add(self)
        self._more = False
        try:
            if (
                self._held is not None
                and not self._blocked
                and self._rows is None
                and self._copy is None
                and len(self._out) < HIGH_WATER
            ):
                request, self._held = self._held, None
                self._begin(request, now)
            for _ in range(MAX_A_TURN):
                if not self.wants_read:
                    break
                message = self._decoder.next()
                if message is None:
                    return
                self._take(message, now)
            # What the decoder holds already will not make the socket readable again.
            self._more = not self._finishing
        except ControlError as error:
            self._resources.log.warning(f"a client was cut off: {error.message}")
            self.refuse(error, now)

    def flush(self, now: int) -> None:
        """Write what the client takes now; the rest waits for the socket to be writable."""
        if self.closed:
            return
        while self._waiting and len(self._out) < HIGH_WATER:
            self._out += self._next_waiting()
        self._pull()
        self._take_over(now)
        while (
            not self._waiting
            and len(self._out) < HIGH_WATER
            and (frame := self._feeds.next(now)) is not None
        ):
            self._out += frame
        if self._out:
            try:
                del self._out[: self._write()]
            except BlockingIOError:
                pass
            except OSError:
                self.close(now)
                return
        if self._copy is not None:
            self._copy[1].watch(len(self._out) < HIGH_WATER)
        if self._finishing and not self._out:
            self.close(now)

    def _write(self) -> int:
        """Write what the client takes, and pass with it what is to be passed (unix(7))."""
        if not self._passing:
            return self.socket.send(self._out)
        sent = socket.send_fds(self.socket, [self._out], [end.fileno() for end in self._passing])
        self._drop_passing()
        return sent

    def _drop_passing(self) -> None:
        for end in self._passing:
            end.close()
        self._passing.clear()

    def expire(self, now: int) -> None:
        """Close it when its deadline has come, or give the sign of life that is due.

        A guest is told why it has to go.
        """
        if self._leave_ns is not None and now >= self._leave_ns:
            self._dismiss(now)
        if self.deadline_ns is None or now < self.deadline_ns:
            return
        if self._copy is not None:
            waiting = self._copy[0].number
        elif self._blocked and self._held is not None:
            waiting = self._held.id
        else:
            self.close(now)
            return
        self.deadline_ns = now + SIGN_OF_LIFE_NS
        if not self._out:
            self._out += messages.rows(waiting, [])
            self._dirty.add(self)

    def resume(self) -> None:
        """Go on with a request that had to wait for changes of others."""
        if self._blocked:
            self._blocked = False
            self.deadline_ns = self._leave_ns
            self._dirty.add(self)

    def _dismiss(self, now: int) -> None:
        self._leave_ns = None
        who, end = self._resources.greediest()
        seconds = GUEST_NS // 1_000_000_000
        problem = ControlError(
            f"all places are taken, and this one was lent for {seconds} s{who}",
            hint=end,
            code="too-many-clients",
        )
        self.refuse(problem, now)

    def refuse(self, problem: SmolctlError, now: int) -> None:
        """Tell the client why, then close the connection."""
        self._end_all(now)
        self._waiting.clear()
        self._feeds.clear()
        self._rows = self._held = None
        self._blocked = False
        self._drop_copy()
        self._more = False
        self._out += messages.error(None, problem)
        self._finishing = True
        self.deadline_ns = now + HELLO_PATIENCE_NS
        self._dirty.add(self)

    def close(self, now: int) -> None:
        """Close it and all that runs on it; again does nothing."""
        if not self.closed:
            self.closed = True
            self._end_all(now)
            self._rows = None
            self._drop_copy()
            self._waiting.clear()
            self._feeds.clear()
            self._drop_passing()
            self._drop_passed()
            self._on_close(self)
            self.socket.close()

    def _take(self, message: dict[str, Any], now: int) -> None:
        if not self._greeted:
            messages.parse_hello(message)
            self._greeted = True
            self.deadline_ns = self._leave_ns
            self._out += messages.welcome(version=__version__, stack=self._stack, pid=os.getpid())
            return
        command = messages.parse_command(message)
        if isinstance(command, Cancel):
            self._running_job(command.id, lambda job: job.cancel(now))
            return
        if isinstance(command, Status):
            self._running_job(command.id, lambda job: job.status(now))
            return
        if isinstance(command, Part):
            self._parts.append(command)
            self._parts_size += len(command.text)
            if self._parts_size > MAX_PARTS:
                raise ControlError(
                    f"a request of more than {MAX_PARTS} characters", code="message-too-large"
                )
            return
        if self._parts:
            command = self._put_together(command)
        if len(self._out) < HIGH_WATER:
            self._begin(command, now)
        else:
            self._held = command

    def _put_together(self, request: Request) -> Request:
        """Return a request with the arguments whose parts came before it, as text."""
        texts: dict[str, list[str]] = {}
        for part in self._parts:
            if part.id == request.id:
                texts.setdefault(part.name, []).append(part.text)
        self._parts, self._parts_size = [], 0
        return request._replace(
            args={**request.args, **{name: "".join(text) for name, text in texts.items()}}
        )

    def _begin(self, request: Request, now: int) -> None:
        if self._service.must_wait(request.op):
            self._held, self._blocked = request, True
            self.deadline_ns = now + SIGN_OF_LIFE_NS
            return
        if self._service.prepare(request.op):
            self._held = request  # for the next turn
            return
        if request.id in self._running:
            raise ControlError(f"request {request.id} is still running")
        exchange = Exchange(self, request)
        try:
            if len(self._running) >= MAX_RUNNING:
                raise ControlError(
                    f"{MAX_RUNNING} requests already run on this connection",
                    hint="wait for one to end, or cancel one",
                    code="too-many-requests",
                )
            self._resources.admit(request.op)
            # Before the request: a job may end while it begins.
            self._running[request.id] = exchange
            answer = self._service.request(request.op, request.args, exchange, now)
            if isinstance(answer, Aside) and self._means is not None:
                wake = self._copy_has_more
                self._copy = exchange, self._means.copies.begin(request.id, answer, wake)
                self.deadline_ns = now + SIGN_OF_LIFE_NS
                return
        except SmolctlError as error:
            exchange.fail(error)
        except Exception as error:
            self._fail_internally(exchange, error)
        else:
            if isinstance(answer, Iterable):
                self._rows = exchange, iter(answer)
                self._pull()
            elif exchange.ended:
                answer.close(now)
            else:
                exchange.job = answer

    def _pull(self) -> None:
        """Send the next rows if the client keeps up: few, or a cheap answer would hold the loop."""
        if self._rows is not None and len(self._out) < HIGH_WATER:
            exchange, rows = self._rows
            try:
                chunk = list(islice(rows, CHUNK_ROWS))
                if len(chunk) == CHUNK_ROWS:
                    self._out += messages.rows(exchange.number, chunk)
                    return
                self.end(exchange, messages.last_rows(exchange.number, chunk))
            except SmolctlError as error:
                exchange.fail(error)
            except Exception as error:
                self._fail_internally(exchange, error)
            self._rows = None

    def _copy_has_more(self, _now: int) -> None:
        self._dirty.add(self)

    def _take_over(self, now: int) -> None:
        """Send what a copy has answered, while the client keeps up."""
        while self._copy is not None and len(self._out) < HIGH_WATER:
            exchange, copy = self._copy
            try:
                taken = copy.take()
            except ControlError as error:
                exchange.fail(error)
                self._drop_copy()
                return
            self._out += taken
            if copy.ended:
                self.end(exchange, b"")
                self._drop_copy()
            elif not taken:
                return
            else:
                self.deadline_ns = now + SIGN_OF_LIFE_NS

    def _drop_copy(self) -> None:
        if self._copy is not None:
            self._copy[1].close()
            self._copy = None
            self.deadline_ns = self._leave_ns

    def _running_job(self, number: int, tell: Callable[[Running], None]) -> None:
        exchange = self._running.get(number)
        # An unknown id is no error: the request may have ended while the word was on its way.
        if exchange is not None and exchange.job is not None:
            try:
                tell(exchange.job)
            except Exception as error:
                self._fail_internally(exchange, error)

    def send_event(self, exchange: Exchange, event: dict[str, Any]) -> None:
        """Send an event, or let it wait, or let an older one go for it."""
        if self.closed or exchange.ended:
            return
        self._dirty.add(self)
        body = messages.encode_json(event)
        if self.has_room:
            self._out += messages.event(exchange.number, body, exchange.lost)
            exchange.lost = 0
            return
        self._waiting.append((exchange, body))
        self._waiting_bytes += len(body)
        while self._waiting_bytes > EVENT_LIMIT:
            oldest = self._waiting[0][0]
            if oldest is None:
                # The end of a request: everything before it has gone, so it may go ahead.
                self._out += self._next_waiting()
            else:
                self._waiting_bytes -= len(self._waiting.popleft()[1])
                oldest.lost += 1

    def send_rows(self, exchange: Exchange, rows: list[dict[str, Any]]) -> None:
        """Send rows, however long the client does not read."""
        if not self.closed and not exchange.ended:
            self._dirty.add(self)
            self._out += messages.rows(exchange.number, rows)

    def _next_waiting(self) -> bytes:
        exchange, body = self._waiting.popleft()
        self._waiting_bytes -= len(body)
        if exchange is None:
            return body
        frame = messages.event(exchange.number, body, exchange.lost)
        exchange.lost = 0
        return frame

    def attach(self, exchange: Exchange, feed: Feed) -> None:
        """Send what is put into a feed, as fast as the client reads."""

        def broken(error: Exception, now: int) -> None:
            self._fail_internally(exchange, error)
            if exchange.job is not None:
                exchange.job.close(now)

        self._feeds.open(exchange.number, feed, broken)
        exchange.feed = feed

    def open_channel(self, user: ChannelUser) -> Channel:
        """Make a channel, whose other end goes to the client with what is sent next."""
        if self._means is None or len(self._passing) >= MAX_PASSING:
            raise ControlError(
                "no socket can be passed on this connection", code="too-many-sockets"
            )
        if self.guest:
            self._resources.require()
            who, end = self._resources.greediest()
            raise ControlError(
                f"all places for programs are taken{who}", hint=end, code="too-many-sockets"
            )
        door, outside = self._means.doors.open(user, self.pid)
        self._passing.append(outside)
        return door

    def end(self, exchange: Exchange, frame: bytes) -> None:
        """Send the last frame of an exchange, behind all that it has to say before."""
        if exchange.ended:
            return
        exchange.ended = True
        self._running.pop(exchange.number, None)
        self._dirty.add(self)
        if exchange.feed is not None:
            self._feeds.end(exchange.feed, frame)
        elif self._waiting:
            self._waiting.append((None, frame))
            self._waiting_bytes += len(frame)
        else:
            self._out += frame

    def _end_all(self, now: int) -> None:
        running, self._running = self._running, {}
        for exchange in running.values():
            exchange.ended = True
            if exchange.job is not None:
                try:
                    exchange.job.close(now)
                except Exception as error:
                    self._resources.blame(f"closing {exchange.op}", error)

    def _fail_internally(self, exchange: Exchange, error: Exception) -> None:
        exchange.fail(self._resources.blame(exchange.op, error))
