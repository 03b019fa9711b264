"""Proofs of fixes: each is made on a clone of the stack, and the packet happens again."""

from collections.abc import Hashable, Mapping
from typing import Any

from smolctl.errors import SmolctlError
from smolctl.stack import reason
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.explain.predict import happen, happen_to_come_in
from smolctl.stack.explain.suggest_addresses import gateways
from smolctl.stack.explain.verdict import good
from smolctl.stack.fib.fib import Fib
from smolctl.stack.fib.nexthop import Hop
from smolctl.stack.interface import Medium
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.neighbor.states import State
from smolctl.stack.proof.again import Again, again
from smolctl.stack.proof.change import Trial
from smolctl.stack.proof.scene import arrange, arrange_tcp
from smolctl.stack.reason import Detail, Kind, Proof, Reason
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.settings import named
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire.address import is_unspecified

_ALLOWED = frozenset(
    {
        reason.NEIGH_PENDING,
        reason.NEIGH_RATE_LIMITED,
        reason.UDP_WAITS_FOR_NEIGHBOR,
        reason.ARP_PROXY_DELAYED,
        reason.ND_ANSWER_DELAYED,
        reason.FRAG_PENDING,
        reason.LAB_DELAY,
    }
)
"""Waits that end by themselves, or when a neighbor answers of whom there is evidence."""

_SET = "smolctl sysctl "
_GOOD_FOR_NS = 1_000_000_000
"""Time for which a proof is good, as long as nobody changes the configuration."""
_KNOWN_MAX = 256
_FEW = 1000
"""Routes that are looked through for a gateway."""


class Prover:
    """Proves fixes for the packets of one stack.

    A fix is proven when the packet meets its reason without it, and with it is delivered, or leaves
    for a next hop for which there is evidence; and so do its answers.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._generation = -1
        self._known: dict[Hashable, tuple[int, Proof]] = {}

    def __call__(self, why: Reason, detail: Detail, candidates: list[str]) -> Proof:
        """Return which commands help; see ``reason.Prove``.

        What was just found out is not found out anew: a program may send in vain, again and again.
        """
        packet, now = again(why, detail), self._stack.events.now_ns
        if packet is None:
            return Proof([])
        now = max(now, detail.at_ns or 0)
        if self._generation != self._stack.generation.number or len(self._known) > _KNOWN_MAX:
            self.forget()
            self._generation = self._stack.generation.number
        key = (why, packet, *candidates)
        at_ns, proof = self._known.get(key, (now - _GOOD_FOR_NS, Proof([])))
        if not 0 <= now - at_ns < _GOOD_FOR_NS:
            proof = self._prove(why, packet, detail.recorded, candidates, now)
            self._known[key] = now, proof
        return proof

    def forget(self) -> None:
        """Find out everything anew."""
        self._known.clear()

    def _prove(
        self,
        why: Reason,
        packet: Again,
        values: Mapping[str, Any],
        candidates: list[str],
        now: int,
    ) -> Proof:
        # What was predicted has just happened to a clone of this very stack.
        if not packet.predicted and self._helps(why, packet, values, None, now):
            return Proof([], over=True)
        fixes, dev = [], str(values.get("dev", ""))
        for fix in candidates:
            # Where a link has sysctls of its own: the one that decides, if that is enough.
            tried = dict.fromkeys((self._at_link(fix, dev), fix))
            fixes += [each for each in tried if self._helps(why, packet, values, each, now)][:1]
        return Proof(fixes)

    def _at_link(self, fix: str, dev: str) -> str:
        """Return a command that sets a sysctl with the key that decides on a link."""
        key, equals, text = fix.removeprefix(_SET).partition("=")
        name = named(key) if fix.startswith(_SET) and equals else None
        if name is None or name.scope:
            return fix
        return f"{_SET}{self._stack.settings.knob(dev, key, name.item.parse(text))}={text}"

    def _helps(
        self, why: Reason, packet: Again, values: Mapping[str, Any], fix: str | None, now: int
    ) -> bool:
        """Tell whether the packet gets through on a clone, with the fix or as things are."""
        clone = clone_for_changes(self._stack)
        trial = Trial(clone.udp, clone.tcp, packet, values, now)
        try:
            if fix is not None:
                trial.make(fix)
                clone.poll(now)  # what waited for such a change goes on
                clone.ledger.reasons.clear()
            settings = self._stack.settings
            struck = settings.links.get(str(values.get("dev", "")), settings)
            arrange(clone.udp, why, values, struck, now)
            arrange_tcp(clone.tcp, why, values)
            trace = _happen(trial.again, clone, now)
        except SmolctlError:  # such as a link that is gone by now
            return False
        if any(struck is why for struck, _ in clone.ledger.reasons) or trace.fate is None:
            return False
        # A note is no packet's fate: what struck beside it may go on.
        return why.kind is Kind.NOTE or (good(trace) and self._arrives(trace))

    def _arrives(self, trace: Trace) -> bool:
        """Tell whether a packet in no trouble is delivered, or leaves for who is there."""
        if trace.fate is Fate.WAITING and trace.reason not in _ALLOWED:
            return False
        ways = [step.facts for step in trace.steps if isinstance(step.facts, Way)]
        return not ways or self._is_known(ways[-1])

    def _is_known(self, way: Way) -> bool:
        """Tell whether there is evidence for a next hop.

        A neighbor entry, a gateway or a network that was configured before; none that failed.
        """
        out, hop = way.interface, way.next_hop
        net = self._stack.networks.for_address(hop)
        if way.type is not WayType.UNICAST or out.medium is not Medium.ETHERNET:
            return True
        entry = net.neighbors[out.name].lookup(hop)
        if entry is not None and entry.state is State.FAILED:
            return False
        if entry is not None and entry.lladdr is not None:
            return True
        networks = net.of(self._stack.interface(out.name)).addresses.items
        bits = net.family.bits
        if hop == way.dst and any(item.holds(hop, bits) for item in networks):
            return True
        return _is_configured(net.fib, way)


def _is_configured(fib: Fib, way: Way) -> bool:
    """Tell whether a way's route was there before, or its next hop is the gateway of another."""
    if way.route is not None:
        table = fib.tables.get(way.route.table)
        own = () if table is None else table.chain(way.route.prefix, way.route.plen)
        whole = way.route.whole if isinstance(way.route, Hop) else way.route
        if any(route is whole for route in own):
            return True
    return len(fib) <= _FEW and way.next_hop in gateways(fib)


def _happen(packet: Again, clone: Stack, now: int) -> Trace:
    """Let an event happen again to a clone; return its trace."""
    question = packet.question
    if question is not None:
        if question.iif and is_unspecified(question.dst) and not packet.predicted:
            net = clone.networks.for_address(question.dst)
            items = net.of(clone.interface(question.iif)).addresses.items
            question = question._replace(dst=items[0].local if items else question.dst)
        return happen(clone, question, now)
    if not packet.dev:
        return _bind(clone, now)
    return happen_to_come_in(clone, clone.interface(packet.dev), packet.frame, now, Trace())


def _bind(clone: Stack, now: int) -> Trace:
    """Bind a socket to any port that is free.

    Raises:
        NoBuffers: none is.
    """
    trace = Trace()
    clone.udp.bind(clone.udp.open())
    trace.settle(Fate.DELIVERED, now)
    return trace
