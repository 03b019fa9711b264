"""Commands of the host that may help against a drop, or tell more about it."""

import re
import shlex

from smolctl.host.commands import prefixes
from smolctl.host.drop_names import BY_LINUX
from smolctl.host.drops.dropped import Dropped
from smolctl.host.drops.facts import ICMP, ICMPV6, TCP, UDP, Facts
from smolctl.wire.address import format_address, format_endpoint, format_mac, is_scoped

_OF_A_MOMENT = {
    "SOCKET_CLOSE", "SOCKET_FILTER", "SOCKET_RCVBUFF", "SOCKET_BACKLOG", "PROTO_MEM", "CPU_BACKLOG",
    "FULL_RING", "NOMEM", "QDISC_OVERLIMIT", "QDISC_CONGESTED", "NEIGH_QUEUEFULL", "QUEUE_PURGE",
}  # fmt: skip
"""Linux's reasons that are not in the configuration: nobody can predict them."""
_HOLE = re.compile(r"\{(\w+)\}")
_Commands = tuple[tuple[str, ...], tuple[str, ...]]
_LISTENERS = "ss -ln{socket} 'sport = :{dport}'"
_ROUTE, _ROUTE_IN = "ip{six} route get {dst}", "ip{six} route get {dst} from {src} iif {dev}"
_OWN = "ip{six} addr show dev {dev}"
_GROUPS = "ip maddr show dev {dev}"
_VLANS = "ip -d link show type vlan"
# smolctl's reason: what may help, and what tells more, where Linux's name says too little.
_OF_OURS: dict[str, _Commands] = {
    "rx-vlan-unknown": ((), (_VLANS,)),
    "arp-target-not-ours": ((), (_OWN,)),
    "fwd-ttl-exceeded": ((), ("traceroute -n {dst}", _ROUTE_IN)),
    "fwd-route-blackhole": ((), (_ROUTE_IN,)),
    "fwd-group-frame": ((), ("tcpdump -nei {dev}",)),
    "tx-route-blackhole": ((), (_ROUTE,)),
    "tx-no-route": ((), ("ip{six} route get {src}",)),
    "ip-source-route": (
        ("sysctl -w net.ipv4.conf.{dev}.accept_source_route=1",),
        ("sysctl net.ipv4.conf.all.accept_source_route",),
    ),
    "ip-multicast-not-joined": ((), (_GROUPS,)),
    "ip6-multicast-not-joined": ((), (_GROUPS,)),
    "udp-no-listener": ((), (_LISTENERS,)),
    "rs-at-host": (("sysctl -w net.ipv6.conf.all.forwarding=1",), ()),
    "nd-address-conflict": ((), (_OWN,)),
    "nd-dad-failed": ((), (_OWN,)),
}


def commands(dropped: Dropped, facts: Facts, reason: str | None, netns: str | None) -> _Commands:
    """Return the commands that may let such a packet through, and those that tell more.

    What they need of the packet is filled in; those of which something is not known are left out.

    Args:
        dropped: what was dropped. facts: about it.
        reason: smolctl's name for it, if there is one that is certain.
        netns: namespace in which they are to be run, as for ``inside``.
    """
    row = BY_LINUX.get(dropped.linux)
    change, look = _OF_OURS.get(reason or "", (row.change, row.look) if row else ((), ()))
    known = _known(dropped, facts)
    return _filled(change, known, netns), _filled(look, known, netns)


def question(dropped: Dropped, facts: Facts, entrance: str, netns: str | None) -> str | None:
    """Return the command that asks why such a packet is dropped; None for what none asks about.

    Args:
        dropped: what was dropped. facts: about it.
        entrance: name of the device by which it came in.
        netns: as for ``inside``.
    """
    if facts.src is None or facts.dst is None or facts.fault is not None or dropped.iif is None:
        return None
    if dropped.linux in _OF_A_MOMENT or dropped.untagged:
        return None
    if not facts.can_be_asked:
        return None
    if dropped.iif and not entrance:
        return None
    src, dst = facts.src, facts.dst
    if facts.protocol in (UDP, TCP) and facts.sport is not None and facts.dport is not None:
        protocol = "udp" if facts.protocol == UDP else "tcp"
        ends = [format_endpoint(src, facts.sport), format_endpoint(dst, facts.dport)]
    elif facts.protocol in (ICMP, ICMPV6):
        protocol, ends = "icmp", [format_address(src), format_address(dst)]
    else:
        return None
    words = ["smolctl", "why", "--host", *(["--netns", netns] if netns else [])]
    words += [protocol, *ends]
    if dropped.iif and entrance != "lo":  # what came in by that began here
        words += ["iif", entrance]
    elif dropped.dev and is_scoped(dst):
        words += ["dev", dropped.dev]
    if dropped.linux == "OTHERHOST" and dropped.ethernet:
        words += ["dmac", format_mac(dropped.ethernet[:6])]
    if dropped.linux == "IP_INHDR" and facts.ttl is not None:  # it may have ended here
        words += ["ttl", str(facts.ttl)]
    words += ["mark", str(dropped.mark)] if dropped.mark else []
    return shlex.join(words)


def _known(dropped: Dropped, facts: Facts) -> dict[str, str]:
    known = {"six": " -6" if facts.family == 6 else ""}
    known |= {"ip": f"ipv{facts.family}"} if facts.family else {}
    known |= {"dev": dropped.dev} if dropped.dev else {}
    known |= {"src": format_address(facts.src)} if facts.src is not None else {}
    known |= {"dst": format_address(facts.dst)} if facts.dst is not None else {}
    if facts.dport is not None:
        known |= {"sport": str(facts.sport), "dport": str(facts.dport)}
        known |= {"socket": "t" if facts.protocol == TCP else "u"}
    return known


def _filled(
    templates: tuple[str, ...], known: dict[str, str], netns: str | None
) -> tuple[str, ...]:
    return tuple(
        _inside(_HOLE.sub(lambda hole: known[hole[1]], text), netns)
        for text in templates
        if {*_HOLE.findall(text)} <= known.keys()
    )


def _inside(command: str, netns: str | None) -> str:
    """Return a command that is run in a namespace."""
    ip, inside = prefixes(netns)
    program, _, rest = command.partition(" ")
    return f"{ip} {rest}" if program == "ip" else f"{inside}{command}"
