"""TCP over a TAP: bulk both ways, echo, round trip, connections, and bulk with losses.

Beside each the kernel's own TCP does the same work in the same run, with CUBIC: Python programs
whose peers are the same. Every byte is counted, and every reply is checked.
"""

import json
from collections import defaultdict
from collections.abc import Callable

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio, thousands
from bench.world import World, cpu_note, cpu_ns, load_cpu, server_cpu

_TAP, _HOST, _LOOPBACK = "10.81.0.2", "10.81.0.1", "127.0.0.1"
_VETH, _VETH_PEER = "10.82.0.1", "10.82.0.2"
_SINK, _SOURCE, _ECHO, _ANSWER, _PORT = "7801", "7802", "7803", "7804", "7805"
_PIECE = 65536
_LOSS = "0.01"
_BULK_KERNEL = "Python send and recv, 64 KB a call, kernel lo"


def _cpu(number: int | None) -> str:
    return "-" if number is None else str(number)


def server(
    world: World, stack: str, role: str, address: str, port: str, ms: str = "0", cpu: str = "-",
    loss: str = "0",
) -> int:  # fmt: skip
    """Start a program that serves; return its process."""
    program = world.python("bench.tcp_program", stack, role, address, port, ms, cpu, loss)
    if program.stdout is None or program.stdout.readline() != "ready\n":
        raise RuntimeError(f"the {role} did not start")
    return program.pid


class Bulk:
    """Bulk transfers in a world, each by a process of its own.

    Attributes:
        cpu_us: cpu time a 64 KB of the process that is measured, by name, a figure for each round.
        notes: the last report of each.
    """

    def __init__(self, world: World, ms: int, *, pinned: bool = True) -> None:
        self._world, self._ms = world, str(ms)
        self._pinned = _cpu(server_cpu() if pinned else None)
        self.cpu_us = defaultdict[str, list[float]](list)
        self.notes: dict[str, dict[str, float]] = {}

    def gbits(self, name: str, module: str, *arguments: str) -> Callable[[], float]:
        """Return what runs a transfer and returns its Gbit/s.

        Args:
            module: of bench, whose process reports.
            arguments: its own, up to the port.
        """

        def measured() -> float:
            at = 4 if module == "bench.tcp_program" else 3
            command = [*arguments[:at], self._ms, self._pinned, *arguments[at:]]
            process = self._world.python(module, *command)
            text = process.communicate()[0]
            if process.returncode:
                raise RuntimeError(f"{name}: the transfer failed")
            report = json.loads(text)
            self.notes[name] = report
            self.cpu_us[name].append(report["cpu_seconds"] * 1e6 * _PIECE / report["bytes"])
            return float(report["bytes"] * 8 / report["seconds"] / 1e9)

        return measured

    def rows(
        self, what: str, figures: dict[str, list[float]], ours: str, theirs: str, limit: Limit,
        against: str = _BULK_KERNEL, note: str = "",
    ) -> list[Row]:  # fmt: skip
        """Return the rate's row, and that of the cpu time."""
        raw = f"{middle(figures[ours]):.2f} : {middle(figures[theirs]):.2f} Gbit/s"
        cpu = self.cpu_us
        costs = f"{middle(cpu[ours]):.1f} us : {middle(cpu[theirs]):.1f} us"
        value = ratio(figures[ours], figures[theirs])
        return [
            Row(what, against, value, raw, limit, note or cpu_note(), figures=figures),
            Row(f"cpu time a 64 KB: {what}", against, ratio(cpu[ours], cpu[theirs]), costs,
                figures=dict(cpu)),
        ]  # fmt: skip


def run_bulk(plan: Plan) -> list[Row]:
    """Measure a transfer out and one in."""
    ms = plan.size(800)
    with World() as world:
        other = _cpu(load_cpu())
        for role, port in (("sink", _SINK), ("source", _SOURCE)):
            server(world, "kernel", role, "0.0.0.0", port, str(ms), other)
        bulk = Bulk(world, ms)
        figures = by_turns(
            plan.rounds(9),
            {
                "tx": bulk.gbits("tx", "bench.tcp_stack", "send", _HOST, _SINK),
                "kernel tx": bulk.gbits(
                    "kernel tx", "bench.tcp_program", "kernel", "send", _LOOPBACK, _SINK
                ),
                "rx": bulk.gbits("rx", "bench.tcp_stack", "receive", _HOST, _SOURCE),
                "kernel rx": bulk.gbits(
                    "kernel rx", "bench.tcp_program", "kernel", "receive", _LOOPBACK, _SOURCE
                ),
            },
        )
    return [
        *bulk.rows("bulk TCP send over TAP", figures, "tx", "kernel tx", Limit(0.5, 0.8)),
        *bulk.rows("bulk TCP receive over TAP", figures, "rx", "kernel rx", Limit(0.6, 1)),
    ]


def run_loss(plan: Plan) -> list[Row]:
    """Measure a transfer out of which 1 % of the segments are lost."""
    ms = plan.size(1500)
    with World() as world, World() as peer:
        world.join(peer, _VETH, _VETH_PEER)
        for where, dev in ((world, "veth0"), (peer, "veth1")):
            where.run("ip", "link", "set", dev, "gso_max_segs", "1")
        other = _cpu(load_cpu())
        server(world, "kernel", "sink", "0.0.0.0", _SINK, "0", other)
        server(peer, "kernel", "sink", "0.0.0.0", _SINK, "0", other, _LOSS)
        bulk = Bulk(world, ms)
        figures = by_turns(
            plan.rounds(9),
            {
                "tx": bulk.gbits("tx", "bench.tcp_stack", "send", _HOST, _SINK, _LOSS),
                "kernel": bulk.gbits(
                    "kernel", "bench.tcp_program", "kernel", "send", _VETH_PEER, _SINK
                ),
            },
        )
    last = bulk.notes["tx"]
    note = (
        "lost in our device, and by a filter of the kernel's receiver; ours in the last round:"
        f" {last['retrans']:.0f} segments again, {last['timeouts']:.0f} timeouts,"
        f" {last['spurious']:.0f} spurious; {cpu_note()}"
    )
    against = "Python send, kernel CUBIC, veth without offloads"
    what = "bulk TCP send, 1 % of segments lost"
    return bulk.rows(what, figures, "tx", "kernel", Limit(0.3, 0.6), against, note)


class _Echoes:
    """A daemon's ``tcp echo``, and programs of the kernel's that answer."""

    def __init__(self, world: World, peer: World) -> None:
        self._world = world
        client = world.daemon("tcp", tap="tap0", ours=f"{_TAP}/24", host=f"{_HOST}/24")
        self._events = iter(client.stream("tcp.echo", port=_ECHO, quiet=True))
        if next(self._events)["event"] != "bound":
            raise RuntimeError("tcp echo did not bind")
        # A connection a millisecond leaves no port free for a minute otherwise.
        world.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")
        world.run("sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=64")
        pinned = _cpu(server_cpu())
        world.join(peer, _VETH, _VETH_PEER)
        self.pids = {
            (_TAP, _ECHO): client.pid,
            (_LOOPBACK, _ECHO): server(
                world, "kernel", "echo", _LOOPBACK, _ECHO, "0", pinned
            ),
            (_VETH_PEER, _ANSWER): server(
                peer, "kernel", "answer", _VETH_PEER, _ANSWER, "0", pinned
            ),
        }  # fmt: skip
        self.cpu_us = defaultdict[str, list[float]](list)

    def measure(
        self, name: str, where: tuple[str, str], how: str, many: int, ms: int
    ) -> Callable[[], float]:
        """Return what loads a server and returns replies a second, or the median round trip, us."""

        def measured() -> float:
            pid = self.pids[where]
            before = cpu_ns(pid)
            seen = self._world.load(how, *where, "1", str(many), str(ms), program="load_tcp")
            if seen["bad"] or seen["lost"] or not seen["replies"]:
                raise RuntimeError(f"{name}: {seen}")
            self.cpu_us[name].append((cpu_ns(pid) - before) / 1000 / seen["replies"])
            if many == 1:
                return float(seen["rtt_p50_ns"] / 1000)
            return float(seen["replies"] / seen["seconds"])

        return measured


def run_echo(plan: Plan) -> list[Row]:
    """Measure echoes by 64 connections, the round trip of one, and connections a second."""
    ms = plan.size(600)
    tap, lo, veth = (_TAP, _ECHO), (_LOOPBACK, _ECHO), (_VETH_PEER, _ANSWER)
    with World() as world, World() as peer:
        echoes = _Echoes(world, peer)
        runs = {
            "echo": echoes.measure("echo", tap, "echo", 64, ms),
            "kernel echo": echoes.measure("kernel echo", lo, "echo", 64, ms),
            "trip": echoes.measure("trip", tap, "echo", 1, ms),
            "kernel trip": echoes.measure("kernel trip", veth, "echo", 1, ms),
            "open": echoes.measure("open", tap, "connect", 16, ms),
            "kernel open": echoes.measure("kernel open", lo, "connect", 16, ms),
        }
        figures = by_turns(plan.rounds(9), runs)
    cpu, note = echoes.cpu_us, cpu_note()
    rows = []
    for name, what, against, limit in (
        ("echo", "TCP echo over TAP, 1 B, 64 connections", "Python epoll echo, kernel lo",
         Limit(0.4, 0.6)),
        ("open", "TCP connect, echo, close over TAP, 16 at a time", "Python epoll echo, kernel lo",
         Limit(0.35, 0.6)),
        ("trip", "TCP round trip over TAP, 1 B, one connection", "Python recv and send, veth",
         Limit(1.5, 1.15, at_least=False)),
    ):  # fmt: skip
        theirs = f"kernel {name}"
        ours_, theirs_ = middle(figures[name]), middle(figures[theirs])
        raw = f"{thousands(ours_)} : {thousands(theirs_)}"
        if name == "trip":
            raw = f"{ours_:.1f} us : {theirs_:.1f} us"
        value = ratio(figures[name], figures[theirs])
        rows.append(Row(what, against, value, raw, limit, note, figures=figures))
        costs = f"{middle(cpu[name]):.1f} us : {middle(cpu[theirs]):.1f} us"
        value = ratio(cpu[name], cpu[theirs])
        rows.append(Row(f"server cpu time: {what}", against, value, costs, figures=dict(cpu)))
    return rows
