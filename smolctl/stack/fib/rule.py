"""Rules: the tables that are asked for a packet, and their order.

Each rule has conditions and an action; the first rule by priority whose conditions hold decides,
unless its table knows no route for the packet: then the next rule does (Linux fib_rules_lookup).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.stack.fib.route import RouteType, TableName
from smolctl.stack.fib.route_key import RouteKey

PRIORITY_MAX = 0xFFFFFFFF
USUAL6 = ((0, TableName.LOCAL), (32766, TableName.MAIN))
"""Priority and table of the rules that IPv6 begins with (Linux fib6_rules_net_init_work)."""
USUAL = (*USUAL6, (32767, TableName.DEFAULT))
"""The same of IPv4 (Linux fib_default_rules_init)."""


class RuleAction(StrEnum):
    """The action of a rule on packets that match (Linux FR_ACT_*)."""

    LOOKUP = "lookup"
    GOTO = "goto"
    NOP = "nop"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"


_TOS4, _TOS6 = 0x1C, 0xFC
DSCP_BITS = 0x3F
Range = tuple[int, int]
"""First and last, of ports or user ids."""


@dataclass(slots=True, eq=False)
class Rule:
    """One rule; immutable once it is among the others.

    Attributes:
        priority: the lowest is asked first.
        src, src_len, dst, dst_len: prefixes, whose host bits may be set and do not count.
        tos: 0 for any. Of a packet of IPv4, the first three bits do not count (Linux
            INET_DSCP_LEGACY_TOS_MASK).
        mark, mark_mask: the bits of the packet's mark that the mask selects must be these.
        uids: users whose packets they are.
        invert: it matches what its conditions do not.
        target: the priority at which ``goto`` goes on.
        dscp, dscp_mask: the bits of the packet's DSCP that the mask selects; None for any.
        suppress: a route of at most this prefix length does not count, None to let all.
        suppress_group: a route by a link of this group does not count, None to let all.
        protocol: who made it: "kernel", "static", ...; "" for nobody in particular.
    """

    priority: int = 0
    action: RuleAction = RuleAction.LOOKUP
    table: int = TableName.MAIN
    src: int = 0
    src_len: int = 0
    dst: int = 0
    dst_len: int = 0
    tos: int = 0
    iif: str | None = None
    oif: str | None = None
    ipproto: int = 0
    sport: Range | None = None
    dport: Range | None = None
    mark: int = 0
    mark_mask: int = 0
    uids: Range | None = None
    invert: bool = False
    target: int = 0
    dscp: int | None = None
    dscp_mask: int = DSCP_BITS
    suppress: int | None = None
    suppress_group: int | None = None
    protocol: str = ""
    refusal: "RuleRefusal | None" = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.action in REFUSING:
            self.refusal = RuleRefusal(self, REFUSING[self.action])

    def matches(self, bits: int, key: RouteKey) -> bool:
        """Tell whether its conditions hold for a packet.

        One without source counts as from 0.0.0.0, and as from no prefix of IPv6 (Linux
        ``fib6_rule_match``).
        """
        return self.invert is not (
            self.iif in (None, key.iif)
            and self.oif in (None, key.oif)
            and (not self.src_len or not ((key.src or 0) ^ self.src) >> bits - self.src_len)
            and (not self.dst_len or not (key.dst ^ self.dst) >> bits - self.dst_len)
            and (not self.tos or self.tos == key.tos & (_TOS4 if bits == 32 else _TOS6))
            and (not self.ipproto or self.ipproto == key.protocol)
            and (self.sport is None or self.sport[0] <= key.sport <= self.sport[1])
            and (self.dport is None or self.dport[0] <= key.dport <= self.dport[1])
            and not (key.mark ^ self.mark) & self.mark_mask
            and (self.dscp is None or not (key.tos >> 2 ^ self.dscp) & self.dscp_mask)
            and (self.uids is None or self.uids[0] <= key.uid <= self.uids[1])
        )


class RuleRefusal(NamedTuple):
    """The result of a lookup that a rule refuses."""

    rule: Rule
    type: RouteType


REFUSING = {
    RuleAction.BLACKHOLE: RouteType.BLACKHOLE,
    RuleAction.UNREACHABLE: RouteType.UNREACHABLE,
    RuleAction.PROHIBIT: RouteType.PROHIBIT,
}


class Rules:
    """The rules of one address family, by priority, in the order of their coming among equals.

    As long as nobody has changed them they are not looked at: see ``Fib.usual_rules``.
    """

    def __init__(self, usual: Iterable[tuple[int, int]] = USUAL) -> None:
        self._items = [Rule(number, table=table, protocol="kernel") for number, table in usual]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._items)

    def clone(self) -> "Rules":
        """Return the same rules, to be changed on their own."""
        result = Rules(())
        result._items = list(self._items)
        return result

    def __len__(self) -> int:
        return len(self._items)

    def matching(self, bits: int, key: RouteKey) -> Iterator[Rule]:
        """Yield the rules that a packet meets and matches, in order; each ``goto`` is followed."""
        items = self._items
        at = 0
        while at < len(items):
            rule = items[at]
            at += 1
            if not rule.matches(bits, key):
                continue
            yield rule
            if rule.action is RuleAction.GOTO:
                # Only forwards, so that it ends; to nowhere means the next one.
                at = self._position(rule.target) or at

    def resolves(self, rule: Rule) -> bool:
        """Tell whether a goto leads to a rule that is there."""
        return self._position(rule.target) is not None

    def _position(self, priority: int) -> int | None:
        for position, rule in enumerate(self._items):
            if rule.priority == priority:
                return position
        return None

    def free_priority(self) -> int:
        """Return the priority of a rule that asks for none (Linux fib_default_rule_pref)."""
        second = self._items[1].priority if len(self._items) > 1 else 0
        return max(second - 1, 0)

    def insert(self, rule: Rule) -> None:
        """Put a rule behind those of its priority.

        Raises:
            AlreadyExists: one that says the same is there.
            InvalidArgument: a goto that does not lead forward.
        """
        if rule.action is RuleAction.GOTO and rule.target <= rule.priority:
            raise InvalidArgument(
                f"goto {rule.target} from priority {rule.priority} does not lead forward",
                hint=f"a higher priority than {rule.priority}",
            )
        if any(_same(old, rule) for old in self._items):
            raise AlreadyExists("this rule already exists", hint="smolctl rule show")
        behind = [old.priority <= rule.priority for old in self._items]
        self._items.insert(sum(behind), rule)

    def append(self, rule: Rule) -> None:
        """Put a rule behind all others, whatever these say: they are those of another list."""
        self._items.append(rule)

    def find(self, spec: Rule, given: frozenset[str]) -> Rule:
        """Return the first rule that agrees with ``spec`` in the attributes that are ``given``.

        Raises:
            NotFound: none does.
        """
        for rule in self._items:
            if all(getattr(rule, name) == getattr(spec, name) for name in given):
                return rule
        raise NotFound("there is no such rule", hint="smolctl rule show")

    def remove(self, rule: Rule) -> None:
        """Take a rule out."""
        self._items.remove(rule)


_COMPARED = (
    "action", "table", "priority", "iif", "oif", "suppress", "ipproto", "protocol", "sport",
    "dport", "mark", "mark_mask", "uids", "dscp", "dscp_mask", "suppress_group",
)  # fmt: skip


def _same(old: Rule, new: Rule) -> bool:
    """Tell whether Linux takes two for the same (rule_exists, fib4_rule_compare).

    The old one may be narrower where the new one says nothing; "not" and a goto's target are not
    looked at.
    """
    return all(getattr(old, name) == getattr(new, name) for name in _COMPARED) and (
        (not new.src_len or (old.src, old.src_len) == (new.src, new.src_len))
        and (not new.dst_len or (old.dst, old.dst_len) == (new.dst, new.dst_len))
        and (not new.tos or old.tos == new.tos)
    )
