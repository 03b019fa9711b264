"""Memory of the daemon: idle, and what commands and datagrams leave behind."""

import os
from collections.abc import Callable
from contextlib import suppress
from unittest import mock

from bench.echo import Servers
from bench.measure import Limit, Plan, Row, Spread, by_turns, middle
from bench.processes import of_modules
from bench.world import World, daemon, resident_kib
from smolctl.client import Client, RemoteError

_COMMANDS = 10_000
_DATAGRAMS = 1_000_000
_IDLE = Limit(40, 25, at_least=False, text="{:g} MiB")
_IPV6 = Limit(1.5, 0.7, at_least=False, text="{:g} MiB")
_NONE = Limit(64, 64, at_least=False, text="{:g} KiB")
"""Growth that counts as none: Python's allocator takes and returns memory in such steps."""
_MIX = ("route.show", "addr.show", "neigh.show", "link.show", "stats.show", "socket.show")


def run(plan: Plan) -> list[Row]:
    """Measure an idle daemon, then the same one after commands of two kinds; then datagrams."""
    commands = plan.size(_COMMANDS)
    with daemon("memory") as client:
        idle = resident_kib(client.pid) / 1024
        rows = [
            Row(
                "memory: idle daemon", "-", Spread.of([idle]), f"{idle:.1f} MiB resident",
                _IDLE, "just started, one client", " MiB",
            ),
            _growth(
                f"memory: growth by {commands:,} commands, one connection", client.pid,
                lambda: _on_one(client, commands),
            ),
            _growth(
                f"memory: growth by {commands:,} commands, a connection each", client.pid,
                lambda: _on_many(commands),
            ),
        ]  # fmt: skip
    return [*rows, _ipv6(plan), _datagrams(plan)]


def _ipv6(plan: Plan) -> Row:
    """Measure what an idle daemon keeps for IPv6: its modules, and what ip6.disable spares."""

    def idle(disabled: str) -> Callable[[], float]:
        def measured() -> float:
            with (
                mock.patch.dict(os.environ, SMOLCTL_IP6_DISABLE=disabled),
                daemon("memory") as client,
            ):
                return resident_kib(client.pid) / 1024

        return measured

    runs = {"on": idle("0"), "off": idle("1"), "modules": lambda: of_modules("memory")}
    figures = by_turns(plan.rounds(9), runs)
    on, off, modules = (middle(figures[name]) for name in runs)
    return Row(
        "memory: idle daemon, for IPv6", "-", Spread.of([on - off + modules]),
        f"{on:.2f} - {off:.2f} + {modules:.2f} MiB", _IPV6,
        "with IPv6, less with ip6.disable=1, and its modules, which are there either way", " MiB",
        figures,
    )  # fmt: skip


def _growth(what: str, pid: int, work: Callable[[], None], note: str = "") -> Row:
    """Do the work twice; what the second time adds is growth, not warming up."""
    work()
    before = resident_kib(pid)
    work()
    after = resident_kib(pid)
    raw = f"{before / 1024:.1f} MiB -> {after / 1024:.1f} MiB"
    note = note or "shows, changes and refused requests; the second of two equal runs"
    return Row(what, "-", Spread.of([after - before]), raw, _NONE, note, " KiB")


def _on_one(client: Client, count: int) -> None:
    for number in range(count // 10):
        _ten(client, number)


def _on_many(count: int) -> None:
    for number in range(count):
        with Client.connect("memory", start=False) as client:
            client.call(_MIX[number % len(_MIX)])


def _ten(client: Client, number: int) -> None:
    """Run eleven commands: changes that cancel out, shows, and one that is refused."""
    prefix = f"10.{number % 200}.0.0/16"
    client.call("route.add", dst=prefix, type="blackhole")
    client.call("addr.add", local="10.0.0.1/24", dev="lo")
    for op in _MIX:
        client.call(op)
    with suppress(RemoteError):
        client.call("route.del", dst="192.0.2.0/24")
    client.call("addr.del", local="10.0.0.1/24", dev="lo")
    client.call("route.del", dst=prefix)


def _datagrams(plan: Plan) -> Row:
    """Echo datagrams over a TAP; without root, send them over the stack's own loopback."""
    if os.geteuid() == 0:
        count = plan.size(_DATAGRAMS)
        with World() as world:
            servers = Servers(world)
            return _growth(
                f"memory: growth by {count:,} datagrams echoed over TAP", servers.echo_pid,
                lambda: servers.answer(count), "the second of two equal runs",
            )  # fmt: skip
    count = plan.size(_DATAGRAMS) // 20
    with daemon("memory") as client, Client.connect("memory", start=False) as sender:
        events = client.stream("udp.recv", port="7", addr="127.0.0.1")
        next(iter(events))
        return _growth(
            f"memory: growth by {count:,} datagrams over lo", client.pid,
            lambda: _over_loopback(sender, count),
            "fewer than the million asked for: no root, hence no TAP; second of two equal runs",
        )  # fmt: skip


def _over_loopback(sender: Client, count: int) -> None:
    for _ in sender.stream("udp.send", dst="127.0.0.1", port="7", count=count, interval="0"):
        pass
