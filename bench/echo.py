"""UDP echo over a TAP: rate with 64 datagrams outstanding, and the round trip of a single one.

``smolctl udp echo`` in a real daemon answers the kernel across its TAP: with ``--quiet``, and as a
command that prints a line for each datagram. Beside it a Python program answers the same load
generator on the kernel's loopback. Every reply's content is checked.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio, thousands
from bench.world import World, cpu_note, cpu_ns, server_cpu
from smolctl.client import Client

_OURS, _HOST, _LOOPBACK, _BYTES = "10.77.0.2", "10.77.0.1", "127.0.0.1", 64
_OURS6, _HOST6 = "2001:db8:77::2", "2001:db8:77::1"
_PORT, _SHOWN_PORT = "7777", "7778"
_KERNEL = "Python recvfrom/sendto echo, kernel loopback"


class Servers:
    """Both echo servers, ready.

    Args:
        shown: have one of them print a line for each datagram, too.
        ipv6: the daemon has an address of IPv6, too, and its echo hears both families.

    Attributes:
        pids: of the servers, by address.
        losses: datagrams that were never answered, by address.
    """

    def __init__(self, world: World, *, shown: bool = False, ipv6: bool = False) -> None:
        self._world = world
        self.losses = {_OURS: 0, _OURS6: 0, _LOOPBACK: 0}
        client = world.daemon("echo", tap="tap0", ours=f"{_OURS}/24", host=f"{_HOST}/24")
        if ipv6:
            client.call("addr.add", local=f"{_OURS6}/64", dev="tap0", nodad=True)
            world.run("ip", "addr", "add", f"{_HOST6}/64", "dev", "tap0", "nodad")
        self._events = iter(client.stream("udp.echo", port=_PORT, quiet=True))
        if next(self._events)["event"] != "bound":
            raise RuntimeError("udp echo did not bind")
        cpu = server_cpu()
        pin = [] if cpu is None else [str(cpu)]
        kernel = world.python("bench.kernel_echo", _LOOPBACK, _PORT, *pin)
        if kernel.stdout is None or kernel.stdout.readline() != "ready\n":
            raise RuntimeError("the kernel's echo did not start")
        self.pids = {_OURS: client.pid, _OURS6: client.pid, _LOOPBACK: kernel.pid}
        if shown:
            world.command("--stack", "echo", "udp", "echo", _SHOWN_PORT)
            with Client.connect("echo", start=False) as other:
                while len(list(other.ask("socket.show"))) < 2:
                    sleep(0.01)

    @property
    def echo_pid(self) -> int:
        """The daemon's process."""
        return self.pids[_OURS]

    def answer(self, count: int) -> None:
        """Have the daemon answer at least ``count`` datagrams."""
        while count > 0:
            count -= self.load(_OURS, 64, 500)["replies"]

    def load(
        self, address: str, outstanding: int, ms: int, how: str = "echo", port: str = _PORT
    ) -> dict[str, Any]:
        """Load one of the servers; return what the generator saw.

        Args:
            how: "segments" lets it send many datagrams in one call.

        Raises:
            RuntimeError: a reply was not what was sent.
        """
        before = cpu_ns(self.pids[address])
        result = self._world.load(how, address, port, str(_BYTES), str(outstanding), str(ms))
        result["cpu_us"] = (cpu_ns(self.pids[address]) - before) / 1000 / max(1, result["replies"])
        self.losses[address] += result["lost"]
        if result["bad"]:
            raise RuntimeError(f"{result['bad']} wrong replies from {address}")
        # On a machine that stood still, what was given up may come after all; more is double.
        if result["late"] > result["lost"]:
            raise RuntimeError(f"{result['late'] - result['lost']} double replies from {address}")
        return result


@contextmanager
def _servers(*, shown: bool = False, ipv6: bool = False) -> Iterator[Servers]:
    with World(ipv6=ipv6) as world:
        yield Servers(world, shown=shown, ipv6=ipv6)


def run_rate(plan: Plan) -> list[Row]:
    """Measure echoes a second with 64 outstanding."""
    ms, cpu_us = plan.size(600), defaultdict[str, list[float]](list)
    with _servers(shown=True) as servers:

        def rate(
            name: str, address: str, how: str = "echo", port: str = _PORT
        ) -> Callable[[], float]:
            def measured() -> float:
                result = servers.load(address, 64, ms, how, port)
                cpu_us[name].append(result["cpu_us"])
                return float(result["replies"] / result["seconds"])

            return measured

        figures = by_turns(
            plan.rounds(15),
            {
                "tap": rate("tap", _OURS),
                "kernel": rate("kernel", _LOOPBACK),
                "shown": rate("shown", _OURS, port=_SHOWN_PORT),
                "segments": rate("segments", _OURS, how="segments"),
                "kernel, segments": rate("kernel, segments", _LOOPBACK, how="segments"),
            },
        )
        losses = servers.losses
    note = f"{cpu_note()}; every reply checked, lost {losses[_OURS]} : {losses[_LOOPBACK]}"
    shown = "smolctl udp echo without -q; the command shares the load generator's cpu"
    segments = "both get 16 datagrams from one call of their peer, 64 outstanding"
    rows = []
    for name, other, what, limit, text in (
        ("tap", "kernel", "UDP echo over TAP, 64 B, 64 outstanding", Limit(0.8, 1.2), note),
        ("shown", "kernel", "the same, a line printed for each datagram", Limit(1, 1.2), shown),
        ("segments", "kernel, segments", "the same, peer sends with UDP_SEGMENT", Limit(1.5, 2.5),
         segments),
    ):  # fmt: skip
        raw = f"{thousands(middle(figures[name]))} : {thousands(middle(figures[other]))}"
        value = ratio(figures[name], figures[other])
        rows.append(Row(what, _KERNEL, value, raw, limit, text, figures=figures))
        # The same work at the same time of day: what others on the machine disturb least.
        raw = f"{middle(cpu_us[name]):.2f} us : {middle(cpu_us[other]):.2f} us"
        value = ratio(cpu_us[name], cpu_us[other])
        rows.append(Row(f"server cpu time: {what}", _KERNEL, value, raw, figures=dict(cpu_us)))
    return rows


def run_round_trip(plan: Plan) -> list[Row]:
    """Measure the round trip of a lone datagram; each round's figure is its median."""
    ms = plan.size(400)
    with _servers() as servers:

        def us(address: str) -> float:
            return float(servers.load(address, 1, ms)["rtt_p50_ns"] / 1000)

        figures = by_turns(
            plan.rounds(12), {"tap": lambda: us(_OURS), "kernel": lambda: us(_LOOPBACK)}
        )
    tap, kernel = figures["tap"], figures["kernel"]
    return [
        Row(
            "round trip over TAP, 64 B, 1 outstanding", _KERNEL, ratio(tap, kernel),
            f"{middle(tap):.1f} us : {middle(kernel):.1f} us",
            Limit(1.3, 1.1, at_least=False), cpu_note(), figures=figures,
        )
    ]  # fmt: skip


def run_families(plan: Plan) -> list[Row]:
    """Measure echoes over IPv6 and over IPv4 of one daemon, by one TAP."""
    ms, cpu_us = plan.size(400), defaultdict[str, list[float]](list)
    with _servers(ipv6=True) as servers:

        def rate(address: str, how: str) -> Callable[[], float]:
            def measured() -> float:
                result = servers.load(address, 64, ms, how)
                cpu_us[f"{address} {how}"].append(result["cpu_us"])
                return float(result["replies"] / result["seconds"])

            return measured

        hows = {"echo": "UDP echo over TAP by IPv6", "segments": "the same with UDP_SEGMENT"}
        runs = {f"{each} {how}": rate(each, how) for how in hows for each in (_OURS6, _OURS)}
        figures = by_turns(plan.rounds(21), runs)
        losses = servers.losses
    note = f"{cpu_note()}; every reply checked, lost {losses[_OURS6]} : {losses[_OURS]}"
    rows = []
    for how, what in hows.items():
        new, old = figures[f"{_OURS6} {how}"], figures[f"{_OURS} {how}"]
        raw = f"{thousands(middle(new))} : {thousands(middle(old))}"
        limit = Limit(0.95, 1.05)
        rows.append(
            Row(what, "the same by IPv4", ratio(new, old), raw, limit, note, figures=figures)
        )
        new, old = cpu_us[f"{_OURS6} {how}"], cpu_us[f"{_OURS} {how}"]
        raw = f"{middle(new):.2f} us : {middle(old):.2f} us"
        what = f"server cpu time: {what}"
        rows.append(Row(what, "the same by IPv4", ratio(new, old), raw, figures=dict(cpu_us)))
    return rows
