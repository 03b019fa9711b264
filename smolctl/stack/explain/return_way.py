"""The way back to a program of ``exec``, which the host at the other end must know."""

from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Interfaces
from smolctl.stack.ip.network import Networks
from smolctl.stack.ip.way import Way
from smolctl.stack.trace.journal import Journal
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.wire.address import format_address, packed
from smolctl.wire.ipv4 import Ipv4Header
from smolctl.wire.ipv6 import Ipv6Header


def missing_return(
    interfaces: Interfaces, networks: Networks, trace: Trace, patience_ns: int = 0
) -> str | None:
    """Return what may be missing where a program's packet went and nothing came back from there.

    Args:
        interfaces: the stack's own, not those of a clone: they know what came.
        patience_ns: for a packet that has just left: so much earlier another one must have left for
            the same host, which had that time to answer.

    Returns: None for any other packet, and where an answer was seen.
    """
    source = interfaces.get(trace.arrival.dev) if trace.arrival is not None else None
    way = _way(trace)
    header = _header(trace)
    if trace.fate is not Fate.FORWARDED or source is None or way is None or header is None:
        return None
    net = networks.for_address(header.dst)
    out = interfaces.get(way.interface.name)
    if not source.of_program or out is None or out.of_program:
        return None
    if _flows_back(out, source, header.src, header.dst):
        return None
    before_ns = trace.began_ns - patience_ns if patience_ns else None
    if not _in_vain(net.recorder.journal, source, header, before_ns):
        return None
    bits = net.family.bits
    where = next(
        (item for item in net.of(source).addresses.items if item.holds(header.src, bits)),
        None,
    )
    next_hop = header.dst if way.next_hop is None else way.next_hop
    ours = net.select_source(out, header.dst, next_hop, Scope.LINK)
    if where is None or ours is None:
        return None
    prefix = f"{format_address(where.network(bits))}/{where.plen}"
    command = f"ip route add {prefix} via {format_address(ours)}"
    host, program = format_address(header.dst), format_address(header.src)
    through = "" if next_hop == header.dst else f", and so does {format_address(next_hop)}"
    return (
        f"nothing was seen from {host} to {program}: it needs a route back{through};"
        f" there: {command}"
    )


def _in_vain(
    journal: Journal, source: Interface, header: Ipv4Header | Ipv6Header, before_ns: int | None
) -> bool:
    """Tell whether no answer to a packet of a program is in the journal.

    Who captures or traces has every packet take the layered path, and be in it.

    Args:
        source: the program's interface.
        before_ns: another packet to the same host must be there, from no later than that; None for
            none.
    """
    earlier = before_ns is None
    for other in reversed(journal):  # from the last on: in a conversation, few are looked at
        found = _header(other)
        if found is None:
            continue
        if (found.src, found.dst) == (header.dst, header.src) and _is_for(other, source):
            return False
        if before_ns is not None and (found.src, found.dst) == (header.src, header.dst):
            earlier |= other.began_ns <= before_ns
    return earlier


def _is_for(trace: Trace, source: Interface) -> bool:
    """Tell whether a packet was on its way to the program, or dropped before that was decided.

    An earlier program may have had the address; its interface was another one.
    """
    way = _way(trace)
    if way is not None:
        return way.interface is source
    return trace.reason is None or trace.reason.stage not in ("route", "forward")


def _way(trace: Trace) -> Way | None:
    """Return the way that was chosen for a packet."""
    return next((step.facts for step in trace.steps if isinstance(step.facts, Way)), None)


def _header(trace: Trace) -> Ipv4Header | Ipv6Header | None:
    """Return the header that a packet came with."""
    facts = (step.facts for step in trace.steps)
    return next((each for each in facts if isinstance(each, Ipv4Header | Ipv6Header)), None)


def _flows_back(out: Interface, source: Interface, program: int, host: int) -> bool:
    """Tell whether the fast path knows packets of the other direction.

    An earlier program may have had the address; its interface was another one.
    """
    addresses = packed(host) + packed(program)
    flows = out.forward_flows.items()
    return any(flow.out is source and key.endswith(addresses) for key, flow in flows)
