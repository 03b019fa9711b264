"""Connections that open and close one after another: those of the fast path are the layered ones.

A host that has opened a connection opens more, several at a time, some of whose segments are lost;
the programs are slow to accept, and either end closes first. What is on the wire, what is counted,
and what each connection knows in the end are the same.
"""

from dataclasses import fields
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolctl.errors import StackError
from smolctl.stack.trace.recorder import Recorder
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.stack.transport.tcp.socket import TcpSocket, TcpStats
from smolctl.stack.transport.tcp.states import State
from smolctl.wire import ipv4
from smolctl.wire.offload import virtio
from tests.kit.clock import MILLISECOND_NS, SECOND_NS
from tests.kit.tcp import Pair
from tests.property.test_tcp import nothing, seen

_MS = MILLISECOND_NS


class Dialog(NamedTuple):
    """One connection: the client says something, hears the same, and somebody closes first.

    Attributes:
        after_ms: time from the beginning of the one before.
        size: bytes of the question.
        closes: "client", "server", "both", "half" for a client that reads on, "abort" for a reset.
    """

    after_ms: int
    size: int
    closes: str


class World(NamedTuple):
    """The circumstances of all dialogs.

    Attributes:
        sysctls: of the client. own: of the server.
        backlog: of the server. accept_ms: how long it takes to accept.
        lost: which frames of those that follow the first dialog are lost.
        offload: frames come as from a TAP, which leaves checksums to who needs them.
    """

    sysctls: dict[str, int]
    own: dict[str, int]
    backlog: int
    accept_ms: int
    lost: frozenset[int]
    ipv6: bool
    offload: bool


def offloaded(frame: bytes) -> bytes:
    """Return a frame as Linux's TAP gives it: TCP's checksum is that of the pseudo header yet."""
    v6 = frame[12:14] == b"\x86\xdd"
    at = 54 if v6 else 34
    if frame[20 if v6 else 23] != ipv4.Protocol.TCP or frame[12:14] == b"\x08\x06":
        return virtio.PLAIN + frame
    addresses = frame[22:54] if v6 else frame[26:34]
    length = int.from_bytes(frame[18:20]) if v6 else int.from_bytes(frame[16:18]) - 20
    seed = (int.from_bytes(addresses) + ipv4.Protocol.TCP + length) % 0xFFFF or 0xFFFF
    header = virtio.VirtioHeader(virtio.NEEDS_CSUM, virtio.Gso.NONE, 0, 0, at, 16).to_bytes()
    return header + frame[: at + 16] + seed.to_bytes(2) + frame[at + 18 :]


_FLAGS = st.fixed_dictionaries({
    "tcp.timestamps": st.sampled_from((1, 1, 0)),
    "tcp.sack": st.sampled_from((1, 1, 0)),
    "tcp.window_scaling": st.sampled_from((1, 1, 0)),
    "tcp.ecn": st.sampled_from((2, 2, 1)),
})  # fmt: skip
dialogs = st.lists(
    st.builds(
        Dialog, st.sampled_from((0, 0, 1, 7, 300)), st.sampled_from((1, 1, 100, 3000)),
        st.sampled_from(("client", "client", "server", "both", "half", "abort")),
    ),
    min_size=3, max_size=8,
)  # fmt: skip
worlds = st.builds(
    World, _FLAGS, _FLAGS, st.sampled_from((16, 16, 2, 0)), st.sampled_from((0, 0, 30)),
    st.frozensets(st.integers(0, 40), max_size=4), st.booleans(), st.booleans(),
)  # fmt: skip


class Talk:
    """One dialog under way."""

    def __init__(self, dialog: Dialog, client: TcpSocket) -> None:
        self.dialog, self.client = dialog, client
        self.server: TcpSocket | None = None
        self.asked, self.heard, self.told = 0, 0, 0
        self.error = ""


class Play:
    """The dialogs, between two hosts.

    Args:
        fast: the fast path knows handshakes and connections.
    """

    def __init__(self, world: World, seed: int, *, fast: bool) -> None:
        self.pair = pair = Pair(_MS, self.carry, ipv6=world.ipv6)
        self.world, self.draw = world, Random(seed)
        for host in pair.hosts if not fast else ():
            tcp = host.stack.tcp
            tcp.learn_output = tcp.learn_input = nothing
            tcp.learn_opening = tcp.recall_way = nothing
        for host in pair.hosts if world.offload else ():
            host.stack.interface("tap0").headroom = virtio.HEADER_LEN
        for host, values in zip(pair.hosts, (world.sysctls, world.own), strict=True):
            for key, value in values.items():
                host.set(key, value)
        self.listener = pair.listen(backlog=world.backlog)
        self.talks: list[Talk] = []
        self.accepted: list[tuple[int, TcpSocket]] = []
        self.frames = self.accept_ns = 0
        self.midway: dict[tuple[int, int], list[object]] = {}

    def carry(self, _: int, frame: bytes) -> list[tuple[int, bytes]]:
        self.frames += len(self.talks) > 1
        lost = len(self.talks) > 1 and self.frames - 1 in self.world.lost
        return [] if lost else [(0, offloaded(frame) if self.world.offload else frame)]

    def run(self, plan: list[Dialog]) -> None:
        """Begin all dialogs at their times, and let them end."""
        for number, dialog in enumerate(plan):
            self.wait(dialog.after_ms * _MS if number > 1 else 300 * _MS)
            self.talks.append(Talk(dialog, self.pair.begin()))
        self.wait(400 * SECOND_NS)

    def wait(self, ns: int) -> None:
        end = self.pair.now + ns
        while self.pair.now < end:
            self.act()
            until = min(end, self.accept_ns) if self.listener.readable else end
            if not self.pair.step(until):
                self.pair.client.clock.advance_to(until)
        self.act()

    def act(self) -> None:
        pair, now = self.pair, self.pair.now
        tcp = pair.server.stack.tcp
        if now >= self.accept_ns:
            self.accept_ns = now + self.world.accept_ms * _MS
            while (child := tcp.accept(self.listener)) is not None:
                self.accepted.append((now, child))
                for talk in self.talks:
                    if (talk.client.port, talk.client.local) == (child.peer_port, child.peer):
                        talk.server = child
        for talk in self.talks:
            for step in (self.ask, self.answer, self.close):
                try:
                    step(talk)
                except StackError as error:
                    talk.error = talk.error or error.errno_name or "EPIPE"

    def ask(self, talk: Talk) -> None:
        tcp, client, now = self.pair.client.stack.tcp, talk.client, self.pair.now
        if client.connected and not client.closed:
            left = talk.dialog.size - talk.asked
            if left:
                talk.asked += tcp.send(client, bytes(left), now)
            talk.heard += len(tcp.receive(client, 1 << 16, now) or b"")
        elif client.ending is not None:
            tcp.receive(client, 1, now)

    def answer(self, talk: Talk) -> None:
        tcp, server, now = self.pair.server.stack.tcp, talk.server, self.pair.now
        if server is not None and not server.closed:
            data = tcp.receive(server, 1 << 16, now)
            if data:
                talk.told += tcp.send(server, data, now)

    def close(self, talk: Talk) -> None:
        dialog, client, server, now = talk.dialog, talk.client, talk.server, self.pair.now
        ours, theirs = (host.stack.tcp for host in self.pair.hosts)
        over = talk.heard == dialog.size or bool(talk.error)
        for end, socket in enumerate((client, server)):
            if socket is not None and socket.connected:
                states = self.midway.setdefault((self.talks.index(talk), end), [])
                if (state := known(socket)) not in states[-1:]:
                    states.append(state)  # some calls are for a timer that was taken back
        if talk.asked == dialog.size and dialog.closes == "half" and not client.snd.fin:
            ours.shutdown(client, now, send=True, receive=False)
        if over and dialog.closes == "abort":
            ours.abort(client, now)
        elif (over and dialog.closes in ("client", "both")) or (
            client.at_end and not client.rcv.ready and client.connected
        ):
            ours.close(client, now)
        if server is None or server.closed:
            return
        told = talk.told == dialog.size and dialog.closes in ("server", "both")
        if (told or server.at_end or talk.error) and not server.rcv.ready:
            theirs.close(server, now)

    def told(self) -> list[object]:
        """Return everything that must not depend on the path."""
        found: list[object] = [seen(self.pair)]
        for host in self.pair.hosts:
            ledger, tcp = host.stack.ledger, host.stack.tcp
            found.append(ledger.events)
            found.append({(why.name, dev): t.count for (why, dev), t in ledger.reasons.items()})
            found.append([(f.ends, f.state, f.ending.reason.name) for f in tcp.failed])
            found.append((len(tcp.connections), len(tcp.waiting), tcp.orphans, tcp.ttls))
            counters = host.stack.interface("tap0").counters
            found.append([getattr(counters, each.name) for each in fields(counters)])
        for talk in self.talks:
            found.append((talk.asked, talk.heard, talk.told, talk.error))
        found += [*self.midway.values()]
        for at_ns, socket in (*self.accepted, *((0, talk.client) for talk in self.talks)):
            # Of one that is over, nobody asks for its round trips.
            found.append((at_ns, known(socket)[:6]))
        backlog = self.listener.backlog
        assert backlog is not None
        found.append((len(backlog.queue), backlog.requests, backlog.overflows))
        return found


def known(socket: TcpSocket) -> list[object]:
    """Return what a connection knows."""
    snd, rcv, rtt, window, loss = socket.snd, socket.rcv, socket.rtt, socket.window, socket.loss
    counts = [getattr(socket.stats, each.name) for each in fields(TcpStats)]
    return [
        socket.ends, socket.state, socket.opened, socket.ended, counts, socket.mss, socket.pmtu,
        (socket.timestamps, socket.sack, socket.scaling, socket.ecn, socket.peer_mss),
        (snd.iss, snd.una, snd.nxt, snd.wnd, snd.max_wnd, snd.wl1, snd.wl2, snd.scale),
        (rcv.irs, rcv.nxt, rcv.edge, rcv.scale, rcv.ts_recent, rcv.ts_recent_ns, rcv.limit),
        (rtt.srtt_ns, rtt.rttvar_ns, rtt.rto_ns, rtt.min_ns),
        (window.cwnd, window.ssthresh, window.mss, window.restart, loss.delivered, loss.rate),
        (socket.quick, socket.heard_ns, socket.retries, socket.syn_acks),
    ]  # fmt: skip


@given(dialogs, worlds, st.integers(0, 1 << 30))
@settings(deadline=None, max_examples=30)
def test_connections_of_the_fast_path_are_those_of_the_layered_path(
    plan: list[Dialog], world: World, seed: int
) -> None:
    plays = [Play(world, seed, fast=fast) for fast in (True, False)]
    for play in plays:
        play.run(plan)
    for quick, slow in zip(plays[0].told(), plays[1].told(), strict=True):
        assert quick == slow
    for talk in plays[0].talks:
        assert talk.client.state is State.CLOSED


@pytest.mark.parametrize(("ipv6", "offload"), [(False, True), (True, False), (True, True)])
def test_only_the_first_of_many_takes_the_layered_path(ipv6: bool, offload: bool) -> None:
    """Each packet of the layered path has a trace."""
    usual = {"tcp.timestamps": 1}
    play = Play(World(usual, usual, 16, 0, frozenset(), ipv6, offload), 1, fast=True)
    begun: tuple[list[int], list[int]] = [], []
    start = play.pair.now
    for host, times in zip(play.pair.hosts, begun, strict=True):
        count_traces(host.stack.shared.recorder, times)
    play.run([Dialog(300, 1, "client")] * 6)
    assert [talk.heard for talk in play.talks] == [1] * 6
    assert [talk.server.state for talk in play.talks if talk.server] == [State.CLOSED] * 6
    first, last = start + 600 * _MS, start + 300 * 7 * _MS
    for times in begun:
        assert any(at_ns < first for at_ns in times)
        assert not any(first <= at_ns < last for at_ns in times)


def count_traces(recorder: Recorder, times: list[int]) -> None:
    """Note when each packet of the layered path begins."""
    begin = recorder.begin

    def noted(
        direction: Direction, now: int, cause: Trace | None = None, dev: str | None = None
    ) -> Trace:
        times.append(now)
        return begin(direction, now, cause, dev)

    recorder.begin = noted
