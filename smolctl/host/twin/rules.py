"""Rules of a twin, in the order in which the kernel asks them."""

from collections.abc import Iterator

from smolctl.host import rules
from smolctl.host.reading import HostState
from smolctl.host.twin.notes import Note, Notes
from smolctl.host.twin.routes import PROTOCOLS
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.stack.fib.rule import DSCP_BITS, Rule, RuleAction, Rules
from smolctl.stack.ip.network import Network, Networks
from smolctl.wire.address import IPV4, IPV6, family_of

_GOTO = 2
_ACTIONS = {
    number: RuleAction(name) for number, name in rules.ACTIONS.items() if name in list(RuleAction)
}


def add(networks: Networks, state: HostState, notes: Notes) -> None:
    """Put the host's rules in the place of those that a stack begins with."""
    for number, family in ((AF_INET, IPV4), (AF_INET6, IPV6)):
        there = [each for each in state.rules if each.family == number]
        if there:
            _replace(networks[family], there, notes)
    if state.split:
        networks[IPV4].fib.obey_rules()


def _replace(net: Network, there: list[rules.Rule], notes: Notes) -> None:
    made = [_rule(net, each, notes) for each in there]
    if list(map(_plain, made)) == list(map(_plain, net.fib.rules)):
        return  # nobody has changed them, as far as that can be seen
    net.fib.rules = Rules(())
    for rule in sorted(made, key=lambda rule: rule.priority):  # as the kernel has them, too
        net.fib.rules.append(rule)
    net.fib.obey_rules()


def _plain(rule: Rule) -> tuple[object, ...]:
    """Return all that a rule says, but for who made it."""
    names = (name for name in Rule.__dataclass_fields__ if name not in ("refusal", "protocol"))
    return tuple(getattr(rule, name) for name in names)


def _rule(net: Network, each: rules.Rule, notes: Notes) -> Rule:
    """Return a rule; one that a stack cannot have does nothing, which is noted."""
    missing = list(_missing(net, each))
    action = _ACTIONS.get(each.action)
    if action is None:
        missing.append(f"its action is {each.action}")
    for text in missing:
        words = f"rule {each.priority}: {text}"
        notes.take(Note("rule", words, family=net.family.name, rule=each.priority))
    made = Rule(
        priority=each.priority,
        action=RuleAction.NOP if missing or action is None else action,
        table=each.table,
        src=each.src if each.src_plen else 0, src_len=each.src_plen,
        dst=each.dst if each.dst_plen else 0, dst_len=each.dst_plen,
        tos=each.tos,
        iif=each.iif or None, oif=each.oif or None,
        ipproto=each.ip_proto or 0,
        sport=each.sports, dport=each.dports,
        mark=each.mark, mark_mask=each.mask,
        dscp=each.dscp, dscp_mask=DSCP_BITS if each.dscp_mask is None else each.dscp_mask,
        uids=each.uids,
        invert=bool(each.flags & rules.INVERT),
        target=each.goto or 0,
        suppress=each.suppress_plen, suppress_group=each.suppress_group,
        protocol=PROTOCOLS.get(each.protocol, str(each.protocol)) if each.protocol else "",
    )  # fmt: skip
    if any(map(_is_wrong, _prefixes(net, each))):
        made.src_len = made.dst_len = 0
    return made


def _missing(net: Network, each: rules.Rule) -> Iterator[str]:
    """Yield the conditions and actions of a rule that a stack's rules do not have."""
    if any(map(_is_wrong, _prefixes(net, each))):
        yield "its prefix is none of its family"
    if each.action == _GOTO and (each.goto or 0) <= each.priority:
        yield f"it leads back to {each.goto}"
    if each.tun_id:
        yield f"it is for packets of tunnel {each.tun_id}"
    if each.l3mdev:
        yield "it looks up the table of a VRF"
    if each.label is not None:
        yield f"it is for packets of flow label {each.label:#x}"
    for word, mask in (("sport", each.sport_mask), ("dport", each.dport_mask)):
        if mask not in (None, 0, 0xFFFF):
            yield f"it looks at bits {mask:#x} of the {word}"
    if each.unknown:
        yield f"attributes {', '.join(map(str, each.unknown))}"


def _prefixes(net: Network, each: rules.Rule) -> Iterator[tuple[Network, int, int]]:
    yield net, each.src, each.src_plen
    yield net, each.dst, each.dst_plen


def _is_wrong(prefix: tuple[Network, int, int]) -> bool:
    net, address, plen = prefix
    return plen > net.family.bits or (plen > 0 and family_of(address) is not net.family)
