"""Which way a packet goes: interface, next hop and source address.

``decide`` has no side effect. The data path acts on its answer, ``route get`` shows it.
"""

from typing import TYPE_CHECKING, NamedTuple

from smolctl.errors import AddressNotAvailable, SendRejected
from smolctl.stack import reason
from smolctl.stack.explain import suggest
from smolctl.stack.fib import lookup as fib_lookup
from smolctl.stack.fib.exceptions import RouteException
from smolctl.stack.fib.nexthop import Multipath
from smolctl.stack.fib.path_mtu import PathMtu
from smolctl.stack.fib.route import KERNEL, Route, RouteType, Scope
from smolctl.stack.fib.rule import PLAIN, Refused, RuleAction, Traits
from smolctl.stack.interface import Interface
from smolctl.stack.ip import gateways, host_model
from smolctl.stack.ip.derived_routes import derived
from smolctl.stack.ip.host_model import is_strong, pick_route_from
from smolctl.stack.ip.source_address import select_source
from smolctl.stack.neighbor.states import State
from smolctl.stack.reason import Reason
from smolctl.wire.address import format_address, is_limited_broadcast, is_loopback, is_multicast

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

_TYPE_REASONS = {
    RouteType.BLACKHOLE: reason.TX_ROUTE_BLACKHOLE,
    RouteType.UNREACHABLE: reason.TX_ROUTE_UNREACHABLE,
    RouteType.PROHIBIT: reason.TX_ROUTE_PROHIBIT,
}

_RULE_REASONS = {
    RuleAction.BLACKHOLE: reason.TX_RULE_BLACKHOLE,
    RuleAction.UNREACHABLE: reason.TX_RULE_UNREACHABLE,
    RuleAction.PROHIBIT: reason.TX_RULE_PROHIBIT,
}


class Decision(NamedTuple):
    """Which way a packet goes.

    Attributes:
        type: "unicast", "local", "broadcast" or "multicast".
        interface: by which it leaves; a loopback for ``local``.
        next_hop: whose MAC is needed: the gateway, or the destination itself.
        src: source address, None when the interface has none to offer.
        route: the route that won, of several next hops the one that was picked; None for one that
            was assumed (bound to a device) or needs none.
        mtu: largest packet in bytes.
        locked: whether that is final: no smaller one is discovered (``Pmtudisc.df``).
        learned: what path MTU discovery knows of the way, None when nothing that matters.
        redirected: the redirect that the next hop comes from, None when it is the route's own.
    """

    type: str
    interface: Interface
    dst: int
    next_hop: int
    src: int | None
    route: Route | None
    mtu: int
    locked: bool = False
    learned: PathMtu | None = None
    redirected: RouteException | None = None

    @property
    def gateway(self) -> int | None:
        """Return the next hop when it is not the destination itself."""
        return self.next_hop if self.next_hop != self.dst else None


class Refusal(NamedTuple):
    """Why a packet goes no way."""

    reason: Reason
    dev: str
    detail: dict[str, object]


def decide(
    stack: "Stack",
    dst: int,
    src: int | None = None,
    dev: str | None = None,
    traits: Traits = PLAIN,
) -> Decision | Refusal:
    """Choose interface, next hop and source address for a destination; no side effect.

    Args:
        src: source address the sender insists on, None to select one.
        dev: interface the sender insists on, None for whichever the FIB says.
        traits: what else rules, and the choice between several next hops, look at.

    Source: Linux ``ip_route_output_key_hash_rcu``; RFC 1122 3.3.1.
    """
    shown = format_address
    # Deviation: Linux takes 0.0.0.0 for the loopback; RFC 1122 3.2.1.3(a) forbids it as
    # destination.
    if dst == 0:
        return Refusal(reason.TX_DST_INVALID, dev or "", {"ip": shown(dst)})
    if src is not None and not stack.fib.is_local(src):
        return not_ours(stack, src, dev)
    bound = stack.interface(dev) if dev is not None else None
    if bound is not None and not bound.up:
        return Refusal(reason.TX_IFACE_DOWN, bound.name, {"ip": shown(dst)})
    if is_multicast(dst) or is_limited_broadcast(dst):
        # A group is reached by the interface the sender named, by device or by source address.
        out = bound or (stack.interface_of(src) if src is not None else None)
        if out is not None and out.up:
            return _on_link(stack, out, dst, src)
    if dev is None and src is not None:
        route = pick_route_from(stack, dst, src, traits)
    else:
        route = fib_lookup.pick_route(stack, dst, dev, src, traits)
    if bound is not None and (route is None or route.type in _TYPE_REASONS):
        # Linux: "Apparently, routing tables are wrong. Assume, that the destination is on link."
        # A route that refuses is a failed lookup like any other (ip_route_output_key_hash_rcu).
        return _on_link(stack, bound, dst, src)
    if route is None:
        detail = {"ip": shown(dst), "connected": _connected_text(stack)}
        return Refusal(reason.TX_NO_ROUTE, "", {**detail, **suggest.no_route(stack, dst)})
    tied = dev is not None or (src is not None and is_strong(stack))
    route = gateways.living(stack, route, route.dev if tied else None)
    if isinstance(route, Multipath):
        route = gateways.pick_hop(stack, route, dst, src, traits)
    return _by_route(stack, route, dst, src)


def _by_route(stack: "Stack", route: Route, dst: int, src: int | None) -> Decision | Refusal:
    shown = format_address
    if isinstance(route, Refused) and route.rule is not None:
        why = _RULE_REASONS[route.rule.action]
        return Refusal(why, "", {"ip": shown(dst), **suggest.rule(route)})
    if (refused := _TYPE_REASONS.get(route.type)) is not None:
        prefix = f"{shown(route.prefix)}/{route.plen}" if route.plen else "default"
        return Refusal(refused, route.dev or "", {"ip": shown(dst), "route": prefix})
    if route.type is RouteType.LOCAL:
        # One's own address never touches the wire (RFC 1122 3.2.1.3; Linux: dev_out = loopback).
        out = stack.loopback
        owner = stack.interfaces.get(route.dev or "", out)
        if not (stack.settings["ip.loopback_own"] or owner.loopback):
            return _on_link(stack, owner, dst, src, route)
        if not out.up:
            return Refusal(reason.TX_IFACE_DOWN, out.name, {"ip": shown(dst)})
        source = src if src is not None else (route.prefsrc if route.prefsrc is not None else dst)
        return Decision("local", out, dst, dst, source, route, out.mtu)
    out = stack.interface(route.dev or "")
    if not out.up:
        return Refusal(reason.TX_IFACE_DOWN, out.name, {"ip": shown(dst)})
    kind = _kind(dst, route.type is RouteType.BROADCAST)
    via = route.via if kind == "unicast" and not route.on_link else None
    next_hop = dst if via is None else via
    redirected = _redirected(stack, out, dst, route) if via is not None else None
    if redirected is not None:
        next_hop = redirected.gateway
    if src is None and not (stack.settings["ip.first_source"] and route.protocol == KERNEL):
        src = route.prefsrc
        if src is not None and not stack.fib.is_local(src):
            return not_ours(stack, src)  # it was, and is tentative now
    if src is None:
        src = select_source(stack, out, via, route.scope)
    mtu = _mtu(stack, out, dst, next_hop, route)
    decision = Decision(kind, out, dst, next_hop, src, route, *mtu, redirected=redirected)
    return _checked(stack, decision)


def _mtu(
    stack: "Stack", out: Interface, dst: int, next_hop: int, route: Route | None
) -> tuple[int, bool, PathMtu | None]:
    """Return the last fields of a ``Decision`` (Linux ``ipv4_mtu``, ``ip_mtu_locked``).

    The interface's MTU, or what is less: the route's (RFC 1191 6.5), or what was learned.
    """
    mtu, locked = out.mtu, False
    if route is not None and route.mtu is not None:
        mtu, locked = min(route.mtu, mtu), route.mtu_lock
    if stack.path_mtus and not locked:
        learned = stack.path_mtus.lookup(dst, out.name, next_hop)
        if learned is not None and learned.mtu <= mtu:
            return learned.mtu, learned.locked, learned
    return mtu, locked, None


def _redirected(stack: "Stack", out: Interface, dst: int, route: Route) -> RouteException | None:
    """Return what a redirect said about a destination, unless that gateway does not answer.

    RFC 1122 3.3.1.4: a gateway that a redirect led to may die as any other; the route's own then
    gets the packets, and may redirect again.
    """
    found = stack.exceptions.lookup(dst, route) if stack.exceptions else None
    if found is None:
        return None
    entry = stack.neighbors[out.name].lookup(found.gateway)
    return None if entry is not None and entry.state is State.FAILED else found


def _on_link(
    stack: "Stack", out: Interface, dst: int, src: int | None, route: Route | None = None
) -> Decision | Refusal:
    if not out.up:
        return Refusal(reason.TX_IFACE_DOWN, out.name, {"ip": format_address(dst)})
    if src is None:
        src = select_source(stack, out, None, Scope.LINK)
    if src is None and out.loopback and is_multicast(dst):
        # Deviation: Linux sends from 0.0.0.0, which nobody could answer.
        src = out.addresses.select(None, Scope.HOST)
    mtu = _mtu(stack, out, dst, dst, None)
    return _checked(stack, Decision(_kind(dst, False), out, dst, dst, src, route, *mtu))


def _checked(stack: "Stack", decision: Decision) -> Decision | Refusal:
    """Keep 127/8 off the wire (RFC 1122 3.2.1.3(g): MUST NOT appear outside a host).

    In the strong model each source address leaves by its own interface (RFC 1122 3.3.4.2 (B)).
    """
    out, src, dst = decision.interface, decision.src, decision.dst
    if not out.loopback:
        if src is not None and is_loopback(src):
            return Refusal(reason.TX_LOOPBACK_SOURCE, out.name, {"ip": format_address(src)})
        if is_loopback(dst):
            return Refusal(reason.TX_DST_INVALID, out.name, {"ip": format_address(dst)})
        if src is not None and is_strong(stack):
            homes = host_model.homes(stack, src)
            if out.name not in homes:
                return Refusal(reason.TX_WRONG_IFACE, out.name, {
                    "ip": format_address(src), "dst": format_address(dst),
                    "home": homes[0] if homes else "",
                })  # fmt: skip
    return decision


def _kind(dst: int, broadcast: bool) -> str:
    if is_multicast(dst):
        return "multicast"
    return "broadcast" if broadcast or is_limited_broadcast(dst) else "unicast"


def not_ours(stack: "Stack", src: int, dev: str | None = None) -> Refusal:
    """Return why nothing may be sent from an address: nobody's here, or tentative."""
    for interface in stack.interfaces.values():
        tested = suggest.unusable(interface, src)
        if tested is not None:
            return Refusal(reason.TX_SRC_TENTATIVE, interface.name, tested)
    return Refusal(reason.TX_SRC_NOT_OURS, dev or "", suggest.owner(stack, src))


def unavailable(stack: "Stack", address: int) -> AddressNotAvailable:
    """Return the error for binding to an address from which nothing may be sent."""
    why = not_ours(stack, address)
    shown, detail = format_address(address), {**why.detail, "dev": why.dev}
    text = f"{shown} is not on this stack"
    if why.reason is reason.TX_SRC_TENTATIVE:
        text = why.reason.why(detail)
    return AddressNotAvailable(text, hint=why.reason.hint(detail))


def no_source(out: Interface, dst: int, next_hop: int) -> Refusal:
    """Return why an interface has no address to send from: none at all, or a tentative one."""
    for item in out.addresses.items:
        tested = suggest.unusable(out, item.local)
        if tested is not None:
            return Refusal(reason.TX_SRC_TENTATIVE, out.name, tested)
    shown = {"ip": format_address(dst), **suggest.neighbor_of(out, next_hop)}
    return Refusal(reason.TX_NO_SOURCE, out.name, shown)


def _connected_text(stack: "Stack") -> str:
    networks = [
        f"{format_address(route.prefix)}/{route.plen} dev {route.dev}"
        for interface in stack.interfaces.values()
        for route in derived(stack, interface).values()
        if route.type is RouteType.UNICAST
    ]
    return ", ".join(networks[:4]) or "nothing"


def rejection(why: Reason, detail: dict[str, object]) -> SendRejected:
    """Return the error for a refusal."""
    errno_name = why.linux if why.linux.startswith("E") else "EINVAL"
    return SendRejected(why.name, why.why(detail), errno_name=errno_name, hint=why.hint(detail))
