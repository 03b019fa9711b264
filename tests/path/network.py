"""One network of five hosts, twice: real kernels in namespaces, and nodes of a lab.

The hub c1 has ``a`` and the routers ``r1`` and ``r2``; ``b`` is behind both, ``c`` behind ``r2``.
The same words configure both: those of ``ip``, which are smolctl's.
"""

import re
from functools import cache

from smolctl.cli.session import Session
from smolctl.cli.words.command import Request
from smolctl.cli.words.finder import Finder
from smolctl.cli.words.options import Options
from smolctl.lab.node import Node
from smolctl.lab.world import World

WIRES = {
    "c1": ("a:eth0", "r1:eth0", "r2:eth0"),
    "c2": ("r1:eth1", "b:eth0"),
    "c3": ("r2:eth1", "b:eth1"),
    "c4": ("r2:eth2", "c:eth0"),
}
MACS = {
    end: f"02:00:00:00:00:{number:02x}"
    for number, end in enumerate((end for ends in WIRES.values() for end in ends), 1)
}
_WORDS = {
    "a": ("addr add 10.0.1.1/24 dev eth0", "route add default via 10.0.1.254"),
    "r1": (
        "addr add 10.0.1.254/24 dev eth0", "addr add 10.0.2.254/24 dev eth1",
        "route add 10.0.3.0/24 via 10.0.1.253", "route add 10.0.4.0/24 via 10.0.1.253",
    ),
    "r2": (
        "addr add 10.0.1.253/24 dev eth0", "addr add 10.0.3.254/24 dev eth1",
        "addr add 10.0.4.254/24 dev eth2", "route add 10.0.2.0/24 via 10.0.1.254",
    ),
    "b": (
        "addr add 10.0.2.1/24 dev eth0", "addr add 10.0.3.1/24 dev eth1",
        "route add default via 10.0.2.254",
    ),
    "c": ("addr add 10.0.4.1/24 dev eth0", "route add default via 10.0.4.254"),
}  # fmt: skip
"""Their configuration; of IPv6 each has the same, see ``six``."""
_ENDS = [end.split(":") for ends in WIRES.values() for end in ends]
DEVS = {node: [dev for at, dev in _ENDS if at == node] for node in _WORDS}
"""The interfaces of each."""
UDP_PORT, TCP_PORT, CLOSED = 7000, 8000, 9
"""Ports at which b and c have programs, and one at which nobody has."""


def six(text: str) -> str:
    """Return the same words about IPv6."""
    text = re.sub(r"\b10\.0\.(\d+)\.(\d+)/(\d+)", _prefix, text)
    text = re.sub(r"\b10\.0\.(\d+)\.(\d+)", r"fd00:\1::\2", text)
    text = text.replace("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
    return text.replace("net.ipv4.", "net.ipv6.")


def _prefix(found: re.Match[str]) -> str:
    net, host, plen = found.groups()
    bits = int(plen)
    host = "" if host == "0" else host
    return f"fd00:{net}::{host}/{bits + 40 if bits <= 24 else 128 - (32 - bits)}"


def words(node: str) -> list[str]:
    """Return the commands that configure a node, of both families."""
    return [
        text
        for line in _WORDS[node]
        for text in (line, six(line) + " nodad" * line.startswith("addr"))
    ]


# --- the lab --------------------------------------------------------------------------------------


@cache
def _finder() -> Finder:
    return Finder()


def run(node: Node, text: str) -> None:
    """Run a command on a node, as the command line reads it."""
    if text.startswith("route add") and ":" in text:
        text = f"-6 {text}"
    finder, session = _finder(), Session(Options())
    verb, args = finder.find(session, text.split())
    assert isinstance(verb.run, Request), text
    plan = verb.run.asked(args, session.options)
    node.call(plan.op, **plan.args)


def lab() -> World:
    """Return the network as nodes of a lab."""
    world = World()
    for name in _WORDS:
        world.add_node(name)
    for wire, ends in WIRES.items():
        for end in ends:
            name, dev = end.split(":")
            words_of_link = {"name": dev, "type": "cable", "cable": wire, "address": MACS[end]}
            world.nodes[name].call("link.add", **words_of_link)
    for name, node in world.nodes.items():
        for line in words(name):
            run(node, line)
    for name in ("r1", "r2"):
        for key in ("ip.forward", "ip6.forward"):
            world.nodes[name].call("sysctl.set", key=key, value="1")
    for name in ("b", "c"):
        world.nodes[name].start("udp.echo", {"port": str(UDP_PORT)})
        world.nodes[name].start("tcp.echo", {"port": str(TCP_PORT)})
    world.run(world.now + 3_000_000_000)
    return world
