"""Topologies: stacks, their links, and the wires that these are plugged into.

It is plain data, made of what stacks tell of their links: daemons by ``addr show``, snapshots by
their rows, nodes of a lab as daemons. Two links are on the same wire when both say so: ends of one
cable, both sides of a stream or of a pair of datagram sockets. A VLAN is a wire of its own, within
the wire whose frames have its tag.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from smolctl.counted import counted
from smolctl.wire.vlan import PROTOCOLS

Row = Mapping[str, Any]
VLAN = "vlan"
LOOPBACK = "loopback"


class Plug(NamedTuple):
    """A link of a stack, which is plugged into a wire."""

    stack: str
    dev: str


class VlanOf(NamedTuple):
    """The VLAN that a link is: of which link below, and which.

    Attributes:
        protocol: "802.1Q" or "802.1ad".
    """

    lower: str
    protocol: str
    id: int


class Told(NamedTuple):
    """The word of a stack about one of its links.

    Attributes:
        kind: "cable", "tap", ...
        carrier: it is up, and somebody is at the other end.
        where: what its device tells, or the words that it was added with.
        addresses: with their prefix lengths, as text.
    """

    dev: str
    kind: str
    up: bool
    carrier: bool
    where: Row
    addresses: tuple[str, ...]
    vlan: VlanOf | None = None


class MapLink(NamedTuple):
    """A link on a map.

    Attributes:
        wire: the name of the wire that it is plugged into; "" for none.
    """

    dev: str
    kind: str
    up: bool
    carrier: bool
    addresses: tuple[str, ...]
    wire: str
    vlan: VlanOf | None

    @property
    def shown(self) -> tuple[str, ...]:
        """Its addresses without those of the link, unless it has no other."""
        own = tuple(each for each in self.addresses if not each.startswith("fe80:"))
        return own or self.addresses

    @property
    def usual(self) -> bool:
        """Whether it is a loopback such as every stack has, which no map has to show."""
        return self.kind == LOOPBACK and {*self.addresses} <= {"127.0.0.1/8", "::1/128"}


class MapWire(NamedTuple):
    """A wire on a map.

    Attributes:
        kind: that of the links on it; "vlan" for one that is within another.
        plugs: the links on it.
        outside: who else is on it, of whom no stack tells; "" for nobody.
        within: the wire whose frames have the tag of this VLAN; "" for what is no VLAN.
    """

    name: str
    kind: str
    plugs: tuple[Plug, ...]
    outside: str = ""
    within: str = ""


class Topology(NamedTuple):
    """Stacks with their links, and the wires between them, each by its name and in their order."""

    stacks: dict[str, tuple[MapLink, ...]]
    wires: dict[str, MapWire]

    def around(self, stack: str) -> "Topology":
        """Return the part that one stack is plugged into, with all others that are, too."""
        wires = {
            name: wire
            for name, wire in self.wires.items()
            if any(plug.stack == stack for plug in wire.plugs)
        }
        near = {stack, *(plug.stack for wire in wires.values() for plug in wire.plugs)}
        stacks = {
            name: links if name == stack else tuple(link for link in links if link.wire in wires)
            for name, links in self.stacks.items()
            if name in near
        }
        return Topology(stacks, wires)


class _Place(NamedTuple):
    """The wire of a link: what makes it the same as that of another link.

    Attributes:
        name: for people. others: who else is there, as far as this link knows; given how many of
            the links on it are known.
    """

    key: tuple[object, ...]
    name: str
    others: Callable[[int], str]


def topology(stacks: Mapping[str, Iterable[Told]]) -> Topology:
    """Return the topology of stacks that tell of their links."""
    told = {name: list(links) for name, links in stacks.items()}
    wires: dict[tuple[object, ...], list[tuple[Plug, _Place]]] = {}
    place_of: dict[Plug, tuple[object, ...]] = {}
    for stack, links in told.items():
        below = {link.dev: link for link in links}
        for link in links:
            place = _place(stack, link, below)
            if place is not None:
                plug = Plug(stack, link.dev)
                place_of[plug] = place.key
                wires.setdefault(place.key, []).append((plug, place))
    names = _names(wires)
    found = {
        names[key]: MapWire(
            names[key],
            str(key[0]),
            tuple(plug for plug, _ in plugged),
            next(filter(None, (place.others(len(plugged)) for _, place in plugged)), ""),
            names.get(key[1], "") if key[0] == VLAN else "",  # type: ignore[call-overload]
        )
        for key, plugged in wires.items()
    }
    return Topology(
        {
            stack: tuple(
                MapLink(
                    link.dev, link.kind, link.up, link.carrier, link.addresses,
                    names.get(place_of.get(Plug(stack, link.dev), ()), ""), link.vlan,
                )
                for link in links
            )
            for stack, links in told.items()
        },
        found,
    )  # fmt: skip


def _names(
    wires: Mapping[tuple[object, ...], list[tuple[Plug, _Place]]],
) -> dict[tuple[object, ...], str]:
    """Return the name of each wire; of two that would have the same, both tell their kind."""
    wanted = {key: plugged[0][1].name for key, plugged in wires.items()}
    names: dict[tuple[object, ...], str] = {}
    for key, name in wanted.items():
        if key[0] == VLAN:
            continue
        if sum(other == name for other in wanted.values()) > 1:
            name = f"{key[0]} {name}"
        taken = set(names.values())
        number, first = 2, name
        while name in taken:
            name, number = f"{first} #{number}", number + 1
        names[key] = name
    for key in wires:  # one within another has its name, which may be of a VLAN, too
        if key[0] == VLAN:
            names[key] = _vlan_name(key, names)
    return names


def _vlan_name(key: tuple[object, ...], names: Mapping[tuple[object, ...], str]) -> str:
    _, within, protocol, number = key
    assert isinstance(within, tuple)
    lower = names[within] if within[0] != VLAN else _vlan_name(within, names)
    word = VLAN if protocol == "802.1Q" else str(protocol)
    return f"{lower} {word} {number}"


def _place(stack: str, link: Told, below: Mapping[str, Told]) -> _Place | None:
    """Return the wire of a link; None for one that has none."""
    if link.kind == LOOPBACK:
        return None
    if link.vlan is not None:
        lower = below.get(link.vlan.lower)
        under = None if lower is None else _place(stack, lower, below)
        if under is None:
            return None
        key = (VLAN, under.key, link.vlan.protocol, link.vlan.id)
        return _Place(key, "", lambda known: "")
    return _PLACES.get(link.kind, _some_place)(stack, link)


def _some_place(stack: str, link: Told) -> _Place:
    """Return the wire of a link of a kind that nobody else can be on."""
    return _Place((link.kind, stack, link.dev), link.dev, lambda known: "")


def _cable(stack: str, link: Told) -> _Place:
    name = str(link.where.get("name") or link.where.get("cable") or link.dev)
    ends = int(link.where.get("ends", 0))

    def others(known: int) -> str:
        more = ends - known
        return f"{counted(more, 'end')} that nobody here tells of" if more > 0 else ""

    return _Place(("cable", name), name, others)


def _tap(stack: str, link: Told) -> _Place:
    netns, host = link.where.get("netns"), link.where.get("host")
    text = f"the kernel's {link.dev}"
    text += f" in the namespace {netns}" if netns else ""
    text += f" with {host}" if host else ""
    return _Place(("tap", netns, link.dev, stack), link.dev, lambda known: text)


def _packet(stack: str, link: Told) -> _Place:
    name = str(link.where.get("link") or link.dev)
    text = f"the network of the kernel's {name}, but not the kernel"
    # Nor do two stacks on it hear each other: a packet socket is not told what others send.
    return _Place(("packet", stack, link.dev), name, lambda known: text)


def _stream(stack: str, link: Told) -> _Place:
    listen, connect = link.where.get("listen"), link.where.get("connect")
    path = str(listen or connect or link.dev)

    def others(known: int) -> str:
        if known > 1:
            return ""
        if not link.where.get("connected", link.carrier):
            return ""
        return f"a program that {'connected to' if listen else 'listens at'} {path}"

    return _Place(("stream", path), path.rpartition("/")[2], others)


def _dgram(stack: str, link: Told) -> _Place:
    here, there = str(link.where.get("local", "")), str(link.where.get("remote", ""))

    def others(known: int) -> str:
        connected = link.where.get("connected", link.carrier)
        return f"a program at {there}" if known == 1 and connected else ""

    pair = sorted((here, there))
    name = " ".join(path.rpartition("/")[2] for path in pair)
    return _Place(("dgram", *pair), name, others)


def _pcap(stack: str, link: Told) -> _Place:
    read, write = link.where.get("read"), link.where.get("write")
    texts = [f"from {read}"] if read else []
    texts += [f"into {write}"] if write else []
    text = "the file " + " and ".join(texts) if texts else "a file"
    return _Place(("pcap", stack, link.dev), link.dev, lambda known: text)


def _mirror(stack: str, link: Told) -> _Place:
    kind = f" ({link.where['kind']})" if link.where.get("kind") else ""
    text = f"nothing: it is like a link of another system{kind}"
    return _Place(("mirror", stack, link.dev), link.dev, lambda known: text)


def _program(stack: str, link: Told) -> _Place:
    program = link.where.get("program", "a program")
    pid = link.where.get("pid")
    text = f"{program} (pid {pid})" if pid else str(program)
    return _Place(("exec", stack, link.dev), link.dev, lambda known: text)


_PLACES: dict[str, Callable[[str, Told], _Place]] = {
    "cable": _cable,
    "dgram": _dgram,
    "exec": _program,
    "mirror": _mirror,
    "packet": _packet,
    "pcap": _pcap,
    "stream": _stream,
    "tap": _tap,
}

# --- what stacks tell -----------------------------------------------------------------------------


def told_by_addr(rows: Iterable[Row]) -> list[Told]:
    """Return what the rows of ``addr show -d`` tell."""
    found = []
    for row in rows:
        info = row.get("linkinfo", {})
        where, vlan = info.get("info_data", {}), None
        if info.get("info_kind") == VLAN:
            where, vlan = {}, VlanOf(row["link"], where["protocol"], where["id"])
        flags = row["flags"]
        addresses = tuple(f"{each['local']}/{each['prefixlen']}" for each in row["addr_info"])
        kind = info.get("info_kind", LOOPBACK)
        up, carrier = "UP" in flags, "LOWER_UP" in flags
        found.append(Told(row["ifname"], kind, up, carrier, where, addresses, vlan))
    return found


def told_by_snapshot(rows: Iterable[Row]) -> list[Told]:
    """Return what the rows of a snapshot tell of the links of its stack."""
    links: dict[str, Row] = {}
    addresses: dict[str, list[str]] = {}
    for row in rows:
        if row["part"] == "link":
            links[row["name"]] = row
        elif row["part"] == "address":
            addresses.setdefault(row["dev"], []).append(f"{row['local']}/{row['plen']}")
    found = []
    for name, row in links.items():
        where, vlan = {**row.get("options", {}), **row.get("device", {})}, None
        if (tag := row.get("vlan")) is not None:
            where, vlan = {}, VlanOf(tag["lower"], PROTOCOLS[tag["tpid"]], tag["vid"])
        up = row.get("up", True)
        carrier = up and row.get("carrier", True)
        told = tuple(addresses.get(name, ()))
        found.append(Told(name, row["kind"], up, carrier, where, told, vlan))
    return found
