"""``smolctl exec``: the interface of a program that has a network namespace of its own."""

from collections.abc import Iterator
from typing import NamedTuple

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.job import Job
from smolctl.stack.config.addr import add_address
from smolctl.stack.config.link import add_interface, check_interface, delete_interface
from smolctl.stack.fib.route import Route, RouteType
from smolctl.stack.fib.route_key import RouteKey
from smolctl.stack.interface import ETHERNET_MTU, PROGRAM, Medium
from smolctl.stack.ip.network import Network
from smolctl.stack.stack import Stack
from smolctl.wire.address import (
    IPV4,
    IPV6,
    Family,
    family_of,
    format_address,
    is_host,
    is_link_local,
    is_loopback,
    parse_address,
)
from smolctl.wire.ipv4 import MIN_MTU
from smolctl.wire.ipv6 import MIN_MTU as MIN_MTU6

MTU_MAX = 65521
"""Largest MTU of a TAP (Linux tun.c MAX_MTU less the Ethernet header)."""
_NETWORKS = 512
_POOLS: dict[Family, tuple[tuple[int, int, int], ...]] = {
    # RFC 2544 C.2.2: for tests of devices, so nobody's network, and no lab is likely to have it.
    IPV4: ((parse_address("198.18.0.0"), 256, 30), (parse_address("10.200.0.0"), 256, 30)),
    # Deviation: RFC 4193 3.2 wants a random prefix. This one never leaves the wire unless somebody
    # adds a route to it, and one that is always the same can be written into a lab.
    IPV6: ((parse_address("fd00:198:18::"), 1 << 64, 64),),
}
"""The begin of the networks for programs, how far apart they are, and the length of each prefix.

With 30 bits a network is the wire's two hosts, and a look at its four addresses finds every route
that is in its way, however many routes there are.
"""


class Wire(NamedTuple):
    """The addresses of one family on the wire between a program and the stack.

    Attributes:
        local: the program's.
        plen: length of their prefix in bits.
        gateway: the stack's.
    """

    local: int
    plen: int
    gateway: int

    def row(self) -> Row:
        """Return what the program is told."""
        return {
            "family": family_of(self.local).name,
            "local": format_address(self.local),
            "prefixlen": self.plen,
            "gateway": format_address(self.gateway),
        }


def open_(ctx: Context, args: Args) -> Job:
    """Add an interface for a program, by the TAP whose descriptor comes with the request."""
    return _Adoption(ctx, args)


class _Adoption(Job):
    """The request itself, which ends at once: a job because the descriptor is its client's."""

    def __init__(self, ctx: Context, args: Args) -> None:
        super().__init__()
        self._ctx, self._args = ctx, args

    def start(self, now: int) -> None:
        """Add the interface with its addresses, or nothing; tell the program what it has."""
        ctx, args = self._ctx, self._args
        name, mtu = _name(ctx, args), args.integer("mtu", MIN_MTU, MTU_MAX) or ETHERNET_MTU
        check_interface(ctx.stack.interfaces, name, mtu, None)
        wires = list(_wires(ctx.stack, args, mtu))
        options = {
            "mtu": mtu,
            "program": args.required("program"),
            "pid": args.integer("pid", 1, 1 << 31) or 0,
        }
        passed = self.exchange.take_descriptors()
        if not passed:
            raise InvalidArgument("exec.open needs the descriptor of a TAP beside it")
        device = ctx.links.adopt(name, passed, options)
        shared = ctx.stack.shared
        try:
            interface = add_interface(shared, name, PROGRAM, Medium.ETHERNET, mtu, device.mac, now)
            ctx.links.attach(interface, device, now)
            for wire in wires:
                net = ctx.stack.networks.for_address(wire.gateway)
                add_address(net, interface, net.new_address(wire.gateway, wire.plen, interface))
        except BaseException:
            if name in ctx.stack.interfaces:
                delete_interface(shared, ctx.stack.interface(name), now)
                ctx.links.delete(name)
            device.close(delete=True)
            raise
        self.exchange.rows(
            [{"ifname": name, "mtu": mtu, "addresses": [wire.row() for wire in wires]}]
        )
        self.finish(now)


def _name(ctx: Context, args: Args) -> str:
    """Return the name that was asked for, or the next free one."""
    name = args.text("link")
    if name is None:
        number = 0
        while f"{PROGRAM}{number}" in ctx.stack.interfaces:
            number += 1
        return f"{PROGRAM}{number}"
    if "%" in name:
        raise InvalidArgument(f'"{name}" is not an interface name: no "%"')
    return name


# --- addresses ------------------------------------------------------------------------------------


def _wires(stack: Stack, args: Args, mtu: int) -> Iterator[Wire]:
    """Yield the addresses of each family that the program gets.

    Raises:
        InvalidArgument: those that were asked for cannot be.
    """
    asked = _asked(stack, args)
    for family, net in stack.networks.items():
        if family in asked:
            yield asked[family]
        elif args.family in (None, family) and (family is IPV4 or _has_ipv6(stack, mtu)):
            yield _free(net)


def _has_ipv6(stack: Stack, mtu: int) -> bool:
    return mtu >= MIN_MTU6 and not stack.settings["ip6.disable"]


def _free(net: Network) -> Wire:
    """Return a network that the stack neither owns nor routes.

    Raises:
        InvalidArgument: there is none.
    """
    for first, step, plen in _POOLS[net.family]:
        for network in range(first, first + _NETWORKS * step, step):
            if not any(_owner(net, network + host) for host in range(4)):
                return Wire(network + 2, plen, network + 1)
    raise InvalidArgument(
        f"all networks for programs have routes ({format_address(_POOLS[net.family][0][0])}, ...)",
        hint="smolctl exec --addr ADDR/LEN CMD",
    )


def _owner(net: Network, address: int) -> Route | None:
    """Return the route that an address has already, a default route aside."""
    found = net.lookup(RouteKey(address))
    return found if isinstance(found, Route) and found.plen else None


def _asked(stack: Stack, args: Args) -> dict[Family, Wire]:
    """Return what ``addr`` and ``via`` ask for, by family."""
    wires: dict[Family, Wire] = {}
    gateways = {family_of(address): address for address in args.addresses("via")}
    for local, plen in args.prefixes("addr"):
        family, text = family_of(local), format_address(local)
        if family in wires:
            raise InvalidArgument(f"addr {text}: a program gets one address of each family")
        bits = family.bits
        if plen is None:
            usual = 24 if family is IPV4 else 64
            raise InvalidArgument(f'addr "{text}" needs a prefix length', hint=f"{text}/{usual}")
        if not 0 < plen < bits:
            raise InvalidArgument(
                f"addr {text}/{plen}: its network must have room for the stack's address, too",
                hint=f"{text}/{bits - 2}",
            )
        network = local >> (bits - plen) << (bits - plen)
        gateway = gateways.pop(family, None)
        if gateway is None:
            gateway = network + 1 if local != network + 1 else network + 2
            if plen == bits - 1:
                gateway = local ^ 1
        wires[family] = _checked(stack.networks[family], Wire(local, plen, gateway), network)
    for gateway in gateways.values():
        text = format_address(gateway)
        raise InvalidArgument(
            f"via {text} is the stack's address beside the program's: that needs addr ADDR/LEN",
            hint=f"smolctl exec --addr {format_address(gateway + 1)}/{24 if '.' in text else 64}"
            f" --via {text} CMD",
        )
    return wires


def _checked(net: Network, wire: Wire, network: int) -> Wire:
    """See that a program can have these addresses.

    Raises:
        InvalidArgument: it cannot.
    """
    bits = net.family.bits
    shown = f"{format_address(wire.local)}/{wire.plen}"
    last = network | (1 << bits - wire.plen) - 1
    edges = (network, last) if net.family is IPV4 and wire.plen < bits - 1 else ()
    for word, address in (("addr", wire.local), ("via", wire.gateway)):
        text = format_address(address)
        if not is_host(address) or is_loopback(address) or is_link_local(address):
            raise InvalidArgument(
                f"{word} {text} is not an address that a host has beyond its own link"
            )
        if address in edges:
            what = "the network's own address" if address == network else "its broadcast address"
            raise InvalidArgument(f"{word} {text} is {what}: {format_address(network)}/{wire.plen}")
        if not network <= address <= last:
            raise InvalidArgument(
                f"via {text} is not in the network of addr {shown}",
                hint=f"--via {format_address(network + 1)}",
            )
        route = _owner(net, address)
        if route is None:
            continue
        if route.type is RouteType.LOCAL:
            raise InvalidArgument(
                f"{word} {text} is an address of the stack already (dev {route.dev})",
                hint="leave --addr out, and a free network is chosen",
            )
        if route.plen >= wire.plen or (route.via is None and route.dev is not None):
            there = f"{format_address(route.prefix)}/{route.plen}"
            raise InvalidArgument(
                f"addr {shown}: the stack has a route to {there} already (dev {route.dev})",
                hint="leave --addr out, and a free network is chosen",
            )
    if wire.local == wire.gateway:
        raise InvalidArgument(f"via {format_address(wire.gateway)} is the program's own address")
    return wire
