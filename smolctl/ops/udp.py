"""``smolctl udp``: send, receive and echo datagrams, and say truly what became of them."""

from binascii import b2a_base64
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from smolctl.errors import (
    InvalidArgument,
    MessageTooLong,
    NoBuffers,
    SendRejected,
    SmolctlError,
)
from smolctl.ops import option_words
from smolctl.ops.args import Args
from smolctl.ops.context import Context
from smolctl.ops.job import Job
from smolctl.ops.udp_send import SendJob, SendPlan, error_fields
from smolctl.stack.fastpath.udp import Destination, udp_send_many
from smolctl.stack.ip import membership
from smolctl.stack.ip.groups import ANYBODY, SourceFilter
from smolctl.stack.transport.send_queue import OutgoingDatagram
from smolctl.stack.transport.udp.socket import RawDatagram, UdpSocket
from smolctl.wire import ipv4_options, udp
from smolctl.wire.address import (
    IPV4,
    IPV6,
    family_of,
    format_address,
    is_multicast,
    is_scoped,
)

RETRY_NS = 5_000_000
"""Time until a client that fell behind is looked at again."""
TELL_NS = 5_000_000
"""Time for which ``udp echo`` collects what it has to tell, once it has told something."""
LINGER_S = 0.1
"""Time that ``udp send`` listens for an ICMP error unless told otherwise."""
MAX_RATE = 1_000_000
"""Most datagrams a second that can be asked for."""
REPLY_S = 1.0
"""Time that it gives an answer that it expects."""


def send(ctx: Context, args: Args) -> Job:
    """Send datagrams."""
    dst, dev = _destination(args), args.device("dst", "src")
    family = family_of(dst)
    port = args.port("port")
    if port is None:
        raise InvalidArgument("the port is missing", hint="smolctl udp send ADDRESS:PORT DATA")
    size = args.integer("size", 0, 1_000_000_000)
    data = args.payload("data")
    payload, limit = data if data is not None else b"", _MAX_PAYLOAD[family]
    if size is not None:
        if size > limit:
            raise _too_long(size, limit)
        # Like ping's pattern: what is given, repeated, or counting bytes.
        pattern = payload or bytes(range(256))
        payload = (pattern * (size // len(pattern) + 1))[:size]
    if len(payload) > limit:
        raise _too_long(len(payload), limit)
    expect = args.flag("expect_reply")
    count = args.integer("count", 1, 1_000_000_000) or 1
    plan = SendPlan(
        payload,
        dst,
        port,
        count,
        _interval(args),
        args.seconds("wait", REPLY_S if expect else LINGER_S) or 0,
        expect,
        args.flag("quiet"),
    )
    words = args.text("options")
    if words is not None and family is IPV6:
        raise InvalidArgument("IP options are for IPv4")
    options = b"" if words is None else option_words.parse(words)
    socket = ctx.stack.udp.open("udp send", family)
    # To a group, 0 is for the members on this stack alone (RFC 1112 6.1).
    socket.ttl = socket.multicast_ttl = args.integer("ttl", int(not is_multicast(dst)), 255)
    socket.tos, socket.mark = args.tos("tos") or 0, args.mark() or 0
    socket.options = options
    socket.broadcast, socket.pmtudisc = args.flag("broadcast"), args.pmtudisc(socket.pmtudisc)
    src, sport = args.zoned("src"), args.port("sport") or 0
    if src is not None and family_of(src) is not family:
        shown = f"{format_address(src)} and {format_address(dst)}"
        raise InvalidArgument(f"{shown} are of two families")
    ctx.stack.udp.bind(socket, src, sport, dev)
    return SendJob(ctx.stack, socket, plan)


def _interval(args: Args) -> int:
    """Return the time between two datagrams, ns."""
    rate = args.integer("rate", 1, MAX_RATE)
    if rate is None:
        return args.seconds("interval", 1.0) or 0
    if "interval" in args:
        raise InvalidArgument("give either a rate or an interval, not both")
    return round(1e9 / rate)


def _destination(args: Args) -> int:
    args.required("dst")
    dst = args.zoned("dst")
    assert dst is not None
    return dst


_MAX_PAYLOAD = {IPV4: udp.MAX_PAYLOAD, IPV6: udp.MAX_PAYLOAD6}


def _too_long(size: int, limit: int) -> MessageTooLong:
    return MessageTooLong(
        f"{size} bytes do not fit into a datagram, whose payload has at most {limit}",
        hint=f"--size {limit}",
    )


# --- recv and echo --------------------------------------------------------------------------------


def _bound(ctx: Context, args: Args, owner: str) -> UdpSocket:
    """Return a socket that is bound; without address and family it hears both families."""
    args.required("port")
    port, address, dev = args.port("port") or 0, args.zoned("addr"), args.device("addr")
    six_alone = args.family is IPV6 and address is None
    socket = ctx.stack.udp.open(owner, args.infer("addr", default=IPV6) or IPV6)
    socket.reuse, socket.v6only = args.flag("reuse"), six_alone
    socket.mark = args.mark() or 0
    ctx.stack.udp.bind(socket, address, port, dev)
    return socket


def recv(ctx: Context, args: Args) -> Job:
    """Receive datagrams."""
    count, wait = args.integer("count", 1, 1_000_000_000), args.seconds("wait")
    joining = "group" in args
    if "source" in args and not joining:
        raise InvalidArgument(
            "a source is a sender to a group: name the group", hint="--group GROUP"
        )
    socket = _joined(ctx, args) if joining else _bound(ctx, args, "udp recv")
    return RecvJob(ctx, socket, count, wait)


def _joined(ctx: Context, args: Args) -> UdpSocket:
    """Return a socket that has joined a group, and hears nothing else unless an address is given.

    Others may have the port, too: whoever joins a group wants no less than all of them.
    """
    stack, group, dev = ctx.stack, args.zoned("group"), args.device("group", "addr")
    assert group is not None
    net = stack.networks.for_address(group)
    interface = membership.interface_for(net, group, dev)
    wanted = (
        SourceFilter(False, frozenset(args.addresses("source"))) if "source" in args else ANYBODY
    )
    args.required("port")
    socket = stack.udp.open("udp recv", net.family)
    socket.reuse, socket.multicast_all = True, False
    socket.mark = args.mark() or 0
    local = args.zoned("addr")
    if net.needs_dev(group) and local is None:
        dev = interface.name
    stack.udp.bind(socket, group if local is None else local, args.port("port") or 0, dev)
    try:
        membership.join(net, socket, interface, group, wanted)
    except SmolctlError:
        stack.udp.close(socket)
        raise
    return socket


def echo(ctx: Context, args: Args) -> Job:
    """Send every datagram back to where it came from."""
    count, wait = args.integer("count", 1, 1_000_000_000), args.seconds("wait")
    quiet = args.flag("quiet")
    return EchoJob(ctx, _bound(ctx, args, "udp echo"), count, wait, quiet=quiet)


class RecvJob(Job):
    """Reports each datagram; ends after ``count`` of them or ``wait_ns``."""

    def __init__(
        self, ctx: Context, socket: UdpSocket, count: int | None, wait_ns: int | None
    ) -> None:
        super().__init__()
        self._stack = ctx.stack
        self._wall = ctx.daemon.wall_time
        self._socket = socket
        self._count = count
        self._wait_ns = wait_ns
        self._end_ns: int | None = None
        self._received = 0

    def start(self, now: int) -> None:
        """Say where it listens."""
        socket = self._socket
        dev = next((dev for _, dev in socket.groups), socket.dev)
        self.emit(
            "bound",
            addr=format_address(socket.shown_local),
            port=socket.port,
            dev=dev,
            v6only=socket.v6only or None,
        )
        if self._wait_ns is not None:
            self._end_ns = self.deadline = now + self._wait_ns
        socket.handler = self._take_up

    def on_timer(self, now: int) -> None:
        """End when the time is up; else go on with what the client had no room for."""
        if self._end_ns is not None and now >= self._end_ns:
            self.finish(now)
        else:
            self._take_up(now)

    def _take_up(self, now: int) -> None:
        """Report what the client has room for.

        What it has none for stays in the socket's queue; when that is full, datagrams are dropped
        and counted, as with any slow reader.
        """
        while (
            not self._complete()
            and self.exchange.has_room
            and (datagram := self._socket.receive()) is not None
        ):
            self._received += 1
            self.emit(
                "datagram",
                src=format_address(datagram.src),
                sport=datagram.sport,
                dst=format_address(datagram.dst),
                dport=datagram.dport,
                dev=datagram.dev,
                tos=datagram.tos or None,
                options=ipv4_options.text(datagram.options, format_address) or None,
                data=b2a_base64(datagram.payload, newline=False).decode(),
                time=round(self._wall(datagram.at_ns), 6),
            )
        if self._complete():
            self.finish(now)
            return
        self.deadline = self._end_ns
        if self._socket.queue:
            again = now + RETRY_NS
            self.deadline = again if self._end_ns is None else min(again, self._end_ns)

    def _complete(self) -> bool:
        return self._count is not None and self._received >= self._count

    def result(self, now: int) -> dict[str, Any]:
        """Return how many came, and how many were lost because the queue was full."""
        good = self._complete() if self._count is not None else self._received > 0
        return {"received": self._received, "drops": self._socket.drops, "ok": good}

    def release(self, now: int) -> None:
        """Close the socket."""
        self._stack.udp.close(self._socket)


class _Sender(NamedTuple):
    """The sender of datagrams that go back: address and port, what it sent to, and its link."""

    src: int
    sport: int
    dst: int
    dev: str | None


class _Echoes(NamedTuple):
    """The datagrams of some bytes that went back to a sender: address and port, and its link."""

    src: int
    sport: int
    dev: str | None
    size: int


def _times(number: int) -> int | None:
    """Return how many alike an event stands for; None for itself alone."""
    return number if number > 1 else None


_ANSWERING_PORTS = frozenset({7, 13, 17, 19, 37})
"""echo, daytime, quote of the day, chargen, time (RFC 862, 867, 865, 864, 868): they answer all."""


class EchoJob(RecvJob):
    """Answers each datagram from the address it was sent to (RFC 862).

    But for one that comes from a port like its own, or of a service that answers everything: with
    one invented datagram the two would answer each other for ever (CERT CA-1996-01). inetd does not
    answer those either.
    """

    def __init__(
        self,
        ctx: Context,
        socket: UdpSocket,
        count: int | None,
        wait_ns: int | None,
        *,
        quiet: bool,
    ) -> None:
        super().__init__(ctx, socket, count, wait_ns)
        self._quiet = quiet
        self._echoed = 0
        self._untold: list[tuple[_Echoes, int]] = []
        self._tell_ns = 0  # not before that
        self._judged = -1, -1  # destination and configuration for which the next is true
        self._own: int | None = None

    def _take_up(self, now: int) -> None:
        """Send all back, those that follow each other on the same way together."""
        socket = self._socket
        socket.errors.clear()
        datagrams = socket.receive_all()
        if self._count is not None:
            del datagrams[self._count - self._received :]
        self._received += len(datagrams)
        if len(datagrams) == 1:
            only = datagrams[0]
            self._send_back([only[0]], _Sender(*only[1:4], self._link(only)), now)
        elif datagrams:
            self._send_all_back(datagrams, now)
        if self._count is not None and self._complete():
            self.finish(now)
            return
        if self._untold and now >= self._tell_ns:
            self._tell(now)
        due = self._end_ns
        if self._untold and (due is None or self._tell_ns < due):
            due = self._tell_ns
        if due != self.deadline:
            self.deadline = due

    def close(self, now: int) -> None:
        """Tell what went back, and release everything."""
        self._tell(now)
        super().close(now)

    def _note(self, payloads: list[bytes], sender: "_Sender") -> None:
        """Remember what went back, until it is told."""
        untold, (src, sport, _, dev) = self._untold, sender
        for size, alike in groupby(map(len, payloads)):
            echoes, number = _Echoes(src, sport, dev, size), len(list(alike))
            if untold and untold[-1][0] == echoes:
                number += untold.pop()[1]
            untold.append((echoes, number))

    def _tell(self, now: int) -> None:
        """Report what went back since it was last done: what follows each other alike, at once."""
        untold, self._untold, self._tell_ns = self._untold, [], now + TELL_NS
        for (src, sport, dev, size), number in untold:
            self.emit(
                "echoed", src=format_address(src), sport=sport, dev=dev, bytes=size,
                times=_times(number),
            )  # fmt: skip

    def _send_all_back(self, datagrams: list[RawDatagram], now: int) -> None:
        first = datagrams[0]
        _, src, sport, dst, *_ = first
        payloads = [d[0] for d in datagrams if d[1] == src and d[2] == sport and d[3] == dst]
        if len(payloads) == len(datagrams) and self._link(first) is None:
            self._send_back(payloads, _Sender(src, sport, dst, None), now)
            return
        for (src, sport, dst, dev), group in groupby(datagrams, itemgetter(1, 2, 3, 5)):
            link = dev if is_scoped(src) else None
            sender = _Sender(src, sport, dst, link)
            self._send_back([datagram[0] for datagram in group], sender, now)

    @staticmethod
    def _link(datagram: RawDatagram) -> str | None:
        """Return the link of a datagram whose sender is known there alone."""
        return datagram[5] if is_scoped(datagram[1]) else None

    def _ignore(self, payloads: list[bytes], sender: "_Sender", now: int) -> None:
        if not self._quiet:
            self._tell(now)
            peer, times = format_address(sender.src), _times(len(payloads))
            self.emit("ignored", src=peer, sport=sender.sport, dev=sender.dev, times=times)

    def _send_back(self, payloads: list[bytes], sender: "_Sender", now: int) -> None:
        stack, socket, (src, sport, dst, dev) = self._stack, self._socket, sender
        if sport == socket.port or sport in _ANSWERING_PORTS:
            self._ignore(payloads, sender, now)
            return
        if self._judged != (dst, stack.generation.number):
            self._judged = dst, stack.generation.number
            # A broadcast is answered from an address of our own (RFC 1122 4.1.3.5).
            net = stack.networks.for_address(dst)
            self._own = None if is_multicast(dst) or net.is_broadcast(dst) else dst
        own, number = self._own, 0
        if dev is None:
            to, generation = Destination(src, sport, own), stack.generation.number
            number = udp_send_many(generation, socket, payloads, to, now)
        if self._quiet and number == len(payloads):
            self._echoed += number
            return
        sent = payloads[:number]
        for payload in payloads[number:]:
            try:
                item = OutgoingDatagram(payload, src, sport, own, dev=dev)
                stack.udp.send_from(socket, item, now)
            except (SendRejected, NoBuffers) as error:
                if not self._quiet:
                    self._note(sent, sender)
                    self._echoed += len(sent)
                    sent = []
                    self._tell(now)
                    self.emit("failed", dst=format_address(src), dev=dev, **error_fields(error))
            else:
                sent.append(payload)
        self._echoed += len(sent)
        if not self._quiet:
            self._note(sent, sender)

    def result(self, now: int) -> dict[str, Any]:
        """Return how many came and how many went back."""
        return {**super().result(now), "echoed": self._echoed}
