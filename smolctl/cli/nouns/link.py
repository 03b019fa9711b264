"""``smolctl link``: interfaces."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from smolctl.cli.output import Output
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Plan, Request, Rows, Verb, request, show
from smolctl.cli.words.grammar import Args, Place, Word, refused, without
from smolctl.cli.words.types import MAC, LinkType, Only, absolute

_HEADING_END = (("mode", "linkmode"), ("group", "group"), ("qlen", "txqlen"))
_BRIEF_KEYS = ("link", "ifname", "operstate", "address", "flags")


def heading(row: Mapping[str, Any], out: Output) -> str:
    """Return the first line about an interface, which ``link`` and ``addr`` share."""
    parts = [
        f"{row['ifindex']}: {_name(row, out)}:",
        f"<{','.join(row['flags'])}>",
        f"mtu {row['mtu']}",
    ]
    parts += [f"{word} {row[word]}" for word in ("qdisc", "master") if word in row]
    parts.append(f"state {_state(row['operstate'], out)}")
    parts += [f"{word} {row[key]}" for word, key in _HEADING_END if key in row]
    return " ".join(parts)


def _name(row: Mapping[str, Any], out: Output) -> str:
    """Return the name of an interface, and of the one below it: "eth0.5@eth0"."""
    below = f"@{row['link']}" if "link" in row else ""
    return out.paint("ifname", row["ifname"] + below)


def hardware(row: Mapping[str, Any], out: Output) -> str:
    """Return the line with the link address."""
    line = f"    link/{row['link_type']}"
    if "address" in row:
        line += " " + out.paint("mac", row["address"])
    if "broadcast" in row:
        line += " brd " + out.paint("mac", row["broadcast"])
    return line


def _number(count: int, out: Output) -> str:
    """Return a counter; with ``-h`` three digits and a unit (iproute2 print_num)."""
    base = 1024 if out.options.iec else 1000
    if not out.options.human or count < base:
        return str(count)
    step = next(step for step in range(1, 8) if count < base ** (step + 1))
    value = count / base**step
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}{'kMGTPE'[step - 1]}{'i' if out.options.iec else ''}"


def counters(stats: Mapping[str, Mapping[str, int]], out: Output) -> Iterator[str]:
    """Yield the four lines of ``ip -s``; columns grow as they do there (print_stats64)."""
    rx, tx = stats["rx"], stats["tx"]
    heads = {
        "RX": ("bytes", "packets", "errors", "dropped", "missed", "mcast"),
        "TX": ("bytes", "packets", "errors", "dropped", "carrier", "collsns"),
    }
    keys = {
        "RX": ("bytes", "packets", "errors", "dropped", "over_errors", "multicast"),
        "TX": ("bytes", "packets", "errors", "dropped", "carrier_errors", "collisions"),
    }
    values = {
        "RX": [_number(rx.get(key, 0), out) for key in keys["RX"]],
        "TX": [_number(tx.get(key, 0), out) for key in keys["TX"]],
    }
    least = (10, 7, 6, 7, 7, 7)
    widths = [
        max(width, *(len(values[way][column]) for way in values))
        for column, width in enumerate(least)
    ]
    for way in ("RX", "TX"):
        labels = [
            head.rjust(width - 4 if column == 0 else width)
            for column, (head, width) in enumerate(zip(heads[way], widths, strict=True))
        ]
        yield f"    {way}: " + " ".join(labels)
        numbers = (value.rjust(width) for value, width in zip(values[way], widths, strict=True))
        yield "    " + " ".join(numbers)


def joined(lines: Iterable[str], out: Output) -> Iterator[str]:
    """Yield the lines about one object, as one line for ``--oneline``."""
    if out.options.oneline:
        yield "\\".join(lines)
    else:
        yield from lines


def details(row: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of ``-d``: the kind of the interface, and how bad it is made."""
    if "linkinfo" in row:
        yield _kind(dict(row["linkinfo"]))
    if "netem" in row:
        yield netem(row["netem"])


def _program(row: Mapping[str, Any]) -> str | None:
    """Return the line that says to which program a link belongs; None if to none."""
    info = row.get("linkinfo", {})
    if info.get("info_kind") != "exec":
        return None
    data = info.get("info_data", {})
    return _kind({"info_kind": "exec", **{key: data[key] for key in ("program", "pid")}})


def _kind(info: dict[str, Any]) -> str:
    """Return the kind of an interface and what only that kind has, in one line."""
    words = [str(info.pop("info_kind", ""))]
    for key, value in info.items():
        if isinstance(value, Mapping):
            words += [
                f"<{_word(item)}>" if name == "flags" else f"{name} {_word(item)}"
                for name, item in value.items()
            ]
        else:
            words.append(f"{key} {_word(value)}")
    return "    " + " ".join(words)


def netem(options: Mapping[str, Any]) -> str:
    """Return how bad a link is, in one line as of ``tc qdisc show``."""
    words = [f"    netem limit {options['limit']}"]
    if "delay" in options:
        words.append(f"delay {_time(options['delay']['delay'])}")
        if options["delay"]["jitter"]:
            words.append(f"jitter {_time(options['delay']['jitter'])}")
    for name, key in (("loss", "loss-random"), ("duplicate", "duplicate"),
                      ("reorder", "reorder"), ("corrupt", "corrupt")):  # fmt: skip
        if key in options:
            words.append(f"{name} {100 * options[key][name]:.6g}%")
    if "rate" in options:
        words.append(f"rate {_rate(8 * options['rate']['rate'])}")
    return " ".join(words)


def _time(seconds: float) -> str:
    for unit, factor in (("s", 1), ("ms", 1e3)):
        if seconds * factor >= 1 or seconds == 0:
            return f"{seconds * factor:.6g}{unit}"
    return f"{seconds * 1e6:.6g}us"


def _rate(bits: float) -> str:
    for unit, factor in (("Gbit", 1e9), ("Mbit", 1e6), ("Kbit", 1e3)):
        if bits >= factor:
            return f"{bits / factor:.6g}{unit}"
    return f"{bits:.6g}bit"


def _word(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "off"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _state(operstate: str, out: Output) -> str:
    kind = {"UP": "up", "DOWN": "down"}.get(operstate)
    return out.paint(kind, operstate) if kind else operstate


def brief_start(row: Mapping[str, Any], out: Output) -> str:
    """Return the name and state columns of ``-br``."""
    # Padded before they are painted: the colour codes have no width.
    state, below = row["operstate"], f"@{row['link']}" if "link" in row else ""
    gap = " " * max(1, 17 - len(row["ifname"] + below))
    return f"{_name(row, out)}{gap}{_state(state, out)}" + " " * max(1, 15 - len(state))


def render(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``link show``."""
    for row in rows:
        if out.options.brief:
            mac = out.paint("mac", row.get("address", ""))
            yield f"{brief_start(row, out)}{mac} <{','.join(row['flags'])}>"
            continue
        lines = [heading(row, out), hardware(row, out)]
        if out.options.verbose:
            lines += details(row)
        elif owner := _program(row):
            lines.append(owner)
        if "stats64" in row:
            lines += counters(row["stats64"], out)
        yield from joined(lines, out)


def _show(session: Session, args: Args) -> None:
    if session.options.stats and not session.options.brief:
        args["stats"] = True
    only = links_only(args)
    rows = only(session.call("link.show", **args))
    if session.options.brief and session.options.json:
        rows = [{key: row[key] for key in _BRIEF_KEYS if key in row} for row in rows]
    show(session, rows, args, render)


def links_only(args: Args) -> Callable[[Rows], Rows]:
    """Take the words ``type`` and ``group`` out, and return what keeps the rows that they select.

    A type that only Linux has selects none, as there where no link has it.
    """
    kind, group = args.pop("type", None), args.pop("group", None)
    group = "default" if group == "0" else group

    def kept(rows: Rows) -> Rows:
        return [
            row
            for row in rows
            if group in (None, row["group"])
            and kind in (None, row["link_type"], row.get("linkinfo", {}).get("info_kind"))
        ]

    return kept


def _set(args: Args) -> Plan:
    """Return the request; what only says what is the case needs nothing but the interface."""
    left = without(args, *_TRUE)
    op = "link.show" if left.keys() == {"dev"} and left != args else "link.set"
    return Plan(op, left)


def _add(args: Args) -> Plan:
    for word in _PATHS:
        path = args.get(word)
        if path is not None and not path.startswith("tcp:"):
            args[word] = absolute(path)  # the daemon is in another directory
    return Plan("link.add", without(args, *_VLAN_TRUE))


_TRUE = {
    "promisc": "off",
    "allmulticast": "off",
    "multicast": "on",
}
"""Words of ``link set``, and the value of each that says what is the case anyway."""
_VLAN_TRUE = {
    "reorder_hdr": "on",
    "gvrp": "off",
    "mvrp": "off",
    "loose_binding": "off",
    "bridge_binding": "off",
}
"""The same of ``link add ... type vlan``."""
_LINUX_ALONE = refused(
    "txqueuelen txqlen qlen alias name netns vf xdp "
    "protodown mode operstate broadcast brd trailers dynamic numtxqueues numrxqueues "
    "gso_max_size vrf type"
)
_PATHS = ("connect", "listen", "local", "remote", "read", "write")

_DEVICE = Place("dev", "DEVICE", "interface", words=("dev",), complete="link", required=False)
_NETEM = (
    Word(("delay",), "delay each frame by this time", "TIME"),
    Word(("jitter",), "vary the delay at random by up to this time", "TIME"),
    Word(("loss",), "lose some of the frames", "PERCENT"),
    Word(("corrupt",), "flip one bit in some of the frames", "PERCENT"),
    Word(("duplicate",), "send some of the frames twice", "PERCENT"),
    Word(("reorder",), "send some of the frames without the delay", "PERCENT"),
    Word(("rate",), "maximum rate in bits a second, such as 10mbit", "RATE"),
)
_MIRROR = (
    Word(("carrier",), "mirror: whether it has carrier", "on|off", values=("on", "off")),
    Word(("master",), "mirror: the interface of which it is a port", "DEV", complete="link"),
)
_NETEM_NOTES = (
    "delay, jitter, loss, corrupt, duplicate, reorder and rate work as in tc-netem(8), on what"
    " this end sends. A time has the unit s, ms or us; 0 switches each of them off. smolctl stats"
    " drops counts the affected frames."
)
_MTU = Word(("mtu",), "largest IP packet, bytes", "BYTES")
_ARP = Word(
    ("arp",),
    "off: ask no neighbor for its MAC, and answer nobody; each has the link's own",
    "on|off",
    values=("on", "off"),
)
_GROUP = Word(("group",), "the group it is in, which rules may look at", "GROUP")
ONLY_LINKS = (
    Word(("type",), "only interfaces of this type", "TYPE", values=LinkType.known),
    Word(("group",), "only interfaces of this group", "GROUP"),
    *refused("master vrf"),
)

COMMAND = Noun(
    "link",
    "Show, add, change and delete interfaces",
    (
        Verb(
            "link show",
            "show interfaces",
            _show,
            (_DEVICE, Word(("up",), "only interfaces that are up"), *ONLY_LINKS),
            examples=(
                "smolctl link",
                "smolctl link show tap0",
                "smolctl -s link show dev tap0",
                "smolctl -br link",
                "smolctl -d link show tap0",
            ),
            notes="-s adds the counters of each interface, -d its type and the details of that"
            " type.",
        ),
        Verb(
            "link add",
            "add an interface, which comes up at once",
            Request(_add),
            (
                Place("name", "NAME", "name of the interface", words=("name", "dev")),
                Word(
                    ("type",),
                    "tap: a TAP device of this machine; stream, dgram: a socket to QEMU, passt"
                    " or another stack; cable: to your other stacks; packet: an interface of"
                    " this machine; pcap: a capture file; vlan: a VLAN of another interface;"
                    " mirror: nothing, like a link of another system; loopback: no device",
                    "TYPE",
                    required=True,
                    values=LinkType.known,
                    type=LinkType(),
                ),
                Word(
                    ("name",),
                    "cable: its name, the same at all ends",
                    "CABLE",
                    key="cable",
                    within=("type", "cable"),
                ),
                Word(("down",), "do not bring it up yet"),
                Word(
                    ("address",),
                    "its MAC address, by default a random one; mirror: none if it has none",
                    "MAC",
                    type=MAC,
                ),
                _MTU,
                _ARP,
                _GROUP,
                Word(("persist",), "tap: the TAP device outlives the stack"),
                Word(
                    ("netns",),
                    "tap: move the kernel's side into this namespace",
                    "NETNS",
                    complete="netns",
                ),
                Word(("host",), "tap: give the kernel's side this address", "ADDR/LEN"),
                Word(
                    ("offload",),
                    "tap: off sends each frame alone, with complete checksums",
                    "on|off",
                    values=("on", "off"),
                ),
                Word(
                    ("connect",),
                    "stream: connect to this socket, and reconnect (or tcp:ADDR:PORT)",
                    "PATH",
                ),
                Word(
                    ("listen",),
                    "stream: wait for one peer at this socket (or tcp:ADDR:PORT)",
                    "PATH",
                ),
                Word(("local",), "dgram: path of its own socket", "PATH"),
                Word(("remote",), "dgram: path of the other end's socket", "PATH"),
                Word(("read",), "pcap: play this capture file to the stack", "FILE"),
                Word(("speed",), "pcap: play this many times faster, or fast", "FACTOR"),
                Word(("write",), "pcap: record what the stack sends", "FILE"),
                Word(
                    ("link",),
                    "packet: the interface of this machine; vlan, mirror: that of this stack below"
                    " it",
                    "DEV",
                    complete="below",
                ),
                Word(("id",), "vlan: its VLAN ID, 0 to 4094", "VID"),
                Word(
                    ("protocol",),
                    "vlan: of its tags, 802.1Q or 802.1ad",
                    "PROTO",
                    values=("802.1Q", "802.1ad"),
                ),
                *(
                    Word((word,), "what is the case", value, type=Only(value), hidden=True)
                    for word, value in _VLAN_TRUE.items()
                ),
                *refused("ingress-qos-map egress-qos-map"),
                Word(("promisc",), "packet: take all frames that the interface sees"),
                Word(("ifindex", "index"), "mirror: its number, by default the next", "NUMBER"),
                Word(("kind",), "mirror: what it is like: bridge, veth, tun, ...", "WORD"),
                *_MIRROR,
                *_NETEM,
            ),
            examples=(
                "smolctl link add tap0 type tap",
                "smolctl link add tap0 type tap netns lab host 10.0.0.2/24",
                "smolctl link add eth0 type stream connect /tmp/passt_1.socket",
                "smolctl link add eth0 type stream listen /tmp/qemu.sock",
                "smolctl link add eth0 type cable name c1",
                "smolctl link add p0 type packet link eth0",
                "smolctl link add link tap0 name tap0.5 type vlan id 5",
                "smolctl link add p1 type pcap read x.pcap address 02:00:00:00:00:0a down",
                "smolctl link add name lo1 type loopback",
                "smolctl link add br0 type mirror kind bridge ifindex 7",
                "smolctl link add veth1 type mirror kind veth master br0 carrier off",
            ),
            notes="A TAP device that exists and belongs to you needs no privileges; creating one"
            " does, and so do netns and host. Type packet needs root or CAP_NET_RAW. No"
            " other type needs privileges. A VLAN has the MTU and the MAC address of the lower link"
            " unless told otherwise, and goes down and up with it. A VLAN of 802.1Q on one of"
            " 802.1ad is QinQ."
            f" {_NETEM_NOTES}",
        ),
        Verb(
            "link del",
            "delete an interface, with its addresses, routes and neighbor entries",
            request("link.del"),
            (_DEVICE.but(required=True),),
            examples=("smolctl link del tap0",),
        ),
        Verb(
            "link set",
            "change an interface",
            Request(_set),
            (
                _DEVICE.but(required=True),
                Word(("up", "down"), "bring it up or down", key="state", choice=True),
                _MTU,
                Word(("address",), "its MAC address", "MAC", type=MAC),
                _ARP,
                _GROUP,
                Word(
                    ("addrgenmode",),
                    "how its IPv6 link-local address is made",
                    "MODE",
                    values=("eui64", "none", "random"),
                ),
                *_MIRROR,
                Word(("nomaster",), "mirror: it is no port any more"),
                *_NETEM,
                *(
                    Word((word,), "what is the case", value, type=Only(value), hidden=True)
                    for word, value in _TRUE.items()
                ),
                *_LINUX_ALONE,
            ),
            examples=(
                "smolctl link set tap0 down",
                "smolctl link set dev tap0 mtu 1400 address 02:00:00:00:00:0a up",
                "smolctl link set eth0 arp off",
                "smolctl link set eth0 loss 10% delay 20ms jitter 5ms",
                "smolctl link set eth0 loss 0 delay 0 jitter 0",
            ),
            notes=_NETEM_NOTES,
        ),
    ),
)
