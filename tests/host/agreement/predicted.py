"""Events of a question as the twin of a host predicts them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from smolctl.host.question import Host, by_each_hop
from smolctl.host.reading import HostState
from smolctl.stack import reason
from smolctl.stack.clone.stack_clone import clone_for_packet
from smolctl.stack.explain.predict import Question, Sender, happen_to_come_in, send_out
from smolctl.stack.explain.predict_tcp import conclude
from smolctl.stack.interface import Interface
from smolctl.stack.link.outbox import frames_of
from smolctl.stack.stack import Stack
from smolctl.stack.trace.trace import Direction, Fate, Trace
from smolctl.stack.transport.tcp.socket import TcpSocket
from smolctl.stack.transport.tcp.states import State
from smolctl.stack.transport.udp.socket import UdpSocket
from smolctl.wire.address import format_address, parse_address
from tests.host.agreement.frames import frame_event
from tests.host.agreement.injected import FROM_PORT, injected
from tests.host.agreement.questions import DMACS, FAR_MAC, Ask

Row = dict[str, Any]
_SENDER = "the sender"
_TURNS = 64
_FAR = bytes.fromhex(FAR_MAC.replace(":", ""))
_NOW_NS = 0


class Prediction(NamedTuple):
    """The events that a twin predicts.

    Attributes:
        events: as the observer has them.
        verdict: the fate and the reason's name.
        others: those of each next hop, where the answer is that it is one of several.
    """

    events: frozenset[str]
    verdict: str
    others: tuple[frozenset[str], ...] = ()

    def allows(self, seen: frozenset[str]) -> bool:
        """Tell whether what happened is what was predicted."""
        return seen in (self.others or (self.events,))


class Oracle:
    """The twin of a host as it was read."""

    def __init__(self, state: HostState, headless: frozenset[str]) -> None:
        """Make the twin.

        Args:
            state: the host.
            headless: names of links whose frames have no Ethernet header.
        """
        self._state, self._headless = state, headless
        self._host = Host(state)
        # What a port sends is seen where the bridge's own frames are.
        self._bridges = {
            link.name: state.name_of(link.master)
            for link in state.links
            if link.port_kind == "bridge"
        }

    def ask(self, ask: Ask) -> Prediction:
        """Return what becomes of a packet; by each next hop, if the kernel's own hash picks one."""
        stack = self._host.twin.stack
        known = self._happens(stack, ask)
        several = by_each_hop(
            stack, parse_address(ask.dst), lambda each: self._happens(each, ask), known
        )
        events, trace = known
        reason = "" if trace.reason is None else trace.reason.name
        others = tuple(told for told, _ in several)
        return Prediction(events, f"{trace.fate} {reason}".strip(), others)

    def _happens(self, stack: Stack, ask: Ask) -> tuple[frozenset[str], Trace]:
        """Return what becomes of a packet in a clone of a stack."""
        clone = clone_for_packet(stack)
        before, trace = _waiting(clone), Trace()
        told: list[str] = []
        if ask.kind == "send":
            sender = send_out(clone, self._question(ask), _NOW_NS, trace)
            _run_out(clone)
            if isinstance(sender, TcpSocket):
                conclude(clone.tcp, clone.loopback, sender, _NOW_NS, trace)
            net = clone.networks.for_address(parse_address(ask.dst))
            binds_any = net.binds_others or not ask.src
            told = list(_told(sender, trace, binds_any=binds_any))
        else:
            link = clone.interface(ask.iif)
            frame = injected(ask, self._mac(link), self._is_for_all(ask))
            if link.name in self._headless:
                frame = link.mac + _FAR + (b"\x86\xdd" if ask.six else b"\x08\x00") + frame
            happen_to_come_in(clone, link, frame, _NOW_NS, trace)
        events = {*told, *self._left(clone), *_delivered(clone, before)}
        return frozenset(events), trace

    def row(self, ask: Ask) -> Row:
        """Return what ``smolctl why --host`` says, which tries fixes, too."""
        words: dict[str, object] = {"proto": ask.proto, "dst": ask.dst, "size": ask.size}
        for key in ("src", "sport", "dport", "dev", "iif", "mark", "tos", "ttl", "uid"):
            if value := getattr(ask, key):
                words[key] = value
        if ask.proto in ("udp", "tcp") and ask.kind == "receive":
            words.setdefault("sport", FROM_PORT)
        if ask.proto in ("arp", "nd"):
            del words["size"]
        if ask.dmac and ask.iif not in self._headless:
            words["dmac"] = DMACS.get(ask.dmac, ask.dmac)
        if ask.broadcast:
            words["broadcast"] = True
        return self._host.answer(self._host.question(words))

    def _question(self, ask: Ask) -> Question:
        return Question(
            ask.proto,
            parse_address(ask.src) if ask.src else None,
            parse_address(ask.dst),
            ask.sport,
            ask.dport,
            ask.size,
            ask.dev or None,
            broadcast=ask.broadcast,
            tos=ask.tos or None,
            ttl=ask.ttl or None,
            mark=ask.mark or None,
            uid=ask.uid or None,
            binds=True,
        )

    def _mac(self, link: Interface) -> bytes:
        return b"" if link.name in self._headless else link.mac

    def _is_for_all(self, ask: Ask) -> bool:
        if ask.six or ask.proto == "arp":
            return False
        link = self._state.link_named(ask.iif)
        return ask.dst == "255.255.255.255" or any(
            each.broadcast == parse_address(ask.dst)
            for each in self._state.addresses
            if link is not None and each.ifindex == link.ifindex
        )

    def _left(self, clone: Stack) -> Iterator[str]:
        for name, link in clone.interfaces.items():
            for item in link.outbox:
                for frame in frames_of(item):
                    shown = self._bridges.get(name, name)
                    told = frame_event(shown, frame, linked=name not in self._headless)
                    if told is not None:
                        yield told


def _waiting(clone: Stack) -> dict[str, int]:
    """Return how much waits for each of the programs that receive."""
    found = {_name(each): len(each.queue) for each in clone.udp if each.owner != _SENDER}
    for each in clone.tcp:
        if each.state is State.LISTEN and each.backlog is not None:
            found[_name(each)] = len(each.backlog.queue)
    return found


def _delivered(clone: Stack, before: dict[str, int]) -> Iterator[str]:
    for name, size in _waiting(clone).items():
        if size > before.get(name, 0):
            yield f"to {name}"


def _name(socket: UdpSocket | TcpSocket) -> str:
    proto = "tcp" if isinstance(socket, TcpSocket) else "udp"
    zone = f"%{socket.dev}" if socket.dev else ""
    return f"{proto} {format_address(socket.shown_local)}{zone} {socket.port}"


def _run_out(clone: Stack) -> None:
    """Let packets come back by the loopback until none does."""
    for _ in range(_TURNS):
        clone.tcp.flush(_NOW_NS)
        if not clone.loopback.input(_NOW_NS):
            break


def _told(sender: Sender | None, trace: Trace, *, binds_any: bool) -> Iterator[str]:
    """Yield what the sender is told: by its call, or later."""
    if trace.fate is Fate.REJECTED and trace.direction is Direction.OUT:
        why = trace.reason
        # Who sends from an address hears of bind() already that it is nobody's here, or of another
        # link, unless ip_nonlocal_bind lets him do that.
        bound = why in (reason.TX_SRC_NOT_OURS, reason.TX_BEYOND_SCOPE) and not binds_any
        yield f"error {'EADDRNOTAVAIL' if bound else why.errno_name if why else None}"
    elif isinstance(sender, TcpSocket):
        if sender.ended is not None:
            yield f"told {sender.ended.errno_name}"
    elif sender is not None:
        for error in sender.errors:
            yield f"told {error.errno_name}"
