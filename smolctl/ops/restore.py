"""Stacks from rows: from a snapshot, or from the changes of a saved configuration.

What is made is a stack of this process, without devices. It predicts as the one that the rows are
of; time may also pass in it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from smolctl.errors import InvalidArgument, SmolctlError
from smolctl.ops import snapshot_shapes as shapes
from smolctl.ops.aside import Copied, CopyUser, Work
from smolctl.ops.changes import check
from smolctl.ops.context import Context, Row
from smolctl.ops.link_options import KINDS
from smolctl.ops.restore_sockets import Sockets
from smolctl.ops.scratch import NoDevices, Scratch
from smolctl.ops.shapes import MAC, zeros
from smolctl.ops.snapshot import SCHEMA
from smolctl.stack.fib.exceptions import RouteException
from smolctl.stack.fib.fib import Fib, LostRoute
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.nexthop_objects import NextHopObject
from smolctl.stack.fib.path_mtu import Path, PathMtu
from smolctl.stack.fib.route import InsertMode, Route, Scope
from smolctl.stack.fib.rule import Rule, Rules
from smolctl.stack.interface import OUTBOX_LIMIT, Interface, Medium, Mirror, Vlan
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.dad import DadEntry, Phase
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.address_labels import AddressLabel, AddressLabels
from smolctl.stack.ipv6.addresses import Address6
from smolctl.stack.link.impairment import Impairment, Netem
from smolctl.stack.neighbor.entry import Neighbor, Silence
from smolctl.stack.neighbor.eviction import Eviction
from smolctl.stack.neighbor.memory import CacheMemory
from smolctl.stack.neighbor.probe_client import ArpClient, NdClient
from smolctl.stack.neighbor.proxy import ProxyEntry
from smolctl.stack.packet import Packet
from smolctl.stack.proof.prover import Prover
from smolctl.stack.stack import Stack
from smolctl.stack.sysctl.precedence import Assignment, Level
from smolctl.stack.sysctl.settings import Assigned, Settings
from smolctl.stack.trace.trace import Trace
from smolctl.wire import ipv4, ipv6
from smolctl.wire.address import IPV4, IPV6, family_of, parse_address

_NETWORKS = {IPV4.name: IPV4, IPV6.name: IPV6}
_SOME_ADDRESS: Row = {"scope": Scope.GLOBAL, "label": ""}
_WRONG = (
    LookupError, ValueError, TypeError, AttributeError, AssertionError, OverflowError, MemoryError,
    SmolctlError,
)  # fmt: skip
"""Errors of a row that was not made by ``snapshot``: it may have been written by anybody."""
_FRAME = bytes(14)
"""In the place of a frame that waits in an outbox."""


def middle() -> float:
    """Stand in for randomness, as in every prediction."""
    return 0.5


def restore(
    rows: Iterable[Mapping[str, Any]], now: int, random: Callable[[], float] = middle
) -> Stack:
    """Return the stack that a snapshot shows, as if it had been taken at ``now``, ns.

    Raises:
        InvalidArgument: these are no rows of a snapshot, or of another version; the message tells
            which is wrong.
    """
    restorer, number = None, 0
    for number, row in enumerate(rows, 1):
        if restorer is None:
            _check(row)
        try:
            if restorer is None:
                restorer = _Restorer(row, now, random)
            else:
                restorer.take(row)
        except _WRONG as error:
            raise InvalidArgument(
                f"row {number} is no row of a snapshot: {type(error).__name__}: {error}"
            ) from None
    if restorer is None:
        raise InvalidArgument("a snapshot has at least one row, and there is none")
    try:
        return restorer.finish()
    except _WRONG as error:
        raise InvalidArgument(
            f"the rows of the snapshot do not go together: {type(error).__name__}: {error}"
        ) from None


def _check(row: Mapping[str, Any]) -> None:
    """See that the first row is that of a snapshot that can be read."""
    if not isinstance(row, Mapping) or row.get("part") != "stack":
        raise InvalidArgument(
            "this is no snapshot of a stack", hint="make one: smolctl stack snapshot > FILE"
        )
    if row.get("schema") != SCHEMA:
        raise InvalidArgument(
            f"the snapshot is a {row.get('schema')}, and this smolctl reads {SCHEMA}",
            hint="take it anew with this version: smolctl stack snapshot > FILE",
        )


class _Restorer:
    """A stack that is being made, row by row.

    Args:
        head: the first row.
        now: the time of the snapshot, on the new stack's clock.
    """

    def __init__(self, head: Mapping[str, Any], now: int, random: Callable[[], float]) -> None:
        settings = Settings()
        settings.profile = head["profile"]
        places = {
            key: Assignment(Level.of(level), key, text, place)
            for key, (level, text, place) in head["set_by"].items()
        }
        settings.assign(
            Assigned(head["sysctls"], head["all"], head["default"], head["default_fixed"], places)
        )
        self._now, self._random = now, random
        self._stack = Stack(random, settings)
        self._last_index = head["last_index"]
        self._stack.shared.uid = head.get("uid", 0)
        wall = head["wall_time"]
        self._stack.shared.wall_time = lambda at: float(wall + (at - now) / 1e9)
        self._caches: dict[tuple[str, str], CacheMemory] = {}
        self._entries: dict[tuple[str, str], list[Neighbor]] = {}
        self._queues: list[tuple[Neighbor, str, list[Row]]] = []
        self._rules: dict[str, list[Rule]] = {IPV4.name: [], IPV6.name: []}
        self._labels: list[AddressLabel] = []
        self._mirrors: list[tuple[Mirror, Row]] = []
        self._sockets = Sockets(self._stack, now)
        self._takers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "link": self._link,
            "address": self._address,
            "proxy": self._proxy,
            "group": self._group,
            "nexthop": self._next_hop,
            "route": self._route,
            "rule": self._rule,
            "redirect": self._redirect,
            "path_mtu": self._path_mtu,
            "lost_default": self._lost_default,
            "cache": self._cache,
            "neighbor": self._neighbor,
            "family": self._family,
            "asker": self._asker,
            "label": self._label,
            **self._sockets.takers,
        }

    def take(self, row: Mapping[str, Any]) -> None:
        """Put in what a row tells."""
        taker = self._takers.get(row["part"])
        if taker is None:
            raise ValueError(f'nothing is known of a part "{row["part"]}"')
        taker(row)

    def finish(self) -> Stack:
        """Return the stack, when all rows were taken."""
        stack = self._stack
        stack.interfaces.last_index = self._last_index
        for mirror, told in self._mirrors:  # each may be on, or a port of, one that comes later
            mirror.master, mirror.lower = (
                stack.interface(told[name]) if name in told else None
                for name in ("master", "lower")
            )
        for (family, dev), memory in self._caches.items():
            net = stack.networks[_NETWORKS[family]]
            net.neighbors[dev].restore(memory, self._entries.get((family, dev), ()))
        for family, rules in self._rules.items():
            fib = stack.networks[_NETWORKS[family]].fib
            fib.rules = Rules(())
            for rule in rules:
                fib.rules.insert(rule)
        for net in stack.networks.values():
            net.note_carriers()
            for link in stack.interfaces.values():
                net.neighbors.note_arp(link)
        stack.ipv6.labels = AddressLabels(self._labels)
        self._sockets.finish()
        stack.ledger.prove = Prover(stack)
        stack.generation.touch()
        return stack

    # --- links and addresses ----------------------------------------------------------------------

    def _link(self, row: Mapping[str, Any]) -> None:
        stack, name = self._stack, row["name"]
        told = shapes.LINK.values(row, self._now)
        medium = told.get("medium", Medium.ETHERNET)
        link = stack.interfaces.get(name)
        if link is None:
            link = stack.interfaces.create(name, told["kind"], medium, told["mtu"], told["mac"])
        shapes.LINK.fill(link, row, self._now)
        stack.settings.assign_link(name, row["sysctls"], row["fixed"])
        link.settings.settled = row["settled"]
        link.options = row.get("options", {})
        if (vlan := row.get("vlan")) is not None:
            lower = stack.interface(vlan["lower"])
            link.vlan = Vlan(lower, vlan["tpid"], vlan["vid"], vlan["own_mac"])
            lower.vlans[vlan["tpid"], vlan["vid"]] = link
        if (said := row.get("mirror")) is not None:
            link.mirror = Mirror(said["kind"], said["index"])
            self._mirrors.append((link.mirror, said))
        if "netem" in row:
            netem = Netem(**shapes.NETEM.values(row["netem"], self._now))
            link.impairment = Impairment(netem, self._random, stack.timers.alarm)
        link.outbox = [_FRAME] * min(row.get("waiting", 0), OUTBOX_LIMIT)

    def _place(self, row: Mapping[str, Any]) -> tuple[Network, Interface]:
        """Return of which family and link a row tells."""
        return self._stack.networks[_NETWORKS[row["family"]]], self._stack.interface(row["dev"])

    def _address(self, row: Mapping[str, Any]) -> None:
        net, link = self._place(row)
        state = net.of(link)
        address: Address
        if net.family is IPV6:
            address = Address6(**_SOME_ADDRESS | shapes.ADDRESS6.values(row, self._now))
        else:
            address = Address(**_SOME_ADDRESS | shapes.ADDRESS4.values(row, self._now))
        state.addresses.items.append(address)
        deprecated = address.deprecated
        state.lifetimes.watch(address, self._now)
        address.deprecated = deprecated
        if "test" in row:
            entry = DadEntry(address, Phase.WAITING)
            state.dad.put(shapes.DAD.fill(entry, row["test"], self._now))

    def _proxy(self, row: Mapping[str, Any]) -> None:
        net, link = self._place(row)
        entry = ProxyEntry(parse_address(row["ip"]), row.get("router", False))
        net.of(link).proxies.entries[entry.ip] = entry

    def _group(self, row: Mapping[str, Any]) -> None:
        net, link = self._place(row)
        groups, group = net.of(link).groups, parse_address(row["group"])
        for member, wanted in row["members"].items():
            groups.set(group, member, shapes.SOURCES.value(wanted, self._now))

    # --- ways -------------------------------------------------------------------------------------

    def _next_hop(self, row: Mapping[str, Any]) -> None:
        values = shapes.NEXT_HOP.values(row, self._now)
        self._stack.next_hops.put(NextHopObject(**{"family": None, **values}))

    def _route(self, row: Mapping[str, Any]) -> None:
        route = self._made(row)
        fib = self._stack.networks.for_address(route.prefix).fib
        fib.insert(route, InsertMode.APPEND)

    def _made(self, row: Mapping[str, Any]) -> Route:
        values = shapes.ROUTE.values(row, self._now)
        if "hops" not in row:
            return Route(**values)
        whole = Multipath(**values)
        whole.hops = tuple(
            Hop(**shapes.HOP_OF.values(hop, self._now), whole=whole) for hop in row["hops"]
        )
        return whole

    def _rule(self, row: Mapping[str, Any]) -> None:
        self._rules[row["family"]].append(Rule(**shapes.RULE.values(row, self._now)))

    def _redirect(self, row: Mapping[str, Any]) -> None:
        fib = self._stack.networks[_NETWORKS[row["family"]]].fib
        fib.exceptions.put(
            RouteException(
                parse_address(row["dst"]), _at(fib, row["route"]), parse_address(row["gateway"]),
                self._now - row["expires_ns"],
            )
        )  # fmt: skip

    def _path_mtu(self, row: Mapping[str, Any]) -> None:
        fib = self._stack.networks[_NETWORKS[row["family"]]].fib
        path = Path(parse_address(row["dst"]), row["dev"], parse_address(row["next_hop"]))
        known = PathMtu(row["mtu"], row["locked"], self._now - row["learned_ns"])
        fib.path_mtus.note(path, known)

    def _lost_default(self, row: Mapping[str, Any]) -> None:
        fib = self._stack.networks[_NETWORKS[row["family"]]].fib
        fib.lost_default = LostRoute(self._made(row["route"]), self._now - row["at_ns"])

    def _family(self, row: Mapping[str, Any]) -> None:
        net, now = self._stack.networks[_NETWORKS[row["family"]]], self._now
        if not row["usual_rules"]:
            net.fib.obey_rules()
        net.hash_seed, net.idents.start = row["hash_seed"], row["idents"]["start"]
        net.idents.used = {counter: used for counter, used in row["idents"]["used"]}
        net.icmp_limiter.peers = _hosts(row["icmp_limit"], now)
        net.redirects.hosts = _hosts(row["redirects_sent"], now)
        if "icmp_credit" in row:
            left, ago = row["icmp_credit"]
            net.icmp_limiter.credit.left, net.icmp_limiter.credit.stamp_ns = left, now - ago

    def _label(self, row: Mapping[str, Any]) -> None:
        prefix = parse_address(row["prefix"])
        self._labels.append(AddressLabel(prefix, row["plen"], row["label"], row.get("dev")))

    # --- neighbors --------------------------------------------------------------------------------

    def _cache(self, row: Mapping[str, Any]) -> None:
        now = self._now
        until, asked = row.get("silence", (None, "0.0.0.0"))
        silence = Silence(0 if until is None else now - until, parse_address(asked))
        evictions = tuple(
            Eviction(now - ago, parse_address(ip), parse_address(new))
            for ago, ip, new in row.get("evictions", ())
        )
        self._caches[row["family"], row["dev"]] = CacheMemory(
            row["reachable_factor"], now - row["redraw_ns"], now - row["collect_ns"], silence,
            evictions,
        )  # fmt: skip

    def _neighbor(self, row: Mapping[str, Any]) -> None:
        values = shapes.NEIGHBOR.values(row, self._now)
        entry = Neighbor(**values)
        family = family_of(entry.ip)
        self._entries.setdefault((family.name, row["dev"]), []).append(entry)
        link = self._stack.interface(row["dev"])
        for packet in row.get("queue", ()):
            entry.push(self._waiting(packet, link), _UNBOUNDED)

    def _waiting(self, row: Mapping[str, Any], link: Interface) -> Packet:
        """Return a packet that waits for a neighbor, with zeros behind its IP header."""
        header = bytes.fromhex(row["header"])
        data = header + zeros(row["length"] - len(header))
        packet = Packet(data, link, self._now, Trace(), self._stack.shared.recorder)
        parse = ipv6.parse_unchecked if header[:1] >= b"\x60" else ipv4.parse_unchecked
        packet.header = parse(data)
        return packet

    def _asker(self, row: Mapping[str, Any]) -> None:
        net = self._stack.networks[_NETWORKS[row["family"]]]
        make = NdClient if net.family is IPV6 else ArpClient
        net.probe_clients.append(
            make(
                row["dev"], parse_address(row["target"]), parse_address(row["sender"]),
                MAC.value(row["sender_mac"], self._now), ready_queue=self._stack.ready,
            )
        )  # fmt: skip


class _Unbounded:
    """The sysctls of a queue that takes all."""

    def __getitem__(self, key: str) -> int:
        return 1 << 62

    def ns(self, key: str) -> int:
        """Return a long time."""
        return 1 << 62


_UNBOUNDED = _Unbounded()


def _at(fib: Fib, place: list[Any]) -> Route:
    """Return the route that stands at a place; see ``snapshot``."""
    table, prefix, plen, index, *hop = place
    route: Route = fib.tables[table].chain(parse_address(prefix), plen)[index]
    if not hop:
        return route
    assert isinstance(route, Multipath)
    found: Hop = route.hops[hop[0]]
    return found


def _hosts(told: list[list[Any]], now: int) -> dict[int, tuple[int, int]]:
    return {parse_address(host): (number, now - ago) for host, number, ago in told}


# --- from a saved configuration -------------------------------------------------------------------


def configured(changes: Iterable[tuple[str, Row]], now: int) -> Stack:
    """Return the stack that changes make of a fresh one: what ``config save`` prints, as requests.

    Its links have no devices, and carrier. Nothing was learned in it yet.

    Raises:
        SmolctlError: a change is refused.
    """
    scratch = scratch_of_all_kinds(now)
    for op, args in changes:
        check(op)
        scratch.apply(op, args)
    stack = scratch.context.stack
    stack.ledger.prove = Prover(stack)
    return stack


def scratch_of_all_kinds(now: int) -> Scratch:
    """Return a fresh stack to try changes on, in which links of all kinds can be made.

    Args:
        now: its time, ns.
    """
    return Scratch(Context(Stack(middle), NoDevices(list(KINDS)), _Nobody(), now))


class _Nobody:
    """In the place of a daemon: changes ask it for nothing."""

    def status(self, now: int) -> Row:
        """Return that there is no process."""
        return {}

    def wall_time(self, now: int) -> float:
        """Return that nobody knows the time of day."""
        return 0.0

    def blame(self, doing: str, error: Exception) -> SmolctlError:
        """Let an error be seen: there is no log."""
        raise error

    def request_stop(self, reason: str) -> None:
        """End nothing."""

    def copy(self, work: Work, user: CopyUser) -> Copied:
        """Refuse: no change needs a copy."""
        raise AssertionError("a change needs no copy")
