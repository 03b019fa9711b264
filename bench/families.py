"""The cost of a packet of IPv6 as a multiple of that of IPv4: in process, by the time of the cpu.

Both families take the same turns in short rounds: a difference of a few percent would drown in
whatever else the machine does.
"""

from collections.abc import Callable
from time import process_time

from bench.datagram import Pair, fast_path_off, forget
from bench.measure import Limit, Plan, Row, by_turns, middle, ratio
from bench.wired import Forwarding, Wired
from smolctl.wire.address import IPV4, IPV6, Family

_EQUAL = Limit(1.1, 1.05, at_least=False)
_LAYERED = Limit(1.25, 1.1, at_least=False)
_KNOWN = "a known flow; time of the cpu"
_FULL = "fast path off: every header is parsed, verified or made for each packet; time of the cpu"
_ROWS = (
    ("pair", "UDP by IPv6: send, poll, recv, 64 B in process", _EQUAL, _KNOWN),
    ("in", "UDP by IPv6: frame to socket", _EQUAL, _KNOWN),
    ("out", "UDP by IPv6: socket to frame", _EQUAL, _KNOWN),
    ("forward", "IPv6: packet forwarded", _EQUAL, _KNOWN),
    ("layered in", "UDP by IPv6: frame to socket, layered path", _LAYERED, _FULL),
    ("layered out", "UDP by IPv6: socket to frame, layered path", _LAYERED, _FULL),
    ("layered forward", "IPv6: packet forwarded, layered path", _LAYERED, _FULL),
)
Way = Callable[[int], float]


def _ways(family: Family, count: int) -> dict[str, Callable[[], float]]:
    """Return what measures each way of a packet through a stack, ns."""
    wired, router = Wired(family, process_time), Forwarding(family, process_time)
    pair = Pair(family)

    def layered(subject: Wired, way: Way) -> Callable[[], float]:
        def measured() -> float:
            with fast_path_off(subject.stack):
                forget(subject.stack, subject.socket)
                return way(count // 4)

        return measured

    return {
        "pair": lambda: 1e9 / pair.single(count, process_time),
        "in": lambda: wired.receive(count),
        "out": lambda: wired.send(count),
        "forward": lambda: router.forward(count),
        "layered in": layered(wired, wired.receive),
        "layered out": layered(wired, wired.send),
        "layered forward": layered(router, router.forward),
    }


def run(plan: Plan) -> list[Row]:
    """Measure each way of both families by turns."""
    count = plan.size(4_000)
    ways = {family: _ways(family, count) for family in (IPV4, IPV6)}
    # The two that are compared follow each other.
    runs = {(name, family): ways[family][name] for name, *_ in _ROWS for family in ways}
    figures = by_turns(plan.rounds(45), runs)
    rows = []
    for name, what, limit, note in _ROWS:
        new, old = figures[name, IPV6], figures[name, IPV4]
        raw = f"{middle(new):.0f} ns : {middle(old):.0f} ns"
        rows.append(
            Row(
                what, "the same by IPv4", ratio(new, old), raw, limit, note,
                figures={"IPv6": new, "IPv4": old},
            )
        )  # fmt: skip
    return rows
