"""Whatever is asked: the answer is plain data or one error, and a refusal changes nothing."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import SmolctlError
from smolctl.ops.job import Job
from smolctl.ops.operations import OPS
from tests.ops.kit import Api, Exchange, plain

WORDS = ("", "x", "-1", "0", "1", "10.1", "all", "default", "é", "\n", "9" * 5000, "tap0", "²")
# What a caller could mean by each argument, good and bad.
MEANT: dict[str, tuple[Any, ...]] = {
    "dev": ("tap0", "tap0", "tap0", "tap1", "lo", "tap9"),
    "name": ("tap1", "tap1", "tap2", "lo", "x" * 16),
    "local": ("10.0.0.1/24", "10.0.0.3/24", "10.0.0.3", "10.1.0.1/16", "10.0.0.255/24", "10.0.0.1"),
    "dst": ("10.0.0.2", "10.0.0.9", "10.0.0.0/24", "10.1.0.0/16", "default", "127.0.0.2", "8.8.8"),
    "via": ("10.0.0.2", "10.0.0.254", "8.8.8.8", "10.0.0.1"),
    "src": ("10.0.0.1", "10.0.0.3", "127.0.0.1", "10.0.0.77"),
    "to": ("10.0.0.0/8", "10.0.0.1", "0.0.0.0/0"),
    "address": ("02:00:00:00:00:10", "ff:ff:ff:ff:ff:ff", "02-00-00-00-00-11"),
    "lladdr": ("02:00:00:00:00:10", "00:00:00:00:00:00"),
    "broadcast": ("+", "-", "10.0.0.200", True),
    "label": ("tap0", "tap0:x", "eth0"),
    "scope": ("global", "link", "host", "nowhere", "255", "17"),
    "type": ("unicast", "blackhole", "throw", "local", "broadcast", "test", "loopback"),
    "table": ("main", "local", "all", "255"),
    "protocol": ("static", "kernel", "42", "256"),
    "nud": ("permanent", "reachable", "stale", "failed", "incomplete", "none", "all"),
    "key": ("arp.accept", "ip.local_port_last", "iface.neighbor_cache_count", "neigh.unres_qlen"),
    "value": ("0", "1", "2", "40000", "on"),
    "state": ("up", "down", "sideways"),
    "mode": ("request", "dad", "announce-reply", "announce-request"),
    "port": ("7", "9", "65535", "0", "65536", 7),
    "sport": ("7", "5000"),
    "addr": ("10.0.0.1", "127.0.0.1", "10.0.0.77"),
    "data": ("aGVsbG8=", "%", ""),
    "count": ("1", "2", 3),
    "mtu": ("1400", "68", "65536", "67"),
    "metric": ("0", "5", "4294967295", "4294967296"),
    **{name: ("10.0.0.0/8", "10.0.0.1", "0.0.0.0/0") for name in ("root", "match", "exact")},
    **{name: ("0.1", "1", "0", "nan") for name in ("interval", "wait", "timeout", "deadline")},
    **dict.fromkeys(("size", "ttl", "replies"), ("1", "64", "1000", "70000")),
}  # fmt: skip
FLAGS = {
    "stats", "up", "onlink", "fibmatch", "candidates", "all", "expect_reply", "quiet", "first",
    "persist",
}  # fmt: skip
# What an operation is of no use without; given more often than the rest.
USUAL = ("dev", "dst", "local", "port", "name", "type", "key", "value", "lladdr")


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    op = draw(st.sampled_from(sorted(OPS)))
    values: dict[str, Any] = {}
    for name in sorted(OPS[op].names):
        if draw(st.integers(0, 9)) < (8 if name in USUAL else 2):
            meant = (True,) if name in FLAGS else MEANT.get(name, WORDS)
            pool = WORDS if draw(st.integers(0, 9)) == 0 else meant
            values[name] = draw(st.sampled_from(pool))
    return op, values


def dump(api: Api) -> dict[str, Any]:
    """Return the whole configuration of a stack, and who has something open on it."""
    stack = api.stack
    return {
        "fib": [
            (r.table, r.prefix, r.plen, r.on_link, *r.identity())
            for net in stack.networks.values()
            for r in net.fib
        ],
        "links": {
            link.name: (link.index, link.up, link.carrier, link.mtu, link.mac)
            for link in stack.interfaces.values()
        },
        "addresses": {
            link.name: [
                (a.local, a.plen, a.scope, a.label, a.broadcast, a.secondary)
                for net in stack.networks.values()
                for a in net.of(link).addresses.items
            ]
            for link in stack.interfaces.values()
        },
        "neighbors": {
            (net.family, name): [
                (e.ip, e.state, e.lladdr, e.updated_ns, e.timer_ns, len(e.queue)) for e in cache
            ]
            for net in stack.networks.values()
            for name, cache in net.neighbors.items()
        },
        "settings": [
            (item.key, api.host.settings[item.key], api.host.settings.origin(item.key))
            for item in api.host.settings
        ],
        "sockets": sorted((s.port, s.local, s.dev or "", s.owner) for s in stack.udp),
        "clients": (sorted(stack.ping), len(stack.ipv4.probe_clients)),
        "jobs": len(api.engine._jobs),
        "devices": sorted(api.cables.devices),
    }


def ask(api: Api, op: str, values: dict[str, Any]) -> SmolctlError | None:
    """Ask for something; return the error if it was refused."""
    try:
        answer = api.engine.request(op, values, Exchange(), api.clock.now)
        if not isinstance(answer, Job):
            for row in answer:  # what is made aside is refused when its rows are
                plain(row)
    except SmolctlError as error:
        return error
    return None


@given(st.lists(requests(), min_size=1, max_size=20))
def test_what_is_refused_changes_nothing(asked: list[tuple[str, dict[str, Any]]]) -> None:
    api = Api()
    for op, values in asked:
        before = dump(api)
        error = ask(api, op, values)
        if error is not None:
            assert dump(api) == before
            assert error.code != "error"
            for line in (error.message, error.hint or ""):
                assert line.isprintable()
    api.engine.close(api.clock.now)
    assert dump(api)["jobs"] == 0


@given(st.lists(requests(), min_size=1, max_size=8))
def test_whatever_is_asked_time_goes_on(asked: list[tuple[str, dict[str, Any]]]) -> None:
    api = Api()
    for op, values in asked:
        # With no interval at all it is sent as fast as time allows, and this time stands still.
        if values.get("interval") != "0" and ask(api, op, values) is None:
            api.wait(300_000_000)
    api.engine.close(api.clock.now)
    assert (len(api.stack.ping), len(api.stack.ipv4.probe_clients), len(api.stack.udp)) == (0, 0, 0)
