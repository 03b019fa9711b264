"""Bulk UDP send, 1400 B, one call a datagram: ours over a TAP, the kernel's over lo and veth."""

import json
from collections.abc import Callable

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio, thousands
from bench.world import World, cpu_note, server_cpu

_BYTES, _PORT = 1400, "7778"
_SILENCE_MS = "150"
_TAP_HOST, _LOOPBACK = "10.78.0.1", "127.0.0.1"
_VETH_HOST, _VETH_PEER = "10.79.0.1", "10.79.0.2"
_OFFLOADS = "up to 64 datagrams a write, and no payload is summed, where the kernel can"


class _Sending:
    """Bulk sends in one world, and what became of them."""

    def __init__(self, world: World, peer: World, count: int) -> None:
        self._world = world
        self._peer = peer
        self._count = count
        self.sent: dict[str, int] = {}
        self.arrived: dict[str, int] = {}

    def delivered(self, how: str, destination: str) -> float:
        """Send; return how many datagrams a second of sending arrived unharmed."""
        sink_world = self._peer if destination == _VETH_PEER else self._world
        sink = sink_world.start_load("sink", _PORT, str(_BYTES), _SILENCE_MS)
        if sink.stdout is None or sink.stdout.readline() != "ready\n":
            raise RuntimeError("the sink did not start")
        cpu = server_cpu()
        arguments = [how, destination, _PORT, str(_BYTES), str(self._count)]
        sender = self._world.python(
            "bench.bulk_sender", *arguments, "-" if cpu is None else str(cpu)
        )
        report = json.loads(sender.communicate()[0])
        seen = json.loads(sink.communicate()[0])
        if seen["bad"]:
            raise RuntimeError(f"{seen['bad']} datagrams from {destination} were changed")
        self.sent[destination] = self.sent.get(destination, 0) + self._count
        self.arrived[destination] = self.arrived.get(destination, 0) + seen["good"]
        return float(seen["good"] / report["seconds"])

    def loss(self, destination: str) -> str:
        """Return the share that was lost, as text."""
        return f"{100 * (1 - self.arrived[destination] / self.sent[destination]):.1f} %"


def run(plan: Plan) -> list[Row]:
    """Measure the three by turns."""
    count = plan.size(64_000)
    with World() as world, World() as peer:
        world.join(peer, _VETH_HOST, _VETH_PEER)
        sending = _Sending(world, peer, count)

        def to(how: str, destination: str) -> Callable[[], float]:
            return lambda: sending.delivered(how, destination)

        figures = by_turns(
            plan.rounds(9),
            {
                "tap": to("stack", _TAP_HOST),
                "lo": to("kernel", _LOOPBACK),
                "veth": to("kernel", _VETH_PEER),
            },
        )
        note = (
            f"{_OFFLOADS}; delivered and checked datagrams; lost: TAP {sending.loss(_TAP_HOST)},"
            f" lo {sending.loss(_LOOPBACK)}, veth {sending.loss(_VETH_PEER)}; {cpu_note()}"
        )
    return [
        Row(
            "bulk UDP send over TAP, 1400 B", f"Python sendto loop, {name}",
            ratio(figures["tap"], figures[name]),
            f"{thousands(middle(figures['tap']))} : {thousands(middle(figures[name]))}",
            limit, note, figures={"tap": figures["tap"], name: figures[name]},
        )
        for name, limit in (("lo", Limit(2, 3)), ("veth", Limit(2.5, 4)))
    ]  # fmt: skip
