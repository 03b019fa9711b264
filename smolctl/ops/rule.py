"""``smolctl rule``: which tables of routes are asked, and in which order."""

from collections.abc import Iterable, Iterator

from smolctl.errors import InvalidArgument
from smolctl.near import did_you_mean
from smolctl.ops.args import UID_MAX, Args
from smolctl.ops.context import Context, Row
from smolctl.ops.families import network
from smolctl.ops.route import table_number
from smolctl.ops.route_get import protocol_number, tos_number
from smolctl.ops.saved import Saved, Words
from smolctl.stack.config.link import check_name
from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.explain.route_words import dscp_text, group_text, protocol_text
from smolctl.stack.fib.route import table_text
from smolctl.stack.fib.rule import DSCP_BITS, PRIORITY_MAX, Range, Rule, RuleAction
from smolctl.stack.ip.network import Network
from smolctl.wire.address import IPV4, IPV6, format_address

_ALL_BITS = 0xFFFFFFFF
_PRECEDENCE = 0xE0
_TYPES = ("unicast", "lookup", "blackhole", "unreachable", "prohibit", "nop")
_PROTOCOLS = {"0": "", "unspec": "", "2": "kernel", "3": "boot", "4": "static"}


def rule_row(net: Network, rule: Rule, *, details: bool = False) -> Row:
    """Return the row of ``ip -j rule`` for a rule; what is true has the value null, as there.

    Args:
        details: say who made it even where that is usual, as ``ip -d`` does.
    """
    row: Row = {"priority": rule.priority}
    if rule.invert:
        row["not"] = None
    row["src"] = format_address(rule.src) if rule.src_len else "all"
    if 0 < rule.src_len < net.family.bits:
        row["srclen"] = rule.src_len
    if rule.dst_len:
        row["dst"] = format_address(rule.dst)
        if rule.dst_len < net.family.bits:
            row["dstlen"] = rule.dst_len
    if rule.tos:
        row["tos"] = f"0x{rule.tos:02x}"
    row |= _bits(rule)
    for word, name in (("iif", rule.iif), ("oif", rule.oif)):
        if name is not None:
            row[word] = name
            if name not in net.interfaces:
                row[f"{word}_detached"] = None
    if rule.ipproto:
        name = protocol_text(rule.ipproto)
        row["ipproto"] = f"ipproto-{name}" if name.isdigit() else name
    if rule.uids is not None:
        row["uid_start"], row["uid_end"] = rule.uids
    for word, ports in (("sport", rule.sport), ("dport", rule.dport)):
        if ports is not None and ports[0] == ports[1]:
            row[word] = ports[0]
        elif ports is not None:
            row[f"{word}_start"], row[f"{word}_end"] = ports
    if rule.action is RuleAction.LOOKUP:
        row["table"] = table_text(rule.table)
        if rule.suppress is not None:
            row["suppress_prefixlen"] = rule.suppress
        if rule.suppress_group is not None:
            row["suppress_ifgroup"] = group_text(rule.suppress_group)
    elif rule.action is RuleAction.GOTO:
        row["goto"] = rule.target
        if not net.fib.rules.resolves(rule):
            row["unresolved"] = None
    elif rule.action is RuleAction.NOP:
        row["nop"] = None
    else:
        row["action"] = rule.action.value
    if details or rule.protocol not in ("", "kernel"):
        row["protocol"] = rule.protocol or "unspec"
    return row


def _bits(rule: Rule) -> Row:
    """Return the mark and the DSCP that a rule wants, with masks that have not all bits."""
    row: Row = {}
    if rule.mark or rule.mark_mask:
        row["fwmark"] = f"{rule.mark:#x}" if rule.mark else "0"
        if rule.mark_mask != _ALL_BITS:
            row["fwmask"] = hex(rule.mark_mask)
    if rule.dscp is not None:
        row["dscp"] = rule.dscp
        if rule.dscp_mask != DSCP_BITS:
            row["dscp_mask"] = rule.dscp_mask
    return row


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the rules that match, in the order in which they are asked."""
    net, details = _network(ctx, args), args.flag("details")
    return [rule_row(net, rule, details=details) for rule in _matching(net, args)]


def _network(ctx: Context, args: Args) -> Network:
    """Return the network whose rules are meant: that of IPv4 unless the words say another."""
    return network(ctx.stack, args.infer("from", "to", default=IPV4))


def flush(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete every rule that matches, but for those with priority 0, as ``ip`` does."""
    net = _network(ctx, args)
    gone = [rule for rule in _matching(net, args) if rule.priority]
    rows = [rule_row(net, rule) for rule in gone]
    for rule in gone:
        delete_rule(net, rule)
    return rows


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Add a rule behind those of its priority; without one, before all but the first."""
    net = _network(ctx, args)
    rule, given = _parse(args)
    if not given:
        raise InvalidArgument(
            "rule add needs a selector or an action",
            hint="smolctl rule add from 10.0.0.1 lookup 100",
        )
    if "priority" not in given:
        rule.priority = net.fib.rules.free_priority()
    add_rule(net, rule)
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Delete the first rule that agrees with what is given."""
    net = _network(ctx, args)
    rule, given = _parse(args)
    if not given:
        raise InvalidArgument("rule del needs to know which rule", hint="smolctl rule show")
    found = net.fib.rules.find(rule, given)
    row = rule_row(net, found)
    delete_rule(net, found)
    return [row]


# --- words ----------------------------------------------------------------------------------------


def _parse(args: Args) -> tuple[Rule, frozenset[str]]:
    """Return a rule as it is said, and the names of its attributes that were."""
    said: dict[str, object] = {}
    for name, word in (("src", "from"), ("dst", "to")):
        prefix = args.network(word)
        if prefix is not None and prefix[1]:
            said[name], said[f"{name}_len"] = prefix
    for name in ("iif", "oif", "protocol"):
        text = args.text(name)
        if text is not None:
            said[name] = text
    for name in said.keys() & {"iif", "oif"}:
        check_name(str(said[name]))
    if "protocol" in said:
        said["protocol"] = _protocol(str(said["protocol"]))
    tos, ipproto, marked = tos_number(args), protocol_number(args), args.fwmark("fwmark")
    if marked is not None:
        said["mark"], said["mark_mask"] = marked
    said |= _dscp(args)
    if tos is not None and tos & 3:
        raise InvalidArgument(f"tos 0x{tos:02x}: its last two bits are ECN's, and must be 0")
    if tos is not None and tos & _PRECEDENCE and args.family is not IPV6:
        raise InvalidArgument(  # Linux fib4_rule_configure
            f"tos 0x{tos:02x}: the first three bits do not count in rules of IPv4, and must be 0",
            hint=f"say: dscp {tos >> 2}",
        )
    for name, value in (
        ("tos", tos or None),
        ("ipproto", ipproto or None),
        ("uids", _uids(args)),
        ("sport", _ports(args, "sport")),
        ("dport", _ports(args, "dport")),
        ("suppress", args.integer("suppress_prefixlength", 0, (args.family or IPV4).bits)),
        ("suppress_group", args.group("suppress_ifgroup")),
        ("priority", args.integer("priority", 0, PRIORITY_MAX)),
        ("target", args.integer("goto", 1, PRIORITY_MAX)),
        ("table", table_number(args, every=False)),
    ):
        if value is not None:
            said[name] = value
    if args.flag("not"):
        said["invert"] = True
    action = _action(args, said)
    if action not in (None, RuleAction.LOOKUP) and "table" in said:
        raise InvalidArgument(f"a rule with {action} looks up no table")
    given = frozenset(said) - {"invert"} | ({"action"} if action is not None else set())
    rule = Rule(action=action or RuleAction.LOOKUP, **said)  # type: ignore[arg-type]
    anything = given or any(name in args for name in ("from", "to", "not"))
    return rule, given if anything else frozenset()


def _action(args: Args, said: dict[str, object]) -> RuleAction | None:
    kind = args.choice("type", _TYPES)
    if "target" in said:
        if kind is not None:
            raise InvalidArgument(f'"goto" cannot be used with "{kind}"')
        return RuleAction.GOTO
    if kind in ("unicast", "lookup"):
        return RuleAction.LOOKUP
    return None if kind is None else RuleAction(kind)


def _ports(args: Args, name: str) -> Range | None:
    """Return a port, or a range of them as FIRST-LAST."""
    text = args.text(name)
    if text is None:
        return None
    ends = [int(end) if _is_number(end) else 0 for end in text.split("-", 1)]
    if not all(1 <= end <= 65535 for end in ends) or ends[0] > ends[-1]:
        raise InvalidArgument(
            f'{name} "{text}" is not a port of 1..65535, or a range of them: FIRST-LAST'
        )
    return ends[0], ends[-1]


def _dscp(args: Args) -> dict[str, object]:
    """Return a DSCP of 0..63 and its mask, given as DSCP or DSCP/MASK."""
    text = args.text("dscp")
    if text is None:
        return {}
    numbers = []
    for part in text.split("/", 1):
        digits = part.lower().removeprefix("0x")
        base = 10 if digits == part else 16
        plain = digits.isascii() and digits.isalnum() and len(digits) < 4
        try:
            numbers.append(int(digits, base) if plain else -1)
        except ValueError:
            numbers.append(-1)
    if not all(0 <= number <= DSCP_BITS for number in numbers):
        raise InvalidArgument(f'dscp "{text}" is none: 0..63, and a mask behind a slash')
    if len(numbers) > 1 and numbers[0] & ~numbers[1]:
        raise InvalidArgument(f'dscp "{text}" has bits that its mask does not have')
    if "tos" in args:
        raise InvalidArgument("a rule has a type of service or a DSCP, which is a part of it")
    return {"dscp": numbers[0], "dscp_mask": numbers[1] if len(numbers) > 1 else DSCP_BITS}


def _uids(args: Args) -> Range | None:
    """Return a range of users, as FIRST-LAST."""
    text = args.text("uidrange")
    if text is None:
        return None
    ends = [int(end) if end.isascii() and end.isdigit() else -1 for end in text.split("-", 1)]
    valid = all(0 <= end <= UID_MAX for end in ends)
    if not valid or len(ends) < 2 or ends[0] > ends[1]:
        raise InvalidArgument(
            f'uidrange "{text}" is not a range of user ids: FIRST-LAST, each 0..{UID_MAX}',
            hint=f"say: uidrange {text}-{text}" if valid and len(ends) < 2 else None,
        )
    return ends[0], ends[1]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def _protocol(text: str) -> str:
    name = _PROTOCOLS.get(text.lower(), text.lower())
    if name and name not in _PROTOCOLS.values() and not (_is_number(name) and int(name) < 256):
        raise InvalidArgument(
            f'"{text}" is not a rule protocol: kernel, boot, static, or 0..255',
            hint=did_you_mean(text, filter(None, _PROTOCOLS.values())),
        )
    return name


def _matching(net: Network, args: Args) -> Iterator[Rule]:
    spec, given = _parse(args)
    source, destination = args.network("from"), args.network("to")
    exact = given - {"src", "src_len", "dst", "dst_len"}
    if args.flag("not"):
        exact |= {"invert"}
    for rule in net.fib.rules:
        if "table" in exact and rule.action is not RuleAction.LOOKUP:
            continue  # it names no table, whatever is in its field
        if (
            all(getattr(rule, name) == getattr(spec, name) for name in exact)
            and _within(net, rule.src, rule.src_len, source)
            and _within(net, rule.dst, rule.dst_len, destination)
        ):
            yield rule


def _within(net: Network, address: int, plen: int, wanted: tuple[int, int] | None) -> bool:
    """Tell whether a rule's prefix begins as the wanted one does, as ``ip rule show`` has it."""
    if wanted is None or not wanted[1]:
        return True
    return plen > 0 and not (address ^ wanted[0]) >> net.family.bits - wanted[1]


# --- save -----------------------------------------------------------------------------------------


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes the rules, in their order, from those that are always there at first."""
    for family, net in ctx.stack.networks.items():
        yield from _save(net, fresh.stack.networks[family])


def _save(net: Network, fresh: Network) -> Iterator[Saved]:
    wanted = [_words(net, rule) for rule in net.fib.rules]
    usual = [_words(net, rule) for rule in fresh.fib.rules]
    kept = [args for args in usual if args in wanted]
    new = [args for args in wanted if args not in usual]
    order = list(kept)
    for args in new:
        order.insert(sum(int(old["priority"]) <= int(args["priority"]) for old in order), args)
    if order != wanted:  # one of the usual was taken out, and put in again
        kept, new = [], wanted
    for args in usual:
        if args not in kept:
            yield Saved("rule.del", args, ("rule.add", args))
    for args in new:
        group = f"rule {net.family.name}"
        yield Saved("rule.add", args, ("rule.del", args), group, f"rule {args}")


def _words(net: Network, rule: Rule) -> Words:
    """Return the arguments that add a rule."""
    args: Words = {"priority": str(rule.priority)}
    if net.family is not IPV4:
        args["family"] = net.family.name
    if rule.invert:
        args["not"] = True
    for word, address, plen in (("from", rule.src, rule.src_len), ("to", rule.dst, rule.dst_len)):
        if plen:
            args[word] = f"{format_address(address)}/{plen}"
    for word, name in (("iif", rule.iif), ("oif", rule.oif)):
        if name is not None:
            args[word] = name
    if rule.tos:
        args["tos"] = f"0x{rule.tos:02x}"
    if rule.mark or rule.mark_mask:
        args["fwmark"] = f"{rule.mark:#x}/{rule.mark_mask:#x}"
    if rule.dscp is not None:
        args["dscp"] = dscp_text(rule)
    if rule.uids is not None:
        args["uidrange"] = "{}-{}".format(*rule.uids)
    if rule.ipproto:
        args["ipproto"] = str(rule.ipproto)
    for word, ports in (("sport", rule.sport), ("dport", rule.dport)):
        if ports is not None:
            args[word] = str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"
    if rule.action is RuleAction.LOOKUP:
        args["table"] = table_text(rule.table)
    elif rule.action is RuleAction.GOTO:
        args["goto"] = str(rule.target)
    else:
        args["type"] = rule.action.value
    if rule.suppress is not None:
        args["suppress_prefixlength"] = str(rule.suppress)
    if rule.suppress_group is not None:
        args["suppress_ifgroup"] = group_text(rule.suppress_group)
    if rule.protocol:
        args["protocol"] = rule.protocol
    return args
