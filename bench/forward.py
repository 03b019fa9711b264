"""Packets a second that a stack forwards between two TAPs, each with a kernel behind it.

The load generator in one namespace asks, a Python program in the other answers; the router sees
each round trip twice. Beside it the same program answers on the kernel's loopback, which is a
Python program that takes a packet and sends one for every packet, too.
"""

from collections import defaultdict
from collections.abc import Callable

from bench.measure import Limit, Plan, Row, by_turns, middle, ratio, thousands
from bench.world import World, cpu_note, cpu_ns, daemon, server_cpu
from smolctl.client import Client

_LEFT, _RIGHT, _LOOPBACK, _PORT, _BYTES = "10.81.0", "10.82.0", "127.0.0.1", "7779", 64
_LEFT6, _RIGHT6 = "2001:db8:81:", "2001:db8:82:"
_SETTINGS = {"ip.forward": 1, "ip6.forward": 1, "icmp.ratelimit_ms": 0, "icmp6.ratelimit_ms": 0}
_FAMILIES = {"IPv4": f"{_RIGHT}.2", "IPv6": f"{_RIGHT6}:2"}
_KERNEL = "Python recvfrom/sendto, kernel loopback"


def run(plan: Plan) -> list[Row]:
    """Measure both families, and the program alone, by turns."""
    ms, spent = plan.size(600), defaultdict[str, list[float]](list)
    with (
        World(ipv6=True) as left,
        World(ipv6=True) as right,
        daemon("router", prefix=left.prefix) as router,
    ):
        _join(router, left, right)
        for address in _FAMILIES.values():
            _echo(right, address, None)
        _echo(left, _LOOPBACK, server_cpu())

        def rate(family: str, address: str) -> Callable[[], float]:
            def measured() -> float:
                before = cpu_ns(router.pid)
                result = left.load("echo", address, _PORT, str(_BYTES), "64", str(ms))
                if result["bad"]:
                    raise RuntimeError(f"{result['bad']} wrong replies from {address}")
                if address == _LOOPBACK:
                    return float(result["replies"] / result["seconds"])
                packets = 2 * result["replies"]
                spent[family].append((cpu_ns(router.pid) - before) / 1000 / max(1, packets))
                return float(packets / result["seconds"])

            return measured

        runs = {family: rate(family, address) for family, address in _FAMILIES.items()}
        runs["kernel"] = rate("kernel", _LOOPBACK)
        figures = by_turns(plan.rounds(9), runs)
    kernel = figures["kernel"]
    rows = []
    for family in _FAMILIES:
        raw = f"{thousands(middle(figures[family]))} : {thousands(middle(kernel))}"
        cpu = f"the router's cpu time is {middle(spent[family]):.1f} us a packet; {cpu_note()}"
        what = f"UDP forwarded between two TAPs, {family}, 64 B, packets/s"
        value = ratio(figures[family], kernel)
        rows.append(Row(what, _KERNEL, value, raw, None, cpu, figures=figures))
    raw = f"{middle(spent['IPv6']):.2f} us : {middle(spent['IPv4']):.2f} us"
    rows.append(
        Row(
            "router cpu time: a packet of IPv6 forwarded", "the same by IPv4",
            ratio(spent["IPv6"], spent["IPv4"]), raw, Limit(1.1, 1.05, at_least=False),
            figures=dict(spent),
        )
    )  # fmt: skip
    return rows


def _join(router: Client, left: World, right: World) -> None:
    """Plug the router into both namespaces."""
    for name, network, network6, world in (
        ("left", _LEFT, _LEFT6, left),
        ("right", _RIGHT, _RIGHT6, right),
    ):
        router.call("link.add", name=name, type="tap", netns=world.name, host=f"{network}.2/24")
        router.call("addr.add", local=f"{network}.1/24", dev=name)
        router.call("addr.add", local=f"{network6}:1/64", dev=name, nodad=True)
        world.run("ip", "addr", "add", f"{network6}:2/64", "dev", name, "nodad")
        world.run("ip", "route", "add", "default", "via", f"{network}.1")
        world.run("ip", "-6", "route", "add", "default", "via", f"{network6}:1")
    for key, value in _SETTINGS.items():
        router.call("sysctl.set", key=key, value=str(value))


def _echo(world: World, address: str, cpu: int | None) -> None:
    """Start a program of the kernel's that answers."""
    pin = [] if cpu is None else [str(cpu)]
    echo = world.python("bench.kernel_echo", address, _PORT, *pin)
    if echo.stdout is None or echo.stdout.readline() != "ready\n":
        raise RuntimeError("the kernel's echo did not start")
