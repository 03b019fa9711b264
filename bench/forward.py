"""Packets a second that a stack forwards between two TAPs, each with a kernel behind it.

The load generator in one namespace asks, a Python program in the other answers; the router sees
each round trip twice. Beside it the same program answers on the kernel's loopback, which is a
Python program that takes a packet and sends one for every packet, too.
"""

from collections.abc import Callable

from bench.measure import Plan, Row, by_turns, middle, ratio, thousands
from bench.world import World, cpu_note, cpu_ns, daemon, server_cpu
from smolctl.client import Client

_LEFT, _RIGHT, _LOOPBACK, _PORT, _BYTES = "10.81.0", "10.82.0", "127.0.0.1", "7779", 64
_SETTINGS = (("ip.forward", "1"), ("icmp.ratelimit_ms", "0"))


def run(plan: Plan) -> list[Row]:
    """Measure both by turns."""
    ms, spent = plan.size(600), list[float]()
    with World() as left, World() as right, daemon("router", prefix=left.prefix) as router:
        _join(router, left, right)
        _echo(right, f"{_RIGHT}.2", None)
        _echo(left, _LOOPBACK, server_cpu())

        def rate(address: str) -> Callable[[], float]:
            def measured() -> float:
                before = cpu_ns(router.pid)
                result = left.load("echo", address, _PORT, str(_BYTES), "64", str(ms))
                if result["bad"]:
                    raise RuntimeError(f"{result['bad']} wrong replies from {address}")
                if address == _LOOPBACK:
                    return float(result["replies"] / result["seconds"])
                packets = 2 * result["replies"]
                spent.append((cpu_ns(router.pid) - before) / 1000 / max(1, packets))
                return float(packets / result["seconds"])

            return measured

        figures = by_turns(
            plan.rounds(9), {"router": rate(f"{_RIGHT}.2"), "kernel": rate(_LOOPBACK)}
        )
    raw = f"{thousands(middle(figures['router']))} : {thousands(middle(figures['kernel']))}"
    note = f"the router's cpu time is {middle(spent):.1f} us a packet; {cpu_note()}"
    return [
        Row(
            "UDP forwarded between two TAPs, 64 B, packets/s",
            "Python recvfrom/sendto, kernel loopback",
            ratio(figures["router"], figures["kernel"]), raw, None, note, figures=figures,
        )
    ]  # fmt: skip


def _join(router: Client, left: World, right: World) -> None:
    """Plug the router into both namespaces."""
    for name, network, world in (("left", _LEFT, left), ("right", _RIGHT, right)):
        router.call("link.add", name=name, type="tap", netns=world.name, host=f"{network}.2/24")
        router.call("addr.add", local=f"{network}.1/24", dev=name)
        world.run("ip", "route", "add", "default", "via", f"{network}.1")
    for key, value in _SETTINGS:
        router.call("sysctl.set", key=key, value=value)


def _echo(world: World, address: str, cpu: int | None) -> None:
    """Start a program of the kernel's that answers."""
    pin = [] if cpu is None else [str(cpu)]
    echo = world.python("bench.kernel_echo", address, _PORT, *pin)
    if echo.stdout is None or echo.stdout.readline() != "ready\n":
        raise RuntimeError("the kernel's echo did not start")
