"""Questions about the Linux host's own packets: asked of its twin, answered in the host's words.

Where something decides that was not looked at, the answer is that nobody can say.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from smolctl.errors import SmolctlError
from smolctl.host import neighbors, nftrace
from smolctl.host.check import Place, compare
from smolctl.host.commands import Commands, prefixes
from smolctl.host.drop_names import LINUX
from smolctl.host.limits import Case, Decides, Limit, chains, limits, unread_filters
from smolctl.host.links import ETHER, NOARP, UP, Link
from smolctl.host.passage import length, passages
from smolctl.host.reading import HostState
from smolctl.host.twin import Twin, twin
from smolctl.host.underlay import TUNNELS, endpoint_command, hidden_in
from smolctl.ops.args import Args
from smolctl.ops.operations import OPS
from smolctl.ops.why import question_of, told
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.config.sysctl import set_sysctl
from smolctl.stack.explain.predict import Question
from smolctl.stack.explain.route_words import route_text
from smolctl.stack.explain.verdict import blame, good
from smolctl.stack.fib.nexthop import Hop, Multipath
from smolctl.stack.fib.route import InsertMode
from smolctl.stack.interface import ETHERNET_MTU
from smolctl.stack.ip.way import Way, WayType
from smolctl.stack.reason.neigh import NEIGH_PENDING
from smolctl.stack.stack import Stack
from smolctl.stack.trace.facts import Hashed
from smolctl.stack.trace.trace import Direction, Trace
from smolctl.wire.address import IPV6_MARK, format_address, parse_zoned

Row = dict[str, Any]
_T = TypeVar("_T")
_ASK = "why.ask"
_DEEP = 4
"""Tunnels in tunnels that are followed."""
_SYSCTL, _ORIGIN = "smolctl sysctl ", "command line"
_MTU = re.compile(r"link set (\S+) mtu (\d+)")
_CARRIER = {
    "veth": "is its other end up, in another namespace? {inside}ethtool -S {name} has its number",
    "bridge": "which of its ports has a carrier? {inside}bridge link show",
    "tun": "does a program have it open, such as a VPN's? nobody is at the other end of {name}",
}
"""Advice about a link without a carrier, by its kind."""
_BRIDGED = ("bridge", "bond", "team")
"""Kinds of links that take what comes in by their ports."""


class Host:
    """A host that is asked about its packets.

    Args:
        state: what was read of it.
        netns: name or path of its namespace, for commands; None for the one in which they are run.
    """

    def __init__(self, state: HostState, netns: str | None = None) -> None:
        self.state, self.netns = state, netns
        self.twin: Twin = twin(state)
        self.commands = Commands(state, netns)
        self._ip, self._inside = prefixes(netns)

    def question(self, words: Mapping[str, Any]) -> Question:
        """Return the packet that words ask about; what comes in by a bridge's port, by the bridge.

        Args:
            words: as ``why.ask`` has them.

        Raises:
            SmolctlError: it is none; it speaks of the host.
        """
        said = dict(words)
        for key in ("dev", "iif"):
            link = self.state.link_named(str(said.get(key)))
            if link is not None:
                said[key] = self._master(link).name if key == "iif" else link.name
        try:
            packet = question_of(Args(_ASK, said, OPS[_ASK].names), self.twin.stack)
        except SmolctlError as error:
            raise self._speaking(error) from None
        return packet._replace(binds=True)

    def _master(self, link: Link) -> Link:
        """Return the link that takes what comes in by a port of it, if the port takes it."""
        if not link.flags & UP:
            return link
        above = next((each for each in self.state.links if each.ifindex == link.master), None)
        return above if above is not None and above.kind in _BRIDGED else link

    def _speaking(self, error: SmolctlError) -> SmolctlError:
        """Return an error in the host's words."""
        error.message = self.commands.said(error.message)
        if error.hint is not None:
            hint = self.commands.said(error.hint)
            error.hint = hint.replace("smolctl why ", "smolctl why --host ")
        return error

    def answer(self, question: Question, *, check: bool = False, deep: int = _DEEP) -> Row:
        """Return the row of an answer.

        Args:
            question: what is asked.
            check: ask the kernel, too; see ``check.compare``. As root, a real packet is sent in a
                throw-away copy of the namespace, as well; see ``replica.check.really``.
            deep: how many tunnels are followed.

        Raises:
            SmolctlError: no such packet can be; it speaks of the host.
        """
        try:
            row, trace = told(self.twin.stack, question, 0)
        except SmolctlError as error:
            raise self._speaking(error) from None
        case = Case(
            self.state, self.twin.notes, passages(self.state, question, trace), question,
            self._ip, self._inside,
        )  # fmt: skip
        found = limits(case)
        row = self._in_our_words(row, trace)
        if row.get("reason") == "tx-src-not-ours" and not row["fix"]:
            row["look"] = f"{row['look']}; if it is to be forwarded, say by which link: iif DEV"
        elif row.get("reason") == "tx-no-carrier":
            self._no_carrier(row, question, trace)
        elif "ignored" in blame(trace)[1]:
            self._not_counted(row, trace)
        elif row["ok"]:
            _tell_detour(row, trace, self._ip)
            self._unanswered(row, trace)
        row["host"] = self._host_row()
        found += self._one_of_many(row, question, trace)
        below = self._below(row, case, trace, deep)
        found += below
        found.sort(key=lambda limit: limit.decides is Decides.NO)
        _judge(row, found)
        if found:
            row["not_looked_at"] = list(dict.fromkeys(limit.text for limit in found))
        command = self._tracing(case)
        if command is not None:
            row["trace"] = command
        if check:
            where, several = Place(self.netns, self._ip), row.get("one_of", [])
            row["check"] = compare(self.state, question, trace, where, several)
            if os.geteuid() == 0:
                from smolctl.host.replica.check import really  # nobody else need load it

                row["check"]["copy"] = really(self.state, question, trace)
        return row

    def _tracing(self, case: Case) -> str | None:
        """Return the command that shows what a packet filter does with the packet, if it may."""
        first, tools = case.passages[0], {chain.tool for chain in chains(case)}
        unread = unread_filters(case) and bool(first.hooks)
        if "nftables" in tools or (unread and not tools):
            return nftrace.nft_command(first, case.question, self._inside)
        if tools:
            return nftrace.iptables_command(first, case.question, self._inside)
        return None

    def _host_row(self) -> Row:
        row: Row = {"release": ".".join(map(str, self.state.release))}
        if self.netns is not None:
            row["netns"] = self.netns
        return row | {"settled": self.state.settled}

    # --- words ------------------------------------------------------------------------------------

    def _in_our_words(self, row: Row, trace: Trace) -> Row:
        """Return a row of ``why`` that speaks of the host, with fixes that can be run there."""
        reason, detail = blame(trace)
        shown = {"dev": trace.dev or "", **detail}
        dev = str(shown["dev"] or "")
        said = self.commands.said
        row = {**row, "why": said(row["why"], dev)}
        row["steps"] = [{**step, "text": said(step["text"], dev)} for step in row["steps"]]
        if reason is None:
            return row
        proven, look = row["fix"], row.get("look")
        row["fix"] = [fix for each in proven if (fix := self._fix(each, dev)) is not None]
        if proven and not row["fix"]:
            look = self.commands.instead(reason.name, proven[0], shown)
        elif look is not None:
            look = self.commands.look(reason.name, look, shown)
        if look is not None and not row["fix"]:
            row["look"] = look
        name = LINUX.get(reason.name)
        if name is not None:
            row["linux"] = name
            row["verdict"] = f"{row['verdict']} ({name})"
        return row

    def _fix(self, command: str, dev: str) -> str | None:
        """Return the host's command; None of an MTU that the way below may not carry."""
        found = _MTU.search(command)
        if found is not None:
            link = self.state.link_named(found[1])
            if (link is not None and _is_tunnel(link)) or int(found[2]) > ETHERNET_MTU:
                return None
        return self.commands.fix(command, dev)

    def _unanswered(self, row: Row, trace: Trace) -> None:
        """Say that who is waited for did not answer the kernel's last questions, if it is so."""
        for each in (trace, *trace.answers):
            if each.reason is not NEIGH_PENDING:
                continue
            text, dev = str(each.detail["next_hop"]), str(each.detail["dev"])
            sought, _ = parse_zoned(text)
            link = self.state.link_named(dev)
            if link is not None and link.flags & NOARP and sought < IPV6_MARK:
                row["why"] += f"; {dev} has no ARP, and asks nobody"
                row["look"] = f"{self._ip} neigh show nud all dev {dev}"
                return
            if any(
                entry.dst == sought
                and self.state.name_of(entry.ifindex) == dev
                and neighbors.STATES.get(entry.state) == "failed"
                for entry in self.state.neighbors
            ):
                row["why"] += f"; {text} did not answer when it was last asked for (FAILED)"
                row["look"] = (
                    f"is {text} up, and behind {dev}? {self._ip} neigh show {text} dev {dev}"
                )
                return

    # --- links without a carrier ------------------------------------------------------------------

    def _is_for_containers(self, link: Link) -> bool:
        """Tell whether a link is a bridge between what is on this machine alone."""
        ports = [each for each in self.state.links if each.master == link.ifindex]
        return link.kind == "bridge" and all(each.kind for each in ports)

    def _carrier_of(self, link: Link) -> str:
        """Return what to look at where a link has no carrier."""
        text = _CARRIER.get(link.kind, "is a cable plugged in? {inside}ethtool {name}")
        return text.format(name=link.name, inside=self._inside)

    def _not_counted(self, row: Row, trace: Trace) -> None:
        """Say what to look at where a route does not count, as its link has no carrier."""
        _, detail = blame(trace)
        scope = str(detail["sysctl"])
        for net in self.twin.stack.networks.values():
            scope = scope.removesuffix(f".{net.linkdown_sysctl}")
        link = self.state.link_named(scope)
        if link is not None and not row["fix"]:
            row["look"] = self._carrier_of(link)

    def _no_carrier(self, row: Row, question: Question, trace: Trace) -> None:
        """Say what gives a link its carrier, or leads past it, where that is proven."""
        _, detail = blame(trace)
        link = self.state.link_named(str(detail.get("dev") or trace.dev or ""))
        if link is None:
            return
        name, index = link.name, {each.ifindex: each for each in self.state.links}
        way = next((way for way in _ways(trace) if way.interface.name == name), None)
        if way is not None and way.route is not None:
            row["why"] += f"; the best route is {route_text(way.route)}"
        row["look"] = self._carrier_of(link)
        peer = index.get(link.lower) if link.lower_netns is None else None
        if link.kind == "veth" and peer is not None and not peer.flags & UP:
            clone = clone_for_changes(self.twin.stack)
            clone.interface(name).carrier = clone.interface(peer.name).up = True
            clone.generation.touch()
            if good(told(clone, question, 0)[1]):
                row["fix"].append(f"{self._ip} link set {peer.name} up")
        if not _is_tunnel(link):
            self._past(row, question, trace, link)
        if row["fix"]:
            row.pop("look")

    def _past(self, row: Row, question: Question, trace: Trace, link: Link) -> None:
        """Add the fix that leads past a link without a carrier.

        What is behind a tunnel is nowhere else: past a VPN, a packet would be lost in the open. Nor
        does a router lead to who is on the link itself; another link with its network may. On a
        bridge for containers nobody is while it has no carrier: who is sought is elsewhere, unless
        all on the link are.
        """
        name = link.name
        alone = self._is_for_containers(link) and _is_for_one(trace)
        net = self.twin.stack.networks.for_address(question.dst)
        past = f"{_SYSCTL}{name}.{net.linkdown_sysctl}=1"
        clone = clone_for_changes(self.twin.stack)
        try:
            set_sysctl(clone.udp, past.removeprefix(_SYSCTL).partition("=")[0], "1", origin=_ORIGIN)
            then = told(clone, question, 0)[1]
            pairs = zip(_ways(trace), _ways(then), strict=False)
            helps = good(then) and (
                alone
                or not any(
                    old.interface.name == name and _is_straight(old) and not _is_straight(new)
                    for old, new in pairs
                )
            )
        except SmolctlError:
            helps = False
        command = self.commands.fix(past, name) if helps else None
        row["fix"] += [command] if command is not None else []

    # --- several next hops ------------------------------------------------------------------------

    def _one_of_many(self, row: Row, question: Question, trace: Trace) -> list[Limit]:
        """Tell that the kernel's own hash picks a next hop, and whether that decides."""
        whole, living = next_hops(trace)
        if whole is None:
            return []
        row["one_of"] = [_hop_text(hop) for hop in living]
        ways = ", ".join(row["one_of"])
        several = by_each_hop(
            self.twin.stack, question.dst, lambda stack: told(stack, question, 0), (row, trace)
        )
        ends = {_end(each) for _, each in several}
        text = f"the kernel's own hash picks the next hop: one of {{{ways}}}"
        return [Limit(text, Decides.NO if len(ends) == 1 else Decides.ALWAYS)]

    # --- tunnels ----------------------------------------------------------------------------------

    def _below(self, row: Row, case: Case, trace: Trace, deep: int) -> list[Limit]:
        """Ask about the outer packet of a tunnel that the packet is handed to."""
        first = case.passages[0]
        link = self.state.link_named(first.left)
        if link is None or link.kind not in TUNNELS or not first.sent:
            return []
        handed = f"it is handed to {link.name} ({link.kind}); the underlay is a question of its own"
        words = hidden_in(self.state, link, length(trace)) if deep else None
        if words is None:
            text = f"{handed}, and nothing here tells where it leads"
            return [Limit(text, Decides.PASSING, endpoint_command(link, self._inside))]
        try:
            below = self.answer(self.question(words), deep=deep - 1)
        except SmolctlError as error:
            return [Limit(f"{handed}: {error.message}", Decides.PASSING)]
        row["underlay"] = below
        if below["ok"] is None:
            return [Limit(f"{handed}, and nobody can say", Decides.PASSING)]
        if not below["ok"]:
            row["ok"] = False
            row["verdict"] = f"{row['verdict']}, but what {link.name} makes of it fails"
            row["why"] = f"{handed}: {below['why']}"
            row["fix"] = row["fix"] or below["fix"]
            if not row["fix"] and "look" in below:
                row.setdefault("look", below["look"])
        return []


def ask(state: HostState, words: Mapping[str, Any], netns: str | None = None) -> Row:
    """Return the row that answers a question about a host.

    It is that of ``why.ask``, whose ``ok`` is None where nobody can say, with ``not_looked_at``,
    ``host``, and where it applies ``trace``, ``one_of`` and ``underlay``.

    Args:
        state: of the host.
        words: as ``why.ask`` has them.
        netns: name or path of its namespace, for commands.

    Raises:
        SmolctlError: it is no question.
    """
    host = Host(state, netns)
    return host.answer(host.question(words))


def _judge(row: Row, found: list[Limit]) -> None:
    """Say that nobody can say, where something decides that was not looked at."""
    deciding = next(
        (
            limit
            for limit in found
            if limit.decides in (Decides.ALWAYS, Decides.PASSING if row["ok"] else Decides.FAILING)
        ),
        None,
    )
    if deciding is None:
        return
    row["ok"] = None
    row["why"] = f"{deciding.text}; without that: {row['verdict']}"
    row["verdict"] = "cannot say"
    row["fix"] = []
    if deciding.command:
        row["look"] = deciding.command
    else:
        row.pop("look", None)


def _tell_detour(row: Row, trace: Trace, ip: str) -> None:
    """Say that the answer leaves by another link than the packet came in by, if it does.

    Args:
        ip: how ``ip`` begins in the namespace.
    """
    if trace.arrival is not None or trace.direction is not Direction.IN:
        return
    for answer in trace.answers:
        way = next((step.facts for step in answer.steps if isinstance(step.facts, Way)), None)
        if way is None or way.interface.name == trace.dev or way.interface.loopback:
            continue
        out, source = way.interface.name, format_address(way.src) if way.src else "its source"
        family = "-6 " if way.src is not None and way.src >= IPV6_MARK else ""
        row["why"] += f"; the answer leaves by {out}, and the packet came in by {trace.dev}"
        row["look"] = (
            f"is it to leave by {trace.dev}? {ip} {family}rule add from {source} lookup TABLE,"
            " and a route in that table"
        )
        return


def next_hops(trace: Trace) -> tuple[Multipath | None, list[Hop]]:
    """Return the route for which a hash picks a next hop, and those that it may be.

    It is the route of the packet, or else of an answer to it. None if they met no such route, or
    only one of its next hops can be taken.
    """
    for each in (trace, *trace.answers):
        for step in each.steps:
            if isinstance(step.facts, Hashed) and len(step.facts.among) > 1:
                return step.facts.hop.whole, list(step.facts.among)
    return None, []


def by_each_hop(
    stack: Stack, dst: int, happen: Callable[[Stack], tuple[_T, Trace]], known: tuple[_T, Trace]
) -> Iterator[tuple[_T, Trace]]:
    """Yield what happens by each of the next hops that a hash may pick, of all routes in its way.

    Args:
        dst: where the packet goes.
        happen: lets it happen to a stack.
        known: what happens to this one.
    """
    whole, hops = next_hops(known[1])
    if whole is None:
        yield known
        return
    for hop in hops:
        alone = _by_one_hop(stack, dst, whole, hop)
        yield from by_each_hop(alone, dst, happen, happen(alone))


def _by_one_hop(stack: Stack, dst: int, whole: Multipath, hop: Hop) -> Stack:
    """Return a clone in which all flows of a route go by one of its next hops.

    Args:
        dst: an address of its family.
    """
    clone = clone_for_changes(stack)
    net = clone.networks.for_address(dst)
    alone = whole.clone()
    for mine, theirs in zip(alone.hops, whole.hops, strict=True):
        mine.weight = int(theirs is hop)
    net.fib.insert(alone, InsertMode.REPLACE)
    net.generation.touch()
    return clone


def _ways(trace: Trace) -> list[Way]:
    """Return the ways that a packet, and the answers to it, went or were to go."""
    return [
        step.facts
        for each in (trace, *trace.answers)
        for step in each.steps
        if isinstance(step.facts, Way)
    ]


def _is_for_one(trace: Trace) -> bool:
    """Tell whether a packet, and the answers to it, are for one host each."""
    return not any(way.type in (WayType.BROADCAST, WayType.MULTICAST) for way in _ways(trace))


def _is_straight(way: Way) -> bool:
    """Tell whether a way leads to who is on a link of ours; a default route says that of nobody."""
    return way.route is not None and way.route.via is None and way.route.plen > 0


def _is_tunnel(link: Link) -> bool:
    return link.kind in TUNNELS or link.type != ETHER


def _end(trace: Trace) -> tuple[bool, str]:
    """Return how a packet ends, as far as one next hop may make another end of it."""
    reason, _ = blame(trace)
    return good(trace), "" if reason is None or reason.layer == "neigh" else reason.name


def _hop_text(hop: Hop) -> str:
    via = [] if hop.via is None else ["via", format_address(hop.via)]
    return " ".join([*via, "dev", str(hop.dev)])


__all__ = ["Host", "ask", "by_each_hop"]
