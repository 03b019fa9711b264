"""Large labs: what their nodes take of time and memory, and how many frames a second they simulate.

Each figure comes from a process of its own, ``python -m bench.lab NODES FRAMES``, whose memory
nobody else has touched.
"""

import json
import subprocess
import sys
from time import process_time
from typing import NamedTuple

from bench.measure import Limit, Plan, Row, Spread
from bench.world import resident_kib
from smolctl.lab.request import Told
from smolctl.lab.world import World
from smolctl.path.clones import Clones
from smolctl.path.net import net_of_world
from smolctl.path.reach import Asked, answer, places
from smolctl.wire.address import IPV4

NODES = 1_000
ON_A_LINK = 5
FRAMES = 1_000_000
CPU_S, MIB = 5, 300
"""Limits of a lab of ``NODES``."""
_S = 1_000_000_000
_SETTLED_NS = 5 * _S
"""After so long all addresses are tested, and all groups reported."""
_QUIET_NS = 60 * _S
"""After so long nothing is reported anew, either."""
_INTERVAL_MS = 10


class Figures(NamedTuple):
    """Figures of one lab.

    Attributes:
        boot_s: the cpu until all links are up and all addresses are tested.
        boot_mib: resident memory that came with that.
        frames: how many have arrived since, and in how many seconds of the cpu.
        half_mib, end_mib: memory that came with the first half of them, and with all.
    """

    boot_s: float
    boot_mib: float
    frames: int
    frames_s: float
    half_mib: float
    end_mib: float


def network(nodes: int, on_a_link: int = ON_A_LINK) -> World:
    """Return a lab of hosts with addresses of both families, some on each link."""
    world = World()
    for number in range(nodes):
        link, host = divmod(number, on_a_link)
        node = world.add_node(f"h{number}")
        node.call("link.add", name="eth0", type="cable", cable=f"c{link}")
        for address in (
            f"10.{link >> 8}.{link & 255}.{host + 1}/24",
            f"fd00:{link:x}::{host + 1}/64",
        ):
            node.call("addr.add", local=address, dev="eth0")
    return world


def campus(links: int, hosts: int) -> World:
    """Return links with a router and so many hosts each; the routers share a hub; all works."""
    world = World()
    for link in range(links):
        router = world.add_node(f"r{link}")
        for dev, wire, address in (
            ("eth0", f"lan{link}", f"10.0.{link}.254/24"),
            ("eth1", "middle", f"10.255.0.{link + 1}/24"),
        ):
            router.call("link.add", name=dev, type="cable", cable=wire)
            router.call("addr.add", local=address, dev=dev)
        router.call("sysctl.set", key="ip.forward", value="1")
        for other in set(range(links)) - {link}:
            router.call("route.add", dst=f"10.0.{other}.0/24", via=f"10.255.0.{other + 1}")
        for host in range(1, hosts + 1):
            node = world.add_node(f"h{link}-{host}")
            node.call("link.add", name="eth0", type="cable", cable=f"lan{link}")
            node.call("addr.add", local=f"10.0.{link}.{host}/24", dev="eth0")
            node.call("route.add", dst="default", via=f"10.0.{link}.254")
    world.run(world.now + _QUIET_NS)
    return world


def settle(world: World) -> World:
    """Let time pass until all addresses can be used."""
    world.run(world.now + _SETTLED_NS)
    return world


def talk(world: World, on_a_link: int = ON_A_LINK) -> None:
    """Let the second host of each link, and the fourth, send datagrams to the one before it."""
    for number, node in enumerate(world.nodes.values()):
        link, host = divmod(number, on_a_link)
        if host % 2:
            to = _address(link, host - 1)
            asked = {"dst": to, "port": "7", "data": "x" * 64, "count": str(FRAMES)}
            request = node.start("udp.send", {**asked, "interval": str(_INTERVAL_MS / 1000)})
        else:
            request = node.start("udp.echo", {"port": "7"})
        request.on_event = _forget


def simulate(world: World, frames: int) -> None:
    """Let time pass until so many frames more have arrived."""
    enough = world.frames + frames
    while world.frames < enough:
        world.run(world.now + _INTERVAL_MS * 1_000_000)


def measure(nodes: int, frames: int) -> Figures:
    """Measure one lab, in this process."""
    empty, began_s = resident_kib(), process_time()
    world = settle(network(nodes))
    booted_s, booted = process_time(), resident_kib()
    talk(world)
    simulate(world, 1)  # everybody has begun
    before, start, first = resident_kib(), process_time(), world.frames
    simulate(world, frames // 2)
    half = resident_kib()
    simulate(world, frames - (world.frames - first))
    mib = [kib / 1024 for kib in (booted - empty, half - before, resident_kib() - before)]
    return Figures(
        booted_s - began_s, mib[0], world.frames - first, process_time() - start, mib[1], mib[2]
    )


def measured(nodes: int, frames: int) -> Figures:
    """Measure one lab, in a process of its own."""
    argv = [sys.executable, "-m", "bench.lab", str(nodes), str(frames)]
    shown = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return Figures(*json.loads(shown))


def run(plan: Plan) -> list[Row]:
    """Measure a lab of 1,000 hosts."""
    figures = [measured(NODES, plan.size(FRAMES) if last else 1) for last in (False, False, True)]
    last, pair_ms = figures[-1], [_pair_ms() for _ in range(plan.rounds(3))]
    what = f"lab: {NODES:,} hosts on {NODES // ON_A_LINK} links"
    boot_s, boot_mib = [each.boot_s for each in figures], [each.boot_mib for each in figures]
    return [
        Row(
            f"{what}, boot", "-", Spread.of(boot_s), f"{last.boot_s * 1e6 / NODES:.0f} us each",
            Limit(CPU_S, 3, at_least=False, text="{:g} s"),
            "cpu: links, addresses of both families, their tests, reports of groups", " s",
            {"boot": boot_s},
        ),
        Row(
            f"{what}, memory", "-", Spread.of(boot_mib),
            f"{last.boot_mib * 1024 / NODES:.0f} KiB each",
            Limit(MIB, 150, at_least=False, text="{:g} MiB"), "resident, booted", " MiB",
            {"memory": boot_mib},
        ),
        Row(
            f"lab: {last.frames:,} frames simulated", "-",
            Spread.of([last.frames / last.frames_s / 1000]), f"{last.frames_s:.0f} s of the cpu",
            None, "datagrams and answers on hubs of five: frames that arrive", " k/s",
        ),
        Row(
            f"lab: growth by {last.frames:,} frames", "-",
            Spread.of([last.end_mib - last.half_mib]),
            f"{last.half_mib:.1f} MiB -> {last.end_mib:.1f} MiB",
            Limit(1, 1, at_least=False, text="{:g} MiB"), "the second half of them", " MiB",
        ),
        Row(
            "reach: 100 x 100 stacks, a pair", "-", Spread.of(pair_ms),
            f"{pair_ms[-1] * 9.9:.0f} s in all", Limit(3, 2, at_least=False, text="{:g} ms"),
            "cpu; 20 links, each with a router", " ms", {"pair": pair_ms},
        ),
    ]  # fmt: skip


def _pair_ms() -> float:
    """Return the cpu that a pair takes, of 100 stacks."""
    net = net_of_world(campus(20, 4))
    there = places(net, IPV4)
    pairs = [(src, dst) for src in there[::10] for dst in there if src is not dst]
    clones, began_s = Clones(net), process_time()
    for pair in pairs:
        answer(net, Asked("icmp"), pair, clones)
    return (process_time() - began_s) / len(pairs) * 1000


def _address(link: int, host: int) -> str:
    return f"10.{link >> 8}.{link & 255}.{host + 1}"


def _forget(_told: Told) -> None:
    """Forget an event."""


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
