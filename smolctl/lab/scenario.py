"""Scenarios: what a scenario file says, typed; ``reading`` makes them, ``writing`` writes them.

Times are int nanoseconds since the begin of the run, rates bits a second, probabilities fractions
from 0 to 1. Each part knows the line where it begins, so that a later error can name it; the line
is no part of a comparison, so that the same scenario in two files is the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from smolctl.lab.expectation import ExpectSpec, PlotSpec
from smolctl.lab.source import Command, line_field
from smolctl.ops import netem
from smolctl.stack.link.impairment import Netem
from smolctl.stack.sysctl.settings import named
from smolctl.wire.address import format_endpoint

NS_PER_S = 1_000_000_000
GOOD = Netem()


# --- nodes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SysctlSpec:
    """A sysctl that a node begins with: ``key`` as in ``smolctl sysctl``, and the value's text."""

    key: str
    value: str
    line: int = line_field()


@dataclass(frozen=True, slots=True)
class AddressSpec:
    """An address that a node begins with.

    Attributes:
        dev: its interface.
        prefix: text of address and prefix length, as in "10.0.0.1/24".
    """

    dev: str
    prefix: str
    line: int = line_field()


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node: one stack.

    Attributes:
        profile: its own, whatever the profile of the run; None for that of the run.
        sysctls, addresses: in the order of the file.
        routes: what follows ``smolctl route add``.
        commands: what else makes the node; done in their order, last of all.
    """

    name: str
    profile: str | None = None
    sysctls: tuple[SysctlSpec, ...] = ()
    addresses: tuple[AddressSpec, ...] = ()
    routes: tuple[Command, ...] = ()
    commands: tuple[Command, ...] = ()
    line: int = line_field()


# --- links ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class End:
    """An end of a link: an interface of a node. Its text is ``NODE:DEV``."""

    node: str
    dev: str

    def __str__(self) -> str:
        return f"{self.node}:{self.dev}"


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A link: a cable with two ends, or a hub with more.

    Attributes:
        ends: at least one; no other link has them.
        netem: what is bad about it, for each frame that an end sends.
        mtu: of the interfaces at its ends; None for 1500.
        macs: the MAC addresses that the file fixes, as text; the others are made up.
        vlans: VLAN IDs by end: there the interface DEV.ID is made, which sends with that tag.
    """

    name: str
    ends: tuple[End, ...]
    netem: Netem = GOOD
    mtu: int | None = None
    macs: tuple[tuple[End, str], ...] = ()
    vlans: tuple[tuple[End, int], ...] = ()
    line: int = line_field()


# --- steps ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """A command that runs on a node.

    Attributes:
        background: whether the steps behind it need not wait until it ends.
    """

    node: str
    command: Command
    background: bool = False


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A change of a link; what is None stays as it is.

    Attributes:
        up: False unplugs all of its ends, True plugs them in again.
        netem: new values of fields of ``Netem``; the other fields stay as they are.
        mtu: new MTU of the interfaces at its ends.
    """

    link: str
    up: bool | None = None
    netem: Mapping[str, int | float] = field(default_factory=dict)
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class SendFrame:
    """A raw frame that is put on a link; no stack has sent it.

    Attributes:
        link: where.
        end: the end at which it enters, so that only the others get it; None: all ends get it.
        data: from the destination MAC address on, without the checksum.
    """

    link: str
    end: End | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Replay:
    """The frames of a capture file, put on a link with their distances in time.

    Attributes:
        link, end: as of ``SendFrame``.
        path: relative to the folder of the scenario file, or absolute.
    """

    link: str
    end: End | None
    path: str


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that is switched off or on.

    Attributes:
        change: "stop": from now on it is silent, nobody is told; "start": it begins anew, with what
            ``Scenario.setup`` says and nothing that it had learned; "restart": both at once.
    """

    node: str
    change: str


Action = Run | LinkChange | SendFrame | Replay | NodeChange


@dataclass(frozen=True, slots=True)
class StepSpec:
    """Something that is done at a time.

    Steps of the same time are done in their order.

    Attributes:
        at_ns: when; never before the step before it.
        name: by which expectations know it; None when nobody needs it.
        times, every_ns: how often it is done, and the time between two of them.
    """

    at_ns: int
    action: Action
    name: str | None = None
    times: int = 1
    every_ns: int = 0
    line: int = line_field()

    def instants(self) -> Iterator[int]:
        """Yield each time at which it is done."""
        for number in range(self.times):
            yield self.at_ns + number * self.every_ns


# --- programs -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port.

    Attributes:
        address: None for any of the node's own.
        dev: the interface of a link-local address (what follows "%"), or "".
    """

    address: int | None
    port: int
    dev: str = ""

    def __str__(self) -> str:
        if self.address is None:
            return str(self.port)
        text = format_endpoint(self.address, self.port)
        return text.replace("]", f"%{self.dev}]") if self.dev else text


@dataclass(frozen=True, slots=True)
class Sending:
    """The messages that a program sends, all of them alike.

    Attributes:
        data: the message. Of TCP, messages are written one behind the other, without marks.
        times: how many; None for as many as there is time for.
        every_ns: time between two of them; 0: as soon as the socket takes the next one.
    """

    data: bytes
    times: int | None = 1
    every_ns: int = 0


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """A program with one socket (and of TCP, one more for each connection that it accepts).

    Attributes:
        protocol: "udp" or "tcp".
        listen: where it is bound, and with TCP listens; None when it connects or sends from
            wherever the stack likes.
        to: whom it sends to. TCP: the one it connects to. UDP: each message to the next of them,
            round and round.
        at_ns: when it begins.
        until_ns: when it closes its socket; None at the end of the run.
        sending: what it sends; of a program that listens by TCP, to whoever connects.
        echo: whether it sends back what it reads.
        reads_ns: when it begins to read; None: never, so that its buffer fills.
    """

    name: str
    node: str
    protocol: str
    listen: Endpoint | None = None
    to: tuple[Endpoint, ...] = ()
    at_ns: int = 0
    until_ns: int | None = None
    sending: Sending | None = None
    echo: bool = False
    reads_ns: int | None = 0
    line: int = line_field()


PROTOCOLS = ("udp", "tcp")


# --- the whole ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario: a network, what happens in it, and what has to be true of that.

    Attributes:
        title: one line.
        about: what it shows, any number of lines; "" for nothing.
        file: its name as the user knows it, for errors; no part of a comparison.
        seed: of all chance.
        until_ns: when a run ends; nothing that is listed below is later.
        profile: of all nodes that have none of their own, unless the command line says another.
        compare: the profiles that ``lab compare`` sets side by side; empty for its usual ones.
    """

    title: str
    until_ns: int
    about: str = ""
    seed: int = 1
    profile: str = "linux"
    compare: tuple[str, ...] = ()
    nodes: tuple[NodeSpec, ...] = ()
    links: tuple[LinkSpec, ...] = ()
    programs: tuple[ProgramSpec, ...] = ()
    steps: tuple[StepSpec, ...] = ()
    expects: tuple[ExpectSpec, ...] = ()
    plots: tuple[PlotSpec, ...] = ()
    file: str = field(default="", compare=False)

    def node(self, name: str) -> NodeSpec:
        """Return a node by its name, which has to exist."""
        return next(node for node in self.nodes if node.name == name)

    def link(self, name: str) -> LinkSpec:
        """Return a link by its name, which has to exist."""
        return next(link for link in self.links if link.name == name)

    def interfaces(self, node: str) -> list[str]:
        """Return the names of the interfaces of a node that are ends of links, in their order."""
        return [end.dev for link in self.links for end in link.ends if end.node == node]

    def setup(self, node: NodeSpec) -> Iterator[Command]:
        """Yield all commands that make a node of a bare stack, in their order, with their lines.

        They are the same for a stack in a lab and for a daemon. Each has to end with exit status 0.
        """
        sysctls = [
            (named(each.key).scope, Command(f"sysctl {each.key}={each.value}", each.line))
            for each in node.sysctls
        ]
        yield from (command for scope, command in sysctls if not scope)
        for link in self.links:
            yield from _devices(link, node.name)
        yield from (command for scope, command in sysctls if scope)
        for address in node.addresses:
            yield Command(f"addr add {address.prefix} dev {address.dev}", address.line)
        for route in node.routes:
            yield Command(f"route add {route.text}", route.line)
        yield from node.commands


def _devices(link: LinkSpec, node: str) -> Iterator[Command]:
    """Yield the commands that make the ends of a link at a node."""
    for end in link.ends:
        if end.node != node:
            continue
        words = f"link add {end.dev} type cable name {link.name}"
        mac = dict(link.macs).get(end)
        yield Command(
            words + (f" address {mac}" if mac else "") + (f" mtu {link.mtu}" if link.mtu else ""),
            link.line,
        )
        if link.netem:
            bad = " ".join(f"{word} {value}" for word, value in netem.words(link.netem).items())
            yield Command(f"link set {end.dev} {bad}", link.line)
        for tagged, tag in link.vlans:
            if tagged == end:
                name = f"{end.dev}.{tag}"
                words = f"link add link {end.dev} name {name} type vlan id {tag}"
                yield Command(words, link.line)
