"""Commands that a fix may be, and how each is tried on a clone.

What is tried is what is printed: each command is taken apart into its words.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from smolctl.errors import InvalidArgument, NotFound
from smolctl.stack.config.addr import add_address, change_address
from smolctl.stack.config.link import set_arp, set_mtu, set_up
from smolctl.stack.config.maddr import join_static
from smolctl.stack.config.netem import set_impairment
from smolctl.stack.config.route import add_route, delete_route
from smolctl.stack.config.rule import add_rule, delete_rule
from smolctl.stack.config.sysctl import set_sysctl
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import InsertMode, Route, RouteType, TableName
from smolctl.stack.fib.rule import Rule
from smolctl.stack.interface import Interface
from smolctl.stack.ip.groups import ANYBODY, SourceFilter
from smolctl.stack.ip.membership import join
from smolctl.stack.ip.way import Way
from smolctl.stack.link.impairment import Netem
from smolctl.stack.neighbor.states import State
from smolctl.stack.proof.again import Again
from smolctl.stack.transport.socket_base import ANY
from smolctl.stack.transport.tcp.tcp import Tcp
from smolctl.stack.transport.udp.udp import Udp
from smolctl.wire.address import IPV4, IPV6, parse_address, parse_mac, split_zone

Values = Mapping[str, Any]


class Trial:
    """A clone on which a command is tried.

    Args:
        udp: of the clone; it knows the networks.
        tcp: of the clone.
        values: what was recorded with the reason: the rule or route that a command is about.
    """

    def __init__(self, udp: Udp, tcp: Tcp, again: Again, values: Values, now: int) -> None:
        self.again, self.now, self._tcp = again, now, tcp
        self._udp, self._net = udp, udp.networks[IPV4]
        self._values = values

    def _speak(self, *words: str) -> None:
        """Change what is of the family of an address among some words."""
        for word in words:
            address = word.partition("/")[0]
            if ":" in address or address.count(".") == 3:
                self._net = self._udp.networks.for_address(parse_address(address))

    def make(self, command: str) -> None:
        """Make a change.

        Raises:
            StackError: it is refused, as the command would be, or nobody can try it here.
        """
        _, *said = command.split()
        self._net = self._udp.networks[IPV4]  # as the command line has it
        if said[0] == "-6":
            self._net, said = self._udp.networks[IPV6], said[1:]
        noun, verb, *words = said
        change = _CHANGES.get(f"{noun} {verb}")
        if noun == "sysctl":
            self._sysctl(verb)
        elif change is not None:
            change(self, words)
        else:
            raise InvalidArgument(f"{noun} {verb} is tried by nobody")

    # --- one command each -------------------------------------------------------------------------

    def _sysctl(self, word: str) -> None:
        key, _, value = word.partition("=")
        set_sysctl(self._udp, key, value, origin="command line")

    def _link_set(self, words: list[str]) -> None:
        interface, shared = self._named(words[0]), self._udp.shared
        if words[1] == "up":
            set_up(shared, interface, True, self.now)
        elif words[1] == "arp":
            set_arp(shared, interface, words[2] == "on", self.now)
        elif words[1] == "mtu":
            set_mtu(shared, interface, int(words[2]))
        else:  # each of them to 0
            old = Netem() if interface.impairment is None else interface.impairment.netem
            none = {_NETEM.get(word, word): 0 for word in words[1::2]}
            set_impairment(shared, interface, replace(old, **none))

    def _addr(self, words: list[str]) -> None:
        prefix, _, dev = words[:3]
        text, _, plen = prefix.partition("/")
        self._speak(text)
        net, interface = self._net, self._named(dev)
        local = parse_address(text)
        old = net.of(interface).addresses.find(local, int(plen))
        new = net.new_address(local, int(plen), interface)
        new.dad = False if "nodad" in words else None
        if old is None:
            add_address(net, interface, new, self.now)
            # A test takes its time, and nobody who has the address is known.
            net.take_untested(interface, new, self.now)
        else:
            change_address(net, interface, old, new, self.now)

    def _route_add(self, words: list[str], mode: InsertMode = InsertMode.ADD) -> None:
        where, said = words[0], dict(zip(words[1::2], words[2::2], strict=True))
        text, _, bits = where.partition("/")
        self._speak(text, said.get("via", ""))
        via = parse_address(said["via"]) if "via" in said else None
        prefix, plen = self._net.family.mark, 0
        if where != "default":
            prefix, plen = parse_address(text), int(bits or self._net.family.bits)
        route = Route(prefix, plen, via=via, on_link=via is None, dev=said.get("dev"))
        add_route(self._net, route, mode)

    def _route_replace(self, words: list[str]) -> None:
        self._route_add(words, InsertMode.REPLACE)

    def _route_del(self, words: list[str]) -> None:
        route: Route = self._values["_route"]
        spec = Route(route.prefix, route.plen, RouteType(words[0]), route.table)
        spec.metric = route.metric
        delete_route(self._net, spec, {"type", "metric"} if route.metric else {"type"})

    def _route_change(self, words: list[str]) -> None:
        """Give a route another MTU: the words are all of them its own but for that."""
        way: Way = self._values["_way"]
        old = way.route
        mtu = next(int(word) for word in words[words.index("mtu") :] if word.isdigit())
        if isinstance(old, Hop) and old.whole is not None:
            old = old.whole
        if old is None:
            raise InvalidArgument("no route has a MTU to change")
        new = old.clone() if isinstance(old, Multipath) else replace(old)
        for each in (new, *(new.hops if isinstance(new, Multipath) else ())):
            each.mtu = mtu
        self._net.fib.insert(new, InsertMode.REPLACE)
        self._net.generation.touch()

    def _rule_add(self, words: list[str]) -> None:
        """Put the table local before all others."""
        add_rule(self._net, Rule(int(words[1]), table=TableName.LOCAL))

    def _rule_del(self, words: list[str]) -> None:
        rule: Rule = self._values["_rule"]
        if rule not in list(self._net.fib.rules):
            raise NotFound("the rule is gone")
        delete_rule(self._net, rule)

    def _neigh_replace(self, words: list[str]) -> None:
        self._speak(words[0])
        ip, mac, interface = parse_address(words[0]), parse_mac(words[2]), self._named(words[4])
        neighbors = self._net.neighbors
        actions = neighbors[interface.name].set(ip, State.REACHABLE, mac, self.now)
        neighbors.perform(interface, actions, self.now)

    def _named(self, name: str) -> Interface:
        return self._udp.interfaces.named(name)

    def _maddr_add(self, words: list[str]) -> None:
        self._speak(words[0])
        join_static(self._net, self._named(words[2]), parse_address(words[0]))

    def _udp_recv(self, words: list[str]) -> None:
        """Open a socket as the command would: WHERE, and options before or behind it."""
        at = next(at for at, word in enumerate(words) if word[0] != "-" and _is_place(words, at))
        where, rest = words[at], words[:at] + words[at + 1 :]
        options = dict(zip(rest[::2], rest[1::2], strict=True))
        address, _, port = where.rpartition(":")
        address, zone = split_zone(address.strip("[]"))
        udp, dev, group = self._udp, options.get("--dev", zone), options.get("--group")
        local = group or address
        self._speak(local)
        socket = udp.open("udp recv", self._net.family)
        socket.reuse, socket.multicast_all = group is not None, group is None
        udp.bind(socket, parse_address(local) if local else ANY, int(port), dev)
        if group is not None:
            source = options.get("--source")
            wanted = ANYBODY
            if source is not None:
                wanted = SourceFilter(False, frozenset([parse_address(source)]))
            join(self._net, socket, self._named(dev or ""), parse_address(group), wanted)

    def _tcp_listen(self, words: list[str]) -> None:
        """Have a socket listen as the command would: ADDRESS:PORT, and maybe an interface."""
        address, _, port = words[0].rpartition(":")
        address, zone = split_zone(address.strip("[]"))
        zone = words[2] if words[1:2] == ["--dev"] else zone
        self._speak(address)
        socket = self._tcp.open("tcp listen", self._net.family)
        socket.v6only = True
        self._tcp.bind(socket, parse_address(address), int(port), zone)
        self._tcp.listen(socket)

    def _udp_send(self, words: list[str]) -> None:
        """Send it as a broadcast: not the stack changes, but what is asked of it."""
        if words[0] != "--broadcast":
            raise InvalidArgument("not what was asked")
        self._ping_broadcast(words)

    def _ping_broadcast(self, _words: list[str]) -> None:
        if self.again.question is None:
            raise InvalidArgument("not what was asked")
        question = self.again.question._replace(broadcast=True)
        self.again = self.again._replace(question=question)


def _is_place(words: list[str], at: int) -> bool:
    """Tell whether a word is not the value of an option."""
    return at == 0 or words[at - 1][0] != "-"


_NETEM = {"delay": "delay_ns", "jitter": "jitter_ns"}
_CHANGES: dict[str, Callable[[Trial, list[str]], None]] = {
    "link set": Trial._link_set,
    "addr add": Trial._addr,
    "addr replace": Trial._addr,
    "route add": Trial._route_add,
    "route replace": Trial._route_replace,
    "route del": Trial._route_del,
    "route change": Trial._route_change,
    "rule add": Trial._rule_add,
    "rule del": Trial._rule_del,
    "neigh replace": Trial._neigh_replace,
    "maddr add": Trial._maddr_add,
    "tcp listen": Trial._tcp_listen,
    "udp recv": Trial._udp_recv,
    "udp send": Trial._udp_send,
    "ping -b": Trial._ping_broadcast,
}
"""Functions that try a command, by noun and verb."""
